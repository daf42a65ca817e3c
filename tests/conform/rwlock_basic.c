/* SPDX-License-Identifier: MIT */
/*
 * Reader-writer locks without a clock: initialisation, who excludes whom, the errors of
 * relocking and of try calls, recursion of readers, release by another thread, and processes.
 * Deadlines and preference have programs of their own.
 */
#include "gate.h"

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

static const int kinds[] = {PTHREAD_RWLOCK_PREFER_READER_NP, PTHREAD_RWLOCK_PREFER_WRITER_NP,
                            PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP};

enum { KINDS = 3 };

static void init_kind(pthread_rwlock_t *l, int kind, int scope)
{
    pthread_rwlockattr_t attr;
    int got = -1;
    OK(pthread_rwlockattr_init(&attr));
    OK(pthread_rwlockattr_setkind_np(&attr, kind));
    OK(pthread_rwlockattr_getkind_np(&attr, &got));
    ck_assert_int_eq(got, kind);
    OK(pthread_rwlockattr_setpshared(&attr, scope));
    OK(pthread_rwlock_init(l, &attr));
    OK(pthread_rwlockattr_destroy(&attr));
}

typedef int lock_call(pthread_rwlock_t *);

struct attempt {
    lock_call *call;
    pthread_rwlock_t *lock;
    int result;
};

static void *attempt_here(void *argument)
{
    struct attempt *a = argument;
    EXPECT(a->call(a->lock), a->result);
    if (a->result == 0)
        OK(pthread_rwlock_unlock(a->lock));
    return NULL;
}

/* What another thread gets. */
static void elsewhere(lock_call *call, pthread_rwlock_t *l, int result)
{
    struct attempt a = {call, l, result};
    in_thread(attempt_here, &a);
}

static void all_rules(pthread_rwlock_t *l)
{
    elsewhere(pthread_rwlock_rdlock, l, 0);
    elsewhere(pthread_rwlock_wrlock, l, 0);
    OK(pthread_rwlock_rdlock(l));
    elsewhere(pthread_rwlock_rdlock, l, 0);
    elsewhere(pthread_rwlock_tryrdlock, l, 0);
    elsewhere(pthread_rwlock_trywrlock, l, EBUSY);
    EXPECT(pthread_rwlock_trywrlock(l), EBUSY);
    OK(pthread_rwlock_tryrdlock(l));
    OK(pthread_rwlock_rdlock(l));
    OK(pthread_rwlock_unlock(l));
    elsewhere(pthread_rwlock_trywrlock, l, EBUSY);
    OK(pthread_rwlock_unlock(l));
    elsewhere(pthread_rwlock_trywrlock, l, EBUSY);
    OK(pthread_rwlock_unlock(l));
    elsewhere(pthread_rwlock_trywrlock, l, 0);
    for (int i = 0; i < 2; i++) {
        OK(i ? pthread_rwlock_trywrlock(l) : pthread_rwlock_wrlock(l));
        elsewhere(pthread_rwlock_tryrdlock, l, EBUSY);
        elsewhere(pthread_rwlock_trywrlock, l, EBUSY);
        EXPECT(pthread_rwlock_tryrdlock(l), EBUSY);
        EXPECT(pthread_rwlock_trywrlock(l), EBUSY);
#ifdef __GLIBC__ /* musl's writer waits for itself */
        EXPECT(pthread_rwlock_rdlock(l), EDEADLK);
        EXPECT(pthread_rwlock_wrlock(l), EDEADLK);
#endif
        elsewhere(pthread_rwlock_tryrdlock, l, EBUSY);
        OK(pthread_rwlock_unlock(l));
    }
    elsewhere(pthread_rwlock_tryrdlock, l, 0);
    elsewhere(pthread_rwlock_trywrlock, l, 0);
    OK(pthread_rwlock_destroy(l));
}

START_TEST(all_rules_hold_for_every_way_to_initialise)
{
    static pthread_rwlock_t nonrecursive = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
    static pthread_rwlock_t zero;
    pthread_rwlock_t fresh;
    all_rules(&lock);
    all_rules(&nonrecursive);
    all_rules(&zero);
    memset(&fresh, 0xa5, sizeof fresh);
    OK(pthread_rwlock_init(&fresh, NULL));
    all_rules(&fresh);
    for (int i = 0; i < KINDS; i++) {
        for (int scope = 0; scope < 2; scope++) {
            memset(&fresh, 0xff, sizeof fresh);
            init_kind(&fresh, kinds[i], scope);
            all_rules(&fresh);
        }
    }
}
END_TEST

