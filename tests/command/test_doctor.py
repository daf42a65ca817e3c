# SPDX-License-Identifier: MIT
"""`fastsync doctor`: what it says of this machine and of programs, as text and as JSON."""
import json
import os
import shutil
import unittest

import support
from fastsync_lib import inspect_elf, kernel, libc_bugs

USE_LOCKS = r'''
#define _GNU_SOURCE
#include <pthread.h>
#include <threads.h>
int main(void)
{
    static pthread_mutex_t mutex;
    static mtx_t c11;
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutex_lock(&mutex);
    pthread_mutex_trylock(&mutex);
    return mtx_lock(&c11);
}
'''


class Machine(support.CommandTest):
    def test_the_text_names_libc_bugs_and_kernel_features(self):
        result = self.fastsync('doctor')
        self.assert_success(result)
        for word in ('libc      glibc ', '25847', '11588', 'FUTEX_WAIT_REQUEUE_PI', 'futex_waitv',
                     'membarrier private expedited rseq', 'CPUs', self.stand_in):
            self.assertIn(word, result.stdout)

    def test_the_json_has_the_same(self):
        data = json.loads(self.fastsync('doctor', '--json', '-').stdout)
        self.assertEqual({bug['bug'] for bug in data['bugs']},
                         {'25847', '11588', '25619', '23844', '24774', '14485', 'herd'})
        self.assertEqual(data['cpus']['usable'], len(os.sched_getaffinity(0)))
        self.assertNotIn('program', data)

    def test_the_kernel_has_what_no_kernel_of_today_lacks(self):
        features = dict(kernel.Kernel().features())
        for name in ('FUTEX_WAIT_BITSET', 'FUTEX_WAKE_BITSET', 'FUTEX_REQUEUE',
                     'FUTEX_CMP_REQUEUE', 'FUTEX_WAKE_OP', 'robust list'):
            self.assertEqual(features[name], 'yes', name)

    def test_the_bug_of_the_lost_signal_is_in_2_25_to_2_40(self):
        states = {minor: dict((bug, state) for bug, state, _ in
                              libc_bugs.known((2, minor), 'x86_64'))['25847']
                  for minor in (24, 25, 36, 37, 38, 40, 41)}
        self.assertEqual(states, {24: 'no', 25: 'yes', 36: 'yes', 37: 'yes', 38: 'perhaps',
                                  40: 'perhaps', 41: 'no'})

    def test_the_bug_of_Arm_is_on_Arm_only(self):
        def present(machine, minor):
            return dict((bug, state) for bug, state, _ in
                        libc_bugs.known((2, minor), machine))['24774']
        self.assertEqual([present('x86_64', 36), present('aarch64', 36), present('aarch64', 37)],
                         ['no', 'yes', 'no'])


class Programs(support.CommandTest):
    def doctor(self, program, **options):
        result = self.fastsync('doctor', '--json', '-', program, **options)
        return result.returncode, json.loads(result.stdout)['program']

    def locks(self):
        return support.compile_c(USE_LOCKS, self.path('locks'), '-pthread')

    def test_a_program_of_the_system_can_be_preloaded(self):
        status, program = self.doctor('/bin/ls')
        self.assertEqual((status, program['can_be_preloaded']), (0, True))
        self.assertIn('libc.so.6', program['needed'])

    def test_the_imports_are_listed_with_their_versions(self):
        _, program = self.doctor(self.locks())
        imports = {entry['name']: entry['version'] for entry in program['imports']}
        self.assertEqual(set(imports),
                         {'pthread_mutex_lock', 'pthread_mutex_trylock', 'mtx_lock'})
        self.assertTrue(all(version.startswith('GLIBC_') for version in imports.values()))

    def test_an_import_that_the_library_lacks_is_marked(self):
        result = self.fastsync('doctor', self.locks())
        self.assertIn('NOT exported by the library', result.stdout)

    @unittest.skipUnless(support.REAL_LIBRARY, 'FASTSYNC_LIBRARY is not set')
    def test_the_real_library_covers_every_import(self):
        _, program = self.doctor(self.locks(), library=support.REAL_LIBRARY)
        self.assertEqual([entry for entry in program['imports'] if not entry['covered']], [])

    def test_a_stripped_program_keeps_its_imports(self):
        support.require(self, 'strip', 'binutils')
        path = support.compile_c(USE_LOCKS, self.path('stripped'), '-pthread', '-s')
        self.assertEqual(len(self.doctor(path)[1]['imports']), 3)

    def test_a_static_program_is_reported_with_its_obstacle(self):
        path = support.compile_c(support.SAY_HELLO, self.path('static'), '-static')
        status, program = self.doctor(path)
        self.assertEqual((status, program['can_be_preloaded']), (1, False))
        self.assertIn('statically linked', program['obstacle'])

    def test_a_missing_program_is_reported(self):
        result = self.fastsync('doctor', 'no-such-program')
        self.assertEqual((result.returncode, result.stderr), (1, ''))
        self.assertIn('not found on PATH', ' '.join(result.stdout.split()))

    def test_a_script_leads_to_its_interpreter(self):
        script = self.script('script', '#!/usr/bin/env sh\n')
        _, program = self.doctor(script)
        self.assertEqual(program['chain'], [script, '/usr/bin/env', shutil.which('sh')])


class Reader(support.CommandTest):
    def test_exports_carry_their_versions(self):
        with open('/proc/self/maps', encoding='utf-8') as maps:
            libc = next(line.split()[-1] for line in maps if 'libc.so.6' in line)
        elf = inspect_elf.read(libc)
        self.assertIn(('pthread_mutex_lock', 'GLIBC_2.2.5'), elf.exports)
        self.assertIn(('pthread_cond_wait', 'GLIBC_2.3.2'), elf.exports)
        self.assertEqual(elf.soname, 'libc.so.6')

    def test_every_cut_of_a_program_is_answered_or_refused(self):
        path = support.compile_c(support.SAY_HELLO, self.path('whole'))
        with open(path, 'rb') as file:
            whole = file.read()
        cut = self.path('cut')
        for length in list(range(0, 70)) + list(range(70, len(whole), 509)):
            with open(cut, 'wb') as file:
                file.write(whole[:length])
            try:
                inspect_elf.read(cut)
            except inspect_elf.NotElf:
                pass


if __name__ == '__main__':
    support.main()
