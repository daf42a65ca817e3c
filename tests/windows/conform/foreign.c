/* SPDX-License-Identifier: MIT */
/* Objects that winpthreads has made itself, as there are when a program used them before the
   library came: every call on them does what winpthreads does, and a condition variable of ours
   works with such a mutex. They are made by winpthreads' functions as its file on disk names them:
   the table of exports in memory leads to the library. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

static struct {
    int (*mutex_lock)(pthread_mutex_t *mutex);
    int (*mutex_unlock)(pthread_mutex_t *mutex);
    int (*cond_init)(pthread_cond_t *cond, const pthread_condattr_t *attr);
    int (*rwlock_init)(pthread_rwlock_t *lock, const pthread_rwlockattr_t *attr);
} theirs;

/* ---- finding them -------------------------------------------------------------- */

static char *file; /* of the DLL, as it lies on disk */
static const IMAGE_SECTION_HEADER *sections;
static unsigned section_count;

static bool read_file(HMODULE module)
{
    char path[MAX_PATH];
    FILE *stream;
    long size;

    if (!GetModuleFileNameA(module, path, sizeof path) || !(stream = fopen(path, "rb")))
        return false;
    fseek(stream, 0, SEEK_END);
    size = ftell(stream);
    rewind(stream);
    file = malloc((size_t)size);
    size -= (long)fread(file, 1, (size_t)size, stream);
    fclose(stream);
    return size == 0;
}

/* What is so far from the image's beginning once it is loaded. */
static const void *at(DWORD offset)
{
    for (unsigned i = 0; i < section_count; i++)
        if (offset - sections[i].VirtualAddress < sections[i].SizeOfRawData)
            return file + sections[i].PointerToRawData + (offset - sections[i].VirtualAddress);
    return NULL;
}

static uintptr_t find(HMODULE module, const IMAGE_EXPORT_DIRECTORY *exports, const char *name)
{
    const DWORD *names = at(exports->AddressOfNames);
    const WORD *numbers = at(exports->AddressOfNameOrdinals);
    const DWORD *functions = at(exports->AddressOfFunctions);

    for (DWORD i = 0; i < exports->NumberOfNames; i++)
        if (strcmp(at(names[i]), name) == 0)
            return (uintptr_t)module + functions[numbers[i]];
    return 0;
}

static bool find_theirs(void)
{
    HMODULE module = GetModuleHandleA("libwinpthread-1.dll");
    const IMAGE_NT_HEADERS *headers;
    const IMAGE_EXPORT_DIRECTORY *exports;

    if (theirs.mutex_lock)
        return true;
    if (!module || !read_file(module))
        return false;
    headers = (const void *)(file + ((const IMAGE_DOS_HEADER *)(void *)file)->e_lfanew);
    sections = IMAGE_FIRST_SECTION(headers);
    section_count = headers->FileHeader.NumberOfSections;
    exports = at(headers->OptionalHeader.DataDirectory[0].VirtualAddress);
    theirs.mutex_unlock =
        (__typeof__(theirs.mutex_unlock))find(module, exports, "pthread_mutex_unlock");
    theirs.cond_init = (__typeof__(theirs.cond_init))find(module, exports, "pthread_cond_init");
    theirs.rwlock_init =
        (__typeof__(theirs.rwlock_init))find(module, exports, "pthread_rwlock_init");
    theirs.mutex_lock = (__typeof__(theirs.mutex_lock))find(module, exports, "pthread_mutex_lock");
    return theirs.mutex_lock && theirs.mutex_unlock && theirs.cond_init && theirs.rwlock_init;
}

/* ---- cases ------------------------------------------------------------------------ */

static pthread_mutex_t mutex;
static pthread_cond_t cond;
static int waiting, tickets; /* guarded by the mutex */

static void make_mutex(pthread_mutex_t initial)
{
    CHECK(find_theirs());
    mutex = initial;
    OK(theirs.mutex_lock(&mutex));
    CHECK(!check_is_ours(mutex));
    OK(theirs.mutex_unlock(&mutex));
}

static int try_it(void *nothing)
{
    int err = pthread_mutex_trylock(&mutex);

    if (err == 0)
        OK(pthread_mutex_unlock(&mutex));
    return err;
}

static void a_mutex_of_winpthreads_is_locked_by_its_own_functions(void)
{
    struct timespec passed = {0, 0};
    intptr_t handle;

    make_mutex(PTHREAD_ERRORCHECK_MUTEX_INITIALIZER);
    handle = mutex;
    CHECK_INT(pthread_mutex_unlock(&mutex), EINVAL);
    OK(pthread_mutex_lock(&mutex));
    CHECK_INT(pthread_mutex_lock(&mutex), EDEADLK);
    CHECK_INT(theirs.mutex_lock(&mutex), EDEADLK);
    CHECK_INT(in_thread(try_it, NULL), EBUSY);
    OK(theirs.mutex_unlock(&mutex));
    OK(pthread_mutex_timedlock(&mutex, &passed));
    CHECK_INT(theirs.mutex_lock(&mutex), EDEADLK);
    OK(pthread_mutex_unlock(&mutex));
    OK(in_thread(try_it, NULL));
    CHECK_INT(mutex, handle);
    OK(pthread_mutex_destroy(&mutex));
    CHECK_INT(mutex, 0);
}

