/* SPDX-License-Identifier: MIT */
/*
 * What each kind of mutex does when all goes well, however it was initialised: by attribute, by
 * static initialiser, by zeroed memory, by a copy; through every exported name. Errors, deadlines,
 * contention, robustness and priorities have programs of their own.
 */
#include "conform.h"

#include "mutex_kinds.h"
#ifdef __GLIBC__
#include "symbols_generated.h"
#endif

#include <dlfcn.h>
#include <limits.h>

/* Where the depth of a recursive mutex lies, and its first and last value. */
#ifdef __GLIBC__
#define DEPTH(m) (m).__data.__count
enum { FIRST_DEPTH = 1 };
#define LAST_DEPTH UINT_MAX
#else /* of musl, whose shared mutexes are its own */
#define DEPTH(m) (m).__u.__i[5]
enum { FIRST_DEPTH = 0 };
#define LAST_DEPTH INT_MAX
#endif

enum { NORMAL = PTHREAD_MUTEX_NORMAL, RECURSIVE = PTHREAD_MUTEX_RECURSIVE };
enum { ERRORCHECK = PTHREAD_MUTEX_ERRORCHECK, ADAPTIVE = PTHREAD_MUTEX_ADAPTIVE_NP };

static void *trylock_is_busy(void *mutex)
{
    EXPECT(pthread_mutex_trylock(mutex), EBUSY);
    return NULL;
}

static void *lock_and_unlock(void *mutex)
{
    OK(pthread_mutex_lock(mutex));
    OK(pthread_mutex_unlock(mutex));
    return NULL;
}

static void every_lock_call_takes_it(pthread_mutex_t *m)
{
    struct timespec real = deadline_in_ms(CLOCK_REALTIME, 60000);
    struct timespec mono = deadline_in_ms(CLOCK_MONOTONIC, 60000);
    OK(pthread_mutex_lock(m));
    OK(pthread_mutex_unlock(m));
    OK(pthread_mutex_trylock(m));
    OK(pthread_mutex_unlock(m));
    OK(pthread_mutex_timedlock(m, &real));
    OK(pthread_mutex_unlock(m));
    OK(pthread_mutex_clocklock(m, CLOCK_REALTIME, &real));
    OK(pthread_mutex_unlock(m));
    OK(pthread_mutex_clocklock(m, CLOCK_MONOTONIC, &mono));
    in_thread(trylock_is_busy, m);
    OK(pthread_mutex_unlock(m));
    in_thread(lock_and_unlock, m);
}

/* Relocks as the type prescribes: own_trylock is what a trylock of one's own errorcheck gives. */
static void behaves_as_type(pthread_mutex_t *m, int type, int own_trylock)
{
    every_lock_call_takes_it(m);
    OK(pthread_mutex_lock(m));
    if (type == RECURSIVE) {
        OK(pthread_mutex_lock(m));
        OK(pthread_mutex_trylock(m));
        OK(pthread_mutex_unlock(m));
        OK(pthread_mutex_unlock(m));
    } else if (type == ERRORCHECK) {
        EXPECT(pthread_mutex_lock(m), EDEADLK);
        EXPECT(pthread_mutex_trylock(m), own_trylock);
    } else {
        EXPECT(pthread_mutex_trylock(m), EBUSY);
    }
    in_thread(trylock_is_busy, m);
    OK(pthread_mutex_unlock(m));
    in_thread(lock_and_unlock, m);
    if (type == RECURSIVE || type == ERRORCHECK)
        EXPECT(pthread_mutex_unlock(m), EPERM);
    OK(pthread_mutex_destroy(m));
}

START_TEST(a_kind_set_by_attribute_behaves_as_its_type)
{
    const struct mutex_kind *kind = &mutex_kinds[_i];
    pthread_mutex_t m;
    memset(&m, 0x5a, sizeof m);
    make_mutex(&m, kind);
    behaves_as_type(&m, kind->type, own_trylock_error(kind));
}
END_TEST

static pthread_mutex_t zeroed_static;
static pthread_mutex_t static_normal = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t static_recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_mutex_t static_errorcheck = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static pthread_mutex_t static_adaptive = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;

START_TEST(a_static_initialiser_gives_the_type_it_names)
{
    behaves_as_type(&static_normal, NORMAL, EBUSY);
    behaves_as_type(&static_recursive, RECURSIVE, EBUSY);
    behaves_as_type(&static_errorcheck, ERRORCHECK, EBUSY);
    behaves_as_type(&static_adaptive, ADAPTIVE, EBUSY);
}
END_TEST

