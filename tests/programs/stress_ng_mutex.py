# SPDX-License-Identifier: MIT
"""stress-ng --mutex: threads on one mutex that change their scheduling priority as they go."""

import re

import harness

OPERATIONS = 1_000_000


class StressNgMutex(harness.ProgramTest):
    def test_four_threads_do_all_operations(self):
        def action(arm):
            argv = ["stress-ng", "--mutex", "1", "--mutex-procs", "4",
                    "--mutex-ops", str(OPERATIONS), "--timeout", "60",
                    "--metrics-brief", "--stdout", "--temp-path", self.folder]  # fmt: skip
            outcome = harness.run(arm, argv, limit=50)
            output = outcome.stdout.decode() + outcome.stderr
            self.assertIn("successful run completed", output)
            done = re.search(r"metrc:.*\bmutex\s+(\d+)", output)
            self.assertIsNotNone(done, output)
            self.assertGreaterEqual(int(done.group(1)), OPERATIONS)
            return re.findall(r"\b(?:fail|unfinished).*", output)

        self.assertEqual(self.in_both_arms(action), [])


if __name__ == "__main__":
    harness.require(**{"stress-ng": "stress-ng"})
    harness.main()
