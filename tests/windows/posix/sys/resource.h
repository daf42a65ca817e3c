/* SPDX-License-Identifier: MIT */
/* As much of setrlimit(2) as the unit tests use: without any address space left, the library gets
   no memory. See ../../posix.c. */
#ifndef FS_TESTS_WINDOWS_SYS_RESOURCE_H
#define FS_TESTS_WINDOWS_SYS_RESOURCE_H

#define RLIMIT_AS 9

struct rlimit {
    unsigned long long rlim_cur, rlim_max;
};

int getrlimit(int resource, struct rlimit *limit);
int setrlimit(int resource, const struct rlimit *limit);

#endif
