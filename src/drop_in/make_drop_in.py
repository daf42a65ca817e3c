#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns winpthreads' table of exports into the definitions of the drop-in.

Usage: make_drop_in.py LIST OBJDUMP ORIGINAL DEFINITIONS IMPORTED

Every name keeps its number. Those of windows.list are ours, the others are handed on to the original
under its new name. IMPORTED names one function of the original.
"""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../interpose"))
sys.dont_write_bytecode = True
import make_redirections  # noqa: E402


def exports(objdump, path):
    """[(name, number)]"""
    text = subprocess.run([objdump, "-p", path], capture_output=True, text=True,
                          check=True).stdout
    base = int(re.search(r"Ordinal Base\s+(\d+)", text)[1])
    table = text.partition("[Ordinal/Name Pointer] Table")[2].partition("\n\n")[0]
    return [(name, int(number) + base)
            for number, name in re.findall(r"\[\s*(\d+)\] (\w+)", table)]


def main():
    if len(sys.argv) != 6:
        sys.exit(__doc__.strip().splitlines()[2])
    path, objdump, original, definitions, imported = sys.argv[1:]
    rows, _ = make_redirections.read_table(path)
    ours = {name: implementation for module, name, implementation, *_ in rows
            if module == make_redirections.REPLACED}
    target = make_redirections.ORIGINAL.removesuffix(".dll")
    with open(definitions, "w", encoding="ascii") as out:
        out.write(f"LIBRARY {make_redirections.REPLACED}\nEXPORTS\n")
        found = exports(objdump, original)
        for name, number in found:
            place = f"fs_{ours[name]}" if name in ours else f"{target}.{name}"
            out.write(f"{name} = {place} @{number}\n")
        if len(found) < len(ours):
            sys.exit(f"{original}: only {len(found)} exports")
        out.write("fastsync_version\n")
    with open(imported, "w", encoding="ascii") as out:
        out.write(f"LIBRARY {make_redirections.ORIGINAL}\nEXPORTS\npthread_testcancel\n")


if __name__ == "__main__":
    main()
