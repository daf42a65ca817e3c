/* SPDX-License-Identifier: MIT */
/* A wait on musl's shared condition variable with a mutex that is ours. Signals, broadcasts and the
   waits of other processes are musl's, so this speaks its protocol: a waiter is counted, sleeps
   while the sequence stays what it was, and the last one to leave wakes who destroys.

   Such waiters stand in a list, so that pthread_cancel finds them. It sends a broadcast, the only
   wake-up that a waiter who is about to sleep cannot miss; to the others it is spurious. So a
   signal that the cancelled one may have used up is not lost either. */
#include <errno.h>
#include <pthread.h>

#include "interpose/calls.h"
#include "interpose/cancel.h"
#include "interpose/host.h"
#include "interpose/libc.h"
#include "interpose/view.h"
#include "lock/wait.h"

#define DESTROYING 0x80000000u

struct shared_wait {
    pthread_cond_t *cond;
    const void *thread;
    bool is_cancelled; /* under the list's lock, or by the waiter when it has left the list */
    struct shared_wait *next;
};

static fs_word list_lock;
static struct shared_wait *waits;

static void enter_list(struct shared_wait *wait)
{
    fs_word_lock_acquire(&list_lock, NULL, FS_SCOPE_PRIVATE);
    wait->next = waits;
    waits = wait;
    fs_word_lock_release(&list_lock);
}

static void leave_list(struct shared_wait *wait)
{
    fs_word_lock_acquire(&list_lock, NULL, FS_SCOPE_PRIVATE);
    for (struct shared_wait **at = &waits; *at; at = &(*at)->next)
        if (*at == wait) {
            *at = wait->next;
            break;
        }
    fs_word_lock_release(&list_lock);
}

void fs_host_interrupt(const void *thread)
{
    fs_word_lock_acquire(&list_lock, NULL, FS_SCOPE_PRIVATE);
    for (struct shared_wait *wait = waits; wait; wait = wait->next)
        if (wait->thread == thread) {
            wait->is_cancelled = true;
            FS_HAND_OVER(cond_broadcast, wait->cond); /* alive: it leaves the list first */
        }
    fs_word_lock_release(&list_lock);
}

void fs_host_in_fork_child(void)
{
    fs_store_relaxed(&list_lock, 0);
    waits = NULL;
}

static void leave(struct fs_cond_view *view)
{
    if (fs_add_release(&view->waiters, UINT32_MAX) == (DESTROYING | 1))
        fs_futex_wake(&view->waiters, 1, FS_SCOPE_SHARED);
}

/* Returns 0 or ETIMEDOUT. */
static int sleep_until_signalled(struct fs_cond_view *view, uint32_t sequence,
                                 const struct fs_deadline *deadline)
{
    int err = 0;

    while (fs_load_acquire(&view->sequence) == sequence) {
        if (err == ETIMEDOUT)
            return ETIMEDOUT;
        err = fs_futex_wait(&view->sequence, sequence, deadline, FS_SCOPE_SHARED);
    }
    return 0;
}

/* The mutex is held, before and after. */
static int wait_listed(struct fs_cond_view *view, pthread_mutex_t *mutex, struct shared_wait *wait,
                       const struct fs_deadline *deadline)
{
    uint32_t sequence = fs_load_relaxed(&view->sequence);
    int outcome = 0;
    int err;

    fs_add_seq_cst(&view->waiters, 1);
    err = fs_pthread_mutex_unlock(mutex);
    if (err == 0)
        outcome = sleep_until_signalled(view, sequence, deadline);
    leave_list(wait);
    leave(view);
    if (err != 0)
        return err;
    err = fs_pthread_mutex_lock(mutex);
    return err != 0 ? err : outcome;
}

int fs_musl_wait_shared(pthread_cond_t *cond, pthread_mutex_t *mutex,
                        const struct fs_deadline *deadline)
{
    struct shared_wait wait = {.cond = cond, .thread = fs_thread_name()};
    int type = fs_cancel_defer();
    uint32_t epoch;
    int err;

    for (;;) {
        epoch = fs_wait_epoch_now();
        fs_cancel_point();
        enter_list(&wait);
        if (fs_wait_epoch_now() == epoch)
            break;
        leave_list(&wait); /* perhaps cancelled before it stood in the list */
    }
    err = wait_listed(fs_view_cond(cond), mutex, &wait, deadline);
    if (wait.is_cancelled && (err == 0 || err == ETIMEDOUT))
        fs_cancel_point();
    fs_cancel_restore(type);
    return err;
}
