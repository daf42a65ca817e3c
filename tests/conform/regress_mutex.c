/* SPDX-License-Identifier: MIT */
/*
 * Faults that mutexes of the library have had, each as the least program that shows it: whom an
 * unlock favours, how long one may be kept out, ids of dead owners that live again, owners that are
 * killed in processes with and without the library, and deadlines that are not there.
 */
#include "gate.h"

#include <linux/futex.h>
#include <sys/prctl.h>

#include "mutex_kinds.h"
#include "reused_id.h"

enum { RACES = 30, HOGS = 2, HOLD_US = 300, VISITS = 10, KILLERS_CHILDREN = 3, KILLS = 60 };

static pthread_mutex_t mutex;

/* ---- whom an unlock favours ---- */

static int first;

static bool become_real_time(int priority)
{
    struct sched_param param = {.sched_priority = priority};
    return pthread_setschedparam(pthread_self(), SCHED_FIFO, &param) == 0;
}

static void *lock_as(void *priority)
{
    if (*(int *)priority > 0)
        ck_assert(become_real_time(*(int *)priority));
    OK(pthread_mutex_lock(&mutex));
    if (first == 0)
        first = 1 + *(int *)priority;
    OK(pthread_mutex_unlock(&mutex));
    return NULL;
}

/* The ordinary one has lost several times by then, and may be owed the mutex. */
START_TEST(a_real_time_locker_goes_before_an_ordinary_one_that_waited_longer)
{
    static int ordinary = 0, urgent = 50;
    int urgent_first = 0, races = 0;
    if (!become_real_time(1))
        SKIP_TEST("no permission for SCHED_FIFO");
    struct sched_param normal = {.sched_priority = 0};
    OK(pthread_setschedparam(pthread_self(), SCHED_OTHER, &normal));
    make_mutex(&mutex, &mutex_kinds[_i]);
    for (int race = 0; race < RACES; race++) {
        struct thread slow, fast;
        first = 0;
        OK(pthread_mutex_lock(&mutex));
        thread_start(&slow, lock_as, &ordinary);
        wait_until_asleep(slow.tid);
        ck_assert(become_real_time(60));
        for (int i = 0; i < 3 && first == 0; i++) {
            OK(pthread_mutex_unlock(&mutex));
            OK(pthread_mutex_lock(&mutex));
            if (first == 0)
                wait_until_asleep(slow.tid);
        }
        if (first == 0) {
            thread_start(&fast, lock_as, &urgent);
            wait_until_asleep(fast.tid);
            OK(pthread_mutex_unlock(&mutex));
            thread_join(&fast);
            races++;
            urgent_first += first == 1 + urgent;
        } else {
            OK(pthread_mutex_unlock(&mutex));
        }
        thread_join(&slow);
        OK(pthread_setschedparam(pthread_self(), SCHED_OTHER, &normal));
    }
    ck_assert_int_eq(urgent_first, races);
}
END_TEST

/* ---- how long one may be kept out ---- */

static int hogs_stop;

static void *hog(void *unused)
{
    while (!__atomic_load_n(&hogs_stop, __ATOMIC_ACQUIRE)) {
        OK(pthread_mutex_lock(&mutex));
        struct timespec begin = time_on(CLOCK_MONOTONIC);
        while (elapsed_ms(CLOCK_MONOTONIC, begin) < HOLD_US / 1e3) {
        }
        OK(pthread_mutex_unlock(&mutex));
    }
    return unused;
}

/* libc lets a visitor starve as long as the scheduler does: there only exclusion and the end are
 * looked at. */
START_TEST(a_visitor_gets_in_between_threads_that_relock_at_once)
{
    struct thread hogs[HOGS];
    make_mutex(&mutex, &mutex_kinds[_i]);
    for (int i = 0; i < HOGS; i++)
        thread_start(&hogs[i], hog, NULL);
    for (int visit = 0; visit < VISITS; visit++) {
        sleep_ms(2);
        struct timespec end = deadline_in_ms(CLOCK_MONOTONIC, under_library() ? 20000 : 100);
        int error = pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &end);
        if (error == 0)
            OK(pthread_mutex_unlock(&mutex));
        else
            REQUIRE(error == ETIMEDOUT && !under_library(), "visit %d: %d", visit, error);
    }
    raise_flag(&hogs_stop, 1);
    for (int i = 0; i < HOGS; i++)
        thread_join(&hogs[i]);
}
END_TEST

/* ---- ids of dead owners ---- */

static pid_t dead_owner;

