# SPDX-License-Identifier: MIT
"""The project's own conformance programs as behaviours: each of their Check tests is one.

Where the programs are, which tests they have, and what a run of one says about each test. Where a
behaviour is specified stands in sources.toml, by program and test.
"""
import glob
import html
import os
import re
import signal
import tomllib
from dataclasses import replace

from .. import inspect_elf
from ..errors import Refused, one_line
from .program import Outcome, Program

SUITE = 'conform'
PREFIX = 'conform_'
LOG = 'check.xml'
LIMIT_SECONDS = 300
SKIP = re.compile(r'^SKIP +([^\s:]+): *(.*)$', re.MULTILINE)
TEST_SYMBOL = re.compile(r'(?:_ZL\d+)?(\w+)_ttest')
LOGGED = re.compile(r'<test result="(\w+)">(.*?)</test>', re.DOTALL)
FIELD = re.compile(r'<(id|fn|iteration|message)>(.*?)</\1>', re.DOTALL)
WORST = ('absent', 'pass', 'skip', 'fail', 'hang', 'crash')
SKIP_STATUS = 77


def folder(library, installed):
    """Where the programs are: in the library's build directory, installed, or in any build."""
    places = []
    if library:
        places.append(os.path.join(os.path.dirname(os.path.dirname(library)), 'tests', SUITE))
    if installed:
        places.append(os.path.join(installed, SUITE))
    else:
        root = os.path.realpath(__file__)
        for _ in range(4):
            root = os.path.dirname(root)
        places += sorted(glob.glob(os.path.join(root, 'build*', 'tests', SUITE)))
    for place in places:
        if _executables(place):
            return place
    raise Refused('regress: the conformance programs were not found: build them (meson setup '
                  'build && ninja -C build), or leave them out with --suite glibc')


def _executables(place):
    return sorted(path for path in glob.glob(os.path.join(place, PREFIX + '*'))
                  if os.path.isfile(path) and os.access(path, os.X_OK))


def sources():
    """program -> {'source': ..., 'exclusive': ..., 'tests': {test: source}}"""
    with open(os.path.join(os.path.dirname(__file__), 'sources.toml'), 'rb') as file:
        return tomllib.load(file)


def suite(place):
    known = sources()
    return [_program(path, known.get(os.path.basename(path)[len(PREFIX):], {}))
            for path in _executables(place)]


def _program(path, entry):
    with open(path, 'rb') as file:
        executes_itself = b'/proc/self/exe\0' in file.read()
    tests = tests_of(path)
    name = os.path.basename(path)[len(PREFIX):]
    return Program(SUITE, name, (os.path.abspath(path),), LIMIT_SECONDS,
                   entry.get('source', 'not stated'), lambda done: results(done, tests),
                   environment={'CK_XML_LOG_FILE_NAME': LOG},
                   exclusive=entry.get('exclusive', False), executes_itself=executes_itself,
                   tests=tests, sources=entry.get('tests', {}))


def probe(program):
    """The same program without any of its tests."""
    return replace(program, timeout=60, environment={'CK_RUN_CASE': 'none'})


def tests_of(path):
    """The names of a program's tests; none where it was stripped of its symbols."""
    found = (TEST_SYMBOL.fullmatch(name) for name in inspect_elf.local_names(path))
    return tuple(sorted(match.group(1) for match in found if match))


def results(done, tests):
    """Outcome by test. The key '' stands for the program as a whole where that went wrong."""
    found = {}
    for name, outcome in _logged(done.directory):
        _worsen(found, name, outcome)
    for name, why in SKIP.findall(done.stdout):
        _worsen(found, name, Outcome('skip', one_line(why)))
    whole = _whole(done, found)
    if whole:
        for test in tests:
            found.setdefault(test, Outcome('absent', 'not reached: ' + whole.detail))
        found[''] = whole
    return found


def _worsen(found, name, outcome):
    """A test that was run several times is as good as its worst run."""
    before = found.get(name)
    if before is None or WORST.index(outcome.state) > WORST.index(before.state):
        found[name] = outcome


def _logged(directory):
    """(test, Outcome) of each finished run. The log may be cut short, and its text is only
    partly escaped, so that it is not always XML."""
    try:
        with open(os.path.join(directory, LOG), encoding='utf-8', errors='replace') as file:
            text = file.read()
    except OSError:
        return
    for result, inside in LOGGED.findall(text):
        fields = {name: html.unescape(value) for name, value in FIELD.findall(inside)}
        if 'id' in fields:
            yield fields['id'], _judge(result, fields)


def _judge(result, fields):
    if result == 'success':
        return Outcome('pass')
    message = fields.get('message', '')
    state = 'fail'
    if message.startswith('Received signal'):
        state = 'crash'
    elif message.startswith('Test timeout expired'):
        state = 'hang'
    at = f'{fields.get("fn")}, run {fields.get("iteration")}: '
    return Outcome(state, at + one_line(message))


def _whole(done, found):
    """What went wrong with the program apart from its tests, or None."""
    if done.timed_out:
        return Outcome('hang', f'the program did not end within {done.seconds:.0f} s')
    if done.signal is not None:
        return Outcome('crash', f'the program was killed by {_signal_name(done.signal)}')
    if done.status == SKIP_STATUS and not found:
        return Outcome('skip', _last_line(done) or 'no reason given')
    failed = any(outcome.state in ('fail', 'hang', 'crash') for outcome in found.values())
    if done.status != (1 if failed else 0) or not found:
        return Outcome('fail', f'the program ended with status {done.status}: {_last_line(done)}')
    return None


def _signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return f'signal {number}'


def _last_line(done):
    return one_line((done.stdout + done.stderr).strip().rsplit('\n', 1)[-1])
