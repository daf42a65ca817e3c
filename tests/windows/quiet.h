/* SPDX-License-Identifier: MIT */
/* What no call may touch besides errno on Windows: the thread's last error. */
#ifndef FS_TESTS_WINDOWS_QUIET_H
#define FS_TESTS_WINDOWS_QUIET_H

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include "sleepers.h"

/* As QUIET of sleepers.h, for the last error as well. */
#define STILL(call)                                                                                \
    __extension__({                                                                                \
        SetLastError(UNTOUCHED);                                                                   \
        int still_result = QUIET(call);                                                            \
        ck_assert_uint_eq(GetLastError(), UNTOUCHED);                                              \
        still_result;                                                                              \
    })

#endif
