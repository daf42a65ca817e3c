/* SPDX-License-Identifier: MIT */
/* GetProcAddress: what it finds, by name or by number and through any module that hands it on, is
   looked for among the originals. */
#include "interpose/windows_calls.h"

FARPROC WINAPI fs_GetProcAddress(HMODULE module, LPCSTR name)
{
    FARPROC found = FS_ORIGINAL(GetProcAddress)(module, name);

    return (FARPROC)fs_redirect_answer((fs_function)found, __builtin_return_address(0));
}
