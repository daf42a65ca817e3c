# SPDX-License-Identifier: MIT
"""glibc's own tests as a suite of `fastsync regress`: which are found, how they are built, and what
the end of a run means.

Most of it uses an archive made here, with small files laid out as glibc's are; the list is also
held against the real archive, where the package glibc-source is installed.
"""
import fnmatch
import io
import os
import subprocess
import tarfile
import tempfile
import textwrap
import unittest

import support
from fastsync_lib import errors
from fastsync_lib.regress import glibc, glibc_source, glibc_run, table
from fastsync_lib.regress.glibc_makefile import Makefiles
from fastsync_lib.regress.program import Completed, Outcome

LOCKS = '#include <pthread.h>\nstatic pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;\n'
DRIVER = '#include <support/test-driver.c>\n'
MAKEFILE = r'''
# A comment
tests = tst-mutex1 tst-mutex2 \
	tst-mutex3 tst-cond-header \
	# tst-mutex-of-a-comment
tests-internal := tst-once1 tst-once2
ifeq ($(build-shared),yes)
tests += tst-barrier1 tst-cancel7 tst-stack4 tst-create1
tests-static += tst-cond8-static
endif
xtests = tst-mutexpp1
tests-time64 := \
  tst-cond11-time64
modules-names = tst-create1mod
CFLAGS-tst-mutex3.c += -DGIVEN=3
tst-mutex3-ENV = NUMBER=3 EMPTY= \
		 PLACE=$(objpfx)tst-mutex3.place
tst-cancel7-ARGS = --command "exec $(host-test-program-cmd)"
LDLIBS-tst-mutex2 = -lm
$(objpfx)tst-create1: $(shared-thread-library) $(objpfx)tst-create1mod.so
$(objpfx)tst-create1.out: $(objpfx)tst-create2mod.so
'''
TREE = {
    'version.h': '#define RELEASE "x"\n#define VERSION "9.87"\n',
    'support/Makefile': 'libsupport-routines = \\\n  help \\\n  broken \\\n\n',
    'support/help.c': '#include <support/help.h>\nint help(void) { return NAME_MAX - 255; }\n',
    'support/broken.c': '#include <not-there.h>\n',
    'support/help.h': 'int help(void);\n',
    'support/test-driver.c': 'int main(void) { return do_test(); }\n',
    'nptl/Makefile': MAKEFILE,
    'nptl/pthread.h': '#error not to be unpacked\n',
    'support/stdio.h': '#error the header of the system is meant\n',
    'nptl/tst-mutex1.c': LOCKS + '#include <support/help.h>\n'
                         'int do_test(void) { return pthread_mutex_lock(&m) + help(); }\n' + DRIVER,
    'nptl/tst-mutex2.c': '#include <stdio.h>\nint do_test(void) { puts("no such kernel"); '
                         'return 77; }\n' + DRIVER,
    'nptl/tst-mutex3.c': '/* bug 1234, BZ #987 */\n#define TIMEOUT (2 * ROUNDS + 1)\n'
                         '#define ROUNDS 7\nint do_test(void) { return GIVEN; }\n' + DRIVER,
    'nptl/tst-cond-header.c': '#include <internal-of-glibc.h>\n',
    'nptl/tst-once1.c': 'int do_test(void) { return 0; }\n' + DRIVER,
    'nptl/tst-once2.c': '#include "tst-once-common.c"\n',
    'sysdeps/pthread/tst-once-common.c': LOCKS + 'int do_test(void) '
                                         '{ return pthread_mutex_unlock (&m); }\n' + DRIVER,
    'sysdeps/pthread/tst-barrier1.cc': 'static int do_test() { return 0; }\n'
                                       '// no pthread_mutex_lock here\n' + DRIVER,
    'nptl/tst-cancel7.c': 'int do_test(void) { return "Makefile" == 0; }\n' + DRIVER,
    'nptl/tst-stack4.c': LOCKS + 'int do_test(void) { return pthread_mutex_lock (&m); }\n' + DRIVER,
    'nptl/tst-stack4mod.c': 'int nothing;\n',
    'nptl/tst-create1.c': LOCKS + 'int given(void);\nint do_test(void) '
                          '{ return pthread_mutex_lock (&m) + given(); }\n' + DRIVER,
    'nptl/tst-create1mod.c': 'int given(void) { return 0; }\n',
    'nptl/tst-create2mod.c': 'int given(void) { return 1; }\n',
    'nptl/tst-cond8-static.c': '#error not to be built\n',
    'nptl/tst-cond11-time64.c': '#error not to be built\n',
    'nptl/tst-mutexpp1.c': 'int do_test(void) { return *(volatile int *)0; }\n' + DRIVER,
    'nptl/tst-mutex-of-a-comment.c': '#error not a test\n',
    'nptl/lock.c': '#error not to be unpacked\n',
    'support/../../escaped.c': '#error not to be unpacked\n',
}


def archive(folder, tree, name='glibc-9.87.tar.xz'):
    path = os.path.join(folder, name)
    with tarfile.open(path, 'w:xz') as tar:
        for file, text in tree.items():
            member = tarfile.TarInfo(f'glibc-9.87/{file}')
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return path


