# SPDX-License-Identifier: MIT
"""`fastsync regress`: verdicts, rows of programs that go wrong, choice of behaviours and of sides.

Most of it runs small Check programs in a folder laid out as a build, with the stand-in library:
they behave differently where something is preloaded.
"""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

import support
from fastsync_lib import inspect_elf
from regress_programs import BROKEN, PLACED, SHAPES, SLOW


class RegressTest(support.CommandTest):
    """A folder with the stand-in library and conformance programs where a build has them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.build = os.path.join(cls.folder, 'build')
        cls.programs = os.path.join(cls.build, 'tests', 'conform')
        os.makedirs(os.path.join(cls.build, 'src'))
        os.makedirs(cls.programs)
        cls.library = os.path.join(cls.build, 'src', 'libfastsync.so')
        os.rename(cls.stand_in, cls.library)
        cls.stand_in = cls.library
        flags = subprocess.run(['pkg-config', '--cflags', '--libs', 'check'], check=True,
                               capture_output=True, text=True).stdout.split()
        for name, source in cls.sources.items():
            support.compile_c(source, os.path.join(cls.programs, 'conform_' + name), '-pthread',
                              '-O1', *['-Xlinker', '--as-needed'], *flags)

    def regress(self, *options, status=None, **settings):
        """(result, JSON document or None)"""
        path = self.path('result.json')
        if os.path.exists(path):
            os.remove(path)
        result = self.fastsync('regress', '--suite', 'conform', '--json', path, *options,
                               **settings)
        if status is not None:
            self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        if not os.path.exists(path) or not os.path.getsize(path):
            return result, None
        with open(path, encoding='utf-8') as file:
            return result, json.load(file)

    @staticmethod
    def rows(data):
        """behaviour -> (state on each side, verdict)"""
        return {row['behaviour'].removeprefix('conform/'):
                (*(outcome['state'] for outcome in row['results']), row['verdict'])
                for row in data['rows']}

    def detail(self, data, behaviour, side):
        return next(row['results'][side]['detail'] for row in data['rows']
                    if row['behaviour'] == 'conform/' + behaviour)


class Verdicts(RegressTest):
    sources = {'shapes': SHAPES}

    def test_each_test_is_a_row_with_both_results_and_a_verdict(self):
        result, data = self.regress(status=1)
        self.assertEqual(self.rows(data), {
            'shapes/passes': ('pass', 'pass', 'same'),
            'shapes/fails': ('fail', 'fail', 'same'),
            'shapes/is_skipped': ('skip', 'skip', 'same'),
            'shapes/fails_with_it': ('pass', 'fail', 'DIFFERS'),
            'shapes/crashes_without_it': ('crash', 'pass', 'DIFFERS'),
            'shapes/hangs_with_it': ('pass', 'hang', 'DIFFERS'),
            'shapes/only_with_it': ('absent', 'pass', 'DIFFERS')})
        self.assertEqual(data['counts'], {'same': 3, 'documented': 0, 'DIFFERS': 4})
        self.assertRegex(self.detail(data, 'shapes/fails_with_it', 1), r'run 2: too late$')
        self.assertIn('says <1>', self.detail(data, 'shapes/fails', 1))
        self.assertEqual(self.detail(data, 'shapes/is_skipped', 0), 'no such machine')
        for line in (r'^pass +fail +DIFFERS +fails_with_it$', r'fastsync: .*too late$',
                     r'^7 behaviours of 1 program: 3 same \(1 pass, 1 fail, 1 skip\), '
                     r'0 documented, 4 DIFFERS$'):
            self.assertRegex(result.stdout, re.compile(line, re.MULTILINE))

    def test_where_nothing_differs_the_status_is_0(self):
        _, data = self.regress('--only', 'passes', '--only', 'shapes/fails', status=0)
        self.assertEqual(set(self.rows(data)), {'shapes/passes', 'shapes/fails'})

    def test_the_json_may_replace_the_table(self):
        result = self.fastsync('regress', '--only', 'conform/*/passes', '--json', '-')
        self.assertEqual(json.loads(result.stdout)['counts']['same'], 1)

    def test_a_stripped_program_has_the_same_rows(self):
        support.require(self, 'strip', 'binutils')
        whole = os.path.join(self.programs, 'conform_shapes')
        stripped = os.path.join(self.programs, 'conform_stripped')
        subprocess.run(['strip', '-o', stripped, whole], check=True)
        self.addCleanup(os.remove, stripped)
        _, data = self.regress(status=1)
        rows = self.rows(data)
        self.assertEqual({name: row for name, row in rows.items() if 'stripped/' in name},
                         {name.replace('shapes/', 'stripped/'): row
                          for name, row in rows.items() if 'shapes/' in name})

    def test_the_list_runs_nothing_and_names_each_behaviour(self):
        result = self.fastsync('regress', '--suite', 'conform', '--list')
        self.assert_success(result)
        self.assertIn('conform/shapes/only_with_it  [', result.stdout)
        self.assertEqual(len(result.stdout.splitlines()), 7)

    def test_the_list_obeys_patterns(self):
        result = self.fastsync('regress', '--list', '--only', 'conform/shapes/*s_with_it')
        self.assertEqual([line.split()[0] for line in result.stdout.splitlines()],
                         ['conform/shapes/fails_with_it', 'conform/shapes/hangs_with_it'])

    def test_settings_of_the_caller_do_not_choose_tests(self):
        _, data = self.regress('--only', 'passes', status=0, CK_RUN_CASE='none',
                               LD_LIBRARY_PATH='/nonexistent')
        self.assertEqual(self.rows(data), {'shapes/passes': ('pass', 'pass', 'same')})


class BrokenPrograms(RegressTest):
    sources = {'killed': BROKEN.replace('HOW', 'SIGKILL'),
               'stopped': BROKEN.replace('HOW', 'SIGSTOP')}

    def test_a_killed_program_still_has_its_rows(self):
        _, data = self.regress('--only', 'killed', status=1)
        self.assertEqual(self.rows(data), {
            'killed': ('pass', 'crash', 'DIFFERS'),
            'killed/comes_before': ('pass', 'pass', 'same'),
            'killed/breaks': ('pass', 'absent', 'DIFFERS'),
            'killed/comes_after': ('pass', 'absent', 'DIFFERS')})
        self.assertIn('SIGKILL', self.detail(data, 'killed', 1))
        self.assertIn('not reached', self.detail(data, 'killed/comes_after', 1))

    def test_so_has_one_whose_tests_are_known_only_from_the_other_side(self):
        support.require(self, 'strip', 'binutils')
        stripped = os.path.join(self.programs, 'conform_stripped')
        subprocess.run(['strip', '-o', stripped, os.path.join(self.programs, 'conform_killed')],
                       check=True)
        self.addCleanup(os.remove, stripped)
        _, data = self.regress('--only', 'stripped', status=1)
        self.assertEqual(self.rows(data)['stripped/comes_after'], ('pass', 'absent', 'DIFFERS'))
        self.assertIn('SIGKILL', self.detail(data, 'stripped/comes_after', 1))

    def test_a_program_that_does_not_end_is_killed_and_has_its_rows(self):
        # A tenth: 30 s for the program, 10 for each of its tests, 6 for the start of a side.
        _, data = self.regress('--only', 'stopped', '--timeout-multiplier', '0.1', status=1)
        self.assertEqual(self.rows(data)['stopped'], ('pass', 'hang', 'DIFFERS'))
        self.assertEqual(self.rows(data)['stopped/comes_before'], ('pass', 'pass', 'same'))
        self.assertEqual(self.rows(data)['stopped/breaks'], ('pass', 'absent', 'DIFFERS'))


class OtherLibc(RegressTest):
    """--libc, with a copy of this system's own in another folder."""
    sources = {'shapes': SHAPES, 'placed': PLACED}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.place = os.path.join(cls.folder, 'copy')
        os.mkdir(cls.place)
        with open('/proc/self/maps', encoding='utf-8') as maps:
            libc = next(line.split()[-1] for line in maps if 'libc.so.6' in line)
        for path in glob.glob(os.path.join(os.path.dirname(libc), 'lib*.so.*')):
            if re.match(r'lib(c|m|rt|dl|pthread)\.so\.\d+$', os.path.basename(path)):
                shutil.copy(path, cls.place)
        interpreter = inspect_elf.read(sys.executable).interpreter
        cls.loader = shutil.copy(interpreter, os.path.join(cls.place, os.path.basename(
            interpreter)))

    def test_programs_run_on_it_and_so_do_those_that_they_execute(self):
        _, data = self.regress('--libc', self.loader, '--only', 'placed', status=1,
                               LIBC_FOLDER=self.place)
        self.assertEqual(self.rows(data), {'placed/here': ('pass', 'fail', 'DIFFERS'),
                                           'placed/there': ('pass', 'fail', 'DIFFERS')})
        self.assertEqual(data['sides'][0]['loader'], self.loader)
        self.assertRegex(data['sides'][0]['label'], r'^glibc \d+\.\d+$')

    def test_given_twice_both_sides_are_told_apart(self):
        _, data = self.regress('--libc', self.loader, '--libc', self.loader, '--only', 'placed',
                               status=0, LIBC_FOLDER=self.place)
        first, second = (side['label'] for side in data['sides'])
        self.assertTrue(first.endswith('(1)') and second.endswith('(2)'), (first, second))

    def test_without_the_library_the_system_is_the_other_side(self):
        _, data = self.regress('--libc', self.loader, '--without-library', '--only', 'shapes/*',
                               status=0)
        self.assertEqual([side['kind'] for side in data['sides']], ['libc', 'loader'])
        self.assertEqual(data['counts']['DIFFERS'], 0)

    def refused(self, path, *words):
        self.assert_one_line(self.fastsync('regress', '--libc', path), 2, *words)

    def test_what_is_no_loader_is_refused(self):
        self.refused('/etc/passwd', '/etc/passwd', 'not a loader', 'no ELF header')
        self.refused(self.path('nothing'), 'there is no file')
        self.refused(sys.executable, 'not the loader of a glibc')
        self.refused(os.path.join(self.place, 'libc.so.6'), 'its name is libc.so.6')

    def test_a_loader_for_another_machine_is_refused(self):
        other = self.path('other-loader')
        with open(self.loader, 'rb') as file:
            data = bytearray(file.read())
        data[18:20] = (183).to_bytes(2, 'little')
        with open(other, 'wb') as file:
            file.write(data)
        self.refused(other, 'aarch64', 'name a loader for')

    def test_a_loader_without_its_libc_is_refused(self):
        alone = self.path('alone')
        os.makedirs(alone, exist_ok=True)
        self.refused(shutil.copy(self.loader, alone), 'libc.so.6', 'unpack the whole package')

    def test_a_libc_that_does_not_start_is_refused(self):
        wrong = self.path('wrong')
        os.makedirs(wrong, exist_ok=True)
        with open(os.path.join(wrong, 'libc.so.6'), 'wb') as file:
            file.write(b'\x7fELF')
        self.refused(shutil.copy(self.loader, wrong), 'does not start')


