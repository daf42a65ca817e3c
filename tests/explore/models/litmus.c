/* SPDX-License-Identifier: MIT */
/* Litmus tests of stores that wait: store buffering, one word, sleepers (see litmus.h). */
#include "litmus.h"

fs_word litmus_x, litmus_y;
uint32_t litmus_seen[4];

#define x litmus_x
#define y litmus_y
#define seen litmus_seen

void litmus_start(void)
{
    explore_name(&x, sizeof x, "x");
    explore_name(&y, sizeof y, "y");
    explore_name(seen, sizeof seen, "seen");
}

/* ---- store buffering: each stores to one and reads the other ------------------------- */

static void buffer_x(void)
{
    fs_store_relaxed(&x, 1);
    seen[0] = fs_load_relaxed(&y);
}

static void buffer_y(void)
{
    fs_store_relaxed(&y, 1);
    seen[1] = fs_load_relaxed(&x);
}

static void buffer_x_with_release_and_acquire(void)
{
    fs_store_release(&x, 1);
    seen[0] = fs_load_acquire(&y);
}

static void buffer_y_with_release_and_acquire(void)
{
    fs_store_release(&y, 1);
    seen[1] = fs_load_acquire(&x);
}

static void buffer_x_with_fence(void)
{
    fs_store_relaxed(&x, 1);
    fs_fence_seq_cst();
    seen[0] = fs_load_relaxed(&y);
}

static void buffer_y_with_fence(void)
{
    fs_store_relaxed(&y, 1);
    fs_fence_seq_cst();
    seen[1] = fs_load_relaxed(&x);
}

static void buffer_y_with_membarrier(void)
{
    fs_store_relaxed(&y, 1);
    explore_membarrier(false);
    seen[1] = fs_load_relaxed(&x);
}

static void buffer_x_with_exchange(void)
{
    fs_exchange_relaxed(&x, 1);
    seen[0] = fs_load_relaxed(&y);
}

static void buffer_y_with_exchange(void)
{
    fs_exchange_relaxed(&y, 1);
    seen[1] = fs_load_relaxed(&x);
}

static void buffer_x_with_seq_cst(void)
{
    fs_exchange_seq_cst(&x, 1);
    seen[0] = fs_load_seq_cst(&y);
}

static void buffer_y_with_seq_cst(void)
{
    fs_exchange_seq_cst(&y, 1);
    seen[1] = fs_load_seq_cst(&x);
}

static void not_both_old(void)
{
    explore_require(seen[0] != 0 || seen[1] != 0, "both have read the old value");
}

/* ---- one word ------------------------------------------------------------------------------ */

static void write_twice(void)
{
    fs_store_relaxed(&x, 1);
    fs_store_relaxed(&x, 2);
}

static void read_twice(void)
{
    seen[0] = fs_load_relaxed(&x);
    seen[1] = fs_load_relaxed(&x);
}

static void not_backwards(void)
{
    explore_require(seen[0] <= seen[1], "%u was read, and then %u", seen[0], seen[1]);
}

static void write_and_read(void)
{
    fs_store_relaxed(&x, 1);
    seen[0] = fs_load_relaxed(&x);
}

static void write_another(void)
{
    fs_store_relaxed(&x, 2);
}

static void own_or_later(void)
{
    explore_require(seen[0] != 0, "a thread does not see its own store");
    explore_require(seen[0] == 1 || fs_load_relaxed(&x) == 2, "a store has come back");
}

static void add_one(void)
{
    fs_add_relaxed(&x, 1);
}

static void none_is_lost(void)
{
    explore_require(fs_load_relaxed(&x) == 3, "the sum is %u", fs_load_relaxed(&x));
}

static void read_x_write_y(void)
{
    seen[0] = fs_load_relaxed(&x);
    fs_store_relaxed(&y, 1);
}

static void read_y_write_x(void)
{
    seen[1] = fs_load_relaxed(&y);
    fs_store_relaxed(&x, 1);
}

static void not_from_the_future(void)
{
    explore_require(seen[0] == 0 || seen[1] == 0, "both have read what is stored later");
}

/* ---- sleeping on x; y says that somebody may sleep ------------------------------------------- */

static void sleep_until_set(void)
{
    while (fs_load_acquire(&x) == 0)
        fs_futex_wait(&x, 0, NULL, FS_SCOPE_PRIVATE);
}