def run(program):
    done = subprocess.run(program.argv, env={**os.environ, **program.environment},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=support.LIMIT, check=False)
    ended = done.returncode >= 0
    return program.results(Completed(done.returncode if ended else None,
                                     None if ended else -done.returncode, done.stdout,
                                     done.stderr, 0.0))[program.name]


class Suite(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory(prefix='fastsync-test-')
        cls.addClassCleanup(holder.cleanup)
        cls.cache = os.path.join(holder.name, 'cache')
        cls.archive = archive(holder.name, TREE)
        cls.said = []
        cls.programs = {program.name: program for program in cls.suite()}

    @classmethod
    def suite(cls):
        return glibc.suite(cls.cache, cls.said.append, cls.archive)

    def why_absent(self, name):
        program = self.programs[name]
        self.assertEqual(program.argv, ())
        outcome = program.results(Completed(None, None, '', '', 0.0))[name]
        self.assertEqual(outcome.state, 'absent')
        return outcome.detail

    def test_every_test_that_a_pattern_or_a_call_matches_is_there_and_no_other(self):
        self.assertEqual(list(self.programs), [
            'tst-cancel7', 'tst-cond-header', 'tst-cond11-time64', 'tst-cond8-static',
            'tst-create1', 'tst-mutex1', 'tst-mutex2', 'tst-mutex3', 'tst-mutexpp1', 'tst-once2',
            'tst-stack4'])

    def test_results_are_those_of_the_programs(self):
        self.assertEqual(run(self.programs['tst-mutex1']), Outcome('pass'))
        self.assertEqual(run(self.programs['tst-once2']), Outcome('pass'))
        self.assertEqual(run(self.programs['tst-mutex2']), Outcome('skip', 'no such kernel'))
        self.assertEqual(run(self.programs['tst-mutex3']), Outcome('fail', 'status 3'))
        self.assertEqual(run(self.programs['tst-mutexpp1']), Outcome('crash', 'signal 11'))

    def test_what_cannot_be_run_says_why(self):
        self.assertIn('internal-of-glibc.h: No such file', self.why_absent('tst-cond-header'))
        self.assertIn('static', self.why_absent('tst-cond8-static'))
        self.assertIn('tst-cond11 once more', self.why_absent('tst-cond11-time64'))

    def test_the_makefile_and_the_text_say_how_it_is_run(self):
        program = self.programs['tst-mutex3']
        self.assertEqual(program.environment['NUMBER'], '3')
        self.assertEqual(program.environment['EMPTY'], '')
        self.assertEqual(program.environment['PLACE'], 'tst-mutex3.place')
        self.assertEqual(program.source, 'glibc 9.87 nptl/tst-mutex3.c, bug 987, 1234')
        self.assertEqual(program.timeout, 15 * glibc_run.FACTOR + glibc_run.SPARE)
        again = self.programs['tst-cancel7']
        self.assertEqual(again.argv[1:], ('--command', f'exec {glibc.ITSELF}'))
        self.assertTrue(again.executes_itself)
        self.assertTrue(os.path.exists(os.path.join(again.directory, 'Makefile')))
        self.assertFalse(program.executes_itself)
        self.assertIsNone(program.directory)

    def test_modules_are_built_linked_and_copied(self):
        self.assertEqual(run(self.programs['tst-create1']), Outcome('pass'))
        built = os.path.dirname(self.programs['tst-stack4'].argv[0])
        self.assertTrue(os.path.exists(os.path.join(built, 'tst-stack4mod-19-19.so')))
        self.assertTrue(os.path.exists(os.path.join(built, 'tst-create2mod.so')))

    def test_only_what_tests_are_made_of_is_unpacked(self):
        tree = os.path.dirname(self.programs['tst-cancel7'].directory)
        self.assertTrue(os.path.exists(os.path.join(tree, 'nptl', 'tst-mutex1.c')))
        for name in ('nptl/lock.c', 'nptl/pthread.h', '../escaped.c', '../../escaped.c'):
            self.assertFalse(os.path.exists(os.path.join(tree, name)), name)

    def test_the_second_time_nothing_is_built(self):
        self.assertIn('building the driver of glibc\'s tests', self.said)
        self.said.clear()
        self.assertEqual([program.name for program in self.suite()], list(self.programs))
        self.assertEqual(self.said, [])

    def test_what_is_old_and_not_needed_leaves_the_cache(self):
        old, new, other = (os.path.join(self.cache, name)
                           for name in ('built-old', 'built-new', 'not-ours'))
        for path in (old, new, other):
            os.mkdir(path)
        for path in (old, other, os.path.dirname(self.programs['tst-mutex1'].argv[0])):
            os.utime(path, (0, 0))
        said = []
        glibc.suite(self.cache, said.append, self.archive)
        self.assertFalse(os.path.exists(old))
        self.assertTrue(os.path.exists(new) and os.path.exists(other))
        self.assertEqual(said, [])

    def test_another_archive_is_built_anew(self):
        with tempfile.TemporaryDirectory() as folder:
            other = archive(folder, {**TREE, 'nptl/tst-mutex3.c':
                                     'int do_test(void) { return 4; }\n' + DRIVER})
            programs = {program.name: program
                        for program in glibc.suite(self.cache, lambda text: None, other)}
            self.assertEqual(run(programs['tst-mutex3']), Outcome('fail', 'status 4'))
        self.assertEqual(run(self.programs['tst-mutex3']), Outcome('fail', 'status 3'))


class Reading(unittest.TestCase):
    def makefiles(self, *texts):
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, str(number)) for number in range(len(texts))]
            for path, text in zip(paths, texts):
                with open(path, 'w', encoding='utf-8') as file:
                    file.write(textwrap.dedent(text))
            return Makefiles(paths)

    def test_lists_of_several_makefiles_add_up(self):
        both = self.makefiles('tests := tst-a\n', 'tests = tst-b $(more)\nmore = tst-c other\n')
        self.assertEqual(set(both.tests()), {'tst-a', 'tst-b', 'tst-c'})

    def test_a_flag_of_one_test_is_not_anothers(self):
        found = self.makefiles('CFLAGS-tst-a.c += -Da\nCFLAGS-tst-a.c += -Db $(unknown)\n')
        self.assertEqual(found.value('CFLAGS-tst-a.c'), '-Da -Db')
        self.assertEqual(found.value('CFLAGS-tst-b.c'), '')

    def test_a_limit_is_calculated_from_constants(self):
        for words, seconds in (('', 20), ('#define TIMEOUT 5', 5),
                               ('# define TIMEOUT (DEFAULT_TIMEOUT + 3 * N)\n#define N 4', 32),
                               ('#define TIMEOUT 1000000', 200),
                               ('#define TIMEOUT (unknown (3))', 200)):
            self.assertEqual(glibc_run.own_limit(words), seconds, words)

    def test_an_entry_of_the_list_comes_before_the_test_itself(self):
        def listed(**entry):
            return glibc_run.Test('tst-x', '/tst-x.c', '#define TIMEOUT 7', entry)
        self.assertEqual(listed(timeout=60).limit, 60)
        self.assertEqual(listed().limit, 7 * glibc_run.FACTOR + glibc_run.SPARE)
        self.assertEqual(listed(skip='says why').obstacle, 'says why')
        self.assertIsNone(listed().obstacle)

    def test_the_words_of_the_driver_are_understood(self):
        def outcome(status, text, number=None):
            return glibc_run.outcome(Completed(status, number, text, '', 0.0))
        self.assertEqual(outcome(1, 'a\nTimed out: killed the child process\nb').state, 'hang')
        self.assertEqual(outcome(1, 'Didn\'t expect signal from child: got `Aborted\'').state,
                         'crash')
        self.assertEqual(outcome(1, 'x\nerror: tst.c:7: not equal\ny\n'),
                         Outcome('fail', 'error: tst.c:7: not equal'))
        self.assertEqual(outcome(1, 'check error-checking mutex\nlock succeeded\n'),
                         Outcome('fail', 'lock succeeded'))
        self.assertEqual(outcome(None, 'at work\n'), Outcome('hang', 'at work'))
        self.assertEqual(outcome(None, '', 9), Outcome('crash', 'signal 9'))
        self.assertEqual(outcome(0, 'Timed out: is only a word of the test\n').state, 'pass')

    def test_without_the_source_the_package_is_named(self):
        found, glibc_source.ARCHIVES = glibc_source.ARCHIVES, '/nowhere/glibc-*.tar.xz'
        try:
            with self.assertRaisesRegex(errors.Refused, 'glibc-source'):
                glibc.suite('/nowhere', lambda text: None)
        finally:
            glibc_source.ARCHIVES = found


