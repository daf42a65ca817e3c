/* SPDX-License-Identifier: MIT */
/* The robust list as the kernel walks it, shared with the C library's own robust mutexes; and
   what becomes of robust mutexes when their owner dies. */
#include "sleepers.h"

#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "eventually.h"
#include "futex/thread.h"
#include "lock/robust_list.h"
#include "lock/settings.h"

#ifdef FS_LIBC_MUSL

int main(void)
{
    printf("SKIP unit_robust_list: musl keeps robust mutexes to itself, none of ours is on its "
           "list\n");
    return 77;
}

#else

#define MUTEXES 5

static const uint32_t kinds[] = {FS_KIND_ROBUST, FS_KIND_ROBUST | FS_KIND_SHARED,
                                 FS_KIND_ROBUST | FS_KIND_PI,
                                 FS_KIND_ROBUST | FS_KIND_PI | FS_KIND_SHARED};

#define KINDS 4 /* the loop index of most tests */

static struct robust_list_head *kernel_head(void)
{
    struct robust_list_head *head = NULL;
    size_t size = 0;

    ck_assert_int_eq(syscall(SYS_get_robust_list, 0, &head, &size), 0);
    ck_assert_uint_eq(size, sizeof *head);
    return head;
}

static struct robust_list *unmarked(const void *entry)
{
    return (struct robust_list *)((uintptr_t)entry & ~(uintptr_t)1);
}

/* The word of the mutex that an entry belongs to, as the kernel finds it. */
static uint32_t *word_of(struct robust_list *entry, long offset)
{
    return (uint32_t *)(void *)((char *)unmarked(entry) + offset);
}

/* Checks that the list holds exactly these words, newest first, that the mark is on the PI ones,
   and that the way back, where there is one, leads over the same entries. */
static void expect_list(uint32_t *const *words, const bool *pi, int count)
{
    struct robust_list_head *head = kernel_head();
    struct robust_list *entry = head->list.next;
    void *before = &head->list;

    for (int i = 0; i < count; i++) {
        ck_assert_ptr_ne(unmarked(entry), &head->list);
        ck_assert_ptr_eq(word_of(entry, head->futex_offset), words[i]);
        ck_assert_int_eq((uintptr_t)entry & 1, pi[i]);
        if (FS_MUTEX_HAS_PREV)
            ck_assert_ptr_eq(unmarked(((void **)(void *)unmarked(entry))[-1]), before);
        before = unmarked(entry);
        entry = unmarked(entry)->next;
    }
    ck_assert_ptr_eq(entry, &head->list);
    ck_assert_ptr_null(head->list_op_pending);
}

static void expect_mutexes(struct fs_mutex *const *mutexes, int count)
{
    uint32_t *words[MUTEXES] = {NULL};
    bool pi[MUTEXES] = {false};

    for (int i = 0; i < count; i++) {
        words[i] = (uint32_t *)(void *)&mutexes[i]->word;
        pi[i] = (fs_mutex_kind(mutexes[i]) & FS_KIND_PI) != 0;
    }
    expect_list(words, pi, count);
}

static int lock(struct fs_mutex *m)
{
    return QUIET(fs_mutex_acquire(m, fs_mutex_kind(m), FS_WAIT_FOREVER, NULL));
}

static int unlock(struct fs_mutex *m)
{
    return QUIET(fs_mutex_release(m, fs_mutex_kind(m)));
}

/* ---- the list ---------------------------------------------------------------- */

START_TEST(our_mutex_has_its_word_where_the_list_says)
{
    ck_assert_int_eq(
        kernel_head()->futex_offset,
        (long)offsetof(struct fs_mutex, word) -
            (long)(offsetof(struct fs_mutex, link) + offsetof(struct fs_robust_link, next)));
}
END_TEST

START_TEST(a_held_robust_mutex_is_on_the_list_and_a_free_one_is_not)
{
    struct fs_mutex m = {.kind = {kinds[_i]}};
    struct fs_mutex *const list[] = {&m};

    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(lock(&m), 0);
        expect_mutexes(list, 1);
        ck_assert_int_eq(unlock(&m), 0);
        expect_mutexes(NULL, 0);
    }
}
END_TEST

