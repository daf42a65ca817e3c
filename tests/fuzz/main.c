/* SPDX-License-Identifier: MIT */
/*
 * The driver without a fuzzer: scripts from seeds, each batch in a child process, so that a hang
 * or a crash is a finding and not the end. A failing script is shrunk, each candidate in a child
 * of its own, and printed with the bytes that play it again. The free-running mode is free.c's.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "free.h"
#include "play.h"
#include "shrink.h"
#include "workers.h"

enum { DEFAULT_SECONDS = 6, SOAK_FACTOR = 30, BATCH_LIMIT_S = 120, REPEATS = 3 };

/* Lies in memory that the children share. */
struct board {
    struct outcome outcome;
    unsigned long scripts, calls;
    uint64_t seed;
};

static struct board *board;
static const char *death; /* of the last child that failed: by which signal, or empty */

struct options {
    double seconds;
    uint64_t first, count; /* seeds; count 0: as many as there is time for */
    const char *replay;
    bool runs_free, shrinks;
};

/* ---- playing in a child ---- */

/* Runs the body in a child; true when it ended by _exit(0). */
static bool in_child(int (*body)(const void *), const void *argument, double limit)
{
    double end = seconds_now() + limit;
    int status = 0;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid < 0) {
        perror("fork");
        exit(2);
    }
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(body(argument));
    }
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (seconds_now() > end)
            kill(pid, SIGKILL);
        usleep(300);
    }
    death = WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "";
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

struct bytes {
    uint8_t byte[SCRIPT_BYTES_MAX];
    size_t size;
};

static int play_bytes(const void *argument)
{
    const struct bytes *b = argument;

    return play(b->byte, b->size, &board->outcome) ? 0 : 1;
}

static int play_seeds(const void *argument)
{
    const struct options *o = argument;
    double end = seconds_now() + o->seconds;

    for (uint64_t n = 0; o->count ? n < o->count : seconds_now() < end; n++) {
        struct bytes b;

        board->seed = o->first + n;
        b.size = script_random_bytes(board->seed, b.byte);
        board->outcome.calls = 0;
        if (play_bytes(&b) != 0)
            return 1;
        board->scripts++;
        board->calls += board->outcome.calls;
    }
    return 0;
}

/* Whether the script fails in any of a few runs. */
static bool fails_with(const uint8_t *bytes, size_t size, bool used[STEPS_MAX], double patience)
{
    struct bytes b = {.size = size};

    memcpy(b.byte, bytes, size);
    play_patience = patience;
    for (int i = 0; i < REPEATS; i++) {
        if (in_child(play_bytes, &b, BATCH_LIMIT_S))
            continue;
        if (used)
            memcpy(used, board->outcome.used, sizeof board->outcome.used);
        return true;
    }
    return false;
}

/* Less patience: a false alarm costs nothing here, since the end result is tried again. */
static bool fails_quickly(const uint8_t *bytes, size_t size, bool used[STEPS_MAX])
{
    return fails_with(bytes, size, used, 0.2);
}

/* ---- reporting ---- */

static const char *side(void)
{
    return dlsym(RTLD_DEFAULT, "fastsync_version") ? "fastsync" : "libc";
}

static void print_failure(const struct bytes *b)
{
    struct outcome *o = &board->outcome;

    o->log[o->length < LOG_SIZE ? o->length : LOG_SIZE - 1] = '\0';
    printf("%s%s%s", o->log, *death ? "\nended by: " : "", death);
    printf("\n  replay: fuzz_locks --replay ");
    for (size_t i = 0; i < b->size; i++)
        printf("%02x", b->byte[i]);
    printf("\n");
}

