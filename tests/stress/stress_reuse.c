/* SPDX-License-Identifier: MIT */
/* The memory of a condition variable is taken away as early as POSIX allows:
   right after a broadcast and a destroy, while the woken threads are still on
   their way. It is unmapped, or filled with ones, or made another condition
   variable at once. In the last mode the woken thread itself takes away mutex
   and condition variable while the signaller is still inside its unlock. */
#include "stress.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum fate {
    UNMAPPED,
    FILLED,
    REUSED,
    TAKEN_BY_THE_WOKEN,
    FATES,
};

static const char *const fate_names[FATES] = {"unmapped", "filled", "reused", "taken by the woken"};

struct object {
    pthread_cond_t condition;
    pthread_mutex_t mutex; /* used by the last mode only */
    bool done;
};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t report;
    struct object *volatile object;
    volatile unsigned generation;
    volatile int waiting;
    volatile bool quit;
    struct stress_random random;
} cell = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, .generation = 0};

static struct object *map_object(void)
{
    struct object *object =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    EXPECT(object != MAP_FAILED, "mmap fails");
    return object;
}

static void init_object(struct object *object)
{
    OK(pthread_cond_init(&object->condition, NULL));
    OK(pthread_mutex_init(&object->mutex, NULL));
    object->done = false;
}

/* Memory that was filled stays for a while, so that a late write into it finds no new mapping. */
static void keep_for_a_while(struct object *filled)
{
    static struct object *kept[32];
    static unsigned next;

    if (kept[next % 32])
        munmap(kept[next % 32], 4096);
    kept[next++ % 32] = filled;
}

static void wait_for_generation(struct stress_random *random, bool timed)
{
    pthread_cond_t *condition = &cell.object->condition;
    struct timespec deadline;
    int err;

    if (!timed) {
        OK(pthread_cond_wait(condition, &cell.mutex));
        return;
    }
    deadline = stress_deadline(CLOCK_MONOTONIC, (long)stress_below(random, 100000));
    err = pthread_cond_clockwait(condition, &cell.mutex, CLOCK_MONOTONIC, &deadline);
    EXPECT(err == 0 || err == ETIMEDOUT, "clockwait gives %d", err);
}

static void *wait_for_generations(void *number)
{
    struct stress_random random = {(uintptr_t)number + cell.random.state};
    bool timed = (uintptr_t)number % 4 == 3;

    OK(pthread_mutex_lock(&cell.mutex));
    while (!cell.quit) {
        unsigned mine = cell.generation;
        cell.waiting++;
        OK(pthread_cond_signal(&cell.report));
        while (cell.generation == mine)
            wait_for_generation(&random, timed);
    }
    OK(pthread_mutex_unlock(&cell.mutex));
    return NULL;
}

static struct object *object_after(struct object *old, enum fate fate)
{
    switch (fate) {
    case UNMAPPED:
        munmap(old, 4096);
        old = map_object();
        break;
    case FILLED:
        memset(old, 0xff, sizeof *old);
        keep_for_a_while(old);
        old = map_object();
        break;
    default:
        memset(old, 0, sizeof *old);
    }
    init_object(old);
    return old;
}

/* The mutex is held until the new object is in place, or only until the broadcast's end. */
static void change_generation(enum fate fate, bool quit)
{
    bool outside = stress_below(&cell.random, 2) == 0;
    struct object *old = cell.object;

    cell.waiting = 0;
    cell.generation++;
    cell.quit = quit;
    if (outside) {
        /* Nobody may begin a wait on the old object: hence a new one comes first. */
        cell.object = map_object();
        init_object(cell.object);
        OK(pthread_mutex_unlock(&cell.mutex));
    }
    OK(pthread_cond_broadcast(&old->condition));
    OK(pthread_cond_destroy(&old->condition));
    if (outside) {
        if (fate != UNMAPPED)
            memset(old, 0xff, sizeof *old);
        munmap(old, 4096);
        OK(pthread_mutex_lock(&cell.mutex));
        return;
    }
    cell.object = object_after(old, fate);
}

static void broadcast_and_take_away(int threads, enum fate fate)
{
    pthread_t ids[32];
    bool quit = false;

    cell.object = map_object();
    init_object(cell.object);
    for (int i = 0; i < threads; i++)
        OK(pthread_create(&ids[i], NULL, wait_for_generations, (void *)(uintptr_t)i));
    OK(pthread_mutex_lock(&cell.mutex));
    while (!quit) {
        while (cell.waiting < threads)
            OK(pthread_cond_wait(&cell.report, &cell.mutex));
        quit = !stress_goes_on();
        change_generation(fate, quit);
    }
    OK(pthread_mutex_unlock(&cell.mutex));
    for (int i = 0; i < threads; i++)
        OK(pthread_join(ids[i], NULL));
}

static struct object *_Atomic posted[16];

/* Finishes objects that others wait for; after its unlock the object may be gone. */
static void *finish_objects(void *unused)
{
    for (;;) {
        bool over = !stress_goes_on();
        for (int i = 0; i < 16; i++) {
            struct object *object = atomic_exchange(&posted[i], NULL);
            if (!object)
                continue;
            OK(pthread_mutex_lock(&object->mutex));
            object->done = true;
            OK(pthread_cond_signal(&object->condition));
            OK(pthread_mutex_unlock(&object->mutex));
            over = false;
        }
        if (over && cell.quit)
            return NULL;
    }
}

static void *wait_and_take_away(void *number)
{
    do {
        struct object *object = map_object();
        init_object(object);
        atomic_store(&posted[(uintptr_t)number], object);
        OK(pthread_mutex_lock(&object->mutex));
        while (!object->done)
            OK(pthread_cond_wait(&object->condition, &object->mutex));
        OK(pthread_mutex_unlock(&object->mutex));
        OK(pthread_cond_destroy(&object->condition));
        OK(pthread_mutex_destroy(&object->mutex));
        munmap(object, 4096);
    } while (stress_goes_on());
    return NULL;
}

static void woken_takes_away(int threads)
{
    pthread_t ids[16];
    pthread_t finisher;
    int count = threads < 16 ? threads : 16;

    OK(pthread_create(&finisher, NULL, finish_objects, NULL));
    for (int i = 0; i < count; i++)
        OK(pthread_create(&ids[i], NULL, wait_and_take_away, (void *)(uintptr_t)i));
    for (int i = 0; i < count; i++)
        OK(pthread_join(ids[i], NULL));
    cell.quit = true;
    OK(pthread_join(finisher, NULL));
}

START_TEST(nobody_touches_a_condition_variable_that_is_gone)
{
    enum fate fate = (enum fate)(_i / 3);
    int threads = stress_thread_counts[_i % 3];
    char name[64];

    snprintf(name, sizeof name, "%s, %d threads", fate_names[fate], threads);
    cell.random = stress_begin(name, _i);
    watchdog_watch("mutex", &cell.mutex, sizeof cell.mutex);
    watchdog_watch("report", &cell.report, sizeof cell.report);
    watchdog_watch("generation, waiting", (void *)&cell.generation, 8);
    stress_start_clock();
    if (fate == TAKEN_BY_THE_WOKEN)
        woken_takes_away(threads);
    else
        broadcast_and_take_away(threads, fate);
    watchdog_stop();
}
END_TEST

int main(int argc, char **argv)
{
    return stress_main(argc, argv, "reuse", nobody_touches_a_condition_variable_that_is_gone,
                       3 * FATES);
}
