/* SPDX-License-Identifier: MIT */
/* What the library does on Windows when it is loaded, before any other module's code: it reads its
   switches and redirects, once and for all. It is its own entry point, since there is no C runtime
   below it. Nothing here may wait: the loader's lock is held. */
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <string.h>

#include "base/fatal.h"
#include "futex/futex.h"
#include "interpose/switches.h"
#include "interpose/windows_image.h"
#include "interpose/windows_redirect.h"
#include "interpose/windows_start.h"
#include "interpose/windows_stats.h"
#include "lock/settings.h"

#define REFUSED 2 /* the status of fastsync-run.exe when nothing is run */

BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, LPVOID reserved);

struct fs_start_switches fs_start_switches = {.groups = FS_GROUP_PTHREAD};

NTSYSAPI BOOLEAN NTAPI RtlDllShutdownInProgress(void);

bool fs_process_is_ending(void)
{
    return RtlDllShutdownInProgress();
}

/* The group that is named first in a list, and the rest of the list; 0: there is none. */
static unsigned next_group(const char **list)
{
    static const struct {
        const char *name;
        unsigned group;
    } groups[] = {{"pthread", FS_GROUP_PTHREAD}, {"win32", FS_GROUP_WIN32}};

    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        size_t length = strlen(groups[i].name);

        if (strncmp(*list, groups[i].name, length) == 0 &&
            ((*list)[length] == '\0' || (*list)[length] == ',')) {
            *list += length;
            return groups[i].group;
        }
    }
    return 0;
}

/* 0 if the list is not understood. */
static unsigned parse_groups(const char *list)
{
    unsigned groups = 0, group;

    while ((group = next_group(&list)) != 0) {
        groups |= group;
        if (*list == '\0')
            return groups;
        list++;
    }
    return 0;
}

/* Which groups are wanted; none when what is wanted cannot be had. Whoever has misspelt the one
   must not get the other for it. */
static unsigned read_groups(const struct fs_switches *from)
{
    const char *list = fs_switch_value(from, "FASTSYNC_GROUPS");
    unsigned groups = list ? parse_groups(list) : FS_GROUP_PTHREAD;

    if (groups == 0)
        fs_report("FASTSYNC_GROUPS=", list,
                  " is not understood: it must be pthread, win32 or pthread,win32; nothing is "
                  "redirected",
                  (char *)0);
    if (FS_HAS_GROUP_WIN32 || !(groups & FS_GROUP_WIN32))
        return groups;
    fs_report("FASTSYNC_GROUPS=", list, ": there is no group win32 in a program of 32 bits",
              groups & FS_GROUP_PTHREAD ? "" : "; nothing is redirected", (char *)0);
    return groups & FS_GROUP_PTHREAD;
}

static void read_environment(void)
{
    char *text = GetEnvironmentStringsA();
    struct fs_switches from = {.text = text};
    const char *run;

    fs_settings.processors = fs_system_processor_count();
    if (!text)
        return;
    while (text[from.length])
        from.length += strlen(text + from.length) + 1;
    fs_start_switches.off = !fs_switch_read(&from, "FASTSYNC", true);
    fs_start_switches.verbose = fs_switch_read(&from, "FASTSYNC_VERBOSE", false);
    fs_start_switches.stats = fs_switch_read(&from, "FASTSYNC_STATS", false);
    if (!fs_start_switches.off && !FS_DROP_IN) {
        fs_start_switches.groups = read_groups(&from);
        fs_start_switches.off = fs_start_switches.groups == 0;
    }
    if (!fs_start_switches.off && fs_switch_read(&from, "FASTSYNC_PI", false))
        fs_report("FASTSYNC_PI=1 is ignored: Windows lends no priority to the holder of a word",
                  (char *)0);
    fs_settings.spin = fs_switch_read_number(&from, "FASTSYNC_SPIN", FS_SPIN_MAX, FS_SPIN_DEFAULT);
    run = fs_switch_value(&from, "FASTSYNC_RUN");
    fs_start_switches.by_launcher = run != NULL;
    fs_start_switches.required = run && strcmp(run, "require") == 0;
    FreeEnvironmentStringsA(text);
    /* Of this process alone, not of its children. */
    SetEnvironmentVariableA("FASTSYNC_RUN", NULL);
}

static bool is_library(void *base, const uint16_t *path, size_t length, const char *name)
{
    struct fs_image image;

    return fs_module_is_named(path, length, name) && fs_image_open(&image, base) &&
           fs_image_export(&image, "fastsync_version");
}

