// SPDX-License-Identifier: MIT
// Accounts in a table under std::shared_mutex: some threads move money between them, others add all
// of it up, and a sum that they see must never be that of half a transfer. It prints the table's
// sum and hash at the end, which do not depend on the order of the transfers.
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

namespace
{

constexpr int ACCOUNTS = 64, READERS = 3, WRITERS = 2, TRANSFERS = 4000, LOOKS = 1500;

class Table
{
  public:
    Table()
    {
        for (int i = 0; i < ACCOUNTS; i++)
            money["account " + std::to_string(i)] = 1000;
    }

    void transfer(const std::string &from, const std::string &to, int amount)
    {
        std::unique_lock<std::shared_mutex> lock(mutex);
        money[from] -= amount;
        money[to] += amount;
    }

    long sum() const
    {
        std::shared_lock<std::shared_mutex> lock(mutex);
        long result = 0;
        for (const auto &account : money)
            result += account.second;
        return result;
    }

    // What is not to be had at once is not looked at.
    bool try_sum(long &result) const
    {
        std::shared_lock<std::shared_mutex> lock(mutex, std::try_to_lock);
        if (!lock)
            return false;
        result = 0;
        for (const auto &account : money)
            result += account.second;
        return true;
    }

    std::uint64_t hash() const
    {
        std::shared_lock<std::shared_mutex> lock(mutex);
        std::uint64_t result = 0;
        for (const auto &account : money)
            for (char letter : account.first + std::to_string(account.second))
                result = (result ^ static_cast<unsigned char>(letter)) * 1099511628211u;
        return result;
    }

  private:
    mutable std::shared_mutex mutex;
    std::map<std::string, long> money;
};

std::string name(std::uint32_t number)
{
    return "account " + std::to_string(number % ACCOUNTS);
}

void write(Table &table, std::uint32_t seed)
{
    for (int i = 0; i < TRANSFERS; i++) {
        seed = seed * 1664525u + 1013904223u;
        table.transfer(name(seed >> 8), name(seed >> 16), static_cast<int>(seed >> 24));
    }
}

void read(const Table &table, std::atomic<long> &wrong)
{
    long sum;
    for (int i = 0; i < LOOKS; i++) {
        wrong += table.sum() != ACCOUNTS * 1000;
        if (table.try_sum(sum))
            wrong += sum != ACCOUNTS * 1000;
    }
}

} // namespace

int main()
{
    Table table;
    std::atomic<long> wrong{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < WRITERS; i++)
        threads.emplace_back([&table, i] { write(table, static_cast<std::uint32_t>(i) + 1); });
    for (int i = 0; i < READERS; i++)
        threads.emplace_back([&table, &wrong] { read(table, wrong); });
    for (auto &thread : threads)
        thread.join();
    std::printf("%ld in all, hash %016llx\n", table.sum(),
                static_cast<unsigned long long>(table.hash()));
    if (wrong != 0)
        std::fprintf(stderr, "%ld wrong sums\n", wrong.load());
    return 0;
}
