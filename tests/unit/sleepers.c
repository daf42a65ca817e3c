/* SPDX-License-Identifier: MIT */
/* Sleeping threads for the unit tests. Whether a thread sleeps is read from
   /proc, so that no test depends on a pause being long enough. */
#include "sleepers.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "futex_calls.h"

static fs_word interrupts;

static void on_interrupt(int number)
{
    (void)number;
    fs_add_seq_cst(&interrupts, 1);
}

static void *run(void *arg)
{
    struct sleeper *s = arg;

    fs_store_release(&s->tid, (uint32_t)syscall(SYS_gettid));
    s->result = s->body(s->arg);
    fs_store_release(&s->done, 1);
    return NULL;
}

void sleeper_start(struct sleeper *s, int (*body)(void *arg), void *arg)
{
    struct sigaction action = {.sa_handler = on_interrupt};

    sigaction(SIGUSR1, &action, NULL);
    memset(s, 0, sizeof(*s));
    s->body = body;
    s->arg = arg;
    ck_assert_int_eq(pthread_create(&s->thread, NULL, run, s), 0);
}

static void nap(void)
{
    struct timespec ms = {0, 1000000};

    nanosleep(&ms, NULL);
}

#define FUTEX_OPERATION 0x7f
#define FUTEX_WAIT 0

/* The system call the thread is blocked in, -1 while it runs. The C library's and the thread
   sanitizer's own locks, and an emulator's, sleep with FUTEX_WAIT and no time-out: that is not the
   sleep a test waits for. */
static long blocked_in(uint32_t tid)
{
    unsigned long word, operation, value, timeout;
    char path[64];
    long number = -1;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/self/task/%u/syscall", tid);
    file = fopen(path, "r");
    ck_assert_msg(file != NULL, "no %s", path);
    if (fscanf(file, "%ld %lx %lx %lx %lx", &number, &word, &operation, &value, &timeout) != 5 ||
        (is_futex_call(number) && (operation & FUTEX_OPERATION) == FUTEX_WAIT && timeout == 0))
        number = -1;
    fclose(file);
    return number;
}

void sleeper_await_sleep(struct sleeper *s)
{
    uint32_t tid;

    while ((tid = fs_load_acquire(&s->tid)) == 0)
        nap();
    for (;;) {
        long number = blocked_in(tid);

        if (is_futex_call(number) || number == SYS_futex_waitv)
            return;
        ck_assert_msg(!sleeper_is_done(s), "the thread returned %d and did not sleep", s->result);
        nap();
    }
}

void sleeper_put_to_sleep(struct sleeper *s, int (*body)(void *arg), void *arg)
{
    sleeper_start(s, body, arg);
    sleeper_await_sleep(s);
}

#define NAPS_UNTIL_ASKED_AGAIN 1000

/* The thread sanitizer keeps a signal back until the thread's next call that it knows. One that
   comes just before the thread goes to sleep would be kept for ever: another one wakes it. */
void sleeper_interrupt(struct sleeper *s)
{
    unsigned before = sleeper_interrupts();

    for (unsigned naps = 0; sleeper_interrupts() == before; naps++) {
        if (naps % NAPS_UNTIL_ASKED_AGAIN == 0)
            ck_assert_int_eq(pthread_kill(s->thread, SIGUSR1), 0);
        nap();
    }
}

unsigned sleeper_interrupts(void)
{
    return fs_load_acquire(&interrupts);
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
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/task/%u", fs_load_acquire(&s->tid));
    sleeper_join(s);
    while (access(path, F_OK) == 0)
        nap();
    return s->result;
}

struct fs_deadline moment(enum fs_clock clock, int64_t ms)
{
    struct fs_deadline d = fs_system_now(clock);

    d.sec += ms / 1000;
    d.nsec += ms % 1000 * 1000000;
    if (d.nsec >= FS_NSEC_PER_SEC) {
        d.nsec -= FS_NSEC_PER_SEC;
        d.sec++;
    } else if (d.nsec < 0) {
        d.nsec += FS_NSEC_PER_SEC;
        d.sec--;
    }
    return d;
}

bool has_come(const struct fs_deadline *deadline)
{
    struct fs_deadline now = fs_system_now(deadline->clock);

    return now.sec > deadline->sec || (now.sec == deadline->sec && now.nsec >= deadline->nsec);
}

fs_word *unmapped_word(void)
{
    void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(page, MAP_FAILED);
    munmap(page, 4096);
    return page;
}

void *shared_page(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(page, MAP_FAILED);
    return page;
}

int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int failed;

    srunner_set_fork_status(runner, CK_FORK);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
