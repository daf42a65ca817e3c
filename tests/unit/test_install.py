#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The installed tree: what lies where, and that a program and the command work from it.

    test_install.py MESON BUILD_FOLDER PREFIX VERSION

It installs below a folder of its own and moves the prefix there for pkg-config.
"""
import os
import stat
import subprocess
import sys
import tempfile
import unittest

LIMIT = 60
HEADERS = ('condition.h', 'futex.h', 'mutex.h', 'rwlock.h', 'timespec.h', 'version.h')
PROGRAM = r'''
#include <fastsync/condition.h>
#include <fastsync/futex.h>
#include <fastsync/mutex.h>
#include <fastsync/rwlock.h>
#include <fastsync/version.h>
#include <stdio.h>

static fastsync_mutex_t mutex = FASTSYNC_MUTEX_INIT;
static fastsync_rwlock_t rwlock = FASTSYNC_RWLOCK_INIT;
static fastsync_cond_t cond = FASTSYNC_COND_INIT;

int main(void)
{
    struct timespec past = {0, 0};

    fastsync_mutex_lock(&mutex);
    printf("%d ", fastsync_mutex_trylock(&mutex) != 0);
    printf("%d ", fastsync_cond_timedwait(&cond, &mutex, CLOCK_MONOTONIC, &past) != 0);
    fastsync_mutex_unlock(&mutex);
    fastsync_rwlock_wrlock(&rwlock);
    fastsync_rwlock_unlock(&rwlock);
    printf("%s %s\n", FASTSYNC_VERSION, fastsync_version());
    return 0;
}
'''


def clean_environment(**settings):
    environment = {name: value for name, value in os.environ.items()
                   if name != 'LD_PRELOAD' and not name.startswith(('FASTSYNC', 'PKG_CONFIG'))}
    environment.update(settings)
    return environment


def run(*command, **settings):
    return subprocess.run(command, env=clean_environment(**settings), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=LIMIT, check=False)


class InstalledTree(unittest.TestCase):
    meson = build = prefix = version = None

    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory(prefix='fastsync-install-')
        cls.addClassCleanup(holder.cleanup)
        cls.folder = holder.name
        cls.root = holder.name + cls.prefix
        result = run(cls.meson, 'install', '-C', cls.build, '--no-rebuild', '--destdir',
                     cls.folder)
        if result.returncode != 0:
            raise AssertionError(result.stdout + result.stderr)
        cls.files = {}
        for folder, _, names in os.walk(cls.folder):
            for name in names:
                cls.files.setdefault(name, []).append(os.path.join(folder, name))

    def the(self, name):
        """The path of the one installed file of this name."""
        self.assertEqual(len(self.files.get(name, ())), 1, f'{name}: {self.files.get(name)}')
        return self.files[name][0]

    def pkg_config(self, *arguments):
        result = run('pkg-config', *arguments, 'fastsync',
                     PKG_CONFIG_PATH=os.path.dirname(self.the('fastsync.pc')))
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        return result.stdout.strip()

    def moved(self):
        return f'--define-variable=prefix={self.root}'

    def test_everything_lies_below_the_prefix(self):
        for paths in self.files.values():
            for path in paths:
                self.assertTrue(path.startswith(self.root + '/'), path)

    def test_nothing_but_the_product_is_installed(self):
        kinds = ('/bin/', '/lib', '/include/fastsync/', '/share/man/', '/share/fastsync/')
        for paths in self.files.values():
            for path in paths:
                self.assertTrue(path[len(self.root):].startswith(kinds), path)

    def test_the_public_headers_are_there_and_no_others(self):
        folder = os.path.join(self.root, 'include', 'fastsync')
        self.assertEqual(sorted(os.listdir(folder)), sorted(HEADERS))

    def test_the_manual_pages_are_there(self):
        self.assertIn('/man1/', self.the('fastsync.1'))
        self.assertIn('/man7/', self.the('libfastsync.7'))

    def test_the_library_needs_nothing_but_the_c_library(self):
        text = run('readelf', '-d', self.the('libfastsync.so')).stdout
        needed = [line.split('[')[1].rstrip(']') for line in text.splitlines() if 'NEEDED' in line]
        self.assertLessEqual(set(needed), {'libc.so.6', 'libdl.so.2', 'ld-linux-x86-64.so.2'})
        self.assertNotIn('RUNPATH', text)

    def test_pkg_config_knows_the_version(self):
        self.assertEqual(self.pkg_config('--modversion'), self.version)

    def test_pkg_config_tells_what_to_preload(self):
        installed = self.the('libfastsync.so')
        self.assertEqual(self.pkg_config('--variable=preload'), installed[len(self.folder):])
        self.assertEqual(self.pkg_config(self.moved(), '--variable=preload'), installed)

    def build_program(self, language, compiler):
        source = os.path.join(self.folder, 'program.' + language)
        output = os.path.join(self.folder, 'program-' + language)
        with open(source, 'w', encoding='utf-8') as file:
            file.write(PROGRAM)
        flags = self.pkg_config(self.moved(), '--cflags', '--libs').split()
        result = run(compiler, '-Wall', '-Wextra', '-Wpedantic', '-Werror', source, '-o', output,
                     *flags)
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        return output

    def check_program(self, language, compiler):
        output = self.build_program(language, compiler)
        folder = os.path.dirname(self.the('libfastsync.so'))
        expected = f'1 1 {self.version} {self.version}\n'
        for switch in ('1', '0'):
            result = run(output, LD_LIBRARY_PATH=folder, FASTSYNC=switch)
            self.assertEqual((result.returncode, result.stdout), (0, expected), result.stderr)

    def test_a_c_program_builds_by_pkg_config_and_runs(self):
        self.check_program('c', 'cc')

    def test_a_cxx_program_builds_by_pkg_config_and_runs(self):
        self.check_program('cpp', 'c++')

    def test_the_command_can_be_executed(self):
        mode = os.stat(os.path.join(self.root, 'bin', 'fastsync')).st_mode
        self.assertEqual(stat.S_IMODE(mode) & 0o555, 0o555)

    def command(self, *arguments):
        return run(os.path.join(self.root, 'bin', 'fastsync'), *arguments)

    def test_the_installed_command_runs_a_program(self):
        result = self.command('run', '--', '/bin/true')
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, '', ''))

    def test_the_installed_command_preloads_the_installed_library(self):
        result = self.command('run', '--', 'printenv', 'LD_PRELOAD')
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        self.assertEqual(os.path.realpath(result.stdout.strip()),
                         os.path.realpath(self.the('libfastsync.so')))

    def test_the_installed_doctor_finds_the_library(self):
        result = self.command('doctor')
        self.assertEqual((result.returncode, result.stderr), (0, ''), result.stdout)
        self.assertIn(f'fastsync {self.version}', result.stdout)
        self.assertIn('libfastsync.so', result.stdout)
        self.assertNotIn('not found', result.stdout)


if __name__ == '__main__':
    (InstalledTree.meson, InstalledTree.build, InstalledTree.prefix,
     InstalledTree.version) = sys.argv[1:5]
    unittest.main(argv=sys.argv[:1], verbosity=2)
