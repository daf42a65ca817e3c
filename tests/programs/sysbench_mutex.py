# SPDX-License-Identifier: MIT
"""sysbench mutex: threads that do nothing but lock and unlock normal mutexes."""

import re

import harness


class SysbenchMutex(harness.ProgramTest):
    def events(self, threads, mutexes, locks):
        def action(arm):
            argv = [
                "sysbench", "mutex", f"--threads={threads}", f"--mutex-num={mutexes}",
                f"--mutex-locks={locks}", "--mutex-loops=0", "run",
            ]  # fmt: skip
            output = harness.run(arm, argv, limit=50).stdout.decode()
            found = re.search(r"total number of events:\s*(\d+)", output)
            self.assertIsNotNone(found, output)
            return int(found.group(1))

        return self.in_both_arms(action)

    def test_two_threads_on_one_mutex_finish_both_events(self):
        self.assertEqual(self.events(threads=2, mutexes=1, locks=20_000_000), 2)

    def test_eight_threads_on_four_mutexes_finish_all_events(self):
        self.assertEqual(self.events(threads=8, mutexes=4, locks=2_000_000), 8)


if __name__ == "__main__":
    harness.require(sysbench="sysbench")
    harness.main()
