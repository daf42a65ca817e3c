#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Compares the library's dynamic symbols with the table they are made from and
with libc's own list, so that a missing (name, version) pair fails.

    test_exports.py LIBRARY TABLE PORT [--libc FILE]

PORT is the table's name for the processor. Only files are read, so a library for another processor
is compared as well. It then takes each line away from the table, and gives each another version, in
memory, and demands that the comparison fails, for a check that cannot fail checks nothing."""

import argparse
import pathlib
import re
import subprocess
import sys

# The families of which every exported version has to be the library's.
FAMILY = re.compile(r"""(
    (__)?pthread_(mutex|cond|rwlock)_\w+ | (__)?mtx_\w+ | (__)?cnd_\w+
)$""", re.VERBOSE)

# Names outside the families without which they do not work: a cancelled waiter has to be woken, and
# RTLD_DEEPBIND would let a plug-in past the library.
DEMANDED = {"pthread_cancel", "dlopen"}

# The library's own version, of fastsync_* and, where the C library has no versions, of all names.
OWN_NODE = "FASTSYNC_0.1"

# Older than RTLD_DEEPBIND, so that its programs do not know the flag; nor does musl.
NOT_DEMANDED = {("dlopen", "GLIBC_2.0"), ("dlopen", "")}

# Names of these families that only act on attributes.
NOT_OURS = re.compile(r"(__)?pthread_(mutex|cond|rwlock)attr_\w+$")


def read_table(path, port):
    """What the table comes to on a port, as {(name, version): is_default}; read as the build does."""
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(path.parent))
    from make_symbols import read_table as read_rows
    return {(row.exported, version): is_default
            for row in read_rows(path, port) if row.kind != "used"
            for version, is_default in row.versions.items()}


def read_symbols(path, ignored=None):
    """The defined dynamic symbols of a shared object as {(name, version): is_default}; of the version
    `ignored` as if they had none."""
    text = subprocess.run(["nm", "-D", "--defined-only", "--with-symbol-versions", path],
                          check=True, capture_output=True, text=True).stdout
    symbols = {}
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 3 or fields[-2] == "A":
            continue
        name, at, version = fields[-1].partition("@")
        number = version.lstrip("@")
        symbols[(name, "" if number == ignored else number)] = not at or version.startswith("@")
    return symbols


def has_versions(table):
    return any(version for _, version in table)


def is_of_family(name, version):
    if version == "GLIBC_PRIVATE" or (name, version) in NOT_DEMANDED:
        return False
    return name in DEMANDED or (FAMILY.match(name) is not None and NOT_OURS.match(name) is None)


def show(key):
    return f"{key[0]}@{key[1]}" if key[1] else key[0]


def compare(table, library, libc):
    """The list of what is wrong."""
    wrong = []
    for key, default in sorted(table.items()):
        if key not in library:
            wrong.append(f"{show(key)} is in the table but not exported by the library")
        elif library[key] != default:
            wrong.append(f"{show(key)} is {'' if library[key] else 'not '}the default version")
    for key in sorted(library):
        if key not in table and not key[0].startswith("fastsync_"):
            wrong.append(f"{show(key)} is exported by the library but not in the table")
    for key, default in sorted(libc.items()):
        if not is_of_family(*key):
            continue
        if key not in table:
            wrong.append(f"{show(key)} is exported by libc but not in the table")
        elif table[key] != default:
            wrong.append(f"{show(key)} is {'' if default else 'not '}libc's default version")
    return wrong


def undetected_mistakes(table, library, libc):
    """The lines of the table that could be left out, or have a wrong version, without a complaint."""
    undetected = []
    for key in table:
        shorter = {k: v for k, v in table.items() if k != key}
        smaller = {k: v for k, v in library.items() if k != key}
        if not compare(shorter, library, libc) or not compare(table, smaller, libc):
            undetected.append(show(key))
        if is_of_family(*key) and key in libc and not compare(shorter, smaller, libc):
            undetected.append(show(key) + " (in both)")
        if not has_versions(table):
            continue
        other = {(key[0], key[1] + ".1") if k == key else k: v for k, v in table.items()}
        if not compare(other, {**smaller, (key[0], key[1] + ".1"): library[key]}, libc):
            undetected.append(show(key) + " (another version)")
    return undetected


def libc_in_use():
    """The libc that this interpreter itself has mapped."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        for line in maps:
            path = line.split(maxsplit=5)[-1].strip()
            if re.search(r"/libc(-[\d.]+)?\.so(\.6)?$", path):
                return path
    raise SystemExit("this interpreter has no libc.so.6 mapped: name one with --libc")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("library")
    parser.add_argument("table", type=pathlib.Path)
    parser.add_argument("port")
    parser.add_argument("--libc")
    options = parser.parse_args()

    table = read_table(options.table, options.port)
    # A C library without versions does not look at ours.
    library = read_symbols(options.library, None if has_versions(table) else OWN_NODE)
    libc = read_symbols(options.libc or libc_in_use())
    wrong = compare(table, library, libc)
    for line in wrong:
        print(line)
    undetected = [] if wrong else undetected_mistakes(table, library, libc)
    for line in undetected:
        print(f"nobody would notice if {line} were missing or wrong")
    families = [key for key in libc if is_of_family(*key)]
    if not families:
        wrong.append("libc exports none of these names")
        print(wrong[-1])
    print(f"{len(table)} pairs in the table, {len(families)} in libc's families, "
          f"{len(wrong)} wrong, {len(undetected)} mistakes undetected")
    failures = len(wrong) + len(undetected)
    checks = (3 if has_versions(table) else 2) * len(table) + len(families)
    rate = 100 * (checks - min(failures, checks)) // max(checks, 1)
    print(f"{rate}%: Checks: {checks}, Failures: {failures}, Errors: 0")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
