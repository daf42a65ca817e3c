/* SPDX-License-Identifier: MIT */
/* The condition variable with ordinary mutexes: whom a signal chooses and when it is woken, how
   a broadcast gets its waiters going and at the price of which system calls, and who may let go
   of the memory when. The wrapped futex calls count themselves (see meson.build); that of
   fs_system_thread_id looks on when the holder of a mutex is asked for. */
#include "sleepers.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "eventually.h"
#include "lock/condition.h"
#include "lock/settings.h"

/* ---- counting system calls --------------------------------------------------- */

static fs_word wakes, requeues;
static _Thread_local void (*when_asked_who_i_am)(void);

int __real_fs_futex_wake(fs_word *w, int count, enum fs_scope scope);
int __wrap_fs_futex_wake(fs_word *w, int count, enum fs_scope scope);
int __real_fs_futex_wake_bitset(fs_word *w, int count, uint32_t bits, enum fs_scope scope);
int __wrap_fs_futex_wake_bitset(fs_word *w, int count, uint32_t bits, enum fs_scope scope);
int __real_fs_futex_cmp_requeue(fs_word *from, fs_word *to, uint32_t expected, int wake, int move,
                                enum fs_scope scope, int *affected);
int __wrap_fs_futex_cmp_requeue(fs_word *from, fs_word *to, uint32_t expected, int wake, int move,
                                enum fs_scope scope, int *affected);
uint32_t __real_fs_system_thread_id(void);
uint32_t __wrap_fs_system_thread_id(void);

int __wrap_fs_futex_wake(fs_word *w, int count, enum fs_scope scope)
{
    fs_add_seq_cst(&wakes, 1);
    return __real_fs_futex_wake(w, count, scope);
}

int __wrap_fs_futex_wake_bitset(fs_word *w, int count, uint32_t bits, enum fs_scope scope)
{
    fs_add_seq_cst(&wakes, 1);
    return __real_fs_futex_wake_bitset(w, count, bits, scope);
}

int __wrap_fs_futex_cmp_requeue(fs_word *from, fs_word *to, uint32_t expected, int wake, int move,
                                enum fs_scope scope, int *affected)
{
    fs_add_seq_cst(&requeues, 1);
    return __real_fs_futex_cmp_requeue(from, to, expected, wake, move, scope, affected);
}

uint32_t __wrap_fs_system_thread_id(void)
{
    if (when_asked_who_i_am)
        when_asked_who_i_am();
    return __real_fs_system_thread_id();
}

static uint32_t wakes_so_far(void)
{
    return fs_load_seq_cst(&wakes);
}

/* ---- waiters ----------------------------------------------------------------- */

struct place {
    struct fs_condition cond;
    struct fs_mutex mutex;
    uint32_t inside; /* waiters with its mutex that have not left yet; guarded by it */
    bool unmap;      /* the last one does it */
};

struct waiter {
    struct place *place;
    struct fs_mutex *mutex; /* null: the place's */
    enum fs_move move;
    const struct fs_deadline *deadline;
    struct fs_wait wait;
    struct sleeper sleeper;
};

static void lock(struct fs_mutex *m)
{
    ck_assert_int_eq(fs_mutex_acquire(m, fs_mutex_kind(m), FS_WAIT_FOREVER, NULL), 0);
}

static void unlock(struct fs_mutex *m)
{
    ck_assert_int_eq(fs_mutex_release(m, fs_mutex_kind(m)), 0);
}

/* As the callers do it; returns what the wait returned. */
static int wait_on(struct fs_condition *cond, struct fs_mutex *m, struct waiter *w)
{
    int err;

    ck_assert(fs_condition_join(cond, &m->word, w->move, FS_TABLE_PLAIN, w, &w->wait));
    unlock(m);
    err = QUIET(fs_condition_block(&w->wait, w->deadline));
    if (fs_wait_take_back_moved(&w->wait, &m->word))
        fs_mutex_note_holder(m);
    else
        ck_assert_int_eq(
            fs_mutex_acquire(m, fs_mutex_kind(m),
                             fs_wait_is_carrier(&w->wait) ? FS_WAIT_WOKEN : FS_WAIT_FOREVER, NULL),
            0);
    fs_condition_finish(&w->wait, true);
    return err;
}

