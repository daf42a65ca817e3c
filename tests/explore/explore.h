/* SPDX-License-Identifier: MIT */
/* What a scenario says to the explorer, and asks of it.

   A scenario is a few threads over a few objects. The explorer runs them as coroutines: every
   access to an atomic word, every futex call and every call marked "point" below is a place where
   another thread may go on, or the world may interfere. All objects of scenarios and locks live in
   one module, whose writable memory is the modelled world: it is saved, restored and compared as a
   whole, so plain global variables are all a scenario needs. A scenario must not keep state
   anywhere else, and calls nothing of the C library but what works on memory.

   Thread functions run in the world. start, check, observe and finish run outside of it: accesses
   to atomic words are direct and nothing interferes. */
#ifndef FS_EXPLORE_H
#define FS_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "futex/futex.h"

#define EXPLORE_THREADS 5 /* at most */
#define EXPLORE_NOBODY UINT32_MAX

/* How often the world may interfere in one run. 0 = never. */
struct explore_world {
    uint8_t spurious;   /* a sleeper comes back with 0 although nobody woke it */
    uint8_t interrupts; /* a signal handler runs in a sleeper: EINTR, or (without a deadline) the
                           call begins anew on its original word with its original value */
    uint8_t timeouts;   /* the deadline of a sleeper that has one comes, at any moment */
    uint8_t jumps;      /* 20 milliseconds pass while somebody looks at the clock */
    uint8_t deaths;     /* a thread marked mortal dies, also between two plain accesses */
    uint8_t aborts;     /* a restartable sequence is preempted */
    uint8_t retries;    /* the kernel answers EAGAIN to a call on a PI word */
};

/* One thing that happened, after it has. A buffered store happens when it becomes visible. */
enum explore_event_kind {
    EVENT_LOAD,   /* new: what was read */
    EVENT_WRITE,  /* old, new: a store, or a successful read-modify-write; other: the word again if
                     the kernel wrote, on behalf of the thread */
    EVENT_FAILED, /* a compare-and-swap that failed; old: what the word held, new: what was wanted
                   */
    EVENT_SLEEP, /* the thread fell asleep on the word; old: what it expects there, new: its bits */
    EVENT_AWAKE, /* thread was woken or otherwise taken from the word; old: why, an errno or 0 */
    EVENT_WAKE,  /* a wake call on the word, before anyone is woken; old: its bits, new: its count.
                    The EVENT_AWAKE of whom it wakes follow in the same step */
    EVENT_MOVE,  /* thread, asleep, was moved from the word to other; new: by whom */
    EVENT_DEATH, /* the thread died */
};

struct explore_event {
    enum explore_event_kind kind;
    unsigned thread;
    const void *word;
    const void *other;
    uint64_t old;
    uint64_t new;
};

#define EXPLORE_EXHAUSTIVE 0xff /* no bound on preemptions */

/* Memory models, as bits. */
enum explore_mode {
    MODE_SC = 1,   /* sequential consistency: an access happens where it stands */
    MODE_TSO = 2,  /* store buffers, as x86 has them */
    MODE_WEAK = 4, /* the C11 orders and no more, without loads that see later stores */
};

struct explore_scenario {
    const char *name;  /* "mutex/two-lockers": what the patterns of --scenario match */
    const char *about; /* one line */
    struct explore_world world;
    uint8_t bound;      /* preemptions in the quick run (the one of CI); EXPLORE_EXHAUSTIVE */
    uint8_t full_bound; /* preemptions in the full run; 0 = as quick */
    uint8_t modes;  /* the memory models that it is explored under; 0 = tso, and any on demand */
    bool only_full; /* too long for the quick run */
    bool needs_timeout; /* it is right for a sleeper to have nothing but its deadline left */
    bool must_fail;     /* a control: it holds a known bug, and not finding it is a failure */
    const char *finds;  /* must_fail: the text that the failure must contain */
    void (*start)(void);
    void (*thread[EXPLORE_THREADS])(void);
    void (*check)(void);                                /* after every step */
    void (*observe)(const struct explore_event *event); /* may change variables of the scenario */
    void (*finish)(void);                               /* when all threads have ended */
};

