#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`fastsync run` as it decides on macOS, asked on Linux about Mach-O files made for each case: every
protection under which dyld would ignore the library is named, and nothing else is refused.

What a Mac does then has not been seen. FASTSYNC_DYLIB names the built library.
"""
import os
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'scripts'))
from fastsync_lib import cli, inspect_macho, library, macos, preload, run  # noqa: E402
from fastsync_lib.errors import Refused  # noqa: E402
import macho_file  # noqa: E402

DYLIB = os.environ['FASTSYNC_DYLIB']
BOTH = {macos.MAY_INSERT: True, macos.MAY_LOAD: True}


class OnMacOS(unittest.TestCase):
    def setUp(self):
        here = mock.patch.object(macos, 'HERE', True)
        here.start()
        self.addCleanup(here.stop)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def file(self, contents, name='program', mode=0o755):
        path = os.path.join(self.folder, name)
        with open(path, 'wb') as file:
            file.write(contents)
        os.chmod(path, mode)
        return path

    def obstacle(self, contents, mode=0o755, lib=DYLIB):
        return preload.examine(self.file(contents, mode=mode), lib).obstacle

    def assert_refused(self, contents, *words, **rest):
        obstacle = self.obstacle(contents, **rest)
        self.assertIsNotNone(obstacle)
        self.assertNotIn('\n', obstacle)
        for word in words:
            self.assertIn(word, obstacle)

    def assert_accepted(self, contents, **rest):
        self.assertIsNone(self.obstacle(contents, **rest))

    def test_ordinary_programs_are_accepted(self):
        self.assert_accepted(macho_file.thin())
        self.assert_accepted(macho_file.thin('x86_64'))
        self.assert_accepted(macho_file.thin(flags=0x20002))  # ad-hoc, by the linker
        self.assert_accepted(macho_file.fat(('x86_64', macho_file.thin('x86_64')),
                                            ('arm64', macho_file.thin())))

    def test_the_hardened_runtime_needs_both_entitlements(self):
        runtime = macos.CS_RUNTIME
        self.assert_refused(macho_file.thin(flags=runtime), 'hardened runtime', macos.MAY_INSERT,
                            macos.MAY_LOAD, 'codesign')
        self.assert_refused(macho_file.thin(flags=runtime, entitlements={}), macos.MAY_INSERT)
        self.assert_refused(macho_file.thin(flags=runtime, entitlements={macos.MAY_INSERT: True}),
                            'lacks ' + macos.MAY_LOAD)
        self.assert_refused(macho_file.thin(flags=runtime, entitlements={macos.MAY_LOAD: True}),
                            'lacks ' + macos.MAY_INSERT)
        self.assert_refused(macho_file.thin(flags=runtime, entitlements={**BOTH, macos.MAY_LOAD: False}),
                            'lacks ' + macos.MAY_LOAD)
        self.assert_accepted(macho_file.thin(flags=runtime, entitlements=BOTH))

    def test_library_validation_needs_its_entitlement(self):
        flags = macos.CS_LIBRARY_VALIDATION
        self.assert_refused(macho_file.thin(flags=flags), 'library validation', macos.MAY_LOAD)
        self.assert_accepted(macho_file.thin(flags=flags, entitlements={macos.MAY_LOAD: True}))

    def test_a_restricted_signature_is_refused(self):
        self.assert_refused(macho_file.thin(flags=macos.CS_HARD_RESTRICT, entitlements=BOTH),
                            'restricted')

    def test_one_slice_that_is_protected_is_enough(self):
        self.assert_refused(
            macho_file.fat(('x86_64', macho_file.thin('x86_64')),
                           ('arm64', macho_file.thin(flags=macos.CS_RUNTIME))), 'hardened runtime')

    def test_a_restrict_segment_is_refused(self):
        self.assert_refused(macho_file.thin(segments=('__TEXT', '__RESTRICT')), '__RESTRICT')

    def test_setuid_and_setgid_are_refused(self):
        self.assert_refused(macho_file.thin(), 'setuid', mode=0o4755)
        self.assert_refused(macho_file.thin(), 'setgid', mode=0o2755)

    def test_static_programs_and_libraries_are_refused(self):
        self.assert_refused(macho_file.thin(loader=False), 'statically linked')
        self.assert_refused(macho_file.thin(kind='dylib'), 'not a program but a dylib')

    def test_a_program_for_another_processor_is_refused(self):
        lib = self.file(macho_file.thin('arm64', 'dylib'), 'only-arm64.dylib')
        self.assert_refused(macho_file.thin('x86_64'), 'x86_64', 'arm64', lib=lib)
        self.assert_accepted(macho_file.thin('arm64'), lib=lib)

    def test_what_is_no_program_is_refused(self):
        self.assert_refused(b'', 'is not a program')
        self.assert_refused(b'\x7fELF' + bytes(60), 'is not a program')
        whole = macho_file.thin(flags=macos.CS_RUNTIME, entitlements=BOTH)
        for length in range(8, len(whole), 7):
            self.assert_refused(whole[:length], 'is not a program')
        self.assert_refused(whole.replace(b'<plist', b'<plist<'), 'entitlements')

    def test_protected_folders_are_refused_and_usr_local_is_not(self):
        path = self.file(macho_file.thin())
        for place, refused in (('/bin/ls', True), ('/usr/bin/true', True), ('/sbin/ping', True),
                               ('/System/Library/x', True), ('/usr/local/bin/x', False),
                               ('/opt/homebrew/bin/x', False), ('/Users/me/bin/x', False),
                               ('/System/Volumes/Data/x', False)):
            with self.subTest(place), mock.patch.object(os.path, 'realpath', return_value=place):
                program = preload.examine(path, DYLIB)
                self.assertEqual('System Integrity Protection' in (program.obstacle or ''), refused)

    def test_a_link_to_a_protected_program_is_refused(self):
        link = os.path.join(self.folder, 'link')
        os.symlink('/bin/sh', link)
        with mock.patch.object(macos, 'PROTECTED', (os.path.realpath('/bin/sh'),)):
            self.assertIn('System Integrity Protection', preload.examine(link, DYLIB).obstacle)

    def test_a_restricted_flag_of_the_file_is_enough(self):
        path = self.file(macho_file.thin())
        real = os.stat(path)
        marked = mock.Mock(wraps=real, st_mode=real.st_mode, st_flags=macos.SF_RESTRICTED)
        with mock.patch.object(os, 'stat', return_value=marked):
            self.assertIn('System Integrity Protection', preload.examine(path, DYLIB).obstacle)

    def test_a_script_is_judged_by_its_interpreter(self):
        script = self.file(b'#!/bin/sh\n', 'script')
        obstacle = preload.examine(script, DYLIB).obstacle
        self.assertIn('System Integrity Protection', obstacle)
        self.assertIn('is run by /bin/sh', obstacle)

    def test_the_program_is_started_with_the_library_and_its_own_ones(self):
        path = self.file(macho_file.thin())
        settings = {'FASTSYNC_VERBOSE': '1'}
        with mock.patch.dict(os.environ, {macos.VARIABLE: f'/other.dylib:/old/{macos.NAME}'}), \
                mock.patch.object(os, 'execve') as execve:
            run.run([path, 'argument'], DYLIB, settings)
        (program, command, environment), _ = execve.call_args
        self.assertEqual((program, command), (path, [path, 'argument']))
        self.assertEqual(environment[macos.VARIABLE], f'{DYLIB}:/other.dylib')
        self.assertEqual(environment['FASTSYNC_VERBOSE'], '1')
        self.assertNotIn(DYLIB, environment.get('LD_PRELOAD', ''))

    def test_the_arm_without_the_library_keeps_what_else_is_inserted(self):
        plain = library.without_library({macos.VARIABLE: f'{DYLIB}:/other.dylib', 'A': 'b'}, DYLIB)
        self.assertEqual(plain, {macos.VARIABLE: '/other.dylib', 'A': 'b'})
        self.assertEqual(library.without_library({macos.VARIABLE: DYLIB}, DYLIB), {})

    def test_what_looks_at_linux_says_so(self):
        for subcommand in ('doctor', 'regress'):
            with mock.patch.object(sys, 'stderr') as stderr:
                self.assertEqual(cli.main([subcommand]), 2)
            self.assertIn('Linux only', ''.join(call.args[0] for call in stderr.write.mock_calls))

    def test_the_library_is_looked_at(self):
        self.assertEqual(library.require(DYLIB, None), os.path.abspath(DYLIB))
        for contents, name, word in ((b'nothing', 'no', 'not a library'),
                                     (macho_file.thin(), 'program', 'not a library'),
                                     (b'', 'a:b', 'colon')):
            with self.subTest(word), self.assertRaisesRegex(Refused, word):
                library.require(self.file(contents, name), None)
        with self.assertRaisesRegex(Refused, 'no library'):
            library.require('/nowhere/' + macos.NAME, None)


class TheReader(unittest.TestCase):
    def test_the_built_library_has_a_readable_ad_hoc_signature(self):
        for part in inspect_macho.read(DYLIB):
            self.assertEqual(part.signature.flags & 2, 2)
            self.assertEqual(part.signature.entitlements, {})


if __name__ == '__main__':
    unittest.main(verbosity=2)
