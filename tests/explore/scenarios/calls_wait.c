/* SPDX-License-Identifier: MIT */
/* The calls of calls.h on condition variables, as src/interpose/condition.c and cancel.c make
   them. */
#include "scenarios/calls.h"

/* ---- cancellation: src/interpose/cancel.h and .c ---------------------------------------- */

static fs_word requests; /* bit i: thread i; the C library's */
static uint8_t disabled; /* as above */
static fs_word epoch;
static char names[EXPLORE_THREADS];

void call_name_cancellation(void)
{
    explore_name(&epoch, sizeof epoch, "cancel epoch");
    explore_name(&requests, sizeof requests, "cancel requests");
}

const void *call_name_of(unsigned thread)
{
    return &names[thread];
}

void call_disable_cancellation(unsigned thread)
{
    disabled |= (uint8_t)(1u << thread);
}

/* Whether the caller is to end. The C library promises no order for its request. */
static bool must_end(void)
{
    uint32_t me = 1u << explore_self();

    return (fs_load_relaxed(&requests) & me & ~(uint32_t)disabled) != 0;
}

static bool has_happened_since(uint32_t then)
{
    fs_fence_seq_cst();
    return fs_load_seq_cst(&epoch) != then;
}

void call_cancel(unsigned thread)
{
    fs_or_relaxed(&requests, 1u << thread);
    fs_add_seq_cst(&epoch, 1);
    fs_fence_seq_cst();
    fs_condition_interrupt(call_name_of(thread));
}

/* ---- the condition variable: src/interpose/condition.c ----------------------------------- */

struct manner {
    enum fs_table_kind table;
    enum fs_move move;
    bool counts;
};

static struct manner manner_of(const struct fs_mutex *m, uint32_t kind)
{
    bool stays_locked;

    if (kind & FS_KIND_PI)
        return (struct manner){m->count > 1 ? FS_TABLE_PLAIN : FS_TABLE_PI, FS_MOVE_NEVER, true};
    if (!fs_kind_has_private_word(kind))
        return (struct manner){FS_TABLE_PLAIN, FS_MOVE_NEVER, !(kind & FS_KIND_ROBUST)};
    stays_locked =
        (kind & FS_KIND_TYPE_MASK) == FS_KIND_RECURSIVE && fs_mutex_is_mine(m) && m->count > 1;
    return (struct manner){FS_TABLE_PLAIN, stays_locked ? FS_MOVE_NEVER : FS_MOVE_BY_OWNER, true};
}

static int wait_without_memory(struct fs_mutex *m, const struct fs_deadline *deadline)
{
    int err = call_unlock(m);
    bool late;

    if (err != 0)
        return err;
    fs_system_yield();
    late = fs_system_is_past(deadline);
    err = call_lock(m);
    return err == 0 && late ? ETIMEDOUT : err;
}

static int take_back(struct fs_mutex *m, uint32_t kind, const struct fs_wait *wait)
{
    if (fs_kind_has_private_word(kind)) {
        if (fs_wait_take_back_moved(wait, &m->word)) {
            fs_mutex_note_holder(m);
            call_note_held(m);
            return 0;
        }
        if (fs_wait_is_carrier(wait)) {
            int err = fs_mutex_acquire(m, fs_mutex_kind(m), FS_WAIT_WOKEN, NULL);

            if (err == 0)
                call_note_held(m);
            return err;
        }
    }
    return call_lock(m);
}

static int sleep_and_take_back(struct fs_mutex *m, uint32_t kind, struct fs_wait *wait,
                               const struct fs_deadline *deadline)
{
    bool held = false;
    int adopted = 0;
    int outcome;
    int err;

    if (wait->table == FS_TABLE_PI)
        outcome = fs_condition_block_pi(wait, m, kind, deadline, &held, &adopted);
    else
        outcome = fs_condition_block(wait, deadline);
    err = held ? adopted : take_back(m, kind, wait);
    if (held && (err == 0 || err == EOWNERDEAD))
        call_note_held(m);
    fs_condition_finish(wait, err == 0);
    return err != 0 ? err : outcome;
}

/* The end of a wait that has slept, or was about to. */
static int conclude(struct fs_mutex *m, bool counts, int err)
{
    if (counts && err != ENOTRECOVERABLE)
        m->nusers--;
    if (err == ECANCELED)
        return must_end() ? CALL_CANCELLED : 0;
    return err;
}

static int wait_once(struct fs_condition *c, struct fs_mutex *m, uint32_t since,
                     const struct fs_deadline *deadline)
{
    uint32_t kind = fs_mutex_kind(m);
    struct manner manner = manner_of(m, kind);
    struct fs_wait wait;
    int err;

    if (!fs_condition_join(c, &m->word, manner.move, manner.table, call_name_of(explore_self()),
                           &wait))
        return wait_without_memory(m, deadline);
    if (has_happened_since(since) && !fs_condition_retract(&wait)) {
        fs_condition_finish(&wait, false);
        return ECANCELED;
    }
    manner.counts = manner.counts && fs_mutex_is_mine(m);
    if (manner.counts)
        m->nusers++;
    err = call_unlock(m);
    if (err != 0) {
        bool signalled = fs_condition_retract(&wait);

        fs_condition_finish(&wait, false);
        if (signalled)
            fs_condition_signal(c);
        return err;
    }
    err = sleep_and_take_back(m, kind, &wait, deadline);
    return conclude(m, manner.counts, err);
}

int call_wait_until(struct fs_condition *c, struct fs_mutex *m, const struct fs_deadline *deadline)
{
    int err;

    do {
        uint32_t now = fs_load_seq_cst(&epoch);

        if (must_end())
            return CALL_CANCELLED;
        err = wait_once(c, m, now, deadline);
    } while (err == ECANCELED);
    return err;
}

int call_wait(struct fs_condition *c, struct fs_mutex *m)
{
    return call_wait_until(c, m, NULL);
}

void call_signal(struct fs_condition *c)
{
    fs_condition_signal(c);
}

void call_broadcast(struct fs_condition *c)
{
    fs_condition_broadcast(c);
}

/* ---- waits that have begun before the scenario ------------------------------------------- */

static struct begun {
    struct fs_wait wait;
    struct fs_mutex *mutex;
} begun[EXPLORE_THREADS];

void call_join_for(unsigned thread, struct fs_condition *c, struct fs_mutex *m)
{
    uint32_t kind = fs_mutex_kind(m);
    struct manner manner = manner_of(m, kind);

    begun[thread].mutex = m;
    explore_require(fs_condition_join(c, &m->word, manner.move, manner.table, call_name_of(thread),
                                      &begun[thread].wait),
                    "no memory for a waiter");
    m->nusers++;
}

int call_wait_on(const struct fs_deadline *deadline)
{
    struct begun *me = &begun[explore_self()];
    uint32_t kind = fs_mutex_kind(me->mutex);
    struct fs_wait wait = me->wait; /* its own frame's, as in any wait */

    return conclude(me->mutex, true, sleep_and_take_back(me->mutex, kind, &wait, deadline));
}

void call_warm_up(struct fs_condition *c, struct fs_mutex *m)
{
    struct fs_wait wait;

    explore_require(fs_condition_join(c, &m->word, FS_MOVE_BY_OWNER, FS_TABLE_PLAIN, NULL, &wait) &&
                        !fs_condition_retract(&wait),
                    "no memory for a waiter");
    fs_condition_finish(&wait, false);
    fs_store_relaxed(&c->queued, 0);
}
