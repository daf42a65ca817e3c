/* SPDX-License-Identifier: MIT */
/*
 * One call on an object in a state that no program may bring it into: random bytes, partly made
 * plausible; memory that may only be read; an address that is not aligned; an object that has been
 * destroyed, or initialised while in use. misuse.h compares the outcome with libc's. Misuse that
 * takes several threads is misuse_threads.c's.
 */
#include "misuse.h"

/* libc is often stuck, which takes time to be sure of; without the library a few objects do. */
enum { RANDOM_OBJECTS = 100, RANDOM_OBJECTS_OF_LIBC = 8, OBJECT_SIZE = 64 };

static const struct timespec past = {1, 0};
static const struct timespec wrong = {1, -5};

union object {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_rwlock_t rwlock;
    uint32_t words[OBJECT_SIZE / 4];
    unsigned char bytes[OBJECT_SIZE];
};

/* ---- the calls ---- */

static pthread_mutex_t good_mutex;

static int wait_with_good_mutex(union object *o)
{
    pthread_mutex_lock(&good_mutex);
    int result = pthread_cond_clockwait(&o->cond, &good_mutex, CLOCK_MONOTONIC, &past);
    pthread_mutex_unlock(&good_mutex);
    return result;
}

static int wait_until_past(union object *o)
{
    pthread_mutex_lock(&good_mutex);
    int result = pthread_cond_timedwait(&o->cond, &good_mutex, &past);
    pthread_mutex_unlock(&good_mutex);
    return result;
}

/* The bad object is the mutex of a wait. */
static int wait_with_bad_mutex(union object *o)
{
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    return pthread_cond_timedwait(&cond, &o->mutex, &past);
}

#define CALL(name, expression)                                                                     \
    static int name(union object *o)                                                               \
    {                                                                                              \
        return expression;                                                                         \
    }

CALL(m_lock, pthread_mutex_lock(&o->mutex))
CALL(m_trylock, pthread_mutex_trylock(&o->mutex))
CALL(m_timedlock, pthread_mutex_timedlock(&o->mutex, &past))
CALL(m_timedlock_wrong, pthread_mutex_timedlock(&o->mutex, &wrong))
CALL(m_clocklock, pthread_mutex_clocklock(&o->mutex, CLOCK_MONOTONIC, &past))
CALL(m_clocklock_wrong, pthread_mutex_clocklock(&o->mutex, CLOCK_PROCESS_CPUTIME_ID, &past))
CALL(m_unlock, pthread_mutex_unlock(&o->mutex))
CALL(m_consistent, pthread_mutex_consistent(&o->mutex))
CALL(m_destroy, pthread_mutex_destroy(&o->mutex))
CALL(m_init, pthread_mutex_init(&o->mutex, NULL))
CALL(m_cycle, pthread_mutex_trylock(&o->mutex) | pthread_mutex_unlock(&o->mutex))
CALL(c_signal, pthread_cond_signal(&o->cond))
CALL(c_broadcast, pthread_cond_broadcast(&o->cond))
CALL(c_destroy, pthread_cond_destroy(&o->cond))
CALL(c_init, pthread_cond_init(&o->cond, NULL))
CALL(r_rdlock, pthread_rwlock_rdlock(&o->rwlock))
CALL(r_tryrdlock, pthread_rwlock_tryrdlock(&o->rwlock))
CALL(r_timedrdlock, pthread_rwlock_timedrdlock(&o->rwlock, &past))
CALL(r_timedrdlock_wrong, pthread_rwlock_timedrdlock(&o->rwlock, &wrong))
CALL(r_wrlock, pthread_rwlock_wrlock(&o->rwlock))
CALL(r_trywrlock, pthread_rwlock_trywrlock(&o->rwlock))
CALL(r_clockwrlock, pthread_rwlock_clockwrlock(&o->rwlock, CLOCK_MONOTONIC, &past))
CALL(r_unlock, pthread_rwlock_unlock(&o->rwlock))
CALL(r_destroy, pthread_rwlock_destroy(&o->rwlock))
CALL(r_init, pthread_rwlock_init(&o->rwlock, NULL))

