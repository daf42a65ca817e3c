/* SPDX-License-Identifier: MIT */
/* The options of the command, and what it says about wrong ones. */
#include "options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: explorer [OPTION]...\n"
    "\n"
    "  --scenario PATTERN  only scenarios whose names match (shell pattern; may be given again)\n"
    "  --mode MODE         sc, tso or weak, whatever the scenario says\n"
    "  --bound N           preemptions; \"none\" for all schedules\n"
    "  --full              the scenarios and bounds that take long, too (also FASTSYNC_SOAK=1)\n"
    "  --random RUNS       random schedules in place of all\n"
    "  --seed N            of the random schedules (default 1)\n"
    "  --time-limit S      per scenario and mode, in seconds of processor time; over it, the\n"
    "                      scenario counts as failed\n"
    "  --state-limit N     likewise\n"
    "  --until-failure     end at the first failure\n"
    "  --traces            print the schedules of controls, which fail as they should, too\n"
    "  --replay STRING     follow the schedule that a failure has printed\n"
    "  --json FILE         one line of JSON per scenario and mode; \"-\" for standard output\n"
    "  --module FILE       the locks and scenarios (default: the one built beside this program)\n"
    "  --list              the names and what they are about\n";

_Noreturn void options_refuse(const char *what, const char *value)
{
    fprintf(stderr, "explorer: %s%s (--help lists the options)\n", what, value);
    exit(2);
}

unsigned options_parse_mode(const char *text)
{
    if (strcmp(text, "sc") == 0)
        return MODE_SC;
    if (strcmp(text, "tso") == 0)
        return MODE_TSO;
    if (strcmp(text, "weak") == 0)
        return MODE_WEAK;
    options_refuse("no such mode: ", text);
}

const char *options_mode_name(unsigned mode)
{
    return mode == MODE_SC ? "sc" : mode == MODE_TSO ? "tso" : "weak";
}

static uint64_t parse_number(const char *text)
{
    char *end;
    unsigned long long number = strtoull(text, &end, 10);

    if (*text == '\0' || *text == '-' || *end != '\0')
        options_refuse("not a number: ", text);
    return number;
}

enum {
    OPTION_FIRST = 256,
    SCENARIO,
    MODE,
    BOUND,
    FULL,
    RANDOM,
    SEED,
    TIME_LIMIT,
    STATE_LIMIT,
    UNTIL_FAILURE,
    TRACES,
    REPLAY,
    JSON,
    MODULE,
    LIST,
    HELP
};

void options_parse(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        {"scenario", 1, NULL, SCENARIO},
        {"mode", 1, NULL, MODE},
        {"bound", 1, NULL, BOUND},
        {"full", 0, NULL, FULL},
        {"random", 1, NULL, RANDOM},
        {"seed", 1, NULL, SEED},
        {"time-limit", 1, NULL, TIME_LIMIT},
        {"state-limit", 1, NULL, STATE_LIMIT},
        {"until-failure", 0, NULL, UNTIL_FAILURE},
        {"traces", 0, NULL, TRACES},
        {"replay", 1, NULL, REPLAY},
        {"json", 1, NULL, JSON},
        {"module", 1, NULL, MODULE},
        {"list", 0, NULL, LIST},
        {"help", 0, NULL, HELP},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
        switch (option) {
        case SCENARIO:
            if (options->pattern_count == PATTERNS_MAX)
                options_refuse("too many patterns: ", optarg);
            options->patterns[options->pattern_count++] = optarg;
            break;
        case MODE:
            options->mode = options_parse_mode(optarg);
            break;
        case BOUND:
            options->bound =
                strcmp(optarg, "none") == 0 ? EXPLORE_EXHAUSTIVE : (int)parse_number(optarg);
            break;
        case FULL:
            options->full = true;
            break;
        case RANDOM:
            options->limits.runs = parse_number(optarg);
            break;
        case SEED:
            options->limits.seed = parse_number(optarg);
            break;
        case TIME_LIMIT:
            options->limits.seconds = (double)parse_number(optarg);
            break;
        case STATE_LIMIT:
            options->limits.states = parse_number(optarg);
            break;
        case UNTIL_FAILURE:
            options->until_failure = true;
            break;
        case TRACES:
            options->traces = true;
            break;
        case REPLAY:
            options->replay = optarg;
            break;
        case JSON:
            options->json = strcmp(optarg, "-") == 0 ? stdout : fopen(optarg, "w");
            if (!options->json)
                options_refuse("cannot write ", optarg);
            break;
        case MODULE:
            options->module = optarg;
            break;
        case LIST:
            options->list = true;
            break;
        case HELP:
            fputs(usage, stdout);
            exit(0);
        default:
            exit(2);
        }
    if (optind < argc)
        options_refuse("unexpected argument: ", argv[optind]);
}
