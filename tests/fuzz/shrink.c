/* SPDX-License-Identifier: MIT */
/*
 * The shrinker: calls that were left out go first, then runs of calls, halved until single ones
 * are tried; then whole threads and objects are merged into lower ones, and what is left of every
 * byte is made plainer. Repeated until nothing can be taken away.
 */
#include "shrink.h"

#include <string.h>

struct shrinking {
    uint8_t *bytes;
    size_t size;
    bool used[STEPS_MAX];
    shrink_fails *fails;
};

static size_t steps_of(const struct shrinking *s)
{
    return s->size <= HEAD_BYTES ? 0 : (s->size - HEAD_BYTES) / STEP_BYTES;
}

/* Keeps the candidate if it still fails. */
static bool take(struct shrinking *s, const uint8_t *bytes, size_t size)
{
    if ((size == s->size && memcmp(bytes, s->bytes, size) == 0) || !s->fails(bytes, size, s->used))
        return false;
    memcpy(s->bytes, bytes, size);
    s->size = size;
    return true;
}

static bool take_without(struct shrinking *s, size_t first, size_t count)
{
    uint8_t candidate[SCRIPT_BYTES_MAX];
    size_t from = HEAD_BYTES + first * STEP_BYTES, to = from + count * STEP_BYTES;

    memcpy(candidate, s->bytes, from);
    memcpy(candidate + from, s->bytes + to, s->size - to);
    return take(s, candidate, s->size - (to - from));
}

static bool drop_unused(struct shrinking *s)
{
    uint8_t candidate[SCRIPT_BYTES_MAX];
    size_t size = HEAD_BYTES;

    memcpy(candidate, s->bytes, HEAD_BYTES);
    for (size_t i = 0; i < steps_of(s); i++) {
        if (!s->used[i])
            continue;
        memcpy(candidate + size, s->bytes + HEAD_BYTES + i * STEP_BYTES, STEP_BYTES);
        size += STEP_BYTES;
    }
    return take(s, candidate, size);
}

static bool drop_runs(struct shrinking *s)
{
    bool is_smaller = false;

    for (size_t run = steps_of(s) / 2; run >= 1; run /= 2)
        for (size_t first = 0; first + run <= steps_of(s);)
            if (take_without(s, first, run))
                is_smaller = true;
            else
                first += run;
    return is_smaller;
}

/* A call and the one that undoes it often have to go together. */
static bool drop_pairs(struct shrinking *s)
{
    for (size_t i = 0; i < steps_of(s) && steps_of(s) <= 24; i++)
        for (size_t j = i + 1; j < steps_of(s); j++) {
            uint8_t before[SCRIPT_BYTES_MAX];
            size_t size = s->size;

            memcpy(before, s->bytes, size);
            memmove(s->bytes + HEAD_BYTES + j * STEP_BYTES,
                    s->bytes + HEAD_BYTES + (j + 1) * STEP_BYTES,
                    size - HEAD_BYTES - (j + 1) * STEP_BYTES);
            s->size -= STEP_BYTES;
            if (take_without(s, i, 1))
                return true;
            memcpy(s->bytes, before, size);
            s->size = size;
        }
    return false;
}

static bool merge_threads(struct shrinking *s)
{
    bool is_smaller = false;

    for (int from = THREADS - 1; from > 0; from--)
        for (int to = 0; to < from; to++) {
            uint8_t candidate[SCRIPT_BYTES_MAX];

            memcpy(candidate, s->bytes, s->size);
            for (size_t at = HEAD_BYTES; at + STEP_BYTES <= s->size; at += STEP_BYTES)
                if (candidate[at] >> 6 == from)
                    candidate[at] = (uint8_t)((candidate[at] & 63) | to << 6);
            if (take(s, candidate, s->size)) {
                is_smaller = true;
                break;
            }
        }
    return is_smaller;
}

/* Two bits of the second byte of every call at once: an object or the mutex of a wait. */
static bool merge_objects(struct shrinking *s)
{
    bool is_smaller = false;

    for (int shift = 0; shift <= 2; shift += 2)
        for (int from = 3; from > 0; from--)
            for (int to = 0; to < from; to++) {
                uint8_t candidate[SCRIPT_BYTES_MAX];

                memcpy(candidate, s->bytes, s->size);
                for (size_t at = HEAD_BYTES + 1; at < s->size; at += STEP_BYTES)
                    if ((candidate[at] >> shift & 3) == from)
                        candidate[at] = (uint8_t)((candidate[at] & ~(3 << shift)) | to << shift);
                if (take(s, candidate, s->size)) {
                    is_smaller = true;
                    break;
                }
            }
    return is_smaller;
}

/* Clears bytes, or their bits; the operations stay. */
static bool simplify(struct shrinking *s)
{
    bool is_smaller = false;

    for (size_t at = 0; at < s->size; at++) {
        bool is_operation = at >= HEAD_BYTES && (at - HEAD_BYTES) % STEP_BYTES == 0;
        uint8_t old = s->bytes[at], candidate[SCRIPT_BYTES_MAX];

        for (int mask = 0; mask < 8 && !is_operation && s->bytes[at] != 0; mask++) {
            memcpy(candidate, s->bytes, s->size);
            candidate[at] = mask == 0 ? 0 : (uint8_t)(s->bytes[at] & ~(0x80 >> (mask - 1)));
            take(s, candidate, s->size);
        }
        is_smaller = is_smaller || s->bytes[at] != old;
    }
    return is_smaller;
}

size_t shrink(uint8_t bytes[SCRIPT_BYTES_MAX], size_t size, shrink_fails *fails)
{
    struct shrinking s = {.bytes = bytes, .size = size, .fails = fails};
    bool goes_on;

    if (!fails(bytes, size, s.used))
        return size;
    do {
        drop_unused(&s);
        goes_on = drop_runs(&s);
        goes_on = merge_threads(&s) || goes_on;
        goes_on = merge_objects(&s) || goes_on;
        goes_on = simplify(&s) || goes_on;
        goes_on = drop_pairs(&s) || goes_on;
    } while (goes_on);
    return s.size;
}
