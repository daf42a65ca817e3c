/* SPDX-License-Identifier: MIT */
/* The calls of kernel32 that are redirected: looking functions up, and starting processes. */
#ifndef FS_INTERPOSE_WINDOWS_CALLS_H
#define FS_INTERPOSE_WINDOWS_CALLS_H

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include "interpose/windows_redirect.h"

FARPROC WINAPI fs_GetProcAddress(HMODULE module, LPCSTR name) FS_LABEL(fs_GetProcAddress);

BOOL WINAPI fs_CreateProcessA(LPCSTR program, LPSTR line, SECURITY_ATTRIBUTES *process,
                              SECURITY_ATTRIBUTES *thread, BOOL inherits, DWORD flags,
                              LPVOID environment, LPCSTR directory, STARTUPINFOA *startup,
                              PROCESS_INFORMATION *out) FS_LABEL(fs_CreateProcessA);

BOOL WINAPI fs_CreateProcessW(LPCWSTR program, LPWSTR line, SECURITY_ATTRIBUTES *process,
                              SECURITY_ATTRIBUTES *thread, BOOL inherits, DWORD flags,
                              LPVOID environment, LPCWSTR directory, STARTUPINFOW *startup,
                              PROCESS_INFORMATION *out) FS_LABEL(fs_CreateProcessW);

#endif
