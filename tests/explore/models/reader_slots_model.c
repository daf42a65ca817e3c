/* SPDX-License-Identifier: MIT */
/* The operations of reader_slots.h. `slot_flaw` is read where a flaw changes what is done. */
#include "reader_slots.h"

#include <errno.h>

#include "plain_mutex.h"

enum slot_flaw slot_flaw;
fs_word slots[EXPLORE_THREADS];
unsigned slot_records;
bool slot_barrier_passed;
int8_t slot_exits_waiting[EXPLORE_THREADS];

static bool has_flaw(enum slot_flaw flaw)
{
    return slot_flaw == flaw;
}

static fs_word *own_slot(void)
{
    return &slots[explore_self()];
}

static void wake_all(struct slot_lock *l)
{
    fs_futex_wake(&l->state, FS_WAKE_ALL, FS_SCOPE_PRIVATE);
}

/* ---- conversion ------------------------------------------------------------------------- */

static fs_word *conversion_mutex(struct slot_lock *l)
{
    return has_flaw(SLOT_FLAW_CONVERT_AS_WRITER) ? &l->writers : &l->conversion;
}

static void convert_slot(struct slot_lock *l, fs_word *slot)
{
    uint32_t taken = 1;

    if (has_flaw(SLOT_FLAW_COUNT_FIRST)) {
        if (fs_load_relaxed(slot) == 0)
            return;
        fs_add_relaxed(&l->state, 1);
        if (!fs_cas_seq_cst(slot, &taken, 0))
            fs_add_relaxed(&l->state, -1u);
        return;
    }
    if (fs_cas_seq_cst(slot, &taken, 0))
        fs_add_relaxed(&l->state, 1);
}

static void drain(struct slot_lock *l)
{
    if (!has_flaw(SLOT_FLAW_NO_BARRIER)) {
        explore_membarrier(!has_flaw(SLOT_FLAW_PLAIN_BARRIER));
        slot_barrier_passed = true;
    }
    for (unsigned i = 0; i < slot_records; i++)
        convert_slot(l, &slots[i]);
    fs_and_release(&l->state, ~SLOT_DRAINING);
    wake_all(l);
}

/* By the one that may convert. */
static void convert_alone(struct slot_lock *l)
{
    uint32_t state = fs_load_relaxed(&l->state);

    while (state & SLOT_SLOTS) {
        if (!fs_cas_seq_cst(&l->state, &state, (state & ~SLOT_SLOTS) | SLOT_DRAINING))
            continue;
        drain(l);
        return;
    }
}

static void convert(struct slot_lock *l)
{
    plain_lock(conversion_mutex(l));
    convert_alone(l);
    plain_unlock(conversion_mutex(l));
}

/* ---- readers ------------------------------------------------------------------------------ */

/* The look at the state that begins a sequence; the next step in it notices an abort. Acquire: who
   sees SLOTS sees the slots as the last conversion has left them (it ends with a release, and
   what welcomes readers again is a read-modify-write behind that). */
static uint32_t look_at_state(struct slot_lock *l)
{
    return has_flaw(SLOT_FLAW_RELAXED_LOOK) ? fs_load_relaxed(&l->state)
                                            : fs_load_acquire(&l->state);
}

static bool enter_slot_plainly(struct slot_lock *l)
{
    if ((fs_load_relaxed(&l->state) & SLOT_SLOTS) == 0 || fs_load_relaxed(own_slot()) != 0)
        return false;
    fs_store_relaxed(own_slot(), 1);
    return true;
}

static bool enter_slot(struct slot_lock *l)
{
    uint32_t taken;

    if (has_flaw(SLOT_FLAW_PLAIN_ENTRY))
        return enter_slot_plainly(l);
    explore_rseq_begin();
    if (look_at_state(l) & SLOT_SLOTS) {
        if (!explore_rseq_load(own_slot(), &taken))
            return false;
        if (taken == 0)
            return explore_rseq_commit(own_slot(), 1);
    }
    explore_rseq_leave();
    return false;
}

static bool must_wait(struct slot_lock *l, uint32_t state)
{
    if (has_flaw(SLOT_FLAW_WRITER_FIRST) && fs_load_relaxed(&l->writers) != 0)
        return true;
    return (state & SLOT_WRITER) != 0;
}

