/* SPDX-License-Identifier: MIT */
/*
 * pthread_atfork handlers that take every kind of mutex and reader-writer lock before a fork and
 * give them back in parent and child, while other threads hammer all of them, in the seeded order
 * of a few thousand steps; the same in a child of the child. _Fork runs no handler, vfork neither.
 */
#include "gate.h"

#include "mutex_kinds.h"
#include "rwlock_kinds.h"

enum { KINDS = MUTEX_PP_KINDS_BEGIN, HAMMERS = 4, FORKS = 25, GENERATIONS = 3 };

static struct place {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    volatile long first, second; /* equal whenever the mutex is free */
} places[KINDS];

static pthread_rwlock_t rwlocks[RWLOCK_KINDS];
static volatile long halves[RWLOCK_KINDS][2]; /* equal whenever no writer is inside */
static int stop, handlers_run;

static int forks(void)
{
    return is_soak() ? 20 * FORKS : FORKS;
}

static void make_all(void)
{
    for (int i = 0; i < KINDS; i++) {
        make_mutex(&places[i].mutex, &mutex_kinds[i]);
        OK(pthread_cond_init(&places[i].cond, NULL));
    }
    for (int i = 0; i < RWLOCK_KINDS; i++)
        make_rwlock(&rwlocks[i], i);
}

/* ---- what the threads do all the time ---- */

static void change(struct place *p)
{
    REQUIRE(p->first == p->second, "%s: two threads are inside", conform_context);
    p->first = p->first + 1;
    if (p->first % 64 == 0)
        sched_yield();
    p->second = p->second + 1;
}

static void use_place(struct place *p, unsigned how)
{
    struct timespec soon = deadline_in_ms(CLOCK_REALTIME, 0);
    OK(pthread_mutex_lock(&p->mutex));
    change(p);
    if (how % 4 == 0) {
        int error = pthread_cond_timedwait(&p->cond, &p->mutex, &soon);
        REQUIRE(error == 0 || error == ETIMEDOUT, "timedwait gives %d", error);
        change(p);
    } else if (how % 4 == 1) {
        OK(pthread_cond_signal(&p->cond));
    } else if (how % 4 == 2) {
        OK(pthread_cond_broadcast(&p->cond));
    }
    OK(pthread_mutex_unlock(&p->mutex));
}

static void use_rwlock(int i, unsigned how)
{
    bool writing = how % 4 == 0;
    OK(writing ? pthread_rwlock_wrlock(&rwlocks[i]) : pthread_rwlock_rdlock(&rwlocks[i]));
    REQUIRE(halves[i][0] == halves[i][1], "a writer is inside");
    if (writing) {
        halves[i][0] = halves[i][0] + 1;
        halves[i][1] = halves[i][1] + 1;
    }
    OK(pthread_rwlock_unlock(&rwlocks[i]));
}

static void hammer_steps(unsigned seed, int steps)
{
    for (int i = 0; i < steps; i++) {
        int which = rand_r(&seed) % (KINDS + RWLOCK_KINDS);
        if (which < KINDS)
            use_place(&places[which], (unsigned)rand_r(&seed));
        else
            use_rwlock(which - KINDS, (unsigned)rand_r(&seed));
    }
}

static void *hammer(void *number)
{
    for (unsigned round = 0; !__atomic_load_n(&stop, __ATOMIC_ACQUIRE); round++)
        hammer_steps(HAMMERS * round + (unsigned)(long)number, 100);
    return NULL;
}

static void *hammer_briefly(void *number)
{
    hammer_steps((unsigned)(long)number, 300);
    return NULL;
}

/* ---- the handlers ---- */

static void before_fork(void)
{
    for (int i = 0; i < KINDS; i++)
        OK(pthread_mutex_lock(&places[i].mutex));
    for (int i = 0; i < RWLOCK_KINDS; i++)
        OK(i % 2 ? pthread_rwlock_wrlock(&rwlocks[i]) : pthread_rwlock_rdlock(&rwlocks[i]));
    handlers_run++;
}

static void after_in_parent(void)
{
    for (int i = RWLOCK_KINDS - 1; i >= 0; i--)
        OK(pthread_rwlock_unlock(&rwlocks[i]));
    for (int i = KINDS - 1; i >= 0; i--)
        OK(pthread_mutex_unlock(&places[i].mutex));
}

/*
 * The child's thread is not the one that locked, for mutexes that know their owner. libc takes the
 * parent's write lock for a read lock and keeps the parent's waiters; both are made anew there. So
 * are the process-shared locks, which are libc's in any case.
 */