/* The scenarios of one file end with one that has no name. */
extern const struct explore_scenario litmus_scenarios[];
extern const struct explore_scenario litmus_messages_scenarios[];
extern const struct explore_scenario word_scenarios[];
extern const struct explore_scenario word_moved_scenarios[];
extern const struct explore_scenario word_freed_scenarios[];
extern const struct explore_scenario hunger_scenarios[];
extern const struct explore_scenario urgent_scenarios[];
extern const struct explore_scenario members_scenarios[];
extern const struct explore_scenario mutex_scenarios[];
extern const struct explore_scenario mutex_again_scenarios[];
extern const struct explore_scenario mutex_calls_scenarios[];
extern const struct explore_scenario debt_scenarios[];
extern const struct explore_scenario debts_scenarios[];
extern const struct explore_scenario turn_over_scenarios[];
extern const struct explore_scenario robust_scenarios[];
extern const struct explore_scenario pi_scenarios[];
extern const struct explore_scenario pi_robust_scenarios[];
extern const struct explore_scenario condition_scenarios[];
extern const struct explore_scenario several_scenarios[];
extern const struct explore_scenario owed_scenarios[];
extern const struct explore_scenario broadcast_scenarios[];
extern const struct explore_scenario led_scenarios[];
extern const struct explore_scenario native_scenarios[];
extern const struct explore_scenario cancel_scenarios[];
extern const struct explore_scenario condition_pi_scenarios[];
extern const struct explore_scenario condition_pi_several_scenarios[];
extern const struct explore_scenario group_scenarios[];
extern const struct explore_scenario fork_scenarios[];
extern const struct explore_scenario rwlock_scenarios[];
extern const struct explore_scenario glibc_condition_scenarios[];
extern const struct explore_scenario reserved_mutex_scenarios[];
extern const struct explore_scenario reserved_flaws_scenarios[];
extern const struct explore_scenario reader_slots_scenarios[];
extern const struct explore_scenario slot_flaws_scenarios[];
extern const struct explore_scenario breaks_scenarios[];
extern const struct explore_scenario breaks_condition_scenarios[];
extern const struct explore_scenario breaks_moves_scenarios[];
extern const struct explore_scenario breaks_robust_scenarios[];
extern const struct explore_scenario guarded_scenarios[];
extern const struct explore_scenario extra_scenarios[];

/* ---- from anywhere ----------------------------------------------------------- */

/* Index of the running thread in the scenario's table; EXPLORE_NOBODY outside of the world. */
unsigned explore_self(void);

/* Ends the run as a failure, with the schedule that led here. */
_Noreturn void explore_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define explore_require(condition, ...)                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            explore_fail(__VA_ARGS__);                                                             \
    } while (0)

/* What the threads that are asleep on the word form: bit i for thread i. */
uint32_t explore_sleepers(const fs_word *w);

/* The thread's robust list head (struct fs_robust_head). */
void *explore_robust_head(unsigned thread);

/* What the thread sleeps on; null: it does not sleep. */
const void *explore_asleep_on(unsigned thread);

bool explore_is_done(unsigned thread); /* returned from its function, or dead */
bool explore_is_dead(unsigned thread);

/* The kernel's id of a thread, as fs_thread_id says it there. */
uint32_t explore_id_of(unsigned thread);

/* How a trace calls this memory. The text is kept by reference. */
void explore_name(const void *memory, size_t size, const char *name);

/* Any access to this memory is a failure from now on, but a wake is allowed on its address. */
void explore_kill_memory(void *memory, size_t size);

/* The memory serves something else from now on: every byte is `fill`. */
void explore_reuse_memory(void *memory, size_t size, uint8_t fill);

void explore_set_priority(unsigned thread, unsigned priority); /* 0: ordinary; 1 to 100 */
void explore_set_mortal(unsigned thread); /* may die from now on, if world.deaths */

/* ---- in start ------------------------------------------------------------------- */

void explore_forbid_timeouts(unsigned thread); /* its deadline never comes */

/* A deadline that may come at any moment of a sleep. It lies later than any jump of the clock. */
struct fs_deadline explore_deadline(void);

/* ---- in threads ------------------------------------------------------------------ */

/* A point without an access. */
void explore_step(const char *what);

/* As above, and the thread gives up the processor: switching here is never a preemption. */
void explore_pause(void);

/* A point; returns a number below n, each of them in some schedule. */
unsigned explore_choose(unsigned n, const char *what);

/* A point; goes on only when no other thread is ready to: everybody else sleeps or has ended. */
void explore_wait_until_quiet(void);

/* A point; goes on once the thread is asleep (or, `thread` having ended, at once). */
void explore_wait_until_asleep(unsigned thread);

/* The process forks here, and the world goes on as the child's: the other threads are gone, memory
   that the system wipes is zero, and the caller has another id. */
void explore_become_fork_child(void);

/* ---- restartable sequences and barriers, for models ------------------------------- */

/* Opens a restartable sequence. From here to its commit a preemption (world.aborts) or another
   thread's explore_membarrier(true) aborts it. */
void explore_rseq_begin(void);

/* A load inside; false: the sequence was aborted and is over. */
bool explore_rseq_load(const fs_word *w, uint32_t *value);

/* The store that commits and ends the sequence, as a plain store; false: aborted and over, nothing
   was stored. */
bool explore_rseq_commit(fs_word *w, uint32_t value);

/* Leaves the sequence without a commit. */
void explore_rseq_leave(void);

/* membarrier(2), private expedited: drains the store buffers of all threads; with `rseq` also
   aborts the sequences of the others. */
void explore_membarrier(bool rseq);

#endif
