# SPDX-License-Identifier: MIT
"""What a target cannot do, from limits.toml: checks of Check programs, by name, each with a reason.

Usually such a check is not run: limits.c, which is linked into every program of a target, reports it
as skipped. In the long run all are run, and only those that fail count as skipped; an entry whose
check passes is an error then. Which tests are run is decided by scripts/test-targets.
"""
import os
import re
import tomllib
from pathlib import Path

FILE = Path(__file__).resolve().parent / 'limits.toml'
ARMS = ('libc', 'fastsync')
FAILURE = re.compile(r'^[^\s:]+:\d+:[FE]:[^:]*:(\w+):(\d+): ', re.M)
ALL = '*'


def rounds(listed):
    """The rounds of "name:3,8-15"; none for "name", which means all."""
    _, _, numbers = listed.partition(':')
    bounds = [[int(end) for end in part.split('-')] for part in numbers.split(',') if part]
    return {number for bound in bounds for number in range(bound[0], bound[-1] + 1)}


def covers(listed, name, round_):
    """Whether "name", "name:3,8-15" or "*" means this round of the check."""
    if listed == ALL or listed.partition(':')[0] != name:
        return listed == ALL
    return round_ in (rounds(listed) or {round_})


class Limit:
    def __init__(self, entry, reasons):
        self.targets = entry['targets']
        self.program = entry['program']
        self.checks = entry.get('checks', [ALL])
        self.arms = [entry['arm']] if 'arm' in entry else list(ARMS)
        self.sometimes = entry.get('sometimes', False)
        self.reason = reasons.get(entry['reason'], entry['reason'])

    def concerns(self, target):
        return target.name in self.targets or (target.emulated and 'emulated' in self.targets)

    def covering(self, program, arm, name, round_):
        """The listed check that covers this round, or None; unit tests have no arms."""
        if program != self.program or (arm is not None and arm not in self.arms):
            return None
        return next((check for check in self.checks if covers(check, name, round_)), None)


def read():
    with open(FILE, 'rb') as file:
        text = tomllib.load(file)
    return [Limit(entry, text.get('reasons', {})) for entry in text.get('limit', [])]


def plain(target):
    """The lines that limits.c reads."""
    lines = []
    for limit in filter(lambda limit: limit.concerns(target), read()):
        arm = ALL if len(limit.arms) == len(ARMS) else limit.arms[0]
        lines += [f'{limit.program} {arm} {check} {limit.reason}\n' for check in limit.checks]
    return ''.join(lines)


def place(test):
    """The program of a test as Meson logged it, and its arm or None."""
    program = os.path.basename(next((word for word in reversed(test['command'])), ''))
    arm = next((arm for arm in ARMS if test['name'].endswith(f'({arm})')), None)
    return program, arm


class Seen:
    """The limits that were met in one run."""

    def __init__(self, target):
        self.target = target
        self.limits = [limit for limit in read() if limit.concerns(target)]
        self.met = {}
        self.ran = set()

    def forgive(self, test, total):
        """The figures of a test after its listed failures have become skips."""
        program, arm = place(test)
        self.ran.add(program)
        for name, number in FAILURE.findall(test.get('stdout') or ''):
            for index, limit in enumerate(self.limits):
                check = limit.covering(program, arm, name, int(number))
                if check and total.failed:
                    self.met.setdefault((index, check), set()).add(int(number))
                    total.failed -= 1
                    total.skipped += 1
                    total.reasons.append(f'{self.target.name} {test["name"]}: {name}: {limit.reason}')
                    break
        if not total.failed:
            total.failures = []
        return total

    def stale(self):
        """A line for each listed check of a program that ran and did not fail in it."""
        for index, limit in enumerate(self.limits):
            if limit.program not in self.ran or limit.sometimes:
                continue
            for check in limit.checks:
                failed = self.met.get((index, check))
                passed = sorted(rounds(check) - failed) if failed else ['every round']
                if passed:
                    yield (f'{self.target.name} {limit.program}: {check} stands in {FILE.name} and '
                           f'passes: {", ".join(map(str, passed))}')
