/* SPDX-License-Identifier: MIT */
/* Executes a program as on a 32-bit kernel before Linux 5.1: a seccomp filter answers that there is
   no futex_time64, and what uses futexes has to be content with the old call.

       old_futex PROGRAM ARGUMENT... */
#include <errno.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int hide_new_call(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex_time64, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

int main(int argc, char **argv)
{
    uint32_t word = 0;

    if (argc < 2)
        return 2;
    if (!hide_new_call() || syscall(SYS_futex_time64, &word, FUTEX_WAKE, 1, NULL, NULL, 0) != -1 ||
        errno != ENOSYS) {
        printf("SKIP old_futex: no seccomp filter can hide a call here\n");
        return 77;
    }
    execv(argv[1], argv + 1);
    perror(argv[1]);
    return 2;
}