void slot_read(struct slot_lock *l)
{
    uint32_t state;

    if (enter_slot(l))
        return;
    state = fs_load_relaxed(&l->state);
    for (;;) {
        if (must_wait(l, state)) {
            fs_futex_wait(&l->state, state, NULL, FS_SCOPE_PRIVATE);
            state = fs_load_relaxed(&l->state);
        } else if (fs_cas_acquire(&l->state, &state, state + 1)) {
            return;
        }
    }
}

void slot_grant(struct slot_lock *l)
{
    uint32_t state = fs_load_relaxed(&l->state);

    if ((state & ~SLOT_COUNT) == 0)
        fs_cas_release(&l->state, &state, state | SLOT_SLOTS);
}

static bool leave_slot_by_sequence(struct slot_lock *l)
{
    uint32_t taken;

    explore_rseq_begin();
    if (look_at_state(l) & SLOT_SLOTS) {
        if (!explore_rseq_load(own_slot(), &taken))
            return false;
        if (taken != 0)
            return explore_rseq_commit(own_slot(), 0);
    }
    explore_rseq_leave();
    return false;
}

static bool leave_slot_plainly(void)
{
    fs_store_release(own_slot(), 0);
    return true;
}

/* Returns whether the caller's slot was emptied by this. */
static bool leave_slot(struct slot_lock *l)
{
    uint32_t taken = 1;
    bool left;

    if (fs_load_relaxed(own_slot()) == 0)
        return false;
    left = has_flaw(SLOT_FLAW_PLAIN_EXIT) ? leave_slot_plainly() : leave_slot_by_sequence(l);
    if (!left)
        left = fs_cas_release(own_slot(), &taken, 0);
    slot_exits_waiting[explore_self()] += left;
    return left;
}

/* Returns whether there was a count to take off. */
static bool leave_count(struct slot_lock *l)
{
    uint32_t state = fs_load_relaxed(&l->state);

    do {
        if ((state & SLOT_COUNT) == 0)
            return false;
    } while (!fs_cas_release(&l->state, &state, state - 1));
    if ((state & SLOT_COUNT) == 1)
        wake_all(l);
    return true;
}

void slot_unread(struct slot_lock *l)
{
    while (!leave_slot(l) && !leave_count(l))
        convert(l); /* another thread's, still in its slot */
}

/* ---- writers ------------------------------------------------------------------------------- */

/* With `writers`. Returns 0, EBUSY or ETIMEDOUT. */
static int take_state(struct slot_lock *l, const struct fs_deadline *deadline, bool try)
{
    for (;;) {
        uint32_t state = 0;

        if (fs_load_relaxed(&l->state) & (SLOT_SLOTS | SLOT_DRAINING)) {
            if (has_flaw(SLOT_FLAW_CONVERT_AS_WRITER))
                convert_alone(l);
            else
                convert(l);
        }
        if (fs_cas_acquire(&l->state, &state, SLOT_WRITER))
            return 0;
        if (state & (SLOT_SLOTS | SLOT_DRAINING))
            continue;
        if (try)
            return EBUSY;
        if (fs_futex_wait(&l->state, state, deadline, FS_SCOPE_PRIVATE) == ETIMEDOUT)
            return ETIMEDOUT;
    }
}

void slot_write(struct slot_lock *l)
{
    plain_lock(&l->writers);
    take_state(l, NULL, false);
}

bool slot_try_write(struct slot_lock *l)
{
    if (!plain_try(&l->writers))
        return false;
    if (take_state(l, NULL, true) == 0)
        return true;
    plain_unlock(&l->writers);
    return false;
}

bool slot_write_until(struct slot_lock *l, const struct fs_deadline *deadline)
{
    plain_lock(&l->writers);
    if (take_state(l, deadline, false) == 0)
        return true;
    plain_unlock(&l->writers);
    return false;
}

void slot_unwrite(struct slot_lock *l)
{
    if (!has_flaw(SLOT_FLAW_WRITERS_LAST))
        plain_unlock(&l->writers);
    fs_and_release(&l->state, ~SLOT_WRITER);
    wake_all(l);
    if (has_flaw(SLOT_FLAW_WRITERS_LAST))
        plain_unlock(&l->writers);
}
