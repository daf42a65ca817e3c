/* SPDX-License-Identifier: MIT */
/* A program whose library takes locks before it. */
#include <stdio.h>

__declspec(dllimport) int early_result(void);

int main(void)
{
    printf("early: %d\n", early_result());
    return early_result();
}
