/* SPDX-License-Identifier: MIT */
/*
 * From bytes to a script and from a script to text. Two bytes make a call: the thread and the
 * operation, then its object, deadline and clock. Frequent operations have more codes than rare
 * ones, and a byte of zero bits is the plainest choice everywhere, which helps the shrinker.
 */
#include "script.h"

#include <stdio.h>
#include <string.h>

static const char *const op_names[OPS] = {
    [OP_LOCK] = "mutex_lock",
    [OP_TRYLOCK] = "mutex_trylock",
    [OP_TIMEDLOCK] = "mutex_timedlock",
    [OP_CLOCKLOCK] = "mutex_clocklock",
    [OP_UNLOCK] = "mutex_unlock",
    [OP_CONSISTENT] = "mutex_consistent",
    [OP_MUTEX_RENEW] = "mutex_destroy+init",
    [OP_WAIT] = "cond_wait",
    [OP_TIMEDWAIT] = "cond_timedwait",
    [OP_CLOCKWAIT] = "cond_clockwait",
    [OP_SIGNAL] = "cond_signal",
    [OP_BROADCAST] = "cond_broadcast",
    [OP_COND_RENEW] = "cond_destroy+init",
    [OP_RDLOCK] = "rwlock_rdlock",
    [OP_TRYRDLOCK] = "rwlock_tryrdlock",
    [OP_TIMEDRDLOCK] = "rwlock_timedrdlock",
    [OP_CLOCKRDLOCK] = "rwlock_clockrdlock",
    [OP_WRLOCK] = "rwlock_wrlock",
    [OP_TRYWRLOCK] = "rwlock_trywrlock",
    [OP_TIMEDWRLOCK] = "rwlock_timedwrlock",
    [OP_CLOCKWRLOCK] = "rwlock_clockwrlock",
    [OP_RWUNLOCK] = "rwlock_unlock",
    [OP_RWLOCK_RENEW] = "rwlock_destroy+init",
    [OP_CANCEL] = "cancel",
    [OP_EXIT] = "thread exit",
    [OP_FORK] = "fork",
    [OP_PAUSE] = "pause",
};

/* The operation of each of the 64 codes. */
static const uint8_t op_codes[64] = {
    OP_LOCK,      OP_LOCK,      OP_LOCK,       OP_LOCK,       OP_LOCK,        OP_LOCK,
    OP_LOCK,      OP_TRYLOCK,   OP_TRYLOCK,    OP_TIMEDLOCK,  OP_TIMEDLOCK,   OP_CLOCKLOCK,
    OP_UNLOCK,    OP_UNLOCK,    OP_UNLOCK,     OP_UNLOCK,     OP_UNLOCK,      OP_UNLOCK,
    OP_UNLOCK,    OP_UNLOCK,    OP_CONSISTENT, OP_CONSISTENT, OP_MUTEX_RENEW, OP_WAIT,
    OP_WAIT,      OP_WAIT,      OP_WAIT,       OP_WAIT,       OP_WAIT,        OP_TIMEDWAIT,
    OP_TIMEDWAIT, OP_TIMEDWAIT, OP_CLOCKWAIT,  OP_CLOCKWAIT,  OP_SIGNAL,      OP_SIGNAL,
    OP_SIGNAL,    OP_SIGNAL,    OP_BROADCAST,  OP_BROADCAST,  OP_BROADCAST,   OP_COND_RENEW,
    OP_RDLOCK,    OP_RDLOCK,    OP_RDLOCK,     OP_TRYRDLOCK,  OP_TIMEDRDLOCK, OP_CLOCKRDLOCK,
    OP_WRLOCK,    OP_WRLOCK,    OP_WRLOCK,     OP_TRYWRLOCK,  OP_TIMEDWRLOCK, OP_CLOCKWRLOCK,
    OP_RWUNLOCK,  OP_RWUNLOCK,  OP_RWUNLOCK,   OP_RWUNLOCK,   OP_RWUNLOCK,    OP_RWLOCK_RENEW,
    OP_CANCEL,    OP_EXIT,      OP_PAUSE,      OP_FORK,
};

