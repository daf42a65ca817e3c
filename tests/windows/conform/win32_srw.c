/* SPDX-License-Identifier: MIT */
/* Win32's SRW locks: who gets in beside whom, who goes first, and that the word is zero again
   whenever nobody is there. */
#include "check.h"

#include <windows.h>

static SRWLOCK lock = SRWLOCK_INIT;

/* Of the library's the highest bit is set whenever somebody is there; the original never sets it.
 */
static void expect_in_use(void)
{
    CHECK(lock.Ptr != NULL);
    CHECK_INT((intptr_t)lock.Ptr < 0, check_has_library());
}

static int try_shared(void *nothing)
{
    int entered = TryAcquireSRWLockShared(&lock);

    if (entered)
        ReleaseSRWLockShared(&lock);
    return entered;
}

static int try_exclusive(void *nothing)
{
    int entered = TryAcquireSRWLockExclusive(&lock);

    if (entered)
        ReleaseSRWLockExclusive(&lock);
    return entered;
}

static void readers_share_and_writers_do_not(void)
{
    for (int i = 0; i < 2; i++) {
        AcquireSRWLockShared(&lock);
        expect_in_use();
        CHECK_INT(in_thread(try_shared, NULL), 1);
        CHECK_INT(in_thread(try_exclusive, NULL), 0);
        expect_in_use();
        ReleaseSRWLockShared(&lock);
        CHECK(!lock.Ptr);
        AcquireSRWLockExclusive(&lock);
        expect_in_use();
        CHECK_INT(in_thread(try_shared, NULL), 0);
        CHECK_INT(in_thread(try_exclusive, NULL), 0);
        ReleaseSRWLockExclusive(&lock);
        CHECK(!lock.Ptr);
        CHECK(TryAcquireSRWLockShared(&lock));
        CHECK(TryAcquireSRWLockShared(&lock));
        expect_in_use();
        CHECK(!TryAcquireSRWLockExclusive(&lock));
        ReleaseSRWLockShared(&lock);
        CHECK_INT(in_thread(try_exclusive, NULL), 0);
        ReleaseSRWLockShared(&lock);
        CHECK(!lock.Ptr);
        CHECK(TryAcquireSRWLockExclusive(&lock));
        expect_in_use();
        CHECK(!TryAcquireSRWLockExclusive(&lock));
        CHECK(!TryAcquireSRWLockShared(&lock));
        ReleaseSRWLockExclusive(&lock);
        CHECK(!lock.Ptr);
        lock.Ptr = (void *)-1;
        InitializeSRWLock(&lock);
        CHECK(!lock.Ptr);
    }
}

static int release_shared(void *nothing)
{
    ReleaseSRWLockShared(&lock);
    return 0;
}

static int release_exclusive(void *nothing)
{
    ReleaseSRWLockExclusive(&lock);
    return 0;
}

static void it_has_no_owner(void)
{
    AcquireSRWLockShared(&lock);
    OK(in_thread(release_shared, NULL));
    CHECK(!lock.Ptr);
    AcquireSRWLockExclusive(&lock);
    OK(in_thread(release_exclusive, NULL));
    CHECK(!lock.Ptr);
}

static int begun, writers, readers;

static int write(void *nothing)
{
    check_add(&begun, 1);
    AcquireSRWLockExclusive(&lock);
    CHECK_INT(__atomic_fetch_add(&writers, 1, __ATOMIC_SEQ_CST), 0);
    CHECK_INT(check_load(&readers), 0);
    check_pause(1);
    check_add(&writers, -1);
    ReleaseSRWLockExclusive(&lock);
    return 0;
}

static int read(void *nothing)
{
    check_add(&begun, 1);
    AcquireSRWLockShared(&lock);
    check_add(&readers, 1);
    CHECK_INT(check_load(&writers), 0);
    check_pause(1);
    check_add(&readers, -1);
    ReleaseSRWLockShared(&lock);
    return 0;
}

static void a_writer_that_waits_keeps_new_readers_out(void)
{
    struct thread thread;

    begun = 0;
    AcquireSRWLockShared(&lock);
    thread_start(&thread, write, NULL);
    while (in_thread(try_shared, NULL)) /* until it waits */
        check_pause(1);
    expect_in_use();
    ReleaseSRWLockShared(&lock);
    OK(thread_join(&thread));
    CHECK(!lock.Ptr);
}

static void all_who_wait_get_in(bool exclusive)
{
    struct thread threads[8];

    begun = 0;
    if (exclusive)
        AcquireSRWLockExclusive(&lock);
    else
        AcquireSRWLockShared(&lock);
    for (int i = 0; i < 8; i++)
        thread_start(&threads[i], i % 2 ? write : read, NULL);
    check_until(&begun, 8);
    for (int i = 0; i < 20; i++) {
        check_pause(1);
        expect_in_use();
    }
    if (exclusive)
        ReleaseSRWLockExclusive(&lock);
    else
        ReleaseSRWLockShared(&lock);
    for (int i = 0; i < 8; i++)
        OK(thread_join(&threads[i]));
    CHECK(!lock.Ptr);
}

static void all_who_wait_for_a_writer_get_in(void)
{
    all_who_wait_get_in(true);
}

static void all_who_wait_for_a_reader_get_in(void)
{
    all_who_wait_get_in(false);
}

static void one_that_nobody_holds_stays_free(void)
{
    ReleaseSRWLockShared(&lock);
    CHECK(!lock.Ptr);
    ReleaseSRWLockExclusive(&lock);
    CHECK(!lock.Ptr);
}

static const struct check_case cases[] = {
    CHECK_CASE(readers_share_and_writers_do_not),
    CHECK_CASE(it_has_no_owner),
    CHECK_CASE(a_writer_that_waits_keeps_new_readers_out),
    CHECK_CASE(all_who_wait_for_a_writer_get_in),
    CHECK_CASE(all_who_wait_for_a_reader_get_in),
    CHECK_CASE_OURS(one_that_nobody_holds_stays_free,
                    "the original raises an exception or breaks it"),
    CHECK_END,
};

int main(int argc, char **argv)
{
    return check_main(argc, argv, cases);
}
