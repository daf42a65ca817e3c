#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""FASTSYNC_GROUPS and the group win32 under Wine: which functions are replaced, by which ways they
are found, what happens to objects that were in use before, and what a wrong value does.

usage: test_win32.py PROCESSOR FOLDER DROP_IN FILE...
"""
import os
import shutil
import sys
import unittest

import wine

RUN = "fastsync-run.exe"
# What win32.c calls, three times over, by ntdll's names and by kernel32's.
USED = {
    "RtlInitializeCriticalSection": 3, "RtlEnterCriticalSection": 3,
    "RtlTryEnterCriticalSection": 3, "RtlLeaveCriticalSection": 6,
    "RtlDeleteCriticalSection": 9, "RtlSetCriticalSectionSpinCount": 3,
    "RtlInitializeSRWLock": 3, "RtlAcquireSRWLockExclusive": 3, "RtlAcquireSRWLockShared": 3,
    "RtlTryAcquireSRWLockExclusive": 3, "RtlTryAcquireSRWLockShared": 3,
    "RtlReleaseSRWLockExclusive": 3, "RtlReleaseSRWLockShared": 6,
    "RtlInitializeConditionVariable": 3, "RtlWakeConditionVariable": 3,
    "RtlWakeAllConditionVariable": 3,
}
OF_BOTH = {"InitializeCriticalSectionAndSpinCount": 3, "InitializeCriticalSectionEx": 3,
           "SleepConditionVariableCS": 3, "SleepConditionVariableSRW": 3}
OF_NTDLL = {f"Rtl{name}": calls for name, calls in OF_BOTH.items()}
LOOKED_UP = 20  # functions of that program


class Win32(unittest.TestCase):
    wine = None
    files = ()
    drop_in = ""

    @classmethod
    def setUpClass(cls):
        cls.wine.fill(cls.files)
        cls.wine.start()

    def passes(self, *command, folder=None, **settings):
        done = self.wine.run(*command, folder=folder, **settings)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def counts(self, *command, groups="win32", library=(), **settings):
        """The counts of the one process, which says the same without the library."""
        plain = self.passes(*command)
        done = self.passes(RUN, *library, *command, FASTSYNC_STATS="1", FASTSYNC_GROUPS=groups,
                           **settings)
        self.assertEqual(wine.complaints(done), [])
        self.assertEqual(done.stdout, plain.stdout)
        [found] = wine.counts(done).values()
        return found

    def used(self, *command, **settings):
        """What the program has called itself: the C runtime uses some of the functions as well."""
        base = self.counts("win32.exe", **settings)
        found = self.counts(*command, **settings)
        return {name: calls - base.get(name, 0) for name, calls in found.items()
                if calls > base.get(name, 0)}

    # ---- ways to a function ----

    def assert_used(self, calls, more):
        calls = dict(calls)
        looked_up = calls.pop("GetProcAddress", 0)
        for name in ("Initialize", "Enter", "Leave", "Delete"):  # what a C runtime does, besides
            name = f"Rtl{name}CriticalSection"
            self.assertGreaterEqual(calls.pop(name, 0), USED[name], name)
        self.assertEqual(calls, {name: count for name, count in (USED | more).items()
                                 if name in calls or not name.endswith("CriticalSection")
                                 or "Try" in name})
        return looked_up

    def test_imports_from_kernel32(self):
        self.assert_used(self.used("win32.exe", "kernel32"), OF_BOTH)

    def test_imports_from_ntdll(self):
        self.assert_used(self.used("win32.exe", "ntdll"), OF_NTDLL)

    def test_lookups_by_name(self):
        for module in ("kernel32", "kernelbase", "ntdll"):
            calls = self.used("win32.exe", f"look:{module}")
            found = self.assert_used(calls, OF_NTDLL if module == "ntdll" else OF_BOTH)
            self.assertEqual(found, LOOKED_UP)

    def test_lookups_in_sets_of_interfaces(self):
        module = "api-ms-win-core-synch-l1-2-0.dll"
        if self.wine.run("win32.exe", f"look:{module}").returncode != 0:
            self.skipTest(f"this Wine's {module} has not all of them")
        self.assert_used(self.used("win32.exe", f"look:{module}"), OF_BOTH)

    def test_a_plugin_that_is_loaded_later(self):
        done = self.counts("host.exe", "win32_plugin.dll")
        for name, calls in (USED | OF_BOTH).items():
            self.assertGreaterEqual(done.get(name, 0), calls, name)

    def test_each_way_by_itself(self):
        imports, later, lookups, exports = 1, 2, 4, 8
        for ways, way, are_used in ((imports, "kernel32", True), (exports, "kernel32", False),
                                    (imports + later, "look:ntdll", False),
                                    (imports + later + lookups, "look:ntdll", True),
                                    (exports + later, "look:kernel32", True)):
            calls = self.used("win32.exe", way, library=("--library", "faults.dll"),
                              TEST_WAYS=str(ways))
            self.assertEqual(calls.get("RtlAcquireSRWLockShared", 0), 3 * are_used, (ways, way))
            name = "RtlSleepConditionVariableSRW" if "ntdll" in way else "SleepConditionVariableSRW"
            self.assertEqual(calls.get(name, 0), 3 * are_used, (ways, way))

    def test_each_step_fails_once_and_all_is_as_it_was(self):
        done = self.passes(RUN, "--library", "faults.dll", "win32.exe", "kernel32",
                           FASTSYNC_STATS="1", TEST_FAULTS="1", FASTSYNC_GROUPS="pthread,win32")
        [line] = wine.complaints(done)
        self.assertRegex(line, r"fastsync: faults: \d{2,} taken back, 0 wrong")
        [calls] = wine.counts(done).values()
        self.assertEqual(calls["RtlAcquireSRWLockShared"], 3)

    # ---- groups ----

    def test_the_default_is_pthread_alone(self):
        plain = self.passes(RUN, "imports.exe", FASTSYNC_STATS="1")
        named = self.passes(RUN, "imports.exe", FASTSYNC_STATS="1", FASTSYNC_GROUPS="pthread")
        for done in (plain, named):
            [calls] = wine.counts(done).values()
            self.assertEqual([name for name in calls if name.startswith("Rtl")], [])
            self.assertEqual(calls["pthread_mutex_lock"], 4)

    def test_win32_alone(self):
        calls = self.counts("imports.exe")
        self.assertEqual([name for name in calls if name.startswith("pthread")], [])
        self.assertGreaterEqual(calls["RtlEnterCriticalSection"], 1)

    def test_both(self):
        for groups in ("pthread,win32", "win32,pthread"):
            calls = self.counts("imports.exe", groups=groups)
            self.assertEqual(calls["pthread_mutex_lock"], 4)
            self.assertGreaterEqual(calls["RtlEnterCriticalSection"], 1)

    def test_a_value_that_is_not_understood_redirects_nothing(self):
        for value in ("", "posix", "WIN32", "win32x", "win", "pthread,", ",win32", "win32,posix",
                      "pthread win32"):
            done = self.passes(RUN, "imports.exe", FASTSYNC_STATS="1", FASTSYNC_GROUPS=value)
            self.assertIn("locks: 0", done.stdout)
            self.assertEqual(wine.counts(done), {})
            [line] = wine.complaints(done)
            self.assertIn(f"FASTSYNC_GROUPS={value} is not understood", line)
            self.assertIn("it must be pthread, win32 or pthread,win32; nothing is redirected", line)

    def test_the_line_at_the_start_names_the_groups(self):
        for groups, words in (("win32", (0, 1)), ("pthread", (1, 0)), ("pthread,win32", (1, 1))):
            done = self.passes(RUN, "imports.exe", FASTSYNC_VERBOSE="1", FASTSYNC_GROUPS=groups)
            [line] = wine.complaints(done)
            self.assertEqual(("winpthreads'" in line, "Win32's" in line), words)

    def test_off_is_off(self):
        done = self.passes(RUN, "win32.exe", "kernel32", FASTSYNC="0", FASTSYNC_STATS="1",
                           FASTSYNC_GROUPS="win32")
        self.assertEqual(done.stderr, "")

    def test_a_program_without_winpthreads_is_served(self):
        done = self.passes(RUN, "--require", "win32.exe", "kernel32", FASTSYNC_STATS="1",
                           FASTSYNC_GROUPS="win32")
        self.assertEqual(wine.complaints(done), [])
        self.assertIn("win32: 0", done.stdout)

    def test_children_get_the_groups(self):
        done = self.passes(RUN, "parent.exe", "W", "win32.exe", FASTSYNC_STATS="1",
                           FASTSYNC_GROUPS="win32")
        self.assertEqual([calls["RtlEnterCriticalSection"] > 0
                          for calls in wine.counts(done).values()], [True, True])

    def test_the_drop_in_has_winpthreads_functions_only(self):
        folder = os.path.join(self.wine.folder, "drop-in")
        shutil.copytree(self.wine.folder, folder,
                        ignore=shutil.ignore_patterns("drop-in", "libwinpthread-*"))
        shutil.copy(os.path.join(self.wine.folder, "libwinpthread-1.dll"),
                    os.path.join(folder, "libwinpthread-1-original.dll"))
        shutil.copy(self.drop_in, os.path.join(folder, "libwinpthread-1.dll"))
        done = self.passes("imports.exe", folder=folder, FASTSYNC_STATS="1",
                           FASTSYNC_GROUPS="win32")
        [calls] = wine.counts(done).values()
        self.assertEqual(calls["pthread_mutex_lock"], 4)
        self.assertEqual([name for name in calls if name.startswith("Rtl")], [])

    # ---- objects from before ----

    def test_objects_that_were_in_use_before_the_library_came(self):
        plain = self.passes("before_main.exe", FASTSYNC="0")
        self.assertEqual(plain.stdout.count("the system's"), 2)
        done = self.passes("before_main.exe", FASTSYNC_STATS="1", FASTSYNC_GROUPS="win32")
        self.assertIn("written_lock is ours", done.stdout)
        self.assertIn("late_section is the system's", done.stdout)
        self.assertEqual(wine.complaints(done), [])
        [calls] = wine.counts(done).values()
        self.assertGreaterEqual(calls["RtlReleaseSRWLockExclusive"], 1)
        # One other is that library's own, and not redirected.
        self.assertEqual(calls["RtlWakeConditionVariable"], 2)


class Narrow(unittest.TestCase):
    """Programs of 32 bits, where a Wine runs them."""
    def test_there_is_no_group_win32(self):
        Win32.setUpClass()
        for groups, counted in (("win32", {}), ("pthread,win32", {"pthread_mutex_lock": 4})):
            done = Win32.wine.run(RUN, "imports.exe", FASTSYNC_STATS="1", FASTSYNC_GROUPS=groups)
            self.assertEqual(done.returncode, 0)
            [line] = wine.complaints(done)
            self.assertIn("there is no group win32 in a program of 32 bits", line)
            found = [calls.get("pthread_mutex_lock") for calls in wine.counts(done).values()]
            self.assertEqual(found, list(counted.values()))


def main():
    processor, folder, Win32.drop_in, *files = sys.argv[1:]
    Win32.wine, Win32.files = wine.Wine(processor, folder), files
    missing = Win32.wine.missing()
    if not missing and processor == "x86":
        Win32.setUpClass()
        if "locks: 0" not in Win32.wine.run("imports.exe").stdout:
            missing = "this Wine runs no programs of 32 bits"
    if missing:
        print(f"SKIP windows_win32: {missing}")
        return 77
    unittest.main(argv=[sys.argv[0], "-v"], defaultTest="Narrow" if processor == "x86" else "Win32")
    return 0


if __name__ == "__main__":
    sys.exit(main())
