# SPDX-License-Identifier: MIT
"""x264 with four frame threads and a lookahead thread: the encoded bytes must not depend on locks."""

import random

import harness

WIDTH, HEIGHT, FRAMES = 640, 360, 120
BOX = 96


def write_video(path):
    """A textured picture that pans, with a box of noise that moves the other way."""
    generator = random.Random(264)
    texture = [
        bytes((x * y // 64 + generator.randrange(12)) & 0xFF for x in range(WIDTH * 2))
        for y in range(HEIGHT)
    ]
    chroma = bytes(range(64, 192)) * (WIDTH * HEIGHT // 2 // 128 + 1)
    with open(path, "wb") as video:
        video.write(b"YUV4MPEG2 W%d H%d F25:1 Ip A1:1 C420\n" % (WIDTH, HEIGHT))
        for frame in range(FRAMES):
            rows = [bytearray(row[frame * 4 : frame * 4 + WIDTH]) for row in texture]
            left = WIDTH - BOX - frame * 4
            for row in rows[HEIGHT // 3 : HEIGHT // 3 + BOX]:
                row[left : left + BOX] = generator.randbytes(BOX)
            video.write(b"FRAME\n" + b"".join(rows))
            video.write(chroma[frame : frame + WIDTH * HEIGHT // 2])


class X264Encode(harness.ProgramTest):
    def test_four_threads_encode_the_same_bytes(self):
        source = self.path("source.y4m")
        write_video(source)

        def action(arm):
            target = self.path(f"{arm}.264")
            argv = ["x264", "--threads", "4", "--preset", "fast", "--no-progress",
                    "-o", target, source]  # fmt: skip
            outcome = harness.run(arm, argv, limit=50)
            self.assertIn(f"encoded {FRAMES} frames", outcome.stderr)
            with open(target, "rb") as file:
                return file.read()

        self.assertGreater(len(self.in_both_arms(action)), 10_000)


if __name__ == "__main__":
    harness.require(x264="x264")
    harness.main()
