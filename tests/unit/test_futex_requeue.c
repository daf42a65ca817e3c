/* SPDX-License-Identifier: MIT */
/* Moving sleepers between words, and the wake that changes a second word first:
   who is woken, who is moved, and each answer, against the running kernel. The loop
   index of a test is the scope. */
#include "sleepers.h"

#define SLEEPERS 6

/* Where sleepers can be counted after a word has changed or they were moved: the generic backend's
   shared ones look again every few milliseconds and leave by themselves. */
#ifdef FS_TEST_GENERIC
#define COUNTED_SCOPES 1
#else
#define COUNTED_SCOPES 2
#endif

struct scene {
    fs_word from;
    fs_word to;
    enum fs_scope scope;
    struct sleeper sleepers[SLEEPERS];
};

static int sleep_on_from(void *arg)
{
    struct scene *scene = arg;

    return fs_futex_wait(&scene->from, 0, NULL, scene->scope);
}

static void put_all_to_sleep(struct scene *scene, int index)
{
    *scene = (struct scene){.scope = (enum fs_scope)index};
    for (int i = 0; i < SLEEPERS; i++)
        sleeper_put_to_sleep(&scene->sleepers[i], sleep_on_from, scene);
}

/* Checks where the sleepers are by waking them. */
static void expect_asleep(struct scene *scene, int from, int to)
{
    ck_assert_int_eq(fs_futex_wake(&scene->from, FS_WAKE_ALL, scene->scope), from);
    ck_assert_int_eq(fs_futex_wake(&scene->to, FS_WAKE_ALL, scene->scope), to);
    for (int i = 0; i < SLEEPERS; i++)
        ck_assert_int_eq(sleeper_join(&scene->sleepers[i]), 0);
}

START_TEST(requeue_wakes_and_moves_as_many_as_asked)
{
    struct scene s;
    int affected = -1;

    put_all_to_sleep(&s, _i);
    ck_assert_int_eq(QUIET(fs_futex_requeue(&s.from, &s.to, 1, 2, s.scope, &affected)), 0);
    ck_assert_int_eq(affected, 3);
    expect_asleep(&s, 3, 2);
}
END_TEST

START_TEST(requeue_of_nobody_wakes_nobody)
{
    struct scene s;
    int affected = -1;

    put_all_to_sleep(&s, _i);
    ck_assert_int_eq(fs_futex_requeue(&s.from, &s.to, 0, 0, s.scope, &affected), 0);
    ck_assert_int_eq(affected, 0);
    ck_assert_int_eq(fs_futex_cmp_requeue(&s.to, &s.from, 0, 1, 1, s.scope, &affected), 0);
    ck_assert_int_eq(affected, 0);
    expect_asleep(&s, SLEEPERS, 0);
}
END_TEST

START_TEST(cmp_requeue_wakes_and_moves_as_many_as_asked)
{
    struct scene s;
    int affected = -1;

    put_all_to_sleep(&s, _i);
    fs_store_relaxed(&s.from, 5);
    ck_assert_int_eq(QUIET(fs_futex_cmp_requeue(&s.from, &s.to, 5, 2, 1, s.scope, &affected)), 0);
    ck_assert_int_eq(affected, 3);
    expect_asleep(&s, 3, 1);
}
END_TEST

START_TEST(cmp_requeue_moves_all_without_waking)
{
    struct scene s;
    int affected = -1;

    put_all_to_sleep(&s, _i);
    ck_assert_int_eq(fs_futex_cmp_requeue(&s.from, &s.to, 0, 0, FS_WAKE_ALL, s.scope, &affected),
                     0);
    ck_assert_int_eq(affected, SLEEPERS);
    expect_asleep(&s, 0, SLEEPERS);
}
END_TEST

START_TEST(cmp_requeue_of_a_changed_word_gives_EAGAIN)
{
    struct scene s;
    int affected = -1;

    put_all_to_sleep(&s, _i);
    fs_store_relaxed(&s.from, 1);
    ck_assert_int_eq(QUIET(fs_futex_cmp_requeue(&s.from, &s.to, 0, 1, 1, s.scope, &affected)),
                     EAGAIN);
    ck_assert_int_eq(affected, -1);
    expect_asleep(&s, SLEEPERS, 0);
}
END_TEST

START_TEST(requeue_to_unmapped_memory_gives_EFAULT)
{
    fs_word w = {0};
    fs_word *gone = unmapped_word();

    SKIP_IF_GENERIC("requeue_to_unmapped_memory_gives_EFAULT", NO_EFAULT);
    ck_assert_int_eq(QUIET(fs_futex_cmp_requeue(gone, &w, 0, 1, 1, (enum fs_scope)_i, NULL)),
                     EFAULT);
    ck_assert_int_eq(QUIET(fs_futex_cmp_requeue(&w, gone, 0, 1, 1, FS_SCOPE_SHARED, NULL)), EFAULT);
    ck_assert_int_eq(QUIET(fs_futex_requeue(gone, &w, 1, 1, FS_SCOPE_SHARED, NULL)), EFAULT);
}
END_TEST

