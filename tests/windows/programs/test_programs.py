#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Programs for Windows as their users build them, under Wine: OpenMP over libgomp-1.dll and C++ over
libstdc++-6.dll. Each prints the same without and with the library, and the counts of
FASTSYNC_STATS=1 prove that the library answered the calls that its source makes.

usage: test_programs.py PROCESSOR FOLDER LIBRARY LAUNCHER PROGRAM...
"""
import json
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
COMMAND = os.path.join(HERE, "..", "..", "..", "scripts", "fastsync")
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "redirect"))

import wine  # noqa: E402

wine.RUNTIME += ("libgomp-1.dll",)


class Programs(unittest.TestCase):
    wine = None
    files = ()

    @classmethod
    def setUpClass(cls):
        cls.wine.fill(cls.files)
        cls.wine.start()

    def passes(self, done):
        self.assertEqual(done.returncode, 0, done.stdout[-800:] + done.stderr[-800:])
        return done

    def calls_of(self, program, lines):
        """What the program calls, if it prints so many lines and the same ones in both runs."""
        plain = self.passes(self.wine.run(program))
        self.assertEqual(wine.counts(plain), {})
        self.assertEqual(len(plain.stdout.splitlines()), lines, plain.stdout)
        done = self.passes(self.wine.run(os.path.basename(self.files[1]), "--require", program,
                                         FASTSYNC_STATS="1"))
        self.assertEqual(done.stdout, plain.stdout)
        self.assertNotIn("wrong", done.stderr)
        self.assertEqual(wine.complaints(done), [])
        [calls] = wine.counts(done).values()
        return calls

    def require(self, program):
        if program not in map(os.path.basename, self.files):
            self.skipTest("the compiler has no libgomp")

    def assert_calls(self, calls, **least):
        for name, number in least.items():
            self.assertGreaterEqual(calls.get("pthread_" + name, 0), number, name)

    def test_openmp_tasks_and_critical_sections(self):
        self.require("omp_sort.exe")
        calls = self.calls_of("omp_sort.exe", 3)
        self.assert_calls(calls, mutex_lock=9000, mutex_unlock=9000)  # 3 x 3000 blocks

    def test_openmp_locks_and_ordered_parts(self):
        self.require("omp_matrix.exe")
        calls = self.calls_of("omp_matrix.exe", 33)
        self.assert_calls(calls, mutex_init=1, mutex_lock=32, mutex_unlock=32, mutex_destroy=1)

    def test_cxx_pool_that_steals_work(self):
        calls = self.calls_of("cxx_pool.exe", 6)
        self.assert_calls(calls, mutex_lock=1000, mutex_unlock=1000, cond_wait=1, cond_signal=100,
                          cond_broadcast=5)

    def test_cxx_table_under_a_shared_mutex(self):
        calls = self.calls_of("cxx_table.exe", 1)
        self.assert_calls(calls, rwlock_wrlock=8000, rwlock_rdlock=4502, rwlock_tryrdlock=4500,
                          rwlock_unlock=12502)

    def test_cxx_pipeline_with_time_outs(self):
        calls = self.calls_of("cxx_pipeline.exe", 5)
        self.assert_calls(calls, mutex_lock=1200, mutex_timedlock=1, cond_timedwait=1,
                          cond_signal=2400, cond_broadcast=3)

    def test_ab_measures_both_arms(self):
        """The command itself; what it does with a program is in tests/command/test_ab_windows.py."""
        done = subprocess.run(
            [sys.executable, COMMAND, "ab", "--runner", "wine", "-n", "1", "--same-output",
             "--json", "-", "cxx_table.exe"], cwd=self.wine.folder, capture_output=True, text=True,
            env=self.wine.environment({"FASTSYNC_WINDOWS_DIR": self.wine.folder}), check=False,
            stdin=subprocess.DEVNULL, timeout=wine.LIMIT)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        data = json.loads(done.stdout)
        self.assertEqual([run["arm"] for run in data["runs"]], ["A", "B"])
        self.assertGreater(data["measures"]["wall_s"]["B"], 0)


def main():
    processor, folder, *files = sys.argv[1:]
    Programs.wine, Programs.files = wine.Wine(processor, folder), files
    missing = Programs.wine.missing()
    if not missing and processor == "x86":
        Programs.setUpClass()
        if not Programs.wine.run("cxx_table.exe").stdout:
            missing = "this Wine runs no programs of 32 bits"
    if missing:
        print(f"SKIP windows_programs: {missing}")
        return 77
    unittest.main(argv=[sys.argv[0], "-v"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
