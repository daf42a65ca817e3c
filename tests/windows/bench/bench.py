#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Compares winpthreads' locks, and Win32's own, with the library's, under Wine: a table in Markdown.

Both contestants live all the time and take turns A B B A. A ratio is the median of the rounds' ratios
with the interval of `fastsync ab`. It says little about Windows: Wine's waits end in futexes of Linux,
and the Win32 locks are Wine's own.

usage: bench.py [OPTIONS] BUILD    (a cross build for Windows, such as build-windows)
"""
import argparse
import os
import statistics
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path[:0] = [HERE, os.path.join(ROOT, 'tests', 'bench'), os.path.join(ROOT, 'scripts'),
                os.path.join(ROOT, 'tests', 'windows', 'redirect')]

import cells as grid  # noqa: E402
import measure  # noqa: E402
import wine  # noqa: E402
from contestant import Failure  # noqa: E402
from fastsync_lib import statistics as intervals  # noqa: E402
from wine_contestant import WineContestant  # noqa: E402

ROUNDS, MILLISECONDS = 20, 30
# What is measured, in words, by the cell's name.
PTHREAD = {
    'mutex/T1': 'mutex, uncontended', 'mutex/T2': 'mutex, 2 threads', 'mutex/T8': 'mutex, 8 threads',
    'rwlock-read/T1': 'rwlock, one reader', 'rwlock-read/T4': 'rwlock, 4 readers',
    'rwlock-write/T1': 'rwlock, one writer', 'cond-pingpong/T2': 'condition variable, ping-pong',
}
WIN32 = {
    'section/T1': 'critical section, uncontended', 'section/T2': 'critical section, 2 threads',
    'section/T8': 'critical section, 8 threads', 'srw-exclusive/T1': 'SRW lock, uncontended',
    'srw-exclusive/T8': 'SRW lock, 8 threads', 'srw-shared/T1': 'SRW lock, one reader',
    'srw-shared/T4': 'SRW lock, 4 readers',
    'section-pingpong/T2': 'condition variable with critical section, ping-pong',
    'srw-pingpong/T2': 'condition variable with SRW lock, ping-pong',
}
GROUPS = {'pthread': ('winpthreads', PTHREAD), 'win32': ("Win32's locks", WIN32)}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', 1)[0])
    parser.add_argument('build', metavar='BUILD', help='a cross build for Windows')
    parser.add_argument('--group', choices=list(GROUPS), default='pthread',
                        help='whose locks are compared (default: pthread)')
    parser.add_argument('--rounds', type=int, default=ROUNDS, metavar='N',
                        help=f'rounds of A B B A (default: {ROUNDS})')
    parser.add_argument('--milliseconds', type=int, default=MILLISECONDS, metavar='N',
                        help=f'of one window (default: {MILLISECONDS})')
    parser.add_argument('--control', action='store_true',
                        help='without the library in both arms: what is made of no difference')
    options = parser.parse_args()
    if options.rounds < 1 or options.milliseconds < 1:
        parser.error('--rounds and --milliseconds must be at least 1')
    return options


def build_folder(build):
    """A folder with what of the build is run, and the compiler's DLLs."""
    files = [os.path.join(build, 'src', 'fastsync.dll'),
             os.path.join(build, 'src', 'fastsync-run.exe'),
             os.path.join(build, 'tests', 'windows', 'bench', 'bench_worker.exe')]
    for path in files:
        if not os.path.isfile(path):
            raise Failure(f'there is no {path}: build for windows-x86_64')
    machine = wine.Wine('x86_64', os.path.join(build, 'tests', 'windows', 'bench', 'run'))
    if machine.missing():
        raise Failure(machine.missing())
    machine.fill(files)
    machine.start()
    return machine


def ns(results, name, arm):
    return statistics.median(pair[arm]['ns'] / pair[arm]['ops'] for pair in results.rounds[name])


def rows(results, words):
    """Of every cell: its words, nanoseconds of A and B, the ratio and its interval."""
    for name, text in words.items():
        if not results.rounds[name]:
            yield f'| {text} | | | failed: {results.failures.get(name, "no round")} | |'
            continue
        pairs = [(a['ns'] / a['ops'], b['ns'] / b['ops']) for a, b in results.rounds[name]]
        ratio = intervals.compare([b for _, b in pairs], [a for a, _ in pairs])
        interval = '' if ratio.low is None else f'{ratio.low:.2f} to {ratio.high:.2f}'
        yield (f'| {text} | {ns(results, name, 0):.0f} | {ns(results, name, 1):.0f} '
               f'| {ratio.median:.2f} | {interval} |')


def compare(options):
    machine = build_folder(os.path.abspath(options.build))
    title, words = GROUPS[options.group]
    groups = () if options.control else (options.group,)
    arms = (WineContestant('A', machine, 'fastsync-run.exe', 'bench_worker.exe'),
            WineContestant('B', machine, 'fastsync-run.exe', 'bench_worker.exe', groups))
    chosen = [grid.Cell(name, 'one', options.milliseconds, ()) for name in words]
    load = os.getloadavg()[0]
    try:
        for arm in arms:
            arm.worker_for('one')
        results = measure.run(chosen, arms, options.rounds, 1)
    finally:
        for arm in arms:
            arm.close()
    other = title + ' again' if options.control else 'fastsync'
    print(f'{options.rounds} rounds of A B B A under Wine, on {os.cpu_count()} processors with a load '
          f'of {load:.0f} at the start. This says little about Windows.\n')
    print(f'| ns per pair of calls, or per turn | {title} | {other} | times the speed | 95 % interval |')
    print('|---|---|---|---|---|')
    print(*rows(results, words), sep='\n')
    return 1 if results.failures else 0


def main():
    options = arguments()
    try:
        return compare(options)
    except Failure as problem:
        print(f'bench: {problem}', file=sys.stderr)
        return 2


if __name__ == '__main__':
    sys.exit(main())
