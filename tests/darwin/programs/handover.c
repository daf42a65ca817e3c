/* SPDX-License-Identifier: MIT */
/* Objects that stay libpthread's: process-shared ones, those with a priority protocol, and what
   libpthread initialised before the library came. With the library, each call on them must reach
   libpthread, once, and each call on any other must not. */
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static bool cannot_count(void)
{
    if (check_has_loader())
        return false;
    check_skip("macOS does not tell who is called");
    return true;
}

/* The call must succeed and reach libpthread. */
#define REACHES(name, call)                                                                        \
    do {                                                                                           \
        uint64_t before = check_calls(name);                                                       \
        CHECK_INT(call, 0);                                                                        \
        CHECK_INT(check_calls(name) - before, 1);                                                  \
    } while (0)

/* ---- mutexes -------------------------------------------------------------------- */

static void all_calls_reach(pthread_mutex_t *mutex)
{
    int ceiling = -1;

    REACHES("pthread_mutex_lock", pthread_mutex_lock(mutex));
    REACHES("pthread_mutex_unlock", pthread_mutex_unlock(mutex));
    REACHES("pthread_mutex_trylock", pthread_mutex_trylock(mutex));
    REACHES("pthread_mutex_unlock", pthread_mutex_unlock(mutex));
    REACHES("pthread_mutex_setprioceiling", pthread_mutex_setprioceiling(mutex, 31, &ceiling));
    REACHES("pthread_mutex_getprioceiling", pthread_mutex_getprioceiling(mutex, &ceiling));
    CHECK_INT(ceiling, 31);
    REACHES("pthread_mutex_destroy", pthread_mutex_destroy(mutex));
}

