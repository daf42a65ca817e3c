/* SPDX-License-Identifier: MIT */
/*
 * An unlock that is stopped after every single one of its instructions, while another thread takes
 * the mutex or reader-writer lock if it is free by then, unlocks it, destroys it and takes the
 * memory away: what follows the release may not touch the object. The processor's trap flag does
 * the stopping, hence x86 only. What happens in parallel is left to last_use.
 */
#include "last_use.h"

#include "rwlock_kinds.h"

#include "trap_flag.h"

static volatile long steps, stop_at;
static int parked, answered;

/* After each instruction; after the one in question until the other thread has done its part. */
static void stop(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    if (++steps != stop_at)
        return;
    raise_flag(&parked, 1);
    while (!__atomic_load_n(&answered, __ATOMIC_ACQUIRE))
        sched_yield();
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
}

/* A sandbox may leave the flag without effect. */
static int try_the_flag(void *unused)
{
    struct sigaction action = {.sa_sigaction = stop, .sa_flags = SA_SIGINFO};
    (void)unused;
    alarm(20);
    if (sigaction(SIGTRAP, &action, NULL) != 0)
        return 1;
    trap_from_here();
    trap_no_more();
    return steps > 0 ? 0 : 1;
}

static bool can_step;

#define STEP_OR_SKIP()                                                                             \
    do {                                                                                           \
        if (!can_step)                                                                             \
            SKIP_TEST("the processor's trap flag has no effect here");                             \
    } while (0)

/* ---- what is unlocked ---- */

struct subject {
    void (*make)(int kind);
    int (*take)(void); /* by the thread that is stopped */
    int (*wait)(void); /* in vain, so that the unlock believes in somebody asleep */
    int (*try)(void);
    int (*release)(void);
    int (*destroy)(void);
};

static struct timespec soon(void)
{
    return deadline_in_ms(CLOCK_REALTIME, 2);
}

static void make_the_mutex(int i)
{
    kind = &mutex_kinds[i];
    make_mutex(&object->mutex, kind);
}

static int lock_mutex(void)
{
    return pthread_mutex_lock(&object->mutex);
}

static int time_out_on_mutex(void)
{
    struct timespec deadline = soon();
    return pthread_mutex_timedlock(&object->mutex, &deadline);
}

static int try_mutex(void)
{
    return pthread_mutex_trylock(&object->mutex);
}

static int unlock_mutex(void)
{
    return pthread_mutex_unlock(&object->mutex);
}

static int destroy_mutex(void)
{
    return pthread_mutex_destroy(&object->mutex);
}

static void make_the_rwlock(int i)
{
    kind = &mutex_kinds[0];
    make_rwlock(&object->rwlock, i);
}

static int read_lock(void)
{
    return pthread_rwlock_rdlock(&object->rwlock);
}

static int write_lock(void)
{
    return pthread_rwlock_wrlock(&object->rwlock);
}

static int time_out_as_reader(void)
{
    struct timespec deadline = soon();
    return pthread_rwlock_timedrdlock(&object->rwlock, &deadline);
}

static int time_out_as_writer(void)
{
    struct timespec deadline = soon();
    return pthread_rwlock_timedwrlock(&object->rwlock, &deadline);
}

static int try_write_lock(void)
{
    return pthread_rwlock_trywrlock(&object->rwlock);
}

static int unlock_rwlock(void)
{
    return pthread_rwlock_unlock(&object->rwlock);
}

static int destroy_rwlock(void)
{
    return pthread_rwlock_destroy(&object->rwlock);
}

static const struct subject mutex_subject = {make_the_mutex, lock_mutex,   time_out_on_mutex,
                                             try_mutex,      unlock_mutex, destroy_mutex};
static const struct subject reader_subject = {make_the_rwlock, read_lock,     time_out_as_writer,
                                              try_write_lock,  unlock_rwlock, destroy_rwlock};
static const struct subject writer_subject = {make_the_rwlock, write_lock,    time_out_as_reader,
                                              try_write_lock,  unlock_rwlock, destroy_rwlock};
