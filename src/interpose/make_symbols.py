#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns symbols.list into the linker's version script and the header of aliases and versions.

    make_symbols.py LIST PORT MAP HEADER
    make_symbols.py --rows LIST PORT        the names of the rows that this port has

PORT is a line of the table: a processor's port of glibc, or a C library without versions. The
library's own interface (fastsync_*) gets a version node of its own; a name of another library
never stands in that node, for the loader would not take it for that name then.
"""
import re
import sys
from typing import NamedTuple

OWN_NODE = "FASTSYNC_0.1"
KINDS = ("own", "wrapper", "alias", "wide", "used")


class Port(NamedTuple):
    base: str  # the first version; "-": this C library has no versions
    properties: frozenset


class Row(NamedTuple):
    name: str
    kind: str
    versions: dict  # {version: is_default}, oldest first
    exported: str  # the name that programs use
    implementation: str  # the function behind it, without its prefix
    called: str  # the name of the C library's function of the same meaning ...
    oldest: str  # ... and its oldest version


def version_key(version):
    return [int(part) for part in re.findall(r"\d+", version)]


def versions_on(port, fields):
    """What the versions of a line come to on a port."""
    versions = {}
    for field in fields:
        version = max(field.rstrip("*"), port.base, key=version_key)
        versions[version] = versions.get(version, False) or field.endswith("*")
    return versions


def exists_on(port, condition):
    if condition == "only:glibc":
        return port.base != "-"
    if condition == "only:time32":
        return "time32" in port.properties
    if condition.startswith("only:base<GLIBC_"):
        return port.base != "-" and version_key(port.base) < version_key(condition)
    return None


def read_row(fields, port, where):
    """The row of a line on this port; None when the port does not have it."""
    if len(fields) < 3 or fields[1] not in KINDS:
        sys.exit(f"{where}: expected NAME KIND VERSIONS")
    name, kind = fields[:2]
    versions = [field for field in fields[2:] if field.startswith("GLIBC_")]
    conditions = [field for field in fields[2:] if field.startswith("only:")]
    others = [field for field in fields[2:] if field not in versions + conditions]
    if not versions or len(others) > 1 or (others and kind not in ("wrapper", "alias", "wide")):
        sys.exit(f"{where}: expected NAME KIND VERSIONS [NAME] [only:...]")
    verdicts = [exists_on(port, condition) for condition in conditions]
    if None in verdicts:
        sys.exit(f"{where}: an unknown condition")
    has_default = any(version.endswith("*") for version in versions)
    if not all(verdicts) or (port.base == "-" and not has_default and kind != "used"):
        return None
    exported, implementation = name, name
    if others and kind in ("alias", "wide"):
        implementation = others[0]
    elif others:
        exported = others[0]
    found = versions_on(port, versions) if port.base != "-" else {"": True}
    return Row(name, kind, found, exported, implementation, exported, next(iter(found)))


def widen(rows):
    """The rows with what the wide names among them mean: they take over the function, and the C
    library's is called by them."""
    wide = {row.implementation: row for row in rows if row.kind == "wide"}
    return [row._replace(implementation=f"time32_{row.name}", called=wide[row.name].exported,
                         oldest=wide[row.name].oldest) if row.name in wide else row
            for row in rows]


def read_ports(path):
    """{name: Port} of the table's lines `port NAME BASE PROPERTY...`."""
    with open(path, encoding="ascii") as table:
        lines = [line.split("#")[0].split() for line in table]
    return {fields[1]: Port(fields[2], frozenset(fields[3:]))
            for fields in lines if fields and fields[0] == "port" and len(fields) > 2}


def read_table(path, port_name):
    """The rows of the table that a port has."""
    port = read_ports(path).get(port_name)
    if not port:
        sys.exit(f"{path} has no line `port {port_name}`: find the version with which this port of "
                 f"the C library began, and add it")
    rows, taken = [], set()
    with open(path, encoding="ascii") as table:
        for number, line in enumerate(table, 1):
            fields = line.split("#")[0].split()
            where = f"{path}:{number}"
            if not fields or fields[0] == "port":
                continue
            row = read_row(fields, port, where)
            pairs = {(row.exported, version) for version in row.versions} if row else set()
            if pairs & taken:
                sys.exit(f"{where}: {row.exported} stands there twice with one version")
            taken |= pairs
            rows += [row] if row else []
    return widen(rows)


def write_map(rows, path):
    names = {}
    for row in rows:
        for version in row.versions if row.kind != "used" else ():
            names.setdefault(version, set()).add(row.exported)
    with open(path, "w", encoding="ascii") as out:
        out.write("/* Generated from symbols.list. */\n")
        if "" in names:
            # No loader asks for a version where there are none. That of another C library, in a child
            # that inherits LD_PRELOAD, asks for its own, and finds nothing here.
            members = " ".join(f"{name};" for name in sorted(names[""]))
            out.write(f"{OWN_NODE} {{ global: {members} fastsync_*; local: *; }};\n")
            return
        previous = ""
        for version in sorted(names, key=version_key):
            members = " ".join(f"{name};" for name in sorted(names[version]))
            hidden = " local: *;" if not previous else ""
            out.write(f"{version} {{ global: {members}{hidden} }}{previous};\n")
            previous = f" {version}"
        out.write(f"{OWN_NODE} {{ global: fastsync_*; }};\n")


def export_line(row, version):
    """The macro call that exports a row's function under one version."""
    if not version:
        return f"FS_EXPORT_NAME(fs_{row.implementation}, fs_name_{row.name}, {row.exported})"
    alias = f"fs_alias_{row.name}_{version.replace('.', '_')}"
    binding = "@@" if row.versions[version] else "@"
    return f"FS_EXPORT_PAIR(fs_{row.implementation}, {alias}, {row.exported}, {binding}, {version})"


def write_header(rows, path):
    exports = {}
    for row in rows:
        if row.kind != "used":
            lines = [export_line(row, version) for version in row.versions]
            exports.setdefault(row.implementation, []).extend(lines)
    with open(path, "w", encoding="ascii") as out:
        out.write("/* Generated from symbols.list. */\n")
        for implementation, lines in exports.items():
            joined = " \\\n    ".join(lines)
            out.write(f"#define FS_VERSIONS_{implementation} \\\n    {joined}\n")
        for row in rows:
            out.write(f'#define FS_CALLED_{row.name} "{row.called}"\n')
            if row.oldest:
                out.write(f'#define FS_OLDEST_{row.name} "{row.oldest}"\n')


def main():
    arguments = sys.argv[1:]
    if len(arguments) == 3 and arguments[0] == "--rows":
        print("\n".join(row.name for row in read_table(*arguments[1:])))
    elif len(arguments) == 4:
        rows = read_table(*arguments[:2])
        write_map(rows, arguments[2])
        write_header(rows, arguments[3])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
