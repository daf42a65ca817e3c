/* SPDX-License-Identifier: MIT */
/* For whom a grant of the lock word is, and who asked for it; kept from the events. */
#ifndef FS_EXPLORE_WORD_GRANTS_H
#define FS_EXPLORE_WORD_GRANTS_H

#include "word_parts.h"

/* Instead of explore_set_priority. */
void word_make_urgent(unsigned thread, unsigned priority);

unsigned word_priority_of(unsigned thread);

/* Those that have made the word hungry, one bit for each. */
uint8_t word_who_asked(void);

/* Whether an ordinary thread acquires what was granted to a sleeper. Asked before the event is
   observed. */
bool word_is_overtaking(const struct explore_event *event);

/* Those whom the grant is for, while it is not taken: the kernel chooses one of them. */
uint8_t word_whom_it_is_granted(void);

/* Also calls watch_word_observe. */
void word_observe_grants(const struct explore_event *event);

/* While the clock stands still, no ordinary thread takes what was granted to a sleeper. */
void word_observe_overtaking(const struct explore_event *event);

#endif
