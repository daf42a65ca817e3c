/* SPDX-License-Identifier: MIT */
/* Processes with and without the library share process-shared objects in a mapped file and are
   killed at random moments: never two inside, no update lost, nobody stuck, and for each owner of a
   robust mutex that dies exactly one heir.

   A cell is a kind of object and a pair of sides, of which A has made the objects; the pair where
   both have libc alone tests the program. The coordinator, which uses no lock, kills in bursts and
   has all members rest after each. How a member lives is decided in mixed_processes_member.c, what
   its death costs in mixed_processes_deaths.c, and what must hold then in mixed_processes_rest.c.
 */
#include "mixed_processes_cell.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CELLS = 64, /* at most */
    KILLS = 1584,
    SOAK_KILLS = 10120,
    BURST = 6,
    PAUSE_US = 3000, /* between two kills of a burst, at most */
    CELL_TIMEOUT_S = 250,
};

static const struct mixed_pair pairs[] = {
    {"A without, B without", {false, false}},
    {"A with, B without", {true, false}},
    {"A without, B with", {false, true}},
    {"A with, B with", {true, true}},
};
enum { PAIRS = sizeof pairs / sizeof *pairs };

static struct mixed_figures *results; /* one per cell, in memory shared with Check's children */
static unsigned long kills_per_cell;
static int only_cell = -1; /* the only one to run, if not negative */

struct mixed_cell cell;

double mixed_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void mixed_give_up(const char *format, ...)
{
    const char *kind = mixed_kinds[cell.area->kind].name;
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    dprintf(STDERR_FILENO, "mixed_processes, %s, %s, --seed %llu --cell %d, after %lu kills: %s\n",
            kind, cell.pair->name, (unsigned long long)cell.seed, (int)(cell.figures - results),
            cell.figures->kills, text);
    mixed_report(cell.area, cell.seats);
    for (int seat = 0; seat < MIXED_SEATS; seat++)
        if (cell.seats[seat] != 0 && !mixed_life_in(seat)->dead)
            kill(mixed_life_in(seat)->pid, SIGKILL);
    ck_abort_msg("%s, %s: %s", kind, cell.pair->name, text);
}

/* ---- cells ---- */

