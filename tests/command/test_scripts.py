# SPDX-License-Identifier: MIT
"""What lies around the command: the manual pages, the list of packages and its installer."""
import os
import re
import subprocess
import unittest

import support

MANUAL = os.path.join(support.ROOT, 'man')
INSTALLER = os.path.join(support.SCRIPTS, 'install-packages')


class Manual(unittest.TestCase):
    def read(self, name):
        with open(os.path.join(MANUAL, name), encoding='utf-8') as file:
            return file.read()

    def test_the_pages_format_without_a_warning(self):
        support.require(self, 'groff', 'groff-base')
        for page in ('fastsync.1', 'libfastsync.7', 'fastsync-run.1'):
            done = subprocess.run(['groff', '-mdoc', '-Tutf8', '-ww', '-z',
                                   os.path.join(MANUAL, page)],
                                  capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ''), page)

    def test_every_option_of_the_help_is_in_the_manual(self):
        from fastsync_lib import usage
        manual = self.read('fastsync.1').replace('Fl -', 'Fl --')
        text = usage.MAIN + usage.RUN + usage.AB + usage.REGRESS
        for option in re.findall(r'--[a-z-]{2,}', text):
            self.assertIn(option, manual)

    def test_every_switch_is_in_the_manual(self):
        manual = self.read('libfastsync.7')
        for switch in ('', '_PI', '_REQUEUE', '_SPIN', '_DEEPBIND', '_VERBOSE'):
            self.assertIn(f'.It Ev FASTSYNC{switch} Ns', manual)

    def test_the_launcher_of_windows_is_in_its_manual(self):
        manual = self.read('fastsync-run.1')
        source = self.source('src/launch/main.c').partition('help[] =')[2].partition(';')[0]
        for option in set(re.findall(r'--[a-z]{2,}', source)):
            self.assertIn('.It ' + option.replace('--', 'Fl -'), manual)
        read = set(re.findall(r'fs_switch_\w*\(&?from,\s*"(\w+)"',
                              self.source('src/interpose/windows_start.c')))
        self.assertGreaterEqual(len(read), 7)
        for switch in read - {'FASTSYNC_RUN'}:  # which the launcher sets
            self.assertIn(f'.It Ev {switch} Ns', manual)
        # What it quotes of the launcher and the library, they say.
        said = ''.join(self.source(f'src/{name}') for name in (
            'interpose/windows_start.c', 'launch/helper.c', 'launch/insert.c', 'launch/library.c',
            'launch/main.c', 'launch/program.c'))
        for line in re.findall(r'^\.It "(.*)"$', manual, re.M):
            self.assertIn(f'"{line}', said)

    @staticmethod
    def source(name):
        with open(os.path.join(support.ROOT, name), encoding='utf-8') as file:
            return file.read()


class Installer(support.CommandTest):
    """Run with a PATH in which the package tools are stand-ins that only write down their use."""

    def install(self, *sections, installed='', user='1000'):
        tools = self.path('tools')
        os.makedirs(tools, exist_ok=True)
        log = self.path('apt.log')
        open(log, 'w', encoding='utf-8').close()
        for name, body in [
                ('dpkg-query', f'case " {installed} " in *" $3 "*|*" ALL "*) echo -n installed;; '
                               'esac'),
                ('apt-get', f'echo "$@" >>{log}'), ('id', f'echo {user}'), ('sudo', 'exit 1')]:
            self.shell(f'tools/{name}', body + '\n')
        done = subprocess.run([INSTALLER, *sections], capture_output=True, text=True, check=False,
                              env={'PATH': tools + ':/usr/bin:/bin'}, timeout=support.LIMIT)
        with open(log, encoding='utf-8') as file:
            return done, file.read()

    def test_nothing_missing_is_silent_and_needs_no_right(self):
        done, log = self.install('build', 'test', 'programs', 'demo', installed='ALL')
        self.assertEqual((done.returncode, done.stdout, done.stderr, log), (0, '', '', ''))

    def test_without_the_right_the_exact_command_is_printed(self):
        done, log = self.install('demo')
        self.assertEqual((done.returncode, log), (1, ''))
        self.assertIn('sudo apt-get install sysbench\n', done.stderr)

    def test_only_what_is_missing_is_named_and_once(self):
        done, _ = self.install('demo', 'programs', installed='x264 wrk')
        names = done.stderr.split('apt-get install ')[1].split()
        self.assertEqual(len(names), len(set(names)))
        self.assertNotIn('wrk', names)

    def test_an_unknown_section_is_refused(self):
        done, log = self.install('nonsense')
        self.assertEqual((done.returncode, log), (2, ''))
        self.assertIn('nonsense', done.stderr)


if __name__ == '__main__':
    support.main()
