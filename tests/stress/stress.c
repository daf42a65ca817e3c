/* SPDX-License-Identifier: MIT */
/* See stress.h. A cell's process is a fork child of the program (Check's
   isolation), so its state needs no cleaning up. */
#include "stress.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    DEFAULT_SECONDS = 6,
    SOAK_FACTOR = 30,
    GRACE_SECONDS = 60,
};

const int stress_thread_counts[3] = {2, 8, 32};

const struct stress_mutex_kind stress_mutex_kinds[] = {
    {"normal", PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED, 0},
    {"recursive", PTHREAD_MUTEX_RECURSIVE, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED, 0},
    {"errorcheck", PTHREAD_MUTEX_ERRORCHECK, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED, 0},
    {"adaptive", PTHREAD_MUTEX_ADAPTIVE_NP, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED, 0},
    {"pshared", PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED, 1},
    {"robust", PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST, 0},
    {"PI", PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED, 0},
    {"PI robust", PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_ROBUST, 0},
};
const int stress_mutex_kind_count = sizeof stress_mutex_kinds / sizeof *stress_mutex_kinds;

static uint64_t seed;
static double cell_seconds;
static const char *program_name;
static char cell_name[128];
static atomic_bool stopped;
static struct timespec end_of_cell;

static struct {
    pthread_t thread;
    const pthread_t *targets;
    int count;
    atomic_bool stop;
    struct stress_random random;
} pester;

uint64_t stress_next(struct stress_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

struct timespec stress_deadline(clockid_t clock, int64_t ns)
{
    struct timespec t;

    clock_gettime(clock, &t);
    t.tv_sec += ns / 1000000000;
    t.tv_nsec += ns % 1000000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

void stress_work(struct stress_random *random, unsigned most)
{
    for (volatile unsigned n = stress_below(random, most + 1); n > 0; n--)
        continue;
}

void stress_fail(const char *file, int line, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    dprintf(STDERR_FILENO, "%s:%d: stress %s, cell %s, --seed %llu: %s\n", file, line, program_name,
            cell_name, (unsigned long long)seed, text);
    _exit(1);
}

void stress_mutex_init(pthread_mutex_t *m, const struct stress_mutex_kind *kind)
{
    pthread_mutexattr_t attr;

    OK(pthread_mutexattr_init(&attr));
    OK(pthread_mutexattr_settype(&attr, kind->type));
    OK(pthread_mutexattr_setprotocol(&attr, kind->protocol));
    OK(pthread_mutexattr_setrobust(&attr, kind->robust));
    OK(pthread_mutexattr_setpshared(&attr, kind->shared));
    OK(pthread_mutex_init(m, &attr));
    OK(pthread_mutexattr_destroy(&attr));
}

double stress_seconds(void)
{
    return cell_seconds;
}

struct stress_random stress_begin(const char *name, int cell)
{
    struct stress_random random = {seed ^ ((uint64_t)(cell + 1) << 48)};

    snprintf(cell_name, sizeof cell_name, "%s", name);
    watchdog_name(cell_name);
    watchdog_start((unsigned)cell_seconds + GRACE_SECONDS, seed);
    pester.random = random;
    stress_next(&random);
    return random;
}

void stress_start_clock(void)
{
    end_of_cell = stress_deadline(CLOCK_MONOTONIC, (int64_t)(cell_seconds * 1e9));
    atomic_store(&stopped, false);
}

bool stress_goes_on(void)
{
    struct timespec now;

    if (atomic_load_explicit(&stopped, memory_order_relaxed))
        return false;
    clock_gettime(CLOCK_MONOTONIC, &now);
    bool over = now.tv_sec > end_of_cell.tv_sec ||
                (now.tv_sec == end_of_cell.tv_sec && now.tv_nsec >= end_of_cell.tv_nsec);
    if (over)
        atomic_store_explicit(&stopped, true, memory_order_relaxed);
    return !over;
}

static void on_signal(int sig)
{
}

static void *pester_threads(void *unused)
{
    while (!atomic_load(&pester.stop)) {
        pthread_kill(pester.targets[stress_below(&pester.random, (unsigned)pester.count)],
                     STRESS_SIGNAL);
        usleep(20 + stress_below(&pester.random, 300));
    }
    return NULL;
}

void stress_pester_start(const pthread_t *threads, int count, bool restart)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = restart ? SA_RESTART : 0};

    sigaction(STRESS_SIGNAL, &action, NULL);
    pester.targets = threads;
    pester.count = count;
    atomic_store(&pester.stop, false);
    OK(pthread_create(&pester.thread, NULL, pester_threads, NULL));
}

