/* SPDX-License-Identifier: MIT */
/*
 * Cancellation at every single instruction of a wait, on the way in and on the way back. The
 * victim steps through the call with the processor's trap flag; at the chosen step its handler
 * parks it, the deed is done, and it goes on. Each step is the point of one round. By default a
 * normal mutex has every step of pthread_cond_wait's way in visited and every third of its way
 * back, the other private kinds have a few of one call. FASTSYNC_SOAK=1 visits the way back of
 * that one wholly, and a third of all steps of all calls with all kinds but ceilings. Kernel time
 * and true concurrency are left to cond_cancel_kinds.c.
 */
#include "cancel_arena.h"

#include "trap_flag.h"

enum { NEVER = 1 << 30, STEPS_MAX = 2500, ADDRESSES = 4096, PATIENCE_MS = 2, MISSES = 3 };

/* The victim's progress. park_at is written while the victim does not run. */
static int steps, park_at, begun, parked, acting, acted;

/* How often the victim has been at an address: of a loop the first two turns count. */
static struct visits {
    greg_t address;
    int times;
} visited[ADDRESSES];

static bool is_new(greg_t address)
{
    size_t i = (size_t)address * 2654435761UL / 64 % ADDRESSES;
    for (int probes = 0; probes < ADDRESSES; probes++, i = (i + 1) % ADDRESSES) {
        if (visited[i].times == 0)
            visited[i].address = address;
        if (visited[i].address == address)
            return ++visited[i].times <= 2;
    }
    return true;
}

static void park(void)
{
    raise_flag(&parked, 1);
    while (!now(&acting))
        sched_yield();
    /* What is done may need a lock that the library or libc holds at this very step. */
    struct timespec since = time_on(CLOCK_MONOTONIC);
    while (!now(&acted) && elapsed_ms(CLOCK_MONOTONIC, since) < PATIENCE_MS)
        sched_yield();
}

static void on_step(int number, siginfo_t *info, void *context)
{
    ucontext_t *interrupted = context;
    greg_t *registers = interrupted->uc_mcontext.gregs;
    (void)number;
    (void)info;
    if (!is_new(registers[TRAP_ADDRESS]))
        return;
    int step = __atomic_add_fetch(&steps, 1, __ATOMIC_SEQ_CST);
    if (step < now(&park_at) && step < STEPS_MAX)
        return;
    registers[REG_EFL] &= ~(greg_t)TRAP_FLAG;
    if (step == now(&park_at))
        park();
}

/* Stepping begins in a victim that is asleep. */
static void on_begin(int number, siginfo_t *info, void *context)
{
    ucontext_t *interrupted = context;
    (void)number;
    (void)info;
    interrupted->uc_mcontext.gregs[REG_EFL] |= (greg_t)TRAP_FLAG;
    raise_flag(&begun, 1);
}

/* Also outside of tests, where Check's own assertions may not be used. */
static void expect_steps(void)
{
    struct sigaction trap = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
    struct sigaction begin = {.sa_sigaction = on_begin, .sa_flags = SA_SIGINFO};
    REQUIRE(sigaction(SIGTRAP, &trap, NULL) == 0, "no handler for SIGTRAP");
    REQUIRE(sigaction(SIGUSR1, &begin, NULL) == 0, "no handler for SIGUSR1");
}

/* A sandbox may leave the flag without effect, set by an instruction or in a handler's context. */
static int try_the_flag(void *unused)
{
    (void)unused;
    alarm(20);
    expect_steps();
    raise_flag(&park_at, NEVER);
    trap_from_here();
    sched_yield(); /* a call, which the compiler moves nothing across */
    trap_no_more();
    int by_instruction = now(&steps);
    raise(SIGUSR1);
    trap_no_more();
    return by_instruction > 0 && now(&steps) > by_instruction ? 0 : 1;
}

static bool can_step;

