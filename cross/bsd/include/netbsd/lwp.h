/* SPDX-License-Identifier: MIT */
/* NetBSD's thread ids, _lwp_self(2).

   Written for this project from the documented interfaces: what its sources use, and no more. On
   the system itself this file is not used. */
#ifndef FS_BSD_LWP_H
#define FS_BSD_LWP_H

#include <stdint.h>

int32_t _lwp_self(void);

#endif
