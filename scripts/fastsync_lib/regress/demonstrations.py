# SPDX-License-Identifier: MIT
"""The demonstrations of glibc's bugs as behaviours: each passes where its bug does not show.

The same programs as those of `fastsync doctor --prove-...`, for a fixed time. What is a fault and
how it is told is decided in them.
"""
import os
import re

from .. import prove
from ..errors import one_line
from .program import Outcome, Program

SUITE = 'demonstrations'
SECONDS = 20
LIMIT_SECONDS = 180
CANNOT = 77
SOURCES = {
    'lost_wakeup': 'POSIX pthread_cond_signal; bug 25847',
    'priority_inversion': 'POSIX pthread_cond_signal, PTHREAD_PRIO_INHERIT; bug 11588',
    'rwlock_spin': 'POSIX pthread_rwlock_rdlock, Thread Execution Scheduling; bug 25619',
}


def suite(library, installed):
    place = prove.folder(library or '', installed)
    return [Program(SUITE, name, (os.path.abspath(os.path.join(place, name)), *_arguments(name)),
                    LIMIT_SECONDS, source, lambda done, name=name: {name: outcome(done)},
                    exclusive=True, tests=(name,))
            for name, source in SOURCES.items()]


def _arguments(name):
    return () if name == 'priority_inversion' else ('--seconds', str(SECONDS))


def outcome(done):
    """By the status and the answer, lines of KEY=VALUE."""
    answer = dict(re.findall(r'^(\w+)=(.*)$', done.stdout, re.MULTILINE))
    said = ', '.join(f'{key} {value}' for key, value in answer.items()
                     if key != 'implementation')
    if done.timed_out:
        return Outcome('hang', f'it did not end within {done.seconds:.0f} s')
    if done.signal is not None:
        return Outcome('crash', f'signal {done.signal}')
    if done.status == CANNOT:
        return Outcome('skip', one_line(answer.get('reason') or done.stdout + done.stderr))
    if done.status == 0 and 'result' in answer:
        return Outcome('pass')
    return Outcome('fail', one_line(said or done.stderr or f'status {done.status}'))
