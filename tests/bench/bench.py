#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares the library with libc (or with another build of itself) in one run.

Both contestants live all the time, each in worker processes of its own, and take turns
A B B A in rounds of a few milliseconds. A ratio is the median of the ratios of the rounds, with a
95 % bootstrap interval; a single round proves nothing on a machine that is not idle.
"""

import argparse
import json
import os
import sys
import time

sys.dont_write_bytecode = True

import cells as grid  # noqa: E402
import goals  # noqa: E402
import instructions  # noqa: E402
import measure  # noqa: E402
import report as tables  # noqa: E402
from contestant import Contestant, Failure  # noqa: E402

DEFAULT_ROUNDS, DEFAULT_LIMIT = 30, 450
QUICK_ROUNDS, QUICK_LIMIT, QUICK_SCALE = 6, 78, 0.5


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--worker', metavar='PATH', help='the worker program (default: '
                        'build/tests/bench/bench_worker)')
    parser.add_argument('--lib', metavar='PATH', default=os.environ.get('FASTSYNC_LIBRARY'),
                        help='the library of arm B (default: $FASTSYNC_LIBRARY)')
    parser.add_argument('--vs', metavar='PATH', help='a library for arm A instead of libc alone')
    parser.add_argument('--control', action='store_true',
                        help='libc alone in both arms: what the machine makes of no difference')
    parser.add_argument('--env', metavar='NAME=VALUE', action='append', default=[],
                        help='set in arm B only; may be repeated')
    parser.add_argument('--cells', metavar='PATTERN', action='append', default=[],
                        help='only cells or groups that match; may be repeated')
    parser.add_argument('--rounds', metavar='N', type=int, help='rounds of every cell')
    parser.add_argument('--quick', action='store_true', help='few and short rounds')
    parser.add_argument('--instructions', action='store_true',
                        help='count the instructions of the uncontended cells instead')
    parser.add_argument('--json', metavar='FILE', help='write everything measured to FILE')
    parser.add_argument('--list', action='store_true', help='print the names of the cells')
    options = parser.parse_args()
    if options.rounds is not None and options.rounds < 1:
        parser.error('--rounds must be at least 1')
    if any('=' not in setting for setting in options.env):
        parser.error('--env wants NAME=VALUE')
    if options.control and (options.vs or options.env):
        parser.error('--control runs libc alone in both arms: no --vs, no --env')
    return options


def find_worker(options):
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    path = options.worker or os.path.join(root, 'build', 'tests', 'bench', 'bench_worker')
    if not os.access(path, os.X_OK):
        raise Failure(f'no worker program at {path}: build the project or name it with --worker')
    return os.path.abspath(path)


def make_arms(options):
    worker = find_worker(options)
    if options.control:
        return Contestant('A', worker), Contestant('B', worker)
    for path in filter(None, (options.lib, options.vs)):
        if not os.path.exists(path):
            raise Failure(f'no library at {path}')
    if not options.lib:
        raise Failure('no library to measure: name it with --lib, or use --control')
    return (Contestant('A', worker, options.vs),
            Contestant('B', worker, options.lib, options.env))


def write_json(options, arms, report, judged):
    data = tables.as_dict(report)
    data['arms'] = {arm.letter: arm.describe() for arm in arms}
    data['settings_of_b'] = options.env
    data['goals'] = [{'goal': goal, 'verdict': verdict, 'details': details}
                     for goal, verdict, details in judged]
    with open(options.json, 'w', encoding='utf-8') as file:
        json.dump(data, file, indent=1)


def compare(options, chosen, arms):
    """Rounds, tables and goals; the number of failed cells is the verdict on the run itself."""
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else DEFAULT_ROUNDS)
    limit = None if options.rounds else (QUICK_LIMIT if options.quick else DEFAULT_LIMIT)
    started = time.monotonic()
    speed = measure.calibrate(arms)
    results = measure.run(chosen, arms, rounds, QUICK_SCALE if options.quick else 1, limit)
    report = tables.Report(results)
    print(f'{len(chosen)} cells, {report.rounds()} rounds of A B B A, '
          f'{time.monotonic() - started:.0f} s; work loop: {speed / 1000:.0f} iterations per us; '
          f'{len(os.sched_getaffinity(0))} CPUs, of which other programs took '
          f'{100 * results.others:.0f} %\n')
    if report.rounds() < goals.LEAST_ROUNDS:
        print(f'Fewer than {goals.LEAST_ROUNDS} rounds: the intervals are too narrow to judge by. '
              'Use a quieter machine, fewer cells or --rounds.\n')
    tables.print_all(report)
    judged = [] if options.vs or options.control else goals.judge(report)
    goals.print_all(judged)
    if options.json:
        write_json(options, arms, report, judged)
    return len(results.failures)


def main():
    options = parse_arguments()
    chosen = grid.matching(options.cells)
    if options.list:
        print('\n'.join(cell.name for cell in chosen))
        return 0
    if not chosen:
        print('bench: no cell matches', file=sys.stderr)
        return 2
    arms = ()
    try:
        arms = make_arms(options)
        for arm in arms:
            arm.worker_for('one')
            print(f'{arm.letter}: {arm.describe()}'
                  + (f' ({" ".join(options.env)})' if arm.letter == 'B' and options.env else ''))
        if options.instructions:
            instructions.print_table(chosen, arms)
            return 0
        return 1 if compare(options, chosen, arms) else 0
    except (Failure, instructions.Unavailable) as problem:
        print(f'bench: {problem}', file=sys.stderr)
        return 2
    finally:
        for arm in arms:
            arm.close()


if __name__ == '__main__':
    sys.exit(main())
