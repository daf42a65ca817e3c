# SPDX-License-Identifier: MIT
"""`fastsync regress`: runs a catalogue of behaviours on two sides and compares what they show.

Decides which suites, programs and sides take part and in which order the programs run. How one is
run is decided in sides.py, what its results mean by its suite and in table.py.
"""
import concurrent.futures
import os
import re
import shutil
import time
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from .. import library as library_module
from .. import report
from ..errors import Refused
from . import conform, demonstrations, glibc, glibc_source, sides, table
from .program import Program

SUITES = ('conform', 'demonstrations', 'glibc')
GLIBC_NAMES = ('glibc/', 'tst-')
JOBS_PER_CPU = {'conform': 1, 'demonstrations': 1, 'glibc': 4}   # glibc's tests mostly sleep


@dataclass
class Options:
    suites: list[str] = field(default_factory=list)
    only: list[str] = field(default_factory=list)
    loaders: list[str] = field(default_factory=list)
    without_library: bool = False
    library: str | None = None
    installed_library: str | None = None
    installed_programs: str | None = None
    jobs: int | None = None
    factor: float = 1.0
    list_only: bool = False
    json_path: str | None = None


def run(options, version):
    """The exit status: 0 if nothing differs that is not documented, else 1."""
    started = time.monotonic()
    progress = report.Progress()
    notes = []
    try:
        chosen = [] if options.list_only else choose_sides(options, version)
        programs = select(catalogue(options, notes, progress), options.only, notes)
        if options.list_only:
            progress.clear()
            print(listing(programs, options.only, notes))
            return 0
        entries = differences({program.suite for program in programs})
        rows = execute(programs, chosen, entries, options, progress)
    finally:
        progress.clear()
    if not options.only and not options.suites:
        notes += [f'the documented difference {entry.behaviour} did not show: {entry.reason}'
                  for entry in table.stale(entries, rows, chosen)]
    if options.json_path != '-':
        print(table.text(chosen, rows, notes))
    if options.json_path:
        seconds = time.monotonic() - started
        report.write_json(table.data(chosen, rows, notes, version, seconds), options.json_path)
    return 1 if any(row.verdict == table.DIFFERS for row in rows) else 0


def choose_sides(options, version):
    """libc and the library, unless other glibcs take the place of one or of both."""
    others = [sides.other_glibc(given) for given in options.loaders]
    if len(others) == 2:
        chosen = others
    elif options.without_library:
        chosen = [sides.system_libc(), *others]
    else:
        path = library_module.require(options.library, options.installed_library)
        chosen = [*(others or [sides.system_libc()]), sides.with_library(path, version)]
    if len({side.label for side in chosen}) < 2:
        chosen = [replace(side, label=f'{side.label} ({number})')
                  for number, side in enumerate(chosen, 1)]
    return chosen


def catalogue(options, notes, progress):
    """All programs of the chosen suites. A suite that nobody asked for by name may be absent."""
    programs = []
    for suite in options.suites or suites_of(options.only):
        try:
            programs += _suite(suite, options, progress)
        except Refused as refusal:
            if suite in options.suites or suite == 'conform':
                raise
            why = str(refusal).removeprefix('regress: ')
            notes.append(f'the suite {suite} is absent: {why}')
    return programs


def _suite(suite, options, progress):
    if suite == 'glibc':
        if glibc_source.newest() is None:
            raise Refused('regress: no source of glibc here: sudo apt-get install glibc-source')
        return glibc.suite(glibc_source.default_cache(), progress)
    library = library_module.find(options.library, options.installed_library)
    if suite == 'demonstrations':
        return demonstrations.suite(library, options.installed_programs)
    return conform.suite(conform.folder(library, options.installed_programs))


def suites_of(patterns):
    """The suites in which patterns may mean something; building glibc's tests takes a minute."""
    return [suite for suite in SUITES
            if not patterns or any(_may_mean(pattern, suite) for pattern in patterns)]


