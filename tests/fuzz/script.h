/* SPDX-License-Identifier: MIT */
/*
 * A script: what the objects are and which thread makes which call, in order. It is made of bytes,
 * so that a fuzzer can write it: every string of bytes is a script, and a call that would be
 * misuse when its turn comes is left out. What calls mean is the model's business.
 */
#ifndef TESTS_FUZZ_SCRIPT_H
#define TESTS_FUZZ_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    THREADS = 4,
    MAIN = THREADS, /* the thread that plays the script; it makes only calls that never block */
    ACTORS,
    MUTEXES = 3,
    CONDS = 2,
    RWLOCKS = 2,
    STEPS_MAX = 120,
    HEAD_BYTES = MUTEXES + 1 + 1,
    STEP_BYTES = 2,
    SCRIPT_BYTES_MAX = HEAD_BYTES + STEPS_MAX * STEP_BYTES,
};

enum op {
    OP_LOCK,
    OP_TRYLOCK,
    OP_TIMEDLOCK,
    OP_CLOCKLOCK,
    OP_UNLOCK,
    OP_CONSISTENT,
    OP_MUTEX_RENEW, /* destroy, and init as another kind */
    OP_WAIT,
    OP_TIMEDWAIT,
    OP_CLOCKWAIT,
    OP_SIGNAL,
    OP_BROADCAST,
    OP_COND_RENEW,
    OP_RDLOCK,
    OP_TRYRDLOCK,
    OP_TIMEDRDLOCK,
    OP_CLOCKRDLOCK,
    OP_WRLOCK,
    OP_TRYWRLOCK,
    OP_TIMEDWRLOCK,
    OP_CLOCKWRLOCK,
    OP_RWUNLOCK,
    OP_RWLOCK_RENEW,
    OP_CANCEL, /* another thread */
    OP_EXIT,   /* the thread ends, and another takes its place */
    OP_FORK,   /* a child tries the mutexes that it finds */
    OP_PAUSE,  /* until the deadlines that are soon have passed */
    OPS
};

enum when {
    WHEN_FAR,      /* no test lives as long */
    WHEN_SOON,     /* other calls are made before it passes */
    WHEN_SHORT,    /* waited for before the next call */
    WHEN_PAST,     /* has passed already */
    WHEN_NEGATIVE, /* these two are not valid */
    WHEN_TOO_MANY_NS,
};

/* A mutex kind: type in bits 0 and 1, variety above. */
enum variety { PRIVATE, SHARED, ROBUST, INHERIT, INHERIT_ROBUST, INHERIT_SHARED, VARIETIES };
enum { MUTEX_KINDS = 4 * VARIETIES, COND_KINDS = 4, RWLOCK_KINDS = 6 };

struct call {
    uint8_t thread, op;
    uint8_t object;    /* mutex, condition variable, lock, or the thread to be cancelled */
    uint8_t other;     /* the mutex of a wait */
    uint8_t when;      /* enum when */
    uint8_t monotonic; /* the clock of a clock call */
    uint8_t kind;      /* of a renewed object */
};

struct script {
    uint8_t mutex_kinds[MUTEXES], cond_kinds[CONDS], rwlock_kinds[RWLOCKS];
    size_t steps;
    struct call calls[STEPS_MAX];
};

void script_from_bytes(struct script *s, const uint8_t *bytes, size_t size);

/* Random bytes for a seed; returns their number, at most SCRIPT_BYTES_MAX. */
size_t script_random_bytes(uint64_t seed, uint8_t bytes[SCRIPT_BYTES_MAX]);

/* "t1 timedwait c0 m2 soon", and the objects in one line. */
const char *script_describe_call(const struct call *c, char *text, size_t size);
const char *script_describe_objects(const struct script *s, char *text, size_t size);
const char *script_describe_mutex(uint8_t kind);

bool op_is_wait(uint8_t op);
bool op_is_on_mutex(uint8_t op); /* its object is a mutex */
bool op_is_on_rwlock(uint8_t op);
bool op_has_deadline(uint8_t op);
bool op_has_clock(uint8_t op);
bool when_is_valid(uint8_t when);

static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

#endif
