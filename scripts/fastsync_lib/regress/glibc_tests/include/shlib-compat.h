/* SPDX-License-Identifier: MIT */
/*
 * Stand-in for glibc's macros on versions of symbols. A compatibility symbol is bound to the
 * version that glibc gives its first symbols on x86-64, where it exports them at all.
 */
#ifndef FASTSYNC_STAND_IN_SHLIB_COMPAT_H
#define FASTSYNC_STAND_IN_SHLIB_COMPAT_H

#define TEST_COMPAT(library, introduced, obsoleted) 0
#define compat_symbol_reference(library, local, symbol, version)                                   \
    __asm__(".symver " #local "," #symbol "@GLIBC_2.2.5")

#endif
