# SPDX-License-Identifier: MIT
"""`fastsync ab` for programs for Windows, without any: the runner and fastsync-run.exe are scripts. What
Wine makes of it is in tests/windows/programs."""
import json
import os
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

import support
from fastsync_lib import ab, process, windows

# Says what the library would say; a file beside it makes it say something else.
LAUNCHER = r'''
here=$(dirname "$0")
[ "$1" = -- ] || exit 9
shift
arm=B
[ "$FASTSYNC" = 0 ] && arm=A
if [ $arm = A ]; then
    [ -z "$FASTSYNC_VERBOSE" ] || [ -e "$here/not-off" ] ||
        echo "fastsync: 0.1.0: off, nothing is redirected" >&2
    [ -z "$FASTSYNC_STATS" ] || [ ! -e "$here/counts" ] ||
        echo "fastsync: stats 32 pthread_mutex_lock 5" >&2
elif [ ! -e "$here/silent" ]; then
    [ -z "$FASTSYNC_VERBOSE" ] || echo "fastsync: 0.1.0: winpthreads' mutexes on; spin 64" >&2
    [ ! -e "$here/unused" ] ||
        echo "fastsync: the program does not use libwinpthread-1.dll: there is nothing to redirect" >&2
    [ -z "$FASTSYNC_STATS" ] || echo "fastsync: stats 32 GetProcAddress 7" >&2
    [ -z "$FASTSYNC_STATS" ] || [ -e "$here/unused" ] || [ -e "$here/uncounted" ] ||
        echo "fastsync: stats 32 pthread_mutex_lock 5" >&2
fi
{ printf %s "$arm$FASTSYNC_SPIN"; printf '|%s' "$@"; echo; } >>"$here/log"
[ -e "$here/differs" ] && echo $arm
echo "speed: $([ $arm = A ] && echo 1 || echo 2)"
'''


def program_for(machine=0x8664, characteristics=0x22):
    """The headers of a program for Windows."""
    data = bytearray(512)
    data[0:2], data[0x3c] = b'MZ', 0x80
    data[0x80:0x84] = b'PE\0\0'
    data[0x84:0x86] = machine.to_bytes(2, 'little')
    data[0x96:0x98] = characteristics.to_bytes(2, 'little')
    return bytes(data)


class WindowsTest(support.CommandTest):
    maxDiff = None

    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix='fastsync-windows-'))
        self.folder = folder
        self.shell('fastsync-run.exe', LAUNCHER)
        self.write('fastsync.dll', b'')
        self.program = self.write('program.exe', program_for())

    def write(self, name, data):
        with open(self.path(name), 'wb') as file:
            file.write(data)
        return self.path(name)

    def ab(self, *arguments, **settings):
        settings.setdefault('FASTSYNC_WINDOWS_DIR', self.folder)
        return self.fastsync('ab', '--runner', 'env -u NOTHING', *arguments, **settings)

    def log(self):
        with open(self.path('log'), encoding='utf-8') as file:
            return file.read().splitlines()


class Measuring(WindowsTest):
    def test_both_arms_go_through_the_launcher(self):
        self.assert_success(self.ab('-n', '2', self.program, 'an argument'))
        arms = [line[0] for line in self.log()]
        self.assertEqual(''.join(arms), 'AB' + 'ABBA')

    def test_the_program_is_named_as_wine_names_it_and_gets_its_arguments(self):
        self.assert_success(self.ab('-n', '1', '--', self.program, '-n', 'a b'))
        path = 'Z:' + self.program.replace('/', '\\')
        self.assertEqual(self.log()[0], f'A|{path}|-n|a b')

    def test_a_relative_name_without_its_ending(self):
        result = subprocess.run(
            [sys.executable, support.COMMAND, 'ab', '--runner', 'env', '-n', '1', 'program'],
            cwd=self.folder, env=dict(os.environ, FASTSYNC_WINDOWS_DIR=self.folder),
            capture_output=True, text=True, timeout=support.LIMIT, check=False)
        self.assert_success(result)

    def test_only_what_is_known_is_reported(self):
        result = self.ab('-n', '6', '--metric', 'speed: ([0-9])', '--json', '-', self.program)
        data = json.loads(result.stdout)
        self.assertEqual(set(data['measures']), {'wall_s', 'metric'})
        self.assertEqual(data['verdict']['speed'], 2)
        self.assertEqual(data['runner'], ['env', '-u', 'NOTHING'])
        self.assertEqual(data['library'], self.path('fastsync.dll'))
        self.assertIsNone(data['runs'][0]['user'])

    def test_the_table_names_the_runner(self):
        shown = self.ab('-n', '1', self.program).stdout
        self.assertIn('runner:  env -u NOTHING', shown)
        self.assertNotIn('user time', shown)

    def test_variables_reach_arm_B_only(self):
        self.assert_success(self.ab('-n', '1', '-e', 'FASTSYNC_SPIN=7', self.program))
        self.assertEqual([line.partition('|')[0] for line in self.log()], ['A', 'B7', 'A', 'B7'])

    def test_lib_names_the_folder(self):
        self.assert_success(self.ab('-n', '1', '--lib', self.path('fastsync.dll'), self.program,
                                    FASTSYNC_WINDOWS_DIR='/nonexistent'))

    def test_a_program_of_32_bits_has_a_launcher_of_its_own(self):
        os.rename(self.path('fastsync-run.exe'), self.path('fastsync-run32.exe'))
        os.rename(self.path('fastsync.dll'), self.path('fastsync32.dll'))
        self.assert_success(self.ab('-n', '1', self.write('old.exe', program_for(0x14c))))


