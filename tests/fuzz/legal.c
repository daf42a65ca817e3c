/* SPDX-License-Identifier: MIT */
/*
 * Which calls a script may make: none that POSIX leaves undefined, and none that could end in a
 * deadlock. Against deadlocks objects have a rank, and a thread waits without a near deadline only
 * for one that ranks above all it holds. Misuse has programs of its own (conform/misuse_*).
 */
#include "model.h"

enum { DEPTH_MAX = 60 };

static bool holds_rwlock(const struct world *w, int t, int lock)
{
    return w->rwlocks[lock].writer == t || w->rwlocks[lock].readers[t] > 0;
}

static int highest_held(const struct world *w, int t)
{
    int rank = -1;

    for (int i = 0; i < MUTEXES; i++)
        if (w->mutexes[i].owner == t)
            rank = i;
    for (int i = 0; i < RWLOCKS; i++)
        if (holds_rwlock(w, t, i))
            rank = MUTEXES + i;
    return rank;
}

bool thread_holds_nothing_but(const struct world *w, int t, int mutex)
{
    for (int i = 0; i < MUTEXES; i++)
        if (i != mutex && w->mutexes[i].owner == t)
            return false;
    for (int i = 0; i < RWLOCKS; i++)
        if (holds_rwlock(w, t, i))
            return false;
    return true;
}

static bool uses_mutex(const struct thread_state *thread, int mutex)
{
    const struct call *c = &thread->call;

    return thread->phase != IDLE && ((op_is_on_mutex(c->op) && c->object == mutex) ||
                                     (op_is_wait(c->op) && c->other == mutex));
}

/* Threads that sleep for the mutex itself. */
static int sleepers(const struct world *w, int mutex)
{
    int count = 0;

    for (int t = 0; t < THREADS; t++)
        count += uses_mutex(&w->threads[t], mutex) && w->threads[t].phase != WAITING;
    return count;
}

static bool returns_at_once(const struct world *w, const struct call *c)
{
    struct world tried = *w;

    tried.threads[c->thread].phase = TRYING;
    tried.threads[c->thread].call = *c;
    return model_can_return(&tried, c->thread, false);
}

static bool waits_long(const struct call *c)
{
    return !op_has_deadline(c->op) || c->when == WHEN_FAR || c->when == WHEN_SOON;
}

/* A call that takes an object of this rank. */
static bool cannot_deadlock(const struct world *w, const struct call *c, int rank)
{
    if (!waits_long(c))
        return true;
    return rank > highest_held(w, c->thread) || returns_at_once(w, c);
}

static bool is_legal_on_mutex(const struct world *w, const struct call *c, bool is_libc)
{
    const struct mutex_state *m = &w->mutexes[c->object];

    switch (c->op) {
    case OP_UNLOCK:
        if (is_libc && m->inconsistent && (sleepers(w, c->object) > 1 || m->depth > 1))
            return false;
        return m->owner == c->thread || mutex_checks_owner(m->kind);
    case OP_CONSISTENT: /* by another than the owner it would be undefined */
        return !m->died && (!m->inconsistent || m->owner == c->thread);
    case OP_MUTEX_RENEW:
        for (int t = 0; t < THREADS; t++)
            if (uses_mutex(&w->threads[t], c->object))
                return false;
        return m->owner < 0 && !m->died;
    case OP_TRYLOCK:
        if (is_libc && m->lost)
            return false;
        break;
    }
    /* glibc ends the process when a typed PI mutex would close a circle, deadline or not. */
    if (is_libc && mutex_is_pi(m->kind) && c->object <= highest_held(w, c->thread) &&
        c->op != OP_TRYLOCK && !returns_at_once(w, c))
        return false;
    if (m->owner == c->thread && !mutex_checks_type(m->kind) && c->op != OP_TRYLOCK &&
        waits_long(c))
        return false;
    return m->depth < DEPTH_MAX && cannot_deadlock(w, c, c->object);
}

static bool is_legal_wait(const struct world *w, const struct call *c, bool is_libc)
{
    const struct mutex_state *m = &w->mutexes[c->other];
    const struct thread_state *me = &w->threads[c->thread];

    for (int t = 0; t < THREADS; t++)
        if (w->threads[t].phase == WAITING && w->threads[t].call.object == c->object &&
            w->threads[t].call.other != c->other)
            return false;
    if (m->owner != c->thread)
        return mutex_checks_owner(m->kind) && !me->is_cancelled;
    if (m->depth != 1 || highest_held(w, c->thread) != c->other)
        return false;
    if (is_libc && m->inconsistent && sleepers(w, c->other) > 1)
        return false;
    return !me->is_cancelled || (thread_holds_nothing_but(w, c->thread, c->other) &&
                                 (!op_has_deadline(c->op) || when_is_valid(c->when)));
}

static bool is_legal_on_rwlock(const struct world *w, const struct call *c)
{
    const struct rwlock_state *l = &w->rwlocks[c->object];

    switch (c->op) {
    case OP_RWUNLOCK:
        return holds_rwlock(w, c->thread, c->object);
    case OP_RWLOCK_RENEW:
        for (int t = 0; t < THREADS; t++) {
            const struct thread_state *thread = &w->threads[t];

            if (holds_rwlock(w, t, c->object) ||
                (thread->phase != IDLE && op_is_on_rwlock(thread->call.op) &&
                 thread->call.object == c->object))
                return false;
        }
        return true;
    case OP_TRYRDLOCK:
    case OP_TRYWRLOCK:
        return l->readers[c->thread] < DEPTH_MAX;
    }
    return l->readers[c->thread] < DEPTH_MAX && cannot_deadlock(w, c, MUTEXES + c->object);
}

static bool is_legal_exit(const struct world *w, int t)
{
    for (int i = 0; i < MUTEXES; i++)
        if (w->mutexes[i].owner == t && !mutex_is_robust(w->mutexes[i].kind))
            return false;
    for (int i = 0; i < RWLOCKS; i++)
        if (holds_rwlock(w, t, i))
            return false;
    return true;
}

static bool is_legal_cancel(const struct world *w, const struct call *c)
{
    const struct thread_state *target = &w->threads[c->object];

    if (c->object == c->thread || target->is_cancelled || target->result == CANCELLED)
        return false;
    return target->phase != WAITING || thread_holds_nothing_but(w, c->object, -1);
}

static bool has_waiters(const struct world *w, int cond)
{
    for (int t = 0; t < THREADS; t++)
        if (w->threads[t].phase == WAITING && w->threads[t].call.object == cond)
            return true;
    return false;
}

bool model_is_legal(const struct world *w, const struct call *c, bool is_libc)
{
    if (w->threads[c->thread].phase != IDLE)
        return false;
    if (op_is_wait(c->op))
        return is_legal_wait(w, c, is_libc);
    if (op_is_on_mutex(c->op))
        return is_legal_on_mutex(w, c, is_libc);
    if (op_is_on_rwlock(c->op))
        return is_legal_on_rwlock(w, c);
    if (c->op == OP_COND_RENEW)
        return !has_waiters(w, c->object);
    if (c->op == OP_CANCEL)
        return is_legal_cancel(w, c);
    return c->op != OP_EXIT || is_legal_exit(w, c->thread);
}
