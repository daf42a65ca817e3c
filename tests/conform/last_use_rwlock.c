/* SPDX-License-Identifier: MIT */
/*
 * Reader-writer locks that are destroyed right after the last unlock, by a thread that got the lock
 * when all others had left it: readers and writers, with and without a deadline, while those others
 * are still on their way out of their unlock.
 */
#include "last_use.h"

#include "rwlock_kinds.h"

static int lock_kind;
static unsigned plan; /* of this round: a random number that all threads see */

static void make_a_rwlock(void)
{
    static unsigned seed = 1;
    make_rwlock(&object->rwlock, lock_kind);
    plan = (unsigned)rand_r(&seed);
}

static void be_inside_until_the_heir_comes(struct object *o, bool writing, unsigned *seed)
{
    OK(writing ? pthread_rwlock_wrlock(&o->rwlock) : pthread_rwlock_rdlock(&o->rwlock));
    __atomic_add_fetch(&o->entered, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&o->coming, __ATOMIC_ACQUIRE))
        sched_yield();
    dawdle(seed);
    OK(pthread_rwlock_unlock(&o->rwlock));
}

static int get_it_as_heir(struct object *o, bool writing)
{
    struct timespec later = deadline_in_ms(CLOCK_REALTIME, 1000000);
    if (plan / 16 % 2)
        return writing ? pthread_rwlock_timedwrlock(&o->rwlock, &later)
                       : pthread_rwlock_timedrdlock(&o->rwlock, &later);
    return writing ? pthread_rwlock_wrlock(&o->rwlock) : pthread_rwlock_rdlock(&o->rwlock);
}

/* One writer or two readers are inside when the heir comes; it gets the lock when all have left. */
static void hold_or_inherit(struct object *o, int number, unsigned *seed)
{
    bool after_writer = plan / 2 % 2, writing = plan / 4 % 2 || !after_writer;
    if (number != 0) {
        if (number == 1 || !after_writer)
            be_inside_until_the_heir_comes(o, after_writer, seed);
        return;
    }
    while (__atomic_load_n(&o->entered, __ATOMIC_ACQUIRE) < (after_writer ? 1 : 2))
        sched_yield();
    raise_flag(&o->coming, 1);
    dawdle(seed);
    OK(get_it_as_heir(o, writing));
    OK(pthread_rwlock_unlock(&o->rwlock));
    OK(pthread_rwlock_destroy(&o->rwlock));
    give_up(o);
}

static void write_once(struct object *o, int number, unsigned *seed)
{
    (void)number;
    dawdle(seed);
    OK(pthread_rwlock_wrlock(&o->rwlock));
    bool last = --o->users == 0;
    dawdle(seed);
    OK(pthread_rwlock_unlock(&o->rwlock));
    if (!last)
        return;
    OK(pthread_rwlock_destroy(&o->rwlock));
    give_up(o);
}

START_TEST(a_reader_writer_lock_may_go_right_after_its_last_unlock)
{
    lock_kind = _i % RWLOCK_KINDS;
    fate = (enum fate)(_i / RWLOCK_KINDS % FATES);
    kind = &mutex_kinds[0];
    play_with(_i / RWLOCK_KINDS / FATES ? write_once : hold_or_inherit, make_a_rwlock);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("last_use_rwlock");
    TCase *tcase = conform_case(suite, "memory");
    tcase_add_loop_test(tcase, a_reader_writer_lock_may_go_right_after_its_last_unlock, 0,
                        2 * FATES * RWLOCK_KINDS);
    return conform_run(suite);
}
