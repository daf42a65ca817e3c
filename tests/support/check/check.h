/* SPDX-License-Identifier: MIT */
/* As much of Check's interface as the unit tests use, for programs that are linked for a foreign
   processor or system where Check is not installed: each test in a process of its own with a time
   limit, and the same summary line at the end. How such a process is made is left to check_fork.h
   and, for Windows, check_spawn.h. */
#ifndef FS_TESTS_SUPPORT_CHECK_H
#define FS_TESTS_SUPPORT_CHECK_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK_ENTRIES 64
#define CK_FORK 0
#define CK_NORMAL 0

typedef void check_body(int);

typedef struct {
    const char *name;
    check_body *body;
} TTest;

typedef struct {
    struct {
        const TTest *test;
        int from, to, signal;
    } entries[CHECK_ENTRIES];
    int count;
    unsigned timeout;
    void (*setup)(void);
} TCase;

typedef struct {
    const char *name;
    TCase *cases[CHECK_ENTRIES];
    int count, failed;
} Suite;

typedef Suite SRunner;

#define START_TEST(title)                                                                          \
    static void title##_body(int _i);                                                              \
    static const TTest title##_test = {#title, title##_body};                                      \
    static const TTest *const title = &title##_test;                                               \
    static void title##_body(int _i __attribute__((unused)))
#define END_TEST

/* Also from a thread of the test's. */
#define check_fail(...)                                                                            \
    do {                                                                                           \
        fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                            \
        fprintf(stderr, __VA_ARGS__);                                                              \
        fputc('\n', stderr);                                                                       \
        _exit(1);                                                                                  \
    } while (0)

#define ck_assert_msg(condition, ...)                                                              \
    do {                                                                                           \
        if (!(condition))                                                                          \
            check_fail(__VA_ARGS__);                                                               \
    } while (0)
#define ck_assert(condition) ck_assert_msg(condition, "%s", #condition)
#define ck_assert_str_eq(a, b) ck_assert_msg(strcmp(a, b) == 0, "\"%s\" == \"%s\"", a, b)
#define check_compare(type, format, a, relation, b, text)                                          \
    do {                                                                                           \
        type check_a = (type)(a);                                                                  \
        type check_b = (type)(b);                                                                  \
        ck_assert_msg(check_a relation check_b, "%s: " format " " #relation " " format, text,      \
                      check_a, check_b);                                                           \
    } while (0)
#define ck_assert_int_eq(a, b) check_compare(intmax_t, "%jd", a, ==, b, #a)
#define ck_assert_int_ne(a, b) check_compare(intmax_t, "%jd", a, !=, b, #a)
#define ck_assert_int_lt(a, b) check_compare(intmax_t, "%jd", a, <, b, #a)
#define ck_assert_int_le(a, b) check_compare(intmax_t, "%jd", a, <=, b, #a)
#define ck_assert_int_gt(a, b) check_compare(intmax_t, "%jd", a, >, b, #a)
#define ck_assert_int_ge(a, b) check_compare(intmax_t, "%jd", a, >=, b, #a)
#define ck_assert_uint_eq(a, b) check_compare(uintmax_t, "%ju", a, ==, b, #a)
#define ck_assert_uint_ne(a, b) check_compare(uintmax_t, "%ju", a, !=, b, #a)
#define ck_assert_uint_lt(a, b) check_compare(uintmax_t, "%ju", a, <, b, #a)
#define ck_assert_uint_le(a, b) check_compare(uintmax_t, "%ju", a, <=, b, #a)
#define ck_assert_uint_gt(a, b) check_compare(uintmax_t, "%ju", a, >, b, #a)
#define ck_assert_uint_ge(a, b) check_compare(uintmax_t, "%ju", a, >=, b, #a)
#define ck_assert_ptr_eq(a, b) check_compare(const void *, "%p", a, ==, b, #a)
#define ck_assert_ptr_null(a) ck_assert_ptr_eq(a, NULL)
#define ck_assert_ptr_nonnull(a) ck_assert_ptr_ne(a, NULL)
#define ck_abort_msg(...) check_fail(__VA_ARGS__)
#define ck_assert_ptr_ne(a, b) check_compare(const void *, "%p", a, !=, b, #a)

