/* SPDX-License-Identifier: MIT */
/* Reading the switches out of an environment, without allocating or locking. Which there are, and
   where the environment is found, is left to the caller. */
#include "interpose/switches.h"

#include <string.h>

#include "base/fatal.h"

/* The value of a variable, or null. */
const char *fs_switch_value(const struct fs_switches *from, const char *name)
{
    size_t length = strlen(name);

    if (from->list) {
        for (const char *const *entry = from->list; *entry; entry++)
            if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
                return *entry + length + 1;
        return NULL;
    }
    for (size_t at = 0; at < from->length; at += strlen(from->text + at) + 1)
        if (strncmp(from->text + at, name, length) == 0 && from->text[at + length] == '=')
            return from->text + at + length + 1;
    return NULL;
}

static void complain(const char *name, const char *value, const char *wanted)
{
    fs_report(name, "=", value, " is not understood: ", wanted, "; the default holds", (char *)0);
}

bool fs_switch_read(const struct fs_switches *from, const char *name, bool otherwise)
{
    const char *value = fs_switch_value(from, name);

    if (!value)
        return otherwise;
    if (strcmp(value, "0") == 0)
        return false;
    if (strcmp(value, "1") == 0)
        return true;
    complain(name, value, "it must be 0 or 1");
    return otherwise;
}

unsigned fs_switch_read_number(const struct fs_switches *from, const char *name, unsigned max,
                               unsigned otherwise)
{
    const char *value = fs_switch_value(from, name);
    unsigned number = 0;

    if (!value)
        return otherwise;
    for (const char *at = value; *at; at++) {
        if (*at < '0' || *at > '9' || number > max)
            goto wrong;
        number = number * 10 + (unsigned)(*at - '0');
    }
    if (*value && number <= max)
        return number;
wrong:
    complain(name, value, "it must be a number from 0 to 10000");
    return otherwise;
}
