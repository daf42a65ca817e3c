/* SPDX-License-Identifier: MIT */
/*
 * Stand-in for glibc's atomic operations: those that its tests use, by the compiler's own.
 */
#ifndef FASTSYNC_STAND_IN_ATOMIC_H
#define FASTSYNC_STAND_IN_ATOMIC_H

#define atomic_load_relaxed(place) __atomic_load_n((place), __ATOMIC_RELAXED)
#define atomic_load_acquire(place) __atomic_load_n((place), __ATOMIC_ACQUIRE)
#define atomic_store_relaxed(place, value) __atomic_store_n((place), (value), __ATOMIC_RELAXED)
#define atomic_store_release(place, value) __atomic_store_n((place), (value), __ATOMIC_RELEASE)

#endif
