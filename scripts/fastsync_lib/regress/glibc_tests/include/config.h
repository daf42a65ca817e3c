/* SPDX-License-Identifier: MIT */
/*
 * Stand-in for the result of glibc's configure script: nothing that it could have found is
 * assumed, and the limits of the tests are as they stand in their sources, until the environment
 * says otherwise. HAVE_TUNABLES is not defined: no test has to ask whether locks are elided.
 */
#ifndef TIMEOUTFACTOR
#define TIMEOUTFACTOR 1
#endif