START_TEST(zeroed_memory_is_a_free_normal_mutex)
{
    pthread_mutex_t *heap = calloc(1, sizeof *heap);
    ck_assert_ptr_nonnull(heap);
    behaves_as_type(&zeroed_static, NORMAL, EBUSY);
    behaves_as_type(heap, NORMAL, EBUSY);
    behaves_as_type(shared_memory(sizeof *heap), NORMAL, EBUSY);
    free(heap);
}
END_TEST

START_TEST(no_attribute_and_the_default_type_mean_normal)
{
    static const struct mutex_kind plain = {"default", PTHREAD_MUTEX_DEFAULT, PTHREAD_PRIO_NONE,
                                            PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE};
    pthread_mutex_t m;
    OK(pthread_mutex_init(&m, NULL));
    behaves_as_type(&m, NORMAL, EBUSY);
    make_mutex(&m, &plain);
    behaves_as_type(&m, NORMAL, EBUSY);
}
END_TEST

START_TEST(a_destroyed_mutex_may_become_another_kind)
{
    pthread_mutex_t m;
    for (int next = 0; next < MUTEX_PP_KINDS_BEGIN; next++) {
        make_mutex(&m, &mutex_kinds[next]);
        OK(pthread_mutex_lock(&m));
        OK(pthread_mutex_unlock(&m));
        OK(pthread_mutex_destroy(&m));
        make_mutex(&m, &mutex_kinds[_i]);
        OK(pthread_mutex_lock(&m));
        in_thread(trylock_is_busy, &m);
        OK(pthread_mutex_unlock(&m));
        OK(pthread_mutex_destroy(&m));
    }
}
END_TEST

START_TEST(a_byte_copy_of_a_free_mutex_is_another_free_mutex)
{
    const struct mutex_kind *kind = &mutex_kinds[_i];
    pthread_mutex_t first, copy;
    make_mutex(&first, kind);
    OK(pthread_mutex_lock(&first));
    OK(pthread_mutex_unlock(&first));
    memcpy(&copy, &first, sizeof copy);
    OK(pthread_mutex_lock(&first));
    OK(pthread_mutex_lock(&copy));
    OK(pthread_mutex_unlock(&first));
    in_thread(lock_and_unlock, &first);
    in_thread(trylock_is_busy, &copy);
    OK(pthread_mutex_unlock(&copy));
    in_thread(lock_and_unlock, &copy);
}
END_TEST

START_TEST(a_recursive_mutex_counts_to_100000_and_back)
{
    const struct mutex_kind *kind = &mutex_kinds[_i];
    struct timespec past = {1, 0};
    pthread_mutex_t m;
    if (kind->type != RECURSIVE)
        return;
    make_mutex(&m, kind);
    for (int depth = 0; depth < 100000; depth += 4) {
        OK(pthread_mutex_lock(&m));
        OK(pthread_mutex_trylock(&m));
        OK(pthread_mutex_timedlock(&m, &past));
        OK(pthread_mutex_clocklock(&m, CLOCK_MONOTONIC, &past));
    }
    for (int depth = 100000; depth > 0; depth--) {
        if (depth % 20000 == 0 || depth == 1)
            in_thread(trylock_is_busy, &m);
        OK(pthread_mutex_unlock(&m));
    }
    in_thread(lock_and_unlock, &m);
    EXPECT(pthread_mutex_unlock(&m), EPERM);
}
END_TEST

/*
 * Four thousand million locks are too many for a test, so this one writes the count, which every
 * process that shares such a mutex must keep in the same field.
 */
START_TEST(a_recursion_that_would_overflow_gives_EAGAIN)
{
    const struct mutex_kind *kind = &mutex_kinds[_i];
    struct timespec past = {1, 0};
    pthread_mutex_t m;
    if (kind->type != RECURSIVE || kind->pshared != PTHREAD_PROCESS_SHARED)
        return;
    make_mutex(&m, kind);
    OK(pthread_mutex_lock(&m));
    ck_assert_uint_eq(DEPTH(m), FIRST_DEPTH);
    DEPTH(m) = LAST_DEPTH - 1;
    OK(pthread_mutex_lock(&m));
    EXPECT(pthread_mutex_lock(&m), EAGAIN);
    EXPECT(pthread_mutex_trylock(&m), EAGAIN);
    EXPECT(pthread_mutex_timedlock(&m, &past), EAGAIN);
    EXPECT(pthread_mutex_clocklock(&m, CLOCK_MONOTONIC, &past), EAGAIN);
    OK(pthread_mutex_unlock(&m));
    DEPTH(m) = FIRST_DEPTH;
    OK(pthread_mutex_unlock(&m));
    in_thread(lock_and_unlock, &m);
}
END_TEST

