/* SPDX-License-Identifier: MIT */
/*
 * What each call may do, as moves from one world to another. Written from POSIX and, where POSIX
 * leaves a choice, from what the README says of glibc. Which calls may be made at all is
 * legal.c's business, and which worlds agree with what was observed is worlds.c's.
 */
#include "model.h"

#include <errno.h>
#include <string.h>

bool mutex_is_robust(uint8_t kind)
{
    return kind >> 2 == ROBUST || kind >> 2 == INHERIT_ROBUST;
}

bool mutex_is_pi(uint8_t kind)
{
    return kind >> 2 >= INHERIT;
}

static bool is_recursive(uint8_t kind)
{
    return (kind & 3) == 1;
}

static bool is_errorcheck(uint8_t kind)
{
    return (kind & 3) == 2;
}

bool mutex_checks_type(uint8_t kind)
{
    return is_recursive(kind) || is_errorcheck(kind);
}

bool mutex_checks_owner(uint8_t kind)
{
    return mutex_checks_type(kind) || mutex_is_robust(kind);
}

static void set_mutex(struct mutex_state *m, uint8_t kind)
{
    *m = (struct mutex_state){.kind = kind, .owner = -1};
}

static void set_rwlock(struct rwlock_state *l, uint8_t kind)
{
    *l = (struct rwlock_state){.kind = kind, .writer = -1};
}

void model_begin(struct world *w, const struct script *s)
{
    memset(w, 0, sizeof *w);
    for (int i = 0; i < MUTEXES; i++)
        set_mutex(&w->mutexes[i], s->mutex_kinds[i]);
    for (int i = 0; i < CONDS; i++)
        w->conds[i].kind = s->cond_kinds[i];
    for (int i = 0; i < RWLOCKS; i++)
        set_rwlock(&w->rwlocks[i], s->rwlock_kinds[i]);
}

/* The world after a move that ends the thread's call. */
static struct world *ended(struct moves *moves, const struct world *w, int t, int result)
{
    struct move *move = &moves->move[moves->count++];

    move->world = *w;
    move->result = result;
    memset(&move->world.threads[t].call, 0, sizeof move->world.threads[t].call);
    move->world.threads[t].phase = IDLE;
    move->world.threads[t].result = 0;
    return &move->world;
}

/* The world after one that does not. */
static struct world *goes_on(struct moves *moves, const struct world *w, int t, enum phase phase,
                             int result)
{
    struct move *move = &moves->move[moves->count++];

    move->world = *w;
    move->result = BLOCKED;
    move->world.threads[t].phase = (uint8_t)phase;
    move->world.threads[t].result = (int16_t)result;
    return &move->world;
}

/* ---- mutexes ---- */

/* Gives the mutex to the thread, if it can be had. */
static int grant(struct mutex_state *m, int t)
{
    if (m->lost)
        return ENOTRECOVERABLE;
    if (m->owner == t && is_recursive(m->kind)) {
        m->depth++;
        return 0;
    }
    if (m->owner == t && is_errorcheck(m->kind))
        return EDEADLK;
    if (m->owner >= 0)
        return BLOCKED;
    m->owner = (int8_t)t;
    m->depth = 1;
    if (!m->died)
        return 0;
    m->died = 0;
    m->inconsistent = 1;
    return EOWNERDEAD;
}

static void give_up(struct mutex_state *m)
{
    if (--m->depth > 0)
        return;
    m->owner = -1;
    m->lost = m->inconsistent;
    m->inconsistent = 0;
}

static void lock_moves(struct moves *moves, const struct world *w, int t, bool is_late)
{
    const struct call *c = &w->threads[t].call;
    const struct mutex_state *m = &w->mutexes[c->object];
    struct mutex_state after = *m;
    int result = grant(&after, t);

    if (result != BLOCKED)
        ended(moves, w, t, result)->mutexes[c->object] = after;
    else if (c->op == OP_TRYLOCK)
        ended(moves, w, t, EBUSY);
    else if (is_late)
        ended(moves, w, t, ETIMEDOUT);
    if (op_has_deadline(c->op) && !when_is_valid(c->when))
        ended(moves, w, t, EINVAL);
    /* The caller's own: POSIX has EBUSY of a try; EDEADLK may be noticed by a timed one. */
    if (m->owner == t && c->op == OP_TRYLOCK && is_errorcheck(m->kind)) {
        moves->count = 0;
        ended(moves, w, t, mutex_is_pi(m->kind) || mutex_is_robust(m->kind) ? EDEADLK : EBUSY);
    }
    if (m->owner == t && result == BLOCKED && op_has_deadline(c->op))
        ended(moves, w, t, EDEADLK);
}