static int wait_once(void *arg)
{
    struct waiter *w = arg;
    struct place *place = w->place;
    struct fs_mutex *m = w->mutex ? w->mutex : &place->mutex;
    bool last;
    int err;

    lock(m);
    place->inside += m == &place->mutex;
    err = wait_on(&place->cond, m, w);
    last = m == &place->mutex && --place->inside == 0 && place->unmap;
    unlock(m);
    if (last)
        munmap(place, sizeof *place);
    return err;
}

static void put_to_sleep(struct waiter *w, struct place *place, enum fs_move move)
{
    *w = (struct waiter){.place = place, .move = move};
    sleeper_put_to_sleep(&w->sleeper, wait_once, w);
}

static void put_all_to_sleep(struct waiter *waiters, int count, struct place *place,
                             enum fs_move move)
{
    for (int i = 0; i < count; i++)
        put_to_sleep(&waiters[i], place, move);
}

static void expect_end(struct waiter *w, int result)
{
    ck_assert_int_eq(sleeper_join(&w->sleeper), result);
}

static void expect_all_end(struct waiter *waiters, int count)
{
    for (int i = 0; i < count; i++)
        expect_end(&waiters[i], 0);
}

static uint32_t state_of(struct waiter *w)
{
    return fs_load_acquire(&w->wait.slot->state);
}

static void expect_states(struct waiter *waiters, int count, int signalled)
{
    for (int i = 0; i < count; i++)
        ck_assert_uint_eq(state_of(&waiters[i]),
                          i < signalled ? FS_SLOT_SIGNALLED : FS_SLOT_SLEEPING);
}

/* What the kernel says the thread sleeps on; null while it runs. */
static void *sleeps_on(struct waiter *w)
{
    char path[64];
    long number = -1;
    unsigned long word = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/task/%u/syscall", fs_load_acquire(&w->sleeper.tid));
    file = fopen(path, "r");
    if (!file)
        return NULL;
    if (fscanf(file, "%ld %lx", &number, &word) != 2 || number != SYS_futex)
        word = 0;
    fclose(file);
    return (void *)word;
}

static void setup(void)
{
    fs_settings.spin = 0;
    fs_settings.processors = 2;
}

/* ---- the hint ------------------------------------------------------------------ */

START_TEST(a_signal_to_nobody_is_forgotten)
{
    struct place place = {.inside = 0};
    struct waiter w;

    fs_condition_signal(&place.cond);
    fs_condition_broadcast(&place.cond);
    put_to_sleep(&w, &place, FS_MOVE_BY_OWNER);
    ck_assert_uint_eq(state_of(&w), FS_SLOT_SLEEPING);
    fs_condition_signal(&place.cond);
    expect_end(&w, 0);
}
END_TEST

/* The loop index is the table. */
START_TEST(joining_sets_the_hint_and_a_signal_that_finds_nobody_clears_it)
{
    struct place place = {.mutex = {.kind = {_i == FS_TABLE_PI ? FS_KIND_PI : 0}}};
    struct fs_wait wait;

    for (int broadcast = 0; broadcast < 2; broadcast++) {
        ck_assert(fs_condition_join(&place.cond, &place.mutex.word, FS_MOVE_NEVER,
                                    (enum fs_table_kind)_i, NULL, &wait));
        ck_assert_uint_eq(fs_load_relaxed(&place.cond.queued), 1u << _i);
        ck_assert(!fs_condition_retract(&wait));
        fs_condition_finish(&wait, false);
        ck_assert_uint_eq(fs_load_relaxed(&place.cond.queued), 1u << _i);
        if (broadcast)
            fs_condition_broadcast(&place.cond);
        else
            fs_condition_signal(&place.cond);
        ck_assert_uint_eq(fs_load_relaxed(&place.cond.queued), 0);
    }
}
END_TEST

/* ---- signals -------------------------------------------------------------------- */

