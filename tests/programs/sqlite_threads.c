/* SPDX-License-Identifier: MIT */
/*
 * Threads that insert and look up rows of in-memory sqlite databases in serialized mode.
 * `shared` gives all threads one connection, `private` one each, so that the connection's mutex
 * is contended in the first and only the allocator's in the second. What is printed depends on
 * the arguments alone; whether it is right is left to the script that runs this twice.
 */
#include <pthread.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_THREADS = 64 };

struct worker {
    pthread_t thread;
    sqlite3 *db;
    int number;
    int rows;
    int missing;
};

static void fail(sqlite3 *db, const char *what)
{
    fprintf(stderr, "sqlite_threads: %s: %s\n", what, db ? sqlite3_errmsg(db) : "");
    exit(1);
}

static sqlite3 *open_database(void)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
    sqlite3 *db;

    if (sqlite3_open_v2(":memory:", &db, flags, NULL) != SQLITE_OK)
        fail(db, "open");
    if (sqlite3_exec(db, "CREATE TABLE work (id INTEGER PRIMARY KEY, value INTEGER)", NULL, NULL,
                     NULL) != SQLITE_OK)
        fail(db, "create");
    return db;
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail(db, sql);
    return statement;
}

static int64_t row_id(const struct worker *worker, int row)
{
    return (int64_t)worker->number * 1000000000 + row;
}

static int64_t row_value(int64_t id)
{
    return (int64_t)((uint64_t)id * 0x9e3779b97f4a7c15u >> 40);
}

static void insert_row(sqlite3 *db, sqlite3_stmt *insert, int64_t id)
{
    sqlite3_bind_int64(insert, 1, id);
    sqlite3_bind_int64(insert, 2, row_value(id));
    if (sqlite3_step(insert) != SQLITE_DONE)
        fail(db, "insert");
    sqlite3_reset(insert);
}

static int row_is_there(sqlite3_stmt *look_up, int64_t id)
{
    int found;

    sqlite3_bind_int64(look_up, 1, id);
    found =
        sqlite3_step(look_up) == SQLITE_ROW && sqlite3_column_int64(look_up, 0) == row_value(id);
    sqlite3_reset(look_up);
    return found;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    sqlite3_stmt *insert = prepare(worker->db, "INSERT INTO work VALUES (?, ?)");
    sqlite3_stmt *look_up = prepare(worker->db, "SELECT value FROM work WHERE id = ?");

    for (int row = 0; row < worker->rows; row++) {
        insert_row(worker->db, insert, row_id(worker, row));
        worker->missing += !row_is_there(look_up, row_id(worker, row / 2));
    }
    sqlite3_finalize(insert);
    sqlite3_finalize(look_up);
    return NULL;
}

static void add_up(sqlite3 *db, int64_t *rows, uint64_t *digest)
{
    sqlite3_stmt *all = prepare(db, "SELECT id, value FROM work ORDER BY id");

    while (sqlite3_step(all) == SQLITE_ROW) {
        *rows += 1;
        *digest = *digest * 31 + (uint64_t)sqlite3_column_int64(all, 0);
        *digest = *digest * 31 + (uint64_t)sqlite3_column_int64(all, 1);
    }
    sqlite3_finalize(all);
}

static void run_workers(struct worker *workers, int threads, int rows, sqlite3 *shared)
{
    for (int i = 0; i < threads; i++) {
        workers[i].db = shared ? shared : open_database();
        workers[i].number = i;
        workers[i].rows = rows;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            fail(NULL, "pthread_create");
    }
    for (int i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
}

int main(int argc, char **argv)
{
    static struct worker workers[MAX_THREADS];
    int threads = argc == 4 ? atoi(argv[2]) : 0;
    int64_t total = 0, missing = 0;
    uint64_t digest = 0;
    sqlite3 *shared;

    if (threads < 1 || threads > MAX_THREADS) {
        fprintf(stderr, "usage: sqlite_threads shared|private THREADS ROWS\n");
        return 2;
    }
    shared = strcmp(argv[1], "shared") == 0 ? open_database() : NULL;
    run_workers(workers, threads, atoi(argv[3]), shared);
    for (int i = 0; i < threads; i++) {
        missing += workers[i].missing;
        if (!shared || i == 0)
            add_up(workers[i].db, &total, &digest);
        if (!shared || i == threads - 1)
            sqlite3_close(workers[i].db);
    }
    printf("rows=%lld missing=%lld digest=%016llx\n", (long long)total, (long long)missing,
           (unsigned long long)digest);
    return 0;
}