static void *die_with_it(void *unused)
{
    dead_owner = (pid_t)syscall(SYS_gettid);
    OK(pthread_mutex_lock(&mutex));
    return unused;
}

enum { GHOST_GOOD = 10, GHOST_OTHER_ID, GHOST_UNLOCKS, GHOST_IS_NOT_HEIR, GHOST_CANNOT_CHOOSE };

static void *use_it_under_the_dead_ones_id(void *verdict)
{
    *(int *)verdict = GHOST_OTHER_ID;
    if ((pid_t)syscall(SYS_gettid) != dead_owner)
        return NULL;
    if (pthread_mutex_unlock(&mutex) != EPERM)
        *(int *)verdict = GHOST_UNLOCKS;
    else if (pthread_mutex_trylock(&mutex) != EOWNERDEAD)
        *(int *)verdict = GHOST_IS_NOT_HEIR;
    else
        *(int *)verdict = GHOST_GOOD;
    return NULL;
}

static int leave_a_ghost(void)
{
    int verdict = GHOST_OTHER_ID;
    pthread_t thread;
    OK(pthread_create(&thread, NULL, die_with_it, NULL));
    OK(pthread_join(thread, NULL));
    for (int tries = 0; tries < 1000 && verdict == GHOST_OTHER_ID; tries++) {
        if (!choose_next_id(dead_owner))
            return GHOST_CANNOT_CHOOSE;
        OK(pthread_create(&thread, NULL, use_it_under_the_dead_ones_id, &verdict));
        OK(pthread_join(thread, NULL));
    }
    return verdict;
}

/* Eight private robust kinds: four, and four that inherit. libc takes the stranger for the owner of
 * a recursive one. */
START_TEST(a_thread_with_the_id_of_a_dead_owner_is_a_stranger_and_may_inherit)
{
    const struct mutex_kind *kind = &mutex_kinds[_i < 4 ? 8 + _i : 24 + _i - 4];
    if (sizeof(void *) == 4 && kind->type == PTHREAD_MUTEX_RECURSIVE && !under_library())
        SKIP_TEST("libc unlocks it, and looks for it in the stranger's list without end");
    make_mutex(&mutex, kind);
    int verdict = in_pid_namespace(leave_a_ghost);
    if (verdict == NAMESPACE_REFUSED)
        SKIP_TEST("no permission for a pid namespace");
    if (under_library() || kind->type != PTHREAD_MUTEX_RECURSIVE)
        ck_assert_int_eq(verdict, GHOST_GOOD);
}
END_TEST

/* ---- owners that die ---- */

#ifdef __GLIBC__ /* by a bit of glibc's word; under musl robust mutexes are musl's */
static void *lock_and_die(void *unused)
{
    OK(pthread_mutex_lock(&mutex));
    return unused;
}

/* The kernel marks the word when a locker dies between taking it and seeing that it is beyond
 * repair. libc forgets the latter and reports a dead owner. */
START_TEST(an_unrecoverable_mutex_stays_so_when_a_locker_dies_on_its_way)
{
    make_mutex(&mutex, &mutex_kinds[_i]);
    in_thread(lock_and_die, NULL);
    EXPECT(pthread_mutex_lock(&mutex), EOWNERDEAD);
    OK(pthread_mutex_unlock(&mutex));
    EXPECT(pthread_mutex_lock(&mutex), ENOTRECOVERABLE);
    mutex.__data.__lock |= (int)FUTEX_OWNER_DIED;
    if (under_library()) {
        EXPECT(pthread_mutex_lock(&mutex), ENOTRECOVERABLE);
        EXPECT(pthread_mutex_trylock(&mutex), ENOTRECOVERABLE);
    }
}
END_TEST
#endif

struct area {
    pthread_mutex_t mutex;
    long rounds;
    long deaths;
};

static struct area *map_area(int file)
{
    struct area *area = mmap(NULL, sizeof *area, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    REQUIRE(area != MAP_FAILED, "mmap: %s", strerror(errno));
    return area;
}

/* The role of an executed child: until it is killed. */
static int lock_for_ever(int file)
{
    struct area *area = map_area(file);
    for (;;) {
        int error = pthread_mutex_lock(&area->mutex);
        if (error == EOWNERDEAD) {
            area->deaths++;
            error = pthread_mutex_consistent(&area->mutex);
        }
        if (error != 0)
            return 2;
        __atomic_add_fetch(&area->rounds, 1, __ATOMIC_RELAXED);
        if (pthread_mutex_unlock(&area->mutex) != 0)
            return 3;
    }
}

static pid_t execute(int file, bool with_library)
{
    char number[16];
    snprintf(number, sizeof number, "%d", file);
    fflush(NULL);
    pid_t pid = fork();
    REQUIRE(pid >= 0, "fork: %s", strerror(errno));
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!with_library)
            unsetenv("LD_PRELOAD");
        execl("/proc/self/exe", "conform_regress_mutex", "lock_for_ever", number, (char *)NULL);
        _exit(65);
    }
    return pid;
}

