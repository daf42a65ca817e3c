#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns windows.list into the header of Windows' redirections.

Usage: make_redirections.py LIST HEADER [--drop-in | --without GROUP]

The header has a macro for each module and group, such as FS_REDIRECTIONS_kernel32(X) or
FS_REDIRECTIONS_ntdll_win32(X), with a line X(module, name, ours, original, optional, group) for
each function, and FS_REDIRECTIONS(X) for them all. A name that a second module has as well gets a
variable of its own for that module's original: NAME_in_2. FS_LOOKUPS(X) has a line
X(module, name, optional) for each that is only looked up. FS_HAS_GROUP_WIN32 is 1 if that group is
in it.

FS_DROP_IN is 1 in the header of the drop-in libwinpthread-1.dll, which has winpthreads' functions
only, and finds the originals under another name.
"""
import re
import sys

REPLACED = "libwinpthread-1.dll"
ORIGINAL = "libwinpthread-1-original.dll"  # what the drop-in's user renames it to


def read_table(path):
    """[(module, its name of the function, ours without fs_, its original's variable, optional,
    group)], and of those that are looked up [(module, name, optional)]"""
    rows, lookups, module, group, seen = [], [], None, "", {}
    with open(path, encoding="ascii") as table:
        for number, line in enumerate(table, 1):
            line = line.split("#")[0].strip()
            section = re.fullmatch(r"\[([a-z0-9_.-]+\.dll)\](?:\s+(pthread|win32))?", line)
            entry = re.fullmatch(r"(\?)?(\w+)(?:\s+(\w+))?", line)
            lookup = re.fullmatch(r"(\?)?=(\w+)", line)
            if section:
                module, group = section[1], section[2] or "any"
            elif lookup and module:
                lookups.append((module, lookup[2], bool(lookup[1])))
            elif entry and module:
                optional, name, ours = entry.groups()
                if any(row[:2] == (module, name) for row in rows):
                    sys.exit(f"{path}:{number}: {name} twice in {module}")
                seen[name] = seen.get(name, 0) + 1
                original = name if seen[name] == 1 else f"{name}_in_{seen[name]}"
                rows.append((module, name, ours or name, original, bool(optional), group))
            elif line:
                sys.exit(f"{path}:{number}: expected [MODULE] [GROUP], [?]NAME [IMPLEMENTATION] "
                         "or [?]=NAME")
    return rows, lookups


def main():
    drop_in = sys.argv[3:] == ["--drop-in"]
    without = sys.argv[4] if sys.argv[3:4] == ["--without"] and len(sys.argv) == 5 else None
    if len(sys.argv) != 3 + drop_in + 2 * (without is not None):
        sys.exit(__doc__.strip().splitlines()[2])
    rows, lookups = read_table(sys.argv[1])
    rows = [row for row in rows if row[5] != without]
    if drop_in:
        rows = [(ORIGINAL, *row[1:]) for row in rows if row[0] == REPLACED]
        lookups = [(ORIGINAL, *row[1:]) for row in lookups if row[0] == REPLACED]
    macros = []
    with open(sys.argv[2], "w", encoding="ascii") as out:
        out.write(f"/* Generated from windows.list. */\n#define FS_DROP_IN {int(drop_in)}\n"
                  f"#define FS_HAS_GROUP_WIN32 {int(any(row[5] == 'win32' for row in rows))}\n")
        for module, group in dict.fromkeys((row[0], row[5]) for row in rows):
            macros.append("FS_REDIRECTIONS_" + re.sub(r"\W", "_", module.removesuffix(".dll")) +
                          ("" if group == "any" else "_" + group))
            out.write(f"#define {macros[-1]}(X)")
            for _, name, ours, original, optional, _ in (row for row in rows
                                                         if (row[0], row[5]) == (module, group)):
                out.write(f' \\\n    X("{module}", {name}, {ours}, {original}, {int(optional)}, '
                          f'FS_GROUP_{group.upper()})')
            out.write("\n")
        out.write("#define FS_REDIRECTIONS(X) " + " ".join(f"{macro}(X)" for macro in macros) + "\n")
        out.write("#define FS_LOOKUPS(X)")
        for module, name, optional in lookups:
            out.write(f' \\\n    X("{module}", {name}, {int(optional)})')
        out.write("\n")


if __name__ == "__main__":
    main()
