/* SPDX-License-Identifier: MIT */
/*
 * fork from a process whose other threads hold every kind of mutex and reader-writer lock, wait for
 * them and wait on condition variables with them. The child makes its own objects, uses those that
 * were free, replaces those that were held, starts threads, and forks again. Handlers of
 * pthread_atfork are left to fork_handlers, what the parent's own thread holds to mutex_fork, forks
 * during a broadcast to fork_broadcast.
 */
#include "gate.h"

#include "mutex_kinds.h"
#include "rwlock_kinds.h"

#include <semaphore.h>

enum { KINDS = MUTEX_PP_KINDS_BEGIN };

static struct {
    pthread_mutex_t free[KINDS], held[KINDS], with[KINDS];
    pthread_cond_t idle[KINDS], waited[KINDS];
    pthread_rwlock_t open[RWLOCK_KINDS], read[RWLOCK_KINDS], written[RWLOCK_KINDS];
} all;

static struct thread holders[KINDS + 2 * RWLOCK_KINDS], waiters[4 * KINDS + 4 * RWLOCK_KINDS];
static int holder_count, waiter_count, held, go;
static sem_t let_go;

/* ---- the parent's threads ---- */

static void hold(void)
{
    __atomic_add_fetch(&held, 1, __ATOMIC_RELEASE);
    while (sem_wait(&let_go) != 0) {
    }
}

static void *hold_mutex(void *m)
{
    OK(pthread_mutex_lock(m));
    hold();
    OK(pthread_mutex_unlock(m));
    return NULL;
}

static void *hold_for_reading(void *l)
{
    OK(pthread_rwlock_rdlock(l));
    hold();
    OK(pthread_rwlock_unlock(l));
    return NULL;
}

static void *hold_for_writing(void *l)
{
    OK(pthread_rwlock_wrlock(l));
    hold();
    OK(pthread_rwlock_unlock(l));
    return NULL;
}

static void *want_mutex(void *m)
{
    OK(pthread_mutex_lock(m));
    OK(pthread_mutex_unlock(m));
    return NULL;
}

static void *want_mutex_in_time(void *m)
{
    struct timespec later = deadline_in_ms(CLOCK_REALTIME, 1000000);
    OK(pthread_mutex_timedlock(m, &later));
    OK(pthread_mutex_unlock(m));
    return NULL;
}

static void *want_to_read(void *l)
{
    OK(pthread_rwlock_rdlock(l));
    OK(pthread_rwlock_unlock(l));
    return NULL;
}

static void *want_to_write(void *l)
{
    OK(pthread_rwlock_wrlock(l));
    OK(pthread_rwlock_unlock(l));
    return NULL;
}

static void *wait_for_go(void *cond)
{
    pthread_mutex_t *m = &all.with[(pthread_cond_t *)cond - all.waited];
    OK(pthread_mutex_lock(m));
    while (!__atomic_load_n(&go, __ATOMIC_ACQUIRE))
        OK(pthread_cond_wait(cond, m));
    OK(pthread_mutex_unlock(m));
    return NULL;
}

static void *wait_for_go_in_time(void *cond)
{
    pthread_mutex_t *m = &all.with[(pthread_cond_t *)cond - all.waited];
    struct timespec later = deadline_in_ms(CLOCK_REALTIME, 1000000);
    OK(pthread_mutex_lock(m));
    while (!__atomic_load_n(&go, __ATOMIC_ACQUIRE))
        OK(pthread_cond_timedwait(cond, m, &later));
    OK(pthread_mutex_unlock(m));
    return NULL;
}

static void start_holder(void *(*body)(void *), void *object)
{
    start_many(&holders[holder_count++], 1, body, object);
}

static void start_waiter(void *(*body)(void *), void *object)
{
    start_many(&waiters[waiter_count++], 1, body, object);
}

