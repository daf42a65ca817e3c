/* SPDX-License-Identifier: MIT */
/* Litmus tests of what is published and in which order: message passing, release sequences, two
   writers and two readers (see litmus.h). */
#include "litmus.h"

#define x litmus_x
#define y litmus_y
#define seen litmus_seen

/* ---- message passing: data in x, told by y --------------------------------------------- */

static void send_relaxed(void)
{
    fs_store_relaxed(&x, 1);
    fs_store_relaxed(&y, 1);
}

static void send_release(void)
{
    fs_store_relaxed(&x, 1);
    fs_store_release(&y, 1);
}

static void send_with_fence(void)
{
    fs_store_relaxed(&x, 1);
    fs_fence_seq_cst();
    fs_store_relaxed(&y, 1);
}

static void receive_relaxed(void)
{
    seen[0] = fs_load_relaxed(&y);
    seen[1] = fs_load_relaxed(&x);
}

static void receive_acquire(void)
{
    seen[0] = fs_load_acquire(&y);
    seen[1] = fs_load_relaxed(&x);
}

static void receive_with_fence(void)
{
    seen[0] = fs_load_relaxed(&y);
    fs_fence_seq_cst();
    seen[1] = fs_load_relaxed(&x);
}

static void receive_by_cas(void)
{
    uint32_t told = 1;

    if (fs_cas_acquire(&y, &told, 2))
        seen[0] = 1;
    seen[1] = fs_load_relaxed(&x);
}

static void receive_by_relaxed_cas(void)
{
    uint32_t told = 1;

    if (fs_cas_relaxed(&y, &told, 2))
        seen[0] = 1;
    seen[1] = fs_load_relaxed(&x);
}

static void data_after_message(void)
{
    explore_require(seen[0] == 0 || seen[1] == 1, "the message is there and the data is old");
}

/* Others take part in the message: 1 becomes 2 before the receiver reads it. */

static void pass_on_by_rmw(void)
{
    uint32_t told = 1;

    fs_cas_relaxed(&y, &told, 2);
}

static void pass_on_by_store(void)
{
    if (fs_load_relaxed(&y) == 1)
        fs_store_relaxed(&y, 2);
}

static void pass_on_acquired(void)
{
    if (fs_load_acquire(&y) == 1)
        fs_store_release(&y, 2);
}

static void data_after_second_message(void)
{
    explore_require(seen[0] != 2 || seen[1] == 1, "the message is there and the data is old");
}

/* ---- two writers, two readers ---------------------------------------------------------------- */

static void write_x(void)
{
    fs_store_release(&x, 1);
}

static void write_y(void)
{
    fs_store_release(&y, 1);
}

static void write_x_seq_cst(void)
{
    fs_exchange_seq_cst(&x, 1);
}

static void write_y_seq_cst(void)
{
    fs_exchange_seq_cst(&y, 1);
}

static void read_x_then_y(void)
{
    seen[0] = fs_load_acquire(&x);
    seen[1] = fs_load_acquire(&y);
}

static void read_y_then_x(void)
{
    seen[2] = fs_load_acquire(&y);
    seen[3] = fs_load_acquire(&x);
}

static void read_x_then_y_seq_cst(void)
{
    seen[0] = fs_load_seq_cst(&x);
    seen[1] = fs_load_seq_cst(&y);
}

static void read_y_then_x_seq_cst(void)
{
    seen[2] = fs_load_seq_cst(&y);
    seen[3] = fs_load_seq_cst(&x);
}

static void same_order_for_both(void)
{
    explore_require(seen[0] != 1 || seen[1] != 0 || seen[2] != 1 || seen[3] != 0,
                    "the readers disagree about which came first");
}

/* ---- the table -------------------------------------------------------------------------- */

#define OLD_DATA "the message is there and the data is old"
#define DISAGREE "the readers disagree"

const struct explore_scenario litmus_messages_scenarios[] = {
    NEVER(MODE_SC | MODE_TSO, "messages-in-order-in-tso",
          "stores drain in order, loads do not wait", data_after_message, send_relaxed,
          receive_relaxed),
    SEEN(MODE_WEAK, "relaxed-messages-overtake", "nothing orders the two words", data_after_message,
         OLD_DATA, send_relaxed, receive_relaxed),
    SEEN(MODE_WEAK, "release-alone-is-not-enough", "the receiver does not acquire",
         data_after_message, OLD_DATA, send_release, receive_relaxed),
    SEEN(MODE_WEAK, "acquire-alone-is-not-enough", "the sender does not release",
         data_after_message, OLD_DATA, send_relaxed, receive_acquire),
    SEEN(MODE_WEAK, "relaxed-cas-is-not-enough", "the receiver takes the message without acquiring",
         data_after_message, OLD_DATA, send_release, receive_by_relaxed_cas),
    NEVER(ALL_MODES, "release-and-acquire", "the data is there when the message is",
          data_after_message, send_release, receive_acquire),
    NEVER(ALL_MODES, "release-and-acquiring-cas", "likewise, by a compare-and-swap",
          data_after_message, send_release, receive_by_cas),
    NEVER(ALL_MODES, "fences-in-both", "relaxed accesses around fences", data_after_message,
          send_with_fence, receive_with_fence),
    NEVER(ALL_MODES, "release-sequence", "a relaxed read-modify-write hands the release on",
          data_after_second_message, send_release, pass_on_by_rmw, receive_acquire),
    SEEN(MODE_WEAK, "a-store-ends-a-release-sequence", "a store of another thread does not",
         data_after_second_message, OLD_DATA, send_release, pass_on_by_store, receive_acquire),
    NEVER(ALL_MODES, "causality", "release and acquire add up over three threads",
          data_after_second_message, send_release, pass_on_acquired, receive_acquire),

    NEVER(MODE_SC | MODE_TSO, "readers-agree-in-tso", "there is one order of all stores",
          same_order_for_both, write_x, write_y, read_x_then_y, read_y_then_x),
    SEEN(MODE_WEAK, "readers-disagree", "acquire does not make one order of all stores",
         same_order_for_both, DISAGREE, write_x, write_y, read_x_then_y, read_y_then_x),
    NEVER(ALL_MODES, "readers-agree-with-seq-cst", "sequential consistency does",
          same_order_for_both, write_x_seq_cst, write_y_seq_cst, read_x_then_y_seq_cst,
          read_y_then_x_seq_cst),
    {.name = NULL},
};
