/* SPDX-License-Identifier: MIT */
/* What is done once when the library is loaded: the switches, the C library's functions, and the
   places where it keeps what we read at every call. Nothing works only after it: a call that comes
   earlier is slower, not wrong. */
#include <pthread.h>
#include <string.h>

#include "base/fatal.h"
#include "futex/thread.h"
#include "interpose/attributes.h"
#include "interpose/calls.h"
#include "interpose/divert.h"
#include "interpose/libc.h"
#include "interpose/view.h"
#include "lock/pi_mutex.h"
#include "lock/settings.h"

FS_ATTRIBUTE(pthread_condattr_setpshared);

/* The C library describes its thread descriptor to debuggers: bits, count, offset of a field. A
   thread's handle is the descriptor's address; the thread pointer may be elsewhere. */
struct field_description {
    uint32_t bits;
    uint32_t count;
    uint32_t offset;
};

static void find_thread_id(void)
{
    const struct field_description *tid = fs_program_symbol("_thread_db_pthread_tid");
    uint32_t id = fs_system_thread_id();

    if (!tid || tid->bits != 32 || tid->offset == 0 || tid->offset > 8192)
        return;
    fs_thread_id_offset = (uintptr_t)pthread_self() + tid->offset - (uintptr_t)fs_thread_pointer();
    if (fs_thread_id_known() == id)
        fs_end_early();
    else
        fs_thread_id_offset = 0;
}

static void find_single_thread_flag(void)
{
    const char *flag = fs_program_symbol("__libc_single_threaded");

    if (flag)
        fs_single_threaded_flag = flag;
    fs_store_byte_relaxed(&fs_may_be_alone, 1); /* an earlier look found nothing */
}

/* Where a process-shared condition variable differs from a private one after the C library has
   initialised both. Kept as it is when there is no such place behind our own fields. */
static void find_shared_mark(const struct fs_libc *libc)
{
    pthread_condattr_t attr;
    union {
        pthread_cond_t cond;
        uint32_t words[sizeof(pthread_cond_t) / 4];
    } own, shared;

    memset(&own, 0, sizeof own);
    memset(&shared, 0, sizeof shared);
    if (!libc->cond_init || !pthread_condattr_setpshared || pthread_condattr_init(&attr) != 0)
        return;
    if (pthread_condattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) == 0 &&
        libc->cond_init(&own.cond, NULL) == 0 && libc->cond_init(&shared.cond, &attr) == 0)
        for (unsigned i = sizeof(struct fs_cond_view) / 4; i < sizeof own.words / 4; i++)
            if (own.words[i] != shared.words[i]) {
                fs_shared_mark.offset = i * 4;
                fs_shared_mark.mask = own.words[i] ^ shared.words[i];
                break;
            }
    pthread_condattr_destroy(&attr);
}

static void before_fork(void)
{
    fs_pi_before_fork();
}

static void in_fork_child(void)
{
    fs_groups_reset();
    fs_pi_after_fork_in_child();
    fs_store_byte_relaxed(&fs_may_be_alone, 1);
}

#define LACKS_MAX 256

/* The kernel features that are missing, as a list, or "nothing". */
static const char *list_missing(char text[LACKS_MAX])
{
    size_t used = 0;

    for (int i = 0; i < FS_FEATURE_COUNT; i++) {
        const char *name = fs_system_feature_name((enum fs_futex_feature)i);
        size_t length = strlen(name);

        if (fs_system_has((enum fs_futex_feature)i) || used + length + 3 > LACKS_MAX)
            continue;
        if (used != 0) {
            memcpy(text + used, ", ", 2);
            used += 2;
        }
        memcpy(text + used, name, length);
        used += length;
    }
    text[used] = '\0';
    return used != 0 ? text : "nothing";
}

static void introduce(uint32_t bits)
{
    char lacks[LACKS_MAX];
    char spin[24];

    if (bits & FS_DIVERT_LIBC) {
        fs_report(FS_VERSION ": off, all calls go to the C library", (char *)0);
        return;
    }
    fs_report(FS_VERSION ": mutexes, condition variables and rwlocks on; requeue ",
              fs_settings.requeue ? "on" : "off", "; priority inheritance for all mutexes ",
              bits & FS_DIVERT_PI ? "on" : "off", "; spin ",
              fs_format_number((long)fs_settings.spin, spin), "; the kernel lacks ",
              list_missing(lacks), (char *)0);
}

__attribute__((constructor(101))) static void start(void)
{
    uint32_t bits = fs_decide();
    const struct fs_libc *libc = fs_libc_functions();

    find_thread_id();
    find_single_thread_flag();
    find_shared_mark(libc);
    pthread_atfork(before_fork, NULL, in_fork_child);
    if (fs_environment.verbose)
        introduce(bits);
}