START_TEST(an_unknown_kind_gives_EINVAL)
{
    pthread_rwlockattr_t attr;
    OK(pthread_rwlockattr_init(&attr));
    EXPECT(pthread_rwlockattr_setkind_np(&attr, 3), EINVAL);
    EXPECT(pthread_rwlockattr_setkind_np(&attr, -1), EINVAL);
    OK(pthread_rwlockattr_destroy(&attr));
}
END_TEST

START_TEST(ten_thousand_recursive_read_locks)
{
    init_kind(&lock, kinds[_i], PTHREAD_PROCESS_PRIVATE);
    int errors = 0;
    for (int i = 0; i < 10000; i++)
        errors += (i % 2 ? pthread_rwlock_rdlock(&lock) : pthread_rwlock_tryrdlock(&lock)) != 0;
    for (int i = 0; i < 10000; i++) {
        if (i % 1000 == 999)
            elsewhere(pthread_rwlock_trywrlock, &lock, EBUSY);
        errors += pthread_rwlock_unlock(&lock) != 0;
    }
    ck_assert_int_eq(errors, 0);
    elsewhere(pthread_rwlock_trywrlock, &lock, 0);
    OK(pthread_rwlock_destroy(&lock));
}
END_TEST

/* ---- threads that hold the lock until they are told ---- */

struct holder {
    struct thread thread;
    lock_call *call;
    int has, leave;
    bool keep; /* leaves the lock held: another thread releases it */
};

static void *hold(void *argument)
{
    struct holder *h = argument;
    OK(h->call(&lock));
    raise_flag(&h->has, 1);
    wait_for_flag(&h->leave, 1);
    if (!h->keep)
        OK(pthread_rwlock_unlock(&lock));
    return NULL;
}

static void start_holder(struct holder *h, lock_call *call)
{
    *h = (struct holder){.call = call};
    thread_start(&h->thread, hold, h);
}

static void end_holder(struct holder *h)
{
    raise_flag(&h->leave, 1);
    thread_join(&h->thread);
}

START_TEST(readers_are_inside_together)
{
    struct holder h[30];
    init_kind(&lock, kinds[_i], PTHREAD_PROCESS_PRIVATE);
    for (int i = 0; i < 30; i++)
        start_holder(&h[i], i % 3 ? pthread_rwlock_rdlock : pthread_rwlock_tryrdlock);
    for (int i = 0; i < 30; i++)
        wait_for_flag(&h[i].has, 1);
    EXPECT(pthread_rwlock_trywrlock(&lock), EBUSY);
    for (int i = 0; i < 30; i++)
        end_holder(&h[i]);
    OK(pthread_rwlock_trywrlock(&lock));
    OK(pthread_rwlock_unlock(&lock));
}
END_TEST

START_TEST(a_writer_lets_nobody_in_and_everybody_afterwards)
{
    struct holder h[12];
    init_kind(&lock, kinds[_i], PTHREAD_PROCESS_PRIVATE);
    OK(pthread_rwlock_wrlock(&lock));
    for (int i = 0; i < 12; i++)
        start_holder(&h[i], i % 4 ? pthread_rwlock_rdlock : pthread_rwlock_wrlock);
    for (int i = 0; i < 12; i++) {
        wait_until_asleep(h[i].thread.tid);
        ck_assert_int_eq(__atomic_load_n(&h[i].has, __ATOMIC_ACQUIRE), 0);
        raise_flag(&h[i].leave, 1);
    }
    OK(pthread_rwlock_unlock(&lock));
    for (int i = 0; i < 12; i++)
        end_holder(&h[i]);
    OK(pthread_rwlock_trywrlock(&lock));
    OK(pthread_rwlock_unlock(&lock));
    OK(pthread_rwlock_destroy(&lock));
}
END_TEST

