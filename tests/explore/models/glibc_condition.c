/* SPDX-License-Identifier: MIT */
/* A control of the explorer itself: it has to find bug 25847 in the algorithm that the GNU C
   Library had for eight years, with an ordinary program of consumers and a producer, and has to
   find nothing in the repaired one.

   The way to the hang: a waiter takes its signal and is held up before it looks for a stolen one.
   Meanwhile both slots are used again, so that what it took looks stolen, and it "gives back" a
   signal that it does not owe. Somebody leaves with that one and waits anew; the group's size still
   counts him where he was, and a later signal goes there, to nobody. With one preemption that takes
   three waiters and five signals: two must stand in the slot together, one with a signal, one with
   the wrong one. The smallest program has two waiters and four signals: it takes a second
   preemption, which holds the signaller up in the middle of the third switch. With three signals
   none has been found: two waiters with four preemptions, three with two. */
#include "glibc_condition.h"
#include "plain_mutex.h"

static struct glibc_condition condition;
static fs_word mutex;
static uint32_t tokens;
static const struct glibc_calls *calls;

static void consume(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        plain_lock(&mutex);
        while (tokens == 0)
            calls->wait(&condition, &mutex);
        tokens--;
        plain_unlock(&mutex);
    }
}

static void consume_one(void)
{
    consume(1);
}

static void consume_two(void)
{
    consume(2);
}

static void consume_three(void)
{
    consume(3);
}

static void produce(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        plain_lock(&mutex);
        tokens++;
        plain_unlock(&mutex);
        calls->signal(&condition);
        explore_pause();
    }
}

static void produce_two(void)
{
    produce(2);
}

static void produce_three(void)
{
    produce(3);
}

static void produce_four(void)
{
    produce(4);
}

static void produce_five(void)
{
    produce(5);
}

static void name_words(void)
{
    explore_name(&condition.sequence, sizeof condition.sequence, "sequence");
    explore_name(&condition.g1_start, sizeof condition.g1_start, "g1_start");
    explore_name(&condition.refs[0], sizeof(fs_word), "refs[0]");
    explore_name(&condition.refs[1], sizeof(fs_word), "refs[1]");
    explore_name(&condition.signals[0], sizeof(fs_word), "signals[0]");
    explore_name(&condition.signals[1], sizeof(fs_word), "signals[1]");
    explore_name(&condition.lock, sizeof condition.lock, "lock");
    explore_name(condition.size, sizeof condition.size, "size");
    explore_name(&condition.original, sizeof condition.original, "original");
    explore_name(&mutex, sizeof mutex, "mutex");
    explore_name(&tokens, sizeof tokens, "tokens");
}

static void start_2_25(void)
{
    calls = &glibc_2_25;
    name_words();
}

static void start_2_41(void)
{
    calls = &glibc_2_41;
    name_words();
}

static void finish(void)
{
    explore_require(tokens == 0, "%u tokens are left", tokens);
    explore_require(fs_load_relaxed(&mutex) == 0, "the mutex is held");
}

const struct explore_scenario glibc_condition_scenarios[] = {
    {
        .name = "glibc-condition/bug-25847",
        .about = "2.25 to 2.40: a signal is lost, and a waiter sleeps for ever",
        .bound = 2,
        .modes = MODE_SC | MODE_TSO,
        .must_fail = true,
        .finds = "deadlock",
        .start = start_2_25,
        .thread = {consume_one, consume_three, produce_four},
        .finish = finish,
    },
    {
        .name = "glibc-condition/bug-25847-with-one-preemption",
        .about = "2.25 to 2.40: three waiters, of which only one is held up",
        .bound = 1,
        .modes = MODE_SC | MODE_TSO,
        .must_fail = true,
        .finds = "deadlock",
        .start = start_2_25,
        .thread = {consume_one, consume_three, consume_one, produce_five},
        .finish = finish,
    },
    {
        .name = "glibc-condition/three-signals-for-two",
        .about = "2.25 to 2.40: with three signals the program comes to its end",
        .bound = 2,
        .full_bound = 4,
        .modes = MODE_SC,
        .start = start_2_25,
        .thread = {consume_one, consume_two, produce_three},
        .finish = finish,
    },
    {
        .name = "glibc-condition/repaired-with-the-same-program",
        .about = "2.41: two waiters and four signals come to their end",
        .bound = 2,
        .full_bound = 3,
        .modes = MODE_SC,
        .start = start_2_41,
        .thread = {consume_one, consume_three, produce_four},
        .finish = finish,
    },
    {
        .name = "glibc-condition/repaired-with-three-waiters",
        .about = "2.41: three waiters and five signals come to their end",
        .bound = 1,
        .modes = MODE_SC,
        .only_full = true,
        .start = start_2_41,
        .thread = {consume_one, consume_three, consume_one, produce_five},
        .finish = finish,
    },
    {
        .name = "glibc-condition/repaired-with-two-waiters",
        .about = "2.41: one signal for each of two waiters",
        .bound = 3,
        .full_bound = EXPLORE_EXHAUSTIVE,
        .modes = MODE_TSO,
        .start = start_2_41,
        .thread = {consume_one, consume_one, produce_two},
        .finish = finish,
    },
    {
        .name = "glibc-condition/repaired-in-weak-order",
        .about = "2.41: likewise on a machine that orders nothing but what is asked for",
        .bound = 1,
        .full_bound = 3,
        .modes = MODE_WEAK,
        .start = start_2_41,
        .thread = {consume_one, consume_one, produce_two},
        .finish = finish,
    },
    {.name = NULL},
};
