/* SPDX-License-Identifier: MIT */
/* The reader-writer lock in one wide word: each move that lock/rwlock.h lists, for both
   preferences; and that the counts are exact after time-outs and under load. */
#include "sleepers.h"

#include "eventually.h"
#include "lock/rwlock.h"
#include "lock/settings.h"

#define READERS FS_RW_PREFER_READERS
#define WRITERS FS_RW_PREFER_WRITERS
#define R FS_RW_READER
#define W FS_RW_WRITER
#define RW FS_RW_READERS_WAIT
#define AWAKE FS_RW_WRITER_AWAKE
#define WAITING FS_RW_WAITING
#define TURN FS_RW_TURN

static uint64_t state_of(struct fs_rwlock *l)
{
    return fs_wide_load_relaxed(&l->state);
}

static void expect_state(struct fs_rwlock *l, uint64_t state)
{
    ck_assert_msg(state_of(l) == state, "state %#llx, expected %#llx",
                  (unsigned long long)state_of(l), (unsigned long long)state);
}

static struct fs_rwlock with(uint64_t state)
{
    return (struct fs_rwlock){.state = {.value = state}};
}

static void setup(void)
{
    fs_settings.spin = 0;
}

/* Counts as single-threaded or not. */
static void be_alone(bool alone)
{
    static char flag;

    flag = (char)alone;
    fs_single_threaded_flag = &flag;
    fs_store_byte_relaxed(&fs_may_be_alone, 1);
}

/* ---- moves of one thread -------------------------------------------------------- */

struct move {
    uint64_t from;
    uint64_t to; /* the same: refused */
    int err;
};

START_TEST(a_reader_enters_where_readers_are_preferred)
{
    static const struct move moves[] = {
        {0, R, 0},
        {R, 2 * R, 0},
        {W, W, EBUSY},
        {W | RW, W | RW, EBUSY},
        {R + WAITING, 2 * R + WAITING, 0},
        {3 * TURN + 2 * WAITING, R + 3 * TURN + 2 * WAITING, 0},
        {R | RW, (R | RW) + R, 0},
        {FS_RW_READERS - R, FS_RW_READERS, 0},
        {FS_RW_READERS, FS_RW_READERS, EAGAIN},
    };

    for (unsigned i = 0; i < sizeof moves / sizeof *moves; i++) {
        struct fs_rwlock l = with(moves[i].from);

        ck_assert_int_eq(QUIET(fs_rwlock_try_read(&l, READERS)), moves[i].err);
        expect_state(&l, moves[i].to);
        if (moves[i].err == EBUSY)
            continue;
        l = with(moves[i].from);
        ck_assert_int_eq(QUIET(fs_rwlock_read(&l, READERS, NULL)), moves[i].err);
        expect_state(&l, moves[i].to);
    }
}
END_TEST

START_TEST(a_reader_waits_behind_a_waiting_writer_where_writers_are_preferred)
{
    static const struct move moves[] = {
        {0, R, 0},
        {R, 2 * R, 0},
        {5 * TURN, R + 5 * TURN, 0},
        {W, W, EBUSY},
        {WAITING, WAITING, EBUSY},
        {R + WAITING, R + WAITING, EBUSY},
        {FS_RW_READERS, FS_RW_READERS, EAGAIN},
    };

    for (unsigned i = 0; i < sizeof moves / sizeof *moves; i++) {
        struct fs_rwlock l = with(moves[i].from);

        ck_assert_int_eq(QUIET(fs_rwlock_try_read(&l, WRITERS)), moves[i].err);
        expect_state(&l, moves[i].to);
    }
}
END_TEST

START_TEST(a_writer_enters_when_nobody_is_inside)
{
    static const struct move moves[] = {
        {0, W, 0},
        {RW, W | RW, 0},
        {WAITING + TURN, W + WAITING + TURN, 0}, /* a try does not wait its turn */
        {WAITING | AWAKE, (W | AWAKE) + WAITING, 0},
        {3 * TURN, W, 0}, /* none waits: the turn begins anew */
        {R, R, EBUSY},
        {FS_RW_READERS, FS_RW_READERS, EBUSY},
        {W, W, EBUSY},
    };

    for (unsigned i = 0; i < sizeof moves / sizeof *moves; i++) {
        struct fs_rwlock l = with(moves[i].from);

        ck_assert_int_eq(QUIET(fs_rwlock_try_write(&l)), moves[i].err);
        expect_state(&l, moves[i].to);
        if (moves[i].err != 0)
            continue;
        l = with(moves[i].from);
        ck_assert_int_eq(QUIET(fs_rwlock_write(&l, WRITERS, NULL)), 0);
        expect_state(&l, moves[i].to);
    }
}
END_TEST

