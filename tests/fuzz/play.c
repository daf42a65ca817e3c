/* SPDX-License-Identifier: MIT */
/*
 * The player of play.h. After the script's own calls the player frees everything by further ones:
 * whoever holds something unlocks it, and whoever waits is sent a broadcast, so that a wake-up
 * lost anywhere in the script is seen at its end.
 */
#include "play.h"

#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "workers.h"

enum { REST_LIMIT_S = 30, FREEING_STEPS_MAX = 400 };

double play_patience = 5;

struct play {
    struct outcome *outcome;
    struct worlds worlds;
    bool in_call[THREADS];
    bool is_libc;
};

static struct play the_play;

static __attribute__((format(printf, 2, 3))) void note(struct play *p, const char *format, ...)
{
    struct outcome *o = p->outcome;
    va_list list;
    int n;

    va_start(list, format);
    n = vsnprintf(o->log + o->length, LOG_SIZE - o->length, format, list);
    va_end(list);
    if (n > 0)
        o->length += (size_t)n < LOG_SIZE - o->length ? (size_t)n : LOG_SIZE - o->length - 1;
}

static const char *result_name(int result)
{
    if (result == CANCELLED)
        return "cancelled";
    return result == 0 ? "0" : strerrorname_np(result) ? strerrorname_np(result) : "?";
}

/* ---- observing ---- */

static bool has_deadline(int t)
{
    return op_has_deadline(workers[t].order.call.op) && when_is_valid(workers[t].order.call.when);
}

static bool is_late(int t)
{
    return has_deadline(t) && time_is_past(workers[t].order.clock, &workers[t].order.deadline);
}

/* A short deadline is waited for; the call takes part in nothing else before it has passed. */
static bool awaits_short_deadline(const struct play *p)
{
    for (int t = 0; t < THREADS; t++)
        if (p->in_call[t] && !worker_is_done(t) && has_deadline(t) &&
            workers[t].order.call.when != WHEN_FAR && workers[t].order.call.when != WHEN_SOON &&
            !is_late(t))
            return true;
    return false;
}

static bool ends_thread(int t)
{
    return workers[t].order.call.op == OP_EXIT || workers[t].result == CANCELLED;
}

/* One look at all threads; true when they are at rest, and then *seen is filled. */
static bool look(struct play *p, const bool replaced[THREADS], struct seen seen[ACTORS])
{
    bool asleep[THREADS] = {false};

    if (awaits_short_deadline(p))
        return false;
    memset(seen, 0, sizeof(struct seen) * THREADS);
    for (int t = 0; t < THREADS; t++) {
        if (!p->in_call[t])
            continue;
        seen[t].is_late = is_late(t);
        seen[t].is_done = worker_is_done(t);
        asleep[t] = !seen[t].is_done;
        if (!seen[t].is_done)
            continue;
        if (ends_thread(t) && !replaced[t])
            return false;
        seen[t].is_late = !workers[t].was_early && is_late(t);
        seen[t].result = workers[t].result;
    }
    return workers_are_at_rest(asleep);
}

/* Threads that have ended are replaced at once: what the kernel does at a thread's death is done
   when it can be joined. */
static void replace_the_dead(struct play *p, bool replaced[THREADS])
{
    for (int t = 0; t < THREADS; t++) {
        if (!p->in_call[t] || replaced[t] || !worker_is_done(t) || !ends_thread(t))
            continue;
        worker_replace(t);
        replaced[t] = true;
    }
}

static void note_mismatch(struct play *p, const struct seen seen[ACTORS])
{
    char text[128];

    note(p, "no world of the model agrees with this:\n");
    for (int t = 0; t < THREADS; t++) {
        bool can_return = false;

        if (!p->in_call[t])
            continue;
        for (int i = 0; i < p->worlds.count; i++)
            can_return = can_return || model_can_return(&p->worlds.world[i], t, seen[t].is_late);
        script_describe_call(&workers[t].order.call, text, sizeof text);
        if (seen[t].is_done)
            note(p, "    %s -> %s%s\n", text, result_name(seen[t].result),
                 workers[t].was_early ? ", before its deadline" : "");
        else
            note(p, "    %s is asleep%s%s\n", text, seen[t].is_late ? ", deadline passed" : "",
                 can_return ? ", and could return" : "");
    }
}