enum family { MUTEX, COND, RWLOCK };

static const struct one_call {
    const char *name;
    int (*call)(union object *);
    enum family family;
} calls[] = {
    {"mutex_lock", m_lock, MUTEX},
    {"mutex_trylock", m_trylock, MUTEX},
    {"mutex_timedlock", m_timedlock, MUTEX},
    {"mutex_timedlock (invalid time)", m_timedlock_wrong, MUTEX},
    {"mutex_clocklock", m_clocklock, MUTEX},
    {"mutex_clocklock (invalid clock)", m_clocklock_wrong, MUTEX},
    {"mutex_unlock", m_unlock, MUTEX},
    {"mutex_consistent", m_consistent, MUTEX},
    {"mutex_destroy", m_destroy, MUTEX},
    {"mutex_init", m_init, MUTEX},
    {"mutex_trylock, unlock", m_cycle, MUTEX},
    {"cond_timedwait with it as mutex", wait_with_bad_mutex, MUTEX},
    {"cond_clockwait", wait_with_good_mutex, COND},
    {"cond_timedwait", wait_until_past, COND},
    {"cond_signal", c_signal, COND},
    {"cond_broadcast", c_broadcast, COND},
    {"cond_destroy", c_destroy, COND},
    {"cond_init", c_init, COND},
    {"rwlock_rdlock", r_rdlock, RWLOCK},
    {"rwlock_tryrdlock", r_tryrdlock, RWLOCK},
    {"rwlock_timedrdlock", r_timedrdlock, RWLOCK},
    {"rwlock_timedrdlock (invalid time)", r_timedrdlock_wrong, RWLOCK},
    {"rwlock_wrlock", r_wrlock, RWLOCK},
    {"rwlock_trywrlock", r_trywrlock, RWLOCK},
    {"rwlock_clockwrlock", r_clockwrlock, RWLOCK},
    {"rwlock_unlock", r_unlock, RWLOCK},
    {"rwlock_destroy", r_destroy, RWLOCK},
    {"rwlock_init", r_init, RWLOCK},
};

enum { CALLS = COUNT_OF(calls) };

/* ---- random bytes ---- */

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint32_t pick(uint64_t *state, const uint32_t *list, size_t count)
{
    uint64_t random = next_random(state);
    return random % 3 == 0 ? (uint32_t)(random >> 32) : list[(random >> 8) % count];
}

/* Half of the objects are random all through; the fields of the others are often plausible, so
 * that calls get further than the first look at them. The offsets are glibc's on x86-64. */
static void fill_random(union object *o, int number, enum family family)
{
    const uint32_t me = (uint32_t)syscall(SYS_gettid);
    const uint32_t words[] = {0, 1, 2, me, me | 0x80000000u, 0x40000000u, 4, 6};
    const uint32_t owners[] = {0, me, 0x7fffffffu, 0x7ffffffeu};
    const uint32_t kinds[] = {0, 1, 2, 3, 0x10, 0x20, 0x30, 0x80, 0x90, 0xa0, 0xb1, 0x40, 0x103};
    const uint32_t small[] = {0, 1, 2, 3, 0xffffffffu, 0x08000000u, 0x20000000u, 8};
    uint64_t state = (uint64_t)number * 2 + 1;
    for (size_t i = 0; i < COUNT_OF(o->words); i++)
        o->words[i] = (uint32_t)(next_random(&state) >> 16);
    if (number % 2 == 0)
        return;
    if (family == MUTEX) {
        o->words[0] = pick(&state, words, COUNT_OF(words));
        o->words[1] = pick(&state, small, COUNT_OF(small));
        o->words[2] = pick(&state, owners, COUNT_OF(owners));
        o->words[4] = pick(&state, kinds, COUNT_OF(kinds));
        if (next_random(&state) % 2)
            memset(&o->words[6], 0, 16);
        return;
    }
    for (size_t i = 0; i < 14; i++)
        o->words[i] = pick(&state, small, COUNT_OF(small));
    if (family == COND)
        o->words[9] &= ~1u; /* not process-shared: those are libc's on both sides */
    else
        o->words[7] = 0;
}

