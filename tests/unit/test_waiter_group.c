/* SPDX-License-Identifier: MIT */
/* Where waiters live: slots, groups and buckets without any waiting. */
#include "sleepers.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lock/waiter_group.h"

#define PLAIN FS_TABLE_PLAIN
#define SPREAD 4096

static int conditions[SPREAD]; /* only their addresses matter */
static fs_word mutex;
static fs_word other_mutex;

#define C(i) ((const void *)&conditions[(i)*2])

static struct fs_bucket *bucket_of(const void *condition)
{
    struct fs_bucket *bucket = fs_bucket_of(condition, PLAIN);

    ck_assert_ptr_nonnull(bucket);
    return bucket;
}

static struct fs_slot *join(const void *condition)
{
    struct fs_slot *slot =
        fs_bucket_join(bucket_of(condition), condition, &mutex, FS_MOVE_BY_OWNER, NULL);

    ck_assert_ptr_nonnull(slot);
    return slot;
}

static void quit(struct fs_slot *slot)
{
    fs_slot_unlink(slot);
    fs_slot_leave(slot);
}

static unsigned groups_in(const struct fs_bucket *bucket)
{
    unsigned count = 0;

    for (const struct fs_group *group = bucket->groups; group; group = group->next)
        count++;
    return count;
}

/* Another condition variable of C(0)'s bucket. */
static const void *collision(void)
{
    for (int i = 1; i < SPREAD / 2; i++)
        if (bucket_of(C(i)) == bucket_of(C(0)))
            return C(i);
    ck_abort_msg("no two of %d addresses share a bucket", SPREAD / 2);
}

START_TEST(who_joins_waits_in_the_group_of_its_condition_variable_and_mutex)
{
    struct fs_slot *slot = join(C(0));
    struct fs_group *group = slot->group;

    ck_assert_uint_eq(fs_load_relaxed(&slot->state), FS_SLOT_WAITING);
    ck_assert_ptr_eq(group->condition, C(0));
    ck_assert_ptr_eq(group->mutex, &mutex);
    ck_assert_int_eq(group->move, FS_MOVE_BY_OWNER);
    ck_assert_ptr_eq(group->bucket, bucket_of(C(0)));
    ck_assert_ptr_eq(group->first, slot);
    ck_assert_ptr_eq(group->last, slot);
    ck_assert_uint_eq(fs_load_relaxed(&group->used), slot->bit);
    ck_assert_ptr_eq(fs_bucket_first(bucket_of(C(0)), C(0)), slot);
}
END_TEST

START_TEST(who_leaves_makes_room_for_the_next)
{
    struct fs_slot *slot = join(C(0));
    struct fs_slot *second = join(C(0));

    quit(slot);
    ck_assert_ptr_null(fs_load_pointer_relaxed(&slot->thread));
    ck_assert_uint_eq(fs_load_relaxed(&second->group->used), second->bit);
    ck_assert_ptr_eq(join(C(0)), slot);
    ck_assert_ptr_eq(fs_bucket_first(bucket_of(C(0)), C(0)), second); /* by arrival, not place */
}
END_TEST

START_TEST(a_group_has_31_members_and_the_next_gets_another)
{
    struct fs_slot *slots[FS_GROUP_SLOTS];
    struct fs_slot *next;
    uint32_t bits = 0;

    for (unsigned i = 0; i < FS_GROUP_SLOTS; i++) {
        slots[i] = join(C(0));
        ck_assert_ptr_eq(slots[i]->group, slots[0]->group);
        ck_assert_uint_eq(bits & slots[i]->bit, 0);
        ck_assert_uint_eq(slots[i]->bit & FS_GROUP_HELD, 0);
        bits |= slots[i]->bit;
    }
    ck_assert_uint_eq(bits, FS_GROUP_ALL_SLOTS);
    next = join(C(0));
    ck_assert_ptr_ne(next->group, slots[0]->group);
    quit(slots[7]);
    ck_assert_ptr_null(fs_bucket_first(bucket_of(C(0)), C(1)));
    for (unsigned i = 0; i < FS_GROUP_SLOTS; i++) { /* over both groups, by arrival */
        if (i == 7)
            continue;
        ck_assert_ptr_eq(fs_bucket_first(bucket_of(C(0)), C(0)), slots[i]);
        quit(slots[i]);
    }
    ck_assert_ptr_eq(fs_bucket_first(bucket_of(C(0)), C(0)), next);
}
END_TEST

