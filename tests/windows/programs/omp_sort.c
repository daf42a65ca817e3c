/* SPDX-License-Identifier: MIT */
/* A merge sort whose halves are OpenMP tasks, and a count of the sorted numbers by their last digit
   under a critical section: what a user of libgomp-1.dll writes. Prints sums that say what came
   out; that they are right is decided by test_programs.py, which compares two runs. */
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT 300000
#define ALONE 500 /* so few numbers are one task */
#define ROUNDS 3

static int compare(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

    return (a > b) - (a < b);
}

static void merge(uint32_t *numbers, uint32_t *scratch, size_t count)
{
    size_t left = 0, right = count / 2, at = 0;

    while (left < count / 2 && right < count)
        scratch[at++] = numbers[right] < numbers[left] ? numbers[right++] : numbers[left++];
    while (left < count / 2)
        scratch[at++] = numbers[left++];
    memcpy(numbers, scratch, at * sizeof(*numbers));
}

static void sort(uint32_t *numbers, uint32_t *scratch, size_t count)
{
    if (count <= ALONE) {
        qsort(numbers, count, sizeof(*numbers), compare);
        return;
    }
#pragma omp task
    sort(numbers, scratch, count / 2);
#pragma omp task
    sort(numbers + count / 2, scratch + count / 2, count - count / 2);
#pragma omp taskwait
    merge(numbers, scratch, count);
}

static void fill(uint32_t *numbers, uint32_t seed)
{
    for (size_t i = 0; i < COUNT; i++)
        numbers[i] = seed = seed * 1664525u + 1013904223u;
}

static uint64_t sum(const uint32_t *numbers)
{
    uint64_t hash = 14695981039346656037u;

    for (size_t i = 0; i < COUNT; i++)
        hash = (hash ^ numbers[i]) * 1099511628211u;
    return hash;
}

static void count_digits(const uint32_t *numbers, unsigned digits[10])
{
    memset(digits, 0, 10 * sizeof(*digits));
#pragma omp parallel for schedule(dynamic, 50)
    for (int block = 0; block < COUNT / 100; block++) {
        unsigned mine[10] = {0};

        for (int i = 0; i < 100; i++)
            mine[numbers[block * 100 + i] % 10]++;
#pragma omp critical
        for (int digit = 0; digit < 10; digit++)
            digits[digit] += mine[digit];
    }
}

int main(void)
{
    uint32_t *numbers = malloc(COUNT * sizeof(*numbers)),
             *scratch = malloc(COUNT * sizeof(*numbers));
    unsigned digits[10];

    if (!numbers || !scratch)
        return 1;
    omp_set_num_threads(4);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        fill(numbers, round);
#pragma omp parallel
#pragma omp single
        sort(numbers, scratch, COUNT);
        count_digits(numbers, digits);
        printf("%u: %08x to %08x, sum %016llx, digits", (unsigned)round, (unsigned)numbers[0],
               (unsigned)numbers[COUNT - 1], (unsigned long long)sum(numbers));
        for (int digit = 0; digit < 10; digit++)
            printf(" %u", digits[digit]);
        printf("\n");
    }
    free(scratch);
    free(numbers);
    return 0;
}
