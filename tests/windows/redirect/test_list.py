#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""windows.list and the compiler's winpthreads: each mutex, condition variable and rwlock call that
the module exports is in the list, or named here. One that is missing there would get an object of
ours and take it for its own. No Windows is needed.

usage: test_list.py LIST MAKE_REDIRECTIONS DLL OBJDUMP
"""
import importlib.util
import re
import subprocess
import sys
import unittest

CALLS = r"pthread_(mutex|cond|rwlock)_"
EXCEPTIONS = set()  # calls that take no object of ours

exported, replaced, required = set(), set(), set()


class List(unittest.TestCase):
    def test_the_exports_were_found(self):
        self.assertGreaterEqual(len({name for name in exported if re.match(CALLS, name)}), 20)

    def test_each_exported_call_is_replaced(self):
        found = {name for name in exported if re.match(CALLS, name)}
        self.assertEqual(found - replaced - EXCEPTIONS, set())

    def test_each_exception_is_exported_and_not_replaced(self):
        self.assertEqual(EXCEPTIONS - exported | EXCEPTIONS & replaced, set())

    def test_what_the_list_requires_is_exported(self):
        self.assertEqual(required - exported, set())


def read(path, maker, dll, objdump):
    spec = importlib.util.spec_from_file_location("make_redirections", maker)
    make_redirections = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_redirections)
    rows, lookups = make_redirections.read_table(path)
    module = make_redirections.REPLACED
    replaced.update(row[1] for row in rows if row[0] == module)
    required.update(row[1] for row in rows if row[0] == module and not row[4])
    required.update(name for of, name, optional in lookups if of == module and not optional)
    text = subprocess.run([objdump, "-p", dll], capture_output=True, text=True, check=True).stdout
    table = text.partition("[Ordinal/Name Pointer] Table")[2].partition("\n\n")[0]
    exported.update(re.findall(r"\[\s*\d+\] (\w+)", table))


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    read(*sys.argv[1:])
    unittest.main(argv=[sys.argv[0], "-v"])
