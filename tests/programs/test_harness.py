# SPDX-License-Identifier: MIT
"""The harness itself: each way in which an arm can go wrong must be noticed, and leave nothing."""

import os
import subprocess
import sys
import time
import unittest

import harness

SERVER = """
import signal, socket, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN if 'deaf' in sys.argv else lambda *_: sys.exit(0))
with socket.create_server(('127.0.0.1', int(sys.argv[1]))) as listener:
    while True:
        listener.accept()[0].close()
"""


def python_server(*words):
    return lambda port: ["/usr/bin/python3", "-c", SERVER, str(port), *words]


class Harness(unittest.TestCase):
    def test_the_library_announces_itself_once_and_only_in_its_arm(self):
        for arm in harness.ARMS:
            self.assertEqual(harness.run(arm, ["echo", "same"]).stdout, b"same\n")

    def test_a_silent_library_is_noticed(self):
        with self.assertRaisesRegex(AssertionError, "0 lines of the library"):
            harness.check_arm(harness.LIBRARY, ["program"], "nothing\n")

    def test_a_library_in_the_plain_arm_is_noticed(self):
        with self.assertRaisesRegex(AssertionError, "1 lines of the library"):
            harness.run(harness.PLAIN, ["sh", "-c", "echo fastsync >&2"])

    def test_an_exit_status_is_noticed(self):
        with self.assertRaisesRegex(AssertionError, "exit status 3"):
            harness.run(harness.PLAIN, ["sh", "-c", "exit 3"])

    def test_a_program_that_hangs_is_ended(self):
        with self.assertRaisesRegex(AssertionError, "limit of 1 s"):
            harness.run(harness.PLAIN, ["sleep", "60"], limit=1)

    def test_different_outputs_are_noticed(self):
        class Program(harness.ProgramTest):
            def runTest(self):
                self.in_both_arms(lambda arm: arm.encode())

        result = unittest.TestResult()
        Program().run(result)
        self.assertEqual(len(result.failures), 1)

    def test_a_server_is_ended(self):
        for arm in harness.ARMS:
            with harness.server(arm, python_server()) as port:
                self.assertTrue(harness.answers(port))
            self.assertFalse(harness.answers(port))

    def test_a_server_deaf_to_SIGTERM_is_ended_and_noticed(self):
        with self.assertRaisesRegex(AssertionError, "limit"):
            with harness.server(harness.PLAIN, python_server("deaf")) as port:
                pass
        self.assertFalse(harness.answers(port))

    def test_a_server_that_never_answers_is_noticed(self):
        with self.assertRaisesRegex(AssertionError, "does not answer"):
            with harness.server(harness.PLAIN, lambda port: ["false"]):
                pass

    def test_a_server_ends_with_a_test_that_is_told_to_end(self):
        code = (
            "import harness, signal, sys, time\n"
            "signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))\n"
            f"start = lambda port: ['/usr/bin/python3', '-c', {SERVER!r}, str(port)]\n"
            "with harness.server(harness.PLAIN, start) as port:\n"
            "    print(port, flush=True)\n"
            "    time.sleep(60)\n"
        )
        argv = [sys.executable, "-c", code]
        folder = os.path.dirname(os.path.abspath(__file__))
        with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=folder) as process:
            port = int(process.stdout.readline())
            self.assertTrue(harness.answers(port))
            process.terminate()
            process.wait(30)
        until = time.monotonic() + 10
        while harness.answers(port) and time.monotonic() < until:
            time.sleep(0.1)
        self.assertFalse(harness.answers(port))


if __name__ == "__main__":
    harness.main()