static void unlock_moves(struct moves *moves, const struct world *w, int t)
{
    int i = w->threads[t].call.object;

    if (w->mutexes[i].owner == t)
        give_up(&ended(moves, w, t, 0)->mutexes[i]);
    else
        ended(moves, w, t, EPERM);
}

static void consistent_moves(struct moves *moves, const struct world *w, int t)
{
    int i = w->threads[t].call.object;

    if (w->mutexes[i].inconsistent)
        ended(moves, w, t, 0)->mutexes[i].inconsistent = 0;
    else
        ended(moves, w, t, EINVAL);
}

/* ---- condition variables ---- */

static void wait_moves(struct moves *moves, const struct world *w, int t)
{
    const struct thread_state *thread = &w->threads[t];
    const struct mutex_state *m = &w->mutexes[thread->call.other];

    if (thread->is_cancelled) { /* before the mutex is given up, or after */
        struct world *after = ended(moves, w, t, CANCELLED);

        after->threads[t].is_cancelled = 0;
        give_up(&after->mutexes[thread->call.other]);
        give_up(&goes_on(moves, w, t, RELOCKING, CANCELLED)->mutexes[thread->call.other]);
        return;
    }
    if (op_has_deadline(thread->call.op) && !when_is_valid(thread->call.when))
        ended(moves, w, t, EINVAL);
    if (m->owner != t)
        ended(moves, w, t, EPERM);
    else if (moves->count == 0)
        give_up(&goes_on(moves, w, t, WAITING, 0)->mutexes[thread->call.other]);
}

static void relock_moves(struct moves *moves, const struct world *w, int t)
{
    const struct thread_state *thread = &w->threads[t];
    int i = thread->call.other;
    struct mutex_state after = w->mutexes[i];
    int result = grant(&after, t);
    struct world *end;

    if (result == BLOCKED)
        return;
    if (thread->result != CANCELLED || result != 0) {
        end = ended(moves, w, t, result ? result : thread->result);
        end->mutexes[i] = after;
        /* A cancelled waiter may learn of the mutex's state first, and unwind at its next wait. */
        end->threads[t].is_cancelled |= thread->result == CANCELLED;
    }
    if (thread->result != CANCELLED)
        return;
    if (after.owner == t)
        give_up(&after); /* by its cleanup handler */
    end = ended(moves, w, t, CANCELLED);
    end->mutexes[i] = after;
    end->threads[t].is_cancelled = 0;
}

static void signal_moves(struct moves *moves, const struct world *w, int t)
{
    const struct call *c = &w->threads[t].call;
    struct world *after = NULL;

    if (c->op == OP_BROADCAST)
        after = ended(moves, w, t, 0);
    for (int i = 0; i < THREADS; i++) {
        if (w->threads[i].phase != WAITING || w->threads[i].call.object != c->object)
            continue;
        if (c->op == OP_SIGNAL)
            after = ended(moves, w, t, 0);
        after->threads[i].phase = RELOCKING;
    }
    if (!after)
        ended(moves, w, t, 0);
}

static void cancel_moves(struct moves *moves, const struct world *w, int t)
{
    struct world *after = ended(moves, w, t, 0);
    struct thread_state *target = &after->threads[w->threads[t].call.object];

    if (target->phase == WAITING) {
        target->phase = RELOCKING;
        target->result = CANCELLED;
    } else {
        target->is_cancelled = 1;
    }
}

/* ---- reader-writer locks ---- */

static bool has_readers(const struct rwlock_state *l)
{
    for (int i = 0; i < THREADS; i++)
        if (l->readers[i])
            return true;
    return false;
}

static bool is_writing(uint8_t op)
{
    return op >= OP_WRLOCK && op <= OP_CLOCKWRLOCK;
}

