/* SPDX-License-Identifier: MIT */
/* Critical sections: recursive, over a word lock. Whose one is stands in windows_win32.h; one that
   is not ours goes to the original. A spin count is kept and told back, and does nothing:
   FASTSYNC_SPIN says how long is spun. As with the originals nobody checks who leaves, a free one
   that is left stays free. When the process ends and a killed thread held a section, the system
   decides (windows_orphan.c); what the process survives is taken. */
#include "interpose/windows_start.h"
#include "interpose/windows_win32.h"
#include "lock/word_lock.h"

#define SPINS_MASK 0x00ffffffu /* the bits above ask for what is always done */
#define STATUS_OF_SUCCESS ((NTSTATUS)0)

/* DebugInfo of one that a compiler has initialised. */
#define NO_RECORD ((void *)-1)

/* What DebugInfo of ours points at: some programs write a name there, and Wine's own libraries do.
   The others are those of a section which is becoming ours, and of one that was in use when it
   would have, and stays the original's for good: who waits there must not find it ours when it
   comes. */
static RTL_CRITICAL_SECTION_DEBUG records[3];
#define OURS ((void *)&records[0])
#define SETTLING ((void *)&records[1])
#define THEIRS ((void *)&records[2])

static struct fs_section *view(RTL_CRITICAL_SECTION *section)
{
    return (struct fs_section *)(void *)section;
}

/* Acquire: pairs with the release by which the mark is set. */
FS_ALWAYS_INLINE bool is_ours(const struct fs_section *s)
{
    return FS_LIKELY((fs_load_acquire(&s->mark) & ~1u) == FS_SECTION_OURS);
}

_Static_assert((FS_SECTION_OF_CALLBACK & ~1u) == FS_SECTION_OURS, "one bit apart");

/* ---- becoming ours ------------------------------------------------------------- */

static void clear(struct fs_section *s)
{
    fs_store_relaxed(&s->count, FS_SECTION_FREE);
    s->depth = 0;
    fs_store_relaxed(&s->owner, 0);
    s->owner_high = 0;
    fs_store_relaxed(&s->word, FS_LOCK_FREE);
}

/* The mark first: whoever finds our record finds the mark as well. */
static void publish(struct fs_section *s)
{
    fs_store_release(&s->mark, FS_SECTION_OURS);
    fs_store_pointer_release(&s->record, OURS);
}

/* Nobody holds it or ever had to wait for it, as far as can be seen. */
static bool is_unused(const struct fs_section *s)
{
    return fs_load_relaxed(&s->count) == FS_SECTION_FREE && s->depth == 0 &&
           fs_load_relaxed(&s->word) == 0 && fs_load_relaxed(&s->mark) == 0 &&
           fs_load_relaxed(&s->owner) == 0;
}

/* Newer systems leave that in plain initialised ones as well. So it must lie in a module that calls
   ours: the loader's lock and the like are ntdll's, which goes on calling its own functions, and
   what is on the heap may be anybody's. */
static bool is_undecided(const struct fs_section *s, const void *record)
{
    return record == NO_RECORD && fs_redirect_serves(s);
}

/* By who has made it SETTLING: others who come now wait, and the original's word decides. A thread
   that is terminated in here leaves it so. */
static bool take_over(struct fs_section *s)
{
    uint32_t count = FS_SECTION_FREE;

    if (!fs_cas_acquire(&s->count, &count, FS_SECTION_HELD)) {
        fs_store_pointer_release(&s->record, THEIRS);
        return false;
    }
    clear(s);
    publish(s);
    return true;
}

bool fs_section_settle(RTL_CRITICAL_SECTION *section)
{
    struct fs_section *s = view(section);

    for (;;) {
        void *record = fs_load_pointer_acquire(&s->record);

        if (is_ours(s))
            return true;
        if (record == SETTLING) {
            if (fs_process_is_ending()) { /* whoever began is gone */
                clear(s);
                publish(s);
                return true;
            }
            fs_system_yield();
        } else if (!is_undecided(s, record)) {
            return false;
        } else if (!is_unused(s)) {
            if (fs_cas_pointer_acq_rel(&s->record, &record, THEIRS))
                return false;
        } else if (fs_cas_pointer_acq_rel(&s->record, &record, SETTLING)) {
            return take_over(s);
        }
    }
}

