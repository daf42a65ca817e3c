#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The environment's switches on macOS, read by the library when it is loaded by the loader.

What a program sees with the library off is what libpthread does, so its run as the arm "native"
must pass. What each switch does to a lock is left to the suites for Linux.

usage: test_switches.py PROGRAMS LIBRARY COMMAND...   (folder, file, and what runs a file)
"""

import os
import subprocess
import sys
import unittest

PROGRAMS, LIBRARY, COMMAND = "", "", []


class SwitchesTest(unittest.TestCase):
    def run_program(self, program, arm, *case, **switches):
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(("FASTSYNC", "DYLD_"))}
        environment.update(switches)
        done = subprocess.run(
            [*COMMAND, "--limit", "60", "--insert", LIBRARY, os.path.join(PROGRAMS, program), arm,
             *case], env=environment, capture_output=True, text=True, check=False, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stderr.splitlines()

    def test_without_switches_the_library_is_on_and_silent(self):
        self.assertEqual(self.run_program("handover", "fastsync"), [])

    def test_off_leaves_every_call_to_libpthread(self):
        for program in ("handover", "mutex_kinds", "rwlock"):
            self.assertEqual(self.run_program(program, "native", FASTSYNC="0"), [])

    def test_verbose_says_in_one_line_that_it_is_on_or_off(self):
        case = "static_initialisers_give_each_kind"
        on = self.run_program("mutex_kinds", "fastsync", case, FASTSYNC_VERBOSE="1")
        self.assertEqual(len(on), 1, on)
        self.assertIn("on", on[0])
        off = self.run_program("mutex_kinds", "native", case, FASTSYNC_VERBOSE="1", FASTSYNC="0")
        self.assertEqual(len(off), 1, off)
        self.assertIn("off", off[0])

    def test_a_wrong_value_gives_one_line_and_the_default(self):
        for name in ("FASTSYNC", "FASTSYNC_SPIN", "FASTSYNC_VERBOSE"):
            lines = self.run_program("handover", "fastsync", **{name: "perhaps"})
            self.assertEqual(len(lines), 1, lines)
            self.assertIn(name, lines[0])

    def test_priority_inheritance_is_refused_in_one_line(self):
        lines = self.run_program("handover", "fastsync", FASTSYNC_PI="1")
        self.assertEqual(len(lines), 1, lines)
        self.assertIn("FASTSYNC_PI", lines[0])

    def test_without_spinning_all_is_the_same(self):
        self.assertEqual(self.run_program("stress", "fastsync", FASTSYNC_SPIN="0"), [])

    def test_the_thread_sanitizer_sees_the_calls(self):
        lines = self.run_program("handover", "native",
                                 DYLD_INSERT_LIBRARIES="/x/libclang_rt.tsan_osx_dynamic.dylib")
        self.assertEqual(len(lines), 1, lines)
        self.assertIn("ThreadSanitizer", lines[0])


def main():
    global PROGRAMS, LIBRARY
    PROGRAMS, LIBRARY, *COMMAND[:] = sys.argv[1:]
    unittest.main(argv=[sys.argv[0], "-v"])


if __name__ == "__main__":
    main()