static inline Suite *suite_create(const char *name)
{
    Suite *suite = calloc(1, sizeof *suite);

    suite->name = name;
    return suite;
}

static inline TCase *tcase_create(const char *name)
{
    TCase *tests = calloc(1, sizeof *tests);

    (void)name;
    tests->timeout = 4;
    return tests;
}

static inline void suite_add_tcase(Suite *suite, TCase *tests)
{
    suite->cases[suite->count++] = tests;
}

static inline void tcase_set_timeout(TCase *tests, double seconds)
{
    const char *factor = getenv("FS_TIME_FACTOR");

    tests->timeout = (unsigned)(seconds * (factor ? atof(factor) : 1)) + 1;
}

static inline void tcase_add_checked_fixture(TCase *tests, void (*setup)(void),
                                             void (*teardown)(void))
{
    (void)teardown;
    tests->setup = setup;
}

static inline void tcase_add_loop_test_raise_signal(TCase *tests, const TTest *test, int signal,
                                                    int from, int to)
{
    if (tests->count == CHECK_ENTRIES)
        abort();
    tests->entries[tests->count].test = test;
    tests->entries[tests->count].from = from;
    tests->entries[tests->count].to = to;
    tests->entries[tests->count++].signal = signal;
}

#define tcase_add_test_raise_signal(tests, test, signal)                                           \
    tcase_add_loop_test_raise_signal(tests, test, signal, 0, 1)
#define tcase_add_loop_test(tests, test, from, to)                                                 \
    tcase_add_loop_test_raise_signal(tests, test, 0, from, to)
#define tcase_add_test(tests, test) tcase_add_loop_test_raise_signal(tests, test, 0, 0, 1)

#define srunner_create(suite) (suite)
#define srunner_set_fork_status(runner, status) ((void)(runner))
#define srunner_ntests_failed(runner) ((runner)->failed)
#define srunner_free(runner) ((void)(runner))

static inline void check_do(const TCase *tests, const TTest *test, int index)
{
    if (tests->setup)
        tests->setup();
    test->body(index);
    exit(0);
}

/* check_run: whether the test, in a process of its own, ended as it should. check_begin: returns
   unless this process is such a one. */
#ifdef _WIN32
#include "check_spawn.h"
#else
#include "check_fork.h"
#endif

/* Whether FS_ONLY names another test. */
static inline int check_is_left_out(const TTest *test)
{
    const char *only = getenv("FS_ONLY");

    return only && strcmp(only, test->name) != 0;
}

/* FS_SKIP has a line "name: reason" for each test that cannot be done here. */
static inline int check_skip(const TTest *test)
{
    const char *line = getenv("FS_SKIP");
    size_t length = strlen(test->name);

    for (; line && *line; line += strcspn(line, "\n"), line += *line == '\n')
        if (strncmp(line, test->name, length) == 0 && line[length] == ':') {
            printf("SKIP %.*s\n", (int)strcspn(line, "\n"), line);
            return 1;
        }
    return 0;
}

static inline void srunner_run_all(SRunner *runner, int mode)
{
    int checks = 0;

    (void)mode;
    check_begin(runner);
    printf("Running suite(s): %s\n", runner->name);
    for (int i = 0; i < runner->count; i++)
        for (int j = 0; j < runner->cases[i]->count; j++)
            for (int k = runner->cases[i]->entries[j].from; k < runner->cases[i]->entries[j].to;
                 k++) {
                if (check_is_left_out(runner->cases[i]->entries[j].test))
                    continue;
                checks++;
                if (check_skip(runner->cases[i]->entries[j].test))
                    continue;
                runner->failed += !check_run(runner->cases[i], runner->cases[i]->entries[j].test, k,
                                             runner->cases[i]->entries[j].signal);
                if (runner->failed && getenv("FS_FIRST_FAILURE"))
                    exit(1);
            }
    printf("%d%%: Checks: %d, Failures: %d, Errors: 0\n",
           checks ? 100 * (checks - runner->failed) / checks : 0, checks, runner->failed);
}

#endif
