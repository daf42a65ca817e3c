/* SPDX-License-Identifier: MIT */
/* What the test programs for macOS share: cases with names, checks that tell where they failed, and
   a last line that scripts/sum_results.py counts. Nothing here needs a variadic function or more of
   libSystem than it uses, so that the loader can run it; on macOS it is a plain program.

   usage: PROGRAM ARM [CASE]     ARM: native or fastsync */
#ifndef FS_TEST_DARWIN_CHECK_H
#define FS_TEST_DARWIN_CHECK_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct check_case {
    const char *name;
    void (*run)(void);
    bool of_library; /* says nothing about libpthread */
};

/* clang-format off */
#define CHECK_CASE(function) {#function, function, false}
#define CHECK_CASE_OF_LIBRARY(function) {#function, function, true}
#define CHECK_END {0, 0, false}
/* clang-format on */

/* Runs the cases, or the one that is named. Returns main's status. */
int check_main(int argc, char **argv, const struct check_case *cases);

/* The case goes on after a check that fails. */
#define CHECK(condition) check_that((condition), #condition, __LINE__)
#define CHECK_INT(value, expected) check_int((value), (expected), #value, __LINE__)

void check_that(bool holds, const char *what, int line);
void check_int(int64_t value, int64_t expected, const char *what, int line);

/* The case is left out, as the reason says; call it first and return. */
void check_skip(const char *reason);

/* Whether a check of the running case has failed. */
bool check_has_failed(void);

/* Whether the library is in front of libpthread. */
bool check_has_library(void);

/* ---- what only the loader has ---------------------------------------------- */

/* Whether the loader runs the program; macOS does not know what follows. */
bool check_has_loader(void);

/* Whether qemu runs the loader. */
bool check_has_qemu(void);

/* How often libpthread's own function, or a wait call, was called. */
uint64_t check_calls(const char *name);

/* libpthread's own function, past the library. */
void *check_native(const char *name);

void check_step_wall_clock(int64_t ns);

/* ---- threads and time -------------------------------------------------------- */

void check_start(pthread_t *thread, void *(*start)(void *), void *argument);
void *check_join(pthread_t thread);
void check_pause(int64_t ms);

/* Waits until *word is at least `least`. */
void check_until(const int *word, int least);

/* Waits until so many threads of the process sleep; on macOS, which does not tell, for a while. */
void check_until_asleep(int count);

static inline int check_load(const int *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static inline void check_add(int *word, int more)
{
    __atomic_fetch_add(word, more, __ATOMIC_SEQ_CST);
}

/* The wall clock's moment so far from now. */
struct timespec check_after(int64_t ms);
int64_t check_now_ms(clockid_t clock);

/* ---- macOS's cleanup handlers -------------------------------------------------- */

#ifndef pthread_cleanup_push
struct check_cleanup {
    void (*run)(void *);
    void *argument;
    struct check_cleanup *next;
};

struct _opaque_pthread_t {
    long __sig;
    struct check_cleanup *__cleanup_stack;
};

#define pthread_cleanup_push(function, value)                                                      \
    {                                                                                              \
        struct _opaque_pthread_t *check_self = pthread_self();                                     \
        struct check_cleanup check_handler = {function, value, check_self->__cleanup_stack};       \
        check_self->__cleanup_stack = &check_handler;

#define pthread_cleanup_pop(run_it)                                                                \
    check_self->__cleanup_stack = check_handler.next;                                              \
    if (run_it)                                                                                    \
        check_handler.run(check_handler.argument);                                                 \
    }
#endif

#endif
