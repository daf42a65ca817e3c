/* SPDX-License-Identifier: MIT */
/* See mixed_processes.h: what a member does until it is killed. Each round locks the object in use
   in one of the ways there are, and does one update; with a condition variable it gives a token and
   takes one. What it finds wrong is kept for the coordinator, who decides what a death means.

   A member announces that it enters, and then looks again whether its object is still in use. The
   coordinator takes an object out of use, and then looks who has announced it. So nobody goes
   unseen into an object that is no longer in use. */
#include "mixed_processes.h"

#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { LEISURE = 60 };

static struct mixed_area *area;
static struct mixed_life *me;
static unsigned my_number;
static const struct mixed_kind *kind;
static struct stress_random rnd;

/* A member's EXPECT: what must hold whoever dies. */
#define MUST(condition, ...)                                                                       \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            mixed_note_failure(area, __VA_ARGS__);                                                 \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

#define MUST_GIVE(call, wanted) check_result(#call, call, wanted)

static bool is_robust_here(void)
{
    return mixed_is_robust(area, me->generation);
}

/* How much more a member does outside than inside. Half of them rush: they meet at the word,
   while the others meet asleep. */
static unsigned leisure;

/* Mostly short; sometimes long enough for the others to come and sleep. */
static void work(void)
{
    switch (stress_below(&rnd, leisure == 0 ? 1024 : 16)) {
    case 0:
        usleep(stress_below(&rnd, 100));
        break;
    case 1:
        sched_yield();
        break;
    default:
        stress_work(&rnd, leisure == 0 ? 10 : 300);
    }
}

static struct mixed_object *announce(void)
{
    for (;;) {
        unsigned generation = area->generation;

        me->generation = generation;
        me->stage = MIXED_ENTERING;
        if (area->generation == generation)
            return &area->objects[generation];
        me->stage = MIXED_OUTSIDE;
    }
}

/* Looks wrong, but the owner of a PI mutex that is not robust may have died, after which nothing is
   promised: the kernel hands the mutex on, libc's next owner fails an assertion, and libc's
   pthread_mutex_lock takes the EINVAL that the kernel gives in between for success. So waits until
   the coordinator has noticed. If nobody has died the cell hangs here, and fails. */
__attribute__((noreturn)) static void wait_to_be_put_away(int err)
{
    me->error = err;
    for (;;)
        pause();
}

static bool may_be_spoiled(const struct mixed_object *object)
{
    return object->struck && mixed_is_stalled_pi(area, me->generation);
}

#define MUST_UNLESS_SPOILED(object, condition, ...)                                                \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            if (may_be_spoiled(object))                                                            \
                wait_to_be_put_away(-1);                                                           \
            MUST(false, __VA_ARGS__);                                                              \
        }                                                                                          \
    } while (0)

static void check_result(const char *call, int err, int wanted)
{
    if (err != wanted && may_be_spoiled(&area->objects[me->generation]))
        wait_to_be_put_away(err);
    MUST(err == wanted, "member %u: %s gives %d", my_number, call, err);
}

static void inherit(struct mixed_object *object)
{
    unsigned holder = object->holder;
    const char *wrong = NULL;

    MUST(is_robust_here(), "member %u: EOWNERDEAD from a mutex that is not robust", my_number);
    me->inherits = holder;
    me->told++;
    me->stage = MIXED_REPAIRING;
    if (holder != 0) {
        MUST(area->lives[holder].doomed, "member %u is told that %u died, which lives", my_number,
             holder);
        area->lives[holder].heirs++;
        wrong = mixed_repair(area, object, holder);
    } else {
        me->nameless++;
    }
    MUST(!wrong, "member %u inherits from %u: %s", my_number, holder, wrong);
    MUST_GIVE(pthread_mutex_consistent(&object->mutex), 0);
    object->holder = 0;
}

/* The mutex, or the rwlock for writing, is held; err is what the call gave. */
static void come_in(struct mixed_object *object, int err)
{
    unsigned holder;

    if (err == EOWNERDEAD)
        inherit(object);
    else
        check_result("a lock", err, 0);
    holder = object->holder;
    MUST_UNLESS_SPOILED(object, holder == 0, "both in: member %u enters although %u is inside%s",
                        my_number, holder,
                        area->lives[holder].doomed ? " (dead, and nobody was told)" : "");
    MUST_UNLESS_SPOILED(object, object->first == object->second,
                        "member %u finds an update half done", my_number);
    object->before = object->done[me->seat];
    object->holder = my_number;
    me->stage = MIXED_INSIDE;
}

