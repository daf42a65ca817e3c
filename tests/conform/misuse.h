/* SPDX-License-Identifier: MIT */
/*
 * Misuse, compared with libc. A program lists rows, each a call on an object that POSIX does not
 * allow; every row is run in a child process and comes to an end: it returns a value, dies by a
 * signal, sleeps for good, or spins. Those that do not return are run once more by libc alone, in
 * this program started anew without LD_PRELOAD. Whatever returns with libc has to return with the
 * library. Which value it returns may differ: POSIX leaves it open.
 */
#ifndef TESTS_CONFORM_MISUSE_H
#define TESTS_CONFORM_MISUSE_H

#include "conform.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>

enum end { NOT_RUN, RETURNS, DIES, SLEEPS, SPINS, NOT_WANTED };

struct verdict {
    enum end end;
    int value; /* what was returned, or the signal */
};

enum { ROWS_MAX = 60000, SURE_LOOKS = 8, NEW_CHILD = 93, LEFT_OUT = -1 };

/* For rows that are looked at again, since sleeping and spinning for good are guesses. */
enum { MORE_PATIENCE = 50, PATIENT_SPIN_MS = 5000, MORE_TRIES = 3, REPORTED = 20 };

/* The rows: `body` makes the call of one row, or returns LEFT_OUT if there is none to be made;
 * `dirty` says that the child should not be used for another row afterwards, `may_sleep` that the
 * object may look held to one side and free to the other, and that the call waits then; `describe`
 * names the row. */
struct rows {
    const char *name;
    int count;
    int spin_ms; /* so much processor time for one row is more than it could need */
    int (*body)(int row);
    bool (*dirty)(int row);
    bool (*may_sleep)(int row);
    void (*describe)(int row, char *text, size_t size);
};

static struct verdict *verdicts; /* by row; shared with the children; rows that have one are left */
static int *running_row;         /* the row that the child is at */
static int patience = 1;         /* so many times longer than usual a child is watched */

static const char *end_name(struct verdict v)
{
    static char text[2][48];
    static int turn;
    char *out = text[turn ^= 1];
    switch (v.end) {
    case RETURNS:
        snprintf(out, 48, "returns %s", v.value ? strerrorname(v.value) : "0");
        break;
    case DIES:
        snprintf(out, 48, "dies (%s)", strsignal(v.value));
        break;
    default:
        snprintf(out, 48, "%s", v.end == SLEEPS ? "sleeps" : v.end == SPINS ? "spins" : "?");
    }
    return out;
}

/* ---- watching a child ---- */

struct sight {
    bool all_asleep;
    unsigned long long on_cpu_ns;
    unsigned long runs;
};

static bool read_task(pid_t pid, const char *task, const char *name, char *text, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "/proc/%d/task/%.20s/%s", (int)pid, task, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t length = read(fd, text, size - 1);
    close(fd);
    text[length > 0 ? length : 0] = '\0';
    return length > 0;
}

static struct sight look_at(pid_t pid)
{
    struct sight s = {.all_asleep = true};
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (!tasks)
        return (struct sight){0};
    for (struct dirent *entry; (entry = readdir(tasks));) {
        unsigned long long on_cpu, waited;
        unsigned long runs;
        if (entry->d_name[0] == '.')
            continue;
        if (read_task(pid, entry->d_name, "schedstat", text, sizeof text) &&
            sscanf(text, "%llu %llu %lu", &on_cpu, &waited, &runs) == 3) {
            s.on_cpu_ns += on_cpu;
            s.runs += runs;
        }
        const char *end = NULL;
        if (read_task(pid, entry->d_name, "stat", text, sizeof text))
            end = strrchr(text, ')');
        if (!end || end[2] != 'S')
            s.all_asleep = false;
    }
    closedir(tasks);
    return s;
}

/* Follows the child row by row. Returns false when it is at an end or stuck; then *how tells, and
 * it is gone. A child that no thread of has run for many looks in a row sleeps for good. */