static void after_in_child(void)
{
    for (int i = 0; i < RWLOCK_KINDS; i++) {
        if (i < RWLOCK_SHARED_KINDS_BEGIN && (under_library() || i % 2 == 0))
            OK(pthread_rwlock_unlock(&rwlocks[i]));
        if (!under_library() || i >= RWLOCK_SHARED_KINDS_BEGIN)
            make_rwlock(&rwlocks[i], i);
    }
    for (int i = 0; i < KINDS; i++) {
        bool stranger = checks_owner(&mutex_kinds[i]);
        conform_context = mutex_kinds[i].name;
        EXPECT(pthread_mutex_unlock(&places[i].mutex), stranger ? EPERM : 0);
        if (stranger)
            make_mutex(&places[i].mutex, &mutex_kinds[i]);
        if (!under_library())
            OK(pthread_cond_init(&places[i].cond, NULL));
    }
}

/* ---- the children ---- */

static void hammer_with_threads(void)
{
    struct thread t[HAMMERS];
    for (long i = 0; i < HAMMERS; i++)
        start_many(&t[i], 1, hammer_briefly, (void *)(i + 1));
    join_many(t, HAMMERS);
}

static int be_generation(void *number)
{
    int generation = *(int *)number, next = generation + 1;
    int before = handlers_run;
    hammer_steps((unsigned)generation, 100);
    hammer_with_threads();
    if (generation < GENERATIONS) {
        child_join(child_start(be_generation, &next));
        REQUIRE(handlers_run == before + 1, "the handlers ran %d times", handlers_run - before);
    }
    hammer_steps((unsigned)generation, 100);
    return 0;
}

static void start_hammers(struct thread *t)
{
    make_all();
    for (long i = 0; i < HAMMERS; i++)
        start_many(&t[i], 1, hammer, (void *)(i + 1));
}

static void stop_hammers(struct thread *t)
{
    raise_flag(&stop, 1);
    join_many(t, HAMMERS);
    stop = 0;
}

START_TEST(handlers_that_lock_everything_leave_everything_usable)
{
    struct thread t[HAMMERS];
    int last = GENERATIONS, first = 1;
    ck_assert_int_eq(pthread_atfork(before_fork, after_in_parent, after_in_child), 0);
    start_hammers(t);
    for (int i = 0; i < forks(); i++) {
        child_join(child_start(be_generation, i % 5 == 0 ? &first : &last));
        hammer_steps((unsigned)i, i % 7 * 10);
    }
    stop_hammers(t);
    ck_assert_int_eq(handlers_run, forks());
    hammer_steps(1, 1000);
}
END_TEST

static void make_all_and_use_it(void)
{
    make_all();
    for (int i = 0; i < KINDS; i++)
        places[i].first = places[i].second = 0;
    for (int i = 0; i < RWLOCK_KINDS; i++)
        halves[i][0] = halves[i][1] = 0;
    hammer_steps(1, 300);
}

static int use_with_threads(void *unused)
{
    (void)unused;
    make_all_and_use_it();
    hammer_with_threads();
    return 0;
}

START_TEST(without_handlers_a_child_makes_everything_anew)
{
    struct thread t[HAMMERS];
    start_hammers(t);
    for (int i = 0; i < 2 * forks(); i++) {
        child_join(child_start(use_with_threads, NULL));
        hammer_steps((unsigned)i, i % 7 * 10);
    }
    stop_hammers(t);
}
END_TEST

START_TEST(_Fork_runs_no_handler_and_its_child_makes_everything_anew)
{
    struct thread t[HAMMERS];
    ck_assert_int_eq(pthread_atfork(before_fork, after_in_parent, after_in_child), 0);
    start_hammers(t);
    for (int i = 0; i < 2 * forks(); i++) {
        pid_t pid = _Fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            make_all_and_use_it();
            _exit(0);
        }
        child_join(pid);
        hammer_steps((unsigned)i, i % 7 * 10);
    }
    stop_hammers(t);
    ck_assert_int_eq(handlers_run, 0);
}
END_TEST

START_TEST(vfork_runs_no_handler_and_disturbs_nobody)
{
    struct thread t[HAMMERS];
    ck_assert_int_eq(pthread_atfork(before_fork, after_in_parent, after_in_child), 0);
    start_hammers(t);
    for (int i = 0; i < 2 * forks(); i++) {
        pid_t pid = vfork();
        if (pid == 0) {
            execl("/bin/true", "true", (char *)NULL);
            _exit(1);
        }
        child_join(pid);
        hammer_steps((unsigned)i, i % 7 * 10);
    }
    stop_hammers(t);
    ck_assert_int_eq(handlers_run, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fork_handlers");
    TCase *tcase = conform_case(suite, "fork");
    tcase_add_test(tcase, handlers_that_lock_everything_leave_everything_usable);
    tcase_add_test(tcase, without_handlers_a_child_makes_everything_anew);
    tcase_add_test(tcase, _Fork_runs_no_handler_and_its_child_makes_everything_anew);
    tcase_add_test(tcase, vfork_runs_no_handler_and_disturbs_nobody);
    return conform_run(suite);
}