/* Without a deadline most of them wait for ever, which takes time to see: a few objects do. */
static bool random_may_sleep(int row)
{
    int (*call)(union object *) = calls[row % CALLS].call;
    return call == m_lock || call == r_rdlock || call == r_wrlock;
}

static int random_body(int row)
{
    static union object o __attribute__((aligned(64)));
    const struct one_call *c = &calls[row % CALLS];
    if (random_may_sleep(row) && row / CALLS % 16 > 1)
        return LEFT_OUT;
    fill_random(&o, row / CALLS, c->family);
    return c->call(&o);
}

/* A mutex that was locked stays on lists and in other calls' way. */
static bool random_dirty(int row)
{
    int value = verdicts[row].value;
    return calls[row % CALLS].family == MUTEX && (value == 0 || value == EOWNERDEAD);
}

static void random_describe(int row, char *text, size_t size)
{
    union object o;
    fill_random(&o, row / CALLS, calls[row % CALLS].family);
    int n = snprintf(text, size, "random object %d, %s [", row / CALLS, calls[row % CALLS].name);
    for (size_t i = 0; i < 14 && n < (int)size; i++)
        n += snprintf(text + n, size - (size_t)n, "%s%x", i ? " " : "", o.words[i]);
    if (n < (int)size)
        snprintf(text + n, size - (size_t)n, "]");
}

/* ---- plausible objects in bad places ---- */

enum place { READ_ONLY, OFF_BY_ONE, OFF_BY_TWO, ALL_ONES, DESTROYED, PLACES };

static const char *const place_names[PLACES] = {"in read-only memory", "off by one byte",
                                                "off by two bytes", "of all ones", "destroyed"};

enum state { FREE, HELD, READ_HELD, STATES };

static const char *const state_names[STATES] = {"free", "held", "held for reading"};

static void prepare(union object *o, enum family family, enum state state, bool destroy)
{
    memset(o, 0, sizeof(pthread_rwlock_t));
    if (family == MUTEX && state != FREE)
        pthread_mutex_lock(&o->mutex);
    if (family == RWLOCK && state == HELD)
        pthread_rwlock_wrlock(&o->rwlock);
    if (family == RWLOCK && state == READ_HELD)
        pthread_rwlock_rdlock(&o->rwlock);
    if (!destroy)
        return;
    if (family == MUTEX)
        pthread_mutex_destroy(&o->mutex);
    else if (family == COND)
        pthread_cond_destroy(&o->cond);
    else
        pthread_rwlock_destroy(&o->rwlock);
}

static int load_off_by_one(void *page)
{
    void *address = (char *)page + 1;
    return __atomic_load_n((int *)address, __ATOMIC_ACQUIRE);
}

static int signal_off_by_one(void *page)
{
    void *address = (char *)page + 1;
    return pthread_cond_signal(address);
}

static bool is_refused(int (*body)(void *))
{
    int status = child_wait(child_start(body, shared_memory(4096)));
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS;
}

static bool aligned_loads; /* the processor refuses an acquiring load at any other address */

static int place_body(int row)
{
    const struct one_call *c = &calls[row % CALLS];
    enum place place = (enum place)(row / CALLS % PLACES);
    enum state state = (enum state)(row / CALLS / PLACES);
    /* The library begins with such a load, libc with another. */
    if (aligned_loads && (c->call == c_signal || c->call == c_broadcast) &&
        (place == OFF_BY_ONE || place == OFF_BY_TWO))
        return LEFT_OUT;
    char *page = shared_memory(4096);
    union object *o = (union object *)page;
    if (place == OFF_BY_ONE || place == OFF_BY_TWO)
        o = (union object *)(uintptr_t)(page + (place == OFF_BY_ONE ? 1 : 2));
    prepare(o, c->family, state, place == DESTROYED);
    if (place == ALL_ONES)
        memset(o, 0xff, sizeof *o);
    if (place == READ_ONLY)
        mprotect(page, 4096, PROT_READ);
    return c->call(o);
}

static bool place_dirty(int row)
{
    return true;
}

static bool never(int row)
{
    return false;
}