static int wait_for_ticket(void *nothing)
{
    OK(pthread_mutex_lock(&mutex));
    waiting++;
    while (tickets == 0)
        OK(pthread_cond_wait(&cond, &mutex));
    tickets--;
    OK(pthread_mutex_unlock(&mutex));
    return 0;
}

static void let_both_go(void)
{
    struct thread threads[2];
    bool ready = false;

    waiting = tickets = 0;
    thread_start(&threads[0], wait_for_ticket, NULL);
    thread_start(&threads[1], wait_for_ticket, NULL);
    while (!ready) {
        check_pause(1);
        OK(theirs.mutex_lock(&mutex));
        ready = waiting == 2;
        OK(theirs.mutex_unlock(&mutex));
    }
    for (int i = 0; i < 2; i++) {
        OK(pthread_mutex_lock(&mutex));
        tickets++;
        OK(i == 0 ? pthread_cond_signal(&cond) : pthread_cond_broadcast(&cond));
        OK(pthread_mutex_unlock(&mutex));
    }
    OK(thread_join(&threads[0]));
    OK(thread_join(&threads[1]));
}

static void a_condition_variable_of_ours_waits_with_a_mutex_of_winpthreads(void)
{
    struct timespec soon = check_after(10);

    make_mutex(PTHREAD_MUTEX_INITIALIZER);
    OK(pthread_cond_init(&cond, NULL));
    CHECK_INT(check_is_ours(cond), check_has_library());
    let_both_go();
    OK(pthread_mutex_lock(&mutex));
    CHECK_INT(pthread_cond_timedwait(&cond, &mutex, &soon), ETIMEDOUT);
    CHECK_INT(in_thread(try_it, NULL), EBUSY);
    OK(pthread_mutex_unlock(&mutex));
    OK(pthread_cond_destroy(&cond));
    OK(pthread_mutex_destroy(&mutex));
}

static void a_pair_of_winpthreads_waits_as_there(void)
{
    make_mutex(PTHREAD_MUTEX_INITIALIZER);
    OK(theirs.cond_init(&cond, NULL));
    let_both_go();
    OK(pthread_cond_destroy(&cond));
    CHECK_INT(cond, 0);
    OK(pthread_mutex_destroy(&mutex));
}

static void a_condition_variable_of_winpthreads_refuses_our_mutex(void)
{
    struct timespec soon = check_after(10);

    CHECK(find_theirs());
    OK(theirs.cond_init(&cond, NULL));
    OK(pthread_mutex_init(&mutex, NULL));
    OK(pthread_mutex_lock(&mutex));
    CHECK_INT(pthread_cond_wait(&cond, &mutex), EINVAL);
    CHECK_INT(pthread_cond_timedwait(&cond, &mutex, &soon), EINVAL);
    CHECK_INT(pthread_cond_timedwait_relative_np(&cond, &mutex, &soon), EINVAL);
    CHECK_INT(in_thread(try_it, NULL), EBUSY);
    OK(pthread_mutex_unlock(&mutex));
    OK(pthread_mutex_destroy(&mutex));
    OK(pthread_cond_destroy(&cond));
}

static void a_reader_writer_lock_of_winpthreads_is_its_own(void)
{
    struct timespec passed = {0, 0};
    pthread_rwlock_t lock;
    intptr_t handle;

    CHECK(find_theirs());
    OK(theirs.rwlock_init(&lock, NULL));
    handle = lock;
    CHECK(!check_is_ours(lock));
    OK(pthread_rwlock_rdlock(&lock));
    OK(pthread_rwlock_tryrdlock(&lock));
    CHECK_INT(pthread_rwlock_trywrlock(&lock), EBUSY);
    CHECK_INT(pthread_rwlock_timedwrlock(&lock, &passed), ETIMEDOUT);
    OK(pthread_rwlock_timedrdlock(&lock, &passed));
    for (int i = 0; i < 3; i++)
        OK(pthread_rwlock_unlock(&lock));
    OK(pthread_rwlock_wrlock(&lock));
    CHECK_INT(pthread_rwlock_tryrdlock(&lock), EBUSY);
    OK(pthread_rwlock_unlock(&lock));
    CHECK_INT(lock, handle);
    OK(pthread_rwlock_destroy(&lock));
    CHECK_INT(lock, 0);
}

static const struct check_case cases[] = {
    CHECK_CASE(a_mutex_of_winpthreads_is_locked_by_its_own_functions),
    CHECK_CASE(a_condition_variable_of_ours_waits_with_a_mutex_of_winpthreads),
    CHECK_CASE(a_pair_of_winpthreads_waits_as_there),
    CHECK_CASE_OURS(a_condition_variable_of_winpthreads_refuses_our_mutex,
                    "there is no library whose mutex it could be"),
    CHECK_CASE(a_reader_writer_lock_of_winpthreads_is_its_own),
    CHECK_END,
};

int main(int argc, char **argv)
{
    return check_main(argc, argv, cases);
}