START_TEST(a_failed_try_leaves_the_list_alone)
{
    struct fs_mutex m = {.kind = {kinds[_i]}};
    struct fs_mutex other = {.kind = {kinds[_i]}, .word = {fs_thread_id() + 1}};
    struct fs_mutex *const list[] = {&m};

    ck_assert_int_eq(lock(&m), 0);
    ck_assert_int_eq(fs_mutex_acquire(&other, kinds[_i], FS_WAIT_NEVER, NULL), EBUSY);
    expect_mutexes(list, 1);
    ck_assert_int_eq(unlock(&m), 0);
}
END_TEST

/* The loop index is a permutation: every order of releasing four mutexes of four kinds. */
START_TEST(mutexes_leave_the_list_in_any_order)
{
    struct fs_mutex m[KINDS];
    struct fs_mutex *list[KINDS];
    int count = KINDS;
    int order = _i;

    for (int i = 0; i < KINDS; i++) {
        m[i] = (struct fs_mutex){.kind = {kinds[i]}};
        ck_assert_int_eq(lock(&m[i]), 0);
        list[KINDS - 1 - i] = &m[i];
    }
    expect_mutexes(list, count);
    while (count > 0) {
        int leaving = order % count;

        order /= count;
        ck_assert_int_eq(unlock(list[leaving]), 0);
        for (int i = leaving; i < count - 1; i++)
            list[i] = list[i + 1];
        expect_mutexes(list, --count);
    }
}
END_TEST

static void init_libc_robust(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attr;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
    ck_assert_int_eq(pthread_mutex_init(mutex, &attr), 0);
    pthread_mutexattr_destroy(&attr);
}

/* The loop index tells in which order they leave. */
START_TEST(our_mutexes_and_the_C_librarys_share_the_list)
{
    struct fs_mutex first = {.kind = {FS_KIND_ROBUST}}, last = {.kind = {kinds[2]}};
    pthread_mutex_t theirs;
    uint32_t *words[3];
    bool pi[3] = {true, true, false};

    init_libc_robust(&theirs);
    words[0] = (uint32_t *)(void *)&last.word;
    words[1] = (uint32_t *)(void *)&theirs.__data.__lock;
    words[2] = (uint32_t *)(void *)&first.word;
    ck_assert_int_eq(lock(&first), 0);
    ck_assert_int_eq(pthread_mutex_lock(&theirs), 0);
    ck_assert_int_eq(lock(&last), 0);
    expect_list(words, pi, 3);
    if (_i) {
        ck_assert_int_eq(pthread_mutex_unlock(&theirs), 0);
        words[1] = words[2];
        expect_list(words, (const bool[]){true, false}, 2);
        ck_assert_int_eq(unlock(&first), 0);
        ck_assert_int_eq(unlock(&last), 0);
    } else {
        ck_assert_int_eq(unlock(&first), 0);
        expect_list(words, pi, 2);
        ck_assert_int_eq(unlock(&last), 0);
        expect_list(words + 1, pi + 1, 1);
        ck_assert_int_eq(pthread_mutex_unlock(&theirs), 0);
    }
    expect_list(words, pi, 0);
}
END_TEST

/* ---- the bracket ---------------------------------------------------------------- */

START_TEST(a_bracket_names_the_mutex_and_clears_it)
{
    struct fs_mutex m = {.kind = {FS_KIND_ROBUST}};

    for (int pi = 0; pi < 2; pi++) {
        struct fs_robust_bracket bracket = fs_robust_begin(&m, pi);

        ck_assert_ptr_eq(unmarked(kernel_head()->list_op_pending), &m.link.next);
        ck_assert_int_eq((uintptr_t)kernel_head()->list_op_pending & 1, pi);
        fs_robust_end(bracket);
        ck_assert_ptr_null(kernel_head()->list_op_pending);
    }
}
END_TEST

START_TEST(a_bracket_inside_another_puts_back_what_it_found)
{
    struct fs_mutex outer = {.kind = {FS_KIND_ROBUST}}, inner = {.kind = {kinds[_i]}};
    struct fs_robust_bracket bracket = fs_robust_begin(&outer, false);

    ck_assert_int_eq(lock(&inner), 0);
    ck_assert_ptr_eq(kernel_head()->list_op_pending, &outer.link.next);
    ck_assert_int_eq(unlock(&inner), 0);
    ck_assert_ptr_eq(kernel_head()->list_op_pending, &outer.link.next);
    fs_robust_end(bracket);
    ck_assert_ptr_null(kernel_head()->list_op_pending);
}
END_TEST

