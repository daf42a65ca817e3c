/* SPDX-License-Identifier: MIT */
/* Cancellation on macOS: a wait on a condition variable is a cancellation point that holds the
   mutex again when handlers run, the calls with $NOCANCEL are none, and no signal is lost with a
   thread. */
#include "check.h"

int wait_nocancel(pthread_cond_t *cond,
                  pthread_mutex_t *mutex) __asm__("_pthread_cond_wait$NOCANCEL");
int timedwait_nocancel(pthread_cond_t *cond, pthread_mutex_t *mutex,
                       const struct timespec *abstime) __asm__("_pthread_cond_timedwait$NOCANCEL");

struct scene {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int (*wait)(struct scene *);
    int waiting;
    int let_go;
    int handled; /* the handler ran with the mutex held */
    int returned;
};

static int wait_plainly(struct scene *scene)
{
    return pthread_cond_wait(&scene->cond, &scene->mutex);
}

static int wait_until_late(struct scene *scene)
{
    struct timespec at = check_after(3600000);

    return pthread_cond_timedwait(&scene->cond, &scene->mutex, &at);
}

static int wait_for_long(struct scene *scene)
{
    struct timespec timeout = {3600, 0};

    return pthread_cond_timedwait_relative_np(&scene->cond, &scene->mutex, &timeout);
}

static int wait_uncancelled(struct scene *scene)
{
    return wait_nocancel(&scene->cond, &scene->mutex);
}

static int wait_uncancelled_until_late(struct scene *scene)
{
    struct timespec at = check_after(3600000);

    return timedwait_nocancel(&scene->cond, &scene->mutex, &at);
}

static struct scene scene_with(int (*wait)(struct scene *))
{
    struct scene scene = {
        .mutex = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER,
        .cond = PTHREAD_COND_INITIALIZER,
        .wait = wait,
    };

    return scene;
}

/* Only its holder can unlock a mutex of this kind. */
static void handle(void *argument)
{
    struct scene *scene = argument;

    CHECK_INT(pthread_mutex_trylock(&scene->mutex), EBUSY);
    CHECK_INT(pthread_mutex_unlock(&scene->mutex), 0);
    check_add(&scene->handled, 1);
}

static void *play(void *argument)
{
    struct scene *scene = argument;

    CHECK_INT(pthread_mutex_lock(&scene->mutex), 0);
    pthread_cleanup_push(handle, scene);
    check_add(&scene->waiting, 1);
    while (!scene->let_go)
        CHECK_INT(scene->wait(scene), 0);
    check_add(&scene->returned, 1);
    pthread_cleanup_pop(1);
    pthread_testcancel();
    return NULL;
}

static void let_go(struct scene *scene)
{
    CHECK_INT(pthread_mutex_lock(&scene->mutex), 0);
    scene->let_go = 1;
    CHECK_INT(pthread_cond_signal(&scene->cond), 0);
    CHECK_INT(pthread_mutex_unlock(&scene->mutex), 0);
}

static void a_cancelled_waiter_holds_the_mutex_in_its_handlers(void)
{
    int (*const waits[])(struct scene *) = {wait_plainly, wait_until_late, wait_for_long};

    for (unsigned i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        struct scene scene = scene_with(waits[i]);
        pthread_t thread;

        check_start(&thread, play, &scene);
        check_until(&scene.waiting, 1);
        check_until_asleep(1);
        CHECK_INT(pthread_cancel(thread), 0);
        CHECK(check_join(thread) == PTHREAD_CANCELED);
        CHECK_INT(scene.handled, 1);
        CHECK_INT(scene.returned, 0);
        CHECK_INT(pthread_mutex_lock(&scene.mutex), 0);
        CHECK_INT(pthread_mutex_unlock(&scene.mutex), 0);
    }
}

static void a_cancelled_waiter_waits_for_the_mutex(void)
{
    struct scene scene = scene_with(wait_plainly);
    pthread_t thread;

    check_start(&thread, play, &scene);
    check_until(&scene.waiting, 1);
    CHECK_INT(pthread_mutex_lock(&scene.mutex), 0);
    CHECK_INT(pthread_cancel(thread), 0);
    check_pause(40);
    CHECK_INT(check_load(&scene.handled), 0);
    CHECK_INT(pthread_mutex_unlock(&scene.mutex), 0);
    CHECK(check_join(thread) == PTHREAD_CANCELED);
    CHECK_INT(scene.handled, 1);
}

static void calls_without_cancellation_wait_on(void)
{
    int (*const waits[])(struct scene *) = {wait_uncancelled, wait_uncancelled_until_late};

    for (unsigned i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        struct scene scene = scene_with(waits[i]);
        pthread_t thread;

        check_start(&thread, play, &scene);
        check_until(&scene.waiting, 1);
        check_until_asleep(1);
        CHECK_INT(pthread_cancel(thread), 0);
        check_pause(40);
        CHECK_INT(check_load(&scene.handled), 0);
        let_go(&scene);
        CHECK(check_join(thread) == PTHREAD_CANCELED); /* at pthread_testcancel */
        CHECK_INT(scene.returned, 1);
        CHECK_INT(scene.handled, 1);
    }
}

/* ---- requests that wait ---------------------------------------------------------- */

struct pending {
    struct scene scene;
    int ready;
    int requested;
};

static void *wait_with_a_request(void *argument)
{
    struct pending *pending = argument;

    check_add(&pending->ready, 1);
    while (!check_load(&pending->requested))
        sched_yield();
    return play(&pending->scene);
}

