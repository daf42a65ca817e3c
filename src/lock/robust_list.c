/* SPDX-License-Identifier: MIT */
/* Linking and unlinking on the list that the kernel reads at a thread's death. All
   accesses are the calling thread's own; the order of the stores matters to the kernel only,
   which reads them after the thread has stopped: compiler barriers are enough. */
#include "lock/robust_list.h"

#include <stddef.h>
#include <stdint.h>

#define PI_MARK ((uintptr_t)1)

/* The kernel's struct robust_list_head. */
struct fs_robust_head {
    void *first; /* the `next` member of the newest entry, PI_MARK added for a PI mutex */
    long futex_offset;
    void *pending;
};

FS_ALWAYS_INLINE void order_stores(void)
{
    __asm__ volatile("" ::: "memory");
}

static struct fs_robust_link *link_of(void *next_member)
{
    uintptr_t at = (uintptr_t)next_member & ~PI_MARK;

    return (struct fs_robust_link *)(at - offsetof(struct fs_robust_link, next));
}

static void *entry_of(struct fs_mutex *m, bool pi)
{
    return (void *)((uintptr_t)&m->link.next | (pi ? PI_MARK : 0));
}

/* The list of this thread, if it is linked as we link: the distance from an entry
   to its word is that of our mutex. */
static struct fs_robust_head *own_head(void)
{
    struct fs_robust_head *head = fs_system_robust_list();
    long distance = (long)offsetof(struct fs_mutex, word) -
                    (long)(offsetof(struct fs_mutex, link) + offsetof(struct fs_robust_link, next));

    return head && head->futex_offset == distance ? head : NULL;
}

struct fs_robust_bracket fs_robust_begin(struct fs_mutex *m, bool pi)
{
    struct fs_robust_bracket bracket = {.head = own_head()};

    if (bracket.head) {
        bracket.saved = bracket.head->pending;
        bracket.head->pending = entry_of(m, pi);
        order_stores();
    }
    return bracket;
}

void fs_robust_end(struct fs_robust_bracket bracket)
{
    if (bracket.head) {
        order_stores();
        bracket.head->pending = bracket.saved;
    }
}

void fs_robust_link(struct fs_robust_bracket bracket, struct fs_mutex *m, bool pi)
{
    struct fs_robust_head *head = bracket.head;

    if (!head) {
        m->link.prev = NULL; /* may be a dead owner's */
        m->link.next = NULL;
        return;
    }
    m->link.next = head->first;
    m->link.prev = &head->first;
    order_stores();
    link_of(head->first)->prev = &m->link.next;
    head->first = entry_of(m, pi);
    order_stores();
}

void fs_robust_unlink(struct fs_robust_bracket bracket, struct fs_mutex *m)
{
    if (!bracket.head || !m->link.next)
        return;
    link_of(m->link.next)->prev = m->link.prev;
    order_stores();
    /* prev names the `next` member (or the head's first) that points at us. */
    *(void **)((uintptr_t)m->link.prev & ~PI_MARK) = m->link.next;
    order_stores();
    m->link.prev = NULL;
    m->link.next = NULL;
}
