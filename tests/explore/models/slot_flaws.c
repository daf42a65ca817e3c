/* SPDX-License-Identifier: MIT */
/* Ways to get reader_slots.h wrong, which the explorer must find. They run without the invariants,
   where possible, so that what is found is the damage that a program would see. */
#include "slot_programs.h"

#define BOTH (MODE_SC | MODE_TSO)

static void start_without_barrier(void)
{
    slot_flaw = SLOT_FLAW_NO_BARRIER;
    slot_start_with_one();
}

static void start_with_plain_barrier(void)
{
    slot_flaw = SLOT_FLAW_PLAIN_BARRIER;
    slot_start_with_one();
}

static void start_with_relaxed_look(void)
{
    slot_flaw = SLOT_FLAW_RELAXED_LOOK;
    slot_start_with_one();
}

static void start_with_plain_entry(void)
{
    slot_flaw = SLOT_FLAW_PLAIN_ENTRY;
    slot_start_with_one();
}

static void start_with_plain_exit(void)
{
    slot_flaw = SLOT_FLAW_PLAIN_EXIT;
    slot_start_with_one();
}

static void start_with_one_mutex(void)
{
    slot_flaw = SLOT_FLAW_CONVERT_AS_WRITER;
    slot_start_with_two();
}

static void start_with_count_first(void)
{
    slot_flaw = SLOT_FLAW_COUNT_FIRST;
    slot_start_with_two();
}

static void start_with_writers_first(void)
{
    slot_flaw = SLOT_FLAW_WRITER_FIRST;
    slot_start_with_one();
}

static void start_with_writers_last(void)
{
    slot_flaw = SLOT_FLAW_WRITERS_LAST;
    slot_start_with_one();
}

const struct explore_scenario slot_flaws_scenarios[] = {
    {.name = "slots/flaw-no-barrier",
     .about = "slots are read while a reader's store is on its way",
     .bound = 2,
     .modes = BOTH,
     .must_fail = true,
     .finds = "exclusion",
     .start = start_without_barrier,
     .thread = {slot_read_once, slot_try_write_once}},
    {.name = "slots/flaw-barrier-without-abort",
     .about = "a plain barrier drains stores, but a sequence under way goes on to its commit",
     .bound = 2,
     .modes = BOTH,
     .must_fail = true,
     .finds = "exclusion",
     .start = start_with_plain_barrier,
     .thread = {slot_read_once, slot_try_write_once}},
    {.name = "slots/flaw-relaxed-look",
     .about = "on a weakly ordered machine: the owner empties a slot that was counted long ago",
     .bound = 2,
     .modes = MODE_WEAK,
     .must_fail = true,
     .finds = "deadlock",
     .start = start_with_relaxed_look,
     .thread = {slot_read_and_grant, slot_write_twice}},
    {.name = "slots/flaw-relaxed-look-breaks-r2",
     .about = "likewise, seen by the invariant",
     .bound = 2,
     .modes = MODE_WEAK,
     .must_fail = true,
     .finds = "R2",
     .start = start_with_relaxed_look,
     .thread = {slot_read_and_grant, slot_write_once},
     .observe = slot_observe},
    {.name = "slots/flaw-plain-entry",
     .about = "a slot is taken by a plain store after a look, not in a sequence",
     .bound = 2,
     .modes = BOTH,
     .must_fail = true,
     .finds = "exclusion",
     .start = start_with_plain_entry,
     .thread = {slot_read_once, slot_write_once}},
    {.name = "slots/flaw-plain-entry-breaks-r2",
     .about = "likewise, seen by the invariant",
     .bound = 2,
     .modes = BOTH,
     .must_fail = true,
     .finds = "R2",
     .start = start_with_plain_entry,
     .thread = {slot_read_once, slot_write_once},
     .observe = slot_observe},
    {.name = "slots/flaw-plain-exit",
     .about = "the owner empties its slot by a store, after it has been counted (break 13)",
     .bound = 2,
     .modes = BOTH,
     .must_fail = true,
     .finds = "deadlock",
     .start = start_with_plain_exit,
     .thread = {slot_read_once, slot_write_once}},
    {.name = "slots/flaw-one-mutex-for-writers-and-conversion",
     .about = "a writer waits for a reader, and who unlocks for that one waits for the writer",
     .bound = 2,
     .modes = BOTH,
     .must_fail = true,
     .finds = "deadlock",
     .start = start_with_one_mutex,
     .thread = {slot_read_and_leave_it, slot_unread_for_another, slot_write_once}},
    {.name = "slots/flaw-counted-before-it-is-sure",
     .about = "a slot is counted first and taken off again when it turns out to be empty",
     .bound = 3,
     .modes = BOTH,
     .must_fail = true,
     .finds = "R1",
     .start = start_with_count_first,
     .thread = {slot_read_once, slot_read_once, slot_write_once},
     SLOT_CHECKED},
    {.name = "slots/flaw-readers-wait-for-waiting-writers",
     .about = "who reads already and reads again waits for a writer that waits for it (break 12)",
     .bound = 2,
     .modes = BOTH,
     .must_fail = true,
     .finds = "deadlock",
     .start = start_with_writers_first,
     .thread = {slot_read_nested, slot_write_once}},
    {.name = "slots/flaw-writers-given-back-last",
     .about = "a writer touches the lock after it has released it",
     .bound = 2,
     .modes = BOTH,
     .must_fail = true,
     .finds = "dead memory",
     .start = start_with_writers_last,
     .thread = {slot_last_write, slot_free_by_reader}},
    {.name = NULL},
};
