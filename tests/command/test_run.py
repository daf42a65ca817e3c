# SPDX-License-Identifier: MIT
"""`fastsync run`: what it starts, and every kind of program it must refuse."""
import os
import shutil
import struct
import subprocess
import sys
import unittest

import support


class Running(support.CommandTest):
    def test_the_program_gets_the_library_first_and_keeps_its_own_preloads(self):
        show = self.shell('show', 'echo "$LD_PRELOAD"')
        other = support.compile_c('int other;', self.path('other.so'), '-shared', '-fPIC')
        result = self.fastsync('run', show, LD_PRELOAD=other)
        self.assert_success(result)
        self.assertEqual(result.stdout, f'{self.stand_in}:{other}\n')

    def test_the_library_is_not_named_twice(self):
        show = self.shell('show', 'echo "$LD_PRELOAD"')
        result = self.fastsync('run', show, LD_PRELOAD=self.stand_in)
        self.assertEqual(result.stdout, self.stand_in + '\n')

    def test_the_exit_status_is_that_of_the_program(self):
        result = self.fastsync('run', '--', self.shell('seven', 'exit 7'))
        self.assertEqual((result.returncode, result.stdout, result.stderr), (7, '', ''))

    def test_a_variable_is_set_for_the_program(self):
        result = self.fastsync('run', '-e', 'FASTSYNC_VERBOSE=1', '--', 'echo', 'said')
        self.assertEqual(result.stdout, 'said\n')
        self.assertRegex(result.stderr, r'^fastsync ')

    def test_options_after_the_program_belong_to_it(self):
        result = self.fastsync('run', 'echo', '--lib', '-e')
        self.assertEqual(result.stdout, '--lib -e\n')

    def test_a_script_by_way_of_env_is_run(self):
        script = self.script('by-env', '#!/usr/bin/env sh\necho "$1"\n')
        result = self.fastsync('run', script, 'argument')
        self.assert_success(result)
        self.assertEqual(result.stdout, 'argument\n')

    def test_lib_wins_over_the_environment(self):
        copy = shutil.copy(self.stand_in, self.path('libfastsync.so.copy'))
        result = self.fastsync('run', '--lib', copy, '--', 'printenv', 'LD_PRELOAD',
                               library='/nowhere')
        self.assertEqual(result.stdout, copy + '\n')

    def test_an_installed_command_finds_its_modules_and_its_library(self):
        for folder in ('bin', 'lib/multiarch', 'share/fastsync'):
            os.makedirs(self.path(folder))
        shutil.copytree(os.path.join(support.SCRIPTS, 'fastsync_lib'),
                        self.path('share/fastsync/fastsync_lib'))
        installed = shutil.copy(self.stand_in, self.path('lib/multiarch/libfastsync.so'))
        with open(support.COMMAND, encoding='utf-8') as file:
            text = file.read()
        for name, value in [('MODULES', '../share/fastsync'), ('VERSION', '7.8.9'),
                            ('LIBRARY', '../lib/multiarch/libfastsync.so')]:
            text = text.replace(f'@{name}@', value)
        command = self.script('bin/fastsync', text)
        environment = {'PATH': os.environ['PATH']}
        for arguments, output in [(['run', 'printenv', 'LD_PRELOAD'], installed),
                                  (['--version'], 'fastsync 7.8.9')]:
            done = subprocess.run([sys.executable, command, *arguments], env=environment,
                                  capture_output=True, text=True, check=False)
            self.assertEqual((done.stdout, done.stderr), (output + '\n', ''))

    @unittest.skipUnless(support.REAL_LIBRARY, 'FASTSYNC_LIBRARY is not set')
    def test_the_real_library_is_in_the_program(self):
        result = self.fastsync('run', '-e', 'FASTSYNC_VERBOSE=1', 'echo', 'said',
                               library=support.REAL_LIBRARY)
        self.assertEqual(result.stdout, 'said\n')
        self.assertRegex(result.stderr, r'^fastsync\b[^\n]*\n$')

    @unittest.skipUnless(support.REAL_LIBRARY, 'FASTSYNC_LIBRARY is not set')
    def test_the_real_library_prints_nothing_by_itself(self):
        self.assert_success(self.fastsync('run', 'echo', library=support.REAL_LIBRARY))