static void go_out(struct mixed_object *object, enum mixed_stage next)
{
    me->stage = next;
    MUST_UNLESS_SPOILED(object, object->holder == my_number, "both in: %u came in to member %u",
                        object->holder, my_number);
    object->holder = 0;
}

static void update(struct mixed_object *object)
{
    uint64_t first = object->first;

    work();
    object->first = first + 1;
    work();
    object->done[me->seat]++;
    work();
    object->second = first + 1;
}

/* ---- mutexes ---- */

static int take_mutex(pthread_mutex_t *mutex, bool patient)
{
    struct timespec deadline;
    long ns = stress_below(&rnd, 4) == 0 ? -1000 : (long)stress_below(&rnd, 500000);

    switch (patient ? 0 : stress_below(&rnd, 6)) {
    case 1:
        return pthread_mutex_trylock(mutex);
    case 2:
        deadline = stress_deadline(CLOCK_REALTIME, ns);
        return pthread_mutex_timedlock(mutex, &deadline);
    case 3:
        deadline = stress_deadline(CLOCK_MONOTONIC, ns);
        return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &deadline);
    default:
        return pthread_mutex_lock(mutex);
    }
}

/* What a relock by the holder gives. */
static void relock(pthread_mutex_t *mutex)
{
    int type = kind->variant[me->generation % (unsigned)kind->variants].type;

    if (type == PTHREAD_MUTEX_RECURSIVE) {
        MUST_GIVE(pthread_mutex_lock(mutex), 0);
        MUST_GIVE(pthread_mutex_unlock(mutex), 0);
    } else if (type == PTHREAD_MUTEX_ERRORCHECK) {
        MUST_GIVE(pthread_mutex_lock(mutex), EDEADLK);
    } else {
        MUST_GIVE(pthread_mutex_trylock(mutex), EBUSY);
    }
}

static void round_with_mutex(bool patient)
{
    struct mixed_object *object = announce();
    int err = take_mutex(&object->mutex, patient);

    if (err != EBUSY && err != ETIMEDOUT) {
        come_in(object, err);
        update(object);
        if (stress_below(&rnd, 4) == 0)
            relock(&object->mutex);
        go_out(object, MIXED_LEAVING);
        MUST_GIVE(pthread_mutex_unlock(&object->mutex), 0);
    }
    me->stage = MIXED_OUTSIDE;
}

/* ---- rwlocks ---- */

static int take_rwlock(pthread_rwlock_t *rwlock, bool read, bool patient)
{
    bool real = stress_below(&rnd, 2) == 0;
    clockid_t clock = real ? CLOCK_REALTIME : CLOCK_MONOTONIC;
    struct timespec deadline = stress_deadline(clock, (long)stress_below(&rnd, 500000));

    switch (patient ? 0 : stress_below(&rnd, 5)) {
    case 1:
        return read ? pthread_rwlock_tryrdlock(rwlock) : pthread_rwlock_trywrlock(rwlock);
    case 2:
        if (real)
            return read ? pthread_rwlock_timedrdlock(rwlock, &deadline)
                        : pthread_rwlock_timedwrlock(rwlock, &deadline);
        return read ? pthread_rwlock_clockrdlock(rwlock, clock, &deadline)
                    : pthread_rwlock_clockwrlock(rwlock, clock, &deadline);
    default:
        return read ? pthread_rwlock_rdlock(rwlock) : pthread_rwlock_wrlock(rwlock);
    }
}

static void look_at(struct mixed_object *object)
{
    unsigned holder = object->holder;

    MUST(holder == 0, "both in: member %u reads although %u writes", my_number, holder);
    MUST(object->first == object->second, "member %u reads an update half done", my_number);
}

static void round_with_rwlock(bool patient)
{
    struct mixed_object *object = announce();
    bool read = !patient && stress_below(&rnd, 2) == 0;
    int err = take_rwlock(&object->rwlock, read, patient);

    if (err == EBUSY || err == ETIMEDOUT) {
        me->stage = MIXED_OUTSIDE;
        return;
    }
    if (read) {
        MUST(err == 0, "member %u: a read lock gives %d", my_number, err);
        me->stage = MIXED_READING;
        object->readers++;
        look_at(object);
        work();
        look_at(object);
        object->readers--;
        me->stage = MIXED_LEAVING;
    } else {
        come_in(object, err);
        MUST(object->readers == 0, "both in: member %u writes beside readers", my_number);
        update(object);
        MUST(object->readers == 0, "both in: readers came to the writer %u", my_number);
        go_out(object, MIXED_LEAVING);
    }
    MUST_GIVE(pthread_rwlock_unlock(&object->rwlock), 0);
    me->stage = MIXED_OUTSIDE;
}

