/* SPDX-License-Identifier: MIT */
/* Finds musl's functions behind our own names. musl has no versions, and one function of a name. A
   search that fails allocates for its error message, which the program's next dlerror would find,
   so what this musl may lack is looked for only when it is called, and once. */
#include "interpose/libc.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fs_libc fs_libc;
static bool is_looked_up;

static void *find(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

struct later {
    void *found;
    bool is_known;
};

/* Threads that get here at once store the same values. */
static void *find_later(struct later *later, const char *name)
{
    if (!__atomic_load_n(&later->is_known, __ATOMIC_ACQUIRE)) {
        later->found = find(name);
        __atomic_store_n(&later->is_known, true, __ATOMIC_RELEASE);
    }
    return later->found;
}

/* musl 1.2.3 does not have the calls with a clock. */
#define FS_LATER(member, name, parameters, ...)                                                    \
    static int later_##member parameters                                                           \
    {                                                                                              \
        static struct later later;                                                                 \
        __typeof__(fs_libc.member) call = (__typeof__(call))(uintptr_t)find_later(&later, #name);  \
                                                                                                   \
        return call ? call(__VA_ARGS__) : ENOSYS;                                                  \
    }

FS_LATER(mutex_clocklock, pthread_mutex_clocklock,
         (pthread_mutex_t * mutex, clockid_t clock, const struct timespec *at), mutex, clock, at)
FS_LATER(cond_clockwait, pthread_cond_clockwait,
         (pthread_cond_t * cond, pthread_mutex_t *mutex, clockid_t clock,
          const struct timespec *at),
         cond, mutex, clock, at)
FS_LATER(rwlock_clockrdlock, pthread_rwlock_clockrdlock,
         (pthread_rwlock_t * lock, clockid_t clock, const struct timespec *at), lock, clock, at)
FS_LATER(rwlock_clockwrlock, pthread_rwlock_clockwrlock,
         (pthread_rwlock_t * lock, clockid_t clock, const struct timespec *at), lock, clock, at)

/* Threads that get here at once store the same values. */
static FS_COLD void look_up(void)
{
    fs_libc.mutex_clocklock = later_mutex_clocklock;
    fs_libc.cond_clockwait = later_cond_clockwait;
    fs_libc.rwlock_clockrdlock = later_rwlock_clockrdlock;
    fs_libc.rwlock_clockwrlock = later_rwlock_clockwrlock;
#define FS_LIBC_FIND(member, name, type, parameters)                                               \
    if (!fs_libc.member)                                                                           \
        fs_libc.member = (type(*) parameters)(uintptr_t)find(#name);
    FS_LIBC_FUNCTIONS(FS_LIBC_FIND)
#undef FS_LIBC_FIND
    __atomic_store_n(&is_looked_up, true, __ATOMIC_RELEASE);
}

const struct fs_libc *fs_libc_functions(void)
{
    if (FS_UNLIKELY(!__atomic_load_n(&is_looked_up, __ATOMIC_ACQUIRE)))
        look_up();
    return &fs_libc;
}

const struct fs_libc *fs_libc_look_again(void)
{
    look_up();
    return &fs_libc;
}
