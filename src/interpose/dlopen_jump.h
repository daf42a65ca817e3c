/* SPDX-License-Identifier: MIT */
/* fs_dlopen for each processor: the flags are replaced by what fs_dlopen_flags makes of them, and
   the call goes on to fs_dlopen_target() as if its caller had made it: with the caller's return
   address and stack, so that nothing of ours stands between. The body is the lines of the
   function; dlopen.c puts them into the object code. */
#ifndef FS_INTERPOSE_DLOPEN_JUMP_H
#define FS_INTERPOSE_DLOPEN_JUMP_H

#if defined(__x86_64__)
#define FS_DLOPEN_JUMP                                                                             \
    "\tpushq %rdi\n"                                                                               \
    "\t.cfi_adjust_cfa_offset 8\n"                                                                 \
    "\tsubq $16, %rsp\n"                                                                           \
    "\t.cfi_adjust_cfa_offset 16\n"                                                                \
    "\tmovl %esi, %edi\n"                                                                          \
    "\tcall fs_dlopen_flags\n"                                                                     \
    "\tmovl %eax, 8(%rsp)\n"                                                                       \
    "\tcall fs_dlopen_target\n"                                                                    \
    "\tmovl 8(%rsp), %esi\n"                                                                       \
    "\taddq $16, %rsp\n"                                                                           \
    "\t.cfi_adjust_cfa_offset -16\n"                                                               \
    "\tpopq %rdi\n"                                                                                \
    "\t.cfi_adjust_cfa_offset -8\n"                                                                \
    "\tjmp *%rax\n"

#elif defined(__i386__)
/* The flags are the second argument on the stack, and the arguments are the callee's to change. */
#define FS_DLOPEN_JUMP                                                                             \
    "\tsubl $12, %esp\n"                                                                           \
    "\t.cfi_adjust_cfa_offset 12\n"                                                                \
    "\tmovl 20(%esp), %eax\n"                                                                      \
    "\tmovl %eax, (%esp)\n"                                                                        \
    "\tcall fs_dlopen_flags\n"                                                                     \
    "\tmovl %eax, 20(%esp)\n"                                                                      \
    "\tcall fs_dlopen_target\n"                                                                    \
    "\taddl $12, %esp\n"                                                                           \
    "\t.cfi_adjust_cfa_offset -12\n"                                                               \
    "\tjmp *%eax\n"

#elif defined(__aarch64__)
#define FS_DLOPEN_JUMP                                                                             \
    "\thint #34\n" /* bti c, on processors that have it */                                         \
    "\tstp x29, x30, [sp, #-32]!\n"                                                                \
    "\t.cfi_adjust_cfa_offset 32\n"                                                                \
    "\t.cfi_offset x29, -32\n"                                                                     \
    "\t.cfi_offset x30, -24\n"                                                                     \
    "\tmov x29, sp\n"                                                                              \
    "\tstr x0, [sp, #16]\n"                                                                        \
    "\tmov w0, w1\n"                                                                               \
    "\tbl fs_dlopen_flags\n"                                                                       \
    "\tstr w0, [sp, #24]\n"                                                                        \
    "\tbl fs_dlopen_target\n"                                                                      \
    "\tmov x16, x0\n"                                                                              \
    "\tldr w1, [sp, #24]\n"                                                                        \
    "\tldr x0, [sp, #16]\n"                                                                        \
    "\tldp x29, x30, [sp], #32\n"                                                                  \
    "\t.cfi_adjust_cfa_offset -32\n"                                                               \
    "\t.cfi_restore x29\n"                                                                         \
    "\t.cfi_restore x30\n"                                                                         \
    "\tbr x16\n"

#elif defined(__arm__)
#define FS_DLOPEN_JUMP                                                                             \
    "\tpush {r0, r1, r2, lr}\n"                                                                    \
    "\t.cfi_adjust_cfa_offset 16\n"                                                                \
    "\t.cfi_offset lr, -4\n"                                                                       \
    "\tmov r0, r1\n"                                                                               \
    "\tbl fs_dlopen_flags\n"                                                                       \
    "\tstr r0, [sp, #4]\n"                                                                         \
    "\tbl fs_dlopen_target\n"                                                                      \
    "\tmov ip, r0\n"                                                                               \
    "\tpop {r0, r1, r2, lr}\n"                                                                     \
    "\t.cfi_adjust_cfa_offset -16\n"                                                               \
    "\t.cfi_restore lr\n"                                                                          \
    "\tbx ip\n"

