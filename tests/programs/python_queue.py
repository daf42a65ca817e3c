# SPDX-License-Identifier: MIT
"""/usr/bin/python3 with six threads: the interpreter's lock, queues, and hashing outside the lock.

The interpreter's own path is given since the first python3 on a PATH may be a wrapper script."""

import os

import harness

INTERPRETER = "/usr/bin/python3"
WORK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "python_queue_work.py")


class PythonQueue(harness.ProgramTest):
    def test_six_threads_find_the_same_sum(self):
        argv = [INTERPRETER, WORK, "100000"]
        output = self.in_both_arms(lambda arm: harness.run(arm, argv, limit=50).stdout.decode())
        self.assertRegex(output, r"^items=100000 sum=\d+ idle=0\n$")


if __name__ == "__main__":
    harness.require(**{INTERPRETER: "python3"})
    harness.main()