START_TEST(a_mutex_locked_before_threads_exist_is_unlocked_after)
{
    struct thread waiter;
    pthread_mutex_t m;
    make_mutex(&m, &mutex_kinds[_i]);
    OK(pthread_mutex_lock(&m));
    thread_start(&waiter, lock_and_unlock, &m);
    wait_until_asleep(waiter.tid);
    OK(pthread_mutex_unlock(&m));
    thread_join(&waiter);
    OK(pthread_mutex_lock(&m));
    in_thread(trylock_is_busy, &m);
    OK(pthread_mutex_unlock(&m));
}
END_TEST

START_TEST(many_mutexes_are_held_at_once_and_released_in_any_order)
{
    enum { COUNT = 50000, STEP = 7919 };
    pthread_mutex_t *m = calloc(COUNT, sizeof *m);
    ck_assert_ptr_nonnull(m);
    for (int i = 0; i < COUNT; i++)
        make_mutex(&m[i], &mutex_kinds[i % MUTEX_PP_KINDS_BEGIN]);
    for (int i = 0; i < COUNT; i++)
        OK(pthread_mutex_lock(&m[i]));
    in_thread(trylock_is_busy, &m[COUNT / 2]);
    for (long i = 0; i < COUNT; i++)
        OK(pthread_mutex_unlock(&m[i * STEP % COUNT]));
    for (int i = 0; i < COUNT; i += 997)
        in_thread(lock_and_unlock, &m[i]);
    free(m);
}
END_TEST

#ifdef __GLIBC__ /* musl has one name and no versions */
typedef int mutex_call(pthread_mutex_t *);
typedef int init_call(pthread_mutex_t *, const pthread_mutexattr_t *);

typedef void any_call(void);

static any_call *versioned(const char *name, const char *version)
{
    union {
        void *object;
        any_call *call;
    } found = {.object = dlvsym(RTLD_DEFAULT, name, version)};
    ck_assert_msg(found.object != NULL, "no %s@%s", name, version);
    return found.call;
}

START_TEST(old_and_internal_names_work_on_the_same_mutex)
{
    static const char *const prefixes[] = {"", "__"};
    static const char oldest[] = FS_OLDEST_pthread_mutex_lock; /* all of them have it */
    pthread_mutex_t m;
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        char name[5][40];
        static const char *const calls[] = {"init", "lock", "trylock", "unlock", "destroy"};
        for (size_t c = 0; c < COUNT_OF(calls); c++)
            snprintf(name[c], sizeof name[c], "%spthread_mutex_%s", prefixes[i], calls[c]);
        init_call *init = (init_call *)versioned(name[0], oldest);
        mutex_call *lock = (mutex_call *)versioned(name[1], oldest);
        mutex_call *trylock = (mutex_call *)versioned(name[2], oldest);
        mutex_call *unlock = (mutex_call *)versioned(name[3], oldest);
        mutex_call *destroy = (mutex_call *)versioned(name[4], oldest);
        OK(init(&m, NULL));
        OK(lock(&m));
        EXPECT(trylock(&m), EBUSY);
        EXPECT(pthread_mutex_trylock(&m), EBUSY);
        OK(pthread_mutex_unlock(&m));
        OK(pthread_mutex_lock(&m));
        in_thread(trylock_is_busy, &m);
        OK(unlock(&m));
        OK(trylock(&m));
        in_thread(trylock_is_busy, &m);
        EXPECT(destroy(&m), EBUSY);
        OK(unlock(&m));
        OK(destroy(&m));
        EXPECT(pthread_mutex_lock(&m), EINVAL);
    }
}
END_TEST
#endif

int main(void)
{
    Suite *suite = suite_create("mutex_kinds");
    TCase *tcase = conform_case(suite, "kinds");
    const int kinds = MUTEX_PP_KINDS_BEGIN;
    tcase_add_loop_test(tcase, a_kind_set_by_attribute_behaves_as_its_type, 0, kinds);
    tcase_add_test(tcase, a_static_initialiser_gives_the_type_it_names);
    tcase_add_test(tcase, zeroed_memory_is_a_free_normal_mutex);
    tcase_add_test(tcase, no_attribute_and_the_default_type_mean_normal);
    tcase_add_loop_test(tcase, a_destroyed_mutex_may_become_another_kind, 0, kinds);
    tcase_add_loop_test(tcase, a_byte_copy_of_a_free_mutex_is_another_free_mutex, 0, kinds);
    tcase_add_loop_test(tcase, a_recursive_mutex_counts_to_100000_and_back, 0, kinds);
    tcase_add_loop_test(tcase, a_recursion_that_would_overflow_gives_EAGAIN, 0, kinds);
    tcase_add_loop_test(tcase, a_mutex_locked_before_threads_exist_is_unlocked_after, 0, kinds);
    tcase_add_test(tcase, many_mutexes_are_held_at_once_and_released_in_any_order);
#ifdef __GLIBC__
    tcase_add_test(tcase, old_and_internal_names_work_on_the_same_mutex);
#endif
    return conform_run(suite);
}
