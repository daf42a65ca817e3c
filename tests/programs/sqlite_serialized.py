# SPDX-License-Identifier: MIT
"""sqlite3 in serialized mode: four threads, in-memory databases, recursive and static mutexes."""

import os

import harness

THREADS = 4
ROWS = 120_000


class SqliteSerialized(harness.ProgramTest):
    def rows(self, mode):
        driver = os.environ["FASTSYNC_SQLITE_DRIVER"]
        argv = [driver, mode, str(THREADS), str(ROWS)]
        output = self.in_both_arms(lambda arm: harness.run(arm, argv, limit=50).stdout.decode())
        return dict(line.split("=", 1) for line in output.split())

    def test_four_threads_on_one_connection_write_all_their_rows(self):
        found = self.rows("shared")
        self.assertEqual(found["rows"], str(THREADS * ROWS))
        self.assertEqual(found["missing"], "0")

    def test_a_connection_per_thread_writes_all_its_rows(self):
        found = self.rows("private")
        self.assertEqual(found["rows"], str(THREADS * ROWS))
        self.assertEqual(found["missing"], "0")


if __name__ == "__main__":
    if not os.environ.get("FASTSYNC_SQLITE_DRIVER"):
        harness.missing_packages("sqlite3.h, to build sqlite_threads", ["libsqlite3-dev"])
    harness.main()
