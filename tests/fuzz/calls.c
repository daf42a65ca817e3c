/* SPDX-License-Identifier: MIT */
/*
 * One call of a script, made for real: attributes, deadlines, the cleanup handler of a cancelled
 * wait, and what a fork child tries. Memory is filled with rubbish before every initialisation.
 */
#include "workers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct objects objects;

enum {
    RUBBISH = 0xa5,
    SHORT_NS = 300000,
    SOON_NS = 15000000,
    FAR_S = 100000,
    CHILD_DIFFERS = 3000
};

static int init_mutex(pthread_mutex_t *m, uint8_t kind)
{
    static const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
                                PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP};
    int variety = kind >> 2, err;
    pthread_mutexattr_t attr;

    memset(m, RUBBISH, sizeof *m);
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, types[kind & 3]);
    if (variety == SHARED || variety == INHERIT_SHARED)
        pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    if (mutex_is_robust(kind))
        pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    if (mutex_is_pi(kind))
        pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
    err = pthread_mutex_init(m, kind == 0 ? NULL : &attr);
    pthread_mutexattr_destroy(&attr);
    return err;
}

static int init_cond(pthread_cond_t *c, uint8_t kind)
{
    pthread_condattr_t attr;
    int err;

    memset(c, RUBBISH, sizeof *c);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, kind & 1 ? CLOCK_MONOTONIC : CLOCK_REALTIME);
    pthread_condattr_setpshared(&attr, kind & 2 ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE);
    err = pthread_cond_init(c, kind == 0 ? NULL : &attr);
    pthread_condattr_destroy(&attr);
    return err;
}

static int init_rwlock(pthread_rwlock_t *l, uint8_t kind)
{
    static const int kinds[] = {PTHREAD_RWLOCK_PREFER_READER_NP, PTHREAD_RWLOCK_PREFER_WRITER_NP,
                                PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP};
    pthread_rwlockattr_t attr;
    int err;

    memset(l, RUBBISH, sizeof *l);
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, kinds[kind % 3]);
    pthread_rwlockattr_setpshared(&attr,
                                  kind >= 3 ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE);
    err = pthread_rwlock_init(l, kind == 0 ? NULL : &attr);
    pthread_rwlockattr_destroy(&attr);
    return err;
}

void objects_init(const struct script *s)
{
    for (int i = 0; i < MUTEXES; i++)
        init_mutex(&objects.mutexes[i], s->mutex_kinds[i]);
    for (int i = 0; i < CONDS; i++)
        init_cond(&objects.conds[i], s->cond_kinds[i]);
    for (int i = 0; i < RWLOCKS; i++)
        init_rwlock(&objects.rwlocks[i], s->rwlock_kinds[i]);
}

static int renew(const struct call *c)
{
    int err;

    if (c->op == OP_MUTEX_RENEW) {
        err = pthread_mutex_destroy(&objects.mutexes[c->object]);
        return err ? err : init_mutex(&objects.mutexes[c->object], c->kind);
    }
    if (c->op == OP_COND_RENEW) {
        err = pthread_cond_destroy(&objects.conds[c->object]);
        return err ? err : init_cond(&objects.conds[c->object], c->kind);
    }
    err = pthread_rwlock_destroy(&objects.rwlocks[c->object]);
    return err ? err : init_rwlock(&objects.rwlocks[c->object], c->kind);
}

/* ---- time ---- */

bool time_is_past(clockid_t clock, const struct timespec *deadline)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec > deadline->tv_sec ||
           (now.tv_sec == deadline->tv_sec && now.tv_nsec >= deadline->tv_nsec);
}

double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void order_set_deadline(struct order *order)
{
    const struct call *c = &order->call;
    struct timespec *at = &order->deadline;

    order->clock = CLOCK_REALTIME;
    if (op_has_clock(c->op) ? c->monotonic : op_is_wait(c->op) && order->cond_kind & 1)
        order->clock = CLOCK_MONOTONIC;
    clock_gettime(order->clock, at);
    if (c->when == WHEN_FAR)
        at->tv_sec += FAR_S;
    if (c->when == WHEN_PAST)
        at->tv_sec -= 1;
    if (c->when == WHEN_SOON || c->when == WHEN_SHORT)
        at->tv_nsec += c->when == WHEN_SOON ? SOON_NS : SHORT_NS;
    if (at->tv_nsec >= 1000000000) {
        at->tv_nsec -= 1000000000;
        at->tv_sec++;
    }
    if (c->when == WHEN_NEGATIVE)
        at->tv_nsec = -1;
    if (c->when == WHEN_TOO_MANY_NS)
        at->tv_nsec = 1000000000;
}