static void place_describe(int row, char *text, size_t size)
{
    snprintf(text, size, "%s, %s object %s", calls[row % CALLS].name,
             state_names[row / CALLS / PLACES], place_names[row / CALLS % PLACES]);
}

/* ---- random attributes ---- */

enum { ATTRIBUTES = 600 };

static int attributes_body(int row)
{
    union object o;
    union {
        pthread_mutexattr_t mutex;
        pthread_condattr_t cond;
        pthread_rwlockattr_t rwlock;
        unsigned char bytes[OBJECT_SIZE];
    } attr;
    uint64_t state = (uint64_t)row;
    for (size_t i = 0; i < sizeof attr; i++)
        attr.bytes[i] = (unsigned char)(next_random(&state) >> (row % 2 ? 30 : 61));
    memset(&o, 0x5a, sizeof o);
    if (row % 3 == 0 && pthread_mutex_init(&o.mutex, &attr.mutex) == 0)
        return pthread_mutex_trylock(&o.mutex) | pthread_mutex_unlock(&o.mutex) |
               pthread_mutex_destroy(&o.mutex);
    if (row % 3 == 1 && pthread_cond_init(&o.cond, &attr.cond) == 0)
        return wait_until_past(&o) | pthread_cond_signal(&o.cond) | pthread_cond_destroy(&o.cond);
    if (row % 3 == 2 && pthread_rwlock_init(&o.rwlock, &attr.rwlock) == 0)
        return pthread_rwlock_tryrdlock(&o.rwlock) | pthread_rwlock_unlock(&o.rwlock) |
               pthread_rwlock_destroy(&o.rwlock);
    return 0;
}

static void attributes_describe(int row, char *text, size_t size)
{
    static const char *const what[] = {"mutex", "cond", "rwlock"};
    snprintf(text, size, "%s with random attributes %d", what[row % 3], row);
}

/* ---- tests ---- */

static struct rows list[] = {
    {"random", RANDOM_OBJECTS *CALLS, 15, random_body, random_dirty, random_may_sleep,
     random_describe},
    {"places", CALLS *PLACES *STATES, 15, place_body, place_dirty, never, place_describe},
    {"attributes", ATTRIBUTES, 15, attributes_body, place_dirty, never, attributes_describe},
};

START_TEST(a_call_on_random_bytes_returns_where_it_returns_with_libc)
{
    if (why_not_compare())
        SKIP_TEST("%s", why_not_compare());
    compare_with_libc(&list[0]);
}
END_TEST

START_TEST(a_call_on_an_object_in_a_bad_place_returns_where_it_returns_with_libc)
{
    if (why_not_compare())
        SKIP_TEST("%s", why_not_compare());
    aligned_loads = is_refused(load_off_by_one);
    compare_with_libc(&list[1]);
}
END_TEST

START_TEST(a_signal_at_a_misaligned_address_is_refused_only_where_an_acquiring_load_is)
{
    ck_assert(is_refused(load_off_by_one) || !is_refused(signal_off_by_one));
}
END_TEST

START_TEST(random_attributes_do_no_more_harm_than_with_libc)
{
    if (why_not_compare())
        SKIP_TEST("%s", why_not_compare());
    compare_with_libc(&list[2]);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("misuse_calls");
    TCase *tcase = conform_case(suite, "calls");
    int status;
    if (!getenv("LD_PRELOAD") && argc == 1)
        list[0].count = RANDOM_OBJECTS_OF_LIBC * CALLS;
    else if (is_soak())
        list[0].count = ROWS_MAX / CALLS * CALLS;
    if (is_row_run(argc, argv, list, COUNT_OF(list), &status))
        return status;
    tcase_set_timeout(tcase, 600);
    tcase_add_test(tcase, a_call_on_random_bytes_returns_where_it_returns_with_libc);
    tcase_add_test(tcase, a_call_on_an_object_in_a_bad_place_returns_where_it_returns_with_libc);
    tcase_add_test(tcase,
                   a_signal_at_a_misaligned_address_is_refused_only_where_an_acquiring_load_is);
    tcase_add_test(tcase, random_attributes_do_no_more_harm_than_with_libc);
    return conform_run(suite);
}
