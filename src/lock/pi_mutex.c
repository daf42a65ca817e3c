/* SPDX-License-Identifier: MIT */
/* The mutex with priority inheritance: the kernel owns the word's protocol. Free to
   locked and back is ours when nobody waits; everything else is FUTEX_LOCK_PI and
   FUTEX_UNLOCK_PI. Also the robust variety, which is on the robust list besides.

   Invariants:
   P1  The word is 0 or holds the owner's thread id; with FS_PI_WAITERS only the
       kernel changes it.
   P2  A word with FS_PI_OWNER_DIED that we hold is cleared of it before we return, and reported
       by EOWNERDEAD if the mutex is robust.
   P3  In a fork child the id that the forking thread had before is the child's own too, for a
       mutex that the program believes an ordinary one (FS_KIND_MADE_PI): fork handlers unlock
       there what they locked in the parent. */
#include <errno.h>

#include "lock/mutex.h"
#include "lock/pi_mutex.h"
#include "lock/robust_list.h"

#define FS_INHERITED_MAX 4

/* Ids under which the calling thread, or the thread that forked it, has called fork; newest first.
 */
static FS_THREAD_LOCAL uint32_t inherited[FS_INHERITED_MAX];

void fs_pi_before_fork(void)
{
    if (inherited[0] == fs_thread_id())
        return;
    for (int i = FS_INHERITED_MAX - 1; i > 0; i--)
        inherited[i] = inherited[i - 1];
    inherited[0] = fs_thread_id();
}

/* In a fork child: the id under which its first thread, then in the parent, held its mutexes. */
static fs_word ancestor;

void fs_pi_after_fork_in_child(void)
{
    fs_store_relaxed(&ancestor, inherited[0]);
}

static bool is_inherited(uint32_t kind, uint32_t id)
{
    if (id == 0 || !(kind & FS_KIND_MADE_PI))
        return false;
    for (int i = 0; i < FS_INHERITED_MAX; i++)
        if (inherited[i] == id)
            return !fs_system_thread_exists(id); /* the number may be a thread's of ours by now */
    return false;
}

/* The caller waits for itself, or for a thread that is gone without a trace: POSIX's
   deadlock, which ends with the deadline or never. */
static int wait_in_vain(const struct fs_deadline *deadline)
{
    fs_word nobody = {0};

    while (fs_futex_wait(&nobody, 0, deadline, FS_SCOPE_PRIVATE) != ETIMEDOUT)
        ;
    return ETIMEDOUT;
}

#define FS_CIRCLE_NAP_NS 1000000
#define FS_CIRCLE_NAPS_MAX 16 /* times as long, in the end */

/* The caller would close a circle of threads that wait for one another. If one of them has a
   deadline, the circle opens again, and the kernel tells nobody: look from time to time. Returns 0
   to do so, or ETIMEDOUT. */
static int wait_for_a_way_out(const struct fs_deadline *deadline, int *naps)
{
    struct fs_deadline until = fs_system_now(FS_CLOCK_MONOTONIC);
    fs_word nobody = {0};

    if (fs_system_is_past(deadline))
        return ETIMEDOUT;
    until.nsec += (int64_t)*naps * FS_CIRCLE_NAP_NS;
    until.sec += until.nsec / FS_NSEC_PER_SEC;
    until.nsec %= FS_NSEC_PER_SEC;
    if (*naps < FS_CIRCLE_NAPS_MAX)
        *naps *= 2;
    fs_futex_wait(&nobody, 0, &until, FS_SCOPE_PRIVATE);
    return 0;
}

static bool is_held_by_me(const struct fs_mutex *m)
{
    return (fs_load_relaxed(&m->word) & FS_PI_TID_MASK) == fs_thread_id();
}

/* A sandbox has come that refuses the kernel's part, and the program does not expect an error from
   what it believes an ordinary mutex. */
static int poll_word(struct fs_mutex *m, const struct fs_deadline *deadline)
{
    uint32_t old = 0;

    while (!fs_cas_acquire(&m->word, &old, fs_thread_id())) {
        if (fs_system_is_past(deadline))
            return ETIMEDOUT;
        fs_system_yield();
        old = 0;
    }
    return 0;
}

