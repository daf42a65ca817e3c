#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of the explorer as a command: what it refuses, what it prints, that a schedule it has
found can be followed again. What it explores is tested by its scenarios.

usage: test_explorer.py EXPLORER SUBJECT...

The subjects are the first parts of the scenarios' names that the other tests of the suite run.
"""

import fnmatch
import json
import pathlib
import re
import subprocess
import sys
import unittest

EXPLORER = sys.argv[1]
SUBJECTS = set(sys.argv[2:])
BREAKS = pathlib.Path(__file__).resolve().parents[1] / "BREAKS.md"
CONTROL = "litmus/store-buffering-is-seen"


def explore(*options):
    return subprocess.run(
        [EXPLORER, *options], capture_output=True, text=True, timeout=120, check=False
    )


class Refusals(unittest.TestCase):
    def assert_refused(self, run, part):
        self.assertEqual(run.returncode, 2)
        self.assertEqual(len(run.stderr.splitlines()), 1, run.stderr)
        self.assertIn(part, run.stderr)
        self.assertEqual(run.stdout, "")

    def test_an_unknown_mode(self):
        self.assert_refused(explore("--mode", "pso"), "no such mode: pso")

    def test_a_number_that_is_none(self):
        self.assert_refused(explore("--bound", "many"), "not a number: many")

    def test_an_argument_too_many(self):
        self.assert_refused(explore("word/*"), "unexpected argument: word/*")

    def test_a_module_that_is_not_there(self):
        self.assert_refused(explore("--module", "/nowhere/m.so"), "cannot load the module")

    def test_a_library_that_is_no_module(self):
        self.assert_refused(explore("--module", "/lib64/ld-linux-x86-64.so.2"), "not a module")

    def test_a_pattern_that_matches_nothing(self):
        run = explore("--scenario", "nothing/*", "--list")
        self.assert_refused(run, "no scenario matches")

    def test_a_schedule_of_an_unknown_scenario(self):
        self.assert_refused(explore("--replay", "nothing:tso:0"), "not a schedule")

    def test_a_schedule_that_does_not_fit(self):
        run = explore("--replay", f"{CONTROL}:tso:9")
        self.assertEqual(run.returncode, 2)
        self.assertIn("does not fit", run.stderr)


class Results(unittest.TestCase):
    def test_the_list_has_a_line_for_every_scenario(self):
        run = explore("--list")
        names = [line.split()[0] for line in run.stdout.splitlines()]
        self.assertEqual(run.returncode, 0)
        self.assertGreater(len(names), 50)
        self.assertEqual(len(names), len(set(names)), "a name is used twice")
        for line in run.stdout.splitlines():
            self.assertGreater(len(line.split()), 1, f"nothing is said about {line}")

    def test_no_subject_is_forgotten(self):
        subjects = {line.split("/")[0] for line in explore("--list").stdout.splitlines()}
        self.assertEqual(subjects, SUBJECTS)

    def test_the_table_of_breaks_names_scenarios_that_exist(self):
        names = [line.split()[0] for line in explore("--list").stdout.splitlines()]
        rows = [row for row in BREAKS.read_text(encoding="utf-8").splitlines() if re.match(r"\| \d", row)]
        self.assertEqual(len(rows), 33)
        for row in rows:
            for pattern in re.findall(r"[a-z-]+/[a-z0-9*-]*", row.split("|")[-2]):
                pattern += "*" if pattern.endswith("/") else ""
                self.assertTrue(fnmatch.filter(names, pattern), f"no scenario {pattern}: {row}")

    def test_a_control_is_found_and_its_schedule_leads_there_again(self):
        run = explore("--scenario", CONTROL, "--mode", "tso", "--traces")
        self.assertEqual(run.returncode, 0, run.stdout)
        self.assertIn("  found", run.stdout)
        schedule = re.search(r"--replay='([^']+)'", run.stdout).group(1)
        trace = [line for line in run.stdout.splitlines() if "thread " in line]
        again = explore("--replay", schedule)
        self.assertEqual(again.returncode, 1)
        self.assertEqual([line for line in again.stdout.splitlines() if "thread " in line], trace)

    def test_the_same_search_finds_the_same_every_time(self):
        lines = [
            re.sub(r" [0-9.]+  (\w+)$", r" \1", explore("--scenario", "rwlock/t*").stdout, flags=re.M)
            for _ in range(2)
        ]
        self.assertEqual(lines[0], lines[1])

    def test_a_search_that_is_cut_short_has_not_passed(self):
        run = explore("--scenario", "word/two*", "--state-limit", "10")
        self.assertEqual(run.returncode, 1)
        self.assertIn("  CUT", run.stdout)

    def test_random_schedules_find_a_control_too(self):
        run = explore("--scenario", CONTROL, "--mode", "tso", "--random", "10000")
        self.assertEqual(run.returncode, 0, run.stdout)
        self.assertIn("random", run.stdout)

    def test_json_has_one_object_for_every_line(self):
        run = explore("--scenario", "litmus/*", "--json", "-")
        results = [json.loads(line) for line in run.stdout.splitlines()]
        self.assertGreater(len(results), 5)
        for result in results:
            self.assertIn(result["verdict"], ("passed", "found"), result)
            self.assertGreater(result["states"], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv[:1])
