/* SPDX-License-Identifier: MIT */
/* C++'s own: std::mutex is in the program's code, the waiting of std::condition_variable in
   libstdc++-6.dll. */
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>

int main()
{
    std::mutex mutex;
    std::condition_variable changed;
    bool ready = false;
    std::unique_lock<std::mutex> lock(mutex);
    std::thread thread([&] {
        std::lock_guard<std::mutex> guard(mutex);
        ready = true;
        changed.notify_one();
    });

    changed.wait(lock, [&] { return ready; });
    lock.unlock();
    thread.join();
    std::printf("cxx: 0\n");
}