START_TEST(a_signal_is_for_who_waited_first_whoever_sleeps_first)
{
    struct place place = {.inside = 0};
    struct fs_wait wait;
    struct waiter late;

    ck_assert(fs_condition_join(&place.cond, &place.mutex.word, FS_MOVE_BY_OWNER, FS_TABLE_PLAIN,
                                NULL, &wait));
    put_to_sleep(&late, &place, FS_MOVE_BY_OWNER);
    fs_condition_signal(&place.cond);
    ck_assert_uint_eq(fs_load_acquire(&wait.slot->state), FS_SLOT_SIGNALLED);
    ck_assert_uint_eq(wakes_so_far(), 0); /* it does not sleep */
    ck_assert_int_eq(fs_condition_block(&wait, NULL), 0);
    fs_condition_finish(&wait, false);
    expect_states(&late, 1, 0);
    fs_condition_signal(&place.cond);
    expect_end(&late, 0);
}
END_TEST

START_TEST(signals_wake_one_waiter_each_in_the_order_of_arrival)
{
    struct place place = {.inside = 0};
    struct waiter waiters[5];

    put_all_to_sleep(waiters, 5, &place, FS_MOVE_BY_OWNER);
    for (int i = 0; i < 5; i++) {
        expect_states(waiters + i, 5 - i, 0);
        fs_condition_signal(&place.cond);
        expect_end(&waiters[i], 0);
    }
}
END_TEST

START_TEST(a_retreat_says_whether_a_signal_had_come)
{
    struct place place = {.inside = 0};
    struct fs_wait wait;

    for (int signalled = 0; signalled < 2; signalled++) {
        ck_assert(fs_condition_join(&place.cond, &place.mutex.word, FS_MOVE_BY_OWNER,
                                    FS_TABLE_PLAIN, NULL, &wait));
        if (signalled)
            fs_condition_signal(&place.cond);
        ck_assert_int_eq(fs_condition_retract(&wait), signalled);
        fs_condition_finish(&wait, false);
    }
}
END_TEST

START_TEST(late_wakes_and_changes_of_the_word_end_no_wait)
{
    struct place place = {.inside = 0};
    struct waiter w;
    struct fs_group *group;

    put_to_sleep(&w, &place, FS_MOVE_BY_OWNER);
    group = w.wait.slot->group;
    for (int i = 0; i < 5; i++) {
        fs_add_release(&group->word, i & 1);
        EVENTUALLY(__real_fs_futex_wake(&group->word, FS_WAKE_ALL, FS_SCOPE_PRIVATE) == 1);
    }
    sleeper_interrupt(&w.sleeper);
    EVENTUALLY(sleeps_on(&w) == &group->word);
    expect_states(&w, 1, 0);
    fs_condition_signal(&place.cond);
    expect_end(&w, 0);
}
END_TEST

/* The loop index is the clock. */
START_TEST(a_timeout_is_never_early_and_uses_up_no_signal)
{
    struct place place = {.inside = 0};
    struct fs_deadline soon = moment((enum fs_clock)_i, 30);
    struct waiter hasty = {.place = &place, .move = FS_MOVE_BY_OWNER, .deadline = &soon};
    struct waiter patient;

    sleeper_start(&hasty.sleeper, wait_once, &hasty);
    EVENTUALLY(fs_load_acquire(&place.cond.queued) || sleeper_is_done(&hasty.sleeper));
    put_to_sleep(&patient, &place, FS_MOVE_BY_OWNER);
    expect_end(&hasty, ETIMEDOUT);
    ck_assert(has_come(&soon));
    fs_condition_signal(&place.cond);
    expect_end(&patient, 0);
}
END_TEST

START_TEST(a_waiter_whose_time_has_passed_still_gets_its_signal)
{
    struct place place = {.inside = 0};
    struct fs_deadline past = moment(FS_CLOCK_MONOTONIC, -1000);
    struct fs_wait wait;

    ck_assert(fs_condition_join(&place.cond, &place.mutex.word, FS_MOVE_BY_OWNER, FS_TABLE_PLAIN,
                                NULL, &wait));
    fs_condition_signal(&place.cond);
    ck_assert_int_eq(fs_condition_block(&wait, &past), 0);
    fs_condition_finish(&wait, false);
}
END_TEST