/* ---- entering and leaving --------------------------------------------------------- */

/* By the new holder. */
FS_ALWAYS_INLINE void note_holder(struct fs_section *s, uint32_t me)
{
    fs_store_relaxed(&s->owner, me);
    fs_store_relaxed(&s->count, FS_SECTION_HELD);
    s->depth = 1;
}

FS_ALWAYS_INLINE void let_go(struct fs_section *s)
{
    s->depth = 0;
    fs_store_relaxed(&s->owner, 0);
    fs_store_relaxed(&s->count, FS_SECTION_FREE);
    fs_word_lock_release(&s->word);
}

/* Enters again, or one that is free. Only its holder writes a thread's id there. */
FS_ALWAYS_INLINE bool enter_free(struct fs_section *s)
{
    uint32_t me = fs_thread_id_known();

    if (fs_load_relaxed(&s->owner) == me) {
        s->depth++;
        return true;
    }
    if (!fs_word_lock_try_free(&s->word))
        return false;
    note_holder(s, me);
    return true;
}

static FS_NOINLINE void enter_slow(struct fs_section *s)
{
    if (enter_free(s))
        return;
    if (!fs_process_is_ending()) {
        fs_word_lock_acquire_slow(&s->word, NULL, FS_SCOPE_PRIVATE, false);
    } else if (!fs_word_lock_try(&s->word)) { /* whoever held it is gone */
        fs_orphan_found();
        fs_store_relaxed(&s->word, FS_LOCK_LOCKED);
    }
    note_holder(s, fs_thread_id_known());
}

/* A callback has it until it returns. One who held it before holds it still. */
FS_ALWAYS_INLINE bool is_of_callback(const struct fs_section *s)
{
    return FS_UNLIKELY(fs_load_relaxed(&s->mark) != FS_SECTION_OURS) && s->depth == 1;
}

static FS_NOINLINE void await_callback(RTL_CRITICAL_SECTION *section)
{
    struct fs_section *s = view(section);

    while (is_of_callback(s)) {
        enum fs_callback_state state = fs_callback_entered(section);

        if (state == FS_CALLBACK_PASSED)
            return;
        let_go(s);
        if (state == FS_CALLBACK_BACK)
            return;
        fs_callback_await(section);
        enter_slow(s);
    }
}

NTSTATUS NTAPI fs_RtlEnterCriticalSection(RTL_CRITICAL_SECTION *section)
{
    struct fs_section *s = view(section);

    if (!is_ours(s) || FS_UNLIKELY(!enter_free(s))) {
        if (!fs_section_settle(section))
            return FS_ORIGINAL_LIKE(RtlEnterCriticalSection, fs_RtlEnterCriticalSection)(section);
        enter_slow(s);
    }
    if (is_of_callback(s))
        await_callback(section);
    return STATUS_OF_SUCCESS;
}

/* A callback that is inside may enter again, though somebody looks just then whether it is. */
static FS_NOINLINE BOOL is_callbacks_again(RTL_CRITICAL_SECTION *section)
{
    return fs_load_relaxed(&view(section)->mark) == FS_SECTION_OF_CALLBACK &&
           fs_callback_is_inside(section) &&
           fs_RtlEnterCriticalSection(section) == STATUS_OF_SUCCESS;
}

BOOL NTAPI fs_RtlTryEnterCriticalSection(RTL_CRITICAL_SECTION *section)
{
    struct fs_section *s = view(section);

    if (!is_ours(s) && !fs_section_settle(section))
        return FS_ORIGINAL_LIKE(RtlTryEnterCriticalSection, fs_RtlTryEnterCriticalSection)(section);
    if (!enter_free(s)) {
        if (!fs_word_lock_try(&s->word))
            return is_callbacks_again(section);
        note_holder(s, fs_thread_id_known());
    }
    if (is_of_callback(s)) {
        enum fs_callback_state state = fs_callback_entered(section);

        if (state != FS_CALLBACK_PASSED)
            let_go(s);
        return state != FS_CALLBACK_INSIDE;
    }
    return TRUE;
}

