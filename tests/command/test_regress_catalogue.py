# SPDX-License-Identifier: MIT
"""The catalogue of `fastsync regress`: what makes a difference a documented one, which suites a
pattern needs, and that no program is without a source and no entry without a behaviour.
"""
import glob
import os
import re
import tempfile
import unittest
from types import SimpleNamespace
from unittest import mock

import support
from fastsync_lib import prove, regress
from fastsync_lib.errors import Refused
from fastsync_lib.regress import conform, demonstrations, table
from fastsync_lib.regress.program import Completed, Difference, Outcome, Program

CONFORM = os.path.join(support.ROOT, 'tests', 'conform')
PACKAGE = os.path.dirname(regress.__file__)


class Documented(unittest.TestCase):
    """What makes a difference a documented one."""

    def side(self, kind, *version):
        return SimpleNamespace(kind=kind, version=version)

    def verdict(self, expect, first, second, states=('fail', 'pass'), name='conform/a/*'):
        program = Program('conform', 'a', (), 1, 'POSIX', lambda _: {})
        found = [{'b': Outcome(state)} for state in states]
        entry = Difference(name, expect, 'because', 'README.md')
        row, = table.compare(program, found, [first, second], [entry])
        self.stale = table.stale([entry], [row], [first, second])
        return row.verdict

    def test_the_states_of_both_sides_must_be_as_expected(self):
        libc, ours = self.side('libc', 2, 36), self.side('fastsync', 2, 36)
        expect = {'glibc': ('fail', 'hang'), 'fastsync': ('pass',)}
        self.assertEqual(self.verdict(expect, libc, ours), 'documented')
        self.assertEqual(self.verdict(expect, libc, ours, ('hang', 'pass')), 'documented')
        self.assertEqual(self.verdict(expect, libc, ours, ('pass', 'fail')), 'DIFFERS')
        self.assertEqual(self.verdict(expect, libc, ours, ('crash', 'pass')), 'DIFFERS')
        self.assertEqual(self.verdict(expect, libc, ours, name='conform/c/*'), 'DIFFERS')

    def test_versions_have_ranges(self):
        expect = {'glibc 2.25-2.40': ('fail',), 'glibc 2.41-': ('pass',), 'fastsync': ('pass',)}
        for version, said in ((36, 'documented'), (24, 'DIFFERS'), (41, 'DIFFERS')):
            with self.subTest(version):
                self.assertEqual(self.verdict(expect, self.side('libc', 2, version),
                                              self.side('fastsync', 2, 36)), said)
        self.assertEqual(self.verdict(expect, self.side('loader', 2, 40),
                                      self.side('loader', 2, 41)), 'documented')

    def test_what_is_the_same_needs_no_entry_and_an_unused_one_is_reported(self):
        libc, ours = self.side('libc', 2, 36), self.side('fastsync', 2, 36)
        expect = {'glibc': ('fail',), 'fastsync': ('pass',)}
        self.assertEqual(self.verdict(expect, libc, ours, ('fail', 'fail')), 'same')
        self.assertEqual(len(self.stale), 1)
        self.assertEqual(self.verdict(expect, libc, ours), 'documented')
        self.assertEqual(self.stale, [])
        self.verdict({'glibc 2.41-': ('fail',), 'fastsync': ('pass',)}, libc, ours,
                     ('pass', 'pass'))
        self.assertEqual(self.stale, [])

    def test_an_entry_that_says_nonsense_is_an_error(self):
        path = os.path.join(self.enterContext(
            tempfile.TemporaryDirectory(prefix='fastsync-test-')), 'x.toml')
        for text in ("behaviour = 'x'", "behaviour = 'x'\nreason = ''\ndocumented = ''\n"
                     "expect = {musl = 'pass'}", "behaviour = 'x'\nreason = ''\n"
                     "documented = ''\nexpect = {glibc = 'wrong'}"):
            with open(path, 'w', encoding='utf-8') as file:
                file.write('[[difference]]\n' + text)
            with self.assertRaises(ValueError):
                table.read_differences(path)


