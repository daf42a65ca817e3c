# SPDX-License-Identifier: MIT
"""What the tests of the command share: starting it, small programs to use it on, and a stand-in
for the library, which only prints the line by which `fastsync ab` knows that it was loaded.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
SCRIPTS = os.path.join(ROOT, 'scripts')
COMMAND = os.path.join(SCRIPTS, 'fastsync')
REAL_LIBRARY = os.environ.get('FASTSYNC_LIBRARY')
LIMIT = 60

sys.dont_write_bytecode = True
sys.path.insert(0, SCRIPTS)

STAND_IN = r'''
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
__attribute__((constructor)) static void say(void)
{
    const char *verbose = getenv("FASTSYNC_VERBOSE");
    if (verbose != NULL && strcmp(verbose, "1") == 0)
        fprintf(stderr, "fastsync 0.0.0 stand-in\n");
}
'''
SAY_HELLO = r'''
#include <stdio.h>
int main(void) { puts("hello"); return 0; }
'''


class CommandTest(unittest.TestCase):
    """A folder per class, with the stand-in library in it."""

    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory(prefix='fastsync-test-')
        cls.addClassCleanup(holder.cleanup)
        cls.folder = holder.name
        cls.stand_in = os.path.join(cls.folder, 'libfastsync.so')
        compile_c(STAND_IN, cls.stand_in, '-shared', '-fPIC')

    def path(self, name):
        return os.path.join(self.folder, name)

    def script(self, name, text):
        path = self.path(name)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        os.chmod(path, 0o755)
        return path

    def shell(self, name, body):
        return self.script(name, '#!/bin/sh\n' + body)

    def fastsync(self, *arguments, library=None, **settings):
        environment = {name: value for name, value in os.environ.items()
                       if name != 'LD_PRELOAD' and not name.startswith('FASTSYNC')}
        environment['FASTSYNC_LIBRARY'] = library or self.stand_in
        environment.update(settings)
        return subprocess.run([sys.executable, COMMAND, *arguments], env=environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=LIMIT, check=False)

    def assert_one_line(self, result, status, *words):
        """It ended with one line of its own that has these words, and printed nothing else."""
        self.assertEqual(result.stdout, '')
        lines = result.stderr.splitlines()
        self.assertEqual(len(lines), 1, result.stderr)
        self.assertTrue(lines[0].startswith('fastsync: '), lines[0])
        for word in words:
            self.assertIn(word, lines[0])
        self.assertEqual(result.returncode, status, lines[0])

    def assert_success(self, result):
        self.assertEqual((result.returncode, result.stderr), (0, ''), result.stdout)


def compile_c(source, output, *flags, compiler='gcc'):
    subprocess.run([compiler, '-x', 'c', '-', '-o', output, *flags], input=source, text=True,
                   check=True, timeout=LIMIT)
    return output


def require(test, program, package):
    """A tool that the packages of the project bring; only elsewhere may it be missing."""
    if shutil.which(program) is None and not os.path.exists(f'/usr/sbin/{program}'):
        test.skipTest(f'no {program} here (package {package})')


def main():
    unittest.main(verbosity=2)
