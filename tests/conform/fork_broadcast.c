/* SPDX-License-Identifier: MIT */
/*
 * fork in the middle of a broadcast, while the woken threads are on their way to each private
 * kind of mutex: the forking thread holds the mutex, has just released it, or is some microseconds
 * further. The child uses both objects with threads of its own.
 */
#include "gate.h"

#include "mutex_kinds.h"

enum { KINDS = MUTEX_PP_KINDS_BEGIN, WAITERS = 6, ROUNDS = 6 };

static pthread_mutex_t mutex;
static pthread_cond_t cond;
static struct gate gate = {.mutex = &mutex, .cond = &cond};
static const struct mutex_kind *kind;

static void use_both(void)
{
    struct gate own = {.mutex = &mutex, .cond = &cond};
    struct thread t[2];
    OK(pthread_mutex_trylock(&mutex));
    OK(pthread_mutex_unlock(&mutex));
    start_many(t, 2, gate_take, &own);
    gate_await_waiting(&own, 2);
    gate_put(&own, 1, pthread_cond_signal, GATE_HELD);
    gate_await_taken(&own, 1);
    gate_put(&own, 1, pthread_cond_broadcast, GATE_RELEASED);
    join_many(t, 2);
    REQUIRE(own.taken == 2, "%s: %d were woken", kind->name, own.taken);
}

static int use_after_broadcast(void *held_by_me)
{
    int expected = !held_by_me ? 0 : checks_owner(kind) ? EPERM : 0;
    if (held_by_me)
        EXPECT(pthread_mutex_unlock(&mutex), expected);
    if (expected != 0 || pthread_mutex_trylock(&mutex) != 0)
        make_mutex(&mutex, kind); /* held by nobody that this process knows */
    else
        OK(pthread_mutex_unlock(&mutex));
    if (!under_library())
        OK(pthread_cond_init(&cond, NULL));
    use_both();
    OK(pthread_cond_destroy(&cond)); /* the mutex may still count those who waited with it */
    return 0;
}

static void broadcast_and_fork(int round)
{
    bool holding = round % 2 == 0;
    OK(pthread_mutex_lock(&mutex));
    gate.tokens = WAITERS;
    OK(pthread_cond_broadcast(&cond));
    if (!holding)
        OK(pthread_mutex_unlock(&mutex));
    for (volatile int i = 0; i < round / 2 % 5 * 3000; i++) {
    }
    pid_t child = child_start(use_after_broadcast, holding ? &mutex : NULL);
    if (holding)
        OK(pthread_mutex_unlock(&mutex));
    child_join(child);
}

START_TEST(a_child_forked_in_the_middle_of_a_broadcast_works)
{
    struct thread t[WAITERS];
    kind = &mutex_kinds[_i];
    make_mutex(&mutex, kind);
    OK(pthread_cond_init(&cond, NULL));
    int rounds = is_soak() ? 50 * ROUNDS : ROUNDS;
    for (int round = 0; round < rounds; round++) {
        gate.taken = 0;
        start_many(t, WAITERS, gate_take, &gate);
        gate_await_waiting(&gate, WAITERS);
        broadcast_and_fork(round);
        join_many(t, WAITERS);
        ck_assert_int_eq(gate.taken, WAITERS);
    }
    OK(pthread_cond_destroy(&cond));
    OK(pthread_mutex_destroy(&mutex));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fork_broadcast");
    TCase *tcase = conform_case(suite, "fork");
    for (int i = 0; i < KINDS; i++) {
        if (mutex_kinds[i].pshared == PTHREAD_PROCESS_PRIVATE)
            tcase_add_loop_test(tcase, a_child_forked_in_the_middle_of_a_broadcast_works, i, i + 1);
    }
    return conform_run(suite);
}
