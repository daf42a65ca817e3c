/* SPDX-License-Identifier: MIT */
/* The mutex of every kind: what each call answers, what the fields say before, while and after
   it is held, and turning a mutex over to the C library's protocol. Deaths of owners are in
   test_robust_list.c and test_pi_mutex.c. */
#include "sleepers.h"

#include "lock/mutex.h"
#include "lock/settings.h"

static const uint32_t types[] = {FS_KIND_NORMAL, FS_KIND_RECURSIVE, FS_KIND_ERRORCHECK,
                                 FS_KIND_ADAPTIVE};
static const uint32_t manners[] = {
    0,
    FS_KIND_SHARED,
    FS_KIND_ROBUST,
    FS_KIND_ROBUST | FS_KIND_SHARED,
    FS_KIND_PI,
    FS_KIND_PI | FS_KIND_SHARED,
    FS_KIND_PI | FS_KIND_ROBUST,
    FS_KIND_PI | FS_KIND_ROBUST | FS_KIND_SHARED,
    FS_KIND_PI | FS_KIND_MADE_PI,
    FS_KIND_ELISION,
};

#define TYPES 4
#define MANNERS 10
#define KINDS (TYPES * MANNERS) /* the loop index of most tests */

static uint32_t kind_of(int index)
{
    return types[index % TYPES] | manners[index / TYPES];
}

static uint32_t type_of(int index)
{
    return types[index % TYPES];
}

/* musl's robust list has other distances than our mutex, which is left off it; and its trylock
   answers EBUSY to every owner. */
#ifdef FS_LIBC_MUSL
static const bool for_musl = true;
#else
static const bool for_musl = false;
#endif

/* The word says who holds the mutex, not only that somebody does. */
static bool has_id_word(uint32_t kind)
{
    return (kind & (FS_KIND_ROBUST | FS_KIND_PI)) != 0;
}

static struct fs_mutex fresh(uint32_t kind)
{
    return (struct fs_mutex){.kind = {kind}};
}

static int lock(struct fs_mutex *m)
{
    return QUIET(fs_mutex_acquire(m, fs_mutex_kind(m), FS_WAIT_FOREVER, NULL));
}

static int try(struct fs_mutex *m)
{
    return QUIET(fs_mutex_acquire(m, fs_mutex_kind(m), FS_WAIT_NEVER, NULL));
}

static int lock_until(struct fs_mutex *m, const struct fs_deadline *deadline)
{
    return QUIET(fs_mutex_acquire(m, fs_mutex_kind(m), FS_WAIT_UNTIL, deadline));
}

static int unlock(struct fs_mutex *m)
{
    return QUIET(fs_mutex_release(m, fs_mutex_kind(m)));
}

static void expect_free(struct fs_mutex *m)
{
    ck_assert_uint_eq(fs_load_relaxed(&m->word), 0);
    ck_assert_uint_eq(fs_load_relaxed(&m->owner), 0);
    ck_assert_uint_eq(m->nusers, 0);
    ck_assert_ptr_null(m->link.next);
#if FS_MUTEX_HAS_PREV
    ck_assert_ptr_null(m->link.prev);
#endif
}

static void expect_mine(struct fs_mutex *m, uint32_t depth)
{
    uint32_t kind = fs_mutex_kind(m);
    uint32_t word = fs_load_relaxed(&m->word);

    ck_assert_uint_eq(fs_load_relaxed(&m->owner), fs_thread_id());
    ck_assert(fs_mutex_is_mine(m));
    ck_assert_uint_eq(m->count, depth);
    if (has_id_word(kind))
        ck_assert_uint_eq(word & ~FS_PI_WAITERS, fs_thread_id());
    else
        ck_assert(fs_lock_is_held(word));
    ck_assert_uint_eq(m->nusers, has_id_word(kind) || kind & FS_KIND_SHARED);
    ck_assert_int_eq(m->link.next != NULL, !for_musl && kind & FS_KIND_ROBUST);
}

static void setup(void)
{
    fs_settings.spin = 0;
}

/* Runs a body in a thread of its own and returns its answer. */
static int elsewhere(int (*body)(void *), void *arg)
{
    struct sleeper thread;

    sleeper_start(&thread, body, arg);
    return sleeper_join(&thread);
}

static int try_and_unlock(void *arg)
{
    int err = try(arg);

    if (err == 0)
        ck_assert_int_eq(unlock(arg), 0);
    return err;
}