def _may_mean(pattern, suite):
    literal = re.split(r'[*?[]', pattern)[0]
    first = literal.split('/')[0]
    if first in SUITES:
        return first == suite
    return suite != 'glibc' or any(name.startswith(literal) or literal.startswith(name)
                                   for name in GLIBC_NAMES)


def differences(suites):
    """The documented differences of some suites."""
    here = os.path.dirname(__file__)
    own = [entry for entry in table.read_differences(os.path.join(here, 'differences.toml'))
           if entry.behaviour.split('/')[0] in suites]
    if 'glibc' not in suites:
        return own
    return own + table.read_differences(os.path.join(here, 'glibc_tests', 'differences.toml'))


def matches(pattern, suite, program, test):
    """Whether a shell pattern means this behaviour, by the whole of its name or a part of it."""
    names = [suite, program, f'{suite}/{program}']
    if test:
        names += [test, f'{program}/{test}', f'{suite}/{program}/{test}']
    return any(fnmatchcase(name, pattern) for name in names)


def select(programs, patterns, notes=()):
    """The programs of which a behaviour is meant; Refused where a pattern means nothing."""
    def meant(program, pattern):
        return any(matches(pattern, program.suite, program.name, test)
                   for test in program.tests or [''])
    for pattern in patterns:
        if not any(meant(program, pattern) for program in programs):
            hint = ''.join(f' ({note})' for note in notes) or ': see fastsync regress --list'
            raise Refused(f'regress: --only {pattern} matches no behaviour{hint}')
    return [program for program in programs
            if not patterns or any(meant(program, pattern) for pattern in patterns)]


def listing(programs, patterns, notes):
    lines = []
    for program in programs:
        for test in program.tests or ['']:
            if not patterns or any(matches(pattern, program.suite, program.name, test)
                                   for pattern in patterns):
                row = table.Row(program.suite, program.name, test,
                                program.sources.get(test, program.source), program.source, ())
                lines.append(f'{row.name}  [{row.source}]')
    return '\n'.join(lines + [f'note: {note}' for note in notes])


def execute(programs, chosen, entries, options, progress):
    """The rows of all programs. Those that must be alone run after the others of their suite."""
    import resource  # which Python has not on every system that loads this
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    runner = sides.Runner(options.factor)
    for side in chosen:
        sides.prove(side, _probe(programs), runner)
    found = {}
    for suite in SUITES:
        mine = [program for program in programs if program.suite == suite]
        jobs = options.jobs or JOBS_PER_CPU[suite] * len(os.sched_getaffinity(0))
        for alone in (False, True):
            turn = [(program, side) for program in mine if program.exclusive == alone
                    for side in chosen]
            for program, side, outcomes in _run_all(runner, turn, 1 if alone else jobs):
                found[program, side] = outcomes
                progress(f'{len(found)} of {2 * len(programs)} runs done, the last of them '
                         f'{suite}/{program.name} on {side.label}')
    return [row for program in programs
            for row in table.compare(program, [found[program, side] for side in chosen], chosen,
                                     entries)
            if not row.test or not options.only or any(
                matches(pattern, row.suite, row.program, row.test) for pattern in options.only)]


def _run_all(runner, turn, jobs):
    """Yields (program, side, outcomes) of each run as it ends."""
    # Those that may last longest begin first, so that the end is not spent waiting for one.
    turn = sorted(turn, key=lambda run: -run[0].timeout)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(runner.run, side, program): (program, side)
                   for program, side in turn}
        try:
            for future in concurrent.futures.as_completed(futures):
                yield *futures[future], future.result()
        except BaseException:
            runner.close()
            pool.shutdown(cancel_futures=True)
            raise


def _probe(programs):
    """A program that shows at once whether a side is what it says."""
    for program in programs:
        if program.suite == 'conform':
            return conform.probe(program)
    return Program('', 'true', (shutil.which('true') or '/bin/true',), 60, '', lambda done: {})
