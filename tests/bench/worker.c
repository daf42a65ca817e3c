/* SPDX-License-Identifier: MIT */
/*
 * The benchmark worker: one long-lived process per contestant that runs one round of one cell
 * at a time, as it is told on standard input, and answers each command with one line of
 * key=value. It says at the start which shared object its lock calls resolve to; the driver
 * decides whether that is the contestant it meant.
 */
#define _GNU_SOURCE
#include "bench.h"
#include "team.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

uint64_t bench_iterations_per_ms = 1000000;

static const struct {
    const char *name;
    bench_run_fn *run;
} groups[] = {
    {"uncontended", run_uncontended}, {"contended", run_contended}, {"fairness", run_fairness},
    {"pingpong", run_pingpong},       {"queue", run_queue},         {"broadcast", run_broadcast},
    {"rwlock", run_rwlock},
};

void bench_die(const char *what, int err)
{
    fprintf(stderr, "worker: %s%s%s\n", what, err ? ": " : "", err ? strerror(err) : "");
    exit(1);
}

uint64_t bench_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void bench_sleep_us(unsigned us)
{
    struct timespec ts = {us / 1000000, us % 1000000 * 1000};

    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) != 0) {
    }
}

void bench_usage(struct bench_usage *out)
{
    struct timespec cpu;
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    out->voluntary = usage.ru_nvcsw;
    out->involuntary = usage.ru_nivcsw;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    out->cpu_ns = (uint64_t)cpu.tv_sec * 1000000000u + (uint64_t)cpu.tv_nsec;
    out->wall_ns = bench_now();
}

void bench_usage_between(const struct bench_usage *from, const struct bench_usage *to,
                         struct bench_sample *out)
{
    out->ns = to->wall_ns - from->wall_ns;
    out->cpu_ns = to->cpu_ns - from->cpu_ns;
    out->voluntary = to->voluntary - from->voluntary;
    out->involuntary = to->involuntary - from->involuntary;
}

void bench_add(struct bench_sample *out, const char *name, double value)
{
    if (out->extras == BENCH_MAX_EXTRAS) {
        bench_die("too many figures in one sample", 0);
    }
    out->extra[out->extras++] = (struct bench_extra){name, value};
}

bool bench_iterations(const char *duration, uint32_t *out)
{
    char unit[4] = "ns";
    unsigned long n;
    int fields = sscanf(duration, "%lu%3s", &n, unit);
    bool microseconds = strcmp(unit, "us") == 0;

    if (fields < 1 || (!microseconds && strcmp(unit, "ns") != 0) || n > 100000) {
        return false;
    }
    n *= microseconds ? 1000 : 1;
    *out = (uint32_t)(n * bench_iterations_per_ms / 1000000);
    return true;
}

/* The fastest of many short trials, since a neighbour can only make one slower. */
static void calibrate(void)
{
    const uint32_t iterations = 50000;
    uint64_t best = UINT64_MAX;

    for (int i = 0; i < 200; i++) {
        uint64_t start = bench_now();
        uint64_t ns;

        bench_work(iterations);
        ns = bench_now() - start;
        best = ns < best ? ns : best;
    }
    printf("ok iterations_per_ms=%" PRIu64 "\n", iterations * UINT64_C(1000000) / best);
}

static void run_cell(const char *cell, int milliseconds)
{
    struct bench_sample sample = {0};
    const char *spec = strchr(cell, '/');

    for (size_t i = 0; spec != NULL && i < sizeof(groups) / sizeof(groups[0]); i++) {
        size_t length = strlen(groups[i].name);

        if ((size_t)(spec - cell) != length || strncmp(groups[i].name, cell, length) != 0) {
            continue;
        }
        if (!groups[i].run(spec + 1, milliseconds, &sample)) {
            break;
        }
        printf("ok ops=%" PRIu64 " ns=%" PRIu64 " cpu_ns=%" PRIu64 " voluntary=%" PRId64
               " involuntary=%" PRId64,
               sample.operations, sample.ns, sample.cpu_ns, sample.voluntary, sample.involuntary);
        for (int e = 0; e < sample.extras; e++) {
            printf(" %s=%.6g", sample.extra[e].name, sample.extra[e].value);
        }
        printf("\n");
        return;
    }
    printf("error no such cell: %s\n", cell);
}

static void say_who_answers(void)
{
    static const char *const calls[] = {"pthread_mutex_lock", "pthread_cond_wait",
                                        "pthread_rwlock_rdlock", "mtx_lock"};

    printf("ready");
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        Dl_info info = {0};
        void *address = dlsym(RTLD_DEFAULT, calls[i]);

        if (address == NULL || dladdr(address, &info) == 0 || info.dli_fname == NULL) {
            bench_die(calls[i], 0);
        }
        printf("\t%s=%s", calls[i], info.dli_fname);
    }
    printf("\n");
}

static void obey(char *line)
{
    char cell[128];
    int milliseconds;

    if (sscanf(line, "run %127s %d", cell, &milliseconds) == 2) {
        run_cell(cell, milliseconds);
    } else if (strncmp(line, "calibrate", 9) == 0) {
        calibrate();
    } else if (sscanf(line, "speed %" SCNu64, &bench_iterations_per_ms) == 1) {
        printf("ok\n");
    } else {
        printf("error not understood: %s", line);
    }
}

int main(int argc, char **argv)
{
    char line[256];
    int arg = 1;

    if (arg < argc && strcmp(argv[arg], "--second-thread") == 0) {
        team_grow(1);
        arg++;
    }
    if (arg + 2 < argc && strcmp(argv[arg], "--count") == 0) {
        return count_uncontended(argv[arg + 1], strtoul(argv[arg + 2], NULL, 10)) ? 0 : 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    say_who_answers();
    while (fgets(line, sizeof(line), stdin) != NULL) {
        obey(line);
        fflush(stdout);
    }
    return 0;
}
