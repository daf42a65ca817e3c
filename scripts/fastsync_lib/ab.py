# SPDX-License-Identifier: MIT
"""`fastsync ab`: runs arm A (plain) and arm B (library) in turn and measures both.

Decides the order, what counts as a failed or differing arm, and proves in the warm-up that B has
the library and A has not. Processes are process.py's, conclusions statistics.py's, and the table
report.py's.
"""
import hashlib
import os
import re
import subprocess
from dataclasses import dataclass, field
from typing import List, Optional, Tuple

from . import library as library_module
from . import preload, process, server
from .errors import Refused, Stopped, one_line

ARM_NAMES = {'A': 'A (plain)', 'B': 'B (library)'}
START_LINE = re.compile(rb'^fastsync\b.*\n?', re.MULTILINE)


@dataclass
class Options:
    command: List[str]
    library: str
    pairs: int = 10
    warmup: int = 1
    timeout: float = 300.0
    metric: Optional[re.Pattern] = None
    metric_lower: bool = False
    check: Optional[str] = None
    same_output: bool = False
    runner: Optional[List[str]] = None  # what runs a program for Windows; windows.py
    server: Optional[List[str]] = None
    ready: Optional[str] = None
    settings: List[Tuple[str, str]] = field(default_factory=list)


@dataclass
class Run:
    pair: int
    arm: str
    wall: float
    user: Optional[float]  # None, like the next ones, where it is not known
    system: Optional[float]
    voluntary: Optional[int]
    involuntary: Optional[int]
    peak_kib: Optional[int]
    metric: Optional[float] = None


def order(pairs):
    """(pair, arm) of every measured run: A B, B A, A B, ..."""
    return [(pair, arm) for pair in range(1, pairs + 1)
            for arm in ('AB' if pair % 2 else 'BA')]


class Experiment:
    def __init__(self, options):
        self.options = options
        self.first_output = None
        subject = options.server or options.command
        options.library = preload.fitting(subject[0], options.library)
        self.subject_path = preload.require(subject[0], options.library)
        self.client_path = self.subject_path
        if options.server:
            client = preload.examine(options.command[0], options.library)
            if client.path is None:
                raise Refused(client.obstacle)
            self.client_path = client.path

    def run(self, progress):
        """All measured Runs, in order. Stopped where an arm may not be compared."""
        options = self.options
        for number in range(1, options.warmup + 1):
            for arm in 'AB':
                progress(f'warm-up {number} of {options.warmup}, arm {ARM_NAMES[arm]}')
                self._run_named(arm, f'warm-up {number}', 0)
        runs = []
        for pair, arm in order(options.pairs):
            progress(f'pair {pair} of {options.pairs}, arm {ARM_NAMES[arm]}')
            runs.append(self._run_named(arm, f'pair {pair}', pair))
        return runs

    def _run_named(self, arm, when, pair):
        try:
            return self._run_arm(arm, pair)
        except Stopped as stop:
            raise Stopped(f'ab stopped: arm {ARM_NAMES[arm]}, {when}: {stop}') from None

    def _run_arm(self, arm, pair):
        result, seen, loaded, who = self._start(arm, pair)
        if result.failure():
            raise Stopped(who + result.failure())
        if pair == 0:
            self._prove_arm(arm, seen, loaded)
            result.stderr = START_LINE.sub(b'', result.stderr)
        self._compare_output(arm, result)
        return Run(pair, arm, result.wall, result.user, result.system, result.voluntary,
                   result.involuntary, result.peak_kib, self._metric(result))

    def _start(self, arm, pair):
        """The Result of one run, what the subject wrote to standard error, the files mapped into a
        server, and who is to be blamed for a failure."""
        options = self.options
        environment = self._environment(arm, pair)
        if options.server:
            plain = library_module.without_library(os.environ, options.library)
            result, ended, loaded = server.run(
                (self.subject_path, options.server, environment),
                (self.client_path, options.command, plain), options.ready, options.timeout)
            return result, ended.stderr, loaded, 'the client '
        result = process.run(self.subject_path, options.command, environment, options.timeout)
        return result, result.stderr, set(), ''

    def _environment(self, arm, pair):
        options = self.options
        if arm == 'A':
            result = library_module.without_library(os.environ, options.library)
        else:
            result = library_module.with_library(os.environ, options.library, options.settings)
        if pair == 0:
            result['FASTSYNC_VERBOSE'] = '1'
        return result

    def _prove_arm(self, arm, stderr, loaded):
        present = bool(START_LINE.search(stderr)) or any(
            library_module.is_ours(path, self.options.library) for path in loaded)
        if arm == 'A' and present:
            raise Stopped('the library is in the plain arm too: the program preloads it itself '
                          'or is linked with it, so there is nothing to compare')
        if arm == 'B' and not present:
            raise Stopped('no proof that the library was loaded: its line for FASTSYNC_VERBOSE=1 '
                          'is missing from standard error; does the program reset LD_PRELOAD or '
                          'redirect its standard error?')

    def _compare_output(self, arm, result):
        if self.options.same_output:
            digest = hashlib.sha256(result.stdout).digest()
            self.first_output = self.first_output or digest
            if digest != self.first_output:
                hint = '' if arm == 'B' else ', both plain: use --check for output that varies'
                raise Stopped("its output differs from the first run's" + hint)
        if self.options.check:
            self._check(result)

    def _check(self, result):
        try:
            done = subprocess.run(
                self.options.check, shell=True, input=result.stdout,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=self.options.timeout,
                env=library_module.without_library(os.environ, self.options.library))
        except subprocess.TimeoutExpired:
            raise Stopped('the --check command did not end in time') from None
        if done.returncode:
            said = one_line(done.stderr)
            raise Stopped(f'its output differs: --check ended with status {done.returncode}'
                          + (f' ({said})' if said else ''))

    def _metric(self, result):
        pattern = self.options.metric
        if pattern is None:
            return None
        text = (result.stdout + b'\n' + result.stderr).decode('utf-8', 'replace')
        match = pattern.search(text)
        if match is None:
            raise Stopped(f'the metric {pattern.pattern!r} is not in its output')
        try:
            value = float(match.group(1).replace(',', ''))
        except (ValueError, AttributeError):
            raise Stopped(f'the metric {pattern.pattern!r} found {match.group(1)!r}, which is not '
                          'a number') from None
        if not 0 < value < float('inf'):
            raise Stopped(f'the metric is {match.group(1)}: a ratio needs numbers above 0')
        return value
