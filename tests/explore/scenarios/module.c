/* SPDX-License-Identifier: MIT */
/* The table of all scenarios, and the module's own boundaries. */
#include "engine/module.h"

static const struct explore_scenario *const scenarios[] = {
    litmus_scenarios,
    litmus_messages_scenarios,
    word_scenarios,
    word_moved_scenarios,
    word_freed_scenarios,
    hunger_scenarios,
    urgent_scenarios,
    members_scenarios,
    mutex_scenarios,
    mutex_again_scenarios,
    mutex_calls_scenarios,
    debt_scenarios,
    debts_scenarios,
    turn_over_scenarios,
    robust_scenarios,
    pi_scenarios,
    pi_robust_scenarios,
    condition_scenarios,
    several_scenarios,
    owed_scenarios,
    broadcast_scenarios,
    led_scenarios,
    native_scenarios,
    cancel_scenarios,
    condition_pi_scenarios,
    condition_pi_several_scenarios,
    group_scenarios,
    fork_scenarios,
    rwlock_scenarios,
    glibc_condition_scenarios,
    reserved_mutex_scenarios,
    reserved_flaws_scenarios,
    reader_slots_scenarios,
    slot_flaws_scenarios,
    breaks_scenarios,
    breaks_condition_scenarios,
    breaks_moves_scenarios,
    breaks_robust_scenarios,
    guarded_scenarios,
    extra_scenarios,
    NULL,
};

extern char __start_sim_thread_locals[]; /* NOLINT: the linker's names */
extern char __stop_sim_thread_locals[];  /* NOLINT */

#ifdef FS_WITHOUT_WAKE_BITS
#define WITHOUT_WAKE_BITS true
#else
#define WITHOUT_WAKE_BITS false
#endif

const struct explore_module explore_module = {
    .scenarios = scenarios,
    .without_wake_bits = WITHOUT_WAKE_BITS,
    .locals = __start_sim_thread_locals,
    .locals_end = __stop_sim_thread_locals,
};
