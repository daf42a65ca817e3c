# SPDX-License-Identifier: MIT
"""`fastsync doctor --prove-...`: the demonstrations on this machine, kept short, and with stand-in
programs what a fault of the library or a refusal of the machine is reported as.

The demonstrations themselves decide what a fault is; here libc must show those that it has.
"""
import json
import os
import subprocess
import sys
import unittest

import support
from fastsync_lib import libc_bugs

LIMIT_SECONDS = 400
SOAK_SECONDS = '60' if os.environ.get('FASTSYNC_SOAK') == '1' else None
NAMES = ('lost_wakeup', 'priority_inversion', 'rwlock_spin')
# says whose turn it is as the real programs do, with the stand-in library in place of ours
STAND_IN_PROGRAM = '''case "$LD_PRELOAD" in
*libfastsync.so*) echo implementation=library; side=library ;;
*) echo implementation=libc; side=libc ;;
esac
'''


def libc_should_fail():
    """Versions that have both faults of condition variables; later branches may have mended one."""
    return (2, 25) <= (libc_bugs.version() or (0, 0)) < (2, 38)


@unittest.skipUnless(support.REAL_LIBRARY, 'FASTSYNC_LIBRARY names no library')
class Proof(support.CommandTest):
    def prove(self, *arguments, seconds='2'):
        """The proof that the command reports; skipped where the machine refuses it."""
        environment = {name: value for name, value in os.environ.items() if name != 'LD_PRELOAD'}
        command = [sys.executable, support.COMMAND, 'doctor', *arguments, '--json', '-',
                   '--seconds', SOAK_SECONDS or seconds]
        result = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, timeout=LIMIT_SECONDS,
                                check=False)
        self.assertIn(result.returncode, (0, 1, 77), result.stderr)
        proof = json.loads(result.stdout)['proofs'][0]
        if proof['refused']:
            self.assertEqual(result.returncode, 77)
            self.skipTest(proof['refused'])
        self.assertEqual((result.returncode, result.stderr), (0, ''), result.stdout)
        return proof

    def rows(self, proof, side):
        rows = [row for row in proof['rows'] if row['side'] == side]
        self.assertTrue(rows)
        return rows

    def assert_lost_wakeup(self, method, seconds):
        proof = self.prove('--prove-lost-wakeup', '--method', method, seconds=seconds)
        (libc,), (ours,) = self.rows(proof, 'libc'), self.rows(proof, 'library')
        self.assertFalse(ours['fault'])
        self.assertGreater(ours['rounds'], 0)
        self.assertGreater(ours['delays'], 0)
        self.assertEqual(ours['method'], method)
        if libc_should_fail():
            if not libc['fault']:
                self.skipTest(f'libc lost no wake-up in {libc["seconds"]} s and {libc["delays"]} '
                              'delays; the library lost none either')
            # Its count of waiters may be wrong by then: a broadcast mostly helps, but need not, or
            # never returns.
            self.assertIn(libc.get('after_broadcast'), ('taken', 'still there', None), libc)
            self.assertGreater(libc['consumers_asleep'], 0)
            self.assertGreater(libc['tokens'], 0)

    def test_libc_loses_a_wakeup_and_the_library_does_not(self):
        self.assert_lost_wakeup('perf', '6')

    def test_the_same_with_single_steps(self):
        self.assert_lost_wakeup('step', '3')

    def test_an_urgent_thread_waits_for_libc_only(self):
        proof = self.prove('--prove-priority-inversion')
        (libc,), (ours,) = self.rows(proof, 'libc'), self.rows(proof, 'library')
        self.assertGreater(ours['counted'], 0)
        self.assertEqual(ours['inverted'], 0)
        if libc_should_fail():
            self.assertGreater(libc['inverted'], 0)
            self.assertGreaterEqual(libc['longest_wait_ms'], libc['burn_ms'] / 2)

    def test_no_reader_of_the_library_spins(self):
        proof = self.prove('--prove-rwlock-spin')
        for row in self.rows(proof, 'library'):
            self.assertFalse(row['fault'], row)
            self.assertGreater(row['preempted_in_a_call'], 0)