#define STEP_OR_SKIP()                                                                             \
    do {                                                                                           \
        if (!can_step)                                                                             \
            SKIP_TEST("the processor's trap flag has no effect here");                             \
    } while (0)

/* What a sweep has seen. */
static int rounds_parked, rounds_cancelled;

static char *describe(enum wait_call call, enum deed deed, const char *way, int step)
{
    static char text[128];
    snprintf(text, sizeof text, "%s%s, call %d, deed %d, %s, step %d", arena.kind->name,
             arena.shared ? " with a shared condition" : "", call, deed, way, step);
    return text;
}

static void reset(int at)
{
    memset(visited, 0, sizeof visited);
    steps = begun = parked = acting = acted = 0;
    park_at = at;
}

static bool has_ended(const struct waiter *w)
{
    return now(&w->took) || now(&w->cleaned_up);
}

/* Returns when the victim is parked, asleep or at its end. */
static void await_rest(struct waiter *victim)
{
    int last = -1;
    for (int times = 0; !now(&parked) && !has_ended(victim); look_again(&times, "the step")) {
        bool asleep = thread_state(victim->thread.tid) == 'S';
        if (asleep && now(&steps) == last)
            return;
        last = asleep ? now(&steps) : -1;
    }
}

/* The deed at one step of the way in. False when the victim fell asleep before that step. */
static bool deed_on_the_way_in(struct waiter *victim, enum deed deed, int step)
{
    struct waiter witness = {.call = victim->call};
    conform_context = describe(victim->call, deed, "in", step);
    thread_start(&witness.thread, take, &witness);
    await_waiting(1);
    reset(step);
    thread_start(&victim->thread, take, victim);
    await_rest(victim);
    bool here = now(&parked);
    raise_flag(&acting, 1);
    /* With the mutex when the victim has given it up, in every second round. */
    bool held = step % 2 && pthread_mutex_trylock(&arena.mutex) == 0;
    do_first(deed, victim);
    do_then(deed, victim);
    if (held)
        OK(pthread_mutex_unlock(&arena.mutex));
    raise_flag(&acted, 1);
    rounds_cancelled += settle(deed, victim, &witness);
    rounds_parked += here;
    return here;
}

/* The first half of the deed wakes the victim, the second comes at one step of its way back. */
static bool deed_on_the_way_back(struct waiter *victim, enum deed deed, int step)
{
    struct waiter witness = {.call = victim->call};
    conform_context = describe(victim->call, deed, "back", step);
    reset(NEVER);
    thread_start(&victim->thread, take, victim);
    await_waiting(1);
    await_rest(victim);
    OK(pthread_kill(victim->thread.id, SIGUSR1));
    wait_for_flag(&begun, 1);
    await_rest(victim); /* it has gone back to sleep, step by step */
    memset(visited, 0, sizeof visited);
    raise_flag(&park_at, now(&steps) + step);
    thread_start(&witness.thread, take, &witness);
    await_waiting(2);
    do_first(deed, victim);
    for (int times = 0; !has_ended(&witness) && !has_ended(victim) && !now(&parked);)
        look_again(&times, "the step");
    bool here = now(&parked);
    raise_flag(&acting, 1);
    do_then(deed, victim);
    raise_flag(&acted, 1);
    rounds_cancelled += settle(deed, victim, &witness);
    rounds_parked += here;
    return here;
}

/* All steps, a stride apart. The deed changes from one to the next. */
static void sweep_the_way_in(const struct waiter *model, int stride, int offset)
{
    int deed = offset, missed = 0;
    rounds_parked = rounds_cancelled = 0;
    for (int step = 1 + offset % stride; missed < MISSES && step < STEPS_MAX; step += stride) {
        struct waiter victim = *model;
        victim.before_wait = trap_from_here;
        missed = deed_on_the_way_in(&victim, deed++ % DEEDS, step) ? 0 : missed + 1;
    }
    ck_assert_int_gt(rounds_parked, 50 / stride);
    ck_assert_int_gt(rounds_cancelled, 0);
}

