/* SPDX-License-Identifier: MIT */
/* The transaction. Commit looks up every function first and makes ready what memory it needs; then
   it changes export tables and import tables, and if that fails takes every change back. A row is
   pending until its module is there, found while it is being put in place, then placed. The modules
   that functions belong to go on calling their own, as this library does. */
#include "interpose/windows_redirect.h"

#include <windows.h>

#include "base/fatal.h"
#include "interpose/windows_image.h"
#include "interpose/windows_later.h"
#include "interpose/windows_stubs.h"

#define TABLES_MAX 4
#define ALL_GROUPS ((unsigned)FS_GROUP_PTHREAD | (unsigned)FS_GROUP_WIN32)

/* States of a row. What is found or placed has its original; release and acquire by the state. */
enum { PENDING, FOUND, PLACED, MISSING };

static struct {
    unsigned ways;
    size_t count;
    struct {
        struct fs_redirection *rows;
        size_t count;
    } tables[TABLES_MAX];
    struct fs_redirect_failure failure;
} redirect;

#define EACH_ROW(row)                                                                              \
    for (size_t table_ = 0; table_ < redirect.count; table_++)                                     \
        for (struct fs_redirection *row = redirect.tables[table_].rows,                            \
                                   *end_ = row + redirect.tables[table_].count;                    \
             row < end_; row++)

extern const uint8_t own_image[] FS_LABEL(__ImageBase);

static bool is_live(const struct fs_redirection *row)
{
    uint32_t state = fs_load_acquire(&row->state);

    return state == FOUND || state == PLACED;
}

static bool fail(const char *what, const struct fs_redirection *row)
{
    redirect.failure.what = what;
    redirect.failure.module = row ? row->module : NULL;
    redirect.failure.name = row ? row->name : NULL;
    return false;
}

static void forget(struct fs_redirection *row, uint32_t state)
{
    fs_store_release(&row->state, state);
    *row->original = NULL;
    row->export_slot = NULL;
    row->base = NULL;
}

/* ---- finding what is to be replaced ---- */

/* A later version of this library under the module's name needs nothing put in its place. */
static bool is_drop_in(const struct fs_image *image)
{
    return fs_image_export(image, "fastsync_version") != NULL;
}

static bool find_original(struct fs_redirection *row, uint8_t *base)
{
    struct fs_image image;
    uint32_t *slot;

    if (!fs_image_open(&image, base))
        return fail("is no image for this processor", row);
    slot = is_drop_in(&image) ? NULL : fs_image_export(&image, row->name);
    if (!slot || *slot == 0) {
        fs_store_release(&row->state, MISSING);
        return row->optional || is_drop_in(&image) || fail("is not there", row);
    }
    row->base = base;
    row->export_slot = slot;
    row->export_before = *slot;
    /* The loader is asked only where it has to find another module. */
    *row->original = fs_image_is_forwarded(&image, *slot)
                         ? (fs_function)GetProcAddress((HMODULE)base, row->name)
                         : (fs_function)(uintptr_t)(base + *slot);
    if (!*row->original)
        return fail("cannot be found", row);
    if (!row->replacement)
        row->target = *row->original;
    fs_store_release(&row->state, FOUND);
    return true;
}

/* Looks up the pending rows of a module; one that nobody asks for is passed over. */
static bool visit_provider(void *base, const uint16_t *path, size_t length, void *argument)
{
    if (base == own_image)
        return true;
    EACH_ROW(row)
    if (fs_load_relaxed(&row->state) == PENDING && fs_module_is_named(path, length, row->module) &&
        !find_original(row, base))
        return false;
    return true;
}

/* ---- tables of imports ---- */

/* What belongs into a slot with that value, by the rows of these groups; with undo, what stood
   there before. */
static fs_function exchange(fs_function value, unsigned groups, bool undo)
{
    EACH_ROW(row)
    {
        if (!is_live(row) || !(groups & (row->group ? row->group : ALL_GROUPS)) ||
            (undo && fs_load_relaxed(&row->state) == PLACED))
            continue;
        if (value == (undo ? row->target : *row->original))
            return undo ? *row->original : row->target;
        /* Of the drop-in, which programs are bound to: so its calls are counted. */
        if (FS_DROP_IN && value == row->replacement && !undo)
            return row->target;
    }
    return value;
}

struct sweep {
    unsigned groups;
    bool undo;
};

static bool visit_slot(fs_function *slot, void *argument)
{
    const struct sweep *how = argument;
    fs_function value = *slot;
    fs_function wanted = exchange(value, how->groups, how->undo);

    return wanted == value || fs_image_write(slot, &wanted, sizeof(wanted));
}

static bool is_provider(const uint8_t *base)
{
    EACH_ROW(row)
    if (row->base == base)
        return true;
    return false;
}

/* A module whose code has run before ours may have Win32 locks in use: it keeps its own functions.
   Of winpthreads' objects the handle tells. */
static unsigned groups_for(const uint8_t *base)
{
    return fs_module_is_older(base, own_image) ? ALL_GROUPS & ~(unsigned)FS_GROUP_WIN32
                                               : ALL_GROUPS;
}

static bool sweep(uint8_t *base, bool undo)
{
    struct sweep how = {.undo = undo};
    struct fs_image image;

    if (base == own_image || is_provider(base) || !fs_image_open(&image, base))
        return true;
    how.groups = groups_for(base);
    return fs_image_each_import(&image, visit_slot, &how);
}

