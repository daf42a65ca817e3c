/* SPDX-License-Identifier: MIT */
/* The threads of meeting.h. */
#include "scenarios/meeting.h"

struct meeting meeting;

/* ---- setting up ---------------------------------------------------------------------- */

void meet_set_up(uint32_t kind, unsigned processors)
{
    call_set_up(0, processors);
    call_init_mutex(&meeting.mutex, kind, "mutex");
    call_init_mutex(&meeting.second, FS_KIND_NORMAL, "second");
    explore_name(&meeting.cond, sizeof meeting.cond, "cond");
}

void meet_queue(unsigned threads)
{
    for (unsigned i = 0; i < threads; i++) {
        call_join_for(i, &meeting.cond, &meeting.mutex);
        meeting.asked |= MEET_BIT(i);
    }
}

void meet_watch(void)
{
    watch_condition(&meeting.cond);
    watch_condition_mutex(&meeting.mutex);
}

void meet_with_nobody(void)
{
    meet_set_up(FS_KIND_NORMAL, 2);
    call_warm_up(&meeting.cond, &meeting.mutex);
    meet_watch();
}

void meet_with_one(void)
{
    meet_set_up(FS_KIND_NORMAL, 2);
    meet_queue(1);
    meet_watch();
}

void meet_with_two(void)
{
    meet_set_up(FS_KIND_NORMAL, 2);
    meet_queue(2);
    meet_watch();
}

/* ---- waiters ------------------------------------------------------------------------- */

void meet_note(int err, bool timed)
{
    uint8_t me = MEET_BIT(explore_self());

    explore_require(err == 0 || err == CALL_CANCELLED || (err == ETIMEDOUT && timed),
                    "a wait returned %d", err);
    explore_require(err != 0 || meeting.ready, "a wait returned, and nobody had signalled");
    meeting.asked &= (uint8_t)~me;
    if (err == 0)
        meeting.got |= me;
    if (err == ETIMEDOUT)
        meeting.late |= me;
    if (err == CALL_CANCELLED)
        meeting.cancelled |= me;
}

void meet_wait_if_not_ready(const struct fs_deadline *deadline)
{
    if (meeting.ready)
        return;
    meeting.asked |= MEET_BIT(explore_self());
    meet_note(call_wait_until(&meeting.cond, &meeting.mutex, deadline), deadline != NULL);
}

void meet_wait(void)
{
    call_lock(&meeting.mutex);
    meet_wait_if_not_ready(NULL);
    call_unlock(&meeting.mutex);
}

void meet_wait_until(void)
{
    struct fs_deadline deadline = explore_deadline();

    call_lock(&meeting.mutex);
    meet_wait_if_not_ready(&deadline);
    call_unlock(&meeting.mutex);
}

void meet_wait_on(void)
{
    meet_note(call_wait_on(NULL), false);
    call_unlock(&meeting.mutex);
}

void meet_wait_on_until(void)
{
    struct fs_deadline deadline = explore_deadline();

    meet_note(call_wait_on(&deadline), true);
    call_unlock(&meeting.mutex);
}

void meet_kill(void)
{
    watch_mutex_end(&meeting.mutex);
    explore_kill_memory(&meeting.mutex, sizeof meeting.mutex);
    explore_kill_memory(&meeting.cond, sizeof meeting.cond);
}

void meet_wait_on_and_kill(void)
{
    meet_wait_on();
    meet_kill();
}

void meet_wait_on_and_the_last_kills(void)
{
    bool last;

    meet_note(call_wait_on(NULL), false);
    meeting.on_it &= (uint8_t)~MEET_BIT(explore_self());
    last = meeting.on_it == 0;
    call_unlock(&meeting.mutex);
    if (last)
        meet_kill();
}

void meet_come_and_wait(void)
{
    call_lock(&meeting.mutex);
    meeting.asked |= MEET_BIT(explore_self());
    meet_note(call_wait(&meeting.cond, &meeting.mutex), false);
    call_unlock(&meeting.mutex);
}

/* ---- the others ------------------------------------------------------------------------ */

void meet_signal(void)
{
    meeting.ready = true;
    call_signal(&meeting.cond);
}

void meet_signal_holding(void)
{
    call_lock(&meeting.mutex);
    meet_signal();
    call_unlock(&meeting.mutex);
}

void meet_signal_free(void)
{
    call_lock(&meeting.mutex);
    meeting.ready = true;
    call_unlock(&meeting.mutex);
    call_signal(&meeting.cond);
}

void meet_broadcast_free(void)
{
    meeting.ready = true;
    call_broadcast(&meeting.cond);
}

void meet_broadcast_holding(void)
{
    call_lock(&meeting.mutex);
    meet_broadcast_free();
    call_unlock(&meeting.mutex);
}

void meet_lock(void)
{
    call_lock(&meeting.mutex);
    watch_word_inside(&meeting.mutex.word);
    call_unlock(&meeting.mutex);
}

void meet_expect(uint8_t got)
{
    explore_wait_until_quiet();
    explore_require(meeting.got == got, "%#x went on, and not %#x", meeting.got, got);
}
