/* SPDX-License-Identifier: MIT */
/* The reader-writer lock of rwlock.h under other names, with a mark: where a free lock of somebody
   else's is 0 as well, and a held one never has the highest bit, the mark tells whose a lock in use
   is. The turn has 15 bits then. Not to be included beside rwlock.h. */
#ifndef FS_LOCK_MARKED_RWLOCK_H
#define FS_LOCK_MARKED_RWLOCK_H

#ifdef FS_LOCK_RWLOCK_H
#error "a file has either reader-writer lock"
#endif

#define FS_RW_MARK (UINT64_C(1) << 63)

#define fs_rwlock_read fs_marked_rwlock_read
#define fs_rwlock_try_read fs_marked_rwlock_try_read
#define fs_rwlock_write fs_marked_rwlock_write
#define fs_rwlock_try_write fs_marked_rwlock_try_write
#define fs_rwlock_release fs_marked_rwlock_release

#include "lock/rwlock.h"

#endif