static int lock_and_unlock(void *arg)
{
    int err = lock(arg);

    expect_mine(arg, 1);
    return err == 0 ? unlock(arg) : err;
}

static int unlock_only(void *arg)
{
    return unlock(arg);
}

/* ---- one thread ------------------------------------------------------------- */

START_TEST(the_fields_tell_the_holder_while_it_holds)
{
    struct fs_mutex m = fresh(kind_of(_i));

    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(i == 1 ? try(&m) : lock(&m), 0);
        expect_mine(&m, 1);
        ck_assert_int_eq(unlock(&m), 0);
        expect_free(&m);
    }
}
END_TEST

START_TEST(a_holder_that_tries_again_gets_what_the_type_says)
{
    struct fs_mutex m = fresh(kind_of(_i));
    bool strict = !for_musl && has_id_word(kind_of(_i)) && !(kind_of(_i) & FS_KIND_MADE_PI);

    ck_assert_int_eq(lock(&m), 0);
    switch (type_of(_i)) {
    case FS_KIND_RECURSIVE:
        ck_assert_int_eq(try(&m), 0);
        expect_mine(&m, 2);
        ck_assert_int_eq(unlock(&m), 0);
        break;
    case FS_KIND_ERRORCHECK: /* the C library's trylock answers so */
        ck_assert_int_eq(try(&m), strict ? EDEADLK : EBUSY);
        break;
    default:
        ck_assert_int_eq(try(&m), EBUSY);
        break;
    }
    expect_mine(&m, 1);
    ck_assert_int_eq(unlock(&m), 0);
    expect_free(&m);
}
END_TEST

START_TEST(a_holder_that_locks_again_gets_what_the_type_says)
{
    struct fs_mutex m = fresh(kind_of(_i));
    struct fs_deadline soon = moment(FS_CLOCK_MONOTONIC, 20);

    ck_assert_int_eq(lock(&m), 0);
    switch (type_of(_i)) {
    case FS_KIND_RECURSIVE:
        ck_assert_int_eq(lock_until(&m, &soon), 0);
        ck_assert_int_eq(lock(&m), 0);
        expect_mine(&m, 3);
        ck_assert_int_eq(unlock(&m), 0);
        ck_assert_int_eq(unlock(&m), 0);
        break;
    case FS_KIND_ERRORCHECK:
        ck_assert_int_eq(lock(&m), EDEADLK);
        ck_assert_int_eq(lock_until(&m, &soon), EDEADLK);
        break;
    default: /* waits for itself */
        ck_assert_int_eq(lock_until(&m, &soon), ETIMEDOUT);
        ck_assert(has_come(&soon));
        break;
    }
    ck_assert(fs_mutex_is_mine(&m));
    ck_assert_int_eq(unlock(&m), 0);
    expect_free(&m);
}
END_TEST

START_TEST(a_recursive_mutex_gives_EAGAIN_when_its_depth_is_exhausted)
{
    struct fs_mutex m = fresh(FS_KIND_RECURSIVE | manners[_i]);

    ck_assert_int_eq(lock(&m), 0);
    m.count = UINT32_MAX;
    ck_assert_int_eq(lock(&m), EAGAIN);
    ck_assert_int_eq(try(&m), EAGAIN);
    m.count = 1;
    ck_assert_int_eq(unlock(&m), 0);
    expect_free(&m);
}
END_TEST

START_TEST(an_unlock_of_a_free_mutex_gives_EPERM_where_owners_are_checked)
{
    uint32_t kind = kind_of(_i);
    struct fs_mutex m = fresh(kind);

    if (fs_kind_checks_owner(kind) || has_id_word(kind))
        ck_assert_int_eq(unlock(&m), EPERM);
    ck_assert_uint_eq(fs_load_relaxed(&m.word), 0);
}
END_TEST

START_TEST(a_destroyed_mutex_gives_EINVAL)
{
    struct fs_mutex m = fresh(kind_of(_i));

    ck_assert_int_eq(fs_mutex_retire(&m, fs_mutex_kind(&m)), 0);
    ck_assert_uint_eq(fs_mutex_kind(&m), FS_KIND_DESTROYED);
    ck_assert_int_eq(lock(&m), EINVAL);
    ck_assert_int_eq(try(&m), EINVAL);
    ck_assert_int_eq(unlock(&m), EINVAL);
    ck_assert_int_eq(fs_mutex_make_consistent(&m, fs_mutex_kind(&m)), EINVAL);
}
END_TEST

