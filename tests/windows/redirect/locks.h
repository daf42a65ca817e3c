/* SPDX-License-Identifier: MIT */
/* Every function of winpthreads that is redirected, called a known number of times. The numbers
   stand in test_redirect.py. */
#ifndef TEST_REDIRECT_LOCKS_H
#define TEST_REDIRECT_LOCKS_H

/* Returns 0, or the line of a call that gave another result than it should. */
int use_locks(void);

#endif
