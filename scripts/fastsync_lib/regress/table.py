# SPDX-License-Identifier: MIT
"""What two outcomes mean together, and how all of them look: the table, the summary, the JSON.

A difference that no entry documents is a DIFFERS, whichever side looks better. Equal failures on
both sides are the same behaviour, and the row shows them.
"""
import re
import textwrap
import tomllib
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase

from .program import STATES, Difference, Outcome

SAME, DOCUMENTED, DIFFERS = 'same', 'documented', 'DIFFERS'
SIDE = re.compile(r'fastsync|glibc(?: (\d+)\.(\d+)-(?:(\d+)\.(\d+))?)?')
ENTRY_KEYS = {'behaviour', 'expect', 'reason', 'documented'}
FORMAT = 1


@dataclass
class Row:
    suite: str
    program: str
    test: str           # '' for the program as a whole
    source: str
    program_source: str
    outcomes: tuple     # an Outcome for each side
    verdict: str = SAME
    entry: Difference | None = None

    @property
    def name(self):
        parts = [self.suite, self.program]
        return '/'.join(parts + [self.test] if self.test not in ('', self.program) else parts)


def read_differences(path):
    """The [[difference]] entries of a TOML file; ValueError says what is wrong with one."""
    with open(path, 'rb') as file:
        entries = tomllib.load(file).get('difference', [])
    return [_entry(path, entry) for entry in entries]


def _entry(path, entry):
    if set(entry) != ENTRY_KEYS:
        raise ValueError(f'{path}: an entry has {sorted(entry)}, not {sorted(ENTRY_KEYS)}')
    expect = {}
    for side, states in entry['expect'].items():
        states = (states,) if isinstance(states, str) else tuple(states)
        if not SIDE.fullmatch(side) or not set(states) <= set(STATES):
            raise ValueError(f'{path}: {entry["behaviour"]} expects {states} of {side!r}')
        expect[side] = states
    return Difference(entry['behaviour'], expect, entry['reason'], entry['documented'])


def expected(entry, side):
    """The states that an entry expects of a side, or None where it says nothing about it."""
    for name, states in entry.expect.items():
        if name == 'fastsync' or side.kind == 'fastsync':
            if name == side.kind:
                return states
        elif _in_range(name, side.version):
            return states
    return None


def _in_range(name, version):
    first_major, first_minor, last_major, last_minor = SIDE.fullmatch(name).groups()
    if first_major and version < (int(first_major), int(first_minor)):
        return False
    return not last_major or version <= (int(last_major), int(last_minor))


def compare(program, found, sides, entries):
    """The Rows of one program; `found` has each side's outcomes by test."""
    rows = []
    for test in dict.fromkeys(test for outcomes in found for test in outcomes):
        outcomes = tuple(_outcome(one, test) for one in found)
        row = Row(program.suite, program.name, test, program.sources.get(test, program.source),
                  program.source, outcomes)
        if outcomes[0].state != outcomes[1].state:
            row.entry = next((entry for entry in entries if _covers(entry, row, sides)), None)
            row.verdict = DOCUMENTED if row.entry else DIFFERS
        rows.append(row)
    return sorted(rows, key=lambda row: row.test)


def _outcome(outcomes, test):
    """A test that one side did not come to went the way of its program there."""
    if test in outcomes:
        return outcomes[test]
    whole = outcomes.get('')
    if not test:
        return Outcome('pass')
    return Outcome('absent', whole.detail if whole else 'not among its results')


def _covers(entry, row, sides):
    if not fnmatchcase(row.name, entry.behaviour):
        return False
    for side, outcome in zip(sides, row.outcomes):
        states = expected(entry, side)
        if states is None or outcome.state not in states:
            return False
    return True


def stale(entries, rows, sides):
    """Entries that demand a difference between these sides, which no row had."""
    used = [row.entry for row in rows if row.entry]
    found = []
    for entry in entries:
        states = [expected(entry, side) for side in sides]
        if entry not in used and None not in states and not set(states[0]) & set(states[1]):
            found.append(entry)
    return found


def text(sides, rows, notes):
    lines = [f'{side.label:<11} {side.what}' for side in sides]
    widths = [max(len(side.label), 6) for side in sides]
    group = common = None
    for row in rows:
        program = f'{row.suite}/{row.program}'
        heading = f'{row.suite}/' if row.name == program else program
        if heading != group:
            group = heading
            common = row.program_source if heading == program else ''
            lines += ['', _line(widths, [side.label for side in sides], 'verdict',
                                heading + (f'  [{common}]' if common else ''))]
        shown = row.name[len(group):].lstrip('/') or '(the program as a whole)'
        lines.append(_line(widths, [outcome.state for outcome in row.outcomes], row.verdict,
                           shown + (f'  [{row.source}]' if row.source != common else '')))
        lines += _remarks(row, sides)
    return '\n'.join(lines + [''] + [f'note: {note}' for note in notes] + [summary(rows)])


def _line(widths, cells, verdict, name):
    states = ''.join(f'{cell:<{width + 2}}' for cell, width in zip(cells, widths))
    return f'{states}{verdict:<12}{name}'


def _remarks(row, sides):
    """Why a row is not simply a pass on both sides."""
    said = [(side.label, outcome.detail) for side, outcome in zip(sides, row.outcomes)
            if outcome.detail]
    if len(said) == 2 and said[0][1] == said[1][1]:
        said = [('both', said[0][1])]
    remarks = [f'{label}: {detail}' for label, detail in said]
    if row.entry:
        remarks.append(f'documented in {row.entry.documented}: {row.entry.reason}')
    return [line for remark in remarks
            for line in textwrap.wrap(remark, 96, initial_indent=' ' * 6,
                                      subsequent_indent=' ' * 8)]


def summary(rows):
    verdicts = Counter(row.verdict for row in rows)
    states = Counter(row.outcomes[0].state for row in rows if row.verdict == SAME)
    alike = ', '.join(f'{states[state]} {state}' for state in STATES if states[state])
    programs = len({(row.suite, row.program) for row in rows})
    return (f'{_count(len(rows), "behaviour")} of {_count(programs, "program")}: '
            f'{verdicts[SAME]} same'
            f'{" (" + alike + ")" if alike else ""}, {verdicts[DOCUMENTED]} documented, '
            f'{verdicts[DIFFERS]} DIFFERS')


def _count(number, what):
    return f'{number} {what}' if number == 1 else f'{number} {what}s'


def data(sides, rows, notes, version, seconds):
    """Everything as plain data, which is also the JSON document."""
    return {
        'format': FORMAT, 'fastsync': version, 'seconds': round(seconds, 1),
        'sides': [{'kind': side.kind, 'label': side.label, 'what': side.what,
                   'glibc': '{}.{}'.format(*side.version), 'library': side.library,
                   'loader': side.loader and side.loader.path} for side in sides],
        'counts': {verdict: sum(row.verdict == verdict for row in rows)
                   for verdict in (SAME, DOCUMENTED, DIFFERS)},
        'notes': notes,
        'rows': [{'behaviour': row.name, 'source': row.source,
                  'results': [{'state': outcome.state, 'detail': outcome.detail}
                              for outcome in row.outcomes],
                  'verdict': row.verdict, 'reason': row.entry and row.entry.reason,
                  'documented': row.entry and row.entry.documented} for row in rows]}