static int die_inside_a_bracket(void *arg)
{
    struct fs_mutex *m = arg;

    fs_robust_begin(m, false);
    fs_store_relaxed(&m->word, fs_thread_id()); /* taken, not yet linked */
    return 0;
}

START_TEST(a_death_between_taking_and_linking_is_noticed)
{
    struct fs_mutex m = {.kind = {FS_KIND_ROBUST}};
    struct sleeper thread;

    sleeper_start(&thread, die_inside_a_bracket, &m);
    sleeper_join(&thread);
    ck_assert_uint_eq(fs_load_acquire(&m.word), FS_PI_OWNER_DIED);
    ck_assert_int_eq(lock(&m), EOWNERDEAD);
}
END_TEST

static int lock_with_a_foreign_list(void *arg)
{
    static struct robust_list_head foreign = {.list = {&foreign.list}, .futex_offset = 8};
    struct fs_mutex *m = arg;

    ck_assert_int_eq(syscall(SYS_set_robust_list, &foreign, sizeof foreign), 0);
    ck_assert_int_eq(lock(m), 0);
    ck_assert_ptr_eq(foreign.list.next, &foreign.list);
    ck_assert_ptr_null(foreign.list_op_pending);
    ck_assert_ptr_null(m->link.next);
    return unlock(m);
}

START_TEST(a_list_with_other_distances_is_left_alone)
{
    int dummy;
    struct fs_mutex m = {.kind = {kinds[_i]}, .link = {.next = &dummy}};
    struct sleeper thread;

    sleeper_start(&thread, lock_with_a_foreign_list, &m);
    ck_assert_int_eq(sleeper_join(&thread), 0);
    ck_assert_uint_eq(fs_load_relaxed(&m.word), 0);
}
END_TEST

/* ---- deaths ---------------------------------------------------------------------- */

static int lock_and_die(void *arg)
{
    return lock(arg);
}

static void let_the_owner_die(struct fs_mutex *m, int expected)
{
    struct sleeper thread;

    sleeper_start(&thread, lock_and_die, m);
    ck_assert_int_eq(sleeper_join(&thread), expected);
    EVENTUALLY(fs_load_acquire(&m->word) & FS_PI_OWNER_DIED);
}

START_TEST(the_next_owner_is_told_and_may_repair)
{
    struct fs_mutex m = {.kind = {kinds[_i]}};
    struct fs_mutex *const list[] = {&m};

    for (int i = 0; i < 3; i++) {
        let_the_owner_die(&m, 0);
        ck_assert_int_eq(i == 1 ? fs_mutex_acquire(&m, kinds[_i], FS_WAIT_NEVER, NULL) : lock(&m),
                         EOWNERDEAD);
        ck_assert_uint_eq(fs_load_relaxed(&m.owner), FS_OWNER_INCONSISTENT);
        expect_mutexes(list, 1);
        ck_assert_int_eq(fs_mutex_make_consistent(&m, kinds[_i]), 0);
        ck_assert_uint_eq(fs_load_relaxed(&m.owner), fs_thread_id());
        ck_assert_int_eq(unlock(&m), 0);
        ck_assert_uint_eq(fs_load_relaxed(&m.word), 0);
        ck_assert_uint_eq(m.nusers, 0);
        ck_assert_int_eq(lock(&m), 0);
        ck_assert_int_eq(unlock(&m), 0);
    }
}
END_TEST

START_TEST(a_mutex_not_repaired_is_beyond_use)
{
    struct fs_mutex m = {.kind = {kinds[_i]}};

    let_the_owner_die(&m, 0);
    ck_assert_int_eq(lock(&m), EOWNERDEAD);
    ck_assert_int_eq(unlock(&m), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(lock(&m), ENOTRECOVERABLE);
        ck_assert_int_eq(fs_mutex_acquire(&m, kinds[_i], FS_WAIT_NEVER, NULL), ENOTRECOVERABLE);
        ck_assert_uint_eq(fs_load_relaxed(&m.word), 0);
        expect_mutexes(NULL, 0);
    }
    ck_assert_int_eq(unlock(&m), EPERM);
    ck_assert_int_eq(fs_mutex_retire(&m, kinds[_i]), 0);
}
END_TEST

