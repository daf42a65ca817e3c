# SPDX-License-Identifier: MIT
"""scripts/sum_results.py: how Meson's logs become the last line of the test command."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = os.path.join(HERE, "..", "..", "scripts")
sys.path.insert(0, SCRIPTS)

import sum_results  # noqa: E402


def figures(stdout="", result="OK", returncode=0, stderr=""):
    test = dict(name="suite / t", stdout=stdout, result=result, returncode=returncode)
    if stderr:
        test["stderr"] = stderr
    total = sum_results.sum_test(test)
    return total.passed, total.failed, total.skipped


class OneTest(unittest.TestCase):
    def test_a_test_without_lines_counts_as_one(self):
        self.assertEqual(figures(), (1, 0, 0))
        self.assertEqual(figures(result="FAIL", returncode=1), (0, 1, 0))

    def test_lines_of_Check_are_added_up(self):
        line = "66%: Checks: 6, Failures: 1, Errors: 1\n"
        self.assertEqual(figures(line, "FAIL", 1), (4, 2, 0))
        self.assertEqual(figures(line + line, "FAIL", 1), (8, 4, 0))

    def test_a_failure_counts_even_where_the_exit_status_hides_it(self):
        self.assertEqual(figures("50%: Checks: 2, Failures: 1, Errors: 0"), (1, 1, 0))

    def test_a_skipped_check_is_no_passed_one(self):
        output = "SKIP futex_waitv_wakes: no futex_waitv\n100%: Checks: 5, Failures: 0, Errors: 0"
        self.assertEqual(figures(output), (4, 0, 1))

    def test_exit_status_77_is_one_skip_at_least(self):
        self.assertEqual(figures("", "SKIP", 77), (0, 0, 1))
        self.assertEqual(figures("SKIP whole_program: no kernel", "SKIP", 77), (0, 0, 1))

    def test_unittest_reports_on_standard_error_count(self):
        self.assertEqual(figures(stderr="Ran 3 tests in 0.1s\n\nOK\n"), (3, 0, 0))
        self.assertEqual(figures(stderr="Ran 3 tests in 0.1s\n\nOK (skipped=1)\n"), (2, 0, 1))
        report = "Ran 9 tests in 0.1s\n\nFAILED (failures=2, errors=1, skipped=1)\n"
        self.assertEqual(figures(stderr=report, result="FAIL", returncode=1), (5, 3, 1))

    def test_a_unittest_skip_that_is_also_announced_counts_once(self):
        report = "test_x (__main__.T.test_x) ... skipped 'reason'\n\n"
        report += "Ran 2 tests in 0.1s\n\nOK (skipped=1)\n"
        self.assertEqual(figures("SKIP test_x: reason\n", stderr=report), (1, 0, 1))
        self.assertEqual(figures(stderr=report), (1, 0, 1))

    def test_a_failure_is_shown_with_the_end_of_its_output(self):
        output = "\n".join(f"line {n}" for n in range(40))
        test = dict(name="suite / t", stdout=output, result="FAIL", returncode=1)
        head, *tail = sum_results.sum_test(test).failures[0].splitlines()
        self.assertEqual(head, "suite / t: FAIL, 1 failed")
        self.assertIn("line 39", tail[-1])
        self.assertEqual(len(tail), sum_results.TAIL_LINES)
        self.assertEqual(sum_results.sum_test(dict(test, result="OK", returncode=0)).failures, [])

    def test_a_crash_or_an_overrun_limit_is_a_failure(self):
        self.assertEqual(figures("", "TIMEOUT", -15), (0, 1, 0))
        self.assertEqual(figures("", "FAIL", -6), (0, 1, 0))
        line = "100%: Checks: 4, Failures: 0, Errors: 0\n"
        self.assertEqual(figures(line, "FAIL", -11), (3, 1, 0))
        self.assertEqual(figures("", "ERROR", 99), (0, 1, 0))


class WholeCommand(unittest.TestCase):
    def run_on(self, tests, *options):
        with tempfile.TemporaryDirectory(prefix="fastsync-sum-") as folder:
            path = os.path.join(folder, "build", "meson-logs", "testlog.json")
            os.makedirs(os.path.dirname(path))
            with open(path, "w", encoding="utf-8") as log:
                log.writelines(json.dumps(test) + "\n" for test in tests)
            argv = [sys.executable, os.path.join(SCRIPTS, "sum_results.py"), *options, path]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
        return done.returncode, done.stdout.splitlines()

    def test_nothing_ran_is_a_failure(self):
        self.assertEqual(self.run_on([]), (1, ["0 passed, 0 failed, 0 skipped"]))

    def test_each_reason_is_reprinted_before_the_last_line(self):
        tests = [
            dict(name="unit / a", stdout="SKIP b: no kernel", result="SKIP", returncode=77),
            dict(name="unit / c", stdout="", result="OK", returncode=0),
        ]
        status, lines = self.run_on(tests)
        self.assertEqual(status, 0)
        self.assertEqual(
            lines, ["skipped  build unit / a: b: no kernel", "1 passed, 0 failed, 1 skipped"]
        )

    def test_the_rounds_of_a_loop_test_have_one_line(self):
        rounds = "SKIP b: no kernel\nSKIP c: no kernel\nSKIP b: no kernel\nSKIP b: none\n"
        output = rounds + "100%: Checks: 5, Failures: 0, Errors: 0\n"
        _, lines = self.run_on([dict(name="a", stdout=output, result="OK", returncode=0)])
        self.assertEqual(
            lines,
            [
                "skipped  build a: b: no kernel (2 rounds)",
                "skipped  build a: c: no kernel",
                "skipped  build a: b: none",
                "1 passed, 0 failed, 4 skipped",
            ],
        )

    def test_a_step_counts_as_a_check(self):
        tests = [dict(name="unit / c", stdout="", result="OK", returncode=0)]
        status, lines = self.run_on(tests, "--passed", "build a", "--failed", "build b")
        self.assertEqual((status, lines[-1]), (1, "2 passed, 1 failed, 0 skipped"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
