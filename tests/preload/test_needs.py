#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Checks what the library needs from others: of libc no symbol version newer
than NEWEST except those allowed below, and no library but libc and the loader.

    test_needs.py LIBRARY"""

import re
import subprocess
import sys

NEWEST = (2, 17)

# (name, version) pairs that may be newer, each with its reason. Weak symbols are bound to 0 on an
# older libc, but their version would still be required, so they too have to stand here.
ALLOWED = {}

NEEDED = {"libc.so.6", "libdl.so.2", "ld-linux-x86-64.so.2"}


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


def is_too_new(version):
    if version == "GLIBC_PRIVATE":
        return True
    match = re.match(r"GLIBC_(\d+)\.(\d+)", version)
    return match is not None and (int(match[1]), int(match[2])) > NEWEST


def main():
    library = sys.argv[1]
    wrong = []
    pairs = undefined_versions(library)
    for name, version in pairs:
        if is_too_new(version) and (name, version) not in ALLOWED:
            wrong.append(f"needs {name}@{version}")
    allowed_versions = {version for _, version in ALLOWED}
    for version in sorted(required_versions(library)):
        if is_too_new(version) and version not in allowed_versions:
            wrong.append(f"requires version {version} at load time")
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", "--wide", library)))
    for name in sorted(needed - NEEDED):
        wrong.append(f"needs the library {name}")
    for line in wrong:
        print(line)
    checks = len(pairs) + len(needed)
    rate = 100 * (checks - min(len(wrong), checks)) // max(checks, 1)
    print(f"{rate}%: Checks: {checks}, Failures: {len(wrong)}, Errors: 0")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