#elif defined(__riscv) && __riscv_xlen == 64
#define FS_DLOPEN_JUMP                                                                             \
    "\taddi sp, sp, -32\n"                                                                         \
    "\t.cfi_adjust_cfa_offset 32\n"                                                                \
    "\tsd ra, 24(sp)\n"                                                                            \
    "\t.cfi_offset ra, -8\n"                                                                       \
    "\tsd a0, 16(sp)\n"                                                                            \
    "\tmv a0, a1\n"                                                                                \
    "\tcall fs_dlopen_flags\n"                                                                     \
    "\tsd a0, 8(sp)\n"                                                                             \
    "\tcall fs_dlopen_target\n"                                                                    \
    "\tmv t1, a0\n"                                                                                \
    "\tld a1, 8(sp)\n"                                                                             \
    "\tld a0, 16(sp)\n"                                                                            \
    "\tld ra, 24(sp)\n"                                                                            \
    "\t.cfi_restore ra\n"                                                                          \
    "\taddi sp, sp, 32\n"                                                                          \
    "\t.cfi_adjust_cfa_offset -32\n"                                                               \
    "\tjr t1\n"

#elif defined(__powerpc64__) && _CALL_ELF == 2
/* The first two lines find our table of contents from the address we were called by, in r12; the
   target finds its own from r12 again. */
#define FS_DLOPEN_JUMP                                                                             \
    "0:\taddis 2, 12, .TOC.-0b@ha\n"                                                               \
    "\taddi 2, 2, .TOC.-0b@l\n"                                                                    \
    "\t.localentry fs_dlopen, .-fs_dlopen\n"                                                       \
    "\tmflr 0\n"                                                                                   \
    "\tstd 0, 16(1)\n"                                                                             \
    "\tstdu 1, -64(1)\n"                                                                           \
    "\t.cfi_adjust_cfa_offset 64\n"                                                                \
    "\t.cfi_offset lr, 16\n"                                                                       \
    "\tstd 3, 32(1)\n"                                                                             \
    "\textsw 3, 4\n"                                                                               \
    "\tbl fs_dlopen_flags\n"                                                                       \
    "\tnop\n"                                                                                      \
    "\tstd 3, 40(1)\n"                                                                             \
    "\tbl fs_dlopen_target\n"                                                                      \
    "\tnop\n"                                                                                      \
    "\tmr 12, 3\n"                                                                                 \
    "\tld 4, 40(1)\n"                                                                              \
    "\tld 3, 32(1)\n"                                                                              \
    "\taddi 1, 1, 64\n"                                                                            \
    "\t.cfi_adjust_cfa_offset -64\n"                                                               \
    "\tld 0, 16(1)\n"                                                                              \
    "\tmtlr 0\n"                                                                                   \
    "\t.cfi_restore lr\n"                                                                          \
    "\tmtctr 12\n"                                                                                 \
    "\tbctr\n"

#elif defined(__s390x__)
/* Every frame has 160 bytes for its callees; our caller's keep r14. */
#define FS_DLOPEN_JUMP                                                                             \
    "\tstg %r14, 112(%r15)\n"                                                                      \
    "\t.cfi_offset %r14, -48\n"                                                                    \
    "\tlay %r15, -176(%r15)\n"                                                                     \
    "\t.cfi_adjust_cfa_offset 176\n"                                                               \
    "\tstg %r2, 160(%r15)\n"                                                                       \
    "\tlgfr %r2, %r3\n"                                                                            \
    "\tbrasl %r14, fs_dlopen_flags\n"                                                              \
    "\tstg %r2, 168(%r15)\n"                                                                       \
    "\tbrasl %r14, fs_dlopen_target\n"                                                             \
    "\tlgr %r1, %r2\n"                                                                             \
    "\tlg %r3, 168(%r15)\n"                                                                        \
    "\tlg %r2, 160(%r15)\n"                                                                        \
    "\tlay %r15, 176(%r15)\n"                                                                      \
    "\t.cfi_adjust_cfa_offset -176\n"                                                              \
    "\tlg %r14, 112(%r15)\n"                                                                       \
    "\t.cfi_restore %r14\n"                                                                        \
    "\tbr %r1\n"

#else
#error "dlopen needs its jump written for this processor"
#endif

#endif
