/* SPDX-License-Identifier: MIT */
/* The futex contract on Linux: what a lock asks of the system besides futexes.
   The calling thread, the clocks, memory that fork wipes, and the probes of what
   the kernel has and a sandbox lets through. */
#include "futex/linux_futex.h"

#include <linux/membarrier.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif
#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif

#define RESET_ON_FORK_FLAG 0x40000000
#define PROBE_OPS 2

uint32_t fs_system_thread_id(void)
{
    return (uint32_t)fs_linux_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

unsigned fs_system_thread_priority(void)
{
    long policy = fs_linux_call(SYS_sched_getscheduler, 0, 0, 0, 0, 0, 0);
    struct sched_param param = {0};

    if (policy < 0)
        return 0;
    policy &= ~(long)RESET_ON_FORK_FLAG;
    if (policy == SCHED_DEADLINE)
        return 100;
    if (policy != SCHED_FIFO && policy != SCHED_RR)
        return 0;
    if (fs_linux_call(SYS_sched_getparam, 0, (long)&param, 0, 0, 0, 0) < 0)
        return 0;
    return (unsigned)param.sched_priority;
}

bool fs_system_thread_exists(uint32_t id)
{
    long process = fs_linux_call(SYS_getpid, 0, 0, 0, 0, 0, 0);

    return fs_linux_call(SYS_tgkill, process, (long)id, 0, 0, 0, 0) != -ESRCH;
}

void fs_system_yield(void)
{
    fs_linux_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}

unsigned fs_system_processor_count(void)
{
    unsigned long mask[128] = {0};
    long size = fs_linux_call(SYS_sched_getaffinity, 0, sizeof(mask), (long)mask, 0, 0, 0);
    unsigned count = 0;

    for (long i = 0; i < size / (long)sizeof(mask[0]); i++)
        count += (unsigned)__builtin_popcountl(mask[i]);
    return count > 0 ? count : 1;
}

struct fs_deadline fs_system_now(enum fs_clock clock)
{
    struct timespec now = {0};
    int saved = errno;

    clock_gettime(clock == FS_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC, &now);
    errno = saved;
    return (struct fs_deadline){now.tv_sec, now.tv_nsec, clock};
}

/* Where there are two calls, the first takes its arguments in another way (i386). */
#if defined(SYS_mmap2)
#define LINUX_SYS_MMAP SYS_mmap2
#else
#define LINUX_SYS_MMAP SYS_mmap
#endif

static long map_anonymous(size_t size)
{
#if defined(__s390x__) /* by their address */
    unsigned long arguments[6] = {
        0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, (unsigned long)-1, 0};

    return fs_linux_call(LINUX_SYS_MMAP, (long)arguments, 0, 0, 0, 0, 0);
#else
    return fs_linux_call(LINUX_SYS_MMAP, 0, (long)size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
#endif
}

static bool takes_advice(long address, size_t size, int advice)
{
    return fs_linux_call(SYS_madvise, address, (long)size, advice, 0, 0, 0) == 0;
}

/* An emulator in user mode may report success for every advice and follow none (QEMU 7.2): then
   it takes one that no kernel knows, too. */
void *fs_system_map_wiped(size_t size, bool *wiped)
{
    const int unknown_advice = -1;
    long address = map_anonymous(size);

    *wiped = false;
    /* The last page of the address space holds the error numbers. */
    if ((unsigned long)address > -4096ul)
        return NULL;
    *wiped = takes_advice(address, size, MADV_WIPEONFORK) &&
             !takes_advice(address, size, unknown_advice);
    return (void *)address;
}

/* Per feature the futex operations it consists of (-1: none), or a membarrier
   command. */
struct probe {
    const char *name;
    int ops[PROBE_OPS];
    long membarrier;
};

static const struct probe probes[FS_FEATURE_COUNT] = {
    [FS_FEATURE_WAIT_BITSET] = {"FUTEX_WAIT_BITSET", {FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET}, 0},
    [FS_FEATURE_REQUEUE] = {"FUTEX_CMP_REQUEUE", {FUTEX_CMP_REQUEUE, FUTEX_REQUEUE}, 0},
    [FS_FEATURE_WAKE_OP] = {"FUTEX_WAKE_OP", {FUTEX_WAKE_OP, -1}, 0},
    [FS_FEATURE_PI] = {"FUTEX_LOCK_PI", {FUTEX_TRYLOCK_PI, FUTEX_LOCK_PI}, 0},
    [FS_FEATURE_LOCK_PI2] = {"FUTEX_LOCK_PI2", {FUTEX_LOCK_PI2, -1}, 0},
    [FS_FEATURE_REQUEUE_PI] = {"FUTEX_CMP_REQUEUE_PI",
                               {FUTEX_CMP_REQUEUE_PI, FUTEX_WAIT_REQUEUE_PI},
                               0},
    [FS_FEATURE_WAIT_ANY] = {"futex_waitv", {-1, -1}, 0},
    [FS_FEATURE_MEMBARRIER] = {"membarrier", {-1, -1}, MEMBARRIER_CMD_PRIVATE_EXPEDITED},
    [FS_FEATURE_RSEQ] = {"membarrier for rseq",
                         {-1, -1},
                         1l << 7 /* MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, Linux 5.10 */},
};

/* A word at an odd address is refused with EINVAL before anything is looked at,
   by every kernel that knows the operation. */
static bool kernel_knows(int op)
{
    static uint32_t pair[2];
    fs_word *crooked = (fs_word *)((char *)pair + 1);

    return fs_linux_futex(crooked, op | FUTEX_PRIVATE_FLAG, 0, NULL, crooked, FS_MATCH_ANY) ==
           -EINVAL;
}

bool fs_system_has(enum fs_futex_feature feature)
{
    const struct probe *probe = &probes[feature];

    if (feature == FS_FEATURE_WAIT_ANY)
        return fs_linux_call(SYS_futex_waitv, 0, 0, 0, 0, 0, 0) == -EINVAL;
    if (probe->membarrier != 0) {
        long known = fs_linux_call(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0, 0, 0, 0);

        return known > 0 && (known & probe->membarrier) != 0;
    }
    for (int i = 0; i < PROBE_OPS; i++)
        if (probe->ops[i] >= 0 && !kernel_knows(probe->ops[i]))
            return false;
    return true;
}

const char *fs_system_feature_name(enum fs_futex_feature feature)
{
    return probes[feature].name;
}