static int report_and_shrink(const struct options *o, struct bytes *b)
{
    struct bytes original = *b;

    printf("FAILED with %s:\n", side());
    print_failure(b);
    if (!o->shrinks)
        return EXIT_FAILURE;
    b->size = shrink(b->byte, b->size, fails_quickly);
    if (!fails_with(b->byte, b->size, NULL, 5))
        *b = original;
    else
        printf("SHRUNK to %zu calls:\n", (b->size - HEAD_BYTES) / STEP_BYTES);
    if (memcmp(b, &original, sizeof original) == 0)
        printf("  it did not fail again: the failure depends on timing\n");
    else
        print_failure(b);
    return EXIT_FAILURE;
}

static int run_seeds(const struct options *o)
{
    struct bytes b = {.size = 0};

    if (in_child(play_seeds, o, o->seconds + BATCH_LIMIT_S)) {
        printf("%lu scripts, %lu calls, seeds from %llu, with %s: all as the model says\n",
               board->scripts, board->calls, (unsigned long long)o->first, side());
        return EXIT_SUCCESS;
    }
    printf("seed %llu, after %lu scripts\n", (unsigned long long)board->seed, board->scripts);
    b.size = script_random_bytes(board->seed, b.byte);
    return report_and_shrink(o, &b);
}

static int replay(const struct options *o)
{
    struct bytes b = {.size = strlen(o->replay) / 2};

    if (b.size > SCRIPT_BYTES_MAX)
        b.size = SCRIPT_BYTES_MAX;
    for (size_t i = 0; i < b.size; i++)
        if (sscanf(o->replay + 2 * i, "%2hhx", &b.byte[i]) != 1)
            return EXIT_FAILURE;
    if (!in_child(play_bytes, &b, BATCH_LIMIT_S))
        return report_and_shrink(o, &b);
    printf("%s  with %s: as the model says\n", board->outcome.log, side());
    return EXIT_SUCCESS;
}

static int run_free(const struct options *o)
{
    struct free_options options = {.seconds = o->seconds, .seed = o->first};

    if (in_child(free_run, &options, o->seconds + BATCH_LIMIT_S))
        return EXIT_SUCCESS;
    printf("FAILED with %s, free running, seeds from %llu%s%s\n", side(),
           (unsigned long long)o->first, *death ? ": " : "", death);
    return EXIT_FAILURE;
}

static void refuse(const char *what)
{
    fprintf(stderr,
            "fuzz_locks: %s\n"
            "usage: fuzz_locks [--seconds N] [--first SEED] [--count N] [--free] [--no-shrink]\n"
            "       fuzz_locks --replay HEX [--no-shrink]\n",
            what);
    exit(2);
}

static struct options parse(int argc, char **argv)
{
    const char *soak = getenv("FASTSYNC_SOAK");
    struct options o = {.seconds = DEFAULT_SECONDS, .first = 1, .shrinks = true};

    if (soak && strcmp(soak, "1") == 0) {
        o.seconds *= SOAK_FACTOR;
        o.first = (uint64_t)time(NULL) << 20; /* other scripts than the default run's */
    }
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;

        if (strcmp(argv[i], "--free") == 0) {
            o.runs_free = true;
            continue;
        }
        if (strcmp(argv[i], "--no-shrink") == 0) {
            o.shrinks = false;
            continue;
        }
        if (!value)
            refuse(argv[i]);
        else if (strcmp(argv[i], "--seconds") == 0)
            o.seconds = atof(value);
        else if (strcmp(argv[i], "--first") == 0)
            o.first = strtoull(value, NULL, 0);
        else if (strcmp(argv[i], "--count") == 0)
            o.count = strtoull(value, NULL, 0);
        else if (strcmp(argv[i], "--replay") == 0)
            o.replay = value;
        else
            refuse(argv[i]);
        i++;
    }
    return o;
}

int main(int argc, char **argv)
{
    struct options o = parse(argc, argv);

    if (access("/proc/self/schedstat", R_OK) != 0) {
        printf("SKIP fuzz_locks: no /proc/self/schedstat, which tells whether a thread has run\n");
        return 77;
    }
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED) {
        perror("mmap");
        return 2;
    }
    if (o.replay)
        return replay(&o);
    return o.runs_free ? run_free(&o) : run_seeds(&o);
}
