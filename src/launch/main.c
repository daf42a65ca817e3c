/* SPDX-License-Identifier: MIT */
/* fastsync-run.exe: starts a program with the library in it and ends with its status. What is wrong
   before the program runs is one line and status 2. Like the library it has no C runtime. */
#include "base/fatal.h"
#include "launch/insert.h"
#include "launch/line.h"
#include "launch/program.h"

#define REFUSED 2
#define NEEDS_ELEVATION 740 /* no header of mingw-w64 names it */

static const char help[] =
    "usage: fastsync-run [--require] [--library FILE] [--] PROGRAM [ARGUMENT...]\n"
    "\n"
    "Runs the program with its winpthreads locks replaced, and its children as well; the exit\n"
    "status is the program's.\n"
    "\n"
    "  --require       end with status 2, before anything has run, if the program does not use\n"
    "                  libwinpthread-1.dll; without, that is said and the program runs\n"
    "  --library FILE  another library than fastsync.dll (fastsync32.dll for a program of 32\n"
    "                  bits) beside this program\n"
    "  --version       print the version\n"
    "  --help          print this text\n"
    "\n"
    "FASTSYNC_STATS=1 in the environment prints how often each function was called.\n";

void fs_launch_start(void);

static void print(const char *text)
{
    DWORD written;

    WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), text, (DWORD)lstrlenA(text), &written, NULL);
}

/* One line that names the program, as the console or, where there is none, UTF-8 writes it. */
static UINT refuse(const WCHAR *name, const char *wrong)
{
    char text[2 * FS_LAUNCH_PATH] = {0};
    UINT page = GetConsoleOutputCP();

    WideCharToMultiByte(page ? page : CP_UTF8, 0, name, -1, text, sizeof(text) - 1, NULL, NULL);
    if (text[0])
        fs_report(text, ": ", wrong, (char *)0);
    else
        fs_report(wrong, (char *)0);
    return REFUSED;
}

/* The program decides what an interruption does, and this one passes its status on. */
static BOOL WINAPI leave_to_program(DWORD event)
{
    return TRUE;
}

static const char *why_not_started(void)
{
    switch (GetLastError()) {
    case NEEDS_ELEVATION:
        return "it needs an administrator's rights: run this as one";
    case ERROR_ACCESS_DENIED:
        return "it may not be run";
    case ERROR_BAD_EXE_FORMAT:
    case ERROR_EXE_MACHINE_TYPE_MISMATCH:
        return "this system cannot run it";
    default:
        return "it cannot be started";
    }
}

static UINT run(const struct fs_line *line, const WCHAR *path, const struct fs_library *library)
{
    STARTUPINFOW startup;
    PROCESS_INFORMATION child;
    const char *wrong;
    DWORD status;
    WCHAR *rest = VirtualAlloc(NULL, ((size_t)lstrlenW(line->rest) + 1) * sizeof(WCHAR),
                               MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);

    if (!rest)
        return refuse(path, "there is no memory for its arguments");
    lstrcpyW(rest, line->rest); /* which CreateProcess may write to */
    GetStartupInfoW(&startup);
    startup.dwFlags |= STARTF_USESTDHANDLES;
    startup.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    startup.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
    startup.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    SetConsoleCtrlHandler(leave_to_program, TRUE);
    SetEnvironmentVariableW(L"FASTSYNC_RUN", line->require ? L"require" : L"1");
    if (!CreateProcessW(path, rest, NULL, NULL, TRUE, CREATE_SUSPENDED, NULL, NULL, &startup,
                        &child))
        return refuse(path, why_not_started());
    wrong = fs_launch_insert(child.hProcess, library);
    if (wrong) {
        TerminateProcess(child.hProcess, REFUSED);
        return refuse(path, wrong);
    }
    ResumeThread(child.hThread);
    WaitForSingleObject(child.hProcess, INFINITE);
    return GetExitCodeProcess(child.hProcess, &status) ? status : REFUSED;
}

static UINT insert_into(DWORD number, const struct fs_library *library)
{
    HANDLE process = OpenProcess(PROCESS_QUERY_INFORMATION | PROCESS_VM_OPERATION |
                                     PROCESS_VM_READ | PROCESS_VM_WRITE,
                                 FALSE, number);
    const char *wrong = process ? fs_launch_insert(process, library) : "it cannot be opened";

    return wrong ? refuse(L"process", wrong) : 0;
}

static UINT act(struct fs_line *line)
{
    static struct fs_library library;
    static WCHAR path[FS_LAUNCH_PATH];
    const char *wrong = fs_line_read(line, GetCommandLineW());

    if (wrong)
        return refuse(line->program, wrong);
    if (line->help || line->version) {
        print(line->help ? help : "fastsync " FS_VERSION "\n");
        return 0;
    }
    if (!fs_library_beside(&library, NULL))
        return refuse(L"", "the path of this program is too long");
    if (line->library[0] && !GetFullPathNameW(line->library, FS_LAUNCH_PATH, library.file, NULL))
        return refuse(line->library, "there is no such file");
    if (line->insert_into)
        return insert_into(line->insert_into, &library);
    if (!line->program[0])
        return refuse(L"", "no program is named; --help lists the options");
    wrong = fs_program_find(line->program, path);
    if (wrong)
        return refuse(line->program, wrong);
    wrong = fs_program_check(path);
    return wrong ? refuse(path, wrong) : run(line, path, &library);
}

void fs_launch_start(void)
{
    static struct fs_line line;

    ExitProcess(act(&line));
}
