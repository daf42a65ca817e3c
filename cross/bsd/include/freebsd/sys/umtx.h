/* SPDX-License-Identifier: MIT */
/* FreeBSD's sleeping and waking, _umtx_op(2).

   Written for this project from the documented interfaces: what its sources use, and no more. On
   the system itself this file is not used. */
#ifndef FS_BSD_SYS_UMTX_H
#define FS_BSD_SYS_UMTX_H

#include <stdint.h>
#include <time.h>

#define UMTX_OP_WAKE 3
#define UMTX_OP_WAIT_UINT 11
#define UMTX_OP_WAIT_UINT_PRIVATE 15
#define UMTX_OP_WAKE_PRIVATE 16

#define UMTX_ABSTIME 0x01

struct _umtx_time {
    struct timespec _timeout;
    uint32_t _flags;
    uint32_t _clockid;
};

int _umtx_op(void *object, int operation, unsigned long value, void *first, void *second);

#endif
