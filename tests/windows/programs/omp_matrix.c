/* SPDX-License-Identifier: MIT */
/* Products of matrices of numbers modulo a prime, with OpenMP: rows are given out one by one, each
   column has an omp_lock_t that guards its sum, an ordered section prints, and a nested lock
   counts. What comes out is compared by test_programs.py. */
#include <omp.h>
#include <stdint.h>
#include <stdio.h>

#define SIZE 160
#define PRIME 998244353u
#define POWERS 4

typedef uint32_t matrix[SIZE][SIZE];

static matrix one, other, product;
static omp_lock_t column_locks[SIZE];
static omp_nest_lock_t count_lock;
static uint64_t columns[SIZE];
static unsigned rows_done;

static void fill(matrix into, uint32_t seed)
{
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++)
            into[i][j] = (seed = seed * 1664525u + 1013904223u) % PRIME;
}

/* Two levels of the same lock, as a function that calls another with the lock held. */
static void count_row(void)
{
    omp_set_nest_lock(&count_lock);
    omp_set_nest_lock(&count_lock);
    rows_done++;
    omp_unset_nest_lock(&count_lock);
    omp_unset_nest_lock(&count_lock);
}

static void multiply_row(int row)
{
    for (int j = 0; j < SIZE; j++) {
        uint64_t cell = 0;

        for (int k = 0; k < SIZE; k++)
            cell = (cell + (uint64_t)one[row][k] * other[k][j]) % PRIME;
        product[row][j] = (uint32_t)cell;
        omp_set_lock(&column_locks[j]);
        columns[j] += cell;
        omp_unset_lock(&column_locks[j]);
    }
    count_row();
}

static void multiply(int power)
{
#pragma omp parallel for schedule(dynamic, 1)
    for (int row = 0; row < SIZE; row++)
        multiply_row(row);
#pragma omp parallel for ordered schedule(static, 1)
    for (int part = 0; part < 8; part++) {
        uint64_t hash = 0;

        for (int j = part; j < SIZE; j += 8)
            hash = hash * 1099511628211u + columns[j];
#pragma omp ordered
        printf("power %d, part %d: %016llx\n", power, part, (unsigned long long)hash);
    }
}

int main(void)
{
    omp_set_num_threads(4);
    omp_init_nest_lock(&count_lock);
    for (int j = 0; j < SIZE; j++)
        omp_init_lock(&column_locks[j]);
    fill(one, 1);
    fill(other, 2);
    for (int power = 1; power <= POWERS; power++) {
        multiply(power);
        for (int i = 0; i < SIZE; i++)
            for (int j = 0; j < SIZE; j++)
                other[i][j] = product[i][j];
    }
    printf("%u rows\n", rows_done);
    for (int j = 0; j < SIZE; j++)
        omp_destroy_lock(&column_locks[j]);
    omp_destroy_nest_lock(&count_lock);
    return 0;
}