/* ---- calls ---- */

static int perform_on_mutex(const struct order *order)
{
    pthread_mutex_t *m = &objects.mutexes[order->call.object];

    switch (order->call.op) {
    case OP_LOCK:
        return pthread_mutex_lock(m);
    case OP_TRYLOCK:
        return pthread_mutex_trylock(m);
    case OP_TIMEDLOCK:
        return pthread_mutex_timedlock(m, &order->deadline);
    case OP_CLOCKLOCK:
        return pthread_mutex_clocklock(m, order->clock, &order->deadline);
    case OP_UNLOCK:
        return pthread_mutex_unlock(m);
    case OP_CONSISTENT:
        return pthread_mutex_consistent(m);
    default:
        return renew(&order->call);
    }
}

static int perform_on_rwlock(const struct order *order)
{
    pthread_rwlock_t *l = &objects.rwlocks[order->call.object];

    switch (order->call.op) {
    case OP_RDLOCK:
        return pthread_rwlock_rdlock(l);
    case OP_TRYRDLOCK:
        return pthread_rwlock_tryrdlock(l);
    case OP_TIMEDRDLOCK:
        return pthread_rwlock_timedrdlock(l, &order->deadline);
    case OP_CLOCKRDLOCK:
        return pthread_rwlock_clockrdlock(l, order->clock, &order->deadline);
    case OP_WRLOCK:
        return pthread_rwlock_wrlock(l);
    case OP_TRYWRLOCK:
        return pthread_rwlock_trywrlock(l);
    case OP_TIMEDWRLOCK:
        return pthread_rwlock_timedwrlock(l, &order->deadline);
    case OP_CLOCKWRLOCK:
        return pthread_rwlock_clockwrlock(l, order->clock, &order->deadline);
    case OP_RWUNLOCK:
        return pthread_rwlock_unlock(l);
    default:
        return renew(&order->call);
    }
}

static void unlock_cancelled(void *mutex)
{
    pthread_mutex_unlock(mutex);
}

static int perform_wait(const struct order *order)
{
    pthread_cond_t *c = &objects.conds[order->call.object];
    pthread_mutex_t *m = &objects.mutexes[order->call.other];
    int result;

    pthread_cleanup_push(unlock_cancelled, m);
    if (order->call.op == OP_WAIT)
        result = pthread_cond_wait(c, m);
    else if (order->call.op == OP_TIMEDWAIT)
        result = pthread_cond_timedwait(c, m, &order->deadline);
    else
        result = pthread_cond_clockwait(c, m, order->clock, &order->deadline);
    pthread_cleanup_pop(0);
    return result;
}

/* In the child: the number of the first mutex that is not as expected. */
static int differs_in_child(const struct order *order)
{
    for (int i = 0; i < MUTEXES; i++) {
        pthread_mutex_t *m = &objects.mutexes[i];

        if (order->expected[i] < 0)
            continue;
        if (pthread_mutex_trylock(m) != order->expected[i])
            return i + 1;
        if (order->expected[i] == 0 && pthread_mutex_unlock(m) != 0)
            return i + 1;
    }
    return 0;
}

static int perform_fork(const struct order *order)
{
    int status = -1;
    pid_t pid = fork();

    if (pid < 0)
        return 0; /* no process to be had: nothing is learnt */
    if (pid == 0)
        _exit(differs_in_child(order));
    /* waitpid(3) would act upon a cancellation that is to be acted upon by a wait. */
    while (syscall(SYS_wait4, pid, &status, 0, NULL) < 0 && errno == EINTR)
        ;
    return status == 0 ? 0 : CHILD_DIFFERS + status;
}

int perform(const struct order *order)
{
    const struct call *c = &order->call;

    if (op_is_on_mutex(c->op))
        return perform_on_mutex(order);
    if (op_is_on_rwlock(c->op))
        return perform_on_rwlock(order);
    if (op_is_wait(c->op))
        return perform_wait(order);
    switch (c->op) {
    case OP_SIGNAL:
        return pthread_cond_signal(&objects.conds[c->object]);
    case OP_BROADCAST:
        return pthread_cond_broadcast(&objects.conds[c->object]);
    case OP_COND_RENEW:
        return renew(c);
    case OP_CANCEL:
        return pthread_cancel(workers[c->object].id);
    case OP_FORK:
        return perform_fork(order);
    default:
        return 0;
    }
}
