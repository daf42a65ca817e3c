/* SPDX-License-Identifier: MIT */
/* Random schedules: each thread has a priority, the highest that can goes on, and at a few random
   moments the one that runs becomes the lowest. Interference and late stores come by chance. */
#include <stdlib.h>
#include <string.h>

#include "moves.h"
#include "search.h"

#define STEPS_MAX 20000u
#define CHANGES 4u

struct dice {
    uint64_t state;
};

/* splitmix64 */
static uint64_t roll(struct dice *dice)
{
    uint64_t z = dice->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

struct run {
    struct dice dice;
    int64_t priority[EXPLORE_THREADS];
    int64_t lowest;
    unsigned change_at[CHANGES];
};

static void begin_run(struct run *run, uint64_t seed, unsigned length)
{
    memset(run, 0, sizeof *run);
    run->dice.state = seed;
    for (unsigned i = 0; i < EXPLORE_THREADS; i++)
        run->priority[i] = (int64_t)(roll(&run->dice) >> 2);
    for (unsigned i = 0; i < CHANGES; i++)
        run->change_at[i] = (unsigned)(roll(&run->dice) % (length + 1));
}

static unsigned count_progress(const struct move *moves, unsigned count)
{
    unsigned n = 0;

    while (n < count && moves[n].kind == MOVE_RUN)
        n++;
    return n;
}

/* The number of the move to make. RUN moves come first in the list. */
static unsigned choose(struct run *run, const struct move *moves, unsigned count)
{
    unsigned runs = count_progress(moves, count);
    unsigned best = 0;

    if (moves[0].kind == MOVE_ANSWER)
        return (unsigned)(roll(&run->dice) % count);
    if (runs == 0 || (runs < count && roll(&run->dice) % 8 == 0))
        return runs + (unsigned)(roll(&run->dice) % (count - runs));
    for (unsigned i = 1; i < runs; i++)
        if (run->priority[moves[i].thread] > run->priority[moves[best].thread])
            best = i;
    return best;
}

static void demote(struct run *run, unsigned thread)
{
    run->priority[thread] = --run->lowest;
}

struct outcome search_randomly(const struct explore_scenario *scenario, enum explore_mode mode,
                               const struct limits *limits)
{
    struct outcome outcome = {.path = malloc(STEPS_MAX)};
    double began = search_clock();
    struct snapshot beginning = {0};
    unsigned length = 100;

    if (!world_begin(scenario, mode)) {
        outcome.verdict = VERDICT_FAILED;
        return outcome;
    }
    memory_save(&beginning);
    for (uint64_t n = 0; n < limits->runs && outcome.verdict == VERDICT_PASSED; n++) {
        struct run run;
        struct move moves[MOVES_MAX];
        enum outlook outlook = OUTLOOK_OPEN;
        unsigned count, step = 0;

        begin_run(&run, limits->seed * UINT64_C(1000003) + n, length);
        memory_restore(&beginning);
        while (step < STEPS_MAX && (outlook = moves_list(moves, &count)) == OUTLOOK_OPEN) {
            unsigned chosen = choose(&run, moves, count);
            unsigned thread = moves[chosen].thread;

            outcome.path[step++] = (uint8_t)chosen;
            if (!move_make(&moves[chosen]))
                break;
            for (unsigned i = 0; i < CHANGES; i++)
                if (run.change_at[i] == step)
                    demote(&run, thread);
            if (world.threads[thread].yields)
                demote(&run, thread);
        }
        if (!session.failed && outlook == OUTLOOK_STUCK)
            moves_describe_deadlock();
        else if (!session.failed && outlook == OUTLOOK_FINAL)
            world_call(scenario->finish);
        outcome.schedules++;
        outcome.states += step;
        outcome.path_length = step;
        if (step > outcome.depth)
            outcome.depth = step;
        length = (length * 7 + step) / 8;
        if (session.failed)
            outcome.verdict = VERDICT_FAILED;
        else if (step == STEPS_MAX)
            outcome.verdict = VERDICT_CUT;
        if (limits->seconds > 0 && search_clock() - began > limits->seconds)
            break;
    }
    free(beginning.bytes);
    outcome.seconds = search_clock() - began;
    if (outcome.verdict != VERDICT_FAILED) {
        free(outcome.path);
        outcome.path = NULL;
    }
    return outcome;
}
