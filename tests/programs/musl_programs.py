# SPDX-License-Identifier: MIT
"""zstd, built for musl, with several threads: the same compressed bytes, and the data back from them.

scripts/test-targets builds it and names its folder in FASTSYNC_TARGET_PROGRAMS.
"""

import os
import subprocess
import sys
import unittest

import compressors
import harness

FOLDER = os.environ.get("FASTSYNC_TARGET_PROGRAMS", "")
ZSTD = os.path.join(FOLDER, "zstd")


class Zstd(compressors.RoundTrip):
    def test_it_is_a_program_of_musl(self):
        shown = subprocess.run(["readelf", "-lW", ZSTD], capture_output=True, text=True, check=True)
        self.assertIn("/lib/ld-musl-", shown.stdout)

    def test_two_workers_at_a_middle_level(self):
        self.round_trip([ZSTD, "-T2", "-5", "-q", "-c"], [ZSTD, "-q", "-d", "-c"])

    def test_sixteen_workers_with_small_jobs(self):
        """More threads than processors, which meet after every half megabyte."""
        self.round_trip([ZSTD, "-T16", "-1", "-B512K", "-q", "-c"], [ZSTD, "-q", "-d", "-c"])


if __name__ == "__main__":
    if not FOLDER:
        reason = os.environ.get("FASTSYNC_NO_TARGET_PROGRAMS", "scripts/test-targets builds them")
        print(f"SKIP musl_programs: {reason}")
        sys.exit(77)
    harness.library()
    unittest.main(verbosity=2)
