/* SPDX-License-Identifier: MIT */
/* LeaveCriticalSectionWhenCallbackReturns for sections of ours. ntdll leaves a section by its own
   function when a callback of a pool of threads returns, so it is given one of its own to leave: a
   substitute that the calling thread enters first. Ours is left at once, with a mark that says to
   whoever enters next that the substitute has to be free as well. Nobody holds ours while he waits
   for the substitute, since the callback may enter ours again. The callback may also leave the
   section, or wait with it, and come back: it is out meanwhile, and enters its substitute again
   when it does, so that at most one callback of a section is inside. Substitutes are never freed or
   destroyed: ntdll may be about to leave one when another thread has found it free. */
#include "futex/thread.h"
#include "interpose/windows_start.h"
#include "interpose/windows_win32.h"
#include "lock/word_lock.h"

#define INITIALISE FS_ORIGINAL_LIKE(RtlInitializeCriticalSection, fs_RtlInitializeCriticalSection)
#define ENTER FS_ORIGINAL_LIKE(RtlEnterCriticalSection, fs_RtlEnterCriticalSection)
#define TRY_ENTER FS_ORIGINAL_LIKE(RtlTryEnterCriticalSection, fs_RtlTryEnterCriticalSection)
#define LEAVE FS_ORIGINAL_LIKE(RtlLeaveCriticalSection, fs_RtlLeaveCriticalSection)

struct substitute {
    struct substitute *next;
    RTL_CRITICAL_SECTION theirs;
    const RTL_CRITICAL_SECTION *of; /* ours, or null: it may be given another */
    uint32_t callback;              /* the thread that asked */
    bool is_out;                    /* which has left the section itself for now, and comes back */
    unsigned waiters;               /* it must not be given another meanwhile */
};

/* All there are. The lock is for the list, and for what they are of. */
static fs_word list_lock;
static struct substitute *list;

/* At the end of the process nobody else is there. */
static void lock_list(void)
{
    if (!fs_process_is_ending())
        fs_word_lock_acquire(&list_lock, NULL, FS_SCOPE_PRIVATE);
}

static void unlock_list(void)
{
    if (!fs_process_is_ending())
        fs_word_lock_release(&list_lock);
}

/* The section's next from there; several callbacks may be out at once, one may be in. */
static struct substitute *next_of(struct substitute *one, const RTL_CRITICAL_SECTION *section)
{
    while (one && one->of != section)
        one = one->next;
    return one;
}

static struct substitute *first_of(const RTL_CRITICAL_SECTION *section)
{
    return next_of(list, section);
}

static struct substitute *find_mine(const RTL_CRITICAL_SECTION *section)
{
    for (struct substitute *one = first_of(section); one; one = next_of(one->next, section))
        if (one->callback == fs_thread_id_known() &&
            (one->is_out || one->theirs.OwningThread == (HANDLE)(uintptr_t)one->callback))
            return one;
    return NULL;
}

/* A new one is not on the list yet. */
static struct substitute *make(void)
{
    struct substitute *one = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*one));

    if (one)
        INITIALISE(&one->theirs);
    return one;
}

/* One of nobody's that the caller has entered. Null: there is none. */
static struct substitute *take(const RTL_CRITICAL_SECTION *section)
{
    struct substitute *one;

    lock_list();
    one = list;
    while (one && (one->of || one->waiters > 0 ||
                   one->theirs.OwningThread == (HANDLE)(uintptr_t)fs_thread_id_known() ||
                   !TRY_ENTER(&one->theirs)))
        one = one->next;
    if (one) {
        one->callback = fs_thread_id_known();
        one->is_out = false;
        one->of = section;
    }
    unlock_list();
    return one;
}

static struct substitute *take_or_make(const RTL_CRITICAL_SECTION *section)
{
    struct substitute *one = take(section);

    while (!one) {
        one = make();
        if (!one) { /* there will be memory, or a substitute, again */
            fs_system_yield();
            one = take(section);
            continue;
        }
        ENTER(&one->theirs);
        one->callback = fs_thread_id_known();
        one->of = section;
        lock_list();
        one->next = list;
        list = one;
        unlock_list();
    }
    return one;
}