START_TEST(requeue_with_a_negative_count_gives_EINVAL)
{
    fs_word from = {0}, to = {0};

    ck_assert_int_eq(QUIET(fs_futex_requeue(&from, &to, -1, 1, (enum fs_scope)_i, NULL)), EINVAL);
    ck_assert_int_eq(QUIET(fs_futex_requeue(&from, &to, 1, -1, (enum fs_scope)_i, NULL)), EINVAL);
    ck_assert_int_eq(QUIET(fs_futex_cmp_requeue(&from, &to, 0, -1, 1, (enum fs_scope)_i, NULL)),
                     EINVAL);
}
END_TEST

struct operation {
    enum fs_futex_op op;
    bool shift;
    int32_t arg;
    uint32_t before;
    uint32_t after;
};

static const struct operation operations[] = {
    {FS_OP_SET, false, 5, 9, 5},
    {FS_OP_SET, false, -3, 9, 0xfffffffdu},
    {FS_OP_SET, false, 2047, 0, 2047},
    {FS_OP_SET, false, -2048, 0, 0xfffff800u},
    {FS_OP_ADD, false, 3, 4, 7},
    {FS_OP_ADD, false, -1, 0, 0xffffffffu},
    {FS_OP_OR, false, 0x50, 0x0f, 0x5f},
    {FS_OP_ANDN, false, 0x3, 0xf, 0xc},
    {FS_OP_XOR, false, 0x6, 0x3, 0x5},
    {FS_OP_SET, true, 0, 9, 1},
    {FS_OP_SET, true, 31, 9, 0x80000000u},
    {FS_OP_ADD, true, 4, 1, 17},
    {FS_OP_OR, true, 20, 1, 0x100001u},
    {FS_OP_ANDN, true, 31, 0x80000001u, 1},
    {FS_OP_XOR, true, 1, 2, 0},
};

START_TEST(wake_op_changes_the_second_word)
{
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        const struct operation *o = &operations[i];
        struct fs_futex_wake_op op = {o->op, o->shift, o->arg, FS_CMP_EQ, 0};
        fs_word first = {0}, second = {o->before};
        int woken = -1;

        ck_assert_int_eq(
            QUIET(fs_futex_wake_op(&first, &second, 1, 1, &op, (enum fs_scope)_i, &woken)), 0);
        ck_assert_int_eq(woken, 0);
        ck_assert_msg(fs_load_relaxed(&second) == o->after, "row %zu: %#x is not %#x", i,
                      fs_load_relaxed(&second), o->after);
    }
}
END_TEST

static bool holds(enum fs_futex_cmp cmp, int32_t old, int32_t arg)
{
    switch (cmp) {
    case FS_CMP_EQ:
        return old == arg;
    case FS_CMP_NE:
        return old != arg;
    case FS_CMP_LT:
        return old < arg;
    case FS_CMP_LE:
        return old <= arg;
    case FS_CMP_GT:
        return old > arg;
    case FS_CMP_GE:
        return old >= arg;
    }
    return false;
}

struct waiting {
    fs_word word;
    uint32_t expected;
    enum fs_scope scope;
};

static int wait_for(void *arg)
{
    struct waiting *w = arg;

    return fs_futex_wait(&w->word, w->expected, NULL, w->scope);
}

/* A sleeper on the second word, whose old value is arg + distance. */
static void check_comparison(enum fs_futex_cmp cmp, int32_t arg, int32_t distance,
                             enum fs_scope scope)
{
    struct fs_futex_wake_op op = {FS_OP_ADD, false, 0, cmp, arg};
    struct waiting second = {{(uint32_t)(arg + distance)}, (uint32_t)(arg + distance), scope};
    bool expected = holds(cmp, arg + distance, arg);
    fs_word first = {0};
    struct sleeper s;
    int woken = -1;

    sleeper_put_to_sleep(&s, wait_for, &second);
    ck_assert_int_eq(fs_futex_wake_op(&first, &second.word, 1, 1, &op, scope, &woken), 0);
    ck_assert_msg(woken == (expected ? 1 : 0), "comparison %d of %d with %d woke %d", (int)cmp,
                  arg + distance, arg, woken);
    if (!expected)
        ck_assert_int_eq(fs_futex_wake(&second.word, 1, scope), 1);
    ck_assert_int_eq(sleeper_join(&s), 0);
}

START_TEST(wake_op_compares_what_the_second_word_held)
{
    static const int32_t args[] = {0, 7, -2048, 2047};

    for (int cmp = FS_CMP_EQ; cmp <= FS_CMP_GE; cmp++)
        for (int i = 0; i < 4; i++)
            for (int distance = -1; distance <= 1; distance++)
                check_comparison((enum fs_futex_cmp)cmp, args[i], distance, (enum fs_scope)_i);
}
END_TEST