static void a_shared_mutex_is_handed_over(void)
{
    pthread_mutexattr_t attr;
    pthread_mutex_t mutex;

    if (cannot_count())
        return;
    CHECK_INT(pthread_mutexattr_init(&attr), 0);
    CHECK_INT(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
    REACHES("pthread_mutex_init", pthread_mutex_init(&mutex, &attr));
    all_calls_reach(&mutex);
}

static void a_mutex_with_a_priority_protocol_is_handed_over(void)
{
    int protocols[] = {PTHREAD_PRIO_INHERIT, PTHREAD_PRIO_PROTECT};

    if (cannot_count())
        return;
    for (int i = 0; i < 2; i++) {
        pthread_mutexattr_t attr;
        pthread_mutex_t mutex;

        CHECK_INT(pthread_mutexattr_init(&attr), 0);
        CHECK_INT(pthread_mutexattr_setprotocol(&attr, protocols[i]), 0);
        REACHES("pthread_mutex_init", pthread_mutex_init(&mutex, &attr));
        all_calls_reach(&mutex);
    }
}

static void a_mutex_from_before_the_library_is_handed_over(void)
{
    int (*init)(pthread_mutex_t *, const pthread_mutexattr_t *);
    pthread_mutex_t mutex;

    if (cannot_count())
        return;
    init = (int (*)(pthread_mutex_t *, const pthread_mutexattr_t *))(uintptr_t)check_native(
        "pthread_mutex_init");
    CHECK_INT(init(&mutex, NULL), 0);
    all_calls_reach(&mutex);
}

static void a_mutex_that_libpthread_adopted_is_handed_over(void)
{
    int (*trylock)(pthread_mutex_t *);
    pthread_mutex_t mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER;

    if (cannot_count())
        return;
    trylock = (int (*)(pthread_mutex_t *))(uintptr_t)check_native("pthread_mutex_trylock");
    CHECK_INT(trylock(&mutex), 0);
    REACHES("pthread_mutex_lock", pthread_mutex_lock(&mutex));
    REACHES("pthread_mutex_unlock", pthread_mutex_unlock(&mutex));
    REACHES("pthread_mutex_unlock", pthread_mutex_unlock(&mutex));
    all_calls_reach(&mutex);
}

/* ---- condition variables ---------------------------------------------------------- */

static void make_shared(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    pthread_condattr_t cond_attr;
    pthread_mutexattr_t attr;

    CHECK_INT(pthread_mutexattr_init(&attr), 0);
    CHECK_INT(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
    CHECK_INT(pthread_mutex_init(mutex, &attr), 0);
    CHECK_INT(pthread_condattr_init(&cond_attr), 0);
    CHECK_INT(pthread_condattr_setpshared(&cond_attr, PTHREAD_PROCESS_SHARED), 0);
    REACHES("pthread_cond_init", pthread_cond_init(cond, &cond_attr));
}

int wait_nocancel(pthread_cond_t *cond,
                  pthread_mutex_t *mutex) __asm__("_pthread_cond_wait$NOCANCEL");
int timedwait_nocancel(pthread_cond_t *cond, pthread_mutex_t *mutex,
                       const struct timespec *abstime) __asm__("_pthread_cond_timedwait$NOCANCEL");

static void a_shared_condition_variable_is_handed_over(void)
{
    struct timespec past = check_after(-10);
    struct timespec none = {0, 0};
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    uint64_t before;

    if (cannot_count())
        return;
    make_shared(&cond, &mutex);
    REACHES("pthread_cond_signal", pthread_cond_signal(&cond));
    REACHES("pthread_cond_broadcast", pthread_cond_broadcast(&cond));
    REACHES("pthread_cond_signal_thread_np", pthread_cond_signal_thread_np(&cond, NULL));
    CHECK_INT(pthread_mutex_lock(&mutex), 0);
    before = check_calls("pthread_cond_timedwait");
    CHECK_INT(pthread_cond_timedwait(&cond, &mutex, &past), ETIMEDOUT);
    CHECK_INT(check_calls("pthread_cond_timedwait") - before, 1);
    before = check_calls("pthread_cond_timedwait$NOCANCEL");
    CHECK_INT(timedwait_nocancel(&cond, &mutex, &past), ETIMEDOUT);
    CHECK_INT(check_calls("pthread_cond_timedwait$NOCANCEL") - before, 1);
    before = check_calls("pthread_cond_timedwait_relative_np");
    CHECK_INT(pthread_cond_timedwait_relative_np(&cond, &mutex, &none), ETIMEDOUT);
    CHECK_INT(check_calls("pthread_cond_timedwait_relative_np") - before, 1);
    CHECK_INT(pthread_mutex_unlock(&mutex), 0);
    REACHES("pthread_cond_destroy", pthread_cond_destroy(&cond));
}

struct shared {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_rwlock_t lock;
    int turn;
    int count;
};

/* Waits for its turn by either call, so often, and passes it on. */
static void take_turns(struct shared *shared, int mine)
{
    for (int i = 0; i < 50; i++) {
        pthread_mutex_lock(&shared->mutex);
        while (shared->turn != mine)
            if (i % 2)
                pthread_cond_wait(&shared->cond, &shared->mutex);
            else
                wait_nocancel(&shared->cond, &shared->mutex);
        pthread_rwlock_wrlock(&shared->lock);
        shared->count++;
        pthread_rwlock_unlock(&shared->lock);
        shared->turn = !mine;
        pthread_cond_signal(&shared->cond);
        pthread_mutex_unlock(&shared->mutex);
    }
}

static void shared_objects_work_between_processes(void)
{
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
    pthread_rwlockattr_t attr;
    int status = -1;
    pid_t child;

    if (cannot_count())
        return;
    make_shared(&shared->cond, &shared->mutex);
    CHECK_INT(pthread_rwlockattr_init(&attr), 0);
    CHECK_INT(pthread_rwlockattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
    CHECK_INT(pthread_rwlock_init(&shared->lock, &attr), 0);
    child = fork();
    if (child == 0) {
        take_turns(shared, 1);
        _exit(7);
    }
    take_turns(shared, 0);
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 7 << 8);
    CHECK_INT(shared->count, 100);
}

/* ---- of either side --------------------------------------------------------------- */

struct mixed {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int waiting;
    int go;
};

static void *wait_mixed(void *argument)
{
    struct mixed *mixed = argument;

    CHECK_INT(pthread_mutex_lock(&mixed->mutex), 0);
    check_add(&mixed->waiting, 1);
    while (!mixed->go)
        CHECK_INT(pthread_cond_wait(&mixed->cond, &mixed->mutex), 0);
    CHECK_INT(pthread_mutex_unlock(&mixed->mutex), 0);
    return NULL;
}

/* A private condition variable may be used with a mutex that is libpthread's. */
static void a_condition_variable_works_with_a_mutex_of_the_other_side(void)
{
    for (int broadcast = 0; broadcast < 2; broadcast++) {
        struct mixed mixed = {.cond = PTHREAD_COND_INITIALIZER};
        struct timespec at = check_after(30);
        pthread_mutexattr_t attr;
        pthread_t threads[3];
        int err;

        CHECK_INT(pthread_mutexattr_init(&attr), 0);
        CHECK_INT(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
        CHECK_INT(pthread_mutex_init(&mixed.mutex, &attr), 0);
        for (int i = 0; i < 3; i++)
            check_start(&threads[i], wait_mixed, &mixed);
        check_until(&mixed.waiting, 3);
        CHECK_INT(pthread_mutex_lock(&mixed.mutex), 0);
        mixed.go = 1;
        for (int i = 0; i < 3; i++)
            CHECK_INT(broadcast ? pthread_cond_broadcast(&mixed.cond)
                                : pthread_cond_signal(&mixed.cond),
                      0);
        CHECK_INT(pthread_mutex_unlock(&mixed.mutex), 0);
        for (int i = 0; i < 3; i++)
            check_join(threads[i]);
        CHECK_INT(pthread_mutex_lock(&mixed.mutex), 0);
        do
            err = pthread_cond_timedwait(&mixed.cond, &mixed.mutex, &at);
        while (err == 0);
        CHECK_INT(err, ETIMEDOUT);
        CHECK_INT(pthread_mutex_unlock(&mixed.mutex), 0);
    }
}

static void a_shared_rwlock_is_handed_over(void)
{
    pthread_rwlockattr_t attr;
    pthread_rwlock_t lock;

    if (cannot_count())
        return;
    CHECK_INT(pthread_rwlockattr_init(&attr), 0);
    CHECK_INT(pthread_rwlockattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
    REACHES("pthread_rwlock_init", pthread_rwlock_init(&lock, &attr));
    REACHES("pthread_rwlock_rdlock", pthread_rwlock_rdlock(&lock));
    REACHES("pthread_rwlock_tryrdlock", pthread_rwlock_tryrdlock(&lock));
    REACHES("pthread_rwlock_unlock", pthread_rwlock_unlock(&lock));
    REACHES("pthread_rwlock_unlock", pthread_rwlock_unlock(&lock));
    REACHES("pthread_rwlock_wrlock", pthread_rwlock_wrlock(&lock));
    REACHES("pthread_rwlock_unlock", pthread_rwlock_unlock(&lock));
    REACHES("pthread_rwlock_trywrlock", pthread_rwlock_trywrlock(&lock));
    REACHES("pthread_rwlock_unlock", pthread_rwlock_unlock(&lock));
    REACHES("pthread_rwlock_destroy", pthread_rwlock_destroy(&lock));
}

/* ---- nothing else ------------------------------------------------------------------- */

static uint64_t calls_of_libpthread(void)
{
    static const char *const names[] = {
        "pthread_mutex_init",       "pthread_mutex_destroy", "pthread_mutex_lock",
        "pthread_mutex_trylock",    "pthread_mutex_unlock",  "pthread_cond_init",
        "pthread_cond_destroy",     "pthread_cond_wait",     "pthread_cond_wait$NOCANCEL",
        "pthread_cond_timedwait",   "pthread_cond_signal",   "pthread_cond_timedwait$NOCANCEL",
        "pthread_cond_broadcast",   "pthread_rwlock_init",   "pthread_cond_timedwait_relative_np",
        "pthread_rwlock_destroy",   "pthread_rwlock_rdlock", "pthread_cond_signal_thread_np",
        "pthread_rwlock_tryrdlock", "pthread_rwlock_wrlock", "pthread_rwlock_trywrlock",
        "pthread_rwlock_unlock",
    };
    uint64_t calls = 0;

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        calls += check_calls(names[i]);
    return calls;
}

static void static_mutexes_of_every_kind_are_not(void)
{
    static pthread_mutex_t mutexes[] = {
        PTHREAD_MUTEX_INITIALIZER,
        PTHREAD_FIRSTFIT_MUTEX_INITIALIZER,
        PTHREAD_ERRORCHECK_MUTEX_INITIALIZER,
        PTHREAD_RECURSIVE_MUTEX_INITIALIZER,
    };
    uint64_t before;

    if (cannot_count())
        return;
    before = calls_of_libpthread();
    for (int i = 0; i < 4; i++) {
        CHECK_INT(pthread_mutex_lock(&mutexes[i]), 0);
        CHECK_INT(pthread_mutex_unlock(&mutexes[i]), 0);
    }
    CHECK_INT(calls_of_libpthread() - before, check_has_library() ? 0 : 8);
}

static void private_objects_are_not(void)
{
    struct timespec past = check_after(-10);
    struct timespec none = {0, 0};
    pthread_rwlock_t lock;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    uint64_t before;

    if (cannot_count())
        return;
    before = calls_of_libpthread();
    CHECK_INT(pthread_mutex_init(&mutex, NULL), 0);
    CHECK_INT(pthread_cond_init(&cond, NULL), 0);
    CHECK_INT(pthread_rwlock_init(&lock, NULL), 0);
    CHECK_INT(pthread_mutex_lock(&mutex), 0);
    CHECK_INT(pthread_mutex_trylock(&mutex), EBUSY);
    CHECK_INT(pthread_cond_timedwait(&cond, &mutex, &past), ETIMEDOUT);
    CHECK_INT(timedwait_nocancel(&cond, &mutex, &past), ETIMEDOUT);
    CHECK_INT(pthread_cond_timedwait_relative_np(&cond, &mutex, &none), ETIMEDOUT);
    CHECK_INT(pthread_cond_signal(&cond), 0);
    CHECK_INT(pthread_cond_signal_thread_np(&cond, NULL), 0);
    CHECK_INT(pthread_cond_broadcast(&cond), 0);
    CHECK_INT(pthread_mutex_unlock(&mutex), 0);
    CHECK_INT(pthread_rwlock_rdlock(&lock), 0);
    CHECK_INT(pthread_rwlock_tryrdlock(&lock), 0);
    CHECK_INT(pthread_rwlock_unlock(&lock), 0);
    CHECK_INT(pthread_rwlock_unlock(&lock), 0);
    CHECK_INT(pthread_rwlock_wrlock(&lock), 0);
    CHECK_INT(pthread_rwlock_unlock(&lock), 0);
    CHECK_INT(pthread_rwlock_trywrlock(&lock), 0);
    CHECK_INT(pthread_rwlock_unlock(&lock), 0);
    CHECK_INT(pthread_mutex_destroy(&mutex), 0);
    CHECK_INT(pthread_cond_destroy(&cond), 0);
    CHECK_INT(pthread_rwlock_destroy(&lock), 0);
    if (check_has_library())
        CHECK_INT(calls_of_libpthread() - before, 0);
    else
        CHECK(calls_of_libpthread() - before == 23);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        CHECK_CASE(a_shared_mutex_is_handed_over),
        CHECK_CASE(a_mutex_with_a_priority_protocol_is_handed_over),
        CHECK_CASE(a_mutex_from_before_the_library_is_handed_over),
        CHECK_CASE(a_mutex_that_libpthread_adopted_is_handed_over),
        CHECK_CASE(a_shared_condition_variable_is_handed_over),
        CHECK_CASE(shared_objects_work_between_processes),
        CHECK_CASE(a_condition_variable_works_with_a_mutex_of_the_other_side),
        CHECK_CASE(a_shared_rwlock_is_handed_over),
        CHECK_CASE(static_mutexes_of_every_kind_are_not),
        CHECK_CASE(private_objects_are_not),
        CHECK_END,
    };

    return check_main(argc, argv, cases);
}
