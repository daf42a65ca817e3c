// SPDX-License-Identifier: MIT
// A pool of threads that steal work from each other, with std::mutex and std::condition_variable:
// it counts the ways to put queens on a board, branch by branch, and the primes of ranges by
// futures. Which thread does what is open; the sums it prints are not.
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace
{

class Pool
{
  public:
    explicit Pool(unsigned threads) : queues(threads)
    {
        for (unsigned i = 0; i < threads; i++)
            workers.emplace_back([this, i] { work(i); });
    }

    ~Pool()
    {
        {
            std::lock_guard<std::mutex> guard(mutex);
            closed = true;
        }
        changed.notify_all();
        for (auto &worker : workers)
            worker.join();
    }

    void add(std::function<void()> task)
    {
        Queue &queue = queues[next++ % queues.size()];
        {
            std::lock_guard<std::mutex> guard(queue.mutex);
            queue.tasks.push_back(std::move(task));
        }
        {
            std::lock_guard<std::mutex> guard(mutex);
            waiting++;
            unfinished++;
        }
        changed.notify_one();
    }

    void finish()
    {
        std::unique_lock<std::mutex> lock(mutex);
        idle.wait(lock, [this] { return unfinished == 0; });
    }

  private:
    struct Queue {
        std::mutex mutex;
        std::deque<std::function<void()>> tasks;
    };

    // Its own newest task, or another's oldest; there is one, since the caller has claimed it.
    std::function<void()> take(unsigned self)
    {
        for (unsigned i = 0;; i = (i + 1) % queues.size()) {
            Queue &queue = queues[(self + i) % queues.size()];
            std::lock_guard<std::mutex> guard(queue.mutex);
            if (queue.tasks.empty())
                continue;
            auto &end = i == 0 ? queue.tasks.back() : queue.tasks.front();
            std::function<void()> task = std::move(end);
            i == 0 ? queue.tasks.pop_back() : queue.tasks.pop_front();
            return task;
        }
    }

    void work(unsigned self)
    {
        std::unique_lock<std::mutex> lock(mutex);
        for (;;) {
            changed.wait(lock, [this] { return waiting > 0 || closed; });
            if (waiting == 0)
                return;
            waiting--;
            lock.unlock();
            take(self)();
            lock.lock();
            if (--unfinished == 0)
                idle.notify_all();
        }
    }

    std::vector<Queue> queues;
    std::vector<std::thread> workers;
    std::mutex mutex;
    std::condition_variable changed, idle;
    std::size_t waiting = 0, unfinished = 0;
    std::atomic<std::size_t> next{0};
    bool closed = false;
};

struct Board {
    unsigned size, row, columns, left, right;
};

// A row near the top is a task for each of its fields; below, it is counted at once.
void count(Pool &pool, Board board, std::mutex &mutex, unsigned long &ways)
{
    if (board.row == board.size) {
        std::lock_guard<std::mutex> guard(mutex);
        ways++;
        return;
    }
    for (unsigned column = 0; column < board.size; column++) {
        unsigned bit = 1u << column;
        if ((board.columns | board.left | board.right) & bit)
            continue;
        Board next = {board.size, board.row + 1, board.columns | bit, (board.left | bit) << 1,
                      (board.right | bit) >> 1};
        if (next.row <= 3)
            pool.add([&pool, next, &mutex, &ways] { count(pool, next, mutex, ways); });
        else
            count(pool, next, mutex, ways);
    }
}

unsigned primes(unsigned from, unsigned to)
{
    unsigned found = 0;
    for (unsigned n = from; n < to; n++) {
        unsigned divisor = 2;
        while (divisor * divisor <= n && n % divisor != 0)
            divisor++;
        found += n >= 2 && divisor * divisor > n;
    }
    return found;
}

} // namespace

int main()
{
    Pool pool(4);
    for (unsigned size = 5; size <= 9; size++) {
        std::mutex mutex;
        unsigned long ways = 0;
        count(pool, {size, 0, 0, 0, 0}, mutex, ways);
        pool.finish();
        std::printf("%u queens: %lu ways\n", size, ways);
    }
    std::vector<std::future<unsigned>> parts;
    for (unsigned from = 0; from < 100000; from += 2000) {
        auto part = std::make_shared<std::packaged_task<unsigned()>>(
            [from] { return primes(from, from + 2000); });
        parts.push_back(part->get_future());
        pool.add([part] { (*part)(); });
    }
    unsigned found = 0;
    for (auto &part : parts)
        found += part.get();
    std::printf("%u primes\n", found);
    return 0;
}
