#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The list of what targets cannot do: that it names what exists, and how a long run judges it."""
import os
import re
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, 'tests', 'targets'), os.path.join(ROOT, 'scripts')]
sys.dont_write_bytecode = True

import limits  # noqa: E402
import sum_results  # noqa: E402
import targets  # noqa: E402

OUTPUT = '''50%: Checks: 4, Failures: 1, Errors: 1
../x.c:1:F:a case:locks:8: not so
../x.c:2:E:a case:sleeps:0: (after this point) Test timeout expired
'''


def limit(**settings):
    entry = {'targets': ['emulated'], 'program': 'conform_x', 'reason': 'because', **settings}
    return limits.Limit(entry, {'because': 'this is why'})


class Judged(unittest.TestCase):
    """A run in which round 8 of `locks` and `sleeps` have failed."""

    def judge(self, *listed):
        target = targets.read()['aarch64']
        seen = limits.Seen(target)
        seen.limits = list(listed)
        test = {'name': 'x (libc)', 'command': ['qemu', '/build/conform_x'], 'stdout': OUTPUT,
                'result': 'FAIL', 'returncode': 1}
        total = seen.forgive(test, sum_results.sum_test(test, 'aarch64'))
        return (total.passed, total.failed, total.skipped), list(seen.stale())

    def test_without_a_limit_both_are_failures(self):
        self.assertEqual(self.judge(), ((2, 2, 0), []))

    def test_listed_failures_are_skips(self):
        listed = limit(checks=['locks:8', 'sleeps'])
        self.assertEqual(self.judge(listed), ((2, 0, 2), []))

    def test_another_round_is_not_covered(self):
        figures, stale = self.judge(limit(checks=['locks:0-7,9', 'sleeps']))
        self.assertEqual(figures, (2, 1, 1))
        self.assertEqual(len(stale), 1)

    def test_a_listed_round_that_passes_is_an_error(self):
        _, stale = self.judge(limit(checks=['locks:8-9', 'sleeps']))
        self.assertEqual(len(stale), 1)
        self.assertRegex(stale[0], 'locks:8-9 .* passes: 9$')

    def test_a_listed_round_may_pass_sometimes(self):
        _, stale = self.judge(limit(checks=['locks:8-9', 'sleeps'], sometimes=True))
        self.assertEqual(stale, [])

    def test_a_limit_of_the_other_arm_covers_nothing(self):
        figures, _ = self.judge(limit(checks=['locks:8', 'sleeps'], arm='fastsync'))
        self.assertEqual(figures, (2, 2, 0))


class List(unittest.TestCase):
    def test_every_entry_names_checks_that_exist(self):
        sources = {}
        for suite in targets.SUITES + targets.MORE_SUITES:
            folder = os.path.join(ROOT, 'tests', suite)
            for name in os.listdir(folder):
                with open(os.path.join(folder, name), encoding='utf-8') as file:
                    sources[suite] = sources.get(suite, '') + file.read()
        for entry in limits.read():
            suite = entry.program.partition('_')[0]
            text = sources.get(suite, sources['stress'])
            for check in entry.checks:
                with self.subTest(program=entry.program, check=check):
                    name = check.partition(':')[0]
                    self.assertTrue(name == limits.ALL or
                                    re.search(rf'\b{name}\b', text))

    def test_every_entry_names_targets_that_exist(self):
        known = {*targets.read(), 'emulated'}
        for entry in limits.read():
            self.assertLessEqual(set(entry.targets), known)

    def test_more_suites_are_for_targets_that_name_them(self):
        known = targets.read()
        self.assertTrue(known['musl'].has('programs', 'musl_programs'))
        self.assertTrue(known['musl'].has('stress', 'mutex (fastsync)'))
        self.assertFalse(known['musl'].has('stress', 'mutex (libc)'))
        self.assertEqual(known['i386'].suites, targets.SUITES)
        self.assertTrue(known['windows-x86_64'].has('programs', 'windows_programs'))

    def test_every_target_has_a_cross_file(self):
        for target in targets.read().values():
            self.assertTrue(target.cross_file.is_file(), target.cross_file)


if __name__ == '__main__':
    unittest.main(verbosity=2)