static bool has_waiting_writer(const struct world *w, int lock)
{
    for (int i = 0; i < THREADS; i++)
        if (w->threads[i].phase == TRYING && is_writing(w->threads[i].call.op) &&
            w->threads[i].call.object == lock)
            return true;
    return false;
}

/* A writer that waits keeps new readers out only from readers, and only for one kind. */
static bool admits_reader(const struct world *w, int lock)
{
    const struct rwlock_state *l = &w->rwlocks[lock];

    return l->writer < 0 && !(l->kind % 3 == 2 && has_readers(l) && has_waiting_writer(w, lock));
}

static void rwlock_moves(struct moves *moves, const struct world *w, int t, bool is_late)
{
    const struct call *c = &w->threads[t].call;
    const struct rwlock_state *l = &w->rwlocks[c->object];
    bool tries = c->op == OP_TRYRDLOCK || c->op == OP_TRYWRLOCK;

    if (is_writing(c->op) && l->writer < 0 && !has_readers(l))
        ended(moves, w, t, 0)->rwlocks[c->object].writer = (int8_t)t;
    else if (!is_writing(c->op) && admits_reader(w, c->object))
        ended(moves, w, t, 0)->rwlocks[c->object].readers[t]++;
    else if (tries)
        ended(moves, w, t, EBUSY);
    else if (l->writer == t)
        ended(moves, w, t, EDEADLK);
    else if (is_late)
        ended(moves, w, t, ETIMEDOUT);
    if (op_has_deadline(c->op) && !when_is_valid(c->when))
        ended(moves, w, t, EINVAL);
}

static void rwunlock_moves(struct moves *moves, const struct world *w, int t)
{
    struct rwlock_state *l = &ended(moves, w, t, 0)->rwlocks[w->threads[t].call.object];

    if (l->writer == t)
        l->writer = -1;
    else
        l->readers[t]--;
}

/* ---- all ---- */

static void exit_moves(struct moves *moves, const struct world *w, int t)
{
    struct world *after = ended(moves, w, t, 0);

    after->threads[t].is_cancelled = 0;
    for (int i = 0; i < MUTEXES; i++) {
        struct mutex_state *m = &after->mutexes[i];

        if (m->owner != t)
            continue;
        *m = (struct mutex_state){.kind = m->kind, .owner = -1, .died = 1};
    }
}

static void trying_moves(struct moves *moves, const struct world *w, int t, bool is_late)
{
    const struct call *c = &w->threads[t].call;

    switch (c->op) {
    case OP_UNLOCK:
        unlock_moves(moves, w, t);
        break;
    case OP_CONSISTENT:
        consistent_moves(moves, w, t);
        break;
    case OP_MUTEX_RENEW:
        set_mutex(&ended(moves, w, t, 0)->mutexes[c->object], c->kind);
        break;
    case OP_COND_RENEW:
        ended(moves, w, t, 0)->conds[c->object].kind = c->kind;
        break;
    case OP_RWLOCK_RENEW:
        set_rwlock(&ended(moves, w, t, 0)->rwlocks[c->object], c->kind);
        break;
    case OP_SIGNAL:
    case OP_BROADCAST:
        signal_moves(moves, w, t);
        break;
    case OP_RWUNLOCK:
        rwunlock_moves(moves, w, t);
        break;
    case OP_CANCEL:
        cancel_moves(moves, w, t);
        break;
    case OP_EXIT:
        exit_moves(moves, w, t);
        break;
    case OP_FORK:
    case OP_PAUSE:
        ended(moves, w, t, 0);
        break;
    default:
        if (op_is_wait(c->op))
            wait_moves(moves, w, t);
        else if (op_is_on_mutex(c->op))
            lock_moves(moves, w, t, is_late);
        else
            rwlock_moves(moves, w, t, is_late);
    }
}

void model_moves(const struct world *w, int t, bool is_late, struct moves *moves)
{
    moves->count = 0;
    if (w->threads[t].phase == TRYING)
        trying_moves(moves, w, t, is_late);
    else if (w->threads[t].phase == RELOCKING)
        relock_moves(moves, w, t);
    else if (w->threads[t].phase == WAITING && is_late)
        goes_on(moves, w, t, RELOCKING, ETIMEDOUT);
}