START_TEST(the_next_owner_may_die_as_well)
{
    struct fs_mutex m = {.kind = {kinds[_i]}};

    let_the_owner_die(&m, 0);
    let_the_owner_die(&m, EOWNERDEAD);
    ck_assert_int_eq(lock(&m), EOWNERDEAD);
    ck_assert_int_eq(fs_mutex_make_consistent(&m, kinds[_i]), 0);
    ck_assert_int_eq(unlock(&m), 0);
    ck_assert_int_eq(lock(&m), 0);
}
END_TEST

static fs_word may_die;

static int lock_and_die_later(void *arg)
{
    int err = lock(arg);

    EVENTUALLY(fs_load_acquire(&may_die));
    return err;
}

static int lock_repair_unlock(void *arg)
{
    struct fs_mutex *m = arg;
    int err = lock(m);

    if (err == EOWNERDEAD)
        ck_assert_int_eq(fs_mutex_make_consistent(m, fs_mutex_kind(m)), 0);
    ck_assert_int_eq(unlock(m), 0);
    return err;
}

START_TEST(a_death_wakes_a_sleeper_and_one_of_them_is_told)
{
    struct fs_mutex m = {.kind = {kinds[_i]}};
    struct sleeper owner, waiters[3];
    int told = 0;

    sleeper_start(&owner, lock_and_die_later, &m);
    EVENTUALLY(fs_load_acquire(&m.word) != 0);
    for (int i = 0; i < 3; i++)
        sleeper_put_to_sleep(&waiters[i], lock_repair_unlock, &m);
    fs_store_release(&may_die, 1);
    ck_assert_int_eq(sleeper_join(&owner), 0);
    for (int i = 0; i < 3; i++)
        told += sleeper_join(&waiters[i]) == EOWNERDEAD;
    ck_assert_int_eq(told, 1);
    ck_assert_uint_eq(fs_load_relaxed(&m.word), 0);
    ck_assert_uint_eq(m.nusers, 0);
}
END_TEST

static int lock_all_and_die(void *arg)
{
    struct fs_mutex *m = arg;

    for (int i = 0; i < MUTEXES; i++)
        ck_assert_int_eq(lock(&m[i]), 0);
    ck_assert_int_eq(unlock(&m[2]), 0);
    return 0;
}

START_TEST(all_mutexes_of_the_dead_are_marked_and_no_others)
{
    struct fs_mutex m[MUTEXES];
    struct sleeper thread;

    for (int i = 0; i < MUTEXES; i++)
        m[i] = (struct fs_mutex){.kind = {kinds[i % KINDS]}};
    sleeper_start(&thread, lock_all_and_die, m);
    sleeper_join(&thread);
    EVENTUALLY(fs_load_acquire(&m[0].word) & FS_PI_OWNER_DIED);
    for (int i = 0; i < MUTEXES; i++)
        ck_assert_int_eq(lock(&m[i]), i == 2 ? 0 : EOWNERDEAD);
}
END_TEST

static void setup(void)
{
    fs_settings.spin = 0;
}

int main(void)
{
    Suite *suite = suite_create("robust list");
    TCase *tests = tcase_create("robust list");

    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, our_mutex_has_its_word_where_the_list_says);
    tcase_add_loop_test(tests, a_held_robust_mutex_is_on_the_list_and_a_free_one_is_not, 0, KINDS);
    tcase_add_loop_test(tests, a_failed_try_leaves_the_list_alone, 0, KINDS);
    tcase_add_loop_test(tests, mutexes_leave_the_list_in_any_order, 0, 24);
    tcase_add_loop_test(tests, our_mutexes_and_the_C_librarys_share_the_list, 0, 2);
    tcase_add_test(tests, a_bracket_names_the_mutex_and_clears_it);
    tcase_add_loop_test(tests, a_bracket_inside_another_puts_back_what_it_found, 0, KINDS);
    tcase_add_test(tests, a_death_between_taking_and_linking_is_noticed);
    tcase_add_loop_test(tests, a_list_with_other_distances_is_left_alone, 0, KINDS);
    tcase_add_loop_test(tests, the_next_owner_is_told_and_may_repair, 0, KINDS);
    tcase_add_loop_test(tests, a_mutex_not_repaired_is_beyond_use, 0, KINDS);
    tcase_add_loop_test(tests, the_next_owner_may_die_as_well, 0, KINDS);
    tcase_add_loop_test(tests, a_death_wakes_a_sleeper_and_one_of_them_is_told, 0, KINDS);
    tcase_add_test(tests, all_mutexes_of_the_dead_are_marked_and_no_others);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

#endif
