/* SPDX-License-Identifier: MIT */
/*
 * Objects on a page that goes away at the first moment at which POSIX allows it, while the threads
 * that used them are still on their way out. The page is unmapped, so that a late access crashes,
 * or filled or made other objects, and then nobody may have written into it afterwards. Who uses
 * what on the page, and who is last, is decided by each program.
 */
#ifndef TESTS_CONFORM_LAST_USE_H
#define TESTS_CONFORM_LAST_USE_H

#include "conform.h"

#include "mutex_kinds.h"

enum { KINDS = MUTEX_PP_KINDS_BEGIN, THREADS = 3, ROUNDS = 250, PAGE = 4096 };

/* What becomes of the memory. */
enum fate { UNMAPPED, FILLED, ANOTHER, FATES };

/* What lies on the page: a mutex with a condition variable, or a reader-writer lock. */
struct object {
    _Alignas(64) pthread_mutex_t mutex;
    _Alignas(64) pthread_cond_t cond;
    _Alignas(64) pthread_rwlock_t rwlock;
    _Alignas(64) int users; /* that have not had it yet */
    int waiting, entered, coming;
    bool open;
};

static struct object *object;
static enum fate fate;
static const struct mutex_kind *kind;
static unsigned char after[PAGE]; /* the page as its last user left it */
static pthread_barrier_t barrier;
static bool over;

__attribute__((unused)) static int rounds(void)
{
    return repeats(is_soak() ? 20 * ROUNDS : ROUNDS);
}

__attribute__((unused)) static void new_page(void)
{
    object = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(object != MAP_FAILED, "mmap: %s", strerror(errno));
}

/* Puts another object where each was, and something else around them. */
__attribute__((unused)) static void become_another(struct object *o)
{
    memset(o, 0xff, PAGE);
    OK(pthread_rwlock_init((void *)&o->mutex, NULL));
    make_mutex((void *)&o->cond, kind);
    OK(pthread_cond_init((void *)&o->rwlock, NULL));
}

/* By the last user, who has destroyed what was there. */
__attribute__((unused)) static void give_up(struct object *o)
{
    if (fate == UNMAPPED) {
        REQUIRE(munmap(o, PAGE) == 0, "munmap: %s", strerror(errno));
        return;
    }
    if (fate == FILLED)
        memset(o, 0xff, PAGE);
    else
        become_another(o);
    memcpy(after, o, PAGE);
}

/* When all users are back. */
__attribute__((unused)) static void look_at_the_page(void)
{
    if (fate == UNMAPPED)
        return;
    for (int i = 0; i < PAGE; i++)
        REQUIRE(((unsigned char *)object)[i] == after[i], "%s: byte %d was written too late",
                conform_context, i);
    REQUIRE(munmap(object, PAGE) == 0, "munmap: %s", strerror(errno));
}

__attribute__((unused)) static void dawdle(unsigned *seed)
{
    unsigned much = (unsigned)rand_r(seed) % 8;
    if (much == 0)
        sched_yield();
    for (volatile unsigned i = 0; i < much * 60; i++) {
    }
}

/* ---- each round: the page is made, all threads do their part, the page is looked at ---- */

struct part {
    struct thread thread;
    void (*play)(struct object *, int number, unsigned *seed);
    int number;
};

__attribute__((unused)) static void *play_rounds(void *argument)
{
    struct part *part = argument;
    unsigned seed = (unsigned)part->number + 1;
    for (;;) {
        pthread_barrier_wait(&barrier);
        if (over)
            return NULL;
        part->play(object, part->number, &seed);
        pthread_barrier_wait(&barrier);
    }
}

__attribute__((unused)) static void play_with(void (*play)(struct object *, int, unsigned *),
                                              void (*make)(void))
{
    struct part parts[THREADS];
    OK(pthread_barrier_init(&barrier, NULL, THREADS + 1));
    for (int i = 0; i < THREADS; i++) {
        parts[i] = (struct part){.play = play, .number = i};
        thread_start(&parts[i].thread, play_rounds, &parts[i]);
    }
    for (int round = 0; round < rounds(); round++) {
        new_page();
        make();
        object->users = THREADS;
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        look_at_the_page();
    }
    over = true;
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < THREADS; i++)
        thread_join(&parts[i].thread);
}

#endif
