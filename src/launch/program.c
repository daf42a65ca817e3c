/* SPDX-License-Identifier: MIT */
/* What the system says about a file that it does not start is one number for many reasons; so the
   file's headers are read first. */
#include "launch/program.h"

#include <stdbool.h>

const char *fs_program_find(const WCHAR *name, WCHAR path[FS_LAUNCH_PATH])
{
    DWORD length = SearchPathW(NULL, name, L".exe", FS_LAUNCH_PATH, path, NULL);

    if (length == 0)
        return "there is no such program";
    return length < FS_LAUNCH_PATH ? NULL : "its path is too long";
}

static bool read_at(HANDLE file, LONG offset, void *out, DWORD size)
{
    DWORD done;

    return SetFilePointer(file, offset, NULL, FILE_BEGIN) != INVALID_SET_FILE_POINTER &&
           ReadFile(file, out, size, &done, NULL) && done == size;
}

static const char *check_headers(HANDLE file)
{
    IMAGE_DOS_HEADER dos;
    struct {
        DWORD signature;
        IMAGE_FILE_HEADER file;
    } headers;

    if (!read_at(file, 0, &dos, sizeof(dos)) || dos.e_magic != IMAGE_DOS_SIGNATURE ||
        !read_at(file, dos.e_lfanew, &headers, sizeof(headers)) ||
        headers.signature != IMAGE_NT_SIGNATURE)
        return "it is not a program for Windows";
    if (headers.file.Characteristics & IMAGE_FILE_DLL)
        return "it is a library, not a program";
    if (headers.file.Machine != IMAGE_FILE_MACHINE_AMD64 &&
        headers.file.Machine != IMAGE_FILE_MACHINE_I386)
        return "it is for another processor than x86-64 and i386";
    return NULL;
}

const char *fs_program_check(const WCHAR *path)
{
    HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL,
                              OPEN_EXISTING, 0, NULL);
    const char *wrong;

    if (file == INVALID_HANDLE_VALUE)
        return "it cannot be read";
    wrong = check_headers(file);
    CloseHandle(file);
    return wrong;
}