START_TEST(another_mutex_or_another_way_to_move_is_another_group)
{
    struct fs_bucket *bucket = bucket_of(C(0));
    struct fs_slot *a = join(C(0));
    struct fs_slot *b = fs_bucket_join(bucket, C(0), &other_mutex, FS_MOVE_BY_OWNER, NULL);
    struct fs_slot *c = fs_bucket_join(bucket, C(0), &mutex, FS_MOVE_NEVER, NULL);
    struct fs_slot *d = fs_bucket_join(bucket, C(0), &other_mutex, FS_MOVE_BY_OWNER, NULL);

    ck_assert(a->group != b->group && a->group != c->group && b->group != c->group);
    ck_assert_ptr_eq(b->group, d->group);
    ck_assert_ptr_eq(fs_bucket_first(bucket, C(0)), a);
    quit(a);
    ck_assert_ptr_eq(fs_bucket_first(bucket, C(0)), b);
    quit(b);
    ck_assert_ptr_eq(fs_bucket_first(bucket, C(0)), c);
    quit(c);
    ck_assert_ptr_eq(fs_bucket_first(bucket, C(0)), d);
}
END_TEST

START_TEST(condition_variables_of_one_bucket_are_kept_apart)
{
    const void *other = collision();
    struct fs_slot *a = join(C(0)), *b = join(other), *c = join(C(0));

    ck_assert_ptr_ne(a->group, b->group);
    ck_assert_ptr_eq(a->group, c->group);
    ck_assert_ptr_eq(fs_bucket_first(bucket_of(other), other), b);
    quit(a);
    ck_assert_ptr_eq(fs_bucket_first(bucket_of(C(0)), C(0)), c);
    quit(c);
    ck_assert_ptr_null(fs_bucket_first(bucket_of(C(0)), C(0)));
    ck_assert_ptr_eq(fs_bucket_first(bucket_of(other), other), b);
}
END_TEST

START_TEST(the_highest_priority_comes_first_and_equals_by_arrival)
{
    static const uint32_t priorities[] = {0, 5, 0, 9, 5, 9, 1};
    static const int order[] = {3, 5, 1, 4, 6, 0, 2};
    struct fs_slot *slots[7];

    for (int i = 0; i < 7; i++) { /* half of them in a group of its own */
        slots[i] = fs_bucket_join(bucket_of(C(0)), C(0), i % 2 ? &mutex : &other_mutex,
                                  FS_MOVE_NEVER, NULL);
        fs_slot_set_priority(slots[i], priorities[i]);
    }
    for (int i = 0; i < 7; i++) {
        ck_assert_ptr_eq(fs_bucket_first(bucket_of(C(0)), C(0)), slots[order[i]]);
        quit(slots[order[i]]);
    }
    ck_assert_ptr_null(fs_bucket_first(bucket_of(C(0)), C(0)));
}
END_TEST

START_TEST(a_late_priority_moves_a_waiter_to_the_front_of_its_likes)
{
    struct fs_slot *a = join(C(0)), *b = join(C(0)), *c = join(C(0));

    fs_slot_set_priority(c, 3);
    fs_slot_set_priority(b, 3);
    ck_assert_ptr_eq(a->group->first, c);
    ck_assert_ptr_eq(c->next, b);
    ck_assert_ptr_eq(b->next, a);
    ck_assert_ptr_eq(a->group->last, a);
    ck_assert_ptr_eq(a->previous, b);
}
END_TEST

START_TEST(a_closed_group_takes_nobody_until_all_have_left)
{
    struct fs_slot *a = join(C(0)), *b = join(C(0)), *late;
    struct fs_group *group = a->group;
    uint32_t word = fs_load_relaxed(&group->word);

    group->closed = true;
    fs_store_relaxed(&group->moved, 1);
    fs_store_relaxed(&group->pending, 1);
    quit(a);
    late = join(C(0));
    ck_assert_ptr_ne(late->group, group);
    quit(b);
    quit(late);
    late->group->closed = true;
    late = fs_bucket_join(bucket_of(C(0)), C(0), &other_mutex, FS_MOVE_NEVER, NULL);
    if (late->group != group) { /* either of the two is free now: take this one as well */
        fs_slot_unlink(late);
        late = fs_bucket_join(bucket_of(C(0)), C(0), &mutex, FS_MOVE_NEVER, NULL);
    }
    ck_assert_ptr_eq(late->group, group);
    ck_assert(!group->closed);
    ck_assert_uint_eq(fs_load_relaxed(&group->moved), 0);
    ck_assert_uint_eq(fs_load_relaxed(&group->pending), 0);
    ck_assert_uint_ne(fs_load_relaxed(&group->word), word);
    ck_assert_uint_eq(groups_in(group->bucket), 2);
}
END_TEST

