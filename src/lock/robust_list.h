/* SPDX-License-Identifier: MIT */
/* The calling thread's robust list: the mutexes whose words the kernel marks when
   the thread dies (get_robust_list(2), Documentation/locking/robust-futexes). The C library
   registered the list and keeps its own mutexes on it, so entries are linked exactly as it
   does: `next` pointers that the kernel follows, and, where the mutex has room, `prev` pointers
   for unlinking. The list without them is robust_list_one_way.h's.

   A robust operation is a bracket: begin names the mutex that is about to change
   hands, so that a death in between is noticed; end clears that. The slot is one per
   thread: a signal handler that runs a robust operation inside another's bracket
   puts back what it found.

   All accesses are the calling thread's own; the order of the stores matters to the kernel only,
   which reads them after the thread has stopped: compiler barriers are enough. */
#ifndef FS_LOCK_ROBUST_LIST_H
#define FS_LOCK_ROBUST_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "lock/mutex.h"

struct fs_robust_head;

/* An open bracket. */
struct fs_robust_bracket {
    struct fs_robust_head *head; /* null: this thread has no list, robustness is off for it */
    void *saved;
};

#define FS_ROBUST_PI_MARK ((uintptr_t)1)

/* The kernel's struct robust_list_head. */
struct fs_robust_head {
    void *first; /* the `next` member of the newest entry, FS_ROBUST_PI_MARK added for a PI mutex */
    long futex_offset;
    void *pending;
};

FS_ALWAYS_INLINE void fs_robust_order(void)
{
    __asm__ volatile("" ::: "memory");
}

/* The link, or the head, whose `next` member (or `first`) an entry names. */
FS_ALWAYS_INLINE struct fs_robust_link *fs_robust_link_of(void *next_member)
{
    uintptr_t at = (uintptr_t)next_member & ~FS_ROBUST_PI_MARK;

    return (struct fs_robust_link *)(at - offsetof(struct fs_robust_link, next));
}

FS_ALWAYS_INLINE void *fs_robust_entry_of(struct fs_mutex *m, bool pi)
{
    return (void *)((uintptr_t)&m->link.next | (pi ? FS_ROBUST_PI_MARK : 0));
}

/* From an entry to the word of its mutex. */
#define FS_ROBUST_DISTANCE                                                                         \
    ((long)offsetof(struct fs_mutex, word) -                                                       \
     (long)(offsetof(struct fs_mutex, link) + offsetof(struct fs_robust_link, next)))

/* The list of this thread, if it is linked as we link: that distance is its own. */
FS_ALWAYS_INLINE struct fs_robust_head *fs_robust_own_head(void)
{
    struct fs_robust_head *head = fs_system_robust_list();

    return head && head->futex_offset == FS_ROBUST_DISTANCE ? head : NULL;
}

/* Opens the bracket around a change of m's word. pi: m is a PI mutex. */
FS_ALWAYS_INLINE struct fs_robust_bracket fs_robust_begin(struct fs_mutex *m, bool pi)
{
    struct fs_robust_bracket bracket = {.head = fs_robust_own_head()};

    if (bracket.head) {
        bracket.saved = bracket.head->pending;
        bracket.head->pending = fs_robust_entry_of(m, pi);
        fs_robust_order();
    }
    return bracket;
}

/* Closes it. */
FS_ALWAYS_INLINE void fs_robust_end(struct fs_robust_bracket bracket)
{
    if (bracket.head) {
        fs_robust_order();
        bracket.head->pending = bracket.saved;
    }
}

#if FS_MUTEX_HAS_PREV

/* Puts a mutex that the caller holds on the list; inside a bracket. */
FS_ALWAYS_INLINE void fs_robust_link(struct fs_robust_bracket bracket, struct fs_mutex *m, bool pi)
{
    struct fs_robust_head *head = bracket.head;

    if (!head) {
        m->link.prev = NULL; /* may be a dead owner's */
        m->link.next = NULL;
        return;
    }
    m->link.next = head->first;
    m->link.prev = &head->first;
    fs_robust_order();
    head->first = fs_robust_entry_of(m, pi);
    fs_robust_order();
    /* Last: a signal handler that runs a robust operation in between finds a list that is linked
       forwards, and puts its own entry before ours. */
    fs_robust_link_of(m->link.next)->prev = &m->link.next;
    fs_robust_order();
}

/* Takes it off; inside a bracket. */
FS_ALWAYS_INLINE void fs_robust_unlink(struct fs_robust_bracket bracket, struct fs_mutex *m)
{
    if (!bracket.head || !m->link.next)
        return;
    fs_robust_link_of(m->link.next)->prev = m->link.prev;
    fs_robust_order();
    /* prev names the `next` member (or the head's first) that points at us. */
    *(void **)((uintptr_t)m->link.prev & ~FS_ROBUST_PI_MARK) = m->link.next;
    fs_robust_order();
    m->link.prev = NULL;
    m->link.next = NULL;
}

#else
#include "lock/robust_list_one_way.h"
#endif

#endif
