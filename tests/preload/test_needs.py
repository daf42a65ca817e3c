#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Checks what the library needs from others: of libc no symbol version newer
than NEWEST except those allowed below, and no library but libc and the loader.

    test_needs.py LIBRARY TABLE PORT [LIBC]

TABLE says with which version the glibc of PORT began: nothing can be older than that. With a LIBC,
a C library without versions, the library must need no other by name, and find all names there."""

import pathlib
import re
import subprocess
import sys

NEWEST = (2, 17)
NEWEST_TIME32 = (2, 34)  # where time_t has 32 bits: the calls with 64 bits came with it

# (name, version) pairs that may be newer, each with its reason. Weak symbols are bound to 0 on an
# older libc, but their version would still be required, so they too have to stand here.
ALLOWED = {}

NEEDED = re.compile(r"libc\.so\.6|libdl\.so\.2|ld(-linux[-\w]*|64)\.so\.\d")
# Every unwinding table of 32-bit Arm names a function of this library.
NEEDED_BY_PORT = {"arm": {"libgcc_s.so.1"}}


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def undefined_versions(library):
    """The (name, version) pairs that the library imports."""
    pairs = []
    for line in run("nm", "-D", "--undefined-only", "--with-symbol-versions", library).splitlines():
        name, _, version = line.split()[-1].partition("@")
        pairs.append((name, version.lstrip("@")))
    return pairs


def required_versions(library):
    """The versions in .gnu.version_r, which the loader demands at start."""
    text = run("readelf", "-V", "--wide", library)
    section = text[text.find(".gnu.version_r"):] if ".gnu.version_r" in text else ""
    return set(re.findall(r"Name: (GLIBC_\S+)", section))


def is_too_new(version, newest):
    if version == "GLIBC_PRIVATE":
        return True
    match = re.match(r"GLIBC_(\d+)\.(\d+)", version)
    return match is not None and (int(match[1]), int(match[2])) > newest


def newest_on(table, port):
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(table.parent))
    from make_symbols import read_ports, version_key
    found = read_ports(table)[port]
    newest = NEWEST_TIME32 if "time32" in found.properties else NEWEST
    return max(newest, tuple(version_key(found.base)))


def defined_names(libc):
    text = run("nm", "-D", "--defined-only", libc)
    return {line.split()[-1] for line in text.splitlines()}


def strongly_undefined(library):
    text = run("nm", "-D", "--undefined-only", library)
    return {fields[-1] for fields in map(str.split, text.splitlines()) if fields[-2] == "U"}


def main():
    library = sys.argv[1]
    newest = newest_on(pathlib.Path(sys.argv[2]), sys.argv[3])
    wrong = []
    pairs = undefined_versions(library)
    for name, version in pairs:
        if is_too_new(version, newest) and (name, version) not in ALLOWED:
            wrong.append(f"needs {name}@{version}")
    allowed_versions = {version for _, version in ALLOWED}
    for version in sorted(required_versions(library)):
        if is_too_new(version, newest) and version not in allowed_versions:
            wrong.append(f"requires version {version} at load time")
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", "--wide", library)))
    allowed = NEEDED_BY_PORT.get(sys.argv[3], set())
    for name in sorted(name for name in needed - allowed if not NEEDED.fullmatch(name)):
        wrong.append(f"needs the library {name}")
    if len(sys.argv) > 4:
        wrong += [f"needs the library {name}" for name in needed if NEEDED.fullmatch(name)]
        wrong += [f"needs {name}, which {sys.argv[4]} does not have"
                  for name in sorted(strongly_undefined(library) - defined_names(sys.argv[4]))]
    for line in wrong:
        print(line)
    checks = len(pairs) + len(needed)
    rate = 100 * (checks - min(len(wrong), checks)) // max(checks, 1)
    print(f"{rate}%: Checks: {checks}, Failures: {len(wrong)}, Errors: 0")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