START_TEST(a_held_mutex_is_not_destroyed_unless_it_is_robust)
{
    uint32_t kind = kind_of(_i);
    struct fs_mutex m = fresh(kind);

    ck_assert_int_eq(lock(&m), 0);
    if (!(kind & FS_KIND_ROBUST)) {
        ck_assert_int_eq(fs_mutex_retire(&m, kind), EBUSY);
        ck_assert_uint_eq(fs_mutex_kind(&m), kind);
    }
    ck_assert_int_eq(unlock(&m), 0);
    m.nusers = 1; /* a condition wait */
    ck_assert_int_eq(fs_mutex_retire(&m, kind), kind & FS_KIND_ROBUST ? 0 : EBUSY);
}
END_TEST

START_TEST(only_an_inconsistent_mutex_can_be_made_consistent)
{
    uint32_t kind = kind_of(_i);
    struct fs_mutex m = fresh(kind);

    ck_assert_int_eq(fs_mutex_make_consistent(&m, kind), EINVAL);
    ck_assert_int_eq(lock(&m), 0);
    ck_assert_int_eq(fs_mutex_make_consistent(&m, kind), EINVAL);
    ck_assert_int_eq(unlock(&m), 0);
}
END_TEST

START_TEST(an_acquisition_of_a_moved_sleeper_leaves_a_private_word_contended)
{
    struct fs_mutex m = fresh(type_of(_i));

    ck_assert_int_eq(fs_mutex_acquire(&m, type_of(_i), FS_WAIT_WOKEN, NULL), 0);
    ck_assert_uint_eq(fs_load_relaxed(&m.word), FS_LOCK_CONTENDED);
    ck_assert(fs_mutex_is_mine(&m));
    ck_assert_int_eq(unlock(&m), 0);
    expect_free(&m);
}
END_TEST

/* ---- two threads -------------------------------------------------------------- */

START_TEST(a_stranger_finds_a_held_mutex_busy)
{
    struct fs_mutex m = fresh(kind_of(_i));

    ck_assert_int_eq(lock(&m), 0);
    ck_assert_int_eq(elsewhere(try_and_unlock, &m), EBUSY);
    ck_assert_int_eq(unlock(&m), 0);
    ck_assert_int_eq(elsewhere(try_and_unlock, &m), 0);
    expect_free(&m);
}
END_TEST

START_TEST(unlock_by_a_stranger_gives_EPERM_where_owners_are_checked)
{
    uint32_t kind = kind_of(_i);
    struct fs_mutex m = fresh(kind);

    ck_assert_int_eq(lock(&m), 0);
    if (fs_kind_checks_owner(kind) || has_id_word(kind)) {
        ck_assert_int_eq(elsewhere(unlock_only, &m), EPERM);
        expect_mine(&m, 1);
        ck_assert_int_eq(unlock(&m), 0);
    } else {
        ck_assert_int_eq(elsewhere(unlock_only, &m), 0);
    }
    expect_free(&m);
}
END_TEST

struct timed {
    struct fs_mutex *mutex;
    struct fs_deadline deadline;
};

static int lock_in_time(void *arg)
{
    struct timed *timed = arg;

    return lock_until(timed->mutex, &timed->deadline);
}

START_TEST(a_locker_times_out_on_either_clock_and_never_early)
{
    struct fs_mutex m = fresh(kind_of(_i));

    ck_assert_int_eq(lock(&m), 0);
    for (int clock = 0; clock < 2; clock++) {
        struct timed timed = {&m, moment((enum fs_clock)clock, 15)};

        ck_assert_int_eq(elsewhere(lock_in_time, &timed), ETIMEDOUT);
        ck_assert(has_come(&timed.deadline));
    }
    ck_assert(fs_mutex_is_mine(&m));
    ck_assert_int_eq(unlock(&m), 0);
    expect_free(&m);
}
END_TEST

