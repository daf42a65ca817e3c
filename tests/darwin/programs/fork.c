/* SPDX-License-Identifier: MIT */
/* fork on macOS: what the child finds of locks, of the threads that waited on them, and of its own
   thread's name, which is another than in the parent. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define THREADS 3

/* Runs the part in a child; its failed checks count here. */
static void in_child(void (*part)(void))
{
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        part();
        _exit(check_has_failed() ? 1 : 0);
    }
    CHECK(child > 0);
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
}

/* ---- handlers ------------------------------------------------------------------- */

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static int prepared;
static int handled;

static void prepare(void)
{
    prepared++;
    CHECK_INT(pthread_mutex_lock(&guard), 0);
}

static void release_guard(void)
{
    handled++;
    CHECK_INT(pthread_mutex_unlock(&guard), 0);
}

static void use_guard(void)
{
    CHECK_INT(prepared, 1);
    CHECK_INT(handled, 1);
    CHECK_INT(pthread_mutex_lock(&guard), 0);
    CHECK_INT(pthread_mutex_trylock(&guard), EBUSY);
    CHECK_INT(pthread_mutex_unlock(&guard), 0);
}

static void a_mutex_locked_before_the_fork_is_unlocked_in_both(void)
{
    CHECK_INT(pthread_atfork(prepare, release_guard, release_guard), 0);
    in_child(use_guard);
    use_guard();
}

/* ---- threads that the child does not have ------------------------------------------- */

struct crowd {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_mutex_t busy; /* held by the forking thread, with sleepers */
    int waiting;
    int go;
};

static struct crowd crowd = {
    .mutex = PTHREAD_MUTEX_INITIALIZER,
    .cond = PTHREAD_COND_INITIALIZER,
    .busy = PTHREAD_MUTEX_INITIALIZER,
};

static void *wait_in_crowd(void *unused)
{
    pthread_mutex_lock(&crowd.mutex);
    check_add(&crowd.waiting, 1);
    while (!crowd.go)
        CHECK_INT(pthread_cond_wait(&crowd.cond, &crowd.mutex), 0);
    CHECK_INT(pthread_mutex_unlock(&crowd.mutex), 0);
    return unused;
}

static void *wait_at_busy(void *unused)
{
    check_add(&crowd.waiting, 1);
    CHECK_INT(pthread_mutex_lock(&crowd.busy), 0);
    CHECK_INT(pthread_mutex_unlock(&crowd.busy), 0);
    return unused;
}

static void let_crowd_go(void)
{
    CHECK_INT(pthread_mutex_lock(&crowd.mutex), 0);
    crowd.go = 1;
    CHECK_INT(pthread_cond_broadcast(&crowd.cond), 0);
    CHECK_INT(pthread_mutex_unlock(&crowd.mutex), 0);
}

static void use_in_child(void)
{
    struct timespec at = check_after(30);
    int err;

    CHECK_INT(pthread_mutex_unlock(&crowd.busy), 0);
    CHECK_INT(pthread_mutex_trylock(&crowd.busy), 0);
    CHECK_INT(pthread_mutex_lock(&crowd.mutex), 0);
    do
        err = pthread_cond_timedwait(&crowd.cond, &crowd.mutex, &at);
    while (err == 0);
    CHECK_INT(err, ETIMEDOUT);
    CHECK_INT(pthread_mutex_unlock(&crowd.mutex), 0);
}

/* Nobody is woken by these, and nobody sleeps on. */
static void signal_in_child(void)
{
    use_in_child();
    CHECK_INT(pthread_cond_signal(&crowd.cond), 0);
    CHECK_INT(pthread_cond_broadcast(&crowd.cond), 0);
    use_in_child();
}

