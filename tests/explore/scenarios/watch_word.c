/* SPDX-License-Identifier: MIT */
/* See watch_word.h. The moves of a word are watch_moves.c's, what a mutex has beside its word is
   watch_mutex.c's. */
#include "watch_word.h"

#include <errno.h>

#include "watch_state.h"

static struct watched watched[WATCH_WORDS];
static uint32_t sleeps_with[EXPLORE_THREADS]; /* the bits of each thread that is asleep */
static struct wake_call call;
static uint8_t mover; /* who ran since the last check, plus 1 */

static struct watched *watched_of(const fs_word *w)
{
    for (unsigned i = 0; i < WATCH_WORDS; i++)
        if (watched[i].word == w)
            return &watched[i];
    explore_fail("the scenario watches another word, or too many");
}

void watch_word_begin(fs_word *w, enum fs_scope scope)
{
    struct watched *watch = watched_of(NULL);

    *watch = (struct watched){.word = w, .scope = scope, .value = fs_load_relaxed(w)};
    explore_name(&watch->inside, sizeof watch->inside, "what the lock guards");
    explore_require(!fs_lock_is_held(watch->value), "the scenario begins with a locked word");
}

void watch_mutex_begin(struct fs_mutex *m)
{
    struct watched *watch;

    watch_word_begin(&m->word, fs_kind_scope(fs_mutex_kind(m)));
    watch = watched_of(&m->word);
    watch->mutex = m;
    watch->count = m->count;
    watch->nusers = m->nusers;
    watch->turned_over = fs_mutex_kind(m) & FS_KIND_TURNED_OVER;
}

void watch_word_allow_strangers(const fs_word *w)
{
    watched_of(w)->strangers = true;
}

void watch_word_end(const fs_word *w)
{
    *watched_of(w) = (struct watched){0};
}

void watch_word_counts(const fs_word *w, const fs_word *awake)
{
    struct watched *watch = watched_of(w);
    unsigned i = 0;

    while (watch->awake[i] && watch->awake[i] != awake)
        explore_require(++i < WATCH_COUNTS, "the scenario watches too many counters");
    watch->awake[i] = awake;
}

unsigned watch_word_holder(const fs_word *w)
{
    const struct watched *watch = watched_of(w);

    return watch->holder != 0 ? watch->holder - 1u : EXPLORE_NOBODY;
}

void watch_word_inside(const fs_word *w)
{
    struct watched *watch = watched_of(w);
    unsigned me = explore_self();

    explore_require(watch->holder == me + 1, "W1: thread %u believes that it holds a lock of %d",
                    me, watch->holder - 1);
    explore_require(watch->inside++ == 0, "exclusion: thread %u is not alone inside", me);
    explore_step("inside");
    explore_require(watch->inside-- == 1, "exclusion: thread %u was not left alone inside", me);
    explore_require(watch->holder == me + 1, "W1: the lock of thread %u was taken from it", me);
}

/* ---- what happens beside the word ---------------------------------------------------- */

static bool is_counter(const struct watched *watch, const void *word)
{
    for (unsigned i = 0; i < WATCH_COUNTS; i++)
        if (watch->awake[i] && watch->awake[i] == word)
            return true;
    return false;
}

static void counter_seen(struct watched *watch, unsigned thread, uint64_t awake)
{
    if (watch->holder == thread + 1 && watch->relying != RELIES_NOT)
        watch->relying = awake != 0 ? RELIES_NOT : RELIES_ALONE;
}

static void fell_asleep(struct watched *watch, unsigned thread)
{
    explore_require(watch->value == FS_LOCK_CONTENDED || watch->value == FS_LOCK_HUNGRY,
                    "W3: thread %u falls asleep on %u", thread, watch->value);
    watch_not_a_carrier(watch, thread);
}

/* One that gave up does not come; any other looks again as one that has slept. Whoever is woken by
   a payment of the mutex's comes too (M4). */
static void awoke(struct watched *watch, const struct explore_event *event)
{
    bool paid_for = call.pending != 0 && call.word == event->word &&
                    watch->releasing & WATCH_BIT(call.waker - 1u) &&
                    watch->owed[call.waker - 1] == event->word;

    if ((event->word == watch->word && event->old != ETIMEDOUT) || paid_for)
        watch->woken |= WATCH_BIT(event->thread);
    if (watch->meant & WATCH_BIT(event->thread))
        watch->meant = 0;
}

static void watch_write(struct watched *watch, const struct explore_event *event)
{
    uint32_t old = (uint32_t)event->old;
    uint32_t new = (uint32_t)event->new;

    if (event->word == watch->word)
        watch_note_write(watch, event->thread, old, new);
    else if (watch->mutex && event->word == &watch->mutex->kind)
        watch_mutex_note_kind(watch, event->thread, old, new);
    else if (is_counter(watch, event->word) && new == old + 1)
        watch->counted |= WATCH_BIT(event->thread);
}

