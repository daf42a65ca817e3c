#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns windows.list into the header of Windows' redirections.

Usage: make_redirections.py LIST HEADER [--drop-in]

The header has a macro for each module, such as FS_REDIRECTIONS_kernel32(X), with a line
X(module, name, ours, original, optional) for each function, and FS_REDIRECTIONS(X) for them all. A
name that a second module has as well gets a variable of its own for that module's original:
NAME_in_2. FS_LOOKUPS(X) has a line X(module, name, optional) for each that is only looked up.

FS_DROP_IN is 1 in the header of the drop-in libwinpthread-1.dll, which has winpthreads' functions
only, and finds the originals under another name.
"""
import re
import sys

REPLACED = "libwinpthread-1.dll"
ORIGINAL = "libwinpthread-1-original.dll"  # what the drop-in's user renames it to


def read_table(path):
    """[(module, its name of the function, ours without fs_, its original's variable, optional)],
    and of those that are looked up [(module, name, optional)]"""
    rows, lookups, module, seen = [], [], None, {}
    with open(path, encoding="ascii") as table:
        for number, line in enumerate(table, 1):
            line = line.split("#")[0].strip()
            section = re.fullmatch(r"\[([a-z0-9_.-]+\.dll)\]", line)
            entry = re.fullmatch(r"(\?)?(\w+)(?:\s+(\w+))?", line)
            lookup = re.fullmatch(r"(\?)?=(\w+)", line)
            if section:
                module = section[1]
            elif lookup and module:
                lookups.append((module, lookup[2], bool(lookup[1])))
            elif entry and module:
                optional, name, ours = entry.groups()
                if any(row[:2] == (module, name) for row in rows):
                    sys.exit(f"{path}:{number}: {name} twice in {module}")
                seen[name] = seen.get(name, 0) + 1
                original = name if seen[name] == 1 else f"{name}_in_{seen[name]}"
                rows.append((module, name, ours or name, original, bool(optional)))
            elif line:
                sys.exit(f"{path}:{number}: expected [MODULE], [?]NAME [IMPLEMENTATION] or [?]=NAME")
    return rows, lookups


def main():
    drop_in = sys.argv[3:] == ["--drop-in"]
    if len(sys.argv) != 3 + drop_in:
        sys.exit(__doc__.strip().splitlines()[2])
    rows, lookups = read_table(sys.argv[1])
    if drop_in:
        rows = [(ORIGINAL, *row[1:]) for row in rows if row[0] == REPLACED]
        lookups = [(ORIGINAL, *row[1:]) for row in lookups if row[0] == REPLACED]
    macros = []
    with open(sys.argv[2], "w", encoding="ascii") as out:
        out.write(f"/* Generated from windows.list. */\n#define FS_DROP_IN {int(drop_in)}\n")
        for module in dict.fromkeys(row[0] for row in rows):
            macros.append("FS_REDIRECTIONS_" + re.sub(r"\W", "_", module.removesuffix(".dll")))
            out.write(f"#define {macros[-1]}(X)")
            for _, name, ours, original, optional in (row for row in rows if row[0] == module):
                out.write(f' \\\n    X("{module}", {name}, {ours}, {original}, {int(optional)})')
            out.write("\n")
        out.write("#define FS_REDIRECTIONS(X) " + " ".join(f"{macro}(X)" for macro in macros) + "\n")
        out.write("#define FS_LOOKUPS(X)")
        for module, name, optional in lookups:
            out.write(f' \\\n    X("{module}", {name}, {int(optional)})')
        out.write("\n")


if __name__ == "__main__":
    main()
