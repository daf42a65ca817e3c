# SPDX-License-Identifier: MIT
"""The two sides that are compared, and how a program is run on one.

A side is the system's libc, the library preloaded, or another glibc. A program runs in a session
and a folder of its own, limited in time, and nothing of its session is left. Which programs run is
decided in __init__.py, what their results mean by their suites.
"""
import errno
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, replace

from .. import ab, libc_bugs, process
from .. import library as library_module
from ..errors import Refused, one_line, reason
from . import loader as loader_module
from .program import Completed, Outcome

OUTPUT_LIMIT = 1 << 20
SWEEPS = 100        # over a session that goes on making processes while it is ended
# Settings of the caller's that would change which tests run, and how.
FOREIGN_SETTINGS = ('CK_', 'LD_PRELOAD', 'LD_LIBRARY_PATH', 'LD_AUDIT', 'LD_BIND_NOW', 'MALLOC_',
                    'GLIBC_TUNABLES')


@dataclass(frozen=True)
class Side:
    kind: str                       # 'libc', 'fastsync' or 'loader'
    label: str
    what: str
    version: tuple[int, int]        # of the glibc on which it stands
    library: str | None = None
    loader: loader_module.Loader | None = None

    def command(self, program, folder):
        """The words that start the program, and the settings that this needs."""
        settings = {}
        if self.library:
            settings['LD_PRELOAD'] = self.library
        if not self.loader:
            return list(program.argv), settings
        path = ':'.join(self.loader.folders)
        if program.executes_itself:
            copy = os.path.join(folder, os.path.basename(program.argv[0]))
            loader_module.write_into(program.argv[0], self.loader.path, copy)
            return [copy, *program.argv[1:]], dict(settings, LD_LIBRARY_PATH=path)
        return [self.loader.path, '--library-path', path, *program.argv], settings


def system_libc():
    version = libc_bugs.version()
    if version is None:
        raise Refused("regress: this system's libc is not glibc: name one with --libc LOADER")
    return Side('libc', 'libc', f"the system's glibc {_dotted(version)}", version)


def with_library(path, version):
    on = libc_bugs.version() or (0, 0)
    return Side('fastsync', 'fastsync',
                f'fastsync {version} preloaded, on glibc {_dotted(on)}: {path}', on, library=path)


def other_glibc(given):
    found = loader_module.examine(given)
    name = f'glibc {_dotted(found.version)}'
    return Side('loader', name, found.path, found.version, loader=found)


def _dotted(version):
    return '{}.{}'.format(*version)


def environment(side, settings):
    """The caller's own, without what would make the sides unequal, with what the test needs."""
    result = library_module.without_library(os.environ, side.library)
    result = {name: value for name, value in result.items()
              if not name.startswith(FOREIGN_SETTINGS)}
    result.update(settings)
    return result


class Runner:
    """Runs programs, several at once if asked by several threads, until it is closed."""

    def __init__(self, factor):
        self.factor = factor
        self.lock = threading.Lock()
        self.running = set()
        self.closed = False

    def run(self, side, program):
        """The Outcome of each behaviour. A program without a command is only asked."""
        if not program.argv:
            return program.results(Completed(None, None, '', '', 0.0))
        with tempfile.TemporaryDirectory(prefix='fastsync-regress-',
                                         ignore_cleanup_errors=True) as folder:
            done = self.complete(side, program, folder)
            failure = loading_failure(done)
            return {'': failure} if failure else program.results(done)

    def complete(self, side, program, folder):
        command, settings = side.command(program, folder)
        directory = program.directory or folder
        settings = environment(side, {'CK_TIMEOUT_MULTIPLIER': f'{self.factor:g}',
                                      **program.environment, **settings})
        started = time.monotonic()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                child = self._start(command, directory, settings, out, err)
            except OSError as error:
                return Completed(127, None, '', f'could not be started: {reason(error)}', 0.0)
            try:
                in_time = process.has_ended(child.pid, program.timeout * self.factor)
            finally:
                status = self._end(child)
            signalled = -status if status < 0 and in_time else None
            return Completed(status if status >= 0 and in_time else None, signalled, _text(out),
                             _text(err), time.monotonic() - started, directory)

    def _start(self, command, directory, settings, out, err):
        with self.lock:
            if self.closed:
                raise InterruptedError(errno.EINTR, '')
            child = subprocess.Popen(command, cwd=directory, env=settings, stdout=out, stderr=err,
                                     stdin=subprocess.DEVNULL, start_new_session=True)
            self.running.add(child)
            return child

    def _end(self, child):
        """Ends what is left of its session, and reaps it."""
        with self.lock:
            self.running.discard(child)
            _kill_session(child.pid)
        return child.wait()

    def close(self):
        """Ends what is running; nothing starts any more."""
        with self.lock:
            self.closed = True
            for child in self.running:
                _kill_session(child.pid)


def _kill_session(leader):
    """Ends every process of a session; Check, for one, gives each test a group of its own.

    The leader is not yet reaped, so that the session's number is its own.
    """
    for _ in range(SWEEPS):
        members = _members(leader)
        for pid in members:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        if not members:
            return


def _members(leader):
    """The processes of a session that are not zombies."""
    found = []
    for name in os.listdir('/proc'):
        if name.isdigit():
            try:
                with open(f'/proc/{name}/stat', encoding='utf-8', errors='replace') as file:
                    fields = file.read().rpartition(')')[2].split()
            except OSError:
                continue
            if len(fields) > 3 and fields[3] == str(leader) and fields[0] not in 'ZX':
                found.append(int(name))
    return found


def _text(file):
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - OUTPUT_LIMIT))
    return file.read().decode('utf-8', 'replace')


def loading_failure(done):
    """An Outcome where the loader could not start the program at all."""
    if done.status not in (1, 127) or done.stdout:
        return None
    last = done.stderr.strip().rsplit('\n', 1)[-1]
    if 'error while loading shared libraries' in last or 'not found (required by' in last \
            or last.startswith('could not be started'):
        return Outcome('absent', one_line(last))
    return None


def prove(side, probe, runner):
    """Refuses a side that is not what it says: the library off, or a libc too old."""
    probe = replace(probe, environment={**probe.environment, 'FASTSYNC_VERBOSE': '1'})
    with tempfile.TemporaryDirectory(prefix='fastsync-regress-') as folder:
        done = runner.complete(side, probe, folder)
    failure = loading_failure(done)
    if failure:
        needs = re.search(r"version `(GLIBC_[\d.]+)' not found", done.stderr)
        raise Refused(f'regress: {side.what} cannot run these programs: ' + (
            f'it is glibc {_dotted(side.version)} and they need {needs[1]}' if needs
            else failure.detail))
    says = ab.START_LINE.search(done.stderr.encode())
    if side.library and not (says and b': off' not in says.group()):
        raise Refused(f'regress: {side.library} does not say that it is on: '
                      f'{one_line(done.stderr) or "nothing was printed"}')
    if not side.library and says:
        raise Refused(f'regress: {side.what} would run with the library as well: take it out of '
                      '/etc/ld.so.preload')
