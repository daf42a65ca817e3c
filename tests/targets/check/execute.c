/* SPDX-License-Identifier: MIT */
/*
 * A program that runs under qemu's user mode cannot execute itself: the kernel does not know its
 * format. These functions stand before libc's and put the emulator in front when a program executes
 * /proc/self/exe; everything else goes on unchanged. They are in every program of an emulated
 * target.
 */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 64 };

/* The emulator answers /proc/self/exe with the program; under this name it finds itself. */
#define EMULATOR "/proc/thread-self/exe"

struct command {
    char program[PATH_MAX];
    char *argv[ARGUMENTS_MAX + 8];
};

/* False if the call needs no help. */
static bool put_emulator_in_front(struct command *c, const char *path, char *const argv[])
{
    static char name[] = "qemu", prefix[] = "-L", root[] = EMULATOR_ROOT, zero[] = "-0";
    int n = 0;
    if (strcmp(path, "/proc/self/exe") != 0)
        return false;
    ssize_t length = readlink(path, c->program, sizeof c->program - 1);
    if (length < 0)
        return false;
    c->program[length] = '\0';
    char *const front[] = {name, prefix, root, zero, argv[0], c->program};
    for (size_t i = 0; i < sizeof front / sizeof front[0]; i++)
        c->argv[n++] = front[i];
    for (int i = 1; argv[i] && i < ARGUMENTS_MAX; i++)
        c->argv[n++] = argv[i];
    c->argv[n] = NULL;
    return true;
}

int execve(const char *path, char *const argv[], char *const env[])
{
    struct command c;
    if (put_emulator_in_front(&c, path, argv))
        return (int)syscall(SYS_execve, EMULATOR, c.argv, env);
    return (int)syscall(SYS_execve, path, argv, env);
}

int execl(const char *path, const char *arg, ...)
{
    char *argv[ARGUMENTS_MAX + 1] = {(char *)arg};
    va_list list;
    va_start(list, arg);
    for (int i = 1; i < ARGUMENTS_MAX && argv[i - 1]; i++)
        argv[i] = va_arg(list, char *);
    va_end(list);
    return execve(path, argv, environ);
}

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const argv[], char *const env[])
{
    __typeof__(&posix_spawn) original = (__typeof__(&posix_spawn))dlsym(RTLD_NEXT, "posix_spawn");
    struct command c;
    if (put_emulator_in_front(&c, path, argv))
        return original(pid, EMULATOR, actions, attributes, c.argv, env);
    return original(pid, path, actions, attributes, argv, env);
}
