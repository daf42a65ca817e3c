# SPDX-License-Identifier: MIT
"""glibc's own tests as behaviours: which there are, and as which programs they are run.

Every test that glibc_tests/list.toml's patterns match becomes a program: one to run, or one
without a command whose result says why it cannot. Finding and unpacking the source, reading its
Makefiles and building are the work of the modules glibc_*.py.
"""
import fnmatch
import os
import re
import shlex
import shutil
import time
import tomllib
from pathlib import Path

from ..errors import Refused
from . import glibc_build, glibc_source
from .glibc_makefile import Makefiles
from .glibc_run import FACTOR, Test, outcome
from .program import Outcome, Program

LIST = os.path.join(glibc_build.HERE, 'glibc_tests', 'list.toml')
INCLUDE = re.compile(r'#\s*include\s+["<](?:.*/)?((?:tst-|eintr)[^/">]*)[">]')
KEEP_DAYS = 14
# A test that is given a command runs it by a shell, whose parent is the test itself.
ITSELF = '/proc/$PPID/exe'


def suite(cache, progress, archive=None):
    """All tests as programs, built; `cache` is a folder, `progress` takes a line of text."""
    archive = archive or glibc_source.newest()
    if archive is None:
        raise Refused(glibc_source.MISSING)
    origin = glibc_source.checksum(Path(archive), Path(glibc_source.__file__))
    tree = os.path.join(cache, f'glibc-{origin}')
    if not os.path.isdir(tree):
        progress(f'unpacking {archive}')
        glibc_source.unpack(archive, tree)
    makefiles = Makefiles(os.path.join(tree, folder, 'Makefile')
                          for folder in ('support', *glibc_source.FOLDERS))
    tests = discover(tree, makefiles)
    buildable = {test.name: test for test in tests if not test.obstacle}
    folder = os.path.join(cache, f'built-{_state(origin)}')
    _forget(cache, {tree, folder})
    complaints = glibc_build.build(tree, folder, makefiles, buildable, progress)
    version = glibc_source.version(tree)
    return [_program(test, test.source(tree, version), folder, makefiles, complaints)
            for test in tests]


def _forget(cache, needed):
    """Removes what other versions and interrupted runs left in the cache, after a while."""
    for entry in os.scandir(cache):
        if entry.path not in needed and entry.name.startswith(('glibc-', 'built-', 'tmp')) and \
                time.time() - entry.stat().st_mtime > KEEP_DAYS * 86400:
            shutil.rmtree(entry.path, ignore_errors=True)


def _state(origin):
    """All that the built programs depend on, as one name."""
    here = Path(glibc_build.HERE)
    files = sorted([here / 'glibc_build.py', here / 'glibc_makefile.py', Path(LIST),
                    *here.glob('glibc_tests/**/*.h')])
    return glibc_source.checksum(origin, *files,
                                 *map(glibc_build.identity, glibc_build.compilers()))


def discover(tree, makefiles):
    """The tests, by name, whose name or text a pattern of the list matches."""
    listed = read_list()
    calls = re.compile('|'.join(listed['calls']))
    found = []
    for name in sorted(makefiles.tests()):
        path = _find(tree, name + '.c') or _find(tree, name + '.cc')
        if path is None:
            continue        # made by a rule of the Makefile, or in another folder
        text = _with_includes(tree, path, set())
        if any(fnmatch.fnmatch(name, pattern) for pattern in listed['names']) or \
                calls.search(text):
            found.append(Test(name, path, text, listed['test'].get(name, {})))
    return found


def read_list():
    with open(LIST, 'rb') as file:
        return tomllib.load(file)


def _find(tree, file):
    paths = (os.path.join(tree, folder, file) for folder in glibc_source.FOLDERS)
    return next((path for path in paths if os.path.exists(path)), None)


def _with_includes(tree, path, seen):
    """The text of a file and of the tests and helpers of tests that it includes."""
    if path is None or path in seen:
        return ''
    seen.add(path)
    with open(path, encoding='utf-8', errors='replace') as file:
        text = file.read()
    return text + ''.join(_with_includes(tree, _find(tree, name), seen)
                          for name in INCLUDE.findall(text))


def _program(test, source, folder, makefiles, complaints):
    why = test.obstacle
    if not why and complaints[test.name]:
        why = f'does not build here: {complaints[test.name]}'
    if why:
        return Program('glibc', test.name, (), 0.0, source,
                       lambda _: {test.name: Outcome('absent', why)}, tests=(test.name,))
    words = shlex.split(makefiles.value(f'{test.name}-ARGS', host_test_program_cmd=ITSELF))
    settings = dict(word.split('=', 1)
                    for word in shlex.split(makefiles.value(f'{test.name}-ENV')) if '=' in word)
    return Program(
        'glibc', test.name,
        (os.path.join(folder, test.name), *test.listed.get('arguments', ()), *words), test.limit,
        source, lambda completed: {test.name: outcome(completed)},
        environment={'LC_ALL': 'C', 'TIMEOUTFACTOR': str(FACTOR), **settings},
        directory=test.directory, exclusive=test.listed.get('exclusive', False),
        executes_itself=any(ITSELF in word for word in words), tests=(test.name,))
