/* SPDX-License-Identifier: MIT */
/* Depth-first search over the states of the world. A state that was seen before is not entered
   again. That every state leads on to an end is checked by Tarjan's algorithm: a strongly connected
   set of states that nothing leaves and that holds no end is a livelock. */
#include "search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "moves.h"

/* A state that was seen; its number is the order of discovery. */
struct seen {
    uint64_t key;
    uint32_t low;
    bool open; /* in a strongly connected set that is not complete yet */
};

struct table {
    struct seen *seen;
    uint32_t count, capacity;
    uint32_t *slots; /* number + 1 */
    uint32_t mask;
};

/* A state on the way to where we are. */
struct node {
    struct snapshot snapshot;
    uint32_t seen;
    uint8_t next;
    uint8_t chosen;
    bool escapes; /* to an end, or to a state that does */
};

struct search {
    struct table table;
    uint32_t *open; /* Tarjan's stack */
    uint32_t open_count, open_capacity;
    struct node *path;
    unsigned depth, capacity;
    bool live; /* the world is the last node's */
    const struct limits *limits;
    struct outcome outcome;
};

double search_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void *grow(void *array, size_t count, size_t size)
{
    array = realloc(array, count * size);
    if (!array) {
        fprintf(stderr, "explorer: out of memory\n");
        exit(2);
    }
    return array;
}

static void rehash(struct table *table)
{
    table->mask = table->mask * 2 + 1;
    free(table->slots);
    table->slots = calloc((size_t)table->mask + 1, sizeof *table->slots);
    if (!table->slots) {
        fprintf(stderr, "explorer: out of memory\n");
        exit(2);
    }
    for (uint32_t i = 0; i < table->count; i++) {
        uint32_t slot = (uint32_t)table->seen[i].key & table->mask;

        while (table->slots[slot] != 0)
            slot = (slot + 1) & table->mask;
        table->slots[slot] = i + 1;
    }
}

/* The number of the state; *new tells whether it was not there. */
static uint32_t look_up(struct table *table, uint64_t key, bool *new)
{
    uint32_t slot;

    if ((table->count + 1) * 2 > table->mask)
        rehash(table);
    slot = (uint32_t)key & table->mask;
    for (; table->slots[slot] != 0; slot = (slot + 1) & table->mask)
        if (table->seen[table->slots[slot] - 1].key == key) {
            *new = false;
            return table->slots[slot] - 1;
        }
    if (table->count == table->capacity) {
        table->capacity = table->capacity * 2 + 1024;
        table->seen = grow(table->seen, table->capacity, sizeof *table->seen);
    }
    table->seen[table->count] = (struct seen){key, table->count, true};
    table->slots[slot] = table->count + 1;
    *new = true;
    return table->count++;
}

static void push(struct search *search, uint32_t seen)
{
    struct node *node;

    if (search->depth == search->capacity) {
        unsigned old = search->capacity;

        search->capacity = old * 2 + 256;
        search->path = grow(search->path, search->capacity, sizeof *search->path);
        memset(search->path + old, 0, (search->capacity - old) * sizeof *search->path);
    }
    node = &search->path[search->depth++];
    memory_save(&node->snapshot);
    node->seen = seen;
    node->next = 0;
    node->escapes = false;
    search->live = true;
    if (search->depth > search->outcome.depth)
        search->outcome.depth = search->depth;
    if (search->open_count == search->open_capacity) {
        search->open_capacity = search->open_capacity * 2 + 256;
        search->open = grow(search->open, search->open_capacity, sizeof *search->open);
    }
    search->open[search->open_count++] = seen;
}

static bool fail(struct search *search)
{
    session.failed = true;
    search->outcome.verdict = VERDICT_FAILED;
    return false;
}

/* The world is in a state that was not seen before. */
static bool enter(struct search *search, uint32_t seen)
{
    struct move moves[MOVES_MAX];
    unsigned count;

    switch (moves_list(moves, &count)) {
    case OUTLOOK_FINAL:
        search->outcome.schedules++;
        world_call(session.scenario->finish);
        search->table.seen[seen].open = false;
        if (search->depth > 0)
            search->path[search->depth - 1].escapes = true;
        search->live = false;
        return session.failed ? fail(search) : true;
    case OUTLOOK_STUCK:
        moves_describe_deadlock();
        return fail(search);
    default:
        push(search, seen);
        return true;
    }
}

