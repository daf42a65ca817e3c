/* SPDX-License-Identifier: MIT */
/* The coordinator's side of mixed_processes.c: the running cell, and what the files that run it
   offer one another. Everything here is the coordinator's alone; what the members see is in
   mixed_processes.h. */
#ifndef TESTS_STRESS_MIXED_PROCESSES_CELL_H
#define TESTS_STRESS_MIXED_PROCESSES_CELL_H

#include "mixed_processes.h"

enum { MIXED_PATIENCE_S = 20 }; /* a member that does nothing for so long is stuck */

struct mixed_pair {
    const char *name;
    bool library[2]; /* of side A, side B */
};

struct mixed_figures {
    unsigned long kills, kills_with_library;
    unsigned long at[MIXED_STAGES]; /* kills, by what was announced last */
    unsigned long heirs;            /* how often EOWNERDEAD was given */
    unsigned long retired;          /* objects */
    unsigned long put_away, aborts; /* members of retired objects; those that libc ended itself */
    unsigned long nudges, rounds;
};

struct mixed_cell {
    struct mixed_area *area;
    int fd; /* of the area */
    const struct mixed_pair *pair;
    struct mixed_figures *figures;
    struct stress_random random;
    uint64_t seed;               /* of the program */
    unsigned seats[MIXED_SEATS]; /* the life in each */
    unsigned lives;
    unsigned rests;
    bool may_nudge; /* somebody has died who may have taken a wake-up along */
};

extern struct mixed_cell cell;

static inline struct mixed_life *mixed_life_in(int seat)
{
    return &cell.area->lives[cell.seats[seat]];
}

double mixed_now(void);

/* Prints what broke, the object and the members, and fails the test. */
__attribute__((noreturn, format(printf, 1, 2))) void mixed_give_up(const char *format, ...);

/* ---- mixed_processes_deaths.c ---- */

/* Remembers the environment of members with this library, and of those without one. */
void mixed_prepare_environments(const char *library);

/* Executes a member, or the maker of the objects if `life` is 0. */
pid_t mixed_execute(unsigned life, bool library);

void mixed_seat_everybody(void);

/* Kills the members in these seats at once, replaces an object that a death spoils, and seats
   others. */
void mixed_kill(const int *victims, int count);

void mixed_kill_everybody(void);

/* Gives up if a member has found something wrong, or has ended. */
void mixed_look_for_failures(void);

/* ---- mixed_processes_rest.c ---- */

/* Has all members rest, and audits what they have done. They rest until area->rest is 0. */
void mixed_rest(void);

#endif
