# SPDX-License-Identifier: MIT
"""That the fuzz target finds faults: locks that are wrong on purpose (wrong.c) fail under it, are
shrunk to a few calls, and the printed bytes replay the failure. What the library does under the
fuzz target is left to the other tests of this suite.
"""

import os
import re
import subprocess
import unittest

FUZZ = os.environ["FUZZ_LOCKS"]
WRONG = os.environ["WRONG_LOCKS"]
SHRUNK = re.compile(r"^SHRUNK to (\d+) calls:$", re.M)
REPLAY = re.compile(r"^  replay: fuzz_locks (--replay [0-9a-f]+)$", re.M)
LIMIT = 250


def run(fault, *arguments):
    environment = dict(os.environ, LD_PRELOAD=WRONG, FAULT=fault)
    done = subprocess.run(
        [FUZZ, *arguments], env=environment, timeout=LIMIT, capture_output=True, text=True
    )
    return done.returncode, done.stdout


@unittest.skipUnless(os.access("/proc/self/schedstat", os.R_OK), "no /proc/self/schedstat here")
class Faults(unittest.TestCase):
    def is_found(self, fault, most_calls, *traits):
        status, output = run(fault, "--count", "3000")
        self.assertEqual(status, 1, output)
        shrunk = SHRUNK.search(output)
        self.assertIsNotNone(shrunk, output)
        self.assertLessEqual(int(shrunk.group(1)), most_calls, output)
        for trait in traits:
            self.assertIn(trait, output[shrunk.end() :])
        replay = REPLAY.findall(output)[-1].split()
        status, again = run(fault, *replay, "--no-shrink")
        self.assertEqual(status, 1, again)

    def test_a_broadcast_that_wakes_one_is_found(self):
        self.is_found("narrow-broadcast", 6, "cond_broadcast", "is asleep")

    def test_an_unlock_by_a_stranger_is_found(self):
        self.is_found("unlock-by-stranger", 3, "mutex_unlock")

    def test_a_timeout_before_the_deadline_is_found(self):
        self.is_found("early-timeout", 3, "ETIMEDOUT, before its deadline")

    def test_a_crash_is_found(self):
        self.is_found("crash", 3, "rwlock_tryrdlock", "ended by: Aborted")

    def test_locks_without_a_fault_pass(self):
        status, output = run("none", "--count", "60")
        self.assertEqual(status, 0, output)
        self.assertIn("60 scripts", output)


if __name__ == "__main__":
    unittest.main(verbosity=2)