static void make_and_hold_all(void)
{
    holder_count = waiter_count = held = go = 0;
    ck_assert_int_eq(sem_init(&let_go, 0, 0), 0);
    for (int i = 0; i < KINDS; i++) {
        make_mutex(&all.free[i], &mutex_kinds[i]);
        make_mutex(&all.held[i], &mutex_kinds[i]);
        make_mutex(&all.with[i], &mutex_kinds[i]);
        OK(pthread_cond_init(&all.idle[i], NULL));
        OK(pthread_cond_init(&all.waited[i], NULL));
        start_holder(hold_mutex, &all.held[i]);
        in_thread(want_mutex, &all.free[i]);
    }
    for (int i = 0; i < RWLOCK_KINDS; i++) {
        make_rwlock(&all.open[i], i);
        make_rwlock(&all.read[i], i);
        make_rwlock(&all.written[i], i);
        start_holder(hold_for_reading, &all.read[i]);
        start_holder(hold_for_writing, &all.written[i]);
        in_thread(want_to_write, &all.open[i]);
        in_thread(want_to_read, &all.open[i]);
    }
    wait_for_flag(&held, holder_count);
}

/* Afterwards every thread is asleep, but for the readers that were let in beside a reader. */
static void wait_for_all(void)
{
    for (int i = 0; i < KINDS; i++) {
        start_waiter(want_mutex, &all.held[i]);
        start_waiter(want_mutex_in_time, &all.held[i]);
        start_waiter(wait_for_go, &all.waited[i]);
        start_waiter(wait_for_go_in_time, &all.waited[i]);
    }
    for (int i = 0; i < RWLOCK_KINDS; i++) {
        start_waiter(want_to_read, &all.written[i]);
        start_waiter(want_to_write, &all.written[i]);
        start_waiter(want_to_write, &all.read[i]);
    }
    wait_until_asleep(waiters[waiter_count - 1].tid);
    for (int i = 0; i < waiter_count; i++) {
        while (thread_state(waiters[i].tid) != 'S')
            sleep_ms(1);
    }
    for (int i = 0; i < RWLOCK_KINDS; i++)
        start_waiter(want_to_read, &all.read[i]);
#ifdef __GLIBC__ /* no reader overtakes a writer there; musl's locks prefer readers */
    wait_until_asleep(waiters[waiter_count - 1].tid);
#endif
}

static void release_all(void)
{
    raise_flag(&go, 1);
    for (int i = 0; i < holder_count; i++)
        ck_assert_int_eq(sem_post(&let_go), 0);
    for (int i = 0; i < KINDS; i++) {
        OK(pthread_mutex_lock(&all.with[i]));
        OK(pthread_cond_broadcast(&all.waited[i]));
        OK(pthread_mutex_unlock(&all.with[i]));
    }
    join_many(holders, holder_count);
    join_many(waiters, waiter_count);
    for (int i = 0; i < KINDS; i++) {
        OK(pthread_cond_destroy(&all.waited[i]));
        OK(pthread_mutex_destroy(&all.held[i]));
        OK(pthread_mutex_destroy(&all.with[i]));
    }
    for (int i = 0; i < RWLOCK_KINDS; i++) {
        OK(pthread_rwlock_destroy(&all.read[i]));
        OK(pthread_rwlock_destroy(&all.written[i]));
    }
}

/* ---- the child ---- */

static void use(pthread_mutex_t *m, pthread_cond_t *c)
{
    struct gate gate = {.mutex = m, .cond = c};
    struct thread t[2];
    OK(pthread_mutex_trylock(m));
    OK(pthread_mutex_unlock(m));
    start_many(t, 2, gate_take, &gate);
    gate_await_waiting(&gate, 2);
    gate_put(&gate, 1, pthread_cond_signal, GATE_HELD);
    gate_await_taken(&gate, 1);
    gate_put(&gate, 1, pthread_cond_broadcast, GATE_RELEASED);
    join_many(t, 2);
    REQUIRE(gate.taken == 2, "%s: %d were woken", conform_context, gate.taken);
}