START_TEST(condition_variables_that_share_a_bucket_are_signalled_apart)
{
    static struct place places[4096];
    struct waiter a, b;
    int other = 1;

    while (fs_bucket_of(&places[other].cond, FS_TABLE_PLAIN) !=
           fs_bucket_of(&places[0].cond, FS_TABLE_PLAIN))
        ck_assert_int_lt(++other, 4096);
    put_to_sleep(&a, &places[0], FS_MOVE_BY_OWNER);
    put_to_sleep(&b, &places[other], FS_MOVE_BY_OWNER);
    fs_condition_broadcast(&places[other].cond);
    expect_end(&b, 0);
    expect_states(&a, 1, 0);
    fs_condition_signal(&places[other].cond);
    expect_states(&a, 1, 0);
    fs_condition_signal(&places[0].cond);
    expect_end(&a, 0);
}
END_TEST

/* ---- signals by the holder of the mutex ------------------------------------------- */

START_TEST(a_signal_by_the_holder_is_paid_for_by_its_release)
{
    struct place place = {.inside = 0};
    struct waiter waiters[3];

    put_all_to_sleep(waiters, 3, &place, FS_MOVE_BY_OWNER);
    lock(&place.mutex);
    fs_condition_signal(&place.cond);
    fs_condition_signal(&place.cond);
    ck_assert_uint_eq(wakes_so_far(), 0);
    expect_states(waiters, 3, 2);
    for (int i = 0; i < 3; i++)
        ck_assert_ptr_eq(sleeps_on(&waiters[i]), &waiters[0].wait.slot->group->word);
    unlock(&place.mutex);
    expect_all_end(waiters, 2);
    expect_states(waiters + 2, 1, 0);
    fs_condition_signal(&place.cond);
    expect_end(&waiters[2], 0);
    ck_assert_uint_eq(fs_load_relaxed(&place.mutex.word), 0);
    ck_assert_ptr_null(place.mutex.debt.word);
}
END_TEST

START_TEST(a_debt_to_another_condition_variable_is_not_taken_on)
{
    struct place places[2] = {{.inside = 0}, {.inside = 0}};
    struct waiter a, b;

    put_to_sleep(&a, &places[0], FS_MOVE_BY_OWNER);
    b = (struct waiter){.place = &places[1], .mutex = &places[0].mutex, .move = FS_MOVE_BY_OWNER};
    sleeper_put_to_sleep(&b.sleeper, wait_once, &b);
    lock(&places[0].mutex);
    fs_condition_signal(&places[0].cond);
    ck_assert_uint_eq(wakes_so_far(), 0);
    fs_condition_signal(&places[1].cond);
    ck_assert_uint_eq(wakes_so_far(), 1);
    unlock(&places[0].mutex);
    expect_end(&a, 0);
    expect_end(&b, 0);
}
END_TEST

START_TEST(a_debt_is_paid_before_the_mutex_is_turned_over)
{
    struct place place = {.inside = 0};
    struct waiter w;

    put_to_sleep(&w, &place, FS_MOVE_BY_OWNER);
    lock(&place.mutex);
    fs_condition_signal(&place.cond);
    fs_mutex_turn_over(&place.mutex);
    EVENTUALLY(sleeps_on(&w) == &place.mutex.word);
    unlock(&place.mutex);
    expect_end(&w, 0);
}
END_TEST

START_TEST(a_debtor_woken_by_a_handler_goes_through_the_mutex)
{
    struct place place = {.inside = 0};
    struct waiter w;

    put_to_sleep(&w, &place, FS_MOVE_BY_OWNER);
    lock(&place.mutex);
    fs_condition_signal(&place.cond);
    __real_fs_futex_wake(&w.wait.slot->group->word, FS_WAKE_ALL, FS_SCOPE_PRIVATE);
    EVENTUALLY(sleeps_on(&w) == &place.mutex.word);
    unlock(&place.mutex);
    expect_end(&w, 0);
    ck_assert_uint_eq(fs_load_relaxed(&place.mutex.word), 0);
}
END_TEST

/* ---- interruption ------------------------------------------------------------------ */

START_TEST(an_interruption_is_for_the_thread_named_and_uses_up_no_signal)
{
    struct place place = {.inside = 0};
    struct waiter waiters[3];

    put_all_to_sleep(waiters, 3, &place, FS_MOVE_BY_OWNER);
    fs_condition_interrupt(&waiters[1]);
    expect_end(&waiters[1], ECANCELED);
    expect_states(&waiters[0], 1, 0);
    expect_states(&waiters[2], 1, 0);
    fs_condition_interrupt(&waiters[1]); /* it waits no longer */
    fs_condition_signal(&place.cond);
    expect_end(&waiters[0], 0);
    fs_condition_signal(&place.cond);
    expect_end(&waiters[2], 0);
}
END_TEST