static void kill_one(pid_t pid)
{
    kill(pid, SIGKILL);
    int status = child_wait(pid);
    REQUIRE(WIFSIGNALED(status), "a child ended by itself, with status %#x", status);
}

static void await_rounds(struct area *area, long more)
{
    long goal = __atomic_load_n(&area->rounds, __ATOMIC_RELAXED) + more;
    struct timespec begin = time_on(CLOCK_MONOTONIC);
    while (__atomic_load_n(&area->rounds, __ATOMIC_RELAXED) < goal) {
        REQUIRE(elapsed_ms(CLOCK_MONOTONIC, begin) < 20000, "%s: stuck", conform_context);
        sleep_ms(1);
    }
}

/* At any moment of lock and unlock; one of three does without the library. */
START_TEST(a_robust_mutex_goes_on_whoever_is_killed_with_or_without_the_library)
{
    pid_t children[KILLERS_CHILDREN];
    unsigned seed = 1;
    int file = memfd_create("area", 0);
    ck_assert_int_eq(ftruncate(file, sizeof(struct area)), 0);
    struct area *area = map_area(file);
    make_mutex(&area->mutex, &mutex_kinds[_i]);
    for (int i = 0; i < KILLERS_CHILDREN; i++)
        children[i] = execute(file, i != 0);
    for (int kills = 0; kills < KILLS; kills++) {
        int i = rand_r(&seed) % KILLERS_CHILDREN;
        await_rounds(area, 1 + rand_r(&seed) % 500);
        kill_one(children[i]);
        await_rounds(area, 1);
        children[i] = execute(file, i != 0);
    }
    for (int i = 0; i < KILLERS_CHILDREN; i++)
        kill_one(children[i]);
    ck_assert_int_ge(area->deaths, 1);
}
END_TEST

/* ---- deadlines that are not there ---- */

START_TEST(a_deadline_is_not_looked_at_when_the_lock_is_free)
{
    const struct timespec *volatile nowhere = NULL;
    pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
    if (sizeof(time_t) == 4 && !under_library())
        SKIP_TEST("libc widens a deadline of 32 bits first");
    make_mutex(&mutex, &mutex_kinds[_i]);
    OK(pthread_mutex_timedlock(&mutex, nowhere));
    OK(pthread_mutex_unlock(&mutex));
    OK(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, nowhere));
    OK(pthread_mutex_unlock(&mutex));
    OK(pthread_rwlock_timedrdlock(&rwlock, nowhere));
    OK(pthread_rwlock_unlock(&rwlock));
    OK(pthread_rwlock_timedwrlock(&rwlock, nowhere));
    OK(pthread_rwlock_unlock(&rwlock));
}
END_TEST

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "lock_for_ever") == 0)
        return lock_for_ever(atoi(argv[2]));

    Suite *suite = suite_create("regress_mutex");
    TCase *tcase = conform_case(suite, "mutex");
    tcase_add_loop_test(tcase, a_real_time_locker_goes_before_an_ordinary_one_that_waited_longer, 0,
                        3);
    tcase_add_loop_test(tcase, a_visitor_gets_in_between_threads_that_relock_at_once, 0, 4);
    tcase_add_loop_test(tcase, a_thread_with_the_id_of_a_dead_owner_is_a_stranger_and_may_inherit,
                        0, 8);
#ifdef __GLIBC__
    tcase_add_loop_test(tcase, an_unrecoverable_mutex_stays_so_when_a_locker_dies_on_its_way, 8,
                        12);
#endif
    for (int protocol = 0; protocol <= 16; protocol += 16) {
        tcase_add_loop_test(tcase,
                            a_robust_mutex_goes_on_whoever_is_killed_with_or_without_the_library,
                            12 + protocol, 13 + protocol);
        tcase_add_loop_test(tcase, a_deadline_is_not_looked_at_when_the_lock_is_free, protocol,
                            protocol + 4);
    }
    return conform_run(suite);
}
