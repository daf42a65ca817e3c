#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The benchmark for Windows works: it gives every row of its tables, and a contestant that is not what
it should be ends it.

usage: test_bench.py BUILD
"""
import contextlib
import io
import sys
import unittest
import unittest.mock

import bench
import wine_contestant

BUILD = ''
SHORT = ('--rounds', '1', '--milliseconds', '2')


def run(*options):
    """Its status, output and complaint."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), \
            unittest.mock.patch.object(sys, 'argv', ['bench.py', *SHORT, *options, BUILD]):
        status = bench.main()
    return status, out.getvalue(), err.getvalue()


class Bench(unittest.TestCase):
    def assert_table(self, words, *options):
        status, shown, said = run(*options)
        self.assertEqual((status, said), (0, ''), shown)
        rows = [line.split('|') for line in shown.splitlines() if line.startswith('|')][2:]
        self.assertEqual([row[1].strip() for row in rows], list(words.values()))
        for row in rows:
            self.assertGreater(float(row[4]), 0)

    def test_every_cell_of_winpthreads_has_a_row(self):
        self.assert_table(bench.PTHREAD)

    def test_every_cell_of_win32_has_a_row(self):
        self.assert_table(bench.WIN32, '--group', 'win32')

    def test_an_arm_without_the_library_is_told(self):
        with unittest.mock.patch.object(wine_contestant, 'LIBRARY', ('other.dll',)):
            status, shown, said = run()
        self.assertEqual((status, shown), (2, ''))
        self.assertIn('arm B is not what it should be: pthread_mutex_lock', said)

    def test_an_arm_that_has_the_library_is_told(self):
        with unittest.mock.patch.dict(wine_contestant.OWN, pthread=('other.dll',)):
            status, _, said = run('--control')
        self.assertEqual(status, 2)
        self.assertIn('arm A is not what it should be: pthread_mutex_lock', said)


if __name__ == '__main__':
    BUILD = sys.argv[1]
    unittest.main(argv=[sys.argv[0], '-v'])
