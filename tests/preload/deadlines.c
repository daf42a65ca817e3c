/* SPDX-License-Identifier: MIT */
/* The program that test_strace_clock.py watches: every timed call on every kind of object sleeps
   until its deadline, each in a thread of its own. Before and after the call the thread writes a
   line to standard error, which shows in the trace as write(2); the first names the call, the clock
   and the deadline. */
#include "../conform/gate.h"

#include "timed_calls.h"

enum { SECONDS = 3 };

static const char *family_of[TIMED_ALL];

static const char *kind_of(const struct trial *t)
{
    if (t->call == call_mutex || t->call == call_cond)
        return mutex_kinds[t->kind].name;
    if (t->call == call_rwlock)
        return rwlock_kinds[t->kind].name;
    return t->kind ? "recursive" : "plain";
}

static void mark(const char *text, int length)
{
    if (write(STDERR_FILENO, text, (size_t)length) != length)
        _exit(2);
}

static void *time_out(void *argument)
{
    struct trial *t = argument;
    struct timespec deadline = time_on(t->clock);
    char line[200];

    deadline.tv_sec += SECONDS;
    mark(line,
         snprintf(line, sizeof line, "begin %s %lld %ld %s way %d, %s\n",
                  t->clock == CLOCK_REALTIME ? "realtime" : "monotonic", (long long)deadline.tv_sec,
                  deadline.tv_nsec, family_of[t - trials], t->way, kind_of(t)));
    int error = t->call(t, &deadline);
    mark(line, snprintf(line, sizeof line, "end %d\n", error));
    if (error != ETIMEDOUT)
        _exit(3);
    return NULL;
}

int main(void)
{
    alarm(100);
    for (size_t i = 0; i < COUNT_OF(families); i++) {
        int k = trial_count;
        families[i].make();
        for (; k < trial_count; k++) {
            family_of[k] = families[i].name;
            families[i].hold(&trials[k]);
        }
    }
    for (int k = 0; k < trial_count; k++)
        start_many(&trials[k].thread, 1, time_out, &trials[k]);
    for (int k = 0; k < trial_count; k++)
        thread_join(&trials[k].thread);
    return 0;
}