/* The loop index is whom the lock prefers. */
START_TEST(a_release_leaves_as_what_the_state_says)
{
    const struct move moves[] = {
        {R, 0, 0},
        {2 * R, R, 0},
        {W, 0, 0},
        {W | RW, 0, 0},
        {R | RW, 0, 0},
        {(2 * R) | RW, R | RW, 0},
        {2 * R + WAITING, R + WAITING, 0},
        {R + WAITING, (WAITING + TURN) | AWAKE, 0},
        {(R | AWAKE) + WAITING, AWAKE + WAITING, 0}, /* somebody is awake already */
        {(W | AWAKE) + WAITING + TURN, AWAKE + WAITING + TURN, 0},
        {W + 2 * WAITING, (2 * WAITING + TURN) | AWAKE, 0},
        {(W | RW) + WAITING, (_i == WRITERS ? RW | AWAKE : 0) + WAITING + TURN, 0},
        {R + WAITING + 0xffff * TURN, WAITING | AWAKE, 0}, /* the turn runs over */
        {0, 0, 0},
        {RW, RW, 0},
        {WAITING + TURN, WAITING + TURN, 0},
    };

    for (unsigned i = 0; i < sizeof moves / sizeof *moves; i++) {
        struct fs_rwlock l = with(moves[i].from);

        fs_rwlock_release(&l, (enum fs_rw_preference)_i);
        expect_state(&l, moves[i].to);
    }
}
END_TEST

/* The loop index is whether the process counts as single-threaded. */
START_TEST(the_inline_moves_are_those_of_the_calls_or_refuse)
{
    static const uint64_t states[] = {0,           R,      2 * R,     FS_RW_READERS,    W,
                                      W | RW,      R | RW, RW,        WAITING,          R + WAITING,
                                      W + WAITING, TURN,   R | AWAKE, FS_RW_READERS - R};

    be_alone(_i);
    for (unsigned i = 0; i < sizeof states / sizeof *states; i++) {
        struct fs_rwlock fast = with(states[i]), slow = with(states[i]);

        if (fs_rwlock_read_fast(&fast))
            ck_assert_int_eq(fs_rwlock_try_read(&slow, WRITERS), 0);
        expect_state(&fast, state_of(&slow));
        fast = slow = with(states[i]);
        if (fs_rwlock_write_fast(&fast))
            ck_assert_int_eq(fs_rwlock_try_write(&slow), 0);
        expect_state(&fast, state_of(&slow));
        fast = slow = with(states[i]);
        if (fs_rwlock_release_fast(&fast, (states[i] & W) != 0))
            fs_rwlock_release(&slow, READERS);
        expect_state(&fast, state_of(&slow));
    }
}
END_TEST

START_TEST(the_inline_moves_serve_an_uncontended_lock)
{
    struct fs_rwlock l = with(0);

    be_alone(_i);
    ck_assert(fs_rwlock_read_fast(&l));
    expect_state(&l, R);
    ck_assert(!fs_rwlock_release_fast(&l, true));
    ck_assert(fs_rwlock_release_fast(&l, false));
    ck_assert(!fs_rwlock_release_fast(&l, false));
    ck_assert(fs_rwlock_write_fast(&l));
    expect_state(&l, W);
    ck_assert(!fs_rwlock_read_fast(&l) && !fs_rwlock_write_fast(&l));
    ck_assert(!fs_rwlock_release_fast(&l, false));
    ck_assert(fs_rwlock_release_fast(&l, true));
    expect_state(&l, 0);
}
END_TEST

/* ---- sleepers -------------------------------------------------------------------- */

struct guest {
    struct fs_rwlock *lock;
    enum fs_rw_preference preference;
    const struct fs_deadline *deadline;
    fs_word *order; /* counts entries, if not null */
    uint32_t place;
    struct sleeper sleeper;
};