void fs_callback_forget(RTL_CRITICAL_SECTION *section)
{
    lock_list();
    for (struct substitute *one = first_of(section); one; one = next_of(one->next, section))
        one->of = NULL;
    unlock_list();
}

/* Forgets it if its callback has returned. False: it has not. */
static bool is_over(struct substitute *one)
{
    if (fs_process_is_ending())
        ENTER(&one->theirs); /* the system may end the process here */
    else if (!TRY_ENTER(&one->theirs))
        return false;
    LEAVE(&one->theirs);
    one->of = NULL;
    return true;
}

enum fs_callback_state fs_callback_entered(RTL_CRITICAL_SECTION *section)
{
    struct fs_section *s = (struct fs_section *)(void *)section;
    struct substitute *mine;
    bool may_stay = true, is_out = false;

    lock_list();
    mine = find_mine(section);
    if (!mine || mine->is_out) {
        for (struct substitute *one = first_of(section); one; one = next_of(one->next, section))
            if (!one->is_out && !is_over(one))
                may_stay = false;
        is_out = mine != NULL;
        if (!first_of(section))
            fs_store_relaxed(&s->mark, FS_SECTION_OURS);
    }
    unlock_list();
    if (!may_stay)
        return FS_CALLBACK_INSIDE;
    if (!is_out)
        return FS_CALLBACK_PASSED;
    ENTER(&mine->theirs); /* at most somebody passes through */
    lock_list();
    mine->is_out = false;
    unlock_list();
    return FS_CALLBACK_BACK;
}

bool fs_callback_leave(RTL_CRITICAL_SECTION *section)
{
    struct substitute *mine;
    bool was_in;

    lock_list();
    mine = find_mine(section);
    was_in = mine && !mine->is_out;
    if (was_in) {
        mine->is_out = true;
        LEAVE(&mine->theirs);
    }
    unlock_list();
    return was_in;
}

bool fs_callback_is_inside(RTL_CRITICAL_SECTION *section)
{
    struct substitute *mine;

    lock_list();
    mine = find_mine(section);
    unlock_list();
    return mine && !mine->is_out;
}

void fs_callback_await(RTL_CRITICAL_SECTION *section)
{
    struct substitute *inside = NULL;

    lock_list();
    for (struct substitute *one = first_of(section); one; one = next_of(one->next, section))
        if (!one->is_out)
            inside = one;
    if (inside)
        inside->waiters++;
    unlock_list();
    if (!inside)
        return;
    ENTER(&inside->theirs);
    LEAVE(&inside->theirs);
    lock_list();
    inside->waiters--;
    unlock_list();
}

/* It may be asked for by who does not hold the section yet: then he is out. */
static struct substitute *stand_in(RTL_CRITICAL_SECTION *section)
{
    struct fs_section *s = (struct fs_section *)(void *)section;
    bool holds = fs_load_relaxed(&s->owner) == fs_thread_id_known();
    struct substitute *one;

    lock_list();
    one = find_mine(section);
    unlock_list();
    if (one) /* asked for once more by the same callback: it is left once all the same */
        return one;
    one = take_or_make(section);
    lock_list();
    fs_store_relaxed(&s->mark, FS_SECTION_OF_CALLBACK);
    if (!holds) {
        one->is_out = true;
        LEAVE(&one->theirs);
    }
    unlock_list();
    if (holds)
        fs_RtlLeaveCriticalSection(section);
    return one;
}

void NTAPI fs_TpCallbackLeaveCriticalSectionOnCompletion(void *instance,
                                                         RTL_CRITICAL_SECTION *section)
{
    RTL_CRITICAL_SECTION *left = section;

    if (fs_section_settle(section))
        left = &stand_in(section)->theirs;
    FS_ORIGINAL_LIKE(TpCallbackLeaveCriticalSectionOnCompletion,
                     fs_TpCallbackLeaveCriticalSectionOnCompletion)
    (instance, left);
}
