// SPDX-License-Identifier: MIT
// Blocks go through three stages, several threads each, by queues of bounded length with
// std::condition_variable: made, packed by run lengths, and unpacked again; a fourth puts them in
// order. Waits have time-outs, a log uses std::recursive_mutex and std::timed_mutex, std::async
// starts the stages. It prints sizes and sums, which do not depend on who was first.
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace
{

constexpr unsigned BLOCKS = 400, BLOCK = 4096, THREADS = 2;

struct Block {
    unsigned number;
    std::string data;
    std::uint64_t sum;
};

class Queue
{
  public:
    void put(Block block)
    {
        std::unique_lock<std::mutex> lock(mutex);
        space.wait(lock, [this] { return blocks.size() < 4; });
        blocks.push_back(std::move(block));
        lock.unlock();
        filled.notify_one();
    }

    bool get(Block &block)
    {
        std::unique_lock<std::mutex> lock(mutex);
        while (!filled.wait_for(lock, std::chrono::milliseconds(20),
                                [this] { return !blocks.empty() || closed; }))
            idle++;
        if (blocks.empty())
            return false;
        block = std::move(blocks.front());
        blocks.pop_front();
        lock.unlock();
        space.notify_one();
        return true;
    }

    void close()
    {
        std::lock_guard<std::mutex> guard(mutex);
        closed = true;
        filled.notify_all();
    }

  private:
    std::mutex mutex;
    std::condition_variable space, filled;
    std::deque<Block> blocks;
    unsigned long idle = 0;
    bool closed = false;
};

class Log
{
  public:
    void add(const std::string &what, std::size_t size)
    {
        std::lock_guard<std::recursive_mutex> guard(mutex);
        add_one(what);
        add_one("bytes " + what, size);
    }

    void print()
    {
        std::unique_lock<std::timed_mutex> lock(printing, std::chrono::seconds(60));
        for (const auto &line : counts)
            std::printf("%s: %llu\n", line.first.c_str(),
                        static_cast<unsigned long long>(line.second));
    }

  private:
    void add_one(const std::string &what, std::size_t size = 1)
    {
        std::lock_guard<std::recursive_mutex> guard(mutex);
        counts[what] += size;
    }

    std::recursive_mutex mutex;
    std::timed_mutex printing;
    std::map<std::string, std::uint64_t> counts;
};

std::uint64_t sum(const std::string &data)
{
    std::uint64_t result = 14695981039346656037u;
    for (char letter : data)
        result = (result ^ static_cast<unsigned char>(letter)) * 1099511628211u;
    return result;
}

Block make(unsigned number)
{
    Block block{number, std::string(), 0};
    std::uint32_t random = number + 1;
    while (block.data.size() < BLOCK) {
        random = random * 1664525u + 1013904223u;
        block.data.append(1 + (random >> 28), static_cast<char>(random >> 20));
    }
    block.sum = sum(block.data);
    return block;
}

std::string pack(const std::string &data)
{
    std::string packed;
    for (std::size_t at = 0, next; at < data.size(); at = next) {
        next = at;
        while (next < data.size() && next - at < 255 && data[next] == data[at])
            next++;
        packed += static_cast<char>(next - at);
        packed += data[at];
    }
    return packed;
}

std::string unpack(const std::string &packed)
{
    std::string data;
    for (std::size_t at = 0; at < packed.size(); at += 2)
        data.append(static_cast<unsigned char>(packed[at]), packed[at + 1]);
    return data;
}

template <typename Work>
void stage(Queue &from, Queue &to, Work work)
{
    std::vector<std::future<void>> threads;
    for (unsigned i = 0; i < THREADS; i++)
        threads.push_back(std::async(std::launch::async, [&from, &to, &work] {
            Block block;
            while (from.get(block)) {
                work(block);
                to.put(std::move(block));
            }
        }));
    for (auto &thread : threads)
        thread.get();
    to.close();
}

} // namespace

int main()
{
    Queue made, packed, unpacked;
    Log log;
    auto packer = std::async(std::launch::async, [&] {
        stage(made, packed, [&log](Block &block) {
            block.data = pack(block.data);
            log.add("packed", block.data.size());
        });
    });
    auto unpacker = std::async(std::launch::async, [&] {
        stage(packed, unpacked, [&log](Block &block) {
            block.data = unpack(block.data);
            log.add("unpacked", block.data.size());
        });
    });
    auto maker = std::async(std::launch::async, [&made] {
        for (unsigned i = 0; i < BLOCKS; i++)
            made.put(make(i));
        made.close();
    });
    std::map<unsigned, Block> done;
    Block block;
    while (unpacked.get(block))
        done[block.number] = block;
    maker.get();
    packer.get();
    unpacker.get();
    std::uint64_t all = 0;
    unsigned wrong = 0;
    for (const auto &one : done) {
        wrong += sum(one.second.data) != one.second.sum;
        all = all * 31 + one.second.sum;
    }
    log.print();
    std::printf("%u blocks, %u wrong, sum %016llx\n", static_cast<unsigned>(done.size()), wrong,
                static_cast<unsigned long long>(all));
    return wrong != 0;
}