START_TEST(an_interruption_after_a_signal_changes_nothing)
{
    struct place place = {.inside = 0};
    struct fs_wait wait;

    ck_assert(fs_condition_join(&place.cond, &place.mutex.word, FS_MOVE_BY_OWNER, FS_TABLE_PLAIN,
                                &place, &wait));
    fs_condition_signal(&place.cond);
    fs_condition_interrupt(&place);
    ck_assert_int_eq(fs_condition_block(&wait, NULL), 0);
    fs_condition_finish(&wait, false);
    ck_assert(fs_condition_join(&place.cond, &place.mutex.word, FS_MOVE_BY_OWNER, FS_TABLE_PLAIN,
                                &place, &wait));
    fs_condition_interrupt(&place);
    fs_condition_signal(&place.cond);
    ck_assert_int_eq(fs_condition_block(&wait, NULL), ECANCELED);
    fs_condition_finish(&wait, false);
}
END_TEST

/* ---- broadcasts --------------------------------------------------------------------- */

START_TEST(a_broadcast_by_the_holder_moves_all_with_one_requeue)
{
    struct place place = {.inside = 0};
    struct waiter waiters[10];

    put_all_to_sleep(waiters, 10, &place, FS_MOVE_BY_OWNER);
    lock(&place.mutex);
    fs_condition_broadcast(&place.cond);
    ck_assert_uint_eq(fs_load_seq_cst(&requeues), 1);
    ck_assert_uint_eq(wakes_so_far(), 0);
    expect_states(waiters, 10, 10);
    ck_assert_uint_eq(fs_load_relaxed(&place.mutex.word), FS_LOCK_CONTENDED);
    for (int i = 0; i < 10; i++)
        ck_assert(!sleeper_is_done(&waiters[i].sleeper));
    /* All sleep on the mutex, where the kernel counts them. */
    ck_assert_int_eq(
        __real_fs_futex_wake(&waiters[0].wait.slot->group->word, FS_WAKE_ALL, FS_SCOPE_PRIVATE), 0);
    unlock(&place.mutex);
    expect_all_end(waiters, 10);
    ck_assert_uint_eq(fs_load_seq_cst(&requeues), 1);
    ck_assert_uint_eq(fs_load_relaxed(&place.mutex.word), 0);
}
END_TEST

START_TEST(a_broadcast_by_the_holder_costs_one_requeue_per_group)
{
    struct place place = {.inside = 0};
    struct waiter waiters[40];

    put_all_to_sleep(waiters, 40, &place, FS_MOVE_BY_OWNER);
    lock(&place.mutex);
    fs_condition_broadcast(&place.cond);
    ck_assert_uint_eq(fs_load_seq_cst(&requeues), 2);
    ck_assert_uint_eq(wakes_so_far(), 0);
    unlock(&place.mutex);
    expect_all_end(waiters, 40);
    ck_assert_uint_eq(fs_load_seq_cst(&requeues), 2);
}
END_TEST

/* The loop index is whether the word tells its holder. */
START_TEST(a_broadcast_by_another_is_led_by_the_first_that_holds_the_mutex)
{
    struct place place = {.inside = 0};
    struct waiter waiters[12];

    put_all_to_sleep(waiters, 12, &place, _i ? FS_MOVE_BY_OWNER : FS_MOVE_BY_MEMBER);
    fs_condition_broadcast(&place.cond);
    expect_all_end(waiters, 12);
    ck_assert_uint_eq(fs_load_seq_cst(&requeues), 1);
    ck_assert_uint_eq(fs_load_relaxed(&place.mutex.word), 0);
}
END_TEST

START_TEST(a_leader_needs_the_mutex_first)
{
    struct place place = {.inside = 0};
    struct waiter waiters[12];

    put_all_to_sleep(waiters, 12, &place, FS_MOVE_BY_MEMBER);
    lock(&place.mutex);
    fs_condition_broadcast(&place.cond); /* that the caller holds it cannot be known */
    sleep_ms(20);
    ck_assert_uint_eq(fs_load_seq_cst(&requeues), 0);
    unlock(&place.mutex);
    expect_all_end(waiters, 12);
    ck_assert_uint_eq(fs_load_seq_cst(&requeues), 1);
}
END_TEST