START_TEST(a_read_lock_is_released_by_another_thread)
{
    struct holder h[4], writer;
    init_kind(&lock, kinds[_i], PTHREAD_PROCESS_PRIVATE);
    for (int i = 0; i < 4; i++) {
        start_holder(&h[i], pthread_rwlock_rdlock);
        h[i].keep = true;
        wait_for_flag(&h[i].has, 1);
    }
    start_holder(&writer, pthread_rwlock_wrlock);
    wait_until_asleep(writer.thread.tid);
    for (int i = 0; i < 2; i++)
        end_holder(&h[i]);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(__atomic_load_n(&writer.has, __ATOMIC_ACQUIRE), 0);
        OK(pthread_rwlock_unlock(&lock));
    }
    wait_for_flag(&writer.has, 1);
    EXPECT(pthread_rwlock_tryrdlock(&lock), EBUSY);
    end_holder(&writer);
    for (int i = 2; i < 4; i++)
        end_holder(&h[i]);
    OK(pthread_rwlock_trywrlock(&lock));
    OK(pthread_rwlock_unlock(&lock));
}
END_TEST

/* ---- processes ---- */

struct shared_lock {
    pthread_rwlock_t lock;
    long first, second, torn;
};

static int read_and_write(void *argument)
{
    struct shared_lock *s = argument;
    int errors = 0;
    for (int i = 0; i < 4000; i++) {
        if (i % 4 == 0) {
            errors += pthread_rwlock_wrlock(&s->lock) != 0;
            s->first++;
            s->second++;
        } else {
            errors += pthread_rwlock_rdlock(&s->lock) != 0;
            if (*(volatile long *)&s->first != *(volatile long *)&s->second)
                __atomic_add_fetch(&s->torn, 1, __ATOMIC_RELAXED);
        }
        errors += pthread_rwlock_unlock(&s->lock) != 0;
    }
    return errors != 0;
}

START_TEST(processes_share_a_lock)
{
    struct shared_lock *s = shared_memory(sizeof *s);
    init_kind(&s->lock, kinds[_i], PTHREAD_PROCESS_SHARED);
    pid_t child[3];
    for (int i = 0; i < 3; i++)
        child[i] = child_start(read_and_write, s);
    ck_assert_int_eq(read_and_write(s), 0);
    for (int i = 0; i < 3; i++)
        child_join(child[i]);
    ck_assert_int_eq(s->torn, 0);
    ck_assert_int_eq(s->first, 4000);
    ck_assert_int_eq(s->second, 4000);
    OK(pthread_rwlock_destroy(&s->lock));
}
END_TEST

static int use_in_child(void *argument)
{
    lock_call *held = argument ? pthread_rwlock_rdlock : NULL;
    if (held) {
        OK(pthread_rwlock_tryrdlock(&lock));
        OK(pthread_rwlock_unlock(&lock));
        EXPECT(pthread_rwlock_trywrlock(&lock), EBUSY);
    }
    OK(pthread_rwlock_unlock(&lock));
    elsewhere(pthread_rwlock_wrlock, &lock, 0);
    elsewhere(pthread_rwlock_rdlock, &lock, 0);
    pthread_rwlock_t fresh = PTHREAD_RWLOCK_INITIALIZER;
    all_rules(&fresh);
    return 0;
}

/*
 * libc compares thread ids in unlock, which a fork changes: its child takes its own write lock
 * for a read lock. Only the library is asked to do better.
 */
START_TEST(a_forked_child_holds_what_the_parent_held)
{
    init_kind(&lock, kinds[_i % KINDS], PTHREAD_PROCESS_PRIVATE);
    bool reading = _i >= KINDS;
    OK(reading ? pthread_rwlock_rdlock(&lock) : pthread_rwlock_wrlock(&lock));
    child_join(child_start(use_in_child, reading ? &lock : NULL));
    elsewhere(pthread_rwlock_trywrlock, &lock, EBUSY);
    OK(pthread_rwlock_unlock(&lock));
    elsewhere(pthread_rwlock_trywrlock, &lock, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rwlock_basic");
    TCase *tcase = conform_case(suite, "basic");
    tcase_add_test(tcase, all_rules_hold_for_every_way_to_initialise);
    tcase_add_test(tcase, an_unknown_kind_gives_EINVAL);
    tcase_add_loop_test(tcase, ten_thousand_recursive_read_locks, 0, KINDS);
    tcase_add_loop_test(tcase, readers_are_inside_together, 0, KINDS);
    tcase_add_loop_test(tcase, a_writer_lets_nobody_in_and_everybody_afterwards, 0, KINDS);
    tcase_add_loop_test(tcase, a_read_lock_is_released_by_another_thread, 0, KINDS);
    tcase_add_loop_test(tcase, processes_share_a_lock, 0, KINDS);
    tcase_add_loop_test(tcase, a_forked_child_holds_what_the_parent_held,
                        under_library() ? 0 : KINDS, 2 * KINDS);
    return conform_run(suite);
}
