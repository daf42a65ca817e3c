/* SPDX-License-Identifier: MIT */
/*
 * Condition variables and processes: process-shared ones between parent and forked child, and
 * with a program that was executed anew without LD_PRELOAD; and fork from a process in which
 * other threads wait, after which the child uses what it inherited and what it makes itself.
 */
#include "gate.h"

enum { ROUNDS = 1000 };

struct table {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int turn, rounds, timed;
};

static void init_table(struct table *t, int robust, int protocol)
{
    pthread_mutexattr_t attr;
    pthread_condattr_t cond_attr;
    OK(pthread_mutexattr_init(&attr));
    OK(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED));
    OK(pthread_mutexattr_setrobust(&attr, robust));
    OK(pthread_mutexattr_setprotocol(&attr, protocol));
    OK(pthread_mutex_init(&t->mutex, &attr));
    OK(pthread_mutexattr_destroy(&attr));
    OK(pthread_condattr_init(&cond_attr));
    OK(pthread_condattr_setpshared(&cond_attr, PTHREAD_PROCESS_SHARED));
    OK(pthread_condattr_setclock(&cond_attr, CLOCK_MONOTONIC));
    OK(pthread_cond_init(&t->cond, &cond_attr));
    OK(pthread_condattr_destroy(&cond_attr));
}

/* Takes every second turn; the other process or thread takes the rest. 0 is success. */
static int play(struct table *t, int me)
{
    int errors = 0;
    for (int i = 0; i < repeats(ROUNDS); i++) {
        errors += pthread_mutex_lock(&t->mutex) != 0;
        struct timespec deadline = deadline_in_ms(CLOCK_MONOTONIC, 50000);
        while (t->turn != me && errors == 0)
            errors += (t->timed ? pthread_cond_timedwait(&t->cond, &t->mutex, &deadline)
                                : pthread_cond_wait(&t->cond, &t->mutex)) != 0;
        t->turn = !me;
        t->rounds++;
        errors += (i % 2 ? pthread_cond_signal(&t->cond) : pthread_cond_broadcast(&t->cond)) != 0;
        errors += pthread_mutex_unlock(&t->mutex) != 0;
        if (errors)
            return 1;
    }
    return 0;
}

static int play_second(void *argument)
{
    return play(argument, 1);
}

static void *play_second_in_thread(void *argument)
{
    return play(argument, 1) ? argument : NULL;
}

/* Every protocol of a process-shared mutex; odd runs wait with a deadline. */
static void set_table(struct table *t, int run)
{
    init_table(t, run & 2 ? PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED,
               run & 4 ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE);
    t->timed = run & 1;
}

START_TEST(parent_and_forked_child_take_turns)
{
    struct table *t = shared_memory(sizeof *t);
    set_table(t, _i);
    pid_t child = child_start(play_second, t);
    ck_assert_int_eq(play(t, 0), 0);
    child_join(child);
    ck_assert_int_eq(t->rounds, 2 * repeats(ROUNDS));
    OK(pthread_cond_destroy(&t->cond));
    OK(pthread_mutex_destroy(&t->mutex));
}
END_TEST

START_TEST(two_threads_take_turns_on_shared_objects)
{
    struct table *t = shared_memory(sizeof *t);
    struct thread thread;
    set_table(t, _i);
    thread_start(&thread, play_second_in_thread, t);
    ck_assert_int_eq(play(t, 0), 0);
    ck_assert_ptr_null(thread_join(&thread));
    OK(pthread_cond_destroy(&t->cond));
}
END_TEST

