/* SPDX-License-Identifier: MIT */
/* Linked into a copy of the library, in front of what a transaction calls: TEST_FAULTS=1 lets
   commit fail at its first step, at its second and so on, and looks after each whether everything
   is as it was; TEST_WAYS=N takes only some of the ways; TEST_COUNT=1 has the first function been
   called very often. The last commit succeeds, and the program runs. */
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include "base/fatal.h"
#include "interpose/windows_image.h"
#include "interpose/windows_later.h"
#include "interpose/windows_redirect.h"
#include "interpose/windows_stubs.h"

static size_t steps, failing;

static bool is_wrong(void)
{
    return ++steps == failing;
}

bool __real_fs_image_write(void *slot, const void *value, size_t size);
bool __wrap_fs_image_write(void *slot, const void *value, size_t size);

bool __wrap_fs_image_write(void *slot, const void *value, size_t size)
{
    return !is_wrong() && __real_fs_image_write(slot, value, size);
}

bool __real_fs_stub_offset(uint8_t *base, size_t size, fs_function target, uint32_t *offset);
bool __wrap_fs_stub_offset(uint8_t *base, size_t size, fs_function target, uint32_t *offset);

bool __wrap_fs_stub_offset(uint8_t *base, size_t size, fs_function target, uint32_t *offset)
{
    return !is_wrong() && __real_fs_stub_offset(base, size, target, offset);
}

bool __real_fs_stubs_finish(uint8_t *base);
bool __wrap_fs_stubs_finish(uint8_t *base);

bool __wrap_fs_stubs_finish(uint8_t *base)
{
    return !is_wrong() && __real_fs_stubs_finish(base);
}

bool __real_fs_later_start(void);
bool __wrap_fs_later_start(void);

bool __wrap_fs_later_start(void)
{
    return !is_wrong() && __real_fs_later_start();
}

/* Of each piece of free memory the first place is lost to another thread, where one is named. */
#ifdef _WIN64
#define IMPORT(prefix) __asm__("__" prefix "___imp_VirtualAlloc")
#else
#define IMPORT(prefix) __asm__("___" prefix "__imp__VirtualAlloc@16")
#endif
typedef LPVOID WINAPI allocate(LPVOID place, SIZE_T size, DWORD how, DWORD access);
extern allocate *const real_allocate IMPORT("real");
extern allocate *const wrap_allocate IMPORT("wrap");

static LPVOID WINAPI lose_or_allocate(LPVOID place, SIZE_T size, DWORD how, DWORD access)
{
    static char *lost;

    if (place && (char *)place != lost + 0x10000) {
        lost = place;
        return NULL;
    }
    return real_allocate(place, size, how, access);
}

allocate *const wrap_allocate = lose_or_allocate;

/* ---- everything a transaction may change, as one number ---- */

static void mix(uint64_t *sum, uint64_t value)
{
    *sum = (*sum ^ value) * UINT64_C(0x100000001b3);
    *sum ^= *sum >> 29;
}

static bool mix_slot(fs_function *slot, void *sum)
{
    mix(sum, (uintptr_t)*slot);
    return true;
}

static bool mix_module(void *base, const uint16_t *name, size_t length, void *sum)
{
    struct fs_image image;
    const IMAGE_EXPORT_DIRECTORY *exports;
    const uint32_t *functions;
    size_t size;

    if (!fs_image_open(&image, base))
        return true;
    fs_image_each_import(&image, mix_slot, sum);
    exports = fs_image_table(&image, IMAGE_DIRECTORY_ENTRY_EXPORT, &size);
    functions = exports ? fs_image_at(&image, exports->AddressOfFunctions, 4) : NULL;
    for (size_t i = 0; functions && i < exports->NumberOfFunctions; i++)
        mix(sum, functions[i]);
    return true;
}

static uint64_t sum_up(void)
{
    uint64_t sum = 0;

    fs_module_each(mix_module, &sum);
    for (size_t i = 0; i < fs_redirection_count; i++)
        mix(&sum, (uintptr_t)*fs_redirections[i].original);
    return sum;
}

/* ---- the transaction ---- */

static unsigned ways;

void __real_fs_redirect_begin(unsigned all);
void __wrap_fs_redirect_begin(unsigned all);

void __wrap_fs_redirect_begin(unsigned all)
{
    char text[8];

    ways = all;
    if (GetEnvironmentVariableA("TEST_WAYS", text, sizeof(text)))
        ways = text[1] ? 10u * (unsigned)(text[0] - '0') + (unsigned)(text[1] - '0')
                       : (unsigned)(text[0] - '0');
    __real_fs_redirect_begin(ways);
}

/* What failed is not tried again, but here. */
static void attach_anew(struct fs_redirection *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fs_store_relaxed(&rows[i].state, 0);
    fs_redirect_attach(rows, count);
}

/* While a module goes, its rows have no original for a moment: like a name that was not found. */
static bool finds_what_is_not_there(struct fs_redirection *row)
{
    fs_function original = *row->original;
    bool found;

    *row->original = NULL;
    found = fs_redirect_answer(NULL, NULL) != NULL;
    *row->original = original;
    return found;
}

/* Its target is lock inc counter; jmp. */
static void count_very_often(const struct fs_redirection *row)
{
#ifdef _WIN64
    uint8_t *thunk = (uint8_t *)(uintptr_t)row->target;

    *(uintptr_t *)(void *)(thunk + 8 + *(int32_t *)(void *)(thunk + 4)) = UINT64_C(5000000000);
#endif
}

bool __real_fs_redirect_commit(struct fs_redirect_failure *failure);
bool __wrap_fs_redirect_commit(struct fs_redirect_failure *failure);

bool __wrap_fs_redirect_commit(struct fs_redirect_failure *failure)
{
    char failed[24], wrong[24], text[2];
    long unlike = 0;
    uint64_t before = sum_up();

    if (GetEnvironmentVariableA("TEST_COUNT", text, sizeof(text)))
        count_very_often(fs_redirections);
    if (!GetEnvironmentVariableA("TEST_FAULTS", text, sizeof(text)))
        return __real_fs_redirect_commit(failure);
    for (failing = 1;; failing++) {
        steps = 0;
        if (__real_fs_redirect_commit(failure))
            break;
        unlike += !failure->what || sum_up() != before;
        __real_fs_redirect_begin(ways);
        attach_anew(fs_redirections, fs_redirection_count);
        attach_anew(fs_lookups, fs_lookup_count);
    }
    unlike += sum_up() == before;
    unlike += finds_what_is_not_there(fs_redirections);
    fs_report("faults: ", fs_format_number((long)failing - 1, failed), " taken back, ",
              fs_format_number(unlike, wrong), " wrong", (char *)0);
    return true;
}
