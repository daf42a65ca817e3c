# SPDX-License-Identifier: MIT
"""The command line: options, their errors, and the exit status.

What the subcommands do is left to run.py, ab.py, doctor.py, prove.py and regress/.
"""
import getopt
import os
import re
import shlex
import signal
import sys
from typing import NamedTuple, Optional

from . import ab, doctor, library, macos, prove, regress, report, run, usage, windows
from .errors import EarlyEnd, Refused, reason

PROGRAM_OPTIONS = 'he:'


class Installed(NamedTuple):
    """Where an installed command has its library and its programs; None in the source tree."""
    library: Optional[str]
    programs: Optional[str]


def main(arguments, installed_library=None, version=None, installed_programs=None):
    installed = Installed(installed_library, installed_programs)
    try:
        return _dispatch(arguments, installed, version or _source_version())
    except EarlyEnd as end:
        print(f'fastsync: {end}', file=sys.stderr)
        return end.status
    except KeyboardInterrupt:
        print('fastsync: interrupted', file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _source_version():
    """The version that meson.build states, for the command run from the source tree."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    try:
        with open(os.path.join(root, 'meson.build'), encoding='utf-8') as file:
            found = re.search(r"(?<!\w)version:\s*'([^']+)'", file.read())
    except OSError:
        found = None
    return found.group(1) if found else 'unknown'


def _dispatch(arguments, installed, version):
    if not arguments:
        raise Refused('no subcommand: try fastsync --help')
    first, rest = arguments[0], arguments[1:]
    if first in ('-h', '--help', 'help'):
        print(usage.MAIN, end='')
        return 0
    if first in ('-V', '--version'):
        print(f'fastsync {version}')
        return 0
    subcommands = {'run': _run, 'ab': _ab, 'doctor': _doctor, 'regress': _regress}
    if first not in subcommands:
        kind = 'option' if first.startswith('-') else 'subcommand'
        raise Refused(f'no {kind} {first}: try fastsync --help')
    if macos.HERE and first in ('doctor', 'regress'):
        raise Refused(f'{first} knows Linux only so far')
    if windows.HERE and first != 'ab':
        raise Refused(f'{first} does not work on Windows: fastsync-run.exe runs a program there')
    return subcommands[first](rest, installed, version)


def _options(name, arguments, short, long):
    try:
        return getopt.getopt(arguments, short, long)
    except getopt.GetoptError as error:
        raise Refused(f'{name}: {error}: try fastsync {name} --help')


def _setting(text):
    name, equals, value = text.partition('=')
    if not equals or not name or '\0' in text:
        raise Refused(f'{text!r} is not NAME=VALUE, which -e needs')
    return name, value


def _number(option, text, kind, least):
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not least <= value < 1e9:
        raise Refused(f'{option} needs a number of at least {least}, not {text!r}')
    return value


def _run(arguments, installed, _):
    options, command = _options('run', arguments, PROGRAM_OPTIONS, ['help', 'env=', 'lib='])
    lib, settings = None, []
    for option, value in options:
        if option in ('-h', '--help'):
            print(usage.RUN, end='')
            return 0
        if option in ('-e', '--env'):
            settings.append(_setting(value))
        else:
            lib = value
    if not command:
        raise Refused('run: no program was named: fastsync run -- PROGRAM ARGUMENTS')
    run.run(command, library.require(lib, installed.library), settings)
    return 0


def _metric(text):
    try:
        pattern = re.compile(text, re.MULTILINE)
    except re.error as error:
        raise Refused(f'--metric {text!r} is not a regular expression: {error}')
    if pattern.groups != 1:
        raise Refused(f'--metric {text!r} needs exactly one group, around the number: write '
                      "--metric 'per second: ([0-9.]+)'")
    return pattern


def _words(option, text):
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise Refused(f'{option} {text!r}: {str(error).lower()}')
    if not words:
        raise Refused(f'{option} needs a command')
    return words


def _ab(arguments, installed, version):
    given, command = _options('ab', arguments, PROGRAM_OPTIONS + 'n:', [
        'help', 'env=', 'lib=', 'pairs=', 'warmup=', 'timeout=', 'metric=', 'metric-lower',
        'check=', 'same-output', 'server=', 'ready=', 'runner=', 'json='])
    if any(option in ('-h', '--help') for option, _ in given):
        print(usage.AB, end='')
        return 0
    if not command:
        raise Refused('ab: no program was named: fastsync ab -- PROGRAM ARGUMENTS')
    options, lib, json_path = ab.Options(command, ''), None, None
    for option, value in given:
        if option == '--lib':
            lib = value
        elif option == '--json':
            json_path = value
        else:
            _set_ab_option(options, option, value)
    if bool(options.server) != bool(options.ready):
        raise Refused('ab: --server and --ready belong together: name both or neither')
    if options.metric_lower and not options.metric:
        raise Refused('ab: --metric-lower needs --metric')
    if windows.HERE or options.runner:
        if options.server:
            raise Refused('ab: a program for Windows cannot be a --server')
        options.library = lib
        return _measure(windows.Experiment(options), json_path, version)
    options.library = library.require(lib, installed.library)
    return _measure(ab.Experiment(options), json_path, version)


def _set_ab_option(options, option, value):
    if option in ('-n', '--pairs'):
        options.pairs = _number(option, value, int, 1)
    elif option == '--warmup':
        options.warmup = _number(option, value, int, 1)
    elif option == '--timeout':
        options.timeout = _number(option, value, float, 0.001)
    elif option == '--metric':
        options.metric = _metric(value)
    elif option == '--metric-lower':
        options.metric_lower = True
    elif option == '--same-output':
        options.same_output = True
    elif option == '--check':
        options.check = value
    elif option == '--server':
        options.server = _words(option, value)
    elif option == '--ready':
        options.ready = value
    elif option == '--runner':
        options.runner = _words(option, value)
    else:
        options.settings.append(_setting(value))


def _end_by_signal(number, _):
    raise SystemExit(128 + number)


def _heed_signals():
    for name in ('SIGTERM', 'SIGHUP'):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _end_by_signal)


def _measure(experiment, json_path, version):
    _require_writable(json_path)
    _heed_signals()
    progress = report.Progress()
    try:
        runs = experiment.run(progress)
    finally:
        progress.clear()
    data = report.summary(experiment.options, runs, version)
    if json_path != '-':
        print(report.table(data))
    if json_path:
        report.write_json(data, json_path)
    return 0


def _require_writable(path):
    """Hours of measuring must not end in a file that cannot be written."""
    if path in (None, '-'):
        return
    try:
        with open(path, 'a', encoding='utf-8'):
            pass
    except OSError as error:
        raise Refused(f'{path} could not be written: {reason(error)}')


def _doctor(arguments, installed, version):
    given, programs = _options('doctor', arguments, 'h', [
        'help', 'lib=', 'json=', 'long', 'seconds=', 'method=',
        *('prove-' + name for name in prove.DEMONSTRATIONS)])
    lib, json_path, options = None, None, prove.Options([])
    for option, value in given:
        if option in ('-h', '--help'):
            print(usage.DOCTOR, end='')
            return 0
        if option == '--lib':
            lib = value
        elif option == '--json':
            json_path = value
        else:
            _set_proof_option(options, option, value)
    if options.names:
        return _prove(options, programs, lib, json_path, installed, version)
    if options != prove.Options([]):
        raise Refused('doctor: --long, --seconds and --method belong to --prove-lost-wakeup')
    if len(programs) > 1:
        raise Refused('doctor: one program at most: try fastsync doctor --help')
    data = doctor.gather(programs[0] if programs else None,
                         library.find(lib, installed.library), version)
    if json_path:
        report.write_json(data, json_path)
    if json_path != '-':
        print(doctor.text(data))
    return 0 if data.get('program', {}).get('can_be_preloaded', True) else 1


def _set_proof_option(options, option, value):
    if option == '--long':
        options.long = True
    elif option == '--seconds':
        options.seconds = _number(option, value, float, 1)
    elif option == '--method':
        if value not in prove.METHODS:
            raise Refused(f'--method is one of {", ".join(prove.METHODS)}, not {value!r}')
        options.method = value
    else:
        options.names.append(option.removeprefix('--prove-'))


def _prove(options, programs, lib, json_path, installed, version):
    if programs:
        raise Refused('doctor: a proof runs a program of its own: name no other')
    options.library = library.require(lib, installed.library)
    options.programs = installed.programs
    _require_writable(json_path)
    _heed_signals()
    progress = report.Progress()
    try:
        data = prove.run(options, version, progress)
    finally:
        progress.clear()
    if json_path:
        report.write_json(data, json_path)
    if json_path != '-':
        print(prove.text(data))
    return prove.status(data)


def _regress(arguments, installed, version):
    given, rest = _options('regress', arguments, 'h', [
        'help', 'list', 'suite=', 'only=', 'libc=', 'without-library', 'lib=', 'json=', 'jobs=',
        'timeout-multiplier='])
    if any(option in ('-h', '--help') for option, _ in given):
        print(usage.REGRESS, end='')
        return 0
    if rest:
        raise Refused(f'regress: what is {rest[0]!r}? Behaviours are chosen with --only PATTERN')
    options = regress.Options(installed_library=installed.library,
                              installed_programs=installed.programs)
    for option, value in given:
        _set_regress_option(options, option, value)
    if len(options.loaders) > 2:
        raise Refused('regress: two sides are compared: give --libc twice at most')
    if options.without_library and not options.loaders:
        raise Refused('regress: --without-library leaves one side only: name another glibc with '
                      '--libc LOADER')
    _require_writable(options.json_path)
    _heed_signals()
    return regress.run(options, version)


def _set_regress_option(options, option, value):
    if option == '--list':
        options.list_only = True
    elif option == '--suite':
        if value not in regress.SUITES:
            raise Refused(f'regress: no suite {value}: there are {", ".join(regress.SUITES)}')
        options.suites.append(value)
    elif option == '--only':
        options.only.append(value)
    elif option == '--libc':
        options.loaders.append(value)
    elif option == '--without-library':
        options.without_library = True
    elif option == '--lib':
        options.library = value
    elif option == '--json':
        options.json_path = value
    elif option == '--jobs':
        options.jobs = _number(option, value, int, 1)
    else:
        options.factor = _number(option, value, float, 0.01)
