#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Programs for Windows as others have built them, under Wine with FASTSYNC_GROUPS=win32: 7-Zip, and
with FASTSYNC_SOAK=1 ffmpeg and Node. What they put out is the same without and with the library, and
the counts prove that it answered their calls.

usage: test_downloads.py FOLDER LIBRARY LAUNCHER
"""
import hashlib
import os
import random
import shutil
import sys
import tempfile
import unittest
import unittest.mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "redirect"))

import downloads  # noqa: E402
import wine  # noqa: E402

RUN = "fastsync-run.exe"
SOAK = os.environ.get("FASTSYNC_SOAK") == "1"
IN_SOAK = unittest.skipUnless(SOAK, "a large download, run by --soak")
VIDEO = ("-nostdin -v error -f lavfi -i testsrc2=duration=4:size=640x360:rate=25 -c:v libx264 "
         "-threads 4 -bitexact").split()


class Downloaded(unittest.TestCase):
    wine = None
    files = ()

    @classmethod
    def setUpClass(cls):
        cls.wine.fill(cls.files)
        cls.wine.start()

    def fetch(self, program):
        folder = os.path.join(os.path.dirname(self.wine.folder), "downloads")
        try:
            shutil.copy(downloads.fetched(program, folder), self.wine.folder)
        except downloads.Unreachable as error:
            self.skipTest(str(error))

    def passes(self, done):
        self.assertEqual(done.returncode, 0, done.stdout[-800:] + done.stderr[-800:])
        return done

    def plain(self, *command, **settings):
        done = self.passes(self.wine.run(*command, **settings))
        self.assertEqual(wine.counts(done), {})
        return done.stdout

    def counted(self, *command, groups="win32", least=(), **settings):
        """What it prints with the library, once the counts have shown these calls."""
        done = self.passes(self.wine.run(RUN, "--require", *command, FASTSYNC_GROUPS=groups,
                                         FASTSYNC_STATS="1", **settings))
        self.assertEqual(wine.complaints(done), [])
        [calls] = wine.counts(done).values()
        for name, number in dict(least).items():
            self.assertGreaterEqual(calls.get(name, 0), number, name)
        self.assertEqual(calls["RtlEnterCriticalSection"] +
                         calls.get("RtlTryEnterCriticalSection", 0) -
                         calls["RtlLeaveCriticalSection"], 0)
        return done.stdout

    # ---- 7-Zip ----

    def make_texts(self):
        """Four files that are worth compressing, the same ones each time."""
        generator = random.Random(7)
        words = ["".join(generator.choices("abcdefghij", k=generator.randint(2, 9)))
                 for _ in range(2000)]
        folder = os.path.join(self.wine.folder, "texts")
        os.makedirs(folder)
        for number in range(4):
            with open(os.path.join(folder, f"{number}.txt"), "w", encoding="ascii") as file:
                file.write(" ".join(generator.choices(words, k=120000)))
        return folder

    def read(self, *names):
        with open(os.path.join(self.wine.folder, *names), "rb") as file:
            return file.read()

    def test_seven_zip_packs_and_unpacks(self):
        self.fetch(downloads.SEVEN_ZIP)
        folder = self.make_texts()
        pack = ("7za.exe", "a", "-bd", "-mx=1", "-mmt=4", "-t7z", "-m0=lzma2:c=512k")
        self.plain(*pack, "plain.7z", "texts")
        self.counted(*pack, "ours.7z", "texts",
                     least={"RtlInitializeCriticalSection": 4, "RtlEnterCriticalSection": 100})
        self.assertTrue(self.read("plain.7z") == self.read("ours.7z"), "the archives differ")
        self.plain("7za.exe", "x", "-bd", "-mmt=4", "-oplain", "ours.7z")
        self.counted("7za.exe", "x", "-bd", "-mmt=4", "-oours", "plain.7z", groups="pthread,win32",
                     least={"RtlEnterCriticalSection": 4})
        for name in os.listdir(folder):
            text = self.read("texts", name)
            for unpacked in ("plain", "ours"):
                self.assertTrue(self.read(unpacked, "texts", name) == text, f"{unpacked} {name}")

    def test_seven_zip_with_threads_for_each_file_and_block(self):
        self.fetch(downloads.SEVEN_ZIP)
        if not os.path.exists(os.path.join(self.wine.folder, "texts")):
            self.make_texts()
        for kind, packed in (("zip", "texts"), ("bzip2", "texts\\1.txt")):
            pack = ("7za.exe", "a", "-bd", "-mx=3", "-mmt=4", f"-t{kind}")
            self.plain(*pack, f"plain.{kind}", packed)
            self.counted(*pack, f"ours.{kind}", packed, least={"RtlEnterCriticalSection": 10})
            self.assertTrue(self.read(f"plain.{kind}") == self.read(f"ours.{kind}"), kind)

    # ---- large ones ----

    @IN_SOAK
    def test_ffmpeg_encodes(self):
        self.fetch(downloads.FFMPEG)
        for output in (("-preset", "medium", "-f", "md5", "-"),
                       ("-preset", "ultrafast", "-f", "md5", "-")):
            plain = self.plain("ffmpeg.exe", *VIDEO, *output)
            self.assertRegex(plain, r"^MD5=[0-9a-f]{32}\s*$")
            ours = self.counted("ffmpeg.exe", *VIDEO, *output, least={
                "RtlEnterCriticalSection": 1000, "SleepConditionVariableCS": 1,
                "RtlWakeAllConditionVariable": 100})
            self.assertEqual(ours, plain)

    @IN_SOAK
    def test_node_with_worker_threads(self):
        self.fetch(downloads.NODE)
        shutil.copy(os.path.join(HERE, "hash_blocks.js"), self.wine.folder)
        settings = {"NODE_SKIP_PLATFORM_CHECK": "1"}  # Wine 8 reports Windows 7
        plain = self.plain("node.exe", "hash_blocks.js", **settings)
        self.assertRegex(plain, r"^400 blocks [0-9a-f]{64}\s*$")
        for _ in range(5):
            ours = self.counted("node.exe", "hash_blocks.js", least={
                "RtlEnterCriticalSection": 1000, "RtlAcquireSRWLockExclusive": 1000,
                "SleepConditionVariableCS": 1, "RtlWakeConditionVariable": 1}, **settings)
            self.assertEqual(ours, plain)


class Fetching(unittest.TestCase):
    """Without a network."""

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.program = downloads.Program("x@1", "package/x.exe", hashlib.sha256(b"x").hexdigest())
        self.addCleanup(downloads.unreachable.clear)

    def test_a_file_with_another_hash_is_a_failure(self):
        with open(os.path.join(self.folder, "x.exe"), "wb") as file:
            file.write(b"y")
        with self.assertRaisesRegex(AssertionError, "is not the program of x@1"):
            downloads.fetched(self.program, self.folder)

    def test_without_npm_there_is_a_reason(self):
        with unittest.mock.patch.dict(os.environ, PATH="/nonexistent"), \
                self.assertRaisesRegex(downloads.Unreachable, "npm is not installed"):
            downloads.fetched(self.program, self.folder)
        self.assertEqual(os.listdir(self.folder), [])

    def test_npm_that_fails_is_a_reason(self):
        with unittest.mock.patch.object(downloads.shutil, "which", return_value="npm"), \
                unittest.mock.patch.object(downloads.subprocess, "run",
                                           return_value=unittest.mock.Mock(returncode=1)) as npm:
            for _ in range(2):
                with self.assertRaisesRegex(downloads.Unreachable, "npm cannot fetch x@1"):
                    downloads.fetched(self.program, self.folder)
        self.assertEqual(npm.call_count, 1)


def main():
    folder, *files = sys.argv[1:]
    Downloaded.wine, Downloaded.files = wine.Wine("x86_64", folder), files
    wine.LIMIT = 300 if SOAK else wine.LIMIT
    missing = Downloaded.wine.missing()
    if missing:
        print(f"SKIP windows_downloads: {missing}")
        return 77
    unittest.main(argv=[sys.argv[0], "-v"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
