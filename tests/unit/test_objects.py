#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The C library's own objects are what our views of them say, and libc_objects.c would notice if not:
it is built with the headers as they are, and with each mistake below in one of them.

    test_objects.py BUILD_FOLDER SOURCE_FOLDER glibc|musl

test_layout.py has the mistakes that stop the build. The compiler and its arguments are the library's.
"""
import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True

from test_layout import compilations  # noqa: E402

LIMIT = 120
LAYOUT = 'lock/mutex_layout.h'
KINDS = 'lock/mutex.h'
GLIBC = 'interpose/view_glibc.h'
MUSL = 'interpose/view_musl.h'
# By C library: the header, what stands there, and what somebody might have written instead. Where
# fields are exchanged, so are the assertions about their places.
MISTAKES = {
    'glibc': {
        'shared is another bit': (LAYOUT, [('FS_KIND_SHARED 0x80u', 'FS_KIND_SHARED 0x10u')]),
        'a ceiling is another bit': (LAYOUT, [('FS_KIND_LIBCS 0x40u', 'FS_KIND_LIBCS 0x20u')]),
        'an unknown bit is used': (LAYOUT, [('FS_KIND_UNKNOWN 0xcu', 'FS_KIND_UNKNOWN 0x1u')]),
        'robust is another bit': (KINDS, [('FS_KIND_ROBUST 0x10u', 'FS_KIND_ROBUST 0x20u')]),
        'inheritance is another bit': (KINDS, [('FS_KIND_PI 0x20u', 'FS_KIND_PI 0x10u')]),
        'the types are exchanged': (KINDS, [('FS_KIND_RECURSIVE 1u', 'FS_KIND_RECURSIVE 2u'),
                                            ('FS_KIND_ERRORCHECK 2u', 'FS_KIND_ERRORCHECK 1u')]),
        'adaptive is another type': (KINDS, [('FS_KIND_ADAPTIVE 3u', 'FS_KIND_ADAPTIVE 2u')]),
        'a byte of shared is taken from elsewhere': (
            GLIBC, [('&lock->__data.__shared)[at]', '&lock->__data.__flags)[at]')]),
        'a preference is another number': (
            GLIBC, [('PREFER_WRITER_NONRECURSIVE_NP\n', 'PREFER_WRITER_NP\n')]),
    },
    'musl': {
        'shared is another bit': (LAYOUT, [('FS_KIND_LIBCS 0x84u', 'FS_KIND_LIBCS 0x44u')]),
        'robust is another bit': (LAYOUT, [('FS_KIND_LIBCS 0x84u', 'FS_KIND_LIBCS 0x88u')]),
        'robust is forgotten': (LAYOUT, [('FS_KIND_LIBCS 0x84u', 'FS_KIND_LIBCS 0x80u')]),
        "ours is one of musl's bits": (LAYOUT, [('FS_KIND_SHARED 0x400u', 'FS_KIND_SHARED 0x80u')]),
        "our inheritance is musl's robust": (KINDS, [('FS_KIND_PI 0x20u', 'FS_KIND_PI 0x4u')]),
        'the types are exchanged': (KINDS, [('FS_KIND_RECURSIVE 1u', 'FS_KIND_RECURSIVE 2u'),
                                            ('FS_KIND_ERRORCHECK 2u', 'FS_KIND_ERRORCHECK 1u')]),
        'the kind lies elsewhere': (LAYOUT, [('    fs_word kind;\n    fs_word word;',
                                              '    fs_word word;\n    fs_word kind;')]),
        'sequence and waiters are exchanged': (
            MUSL, [('fs_word sequence; /* of a shared one: ch', 'fs_word waiters; /* of a shared one: ch'),
                   ('fs_word waiters; /* of a shared one: ho', 'fs_word sequence; /* of a shared one: ho'),
                   ('sequence, pthread_cond_t, 2', 'waiters, pthread_cond_t, 2'),
                   ('waiters, pthread_cond_t, 3', 'sequence, pthread_cond_t, 3')]),
        'the clock comes later': (MUSL, [('    int clock;', '    int later;\n    int clock;'),
                                         ('clock, pthread_cond_t, 4', 'clock, pthread_cond_t, 5')]),
        'shared condition variables are marked by their clock': (
            MUSL, [('*(void *const volatile *)&view->shared != NULL', 'view->clock != 0')]),
        'shared locks are marked later': (
            MUSL, [('    int shared; ', '    int before;\n    int shared; '),
                   ('shared, pthread_rwlock_t, 2', 'shared, pthread_rwlock_t, 3')]),
        'a shared mutex is not handed over': (
            MUSL, [('(FS_KIND_ROBUST | FS_KIND_SHARED)) != 0', 'FS_KIND_ROBUST) != 0')]),
    },
}
# The assertion that would stop the build where the kind lies elsewhere.
KIND_STAYS = 'FS_SAME_PLACE(struct fs_mutex, kind, pthread_mutex_t, 0);'


class Objects(unittest.TestCase):
    build = source = libc = None

    def setUp(self):
        self.directory, self.command = next(
            (directory, command) for directory, command, libc in compilations(self.build, self.source)
            if libc == self.libc)
        folder = tempfile.TemporaryDirectory(prefix='fastsync-objects-')
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def header(self, name):
        with open(os.path.join(self.source, 'src', name), encoding='utf-8') as file:
            return file.read()

    def run_with(self, headers):
        """The program's status and output with these headers in front of the others."""
        for name, text in headers.items():
            path = os.path.join(self.folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, 'w', encoding='utf-8') as file:
                file.write(text)
        program = os.path.join(self.folder, 'objects')
        source = os.path.join(self.source, 'tests', 'unit', 'libc_objects.c')
        subprocess.run([self.command[0], f'-I{self.folder}', *self.command[1:], '-o', program, source,
                        '-pthread'], cwd=self.directory, timeout=LIMIT, check=True)
        for name in headers:
            os.unlink(os.path.join(self.folder, name))
        done = subprocess.run([program], timeout=LIMIT, capture_output=True, text=True, check=False,
                              env={name: value for name, value in os.environ.items()
                                   if name != 'LD_PRELOAD'})
        return done.returncode, done.stdout

    def test_the_views_agree_with_the_objects(self):
        self.assertEqual(self.run_with({}), (0, ''))

    def test_a_mistake_in_a_view_is_noticed(self):
        for what, (name, changes) in MISTAKES[self.libc].items():
            with self.subTest(mistake=what):
                text = self.header(name)
                for old, new in changes:
                    self.assertEqual(text.count(old), 1, old)
                    text = text.replace(old, new)
                headers = {name: text}
                if 'elsewhere' in what and name == LAYOUT:
                    headers[MUSL] = self.header(MUSL).replace(KIND_STAYS, '')
                status, output = self.run_with(headers)
                self.assertEqual(status, 1, output)
                self.assertNotEqual(output, '')


if __name__ == '__main__':
    Objects.build, Objects.source = (os.path.realpath(path) for path in sys.argv[1:3])
    Objects.libc = sys.argv[3]
    unittest.main(argv=sys.argv[:1], verbosity=2)
