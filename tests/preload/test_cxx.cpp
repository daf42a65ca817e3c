/* SPDX-License-Identifier: MIT */
/* The locks of the C++ library, which reach ours through libstdc++ and through
   inlined header code, with exceptions and with cancellation unwinding through
   a wait. */
#include <check.h>

#include "snippet.h"
#include "watchdog.h"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cxxabi.h>
#include <mutex>
#include <pthread.h>
#include <shared_mutex>
#include <stdexcept>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;
using wall = std::chrono::system_clock;

namespace
{

constexpr int THREADS = 4;
constexpr int ROUNDS = 5000;

template <typename Mutex>
void count_with(Mutex &mutex)
{
    long count = 0;
    std::vector<std::thread> threads;

    for (int t = 0; t < THREADS; t++) {
        threads.emplace_back([&] {
            for (int i = 0; i < ROUNDS; i++) {
                std::lock_guard<Mutex> guard(mutex);
                count++;
            }
        });
    }
    for (auto &thread : threads)
        thread.join();
    ck_assert_int_eq(count, THREADS * ROUNDS);
}

template <typename Mutex>
void another_thread_times_out_on(Mutex &mutex)
{
    std::lock_guard<Mutex> guard(mutex);
    std::thread([&] {
        auto start = steady::now();
        ck_assert(!mutex.try_lock());
        ck_assert(!mutex.try_lock_for(10ms));
        ck_assert(!mutex.try_lock_until(steady::now() + 10ms));
        ck_assert(steady::now() - start >= 20ms);
        auto deadline = wall::now() + 10ms;
        ck_assert(!mutex.try_lock_until(deadline));
        ck_assert(wall::now() >= deadline);
    }).join();
}

template <typename Mutex>
void readers_and_writers(Mutex &mutex)
{
    long count = 0;
    std::atomic<int> writers{0};
    std::vector<std::thread> threads;

    for (int t = 0; t < THREADS; t++) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < ROUNDS; i++) {
                if ((i + t) % 4 == 0) {
                    std::unique_lock<Mutex> lock(mutex);
                    ck_assert_int_eq(writers++, 0);
                    count++;
                    writers--;
                } else {
                    std::shared_lock<Mutex> lock(mutex);
                    ck_assert_int_eq(writers, 0);
                }
            }
        });
    }
    for (auto &thread : threads)
        thread.join();
    ck_assert_int_eq(count, THREADS * ROUNDS / 4);
}

template <typename Condition, typename Mutex>
void hand_over_with()
{
    static Mutex mutex;
    static Condition condition;
    int turn = 0;
    std::vector<std::thread> threads;

    for (int t = 0; t < THREADS; t++) {
        threads.emplace_back([&turn, t] {
            for (int i = 0; i < 200; i++) {
                std::unique_lock<Mutex> lock(mutex);
                auto my_turn = [&turn, t] { return turn % THREADS == t; };
                if (i % 3 == 0)
                    condition.wait(lock, my_turn);
                else if (i % 3 == 1)
                    ck_assert(condition.wait_for(lock, 60s, my_turn));
                else
                    ck_assert(condition.wait_until(lock, wall::now() + 60s, my_turn));
                turn++;
                condition.notify_all();
            }
        });
    }
    for (auto &thread : threads)
        thread.join();
    ck_assert_int_eq(turn, THREADS * 200);
}

template <typename Condition, typename Mutex>
void times_out_with()
{
    static Mutex mutex;
    static Condition condition;
    std::unique_lock<Mutex> lock(mutex);
    auto start = steady::now();

    ck_assert(!condition.wait_for(lock, 20ms, [] { return false; }));
    ck_assert(steady::now() - start >= 20ms);
    auto deadline = wall::now() + 20ms;
    ck_assert(!condition.wait_until(lock, deadline, [] { return false; }));
    ck_assert(wall::now() >= deadline);
    ck_assert(lock.owns_lock());
}

} // namespace

START_TEST(mutexes_exclude)
{
    static std::mutex plain;
    static std::recursive_mutex recursive;
    static std::timed_mutex timed;
    static std::recursive_timed_mutex recursive_timed;

    ck_assert_ptr_null(snippet_misdirected());
    count_with(plain);
    count_with(recursive);
    count_with(timed);
    count_with(recursive_timed);
    std::lock_guard<std::recursive_mutex> once(recursive);
    std::lock_guard<std::recursive_mutex> twice(recursive);
    ck_assert(recursive.try_lock());
    recursive.unlock();
}
END_TEST

START_TEST(timed_mutexes_time_out_and_are_not_early)
{
    static std::timed_mutex timed;
    static std::recursive_timed_mutex recursive_timed;
    static std::shared_timed_mutex shared;

    another_thread_times_out_on(timed);
    another_thread_times_out_on(recursive_timed);
    another_thread_times_out_on(shared);
}
END_TEST

START_TEST(shared_mutexes_let_readers_in_together_and_writers_alone)
{
    static std::shared_mutex shared;
    static std::shared_timed_mutex shared_timed;

    readers_and_writers(shared);
    readers_and_writers(shared_timed);
    std::shared_lock<std::shared_timed_mutex> reader(shared_timed);
    std::thread([] {
        ck_assert(shared_timed.try_lock_shared_for(10ms));
        ck_assert(!shared_timed.try_lock_for(10ms));
        shared_timed.unlock_shared();
    }).join();
}
END_TEST

