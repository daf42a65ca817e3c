/* SPDX-License-Identifier: MIT */
/* Sleeping threads for the unit tests on Windows; see tests/unit/sleepers.h. A thread sleeps on a
   word when it is in the system call of WaitOnAddress: its instruction pointer tells, with the
   thread suspended for the look. There are no signals here, so nothing can be interrupted, and no
   process has a child with the same memory. */
#include "sleepers.h"

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#define SYSTEM_CALL "NtWaitForAlertByThreadId"
#define SYSTEM_CALL_SIZE 32 /* of its few instructions */

static void *run(void *arg)
{
    struct sleeper *s = arg;

    fs_store_release(&s->tid, GetCurrentThreadId());
    s->result = s->body(s->arg);
    fs_store_release(&s->done, 1);
    return NULL;
}

void sleeper_start(struct sleeper *s, int (*body)(void *arg), void *arg)
{
    memset(s, 0, sizeof(*s));
    s->body = body;
    s->arg = arg;
    ck_assert_int_eq(pthread_create(&s->thread, NULL, run, s), 0);
}

static uintptr_t instruction_pointer_of(HANDLE thread)
{
    CONTEXT context = {.ContextFlags = CONTEXT_CONTROL};

    ck_assert_uint_ne(SuspendThread(thread), (DWORD)-1);
    ck_assert(GetThreadContext(thread, &context));
    ResumeThread(thread);
#ifdef _WIN64
    return context.Rip;
#else
    return context.Eip;
#endif
}

static bool sleeps(HANDLE thread)
{
    uintptr_t call = (uintptr_t)GetProcAddress(GetModuleHandleA("ntdll.dll"), SYSTEM_CALL);

    ck_assert_uint_ne(call, 0);
    return instruction_pointer_of(thread) - call < SYSTEM_CALL_SIZE;
}

void sleeper_await_sleep(struct sleeper *s)
{
    HANDLE thread;
    DWORD tid;

    while ((tid = fs_load_acquire(&s->tid)) == 0)
        Sleep(1);
    thread = OpenThread(THREAD_SUSPEND_RESUME | THREAD_GET_CONTEXT, FALSE, tid);
    ck_assert_ptr_nonnull(thread);
    while (!sleeps(thread)) {
        ck_assert_msg(!sleeper_is_done(s), "the thread returned %d and did not sleep", s->result);
        Sleep(1);
    }
    CloseHandle(thread);
}

void sleeper_put_to_sleep(struct sleeper *s, int (*body)(void *arg), void *arg)
{
    sleeper_start(s, body, arg);
    sleeper_await_sleep(s);
}

void sleeper_interrupt(struct sleeper *s)
{
    ck_abort_msg("there are no signals here");
}

unsigned sleeper_interrupts(void)
{
    return 0;
}

bool sleeper_is_done(struct sleeper *s)
{
    return fs_load_acquire(&s->done) != 0;
}

int sleeper_join(struct sleeper *s)
{
    ck_assert_int_eq(pthread_join(s->thread, NULL), 0);
    return s->result;
}

int sleeper_join_and_see_gone(struct sleeper *s)
{
    return sleeper_join(s);
}

struct fs_deadline moment(enum fs_clock clock, int64_t ms)
{
    struct fs_deadline d = fs_system_now(clock);
    int64_t nsec = d.nsec + ms % 1000 * 1000000;

    d.sec += ms / 1000 + (nsec >= FS_NSEC_PER_SEC) - (nsec < 0);
    d.nsec = (nsec + FS_NSEC_PER_SEC) % FS_NSEC_PER_SEC;
    return d;
}

bool has_come(const struct fs_deadline *deadline)
{
    struct fs_deadline now = fs_system_now(deadline->clock);

    return now.sec > deadline->sec || (now.sec == deadline->sec && now.nsec >= deadline->nsec);
}

fs_word *unmapped_word(void)
{
    void *page = VirtualAlloc(NULL, 4096, MEM_RESERVE, PAGE_NOACCESS);

    ck_assert_ptr_nonnull(page);
    return page;
}

int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);
    return srunner_ntests_failed(runner) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
