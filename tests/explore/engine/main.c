/* SPDX-License-Identifier: MIT */
/* The command: loads the module, picks scenarios, searches, prints a table. Its options are
   options.c's. */
#include <dlfcn.h>
#include <fnmatch.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "module.h"
#include "options.h"
#include "trace.h"

/* ---- the module ---------------------------------------------------------------------------- */

static const struct explore_module *module;

/* Its writable memory is what is left of its data segment behind the part that the loader has
   made read-only. */
static int note_segments(struct dl_phdr_info *info, size_t size, void *path)
{
    uintptr_t from = 0, to = 0, protected_to = 0;

    if (strcmp(info->dlpi_name, path) != 0)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t at = info->dlpi_addr + header->p_vaddr;

        if (header->p_type == PT_LOAD && header->p_flags & PF_W) {
            from = at;
            to = at + header->p_memsz;
        }
        if (header->p_type == PT_GNU_RELRO)
            protected_to = (at + header->p_memsz + 4095) & ~(uintptr_t)4095;
    }
    if (protected_to > from)
        from = protected_to;
    from = (from + 7) & ~(uintptr_t)7;
    if (from >= to)
        options_refuse("the module has no variables: ", path);
    memory_set_module((void *)from, to - from, module->locals,
                      (size_t)((char *)module->locals_end - (char *)module->locals));
    trace_set_module(path, info->dlpi_addr);
    return 1;
}

static void load(const char *path)
{
    char *absolute = realpath(path, NULL);
    void *handle = absolute ? dlopen(absolute, RTLD_NOW | RTLD_LOCAL) : NULL;

    if (!handle)
        options_refuse("cannot load the module: ", absolute ? dlerror() : path);
    module = dlsym(handle, "explore_module");
    if (!module)
        options_refuse("not a module of this explorer: ", path);
    session.without_wake_bits = module->without_wake_bits;
    dl_iterate_phdr(note_segments, absolute);
}

/* ---- one scenario ---------------------------------------------------------------------------- */

static bool is_named(const struct options *options, const char *name)
{
    for (unsigned i = 0; i < options->pattern_count; i++)
        if (strcmp(options->patterns[i], name) == 0)
            return true;
    return false;
}

static bool matches(const struct options *options, const char *name)
{
    for (unsigned i = 0; i < options->pattern_count; i++)
        if (fnmatch(options->patterns[i], name, 0) == 0)
            return true;
    return options->pattern_count == 0;
}

static void print_path(const struct explore_scenario *scenario, unsigned mode,
                       const struct outcome *outcome)
{
    printf("  --replay='%s:%s:", scenario->name, options_mode_name(mode));
    for (unsigned i = 0; i < outcome->path_length;) {
        unsigned n = 1;

        while (i + n < outcome->path_length && outcome->path[i + n] == outcome->path[i])
            n++;
        printf(n > 1 ? "%s%ux%u" : "%s%u", i ? "." : "", outcome->path[i], n);
        i += n;
    }
    printf("'\n");
}

static void print_json(FILE *to, const struct explore_scenario *scenario, unsigned mode,
                       const char *bound, const struct outcome *outcome, const char *verdict)
{
    fprintf(to, "{\"scenario\": \"%s\", \"mode\": \"%s\", \"bound\": \"%s\", \"states\": %llu, ",
            scenario->name, options_mode_name(mode), bound, (unsigned long long)outcome->states);
    fprintf(to, "\"schedules\": %llu, \"depth\": %u, \"seconds\": %.2f, \"verdict\": \"%s\", ",
            (unsigned long long)outcome->schedules, outcome->depth, outcome->seconds, verdict);
    fputs("\"failure\": \"", to);
    for (const char *c = session.failed ? session.failure : ""; *c; c++)
        if (*c != '"' && *c != '\\' && (unsigned char)*c >= ' ')
            fputc(*c, to);
    fputs("\"}\n", to);
    fflush(to);
}

/* What became of it. A control passes by failing as it should. */
static const char *judge(const struct explore_scenario *scenario, const struct outcome *outcome)
{
    if (outcome->verdict == VERDICT_CUT)
        return "CUT";
    if (!scenario->must_fail)
        return outcome->verdict == VERDICT_FAILED ? "FAILED" : "passed";
    if (outcome->verdict != VERDICT_FAILED)
        return "NOT FOUND";
    return scenario->finds && !strstr(session.failure, scenario->finds) ? "OTHER FAILURE" : "found";
}

static void format_bound(unsigned bound, bool random, char text[8])
{
    if (random)
        snprintf(text, 8, "random");
    else if (bound == EXPLORE_EXHAUSTIVE)
        snprintf(text, 8, "all");
    else
        snprintf(text, 8, "%u", bound & 0xffu);
}

