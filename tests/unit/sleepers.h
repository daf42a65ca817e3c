/* SPDX-License-Identifier: MIT */
/* Threads that go to sleep in the kernel, for the tests of the futex layer: start
   one, wait until the kernel says it sleeps, signal it, and collect its answer.
   Also the few words every such test needs: a checked errno, deadlines, skips. */
#ifndef FS_TESTS_UNIT_SLEEPERS_H
#define FS_TESTS_UNIT_SLEEPERS_H

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "futex/futex.h"

#define UNTOUCHED 4711

/* The value of an int call, with the check that it left errno alone. */
#define QUIET(call)                                                                                \
    __extension__({                                                                                \
        errno = UNTOUCHED;                                                                         \
        int quiet_result = (call);                                                                 \
        ck_assert_int_eq(errno, UNTOUCHED);                                                        \
        quiet_result;                                                                              \
    })

#define SKIP(name, reason)                                                                         \
    do {                                                                                           \
        printf("SKIP %s: %s\n", name, reason);                                                     \
        fflush(stdout);                                                                            \
        return;                                                                                    \
    } while (0)

/* Whether the program is linked with the generic backend of the futex layer. */
#ifdef FS_TEST_GENERIC
#define IS_GENERIC 1
#else
#define IS_GENERIC 0
#endif

/* What that backend cannot do (futex/generic.c). */
#define SKIP_IF_GENERIC(name, reason)                                                              \
    if (IS_GENERIC)                                                                                \
    SKIP(name, reason)
#define NO_EINTR "a signal handler does not end a wait of the generic backend"
#define NO_EFAULT "the generic backend looks at the word itself"
#define NO_OTHER_PROCESS "wakes of the generic backend stay in their process"

struct sleeper {
    pthread_t thread;
    int (*body)(void *arg);
    void *arg;
    int result;
    fs_word tid;  /* 0 until the thread runs */
    fs_word done; /* 1 when the body has returned */
};

/* Runs body(arg) in a thread of its own, whose signal mask is the caller's. */
void sleeper_start(struct sleeper *s, int (*body)(void *arg), void *arg);

/* Returns when the thread sleeps in futex(2) or futex_waitv(2), but for a FUTEX_WAIT without a
   time-out: so sleeps who waits for a lock of the C library or of a sanitizer. */
void sleeper_await_sleep(struct sleeper *s);

/* Both of the above. */
void sleeper_put_to_sleep(struct sleeper *s, int (*body)(void *arg), void *arg);

/* Interrupts the thread with a signal whose handler does nothing. */
void sleeper_interrupt(struct sleeper *s);

/* How often that handler has run in this process. */
unsigned sleeper_interrupts(void);

bool sleeper_is_done(struct sleeper *s);

/* What the body returned. */
int sleeper_join(struct sleeper *s);
/* The same, and the kernel has taken leave of the thread, which may come after the join. */
int sleeper_join_and_see_gone(struct sleeper *s);

/* The moment ms milliseconds from now, which may be negative. */
struct fs_deadline moment(enum fs_clock clock, int64_t ms);

/* Whether the moment has come. */
bool has_come(const struct fs_deadline *deadline);

/* An address where nothing is mapped. */
fs_word *unmapped_word(void);

/* A page that forked children share. */
void *shared_page(void);

/* Runs the suite, each test in its own process. */
int run_suite(Suite *suite);

#endif
