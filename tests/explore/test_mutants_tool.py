# SPDX-License-Identifier: MIT
"""mutants.py itself, on a project of two small sources and with a stand-in for the explorer, which
looks only at a text in the module.
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
TOOL = os.path.join(HERE, "mutants.py")

EXPLORER = r'''#!/usr/bin/python3
import json
import sys

arguments = dict(zip(sys.argv[1::1], sys.argv[2::1]))
with open(arguments["--module"], "rb") as file:
    wrong = arguments["--scenario"].split("/")[0].encode() + b" goes wrong" in file.read()
if arguments["--scenario"] == "broken":
    sys.exit("no such thing")
print(json.dumps({"scenario": arguments["--scenario"] + "/one", "schedules": 7, "states": 3,
                  "verdict": "FAILED" if wrong else "CUT" if arguments["--scenario"] == "slow"
                             else "passed",
                  "failure": "as told" if wrong else ""}))
sys.exit(wrong)
'''
WORDS = '''
#include "lock/said.h"
const char first[] = "first is fine";
const char second[] = "second is fine";
const char *said(void) { return SAID; }
'''
SAID = '#define SAID "header is fine"\n'
SCENARIO = '''
#include "lock/said.h"
const char *said_again(void) { return SAID; }
'''
MUTANT = '''
[[{table}]]
name = "{name}"
file = "{file}"
old = "{old}"
new = "{new}"
{reason} = "a rule"
scenarios = [{scenarios}]
'''


class MutantsTool(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="fastsync-test-")
        self.addCleanup(holder.cleanup)
        self.root = holder.name
        self.write("explorer", EXPLORER)
        os.chmod(os.path.join(self.root, "explorer"), 0o755)
        self.write("src/lock/words.c", WORDS)
        self.write("src/lock/said.h", SAID)
        self.write("tests/explore/scenarios/some.c", SCENARIO)
        self.list = []

    def write(self, name, text):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def mutant(self, name, old, new, scenarios, file="words.c", harmless=False):
        self.list.append(MUTANT.format(
            name=name, file=file, old=old, new=new, table="harmless" if harmless else "mutant",
            reason="because" if harmless else "breaks",
            scenarios=", ".join(f'"{scenario}"' for scenario in scenarios)))

    def run_tool(self, *options):
        self.write("mutants.toml", "".join(self.list))
        return subprocess.run(
            [sys.executable, TOOL, "--mutants", os.path.join(self.root, "mutants.toml"),
             "--explorer", os.path.join(self.root, "explorer"), "--source", self.root,
             "--build", os.path.join(self.root, "build"), *options],
            capture_output=True, text=True, check=False, timeout=60)

    def results(self, *options):
        path = os.path.join(self.root, "results.json")
        done = self.run_tool("--json", path, *options)
        with open(path, encoding="utf-8") as file:
            return done, {result["name"]: result for result in json.load(file)}

    def test_a_mutant_that_a_scenario_notices_is_caught(self):
        self.mutant("a/caught", "first is fine", "first goes wrong", ["second", "first"])
        done, results = self.results()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(results["a/caught"]["scenario"], "first/one")
        self.assertEqual(results["a/caught"]["schedules"], 14)
        self.assertIn("\n1 mutants: 1 caught, 0 survived", done.stdout)
        self.assertIn("\n100%: Checks: 1, Failures: 0, Errors: 0\n", done.stdout)

    def test_a_survivor_makes_the_exit_status_1(self):
        self.mutant("a/caught", "first is fine", "first goes wrong", ["first"])
        self.mutant("a/survivor", "first is fine", "first goes wrong", ["second"])
        done = self.run_tool()
        self.assertEqual(done.returncode, 1)
        self.assertIn("a/survivor: survived. a rule", done.stdout)
        self.assertIn("2 mutants: 1 caught, 1 survived", done.stdout)
        self.assertIn("50%: Checks: 2, Failures: 1, Errors: 0", done.stdout)

    def test_a_text_that_does_not_occur_is_refused(self):
        self.mutant("a/stale", "third is fine", "third goes wrong", ["first"])
        done = self.run_tool()
        self.assertEqual(done.returncode, 2)
        self.assertIn("a/stale: its old text occurs 0 times in src/lock/words.c", done.stderr)
        self.assertIn("the source has changed", done.stderr)

    def test_a_text_that_occurs_twice_is_refused(self):
        self.mutant("a/vague", "is fine", "goes wrong", ["first"])
        done = self.run_tool()
        self.assertEqual(done.returncode, 2)
        self.assertIn("a/vague: its old text occurs 2 times", done.stderr)

    def test_a_stale_text_of_a_harmless_entry_is_refused_too(self):
        self.mutant("a/caught", "first is fine", "first goes wrong", ["first"])
        self.mutant("a/stale", "third is fine", "third", ["first"], harmless=True)
        done = self.run_tool()
        self.assertEqual(done.returncode, 2)
        self.assertIn("a/stale: its old text occurs 0 times", done.stderr)

    def test_a_mutant_that_does_not_compile_is_an_error(self):
        self.mutant("a/no-c", "return SAID;", "retrun SAID;", ["first"])
        done, results = self.results()
        self.assertEqual(done.returncode, 1)
        self.assertEqual(results["a/no-c"]["verdict"], "wrong")
        self.assertIn("does not compile", results["a/no-c"]["failure"])
        self.assertIn("0%: Checks: 1, Failures: 0, Errors: 1", done.stdout)

    def test_an_explorer_that_fails_is_an_error(self):
        self.mutant("a/caught", "first is fine", "first goes wrong", ["broken"])
        done, results = self.results()
        self.assertEqual(done.returncode, 1)
        self.assertEqual(results["a/caught"]["verdict"], "wrong")

    def test_a_scenario_that_fails_without_the_mutant_proves_nothing(self):
        self.write("src/lock/words.c", WORDS.replace("second is fine", "second goes wrong"))
        self.mutant("a/caught", "first is fine", "first goes wrong", ["first"])
        self.mutant("a/unproved", "first is fine", "first is sound", ["second"])
        done, results = self.results()
        self.assertEqual(done.returncode, 1)
        self.assertEqual(results["a/caught"]["verdict"], "caught")
        self.assertEqual(results["a/unproved"]["verdict"], "wrong")
        self.assertIn("second/one does not pass without the mutant either", done.stdout)

    def test_a_mutated_header_reaches_every_source_that_includes_it(self):
        self.mutant("a/header", "header is fine", "header goes wrong", ["header"], file="said.h")
        done, results = self.results()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        folder = os.path.join(self.root, "build/a-header")
        objects = [name for name in os.listdir(folder) if name.endswith(".o")]
        self.assertEqual(len(objects), 2)

    def test_a_scenario_can_be_mutated(self):
        self.mutant("a/calls", "return SAID;", 'return \\"first goes wrong\\";', ["first"],
                    file="scenarios/some.c")
        self.assertEqual(self.run_tool().returncode, 0)

    def test_a_changed_source_is_compiled_again(self):
        self.mutant("a/caught", "first is fine", "first goes wrong", ["first"])
        self.assertEqual(self.run_tool().returncode, 0)
        self.write("src/lock/said.h", '#define SAID "first goes wrong"\n')
        self.assertIn("does not pass without the mutant", self.run_tool().stdout)

    def test_harmless_entries_survive(self):
        self.mutant("a/caught", "first is fine", "first goes wrong", ["first"])
        self.mutant("a/harmless", "second is fine", "second goes", ["second"], harmless=True)
        done = self.run_tool()
        self.assertEqual(done.returncode, 0)
        self.assertIn("2 mutants: 1 caught, 1 survived (1 listed as harmless)", done.stdout)
        done = self.run_tool("--harmless")
        self.assertEqual(done.returncode, 0)
        self.assertIn("1 mutants: 0 caught, 1 survived", done.stdout)

    def test_a_harmless_entry_that_is_noticed_makes_the_exit_status_1(self):
        self.mutant("a/harmless", "first is fine", "first goes wrong", ["first"], harmless=True)
        self.assertEqual(self.run_tool("--harmless").returncode, 1)

    def test_a_harmless_entry_says_nothing_if_the_time_is_too_short(self):
        self.mutant("a/harmless", "first is fine", "first goes wrong", ["slow"], harmless=True)
        done, results = self.results()
        self.assertEqual(done.returncode, 1)
        self.assertEqual(results["a/harmless"]["verdict"], "wrong")
        self.assertIn("slow/one was cut short", done.stdout)

    def test_a_pattern_chooses(self):
        self.mutant("a/one", "first is fine", "first goes wrong", ["first"])
        self.mutant("b/one", "first is fine", "first goes wrong", ["second"])
        self.assertEqual(self.run_tool("--only", "a/*").returncode, 0)
        self.assertEqual(self.run_tool("--only", "c/*").returncode, 2)

    def test_two_of_one_name_are_refused(self):
        self.mutant("a/one", "first is fine", "first goes wrong", ["first"])
        self.mutant("a/one", "second is fine", "second goes wrong", ["second"])
        done = self.run_tool()
        self.assertEqual(done.returncode, 2)
        self.assertIn("a/one: listed more than once", done.stderr)


class TheList(unittest.TestCase):
    def test_every_mutant_fits_the_sources(self):
        done = subprocess.run([sys.executable, TOOL, "--list"], capture_output=True, text=True,
                              check=False, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreaterEqual(len(done.stdout.splitlines()), 50)


if __name__ == "__main__":
    unittest.main()
