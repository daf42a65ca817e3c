/* SPDX-License-Identifier: MIT */
/* The calls of calls.h on condition variables, as src/interpose/condition.c and cancel.c make
   them. */
#include "scenarios/calls.h"

/* ---- cancellation: src/interpose/cancel.h and .c ---------------------------------------- */

static fs_word requests; /* bit i: thread i; the C library's */
static uint8_t disabled; /* as above */
static char names[EXPLORE_THREADS];

void call_name_cancellation(void)
{
    explore_name(&fs_wait_epoch, sizeof fs_wait_epoch, "epoch");
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

void call_cancel(unsigned thread)
{
    fs_or_relaxed(&requests, 1u << thread);
    fs_wait_interrupt(call_name_of(thread));
}

/* ---- the condition variable: src/interpose/condition.c ----------------------------------- */

static struct fs_waiter waiter(unsigned thread)
{
    return (struct fs_waiter){
        .thread = call_name_of(thread), .acquire = call_lock, .release = call_unlock};
}

/* The end of a wait that has slept, or was about to. */
static int end(struct fs_mutex *m, int err)
{
    if (err == 0 || err == ETIMEDOUT || err == ECANCELED || err == EOWNERDEAD)
        call_note_held_again(m);
    if (err == ECANCELED)
        return must_end() ? CALL_CANCELLED : 0;
    return err;
}

int call_wait_until(struct fs_condition *c, struct fs_mutex *m, const struct fs_deadline *deadline)
{
    struct fs_waiter who = waiter(explore_self());
    int err;

    do {
        who.epoch = fs_wait_epoch_now();
        if (must_end())
            return CALL_CANCELLED;
        err = fs_wait_once(c, m, &who, deadline);
    } while (err == FS_WAIT_NOT_BEGUN);
    return end(m, err);
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
    begun[thread].mutex = m;
    explore_require(fs_wait_queue(c, m, call_name_of(thread), &begun[thread].wait),
                    "no memory for a waiter");
    begun[thread].wait.counts = true;
    m->nusers++;
}

int call_wait_on(const struct fs_deadline *deadline)
{
    struct begun *me = &begun[explore_self()];
    struct fs_waiter who = waiter(explore_self());
    struct fs_wait wait = me->wait; /* its own frame's, as in any wait */

    return end(me->mutex, fs_wait_conclude(me->mutex, &wait, &who, deadline));
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
