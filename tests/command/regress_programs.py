# SPDX-License-Identifier: MIT
"""Check programs for the tests of `fastsync regress`: they behave differently where something is
preloaded, break as a whole, look which libc they have, or do not end.
"""

BEGIN = r'''
#define _GNU_SOURCE
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define PRELOADED (getenv("LD_PRELOAD") != NULL)
'''
END = r'''
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    return srunner_ntests_failed(runner) ? 1 : 0;
}
'''
SHAPES = BEGIN + r'''
START_TEST(passes) { ck_assert(1); } END_TEST
START_TEST(fails) { ck_abort_msg("says <%d>", PRELOADED); } END_TEST
START_TEST(is_skipped) { printf("SKIP is_skipped: no such machine\n"); fflush(stdout); } END_TEST
START_TEST(fails_with_it) { ck_assert_msg(!PRELOADED || _i != 2, "too late"); } END_TEST
START_TEST(crashes_without_it) { if (!PRELOADED) abort(); } END_TEST
START_TEST(hangs_with_it) { if (PRELOADED) pause(); } END_TEST
START_TEST(only_with_it) { ck_assert(1); } END_TEST
int main(void)
{
    Suite *suite = suite_create("shapes");
    TCase *tcase = tcase_create("all");
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 5);
    tcase_add_test(tcase, passes);
    tcase_add_test(tcase, fails);
    tcase_add_test(tcase, is_skipped);
    tcase_add_loop_test(tcase, fails_with_it, 0, 4);
    tcase_add_test(tcase, crashes_without_it);
    tcase_add_test(tcase, hangs_with_it);
    if (PRELOADED)
        tcase_add_test(tcase, only_with_it);
''' + END
# What happens to the whole program in the middle of its tests, where something is preloaded.
BROKEN = BEGIN + r'''
START_TEST(comes_before) { ck_assert(1); } END_TEST
START_TEST(breaks) { if (PRELOADED) kill(getppid(), HOW), sleep(1); } END_TEST
START_TEST(comes_after) { ck_assert(1); } END_TEST
int main(void)
{
    Suite *suite = suite_create("broken");
    TCase *tcase = tcase_create("all");
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 100);
    tcase_add_test(tcase, comes_before);
    tcase_add_test(tcase, breaks);
    tcase_add_test(tcase, comes_after);
''' + END
# Is the libc that of the folder LIBC_FOLDER, here and in a program that this one executes?
PLACED = BEGIN + r'''
static int placed(void)
{
    char line[4096];
    FILE *maps = fopen("/proc/self/maps", "r");
    const char *folder = getenv("LIBC_FOLDER");
    while (fgets(line, sizeof line, maps))
        if (strstr(line, "/libc.so.6") && strstr(line, folder))
            return 1;
    return 0;
}
START_TEST(here) { ck_assert(placed()); } END_TEST
START_TEST(there)
{
    execl("/proc/self/exe", "placed", "there", (char *)NULL);
    _exit(9);
}
END_TEST
int main(int argc, char **argv)
{
    if (argc > 1)
        return placed() ? 0 : 8;
    Suite *suite = suite_create("placed");
    TCase *tcase = tcase_create("all");
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, here);
    tcase_add_exit_test(tcase, there, 0);
''' + END
SLOW = BEGIN + r'''
START_TEST(waits) { FILE *file = fopen(getenv("MARK"), "w"); fprintf(file, "%d", getpid());
    fclose(file); pause(); } END_TEST
int main(void)
{
    Suite *suite = suite_create("slow");
    TCase *tcase = tcase_create("all");
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 0);
    tcase_add_test(tcase, waits);
''' + END