static void note_results(struct play *p, const struct seen seen[ACTORS], int caller)
{
    for (int t = 0; t < THREADS; t++) {
        if (seen[t].is_done && t == caller)
            note(p, " -> %s", result_name(seen[t].result));
        else if (seen[t].is_done)
            note(p, "; t%d -> %s", t, result_name(seen[t].result));
    }
    if (caller != MAIN && p->in_call[caller] && !seen[caller].is_done)
        note(p, " ...");
    note(p, "\n");
}

/* Waits until the threads are at rest in a way that the model allows. */
static bool settle(struct play *p, int caller, int main_result)
{
    bool replaced[THREADS] = {false};
    double begin = seconds_now(), mismatch = 0;
    struct seen seen[ACTORS];

    for (unsigned round = 0;; round++) {
        double now = seconds_now();

        seen[MAIN] = (struct seen){.is_done = caller == MAIN, .result = main_result};
        replace_the_dead(p, replaced);
        if (!look(p, replaced, seen)) {
            mismatch = 0;
            if (now - begin > REST_LIMIT_S) {
                note(p, "\nthe threads do not come to rest\n");
                return false;
            }
        } else if (model_settle(&p->worlds, seen)) {
            break;
        } else if (mismatch == 0) {
            mismatch = now;
        } else if (now - mismatch > play_patience) {
            note(p, "\n");
            note_mismatch(p, seen);
            return false;
        }
        if (round < 200)
            sched_yield();
        else
            usleep(200);
    }
    note_results(p, seen, caller);
    for (int t = 0; t < THREADS; t++)
        if (seen[t].is_done)
            p->in_call[t] = false;
    return true;
}

/* ---- calling ---- */

static bool is_legal(const struct play *p, const struct call *c)
{
    for (int i = 0; i < p->worlds.count; i++)
        if (!model_is_legal(&p->worlds.world[i], c, p->is_libc))
            return false;
    return true;
}

/* What the child of a fork gets of the mutexes whose state it can know. */
static void expect_in_child(const struct world *w, struct order *order)
{
    for (int i = 0; i < MUTEXES; i++) {
        const struct mutex_state *m = &w->mutexes[i];
        bool is_free = m->owner < 0 && !m->died && !m->lost;

        order->expected[i] = -1;
        if (is_free)
            order->expected[i] = 0;
        else if (m->owner >= 0 && m->owner != order->call.thread && !mutex_is_robust(m->kind) &&
                 !mutex_is_pi(m->kind))
            order->expected[i] = EBUSY;
    }
}

/* Waits for all deadlines that are soon. */
static void pause_for_deadlines(const struct play *p)
{
    for (int t = 0; t < THREADS; t++)
        while (p->in_call[t] && !worker_is_done(t) && has_deadline(t) &&
               workers[t].order.call.when != WHEN_FAR && !is_late(t))
            usleep(500);
}

static bool step(struct play *p, const struct call *c)
{
    struct order order = {.call = *c};
    char text[128];
    int result = 0;

    note(p, "  %s", script_describe_call(c, text, sizeof text));
    if (op_is_wait(c->op))
        order.cond_kind = p->worlds.world[0].conds[c->object].kind;
    if (op_has_deadline(c->op))
        order_set_deadline(&order);
    if (c->op == OP_FORK)
        expect_in_child(&p->worlds.world[0], &order);
    if (c->op == OP_PAUSE)
        pause_for_deadlines(p);
    model_call(&p->worlds, c);
    p->outcome->calls++;
    if (c->thread == MAIN) {
        result = perform(&order);
    } else {
        worker_order(c->thread, &order);
        p->in_call[c->thread] = true;
    }
    return settle(p, c->thread, result);
}

/* ---- the end of a script ---- */