static int read_and_leave(void *arg)
{
    struct guest *g = arg;
    int err = QUIET(fs_rwlock_read(g->lock, g->preference, g->deadline));

    if (err != 0)
        return err;
    if (g->order)
        g->place = fs_add_seq_cst(g->order, 1);
    fs_rwlock_release(g->lock, g->preference);
    return 0;
}

static int write_and_leave(void *arg)
{
    struct guest *g = arg;
    int err = QUIET(fs_rwlock_write(g->lock, g->preference, g->deadline));

    if (err != 0)
        return err;
    if (g->order)
        g->place = fs_add_seq_cst(g->order, 1);
    fs_rwlock_release(g->lock, g->preference);
    return 0;
}

START_TEST(a_reader_says_that_it_waits_and_the_writer_wakes_all)
{
    struct fs_rwlock l = with(W);
    struct guest guests[3];

    for (int i = 0; i < 3; i++) {
        guests[i] = (struct guest){.lock = &l, .preference = (enum fs_rw_preference)_i};
        sleeper_put_to_sleep(&guests[i].sleeper, read_and_leave, &guests[i]);
        expect_state(&l, W | RW);
    }
    fs_rwlock_release(&l, (enum fs_rw_preference)_i);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(sleeper_join(&guests[i].sleeper), 0);
    expect_state(&l, 0);
}
END_TEST

START_TEST(a_writer_counts_itself_once_and_is_let_in_by_the_last_reader)
{
    struct fs_rwlock l = with(2 * R);
    struct guest g = {.lock = &l, .preference = (enum fs_rw_preference)_i};

    sleeper_put_to_sleep(&g.sleeper, write_and_leave, &g);
    expect_state(&l, 2 * R + WAITING);
    fs_futex_wake(fs_wide_high(&l.state), 1, FS_SCOPE_PRIVATE); /* for no reason */
    sleep_ms(1);
    sleeper_await_sleep(&g.sleeper);
    expect_state(&l, 2 * R + WAITING);
    fs_rwlock_release(&l, g.preference);
    expect_state(&l, R + WAITING);
    fs_rwlock_release(&l, g.preference);
    ck_assert_int_eq(sleeper_join(&g.sleeper), 0);
    expect_state(&l, 0);
}
END_TEST

START_TEST(writers_are_let_in_one_after_the_other)
{
    struct fs_rwlock l = with(W);
    struct guest guests[3];

    for (int i = 0; i < 3; i++) {
        guests[i] = (struct guest){.lock = &l, .preference = (enum fs_rw_preference)_i};
        sleeper_put_to_sleep(&guests[i].sleeper, write_and_leave, &guests[i]);
        expect_state(&l, W + (uint64_t)(i + 1) * WAITING);
    }
    fs_rwlock_release(&l, (enum fs_rw_preference)_i);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(sleeper_join(&guests[i].sleeper), 0);
    expect_state(&l, 0);
}
END_TEST

START_TEST(a_release_favours_whom_the_lock_prefers)
{
    struct fs_rwlock l = with(W);
    fs_word order = {0};
    struct guest reader = {.lock = &l, .preference = (enum fs_rw_preference)_i, .order = &order};
    struct guest writer = reader;

    sleeper_put_to_sleep(&reader.sleeper, read_and_leave, &reader);
    sleeper_put_to_sleep(&writer.sleeper, write_and_leave, &writer);
    expect_state(&l, (W | RW) + WAITING);
    fs_rwlock_release(&l, (enum fs_rw_preference)_i);
    ck_assert_int_eq(sleeper_join(&reader.sleeper), 0);
    ck_assert_int_eq(sleeper_join(&writer.sleeper), 0);
    if (_i == WRITERS) /* readers preferred: the writer is not woken, but may come by itself */
        ck_assert_uint_eq(writer.place, 0);
    ck_assert_uint_eq(state_of(&l) & (TURN - 1), 0);
}
END_TEST