START_TEST(a_few_waiters_are_woken_at_once)
{
    struct place place = {.inside = 0};
    struct waiter waiters[2];

    put_all_to_sleep(waiters, 2, &place, FS_MOVE_BY_MEMBER);
    fs_condition_broadcast(&place.cond);
    expect_all_end(waiters, 2);
    ck_assert_uint_eq(fs_load_seq_cst(&requeues), 0);
}
END_TEST

/* The loop index: by the switch, or since the mutex is not to be moved to. */
START_TEST(without_moves_a_broadcast_wakes_all)
{
    struct place place = {.inside = 0};
    struct waiter waiters[12];

    fs_settings.requeue = _i;
    put_all_to_sleep(waiters, 12, &place, _i ? FS_MOVE_NEVER : FS_MOVE_BY_OWNER);
    lock(&place.mutex);
    fs_condition_broadcast(&place.cond);
    ck_assert_uint_eq(wakes_so_far(), 1);
    unlock(&place.mutex);
    expect_all_end(waiters, 12);
    ck_assert_uint_eq(fs_load_seq_cst(&requeues), 0);
}
END_TEST

START_TEST(waiters_of_two_mutexes_are_moved_each_to_its_own)
{
    struct place place = {.inside = 0};
    struct fs_mutex second = {.count = 0};
    struct waiter waiters[12];

    for (int i = 0; i < 12; i++) {
        waiters[i] = (struct waiter){
            .place = &place, .mutex = i % 2 ? &second : &place.mutex, .move = FS_MOVE_BY_OWNER};
        sleeper_put_to_sleep(&waiters[i].sleeper, wait_once, &waiters[i]);
    }
    lock(&second);
    fs_condition_broadcast(&place.cond);
    for (int i = 0; i < 12; i += 2)
        expect_end(&waiters[i], 0);
    for (int i = 1; i < 12; i += 2)
        ck_assert(!sleeper_is_done(&waiters[i].sleeper));
    unlock(&second);
    for (int i = 1; i < 12; i += 2)
        expect_end(&waiters[i], 0);
    ck_assert_uint_eq(fs_load_seq_cst(&requeues), 2);
}
END_TEST

START_TEST(who_joins_after_a_broadcast_waits_for_the_next)
{
    struct place place = {.inside = 0};
    struct waiter early[5], late;

    put_all_to_sleep(early, 5, &place, FS_MOVE_BY_OWNER);
    lock(&place.mutex);
    fs_condition_broadcast(&place.cond);
    late = (struct waiter){.move = FS_MOVE_BY_OWNER};
    ck_assert(fs_condition_join(&place.cond, &place.mutex.word, FS_MOVE_BY_OWNER, FS_TABLE_PLAIN,
                                NULL, &late.wait));
    ck_assert_ptr_ne(late.wait.slot->group, early[0].wait.slot->group);
    unlock(&place.mutex);
    expect_all_end(early, 5);
    ck_assert_uint_eq(state_of(&late), FS_SLOT_WAITING);
    ck_assert(!fs_condition_retract(&late.wait));
    fs_condition_finish(&late.wait, false);
}
END_TEST

/* ---- memory --------------------------------------------------------------------------- */

