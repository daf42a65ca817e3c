/* SPDX-License-Identifier: MIT */
/* Replacements that jump to what they replace, for every function of winpthreads: the redirections
   can be seen at work, and change nothing. */
#include "interpose/windows_redirect.h"

#define TEXT_OF(token) #token
#define TEXT(token) TEXT_OF(token)
#define PREFIX TEXT(__USER_LABEL_PREFIX__)

#ifdef _WIN64
#define BY_ADDRESS "(%rip)"
#else
#define BY_ADDRESS ""
#endif

#define GO_THROUGH(module, name, ours, original, optional)                                         \
    __asm__(".globl " PREFIX "fs_" #ours "\n" PREFIX "fs_" #ours ": jmp *" PREFIX                  \
            "fs_original_" #original BY_ADDRESS);
FS_REDIRECTIONS_libwinpthread_1(GO_THROUGH)
