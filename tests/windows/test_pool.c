/* SPDX-License-Identifier: MIT */
/* Where the objects of winpthreads' programs come to be ours: the pool without memory, and another
   thread that settles the same object in the moment between the look and the exchange. That moment
   is made by what stands in front of fs_pool_take (--wrap). */
#include "sleepers.h"

#include <errno.h>
#include <sys/resource.h>

#include "interpose/view_windows.h"
#include "interpose/windows_start.h"

struct fs_start_switches fs_start_switches;

static bool is_ending;

bool fs_process_is_ending(void)
{
    return is_ending;
}

static void set_memory(bool there)
{
    struct rlimit limit = {there, there};

    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
}

/* What another thread does once a slot was taken. */
static void (*rival)(void);
static union fs_pool_object *last_taken;

union fs_pool_object *__real_fs_pool_take(enum fs_pool_kind kind);
union fs_pool_object *__wrap_fs_pool_take(enum fs_pool_kind kind);

union fs_pool_object *__wrap_fs_pool_take(enum fs_pool_kind kind)
{
    union fs_pool_object *taken = __real_fs_pool_take(kind);
    void (*act)(void) = rival;

    rival = NULL;
    if (act)
        act();
    last_taken = taken;
    return taken;
}

/* The loop index is the kind. */
START_TEST(without_memory_an_object_stays_as_it_is)
{
    intptr_t object = -1;
    int err = 0;

    set_memory(false);
    ck_assert_ptr_null(fs_handle_settle(&object, (enum fs_pool_kind)_i, &err));
    ck_assert_int_eq(err, ENOMEM);
    ck_assert_int_eq(object, -1);
    set_memory(true);
    ck_assert_ptr_nonnull(fs_handle_settle(&object, (enum fs_pool_kind)_i, &err));
    ck_assert(fs_handle_is_ours((uintptr_t)object));
}
END_TEST

/* As many as a slab has, and more. */
START_TEST(without_memory_the_slots_that_are_there_are_given)
{
    int given = 0;

    ck_assert_ptr_nonnull(fs_pool_take(FS_POOL_MUTEX));
    set_memory(false);
    while (fs_pool_take(FS_POOL_MUTEX))
        given++;
    ck_assert_int_ge(given, 100);
    ck_assert_ptr_null(fs_pool_take(FS_POOL_MUTEX)); /* and the lock of the list is free */
    set_memory(true);
    ck_assert_ptr_nonnull(fs_pool_take(FS_POOL_MUTEX));
}
END_TEST

static intptr_t contested;
static union fs_pool_object *rivals_object;

static void settle_as_well(void)
{
    int err;

    rivals_object = fs_handle_settle(&contested, FS_POOL_MUTEX, &err);
}

START_TEST(of_two_threads_that_settle_one_object_both_get_the_firsts)
{
    union fs_pool_object *lost;
    int err;

    contested = -3; /* a recursive mutex */
    rival = settle_as_well;
    ck_assert_ptr_eq(fs_handle_settle(&contested, FS_POOL_MUTEX, &err), rivals_object);
    ck_assert_ptr_nonnull(rivals_object);
    ck_assert_uint_eq((uintptr_t)contested, fs_handle_to(rivals_object));
    ck_assert_uint_eq(fs_load_relaxed(&rivals_object->mutex.kind), FS_KIND_RECURSIVE);
    lost = last_taken;
    ck_assert_ptr_ne(lost, rivals_object);
    /* The slot that came too late is free again. */
    ck_assert(!fs_pool_give(FS_POOL_MUTEX, lost));
    ck_assert_ptr_eq(fs_pool_take(FS_POOL_MUTEX), lost);
}
END_TEST

static void make_it_theirs(void)
{
    contested = (intptr_t)&contested; /* even: the address of an object of winpthreads' */
}

START_TEST(an_object_that_becomes_theirs_meanwhile_is_left_to_them)
{
    int err = 0;

    contested = -1;
    rival = make_it_theirs;
    ck_assert_ptr_null(fs_handle_settle(&contested, FS_POOL_CONDITION, &err));
    ck_assert_int_eq(err, FS_HANDLE_THEIRS);
    ck_assert_int_eq(contested, (intptr_t)&contested);
    ck_assert(!fs_pool_give(FS_POOL_CONDITION, last_taken));
}
END_TEST

/* P2 and P3. */
START_TEST(a_slot_is_given_back_once_and_comes_cleared)
{
    union fs_pool_object *taken = fs_pool_take(FS_POOL_RWLOCK);

    memset(taken, 0xff, sizeof(*taken));
    ck_assert(fs_pool_give(FS_POOL_RWLOCK, taken));
    ck_assert(!fs_pool_give(FS_POOL_RWLOCK, taken));
    ck_assert_ptr_eq(fs_pool_take(FS_POOL_RWLOCK), taken);
    for (size_t i = 0; i < sizeof(*taken); i++)
        ck_assert_int_eq(((unsigned char *)taken)[i], 0);
    ck_assert_ptr_ne(fs_pool_take(FS_POOL_RWLOCK), taken);
}
END_TEST

START_TEST(of_two_threads_that_destroy_one_object_one_gives_the_slot_back)
{
    intptr_t object = -1;
    uintptr_t handle;
    int err;

    ck_assert_ptr_nonnull(fs_handle_settle(&object, FS_POOL_MUTEX, &err));
    handle = (uintptr_t)object;
    ck_assert(fs_handle_retire(&object, FS_POOL_MUTEX, handle));
    ck_assert_int_eq(object, 0);
    ck_assert(!fs_handle_retire(&object, FS_POOL_MUTEX, handle));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool");
    TCase *tests = tcase_create("pool");

    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, without_memory_an_object_stays_as_it_is, 0, FS_POOL_KINDS);
    tcase_add_test(tests, without_memory_the_slots_that_are_there_are_given);
    tcase_add_test(tests, of_two_threads_that_settle_one_object_both_get_the_firsts);
    tcase_add_test(tests, an_object_that_becomes_theirs_meanwhile_is_left_to_them);
    tcase_add_test(tests, a_slot_is_given_back_once_and_comes_cleared);
    tcase_add_test(tests, of_two_threads_that_destroy_one_object_one_gives_the_slot_back);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
