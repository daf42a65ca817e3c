/* SPDX-License-Identifier: MIT */
/* The objects of winpthreads as ours see them. Each is one word, its handle: a static initialiser,
   the address of an object of winpthreads', which is even, or the address of one of ours, plus 1.
   Ours lie in memory of their own (windows_pool.h). A static initialiser becomes ours at the first
   use, by a compare-and-swap of the handle. This is the only place that knows what a handle says.
 */
#ifndef FS_INTERPOSE_VIEW_WINDOWS_H
#define FS_INTERPOSE_VIEW_WINDOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "interpose/windows_pool.h"

/* winpthreads': of static initialisers; of a destroyed object. A mutex that is zero is a normal one
   all the same. */
#define FS_STATIC_NORMAL UINTPTR_MAX
#define FS_STATIC_ERRORCHECK (UINTPTR_MAX - 1)
#define FS_STATIC_RECURSIVE (UINTPTR_MAX - 2)
#define FS_NO_HANDLE ((uintptr_t)0)

FS_ALWAYS_INLINE fs_pointer *fs_handle_of(const intptr_t *object)
{
    return (fs_pointer *)(uintptr_t)object;
}

/* Acquire: pairs with the release by which a handle of ours is published. */
FS_ALWAYS_INLINE uintptr_t fs_handle_load(const intptr_t *object)
{
    return (uintptr_t)fs_load_pointer_acquire(fs_handle_of(object));
}

FS_ALWAYS_INLINE bool fs_handle_is_ours(uintptr_t handle)
{
    return (handle & 1) && handle < FS_STATIC_RECURSIVE;
}

FS_ALWAYS_INLINE uintptr_t fs_handle_to(const union fs_pool_object *object)
{
    return (uintptr_t)object + 1;
}

/* Of a handle that is ours. */
FS_ALWAYS_INLINE union fs_pool_object *fs_handle_object(uintptr_t handle)
{
    return (union fs_pool_object *)(handle - 1);
}

/* Puts a handle in the place of the one that was found. On failure *found is what is there. */
FS_ALWAYS_INLINE bool fs_handle_exchange(const intptr_t *object, uintptr_t *found, uintptr_t new)
{
    void *old = (void *)*found;
    bool done = fs_cas_pointer_acq_rel(fs_handle_of(object), &old, (void *)new);

    *found = (uintptr_t)old;
    return done;
}

/* By who initialises the object, alone. */
FS_ALWAYS_INLINE void fs_handle_store(intptr_t *object, uintptr_t new)
{
    fs_store_pointer_release(fs_handle_of(object), (void *)new);
}

/* Whether a mutex's handle is one that no object belongs to yet; then the mutex's kind. */
FS_ALWAYS_INLINE bool fs_static_mutex_kind(uintptr_t handle, uint32_t *kind)
{
    if (handle == FS_STATIC_NORMAL || handle == FS_NO_HANDLE)
        *kind = FS_KIND_NORMAL;
    else if (handle == FS_STATIC_ERRORCHECK)
        *kind = FS_KIND_ERRORCHECK;
    else if (handle == FS_STATIC_RECURSIVE)
        *kind = FS_KIND_RECURSIVE;
    else
        return false;
    return true;
}

/* Why fs_handle_settle has no object, besides ENOMEM: winpthreads' own function is to answer,
   whatever the handle is. */
#define FS_HANDLE_THEIRS (-1)

/* The object behind a handle, from now on ours if it was initialised statically and nobody has
   switched the library off; or null and the reason in *err. */
union fs_pool_object *fs_handle_settle(const intptr_t *object, enum fs_pool_kind kind, int *err);

/* By who destroys the object: takes its handle away and gives the slot back. Returns false when
   another was faster, or had destroyed it under another name. */
bool fs_handle_retire(const intptr_t *object, enum fs_pool_kind kind, uintptr_t handle);

#endif