/* All moves of the last node have been made. */
static bool leave(struct search *search)
{
    struct node *node = &search->path[--search->depth];
    struct node *parent = search->depth > 0 ? &search->path[search->depth - 1] : NULL;
    struct seen *seen = search->table.seen;
    bool complete = seen[node->seen].low == node->seen;
    uint32_t last;

    search->live = false;
    if (complete && !node->escapes) {
        search->depth++; /* the way to it is the failure's */
        node->next = 0;
        snprintf(session.failure, sizeof session.failure,
                 "livelock: from here on nothing leads to an end");
        return fail(search);
    }
    if (complete)
        do {
            last = search->open[--search->open_count];
            seen[last].open = false;
        } while (last != node->seen);
    if (parent) {
        parent->escapes |= node->escapes;
        if (!complete && seen[node->seen].low < seen[parent->seen].low)
            seen[parent->seen].low = seen[node->seen].low;
    }
    return true;
}

/* Makes the last node's next move. */
static bool advance(struct search *search)
{
    struct node *node = &search->path[search->depth - 1];
    struct move moves[MOVES_MAX];
    unsigned count;
    uint32_t seen;
    bool new;

    if (!search->live)
        memory_restore(&node->snapshot);
    search->live = true;
    moves_list(moves, &count);
    if (node->next == count)
        return leave(search);
    node->chosen = node->next++;
    if (search->limits->bound == EXPLORE_EXHAUSTIVE) {
        world.last = EXPLORE_NOBODY;
    } else if (world.preemptions + move_cost(&moves[node->chosen]) > search->limits->bound) {
        node->escapes = true; /* perhaps; the bound keeps us from knowing */
        return true;
    }
    search->live = false;
    if (!move_make(&moves[node->chosen]))
        return fail(search);
    if (search->limits->bound == EXPLORE_EXHAUSTIVE) {
        world.last = EXPLORE_NOBODY;
        world.preemptions = 0;
    }
    seen = look_up(&search->table, memory_hash(), &new);
    if (new)
        return enter(search, seen);
    search->outcome.schedules++;
    if (!search->table.seen[seen].open)
        node->escapes = true;
    else if (seen < search->table.seen[node->seen].low)
        search->table.seen[node->seen].low = seen;
    return true;
}

static bool is_over_limit(const struct search *search, double began)
{
    if (search->limits->states != 0 && search->table.count > search->limits->states)
        return true;
    return search->limits->seconds > 0 && (search->outcome.schedules & 1023) == 0 &&
           search_clock() - began > search->limits->seconds;
}

static void keep_path(struct search *search)
{
    search->outcome.path = grow(NULL, search->depth + 1, 1);
    search->outcome.path_length = search->depth;
    for (unsigned i = 0; i < search->depth; i++)
        search->outcome.path[i] = search->path[i].chosen;
    /* A deadlock or livelock is the last node's own. */
    if (search->depth > 0 && search->path[search->depth - 1].next == 0)
        search->outcome.path_length--;
}

struct outcome search_all(const struct explore_scenario *scenario, enum explore_mode mode,
                          const struct limits *limits)
{
    struct search search = {.limits = limits};
    double began = search_clock();
    uint32_t seen;
    bool new, fine;

    search.table.mask = 4095;
    rehash(&search.table);
    fine = world_begin(scenario, mode);
    if (fine) {
        seen = look_up(&search.table, memory_hash(), &new);
        fine = enter(&search, seen);
    } else {
        search.outcome.verdict = VERDICT_FAILED;
    }
    while (fine && search.depth > 0) {
        if (is_over_limit(&search, began)) {
            search.outcome.verdict = VERDICT_CUT;
            break;
        }
        fine = advance(&search);
    }
    if (search.outcome.verdict == VERDICT_FAILED)
        keep_path(&search);
    search.outcome.states = search.table.count;
    search.outcome.seconds = search_clock() - began;
    for (unsigned i = 0; i < search.capacity; i++)
        free(search.path[i].snapshot.bytes);
    free(search.path);
    free(search.open);
    free(search.table.seen);
    free(search.table.slots);
    return search.outcome;
}

bool search_replay(const struct explore_scenario *scenario, enum explore_mode mode,
                   const uint8_t *path, unsigned length)
{
    struct move moves[MOVES_MAX];
    unsigned count;
    enum outlook outlook = OUTLOOK_OPEN;

    trace_begin();
    session.tracing = true;
    if (world_begin(scenario, mode)) {
        for (unsigned i = 0; i < length && !session.failed; i++) {
            outlook = moves_list(moves, &count);
            if (path[i] >= count) {
                fprintf(stderr, "explorer: this schedule does not fit: step %u has no choice %u\n",
                        i + 1, path[i]);
                exit(2);
            }
            move_make(&moves[path[i]]);
        }
        if (!session.failed) {
            outlook = moves_list(moves, &count);
            if (outlook == OUTLOOK_STUCK)
                moves_describe_deadlock();
            else if (outlook == OUTLOOK_FINAL)
                world_call(scenario->finish);
        }
    }
    session.tracing = false;
    trace_state();
    return session.failed;
}