/* ---- condition variables ---- */

static void tell(struct mixed_object *object, bool everybody)
{
    me->stage = MIXED_IN_COND;
    if (everybody)
        MUST_GIVE(pthread_cond_broadcast(&object->cond), 0);
    else
        MUST_GIVE(pthread_cond_signal(&object->cond), 0);
    me->stage = MIXED_INSIDE;
}

static void wait_for_more(struct mixed_object *object)
{
    struct timespec deadline;
    int err;

    go_out(object, MIXED_IN_COND);
    switch (stress_below(&rnd, 4)) {
    case 0:
        deadline = stress_deadline(CLOCK_REALTIME, (long)stress_below(&rnd, 2000000));
        err = pthread_cond_timedwait(&object->cond, &object->mutex, &deadline);
        break;
    case 1:
        deadline = stress_deadline(CLOCK_MONOTONIC, (long)stress_below(&rnd, 2000000));
        err = pthread_cond_clockwait(&object->cond, &object->mutex, CLOCK_MONOTONIC, &deadline);
        break;
    default:
        err = pthread_cond_wait(&object->cond, &object->mutex);
    }
    come_in(object, err == ETIMEDOUT ? 0 : err);
}

/* Gives before it takes, so that not all can wait; whoever goes to rest tells the others. */
static void round_with_cond(bool to_rest)
{
    struct mixed_object *object = announce();

    come_in(object, pthread_mutex_lock(&object->mutex));
    update(object);
    if (object->tokens < 2)
        object->tokens++;
    tell(object, to_rest || stress_below(&rnd, 2) == 0);
    go_out(object, MIXED_LEAVING);
    MUST_GIVE(pthread_mutex_unlock(&object->mutex), 0);
    me->stage = MIXED_OUTSIDE;
    if (to_rest)
        return;
    work();
    object = announce();
    come_in(object, pthread_mutex_lock(&object->mutex));
    while (object->tokens == 0 && area->rest == 0)
        wait_for_more(object);
    if (object->tokens > 0)
        object->tokens--;
    update(object);
    go_out(object, MIXED_LEAVING);
    MUST_GIVE(pthread_mutex_unlock(&object->mutex), 0);
    me->stage = MIXED_OUTSIDE;
}

/* ---- the life ---- */

static void round_of(bool to_rest)
{
    switch (kind->shape) {
    case MIXED_MUTEX:
        round_with_mutex(to_rest);
        break;
    case MIXED_COND:
        round_with_cond(to_rest);
        break;
    case MIXED_RWLOCK:
        round_with_rwlock(to_rest);
        break;
    }
    me->rounds++;
}

static void rest(unsigned number)
{
    round_of(true);
    me->rested = number;
    me->stage = MIXED_RESTING;
    while (area->rest == number)
        usleep(200);
    me->stage = MIXED_OUTSIDE;
}

static bool has_library(void)
{
    Dl_info info;
    void *lock = dlsym(RTLD_DEFAULT, "pthread_mutex_lock");

    return lock && dladdr(lock, &info) && strstr(info.dli_fname, "libfastsync") != NULL;
}

int mixed_member(struct mixed_area *shared, unsigned number, bool library)
{
    area = shared;
    my_number = number;
    me = &area->lives[number];
    kind = &mixed_kinds[area->kind];
    rnd.state = area->seed ^ ((uint64_t)number << 40);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != area->coordinator)
        return 1;
    MUST(has_library() == library, "member %u has the library: %d", number, has_library());
    if (number == 0)
        return mixed_make_objects(area);
    leisure = stress_below(&rnd, 2) == 0 ? 0 : 1 + stress_below(&rnd, LEISURE);
    me->stage = MIXED_OUTSIDE;
    for (;;) {
        unsigned wanted = area->rest;

        if (wanted != 0)
            rest(wanted);
        round_of(false);
        for (unsigned n = stress_below(&rnd, leisure + 1); n > 0; n--)
            work();
    }
}