NTSTATUS NTAPI fs_RtlLeaveCriticalSection(RTL_CRITICAL_SECTION *section)
{
    struct fs_section *s = view(section);

    if (!is_ours(s))
        return FS_ORIGINAL_LIKE(RtlLeaveCriticalSection, fs_RtlLeaveCriticalSection)(section);
    if (FS_UNLIKELY(fs_load_relaxed(&s->mark) != FS_SECTION_OURS) &&
        fs_load_relaxed(&s->owner) != fs_thread_id_known() && fs_callback_leave(section))
        return STATUS_OF_SUCCESS;
    if (s->depth > 1) {
        s->depth--;
        return STATUS_OF_SUCCESS;
    }
    let_go(s);
    return STATUS_OF_SUCCESS;
}

/* ---- the rest ---------------------------------------------------------------- */

NTSTATUS NTAPI fs_RtlInitializeCriticalSectionEx(RTL_CRITICAL_SECTION *section, ULONG spins,
                                                 ULONG flags)
{
    struct fs_section *s = view(section);

    clear(s);
    s->spins = spins & SPINS_MASK;
    publish(s);
    return STATUS_OF_SUCCESS;
}

NTSTATUS NTAPI fs_RtlInitializeCriticalSectionAndSpinCount(RTL_CRITICAL_SECTION *section,
                                                           ULONG spins)
{
    return fs_RtlInitializeCriticalSectionEx(section, spins, 0);
}

NTSTATUS NTAPI fs_RtlInitializeCriticalSection(RTL_CRITICAL_SECTION *section)
{
    return fs_RtlInitializeCriticalSectionEx(section, 0, 0);
}

BOOL WINAPI fs_InitializeCriticalSectionEx(RTL_CRITICAL_SECTION *section, DWORD spins, DWORD flags)
{
    return fs_RtlInitializeCriticalSectionEx(section, spins, flags) == STATUS_OF_SUCCESS;
}

BOOL WINAPI fs_InitializeCriticalSectionAndSpinCount(RTL_CRITICAL_SECTION *section, DWORD spins)
{
    return fs_RtlInitializeCriticalSectionEx(section, spins, 0) == STATUS_OF_SUCCESS;
}

/* Without mark and record it is never ours again before it is initialised, nor becomes so. */
NTSTATUS NTAPI fs_RtlDeleteCriticalSection(RTL_CRITICAL_SECTION *section)
{
    struct fs_section *s = view(section);

    if (!is_ours(s)) {
        if (fs_load_pointer_relaxed(&s->record) == THEIRS) /* which is not the original's to free */
            fs_store_pointer_relaxed(&s->record, NO_RECORD);
        return FS_ORIGINAL_LIKE(RtlDeleteCriticalSection, fs_RtlDeleteCriticalSection)(section);
    }
    if (fs_load_relaxed(&s->mark) == FS_SECTION_OF_CALLBACK)
        fs_callback_forget(section);
    clear(s);
    s->spins = 0;
    fs_store_relaxed(&s->mark, 0);
    fs_store_pointer_release(&s->record, NULL);
    return STATUS_OF_SUCCESS;
}

ULONG NTAPI fs_RtlSetCriticalSectionSpinCount(RTL_CRITICAL_SECTION *section, ULONG spins)
{
    struct fs_section *s = view(section);
    ULONG before = (ULONG)s->spins;

    if (!is_ours(s))
        return FS_ORIGINAL_LIKE(RtlSetCriticalSectionSpinCount,
                                fs_RtlSetCriticalSectionSpinCount)(section, spins);
    s->spins = spins;
    return before;
}
