# SPDX-License-Identifier: MIT
"""Runs the rounds. A round of a cell is A B B A (or B A A B, in turn); the rounds of all cells
interleave, so that a slow minute of the machine falls on every cell and on both arms alike."""

import os
import random
import statistics
import sys
import time

from contestant import Failure

MAX_FAILURES = 4
ROUNDS_PER_PROCESS = 4
EXTRAS = ('jain', 'longest_wait_ns', 'caller_ns', 'extra_switches', 'extra_voluntary')


def _sum(samples):
    total = {key: sum(sample[key] for sample in samples)
             for key in ('ops', 'ns', 'cpu_ns', 'voluntary', 'involuntary')}
    for key in EXTRAS:
        if key in samples[0]:
            total[key] = statistics.mean(sample[key] for sample in samples)
    return total


class Results:
    """Per cell the rounds, each a pair of summed samples, and what went wrong."""

    def __init__(self, cells):
        self.cells = cells
        self.rounds = {cell.name: [] for cell in cells}
        self.failures = {}
        self.others = 0.0  # share of the machine's CPU time that was not ours

    def measured(self):
        return [cell for cell in self.cells if self.rounds[cell.name]]

    def ratios(self, name, cost):
        """B's speed over A's, per round: operations per 'ns' or 'cpu_ns' of cost."""
        return [(b['ops'] / b[cost]) / (a['ops'] / a[cost]) for a, b in self.rounds[name]]

    def figures(self, name, arm, function):
        return [function(pair[arm]) for pair in self.rounds[name]]


def _machine_and_own_seconds():
    """CPU seconds used on the whole machine (stolen ones included), and by this process and the
    workers that have ended."""
    with open('/proc/stat', encoding='ascii') as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    idle = ticks[3] + ticks[4]
    return (sum(ticks) - idle) / os.sysconf('SC_CLK_TCK'), sum(os.times()[:4])


def calibrate(arms):
    """The same speed for both arms, so that both do the same number of iterations."""
    speed = max(arm.worker_for('one').ask('calibrate')['iterations_per_ms'] for arm in arms)
    for arm in arms:
        arm.speed = speed
        arm.worker_for('one').ask(f'speed {speed:.0f}')
    return speed


def _one_round(cell, arms, number, scale):
    order = (0, 1, 1, 0) if number % 2 == 0 else (1, 0, 0, 1)
    samples = ([], [])
    for arm in order:
        samples[arm].append(arms[arm].run(cell, scale))
    pair = _sum(samples[0]), _sum(samples[1])
    return pair if all(s['ops'] and s['ns'] and s['cpu_ns'] for s in pair) else None


def _progress(done, total, started):
    if sys.stderr.isatty() and total:
        seconds = time.monotonic() - started
        print(f'\r{100 * done // total:3d} %  {seconds:4.0f} s', end='', file=sys.stderr,
              flush=True)


def _round_of_all(results, arms, number, scale, progress):
    """One round of every cell that has not failed, in a new order; number -1 is the warm-up."""
    order = [cell for cell in results.cells if cell.name not in results.failures]
    random.Random(number).shuffle(order)
    for position, cell in enumerate(order):
        if len(results.failures) > MAX_FAILURES:
            return
        try:
            pair = _one_round(cell, arms, number, scale)
        except Failure as failure:
            results.failures[cell.name] = str(failure)
            continue
        if number >= 0 and pair is not None:
            results.rounds[cell.name].append(pair)
        progress((number + 1) * len(order) + position, len(order))


def run(cells, arms, rounds, scale, limit=None):
    """A first round is thrown away. Ends early when another would pass `limit` seconds; too many
    failed cells end it too. Processes are replaced now and then, so that where the memory of one
    happens to lie does not stay with an arm."""
    results = Results(cells)
    for arm in arms:
        arm.close()
    busy, own = _machine_and_own_seconds()
    started = time.monotonic()

    def progress(done, per_round):
        _progress(done, (rounds + 1) * per_round, started)

    for number in range(-1, rounds):
        begun = time.monotonic()
        if number > 0 and number % ROUNDS_PER_PROCESS == 0:
            for arm in arms:
                arm.close()
        _round_of_all(results, arms, number, scale if number >= 0 else 0.2, progress)
        now = time.monotonic()
        if len(results.failures) > MAX_FAILURES:
            break
        if limit and number >= 1 and 2 * now - begun - started > limit:
            break
    for arm in arms:
        arm.close()
    busy_end, own_end = _machine_and_own_seconds()
    capacity = (time.monotonic() - started) * os.cpu_count()
    results.others = max(0.0, (busy_end - busy) - (own_end - own)) / capacity
    if sys.stderr.isatty():
        print('\r' + ' ' * 20 + '\r', end='', file=sys.stderr)
    return results
