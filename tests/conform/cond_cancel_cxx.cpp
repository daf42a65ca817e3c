/* SPDX-License-Identifier: MIT */
/*
 * Cancellation unwinds through C++: the destructors of a thread cancelled in a wait run, with
 * the mutex held, and a handler of abi::__forced_unwind sees it pass. The waits are those of
 * std::condition_variable, std::condition_variable_any and the plain calls in C++ frames. A
 * notification that comes with the cancellation reaches somebody who goes on.
 */
#include <check.h>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cxxabi.h>
#include <mutex>
#include <pthread.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

namespace
{

struct Results {
    pid_t ready; /* the id of the thread that is about to wait */
    int destroyed, destroyed_holding, unwound;
};

Results results;
std::mutex mutex;
std::condition_variable condition;
std::condition_variable_any condition_any;
pthread_mutex_t plain_mutex = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
pthread_cond_t plain_condition = PTHREAD_COND_INITIALIZER;

/* conform.h is C: the two helpers that this program needs. */
bool is_asleep(pid_t tid)
{
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", static_cast<int>(tid));
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    char *line = fgets(text, sizeof text, file);
    fclose(file);
    const char *end = line ? strrchr(line, ')') : nullptr;
    return end && end[1] && end[2] == 'S';
}

void sleep_a_little()
{
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

/* Lives in the frame of the wait, below the lock. */
struct Witness {
    std::unique_lock<std::mutex> &lock;

    ~Witness()
    {
        results.destroyed++;
        results.destroyed_holding += lock.owns_lock();
    }
};

void announce()
{
    __atomic_store_n(&results.ready, static_cast<pid_t>(syscall(SYS_gettid)), __ATOMIC_RELEASE);
}

enum Way { WAIT, WAIT_WITH_PREDICATE, WAIT_FOR, WAIT_UNTIL, ANY_WAIT, ANY_WAIT_FOR, WAYS };

void wait_by(Way way, std::unique_lock<std::mutex> &lock)
{
    const auto long_time = std::chrono::hours(100);
    switch (way) {
    case WAIT:
        for (;;)
            condition.wait(lock);
    case WAIT_WITH_PREDICATE:
        condition.wait(lock, [] { return false; });
        break;
    case WAIT_FOR:
        condition.wait_for(lock, long_time, [] { return false; });
        break;
    case WAIT_UNTIL:
        condition.wait_until(lock, std::chrono::system_clock::now() + long_time,
                             [] { return false; });
        break;
    case ANY_WAIT:
        condition_any.wait(lock, [] { return false; });
        break;
    default:
        condition_any.wait_for(lock, long_time, [] { return false; });
        break;
    }
}

/* ---- with a notification ---- */

int tokens, waiting; /* guarded by the mutex */

struct Guest {
    pthread_t thread;
    Way way;
    int took, unwound, destroyed, destroyed_holding;
};

/* Undoes in its destructor what only the holder of the mutex may touch. */
struct Visit {
    Guest &guest;
    std::unique_lock<std::mutex> &lock;

    Visit(Guest &g, std::unique_lock<std::mutex> &l) : guest(g), lock(l)
    {
        waiting++;
    }

    ~Visit()
    {
        waiting--;
        guest.destroyed++;
        guest.destroyed_holding += lock.owns_lock();
    }
};

void wait_for_token(Way way, std::unique_lock<std::mutex> &lock)
{
    const auto long_time = std::chrono::hours(100);
    const auto may_go = [] { return tokens > 0; };
    if (way == ANY_WAIT)
        condition_any.wait(lock, may_go);
    else if (way == ANY_WAIT_FOR)
        condition_any.wait_for(lock, long_time, may_go);
    else if (way == WAIT_FOR)
        condition.wait_for(lock, long_time, may_go);
    else if (way == WAIT_UNTIL)
        condition.wait_until(lock, std::chrono::system_clock::now() + long_time, may_go);
    else
        condition.wait(lock, may_go);
}

void *take_or_be_unwound(void *argument)
{
    Guest &guest = *static_cast<Guest *>(argument);
    std::unique_lock<std::mutex> lock(mutex);
    Visit visit(guest, lock);
    try {
        wait_for_token(guest.way, lock);
    } catch (abi::__forced_unwind &) {
        guest.unwound++;
        throw;
    }
    tokens--;
    guest.took = 1;
    return &guest;
}

void await_waiting(int n)
{
    for (int seen = 0; seen < n; sched_yield()) {
        std::unique_lock<std::mutex> lock(mutex);
        seen = waiting;
    }
}

/* Some order of one notification and one cancellation, close together. */
void notify_and_cancel(Guest &victim, int round)
{
    if (round % 3 == 0)
        ck_assert_int_eq(pthread_cancel(victim.thread), 0);
    std::unique_lock<std::mutex> lock(mutex);
    tokens = 1;
    if (round % 2)
        lock.unlock();
    condition.notify_one();
    condition_any.notify_one();
    for (int spin = round % 5 * 200; spin > 0; spin--)
        __asm__ volatile("" ::: "memory");
    if (round % 3)
        ck_assert_int_eq(pthread_cancel(victim.thread), 0);
}

void start(Guest &guest)
{
    ck_assert_int_eq(pthread_create(&guest.thread, nullptr, take_or_be_unwound, &guest), 0);
}

/* The token is taken by the victim or by the witness: otherwise the round does not end. */
int cancel_with_a_notification(Way way, int round)
{
    Guest victim{}, witness{};
    victim.way = witness.way = way;
    start(round / 2 % 2 ? victim : witness);
    await_waiting(1);
    start(round / 2 % 2 ? witness : victim);
    await_waiting(2);
    notify_and_cancel(victim, round);
    for (bool taken = false; !taken; sched_yield()) {
        std::unique_lock<std::mutex> lock(mutex);
        taken = victim.took || witness.took;
    }
    {
        std::unique_lock<std::mutex> lock(mutex);
        tokens += 2;
        condition.notify_all();
        condition_any.notify_all();
    }
    for (Guest *guest : {&victim, &witness}) {
        void *result = nullptr;
        ck_assert_int_eq(pthread_join(guest->thread, &result), 0);
        ck_assert(result == (guest->unwound ? PTHREAD_CANCELED : guest));
        ck_assert_int_eq(guest->took + guest->unwound, 1);
        ck_assert_int_eq(guest->destroyed, 1);
        ck_assert_int_eq(guest->destroyed_holding, 1);
    }
    ck_assert_int_eq(witness.unwound, 0);
    ck_assert_int_eq(waiting, 0);
    tokens = 0;
    return victim.unwound;
}

/* ---- asleep ---- */

void *wait_and_be_unwound(void *argument)
{
    std::unique_lock<std::mutex> lock(mutex);
    Witness witness{lock};
    announce();
    try {
        wait_by(*static_cast<Way *>(argument), lock);
    } catch (abi::__forced_unwind &) {
        results.unwound++;
        throw;
    }
    return nullptr;
}

struct PlainLock {
    PlainLock()
    {
        pthread_mutex_lock(&plain_mutex);
    }

    ~PlainLock()
    {
        results.destroyed++;
        results.destroyed_holding += pthread_mutex_unlock(&plain_mutex) == 0;
    }
};

void *wait_plainly(void *argument)
{
    timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += 10000;
    PlainLock lock;
    announce();
    try {
        for (;;) {
            if (*static_cast<int *>(argument))
                pthread_cond_clockwait(&plain_condition, &plain_mutex, CLOCK_MONOTONIC, &deadline);
            else
                pthread_cond_wait(&plain_condition, &plain_mutex);
        }
    } catch (abi::__forced_unwind &) {
        results.unwound++;
        throw;
    }
    return nullptr;
}

void cancel_and_look(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    void *result = nullptr;
    ck_assert_int_eq(pthread_create(&thread, nullptr, body, argument), 0);
    pid_t tid;
    while ((tid = __atomic_load_n(&results.ready, __ATOMIC_ACQUIRE)) == 0)
        sleep_a_little();
    for (int seen = 0; seen < 4; seen = is_asleep(tid) ? seen + 1 : 0)
        sleep_a_little();
    ck_assert_int_eq(pthread_cancel(thread), 0);
    ck_assert_int_eq(pthread_join(thread, &result), 0);
    ck_assert(result == PTHREAD_CANCELED);
    ck_assert_int_eq(results.unwound, 1);
    ck_assert_int_eq(results.destroyed, 1);
    ck_assert_int_eq(results.destroyed_holding, 1);
}

} // namespace

START_TEST(a_cancelled_standard_wait_runs_destructors_with_the_mutex_held)
{
    Way way = static_cast<Way>(_i);
    cancel_and_look(wait_and_be_unwound, &way);
    ck_assert(mutex.try_lock());
    mutex.unlock();
}
END_TEST

START_TEST(a_cancelled_plain_wait_runs_destructors_with_the_mutex_held)
{
    int timed = _i;
    cancel_and_look(wait_plainly, &timed);
    ck_assert_int_eq(pthread_mutex_trylock(&plain_mutex), 0);
    ck_assert_int_eq(pthread_mutex_unlock(&plain_mutex), 0);
    ck_assert_int_eq(pthread_cond_destroy(&plain_condition), 0);
}
END_TEST

START_TEST(a_cancellation_with_a_notification_unwinds_or_leaves_the_token)
{
    int unwound = 0;
    for (int round = 0; round < 150; round++)
        unwound += cancel_with_a_notification(static_cast<Way>(_i), round);
    ck_assert_int_gt(unwound, 0);
}
END_TEST

START_TEST(an_exception_thrown_after_a_wait_unwinds_the_lock)
{
    bool caught = false;
    try {
        std::unique_lock<std::mutex> lock(mutex);
        if (condition.wait_for(lock, std::chrono::milliseconds(5)) == std::cv_status::timeout)
            throw 42;
        throw 42;
    } catch (int) {
        caught = true;
    }
    ck_assert(caught);
    ck_assert(mutex.try_lock());
    mutex.unlock();
}
END_TEST

int main()
{
    Suite *suite = suite_create("cond_cancel_cxx");
    TCase *tcase = tcase_create("unwinding");
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_cancelled_standard_wait_runs_destructors_with_the_mutex_held, 0,
                        WAYS);
    tcase_add_loop_test(tcase, a_cancelled_plain_wait_runs_destructors_with_the_mutex_held, 0, 2);
    tcase_add_loop_test(tcase, a_cancellation_with_a_notification_unwinds_or_leaves_the_token, 0,
                        WAYS);
    tcase_add_test(tcase, an_exception_thrown_after_a_wait_unwinds_the_lock);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