static void follow(pid_t pid, int spin_ms, struct verdict *how)
{
    if (patience > 1 && spin_ms < PATIENT_SPIN_MS)
        spin_ms = spin_ms * patience < PATIENT_SPIN_MS ? spin_ms * patience : PATIENT_SPIN_MS;
    struct sight before = {0};
    unsigned long long row_began = 0;
    int row = -1, looks = 0, status;
    *how = (struct verdict){NOT_RUN, 0};
    for (;;) {
        if (waitpid(pid, &status, WNOHANG) == pid) {
            if (WIFSIGNALED(status))
                *how = (struct verdict){DIES, WTERMSIG(status)};
            else
                REQUIRE(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == NEW_CHILD,
                        "a child ended with status %#x", status);
            return;
        }
        struct sight now = look_at(pid);
        int at = __atomic_load_n(running_row, __ATOMIC_ACQUIRE);
        if (at != row) {
            row = at;
            row_began = now.on_cpu_ns;
            looks = 0;
        }
        looks = now.all_asleep && now.runs == before.runs ? looks + 1 : 0;
        before = now;
        if (looks > SURE_LOOKS * patience)
            how->end = SLEEPS;
        else if (now.on_cpu_ns > row_began + (unsigned)spin_ms * 1000000ULL)
            how->end = SPINS;
        if (how->end != NOT_RUN) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            return;
        }
        usleep(looks ? 1000 : 200);
    }
}

/* ---- running rows ---- */

static _Noreturn void run_in_child(const struct rows *rows, int first)
{
    for (int row = first; row < rows->count; row++) {
        if (verdicts[row].end != NOT_RUN)
            continue;
        __atomic_store_n(running_row, row, __ATOMIC_RELEASE);
        int value = rows->body(row);
        verdicts[row] = (struct verdict){value == LEFT_OUT ? NOT_WANTED : RETURNS, value};
        if (rows->dirty(row)) {
            __atomic_store_n(running_row, row + 1, __ATOMIC_RELEASE);
            _exit(NEW_CHILD);
        }
    }
    __atomic_store_n(running_row, rows->count, __ATOMIC_RELEASE);
    _exit(0);
}

static void run_rows(const struct rows *rows)
{
    if (!running_row)
        running_row = shared_memory(sizeof *running_row);
    for (int row = 0; row < rows->count;) {
        struct verdict how;
        fflush(NULL);
        __atomic_store_n(running_row, row, __ATOMIC_RELEASE);
        pid_t pid = fork();
        REQUIRE(pid >= 0, "fork: %s", strerror(errno));
        if (pid == 0) {
            int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
            dup2(null, 2); /* what libc or the library says when it gives up */
            run_in_child(rows, row);
        }
        follow(pid, rows->spin_ms, &how);
        row = __atomic_load_n(running_row, __ATOMIC_ACQUIRE);
        if (how.end == NOT_RUN)
            continue;
        verdicts[row] = how;
        row++;
    }
}

/* ---- both sides ---- */

static struct verdict *map_verdicts(int fd)
{
    const size_t size = sizeof(struct verdict) * ROWS_MAX;
    REQUIRE(fd >= 0 && ftruncate(fd, (off_t)size) == 0, "memfd: %s", strerror(errno));
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    REQUIRE(p != MAP_FAILED, "mmap: %s", strerror(errno));
    return p;
}

/* libc's verdicts on the rows that are wanted. */
static struct verdict *run_rows_with_libc(const struct rows *rows, bool all)
{
    char number[16];
    int fd = memfd_create("verdicts", 0);
    struct verdict *libc = map_verdicts(fd);
    for (int row = 0; row < ROWS_MAX; row++)
        if (row >= rows->count || verdicts[row].end == NOT_WANTED ||
            (verdicts[row].end == RETURNS && !all))
            libc[row].end = NOT_WANTED;
    snprintf(number, sizeof number, "%d", fd);
    fflush(NULL);
    pid_t pid = fork();
    REQUIRE(pid >= 0, "fork: %s", strerror(errno));
    if (pid == 0) {
        unsetenv("LD_PRELOAD");
        execl("/proc/self/exe", "misuse", "--rows", rows->name, number, (char *)NULL);
        _exit(127);
    }
    child_join(pid);
    close(fd);
    return libc;
}

