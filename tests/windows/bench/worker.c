/* SPDX-License-Identifier: MIT */
/* The benchmark worker for Windows: one process per contestant, which runs one round of one cell at
   a time, as it is told on standard input, and answers with one line of key=value. It says at the
   start which modules its calls lead to; bench.py decides whether these are the right ones. */
#include "worker.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

volatile LONG stop;
static const struct cell *cell;
static struct seat seats[THREADS_MAX];
static HANDLE begin;

static void die(const char *what)
{
    fprintf(stderr, "worker: %s: error %lu\n", what, GetLastError());
    exit(1);
}

static unsigned long long now(void)
{
    static LARGE_INTEGER frequency;
    LARGE_INTEGER count;

    if (!frequency.QuadPart)
        QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&count);
    return (unsigned long long)((double)count.QuadPart * 1e9 / (double)frequency.QuadPart);
}

static unsigned long long operations(int threads)
{
    unsigned long long sum = 0;

    for (int i = 0; i < threads; i++)
        sum += seats[i].operations;
    return sum;
}

static DWORD WINAPI take_seat(void *seat)
{
    WaitForSingleObject(begin, INFINITE);
    cell->run(seat);
    return 0;
}

static void measure(int threads, int milliseconds)
{
    HANDLE members[THREADS_MAX];
    unsigned long long from, done;

    stop = 0;
    ResetEvent(begin);
    for (int i = 0; i < threads; i++) {
        seats[i].number = i;
        seats[i].operations = 0;
        members[i] = CreateThread(NULL, 0, take_seat, &seats[i], 0, NULL);
        if (!members[i])
            die("CreateThread");
    }
    SetEvent(begin);
    Sleep((DWORD)milliseconds / 8 + 1); /* until all are at it */
    from = now();
    done = operations(threads);
    do
        Sleep((DWORD)milliseconds);
    while (operations(threads) == done); /* on a machine that is busy with others */
    done = operations(threads) - done;
    from = now() - from;
    stop = 1;
    if (cell->end)
        cell->end();
    WaitForMultipleObjects((DWORD)threads, members, TRUE, INFINITE);
    for (int i = 0; i < threads; i++)
        CloseHandle(members[i]);
    printf("ok ops=%llu ns=%llu\n", done, from);
}

static const struct cell *find(const char *name)
{
    for (const struct cell *at = pthread_cells; at->name; at++)
        if (strcmp(at->name, name) == 0)
            return at;
    for (const struct cell *at = win32_cells; at->name; at++)
        if (strcmp(at->name, name) == 0)
            return at;
    return NULL;
}

static void obey(const char *line)
{
    char name[32];
    int threads, milliseconds;

    if (sscanf(line, "run %31[^/]/T%d %d", name, &threads, &milliseconds) != 3 || threads < 1 ||
        threads > THREADS_MAX || milliseconds < 1) {
        printf("error not understood: %s", line);
        return;
    }
    cell = find(name);
    if (cell)
        measure(threads, milliseconds);
    else
        printf("error no such cell: %s\n", name);
}

/* The address is that in the import table. */
static void say_who_answers(const char *call, FARPROC address)
{
    char path[MAX_PATH] = "nobody";
    HMODULE module;

    if (GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS |
                               GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                           (const char *)(uintptr_t)address, &module))
        GetModuleFileNameA(module, path, sizeof(path));
    printf("\t%s=%s", call, path);
}

#define WHO(call) say_who_answers(#call, (FARPROC)(uintptr_t)(call))

int main(void)
{
    char line[160];

    begin = CreateEventA(NULL, TRUE, FALSE, NULL);
    if (!begin)
        die("CreateEvent");
    printf("ready");
    WHO(pthread_mutex_lock);
    WHO(pthread_rwlock_rdlock);
    WHO(pthread_cond_wait);
    WHO(EnterCriticalSection);
    WHO(SleepConditionVariableSRW);
    printf("\n");
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        obey(line);
        fflush(stdout);
    }
    return 0;
}
