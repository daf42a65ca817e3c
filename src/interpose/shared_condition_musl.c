/* SPDX-License-Identifier: MIT */
/* A wait on musl's shared condition variable with a mutex that is ours. Signals, broadcasts and the
   waits of other processes are musl's, so this speaks its protocol: a waiter is counted, sleeps
   while the sequence stays what it was, and the last one to leave wakes who destroys.

   A cancellation acts inside the wait, as in musl, and then the handler below takes back the mutex
   for the program's own handlers: nothing of ours is in use while the thread sleeps. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>

#include "interpose/calls.h"
#include "interpose/cancel.h"
#include "interpose/libc.h"
#include "interpose/view.h"

#define DESTROYING 0x80000000u

struct shared_wait {
    pthread_cond_t *cond;
    pthread_mutex_t *mutex;
    uint32_t sequence; /* when the wait began */
};

static void leave(struct fs_cond_view *view)
{
    if (fs_add_release(&view->waiters, UINT32_MAX) == (DESTROYING | 1))
        fs_futex_wake(&view->waiters, 1, FS_SCOPE_SHARED);
}

static bool was_signalled(const struct shared_wait *wait)
{
    return fs_load_acquire(&fs_view_cond(wait->cond)->sequence) != wait->sequence;
}

/* A cancelled thread passes on a signal that it may have used up. */
static void leave_cancelled(void *argument)
{
    struct shared_wait *wait = argument;

    if (was_signalled(wait))
        FS_HAND_OVER(cond_signal, wait->cond);
    leave(fs_view_cond(wait->cond));
    fs_pthread_mutex_lock(wait->mutex);
}

static int sleep_until_signalled(struct shared_wait *wait, const struct fs_deadline *deadline)
{
    struct fs_cond_view *view = fs_view_cond(wait->cond);
    int err = 0;

    while (err != ETIMEDOUT && !was_signalled(wait))
        err = fs_futex_wait(&view->sequence, wait->sequence, deadline, FS_SCOPE_SHARED);
    return err == ETIMEDOUT && !was_signalled(wait) ? ETIMEDOUT : 0;
}

int fs_musl_wait_shared(pthread_cond_t *cond, pthread_mutex_t *mutex,
                        const struct fs_deadline *deadline)
{
    struct fs_cond_view *view = fs_view_cond(cond);
    struct shared_wait wait = {.cond = cond, .mutex = mutex};
    const struct fs_libc *libc = fs_libc_functions();
    int type = fs_cancel_defer();
    int outcome = 0;
    int err;

    libc->testcancel();
    wait.sequence = fs_load_relaxed(&view->sequence);
    fs_add_seq_cst(&view->waiters, 1);
    err = fs_pthread_mutex_unlock(mutex);
    if (err != 0) {
        leave(view);
        fs_cancel_restore(type);
        return err;
    }
    pthread_cleanup_push(leave_cancelled, &wait);
    libc->setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    outcome = sleep_until_signalled(&wait, deadline);
    libc->setcanceltype(PTHREAD_CANCEL_DEFERRED, NULL);
    pthread_cleanup_pop(0);
    leave(view);
    err = fs_pthread_mutex_lock(mutex);
    fs_cancel_restore(type);
    return err != 0 ? err : outcome;
}
