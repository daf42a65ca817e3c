# SPDX-License-Identifier: MIT
"""How results look: the A/B table and its verdict, the JSON of both reports, the progress line.

Nothing is measured or decided here.
"""
import json
import os
import shlex
import sys
from dataclasses import asdict

from . import statistics
from .errors import Refused, reason

FORMAT = 1
# name in JSON, name in the table, attribute of a run, factor, decimals (None: six digits)
MEASURES = [('wall_s', 'wall time, s', 'wall', 1, 3),
            ('user_s', 'user time, s', 'user', 1, 3),
            ('system_s', 'system time, s', 'system', 1, 3),
            ('voluntary_switches', 'voluntary switches', 'voluntary', 1, 0),
            ('involuntary_switches', 'involuntary switches', 'involuntary', 1, 0),
            ('peak_memory_mib', 'peak memory, MiB', 'peak_kib', 1 / 1024, 1),
            ('metric', 'metric', 'metric', 1, None)]


class Progress:
    """One line on standard error that replaces itself; silent where that is no terminal."""

    def __init__(self, stream=None):
        self.stream = stream or sys.stderr
        self.shown = self.stream.isatty()

    def __call__(self, text):
        if self.shown:
            width = (os.get_terminal_size(self.stream.fileno()).columns or 80) - 1
            self.stream.write('\r\x1b[K' + f'fastsync: {text}'[:width])
            self.stream.flush()

    def clear(self):
        if self.shown:
            self.stream.write('\r\x1b[K')
            self.stream.flush()


def summary(options, runs, version):
    """The whole result of an A/B as plain data, which is also the JSON document."""
    measures = {}
    for key, _, attribute, factor, _ in MEASURES:
        if getattr(runs[0], attribute) is None:
            continue
        a, b = ([getattr(run, attribute) * factor
                 for run in sorted(runs, key=lambda run: run.pair) if run.arm == arm]
                for arm in 'AB')
        ratio = statistics.compare(a, b)
        measures[key] = {'A': statistics.median(a), 'B': statistics.median(b),
                         'ratio': ratio and ratio.median, 'low': ratio and ratio.low,
                         'high': ratio and ratio.high, 'ratios': ratio and ratio.pairs}
    if 'peak_memory_mib' in measures:
        _mark_memory_floor(measures['peak_memory_mib'])
    return {'format': FORMAT, 'fastsync': version, 'command': options.command,
            'server': options.server, 'runner': options.runner, 'library': options.library,
            'settings': dict(options.settings), 'pairs': options.pairs,
            'warmup': options.warmup, 'metric': options.metric and options.metric.pattern,
            'measures': measures, 'verdict': _verdict(options, measures),
            'runs': [asdict(run) for run in runs]}


def _mark_memory_floor(memory):
    """The kernel counts this process's own peak as that of every child it starts."""
    import resource  # not on Windows, where no memory is measured
    memory['floor'] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if min(memory['A'], memory['B']) <= memory['floor']:
        memory.update(ratio=None, low=None, high=None, ratios=None)


def _verdict(options, measures):
    judged = 'metric' if options.metric else 'wall_s'
    measure = measures[judged]
    speed = statistics.Ratio(measure['ratio'], measure['low'], measure['high'],
                             measure['ratios'])
    if judged == 'wall_s' or options.metric_lower:
        speed = speed.inverse()
    word = statistics.verdict(speed)
    return {'word': word, 'by': judged, 'speed': speed.median, 'low': speed.low,
            'high': speed.high, 'text': _sentence(word, speed, judged, options.pairs)}


def _sentence(word, speed, judged, pairs):
    by = 'wall time' if judged == 'wall_s' else 'the metric'
    figure = f'{_short(speed.median)} times the speed by {by}'
    if speed.low is None:
        return (f'no difference that {_pairs(pairs)} can show: {figure}, but at least '
                f'{statistics.FEWEST_PAIRS} pairs are needed for an interval '
                f'(-n {statistics.FEWEST_PAIRS})')
    figure += (f' (95 % interval {_short(speed.low)} to {_short(speed.high)}, '
               f'{pairs} pairs)')
    if word == 'no difference':
        return f'no difference that {pairs} pairs can show: {figure}'
    return f'{word} with the library: {figure}'


def _pairs(number):
    return '1 pair' if number == 1 else f'{number} pairs'


def _short(number):
    return f'{number:.2f}' if number < 100 else f'{number:.0f}'


def table(data):
    """The A/B result for a reader."""
    lines = [f'command: {shlex.join(data["command"])}']
    if data['server']:
        lines.append(f'server:  {shlex.join(data["server"])}')
    if data['runner']:
        lines.append(f'runner:  {shlex.join(data["runner"])}')
    settings = ''.join(f' {name}={value}' for name, value in data['settings'].items())
    lines += [f'library: {data["library"]}{settings and " with" + settings}',
              f'{_pairs(data["pairs"])} in the order A B B A, after {data["warmup"]} warm-up of '
              'each; medians', '']
    rows = [('', 'A plain', 'B library', 'B/A', '95 % interval')]
    for key, name, _, _, decimals in MEASURES:
        if key in data['measures']:
            rows.append(_row(name, data['measures'][key], decimals))
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [row[i].rjust(widths[i]) for i in range(1, 5)]
        lines.append('  '.join(cells).rstrip())
    return '\n'.join(lines + ['', data['verdict']['text']])


def _row(name, measure, decimals):
    ratio, low, high = measure['ratio'], measure['low'], measure['high']
    cells = [_cell(measure[arm], decimals, measure.get('floor')) for arm in 'AB']
    return (name, *cells, '-' if ratio is None else f'{ratio:.3f}',
            '-' if low is None else f'{low:.3f} to {high:.3f}')


def _cell(value, decimals, floor):
    if floor is not None and value <= floor:
        return f'under {floor:.0f}'
    return f'{value:.6g}' if decimals is None else f'{value:.{decimals}f}'


def write_json(data, path):
    """Writes a JSON document to a file, or to standard output for '-'."""
    text = json.dumps(data, indent=2) + '\n'
    if path == '-':
        sys.stdout.write(text)
        return
    try:
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
    except OSError as error:
        raise Refused(f'{path} could not be written: {reason(error)}')
