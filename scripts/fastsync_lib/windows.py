# SPDX-License-Identifier: MIT
"""`fastsync ab` for programs for Windows: where fastsync-run.exe is for one, and how an arm is started: by
a runner such as Wine, or by nothing on Windows itself.

Both arms go through fastsync-run.exe, in arm A with the library switched off, so that they differ in
their locks alone. The program is a process apart from the launcher's: only wall time and metric are
known of it. What is compared is ab.py's. None of this has run on Windows so far.
"""
import glob
import os
import re
import shutil
import subprocess
import time
from dataclasses import replace

from . import ab, inspect_pe, process
from .errors import Refused, Stopped, one_line, reason

HERE = os.name == 'nt'
FOLDER = 'FASTSYNC_WINDOWS_DIR'
BUILD = ('meson setup --cross-file cross/windows-{}.ini build-windows && ninja -C build-windows')

LIBRARY_LINE = re.compile(rb'^fastsync: (?!stats ).*', re.MULTILINE)
STATS_LINE = re.compile(rb'^fastsync: stats \d+ (\w+) (\d+)', re.MULTILINE)
NO_LOCKS = (b'GetProcAddress', b'CreateProcessA', b'CreateProcessW')


class Experiment(ab.Experiment):
    """An A/B of ab.py whose program is one for Windows."""

    def __init__(self, options):
        self.options = options
        self.first_output = None
        path, (processor, width) = inspect_pe.require(options.command[0])
        self.runner = _found_runner(options.runner)
        self.launcher = _find_launcher(options.library, processor, width)
        options.library = os.path.join(os.path.dirname(self.launcher), f'fastsync{width}.dll')
        self.subject_path = path

    def _start(self, arm, pair):
        command = [*self.runner, self.launcher, '--', _windows_path(self.subject_path),
                   *self.options.command[1:]]
        environment = self._environment(arm, pair)
        timeout = self.options.timeout
        result = _run_here(command, environment, timeout) if HERE else \
            process.run(command[0], command, environment, timeout)
        known = replace(result, user=None, system=None, voluntary=None, involuntary=None,
                        peak_kib=None)
        return known, result.stderr, set(), ''

    def _environment(self, arm, pair):
        result = dict(os.environ, FASTSYNC='1')
        result.setdefault('WINEDEBUG', '-all')  # its own reports, on standard error
        result.update(self.options.settings if arm == 'B' else {'FASTSYNC': '0'})
        for name in ('FASTSYNC_VERBOSE', 'FASTSYNC_STATS'):
            result.pop(name, None)
            if pair == 0:
                result[name] = '1'
        return result

    def _prove_arm(self, arm, seen, _):
        said = [line.strip() for line in LIBRARY_LINE.findall(seen)]
        calls = {name: int(number) for name, number in STATS_LINE.findall(seen)
                 if name not in NO_LOCKS and int(number)}
        if arm == 'A':
            if calls:
                raise Stopped('the library is in the plain arm too: it counted calls in spite of '
                              'FASTSYNC=0, so there is nothing to compare')
            if not any(b': off' in line for line in said):
                raise Stopped('no proof that the library is off: its line for FASTSYNC=0 is missing '
                              'from standard error; does the program redirect that?')
        elif not calls:
            raise Stopped(_why_unproven(said))


def _why_unproven(said):
    """Of a run with the library that counted no call of a lock."""
    if not said:
        return ('no proof that the library was loaded: its line for FASTSYNC_VERBOSE=1 is missing '
                'from standard error')
    reasons = [line for line in said if b'nothing' in line]
    if reasons:
        return one_line(reasons[-1].removeprefix(b'fastsync: '))
    return ('no proof that the library was used: FASTSYNC_STATS=1 counted no call of a lock; does the '
            'program end itself with TerminateProcess?')


def _found_runner(words):
    if not words:
        return []
    path = shutil.which(words[0])
    if path is None:
        raise Refused(f'the runner {words[0]!r} was not found on PATH: install it, or give its path')
    return [path, *words[1:]]


def _find_launcher(given, processor, width):
    name = f'fastsync-run{width}.exe'
    named = os.path.dirname(os.path.abspath(given)) if given else os.environ.get(FOLDER)
    folders = [os.path.abspath(named)] if named else _built_folders()
    for folder in folders:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            library = os.path.join(folder, f'fastsync{width}.dll')
            if not os.path.isfile(library):
                raise Refused(f'there is no fastsync{width}.dll beside {path}: copy it there')
            return path
    where = f' in {folders[0]}' if named else ''
    raise Refused(f'{name} was not found{where}: build it ({BUILD.format(processor)}), or name its '
                  f'folder in {FOLDER}')


def _built_folders():
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    return [os.path.join(root, 'build-windows', 'src'),
            *sorted(glob.glob(os.path.join(root, 'build*', 'src'))),
            *sorted(glob.glob(os.path.join(root, 'build-targets', 'windows-*', 'src')))]


def _windows_path(path):
    """As the launcher takes it: Wine has the root folder as drive Z."""
    path = os.path.abspath(path)
    return path if HERE else 'Z:' + path.replace('/', '\\')


def _run_here(command, environment, timeout):
    """process.run for Windows, which knows no process groups: the program outlives its launcher, so
    what takes too long is ended with all its children."""
    started = time.monotonic()
    try:
        with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            try:
                stdout, stderr = child.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                _end_tree(child)
                raise Stopped(f'did not end within {timeout:g} s and was killed (--timeout)') from None
            wall = time.monotonic() - started
    except OSError as error:
        raise Stopped(f'could not be started: {reason(error)}') from None
    return process.Result(child.returncode, wall, 0, 0, 0, 0, 0, stdout, stderr)


def _end_tree(child):
    subprocess.run(['taskkill', '/T', '/F', '/PID', str(child.pid)], check=False,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    child.kill()