static int lock_through_kernel(struct fs_mutex *m, uint32_t kind,
                               const struct fs_deadline *deadline)
{
    int naps = 1;

    for (;;) {
        int err = fs_futex_lock_pi(&m->word, deadline, fs_kind_scope(kind));

        switch (err) {
        case 0:
        case ETIMEDOUT:
            return err;
        case EINTR:
            break;
        case EAGAIN: /* the owner is exiting: the kernel will know more in a moment */
            fs_system_yield();
            break;
        case EDEADLK:
            if (is_held_by_me(m))
                return wait_in_vain(deadline);
            if (wait_for_a_way_out(deadline, &naps) == ETIMEDOUT)
                return ETIMEDOUT;
            break;
        case ESRCH:
            return wait_in_vain(deadline);
        case ENOSYS:
            return kind & FS_KIND_MADE_PI ? poll_word(m, deadline) : ENOTSUP;
        default:
            return err;
        }
    }
}

static int try_through_kernel(struct fs_mutex *m, uint32_t kind, uint32_t old)
{
    if (!(old & FS_PI_OWNER_DIED))
        return EBUSY;
    return fs_futex_trylock_pi(&m->word, fs_kind_scope(kind)) == 0 ? 0 : EBUSY;
}

/* While the word names the thread that forked this process, the kernel would take it for one of
   another process: poll. Fork handlers hold a mutex for a moment only. */
static int wait_for_ancestor(const struct fs_mutex *m, const struct fs_deadline *deadline)
{
    uint32_t id = fs_load_relaxed(&ancestor);

    while (id != 0 && (fs_load_relaxed(&m->word) & FS_PI_TID_MASK) == id &&
           !fs_system_thread_exists(id)) {
        if (fs_system_is_past(deadline))
            return ETIMEDOUT;
        fs_system_yield();
    }
    return 0;
}

static int take_word(struct fs_mutex *m, uint32_t kind, enum fs_wait_mode mode,
                     const struct fs_deadline *deadline)
{
    uint32_t old = 0;

    if (fs_cas_acquire(&m->word, &old, fs_thread_id()))
        return 0;
    if (mode == FS_WAIT_NEVER)
        return try_through_kernel(m, kind, old);
    if (deadline && !fs_deadline_is_valid(deadline))
        return EINVAL;
    if (kind & FS_KIND_MADE_PI && wait_for_ancestor(m, deadline) == ETIMEDOUT)
        return ETIMEDOUT;
    return lock_through_kernel(m, kind, deadline);
}

static int give_word(struct fs_mutex *m, enum fs_scope scope)
{
    fs_word *w = &m->word;
    uint32_t old = fs_thread_id();
    int err = 0;

    if (fs_cas_release(w, &old, 0))
        return 0;
    do
        err = fs_futex_unlock_pi(w, scope);
    while (err == EAGAIN);
    if (err != ENOSYS)
        return err;
    fs_exchange_release(w, 0); /* refused: whoever waits polls, or waits for its deadline */
    return 0;
}

static int note_holder(struct fs_mutex *m)
{
    fs_mutex_note_holder(m);
    m->nusers++;
    return 0;
}

/* The word is ours: what it and the owner field say of the one before us. */
static int settle(struct fs_mutex *m, uint32_t kind, struct fs_robust_bracket bracket)
{
    bool robust = (kind & FS_KIND_ROBUST) != 0;
    bool died = (fs_load_relaxed(&m->word) & FS_PI_OWNER_DIED) != 0;

    if (died)
        fs_and_release(&m->word, ~FS_PI_OWNER_DIED); /* P2 */
    if (robust && fs_load_relaxed(&m->owner) == FS_OWNER_UNRECOVERABLE) {
        m->count = 0;
        give_word(m, fs_kind_scope(kind));
        return ENOTRECOVERABLE;
    }
    if (robust)
        fs_robust_link(bracket, m, true);
    if (!robust || !died)
        return note_holder(m);
    fs_store_relaxed(&m->owner, FS_OWNER_INCONSISTENT);
    m->count = 1;
    return EOWNERDEAD;
}

static struct fs_robust_bracket open_bracket(struct fs_mutex *m, uint32_t kind)
{
    if (kind & FS_KIND_ROBUST)
        return fs_robust_begin(m, true);
    return (struct fs_robust_bracket){.head = NULL};
}

