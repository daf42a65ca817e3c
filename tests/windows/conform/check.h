/* SPDX-License-Identifier: MIT */
/* What the plain winpthreads programs share: cases with names, checks that tell where they failed,
   threads, moments, and a last line that scripts/sum_results.py counts. A program runs first with
   libwinpthread-1.dll alone, which checks the program, and then with the library, which checks us.

   usage: PROGRAM ARM [CASE]     ARM: winpthreads or fastsync; of Win32's locks, system or win32 */
#ifndef FS_TEST_WINDOWS_CHECK_H
#define FS_TEST_WINDOWS_CHECK_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* No error has this number. */
#define NO_ANSWER 4711

struct check_case {
    const char *name;
    void (*run)(void);
    const char *only_ours; /* null, or why winpthreads is not asked */
};

/* clang-format off */
#define CHECK_CASE(function) {#function, function, NULL}
#define CHECK_CASE_OURS(function, reason) {#function, function, reason}
#define CHECK_END {NULL, NULL, NULL}
/* clang-format on */

/* Runs the cases, or the one that is named. Returns main's status. */
int check_main(int argc, char **argv, const struct check_case *cases);

/* The case goes on after a check that fails. Usable in any thread. */
#define CHECK(condition) check_that((condition), #condition, __FILE__, __LINE__)
#define CHECK_INT(value, expected) check_int((value), (expected), #value, __FILE__, __LINE__)
#define OK(call) CHECK_INT(call, 0)

bool check_that(bool holds, const char *what, const char *file, int line);
bool check_int(int64_t value, int64_t expected, const char *what, const char *file, int line);

/* What the checks that follow are about; every failure shows it. */
void check_context(const char *what);

/* The case is left out, as the reason says; call it first and return. */
void check_skip(const char *reason);

/* Whether the library is in front of winpthreads. */
bool check_has_library(void);

/* Whether an object of winpthreads' calls is the library's, by its word. */
static inline bool check_is_ours(intptr_t handle)
{
    return (handle & 1) && (uintptr_t)handle < UINTPTR_MAX - 2;
}

/* Whether an address lies in the library's image. */
bool check_is_of_library(const void *address);

/* ---- threads ----------------------------------------------------------------- */

struct thread {
    pthread_t id;
    int (*body)(void *);
    void *argument;
    int result;
};

void thread_start(struct thread *thread, int (*body)(void *), void *argument);
int thread_join(struct thread *thread);

/* Runs the body in a new thread to its end. */
int in_thread(int (*body)(void *), void *argument);

/* Waits until *word is at least `least`. */
void check_until(const int *word, int least);

static inline int check_load(const int *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static inline void check_add(int *word, int more)
{
    __atomic_fetch_add(word, more, __ATOMIC_SEQ_CST);
}

/* ---- time --------------------------------------------------------------------- */

void check_pause(int ms);

/* The wall clock's moment so far from now. */
struct timespec check_after(int ms);

/* Whether that moment has come. */
bool check_is_past(struct timespec at);

/* A clock that does not step. */
int64_t check_now_ms(void);

#endif
