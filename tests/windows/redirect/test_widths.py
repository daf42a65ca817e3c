#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Programs of 32 bits and of 64 that start each other, proven by the counts of FASTSYNC_STATS=1.

It is a test of the build for 32 bits and needs the one for 64 as well, which FASTSYNC_OTHER_WIDTH
names; without it, the test is skipped. Each width has a folder of its own, as the runtime DLLs have one
name; the two libraries and launchers lie in one.

usage: test_widths.py FOLDER BUILD    (where to work; the build for 32 bits)
"""
import os
import shutil
import sys
import unittest

import wine

LAUNCHERS = {"64": "fastsync-run.exe", "32": "fastsync-run32.exe"}
LIBRARIES = {"64": "fastsync.dll", "32": "fastsync32.dll"}
PROCESSORS = {"64": "x86_64", "32": "x86"}
PROGRAMS = ("imports.exe", "parent.exe", "contained.exe")


class Widths(unittest.TestCase):
    place, builds, wine = "", {}, None

    @classmethod
    def setUpClass(cls):
        for width, build in cls.builds.items():
            redirect = os.path.join(build, "tests/windows/redirect")
            cls.wine = wine.Wine(PROCESSORS[width], os.path.join(cls.place, width))
            cls.wine.fill([os.path.join(redirect, name) for name in PROGRAMS])
            for name in (LAUNCHERS[width], LIBRARIES[width]):
                shutil.copy(os.path.join(build, "src", name), cls.place)
        cls.wine.start()

    def run_in(self, folder, *command, **settings):
        done = self.wine.run(*command, folder=folder, FASTSYNC_STATS="1", **settings)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def expect(self, launcher, *widths):
        """Started by the launcher of that width: a program of the first width, which starts one of the
        second, and so on. Each has the library of its own width, and the last one uses it."""
        line = f"{widths[-1]}\\imports.exe"
        for how, width in zip("WA" * len(widths), reversed(widths[:-1])):
            line = (f"{width}\\parent.exe {how} " +
                    (f'"{line}"' if " " in line else line))
        plain = self.run_in(self.place, *self.words(line))
        self.assertEqual(wine.counts(plain), {})
        done = self.run_in(self.place, LAUNCHERS[launcher], *self.words(line), FASTSYNC_VERBOSE="1")
        self.assertEqual(done.stdout, plain.stdout)
        used = [bool(calls.get("pthread_mutex_lock"))
                for calls in wine.counts(done).values()]
        self.assertEqual(sorted(used), [False] * (len(widths) - 1) + [True], done.stderr)

    @staticmethod
    def words(line):
        """The program, how it starts another, and that one's line."""
        words = line.split(" ", 2)
        return [word[1:-1] if word.startswith('"') else word for word in words]

    def test_one_program(self):
        for launcher in ("64", "32"):
            for width in ("64", "32"):
                with self.subTest(launcher=launcher, width=width):
                    self.expect(launcher, width)

    def test_child_of_the_other_width(self):
        for launcher in ("64", "32"):
            for widths in (("64", "32"), ("32", "64")):
                with self.subTest(launcher=launcher, widths=widths):
                    self.expect(launcher, *widths)

    def test_there_and_back(self):
        self.expect("64", "64", "32", "64")
        self.expect("32", "32", "64", "32")

    def test_a_program_whose_library_is_missing_is_refused(self):
        for launcher, width in (("64", "32"), ("32", "64")):
            folder = self.without(LIBRARIES[width])
            done = self.wine.run(LAUNCHERS[launcher], f"{width}\\imports.exe", folder=folder)
            self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
            self.assertIn(f"{LIBRARIES[width]} is missing", done.stderr)

    def test_a_child_whose_library_is_missing_runs_without(self):
        for parent, child in (("64", "32"), ("32", "64")):
            self.expect_without(LIBRARIES[child], parent, child, f"{LIBRARIES[child]} is missing")

    def test_without_its_helper_a_child_of_64_bits_runs_without_the_library(self):
        self.expect_without("fastsync-run.exe", "32", "64", "fastsync-run.exe is missing")

    def test_a_library_that_is_named_is_that_of_the_program(self):
        for launcher, width in (("64", "32"), ("32", "64")):
            folder = self.without(LIBRARIES[width])
            shutil.copy(os.path.join(self.place, LIBRARIES[width]), os.path.join(folder, "a b.dll"))
            done = self.run_in(folder, LAUNCHERS[launcher], "--library", "a b.dll",
                               f"{width}\\imports.exe")
            self.assertEqual(len(wine.counts(done)), 1, done.stderr)

    def expect_without(self, file, parent, child, reason):
        done = self.run_in(self.without(file), LAUNCHERS[parent], f"{parent}\\parent.exe", "W",
                           f"{child}\\imports.exe", FASTSYNC_VERBOSE="1")
        self.assertIn("locks: 0", done.stdout)
        self.assertEqual(len(wine.counts(done)), 1, done.stderr)
        said = [line for line in wine.complaints(done) if "runs without the library" in line]
        self.assertEqual(len(said), 1, done.stderr)
        self.assertIn(reason, said[0])

    def without(self, file):
        """A copy of the folder that lacks a file."""
        folder = self.place + "-without"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.place, folder, ignore=shutil.ignore_patterns(file))
        return folder


def why_not(place, builds):
    if not os.path.exists(os.path.join(builds["64"], "src", LAUNCHERS["64"])):
        return "FASTSYNC_OTHER_WIDTH does not name a build for 64 bits"
    machine = wine.Wine("x86", place)
    if machine.missing():
        return machine.missing()
    machine.start()
    for width, build in builds.items():
        probe = os.path.join(build, "tests/windows/probe.exe")
        if f"a program of {width} bits was run" not in machine.run(probe, folder=build).stdout:
            return f"this Wine runs no programs of {width} bits"
    return ""


def main():
    place, build = (os.path.abspath(path) for path in sys.argv[1:])
    Widths.place = place
    Widths.builds = {"64": os.environ.get("FASTSYNC_OTHER_WIDTH", ""), "32": build}
    reason = why_not(place, Widths.builds)
    if reason:
        print(f"SKIP windows_widths: {reason}")
        return 77
    shutil.rmtree(place, ignore_errors=True)
    unittest.main(argv=[sys.argv[0], "-v"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
