/* SPDX-License-Identifier: MIT */
/* The snippet in plug-ins, for every way to open them. RTLD_DEEPBIND would
   resolve a plug-in's calls to libc past the preloaded library, and so put two
   protocols on one mutex: it must not, unless FASTSYNC_DEEPBIND=1 asks for it. */
#include <check.h>

#include "child.h"
#include "plugin.h"
#include "snippet.h"
#include "watchdog.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int modes[] = {
    RTLD_LAZY,
    RTLD_NOW,
    RTLD_LAZY | RTLD_LOCAL,
    RTLD_NOW | RTLD_GLOBAL,
    RTLD_LAZY | RTLD_DEEPBIND,
    RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND,
    RTLD_NOW | RTLD_GLOBAL | RTLD_DEEPBIND,
    RTLD_NOW | RTLD_NODELETE,
};

static void *function(void *plugin, const char *name)
{
    void *f = dlsym(plugin, name);

    ck_assert_msg(f != NULL, "%s is missing", name);
    return f;
}

static void *open_plugin(int mode)
{
    void *plugin = dlopen(PLUGIN_PATH, mode);

    ck_assert_msg(plugin != NULL, "%s", dlerror());
    return plugin;
}

START_TEST(a_plugin_calls_the_same_library_as_the_program)
{
    void *plugin = open_plugin(modes[_i]);
    const char *(*run)(void) = (const char *(*)(void))(uintptr_t)function(plugin, "plugin_run");
    const char *(*resolved)(void) =
        (const char *(*)(void))(uintptr_t)function(plugin, "plugin_resolved_to");

    ck_assert_ptr_null(snippet_misdirected());
    ck_assert_str_eq(resolved(), snippet_resolved_to());
    const char *failure = run();
    ck_assert_msg(failure == NULL, "%s", failure);
    ck_assert_int_eq(dlclose(plugin), 0);
    ck_assert_ptr_null(snippet_run(SNIPPET_ALL));
}
END_TEST

static struct shared {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    long count;
    bool stop;
    void (*lock)(pthread_mutex_t *);
    void (*unlock)(pthread_mutex_t *);
    void (*signal)(pthread_cond_t *);
} shared = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, .count = 0};

static void *count_through_plugin(void *unused)
{
    for (int i = 0; i < 20000; i++) {
        shared.lock(&shared.mutex);
        shared.count++;
        shared.unlock(&shared.mutex);
    }
    shared.lock(&shared.mutex);
    shared.stop = true;
    shared.unlock(&shared.mutex);
    shared.signal(&shared.condition);
    return NULL;
}

START_TEST(a_plugin_and_the_program_exclude_each_other)
{
    void *plugin = open_plugin(modes[_i]);
    pthread_t thread;

    shared.lock = (void (*)(pthread_mutex_t *))(uintptr_t)function(plugin, "plugin_lock");
    shared.unlock = (void (*)(pthread_mutex_t *))(uintptr_t)function(plugin, "plugin_unlock");
    shared.signal = (void (*)(pthread_cond_t *))(uintptr_t)function(plugin, "plugin_signal");
    ck_assert_int_eq(pthread_create(&thread, NULL, count_through_plugin, NULL), 0);
    for (int i = 0; i < 20000; i++) {
        pthread_mutex_lock(&shared.mutex);
        shared.count++;
        pthread_mutex_unlock(&shared.mutex);
    }
    pthread_mutex_lock(&shared.mutex);
    while (!shared.stop)
        pthread_cond_wait(&shared.condition, &shared.mutex);
    pthread_mutex_unlock(&shared.mutex);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(shared.count, 40000);
}
END_TEST

START_TEST(the_switch_leaves_RTLD_DEEPBIND_as_it_is)
{
    const char *const extra[] = {"FASTSYNC_DEEPBIND=1", NULL};
    struct child child;

    child_run_role(&child, "deepbind", extra);
    ck_assert_msg(child_succeeded(&child), "%s", child.message);
    ck_assert_msg(strstr(child.output, "/libc.so") != NULL, "resolved to %s", child.output);
    ck_assert_str_eq(child.message, "");
}
END_TEST

START_TEST(a_missing_plugin_is_reported_by_dlerror)
{
    ck_assert_ptr_null(dlopen("libthere-is-no-such-plugin.so", RTLD_NOW | RTLD_DEEPBIND));
    const char *reason = dlerror();
    ck_assert_ptr_nonnull(reason);
    ck_assert_ptr_nonnull(strstr(reason, "libthere-is-no-such-plugin.so"));
}
END_TEST

/* $ORIGIN and the run path of the caller decide where a bare name is looked for. */
START_TEST(dlopen_looks_a_bare_name_up_in_the_run_path_of_its_caller)
{
    void *plugin = dlopen("libpreload_plugin.so", RTLD_NOW);

    ck_assert_msg(plugin != NULL, "%s", dlerror());
    dlclose(plugin);
}
END_TEST

static int deepbind_role(void)
{
    void *plugin = dlopen(PLUGIN_PATH, RTLD_NOW | RTLD_DEEPBIND);
    void *resolved = plugin ? dlsym(plugin, "plugin_resolved_to") : NULL;

    if (!resolved)
        return 1;
    puts(((const char *(*)(void))(uintptr_t)resolved)());
    return 0;
}

static void start_watchdog(void)
{
    watchdog_name("plugin");
    watchdog_watch("mutex", &shared.mutex, sizeof shared.mutex);
    watchdog_watch("condition", &shared.condition, sizeof shared.condition);
    watchdog_start(40, 0);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "deepbind") == 0)
        return deepbind_role();

    const int count = sizeof modes / sizeof *modes;
    Suite *suite = suite_create("plugin");
    TCase *tcase = tcase_create("plugin");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, start_watchdog, watchdog_stop);
    tcase_add_loop_test(tcase, a_plugin_calls_the_same_library_as_the_program, 0, count);
    tcase_add_loop_test(tcase, a_plugin_and_the_program_exclude_each_other, 0, count);
    tcase_add_test(tcase, the_switch_leaves_RTLD_DEEPBIND_as_it_is);
    tcase_add_test(tcase, a_missing_plugin_is_reported_by_dlerror);
    tcase_add_test(tcase, dlopen_looks_a_bare_name_up_in_the_run_path_of_its_caller);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
