# SPDX-License-Identifier: MIT
"""`fastsync doctor --prove-...`: runs a demonstration with plain libc and with the library.

Which demonstrations there are, how long each side runs, and how the results are shown. What is a
fault, and how it is told from a slow machine, is decided in the programs of demonstrations/.
"""
import glob
import os
import re
from dataclasses import dataclass

from . import libc_bugs, process
from . import library as libraries
from .errors import Refused, Stopped, one_line

FORMAT = 1
CANNOT = 77
SIDES = ('libc', 'library')
LIBC_SECONDS = 60
LIBRARY_SECONDS = 60
SHORTEST_SECONDS = 5
SPIN_SECONDS = 15
TIMES_AS_LONG = 100
GRACE_SECONDS = 120
METHODS = ('perf', 'step')


@dataclass
class Options:
    names: list
    library: str = ''
    programs: str | None = None
    long: bool = False
    seconds: float | None = None
    method: str | None = None


@dataclass
class Demonstration:
    title: str
    program: str
    cases: list       # (name, arguments) of each run of a side
    columns: list     # (heading, key in the program's answer)
    fault: str
    sound: str


DEMONSTRATIONS = {
    'lost-wakeup': Demonstration(
        'Lost wake-up (bug 25847)', 'lost_wakeup', [('', [])],
        [('delays by', 'method'), ('delays', 'delays'), ('rounds', 'rounds'),
         ('seconds', 'seconds')],
        'loses wake-ups', 'no hang'),
    'priority-inversion': Demonstration(
        'Priority inversion through a condition variable (bug 11588)', 'priority_inversion',
        [('', [])],
        [('rounds', 'counted'), ('inverted', 'inverted'), ('longest wait, ms', 'longest_wait_ms'),
         ('CPU burnt meanwhile, ms', 'burn_ms'), ('critical section, ms', 'work_ms')],
        'lets the urgent thread wait for an unimportant one', 'bounded by the critical section'),
    'rwlock-spin': Demonstration(
        'Readers that spin against a preempted writer (bug 25619)', 'rwlock_spin',
        [('SCHED_OTHER', []), ('SCHED_FIFO 1', ['--writer-priority', '1'])],
        [('writer', 'case'), ('reads', 'rounds'), ('seconds', 'seconds'),
         ('CPU burnt in one call, ms', 'longest_burnt_ms')],
        'spins against a thread that it keeps from running', 'no call burns the CPU'),
}


def folder(library, installed):
    """Where the programs are: in the library's build directory, installed, or in any build."""
    places = [os.path.join(os.path.dirname(os.path.dirname(library)), 'demonstrations')]
    if installed:
        places.append(os.path.join(installed, 'demonstrations'))
    else:
        root = os.path.realpath(__file__)
        for _ in range(3):
            root = os.path.dirname(root)
        places += sorted(glob.glob(os.path.join(root, 'build*', 'demonstrations')))
    for place in places:
        if all(os.access(os.path.join(place, one.program), os.X_OK)
               for one in DEMONSTRATIONS.values()):
            return place
    raise Refused('doctor: the demonstrations were not found: build them (meson setup build && '
                  'ninja -C build)')


def run(options, version, progress):
    """All that was asked for, as plain data, which is also the JSON document."""
    place = folder(options.library, options.programs)
    proofs = [_prove(name, place, options, progress) for name in options.names]
    libc = libc_bugs.version()
    return {'format': FORMAT, 'fastsync': version, 'library': options.library,
            'libc': 'glibc {}.{}'.format(*libc) if libc else None,
            'kernel': os.uname().release, 'cpus': len(os.sched_getaffinity(0)), 'proofs': proofs}


def status(data):
    """0: the library shows no fault; 1: it does; 77: this machine can show nothing at all."""
    if any(proof['library_at_fault'] for proof in data['proofs']):
        return 1
    return CANNOT if all(proof['refused'] for proof in data['proofs']) else 0


def _prove(name, place, options, progress):
    demonstration = DEMONSTRATIONS[name]
    proof = {'name': name, 'title': demonstration.title, 'rows': [], 'refused': None,
             'library_at_fault': False, 'libc_at_fault': False}
    for case, arguments in demonstration.cases:
        limit = LIBC_SECONDS
        for side in SIDES:
            progress(f'{name} {case} with {side} ...')
            row = _run_side(demonstration, place, side, arguments, limit, options)
            if 'reason' in row:
                proof['refused'] = row['reason']
                return proof
            row['case'] = case
            proof['rows'].append(row)
            proof[side + '_at_fault'] |= row['fault']
            limit = _library_seconds(row, options)
    proof['verdict'] = _verdict(demonstration, proof)
    return proof