class StandIns(support.CommandTest):
    """Programs that answer what the test says, in the layout of a build directory."""

    def setUp(self):
        for name in ('src', 'demonstrations'):
            os.makedirs(self.path(name), exist_ok=True)
        self.library = self.path('src/libfastsync.so')
        if not os.path.exists(self.library):
            os.link(self.stand_in, self.library)

    def answer(self, libc, library, program='lost_wakeup'):
        """What the program does on either side, as lines of shell; the others are never run."""
        for name in NAMES:
            body = f'if [ $side = libc ]; then\n{libc}\nelse\n{library}\nfi\n'
            self.shell('demonstrations/' + name,
                       STAND_IN_PROGRAM + body if name == program else 'exit 3\n')

    def doctor(self, *arguments):
        return self.fastsync('doctor', *arguments, library=self.library)

    LOST = ('echo result=lost; echo method=perf; echo rounds=7; echo delays=5; echo seconds=0.10\n'
            'echo still=3.0; echo tokens=1; echo consumers_asleep=8; echo after_broadcast=taken\n'
            'exit 1')
    FINE = ('echo result=none; echo method=perf; echo rounds=900; echo delays=50\n'
            'echo seconds=10.00; exit 0')

    def test_a_fault_of_libc_alone_is_success(self):
        self.answer(self.LOST, self.FINE)
        result = self.doctor('--prove-lost-wakeup')
        self.assert_success(result)
        for words in ('HANGS: 1 token, all 8 waiters asleep for 3 s', 'no hang in 100 times'):
            self.assertIn(words, result.stdout)

    def test_a_fault_of_the_library_is_status_1(self):
        self.answer(self.FINE, self.LOST)
        result = self.doctor('--prove-lost-wakeup')
        self.assertEqual((result.returncode, result.stderr), (1, ''))
        self.assertIn('library: loses wake-ups', result.stdout)

    def test_a_refusal_of_the_machine_is_status_77_with_its_reason(self):
        self.answer('echo "reason=SCHED_FIFO is refused: no"; exit 77', 'exit 3',
                    program='rwlock_spin')
        result = self.doctor('--prove-rwlock-spin')
        self.assertEqual((result.returncode, result.stderr), (77, ''))
        self.assertIn('cannot be shown here: SCHED_FIFO is refused: no', result.stdout)

    def test_the_library_runs_100_times_as_long_as_libc(self):
        say = 'echo "result=none"; echo "seconds=$2"; exit 0'
        self.answer(self.LOST, say)
        for arguments, seconds in (((), 10), (('--seconds', '7'), 7),
                                   (('--seconds', '7', '--long'), 10)):
            result = self.doctor('--prove-lost-wakeup', '--json', '-', *arguments)
            rows = json.loads(result.stdout)['proofs'][0]['rows']
            self.assertEqual(rows[1]['seconds'], seconds, arguments)

    def test_a_program_that_fails_or_runs_without_the_library_is_told(self):
        self.answer('echo "no such file" >&2; exit 2', self.FINE)
        self.assert_one_line(self.doctor('--prove-lost-wakeup'), 1, 'lost_wakeup with libc',
                             'status 2', 'no such file')
        self.answer(self.LOST, 'echo implementation=libc; ' + self.FINE)
        self.assert_one_line(self.doctor('--prove-lost-wakeup'), 1, 'did not run with library')

    def test_what_makes_no_sense_is_refused(self):
        for arguments, word in ((('--long',), '--prove-lost-wakeup'),
                                (('--prove-lost-wakeup', 'program'), 'name no other'),
                                (('--prove-lost-wakeup', '--seconds', 'x'), '--seconds'),
                                (('--prove-lost-wakeup', '--method', 'x'), 'perf, step')):
            self.assert_one_line(self.doctor(*arguments), 2, word)


if __name__ == '__main__':
    support.main()