static void watch_event(struct watched *watch, const struct explore_event *event)
{
    unsigned thread = event->thread;

    if (event->kind <= EVENT_SLEEP)
        watch_mutex_note_step(watch, thread);
    switch (event->kind) {
    case EVENT_WRITE:
        watch_write(watch, event);
        break;
    case EVENT_LOAD:
        watch_end_release(watch, thread); /* a release reads nothing after its store */
        if (is_counter(watch, event->word))
            counter_seen(watch, thread, event->new);
        break;
    case EVENT_FAILED:
        if (event->word == watch->word)
            watch_note_failure(watch, thread);
        break;
    case EVENT_SLEEP:
        watch_end_release(watch, thread);
        if (event->word == watch->word)
            fell_asleep(watch, thread);
        break;
    case EVENT_AWAKE:
        awoke(watch, event);
        break;
    case EVENT_WAKE:
        watch_mutex_note_wake(watch, thread, event->word, (uint32_t)event->old);
        break;
    case EVENT_MOVE:
        if (event->other == watch->word)
            fell_asleep(watch, thread);
        break;
    case EVENT_DEATH:
        watch_not_a_carrier(watch, thread);
        break;
    }
}

uint8_t watch_sleepers_with(const void *word, uint64_t bits)
{
    uint8_t found = 0;

    for (unsigned i = 0; i < EXPLORE_THREADS; i++)
        if (explore_asleep_on(i) == word && sleeps_with[i] & bits)
            found |= WATCH_BIT(i);
    return found;
}

/* Sees at the beginning of a wake call whom it is going to find. */
static void note_call(const struct explore_event *event)
{
    unsigned found = (unsigned)__builtin_popcount(watch_sleepers_with(event->word, event->old));

    call.waker = (uint8_t)(event->thread + 1);
    call.word = event->word;
    call.pending = (uint8_t)(found < event->new ? found : event->new);
    call.found = found != 0;
    call.matches_all = event->old == FS_MATCH_ANY;
}

void watch_word_observe(const struct explore_event *event)
{
    if (event->kind != EVENT_AWAKE && event->kind != EVENT_MOVE)
        mover = (uint8_t)(event->thread + 1);
    if (event->kind == EVENT_SLEEP)
        sleeps_with[event->thread] = (uint32_t)event->new;
    if (event->kind == EVENT_WAKE)
        note_call(event);
    for (unsigned i = 0; i < WATCH_WORDS; i++)
        if (watched[i].word)
            watch_event(&watched[i], event);
    if (event->kind == EVENT_AWAKE) {
        sleeps_with[event->thread] = 0;
        call.pending -= call.pending != 0 && call.word == event->word;
    }
}

/* ---- after every step ------------------------------------------------------------------ */

/* A releaser has done its part when it has woken somebody, who is a carrier now, or has found that
   nobody at all sleeps on the word. */
static void settle_call(struct watched *watch)
{
    unsigned waker = call.waker - 1u;
    bool found = false;

    if (call.waker == 0 || !(watch->releasing & WATCH_BIT(waker)))
        return;
    if (call.word == watch->owed[waker]) {
        watch->owed[waker] = NULL;
        found |= call.found;
    }
    if (call.word == watch->word)
        found |= call.found;
    if (watch->granter == call.waker && watch->meant != 0)
        found = false; /* one of those whom the grant is meant for has still to be woken */
    if (found || (call.word == watch->word && call.matches_all))
        watch_end_release(watch, waker);
}

static void forget_ended(struct watched *watch)
{
    uint8_t carriers = watch->releasing | watch->woken | watch->counted;

    for (unsigned i = 0; carriers >> i != 0; i++) {
        if (!(carriers & WATCH_BIT(i)) || !explore_is_done(i))
            continue;
        watch_end_release(watch, i);
        watch_not_a_carrier(watch, i);
    }
}

static void check_word(const struct watched *watch)
{
    uint32_t value = fs_load_relaxed(watch->word);
    uint32_t asleep = explore_sleepers(watch->word);

    explore_require(value == watch->value, "W5: the word became %u without an atomic operation",
                    value);
    explore_require(value <= FS_LOCK_CONTENDED || value == FS_LOCK_GRANTED ||
                        value == FS_LOCK_HUNGRY ||
                        (value == WATCH_OLDER_HUNGRY && watch->turned_over),
                    "W1: the word is %u", value);
    if (asleep == 0 || value == FS_LOCK_CONTENDED || value == FS_LOCK_HUNGRY)
        return;
    explore_require(watch->releasing | watch->woken | watch->counted || watch->relying,
                    "W2: thread %d sleeps, the word is %u, and nobody is on the way",
                    __builtin_ctz(asleep), value);
}

void watch_word_check(void)
{
    for (unsigned i = 0; i < WATCH_WORDS; i++) {
        struct watched *watch = &watched[i];

        if (!watch->word)
            continue;
        if (call.pending == 0)
            settle_call(watch);
        forget_ended(watch);
        check_word(watch);
        if (watch->mutex)
            watch_mutex_check(watch, mover);
    }
    mover = 0;
    if (call.pending == 0)
        call = (struct wake_call){0};
}

void watch_word_finish(bool grant_may_be_left)
{
    for (unsigned i = 0; i < WATCH_WORDS; i++) {
        const struct watched *watch = &watched[i];

        if (!watch->word)
            continue;
        explore_require(watch->value == FS_LOCK_FREE ||
                            (watch->value == FS_LOCK_GRANTED && grant_may_be_left),
                        "the word is %u in the end", watch->value);
        explore_require(explore_sleepers(watch->word) == 0, "somebody sleeps in the end");
        if (watch->mutex)
            watch_mutex_finish(watch);
    }
}
