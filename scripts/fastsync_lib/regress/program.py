# SPDX-License-Identifier: MIT
"""What a suite hands over: programs, each with the behaviours that a run of it shows.

How a program is started is decided in sides.py, what two outcomes mean together in table.py. A
suite's module has `suite(...)`, its Programs, and may have `differences()`, its Differences.
"""
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

STATES = ('pass', 'fail', 'skip', 'hang', 'crash', 'absent')


@dataclass(frozen=True)
class Outcome:
    """Of one behaviour on one side; `detail` is one line: assertion, signal, reason of a skip."""
    state: str
    detail: str = ''


@dataclass(frozen=True)
class Completed:
    """A program that has ended: `status` None where a signal or the time limit ended it."""
    status: int | None
    signal: int | None
    stdout: str
    stderr: str
    seconds: float
    directory: str = ''     # where it ran, still with the files that it left

    @property
    def timed_out(self):
        return self.status is None and self.signal is None


@dataclass(frozen=True, eq=False)
class Program:
    """A program of a suite. One without `argv` cannot be run; `results` still says why."""
    suite: str
    name: str
    argv: tuple[str, ...]
    timeout: float
    source: str
    results: Callable[[Completed], dict[str, Outcome]]
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: str | None = None
    exclusive: bool = False         # must not run beside others
    executes_itself: bool = False   # starts /proc/self/exe, so a foreign loader must be written in
    tests: tuple[str, ...] = ()     # names of its behaviours, as far as known before a run
    sources: Mapping[str, str] = field(default_factory=dict)    # of single tests, where different


@dataclass(frozen=True)
class Difference:
    """A documented difference: on every side that `expect` names, the states that it may have.

    The keys of `expect` are 'fastsync', 'glibc', and ranges such as 'glibc 2.25-2.40' and
    'glibc 2.41-'.
    """
    behaviour: str
    expect: Mapping[str, tuple[str, ...]]
    reason: str
    documented: str
