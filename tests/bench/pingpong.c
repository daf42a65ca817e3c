/* SPDX-License-Identifier: MIT */
/*
 * Two threads that take turns through a condition variable each. Cell: <place>/<after|under>:
 * on any CPU (free), on one CPU (pinned) or on two (apart); the signal sent after the unlock or
 * under the mutex. One operation is one turn.
 */
#define _GNU_SOURCE
#include "team.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

static struct {
    _Alignas(BENCH_LINE) pthread_mutex_t mutex;
    _Alignas(BENCH_LINE) pthread_cond_t my_turn[2];
    _Alignas(BENCH_LINE) int turn;
    bool stop;
    bool under;
    enum { FREE, PINNED, APART } place;
} game;

/* To the CPU number `rank` of those allowed. */
static void pin_to(int rank, const cpu_set_t *allowed)
{
    cpu_set_t one;
    int cpu = 0;

    while (!CPU_ISSET(cpu, allowed) || rank-- > 0) {
        cpu++;
    }
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof(one), &one);
}

static void play(int me)
{
    int other = 1 - me;

    pthread_mutex_lock(&game.mutex);
    while (!game.stop) {
        while (game.turn != me && !game.stop) {
            pthread_cond_wait(&game.my_turn[me], &game.mutex);
        }
        game.turn = other;
        team_count(me);
        if (game.under) {
            pthread_cond_signal(&game.my_turn[other]);
        } else {
            pthread_mutex_unlock(&game.mutex);
            pthread_cond_signal(&game.my_turn[other]);
            pthread_mutex_lock(&game.mutex);
        }
    }
    pthread_mutex_unlock(&game.mutex);
}

static void play_in_place(int me, void *argument)
{
    cpu_set_t allowed;

    (void)argument;
    sched_getaffinity(0, sizeof(allowed), &allowed);
    if (game.place != FREE) {
        pin_to(game.place == APART ? me : 0, &allowed);
    }
    play(me);
    sched_setaffinity(0, sizeof(allowed), &allowed);
}

static bool parse(const char *spec)
{
    static const char *const places[] = {"free", "pinned", "apart"};
    char place[8], when[8];
    cpu_set_t allowed;

    if (sscanf(spec, "%7[^/]/%7s", place, when) != 2) {
        return false;
    }
    for (int i = FREE; i <= APART; i++) {
        if (strcmp(place, places[i]) == 0) {
            game.place = i;
            game.under = strcmp(when, "under") == 0;
            sched_getaffinity(0, sizeof(allowed), &allowed);
            return (game.under || strcmp(when, "after") == 0) &&
                   (i != APART || CPU_COUNT(&allowed) >= 2);
        }
    }
    return false;
}

bool run_pingpong(const char *spec, int milliseconds, struct bench_sample *out)
{
    if (!parse(spec)) {
        return false;
    }
    pthread_mutex_init(&game.mutex, NULL);
    pthread_cond_init(&game.my_turn[0], NULL);
    pthread_cond_init(&game.my_turn[1], NULL);
    game.turn = 0;
    game.stop = false;
    team_start(2, play_in_place, NULL);
    team_measure(milliseconds, out);
    pthread_mutex_lock(&game.mutex);
    game.stop = true;
    pthread_cond_signal(&game.my_turn[0]);
    pthread_cond_signal(&game.my_turn[1]);
    pthread_mutex_unlock(&game.mutex);
    team_wait();
    pthread_cond_destroy(&game.my_turn[1]);
    pthread_cond_destroy(&game.my_turn[0]);
    pthread_mutex_destroy(&game.mutex);
    return true;
}