class Choice(unittest.TestCase):
    """Which suites are needed for some patterns."""

    def test_patterns_need_only_the_suites_that_they_may_mean(self):
        every = list(regress.SUITES)
        quick = ['conform', 'demonstrations']
        for patterns, suites in (
                ([], every), (['*'], every), (['t*'], every), (['[a-z]*mutex*'], every),
                (['conform'], ['conform']), (['conform/mutex*'], ['conform']),
                (['cond_basic'], quick), (['cond_basic/*', 'tst-cond1'], every),
                (['glibc'], ['glibc']), (['glibc/tst-*'], ['glibc'])):
            with self.subTest(patterns):
                self.assertEqual(regress.suites_of(patterns), suites)

    @mock.patch('fastsync_lib.regress.glibc_source.newest', lambda: None)
    def test_without_the_package_of_the_source_the_suite_is_absent_or_refused(self):
        notes = []
        self.assertEqual(regress.catalogue(regress.Options(only=['glibc/*']), notes, print), [])
        self.assertEqual(notes, ['the suite glibc is absent: no source of glibc here: '
                                 'sudo apt-get install glibc-source'])
        with self.assertRaisesRegex(Refused, 'no behaviour .*sudo apt-get install glibc-source'):
            regress.select([], ['glibc/*'], notes)
        with self.assertRaisesRegex(Refused, 'sudo apt-get install glibc-source'):
            regress.catalogue(regress.Options(suites=['glibc']), notes, print)


class Demonstrations(unittest.TestCase):
    """What a run of a demonstration means."""

    def outcome(self, status, stdout, number=None):
        return demonstrations.outcome(Completed(status, number, stdout, '', 7.0))

    def test_every_demonstration_of_doctor_is_a_behaviour(self):
        self.assertEqual(set(demonstrations.SOURCES),
                         {one.program for one in prove.DEMONSTRATIONS.values()})

    def test_a_bug_that_shows_is_a_fail_with_its_figures(self):
        shown = self.outcome(1, 'implementation=libc\nresult=lost\ntokens=1\n')
        self.assertEqual(shown, Outcome('fail', 'result lost, tokens 1'))

    def test_only_a_result_is_a_pass(self):
        self.assertEqual(self.outcome(0, 'result=none\n'), Outcome('pass'))
        self.assertEqual(self.outcome(0, '').state, 'fail')
        self.assertEqual(self.outcome(77, 'reason=no right\n'), Outcome('skip', 'no right'))
        self.assertEqual(self.outcome(None, '', 11).state, 'crash')
        self.assertEqual(self.outcome(None, '').state, 'hang')


class Catalogue(unittest.TestCase):
    """The catalogue has no gaps: each program has a source, each entry a program."""

    def named_in_sources(self):
        """program -> names of its tests, from the sources"""
        found = {}
        for path in glob.glob(CONFORM + '/*.c') + glob.glob(CONFORM + '/*.cpp'):
            with open(path, encoding='utf-8') as file:
                names = re.findall(r'^START_TEST\((\w+)\)', file.read(), re.MULTILINE)
            if names:
                found[os.path.splitext(os.path.basename(path))[0]] = names
        return found

    def test_every_program_says_where_its_behaviour_is_specified(self):
        programs, sources = self.named_in_sources(), conform.sources()
        self.assertEqual(set(programs), set(sources))
        for name, entry in sources.items():
            self.assertLessEqual(set(entry), {'source', 'exclusive', 'tests'}, name)
            self.assertLessEqual(set(entry.get('tests', {})), set(programs[name]), name)

    def test_every_documented_difference_belongs_to_a_behaviour(self):
        names = [f'conform/{program}/{test}' for program, tests in self.named_in_sources().items()
                 for test in tests]
        names += [f'demonstrations/{name}' for name in demonstrations.SOURCES]
        entries = table.read_differences(os.path.join(PACKAGE, 'differences.toml'))
        self.assertGreater(len(entries), 0)
        for entry in entries:
            self.assertTrue(any(table.fnmatchcase(name, entry.behaviour) for name in names),
                            entry.behaviour)

    def test_every_documented_difference_stands_where_it_says(self):
        for entry in regress.differences(regress.SUITES):
            file, _, words = entry.documented.partition(': ')
            with open(os.path.join(support.ROOT, file), encoding='utf-8') as text:
                self.assertIn(words, ' '.join(text.read().split()), entry.behaviour)


if __name__ == '__main__':
    support.main()