/* Another copy of the library has redirected already: it was linked, or there are two files. The
   drop-in has to find its originals all the same. */
static bool is_no_other(void *base, const uint16_t *path, size_t length, void *self)
{
    return FS_DROP_IN || base == self ||
           !(is_library(base, path, length, "fastsync.dll") ||
             is_library(base, path, length, "fastsync32.dll"));
}

static bool is_no_drop_in(void *base, const uint16_t *path, size_t length, void *unused)
{
    return !is_library(base, path, length, "libwinpthread-1.dll");
}

static void introduce(void)
{
    unsigned groups = fs_start_switches.groups;
    char spin[24];

    if (fs_start_switches.off)
        fs_report(FS_VERSION ": off, nothing is redirected", (char *)0);
    else
        fs_report(
            FS_VERSION ": ",
            groups & FS_GROUP_PTHREAD ? "winpthreads' mutexes, condition variables and rwlocks"
                                      : "",
            groups == (FS_GROUP_PTHREAD | FS_GROUP_WIN32) ? "; " : "",
            groups & FS_GROUP_WIN32 ? "Win32's critical sections, SRW locks and condition variables"
                                    : "",
            " on; spin ", fs_format_number((long)fs_settings.spin, spin), (char *)0);
}

static void redirect(void)
{
    struct fs_redirect_failure failure;

    fs_older_note();
    fs_redirections_choose(fs_start_switches.groups);
    if (fs_start_switches.stats && !fs_start_switches.off &&
        !fs_stats_start(fs_redirections, fs_redirection_count))
        fs_report("FASTSYNC_STATS=1 is ignored: there is no executable memory", (char *)0);
    fs_redirect_begin(FS_REDIRECT_ALL);
    fs_redirect_attach(fs_redirections, fs_redirection_count);
    if (fs_start_switches.groups & FS_GROUP_PTHREAD)
        fs_redirect_attach(fs_lookups, fs_lookup_count);
    if (fs_redirect_commit(&failure))
        return;
    fs_report(FS_DROP_IN ? "libwinpthread-1.dll has no originals, the process ends here: "
                         : "nothing is redirected: ",
              failure.module ? failure.module : "", " ", failure.name ? failure.name : "", " ",
              failure.what, (char *)0);
    if (FS_DROP_IN) /* whose functions the program is bound to: they would jump nowhere */
        TerminateProcess(GetCurrentProcess(), REFUSED);
}

/* Says why nothing is there to replace, and ends the process if the launcher was told so. Every
   program has the functions of group win32. */
static void require_winpthreads(void)
{
    if (fs_start_switches.groups & FS_GROUP_WIN32)
        return;
    if (fs_redirect_placed(fs_redirections[0].module) > 0 || !fs_module_each(is_no_drop_in, NULL))
        return;
    fs_report(fs_program_has_winpthreads()
                  ? "the program has winpthreads linked in statically: nothing can be redirected"
                  : "the program does not use libwinpthread-1.dll: there is nothing to redirect",
              fs_start_switches.required ? "; it is not run" : "", (char *)0);
    if (fs_start_switches.required)
        TerminateProcess(GetCurrentProcess(), REFUSED);
}

/* Tables of other modules lead here until the process ends. */
static bool stay(HINSTANCE self)
{
    HMODULE pinned;

    return GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_PIN |
                                  GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                              (const char *)self, &pinned);
}

/* A library that is loaded into a running process finds locks in use, and can be unloaded again: it
   serves by its own interface only. The drop-in is the program's winpthreads whenever it comes; it
   needs its originals also to hand everything on. */
static bool may_redirect(HINSTANCE self, bool at_start)
{
    if ((fs_start_switches.off && !FS_DROP_IN) || !fs_module_each(is_no_other, self))
        return false;
    if (!at_start && !FS_DROP_IN) {
        fs_report("nothing is redirected: the library was loaded after the program's start",
                  (char *)0);
        return false;
    }
    if (stay(self))
        return true;
    fs_report("nothing is redirected: the library cannot be kept from being unloaded", (char *)0);
    return false;
}

BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, LPVOID reserved)
{
    if (reason == DLL_PROCESS_ATTACH) {
        DisableThreadLibraryCalls(self);
        read_environment();
        if (fs_start_switches.verbose)
            introduce();
        if (may_redirect(self, reserved != NULL))
            redirect();
        if (fs_start_switches.by_launcher && !fs_start_switches.off)
            require_winpthreads();
    } else if (reason == DLL_PROCESS_DETACH && fs_start_switches.stats) {
        fs_stats_report();
    }
    return TRUE;
}
