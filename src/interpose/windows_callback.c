/* SPDX-License-Identifier: MIT */
/* LeaveCriticalSectionWhenCallbackReturns for sections of ours. ntdll leaves a section by its own
   function when a callback of a pool of threads returns, so it is given one of its own to leave: a
   substitute that the calling thread enters first. Ours is left at once, with a mark that says to
   whoever enters next that the substitute has to be free as well. Nobody holds ours while he waits
   for the substitute, since the callback may enter ours again. Substitutes are never freed or
   destroyed: ntdll may be about to leave one when another thread has found it free. */
#include "interpose/windows_start.h"
#include "interpose/windows_win32.h"
#include "lock/word_lock.h"

#define ENTER FS_ORIGINAL_LIKE(RtlEnterCriticalSection, fs_RtlEnterCriticalSection)
#define TRY_ENTER FS_ORIGINAL_LIKE(RtlTryEnterCriticalSection, fs_RtlTryEnterCriticalSection)
#define LEAVE FS_ORIGINAL_LIKE(RtlLeaveCriticalSection, fs_RtlLeaveCriticalSection)

struct substitute {
    struct substitute *next;
    RTL_CRITICAL_SECTION theirs;
    const RTL_CRITICAL_SECTION *of; /* ours, or null: it may be given another */
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

static struct substitute *find(const RTL_CRITICAL_SECTION *section)
{
    struct substitute *one = list;

    while (one && one->of != section)
        one = one->next;
    return one;
}

/* A new one is not on the list yet. */
static struct substitute *make(void)
{
    struct substitute *one = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*one));

    if (one)
        FS_ORIGINAL_LIKE(RtlInitializeCriticalSection, fs_RtlInitializeCriticalSection)
    (&one->theirs);
    return one;
}

/* One that the caller has entered: the section's, or one of nobody's. Null: there is none. A
   section that was freed without being destroyed may have left one in its name. */
static struct substitute *take(const RTL_CRITICAL_SECTION *section)
{
    struct substitute *one;

    lock_list();
    one = find(section);
    if (one && !TRY_ENTER(&one->theirs)) {
        one->of = NULL;
        one = NULL;
    }
    if (!one) {
        one = list;
        while (one && (one->of || one->waiters > 0 || !TRY_ENTER(&one->theirs)))
            one = one->next;
    }
    if (one)
        one->of = section;
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
    struct substitute *one;

    lock_list();
    one = find(section);
    if (one)
        one->of = NULL;
    unlock_list();
}

bool fs_callback_has_left(RTL_CRITICAL_SECTION *section)
{
    struct fs_section *s = (struct fs_section *)(void *)section;
    struct substitute *one;
    bool is_callback;

    lock_list();
    one = find(section);
    unlock_list();
    if (one && fs_process_is_ending()) {
        ENTER(&one->theirs); /* the system may end the process here */
    } else if (one) {
        if (!TRY_ENTER(&one->theirs))
            return false;
        is_callback = one->theirs.RecursionCount > 1; /* it enters again */
        LEAVE(&one->theirs);
        if (is_callback)
            return true;
    }
    fs_callback_forget(section);
    fs_store_relaxed(&s->mark, FS_SECTION_OURS);
    return true;
}

void fs_callback_await(RTL_CRITICAL_SECTION *section)
{
    struct substitute *one;

    lock_list();
    one = find(section);
    if (one)
        one->waiters++;
    unlock_list();
    if (!one)
        return;
    ENTER(&one->theirs);
    LEAVE(&one->theirs);
    lock_list();
    one->waiters--;
    unlock_list();
}

void NTAPI fs_TpCallbackLeaveCriticalSectionOnCompletion(void *instance,
                                                         RTL_CRITICAL_SECTION *section)
{
    struct fs_section *s = (struct fs_section *)(void *)section;
    RTL_CRITICAL_SECTION *left = section;
    bool is_first = false;

    if (fs_section_settle(section)) {
        left = &take_or_make(section)->theirs;
        is_first = left->RecursionCount == 1;
        if (is_first)
            fs_store_relaxed(&s->mark, FS_SECTION_OF_CALLBACK);
        else /* asked for once more by the same callback: it is left once all the same */
            LEAVE(left);
    }
    FS_ORIGINAL_LIKE(TpCallbackLeaveCriticalSectionOnCompletion,
                     fs_TpCallbackLeaveCriticalSectionOnCompletion)
    (instance, left);
    if (is_first)
        fs_RtlLeaveCriticalSection(section);
}
