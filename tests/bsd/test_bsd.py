#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The library's objects for one BSD on one processor: built, linked, and run over doubles.

The programs are the futex contract, a crowd on the native locks, and unit tests of the locks; then
seeded mistakes (mistakes.toml), each of which a program must notice. How it is built is in
targets.py.

usage: test_bsd.py SYSTEM PROCESSOR SOURCE_ROOT BUILD_DIR [-DNAME]... FILE...
"""

import concurrent.futures
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
import unittest

import targets

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))

from seeded import changed_text  # noqa: E402

# Seconds. A program ends its tests by itself much earlier.
LIMIT = 200
# In place of each test's own limit while mistakes are looked for: what hangs is noticed soon. The
# sources without a mistake have to pass with it.
HASTY = "0.3"

PROGRAMS = {
    "contract": "bsd/contract.c",
    "crowd": "bsd/crowd.c",
    "word_lock": "unit/test_word_lock.c",
    "rwlock_word": "unit/test_rwlock_word.c",
    "native_locks": "unit/test_native_locks.c",
    "native_condition": "unit/test_native_condition.c",
}
# These are about waking by bits.
PROGRAMS_WITH_BITS = {
    "waiter_group": "unit/test_waiter_group.c",
    "word_lock_hunger": "unit/test_word_lock_hunger.c",
    "mutex_debt": "unit/test_mutex_debt.c",
}


# What the emulator of a foreign processor cannot do.
NO_WIPING = "qemu does not hand MADV_WIPEONFORK on"
EMULATOR_SKIPS = {
    "a_fork_child_finds_the_memory_wiped": NO_WIPING,
    "a_fork_child_finds_no_waiters_and_no_lock_held": NO_WIPING,
    "a_fork_child_waits_and_wakes_by_itself":
        "qemu ends when the fork child of several threads starts one",
    "without_memory_a_wait_ends_without_a_reason": "qemu itself needs the memory of RLIMIT_AS",
    "without_memory_there_is_no_bucket_and_no_slot": "qemu itself needs the memory of RLIMIT_AS",
}
# Under it only these are run, unless FASTSYNC_SOAK is set.
EMULATED = ("contract", "crowd", "native_locks", "native_condition")


def missing_tools(processor):
    names = [targets.tool(name) for name in ("clang", "ld.lld", "llvm-nm", "llvm-objcopy")]
    names += targets.HOST_COMPILERS[processor][:1] + targets.EMULATORS[processor]
    return [name for name in names if not shutil.which(name)]


def run_program(target, path, **environment):
    """The finished program. What it has left running ends with it: it has a process group of its
    own, and writes to files, so that nobody waits for what is left."""
    command = targets.EMULATORS[target.processor] + [path]
    if len(command) > 1:
        environment["FS_SKIP"] = "\n".join(f"{name}: {why}" for name, why in EMULATOR_SKIPS.items())
        environment["FS_TIME_FACTOR"] = "4"
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                              env=os.environ | environment, start_new_session=True) as program:
            try:
                status = program.wait(LIMIT)
            except subprocess.TimeoutExpired:
                status = 1
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(command, status, out.read(), err.read())


class Bsd(unittest.TestCase):
    target = None

    @classmethod
    def setUpClass(cls):
        shutil.rmtree(cls.target.out, ignore_errors=True)
        os.makedirs(cls.target.out)
        cls.target.compile()
        cls.target.join()
        cls.programs = dict(PROGRAMS)
        if cls.target.system == "netbsd":
            cls.programs.update(PROGRAMS_WITH_BITS)

    def expect_pass(self, name, **environment):
        done = run_program(self.target, self.target.program(name, self.programs[name]),
                           **environment)
        print(done.stdout, end="", flush=True)
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        self.assertRegex(done.stdout, r"(?m)^100%: Checks: [1-9]")

    def test_links_with_nothing_but_libc(self):
        needed = self.target.link()
        self.assertLess({"abort", "mmap"}, needed)

    def test_an_unknown_call_is_refused(self):
        calls = targets.CALLS[self.target.system]
        calls.remove("mmap")
        try:
            with self.assertRaisesRegex(targets.BuildError, "unknown calls: mmap"):
                self.target.link()
        finally:
            calls.add("mmap")

    def test_exports_the_public_calls(self):
        self.target.link()
        declared = set()
        headers = os.path.join(self.target.source, "include/fastsync")
        for name in os.listdir(headers):
            if name.endswith(".h"):
                with open(os.path.join(headers, name), encoding="utf-8") as file:
                    declared |= set(re.findall(r"^\w.*?\b(fastsync_\w+)\(", file.read(), re.M))
        self.assertIn("fastsync_cond_wait", declared)
        self.assertEqual(self.target.exported(), declared)

    def test_crowd_disturbed(self):
        self.expect_pass("crowd", FASTSYNC_DISTURB="1")

    def test_seeded_mistakes_are_noticed(self):
        with open(os.path.join(HERE, "mistakes.toml"), "rb") as file:
            mistakes = [mistake for mistake in tomllib.load(file)["mistake"]
                        if mistake["system"] in ("all", self.target.system)]
        self.assertGreaterEqual(len(mistakes), 5)
        for name in ("contract", "crowd"):
            self.target.program(name, self.programs[name])
        nothing = {"name": "none", "file": mistakes[0]["file"]}
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            noticed = list(pool.map(self.noticed_by, [nothing] + mistakes,
                                    range(len(mistakes) + 1)))
        self.assertEqual(noticed[0], "", "the sources without a mistake fail")
        for mistake, program in zip(mistakes, noticed[1:]):
            print(f"mistake: {mistake['name']}: noticed by {program or 'NOBODY'}", flush=True)
            with self.subTest(mistake["name"]):
                self.assertTrue(program)

    def noticed_by(self, mistake, number):
        """The program that fails with this mistake, or "" when all pass."""
        plain = self.target
        overlay = os.path.join(plain.out, f"mistake{number}")
        if "old" in mistake:
            changed = os.path.join(overlay, mistake["file"])
            os.makedirs(os.path.dirname(changed))
            with open(changed, "w", encoding="utf-8") as file:
                file.write(changed_text(mistake["name"], plain.source, mistake["file"],
                                        mistake["old"], mistake["new"]))
        target = targets.Target(plain.system, plain.processor, plain.source, overlay, plain.names,
                                plain.defines)
        for path in plain.objects():
            shutil.copy(path, overlay)
        target.compile({f"src/futex/{plain.system}.c", "src/futex/posix_system.c"}, overlay)
        target.join()
        disturbed = {"FASTSYNC_DISTURB": "1"}
        runs = [("contract", {}), ("crowd", disturbed)]
        if plain.system == "openbsd":
            runs.append(("contract", {"FASTSYNC_OLD": "1"}))
        for name, environment in runs:
            path = target.program(name, self.programs[name], tests_of=plain)
            if run_program(target, path, FS_FIRST_FAILURE="1", FS_TIME_FACTOR=HASTY,
                           **environment).returncode != 0:
                return name
        return ""


def expect_errors_as_results(self):
    """Older systems of OpenBSD return them, later ones set errno."""
    self.expect_pass("contract", FASTSYNC_OLD="1")
    self.expect_pass("crowd", FASTSYNC_OLD="1", FASTSYNC_DISTURB="1")


def add_program_tests(system, processor):
    names = list(PROGRAMS) + (list(PROGRAMS_WITH_BITS) if system == "netbsd" else [])
    if targets.EMULATORS[processor] and "FASTSYNC_SOAK" not in os.environ:
        names = EMULATED
    if system == "openbsd":
        Bsd.test_errors_as_results = expect_errors_as_results
    for name in names:
        setattr(Bsd, f"test_program_{name}", lambda self, name=name: self.expect_pass(name))


def main():
    system, processor, source, out, *rest = sys.argv[1:]
    missing = missing_tools(processor)
    if missing:
        print(f"SKIP bsd_{system}_{processor}: not installed: {' '.join(missing)}")
        return 77
    source = os.path.abspath(source)
    names = [os.path.relpath(os.path.abspath(name), source) for name in rest if name[:2] != "-D"]
    defines = [name for name in rest if name[:2] == "-D"]
    Bsd.target = targets.Target(system, processor, source, out, names, defines)
    add_program_tests(system, processor)
    if processor != "x86_64":  # the same sources: what they mistake was seen natively
        del Bsd.test_seeded_mistakes_are_noticed
    unittest.main(argv=[sys.argv[0], "-v"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
