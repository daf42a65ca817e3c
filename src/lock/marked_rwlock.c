/* SPDX-License-Identifier: MIT */
/* The reader-writer lock of rwlock.c once more, with the mark and under the names of
   marked_rwlock.h. */
#include "lock/marked_rwlock.h"

#include "lock/rwlock.c"