@unittest.skipIf(glibc_source.newest() is None, glibc_source.MISSING)
class RealArchive(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory(prefix='fastsync-test-')
        cls.addClassCleanup(holder.cleanup)
        tree = os.path.join(holder.name, 'tree')
        glibc_source.unpack(glibc_source.newest(), tree)
        cls.tests = {test.name: test for test in glibc.discover(tree, Makefiles(
            os.path.join(tree, folder, 'Makefile') for folder in glibc_source.FOLDERS))}

    def test_the_list_and_the_differences_name_tests_that_exist(self):
        names = list(glibc.read_list()['test'])
        path = os.path.join(os.path.dirname(glibc.LIST), 'differences.toml')
        names += [entry.behaviour.removeprefix('glibc/')
                  for entry in table.read_differences(path)]
        self.assertIn('tst-rwlock19', names)
        for name in names:
            self.assertTrue(fnmatch.filter(self.tests, name), name)

    def test_of_every_kind_of_lock_there_are_tests_to_run(self):
        runnable = [name for name, test in self.tests.items() if not test.obstacle]
        self.assertGreaterEqual(len(runnable), 147)
        for kind in ('mutex', 'mutexpi', 'mutexpp', 'cond', 'rwlock', 'robust', 'robustpi', 'cnd-',
                     'mtx-', 'cancel', 'pthread-timedlock'):
            self.assertTrue(fnmatch.filter(runnable, f'tst-{kind}*'), kind)


if __name__ == '__main__':
    support.main()