START_TEST(wake_op_keeps_to_both_counts)
{
    struct fs_futex_wake_op op = {FS_OP_SET, false, 3, FS_CMP_EQ, 1};
    struct waiting first = {{0}, 0, (enum fs_scope)_i};
    struct waiting second = {{1}, 1, (enum fs_scope)_i};
    struct sleeper a[3], b[3];
    int woken = -1;

    for (int i = 0; i < 3; i++) {
        sleeper_put_to_sleep(&a[i], wait_for, &first);
        sleeper_put_to_sleep(&b[i], wait_for, &second);
    }
    ck_assert_int_eq(fs_futex_wake_op(&first.word, &second.word, 1, 2, &op, first.scope, &woken),
                     0);
    ck_assert_int_eq(woken, 3);
    ck_assert_int_eq(fs_futex_wake(&first.word, FS_WAKE_ALL, first.scope), 2);
    ck_assert_int_eq(fs_futex_wake(&second.word, FS_WAKE_ALL, first.scope), 1);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(sleeper_join(&a[i]), 0);
        ck_assert_int_eq(sleeper_join(&b[i]), 0);
    }
}
END_TEST

START_TEST(wake_op_with_an_argument_out_of_range_gives_EINVAL)
{
    static const struct fs_futex_wake_op bad[] = {
        {(enum fs_futex_op)5, false, 0, FS_CMP_EQ, 0},
        {FS_OP_SET, false, 2048, FS_CMP_EQ, 0},
        {FS_OP_SET, false, -2049, FS_CMP_EQ, 0},
        {FS_OP_SET, true, 32, FS_CMP_EQ, 0},
        {FS_OP_SET, true, -1, FS_CMP_EQ, 0},
        {FS_OP_SET, false, 0, (enum fs_futex_cmp)6, 0},
        {FS_OP_SET, false, 0, FS_CMP_EQ, 2048},
        {FS_OP_SET, false, 0, FS_CMP_EQ, -2049},
    };
    static const struct fs_futex_wake_op good = {FS_OP_SET, false, 1, FS_CMP_EQ, 0};
    fs_word first = {0}, second = {42};
    enum fs_scope scope = (enum fs_scope)_i;

    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(QUIET(fs_futex_wake_op(&first, &second, 1, 1, &bad[i], scope, NULL)),
                         EINVAL);
    ck_assert_int_eq(QUIET(fs_futex_wake_op(&first, &second, 0, 1, &good, scope, NULL)), EINVAL);
    ck_assert_int_eq(QUIET(fs_futex_wake_op(&first, &second, 1, 0, &good, scope, NULL)), EINVAL);
    ck_assert_uint_eq(fs_load_relaxed(&second), 42);
}
END_TEST

START_TEST(wake_op_on_unmapped_memory_gives_EFAULT)
{
    static const struct fs_futex_wake_op op = {FS_OP_SET, false, 1, FS_CMP_EQ, 0};
    fs_word first = {0};

    SKIP_IF_GENERIC("wake_op_on_unmapped_memory_gives_EFAULT", NO_EFAULT);
    ck_assert_int_eq(
        QUIET(fs_futex_wake_op(&first, unmapped_word(), 1, 1, &op, (enum fs_scope)_i, NULL)),
        EFAULT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("futex: requeue and wake-op");
    TCase *scopes = tcase_create("both scopes");

    tcase_set_timeout(scopes, 60);
    tcase_add_loop_test(scopes, requeue_wakes_and_moves_as_many_as_asked, 0, COUNTED_SCOPES);
    tcase_add_loop_test(scopes, requeue_of_nobody_wakes_nobody, 0, 2);
    tcase_add_loop_test(scopes, cmp_requeue_wakes_and_moves_as_many_as_asked, 0, COUNTED_SCOPES);
    tcase_add_loop_test(scopes, cmp_requeue_moves_all_without_waking, 0, COUNTED_SCOPES);
    tcase_add_loop_test(scopes, cmp_requeue_of_a_changed_word_gives_EAGAIN, 0, 2);
    tcase_add_loop_test(scopes, requeue_to_unmapped_memory_gives_EFAULT, 0, 2);
    tcase_add_loop_test(scopes, requeue_with_a_negative_count_gives_EINVAL, 0, 2);
    tcase_add_loop_test(scopes, wake_op_changes_the_second_word, 0, COUNTED_SCOPES);
    tcase_add_loop_test(scopes, wake_op_compares_what_the_second_word_held, 0, COUNTED_SCOPES);
    tcase_add_loop_test(scopes, wake_op_keeps_to_both_counts, 0, COUNTED_SCOPES);
    tcase_add_loop_test(scopes, wake_op_with_an_argument_out_of_range_gives_EINVAL, 0, 2);
    tcase_add_loop_test(scopes, wake_op_on_unmapped_memory_gives_EFAULT, 0, 2);
    suite_add_tcase(suite, scopes);
    return run_suite(suite);
}