static bool visit_user(void *base, const uint16_t *path, size_t length, void *undo)
{
    /* What is taken back is taken back as far as it goes. */
    return sweep(base, undo != NULL) || undo != NULL;
}

/* ---- tables of exports ---- */

static bool prepare_exports(void)
{
    EACH_ROW(row)
    {
        struct fs_image image;
        uint32_t offset;

        if (fs_load_relaxed(&row->state) != FOUND || !fs_image_open(&image, row->base))
            continue;
        if (!fs_stub_offset(row->base, image.size, row->target, &offset))
            return fail("has no free memory near it for", row);
        row->export_after = offset;
    }
    EACH_ROW(row)
    if (fs_load_relaxed(&row->state) == FOUND && !fs_stubs_finish(row->base))
        return fail("may not have executable memory for", row);
    return true;
}

static bool place_exports(void)
{
    EACH_ROW(row)
    if (fs_load_relaxed(&row->state) == FOUND &&
        !fs_image_write(row->export_slot, &row->export_after, sizeof(row->export_after)))
        return fail("cannot be changed", row);
    return true;
}

/* ---- the transaction ---- */

/* Of two rows with one replacement, a slot gets back the first's original: they do the same. What
   failed is not tried again. */
static void take_back(void)
{
    fs_module_each(visit_user, &redirect);
    EACH_ROW(row)
    if (fs_load_relaxed(&row->state) == FOUND && *row->export_slot != row->export_before)
        fs_image_write(row->export_slot, &row->export_before, sizeof(row->export_before));
    EACH_ROW(row)
    {
        if (fs_load_relaxed(&row->state) == FOUND) {
            fs_stubs_free(row->base);
            forget(row, MISSING);
        } else if (row->module == redirect.failure.module) {
            fs_store_release(&row->state, MISSING);
        }
    }
}

static bool place(void)
{
    if (!fs_module_each(visit_provider, NULL))
        return false;
    if ((redirect.ways & FS_REDIRECT_LATER) && !fs_later_start())
        return fail("the loader does not tell of modules", NULL);
    if ((redirect.ways & FS_REDIRECT_EXPORTS) && !(prepare_exports() && place_exports()))
        return false;
    if ((redirect.ways & FS_REDIRECT_IMPORTS) && !fs_module_each(visit_user, NULL))
        return fail("a table of imports cannot be changed", NULL);
    return true;
}

static bool commit(void)
{
    fail(NULL, NULL);
    if (!place()) {
        take_back();
        return false;
    }
    EACH_ROW(row)
    if (fs_load_relaxed(&row->state) == FOUND)
        fs_store_release(&row->state, PLACED);
    return true;
}

void fs_redirect_begin(unsigned ways)
{
    redirect.ways = ways;
    redirect.count = 0;
    fail(NULL, NULL);
}

void fs_redirect_attach(struct fs_redirection *rows, size_t count)
{
    if (redirect.count == TABLES_MAX)
        fs_fatal("tables of redirections", TABLES_MAX);
    redirect.tables[redirect.count].rows = rows;
    redirect.tables[redirect.count++].count = count;
}

bool fs_redirect_commit(struct fs_redirect_failure *failure)
{
    bool done = commit();

    if (!done) {
        fs_later_stop();
        redirect.count = 0;
    }
    *failure = redirect.failure;
    return done;
}

/* The row of group win32 that a lookup has found, by its export perhaps; or null. */
static const struct fs_redirection *find_win32(fs_function function)
{
    EACH_ROW(row)
    if (is_live(row) && row->group == FS_GROUP_WIN32 &&
        (function == *row->original ||
         function == (fs_function)(uintptr_t)(row->base + row->export_after)))
        return row;
    return NULL;
}

fs_function fs_redirect_answer(fs_function function, const void *caller)
{
    const struct fs_redirection *row;

    /* Null is what was not found, and for a moment the original of a row that is forgotten. */
    if (!function || !(redirect.ways & FS_REDIRECT_LOOKUPS))
        return function;
    row = find_win32(function);
    if (row && fs_older_has(fs_image_around(caller)))
        return *row->original;
    return exchange(function, ALL_GROUPS, false);
}

/* ---- modules that come and go ---- */

static bool is_awaited(const uint16_t *name, size_t length)
{
    EACH_ROW(row)
    if (fs_load_relaxed(&row->state) == PENDING && fs_module_is_named(name, length, row->module))
        return true;
    return false;
}

void fs_redirect_loaded(uint8_t *base, const uint16_t *name, size_t length)
{
    if (is_awaited(name, length) && !commit())
        fs_report(redirect.failure.module, " is left as it is: ", redirect.failure.name, " ",
                  redirect.failure.what, (char *)0);
    if ((redirect.ways & FS_REDIRECT_IMPORTS) && !sweep(base, false))
        fs_report("a module's table of imports cannot be changed", (char *)0);
}

void fs_redirect_unloaded(uint8_t *base)
{
    const char *module = NULL;

    EACH_ROW(row)
    if (row->base == base) {
        module = row->module;
        forget(row, PENDING);
    }
    if (!module)
        return;
    EACH_ROW(row) /* another version of it may have more */
    if (row->module == module)
        fs_store_release(&row->state, PENDING);
    fs_stubs_free(base);
}

bool fs_redirect_serves(const void *address)
{
    const uint8_t *base = fs_image_around(address);

    return base && base != own_image && !is_provider(base) && !fs_older_has(base);
}

size_t fs_redirect_placed(const char *module)
{
    size_t count = 0;

    EACH_ROW(row)
    count += fs_load_acquire(&row->state) == PLACED && row->module == module;
    return count;
}
