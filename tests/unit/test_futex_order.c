/* SPDX-License-Identifier: MIT */
/* The barrier in all threads, which a process has to be registered for. What it orders cannot be
   seen on every processor; that the kernel makes it can. */
#define _GNU_SOURCE
#include "sleepers.h"

#include "futex/thread.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

static int barrier_error(void)
{
    return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0 ? 0 : errno;
}

START_TEST(threads_are_put_in_order_where_the_kernel_can)
{
    if (!fs_system_has(FS_FEATURE_MEMBARRIER)) {
        ck_assert(!fs_system_order_threads());
        return;
    }
    ck_assert_int_eq(barrier_error(), EPERM); /* not registered yet */
    for (int i = 0; i < 2; i++) {
        ck_assert(fs_system_order_threads());
        ck_assert_int_eq(barrier_error(), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("futex: order");
    TCase *tests = tcase_create("order");

    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, threads_are_put_in_order_where_the_kernel_can);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
