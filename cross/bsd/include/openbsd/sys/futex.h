/* SPDX-License-Identifier: MIT */
/* OpenBSD's futex(2).

   Written for this project from the documented interfaces: what its sources use, and no more. On
   the system itself this file is not used. */
#ifndef FS_BSD_SYS_FUTEX_H
#define FS_BSD_SYS_FUTEX_H

#include <stdint.h>

struct timespec;

#define FUTEX_WAIT 1
#define FUTEX_WAKE 2

#define FUTEX_PRIVATE_FLAG 128

int futex(volatile uint32_t *word, int operation, int value, const struct timespec *timeout,
          volatile uint32_t *second);

#endif
