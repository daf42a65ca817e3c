/* SPDX-License-Identifier: MIT */
/* The library's own interface on macOS, called by a program that is linked with it: futex calls of
   either scope, also between processes, what this system lacks, and the compact locks. */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fastsync/condition.h>
#include <fastsync/futex.h>
#include <fastsync/mutex.h>
#include <fastsync/rwlock.h>

#include "check.h"

#define THREADS 4

static const enum fastsync_futex_scope scopes[] = {FASTSYNC_FUTEX_PRIVATE, FASTSYNC_FUTEX_SHARED};

static uint32_t read_word(uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* ---- sleeping and waking ------------------------------------------------------------ */

static void a_word_that_differs_gives_EAGAIN(void)
{
    uint32_t word = 5;

    errno = 77;
    for (int i = 0; i < 2; i++) {
        CHECK_INT(fastsync_futex_wait(&word, 6, NULL, CLOCK_REALTIME, scopes[i]), EAGAIN);
        CHECK_INT(fastsync_futex_wait_relative(&word, 6, NULL, scopes[i]), EAGAIN);
        CHECK_INT(fastsync_futex_wake(&word, 1, scopes[i]), 0);
        CHECK_INT(fastsync_futex_wake(&word, FASTSYNC_FUTEX_ALL, scopes[i]), 0);
        CHECK_INT(fastsync_futex_wake(&word, 0, scopes[i]), 0);
    }
    CHECK_INT(errno, 77);
}

static void a_deadline_passes_on_either_clock(void)
{
    const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
    uint32_t word = 5;

    for (int i = 0; i < 4; i++) {
        int64_t begin = check_now_ms(CLOCK_UPTIME_RAW);
        struct timespec at;
        int err;

        CHECK_INT(clock_gettime(clocks[i / 2], &at), 0);
        at.tv_nsec += 70000000;
        at.tv_sec += at.tv_nsec / 1000000000;
        at.tv_nsec %= 1000000000;
        do
            err = fastsync_futex_wait(&word, 5, &at, clocks[i / 2], scopes[i % 2]);
        while (err == 0 || err == EINTR);
        CHECK_INT(err, ETIMEDOUT);
        CHECK(check_now_ms(CLOCK_UPTIME_RAW) - begin >= 68);
        at.tv_sec -= 10;
        CHECK_INT(fastsync_futex_wait(&word, 5, &at, clocks[i / 2], scopes[i % 2]), ETIMEDOUT);
    }
}

struct gate {
    uint32_t word;
    enum fastsync_futex_scope scope;
    int through;
};

static void *pass_gate(void *argument)
{
    struct gate *gate = argument;

    while (read_word(&gate->word) == 0) {
        int err = fastsync_futex_wait(&gate->word, 0, NULL, CLOCK_MONOTONIC, gate->scope);

        CHECK(err == 0 || err == EAGAIN || err == EINTR);
    }
    check_add(&gate->through, 1);
    return NULL;
}

static void a_wake_for_all_wakes_all(void)
{
    for (int i = 0; i < 2; i++) {
        struct gate gate = {.scope = scopes[i]};
        pthread_t threads[THREADS];

        for (int t = 0; t < THREADS; t++)
            check_start(&threads[t], pass_gate, &gate);
        check_until_asleep(THREADS);
        __atomic_store_n(&gate.word, 1, __ATOMIC_RELEASE);
        CHECK(fastsync_futex_wake(&gate.word, FASTSYNC_FUTEX_ALL, scopes[i]) >= 0);
        for (int t = 0; t < THREADS; t++)
            check_join(threads[t]);
        CHECK_INT(gate.through, THREADS);
    }
}

/* The word does not change, so who is woken is counted by its return. */
static void *sleep_once(void *argument)
{
    struct gate *gate = argument;
    int err = fastsync_futex_wait(&gate->word, 0, NULL, CLOCK_MONOTONIC, gate->scope);

    CHECK(err == 0 || err == EINTR);
    check_add(&gate->through, 1);
    return NULL;
}

static void wakes_are_counted(void)
{
    for (int i = 0; i < 2; i++) {
        struct gate gate = {.scope = scopes[i]};
        pthread_t threads[THREADS];
        int woken = 0;

        for (int t = 0; t < THREADS; t++)
            check_start(&threads[t], sleep_once, &gate);
        if (check_calls("faults") == 0) {
            check_until_asleep(THREADS);
            CHECK_INT(fastsync_futex_wake(&gate.word, 1, scopes[i]), 1);
            check_until(&gate.through, 1);
            CHECK_INT(fastsync_futex_wake(&gate.word, 2, scopes[i]), 2);
            check_until(&gate.through, 3);
            CHECK_INT(check_load(&gate.through), 3);
        }
        while (check_load(&gate.through) < THREADS) {
            woken += fastsync_futex_wake(&gate.word, 7, scopes[i]);
            sched_yield();
        }
        CHECK(woken <= THREADS);
        for (int t = 0; t < THREADS; t++)
            check_join(threads[t]);
    }
}

static void a_shared_word_reaches_another_process(void)
{
    struct gate *gates =
        mmap(NULL, 2 * sizeof *gates, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
    int status = -1;
    pid_t child;

    gates[0].scope = gates[1].scope = FASTSYNC_FUTEX_SHARED;
    child = fork();
    if (child == 0) {
        pass_gate(&gates[0]);
        __atomic_store_n(&gates[1].word, 1, __ATOMIC_RELEASE);
        fastsync_futex_wake(&gates[1].word, 1, FASTSYNC_FUTEX_SHARED);
        _exit(check_has_failed());
    }
    check_pause(30);
    __atomic_store_n(&gates[0].word, 1, __ATOMIC_RELEASE);
    fastsync_futex_wake(&gates[0].word, 1, FASTSYNC_FUTEX_SHARED);
    pass_gate(&gates[1]);
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
}

/* ---- what macOS lacks --------------------------------------------------------------------- */

static void what_is_moved_is_woken(void)
{
    struct gate gate = {.scope = FASTSYNC_FUTEX_PRIVATE};
    uint32_t other = 0;
    int affected = -1;
    pthread_t threads[THREADS];

    for (int t = 0; t < THREADS; t++)
        check_start(&threads[t], pass_gate, &gate);
    check_until_asleep(THREADS);
    CHECK_INT(fastsync_futex_cmp_requeue(&gate.word, &other, 9, 1, FASTSYNC_FUTEX_ALL,
                                         FASTSYNC_FUTEX_PRIVATE, &affected),
              EAGAIN);
    __atomic_store_n(&gate.word, 1, __ATOMIC_RELEASE);
    CHECK_INT(fastsync_futex_cmp_requeue(&gate.word, &other, 1, 1, FASTSYNC_FUTEX_ALL,
                                         FASTSYNC_FUTEX_PRIVATE, &affected),
              0);
    for (int t = 0; t < THREADS; t++)
        check_join(threads[t]);
    CHECK_INT(fastsync_futex_requeue(&gate.word, &other, -1, 0, FASTSYNC_FUTEX_PRIVATE, NULL),
              EINVAL);
}

static void *pass_gate_by_bit(void *argument)
{
    struct gate *gate = argument;

    while (read_word(&gate->word) == 0)
        fastsync_futex_wait_bitset(&gate->word, 0, 2, NULL, CLOCK_MONOTONIC, gate->scope);
    return NULL;
}

static void a_wake_by_bits_reaches_who_is_meant(void)
{
    struct gate gate = {.scope = FASTSYNC_FUTEX_PRIVATE};
    pthread_t threads[THREADS];

    for (int t = 0; t < THREADS; t++)
        check_start(&threads[t], pass_gate_by_bit, &gate);
    check_until_asleep(THREADS);
    __atomic_store_n(&gate.word, 1, __ATOMIC_RELEASE);
    fastsync_futex_wake_bitset(&gate.word, FASTSYNC_FUTEX_ALL, 2, FASTSYNC_FUTEX_PRIVATE);
    for (int t = 0; t < THREADS; t++)
        check_join(threads[t]);
}

static void what_does_not_exist_gives_ENOSYS(void)
{
    uint32_t word = 0;
    unsigned woken;
    struct fastsync_futex_waiter waiter = {&word, 0, FASTSYNC_FUTEX_PRIVATE};

    CHECK_INT(fastsync_futex_wait_any(&waiter, 1, NULL, CLOCK_MONOTONIC, &woken), ENOSYS);
    CHECK_INT(fastsync_futex_lock_pi(&word, NULL, CLOCK_MONOTONIC, FASTSYNC_FUTEX_PRIVATE), ENOSYS);
    CHECK_INT(fastsync_futex_trylock_pi(&word, FASTSYNC_FUTEX_PRIVATE), ENOSYS);
    CHECK_INT(fastsync_futex_unlock_pi(&word, FASTSYNC_FUTEX_PRIVATE), ENOSYS);
    CHECK_INT(word, 0);
}

/* ---- compact locks ----------------------------------------------------------------------------
 */

#define TURNS 1000

static struct {
    fastsync_mutex_t mutex;
    fastsync_cond_t cond;
    fastsync_rwlock_t lock;
    int turn;
    int64_t sum;
    int64_t read;
} compact;

static void *use_compact(void *argument)
{
    int mine = *(int *)argument;

    for (int i = 0; i < TURNS; i++) {
        fastsync_mutex_lock(&compact.mutex);
        while (i % 10 == 0 && compact.turn % THREADS != mine)
            fastsync_cond_wait(&compact.cond, &compact.mutex);
        if (i % 10 == 0)
            compact.turn++;
        fastsync_cond_broadcast(&compact.cond);
        fastsync_mutex_unlock(&compact.mutex);
        fastsync_rwlock_wrlock(&compact.lock);
        compact.sum++;
        fastsync_rwlock_unlock(&compact.lock);
        fastsync_rwlock_rdlock(&compact.lock);
        CHECK(compact.sum > 0);
        fastsync_rwlock_unlock(&compact.lock);
    }
    return NULL;
}

static void compact_locks_exclude(void)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];

    for (int t = 0; t < THREADS; t++) {
        numbers[t] = t;
        check_start(&threads[t], use_compact, &numbers[t]);
    }
    for (int t = 0; t < THREADS; t++)
        check_join(threads[t]);
    CHECK_INT(compact.sum, THREADS * TURNS);
    CHECK_INT(compact.turn, THREADS * TURNS / 10);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        CHECK_CASE(a_word_that_differs_gives_EAGAIN),
        CHECK_CASE(a_deadline_passes_on_either_clock),
        CHECK_CASE(a_wake_for_all_wakes_all),
        CHECK_CASE(wakes_are_counted),
        CHECK_CASE(a_shared_word_reaches_another_process),
        CHECK_CASE(what_is_moved_is_woken),
        CHECK_CASE(a_wake_by_bits_reaches_who_is_meant),
        CHECK_CASE(what_does_not_exist_gives_ENOSYS),
        CHECK_CASE(compact_locks_exclude),
        CHECK_END,
    };

    return check_main(argc, argv, cases);
}