START_TEST(a_group_that_a_broadcaster_holds_is_not_used_again)
{
    struct fs_slot *slot = join(C(0));
    struct fs_group *group = slot->group;

    group->closed = true;
    fs_or_relaxed(&group->used, FS_GROUP_HELD);
    quit(slot);
    slot = join(C(0));
    ck_assert_ptr_ne(slot->group, group);
    ck_assert_ptr_eq(group->condition, C(0));
    fs_and_release(&group->used, ~FS_GROUP_HELD);
    slot = fs_bucket_join(bucket_of(C(0)), C(0), &other_mutex, FS_MOVE_NEVER, NULL);
    ck_assert_ptr_eq(slot->group, group);
}
END_TEST

START_TEST(a_million_joins_in_turn_need_one_group)
{
    struct fs_slot *slot = join(C(0));
    struct fs_group *group = slot->group;

    quit(slot);
    for (int i = 0; i < 1000000; i++) {
        fs_word *which = i & 1 ? &mutex : &other_mutex;

        slot = fs_bucket_join(group->bucket, C(0), which, FS_MOVE_BY_OWNER, NULL);
        ck_assert_ptr_eq(slot->group, group);
        group->closed = i & 2;
        quit(slot);
    }
    ck_assert_uint_eq(groups_in(group->bucket), 1);
}
END_TEST

START_TEST(condition_variables_in_turn_need_one_group_per_bucket)
{
    for (int round = 0; round < 20; round++)
        for (int i = 0; i < SPREAD / 2; i++)
            quit(join(C(i)));
    for (int i = 0; i < SPREAD / 2; i++)
        ck_assert_uint_eq(groups_in(bucket_of(C(i))), 1);
}
END_TEST

START_TEST(more_groups_than_a_chunk_has_are_had)
{
    enum { MANY = 32 * FS_GROUP_SLOTS * 2 + 1 };
    static struct fs_slot *slots[MANY];

    for (int i = 0; i < MANY; i++)
        slots[i] = join(C(0));
    ck_assert_uint_eq(groups_in(bucket_of(C(0))), 65);
    for (int i = 0; i < MANY; i++) {
        ck_assert_ptr_eq(fs_bucket_first(bucket_of(C(0)), C(0)), slots[i]);
        quit(slots[i]);
    }
    ck_assert_uint_eq(groups_in(bucket_of(C(0))), 65);
}
END_TEST

/* ---- the table ------------------------------------------------------------------- */

static unsigned visited[2];

static void count_visit(struct fs_slot *slot, const void *thread, enum fs_table_kind kind)
{
    ck_assert_ptr_eq(fs_load_pointer_relaxed(&slot->thread), thread);
    visited[kind]++;
}

START_TEST(a_threads_slots_are_found_in_both_tables)
{
    int me = 0, you = 0;
    struct fs_slot *left;

    fs_groups_visit_thread(&me, count_visit); /* before there is a table */
    for (int i = 0; i < 40; i++)
        fs_bucket_join(bucket_of(C(i)), C(i), &mutex, FS_MOVE_NEVER, i % 4 ? &you : &me);
    left = fs_bucket_join(bucket_of(C(0)), C(0), &mutex, FS_MOVE_NEVER, &me);
    quit(left);
    for (int i = 0; i < 3; i++)
        fs_bucket_join(fs_bucket_of(C(i), FS_TABLE_PI), C(i), &mutex, FS_MOVE_NEVER, &me);
    fs_groups_visit_thread(&me, count_visit);
    ck_assert_uint_eq(visited[FS_TABLE_PLAIN], 10);
    ck_assert_uint_eq(visited[FS_TABLE_PI], 3);
}
END_TEST