static const uint8_t when_codes[8] = {WHEN_FAR,   WHEN_SOON, WHEN_SHORT,    WHEN_PAST,
                                      WHEN_SHORT, WHEN_SOON, WHEN_NEGATIVE, WHEN_TOO_MANY_NS};

bool op_is_wait(uint8_t op)
{
    return op >= OP_WAIT && op <= OP_CLOCKWAIT;
}

bool op_is_on_mutex(uint8_t op)
{
    return op <= OP_MUTEX_RENEW;
}

bool op_is_on_rwlock(uint8_t op)
{
    return op >= OP_RDLOCK && op <= OP_RWLOCK_RENEW;
}

bool op_has_clock(uint8_t op)
{
    return op == OP_CLOCKLOCK || op == OP_CLOCKWAIT || op == OP_CLOCKRDLOCK || op == OP_CLOCKWRLOCK;
}

bool op_has_deadline(uint8_t op)
{
    return op_has_clock(op) || op == OP_TIMEDLOCK || op == OP_TIMEDWAIT || op == OP_TIMEDRDLOCK ||
           op == OP_TIMEDWRLOCK;
}

bool when_is_valid(uint8_t when)
{
    return when < WHEN_NEGATIVE;
}

static struct call call_from_bytes(const uint8_t *bytes)
{
    struct call c = {.thread = bytes[0] >> 6, .op = op_codes[bytes[0] & 63]};
    uint8_t object = bytes[1] & 3, other = bytes[1] >> 2 & 3;

    if (op_is_on_mutex(c.op))
        c.object = object % MUTEXES;
    else if (op_is_on_rwlock(c.op))
        c.object = object % RWLOCKS;
    else if (c.op == OP_CANCEL)
        c.object = object % THREADS;
    else if (c.op < OP_CANCEL)
        c.object = object % CONDS;
    if (op_is_wait(c.op))
        c.other = other % MUTEXES;
    if (op_has_deadline(c.op))
        c.when = when_codes[bytes[1] >> 4 & 7];
    if (op_has_clock(c.op))
        c.monotonic = bytes[1] >> 7;
    if (c.op == OP_MUTEX_RENEW)
        c.kind = (bytes[1] >> 2) % MUTEX_KINDS;
    if (c.op == OP_COND_RENEW)
        c.kind = (bytes[1] >> 2) % COND_KINDS;
    if (c.op == OP_RWLOCK_RENEW)
        c.kind = (bytes[1] >> 2) % RWLOCK_KINDS;
    return c;
}

void script_from_bytes(struct script *s, const uint8_t *bytes, size_t size)
{
    uint8_t head[HEAD_BYTES] = {0};

    memset(s, 0, sizeof *s);
    memcpy(head, bytes, size < HEAD_BYTES ? size : HEAD_BYTES);
    for (int i = 0; i < MUTEXES; i++)
        s->mutex_kinds[i] = head[i] % MUTEX_KINDS;
    for (int i = 0; i < CONDS; i++)
        s->cond_kinds[i] = (head[MUTEXES] >> (4 * i)) % COND_KINDS;
    for (int i = 0; i < RWLOCKS; i++)
        s->rwlock_kinds[i] = (head[MUTEXES + 1] >> (4 * i) & 15) % RWLOCK_KINDS;
    for (size_t at = HEAD_BYTES; at + STEP_BYTES <= size && s->steps < STEPS_MAX; at += STEP_BYTES)
        s->calls[s->steps++] = call_from_bytes(bytes + at);
}