static void run(const struct options *options, const struct explore_scenario *scenario,
                unsigned mode, struct totals *totals)
{
    struct limits limits = options->limits;
    bool random = limits.runs != 0;
    struct outcome outcome;
    const char *verdict;
    char bound[8], failure[sizeof session.failure];
    bool fine;

    limits.bound = options->full && scenario->full_bound ? scenario->full_bound : scenario->bound;
    if (options->bound >= 0)
        limits.bound = (unsigned)options->bound;
    if (limits.bound == 0 && options->bound != 0)
        limits.bound = EXPLORE_EXHAUSTIVE;
    outcome =
        random ? search_randomly(scenario, mode, &limits) : search_all(scenario, mode, &limits);
    verdict = judge(scenario, &outcome);
    fine = strcmp(verdict, "passed") == 0 || strcmp(verdict, "found") == 0;
    totals->run++;
    totals->failed += !fine;
    format_bound(limits.bound, random, bound);
    if (options->json != stdout) {
        printf("%-56s %-4s %6s %10llu %11llu %6u %7.2f  %s\n", scenario->name,
               options_mode_name(mode), bound, (unsigned long long)outcome.states,
               (unsigned long long)outcome.schedules, outcome.depth, outcome.seconds, verdict);
        fflush(stdout);
    }
    if (options->json)
        print_json(options->json, scenario, mode, bound, &outcome, verdict);
    if (options->json != stdout && outcome.verdict == VERDICT_FAILED &&
        (!fine || options->traces)) {
        memcpy(failure, session.failure, sizeof failure);
        if (!search_replay(scenario, mode, outcome.path, outcome.path_length) ||
            strcmp(failure, session.failure) != 0)
            printf("  %s\n", failure); /* what a path alone does not show: a livelock */
        print_path(scenario, mode, &outcome);
        fflush(stdout);
    }
    free(outcome.path);
}

static void run_modes(const struct options *options, const struct explore_scenario *scenario,
                      struct totals *totals)
{
    unsigned allowed = scenario->modes ? scenario->modes : options->mode ? options->mode : MODE_TSO;

    if (scenario->only_full && !options->full && !is_named(options, scenario->name))
        return;
    for (unsigned mode = MODE_SC; mode <= MODE_WEAK; mode *= 2)
        if (allowed & mode && (options->mode == 0 || options->mode == mode)) {
            run(options, scenario, mode, totals);
            if (options->until_failure && totals->failed != 0)
                return;
        }
}

/* ---- replay ------------------------------------------------------------------------------------
 */

static const struct explore_scenario *find(const char *name, size_t length)
{
    for (const struct explore_scenario *const *table = module->scenarios; *table; table++)
        for (const struct explore_scenario *s = *table; s->name; s++)
            if (strlen(s->name) == length && memcmp(s->name, name, length) == 0)
                return s;
    return NULL;
}

/* NAME:MODE:0.1x3.2, as print_path writes it. */
static int replay(const char *text)
{
    const char *mode_at = strchr(text, ':');
    const char *path_at = mode_at ? strchr(mode_at + 1, ':') : NULL;
    const struct explore_scenario *scenario = mode_at ? find(text, (size_t)(mode_at - text)) : NULL;
    static uint8_t path[65536];
    unsigned length = 0;
    char mode[8] = "";

    if (!scenario || !path_at || path_at - mode_at > 7)
        options_refuse("not a schedule of a known scenario: ", text);
    memcpy(mode, mode_at + 1, (size_t)(path_at - mode_at - 1));
    for (const char *at = path_at + 1; *at;) {
        char *end;
        unsigned long choice = strtoul(at, &end, 10), n = 1;

        if (end == at)
            options_refuse("not a schedule: ", text);
        if (*end == 'x')
            n = strtoul(end + 1, &end, 10);
        while (n-- > 0 && length < sizeof path)
            path[length++] = (uint8_t)choice;
        at = *end == '.' ? end + 1 : end;
        if (*end != '.' && *end != '\0')
            options_refuse("not a schedule: ", text);
    }
    if (!search_replay(scenario, (enum explore_mode)options_parse_mode(mode), path, length)) {
        printf("  no failure\n");
        return 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    struct options options = {.module = EXPLORE_MODULE, .bound = -1, .limits.seed = 1};
    struct totals totals = {0};
    const char *soak = getenv("FASTSYNC_SOAK");

    options.full = soak && strcmp(soak, "1") == 0;
    options_parse(argc, argv, &options);
    world_prepare();
    memory_prepare();
    load(options.module);
    if (options.replay)
        return replay(options.replay);
    if (!options.list && options.json != stdout)
        printf("%-56s %-4s %6s %10s %11s %6s %7s\n", "scenario", "mode", "bound", "states",
               "schedules", "depth", "seconds");
    for (const struct explore_scenario *const *table = module->scenarios; *table; table++)
        for (const struct explore_scenario *s = *table; s->name; s++) {
            if (!matches(&options, s->name))
                continue;
            totals.any = true;
            if (options.list)
                printf("%-56s %s\n", s->name, s->about);
            else
                run_modes(&options, s, &totals);
            if (options.until_failure && totals.failed != 0)
                goto end;
        }
end:
    if (!totals.any)
        options_refuse("no scenario matches", "");
    if (!options.list && options.json != stdout)
        printf("%u%%: Checks: %u, Failures: %u, Errors: 0\n",
               totals.run ? 100 * (totals.run - totals.failed) / totals.run : 0, totals.run,
               totals.failed);
    return totals.failed != 0;
}
