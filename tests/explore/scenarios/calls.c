/* SPDX-License-Identifier: MIT */
/* The calls of calls.h on mutexes, as src/interpose/mutex.c makes them, and the ghosts of their
   holders. */
#include "scenarios/calls.h"

#define MUTEXES 3

/* ---- who holds what ------------------------------------------------------------------ */

static struct ghost {
    const struct fs_mutex *mutex;
    uint8_t holder; /* index + 1; 0: nobody */
    uint8_t depth;
} ghosts[MUTEXES];

static struct ghost *ghost_of(const struct fs_mutex *m)
{
    unsigned i = 0;

    while (i < MUTEXES && ghosts[i].mutex && ghosts[i].mutex != m)
        i++;
    explore_require(i < MUTEXES, "the scenario has too many mutexes");
    ghosts[i].mutex = m;
    return &ghosts[i];
}

static void note_held(const struct fs_mutex *m)
{
    struct ghost *ghost = ghost_of(m);
    uint8_t me = (uint8_t)(explore_self() + 1);

    explore_require(ghost->holder == 0 || ghost->holder == me, "a mutex has two holders");
    ghost->holder = me;
    ghost->depth++;
}

void call_note_held_again(const struct fs_mutex *m)
{
    if (ghost_of(m)->holder != explore_self() + 1)
        note_held(m);
}

/* Before the release: as soon as that has happened, another may be noted. */
static void note_released(const struct fs_mutex *m)
{
    struct ghost *ghost = ghost_of(m);

    explore_require(ghost->holder != 0, "a mutex that nobody holds is released");
    if (--ghost->depth == 0)
        ghost->holder = 0;
}

unsigned call_holder_of(const struct fs_mutex *m)
{
    return ghost_of(m)->holder - 1u;
}

void call_forget_others(void)
{
    for (unsigned i = 0; i < MUTEXES; i++)
        if (ghosts[i].holder != explore_self() + 1)
            ghosts[i] = (struct ghost){.mutex = ghosts[i].mutex};
}

/* ---- setting up ------------------------------------------------------------------------ */

void call_set_up(unsigned spin, unsigned processors)
{
    fs_settings.spin = spin;
    fs_settings.processors = processors;
    call_name_cancellation();
}

void call_init_mutex(struct fs_mutex *m, uint32_t kind, const char *name)
{
    fs_store_relaxed(&m->kind, kind);
    explore_name(m, sizeof *m, name);
}

/* ---- the mutex: src/interpose/mutex.c --------------------------------------------------- */

static int lock(struct fs_mutex *m)
{
    uint32_t kind = fs_mutex_kind(m);

    if (fs_mutex_take_free(m, kind))
        return 0;
    if ((kind & (FS_KIND_ROBUST | FS_KIND_PI)) == FS_KIND_ROBUST)
        return fs_robust_acquire(m, kind, FS_WAIT_FOREVER, NULL);
    return fs_mutex_acquire(m, kind, FS_WAIT_FOREVER, NULL);
}

int call_lock(struct fs_mutex *m)
{
    int err = lock(m);

    if (err == 0 || err == EOWNERDEAD)
        note_held(m);
    return err;
}

static int unlock(struct fs_mutex *m)
{
    uint32_t kind = fs_mutex_kind(m);
    int given = fs_mutex_give_free(m, kind);

    if (given >= 0)
        return given;
    if (given == FS_GIVE_CONTENDED) {
        fs_mutex_release_private_slow(m, true);
        return 0;
    }
    return (kind & (FS_KIND_ROBUST | FS_KIND_PI)) == FS_KIND_ROBUST ? fs_robust_release(m, kind)
                                                                    : fs_mutex_release(m, kind);
}

int call_unlock(struct fs_mutex *m)
{
    bool mine = ghost_of(m)->holder == explore_self() + 1;
    bool anyone_may = m->kind.value == FS_KIND_NORMAL || m->kind.value == FS_KIND_ADAPTIVE;
    int err;

    if (mine || anyone_may)
        note_released(m);
    err = unlock(m);
    explore_require(err == 0 || !mine, "an unlock by the holder failed (%d)", err);
    return err;
}

void call_lock_in_libc(struct fs_mutex *m)
{
    uint32_t free = FS_LOCK_FREE;

    if (!fs_cas_acquire(&m->word, &free, FS_LOCK_LOCKED))
        while (fs_exchange_acquire(&m->word, FS_LOCK_CONTENDED) != FS_LOCK_FREE)
            fs_futex_wait(&m->word, FS_LOCK_CONTENDED, NULL, FS_SCOPE_PRIVATE);
    fs_store_relaxed(&m->owner, fs_thread_id());
    note_held(m);
}

void call_unlock_in_libc(struct fs_mutex *m)
{
    note_released(m);
    fs_store_relaxed(&m->owner, 0);
    if (fs_exchange_release(&m->word, FS_LOCK_FREE) > FS_LOCK_LOCKED)
        fs_futex_wake(&m->word, 1, FS_SCOPE_PRIVATE);
}