class Refusals(RegressTest):
    sources = {'shapes': SHAPES}

    def refused(self, *words, options=(), **settings):
        self.assert_one_line(self.fastsync('regress', *options, **settings), 2, *words)

    def test_a_wrong_option_is_refused(self):
        self.refused('--colour', '--help', options=['--colour'])
        self.refused("'shapes'", '--only', options=['shapes'])
        self.refused('no suite musl', options=['--suite', 'musl'])
        self.refused('--jobs', options=['--jobs', '0'])
        self.refused('--timeout-multiplier', options=['--timeout-multiplier', 'long'])
        self.refused('another glibc', options=['--without-library'])
        self.refused('two sides', options=['--libc', '/x'] * 3)

    def test_a_pattern_that_matches_nothing_is_refused(self):
        self.refused('nowhere', '--list', options=['--only', 'conform/nowhere/*'])

    def test_a_library_that_is_off_is_refused(self):
        quiet = self.path('libquiet.so')
        support.compile_c('int quiet;', quiet, '-shared', '-fPIC')
        shutil.copy(quiet, self.library + '.quiet')
        self.refused('does not say that it is on', library=self.library + '.quiet',
                     options=['--suite', 'conform', '--only', 'passes'])

    def test_missing_programs_are_named_with_what_to_do(self):
        lonely = os.path.join(self.path('lonely'), 'share')
        shutil.copytree(os.path.join(support.SCRIPTS, 'fastsync_lib'),
                        os.path.join(lonely, 'scripts', 'fastsync_lib'),
                        ignore=shutil.ignore_patterns('__pycache__'))
        command = shutil.copy(support.COMMAND, os.path.join(lonely, 'scripts'))
        library = shutil.copy(self.library, self.path('lonely'))
        done = subprocess.run([sys.executable, command, 'regress', '--suite', 'conform',
                               '--lib', library], capture_output=True, text=True, check=False,
                              timeout=support.LIMIT)
        self.assert_one_line(done, 2, 'not found', 'ninja -C build')


