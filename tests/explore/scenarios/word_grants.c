/* SPDX-License-Identifier: MIT */
/* See word_grants.h. */
#include "word_grants.h"

static uint8_t asked;
static uint8_t listens; /* those that sleep with the bit which a grant looks for */
static uint8_t meant;
static unsigned priorities[EXPLORE_THREADS];

void word_make_urgent(unsigned thread, unsigned priority)
{
    priorities[thread] = priority;
    explore_set_priority(thread, priority);
}

unsigned word_priority_of(unsigned thread)
{
    return priorities[thread];
}

uint8_t word_who_asked(void)
{
    return asked;
}

uint8_t word_whom_it_is_granted(void)
{
    return meant;
}

/* A grant is for one of those who listen for it, the kernel's choice: one of highest priority. */
static void note_grant(void)
{
    unsigned highest = 0;

    for (unsigned i = 0; i < EXPLORE_THREADS; i++)
        if (listens & 1u << i && priorities[i] > highest)
            highest = priorities[i];
    meant = 0;
    for (unsigned i = 0; i < EXPLORE_THREADS; i++)
        if (listens & 1u << i && priorities[i] == highest)
            meant |= (uint8_t)(1u << i);
}

static void note_write(const struct explore_event *event)
{
    if (event->new == FS_LOCK_HUNGRY)
        asked |= (uint8_t)(1u << event->thread);
    if (event->new == FS_LOCK_GRANTED)
        note_grant();
    else
        meant = 0;
}

void word_observe_grants(const struct explore_event *event)
{
    uint8_t bit = (uint8_t)(1u << event->thread);

    watch_word_observe(event);
    if (event->word != &word_object.word)
        return;
    if (event->kind == EVENT_WRITE)
        note_write(event);
    if (event->kind == EVENT_SLEEP && event->new &FS_LOCK_BIT_HUNGRY)
        listens |= bit;
    if (event->kind == EVENT_AWAKE)
        listens &= (uint8_t)~bit;
}

bool word_is_overtaking(const struct explore_event *event)
{
    uint8_t bit = (uint8_t)(1u << event->thread);

    return event->word == &word_object.word && event->kind == EVENT_WRITE &&
           event->old == FS_LOCK_GRANTED && meant != 0 && !(meant & bit) && !(asked & bit) &&
           priorities[event->thread] == 0;
}

void word_observe_overtaking(const struct explore_event *event)
{
    explore_require(!word_is_overtaking(event),
                    "overtaking: thread %u takes what was granted to another", event->thread);
    word_observe_grants(event);
}
