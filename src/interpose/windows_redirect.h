/* SPDX-License-Identifier: MIT */
/* Putting functions of ours in the place of other modules' exports, for all modules of the process:
   what a transaction is and what it may be told. Which functions there are is settled by
   windows.list; an implementation calls what it replaced as FS_ORIGINAL(pthread_mutex_lock)(mutex).
 */
#ifndef FS_INTERPOSE_WINDOWS_REDIRECT_H
#define FS_INTERPOSE_WINDOWS_REDIRECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"

/* Any function: the one type that all others may be cast to without a warning. */
typedef void (*fs_function)(void);

/* Families of functions, each replaced as a whole or not at all. */
enum fs_redirect_group {
    FS_GROUP_ANY = 0, /* with whichever */
    FS_GROUP_PTHREAD = 1,
    FS_GROUP_WIN32 = 2,
};

struct fs_redirection {
    const char *module; /* file name in lower case */
    const char *name;
    fs_function replacement; /* null: the original is only looked up */
    fs_function *original;   /* null in there as long as the module is not loaded, or lacks it */
    bool optional;           /* the module may lack it */
    unsigned group;          /* enum fs_redirect_group */

    fs_function target; /* what is put in the place: the replacement, or what counts and jumps */

    /* Of the transaction. */
    fs_word state;
    uint32_t export_before, export_after; /* what stands in the slot of the table of exports */
    uint32_t *export_slot;
    uint8_t *base; /* of the module */
};

/* By which ways functions are found. All of them are taken, but for tests of one. */
enum fs_redirect_ways {
    FS_REDIRECT_IMPORTS = 1, /* import tables of the modules that are loaded */
    FS_REDIRECT_LATER = 2,   /* modules that are loaded later */
    FS_REDIRECT_LOOKUPS = 4, /* what fs_GetProcAddress answers */
    FS_REDIRECT_EXPORTS = 8, /* the providers' export tables */
    FS_REDIRECT_ALL = 15,
};

/* A transaction: begin, attach tables, commit. It changes nothing before commit. Modules that are
   not there yet are attached when they are loaded, each in a transaction of its own. Only for the
   start of a process: nobody else redirects, and no lock is in use. */
void fs_redirect_begin(unsigned ways);

/* count rows, which must stay where they are. */
void fs_redirect_attach(struct fs_redirection *rows, size_t count);

/* What failed, and for which function of which module; what does not apply is null. */
struct fs_redirect_failure {
    const char *what, *module, *name;
};

/* Puts everything in its place, or leaves all as it was and says in *failure why. */
bool fs_redirect_commit(struct fs_redirect_failure *failure);

/* How many rows of the module, by its name in the table, are in place. */
size_t fs_redirect_placed(const char *module);

/* Whether an address lies in a module that calls ours of group win32: it is not older than the
   library, and none of its functions is replaced. */
bool fs_redirect_serves(const void *address);

/* What is put in the place of a function, or the function itself, for whoever calls from that
   address: a module older than the library goes on calling Win32's own functions. */
fs_function fs_redirect_answer(fs_function function, const void *caller);

/* The function's symbol as C names it, also where the calling convention decorates names. */
#define FS_LABEL_OF(prefix, name) FS_LABEL_TEXT(prefix) #name
#define FS_LABEL_TEXT(prefix) #prefix
#define FS_LABEL(name) __asm__(FS_LABEL_OF(__USER_LABEL_PREFIX__, name))

/* What was found in the place of fs_NAME. The second is for a name that no header declares. */
#define FS_ORIGINAL(name) ((__typeof__(&name))fs_original_##name)
#define FS_ORIGINAL_LIKE(name, other) ((__typeof__(&other))fs_original_##name)

#include "redirections_generated.h"

#define FS_DECLARE_ORIGINAL(module, name, ours, variable, optional, group)                         \
    extern fs_function fs_original_##variable;
FS_REDIRECTIONS(FS_DECLARE_ORIGINAL)
#define FS_DECLARE_LOOKUP(module, name, optional) extern fs_function fs_original_##name;
FS_LOOKUPS(FS_DECLARE_LOOKUP)

/* The tables of windows.list: what is replaced, what is looked up for group pthread. */
extern struct fs_redirection fs_redirections[];
extern size_t fs_redirection_count;
extern struct fs_redirection fs_lookups[];
extern const size_t fs_lookup_count;

/* Before anything is attached: leaves only the rows of these groups in fs_redirections. */
void fs_redirections_choose(unsigned groups);

#endif