/* A cancelled victim goes on stepping while its stack unwinds, which is not looked at. */
static void sweep_the_way_back(const struct waiter *model, int stride, int offset)
{
    static const enum deed deeds[] = {SIGNAL_THEN_CANCEL, BROADCAST_THEN_CANCEL, CANCEL_THEN_SIGNAL,
                                      CANCEL_THEN_BROADCAST};
    int end = STEPS_MAX;
    rounds_parked = 0;
    for (size_t i = 0; i < COUNT_OF(deeds); i++) {
        int missed = 0, step = 1 + offset++ % stride;
        for (; missed < MISSES && step < end; step += stride) {
            struct waiter victim = *model;
            missed = deed_on_the_way_back(&victim, deeds[i], step) ? 0 : missed + 1;
        }
        if (i == 0)
            end = step + 50;
    }
    ck_assert_int_gt(rounds_parked, 0);
}

/* The way back is taken four times, once for each order of two events. */
static void sweep(enum wait_call call, bool asynchronous, int stride, int offset)
{
    struct waiter model = {.call = call, .asynchronous = asynchronous};
    struct waiter first = model;
    expect_steps();
    deed_on_the_way_in(&first, CANCEL, NEVER); /* every name is bound from here on */
    model.after_wait = trap_no_more;
    sweep_the_way_in(&model, stride, offset);
    sweep_the_way_back(&model, is_soak() || stride > 1 ? stride : 3, offset);
}

START_TEST(at_every_step_of_a_wait_with_a_normal_mutex)
{
    STEP_OR_SKIP();
    arena_open(0, false);
    sweep(WAIT, false, 1, 0);
    arena_close();
}
END_TEST

/* Every step of every call, or with each kind a few steps of one call. */
static void sample(int kind, bool shared, bool asynchronous, int wanted)
{
    int stride = is_soak() ? 3 : wanted;
    arena_open(kind, shared);
    for (int call = 0; call < WAIT_CALLS; call++)
        if (is_soak() || call == (kind + shared) % WAIT_CALLS)
            sweep(call, asynchronous, stride, kind + 5 * call);
    arena_close();
}

/* The index is the kind of the mutex. A shared condition variable is libc's with the library too,
 * and adaptive mutexes wait like normal ones: the two share their rounds. */
START_TEST(at_many_steps_of_a_wait_with_every_kind_of_mutex)
{
    STEP_OR_SKIP();
    if (is_soak() || _i % 4 != 3)
        sample(_i, false, false, 67);
    if (is_soak() || _i % 4 == 3)
        sample(_i, true, false, 67);
}
END_TEST

/* POSIX and libc leave this undefined: a wait is not async-cancel-safe. The library's is. */
START_TEST(at_many_steps_with_asynchronous_cancellation)
{
    STEP_OR_SKIP();
    sample(_i, false, true, 67);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cond_cancel_points");
    TCase *tcase = conform_case(suite, "steps");
    can_step = child_wait(child_start(try_the_flag, NULL)) == 0;
    if (is_soak())
        tcase_set_timeout(tcase, 20 * CONFORM_TIMEOUT);
    tcase_add_test(tcase, at_every_step_of_a_wait_with_a_normal_mutex);
    /* By default the private ones; four of each eight are process-shared. */
    for (int kind = 0; kind < MUTEX_PP_KINDS_BEGIN; kind += 8)
        tcase_add_loop_test(tcase, at_many_steps_of_a_wait_with_every_kind_of_mutex, kind,
                            kind + (is_soak() ? 8 : 4));
    for (int kind = 0; under_library() && kind < MUTEX_PP_KINDS_BEGIN; kind += 8)
        tcase_add_loop_test(tcase, at_many_steps_with_asynchronous_cancellation, kind, kind + 1);
    return conform_run(suite);
}