static void a_request_from_before_acts_at_the_wait(void)
{
    struct pending pending = {.scene = scene_with(wait_plainly)};
    pthread_t thread;

    check_start(&thread, wait_with_a_request, &pending);
    check_until(&pending.ready, 1);
    CHECK_INT(pthread_cancel(thread), 0);
    check_add(&pending.requested, 1);
    CHECK(check_join(thread) == PTHREAD_CANCELED);
    CHECK_INT(pending.scene.handled, 1);
    CHECK_INT(pending.scene.returned, 0);
}

static void *play_disabled(void *argument)
{
    int old = -1;

    CHECK_INT(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old), 0);
    CHECK_INT(old, PTHREAD_CANCEL_ENABLE);
    play(argument);
    CHECK_INT(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old), 0);
    pthread_testcancel();
    return NULL;
}

static void a_disabled_request_waits_until_it_is_enabled(void)
{
    struct scene scene = scene_with(wait_plainly);
    pthread_t thread;

    check_start(&thread, play_disabled, &scene);
    check_until(&scene.waiting, 1);
    check_until_asleep(1);
    CHECK_INT(pthread_cancel(thread), 0);
    check_pause(40);
    CHECK_INT(check_load(&scene.returned), 0);
    let_go(&scene);
    CHECK(check_join(thread) == PTHREAD_CANCELED);
    CHECK_INT(scene.returned, 1);
}

static void *lock_with_a_request(void *argument)
{
    struct scene *scene = argument;

    CHECK_INT(pthread_cancel(pthread_self()), 0);
    CHECK_INT(pthread_mutex_lock(&scene->mutex), 0);
    CHECK_INT(pthread_cond_signal(&scene->cond), 0);
    CHECK_INT(pthread_mutex_unlock(&scene->mutex), 0);
    check_add(&scene->returned, 1);
    pthread_testcancel();
    return NULL;
}

static void a_lock_is_no_cancellation_point(void)
{
    struct scene scene = scene_with(wait_plainly);
    pthread_t thread;

    check_start(&thread, lock_with_a_request, &scene);
    CHECK(check_join(thread) == PTHREAD_CANCELED);
    CHECK_INT(scene.returned, 1);
}

/* The type that the program chose is in force again after a wait. */
static void *keep_the_type(void *argument)
{
    struct scene *scene = argument;
    int type = -1;

    CHECK_INT(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type), 0);
    CHECK_INT(type, PTHREAD_CANCEL_DEFERRED);
    play(scene);
    CHECK_INT(pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type), 0);
    CHECK_INT(type, PTHREAD_CANCEL_ASYNCHRONOUS);
    return NULL;
}

static void a_wait_leaves_the_type_as_it_was(void)
{
    struct scene scene = scene_with(wait_plainly);
    pthread_t thread;

    check_start(&thread, keep_the_type, &scene);
    check_until(&scene.waiting, 1);
    check_until_asleep(1);
    let_go(&scene);
    CHECK(check_join(thread) == NULL);
}

/* ---- a signal and a request at once ------------------------------------------------- */

#define ROUNDS 60

/* Two wait, one is cancelled, one signal comes: if the cancelled one goes, the other has the
   signal. */
struct duel {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int waiting;
    int signals; /* sent and not yet taken */
    int taken;
};

static void leave(void *argument)
{
    struct duel *duel = argument;

    pthread_mutex_unlock(&duel->mutex);
}

static void *wait_in_duel(void *argument)
{
    struct duel *duel = argument;
    int old;

    pthread_mutex_lock(&duel->mutex);
    pthread_cleanup_push(leave, duel);
    check_add(&duel->waiting, 1);
    while (duel->signals == 0)
        pthread_cond_wait(&duel->cond, &duel->mutex);
    duel->signals--;
    check_add(&duel->taken, 1);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    pthread_cleanup_pop(1);
    return NULL;
}

static void no_signal_is_lost_with_a_cancelled_thread(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct duel duel = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0};
        pthread_t threads[2];
        bool first_went;

        for (int i = 0; i < 2; i++)
            check_start(&threads[i], wait_in_duel, &duel);
        check_until(&duel.waiting, 2);
        pthread_mutex_lock(&duel.mutex);
        duel.signals = 1;
        if (round % 2)
            pthread_cancel(threads[0]);
        pthread_cond_signal(&duel.cond);
        pthread_mutex_unlock(&duel.mutex);
        if (round % 2 == 0)
            pthread_cancel(threads[0]);
        first_went = check_join(threads[0]) == PTHREAD_CANCELED;
        if (!first_went) {
            CHECK_INT(check_load(&duel.taken), 1);
            pthread_mutex_lock(&duel.mutex);
            duel.signals++;
            pthread_cond_signal(&duel.cond);
            pthread_mutex_unlock(&duel.mutex);
        }
        CHECK(check_join(threads[1]) == NULL);
        CHECK_INT(duel.taken, first_went ? 1 : 2);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        CHECK_CASE(a_cancelled_waiter_holds_the_mutex_in_its_handlers),
        CHECK_CASE(a_cancelled_waiter_waits_for_the_mutex),
        CHECK_CASE(calls_without_cancellation_wait_on),
        CHECK_CASE(a_request_from_before_acts_at_the_wait),
        CHECK_CASE(a_disabled_request_waits_until_it_is_enabled),
        CHECK_CASE(a_lock_is_no_cancellation_point),
        CHECK_CASE(a_wait_leaves_the_type_as_it_was),
        CHECK_CASE(no_signal_is_lost_with_a_cancelled_thread),
        CHECK_END,
    };

    return check_main(argc, argv, cases);
}
