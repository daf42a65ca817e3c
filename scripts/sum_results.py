#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Sum up the individual checks in Meson's test logs.

A test that says how many checks it made counts as that many, any other as one. Which tests run
is left to scripts/test. The last line printed is `N passed, N failed, N skipped`; the exit status
is 0 only if something passed and nothing failed.

usage: sum_results.py [--passed STEP]... [--failed STEP]... [--total TOTAL.json]... TESTLOG.json...

A total is what test-targets leaves: the figures of all its logs.
"""

import argparse
import json
import os
import re
from collections import Counter
from dataclasses import dataclass, field

CHECK = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)", re.M)
UNITTEST_RAN = re.compile(r"^Ran (\d+) tests? in ", re.M)
UNITTEST_END = re.compile(r"^(?:OK|FAILED)(?: \((.*)\))?$", re.M)
UNITTEST_SKIP = re.compile(r"^(\w+) \(.*\.\.\. skipped (['\"])(.*)\2$", re.M)
SKIP = re.compile(r"^SKIP +(\S+?): *(.*)$", re.M)

TAIL_LINES = 12  # of the output of a test that failed
TAIL_WIDTH = 300

SKIP_STATUS = 77
PASSED_RESULTS = ("OK", "EXPECTEDFAIL")


@dataclass
class Total:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    reasons: list = field(default_factory=list)
    failures: list = field(default_factory=list)

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.reasons += other.reasons
        self.failures += other.failures

    def line(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def unittest_figures(output):
    """Checks, failures and skips of all of Python's unittest reports in the output."""
    ran = sum(int(number) for number in UNITTEST_RAN.findall(output))
    failed = skipped = 0
    if not UNITTEST_RAN.search(output):
        return 0, 0, 0
    for details in UNITTEST_END.findall(output):
        for kind, number in re.findall(r"([a-z ]+)=(\d+)", details):
            if kind.strip() in ("failures", "errors", "unexpected successes"):
                failed += int(number)
            elif kind.strip() == "skipped":
                skipped += int(number)
    return ran, failed, skipped


def skip_reasons(output):
    """A unittest skip that is also announced by a SKIP line counts once."""
    announced = SKIP.findall(output)
    names = {name for name, _ in announced}
    reported = [(name, reason) for name, _, reason in UNITTEST_SKIP.findall(output)]
    skips = announced + [skip for skip in reported if skip[0] not in names]
    return [f"{name}: {reason}" for name, reason in skips]


def failure(name, result, failed, output):
    """What is said of a test that failed: its figures, and below them how its output ended."""
    tail = [line for line in output.splitlines() if line.strip()][-TAIL_LINES:]
    head = f"{name}: {result}, {failed} failed"
    return "\n".join([head, *(f"         | {line[:TAIL_WIDTH]}" for line in tail)])


def sum_test(test, build=""):
    """The figures of one test as Meson logged it; the build's folder tells equal names apart."""
    output = "\n".join(test.get(stream) or "" for stream in ("stdout", "stderr"))
    name, result = f"{build} {test['name']}".strip(), test["result"]
    reasons = skip_reasons(output)

    checks, failed, unittest_skipped = unittest_figures(output)
    reported = checks > 0
    for figures in CHECK.findall(output):
        total, failures, errors = map(int, figures)
        checks, failed, reported = checks + total, failed + failures + errors, True

    skipped = max(len(reasons), unittest_skipped)
    if result == "SKIP" or test.get("returncode") == SKIP_STATUS:
        skipped = max(skipped, 1)
        reasons = reasons or ["exit status 77 without a reason"]
    elif not reported:
        checks = max(1, skipped)
    if result not in PASSED_RESULTS and result != "SKIP":
        failed = max(failed, 1)

    return Total(
        passed=max(0, checks - failed - skipped),
        failed=failed,
        skipped=skipped,
        reasons=[f"{name}: {reason}" for reason in reasons],
        failures=[failure(name, result, failed, output)] if failed else [],
    )


def sum_logs(paths):
    total = Total()
    for path in paths:
        build = os.path.basename(os.path.dirname(os.path.dirname(os.path.abspath(path))))
        with open(path, encoding="utf-8") as log:
            for line in log:
                if line.strip():
                    total.add(sum_test(json.loads(line), build))
    return total


def add_totals(total, paths):
    for path in paths:
        with open(path, encoding="utf-8") as file:
            total.add(Total(**json.load(file)))


def add_steps(total, passed, failed):
    total.passed += len(passed)
    total.failed += len(failed)
    total.failures += failed


def reason_lines(total):
    """One line for each skipped test: the rounds of a loop test have one in common."""
    for reason, rounds in Counter(total.reasons).items():
        yield f"skipped  {reason}" + (f" ({rounds} rounds)" if rounds > 1 else "")


def show(total):
    for line in reason_lines(total):
        print(line)
    for text in total.failures:
        print(f"FAILED   {text}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--passed", action="append", default=[], metavar="STEP")
    parser.add_argument("--failed", action="append", default=[], metavar="STEP")
    parser.add_argument("--total", action="append", default=[], metavar="TOTAL.json")
    parser.add_argument("logs", nargs="*", metavar="TESTLOG.json")
    options = parser.parse_args()

    total = sum_logs(options.logs)
    add_totals(total, options.total)
    add_steps(total, options.passed, options.failed)
    show(total)
    print(total.line())
    return 0 if total.passed and not total.failed else 1


if __name__ == "__main__":
    raise SystemExit(main())
