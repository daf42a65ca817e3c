/* SPDX-License-Identifier: MIT */
/* What only glibc has: the places of a thread's id and of its robust list, the flag of a process
   with one thread, how a shared condition variable is marked, and locks that prefer writers. */
#include <pthread.h>
#include <string.h>

#include "futex/thread.h"
#include "interpose/attributes.h"
#include "interpose/divert.h"
#include "interpose/host.h"
#include "interpose/libc.h"
#include "interpose/view.h"
#include "lock/robust_list.h"

FS_ATTRIBUTE(pthread_condattr_setpshared);
FS_ATTRIBUTE(pthread_mutexattr_destroy);
FS_ATTRIBUTE(pthread_mutexattr_init);
FS_ATTRIBUTE(pthread_mutexattr_setrobust);
FS_ATTRIBUTE(pthread_rwlockattr_getkind_np);

struct fs_shared_mark fs_shared_mark = {.offset = 36, .mask = 1};

/* The C library describes its thread descriptor to debuggers: bits, count, offset of a field. A
   thread's handle is the descriptor's address; the thread pointer may be elsewhere. */
struct field_description {
    uint32_t bits;
    uint32_t count;
    uint32_t offset;
};

static void find_thread_id(void)
{
    const struct field_description *tid = fs_program_symbol("_thread_db_pthread_tid");
    uintptr_t offset;

    if (!tid || tid->bits != 32 || tid->offset == 0 || tid->offset > 8192)
        return;
    offset = (uintptr_t)pthread_self() + tid->offset - (uintptr_t)fs_thread_pointer();
    if (fs_thread_id_at(offset) != fs_system_thread_id())
        return;
    fs_thread_id_offset = offset;
    fs_end_early();
}

/* Asks a mutex that the C library locks: the first on a list names the head. */
static void *find_robust_list_by_lock(const struct fs_libc *libc)
{
    pthread_mutexattr_t attr;
    union {
        pthread_mutex_t libcs;
        struct fs_mutex fields;
    } mutex;
    void *head = NULL;

    memset(&mutex, 0, sizeof mutex);
    if (!libc->mutex_init || !libc->mutex_lock || !libc->mutex_unlock || !pthread_mutexattr_init ||
        !pthread_mutexattr_destroy || !pthread_mutexattr_setrobust ||
        pthread_mutexattr_init(&attr) != 0)
        return NULL;
    if (pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) == 0 &&
        libc->mutex_init(&mutex.libcs, &attr) == 0 && libc->mutex_lock(&mutex.libcs) == 0) {
        head = mutex.fields.link.next;
        libc->mutex_unlock(&mutex.libcs);
    }
    pthread_mutexattr_destroy(&attr);
    return head;
}

/* Where the kernel does not tell, the thread may hold a robust mutex already, which the C library's
   names instead of the head: only what looks like one, near the thread pointer, is taken for it. */
static void find_robust_list(const struct fs_libc *libc)
{
    struct fs_robust_head *head = fs_system_find_robust_list();
    uintptr_t offset;

    if (!head)
        head = find_robust_list_by_lock(libc);
    offset = (uintptr_t)head - (uintptr_t)fs_thread_pointer();
    if (!head || offset + 8192 > 2 * 8192 || head->futex_offset != FS_ROBUST_DISTANCE)
        return;
    fs_robust_list_offset = offset;
}

static void find_single_thread_flag(void)
{
    const char *flag = fs_program_symbol("__libc_single_threaded");

    if (flag)
        fs_single_threaded_flag = flag;
    fs_store_byte_relaxed(&fs_may_be_alone, 1); /* an earlier look found nothing */
}

/* Where a process-shared condition variable differs from a private one after the C library has
   initialised both. Kept as it is when there is no such place behind our own fields. */
static void find_shared_mark(const struct fs_libc *libc)
{
    pthread_condattr_t attr;
    union {
        pthread_cond_t cond;
        uint32_t words[sizeof(pthread_cond_t) / 4];
    } own, shared;

    memset(&own, 0, sizeof own);
    memset(&shared, 0, sizeof shared);
    if (!libc->cond_init || !pthread_condattr_setpshared || pthread_condattr_init(&attr) != 0)
        return;
    if (pthread_condattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) == 0 &&
        libc->cond_init(&own.cond, NULL) == 0 && libc->cond_init(&shared.cond, &attr) == 0)
        for (unsigned i = sizeof(struct fs_cond_view) / 4; i < sizeof own.words / 4; i++)
            if (own.words[i] != shared.words[i]) {
                fs_shared_mark.offset = i * 4;
                fs_shared_mark.mask = own.words[i] ^ shared.words[i];
                break;
            }
    pthread_condattr_destroy(&attr);
}

/* Under another, the loader does not find the versions that the library needs. */
bool fs_host_is_right(void)
{
    return true;
}

void fs_host_interrupt(const void *thread)
{
}

void fs_host_in_fork_child(void)
{
}

void fs_host_find_places(const struct fs_libc *libc)
{
    find_single_thread_flag();
    find_thread_id();
    find_robust_list(libc);
    find_shared_mark(libc);
}

bool fs_rwlock_set_preference(pthread_rwlock_t *lock, const pthread_rwlockattr_t *attr)
{
    int kind = PTHREAD_RWLOCK_DEFAULT_NP;

    if (attr && pthread_rwlockattr_getkind_np(attr, &kind) != 0)
        return false;
    lock->__data.__flags = (unsigned)kind;
    return true;
}