START_TEST(an_invalid_deadline_gives_EINVAL_when_the_mutex_is_held)
{
    struct fs_mutex m = fresh(kind_of(_i));
    struct timed timed = {&m, {INT32_MAX, FS_NSEC_PER_SEC, FS_CLOCK_REALTIME}};

    ck_assert_int_eq(lock(&m), 0);
    ck_assert_int_eq(elsewhere(lock_in_time, &timed), EINVAL);
    timed.deadline.nsec = -1;
    ck_assert_int_eq(elsewhere(lock_in_time, &timed), EINVAL);
    ck_assert_int_eq(unlock(&m), 0);
    ck_assert_int_eq(lock_until(&m, &timed.deadline), 0);
    ck_assert_int_eq(unlock(&m), 0);
    expect_free(&m);
}
END_TEST

START_TEST(a_release_lets_a_sleeping_locker_in)
{
    struct fs_mutex m = fresh(kind_of(_i));
    struct sleeper thread;

    ck_assert_int_eq(lock(&m), 0);
    sleeper_put_to_sleep(&thread, lock_and_unlock, &m);
    ck_assert_int_eq(unlock(&m), 0);
    ck_assert_int_eq(sleeper_join(&thread), 0);
    expect_free(&m);
}
END_TEST

struct counter {
    struct fs_mutex mutex;
    long total;
};

static int lock_and_count(void *arg)
{
    struct counter *counter = arg;

    for (int i = 0; i < 3000; i++) {
        ck_assert_int_eq(lock(&counter->mutex), 0);
        counter->total++;
        ck_assert_int_eq(unlock(&counter->mutex), 0);
    }
    return 0;
}

START_TEST(only_one_thread_holds_the_mutex_at_a_time)
{
    struct counter shared = {fresh(kind_of(_i)), 0};
    struct sleeper threads[3];

    for (int i = 0; i < 3; i++)
        sleeper_start(&threads[i], lock_and_count, &shared);
    for (int i = 0; i < 3; i++)
        sleeper_join(&threads[i]);
    ck_assert_int_eq(shared.total, 9000);
    expect_free(&shared.mutex);
}
END_TEST

/* ---- turning over --------------------------------------------------------------- */

START_TEST(a_mutex_turned_over_is_contended_and_is_never_left_granted)
{
    uint32_t kind = type_of(_i);
    struct fs_mutex m = fresh(kind);

    ck_assert_int_eq(lock(&m), 0);
    fs_mutex_turn_over(&m);
    ck_assert_uint_eq(fs_load_relaxed(&m.word), FS_LOCK_CONTENDED);
    ck_assert_uint_eq(fs_mutex_kind(&m), kind | FS_KIND_TURNED_OVER);
    fs_store_relaxed(&m.word, FS_LOCK_HUNGRY);
    ck_assert_int_eq(unlock(&m), 0);
    expect_free(&m);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(elsewhere(lock_and_unlock, &m), 0);
    expect_free(&m);
}
END_TEST

/* A type that does not ask for its owner may be held under the id of a fork child's parent. */
START_TEST(a_mutex_is_turned_over_only_while_held_and_by_the_owner_its_type_knows)
{
    struct fs_mutex m = fresh(type_of(_i));
    bool asks = type_of(_i) == FS_KIND_RECURSIVE || type_of(_i) == FS_KIND_ERRORCHECK;

    fs_mutex_turn_over(&m);
    ck_assert_uint_eq(fs_mutex_kind(&m), type_of(_i));
    fs_store_relaxed(&m.word, FS_LOCK_LOCKED);
    fs_store_relaxed(&m.owner, fs_thread_id() + 1);
    fs_mutex_turn_over(&m);
    ck_assert_uint_eq(fs_mutex_kind(&m), type_of(_i) | (asks ? 0 : FS_KIND_TURNED_OVER));
    ck_assert_uint_eq(fs_load_relaxed(&m.word), asks ? FS_LOCK_LOCKED : FS_LOCK_CONTENDED);
}
END_TEST

START_TEST(only_a_private_word_is_turned_over)
{
    uint32_t kind = kind_of(_i);
    struct fs_mutex m = fresh(kind);

    if (fs_kind_has_private_word(kind))
        return;
    ck_assert_int_eq(lock(&m), 0);
    fs_mutex_turn_over(&m);
    expect_mine(&m, 1);
    ck_assert_uint_eq(fs_mutex_kind(&m), kind);
    ck_assert_int_eq(unlock(&m), 0);
}
END_TEST

START_TEST(a_sleeper_from_before_the_turn_over_gets_the_mutex)
{
    struct fs_mutex m = fresh(type_of(_i));
    struct sleeper thread;

    ck_assert_int_eq(lock(&m), 0);
    sleeper_put_to_sleep(&thread, lock_and_unlock, &m);
    fs_mutex_turn_over(&m);
    ck_assert_int_eq(unlock(&m), 0);
    ck_assert_int_eq(sleeper_join(&thread), 0);
    expect_free(&m);
}
END_TEST

