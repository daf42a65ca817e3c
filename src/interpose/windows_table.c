/* SPDX-License-Identifier: MIT */
/* The tables of redirections and of what is looked up, generated from windows.list, the variables
   of the originals, and the choice of groups. The replacements are declared here without their
   types: only their addresses are taken. */
#include "interpose/windows_redirect.h"

#define FS_DECLARE(module, name, ours, variable, optional, group) extern void fs_##ours(void);
FS_REDIRECTIONS(FS_DECLARE)

#define FS_DEFINE_ORIGINAL(module, name, ours, variable, optional, group)                          \
    fs_function fs_original_##variable;
FS_REDIRECTIONS(FS_DEFINE_ORIGINAL)

#define FS_ROW(module, name, ours, variable, optional, group)                                      \
    {module, #name, fs_##ours, &fs_original_##variable, optional, group, fs_##ours, {0}, 0,        \
     0,      NULL,  NULL},
struct fs_redirection fs_redirections[] = {FS_REDIRECTIONS(FS_ROW)};
size_t fs_redirection_count = sizeof(fs_redirections) / sizeof(fs_redirections[0]);

#define FS_DEFINE_LOOKUP(module, name, optional) fs_function fs_original_##name;
FS_LOOKUPS(FS_DEFINE_LOOKUP)

#define FS_LOOKUP_ROW(module, name, optional)                                                      \
    {module, #name, NULL, &fs_original_##name, optional, FS_GROUP_PTHREAD, NULL, {0}, 0,           \
     0,      NULL,  NULL},
struct fs_redirection fs_lookups[] = {FS_LOOKUPS(FS_LOOKUP_ROW)};
const size_t fs_lookup_count = sizeof(fs_lookups) / sizeof(fs_lookups[0]);

void fs_redirections_choose(unsigned groups)
{
    size_t chosen = 0;

    for (size_t i = 0; i < fs_redirection_count; i++)
        if (fs_redirections[i].group == FS_GROUP_ANY || (fs_redirections[i].group & groups))
            fs_redirections[chosen++] = fs_redirections[i];
    fs_redirection_count = chosen;
}