/* The parent's waiters are not here: one signal is the child's own waiter's. */
static void wake_in_child(void)
{
    pthread_t threads[2];

    use_in_child();
    crowd.waiting = 0;
    check_start(&threads[0], wait_in_crowd, NULL);
    check_start(&threads[1], wait_at_busy, NULL);
    check_until(&crowd.waiting, 2);
    check_until_asleep(2);
    CHECK_INT(pthread_mutex_lock(&crowd.mutex), 0);
    crowd.go = 1;
    CHECK_INT(pthread_cond_signal(&crowd.cond), 0);
    CHECK_INT(pthread_mutex_unlock(&crowd.mutex), 0);
    check_join(threads[0]);
    CHECK_INT(pthread_mutex_unlock(&crowd.busy), 0);
    check_join(threads[1]);
}

static void fork_from_crowd(void (*part)(void))
{
    pthread_t threads[2 * THREADS];

    crowd.waiting = 0;
    crowd.go = 0;
    CHECK_INT(pthread_mutex_lock(&crowd.busy), 0);
    for (int i = 0; i < THREADS; i++) {
        check_start(&threads[i], wait_in_crowd, NULL);
        check_start(&threads[THREADS + i], wait_at_busy, NULL);
    }
    check_until(&crowd.waiting, 2 * THREADS);
    check_until_asleep(2 * THREADS);
    in_child(part);
    let_crowd_go();
    CHECK_INT(pthread_mutex_unlock(&crowd.busy), 0);
    for (int i = 0; i < 2 * THREADS; i++)
        check_join(threads[i]);
}

static void sleepers_of_the_parent_are_nobody_in_the_child(void)
{
    fork_from_crowd(signal_in_child);
}

static void sleepers_of_the_child_are_woken(void)
{
    if (check_has_qemu()) {
        check_skip("qemu-user 7.2 ends a child that starts threads when its parent had some");
        return;
    }
    fork_from_crowd(wake_in_child);
}

/* ---- who the child's thread is --------------------------------------------------------- */

static pthread_mutex_t errorcheck = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER;
static pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER;
static uint32_t name_in_parent;

static void *try_as_stranger(void *unused)
{
    CHECK_INT(pthread_mutex_trylock(&errorcheck), EBUSY);
    CHECK_INT(pthread_mutex_unlock(&errorcheck), EPERM);
    CHECK_INT(pthread_mutex_trylock(&recursive), EBUSY);
    return unused;
}

static void own_in_child(void)
{
    pthread_t thread;

    CHECK_INT(pthread_mutex_lock(&errorcheck), 0);
    CHECK_INT(pthread_mutex_lock(&errorcheck), EDEADLK);
    CHECK_INT(pthread_mutex_lock(&recursive), 0);
    CHECK_INT(pthread_mutex_lock(&recursive), 0);
    check_start(&thread, try_as_stranger, NULL);
    check_join(thread);
    CHECK_INT(pthread_mutex_unlock(&recursive), 0);
    CHECK_INT(pthread_mutex_unlock(&recursive), 0);
    CHECK_INT(pthread_mutex_unlock(&errorcheck), 0);
}

static void own_by_another_name(void)
{
    CHECK(!check_has_loader() || pthread_mach_thread_np(pthread_self()) != name_in_parent);
    own_in_child();
}

static void the_child_owns_what_it_locks(void)
{
    name_in_parent = pthread_mach_thread_np(pthread_self());
    own_in_child();
    in_child(own_by_another_name);
}

/* A child that forks again, and a thread that forks. */
static void fork_again(void)
{
    in_child(own_in_child);
    own_in_child();
}

static void *fork_in_thread(void *unused)
{
    in_child(fork_again);
    return unused;
}

static void threads_and_children_fork_too(void)
{
    pthread_t thread;

    check_start(&thread, fork_in_thread, NULL);
    check_join(thread);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        CHECK_CASE(sleepers_of_the_parent_are_nobody_in_the_child),
        CHECK_CASE(sleepers_of_the_child_are_woken),
        CHECK_CASE(the_child_owns_what_it_locks),
        CHECK_CASE(a_mutex_locked_before_the_fork_is_unlocked_in_both),
        CHECK_CASE(threads_and_children_fork_too),
        CHECK_END,
    };

    return check_main(argc, argv, cases);
}
