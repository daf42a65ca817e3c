/* SPDX-License-Identifier: MIT */
/* See mixed_processes.h: the kinds of objects, what a death costs each of them, and the journal
   that tells a death between two steps of an update from a lost update.

   The steps of an update by holder h of seat s: holder = h, first + 1, done[s] + 1, second + 1,
   holder = 0. So a dead holder has left first == second with done[s] as before or one more, or
   first one ahead. Processors with total store order show the steps in that order. */
#include "mixed_processes.h"

#include <errno.h>
#include <stddef.h>

#define STALLED PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED
#define ROBUST PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST
#define PI PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED
#define PI_ROBUST PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_ROBUST

const struct mixed_kind mixed_kinds[] = {
    {"plain", MIXED_MUTEX, 1, {{PTHREAD_MUTEX_NORMAL, STALLED}}},
    {"recursive", MIXED_MUTEX, 1, {{PTHREAD_MUTEX_RECURSIVE, STALLED}}},
    {"errorcheck", MIXED_MUTEX, 1, {{PTHREAD_MUTEX_ERRORCHECK, STALLED}}},
    {"robust", MIXED_MUTEX, 1, {{PTHREAD_MUTEX_NORMAL, ROBUST}}},
    {"robust recursive", MIXED_MUTEX, 1, {{PTHREAD_MUTEX_RECURSIVE, ROBUST}}},
    {"robust errorcheck", MIXED_MUTEX, 1, {{PTHREAD_MUTEX_ERRORCHECK, ROBUST}}},
    {"PI", MIXED_MUTEX, 1, {{PTHREAD_MUTEX_NORMAL, PI}}},
    {"PI robust", MIXED_MUTEX, 1, {{PTHREAD_MUTEX_NORMAL, PI_ROBUST}}},
    {"condition",
     MIXED_COND,
     4,
     {{PTHREAD_MUTEX_NORMAL, STALLED},
      {PTHREAD_MUTEX_RECURSIVE, STALLED},
      {PTHREAD_MUTEX_ERRORCHECK, STALLED},
      {PTHREAD_MUTEX_NORMAL, PI}}},
    {"condition, robust",
     MIXED_COND,
     4,
     {{PTHREAD_MUTEX_NORMAL, ROBUST},
      {PTHREAD_MUTEX_NORMAL, PI_ROBUST},
      {PTHREAD_MUTEX_ERRORCHECK, ROBUST},
      {PTHREAD_MUTEX_RECURSIVE, PI_ROBUST}}},
    {"rwlock",
     MIXED_RWLOCK,
     2,
     {{PTHREAD_RWLOCK_PREFER_READER_NP, STALLED},
      {PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP, STALLED}}},
};
const int mixed_kind_count = sizeof mixed_kinds / sizeof *mixed_kinds;

const char *const mixed_stage_names[MIXED_STAGES] = {
    "starting",  "outside", "resting", "entering",
    "repairing", "inside",  "reading", "in a condition call",
    "leaving",
};

bool mixed_is_robust(const struct mixed_area *area, unsigned generation)
{
    const struct mixed_kind *kind = &mixed_kinds[area->kind];

    return kind->variant[generation % (unsigned)kind->variants].robust == PTHREAD_MUTEX_ROBUST;
}

bool mixed_inherits_priority(const struct mixed_area *area, unsigned generation)
{
    const struct mixed_kind *kind = &mixed_kinds[area->kind];

    return kind->variant[generation % (unsigned)kind->variants].protocol == PTHREAD_PRIO_INHERIT;
}

bool mixed_is_stalled_pi(const struct mixed_area *area, unsigned generation)
{
    return mixed_inherits_priority(area, generation) && !mixed_is_robust(area, generation);
}

bool mixed_death_spoils(const struct mixed_area *area, unsigned generation, enum mixed_stage stage)
{
    if (stage <= MIXED_RESTING)
        return false;
    return stage == MIXED_IN_COND || !mixed_is_robust(area, generation);
}

static int make_mutex(pthread_mutex_t *mutex, int type, int protocol, int robust)
{
    pthread_mutexattr_t attr;
    int err = pthread_mutexattr_init(&attr);

    err = err ? err : pthread_mutexattr_settype(&attr, type);
    err = err ? err : pthread_mutexattr_setprotocol(&attr, protocol);
    err = err ? err : pthread_mutexattr_setrobust(&attr, robust);
    err = err ? err : pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    err = err ? err : pthread_mutex_init(mutex, &attr);
    return err ? err : pthread_mutexattr_destroy(&attr);
}

static int make_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    int err = pthread_condattr_init(&attr);

    err = err ? err : pthread_condattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    err = err ? err : pthread_cond_init(cond, &attr);
    return err ? err : pthread_condattr_destroy(&attr);
}

static int make_rwlock(pthread_rwlock_t *rwlock, int preference)
{
    pthread_rwlockattr_t attr;
    int err = pthread_rwlockattr_init(&attr);

    err = err ? err : pthread_rwlockattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    err = err ? err : pthread_rwlockattr_setkind_np(&attr, preference);
    err = err ? err : pthread_rwlock_init(rwlock, &attr);
    return err ? err : pthread_rwlockattr_destroy(&attr);
}

int mixed_make_objects(struct mixed_area *area)
{
    const struct mixed_kind *kind = &mixed_kinds[area->kind];
    int err = 0;

    for (int i = 0; i < area->object_count && err == 0; i++) {
        struct mixed_object *object = &area->objects[i];
        int v = i % kind->variants;

        if (kind->shape == MIXED_RWLOCK)
            err = make_rwlock(&object->rwlock, kind->variant[v].type);
        else
            err = make_mutex(&object->mutex, kind->variant[v].type, kind->variant[v].protocol,
                             kind->variant[v].robust);
        if (err == 0 && kind->shape == MIXED_COND)
            err = make_cond(&object->cond);
    }
    return err;
}

const char *mixed_repair(struct mixed_area *area, struct mixed_object *object, unsigned holder)
{
    atomic_ulong *done = &object->done[area->lives[holder].seat];
    uint64_t first = object->first, second = object->second, before = object->before;

    if (first != second && first != second + 1)
        return "an update was lost: first and second are apart";
    if (*done != before && *done != before + 1)
        return "an update was lost: the holder's own count has moved";
    if (first == second + 1) {
        *done = before + 1;
        object->second = first;
    }
    return NULL;
}

const char *mixed_audit(const struct mixed_object *object)
{
    uint64_t sum = 0;

    for (int i = 0; i < MIXED_SEATS; i++)
        sum += object->done[i];
    if (object->holder != 0)
        return "somebody is inside still";
    if (object->first != object->second)
        return "an update was left half done, and nobody was told";
    return sum == object->first ? NULL : "an update was lost: the members count differently";
}
