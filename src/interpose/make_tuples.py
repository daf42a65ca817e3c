#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns tuples.list into the header of macOS's interpose tuples.

Usage: make_tuples.py LIST HEADER

A name that is not in the table cannot be given a tuple, and the test of the built file reads the
same table: so the two cannot differ.
"""
import sys


def read_table(path):
    """[(the system's name, the name of ours without its fs_)]"""
    pairs = []
    with open(path, encoding="ascii") as table:
        for number, line in enumerate(table, 1):
            fields = line.split("#")[0].split()
            if len(fields) > 2:
                sys.exit(f"{path}:{number}: expected NAME [IMPLEMENTATION]")
            if fields:
                pairs.append((fields[0], fields[-1]))
    return pairs


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip().splitlines()[2])
    with open(sys.argv[2], "w", encoding="ascii") as out:
        out.write("/* Generated from tuples.list. */\n")
        for name, implementation in read_table(sys.argv[1]):
            out.write(f'#define FS_TUPLES_{implementation} FS_TUPLE({implementation}, "_{name}")\n')


if __name__ == "__main__":
    main()
