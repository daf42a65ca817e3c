/* SPDX-License-Identifier: MIT */
/*
 * Priority inheritance proper: a real-time waiter lends its priority to the holder, through chains,
 * until it has the mutex or gives up. The priority is read from the kernel's stat file of the
 * thread. What PI mutexes share with all others is tested with those.
 */
#include "conform.h"

#include "mutex_kinds.h"

#include <sys/resource.h>

enum { PI_KINDS = 16, PI_FIRST = 16, LOW = 10, HIGH = 20 };

static pthread_mutex_t first, second;
static const struct mutex_kind *kind;
static int may_release; /* flag of the holder */

/* Field 18 of the stat file: -1 - priority for real time, 20 + nice otherwise. */
static long effective_priority(pid_t tid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tid);
    FILE *file = fopen(path, "re");
    REQUIRE(file != NULL, "%s: %s", path, strerror(errno));
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    char *field = strrchr(text, ')') + 2;
    for (int number = 3; number < 18; number++)
        field = strchr(field, ' ') + 1;
    return strtol(field, NULL, 10);
}

static void priority_becomes(pid_t tid, long value)
{
    for (int tries = 0; tries < 10000; tries++) {
        if (effective_priority(tid) == value)
            return;
        sleep_ms(1);
    }
    ck_abort_msg("%s: priority is %ld, not %ld", kind->name, effective_priority(tid), value);
}

/* Of a thread that nobody lends anything, in a program that may have been started with nice. */
static long ordinary_priority(void)
{
    return 20 + getpriority(PRIO_PROCESS, 0);
}

static bool real_time_is_refused(void)
{
    struct sched_param param = {.sched_priority = HIGH + 10};
    return pthread_setschedparam(pthread_self(), SCHED_FIFO, &param) != 0;
}

#define CHOOSE_OR_SKIP(loop)                                                                       \
    do {                                                                                           \
        if (real_time_is_refused())                                                                \
            SKIP_TEST("real-time scheduling is not permitted here");                               \
        kind = &mutex_kinds[PI_FIRST + (loop)];                                                    \
        make_mutex(&first, kind);                                                                  \
        make_mutex(&second, kind);                                                                 \
    } while (0)

/* Starts a thread of that policy; this thread's own priority is above all of them. */
static void start_at(struct thread *t, int policy, int priority, void *(*body)(void *))
{
    pthread_attr_t attr;
    struct sched_param param = {.sched_priority = priority};
    OK(pthread_attr_init(&attr));
    OK(pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED));
    OK(pthread_attr_setschedpolicy(&attr, policy));
    OK(pthread_attr_setschedparam(&attr, &param));
    t->tid = 0;
    t->body = body;
    t->argument = t;
    OK(pthread_create(&t->id, &attr, thread_trampoline, t));
    for (int tries = 0; tries < 20000 && !__atomic_load_n(&t->tid, __ATOMIC_ACQUIRE); tries++)
        sleep_ms(1);
    OK(pthread_attr_destroy(&attr));
}

static int holding;

static void *hold_first(void *self)
{
    OK(pthread_mutex_lock(&first));
    raise_flag(&holding, 1);
    wait_for_flag(&may_release, 1);
    OK(pthread_mutex_unlock(&first));
    priority_becomes(((struct thread *)self)->tid, ordinary_priority());
    wait_for_flag(&may_release, 2);
    return NULL;
}

static void *lock_first(void *unused)
{
    OK(pthread_mutex_lock(&first));
    OK(pthread_mutex_unlock(&first));
    return unused;
}

static void *timedlock_first(void *unused)
{
    struct timespec deadline = deadline_in_ms(CLOCK_REALTIME, 50000);
    OK(pthread_mutex_timedlock(&first, &deadline));
    OK(pthread_mutex_unlock(&first));
    return unused;
}

static void *clocklock_first(void *unused)
{
    struct timespec deadline = deadline_in_ms(CLOCK_MONOTONIC, 50000);
    OK(pthread_mutex_clocklock(&first, CLOCK_MONOTONIC, &deadline));
    OK(pthread_mutex_unlock(&first));
    return unused;
}