class Stopping(WindowsTest):
    def stopped(self, file, *words):
        self.write(file, b'')
        self.assert_one_line(self.ab('--same-output', self.program), 1, 'ab stopped', *words)

    def test_a_plain_arm_that_has_the_library(self):
        self.stopped('counts', 'arm A', 'the library is in the plain arm too')

    def test_a_plain_arm_of_which_nothing_is_known(self):
        self.stopped('not-off', 'arm A', 'no proof that the library is off')

    def test_a_library_that_says_nothing(self):
        self.stopped('silent', 'arm B', 'no proof that the library was loaded')

    def test_a_program_that_calls_no_lock(self):
        self.stopped('uncounted', 'arm B', 'counted no call of a lock')

    def test_a_program_without_winpthreads(self):
        self.stopped('unused', 'arm B', 'does not use libwinpthread-1.dll')

    def test_output_that_differs(self):
        self.stopped('differs', 'arm B', 'differs')


class Refusing(WindowsTest):
    def refused(self, *words, arguments=(), **settings):
        result = self.ab(*(arguments or [self.program]), **settings)
        self.assert_one_line(result, 2, *words)
        self.assertFalse(os.path.exists(self.path('log')))

    def test_a_program_that_is_not_there(self):
        self.refused('nowhere.exe', 'is not a file', arguments=['nowhere.exe'])

    def test_a_file_that_is_no_program(self):
        for name, data, why in (('text.exe', b'echo hello', 'not a program for Windows'),
                                ('short.exe', b'MZ', 'not a program for Windows'),
                                ('lib.dll', program_for(characteristics=0x2022), 'a library'),
                                ('arm.exe', program_for(0xaa64), 'another processor')):
            self.refused(why, name, arguments=[self.write(name, data)])

    def test_a_launcher_that_is_not_built(self):
        self.refused('fastsync-run32.exe was not found', 'windows-i686.ini', 'FASTSYNC_WINDOWS_DIR',
                     arguments=[self.write('old.exe', program_for(0x14c))])

    def test_a_launcher_without_its_library(self):
        os.remove(self.path('fastsync.dll'))
        self.refused('there is no fastsync.dll beside')

    def test_a_runner_that_is_not_there(self):
        result = self.fastsync('ab', '--runner', 'no-such-wine', self.program,
                               FASTSYNC_WINDOWS_DIR=self.folder)
        self.assert_one_line(result, 2, "'no-such-wine' was not found on PATH")

    def test_a_server(self):
        self.refused('cannot be a --server',
                     arguments=['--server', 'x', '--ready', 'true', self.program])

    def test_without_a_runner_the_option_is_named(self):
        os.chmod(self.program, 0o755)
        for subcommand in ('run', 'ab'):
            self.assert_one_line(self.fastsync(subcommand, self.program), 2,
                                 'is a program for Windows', '--runner wine')


class Natively(WindowsTest):
    """As far as it can be played here: the launcher is started without a runner."""

    def runs(self, timeout=60.0):
        options = ab.Options([self.program], self.path('fastsync.dll'), pairs=1, timeout=timeout)
        with unittest.mock.patch.object(windows, 'HERE', True), \
                unittest.mock.patch.object(process, 'run', side_effect=AssertionError):
            return windows.Experiment(options).run(lambda _: None)

    def test_the_launcher_is_the_command(self):
        self.assertEqual([run.arm for run in self.runs()], ['A', 'B'])
        self.assertEqual(self.log()[-1], f'B|{self.program}')

    def test_what_takes_too_long_is_killed(self):
        self.shell('fastsync-run.exe', 'exec sleep 300')
        self.shell('taskkill', f'echo "$@" >{self.path("killed")}')
        path = f'{self.folder}:{os.environ["PATH"]}'
        with unittest.mock.patch.dict(os.environ, PATH=path), \
                self.assertRaisesRegex(windows.Stopped, 'did not end within 0.5 s'):
            self.runs(0.5)
        with open(self.path('killed'), encoding='utf-8') as file:
            self.assertRegex(file.read(), r'^/T /F /PID \d+$')

    def test_the_modules_load_where_python_has_no_modules_of_unix(self):
        text = ('import os, signal, sys\n'
                'for name in ("resource", "fcntl", "pwd", "grp", "termios"): sys.modules[name] = None\n'
                'for name in ("posix_spawn", "killpg", "pidfd_open", "wait4"): delattr(os, name)\n'
                'del signal.SIGHUP\n'
                'from fastsync_lib import cli, windows\n'
                'windows.HERE = True\n'
                f'sys.exit(cli.main(["ab", "-n", "1", {self.program!r}]))\n')
        done = subprocess.run([sys.executable, '-c', text],
                              env=dict(os.environ, PYTHONPATH=support.SCRIPTS,
                                       PYTHONDONTWRITEBYTECODE='1',
                                       FASTSYNC_WINDOWS_DIR=self.folder),
                              capture_output=True, text=True, timeout=support.LIMIT, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        self.assertIn('wall time', done.stdout)


if __name__ == '__main__':
    support.main()
