/* SPDX-License-Identifier: MIT */
/* See condition_place.h. The counting is done by what stands in front of the futex calls; the
   waiting is put together from the steps of lock/condition.h as the interposed calls do it. */
#include "condition_place.h"

#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef FS_TEST_GENERIC
#include "futex/generic_queue.h"
#endif
#include "futex_calls.h"

/* ---- counting system calls --------------------------------------------------- */

static fs_word wakes, requeues;
FS_THREAD_LOCAL void (*when_asked_who_i_am)(void);

int __wrap_fs_futex_wake(fs_word *w, int count, enum fs_scope scope);
int __real_fs_futex_wake_bitset(fs_word *w, int count, uint32_t bits, enum fs_scope scope);
int __wrap_fs_futex_wake_bitset(fs_word *w, int count, uint32_t bits, enum fs_scope scope);
int __real_fs_futex_cmp_requeue(fs_word *from, fs_word *to, uint32_t expected, int wake, int move,
                                enum fs_scope scope, int *affected);
int __wrap_fs_futex_cmp_requeue(fs_word *from, fs_word *to, uint32_t expected, int wake, int move,
                                enum fs_scope scope, int *affected);
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

uint32_t wakes_so_far(void)
{
    return fs_load_seq_cst(&wakes);
}

uint32_t requeues_so_far(void)
{
    return fs_load_seq_cst(&requeues);
}

/* ---- waiters ----------------------------------------------------------------- */

void lock(struct fs_mutex *m)
{
    ck_assert_int_eq(fs_mutex_acquire(m, fs_mutex_kind(m), FS_WAIT_FOREVER, NULL), 0);
}

void unlock(struct fs_mutex *m)
{
    ck_assert_int_eq(fs_mutex_release(m, fs_mutex_kind(m)), 0);
}

int wait_on(struct fs_condition *cond, struct fs_mutex *m, struct waiter *w)
{
    int err;

    ck_assert(fs_condition_join(cond, &m->word, w->move, FS_TABLE_PLAIN, w, &w->wait));
    fs_store_release(&w->joined, 1);
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

int wait_once(void *arg)
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

void put_to_sleep(struct waiter *w, struct place *place, enum fs_move move)
{
    *w = (struct waiter){.place = place, .move = move};
    sleeper_start(&w->sleeper, wait_once, w);
    EVENTUALLY(fs_load_acquire(&w->joined));
    sleeper_await_sleep(&w->sleeper);
}

void put_all_to_sleep(struct waiter *waiters, int count, struct place *place, enum fs_move move)
{
    for (int i = 0; i < count; i++)
        put_to_sleep(&waiters[i], place, move);
}

void expect_end(struct waiter *w, int result)
{
    ck_assert_int_eq(sleeper_join(&w->sleeper), result);
}

void expect_all_end(struct waiter *waiters, int count)
{
    for (int i = 0; i < count; i++)
        expect_end(&waiters[i], 0);
}

uint32_t state_of(struct waiter *w)
{
    return fs_load_acquire(&w->wait.slot->state);
}

void expect_states(struct waiter *waiters, int count, int signalled)
{
    for (int i = 0; i < count; i++)
        ck_assert_uint_eq(state_of(&waiters[i]),
                          i < signalled ? FS_SLOT_SIGNALLED : FS_SLOT_SLEEPING);
}

#ifdef FS_TEST_GENERIC
const void *sleeps_on(struct waiter *w)
{
    return fs_generic_word_of(w->sleeper.thread);
}
#else
/* The address the kernel names; 0 while the thread runs. */
static uint64_t futex_of(struct sleeper *s)
{
    char path[64];
    long number = -1;
    uint64_t word = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/task/%u/syscall", fs_load_acquire(&s->tid));
    file = fopen(path, "r");
    if (!file)
        return 0;
    if (fscanf(file, "%ld %" SCNx64, &number, &word) != 2 || !is_futex_call(number))
        word = 0;
    fclose(file);
    return word;
}

#define PAGE 4096

static int sleep_on(void *arg)
{
    return fs_futex_wait(arg, 0, NULL, FS_SCOPE_PRIVATE);
}

/* An emulator may keep the memory of a program with 32-bit addresses at others, and they are what
   the kernel names. The distance, of whole pages, is found by a thread that sleeps on a known word:
   the emulator may also wait for locks of its own. */
static uint64_t distance_to_the_kernels(void)
{
    static fs_word known;
    struct sleeper s;
    uint64_t seen;

    sleeper_put_to_sleep(&s, sleep_on, &known);
    EVENTUALLY((seen = futex_of(&s)) != 0 && (seen - (uintptr_t)&known) % PAGE == 0);
    EVENTUALLY(__real_fs_futex_wake(&known, FS_WAKE_ALL, FS_SCOPE_PRIVATE) == 1);
    sleeper_join(&s);
    return seen - (uintptr_t)&known;
}

const void *sleeps_on(struct waiter *w)
{
    static uint64_t distance = UINT64_MAX;
    uint64_t seen;

    if (distance == UINT64_MAX)
        distance = distance_to_the_kernels();
    seen = futex_of(&w->sleeper);
    return seen ? (const void *)(uintptr_t)(seen - distance) : NULL;
}
#endif

static void setup(void)
{
    fs_settings.spin = 0;
    fs_settings.processors = 2;
}

int run_condition_cases(const char *name, TCase *cases[], int count)
{
    Suite *suite = suite_create(name);

    for (int i = 0; i < count; i++) {
        tcase_set_timeout(cases[i], 60);
        tcase_add_checked_fixture(cases[i], setup, NULL);
        suite_add_tcase(suite, cases[i]);
    }
    return run_suite(suite);
}