START_TEST(a_real_time_waiter_lends_its_priority_until_the_unlock)
{
    static void *(*const bodies[])(void *) = {lock_first, timedlock_first, clocklock_first};
    CHOOSE_OR_SKIP(_i);
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct thread holder, waiter;
        holding = may_release = 0;
        start_at(&holder, SCHED_OTHER, 0, hold_first);
        wait_for_flag(&holding, 1);
        priority_becomes(holder.tid, ordinary_priority());
        start_at(&waiter, SCHED_FIFO, LOW, bodies[i]);
        priority_becomes(holder.tid, -1 - LOW);
        raise_flag(&may_release, 1);
        thread_join(&waiter);
        raise_flag(&may_release, 2);
        thread_join(&holder);
    }
}
END_TEST

static void *give_up_first(void *unused)
{
    struct timespec deadline = deadline_in_ms(CLOCK_MONOTONIC, 200);
    EXPECT(pthread_mutex_clocklock(&first, CLOCK_MONOTONIC, &deadline), ETIMEDOUT);
    REQUIRE(deadline_passed(CLOCK_MONOTONIC, deadline), "gives up early");
    return unused;
}

START_TEST(a_waiter_that_gives_up_takes_its_priority_back)
{
    struct thread holder, waiter;
    CHOOSE_OR_SKIP(_i);
    start_at(&holder, SCHED_OTHER, 0, hold_first);
    wait_for_flag(&holding, 1);
    start_at(&waiter, SCHED_FIFO, LOW, give_up_first);
    thread_join(&waiter);
    priority_becomes(holder.tid, ordinary_priority());
    raise_flag(&may_release, 2);
    thread_join(&holder);
}
END_TEST

static void *hold_second_and_lock_first(void *unused)
{
    OK(pthread_mutex_lock(&second));
    OK(pthread_mutex_lock(&first));
    OK(pthread_mutex_unlock(&first));
    OK(pthread_mutex_unlock(&second));
    return unused;
}

static void *lock_second(void *unused)
{
    OK(pthread_mutex_lock(&second));
    OK(pthread_mutex_unlock(&second));
    return unused;
}

START_TEST(a_priority_is_lent_along_a_chain_of_holders)
{
    struct thread holder, middle, waiter;
    CHOOSE_OR_SKIP(_i);
    start_at(&holder, SCHED_OTHER, 0, hold_first);
    wait_for_flag(&holding, 1);
    start_at(&middle, SCHED_OTHER, 0, hold_second_and_lock_first);
    wait_until_asleep(middle.tid);
    start_at(&waiter, SCHED_FIFO, LOW, lock_second);
    priority_becomes(middle.tid, -1 - LOW);
    priority_becomes(holder.tid, -1 - LOW);
    raise_flag(&may_release, 1);
    thread_join(&waiter);
    thread_join(&middle);
    raise_flag(&may_release, 2);
    thread_join(&holder);
}
END_TEST

START_TEST(a_waiters_new_priority_reaches_the_holder)
{
    struct thread holder, waiter;
    struct sched_param param = {.sched_priority = HIGH};
    CHOOSE_OR_SKIP(_i);
    start_at(&holder, SCHED_OTHER, 0, hold_first);
    wait_for_flag(&holding, 1);
    start_at(&waiter, SCHED_FIFO, LOW, lock_first);
    priority_becomes(holder.tid, -1 - LOW);
    OK(pthread_setschedparam(waiter.id, SCHED_FIFO, &param));
    priority_becomes(holder.tid, -1 - HIGH);
    raise_flag(&may_release, 2);
    thread_join(&waiter);
    thread_join(&holder);
}
END_TEST

static int arrivals;
static pid_t order[3];

static void *sign_in(void *self)
{
    OK(pthread_mutex_lock(&first));
    order[arrivals++] = ((struct thread *)self)->tid;
    OK(pthread_mutex_unlock(&first));
    return NULL;
}

START_TEST(the_highest_waiter_is_served_first)
{
    struct thread waiters[3];
    CHOOSE_OR_SKIP(_i);
    OK(pthread_mutex_lock(&first));
    start_at(&waiters[0], SCHED_OTHER, 0, sign_in);
    wait_until_asleep(waiters[0].tid);
    start_at(&waiters[1], SCHED_FIFO, LOW, sign_in);
    wait_until_asleep(waiters[1].tid);
    start_at(&waiters[2], SCHED_FIFO, HIGH, sign_in);
    wait_until_asleep(waiters[2].tid);
    OK(pthread_mutex_unlock(&first));
    for (int i = 0; i < 3; i++)
        thread_join(&waiters[i]);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(order[i], waiters[2 - i].tid);
}
END_TEST

