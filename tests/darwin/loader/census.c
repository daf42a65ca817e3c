/* SPDX-License-Identifier: MIT */
/* Who of this process's threads is left to wake others. When nobody is, a test hangs for good, and
   the loader ends at once and says so, where a time limit would say the same much later. */
#define _GNU_SOURCE
#include <time.h>
#include <unistd.h>

#include "world.h"

/* Of this process. */
static unsigned threads = 1;
static unsigned stuck;
static unsigned polling;
static int asleep;

/* A sleep of so many ns is as good as one for ever: no test waits for its end. */
#define VERY_LONG (60000000000u)

static void end_in_deadlock(void)
{
    static const char text[] = "\nloader: every thread sleeps, and nobody is left to wake them\n";

    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        _exit(2);
    _exit(3);
}

static void look_for_deadlock(void)
{
    if (stuck == threads)
        end_in_deadlock();
}

void census_thread_begins(void)
{
    threads++;
}

void census_thread_ends(void)
{
    threads--;
    look_for_deadlock();
}

void census_gets_stuck(void)
{
    stuck++;
    look_for_deadlock();
}

void census_gets_loose(void)
{
    stuck--;
}

void census_begin_child(void)
{
    threads = 1;
    stuck = 0;
    polling = 0;
    asleep = 0;
}

int census_asleep(void)
{
    int count;

    world_lock();
    count = asleep;
    world_unlock();
    return count;
}

/* What is waited for may have been written just before the others fell asleep, so a poll goes on
   for a while after that. */
#define POLLS_ALONE 300

static bool is_alone(void)
{
    bool alone;

    world_lock();
    alone = stuck + polling == threads;
    world_unlock();
    return alone;
}

static void change_polling(int by)
{
    world_lock();
    polling += (unsigned)by;
    world_unlock();
}

void census_poll(const int *word, int least)
{
    const struct timespec pause = {0, 1000000};
    int alone = 0;

    change_polling(1);
    while (__atomic_load_n(word, __ATOMIC_SEQ_CST) < least) {
        alone = is_alone() ? alone + 1 : 0;
        if (alone > POLLS_ALONE)
            end_in_deadlock();
        nanosleep(&pause, NULL);
    }
    change_polling(-1);
}

/* Another process may end a sleep in a queue that is shared; then the sleeper counts itself out. */
void census_count_in(struct sleeper *self, uint64_t timeout_ns)
{
    asleep++;
    self->process = getpid();
    self->stuck = timeout_ns >= VERY_LONG && self->queue->process != 0;
    if (self->stuck)
        census_gets_stuck();
}

void census_count_out(struct sleeper *sleeper)
{
    if (sleeper->process != getpid())
        return;
    asleep--;
    sleeper->process = 0;
    if (sleeper->stuck)
        census_gets_loose();
}
