/* SPDX-License-Identifier: MIT */
/* Error numbers of macOS.

   Written for this project from the documented interface: what its sources and tests use, and no
   more. With Apple's SDK this file is not used. */
#ifndef FS_DARWIN_ERRNO_H
#define FS_DARWIN_ERRNO_H

int *__error(void);
#define errno (*__error())

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
#define ENOTSUP 45
#define ETIMEDOUT 60
#define ENOSYS 78
#define ECANCELED 89
#define EOWNERDEAD 105
#define ENOTRECOVERABLE 104

#endif