START_TEST(condition_variables_hand_over)
{
    hand_over_with<std::condition_variable, std::mutex>();
    hand_over_with<std::condition_variable_any, std::mutex>();
    hand_over_with<std::condition_variable_any, std::recursive_mutex>();
    hand_over_with<std::condition_variable_any, std::timed_mutex>();
    hand_over_with<std::condition_variable_any, std::shared_mutex>();
}
END_TEST

START_TEST(condition_variables_time_out_and_are_not_early)
{
    times_out_with<std::condition_variable, std::mutex>();
    times_out_with<std::condition_variable_any, std::mutex>();
    times_out_with<std::condition_variable_any, std::shared_timed_mutex>();
}
END_TEST

START_TEST(an_exception_releases_what_it_passes)
{
    static std::mutex mutex;
    static std::condition_variable condition;
    int caught = 0;

    for (int i = 0; i < 100; i++) {
        try {
            std::unique_lock<std::mutex> lock(mutex);
            condition.wait_for(lock, 1us, []() -> bool { throw std::runtime_error("no"); });
        } catch (const std::runtime_error &) {
            caught++;
        }
        ck_assert(mutex.try_lock());
        mutex.unlock();
    }
    ck_assert_int_eq(caught, 100);
}
END_TEST

namespace
{

struct Cancelled {
    std::mutex mutex;
    std::condition_variable condition;
    std::condition_variable_any any;
    std::atomic<int> waiting{0};
    std::atomic<int> unwound{0};
    std::atomic<int> held{0};
    std::atomic<int> rethrown{0};
    bool use_any = false;
    bool timed = false;
};

Cancelled cancelled;

/* Its destructor runs while the wait unwinds, when the mutex has to be held again. */
struct Witness {
    ~Witness()
    {
        cancelled.unwound++;
        cancelled.held += pthread_mutex_trylock(cancelled.mutex.native_handle()) == EBUSY;
    }
};

template <typename Condition>
void wait_for_ever(Condition &condition)
{
    std::unique_lock<std::mutex> lock(cancelled.mutex);
    Witness witness;

    cancelled.waiting++;
    for (;;) {
        if (cancelled.timed)
            condition.wait_for(lock, 60s);
        else
            condition.wait(lock);
    }
}

void *wait_and_rethrow(void *)
{
    try {
        if (cancelled.use_any)
            wait_for_ever(cancelled.any);
        else
            wait_for_ever(cancelled.condition);
    } catch (abi::__forced_unwind &) {
        cancelled.rethrown++;
        throw;
    }
    return nullptr;
}

} // namespace

START_TEST(cancellation_unwinds_through_a_wait)
{
    pthread_t threads[THREADS];
    void *result;

    cancelled.use_any = (_i & 1) != 0;
    cancelled.timed = (_i & 2) != 0;
    for (auto &thread : threads)
        ck_assert_int_eq(pthread_create(&thread, nullptr, wait_and_rethrow, nullptr), 0);
    while (cancelled.waiting < THREADS)
        std::this_thread::sleep_for(1ms);
    std::this_thread::sleep_for(5ms);
    for (auto &thread : threads)
        ck_assert_int_eq(pthread_cancel(thread), 0);
    for (auto &thread : threads) {
        ck_assert_int_eq(pthread_join(thread, &result), 0);
        ck_assert_ptr_eq(result, PTHREAD_CANCELED);
    }
    ck_assert_int_eq(cancelled.unwound, THREADS);
    ck_assert_int_eq(cancelled.held, THREADS);
    ck_assert_int_eq(cancelled.rethrown, THREADS);
    ck_assert(cancelled.mutex.try_lock());
    cancelled.mutex.unlock();
}
END_TEST

namespace
{

const char *thread_local_failure = "the destructor did not run";

struct AtThreadExit {
    bool used = false;
    ~AtThreadExit()
    {
        thread_local_failure = snippet_run(SNIPPET_ALL);
    }
};

thread_local AtThreadExit at_thread_exit;

/* Constructed before main, destroyed after it. */
struct Global {
    const char *failure = snippet_run(SNIPPET_ALL);
    ~Global()
    {
        if (snippet_run(SNIPPET_ALL))
            _exit(9);
    }
};

Global global;

} // namespace

START_TEST(the_destructor_of_a_thread_local_object_calls)
{
    std::thread([] { at_thread_exit.used = true; }).join();
    ck_assert_msg(thread_local_failure == nullptr, "%s", thread_local_failure);
}
END_TEST

START_TEST(a_global_object_calls_before_main)
{
    ck_assert_msg(global.failure == nullptr, "%s", global.failure);
}
END_TEST

static void start_watchdog()
{
    watchdog_name("cxx");
    watchdog_watch("cancelled", &cancelled, sizeof cancelled);
    watchdog_start(40, 0);
}

int main()
{
    Suite *suite = suite_create("cxx");
    TCase *tcase = tcase_create("cxx");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, start_watchdog, watchdog_stop);
    tcase_add_test(tcase, mutexes_exclude);
    tcase_add_test(tcase, timed_mutexes_time_out_and_are_not_early);
    tcase_add_test(tcase, shared_mutexes_let_readers_in_together_and_writers_alone);
    tcase_add_test(tcase, condition_variables_hand_over);
    tcase_add_test(tcase, condition_variables_time_out_and_are_not_early);
    tcase_add_test(tcase, an_exception_releases_what_it_passes);
    tcase_add_loop_test(tcase, cancellation_unwinds_through_a_wait, 0, 4);
    tcase_add_test(tcase, the_destructor_of_a_thread_local_object_calls);
    tcase_add_test(tcase, a_global_object_calls_before_main);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
