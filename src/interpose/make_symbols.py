#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns symbols.list into the linker's version script and the header of aliases.

Usage: make_symbols.py LIST MAP HEADER

The library's own interface (fastsync_*) gets a version node of its own; a name of another library
never stands in that node, for the loader would not take it for that name then.
"""
import re
import sys

OWN_NODE = "FASTSYNC_0.1"


def read_table(path):
    """The rows of the table: (row name, kind, [(version, is_default)], exported name, implementation)."""
    rows = []
    with open(path, encoding="ascii") as table:
        for number, line in enumerate(table, 1):
            fields = line.split("#")[0].split()
            if not fields:
                continue
            if len(fields) < 3 or fields[1] not in ("own", "wrapper", "alias"):
                sys.exit(f"{path}:{number}: expected NAME KIND VERSIONS")
            name, kind, rest = fields[0], fields[1], fields[2:]
            versions = [(v.rstrip("*"), v.endswith("*")) for v in rest if v.startswith("GLIBC_")]
            others = [v for v in rest if not v.startswith("GLIBC_")]
            exported, implementation = name, name
            if others and kind == "alias":
                implementation = others[0]
            elif others:
                exported = others[0]
            rows.append((name, kind, versions, exported, implementation))
    return rows


def version_key(version):
    return [int(part) for part in re.findall(r"\d+", version)]


def write_map(rows, path):
    names = {}
    for _, _, versions, exported, _ in rows:
        for version, _ in versions:
            names.setdefault(version, set()).add(exported)
    with open(path, "w", encoding="ascii") as out:
        out.write("/* Generated from symbols.list. */\n")
        previous = ""
        for version in sorted(names, key=version_key):
            members = " ".join(f"{name};" for name in sorted(names[version]))
            hidden = " local: *;" if not previous else ""
            out.write(f"{version} {{ global: {members}{hidden} }}{previous};\n")
            previous = f" {version}"
        out.write(f"{OWN_NODE} {{ global: fastsync_*; }};\n")


def write_header(rows, path):
    pairs = {}
    for name, _, versions, exported, implementation in rows:
        for version, is_default in versions:
            alias = f"fs_alias_{name}_{version.replace('.', '_')}"
            binding = "@@" if is_default else "@"
            pairs.setdefault(implementation, []).append(
                f"FS_EXPORT_PAIR(fs_{implementation}, {alias}, {exported}, {binding}, {version})")
    with open(path, "w", encoding="ascii") as out:
        out.write("/* Generated from symbols.list. */\n")
        for implementation, lines in pairs.items():
            joined = " \\\n    ".join(lines)
            out.write(f"#define FS_VERSIONS_{implementation} \\\n    {joined}\n")


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__.strip().splitlines()[2])
    rows = read_table(sys.argv[1])
    write_map(rows, sys.argv[2])
    write_header(rows, sys.argv[3])


if __name__ == "__main__":
    main()
