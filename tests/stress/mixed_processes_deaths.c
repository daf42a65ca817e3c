/* SPDX-License-Identifier: MIT */
/* See mixed_processes_cell.h: how members come and go, and what their deaths do to objects.

   No more is asked than POSIX and libc promise. A robust mutex survives a death at any moment. All
   else survives one outside: who dies as the owner of another mutex leaves it locked; who dies
   asleep may take a wake-up along; who dies in a call on a condition variable or a rwlock leaves
   libc's counts of waiters and readers wrong (after a waiter's death the second signal from then on
   never returns in glibc 2.36). So an object on which somebody died like that is retired, and
   whoever is still on it is put away: killed too, but not counted. */
#include "mixed_processes_cell.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char library_setting[4096];
static char **environments[2]; /* without, with */

/* ---- processes ---- */

static char **make_environment(bool library)
{
    int count = 0, kept = 0;

    while (environ[count])
        count++;
    char **made = calloc((size_t)count + 2, sizeof *made);
    if (!made)
        abort();
    for (int i = 0; i < count; i++)
        if (strncmp(environ[i], "LD_PRELOAD=", 11) != 0)
            made[kept++] = environ[i];
    if (library)
        made[kept] = library_setting;
    return made;
}

void mixed_prepare_environments(const char *library)
{
    snprintf(library_setting, sizeof library_setting, "LD_PRELOAD=%s", library);
    environments[0] = make_environment(false);
    environments[1] = make_environment(true);
}

pid_t mixed_execute(unsigned life, bool library)
{
    char name[] = "mixed_processes", member[] = "--member", with[] = "with", without[] = "without";
    char fd[16], number[16];
    char *args[] = {name, member, fd, number, library ? with : without, NULL};
    pid_t pid = -1;

    snprintf(fd, sizeof fd, "%d", cell.fd);
    snprintf(number, sizeof number, "%u", life);
    int err = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, args, environments[library]);
    ck_assert_msg(err == 0, "posix_spawn: %s", strerror(err));
    return pid;
}

static void seat_somebody(int seat)
{
    struct mixed_life *life = &cell.area->lives[++cell.lives];

    ck_assert_uint_lt(cell.lives, MIXED_LIVES - 1);
    life->seat = seat;
    life->library = cell.pair->library[seat >= MIXED_SEATS / 2];
    cell.seats[seat] = cell.lives;
    life->pid = mixed_execute(cell.lives, life->library);
}

void mixed_seat_everybody(void)
{
    for (int seat = 0; seat < MIXED_SEATS; seat++)
        if (cell.seats[seat] == 0 || mixed_life_in(seat)->dead)
            seat_somebody(seat);
}

/* ---- what members say ---- */

static const char *complaint(void)
{
    return cell.area->failure.written ? cell.area->failure.text : "it has given no reason";
}

/* Members end only when they find something wrong. */
void mixed_look_for_failures(void)
{
    int status = 0;

    if (cell.area->failure.written)
        mixed_give_up("%s", complaint());
    if (waitpid(-1, &status, WNOHANG) > 0)
        mixed_give_up("a member ended with status %#x: %s", (unsigned)status, complaint());
}

/* ---- deaths ---- */

static void strike(int seat)
{
    cell.area->objects[cell.area->generation].struck = true;
    mixed_life_in(seat)->doomed = true;
    kill(mixed_life_in(seat)->pid, SIGKILL);
}

/* Returns the wait status. */
static int reap(int seat)
{
    struct mixed_life *life = mixed_life_in(seat);
    int status = 0;

    ck_assert_int_eq(waitpid(life->pid, &status, 0), life->pid);
    life->dead = true;
    life->last_stage = life->stage;
    cell.figures->rounds += life->rounds;
    return status;
}

static bool was_ended_by(int status, int sig)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == sig;
}

static void expect_killed(int seat, int status)
{
    if (!was_ended_by(status, SIGKILL))
        mixed_give_up("member %u ended with status %#x: %s", cell.seats[seat], (unsigned)status,
                      complaint());
}

