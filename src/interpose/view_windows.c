/* SPDX-License-Identifier: MIT */
/* When an object becomes ours, and when it ceases to be: the moves of a handle. */
#include "interpose/view_windows.h"

#include <errno.h>

#include "interpose/windows_start.h"

/* Whether a handle is a static initialiser of this kind of object; of a mutex also its kind. */
static bool is_static(enum fs_pool_kind kind, uintptr_t handle, uint32_t *mutex_kind)
{
    if (kind == FS_POOL_MUTEX)
        return fs_static_mutex_kind(handle, mutex_kind);
    return handle == FS_STATIC_NORMAL;
}

union fs_pool_object *fs_handle_settle(const intptr_t *object, enum fs_pool_kind kind, int *err)
{
    uintptr_t found = fs_handle_load(object);
    union fs_pool_object *fresh;
    uint32_t mutex_kind;

    *err = FS_HANDLE_THEIRS;
    while (!fs_handle_is_ours(found)) {
        if (!is_static(kind, found, &mutex_kind) || fs_start_switches.off)
            return NULL;
        fresh = fs_pool_take(kind);
        if (!fresh) {
            *err = ENOMEM;
            return NULL;
        }
        if (kind == FS_POOL_MUTEX)
            fs_store_relaxed(&fresh->mutex.kind, mutex_kind);
        if (fs_handle_exchange(object, &found, fs_handle_to(fresh)))
            return fresh;
        fs_pool_give(kind, fresh); /* another was faster */
    }
    return fs_handle_object(found);
}

bool fs_handle_retire(const intptr_t *object, enum fs_pool_kind kind, uintptr_t handle)
{
    uintptr_t found = handle;

    return fs_handle_exchange(object, &found, FS_NO_HANDLE) &&
           fs_pool_give(kind, fs_handle_object(handle));
}