static struct place *map_place(void)
{
    struct place *place =
        mmap(NULL, sizeof *place, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(place, MAP_FAILED);
    return place;
}

/* The loop index is the number of waiters. */
START_TEST(a_condition_variable_may_vanish_right_after_it_was_signalled)
{
    for (int round = 0; round < 20; round++) {
        struct place place = {.inside = 0};
        struct place *vanishing = map_place();
        struct waiter waiters[8];

        for (int i = 0; i < _i; i++) {
            waiters[i] = (struct waiter){
                .place = vanishing, .mutex = &place.mutex, .move = FS_MOVE_BY_OWNER};
            sleeper_put_to_sleep(&waiters[i].sleeper, wait_once, &waiters[i]);
        }
        lock(&place.mutex);
        if (round & 1)
            unlock(&place.mutex);
        if (_i == 1 && round & 2)
            fs_condition_signal(&vanishing->cond);
        else
            fs_condition_broadcast(&vanishing->cond);
        munmap(vanishing, sizeof *vanishing);
        if (!(round & 1))
            unlock(&place.mutex);
        expect_all_end(waiters, _i);
    }
}
END_TEST

/* The loop index: bit 0, with the mutex held; bit 1, whether the word tells its holder. */
START_TEST(the_last_waiter_may_free_condition_variable_and_mutex)
{
    for (int round = 0; round < 150; round++) {
        struct place *place = map_place();
        struct waiter waiters[4];

        place->unmap = true;
        for (int i = 0; i < 4; i++) {
            waiters[i] = (struct waiter){.place = place,
                                         .move = _i & 2 ? FS_MOVE_BY_OWNER : FS_MOVE_BY_MEMBER};
            sleeper_start(&waiters[i].sleeper, wait_once, &waiters[i]);
        }
        for (bool all = false; !all;) {
            lock(&place->mutex);
            all = place->inside == 4;
            if (all && _i & 1)
                fs_condition_broadcast(&place->cond);
            unlock(&place->mutex);
        }
        if (!(_i & 1))
            fs_condition_broadcast(&place->cond);
        expect_all_end(waiters, 4);
    }
}
END_TEST

static struct waiter *watched;

static void expect_watched_queued(void)
{
    ck_assert_uint_eq(state_of(watched), FS_SLOT_SLEEPING);
}

/* Once they are signalled they may go, and the mutex with them. The loop index: a broadcast. */
START_TEST(whose_the_mutex_is_is_asked_while_its_waiters_are_queued)
{
    struct place place = {.inside = 0};
    struct waiter w;

    put_to_sleep(&w, &place, FS_MOVE_BY_OWNER);
    watched = &w;
    when_asked_who_i_am = expect_watched_queued;
    if (_i)
        fs_condition_broadcast(&place.cond);
    else
        fs_condition_signal(&place.cond);
    when_asked_who_i_am = NULL;
    expect_end(&w, 0);
}
END_TEST

static int look_as_a_child(struct place *place)
{
    fs_condition_broadcast(&place->cond);
    if (fs_load_relaxed(&place->cond.queued) != 0 || wakes_so_far() != 0)
        return 1;
    fs_condition_signal(&place->cond);
    return 0;
}

START_TEST(a_fork_child_has_no_waiters)
{
    struct place place = {.inside = 0};
    struct waiter waiters[3];
    int status;
    pid_t child;

    put_all_to_sleep(waiters, 3, &place, FS_MOVE_BY_MEMBER);
    child = fork();
    if (child == 0)
        _exit(look_as_a_child(&place));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    fs_condition_broadcast(&place.cond);
    expect_all_end(waiters, 3);
}
END_TEST

/* ---- many ------------------------------------------------------------------------------ */

#define CROWD 6
#define TOKENS 4000

struct bank {
    struct place place;
    enum fs_move move;
    long tokens; /* guarded by the mutex, as the rest */
    long taken;
};

static int take_tokens(void *arg)
{
    struct bank *bank = arg;
    struct waiter w = {.move = bank->move};
    uint32_t seed = __real_fs_system_thread_id();

    lock(&bank->place.mutex);
    while (bank->taken < TOKENS) {
        struct fs_deadline soon = moment(FS_CLOCK_MONOTONIC, 1);

        if (bank->tokens == 0) {
            seed = seed * 1103515245 + 12345;
            w.deadline = seed & 0x30000 ? NULL : &soon;
            wait_on(&bank->place.cond, &bank->place.mutex, &w);
            continue;
        }
        bank->tokens--;
        if (++bank->taken == TOKENS)
            fs_condition_broadcast(&bank->place.cond);
    }
    unlock(&bank->place.mutex);
    return 0;
}

/* The loop index: bits 0 and 1 how members move, bit 2 spinning, bit 3 signals by the holder. */
START_TEST(no_signal_is_lost_among_timeouts_and_broadcasts)
{
    struct bank bank = {.move = (enum fs_move)(_i & 3)};
    struct sleeper threads[CROWD];

    fs_settings.spin = _i & 4 ? FS_SPIN_DEFAULT : 0;
    for (int i = 0; i < CROWD; i++)
        sleeper_start(&threads[i], take_tokens, &bank);
    for (int i = 0; i < TOKENS; i++) {
        lock(&bank.place.mutex);
        bank.tokens++;
        if (_i & 8)
            fs_condition_signal(&bank.place.cond);
        unlock(&bank.place.mutex);
        if (i % 97 == 0)
            fs_condition_broadcast(&bank.place.cond);
        else if (!(_i & 8))
            fs_condition_signal(&bank.place.cond);
    }
    for (int i = 0; i < CROWD; i++)
        sleeper_join(&threads[i]);
    ck_assert_int_eq(bank.tokens, 0);
    ck_assert_int_eq(bank.taken, TOKENS);
}
END_TEST

static TCase *signals_case(void)
{
    TCase *tests = tcase_create("signals");

    tcase_add_test(tests, a_signal_to_nobody_is_forgotten);
    tcase_add_loop_test(tests, joining_sets_the_hint_and_a_signal_that_finds_nobody_clears_it, 0,
                        2);
    tcase_add_test(tests, a_signal_is_for_who_waited_first_whoever_sleeps_first);
    tcase_add_test(tests, signals_wake_one_waiter_each_in_the_order_of_arrival);
    tcase_add_test(tests, a_retreat_says_whether_a_signal_had_come);
    tcase_add_test(tests, late_wakes_and_changes_of_the_word_end_no_wait);
    tcase_add_loop_test(tests, a_timeout_is_never_early_and_uses_up_no_signal, 0, 2);
    tcase_add_test(tests, a_waiter_whose_time_has_passed_still_gets_its_signal);
    tcase_add_test(tests, condition_variables_that_share_a_bucket_are_signalled_apart);
    tcase_add_test(tests, a_signal_by_the_holder_is_paid_for_by_its_release);
    tcase_add_test(tests, a_debt_to_another_condition_variable_is_not_taken_on);
    tcase_add_test(tests, a_debt_is_paid_before_the_mutex_is_turned_over);
    tcase_add_test(tests, a_debtor_woken_by_a_handler_goes_through_the_mutex);
    tcase_add_test(tests, an_interruption_is_for_the_thread_named_and_uses_up_no_signal);
    tcase_add_test(tests, an_interruption_after_a_signal_changes_nothing);
    return tests;
}

static TCase *broadcasts_case(void)
{
    TCase *tests = tcase_create("broadcasts");

    tcase_add_test(tests, a_broadcast_by_the_holder_moves_all_with_one_requeue);
    tcase_add_test(tests, a_broadcast_by_the_holder_costs_one_requeue_per_group);
    tcase_add_loop_test(tests, a_broadcast_by_another_is_led_by_the_first_that_holds_the_mutex, 0,
                        2);
    tcase_add_test(tests, a_leader_needs_the_mutex_first);
    tcase_add_test(tests, a_few_waiters_are_woken_at_once);
    tcase_add_loop_test(tests, without_moves_a_broadcast_wakes_all, 0, 2);
    tcase_add_test(tests, waiters_of_two_mutexes_are_moved_each_to_its_own);
    tcase_add_test(tests, who_joins_after_a_broadcast_waits_for_the_next);
    return tests;
}

static TCase *memory_case(void)
{
    TCase *tests = tcase_create("memory");

    tcase_add_loop_test(tests, a_condition_variable_may_vanish_right_after_it_was_signalled, 1, 9);
    tcase_add_loop_test(tests, the_last_waiter_may_free_condition_variable_and_mutex, 0, 4);
    tcase_add_loop_test(tests, whose_the_mutex_is_is_asked_while_its_waiters_are_queued, 0, 2);
    tcase_add_test(tests, a_fork_child_has_no_waiters);
    tcase_add_loop_test(tests, no_signal_is_lost_among_timeouts_and_broadcasts, 0, 16);
    return tests;
}

int main(void)
{
    Suite *suite = suite_create("condition");
    TCase *cases[] = {signals_case(), broadcasts_case(), memory_case()};

    for (int i = 0; i < 3; i++) {
        tcase_set_timeout(cases[i], 60);
        tcase_add_checked_fixture(cases[i], setup, NULL);
        suite_add_tcase(suite, cases[i]);
    }
    return run_suite(suite);
}