/* A call that lets go of something; false when nothing is held by anybody who could. */
static bool find_release(const struct world *w, struct call *c)
{
    for (int t = 0; t < THREADS; t++) {
        if (w->threads[t].phase != IDLE)
            continue;
        for (int i = 0; i < MUTEXES; i++) {
            if (w->mutexes[i].owner != t)
                continue;
            *c = (struct call){.thread = (uint8_t)t, .op = OP_UNLOCK, .object = (uint8_t)i};
            if (w->mutexes[i].inconsistent)
                c->op = OP_CONSISTENT;
            return true;
        }
        for (int i = 0; i < RWLOCKS; i++) {
            *c = (struct call){.thread = (uint8_t)t, .op = OP_RWUNLOCK, .object = (uint8_t)i};
            if (w->rwlocks[i].writer == t || w->rwlocks[i].readers[t])
                return true;
        }
    }
    return false;
}

static bool find_broadcast(const struct play *p, struct call *c)
{
    for (int i = 0; i < p->worlds.count; i++)
        for (int t = 0; t < THREADS; t++) {
            const struct thread_state *thread = &p->worlds.world[i].threads[t];

            if (thread->phase != WAITING)
                continue;
            *c = (struct call){.thread = MAIN, .op = OP_BROADCAST, .object = thread->call.object};
            return true;
        }
    return false;
}

static bool is_anybody_in_call(const struct play *p)
{
    for (int t = 0; t < THREADS; t++)
        if (p->in_call[t])
            return true;
    return false;
}

/* Destroys what may be destroyed, and replaces threads with a cancellation pending. */
static bool tidy(struct play *p)
{
    struct call c = {.op = OP_MUTEX_RENEW};

    for (int t = 0; t < THREADS; t++) {
        struct call leave = {.thread = (uint8_t)t, .op = OP_EXIT};

        if (p->worlds.world[0].threads[t].is_cancelled && !step(p, &leave))
            return false;
    }
    for (c.object = 0; c.object < MUTEXES; c.object++)
        if (is_legal(p, &c) && !step(p, &c))
            return false;
    for (c.op = OP_COND_RENEW, c.object = 0; c.object < CONDS; c.object++)
        if (!step(p, &c))
            return false;
    for (c.op = OP_RWLOCK_RENEW, c.object = 0; c.object < RWLOCKS; c.object++)
        if (!step(p, &c))
            return false;
    return true;
}

static bool free_everything(struct play *p)
{
    struct call c;

    note(p, "  (the end of the script)\n");
    for (int n = 0; n < FREEING_STEPS_MAX; n++) {
        if (!find_release(&p->worlds.world[0], &c) && !find_broadcast(p, &c)) {
            if (!is_anybody_in_call(p))
                return tidy(p);
            c = (struct call){.thread = MAIN, .op = OP_PAUSE};
        }
        if (!step(p, &c))
            return false;
    }
    note(p, "  still not free\n");
    return false;
}

bool play(const uint8_t *bytes, size_t size, struct outcome *outcome)
{
    static bool is_started;
    struct play *p = &the_play;
    struct script script;
    char text[512];

    if (!is_started)
        workers_start();
    is_started = true;
    script_from_bytes(&script, bytes, size);
    memset(p, 0, sizeof *p);
    p->outcome = outcome;
    p->is_libc = dlsym(RTLD_DEFAULT, "fastsync_version") == NULL;
    outcome->length = 0;
    outcome->failed = true; /* until it is over: a crash leaves it so */
    memset(outcome->used, 0, sizeof outcome->used);
    note(p, "  %s\n", script_describe_objects(&script, text, sizeof text));
    objects_init(&script);
    p->worlds.count = 1;
    model_begin(&p->worlds.world[0], &script);
    for (size_t i = 0; i < script.steps; i++) {
        if (!is_legal(p, &script.calls[i]))
            continue;
        outcome->used[i] = true;
        if (!step(p, &script.calls[i]))
            return false;
    }
    outcome->failed = !free_everything(p);
    return !outcome->failed;
}
