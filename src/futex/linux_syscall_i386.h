/* SPDX-License-Identifier: MIT */
/* Part of linux_syscall.h: 32-bit x86. The sixth argument is in the frame pointer's register, so
   this is a function with a frame of its own, through which debuggers and cancellation find their
   way. It enters the kernel where the thread's descriptor says (both glibc and musl keep the
   address there): that is three times as fast as interrupt 0x80. */
#ifndef FS_FUTEX_LINUX_SYSCALL_I386_H
#define FS_FUTEX_LINUX_SYSCALL_I386_H

#ifndef FS_FUTEX_LINUX_SYSCALL_H
#error "include futex/linux_syscall.h"
#endif

#define FS_LINUX_PUSH(name)                                                                        \
    "pushl %" name "\n\t.cfi_adjust_cfa_offset 4\n\t.cfi_rel_offset " name ", 0\n\t"
#define FS_LINUX_POP(name)                                                                         \
    "popl %" name "\n\t.cfi_adjust_cfa_offset -4\n\t.cfi_restore " name "\n\t"

/* "used": the compiler keeps to the arguments on the stack. */
static FS_NOINLINE __attribute__((naked, used)) long fs_linux_call(long number, long a, long b,
                                                                   long c, long d, long e, long f)
{
    __asm__(FS_LINUX_PUSH("ebp") FS_LINUX_PUSH("edi") FS_LINUX_PUSH("esi") FS_LINUX_PUSH("ebx")
            /* behind four registers and the way back */
            "movl 20(%esp), %eax\n\t"
            "movl 24(%esp), %ebx\n\t"
            "movl 28(%esp), %ecx\n\t"
            "movl 32(%esp), %edx\n\t"
            "movl 36(%esp), %esi\n\t"
            "movl 40(%esp), %edi\n\t"
            "movl 44(%esp), %ebp\n\t"
            "call *%gs:0x10\n\t" FS_LINUX_POP("ebx") FS_LINUX_POP("esi") FS_LINUX_POP("edi")
                FS_LINUX_POP("ebp") "ret");
}

#endif