size_t script_random_bytes(uint64_t seed, uint8_t bytes[SCRIPT_BYTES_MAX])
{
    uint64_t state = seed * 2 + 1;
    size_t steps = 20 + random_next(&state) % 80;
    size_t size = HEAD_BYTES + steps * STEP_BYTES;
    /* Few objects and few threads meet more often. */
    uint8_t objects = random_next(&state) % 2 ? 0xff : 0xf0;
    uint8_t threads = random_next(&state) % 3 ? 0xff : 0x7f;

    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)random_next(&state);
        if (i >= HEAD_BYTES)
            bytes[i] &= (i - HEAD_BYTES) % STEP_BYTES ? objects : threads;
    }
    return size;
}

const char *script_describe_mutex(uint8_t kind)
{
    static const char *const types[] = {"normal", "recursive", "errorcheck", "adaptive"};
    static const char *const varieties[VARIETIES] = {
        "", " shared", " robust", " PI", " PI robust", " PI shared",
    };
    static char text[MUTEX_KINDS][40];

    snprintf(text[kind], sizeof text[kind], "%s%s", types[kind & 3], varieties[kind >> 2]);
    return text[kind];
}

static const char *describe_cond(uint8_t kind)
{
    static const char *const names[COND_KINDS] = {"realtime", "monotonic", "realtime shared",
                                                  "monotonic shared"};
    return names[kind];
}

static const char *describe_rwlock(uint8_t kind)
{
    static const char *const names[RWLOCK_KINDS] = {
        "prefer readers",        "prefer writer",        "prefer writer nonrecursive",
        "prefer readers shared", "prefer writer shared", "prefer writer nonrecursive shared",
    };
    return names[kind];
}

const char *script_describe_objects(const struct script *s, char *text, size_t size)
{
    size_t n = 0;

    for (int i = 0; i < MUTEXES; i++)
        n += (size_t)snprintf(text + n, size - n, "m%d %s, ", i,
                              script_describe_mutex(s->mutex_kinds[i]));
    for (int i = 0; i < CONDS; i++)
        n += (size_t)snprintf(text + n, size - n, "c%d %s, ", i, describe_cond(s->cond_kinds[i]));
    for (int i = 0; i < RWLOCKS; i++)
        n += (size_t)snprintf(text + n, size - n, "r%d %s%s", i,
                              describe_rwlock(s->rwlock_kinds[i]), i + 1 < RWLOCKS ? ", " : "");
    return text;
}

const char *script_describe_call(const struct call *c, char *text, size_t size)
{
    static const char *const whens[] = {"far", "soon", "short", "past", "nsec<0", "nsec=1e9"};
    size_t n = 0;

    if (c->thread == MAIN)
        n += (size_t)snprintf(text, size, "main %s", op_names[c->op]);
    else
        n += (size_t)snprintf(text, size, "t%d %s", c->thread, op_names[c->op]);
    if (op_is_on_mutex(c->op))
        n += (size_t)snprintf(text + n, size - n, " m%d", c->object);
    else if (op_is_on_rwlock(c->op))
        n += (size_t)snprintf(text + n, size - n, " r%d", c->object);
    else if (c->op == OP_CANCEL)
        n += (size_t)snprintf(text + n, size - n, " t%d", c->object);
    else if (c->op < OP_CANCEL)
        n += (size_t)snprintf(text + n, size - n, " c%d", c->object);
    if (op_is_wait(c->op))
        n += (size_t)snprintf(text + n, size - n, " m%d", c->other);
    if (op_has_deadline(c->op))
        n += (size_t)snprintf(text + n, size - n, " %s", whens[c->when]);
    if (op_has_clock(c->op))
        n += (size_t)snprintf(text + n, size - n, " %s", c->monotonic ? "monotonic" : "realtime");
    if (c->op == OP_MUTEX_RENEW)
        snprintf(text + n, size - n, " %s", script_describe_mutex(c->kind));
    if (c->op == OP_COND_RENEW)
        snprintf(text + n, size - n, " %s", describe_cond(c->kind));
    if (c->op == OP_RWLOCK_RENEW)
        snprintf(text + n, size - n, " %s", describe_rwlock(c->kind));
    return text;
}