static const struct subject *subject;

/* ---- one unlock ---- */

static int taken, go, done;

static void *unlock_in_steps(void *unused)
{
    int error;
    OK(subject->take());
    raise_flag(&taken, 1);
    wait_for_flag(&go, 1);
    steps = 0;
    trap_from_here();
    error = subject->release();
    trap_no_more();
    raise_flag(&done, 1);
    raise_flag(&parked, 1);
    REQUIRE(error == 0, "unlock gives %d", error);
    return unused;
}

/* Stops it after the given number of instructions; false when it has fewer. */
static bool stopped_unlock(int number, int kind_number, bool contended)
{
    struct thread t;
    bool gone = false, ended;
    taken = go = done = parked = answered = 0;
    stop_at = number;
    new_page();
    subject->make(kind_number);
    thread_start(&t, unlock_in_steps, NULL);
    wait_for_flag(&taken, 1);
    if (contended)
        EXPECT(subject->wait(), ETIMEDOUT);
    raise_flag(&go, 1);
    while (!__atomic_load_n(&parked, __ATOMIC_ACQUIRE))
        sched_yield();
    ended = __atomic_load_n(&done, __ATOMIC_ACQUIRE);
    if (subject->try() == 0) {
        OK(subject->release());
        OK(subject->destroy());
        give_up(object);
        gone = true;
    }
    raise_flag(&answered, 1);
    thread_join(&t);
    if (gone)
        look_at_the_page();
    else
        REQUIRE(munmap(object, PAGE) == 0 && !ended, "%s: not free after the unlock",
                conform_context);
    return !ended;
}

static void stop_everywhere(const struct subject *s, int kind_number, int variant)
{
    struct sigaction action = {.sa_sigaction = stop, .sa_flags = SA_SIGINFO};
    int number = 1;
    subject = s;
    fate = variant / 2 ? FILLED : UNMAPPED;
    ck_assert_int_eq(sigaction(SIGTRAP, &action, NULL), 0);
    while (stopped_unlock(number, kind_number, variant % 2))
        number++;
    ck_assert_int_gt(number, 5);
}

/* One kind of each protocol and scope, and one that counts; a soak takes all. */
static bool is_chosen(int kind_number)
{
    return kind_number == 1 || kind_number % 8 == 0 || kind_number == 4 || is_soak();
}

START_TEST(a_mutex_is_not_touched_after_any_instruction_that_frees_it)
{
    STEP_OR_SKIP();
    stop_everywhere(&mutex_subject, _i / 2, _i % 2);
    stop_everywhere(&mutex_subject, _i / 2, 2 + _i % 2);
}
END_TEST

START_TEST(a_read_lock_is_not_touched_after_any_instruction_that_frees_it)
{
    STEP_OR_SKIP();
    stop_everywhere(&reader_subject, _i / 2, 1 + _i % 2);
}
END_TEST

START_TEST(a_write_lock_is_not_touched_after_any_instruction_that_frees_it)
{
    STEP_OR_SKIP();
    stop_everywhere(&writer_subject, _i / 2, 1 + _i % 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("last_use_steps");
    TCase *tcase = conform_case(suite, "steps");
    can_step = child_wait(child_start(try_the_flag, NULL)) == 0;
    for (int i = 0; i < KINDS; i++) {
        if (is_chosen(i))
            tcase_add_loop_test(tcase, a_mutex_is_not_touched_after_any_instruction_that_frees_it,
                                2 * i, 2 * i + 2);
    }
    tcase_add_loop_test(tcase, a_read_lock_is_not_touched_after_any_instruction_that_frees_it, 0,
                        2 * RWLOCK_SHARED_KINDS_BEGIN + 2);
    tcase_add_loop_test(tcase, a_write_lock_is_not_touched_after_any_instruction_that_frees_it, 0,
                        2 * RWLOCK_SHARED_KINDS_BEGIN + 2);
    return conform_run(suite);
}
