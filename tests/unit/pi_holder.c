/* SPDX-License-Identifier: MIT */
/* The holder of a lock with priority inheritance. It waits on a word of its own, so
   that nothing but the test decides when it lets go. */
#include "pi_holder.h"

uint32_t owner(struct pi_lock *l)
{
    return fs_load_acquire(&l->word) & FS_PI_TID_MASK;
}

int hold(void *arg)
{
    struct pi_lock *l = arg;
    int err = fs_futex_lock_pi(&l->word, NULL, l->scope);

    if (err)
        return err;
    while (fs_load_acquire(&l->leave) == 0)
        fs_futex_wait(&l->leave, 0, NULL, FS_SCOPE_PRIVATE);
    return l->die_holding ? 0 : fs_futex_unlock_pi(&l->word, l->scope);
}

int lock_and_unlock(void *arg)
{
    struct pi_lock *l = arg;
    int err = QUIET(fs_futex_lock_pi(&l->word, l->deadline, l->scope));

    if (err)
        return err;
    if (owner(l) != fs_system_thread_id())
        return -1;
    return QUIET(fs_futex_unlock_pi(&l->word, l->scope));
}

void dismiss(struct pi_lock *l)
{
    fs_store_release(&l->leave, 1);
    fs_futex_wake(&l->leave, 1, FS_SCOPE_PRIVATE);
}

void start_holder(struct sleeper *s, struct pi_lock *l)
{
    sleeper_put_to_sleep(s, hold, l);
    ck_assert_uint_eq(owner(l), fs_load_relaxed(&s->tid));
}

bool skip_without_pi(const char *name)
{
    if (fs_system_has(FS_FEATURE_PI))
        return false;
    printf("SKIP %s: the kernel has no priority inheritance\n", name);
    return true;
}
