/* SPDX-License-Identifier: MIT */
/* The calls that a compiler makes by itself, to copy, fill and compare memory: on Windows they are
   in the C runtime, which the library does without. By string instructions, which no compiler takes
   for a loop that is such a call. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static void copy_forwards(void *to, const void *from, size_t size)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size)::"memory");
}

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    copy_forwards(to, from, size);
    return to;
}

void *memset(void *to, int byte, size_t size)
{
    void *start = to;

    __asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(byte) : "memory");
    return start;
}

void *memmove(void *to, const void *from, size_t size)
{
    char *last_to = (char *)to + size - 1;
    const char *last_from = (const char *)from + size - 1;

    if ((uintptr_t)to - (uintptr_t)from >= size)
        copy_forwards(to, from, size);
    else
        __asm__ volatile("std\n\trep movsb\n\tcld"
                         : "+D"(last_to), "+S"(last_from), "+c"(size)::"memory");
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *first = a;
    const unsigned char *second = b;

    for (; size > 0; size--, first++, second++)
        if (*first != *second)
            return *first - *second;
    return 0;
}

size_t strlen(const char *text)
{
    const volatile char *end = text; /* volatile: a plain loop would become this call */

    while (*end)
        end++;
    return (size_t)(end - text);
}

int strcmp(const char *a, const char *b)
{
    for (; *a && *a == *b; a++, b++)
        ;
    return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t size)
{
    for (; size > 0 && *a && *a == *b; a++, b++, size--)
        ;
    return size == 0 ? 0 : (unsigned char)*a - (unsigned char)*b;
}