static void set_and_wake(void)
{
    fs_store_release(&x, 1);
    fs_futex_wake(&x, FS_WAKE_ALL, FS_SCOPE_PRIVATE);
}

static void announce_and_sleep(void)
{
    fs_exchange_seq_cst(&y, 1);
    sleep_until_set();
}

static void set_and_wake_if_announced(void)
{
    fs_store_release(&x, 1);
    if (fs_load_acquire(&y) != 0)
        fs_futex_wake(&x, 1, FS_SCOPE_PRIVATE);
}

static void set_fence_and_wake_if_announced(void)
{
    fs_store_release(&x, 1);
    fs_fence_seq_cst();
    if (fs_load_acquire(&y) != 0)
        fs_futex_wake(&x, 1, FS_SCOPE_PRIVATE);
}

/* ---- the table -------------------------------------------------------------------------- */

#define BOTH_OLD "both have read the old value"

const struct explore_scenario litmus_scenarios[] = {
    SEEN(MODE_TSO | MODE_WEAK, "store-buffering-is-seen", "two stores wait in their buffers",
         not_both_old, BOTH_OLD, buffer_x, buffer_y),
    SEEN(MODE_TSO | MODE_WEAK, "store-buffering-with-release-and-acquire-is-seen",
         "release and acquire do not empty a buffer", not_both_old, BOTH_OLD,
         buffer_x_with_release_and_acquire, buffer_y_with_release_and_acquire),
    SEEN(MODE_TSO | MODE_WEAK, "store-buffering-with-one-fence-is-seen",
         "a fence of one thread says nothing of the other's buffer", not_both_old, BOTH_OLD,
         buffer_x, buffer_y_with_fence),
    NEVER(MODE_SC, "no-store-buffering-in-sc", "a store is seen at once", not_both_old, buffer_x,
          buffer_y),
    NEVER(ALL_MODES, "no-store-buffering-with-fences", "a fence in both", not_both_old,
          buffer_x_with_fence, buffer_y_with_fence),
    NEVER(ALL_MODES, "no-store-buffering-with-seq-cst", "sequentially consistent accesses",
          not_both_old, buffer_x_with_seq_cst, buffer_y_with_seq_cst),
    NEVER(ALL_MODES, "no-store-buffering-with-membarrier",
          "one membarrier is a fence in both threads", not_both_old, buffer_x,
          buffer_y_with_membarrier),
    NEVER(MODE_SC | MODE_TSO, "no-store-buffering-with-exchanges-in-tso",
          "on x86 any read-modify-write is a full barrier", not_both_old, buffer_x_with_exchange,
          buffer_y_with_exchange),
    SEEN(MODE_WEAK, "store-buffering-with-relaxed-exchanges-is-seen",
         "in C11 a relaxed read-modify-write orders nothing else", not_both_old, BOTH_OLD,
         buffer_x_with_exchange, buffer_y_with_exchange),

    NEVER(ALL_MODES, "one-word-never-goes-back", "two reads of one word", not_backwards,
          write_twice, read_twice),
    NEVER(ALL_MODES, "ones-own-store-is-seen", "and one that came before it is not", own_or_later,
          write_and_read, write_another),
    NEVER(ALL_MODES, "relaxed-additions-add-up", "a read-modify-write is one step", none_is_lost,
          add_one, add_one, add_one),
    NEVER(ALL_MODES, "loads-do-not-see-later-stores", "left out of the weak model on purpose",
          not_from_the_future, read_x_write_y, read_y_write_x),

    NEVER(ALL_MODES, "no-wake-up-is-lost", "the kernel compares and queues in one step", NULL,
          sleep_until_set, sleep_until_set, set_and_wake),
    NEVER(ALL_MODES, "no-announced-sleeper-is-missed",
          "both change one word, then look at the other", NULL, announce_and_sleep,
          set_fence_and_wake_if_announced),
    NEVER(MODE_SC, "no-announced-sleeper-is-missed-in-sc", "without a fence", NULL,
          announce_and_sleep, set_and_wake_if_announced),
    SEEN(MODE_TSO | MODE_WEAK, "an-announced-sleeper-is-missed",
         "the store still waits when the announcement is looked for", NULL, "deadlock",
         announce_and_sleep, set_and_wake_if_announced),
    {.name = NULL},
};
