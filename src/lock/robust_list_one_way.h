/* SPDX-License-Identifier: MIT */
/* Part of robust_list.h, for a mutex that has no room for a way back: putting a mutex on a list
   that is linked forwards only is one store, and taking it off looks for the entry before it.
   The C library does the same, so the list ends at its head for both. */
#ifndef FS_LOCK_ROBUST_LIST_ONE_WAY_H
#define FS_LOCK_ROBUST_LIST_ONE_WAY_H

#ifndef FS_LOCK_ROBUST_LIST_H
#error "include lock/robust_list.h"
#endif

/* Puts a mutex that the caller holds on the list; inside a bracket. */
FS_ALWAYS_INLINE void fs_robust_link(struct fs_robust_bracket bracket, struct fs_mutex *m, bool pi)
{
    struct fs_robust_head *head = bracket.head;

    if (!head) {
        m->link.next = NULL; /* may be a dead owner's */
        return;
    }
    m->link.next = head->first;
    fs_robust_order();
    head->first = fs_robust_entry_of(m, pi);
    fs_robust_order();
}

/* Takes it off; inside a bracket. Mutexes are mostly released in the opposite order, so the first
   look finds it. */
FS_ALWAYS_INLINE void fs_robust_unlink(struct fs_robust_bracket bracket, struct fs_mutex *m)
{
    struct fs_robust_link *before = (struct fs_robust_link *)(void *)bracket.head;

    if (!before || !m->link.next)
        return;
    while (fs_robust_link_of(before->next) != &m->link) {
        before = fs_robust_link_of(before->next);
        if (before == (struct fs_robust_link *)(void *)bracket.head)
            return; /* back at the head: the program has overwritten something */
    }
    before->next = m->link.next;
    fs_robust_order();
    m->link.next = NULL;
}

#endif
