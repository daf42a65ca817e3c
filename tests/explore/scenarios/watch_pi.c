/* SPDX-License-Identifier: MIT */
/* See watch_pi.h. */
#include "scenarios/watch_pi.h"

#include <stddef.h>

#define WORDS 3

static struct watched {
    const fs_word *word;
    uint8_t inside;     /* index + 1 */
    uint32_t inherited; /* the id of a fork's parent, which its child may take away */
} watches[WORDS];

static struct watched *watch_of(const fs_word *w)
{
    struct watched *watch = watches;

    while (watch->word != w && watch < &watches[WORDS - 1])
        watch++;
    return watch;
}

void watch_pi_start(const fs_word *w, const char *name)
{
    watch_of(NULL)->word = w;
    explore_name(w, sizeof *w, name);
}

void watch_pi_end(const fs_word *w)
{
    struct watched *watch = watch_of(w);

    for (; watch < &watches[WORDS - 1]; watch++)
        watch[0] = watch[1];
    *watch = (struct watched){0};
}

static uint32_t owner_of(uint32_t word)
{
    return word & FS_PI_TID_MASK;
}

static bool is_gone(const struct watched *watch)
{
    return watch->inside == 0 || explore_is_dead(watch->inside - 1u);
}

void watch_pi_inside(const fs_word *w)
{
    struct watched *watch = watch_of(w);
    unsigned me = explore_self();

    explore_require(is_gone(watch), "thread %u locks beside thread %u", me, watch->inside - 1u);
    watch->inside = (uint8_t)(me + 1);
    explore_step("works");
    explore_require(watch->inside == me + 1, "somebody came in");
    explore_require(owner_of(w->value) == explore_id_of(me) || watch->inherited != 0,
                    "P1: the word of the mutex that thread %u holds names %u", me,
                    owner_of(w->value));
    explore_require(!(w->value & FS_PI_OWNER_DIED), "P2: OWNER_DIED is still set");
}

void watch_pi_outside(const fs_word *w)
{
    watch_of(w)->inside = 0;
}

void watch_pi_forks(void)
{
    for (struct watched *watch = watches; watch < &watches[WORDS] && watch->word; watch++)
        watch->inherited = owner_of(watch->word->value);
}

/* Free to locked and back is the threads' own, and so is what they are told of a death; nothing
   else. */
static bool may_write(const struct watched *watch, const struct explore_event *event)
{
    uint32_t id = explore_id_of(event->thread);
    uint32_t old = (uint32_t)event->old;
    uint32_t new = (uint32_t)event->new;

    if (old == 0)
        return new == id;
    if (new == 0)
        return old == id || (watch->inherited != 0 && owner_of(old) == watch->inherited);
    return owner_of(old) == id && new == (old & ~FS_PI_OWNER_DIED);
}

void watch_pi_observe(const struct explore_event *event)
{
    struct watched *watch = watches;

    while (watch < &watches[WORDS] && watch->word && watch->word != event->word)
        watch++;
    if (watch == &watches[WORDS] || !watch->word || event->kind != EVENT_WRITE ||
        event->other == event->word)
        return;
    explore_require(may_write(watch, event), "P1: thread %u changes the word from %#x to %#x",
                    event->thread, (unsigned)event->old, (unsigned)event->new);
    if (event->new == 0)
        watch->inherited = 0;
}

static bool names_somebody(uint32_t word)
{
    for (unsigned i = 0; i < EXPLORE_THREADS; i++)
        if (explore_id_of(i) == owner_of(word))
            return true;
    return false;
}

void watch_pi_check(void)
{
    for (struct watched *watch = watches; watch < &watches[WORDS] && watch->word; watch++) {
        uint32_t word = fs_load_relaxed(watch->word);

        explore_require(word == 0 || watch->inherited != 0 || names_somebody(word) ||
                            (word & FS_PI_OWNER_DIED && owner_of(word) == 0),
                        "P1: the word is %#x", word);
        explore_require(explore_sleepers(watch->word) == 0 || word & FS_PI_WAITERS,
                        "P1: somebody sleeps on %#x", word);
    }
}

static bool names_a_dead_one(uint32_t word)
{
    for (unsigned i = 0; i < EXPLORE_THREADS; i++)
        if (explore_id_of(i) == owner_of(word))
            return explore_is_dead(i);
    return false;
}

void watch_pi_finish(void)
{
    for (struct watched *watch = watches; watch < &watches[WORDS] && watch->word; watch++) {
        uint32_t word = fs_load_relaxed(watch->word);

        explore_require(is_gone(watch), "somebody is still inside");
        /* A dead owner's word stays as it was, if nobody slept there when it died. */
        explore_require(word == 0 || owner_of(word) == 0 || names_a_dead_one(word),
                        "the word is left as %#x", word);
    }
}