START_TEST(a_reader_joins_readers_beside_a_waiting_writer_where_readers_are_preferred)
{
    struct fs_rwlock l = with(R);
    struct guest writer = {.lock = &l, .preference = READERS};
    struct guest reader = writer;

    sleeper_put_to_sleep(&writer.sleeper, write_and_leave, &writer);
    sleeper_start(&reader.sleeper, read_and_leave, &reader);
    ck_assert_int_eq(sleeper_join(&reader.sleeper), 0);
    ck_assert(!sleeper_is_done(&writer.sleeper));
    fs_rwlock_release(&l, READERS);
    ck_assert_int_eq(sleeper_join(&writer.sleeper), 0);
}
END_TEST

/* ---- time-outs -------------------------------------------------------------------- */

static uint64_t expected_after_timeout(bool writes)
{
    return writes ? W : W | RW;
}

/* The loop index: bit 0 the clock, bit 1 the preference, bit 2 a writer. */
START_TEST(a_timeout_is_never_early_and_leaves_no_count)
{
    struct fs_rwlock l = with(W);
    enum fs_rw_preference preference = (enum fs_rw_preference)(_i >> 1 & 1);
    int (*enter)(struct fs_rwlock *, enum fs_rw_preference, const struct fs_deadline *) =
        _i & 4 ? fs_rwlock_write : fs_rwlock_read;

    for (int ms = -1000; ms <= 20; ms += 1020) {
        struct fs_deadline deadline = moment((enum fs_clock)(_i & 1), ms);

        ck_assert_int_eq(QUIET(enter(&l, preference, &deadline)), ETIMEDOUT);
        ck_assert(has_come(&deadline));
        expect_state(&l, expected_after_timeout(_i & 4));
    }
    fs_rwlock_release(&l, preference);
    expect_state(&l, 0);
    ck_assert_int_eq(enter(&l, preference, &(struct fs_deadline){0, 0, FS_CLOCK_MONOTONIC}), 0);
}
END_TEST

START_TEST(an_invalid_deadline_gives_EINVAL_when_the_lock_is_not_to_be_had)
{
    struct fs_deadline invalid = {INT32_MAX, FS_NSEC_PER_SEC, (enum fs_clock)_i};
    struct fs_rwlock l = with(W);

    ck_assert_int_eq(QUIET(fs_rwlock_read(&l, READERS, &invalid)), EINVAL);
    ck_assert_int_eq(QUIET(fs_rwlock_write(&l, READERS, &invalid)), EINVAL);
    expect_state(&l, W);
    l = with(0);
    ck_assert_int_eq(QUIET(fs_rwlock_read(&l, READERS, &invalid)), 0);
    fs_rwlock_release(&l, READERS);
    ck_assert_int_eq(QUIET(fs_rwlock_write(&l, READERS, &invalid)), 0);
}
END_TEST

START_TEST(the_last_preferred_writer_that_gives_up_lets_the_readers_in)
{
    struct fs_rwlock l = with(R);
    struct fs_deadline soon = moment(FS_CLOCK_MONOTONIC, 1000);
    struct guest writer = {.lock = &l, .preference = WRITERS, .deadline = &soon};
    struct guest readers[2];

    sleeper_put_to_sleep(&writer.sleeper, write_and_leave, &writer);
    for (int i = 0; i < 2; i++) {
        readers[i] = (struct guest){.lock = &l, .preference = WRITERS};
        sleeper_put_to_sleep(&readers[i].sleeper, read_and_leave, &readers[i]);
    }
    expect_state(&l, (R | RW) + WAITING);
    ck_assert_int_eq(sleeper_join(&writer.sleeper), ETIMEDOUT);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(sleeper_join(&readers[i].sleeper), 0);
    expect_state(&l, R);
}
END_TEST

START_TEST(a_writer_that_gives_up_leaves_the_others_waiting)
{
    struct fs_rwlock l = with(R);
    struct fs_deadline soon = moment(FS_CLOCK_REALTIME, 1000);
    struct guest hasty = {.lock = &l, .preference = (enum fs_rw_preference)_i, .deadline = &soon};
    struct guest patient = {.lock = &l, .preference = (enum fs_rw_preference)_i};

    sleeper_put_to_sleep(&hasty.sleeper, write_and_leave, &hasty);
    sleeper_put_to_sleep(&patient.sleeper, write_and_leave, &patient);
    expect_state(&l, R + 2 * WAITING);
    ck_assert_int_eq(sleeper_join(&hasty.sleeper), ETIMEDOUT);
    expect_state(&l, R + WAITING);
    fs_rwlock_release(&l, (enum fs_rw_preference)_i);
    ck_assert_int_eq(sleeper_join(&patient.sleeper), 0);
    expect_state(&l, 0);
}
END_TEST

