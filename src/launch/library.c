/* SPDX-License-Identifier: MIT */
/* Finds the library beside a module. An import table has bytes, of which only ASCII is the same
   everywhere: another path is replaced by its short form, where the file system keeps one. */
#include "launch/library.h"

bool fs_library_beside(struct fs_library *library, HMODULE module)
{
    DWORD length = GetModuleFileNameW(module, library->folder, FS_LAUNCH_PATH);

    library->file[0] = 0;
    library->is_own = false;
    if (length == 0 || length >= FS_LAUNCH_PATH)
        return false;
    while (length > 0 && library->folder[length - 1] != '\\')
        length--;
    library->folder[length] = 0;
    return true;
}

bool fs_library_own(struct fs_library *library, HMODULE module)
{
    DWORD length;

    if (!fs_library_beside(library, module))
        return false;
    length = GetModuleFileNameW(module, library->file, FS_LAUNCH_PATH);
    library->is_own = true;
    return length > 0 && length < FS_LAUNCH_PATH;
}

bool fs_library_file(const struct fs_library *library, const WCHAR *name,
                     WCHAR path[FS_LAUNCH_PATH])
{
    size_t used = 0;

    for (const WCHAR *part = library->folder; part; part = part == name ? NULL : name)
        for (size_t i = 0; part[i]; i++) {
            path[used++] = part[i];
            if (used == FS_LAUNCH_PATH)
                return false;
        }
    path[used] = 0;
    return true;
}

static bool narrow(const WCHAR *path, char out[FS_LAUNCH_PATH])
{
    for (size_t i = 0; i < FS_LAUNCH_PATH; i++) {
        if (path[i] >= 0x80)
            return false;
        out[i] = (char)path[i];
        if (!path[i])
            return true;
    }
    return false;
}

const char *fs_library_path(const struct fs_library *library, bool wide, char path[FS_LAUNCH_PATH])
{
    WCHAR file[FS_LAUNCH_PATH], short_form[FS_LAUNCH_PATH];
    DWORD length;

    if (library->file[0] && (!library->is_own || wide == (sizeof(void *) == 8)))
        lstrcpynW(file, library->file, FS_LAUNCH_PATH);
    else if (!fs_library_file(library, wide ? L"fastsync.dll" : L"fastsync32.dll", file))
        return "the path of the library is too long";
    if (GetFileAttributesW(file) == INVALID_FILE_ATTRIBUTES)
        return wide ? "fastsync.dll is missing" : "fastsync32.dll is missing";
    if (narrow(file, path))
        return NULL;
    length = GetShortPathNameW(file, short_form, FS_LAUNCH_PATH);
    if (length == 0 || length >= FS_LAUNCH_PATH || !narrow(short_form, path))
        return "the path of the library must have ASCII letters only";
    return NULL;
}
