/* SPDX-License-Identifier: MIT */
/* Threads: what a library does at a fork.

   Written for this project from the documented interfaces: what its sources use, and no more. On
   the system itself this file is not used. */
#ifndef FS_BSD_PTHREAD_H
#define FS_BSD_PTHREAD_H

int pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));

#endif
