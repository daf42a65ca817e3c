#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What must not build for macOS does not: objects of another size than libpthread's, ours grown too
large, a replaced name without its line in the table. And a file that is linked wrongly, which the
linker allows, is found by check_tuples.py.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import check_tuples

ROOT = check_tuples.ROOT
CROSS = ROOT / 'cross' / 'darwin'
FLAGS = ['-target', 'x86_64-apple-macos12.0', '-std=gnu11', '-O1', '-ffreestanding',
         '-fno-stack-protector', '-nostdlibinc', '-fvisibility=hidden', '-Wall', '-Werror',
         '-DFS_VERSION="0"', '-DFS_WITHOUT_WAKE_BITS']
LIBRARY = ['-nostdlib', '-shared', '-fuse-ld=lld', '-lSystem', '-Wl,-no_fixup_chains',
           '-Wl,-adhoc_codesign']
TUPLE = '''
#include "interpose/darwin_calls.h"
#include "interpose/darwin_export.h"
int fs_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    return pthread_mutex_lock(mutex);
}
FS_INTERPOSE(pthread_mutex_lock)
'''


class Building(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.headers = self.folder / 'include'
        shutil.copytree(CROSS / 'include', self.headers)
        self.table = (ROOT / 'src' / 'interpose' / 'tuples.list').read_text(encoding='ascii')

    def run_clang(self, source, *more):
        listing = self.folder / 'tuples.list'
        listing.write_text(self.table, encoding='ascii')
        subprocess.run([sys.executable, ROOT / 'src' / 'interpose' / 'make_tuples.py', listing,
                        self.folder / 'tuples_generated.h'], check=True)
        if not isinstance(source, pathlib.Path):
            (self.folder / 'source.c').write_text(source, encoding='ascii')
            source = self.folder / 'source.c'
        return subprocess.run(
            ['clang-16', *FLAGS, '-isystem', self.headers, f'-I{ROOT / "src"}', f'-I{self.folder}',
             source, *more], capture_output=True, text=True, check=False)

    def compile(self, name='darwin_mutex.c', *more):
        return self.run_clang(ROOT / 'src' / 'interpose' / name, '-fsyntax-only', *more)

    def change(self, name, old, new):
        path = self.headers / name
        text = path.read_text(encoding='ascii')
        self.assertIn(old, text)
        path.write_text(text.replace(old, new), encoding='ascii')

    def assert_fails(self, result, text):
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(text, result.stderr)

    def link(self, source, *more, old='', new=''):
        """What check_tuples.py says of a library with this source; `old` and `new` are what is
        changed in libSystem."""
        text = (CROSS / 'libSystem.tbd').read_text(encoding='ascii')
        self.assertIn(old, text)
        (self.folder / 'libSystem.tbd').write_text(text.replace(old, new, 1), encoding='ascii')
        output = self.folder / 'library.dylib'
        result = self.run_clang(source, '-o', output, f'-L{self.folder}', *LIBRARY, *more)
        self.assertEqual(result.returncode, 0, result.stderr)
        return check_tuples.check(output.read_bytes(), {'_pthread_mutex_lock'}, {'x86_64'})

    def test_the_sources_as_they_are(self):
        for name in ('darwin_mutex.c', 'darwin_condition.c', 'darwin_rwlock.c', 'darwin_cancel.c',
                     'darwin_environment.c'):
            result = self.compile(name)
            self.assertEqual((result.returncode, result.stderr), (0, ''), name)

    def test_objects_of_another_size(self):
        for old, new, object_name in (('__opaque[56]', '__opaque[48]', 'mutex'),
                                      ('__opaque[40]', '__opaque[32]', 'condition variable'),
                                      ('__opaque[192]', '__opaque[184]', 'rwlock')):
            with self.subTest(object_name):
                self.change('pthread.h', old, new)
                self.assert_fails(self.compile(), f"libpthread's {object_name}")
                self.change('pthread.h', new, old)

    def test_an_object_of_ours_grown_too_large(self):
        result = self.run_clang('#include "interpose/view_darwin.h"\n'
                                'struct fs_large { struct fs_mutex m; char more[40]; };\n'
                                '_Static_assert(FS_FITS(struct fs_large, pthread_mutex_t), "large");',
                                '-fsyntax-only')
        self.assert_fails(result, 'large')

    def test_each_name_without_its_line_in_the_table(self):
        whole = self.table
        for line in whole.splitlines():
            words = line.split('#')[0].split()
            if not words:
                continue
            kind = words[0].split('_')[1]
            name = {'cond': 'condition'}.get(kind, kind)
            with self.subTest(words[0]):
                self.table = whole.replace(line + '\n', '', 1)
                self.assert_fails(self.compile(f'darwin_{name}.c'), f'FS_TUPLES_{words[-1]}')

    def test_a_line_without_a_name(self):
        self.table += '\npthread_mutex_lock fs_mutex_lock too\n'
        with self.assertRaises(subprocess.CalledProcessError):
            self.compile()

    def test_a_library_linked_as_it_must_be(self):
        self.assertEqual(self.link(TUPLE), [])

    def test_a_flat_name_space(self):
        errors = self.link(TUPLE, '-Wl,-flat_namespace')
        self.assertTrue(any('flat' in error for error in errors), errors)

    def test_an_original_that_is_searched_for_anywhere(self):
        errors = self.link(TUPLE, '-Wl,-undefined,dynamic_lookup', old='      - _pthread_mutex_lock\n')
        self.assertTrue(any('is not searched for in libSystem alone' in error for error in errors),
                        errors)

    def test_thread_local_storage(self):
        errors = self.link(TUPLE + '__thread int mine;\nint *where(void);\n'
                           'int *where(void)\n{\n    return &mine;\n}\n',
                           old='      - ___error\n', new='      - __tlv_bootstrap\n')
        self.assertTrue(any('thread-local' in error for error in errors), errors)

    def test_a_library_without_signature(self):
        errors = self.link(TUPLE, '-Wl,-no_adhoc_codesign')
        self.assertEqual(errors, ['x86_64: it is not signed'])

    def test_fixups_in_chains(self):
        errors = self.link(TUPLE, '-Wl,-fixup_chains')
        self.assertTrue(any('chained' in error for error in errors), errors)

    def test_a_weakly_defined_function(self):
        errors = self.link(TUPLE + '__attribute__((weak, visibility("default"))) int any(void);\n'
                           'int any(void)\n{\n    return 1;\n}\nint call(void);\n'
                           'int call(void)\n{\n    return any();\n}\n')
        self.assertTrue(any('bound weakly' in error for error in errors), errors)


if __name__ == '__main__':
    unittest.main(verbosity=2)
