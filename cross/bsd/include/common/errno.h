/* SPDX-License-Identifier: MIT */
/* Error numbers that all BSDs have in common; the others are in their system.h.

   Written for this project from the documented interfaces: what its sources use, and no more. On
   the system itself this file is not used. */
#ifndef FS_BSD_ERRNO_H
#define FS_BSD_ERRNO_H

#include <system.h>

#define EPERM 1
#define ENOENT 2
#define ESRCH 3
#define EINTR 4
#define EDEADLK 11
#define ENOMEM 12
#define EFAULT 14
#define EBUSY 16
#define EINVAL 22
#define EAGAIN 35
#define ETIMEDOUT 60
#define ENOSYS 78

#endif
