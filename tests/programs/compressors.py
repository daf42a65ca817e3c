# SPDX-License-Identifier: MIT
"""xz, pigz and zstd with several threads: the same compressed bytes, and the data back from them."""

import random

import harness

SIZE = 30 * 1024 * 1024


def make_data():
    """Text-like and noisy stretches in turn, so that blocks take unequal times."""
    generator = random.Random(30)
    words = [generator.randbytes(generator.randrange(2, 12)).hex().encode() for _ in range(4000)]
    parts = []
    while sum(map(len, parts)) < SIZE:
        parts.append(b" ".join(generator.choices(words, k=60_000)))
        parts.append(generator.randbytes(100_000))
    return b"".join(parts)[:SIZE]


class RoundTrip(harness.ProgramTest):
    @classmethod
    def setUpClass(cls):
        cls.data = make_data()

    def round_trip(self, compress, decompress):
        original = self.path("data")
        with open(original, "wb") as file:
            file.write(self.data)
        packed = self.in_both_arms(lambda arm: harness.run(arm, compress, 50, original).stdout)
        self.assertLess(len(packed), SIZE)
        with open(self.path("packed"), "wb") as file:
            file.write(packed)
        back = self.in_both_arms(
            lambda arm: harness.run(arm, decompress, 50, self.path("packed")).stdout
        )
        self.assertTrue(back == self.data, "the data did not come back")


class Compressors(RoundTrip):
    def test_xz_with_two_threads(self):
        self.round_trip(
            ["xz", "-T2", "-0", "--block-size=1MiB", "-c"], ["xz", "-T2", "-d", "-c"]
        )

    def test_pigz_with_four_threads(self):
        self.round_trip(
            ["pigz", "-p", "4", "-4", "--no-name", "--no-time", "-c"], ["pigz", "-p", "4", "-dc"]
        )

    def test_zstd_with_two_threads(self):
        self.round_trip(["zstd", "-T2", "-5", "-q", "-c"], ["zstd", "-T2", "-q", "-d", "-c"])


if __name__ == "__main__":
    harness.require(xz="xz-utils", pigz="pigz", zstd="zstd")
    harness.main()
