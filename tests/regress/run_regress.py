#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs `fastsync regress` and says how many checks that was, as the other suites do.

A behaviour is a check: it passes where the sides do the same or differ as documented. What neither
side could run is a skip with its reason. So that an empty or broken catalogue is no success, a
number of behaviours has to pass on both sides.

    run_regress.py --least NUMBER OPTION...      the options are those of fastsync regress
"""
import json
import os
import subprocess
import sys
import tempfile

COMMAND = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'scripts',
                       'fastsync')
NOT_RUN = ('skip', 'absent')


def main():
    if len(sys.argv) < 3 or sys.argv[1] != '--least':
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory(prefix='fastsync-test-') as folder:
        path = os.path.join(folder, 'result.json')
        done = subprocess.run([sys.executable, COMMAND, 'regress', '--json', path,
                               *sys.argv[3:]], check=False)
        if not os.path.exists(path) or not os.path.getsize(path):
            return 1
        with open(path, encoding='utf-8') as file:
            rows = json.load(file)['rows']
    return report(rows, int(sys.argv[2]), done.returncode)


def report(rows, least, status):
    both = passed = 0
    for row in rows:
        states = {result['state'] for result in row['results']}
        both += states == {'pass'}
        passed += row['verdict'] != 'DIFFERS'
        if states <= set(NOT_RUN):
            print(f'SKIP {row["behaviour"]}: {row["results"][0]["detail"]}')
    if both < least:
        print(f'FAIL: only {both} behaviours pass on both sides, and {least} did before')
    failures = len(rows) - passed + (both < least)
    checks = len(rows) + (both < least)
    print(f'{100 * (checks - failures) // max(checks, 1)}%: Checks: {checks}, '
          f'Failures: {failures}, Errors: 0')
    return 1 if failures else status


if __name__ == '__main__':
    sys.exit(main())