class Refusing(support.CommandTest):
    def assert_refused(self, program, *words):
        self.assert_one_line(self.fastsync('run', '--', program), 2, *words)

    def program(self, name, *flags, **options):
        return support.compile_c(support.SAY_HELLO, self.path(name), *flags, **options)

    def test_a_static_binary(self):
        self.assert_refused(self.program('static', '-static'), 'statically linked', 'rebuild')

    def test_a_static_position_independent_binary(self):
        self.assert_refused(self.program('static-pie', '-static-pie'), 'statically linked')

    def test_a_setuid_binary(self):
        path = self.program('setuid')
        os.chmod(path, 0o4755)
        self.assert_refused(path, 'setuid', 'copy')

    def test_a_setgid_binary(self):
        path = self.program('setgid')
        os.chmod(path, 0o2755)
        self.assert_refused(path, 'setgid', 'copy')

    def test_a_binary_with_file_capabilities(self):
        if os.geteuid() != 0:
            self.skipTest('only root may give a file capabilities')
        support.require(self, 'setcap', 'libcap2-bin')
        path = self.program('capable')
        environment = dict(os.environ, PATH=os.environ['PATH'] + ':/usr/sbin:/sbin')
        done = subprocess.run(['setcap', 'cap_net_raw+ep', path], env=environment,
                              capture_output=True, text=True, check=False)
        if done.returncode:
            self.skipTest(f'setcap: {done.stderr.strip()}')
        self.assert_refused(path, 'file capabilities', 'copy')

    def test_a_binary_linked_with_musl(self):
        support.require(self, 'musl-gcc', 'musl-tools')
        self.assert_refused(self.program('musl', compiler='musl-gcc'), 'musl', 'glibc')

    def test_a_binary_linked_with_musl_gets_the_library_for_musl(self):
        support.require(self, 'musl-gcc', 'musl-tools')
        folder = self.path('both')
        os.makedirs(folder)
        glibcs = shutil.copy(self.stand_in, os.path.join(folder, 'libfastsync.so'))
        musls = os.path.join(folder, 'libfastsync-musl.so')
        support.compile_c('int nothing;', musls, '-shared', '-fPIC', '-nostdlib')
        show = self.path('show')
        support.compile_c('#include <stdio.h>\n#include <stdlib.h>\n'
                          'int main(void) { puts(getenv("LD_PRELOAD")); return 0; }', show,
                          compiler='musl-gcc')
        for named in (glibcs, musls):
            result = self.fastsync('run', '--lib', named, '--', show)
            self.assertEqual(result.stdout, musls + '\n', result.stderr)
            result = self.fastsync('run', '--lib', named, '--', 'printenv', 'LD_PRELOAD')
            self.assertEqual(result.stdout, glibcs + '\n', result.stderr)
        os.remove(glibcs)
        result = self.fastsync('run', '--lib', musls, '--', 'printenv', 'LD_PRELOAD')
        self.assert_one_line(result, 2, 'glibc', 'for musl', '--lib')

    def elf_header(self, name, bits, machine):
        ident = b'\x7fELF' + bytes([bits // 32, 1, 1]) + bytes(9)
        layout = '<HHIQQQIHHHHHH' if bits == 64 else '<HHIIIIIHHHHHH'
        header = ident + struct.pack(layout, 2, machine, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        path = self.path(name)
        with open(path, 'wb') as file:
            file.write(header)
        os.chmod(path, 0o755)
        return path

    def test_a_binary_for_i386(self):
        self.assert_refused(self.elf_header('i386', 32, 3), 'i386', 'build')

    def test_a_binary_for_aarch64(self):
        self.assert_refused(self.elf_header('aarch64', 64, 183), 'aarch64', 'build')

    def test_a_binary_for_x32(self):
        self.assert_refused(self.elf_header('x32', 32, 62), 'x32', 'build')

    def test_a_damaged_binary(self):
        path = self.elf_header('damaged', 64, 62)
        os.truncate(path, 30)
        self.assert_refused(path, 'cut short')

    def test_a_binary_whose_loader_is_missing(self):
        path = self.program('no-loader', '-Wl,--dynamic-linker=/nowhere/ld-linux-x86-64.so.2')
        self.assert_refused(path, '/nowhere/ld-linux-x86-64.so.2', 'does not exist')

    def test_a_script_whose_interpreter_is_static(self):
        static = self.program('interpreter', '-static')
        script = self.script('by-static', f'#!{static} -x\n')
        self.assert_refused(script, script, static, 'statically linked')

    def test_a_script_run_by_a_script_whose_interpreter_is_static(self):
        static = self.program('interpreter2', '-static')
        inner = self.script('inner', f'#!{static}\n')
        self.assert_refused(self.script('outer', f'#!{inner}\n'), 'outer', 'statically linked')

    def test_a_script_whose_interpreter_named_to_env_is_static(self):
        static = self.program('interpreter3', '-static')
        for form in (static, f'-S {static} -x', f'-S A=1 {static}'):
            script = self.script('by-env', f'#!/usr/bin/env {form}\n')
            self.assert_refused(script, static, 'statically linked')

    def test_a_script_whose_interpreter_is_missing(self):
        self.assert_refused(self.script('lost', '#!/nowhere/sh\n'), '/nowhere/sh', 'no such file')

    def test_a_script_whose_interpreter_named_to_env_is_missing(self):
        self.assert_refused(self.script('lost2', '#!/usr/bin/env no-such-shell\n'),
                            'no-such-shell', 'not found on PATH')

    def test_a_script_that_is_its_own_interpreter(self):
        path = self.path('loop')
        self.assert_refused(self.script('loop', f'#!{path}\n'), 'scripts')

    def test_a_text_without_an_interpreter(self):
        self.assert_refused(self.script('text', 'echo hello\n'), 'no #! line')

    def test_an_empty_file(self):
        self.assert_refused(self.script('empty', ''), 'empty')

    def test_a_missing_program(self):
        self.assert_refused('no-such-program', "'no-such-program'", 'not found on PATH')

    def test_a_missing_path(self):
        self.assert_refused('/nowhere/program', '/nowhere/program', 'no such file')

    def test_an_empty_name(self):
        self.assert_refused('', 'not found')

    def test_a_directory(self):
        self.assert_refused(self.folder, 'is a directory')

    def test_a_file_that_is_not_executable(self):
        path = self.program('plain')
        os.chmod(path, 0o644)
        self.assert_refused(path, 'not executable', 'chmod +x')

    def test_an_object_file(self):
        path = self.program('object.o', '-c')
        os.chmod(path, 0o755)
        self.assert_refused(path, 'relocatable object')


class Asking(support.CommandTest):
    """What concerns the command line itself."""

    def assert_refused(self, arguments, *words, **options):
        self.assert_one_line(self.fastsync(*arguments, **options), 2, *words)

    def test_wrong_options_give_one_line(self):
        for arguments, words in [
                ([], '--help'), (['walk'], 'walk'), (['--walk'], '--walk'),
                (['run'], 'no program'), (['run', '--'], 'no program'),
                (['run', '--walk', 'echo'], '--walk'), (['run', '-e'], '-e'),
                (['run', '-e', 'NAME', 'echo'], 'NAME=VALUE'),
                (['ab'], 'no program'), (['ab', '-n', '0', 'echo'], '-n'),
                (['ab', '-n', 'ten', 'echo'], 'ten'), (['ab', '--warmup', '0', 'echo'], '--warmup'),
                (['ab', '--timeout', 'nan', 'echo'], '--timeout'),
                (['ab', '--metric', '(', 'echo'], 'regular expression'),
                (['ab', '--metric', 'x', 'echo'], 'one group'),
                (['ab', '--metric-lower', 'echo'], '--metric'),
                (['ab', '--server', 'cat', 'echo'], '--ready'),
                (['ab', '--ready', 'true', 'echo'], '--server'),
                (['ab', '--server', "'", '--ready', 'true', 'echo'], '--server'),
                (['ab', '--json', '/nowhere/file', 'echo'], '/nowhere/file'),
                (['doctor', '--walk'], '--walk'), (['doctor', 'a', 'b'], 'one program')]:
            with self.subTest(arguments=arguments):
                self.assert_refused(arguments, words)

    def test_a_missing_library(self):
        self.assert_refused(['run', 'echo'], '/nowhere/lib.so', library='/nowhere/lib.so')

    def test_a_library_that_is_none(self):
        self.assert_refused(['run', 'echo'], 'not a shared library', library=support.COMMAND)

    def test_a_library_in_a_folder_with_a_space(self):
        os.mkdir(self.path('a folder'))
        copy = shutil.copy(self.stand_in, self.path('a folder'))
        self.assert_refused(['run', 'echo'], 'space', library=copy)

    def test_help_and_version_succeed(self):
        for arguments in (['--help'], ['run', '--help'], ['ab', '-h'], ['doctor', '--help']):
            result = self.fastsync(*arguments)
            self.assert_success(result)
            self.assertTrue(result.stdout.startswith('usage: fastsync'))
        self.assertRegex(self.fastsync('--version').stdout, r'^fastsync \d+\.\d+\.\d+\n$')


if __name__ == '__main__':
    support.main()
