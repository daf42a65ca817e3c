/* SPDX-License-Identifier: MIT */
/* The futex contract on Linux: locks with priority inheritance, whose word and
   queue the kernel keeps. Decides how a monotonic deadline reaches a kernel
   without FUTEX_LOCK_PI2, and which EPERM is a sandbox's: that becomes ENOSYS,
   since here EPERM also has meanings of its own. */
#include "futex/linux_futex.h"

#include "base/fatal.h"

/* Not 0: the kernel has no FUTEX_LOCK_PI2. Relaxed accesses: it publishes nothing,
   and a thread that misses it asks the kernel once more. */
static fs_word lacks_lock_pi2;

/* The errors every one of these operations may give. */
static bool is_pi_answer(int err)
{
    switch (err) {
    case 0:
    case EAGAIN:
    case EDEADLK:
    case ESRCH:
    case EPERM:
    case EINVAL:
    case ENOMEM:
    case ENOSYS:
    case EFAULT:
        return true;
    default:
        return false;
    }
}

static int pi_answer(const char *what, long result, enum fs_futex_feature feature)
{
    int err = result < 0 ? (int)-result : 0;

    if (!is_pi_answer(err))
        fs_fatal(what, err);
    if (FS_UNLIKELY(err == EPERM) && !fs_system_has(feature))
        return ENOSYS;
    return err;
}

/* As pi_answer, for the operations that sleep. */
static int pi_wait_answer(const char *what, long result, enum fs_futex_feature feature)
{
    if (result == -ETIMEDOUT || result == -EINTR)
        return (int)-result;
    return pi_answer(what, result, feature);
}

static int lock_pi_realtime(fs_word *w, const struct fs_deadline *deadline, enum fs_scope scope)
{
    struct fs_linux_time room;
    long result = fs_linux_futex(w, FUTEX_LOCK_PI | fs_linux_scope_flag(scope), 0,
                                 fs_linux_deadline(deadline, &room), NULL, 0);

    return pi_wait_answer("futex lock-pi", result, FS_FEATURE_PI);
}

/* The moment on CLOCK_REALTIME that is as far away as this one on its own clock;
   long past when it has passed. */
static struct fs_deadline carry_to_realtime(const struct fs_deadline *deadline)
{
    struct fs_deadline here = fs_system_now(deadline->clock);
    struct fs_deadline there = fs_system_now(FS_CLOCK_REALTIME);
    int64_t nsec = deadline->nsec - here.nsec + there.nsec;
    int64_t sec;

    if (deadline->sec < here.sec || (deadline->sec == here.sec && deadline->nsec <= here.nsec))
        return (struct fs_deadline){0, 0, FS_CLOCK_REALTIME};
    if (__builtin_add_overflow(deadline->sec - here.sec, there.sec, &sec) ||
        sec > FS_LINUX_LAST_SECOND)
        return (struct fs_deadline){FS_LINUX_LAST_SECOND, 0, FS_CLOCK_REALTIME};
    if (nsec < 0) {
        nsec += FS_NSEC_PER_SEC;
        sec--;
    } else if (nsec >= FS_NSEC_PER_SEC) {
        nsec -= FS_NSEC_PER_SEC;
        sec++;
    }
    return (struct fs_deadline){sec, nsec, FS_CLOCK_REALTIME};
}

/* A step of the wall clock can end the wait early, so a time-out counts only when
   the deadline's own clock agrees. */
static FS_COLD int lock_pi_carried(fs_word *w, const struct fs_deadline *deadline,
                                   enum fs_scope scope)
{
    for (;;) {
        struct fs_deadline carried = carry_to_realtime(deadline);
        int err = lock_pi_realtime(w, &carried, scope);

        if (err != ETIMEDOUT || carried.sec == 0)
            return err;
    }
}

int fs_futex_lock_pi(fs_word *w, const struct fs_deadline *deadline, enum fs_scope scope)
{
    if (!deadline || deadline->clock == FS_CLOCK_REALTIME)
        return lock_pi_realtime(w, deadline, scope);
    if (fs_load_relaxed(&lacks_lock_pi2) == 0) {
        int err = fs_futex_lock_pi2(w, deadline, scope);

        if (err != ENOSYS)
            return err;
        fs_store_relaxed(&lacks_lock_pi2, 1);
    }
    return lock_pi_carried(w, deadline, scope);
}

int fs_futex_lock_pi2(fs_word *w, const struct fs_deadline *deadline, enum fs_scope scope)
{
    struct fs_linux_time room;
    int op = FUTEX_LOCK_PI2 | fs_linux_scope_flag(scope) | fs_linux_clock_flag(deadline);
    long result = fs_linux_futex(w, op, 0, fs_linux_deadline(deadline, &room), NULL, 0);

    return pi_wait_answer("futex lock-pi2", result, FS_FEATURE_LOCK_PI2);
}

int fs_futex_trylock_pi(fs_word *w, enum fs_scope scope)
{
    long result =
        fs_linux_futex(w, FUTEX_TRYLOCK_PI | fs_linux_scope_flag(scope), 0, NULL, NULL, 0);

    return pi_answer("futex trylock-pi", result, FS_FEATURE_PI);
}

int fs_futex_unlock_pi(fs_word *w, enum fs_scope scope)
{
    long result = fs_linux_futex(w, FUTEX_UNLOCK_PI | fs_linux_scope_flag(scope), 0, NULL, NULL, 0);
    int err = pi_answer("futex unlock-pi", result, FS_FEATURE_PI);

    if (err == EDEADLK || err == ESRCH || err == ENOMEM)
        fs_fatal("futex unlock-pi", err);
    return err;
}

int fs_futex_wait_requeue_pi(fs_word *from, uint32_t expected, fs_word *pi,
                             const struct fs_deadline *deadline, enum fs_scope scope)
{
    struct fs_linux_time room;
    int op = FUTEX_WAIT_REQUEUE_PI | fs_linux_scope_flag(scope) | fs_linux_clock_flag(deadline);
    long result = fs_linux_futex(from, op, expected, fs_linux_deadline(deadline, &room), pi, 0);

    return pi_wait_answer("futex wait-requeue-pi", result, FS_FEATURE_REQUEUE_PI);
}

int fs_futex_cmp_requeue_pi(fs_word *from, fs_word *pi, uint32_t expected, int move,
                            enum fs_scope scope, int *affected)
{
    int op = FUTEX_CMP_REQUEUE_PI | fs_linux_scope_flag(scope);
    long result;

    if (move < 0)
        return EINVAL;
    result = fs_linux_futex_move(from, op, 1, move, pi, expected);
    if (result >= 0 && affected)
        *affected = (int)result;
    return pi_answer("futex cmp-requeue-pi", result, FS_FEATURE_REQUEUE_PI);
}