def _library_seconds(libc, options):
    """How long the library runs after libc: 100 times what libc took, within a bound."""
    if options.seconds is not None and not options.long:
        bound = options.seconds
    else:
        bound = LIBRARY_SECONDS
    if not libc['fault'] or 'seconds' not in libc:
        return bound
    wanted = TIMES_AS_LONG * libc['seconds']
    return max(wanted, SHORTEST_SECONDS) if options.long else \
        max(min(wanted, bound), min(SHORTEST_SECONDS, bound))


def _arguments(demonstration, side, limit, options):
    if demonstration.program == 'lost_wakeup':
        method = ['--method', options.method] if options.method else []
        return ['--seconds', f'{limit:.2f}'] + method
    if demonstration.program == 'rwlock_spin':
        bound = SPIN_SECONDS if side == 'library' and not options.long else limit
        return ['--seconds', f'{min(limit, bound):.2f}']
    return ['--rounds', '3'] if options.seconds is not None else []


def _run_side(demonstration, place, side, arguments, limit, options):
    path = os.path.join(place, demonstration.program)
    command = [path, *arguments, *_arguments(demonstration, side, limit, options)]
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith('FASTSYNC')}
    if side == 'library':
        environment = libraries.with_library(environment, options.library)
    else:
        environment = libraries.without_library(environment, options.library)
    result = process.run(path, command, environment, limit + GRACE_SECONDS)
    row = _answer(result.stdout)
    if result.status == CANNOT and 'reason' in row:
        return row
    if result.status not in (0, 1) or 'result' not in row:
        last = one_line(result.stderr.strip().rsplit(b'\n', 1)[-1])
        raise Stopped(f'doctor: {demonstration.program} with {side} ended with status '
                      f'{result.status}' + (f': {last}' if last else ''))
    if row.pop('implementation', None) != side:
        raise Stopped(f'doctor: {demonstration.program} did not run with {side} alone')
    row.update(side=side, fault=result.status == 1)
    return row


def _answer(output):
    """The lines name=value of a program, numbers as numbers."""
    answer = {}
    for line in output.decode('utf-8', 'replace').splitlines():
        name, equals, value = line.partition('=')
        if equals:
            number = re.fullmatch(r'[0-9]+(\.[0-9]+)?', value)
            answer[name] = value if not number else float(value) if number[1] else int(value)
    return answer


def _verdict(demonstration, proof):
    words = []
    for side in SIDES:
        state = demonstration.fault if proof[side + '_at_fault'] else demonstration.sound
        words.append(f'{side}: {state}')
    if demonstration.program == 'lost_wakeup' and proof['libc_at_fault']:
        libc, library = (row['seconds'] for row in proof['rows'][:2])
        words[1] += f' in {library / max(libc, 0.05):.0f} times the time'
    return '; '.join(words)


def _outcome(demonstration, row):
    if not row['fault']:
        return demonstration.sound
    if row['result'] == 'lost':
        after = 'sets them going' if row.get('after_broadcast') == 'taken' else 'does not help'
        return (f'HANGS: {row["tokens"]} token, all {row["consumers_asleep"]} waiters asleep for '
                f'{row["still"]:.0f} s; a broadcast {after}')
    if row['result'] == 'inverted':
        return 'INVERTED: waits until the CPU is free'
    return row['result'].upper()


def text(data):
    lines = [f'libc      {data["libc"]}', f'library   {data["library"]}']
    for proof in data['proofs']:
        demonstration = DEMONSTRATIONS[proof['name']]
        lines += ['', proof['title']]
        if proof['refused']:
            lines.append(f'  cannot be shown here: {proof["refused"]}')
            continue
        rows = [['', *(heading for heading, _ in demonstration.columns), 'result']]
        rows += [[row['side'], *(str(row.get(key, '-')) for _, key in demonstration.columns),
                  _outcome(demonstration, row)] for row in proof['rows']]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        for row in rows:
            cells = [row[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1])]
            lines.append('  ' + '  '.join(cells + [row[-1]]).rstrip())
        lines.append(f'  {proof["verdict"]}')
    return '\n'.join(lines)
