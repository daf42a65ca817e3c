/* SPDX-License-Identifier: MIT */
/*
 * Mutexes and condition variables that are destroyed at the first moment at which POSIX allows it:
 * right after the last unlock, by a thread that was just woken, right after signals and a
 * broadcast, while others are still on their way out of those calls. break_mutex and
 * cond_broadcast have the simplest cases.
 */
#include "last_use.h"

/* ---- a mutex, by whoever has it last ---- */

static void make_a_mutex(void)
{
    make_mutex(&object->mutex, kind);
}

static int lock_somehow(pthread_mutex_t *m, int how)
{
    struct timespec later = deadline_in_ms(CLOCK_MONOTONIC, 1000000);
    int error = how == 0   ? pthread_mutex_trylock(m)
                : how == 1 ? pthread_mutex_clocklock(m, CLOCK_MONOTONIC, &later)
                           : pthread_mutex_lock(m);
    return error == EBUSY ? pthread_mutex_lock(m) : error;
}

static void have_it_once(struct object *o, int number, unsigned *seed)
{
    (void)number;
    int how = rand_r(seed) % 4;
    dawdle(seed);
    OK(lock_somehow(&o->mutex, how));
    bool last = --o->users == 0;
    dawdle(seed);
    OK(pthread_mutex_unlock(&o->mutex));
    if (!last)
        return;
    OK(pthread_mutex_destroy(&o->mutex));
    give_up(o);
}

START_TEST(a_mutex_may_go_right_after_its_last_unlock)
{
    kind = &mutex_kinds[_i % KINDS];
    fate = (enum fate)(_i / KINDS);
    play_with(have_it_once, make_a_mutex);
}
END_TEST

/* ---- a condition variable and its mutex, by the thread that was just woken ---- */

static void make_mutex_and_cond(void)
{
    make_mutex(&object->mutex, kind);
    OK(pthread_cond_init(&object->cond, NULL));
}

/* Called with the mutex held. */
static void leave(struct object *o)
{
    bool last = --o->users == 0;
    if (last)
        OK(pthread_cond_destroy(&o->cond));
    OK(pthread_mutex_unlock(&o->mutex));
    if (last) {
        OK(pthread_mutex_destroy(&o->mutex));
        give_up(o);
    }
}

/* Two wait, and one opens when at least one of them is inside the wait. */
static void wait_or_open(struct object *o, int number, unsigned *seed)
{
    dawdle(seed);
    OK(pthread_mutex_lock(&o->mutex));
    if (number == 0) {
        int enough = 1 + rand_r(seed) % 2;
        while (o->waiting < enough) {
            OK(pthread_mutex_unlock(&o->mutex));
            sched_yield();
            OK(pthread_mutex_lock(&o->mutex));
        }
        o->open = true;
        if (o->waiting == 1 && rand_r(seed) % 2)
            OK(pthread_cond_signal(&o->cond));
        else
            OK(pthread_cond_broadcast(&o->cond));
        dawdle(seed);
    } else {
        o->waiting++;
        while (!o->open)
            OK(pthread_cond_wait(&o->cond, &o->mutex));
    }
    leave(o);
}

START_TEST(a_condition_variable_and_its_mutex_may_go_with_the_last_woken_thread)
{
    kind = &mutex_kinds[_i % KINDS];
    fate = (enum fate)(_i / KINDS);
    play_with(wait_or_open, make_mutex_and_cond);
}
END_TEST

/* ---- a condition variable, by whoever has just signalled ---- */

static pthread_mutex_t lasting;

static void make_cond(void)
{
    OK(pthread_cond_init(&object->cond, NULL));
}

/* Each of two waiters is signalled by itself, or both together, under the mutex or not; then nobody
 * is blocked on it, however far they have got. The object's other fields go with it. */
static void wait_or_open_and_destroy(struct object *o, int number, unsigned *seed)
{
    static int waiting, open;
    OK(pthread_mutex_lock(&lasting));
    if (number != 0) {
        waiting++;
        while (!open)
            OK(pthread_cond_wait(&o->cond, &lasting));
        if (--waiting == 0)
            open = 0;
        OK(pthread_mutex_unlock(&lasting));
        return;
    }
    while (waiting < THREADS - 1) {
        OK(pthread_mutex_unlock(&lasting));
        sched_yield();
        OK(pthread_mutex_lock(&lasting));
    }
    open = 1;
    bool inside = rand_r(seed) % 2;
    if (!inside)
        OK(pthread_mutex_unlock(&lasting));
    if (rand_r(seed) % 2) {
        OK(pthread_cond_signal(&o->cond));
        OK(pthread_cond_signal(&o->cond));
    } else {
        OK(pthread_cond_broadcast(&o->cond));
    }
    if (inside && rand_r(seed) % 2) {
        OK(pthread_mutex_unlock(&lasting));
        inside = false;
    }
    OK(pthread_cond_destroy(&o->cond));
    give_up(o);
    if (inside)
        OK(pthread_mutex_unlock(&lasting));
}

START_TEST(a_condition_variable_may_go_right_after_signals_and_broadcasts)
{
    kind = &mutex_kinds[_i % KINDS];
    fate = (enum fate)(_i / KINDS);
    make_mutex(&lasting, kind);
    play_with(wait_or_open_and_destroy, make_cond);
    OK(pthread_mutex_destroy(&lasting));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("last_use");
    TCase *tcase = conform_case(suite, "memory");
    const int n = FATES * KINDS;
    tcase_add_loop_test(tcase, a_mutex_may_go_right_after_its_last_unlock, 0, n);
    tcase_add_loop_test(tcase, a_condition_variable_and_its_mutex_may_go_with_the_last_woken_thread,
                        0, n);
    tcase_add_loop_test(tcase, a_condition_variable_may_go_right_after_signals_and_broadcasts, 0,
                        n);
    return conform_run(suite);
}
