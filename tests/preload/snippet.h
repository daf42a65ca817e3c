/* SPDX-License-Identifier: MIT */
/* One use of every family of interposed calls, to be compiled into each hard
   place: main, constructors, destructors, plug-ins, fork children, handlers.

   It decides what is called and what must come back; where it runs is the
   place's business. Hidden, so that each object has a copy of its own. */
#ifndef TESTS_PRELOAD_SNIPPET_H
#define TESTS_PRELOAD_SNIPPET_H

#include <limits.h> /* says which C library it is */
#ifdef __GLIBC__
#define DESTROY_IN_USE EBUSY /* to destroy a mutex in use */
#else
#include "musl.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What the place allows. */
enum {
    SNIPPET_TRY = 1,     /* mutexes by trylock only: all a signal handler may hope for */
    SNIPPET_CALLS = 2,   /* every call that one thread can make */
    SNIPPET_THREADS = 4, /* and what needs a second thread */
    SNIPPET_ALL = SNIPPET_TRY | SNIPPET_CALLS | SNIPPET_THREADS,
    SNIPPET_ONE_THREAD = SNIPPET_TRY | SNIPPET_CALLS,
};

/* Returns NULL, or a sentence that says which call returned what. */
__attribute__((visibility("hidden"))) const char *snippet_run(unsigned what);

/* The name of the file that `pthread_mutex_lock` of this object is resolved to. */
__attribute__((visibility("hidden"))) const char *snippet_resolved_to(void);

/* NULL when the calls of this object go where the run wants them: to libfastsync if
   FASTSYNC_EXPECTED is in the environment, to libc otherwise. */
__attribute__((visibility("hidden"))) const char *snippet_misdirected(void);

#ifdef __cplusplus
}
#endif

#endif