START_TEST(the_bucket_lock_of_a_PI_table_names_its_holder)
{
    struct fs_bucket *plain = bucket_of(C(0));
    struct fs_bucket *pi = fs_bucket_of(C(0), FS_TABLE_PI);

    ck_assert_ptr_ne(plain, pi);
    fs_bucket_lock(plain, FS_TABLE_PLAIN);
    fs_bucket_lock(pi, FS_TABLE_PI);
    ck_assert_uint_eq(fs_load_relaxed(&plain->lock), FS_LOCK_LOCKED);
    ck_assert_uint_eq(fs_load_relaxed(&pi->lock), fs_thread_id());
    fs_bucket_unlock(pi, FS_TABLE_PI);
    fs_bucket_unlock(plain, FS_TABLE_PLAIN);
    ck_assert_uint_eq(fs_load_relaxed(&plain->lock) | fs_load_relaxed(&pi->lock), 0);
}
END_TEST

static int look_as_a_child(struct fs_slot *slot)
{
    struct fs_bucket *bucket = fs_bucket_of(C(0), PLAIN);

    fs_groups_reset(); /* where the system wipes nothing */
    if (fs_load_relaxed(&slot->state) != FS_SLOT_FREE)
        return 1;
    if (bucket->groups || fs_load_relaxed(&bucket->lock) != 0)
        return 2;
    fs_bucket_lock(bucket, PLAIN);
    slot = fs_bucket_join(bucket, C(0), &mutex, FS_MOVE_NEVER, NULL);
    if (!slot || fs_bucket_first(bucket, C(0)) != slot)
        return 3;
    fs_bucket_unlock(bucket, PLAIN);
    return fs_bucket_of(C(0), PLAIN) == bucket ? 0 : 4;
}

START_TEST(a_fork_child_finds_no_waiters_and_no_lock_held)
{
    struct fs_slot *slot = join(C(0));
    int status;
    pid_t child;

    fs_bucket_lock(bucket_of(C(0)), PLAIN);
    child = fork();
    if (child == 0)
        _exit(look_as_a_child(slot));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_uint_eq(fs_load_relaxed(&slot->state), FS_SLOT_WAITING);
    ck_assert_ptr_eq(fs_bucket_first(bucket_of(C(0)), C(0)), slot);
}
END_TEST

static void allow_memory(bool allow)
{
    struct rlimit limit;

    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = allow ? limit.rlim_max : 0;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
}

START_TEST(without_memory_there_is_no_bucket_and_no_slot)
{
    struct fs_bucket *bucket;
    struct fs_slot *slot;

    allow_memory(false);
    bucket = fs_bucket_of(C(0), PLAIN);
    allow_memory(true);
    ck_assert_ptr_null(bucket);
    bucket = bucket_of(C(0));
    allow_memory(false);
    slot = fs_bucket_join(bucket, C(0), &mutex, FS_MOVE_NEVER, NULL);
    allow_memory(true);
    ck_assert_ptr_null(slot);
    ck_assert_ptr_null(fs_bucket_first(bucket, C(0)));
    join(C(0));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("waiter group");
    TCase *tests = tcase_create("waiter group");

    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, who_joins_waits_in_the_group_of_its_condition_variable_and_mutex);
    tcase_add_test(tests, who_leaves_makes_room_for_the_next);
    tcase_add_test(tests, a_group_has_31_members_and_the_next_gets_another);
    tcase_add_test(tests, another_mutex_or_another_way_to_move_is_another_group);
    tcase_add_test(tests, condition_variables_of_one_bucket_are_kept_apart);
    tcase_add_test(tests, the_highest_priority_comes_first_and_equals_by_arrival);
    tcase_add_test(tests, a_late_priority_moves_a_waiter_to_the_front_of_its_likes);
    tcase_add_test(tests, a_closed_group_takes_nobody_until_all_have_left);
    tcase_add_test(tests, a_group_that_a_broadcaster_holds_is_not_used_again);
    tcase_add_test(tests, a_million_joins_in_turn_need_one_group);
    tcase_add_test(tests, condition_variables_in_turn_need_one_group_per_bucket);
    tcase_add_test(tests, more_groups_than_a_chunk_has_are_had);
    tcase_add_test(tests, a_threads_slots_are_found_in_both_tables);
    tcase_add_test(tests, the_bucket_lock_of_a_PI_table_names_its_holder);
    tcase_add_test(tests, a_fork_child_finds_no_waiters_and_no_lock_held);
    tcase_add_test(tests, without_memory_there_is_no_bucket_and_no_slot);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
