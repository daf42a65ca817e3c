/* SPDX-License-Identifier: MIT */
/* The memory that the processes of mixed_processes.c share, and what its files offer one another.

   A cell is one kind of object and one pair of sides. Its members are executed processes, each in
   one of a few seats; a member that is killed is followed by another in the same seat. Every member
   ever started is a *life* with a number of its own, which the journal of an object names. An
   object that a death may have left locked or broken is retired: the next one takes its place. */
#ifndef TESTS_STRESS_MIXED_PROCESSES_H
#define TESTS_STRESS_MIXED_PROCESSES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "stress.h"

enum {
    MIXED_SEATS = 6, /* the first half belongs to side A */
    MIXED_LIVES = 1 << 16,
    MIXED_OBJECTS = 1 << 13,
    MIXED_VARIANTS = 4,
};

enum mixed_shape { MIXED_MUTEX, MIXED_COND, MIXED_RWLOCK };

/* Objects of one kind take its variants in turn. */
struct mixed_kind {
    const char *name;
    enum mixed_shape shape;
    int variants;
    struct {
        int type; /* of a mutex; of a rwlock the preference */
        int protocol;
        int robust;
    } variant[MIXED_VARIANTS];
};

extern const struct mixed_kind mixed_kinds[];
extern const int mixed_kind_count;

/* What a member announces, each before it does it. Only OUTSIDE and RESTING mean that it cannot
   have touched an object since its last unlock returned. */
enum mixed_stage {
    MIXED_STARTING, /* executed, but not there yet */
    MIXED_OUTSIDE,
    MIXED_RESTING,
    MIXED_ENTERING,  /* in a call that locks */
    MIXED_REPAIRING, /* has inherited and puts the journal right */
    MIXED_INSIDE,    /* holds it and is in no call; for a mutex or a writer the journal says so */
    MIXED_READING,   /* holds a read lock */
    MIXED_IN_COND,   /* in a call on the condition variable */
    MIXED_LEAVING,   /* in a call that unlocks */
    MIXED_STAGES,
};

extern const char *const mixed_stage_names[MIXED_STAGES];

/* The first part is the member's own to write, the second the heirs', the third the
   coordinator's. Lives begin at 1. */
struct mixed_life {
    atomic_uint stage;
    atomic_uint generation; /* the object it has last entered, or begun to */
    atomic_uint rested;     /* the rest it has come to */
    atomic_uint inherits;   /* the life whose death it was last told of; 0: one that left no name */
    atomic_ulong rounds;
    atomic_ulong told;     /* how often a call gave it EOWNERDEAD */
    atomic_ulong nameless; /* ... and the journal named nobody */

    atomic_int error; /* an unexpected result that may come of a death */

    atomic_uint heirs; /* how often its name was found in the journal with EOWNERDEAD */

    int seat;
    bool library;
    pid_t pid;
    atomic_bool doomed; /* set before it is killed */
    bool dead;          /* reaped */
    enum mixed_stage last_stage;
};

/* An object and what it guards. While somebody holds it, the journal names who; `first` and
   `second` agree whenever nobody does. */
struct mixed_object {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_rwlock_t rwlock;

    atomic_bool struck;       /* the coordinator is about to kill, or a death has spoiled it */
    atomic_uint holder;       /* a life, or 0 */
    volatile uint64_t before; /* what done[] of its seat was when it came in */
    volatile uint64_t first;  /* updates begun */
    volatile uint64_t second; /* updates finished */
    volatile uint64_t tokens; /* what members with a condition variable give and take */
    atomic_int readers;       /* inside now */
    atomic_ulong done[MIXED_SEATS]; /* updates by the members of each seat */
};

struct mixed_area {
    int kind;
    int object_count;
    pid_t coordinator;
    uint64_t seed;
    atomic_uint generation; /* the object in use */
    atomic_uint rest;       /* the number of the rest that is asked for, or 0 */
    struct {
        atomic_flag taken;
        atomic_bool written;
        char text[400];
    } failure;
    struct mixed_life lives[MIXED_LIVES];
    struct mixed_object objects[MIXED_OBJECTS];
};

/* ---- mixed_processes_objects.c: the objects and their journals ---- */

/* Whether the mutex of this object, if it has one, is robust. */
bool mixed_is_robust(const struct mixed_area *area, unsigned generation);

bool mixed_inherits_priority(const struct mixed_area *area, unsigned generation);

/* Whether it inherits priority without being robust: after the owner's death libc's own calls may
   give EINVAL or end the process by an assertion. */
bool mixed_is_stalled_pi(const struct mixed_area *area, unsigned generation);

/* What a death at this stage may leave behind that nobody is promised to get over. */
bool mixed_death_spoils(const struct mixed_area *area, unsigned generation, enum mixed_stage stage);

/* Initialises the objects of the area; returns 0 or an error number. */
int mixed_make_objects(struct mixed_area *area);

/* Finishes or takes back the update that a dead holder has begun, and takes its name out. Returns
   NULL, or what does not fit: an update was lost. It may be repeated if the caller dies inside. */
const char *mixed_repair(struct mixed_area *area, struct mixed_object *object, unsigned holder);

/* What is wrong with an object that nobody uses, or NULL. */
const char *mixed_audit(const struct mixed_object *object);

/* ---- mixed_processes_member.c ---- */

/* The whole life of a member, or the making of the objects if `life` is 0; returns the process's
   exit status. */
int mixed_member(struct mixed_area *area, unsigned life, bool library);

/* ---- mixed_processes_report.c ---- */

/* Prints the words of the object in use and of the one before it, and every member with its state,
   on standard error. */
void mixed_report(const struct mixed_area *area, const unsigned *seats);

/* Keeps the first failure of a cell for the coordinator. */
__attribute__((format(printf, 2, 3))) void mixed_note_failure(struct mixed_area *area,
                                                              const char *format, ...);

#endif
