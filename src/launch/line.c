/* SPDX-License-Identifier: MIT */
/* Reads words as the C runtimes of Windows do in front of the arguments: blanks end a word but
   between quotation marks, which are no part of it. A backslash is a letter: these are paths. */
#include "launch/line.h"

#include <stddef.h>

#include "launch/helper.h"

static bool is_blank(WCHAR letter)
{
    return letter == ' ' || letter == '\t';
}

/* Copies the word at text, and returns where the next one begins; null: it is too long. */
static const WCHAR *take_word(const WCHAR *text, WCHAR word[FS_LAUNCH_PATH])
{
    bool quoted = false;
    size_t used = 0;

    for (; *text && (quoted || !is_blank(*text)); text++) {
        if (*text == '"') {
            quoted = !quoted;
            continue;
        }
        word[used++] = *text;
        if (used == FS_LAUNCH_PATH)
            return NULL;
    }
    word[used] = 0;
    while (is_blank(*text))
        text++;
    return text;
}

static bool is(const WCHAR *word, const char *option)
{
    while (*option && *word == (WCHAR)*option) {
        word++;
        option++;
    }
    return *word == (WCHAR)*option;
}

static DWORD read_number(const WCHAR *word)
{
    DWORD number = 0;

    for (; *word; word++) {
        if (*word < '0' || *word > '9' || number > (DWORD)-1 / 10 - 1)
            return 0;
        number = number * 10 + (DWORD)(*word - '0');
    }
    return number;
}

/* One option; *text is behind it. */
static const char *read_option(struct fs_line *line, const WCHAR *option, const WCHAR **text)
{
    WCHAR value[FS_LAUNCH_PATH];

    if (is(option, "--help")) {
        line->help = true;
    } else if (is(option, "--version")) {
        line->version = true;
    } else if (is(option, "--require")) {
        line->require = true;
    } else if (is(option, "--library")) {
        *text = take_word(*text, line->library);
        if (!*text || !line->library[0])
            return "--library needs a file";
    } else if (is(option, FS_HELPER_OPTION)) {
        *text = take_word(*text, value);
        line->insert_into = *text ? read_number(value) : 0;
        if (line->insert_into == 0)
            return FS_HELPER_OPTION " needs the number of a process";
    } else {
        return "unknown option; --help lists them";
    }
    return NULL;
}

const char *fs_line_read(struct fs_line *line, const WCHAR *text)
{
    WCHAR word[FS_LAUNCH_PATH];
    const WCHAR *next = take_word(text, word); /* the name of this program */
    const char *wrong = NULL;

    *line = (struct fs_line){0};
    while (next && !wrong) {
        line->rest = next;
        next = take_word(next, line->program);
        if (!next || line->program[0] != '-' || line->program[1] != '-')
            break;
        if (is(line->program, "--")) {
            line->rest = next;
            next = take_word(next, line->program);
            break;
        }
        wrong = read_option(line, line->program, &next);
    }
    if (!next && !wrong)
        return "a path is too long";
    return wrong;
}
