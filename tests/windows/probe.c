/* SPDX-License-Identifier: MIT */
/* Says that it was run. A Wine without the libraries for a program's width ends it with success and
   without a word, so the status alone proves nothing. */
#include <stdio.h>

int main(void)
{
    printf("a program of %d bits was run\n", (int)(8 * sizeof(void *)));
    return 0;
}