/* ---- many -------------------------------------------------------------------------- */

#define CROWD 5
#define ROUNDS 6000

struct crowd {
    struct fs_rwlock lock;
    enum fs_rw_preference preference;
    long pair[2]; /* equal whenever no writer is inside */
    fs_word writers;
};

static int come_and_go(void *arg)
{
    struct crowd *c = arg;
    uint32_t seed = fs_system_thread_id();
    int wrong = 0;

    for (int i = 0; i < ROUNDS; i++) {
        struct fs_deadline soon = moment(FS_CLOCK_MONOTONIC, 0);
        const struct fs_deadline *deadline =
            (seed = seed * 1103515245 + 12345) & 0x40000 ? &soon : NULL;

        if (seed & 0x80000) {
            if (fs_rwlock_write(&c->lock, c->preference, deadline) != 0)
                continue;
            c->pair[0]++;
            c->pair[1]++;
            fs_add_seq_cst(&c->writers, 1);
        } else {
            if (fs_rwlock_read(&c->lock, c->preference, deadline) != 0)
                continue;
            wrong += c->pair[0] != c->pair[1];
        }
        fs_rwlock_release(&c->lock, c->preference);
    }
    return wrong;
}

START_TEST(writers_are_alone_and_the_counts_are_exact_in_the_end)
{
    struct crowd c = {.preference = (enum fs_rw_preference)(_i & 1)};
    struct sleeper threads[CROWD];

    fs_settings.spin = _i & 2 ? FS_SPIN_DEFAULT : 0;
    for (int i = 0; i < CROWD; i++)
        sleeper_start(&threads[i], come_and_go, &c);
    for (int i = 0; i < CROWD; i++)
        ck_assert_int_eq(sleeper_join(&threads[i]), 0);
    ck_assert_int_eq(c.pair[0], fs_load_relaxed(&c.writers));
    ck_assert_int_eq(c.pair[1], c.pair[0]);
    ck_assert_uint_eq(state_of(&c.lock) & (TURN - 1) & ~RW, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rwlock word");
    TCase *tests = tcase_create("rwlock word");

    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, a_reader_enters_where_readers_are_preferred);
    tcase_add_test(tests, a_reader_waits_behind_a_waiting_writer_where_writers_are_preferred);
    tcase_add_test(tests, a_writer_enters_when_nobody_is_inside);
    tcase_add_loop_test(tests, a_release_leaves_as_what_the_state_says, 0, 2);
    tcase_add_loop_test(tests, the_inline_moves_are_those_of_the_calls_or_refuse, 0, 2);
    tcase_add_loop_test(tests, the_inline_moves_serve_an_uncontended_lock, 0, 2);
    tcase_add_loop_test(tests, a_reader_says_that_it_waits_and_the_writer_wakes_all, 0, 2);
    tcase_add_loop_test(tests, a_writer_counts_itself_once_and_is_let_in_by_the_last_reader, 0, 2);
    tcase_add_loop_test(tests, writers_are_let_in_one_after_the_other, 0, 2);
    tcase_add_loop_test(tests, a_release_favours_whom_the_lock_prefers, 0, 2);
    tcase_add_test(tests,
                   a_reader_joins_readers_beside_a_waiting_writer_where_readers_are_preferred);
    tcase_add_loop_test(tests, a_timeout_is_never_early_and_leaves_no_count, 0, 8);
    tcase_add_loop_test(tests, an_invalid_deadline_gives_EINVAL_when_the_lock_is_not_to_be_had, 0,
                        2);
    tcase_add_test(tests, the_last_preferred_writer_that_gives_up_lets_the_readers_in);
    tcase_add_loop_test(tests, a_writer_that_gives_up_leaves_the_others_waiting, 0, 2);
    tcase_add_loop_test(tests, writers_are_alone_and_the_counts_are_exact_in_the_end, 0, 4);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