int fs_pi_acquire(struct fs_mutex *m, uint32_t kind, enum fs_wait_mode mode,
                  const struct fs_deadline *deadline)
{
    uint32_t holder = 0;
    struct fs_robust_bracket bracket;
    int err;

    if (!(kind & FS_KIND_ROBUST) && fs_cas_acquire(&m->word, &holder, fs_thread_id()))
        return note_holder(m);
    holder = fs_load_relaxed(&m->word) & FS_PI_TID_MASK;
    if (holder != 0 && (holder == fs_thread_id() || is_inherited(kind, holder))) {
        err = fs_mutex_acquire_again(m, kind, mode);
        if (err >= 0)
            return err;
    }
    bracket = open_bracket(m, kind);
    err = take_word(m, kind, mode, deadline);
    if (err == 0)
        err = settle(m, kind, bracket);
    fs_robust_end(bracket);
    return err;
}

static int release_any(struct fs_mutex *m, uint32_t kind)
{
    uint32_t me = fs_thread_id();
    uint32_t holder = fs_load_relaxed(&m->word) & FS_PI_TID_MASK;
    uint32_t owner = fs_load_relaxed(&m->owner);
    bool is_inherited_hold = holder != me && is_inherited(kind, holder);
    struct fs_robust_bracket bracket;
    int err = 0;

    if (holder != me && !is_inherited_hold)
        return EPERM;
    if ((kind & FS_KIND_TYPE_MASK) == FS_KIND_RECURSIVE && --m->count != 0)
        return 0;
    bracket = open_bracket(m, kind);
    if (kind & FS_KIND_ROBUST)
        fs_robust_unlink(bracket, m);
    fs_store_relaxed(&m->owner, owner == FS_OWNER_INCONSISTENT ? FS_OWNER_UNRECOVERABLE : 0);
    m->count = 0;
    m->nusers--;
    if (is_inherited_hold)
        fs_store_release(&m->word, 0); /* P3: the parent's waiters do not exist here */
    else
        err = give_word(m, fs_kind_scope(kind));
    fs_robust_end(bracket);
    return err;
}

/* The common case of a release: not robust, held once by the caller, as the owner field says. */
static int release_simply(struct fs_mutex *m, uint32_t kind)
{
    fs_store_relaxed(&m->owner, 0);
    m->count = 0;
    m->nusers--;
    return give_word(m, fs_kind_scope(kind));
}

int fs_pi_release(struct fs_mutex *m, uint32_t kind)
{
    /* The owner first: to a stranger the count is another's (M2). */
    if (!(kind & FS_KIND_ROBUST) && fs_mutex_is_mine(m) && m->count == 1)
        return release_simply(m, kind);
    return release_any(m, kind);
}

int fs_pi_wait_requeue(struct fs_mutex *m, uint32_t kind, fs_word *from, uint32_t expected,
                       const struct fs_deadline *deadline, int *adopted)
{
    struct fs_robust_bracket bracket = open_bracket(m, kind);
    int err = fs_futex_wait_requeue_pi(from, expected, &m->word, deadline, fs_kind_scope(kind));

    if (err == 0)
        *adopted = settle(m, kind, bracket);
    fs_robust_end(bracket);
    return err;
}

void fs_pi_word_acquire(fs_word *w)
{
    uint32_t old = 0;
    int err;

    if (fs_cas_acquire(w, &old, fs_thread_id()))
        return;
    do
        err = fs_futex_lock_pi(w, NULL, FS_SCOPE_PRIVATE);
    while (err == EINTR || err == EAGAIN);
    while (err != 0) {
        /* No priority inheritance, or a sandbox that refuses it: poll. */
        fs_system_yield();
        old = 0;
        if (fs_cas_acquire(w, &old, fs_thread_id()))
            err = 0;
    }
}

void fs_pi_word_release(fs_word *w)
{
    uint32_t old = fs_thread_id();

    int err;

    if (fs_cas_release(w, &old, 0))
        return;
    do
        err = fs_futex_unlock_pi(w, FS_SCOPE_PRIVATE);
    while (err == EAGAIN);
    if (err == ENOSYS) /* a sandbox has come since somebody began to wait, who polls now */
        fs_exchange_release(w, 0);
}
