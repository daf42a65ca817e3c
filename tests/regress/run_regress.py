#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs `fastsync regress` and says how many checks that was, as the other suites do.

A behaviour is a check: it passes where the sides do the same or differ as documented. What neither
side could run is a skip with its reason. So that an empty or broken catalogue is no success, a
number of behaviours has to pass, or be skipped by the test itself, on both sides. Many programs run
at once, so a behaviour that differs is tried again alone, and fails only if it differs again.

    run_regress.py --least NUMBER OPTION...      the options are those of fastsync regress
"""
import json
import os
import subprocess
import sys
import tempfile

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'scripts')
COMMAND = os.path.join(SCRIPTS, 'fastsync')
sys.path.insert(0, SCRIPTS)

from fastsync_lib.regress import glibc_source  # noqa: E402

NOT_RUN = {'skip', 'absent'}
NOT_BROKEN = {'pass', 'skip'}
SKIP_STATUS = 77
AGAIN_AT_MOST = 6       # more than that is no accident, and would take long one by one


def main():
    if len(sys.argv) < 3 or sys.argv[1] != '--least':
        sys.exit(__doc__)
    options = sys.argv[3:]
    if 'glibc' in options and glibc_source.newest() is None:
        print(f'SKIP glibc: {glibc_source.MISSING}')
        return SKIP_STATUS
    status, rows = regress(options)
    if rows is None:
        return 1
    differing = [row['behaviour'] for row in rows if row['verdict'] == 'DIFFERS']
    if 0 < len(differing) <= AGAIN_AT_MOST:
        status, rows = try_again(options, rows, differing)
    return report(rows, int(sys.argv[2]), status)


def regress(options):
    """The exit status, and the rows, or None where there is no result at all."""
    with tempfile.TemporaryDirectory(prefix='fastsync-test-') as folder:
        path = os.path.join(folder, 'result.json')
        done = subprocess.run([sys.executable, COMMAND, 'regress', '--json', path, *options],
                              check=False)
        if not os.path.exists(path) or not os.path.getsize(path):
            return done.returncode, None
        with open(path, encoding='utf-8') as file:
            return done.returncode, json.load(file)['rows']


def try_again(options, rows, names):
    """Status and rows with those of a second run in place; what that does not have, stays."""
    print(f'Tried again, one at a time: {" ".join(names)}', flush=True)
    only = [word for name in names for word in ('--only', name)]
    status, second = regress([*options, *only, '--jobs', '1'])
    found = {}
    for row in second or []:
        if row['verdict'] == 'DIFFERS' or row['behaviour'] not in found:
            found[row['behaviour']] = row
    for name in names:
        verdict = found[name]['verdict'] if name in found else 'no result'
        print(f'Tried again: {name}: first DIFFERS, then {verdict}')
    return status, [found.get(row['behaviour'], row) if row['verdict'] == 'DIFFERS' else row
                    for row in rows]


def report(rows, least, status):
    both = passed = 0
    for row in rows:
        states = {result['state'] for result in row['results']}
        both += states <= NOT_BROKEN
        passed += row['verdict'] != 'DIFFERS'
        if states <= NOT_RUN:
            print(f'SKIP {row["behaviour"]}: {row["results"][0]["detail"]}')
    if both < least:
        print(f'FAIL: only {both} behaviours pass or are skipped on both sides, and {least} must')
    failures = len(rows) - passed + (both < least)
    checks = len(rows) + (both < least)
    print(f'{100 * (checks - failures) // max(checks, 1)}%: Checks: {checks}, '
          f'Failures: {failures}, Errors: 0')
    return 1 if failures else status


if __name__ == '__main__':
    sys.exit(main())
