/* SPDX-License-Identifier: MIT */
/* Ways to get reserved_mutex.h wrong, which the explorer must find. They run without the
   invariants, where possible, so that what is found is the damage that a program would see. */
#include "reserved_programs.h"

#define BOTH (MODE_SC | MODE_TSO)

static void start_without_barrier(void)
{
    reserved_flaw = FLAW_NO_BARRIER;
    reserved_start();
}

static void start_with_plain_barrier(void)
{
    reserved_flaw = FLAW_PLAIN_BARRIER;
    reserved_start();
}

static void start_with_plain_stores(void)
{
    reserved_flaw = FLAW_PLAIN_STORES;
    reserved_start();
}

static void start_without_test(void)
{
    reserved_flaw = FLAW_NO_TEST;
    reserved_start();
}

static void start_with_late_look(void)
{
    reserved_flaw = FLAW_LATE_LOOK;
    reserved_start();
}

static void start_without_numbers(void)
{
    reserved_flaw = FLAW_NO_NUMBER;
    reserved_start_with_a_stranger();
}

static void start_without_wake_state(void)
{
    reserved_flaw = FLAW_NO_WAKE_STATE;
    reserved_start();
}

const struct explore_scenario reserved_flaws_scenarios[] = {
    {.name = "reserved/flaw-no-barrier",
     .about = "who revokes and looks at holder at once does not see a store on its way",
     .bound = 2,
     .modes = BOTH,
     .must_fail = true,
     .finds = "exclusion",
     .start = start_without_barrier,
     .thread = {reserved_once, reserved_try_once}},
    {.name = "reserved/flaw-no-barrier-breaks-i3",
     .about = "likewise, seen by the invariant",
     .bound = 2,
     .must_fail = true,
     .finds = "I3",
     .start = start_without_barrier,
     .thread = {reserved_once, reserved_once},
     RESERVED_CHECKED},
    {.name = "reserved/flaw-barrier-without-abort",
     .about = "a plain barrier drains stores, but a sequence under way goes on to its commit",
     .bound = 2,
     .modes = BOTH,
     .must_fail = true,
     .finds = "exclusion",
     .start = start_with_plain_barrier,
     .thread = {reserved_once, reserved_try_once}},
    {.name = "reserved/flaw-barrier-without-abort-breaks-i2",
     .about = "likewise, seen by the invariant",
     .bound = 2,
     .must_fail = true,
     .finds = "I2",
     .start = start_with_plain_barrier,
     .thread = {reserved_once, reserved_try_once},
     .observe = reserved_observe},
    {.name = "reserved/flaw-late-plain-store",
     .about = "a store after a look, not in a sequence, lands in another's time (break 3)",
     .bound = 2,
     .modes = BOTH,
     .must_fail = true,
     .finds = "exclusion",
     .start = start_with_plain_stores,
     .thread = {reserved_once, reserved_once}},
    {.name = "reserved/flaw-late-plain-store-breaks-i1",
     .about = "likewise, seen by the invariant when the mutex has gone over to another",
     .bound = 3,
     .modes = BOTH,
     .must_fail = true,
     .finds = "I1",
     .start = start_with_plain_stores,
     .thread = {reserved_once, reserved_once},
     .observe = reserved_observe_settled},
    {.name = "reserved/flaw-no-test-of-holder",
     .about = "the short path does not ask whether the mutex is held already (break 4)",
     .bound = 0,
     .modes = BOTH,
     .must_fail = true,
     .finds = "a second lock by the holder succeeds",
     .start = start_without_test,
     .thread = {reserved_relock_and_try}},
    {.name = "reserved/flaw-look-after-the-release",
     .about = "unlock looks at the mutex again when it may be gone (break 1)",
     .bound = 2,
     .modes = BOTH,
     .must_fail = true,
     .finds = "dead memory",
     .start = start_with_late_look,
     .thread = {reserved_use_and_free, reserved_use_and_free}},
    {.name = "reserved/flaw-revocations-without-numbers",
     .about = "a slow thread settles a later revocation with what it saw at an earlier one",
     .bound = 3,
     .modes = BOTH,
     .must_fail = true,
     .finds = "exclusion",
     .start = start_without_numbers,
     .thread = {reserved_once, reserved_grant_and_again, reserved_once}},
    {.name = "reserved/flaw-settled-without-a-mark",
     .about = "a held mutex is settled as if nobody were to sleep on it",
     .bound = 2,
     .modes = BOTH,
     .must_fail = true,
     .finds = "deadlock",
     .start = start_without_wake_state,
     .thread = {reserved_once, reserved_once}},
    {.name = NULL},
};
