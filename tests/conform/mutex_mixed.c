/* SPDX-License-Identifier: MIT */
/*
 * Two programs share process-shared mutexes through a file: this one, and itself executed again,
 * once with the same environment and once with LD_PRELOAD taken out. With the library preloaded
 * that pairs a process that has it with one that has not, so both must speak libc's protocol.
 */
#include "conform.h"

#include "mutex_parts.h"

static void lock_and_unlock(void)
{
    OK(pthread_mutex_lock(&area->mutex));
    OK(pthread_mutex_unlock(&area->mutex));
}

START_TEST(two_programs_exclude_each_other)
{
    pid_t children[2];
    choose(_i);
    for (int i = 0; i < 2; i++)
        children[i] = execute("count", _i);
    count(ROUNDS);
    for (int i = 0; i < 2; i++)
        child_join(children[i]);
    ck_assert_int_eq(area->counter, 3L * ROUNDS);
    OK(pthread_mutex_destroy(&area->mutex));
}
END_TEST

START_TEST(what_another_program_initialised_is_a_mutex_here)
{
    choose(_i);
    child_join(execute("make_it", _i));
    count(100);
    child_join(execute("count", _i));
    lock_and_unlock();
}
END_TEST

START_TEST(an_unlock_here_wakes_sleepers_of_other_programs)
{
    pid_t children[3];
    choose(_i);
    OK(pthread_mutex_lock(&area->mutex));
    for (int i = 0; i < 3; i++)
        children[i] = execute("sleep_for_it", _i);
    for (int i = 0; i < 3; i++)
        wait_until_asleep_in_exec(children[i]);
    OK(pthread_mutex_unlock(&area->mutex));
    for (int i = 0; i < 3; i++)
        child_join(children[i]);
    ck_assert_int_eq(area->counter, 3);
}
END_TEST

static void *inherit_here(void *unused)
{
    part_inherit();
    return unused;
}

static void *sleep_here(void *unused)
{
    part_sleep_for_it();
    return unused;
}

START_TEST(an_unlock_there_wakes_sleepers_here)
{
    struct thread sleepers[3];
    choose(_i);
    pid_t child = execute("hold_until_told", _i);
    wait_for_flag(&area->stage, 1);
    for (int i = 0; i < 3; i++)
        thread_start(&sleepers[i], sleep_here, NULL);
    for (int i = 0; i < 3; i++)
        wait_until_asleep(sleepers[i].tid);
    raise_flag(&area->stage, 2);
    for (int i = 0; i < 3; i++)
        thread_join(&sleepers[i]);
    child_join(child);
    ck_assert_int_eq(area->counter, 3);
}
END_TEST

START_TEST(each_program_sees_that_the_other_holds_it)
{
    choose(_i);
    OK(pthread_mutex_lock(&area->mutex));
    child_join(execute("find_it_held", _i));
    OK(pthread_mutex_unlock(&area->mutex));
    pid_t child = execute("hold_until_told", _i);
    wait_for_flag(&area->stage, 1);
    part_find_it_held();
    raise_flag(&area->stage, 2);
    child_join(child);
    lock_and_unlock();
}
END_TEST

START_TEST(a_program_killed_while_it_holds_a_robust_mutex_leaves_an_heir_here)
{
    choose(_i);
    if (!is_robust(kind))
        return;
    for (int early = 0; early < 2; early++) {
        struct thread heir;
        area->stage = 0;
        pid_t child = execute("hold_for_ever", _i);
        wait_for_flag(&area->stage, 1);
        if (early) {
            thread_start(&heir, inherit_here, NULL);
            wait_until_asleep(heir.tid);
        }
        kill(child, SIGKILL);
        child_wait(child);
        if (early)
            thread_join(&heir);
        else
            part_inherit();
        lock_and_unlock();
    }
    child_join(execute("count", _i));
}
END_TEST

static int hold_for_ever(void *unused)
{
    (void)unused;
    return part_hold_for_ever();
}

START_TEST(a_process_killed_here_leaves_an_heir_in_another_program)
{
    choose(_i);
    if (!is_robust(kind))
        return;
    for (int early = 0; early < 2; early++) {
        area->stage = 0;
        pid_t owner = child_start(hold_for_ever, NULL);
        wait_for_flag(&area->stage, 1);
        pid_t heir = 0;
        if (early) {
            heir = execute("inherit", _i);
            wait_until_asleep_in_exec(heir);
        }
        kill(owner, SIGKILL);
        child_wait(owner);
        child_join(early ? heir : execute("inherit", _i));
        lock_and_unlock();
    }
}
END_TEST

START_TEST(both_programs_find_the_same_mutex_unrecoverable)
{
    choose(_i);
    if (!is_robust(kind))
        return;
    pid_t child = execute("hold_for_ever", _i);
    wait_for_flag(&area->stage, 1);
    kill(child, SIGKILL);
    child_wait(child);
    EXPECT(pthread_mutex_lock(&area->mutex), EOWNERDEAD);
    OK(pthread_mutex_unlock(&area->mutex));
    child_join(execute("find_it_unrecoverable", _i));
    part_find_it_unrecoverable();
}
END_TEST

START_TEST(a_plain_mutex_of_a_killed_program_stays_locked)
{
    choose(_i);
    if (is_robust(kind) || is_pi(kind))
        return;
    pid_t child = execute("hold_for_ever", _i);
    wait_for_flag(&area->stage, 1);
    kill(child, SIGKILL);
    child_wait(child);
    part_find_it_held();
    child_join(execute("find_it_held", _i));
}
END_TEST

int main(int argc, char **argv)
{
    if (argc == 4)
        return play_part(argv);
    Suite *suite = suite_create("mutex_mixed");
    TCase *tcase = conform_case(suite, "mixed");
    static const TTest *const *const all[] = {
        &two_programs_exclude_each_other,
        &what_another_program_initialised_is_a_mutex_here,
        &an_unlock_here_wakes_sleepers_of_other_programs,
        &an_unlock_there_wakes_sleepers_here,
        &each_program_sees_that_the_other_holds_it,
        &a_program_killed_while_it_holds_a_robust_mutex_leaves_an_heir_here,
        &a_process_killed_here_leaves_an_heir_in_another_program,
        &both_programs_find_the_same_mutex_unrecoverable,
        &a_plain_mutex_of_a_killed_program_stays_locked,
    };
    for (size_t i = 0; i < COUNT_OF(all); i++)
        tcase_add_loop_test(tcase, *all[i], 0, PAIRS);
    return conform_run(suite);
}
