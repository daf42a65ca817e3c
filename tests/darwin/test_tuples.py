#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The built dylib against its table; and that each fault check_tuples.py looks for is noticed, by
putting it into a copy of the file's bytes or of the table.

The library is named by FASTSYNC_DYLIB.
"""
import os
import struct
import unittest

import check_tuples
from fastsync_lib import inspect_macho

with open(os.environ['FASTSYNC_DYLIB'], 'rb') as built:
    DATA = built.read()
NAMES = check_tuples.table_names()


def header_flags(data, part):
    return part.start + 24


class TheBuiltFile(unittest.TestCase):
    def test_has_every_tuple_of_the_table_and_nothing_else(self):
        self.assertEqual(check_tuples.check(DATA, NAMES), [])

    def test_the_table_has_the_calls_without_which_the_others_do_not_work(self):
        self.assertLessEqual({'_pthread_cancel', '_pthread_cond_wait$NOCANCEL',
                              '_pthread_cond_timedwait$NOCANCEL',
                              '_pthread_cond_timedwait_relative_np',
                              '_pthread_cond_signal_thread_np', '_pthread_mutex_getprioceiling',
                              '_pthread_mutex_setprioceiling'}, NAMES)

    def test_what_it_takes_from_libSystem_is_known(self):
        """A call more is a dependency more: one line here, and one in cross/darwin/libSystem.tbd."""
        tbd = (check_tuples.ROOT / 'cross' / 'darwin' / 'libSystem.tbd').read_text(encoding='ascii')
        known = {line.strip(" -'") for line in tbd.splitlines() if line.startswith('      -')}
        for part in inspect_macho.parse(DATA):
            self.assertLessEqual({bind.symbol for bind in part.binds}, known)


class EveryFaultIsNoticed(unittest.TestCase):
    def setUp(self):
        self.data = bytearray(DATA)
        self.parts = inspect_macho.parse(DATA)

    def errors(self, names=NAMES):
        return check_tuples.check(bytes(self.data), names)

    def assert_noticed(self, part, text):
        found = [error for error in self.errors() if error.startswith(part.processor + ':')]
        self.assertTrue(any(text in error for error in found), f'{text!r} not in {found}')

    def put(self, layout, offset, *values):
        struct.pack_into(layout, self.data, offset, *values)

    def section_header(self, part, name):
        at = self.data.index(name.encode().ljust(16, b'\0') + b'__DATA'.ljust(16, b'\0'), part.start)
        return at

    def test_a_name_that_has_no_tuple(self):
        for part in self.parts:
            with self.subTest(part.processor):
                self.assertIn(f'{part.processor}: _pthread_spin_lock has no tuple',
                              self.errors(NAMES | {'_pthread_spin_lock'}))

    def test_each_tuple_that_is_not_in_the_table(self):
        for name in NAMES:
            with self.subTest(name):
                self.assertEqual(len(self.errors(NAMES - {name})), len(self.parts))

    def test_each_tuple_missing_from_the_file(self):
        for part in self.parts:
            for bind in part.binds:
                if bind.symbol in NAMES and bind.table == 'bind':
                    with self.subTest(f'{part.processor} {bind.symbol}'):
                        self.data = bytearray(DATA)
                        self.data[bind.at + 1] ^= 1
                        self.assert_noticed(part, f'{bind.symbol} has no tuple')

    def test_a_section_cut_short_by_one_tuple(self):
        for part in self.parts:
            section = part.section('__DATA', '__interpose')
            at = self.section_header(part, '__interpose')
            self.put('<Q', at + 40, section.size - 16)
            self.assert_noticed(part, 'has no tuple')

    def test_a_section_of_an_ordinary_type(self):
        for part in self.parts:
            self.put('<I', self.section_header(part, '__interpose') + 64, 0)
            self.assert_noticed(part, 'not that of tuples')

    def test_a_flat_name_space(self):
        for part in self.parts:
            self.put('<I', header_flags(self.data, part), part.flags & ~inspect_macho.MH_TWOLEVEL)
            self.assert_noticed(part, 'flat')

    def test_a_bind_by_flat_search(self):
        for part in self.parts:
            table = struct.unpack_from('<I', self.data,
                                       self.command(part, inspect_macho.LC_DYLD_INFO_ONLY) + 16)[0]
            at = self.data.index(0x11, part.start + table)  # the first bind's: library 1
            self.data[at] = 0x3e  # -2, flat
            self.assert_noticed(part, 'is not searched for in libSystem alone')

    def test_a_bind_to_an_original_that_may_be_missing(self):
        for part in self.parts:
            bind = next(b for b in part.binds if b.symbol == '_pthread_mutex_lock')
            self.put('B', bind.at - 1, 0x41)
            self.assert_noticed(part, '_pthread_mutex_lock may be missing')

    def test_a_newer_call_that_must_be_there(self):
        for part in self.parts:
            bind = next(b for b in part.binds if b.symbol == '_os_sync_wait_on_address')
            self.put('B', bind.at - 1, 0x40)
            self.assert_noticed(part, 'which older systems do not have')

    def test_a_weak_bind(self):
        for part in self.parts:
            at = self.command(part, inspect_macho.LC_DYLD_INFO_ONLY)
            self.put('<II', at + 24, *struct.unpack_from('<II', self.data, at + 16))
            self.assert_noticed(part, 'is bound weakly')

    def command(self, part, wanted):
        at = part.start + 32
        while True:
            command, size = struct.unpack_from('<II', self.data, at)
            if command == wanted:
                return at
            at += size

    def test_a_replacement_that_does_not_move_with_the_library(self):
        for part in self.parts:
            at = self.command(part, inspect_macho.LC_DYLD_INFO_ONLY)
            self.put('<I', at + 12, 0)
            self.assert_noticed(part, 'has no replacement that moves')

    def test_a_replacement_that_is_no_code(self):
        for part in self.parts:
            section = part.section('__DATA', '__interpose')
            self.put('<Q', part.start + section.offset, section.address)
            self.assert_noticed(part, 'no code')

    def test_a_missing_signature(self):
        for part in self.parts:
            self.put('<I', self.command(part, inspect_macho.LC_CODE_SIGNATURE), 0x1b)
            self.assert_noticed(part, 'not signed')

    def test_thread_local_storage(self):
        for part in self.parts:
            self.put('<I', self.section_header(part, '__data') + 64, 0x13)
            self.assert_noticed(part, 'thread-local storage')
            self.put('<I', header_flags(self.data, part),
                     part.flags | check_tuples.MH_HAS_TLV_DESCRIPTORS)
            self.assert_noticed(part, 'thread-local variables')

    def test_chained_fixups(self):
        for part in self.parts:
            self.put('<I', self.command(part, inspect_macho.LC_DYLD_INFO_ONLY),
                     inspect_macho.LC_CHAINED_FIXUPS)
            self.assert_noticed(part, 'chained')

    def test_another_library(self):
        for part in self.parts:
            at = self.data.index(b'/usr/lib/libSystem', part.start)
            self.data[at + 9] ^= 1
            self.assert_noticed(part, 'not libSystem alone')

    def test_a_missing_slice(self):
        self.put('>I', 4, 1)
        self.assertIn('no slice for', ' '.join(self.errors()))

    def test_a_file_cut_short_anywhere_is_an_error_and_no_traceback(self):
        for length in [0, 7, 40, *range(4096, len(DATA), 3001)]:
            self.data = bytearray(DATA[:length])
            self.errors()
        self.data = bytearray(DATA[:len(DATA) // 4])
        self.assertNotEqual(self.errors(), [])


if __name__ == '__main__':
    unittest.main(verbosity=2)