void stress_pester_stop(void)
{
    atomic_store(&pester.stop, true);
    OK(pthread_join(pester.thread, NULL));
}

static struct {
    stress_body *body;
    struct stress_worker workers[STRESS_MAX_THREADS];
    atomic_int running;
    atomic_bool go_home;
} run;

/* A worker stays until nobody can send it a signal any more. */
static void *run_worker(void *worker)
{
    run.body(worker);
    atomic_fetch_sub(&run.running, 1);
    while (!atomic_load(&run.go_home))
        usleep(1000);
    return NULL;
}

unsigned long stress_run(int threads, stress_body *body, void *data, unsigned long *aux)
{
    static pthread_t ids[STRESS_MAX_THREADS];
    unsigned long done = 0;
    bool pestered = stress_below(&pester.random, 3) != 0;
    bool restart = stress_below(&pester.random, 2) != 0;

    run.body = body;
    atomic_store(&run.running, threads);
    atomic_store(&run.go_home, false);
    stress_start_clock();
    for (int i = 0; i < threads; i++) {
        run.workers[i] = (struct stress_worker){
            .index = i, .threads = threads, .random = {stress_next(&pester.random)}, .data = data};
        OK(pthread_create(&ids[i], NULL, run_worker, &run.workers[i]));
    }
    if (pestered)
        stress_pester_start(ids, threads, restart);
    while (atomic_load(&run.running) > 0)
        usleep(1000);
    if (pestered)
        stress_pester_stop();
    atomic_store(&run.go_home, true);
    for (int i = 0; i < threads; i++) {
        OK(pthread_join(ids[i], NULL));
        done += run.workers[i].done;
        if (aux)
            *aux += run.workers[i].aux;
    }
    return done;
}

/* FASTSYNC_EXPECTED in the environment says that this is the run with the library. */
static bool library_is_as_expected(void)
{
    Dl_info info;
    void *lock = dlsym(RTLD_NEXT, "pthread_mutex_lock");
    bool ours = lock && dladdr(lock, &info) && strstr(info.dli_fname, "libfastsync") != NULL;

    return ours == (getenv("FASTSYNC_EXPECTED") != NULL);
}

static void usage(const char *program)
{
    fprintf(stderr, "usage: %s [--seed N] [--seconds N]\n", program);
    exit(2);
}

int stress_main(int argc, char **argv, const char *name, const TTest *test, int cells)
{
    const char *soak = getenv("FASTSYNC_SOAK");
    double seconds = DEFAULT_SECONDS;
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    seed = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    if (soak && strcmp(soak, "0") != 0 && *soak)
        seconds *= SOAK_FACTOR;
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc)
            usage(argv[0]);
        if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 0);
        else if (strcmp(argv[i], "--seconds") == 0)
            seconds = strtod(argv[i + 1], NULL);
        else
            usage(argv[0]);
    }
    if (!library_is_as_expected()) {
        printf("stress %s: the library is %sthere\n", name,
               getenv("FASTSYNC_EXPECTED") ? "not " : "");
        return 1;
    }
    program_name = name;
    cell_seconds = seconds / cells;
    printf("stress %s: --seed %llu --seconds %g, %d cells\n", name, (unsigned long long)seed,
           seconds, cells);
    fflush(stdout);

    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, cell_seconds + 2 * GRACE_SECONDS);
    tcase_add_loop_test(tcase, test, 0, cells);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