static struct mixed_area *map_area(int fd)
{
    return mmap(NULL, sizeof(struct mixed_area), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

static void open_cell(int number)
{
    int status = -1;

    cell.random.state = cell.seed ^ ((uint64_t)(number + 1) << 48);
    cell.pair = &pairs[number % PAIRS];
    cell.figures = &results[number];
    cell.fd = memfd_create("mixed_processes", 0);
    ck_assert_int_ge(cell.fd, 0);
    ck_assert_int_eq(ftruncate(cell.fd, sizeof(struct mixed_area)), 0);
    cell.area = map_area(cell.fd);
    ck_assert_ptr_ne(cell.area, MAP_FAILED);
    cell.area->kind = number / PAIRS;
    cell.area->object_count = 2 * (int)kills_per_cell + 20;
    ck_assert_int_le(cell.area->object_count, MIXED_OBJECTS);
    cell.area->coordinator = getpid();
    cell.area->seed = stress_next(&cell.random);
    pid_t maker = mixed_execute(0, cell.pair->library[0]);
    ck_assert_int_eq(waitpid(maker, &status, 0), maker);
    ck_assert_msg(status == 0, "making the objects gives %#x %s", (unsigned)status,
                  cell.area->failure.text);
    mixed_seat_everybody();
}

/* One that has arrived. */
static int choose_victim(void)
{
    double begin = mixed_now();

    for (;;) {
        int seat = (int)stress_below(&cell.random, MIXED_SEATS);
        if (mixed_life_in(seat)->stage != MIXED_STARTING)
            return seat;
        mixed_look_for_failures();
        if (mixed_now() - begin > MIXED_PATIENCE_S)
            mixed_give_up("member %u does not begin", cell.seats[seat]);
        usleep(100);
    }
}

static void kill_somebody(void)
{
    int victims[2] = {choose_victim(), choose_victim()};
    bool two = victims[0] != victims[1] && stress_below(&cell.random, 4) == 0;

    mixed_kill(victims, two ? 2 : 1);
}

static void print_figures(const char *what, const struct mixed_figures *f)
{
    printf("%-39s %5lu kills, %lu of members with the library: ", what, f->kills,
           f->kills_with_library);
    for (int stage = MIXED_OUTSIDE; stage < MIXED_STAGES; stage++)
        if (f->at[stage] != 0)
            printf("%lu %s, ", f->at[stage], mixed_stage_names[stage]);
    printf("%lu heirs; %lu objects retired, %lu members put away (%lu by libc's assertions), "
           "%lu nudges, %lu rounds\n",
           f->heirs, f->retired, f->put_away, f->aborts, f->nudges, f->rounds);
    fflush(stdout);
}

START_TEST(members_are_killed_and_the_others_go_on)
{
    struct mixed_figures *f;
    char name[80];

    open_cell(_i);
    f = cell.figures;
    while (f->kills < kills_per_cell) {
        cell.area->rest = 0;
        for (unsigned n = 1 + stress_below(&cell.random, BURST); n > 0; n--) {
            usleep(stress_below(&cell.random, PAUSE_US));
            kill_somebody();
        }
        mixed_rest();
    }
    mixed_kill_everybody();
    snprintf(name, sizeof name, "%s, %s", mixed_kinds[cell.area->kind].name, cell.pair->name);
    print_figures(name, f);
    ck_assert_uint_gt(f->rounds, 0);
}
END_TEST

/* ---- the program ---- */

static void add_figures(struct mixed_figures *sum, const struct mixed_figures *f)
{
    sum->kills += f->kills;
    sum->kills_with_library += f->kills_with_library;
    for (int stage = 0; stage < MIXED_STAGES; stage++)
        sum->at[stage] += f->at[stage];
    sum->heirs += f->heirs;
    sum->retired += f->retired;
    sum->put_away += f->put_away;
    sum->aborts += f->aborts;
    sum->nudges += f->nudges;
    sum->rounds += f->rounds;
}

static void print_sums(int cells)
{
    struct mixed_figures all = {0};

    for (int p = 0; p < PAIRS; p++) {
        struct mixed_figures sum = {0};
        for (int number = p; number < cells; number += PAIRS)
            add_figures(&sum, &results[number]);
        add_figures(&all, &sum);
        print_figures(pairs[p].name, &sum);
    }
    print_figures("all", &all);
}

static int be_a_member(char **argv)
{
    struct mixed_area *area = map_area(atoi(argv[2]));

    if (area == MAP_FAILED)
        return 2;
    return mixed_member(area, (unsigned)atoi(argv[3]), strcmp(argv[4], "with") == 0);
}

static bool read_options(int argc, char **argv, unsigned long *kills)
{
    const char *soak = getenv("FASTSYNC_SOAK");

    cell.seed = (uint64_t)(mixed_now() * 1e9);
    *kills = soak && *soak && strcmp(soak, "0") != 0 ? SOAK_KILLS : KILLS;
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc)
            return false;
        if (strcmp(argv[i], "--seed") == 0)
            cell.seed = strtoull(argv[i + 1], NULL, 0);
        else if (strcmp(argv[i], "--kills") == 0)
            *kills = strtoul(argv[i + 1], NULL, 0);
        else if (strcmp(argv[i], "--cell") == 0)
            only_cell = atoi(argv[i + 1]);
        else
            return false;
    }
    return *kills > 0 && only_cell < mixed_kind_count * PAIRS;
}

static int run(int cells)
{
    Suite *suite = suite_create("mixed_processes");
    TCase *tcase = tcase_create("mixed_processes");
    SRunner *runner = srunner_create(suite);

    tcase_set_timeout(tcase, CELL_TIMEOUT_S);
    tcase_add_loop_test(tcase, members_are_killed_and_the_others_go_on,
                        only_cell < 0 ? 0 : only_cell, only_cell < 0 ? cells : only_cell + 1);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed;
}

int main(int argc, char **argv)
{
    const char *library = getenv("FASTSYNC_LIBRARY");
    int cells = mixed_kind_count * PAIRS;
    unsigned long kills;

    if (argc == 5 && strcmp(argv[1], "--member") == 0)
        return be_a_member(argv);
    if (!read_options(argc, argv, &kills) || !library) {
        fprintf(stderr, "usage: FASTSYNC_LIBRARY=PATH %s [--seed N] [--kills N] [--cell N]\n",
                argv[0]);
        return 2;
    }
    mixed_prepare_environments(library);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* libc's assertions shall leave no files */
    kills_per_cell = only_cell < 0 ? (kills + (unsigned)cells - 1) / (unsigned)cells : kills;
    results = mmap(NULL, CELLS * sizeof *results, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (results == MAP_FAILED)
        return 2;
    printf("mixed_processes: --seed %llu --kills %lu, %d cells\n", (unsigned long long)cell.seed,
           kills, cells);
    fflush(stdout);
    int failed = run(cells);
    print_sums(cells);
    return failed ? 1 : 0;
}