/* A condition variable is libc's in every process, and so is the mutex during the wait. */
static bool was_in_libc(const struct mixed_life *life)
{
    return !life->library || life->last_stage == MIXED_IN_COND;
}

/* Of a member on an object which a death has spoiled. */
static void expect_put_away(int seat, int status)
{
    const struct mixed_life *life = mixed_life_in(seat);

    if (was_ended_by(status, SIGABRT) && was_in_libc(life) &&
        mixed_is_stalled_pi(cell.area, life->generation))
        cell.figures->aborts++;
    else
        expect_killed(seat, status);
}

static bool may_have_been_woken(const struct mixed_life *life)
{
    return (life->last_stage == MIXED_ENTERING || life->last_stage == MIXED_LEAVING) &&
           !mixed_inherits_priority(cell.area, life->generation);
}

/* Whether this death ends the use of the object in use. */
static bool spoils(const struct mixed_life *life)
{
    if (life->generation != cell.area->generation)
        return false;
    if (mixed_death_spoils(cell.area, life->generation, life->last_stage))
        return true;
    cell.may_nudge = cell.may_nudge || may_have_been_woken(life);
    return false;
}

/* ---- objects ---- */

/* The books of an object that nobody will use any more. Those of a PI mutex that is not robust end
   with the death that has spoiled it. */
static void close_books(unsigned number)
{
    struct mixed_object *object = &cell.area->objects[number];
    unsigned holder = object->holder;
    const char *wrong = NULL;

    cell.figures->retired++;
    if (mixed_is_stalled_pi(cell.area, number))
        return;
    if (holder != 0) {
        if (!cell.area->lives[holder].dead)
            mixed_give_up("object %u is retired with member %u inside, which lives", number,
                          holder);
        wrong = mixed_repair(cell.area, object, holder);
        object->holder = 0;
    }
    wrong = wrong ? wrong : mixed_audit(object);
    if (wrong)
        mixed_give_up("object %u at its end: %s", number, wrong);
}

/* Takes the object out of use. Members that have announced it are put away, since they may be stuck
   on it; the others will see the next one. One that comes to the next one just before it is put
   away may spoil that too. */
static void retire_object(void)
{
    bool again;

    do {
        unsigned old = cell.area->generation;

        ck_assert_uint_lt(old + 1, (unsigned)cell.area->object_count);
        again = false;
        cell.may_nudge = false;
        cell.area->generation = old + 1;
        for (int seat = 0; seat < MIXED_SEATS; seat++) {
            struct mixed_life *life = mixed_life_in(seat);
            if (life->dead || life->stage <= MIXED_RESTING || life->generation != old)
                continue;
            strike(seat);
            expect_put_away(seat, reap(seat));
            cell.figures->put_away++;
            again = again || spoils(life);
        }
        close_books(old);
    } while (again);
}

static void count_kill(const struct mixed_life *life)
{
    cell.figures->kills++;
    cell.figures->kills_with_library += life->library;
    cell.figures->at[life->last_stage]++;
}

void mixed_kill(const int *victims, int count)
{
    bool spoiled = false;

    for (int i = 0; i < count; i++)
        strike(victims[i]);
    for (int i = 0; i < count; i++) {
        int status = reap(victims[i]);
        if (spoiled)
            expect_put_away(victims[i], status); /* what the first has spoiled */
        else
            expect_killed(victims[i], status);
        count_kill(mixed_life_in(victims[i]));
        spoiled = spoils(mixed_life_in(victims[i])) || spoiled;
    }
    if (spoiled)
        retire_object();
    cell.area->objects[cell.area->generation].struck = false;
    mixed_seat_everybody();
    mixed_look_for_failures();
}

void mixed_kill_everybody(void)
{
    for (int seat = 0; seat < MIXED_SEATS; seat++) {
        strike(seat);
        expect_killed(seat, reap(seat));
    }
}