static struct table *map_table(int fd)
{
    return mmap(NULL, sizeof(struct table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

START_TEST(a_program_executed_without_the_preload_takes_turns)
{
    int fd = memfd_create("table", 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, sizeof(struct table)), 0);
    struct table *t = map_table(fd);
    ck_assert_ptr_ne(t, MAP_FAILED);
    set_table(t, _i);
    fflush(NULL);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        char number[16];
        snprintf(number, sizeof number, "%d", fd);
        unsetenv("LD_PRELOAD");
        execl("/proc/self/exe", "partner", "--partner", number, (char *)NULL);
        _exit(127);
    }
    ck_assert_int_eq(play(t, 0), 0);
    child_join(child);
    ck_assert_int_eq(t->rounds, 2 * repeats(ROUNDS));
    OK(pthread_cond_destroy(&t->cond));
    OK(pthread_mutex_destroy(&t->mutex));
}
END_TEST

/* ---- the owner dies in another process ---- */

/*
 * A process of musl tells the kernel of its robust mutexes when it takes a shared one without
 * sleeping in the kernel. If its first is a PI mutex that it has to wait for, the kernel does not
 * learn of it, and the mutex of the dead owner stays locked for ever. So another one goes first.
 */
static void take_one_without_waiting(void)
{
    struct table first;
    init_table(&first, PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_NONE);
    OK(pthread_mutex_lock(&first.mutex));
    OK(pthread_mutex_unlock(&first.mutex));
}

static int signal_and_die_holding(void *argument)
{
    struct table *t = argument;
    take_one_without_waiting();
    if (pthread_mutex_lock(&t->mutex) != 0)
        return 1;
    t->turn = 1;
    if (pthread_cond_broadcast(&t->cond) != 0)
        return 2;
    raise(SIGKILL);
    return 3;
}

START_TEST(a_process_killed_while_it_owns_makes_the_wait_return_EOWNERDEAD)
{
    struct table *t = shared_memory(sizeof *t);
    init_table(t, PTHREAD_MUTEX_ROBUST, _i ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE);
    OK(pthread_mutex_lock(&t->mutex));
    pid_t child = child_start(signal_and_die_holding, t);
    int error = 0;
    while (error == 0 && t->turn == 0)
        error = pthread_cond_wait(&t->cond, &t->mutex);
    ck_assert_int_eq(error, EOWNERDEAD);
    OK(pthread_mutex_consistent(&t->mutex));
    OK(pthread_mutex_unlock(&t->mutex));
    ck_assert(WIFSIGNALED(child_wait(child)));
    OK(pthread_mutex_destroy(&t->mutex));
}
END_TEST

/* ---- fork while others wait ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static struct gate gate = {.mutex = &mutex, .cond = &cond};

static void round_trips(struct gate *g, int rounds, bool destroy)
{
    struct thread t[3];
    for (int i = 0; i < rounds; i++) {
        g->taken = g->waiting = g->tokens = 0;
        start_many(t, 3, gate_take, g);
        gate_await_waiting(g, 3);
        if (i % 2 == 1) {
            gate_put(g, 1, pthread_cond_signal, i / 2 % 2);
            gate_await_taken(g, 1);
            gate_put(g, 2, pthread_cond_broadcast, i / 2 % 2);
        } else {
            gate_put(g, 3, pthread_cond_broadcast, i / 2 % 2);
        }
        join_many(t, 3);
    }
    if (destroy)
        OK(pthread_cond_destroy(g->cond));
}

/*
 * In libc the parent's waiters stay counted in the child, so that only one broadcast is safe
 * and destroy would wait for ever. The library forgets threads that the child does not have.
 */
static int use_inherited_and_fresh(void *argument)
{
    (void)argument;
    pthread_cond_t fresh = PTHREAD_COND_INITIALIZER;
    struct gate own = {.mutex = &mutex, .cond = &fresh};
    round_trips(&own, 20, true);
    round_trips(&gate, under_library() ? 20 : 1, under_library());
    round_trips(&own, 5, true);
    return 0;
}

START_TEST(a_child_forked_while_others_wait_uses_inherited_and_fresh_ones)
{
    struct thread t[6];
    start_many(t, 6, gate_take, &gate);
    gate_await_waiting(&gate, 6);
    for (int i = 0; i < 5; i++)
        child_join(child_start(use_inherited_and_fresh, NULL));
    ck_assert_int_eq(gate.waiting, 6);
    gate_put(&gate, 6, pthread_cond_broadcast, GATE_HELD);
    join_many(t, 6);
    ck_assert_int_eq(gate.taken, 6);
    OK(pthread_cond_destroy(&cond));
}
END_TEST

/* Threads that wait and signal all the time, on their own mutex, while the main thread forks. */
static pthread_mutex_t busy_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t busy_cond = PTHREAD_COND_INITIALIZER;
static int busy_turn, busy_stop;

static void *be_busy(void *argument)
{
    int me = *(int *)argument;
    pthread_mutex_lock(&busy_mutex);
    while (!busy_stop) {
        while (busy_turn % 3 != me && !busy_stop)
            pthread_cond_wait(&busy_cond, &busy_mutex);
        busy_turn++;
        pthread_cond_broadcast(&busy_cond);
    }
    pthread_mutex_unlock(&busy_mutex);
    return NULL;
}

static int use_fresh(void *argument)
{
    (void)argument;
    pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t *c = calloc(200, sizeof *c);
    for (int i = 0; i < 200; i++) {
        struct timespec past = {0, 0};
        if (pthread_mutex_lock(&m) || pthread_cond_timedwait(&c[i], &m, &past) != ETIMEDOUT ||
            pthread_cond_signal(&c[i]) || pthread_mutex_unlock(&m))
            return 1;
    }
    struct gate own = {.mutex = &m, .cond = &c[0]};
    round_trips(&own, 2, true);
    return 0;
}

START_TEST(a_child_forked_at_any_moment_finds_no_internal_lock_held)
{
    struct thread t[3];
    int numbers[3] = {0, 1, 2};
    for (int i = 0; i < 3; i++)
        thread_start(&t[i], be_busy, &numbers[i]);
    for (int i = 0; i < repeats(100); i++)
        child_join(child_start(use_fresh, NULL));
    OK(pthread_mutex_lock(&busy_mutex));
    busy_stop = 1;
    OK(pthread_cond_broadcast(&busy_cond));
    OK(pthread_mutex_unlock(&busy_mutex));
    join_many(t, 3);
    ck_assert_int_gt(busy_turn, 0);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--partner") == 0) {
        struct table *t = map_table(atoi(argv[2]));
        return t == MAP_FAILED ? 2 : play(t, 1);
    }
    Suite *suite = suite_create("cond_shared");
    TCase *tcase = conform_case(suite, "processes");
    tcase_add_loop_test(tcase, parent_and_forked_child_take_turns, 0, 8);
    tcase_add_loop_test(tcase, two_threads_take_turns_on_shared_objects, 0, 8);
    tcase_add_loop_test(tcase, a_program_executed_without_the_preload_takes_turns, 0, 8);
    tcase_add_loop_test(tcase, a_process_killed_while_it_owns_makes_the_wait_return_EOWNERDEAD, 0,
                        2);
    tcase = conform_case(suite, "fork");
    tcase_add_test(tcase, a_child_forked_while_others_wait_uses_inherited_and_fresh_ones);
    tcase_add_test(tcase, a_child_forked_at_any_moment_finds_no_internal_lock_held);
    return conform_run(suite);
}