static void use_anew(pthread_mutex_t *m, pthread_cond_t *c, const struct mutex_kind *kind)
{
    make_mutex(m, kind);
    OK(pthread_cond_init(c, NULL));
    use(m, c);
    OK(pthread_cond_destroy(c));
    OK(pthread_mutex_destroy(m));
}

/* libc keeps counting the parent's waiters; the library forgets threads that the child has not. */
static void use_mutexes_and_conditions(void)
{
    for (int i = 0; i < KINDS; i++) {
        const struct mutex_kind *kind = &mutex_kinds[i];
        pthread_mutex_t m;
        pthread_cond_t c;
        use_anew(&m, &c, kind);
        use(&all.free[i], &all.idle[i]);
        EXPECT(pthread_mutex_trylock(&all.held[i]), EBUSY);
        use_anew(&all.held[i], &all.idle[i], kind);
        if (under_library()) {
            use(&all.with[i], &all.waited[i]);
            OK(pthread_cond_destroy(&all.waited[i]));
        }
        use_anew(&all.with[i], &all.waited[i], kind);
    }
}

static void use_rwlock(pthread_rwlock_t *l)
{
    struct thread t[4];
    OK(pthread_rwlock_trywrlock(l));
    start_many(&t[0], 2, want_to_read, l);
    start_many(&t[2], 2, want_to_write, l);
    OK(pthread_rwlock_unlock(l));
    join_many(t, 4);
    OK(pthread_rwlock_rdlock(l));
    in_thread(want_to_read, l);
    OK(pthread_rwlock_unlock(l));
    OK(pthread_rwlock_destroy(l));
}

static void use_rwlocks(void)
{
    for (int i = 0; i < RWLOCK_KINDS; i++) {
        pthread_rwlock_t l;
        make_rwlock(&l, i);
        use_rwlock(&l);
        use_rwlock(&all.open[i]);
        EXPECT(pthread_rwlock_trywrlock(&all.read[i]), EBUSY);
        EXPECT(pthread_rwlock_tryrdlock(&all.written[i]), EBUSY);
        make_rwlock(&all.read[i], i);
        make_rwlock(&all.written[i], i);
        use_rwlock(&all.read[i]);
        use_rwlock(&all.written[i]);
    }
}

static int use_everything(void *unused)
{
    (void)unused;
    use_mutexes_and_conditions();
    use_rwlocks();
    return 0;
}

/* This child is as busy as its parent when it forks. */
static int use_everything_and_fork_again(void *unused)
{
    use_everything(unused);
    make_and_hold_all();
    wait_for_all();
    child_join(child_start(use_everything, NULL));
    release_all();
    return 0;
}

/* ---- ways to fork ---- */

static void by_fork(void)
{
    child_join(child_start(use_everything, NULL));
}

static void by__Fork(void)
{
    pid_t pid = _Fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(use_everything(NULL));
    child_join(pid);
}

static void *fork_here(void *unused)
{
    by_fork();
    return unused;
}

static void by_fork_in_a_thread(void)
{
    in_thread(fork_here, NULL);
}

static void by_fork_in_a_child(void)
{
    child_join(child_start(use_everything_and_fork_again, NULL));
}

static void by_vfork(void)
{
    pid_t pid = vfork();
    if (pid == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    child_join(pid);
}

static void (*const ways[])(void) = {by_fork, by__Fork, by_fork_in_a_thread, by_fork_in_a_child,
                                     by_vfork};

START_TEST(a_child_of_a_process_that_holds_and_awaits_everything_works)
{
    make_and_hold_all();
    wait_for_all();
    ways[_i]();
    ways[_i]();
    release_all();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fork_everything");
    TCase *tcase = conform_case(suite, "fork");
    tcase_add_loop_test(tcase, a_child_of_a_process_that_holds_and_awaits_everything_works, 0,
                        (int)COUNT_OF(ways));
    return conform_run(suite);
}
