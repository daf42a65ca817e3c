/* SPDX-License-Identifier: MIT */
/* The places of thread.h before anybody has found better ones. */
#include "futex/thread.h"

static const char not_alone;

uintptr_t fs_thread_id_offset;
const char *fs_single_threaded_flag = &not_alone;
fs_byte fs_may_be_alone = {1};