static void *lock_first_and_end(void *unused)
{
    OK(pthread_mutex_lock(&first));
    return unused;
}

/* Nobody can have it any more; a timed lock still ends at its deadline. */
START_TEST(a_dead_owner_of_a_mutex_that_is_not_robust_means_ETIMEDOUT)
{
    struct thread owner;
    kind = &mutex_kinds[PI_FIRST + _i];
    make_mutex(&first, kind);
    thread_start(&owner, lock_first_and_end, NULL);
    thread_join(&owner);
    while (thread_state(owner.tid) !=
           0) /* as long as the kernel has it, it may hand the mutex over */
        sleep_ms(1);
    EXPECT(pthread_mutex_trylock(&first), EBUSY);
    struct timespec deadline = deadline_in_ms(CLOCK_REALTIME, 30);
    EXPECT(pthread_mutex_timedlock(&first, &deadline), ETIMEDOUT);
    ck_assert(deadline_passed(CLOCK_REALTIME, deadline));
    deadline = deadline_in_ms(CLOCK_MONOTONIC, 30);
    EXPECT(pthread_mutex_clocklock(&first, CLOCK_MONOTONIC, &deadline), ETIMEDOUT);
    ck_assert(deadline_passed(CLOCK_MONOTONIC, deadline));
}
END_TEST

/*
 * The kernel finds the cycle, and a timed lock waits it out. Only of the types that may deadlock:
 * glibc 2.36 ends the process by an assertion for an errorcheck or recursive one.
 */
static void *hold_second_and_time_out_on_first(void *unused)
{
    OK(pthread_mutex_lock(&second));
    raise_flag(&holding, 1);
    do {
        struct timespec deadline = deadline_in_ms(CLOCK_MONOTONIC, 300);
        EXPECT(pthread_mutex_clocklock(&first, CLOCK_MONOTONIC, &deadline), ETIMEDOUT);
    } while (!__atomic_load_n(&may_release, __ATOMIC_ACQUIRE));
    OK(pthread_mutex_unlock(&second));
    return unused;
}

START_TEST(a_cycle_of_two_holders_ends_when_one_gives_up)
{
    struct thread other;
    kind = &mutex_kinds[PI_FIRST + _i];
    if (kind->type == PTHREAD_MUTEX_ERRORCHECK || kind->type == PTHREAD_MUTEX_RECURSIVE)
        return;
    make_mutex(&first, kind);
    make_mutex(&second, kind);
    OK(pthread_mutex_lock(&first));
    thread_start(&other, hold_second_and_time_out_on_first, NULL);
    wait_for_flag(&holding, 1);
    wait_until_asleep(other.tid);
    struct timespec deadline = deadline_in_ms(CLOCK_MONOTONIC, 20);
    EXPECT(pthread_mutex_clocklock(&second, CLOCK_MONOTONIC, &deadline), ETIMEDOUT);
    ck_assert(deadline_passed(CLOCK_MONOTONIC, deadline));
    raise_flag(&may_release, 1);
    thread_join(&other);
    OK(pthread_mutex_unlock(&first));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mutex_inherit");
    TCase *tcase = conform_case(suite, "inherit");
    tcase_add_loop_test(tcase, a_real_time_waiter_lends_its_priority_until_the_unlock, 0, PI_KINDS);
    tcase_add_loop_test(tcase, a_waiter_that_gives_up_takes_its_priority_back, 0, PI_KINDS);
    tcase_add_loop_test(tcase, a_priority_is_lent_along_a_chain_of_holders, 0, PI_KINDS);
    tcase_add_loop_test(tcase, a_waiters_new_priority_reaches_the_holder, 0, PI_KINDS);
    tcase_add_loop_test(tcase, the_highest_waiter_is_served_first, 0, PI_KINDS);
    tcase_add_loop_test(tcase, a_dead_owner_of_a_mutex_that_is_not_robust_means_ETIMEDOUT, 0, 8);
    tcase_add_loop_test(tcase, a_cycle_of_two_holders_ends_when_one_gives_up, 0, PI_KINDS);
    return conform_run(suite);
}
