# SPDX-License-Identifier: MIT
"""One of glibc's tests: whether it can be run here, how long, and what the end of a run means.

It knows the conventions of glibc's test driver (support/test-driver.c). Which tests there are is
decided in glibc.py, how they are built in glibc_build.py.
"""
import ast
import os
import re
from dataclasses import dataclass

from ..errors import one_line
from .program import Outcome

FACTOR = 3                  # a noisy machine may take this many times the limits of the tests
DEFAULT_LIMIT = 20          # glibc's own, in seconds, for a test that sets none
HIGHEST_LIMIT = 200
SPARE = 30                  # for the driver of a test to report a time-out itself
UNSUPPORTED = 77
BUGS = re.compile(r'(?:\bbug|\bBZ|bugzilla)[\s:#]*(\d{3,5})\b', re.IGNORECASE)


@dataclass(frozen=True)
class Test:
    """Its file, with the text of what it includes, and what the list says of it."""
    name: str
    path: str
    text: str
    listed: dict

    @property
    def obstacle(self):
        """Why it is not even built, or None."""
        if 'skip' in self.listed:
            return self.listed['skip']
        if self.name.endswith('-static'):
            return 'a static program: nothing can be loaded before it'
        if self.name.endswith('-time64'):
            return f'{self.name.removesuffix("-time64")} once more: time_t has 64 bits anyway'
        return None

    @property
    def limit(self):
        """Seconds: the list's, or those of the test itself with room for a noisy machine."""
        return self.listed.get('timeout') or own_limit(self.text) * FACTOR + SPARE

    @property
    def directory(self):
        """Some tests open the Makefile that lies where glibc's build runs them."""
        return os.path.dirname(self.path) if '"Makefile"' in self.text else None

    def source(self, tree, version):
        bugs = sorted(set(BUGS.findall(self.text)), key=int)
        return (f'glibc {version} {os.path.relpath(self.path, tree)}'
                f'{", bug " if bugs else ""}{", ".join(bugs)}')


def own_limit(text):
    """What a test defines as TIMEOUT, in seconds."""
    found = re.search(r'(?m)^#\s*define\s+TIMEOUT\s+(.*)$', text)
    if not found:
        return DEFAULT_LIMIT

    def constant(match):
        other = re.search(rf'(?m)^#\s*define\s+{match[0]}\s+(\d+)\s*$', text)
        return other[1] if other else match[0]
    words = found[1].replace('DEFAULT_TIMEOUT', str(DEFAULT_LIMIT))
    value = _calculate(re.sub(r'\b[A-Za-z_]\w*', constant, words).strip())
    return HIGHEST_LIMIT if value is None else min(value, HIGHEST_LIMIT)


def _calculate(words):
    """The value of sums and products of numbers, or None."""
    def value(node):
        match node:
            case ast.Constant(int(number)):
                return number
            case ast.BinOp(left, ast.Add(), right):
                return value(left) + value(right)
            case ast.BinOp(left, ast.Mult(), right):
                return value(left) * value(right)
        raise ValueError(words)
    try:
        return value(ast.parse(words, mode='eval').body)
    except (SyntaxError, ValueError):
        return None


def outcome(completed):
    """The driver reports a time-out or a signal of the test in words, and ends with 1."""
    lines = [line for line in (completed.stdout + '\n' + completed.stderr).splitlines()
             if line.strip()]
    last = one_line(lines[-1]) if lines else ''
    if completed.signal:
        return Outcome('crash', f'signal {completed.signal}; {last}'.rstrip('; '))
    for line in lines:
        if completed.status == 1 and line.startswith('Didn\'t expect signal from child'):
            return Outcome('crash', one_line(line))
        if completed.status == 1 and line.startswith('Timed out:'):
            return Outcome('hang', 'its driver ended it: time-out')
    if completed.status is None:
        return Outcome('hang', last)
    if completed.status == 0:
        return Outcome('pass')
    if completed.status == UNSUPPORTED:
        return Outcome('skip', last)
    wrong = next((line for line in lines if 'error:' in line.lower()), last)
    return Outcome('fail', one_line(wrong) or f'status {completed.status}')
