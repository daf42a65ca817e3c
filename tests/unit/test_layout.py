#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A field of ours that does not lie where the C library has it stops the build: the layouts are
compiled with a header in which one field has moved, and the assertion about it must fail.

    test_layout.py BUILD_FOLDER SOURCE_FOLDER

The compiler and its arguments are those of the libraries of this build, each by itself.
"""
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

LIMIT = 60
FILE = 'interpose/mutex.c'  # whose arguments are taken
PROGRAM = '#include "interpose/view.h"\n'
# Which fields lie where the C library has them, by header and structure, and what the assertion says
# that notices. A field that is part of a union stands for it.
FIELDS = {
    'glibc': {
        ('lock/mutex_layout.h', 'fs_mutex'): {
            'word': '__lock elsewhere', 'count': '__count elsewhere', 'owner': '__owner elsewhere',
            'nusers': '__nusers elsewhere', 'kind': '__kind elsewhere', 'link': '__list elsewhere'},
        ('interpose/view_glibc.h', 'fs_rwlock_view'): {'writer': 'keeps the writer elsewhere'},
        ('interpose/view_glibc.h', 'fs_cond_view'): {'condition': 'flags come later',
                                                     'is_monotonic': 'flags come later'},
    },
    'musl': {
        ('lock/mutex_layout.h', 'fs_mutex'): {'kind': 'kind elsewhere'},
        ('interpose/view_musl.h', 'fs_rwlock_view'): {'shared': 'shared elsewhere'},
        ('interpose/view_musl.h', 'fs_cond_view'): {
            'shared': 'shared elsewhere', 'sequence': 'sequence elsewhere',
            'waiters': 'waiters elsewhere', 'clock': 'clock elsewhere'},
    },
}
# glibc's condition variable has its flags behind the first 16 bytes: ours may not reach them.
WIDE = {('interpose/view_glibc.h', 'fs_cond_view')}


def compilations(build, source):
    """The command without file and output, and the C library, of each library of this build."""
    with open(os.path.join(build, 'compile_commands.json'), encoding='utf-8') as file:
        entries = json.load(file)
    wanted = os.path.join(source, 'src', FILE)
    for entry in entries:
        if os.path.realpath(os.path.join(entry['directory'], entry['file'])) != wanted:
            continue
        words = shlex.split(entry['command'])
        kept, skip = [], 0
        for word in words:
            if skip:
                skip -= 1
            elif word in ('-o', '-MF', '-MQ', '-MT'):
                skip = 1
            elif word not in ('-MD', '-c', entry['file']):
                kept.append(word)
        libc = 'musl' if '-DFS_LIBC_MUSL' in words else 'glibc'
        yield entry['directory'], kept, libc


def with_moved_field(text, structure, field, padding):
    """The header with something in front of the field, in every variant of the structure."""
    def move(body):
        lines = body[0].splitlines(keepends=True)
        at = next((i for i, line in enumerate(lines) if re.search(rf'\b{field}(\[\d+\])?;', line)),
                  None)
        if at is None:
            return body[0]
        while at > 0 and lines[at].startswith('        '):  # inside a union: in front of that
            at -= 1
        lines.insert(at, padding)
        return ''.join(lines)
    return re.sub(rf'^struct {structure} \{{$.*?^\}};$', move, text, flags=re.M | re.S)


class Layout(unittest.TestCase):
    build = source = None

    def compile(self, directory, command, headers):
        """What the compiler says with these headers, by name, in front of the others."""
        with tempfile.TemporaryDirectory(prefix='fastsync-layout-') as folder:
            for name, text in headers.items():
                path = os.path.join(folder, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, 'w', encoding='utf-8') as file:
                    file.write(text)
            full = [command[0], f'-I{folder}', *command[1:], '-fsyntax-only', '-x', 'c', '-']
            return subprocess.run(full, cwd=directory, input=PROGRAM, timeout=LIMIT,
                                  capture_output=True, text=True, check=False)

    def each(self):
        found = list(compilations(self.build, self.source))
        self.assertTrue(found, 'the build compiles no such file')
        return found

    def test_the_layouts_as_they_are_compile(self):
        for directory, command, libc in self.each():
            with self.subTest(libc=libc):
                done = self.compile(directory, command, {})
                self.assertEqual((done.returncode, done.stderr), (0, ''))

    def test_a_moved_field_stops_the_build(self):
        for directory, command, libc in self.each():
            for (name, structure), fields in FIELDS[libc].items():
                with open(os.path.join(self.source, 'src', name), encoding='utf-8') as file:
                    text = file.read()
                padding = f'    uint32_t moved_here{"[8]" if (name, structure) in WIDE else ""};\n'
                for field, message in fields.items():
                    with self.subTest(libc=libc, structure=structure, field=field):
                        moved = with_moved_field(text, structure, field, padding)
                        self.assertNotEqual(moved, text)
                        done = self.compile(directory, command, {name: moved})
                        self.assertNotEqual(done.returncode, 0)
                        self.assertIn(message, done.stderr)


if __name__ == '__main__':
    Layout.build, Layout.source = (os.path.realpath(path) for path in sys.argv[1:3])
    unittest.main(argv=sys.argv[:1], verbosity=2)