/* A condition variable knows its waiters' mutex by the word alone. */
START_TEST(a_mutex_is_found_by_its_word)
{
    struct fs_mutex row[3] = {fresh(kind_of(_i)), fresh(kind_of(_i)), fresh(kind_of(_i))};
    struct fs_mutex *m = &row[1];

    ck_assert_ptr_eq(fs_mutex_of_word(&m->word), m);
    ck_assert_int_eq(lock(m), 0);
    ck_assert_uint_ne(fs_load_relaxed(&m->word), 0);
    ck_assert(fs_mutex_is_mine(fs_mutex_of_word(&m->word)));
    ck_assert_int_eq(unlock(m), 0);
    ck_assert(!fs_mutex_is_mine(fs_mutex_of_word(&m->word)));
}
END_TEST

/* Where it has to be: other processes, the kernel and libc's own unlock look there. */
START_TEST(the_word_lies_where_the_C_library_has_its_own)
{
    union {
        pthread_mutex_t theirs;
        struct fs_mutex ours;
    } mutex = {.theirs = PTHREAD_MUTEX_INITIALIZER};

    ck_assert_int_eq(pthread_mutex_lock(&mutex.theirs), 0);
    ck_assert_uint_ne(fs_load_relaxed(&mutex.ours.word), 0);
    ck_assert_int_eq(pthread_mutex_unlock(&mutex.theirs), 0);
    ck_assert_uint_eq(fs_load_relaxed(&mutex.ours.word), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mutex engine");
    TCase *tests = tcase_create("mutex engine");

    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_loop_test(tests, the_fields_tell_the_holder_while_it_holds, 0, KINDS);
    tcase_add_loop_test(tests, a_holder_that_tries_again_gets_what_the_type_says, 0, KINDS);
    tcase_add_loop_test(tests, a_holder_that_locks_again_gets_what_the_type_says, 0, KINDS);
    tcase_add_loop_test(tests, a_recursive_mutex_gives_EAGAIN_when_its_depth_is_exhausted, 0,
                        MANNERS);
    tcase_add_loop_test(tests, an_unlock_of_a_free_mutex_gives_EPERM_where_owners_are_checked, 0,
                        KINDS);
    tcase_add_loop_test(tests, a_destroyed_mutex_gives_EINVAL, 0, KINDS);
    tcase_add_loop_test(tests, a_held_mutex_is_not_destroyed_unless_it_is_robust, 0, KINDS);
    tcase_add_loop_test(tests, only_an_inconsistent_mutex_can_be_made_consistent, 0, KINDS);
    tcase_add_loop_test(tests, an_acquisition_of_a_moved_sleeper_leaves_a_private_word_contended, 0,
                        TYPES);
    tcase_add_loop_test(tests, a_stranger_finds_a_held_mutex_busy, 0, KINDS);
    tcase_add_loop_test(tests, unlock_by_a_stranger_gives_EPERM_where_owners_are_checked, 0, KINDS);
    tcase_add_loop_test(tests, a_locker_times_out_on_either_clock_and_never_early, 0, KINDS);
    tcase_add_loop_test(tests, an_invalid_deadline_gives_EINVAL_when_the_mutex_is_held, 0, KINDS);
    tcase_add_loop_test(tests, a_release_lets_a_sleeping_locker_in, 0, KINDS);
    tcase_add_loop_test(tests, only_one_thread_holds_the_mutex_at_a_time, 0, KINDS);
    tcase_add_loop_test(tests, a_mutex_turned_over_is_contended_and_is_never_left_granted, 0,
                        TYPES);
    tcase_add_loop_test(
        tests, a_mutex_is_turned_over_only_while_held_and_by_the_owner_its_type_knows, 0, TYPES);
    tcase_add_loop_test(tests, only_a_private_word_is_turned_over, 0, KINDS);
    tcase_add_loop_test(tests, a_sleeper_from_before_the_turn_over_gets_the_mutex, 0, TYPES);
    tcase_add_loop_test(tests, a_mutex_is_found_by_its_word, 0, KINDS);
    tcase_add_test(tests, the_word_lies_where_the_C_library_has_its_own);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