/* Kernels that count no runs give three zeros, others have no such file. */
static bool counts_runs(void)
{
    unsigned long runs = 0;
    FILE *file = fopen("/proc/self/schedstat", "re");
    if (!file)
        return false;
    int fields = fscanf(file, "%*u %*u %lu", &runs);
    fclose(file);
    return fields == 1 && runs > 0;
}

/* By "ld.so program" the program cannot be started anew without knowing that loader's ways. */
static bool was_started_by_a_loader(void)
{
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    const char *name = strrchr(path, '/');
    return !name || strcmp(name + 1, program_invocation_short_name) != 0;
}

/* The reason for which nothing can be compared here, or NULL. */
static const char *why_not_compare(void)
{
    if (was_started_by_a_loader())
        return "started by a loader, so that libc alone cannot be asked";
    if (!counts_runs())
        return "/proc/self/schedstat does not tell whether a thread has run";
    return NULL;
}

static bool is_worse(const struct rows *rows, const struct verdict *libc, int row)
{
    if (libc[row].end == NOT_WANTED)
        return false;
    if (verdicts[row].end == DIES || verdicts[row].end == SPINS)
        return libc[row].end == RETURNS || libc[row].end == SLEEPS;
    return libc[row].end == RETURNS && verdicts[row].end != RETURNS && !rows->may_sleep(row);
}

/* Sleeping and spinning are seen again, with patience, each time, and so is death where libc only
 * sleeps, since which of the two it is may depend on who comes first; or the row is not worse. */
static bool is_worse_each_time(const struct rows *rows, const struct verdict *libc, int row)
{
    bool worse = is_worse(rows, libc, row);
    for (int i = 0; i < MORE_TRIES && worse; i++) {
        if (verdicts[row].end == DIES && libc[row].end != SLEEPS)
            break;
        patience = MORE_PATIENCE;
        verdicts[row] = (struct verdict){NOT_RUN, 0};
        run_rows(rows); /* all the others have verdicts */
        worse = is_worse(rows, libc, row);
    }
    patience = 1;
    return worse;
}

static void print_row(const struct rows *rows, const struct verdict *libc, int row)
{
    char text[256];
    rows->describe(row, text, sizeof text);
    printf("%s: libc %s, here %s\n", text, end_name(libc[row]), end_name(verdicts[row]));
}

/* The test. MISUSE_TABLE=1 prints every row, MISUSE_TABLE=2 those whose verdicts differ. */
static void compare_with_libc(const struct rows *rows)
{
    const char *table = getenv("MISUSE_TABLE");
    const struct rlimit no_core = {0, 0};
    int worse = 0, returned = 0;
    setrlimit(RLIMIT_CORE, &no_core);
    verdicts = map_verdicts(memfd_create("verdicts", MFD_CLOEXEC));
    REQUIRE(rows->count <= ROWS_MAX, "too many rows");
    run_rows(rows);
    struct verdict *libc = run_rows_with_libc(rows, table != NULL);
    for (int row = 0; row < rows->count; row++) {
        returned += verdicts[row].end == RETURNS;
        if (libc[row].end == NOT_WANTED)
            continue;
        /* When there are many already the next one is believed at once. */
        bool is_one =
            worse < REPORTED ? is_worse_each_time(rows, libc, row) : is_worse(rows, libc, row);
        bool differs = libc[row].end != verdicts[row].end ||
                       (libc[row].end == RETURNS && libc[row].value != verdicts[row].value);
        if ((table && (*table == '1' || differs)) || (is_one && worse < REPORTED))
            print_row(rows, libc, row);
        worse += is_one;
    }
    fflush(stdout);
    ck_assert_msg(returned > 0, "nothing at all returned");
    ck_assert_msg(worse == 0, "%d rows return with libc alone and not here", worse);
}

/* For main: true when the program was started to run rows only. */
static bool is_row_run(int argc, char **argv, const struct rows *list, size_t count, int *status)
{
    if (argc != 4 || strcmp(argv[1], "--rows") != 0)
        return false;
    *status = EXIT_FAILURE;
    verdicts = map_verdicts(atoi(argv[3]));
    for (size_t i = 0; i < count; i++) {
        if (strcmp(argv[2], list[i].name) != 0)
            continue;
        run_rows(&list[i]);
        *status = EXIT_SUCCESS;
    }
    return true;
}

#endif