class Interrupt(RegressTest):
    sources = {'slow': SLOW}

    def test_an_interrupt_ends_what_runs_and_leaves_nothing(self):
        mark = self.path('mark')
        environment = dict(os.environ, MARK=mark, FASTSYNC_LIBRARY=self.library)
        child = subprocess.Popen([sys.executable, support.COMMAND, 'regress', '--suite',
                                  'conform'], env=environment, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
        self.addCleanup(child.kill)
        deadline = time.monotonic() + support.LIMIT
        while not (os.path.exists(mark) and os.path.getsize(mark)):
            self.assertLess(time.monotonic(), deadline, 'the program never began')
            self.assertIsNone(child.poll())
            time.sleep(0.02)
        with open(mark, encoding='utf-8') as file:
            test = int(file.read())
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=support.LIMIT)
        self.assertEqual((child.returncode, errors), (130, 'fastsync: interrupted\n'))
        while os.path.exists(f'/proc/{test}'):
            self.assertLess(time.monotonic(), deadline, 'the test is still there')
            time.sleep(0.02)


@unittest.skipUnless(support.REAL_LIBRARY, 'FASTSYNC_LIBRARY is not set')
class RealLibrary(support.CommandTest):
    def test_programs_of_the_build_show_the_same_and_what_is_documented(self):
        result = self.fastsync('regress', '--only', 'conform/mutex_errors', '--only',
                               'conform/rwlock_priority', '--json', '-',
                               library=support.REAL_LIBRARY)
        data = json.loads(result.stdout)
        self.assertEqual((result.returncode, data['counts']['DIFFERS']), (0, 0), result.stdout)
        self.assertGreater(data['counts']['same'], 10)
        sources = {row['source'] for row in data['rows']}
        self.assertNotIn('not stated', sources)


if __name__ == '__main__':
    support.main()
