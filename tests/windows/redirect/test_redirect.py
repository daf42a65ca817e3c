#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Redirection and the launcher under Wine: every way to winpthreads, proven by the counts.

Each program first has to pass without the library. Then fastsync-run.exe starts it, and the counts
of FASTSYNC_STATS=1 must be the numbers of calls that its source makes.

usage: test_redirect.py PROCESSOR FOLDER DROP_IN FILE...
"""
import os
import re
import shutil
import subprocess
import sys
import unittest

import wine

# The calls of locks.c; a wait may be repeated.
USED = {
    "pthread_mutex_init": 1, "pthread_mutex_destroy": 1, "pthread_mutex_lock": 4,
    "pthread_mutex_trylock": 1, "pthread_mutex_timedlock": 1, "pthread_mutex_unlock": 4,
    "pthread_cond_init": 1, "pthread_cond_destroy": 1, "pthread_cond_timedwait": 1,
    "pthread_cond_timedwait_relative_np": 1, "pthread_cond_signal": 1, "pthread_cond_broadcast": 1,
    "pthread_rwlock_init": 1, "pthread_rwlock_destroy": 1, "pthread_rwlock_rdlock": 1,
    "pthread_rwlock_tryrdlock": 1, "pthread_rwlock_timedrdlock": 1, "pthread_rwlock_wrlock": 1,
    "pthread_rwlock_trywrlock": 1, "pthread_rwlock_timedwrlock": 1, "pthread_rwlock_unlock": 4,
    "pthread_cancel": 1, "pthread_kill": 1, "pthread_setcanceltype": 1,
}
OF_WINDOWS = ("GetProcAddress", "CreateProcessA", "CreateProcessW")
PAIRS = {"pthread_mutex_lock": 3, "pthread_mutex_unlock": 3}  # of most other programs
IMPORTS, LATER, LOOKUPS, EXPORTS = 1, 2, 4, 8  # of windows_redirect.h


class Redirect(unittest.TestCase):
    wine = None
    files = ()  # the library and the launcher first
    library = launcher = ""

    @classmethod
    def setUpClass(cls):
        cls.library, cls.launcher = (os.path.basename(path) for path in cls.files[:2])
        cls.wine.fill(cls.files)
        cls.wine.start()

    def launch(self, *words, **settings):
        return self.wine.run(self.launcher, *words, **settings)

    def passes(self, done):
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def counted(self, *command, folder=None, **settings):
        """What the program counts with the library, when it passes without as well."""
        plain = self.passes(self.wine.run(*command, folder=folder))
        self.assertEqual(wine.counts(plain), {})
        done = self.passes(self.launch(*command, folder=folder, FASTSYNC_STATS="1", **settings))
        self.assertEqual(done.stdout, plain.stdout)
        return done

    def calls(self, done):
        """The calls of winpthreads' functions of the one process."""
        processes = list(wine.counts(done).values())
        self.assertEqual(len(processes), 1, done.stderr)
        return {name: calls for name, calls in processes[0].items()
                if calls and name not in OF_WINDOWS}

    def assert_used(self, calls):
        calls = dict(calls)
        self.assertGreaterEqual(calls.pop("pthread_cond_wait", 0), 1)
        self.assertEqual(calls, USED)

    # ---- ways to a function ----

    def test_static_import(self):
        self.assert_used(self.calls(self.counted("imports.exe")))

    def test_every_function_of_the_list_is_used(self):
        done = self.counted("imports.exe")
        [seen] = wine.counts(done).values()
        self.assertEqual({name for name in seen if name not in OF_WINDOWS},
                         set(USED) | {"pthread_cond_wait"})

    def test_lookup_by_name_of_a_module_loaded_later(self):
        done = self.counted("lookup.exe", "pthread_mutex_lock", "pthread_mutex_unlock")
        self.assertEqual(self.calls(done), PAIRS)

    def test_lookup_by_ordinal(self):
        numbers = self.ordinals()
        done = self.counted("lookup.exe", numbers["pthread_mutex_lock"],
                            numbers["pthread_mutex_unlock"])
        self.assertEqual(self.calls(done), PAIRS)

    def test_a_module_that_is_unloaded_and_loaded_again(self):
        done = self.counted("lookup.exe", "--twice", "pthread_mutex_lock", "pthread_mutex_unlock")
        self.assertEqual(self.calls(done), {name: 2 * calls for name, calls in PAIRS.items()})

    def test_functions_that_another_module_hands_on(self):
        done = self.counted("lookup.exe", "--handed-on", "handed_on.dll", "lock", "unlock")
        self.assertEqual(self.calls(done), PAIRS)

    def test_plugin_that_brings_winpthreads(self):
        self.assert_used(self.calls(self.counted("host.exe")))

    def test_cxx_mutex_and_the_waiting_inside_libstdcxx(self):
        calls = self.calls(self.counted("cxx.exe"))
        for name in ("pthread_mutex_lock", "pthread_mutex_unlock", "pthread_cond_signal"):
            self.assertGreaterEqual(calls.get(name, 0), 1, name)
        # The thread cannot have come before the wait: it needs the mutex.
        self.assertGreaterEqual(calls.get("pthread_cond_wait", 0), 1)

    def test_locks_taken_when_a_library_is_loaded(self):
        self.assertEqual(self.calls(self.counted("early_main.exe")), PAIRS)

    def ordinals(self):
        text = subprocess.run([f"{self.wine.triplet}-objdump", "-p",
                               os.path.join(self.wine.folder, "libwinpthread-1.dll")],
                              capture_output=True, text=True, check=True).stdout
        table = text.partition("[Ordinal/Name Pointer] Table")[2]
        base = int(re.search(r"Ordinal Base\s+(\d+)", text)[1])
        return {name: str(int(number) + base)
                for number, name in re.findall(r"\[\s*(\d+)\] (\w+)", table)}

    # ---- the transaction ----

    def test_each_step_fails_once_and_all_is_as_it_was(self):
        done = self.passes(self.launch("--library", "faults.dll", "imports.exe",
                                       FASTSYNC_STATS="1", TEST_FAULTS="1"))
        [line] = wine.complaints(done)
        failed, wrong = re.fullmatch(r"fastsync: faults: (\d+) taken back, (\d+) wrong",
                                     line).groups()
        print(f"{failed} steps failed", flush=True)
        self.assertEqual(wrong, "0")
        self.assertGreater(int(failed), 2 * len(USED))
        self.assert_used(self.calls(done))

    def calls_by(self, ways, *command):
        return self.calls(self.passes(self.launch("--library", "faults.dll", *command,
                                                  FASTSYNC_STATS="1", TEST_WAYS=str(ways))))

    def test_each_way_by_itself(self):
        names = ("pthread_mutex_lock", "pthread_mutex_unlock")
        self.assert_used(self.calls_by(IMPORTS, "imports.exe"))
        self.assertEqual(self.calls_by(EXPORTS, "imports.exe"), {})
        self.assert_used(self.calls_by(IMPORTS + LATER, "host.exe"))
        self.assertEqual(self.calls_by(IMPORTS, "host.exe"), {})
        self.assertEqual(self.calls_by(EXPORTS + LATER, "lookup.exe", *names), PAIRS)
        self.assertEqual(self.calls_by(IMPORTS + LATER + LOOKUPS, "lookup.exe", *names), PAIRS)
        self.assertEqual(self.calls_by(IMPORTS + LATER, "lookup.exe", *names), {})

    def test_counts_of_more_than_32_bits(self):
        if self.wine.triplet.startswith("i686"):
            self.skipTest("a counter has 32 bits")
        done = self.passes(self.launch("--library", "faults.dll", "imports.exe",
                                       FASTSYNC_STATS="1", TEST_COUNT="1"))
        self.assertEqual(self.calls(done)["pthread_mutex_init"], 5000000001)

    def test_an_import_table_is_longer_than_its_directory_says(self):
        for size in (0, 20):
            self.make_file(f"short{size}.dll", self.set_directory(1, size), "plugin.dll")
            self.assert_used(self.calls_by(IMPORTS + LATER, "host.exe", f"short{size}.dll"))

    def test_a_library_that_is_loaded_late_redirects_nothing(self):
        done = self.passes(self.wine.run("late.exe", self.library, FASTSYNC_STATS="1"))
        [line] = wine.complaints(done)
        self.assertIn("loaded after the program's start", line)
        self.assertEqual(wine.counts(done), {})
        self.assertNotIn("stayed", done.stdout)
        done = self.passes(self.wine.run("late.exe", self.library, FASTSYNC="0"))
        self.assertEqual(done.stderr, "")

    # ---- other versions of winpthreads ----

    def without(self, name):
        """A folder with a winpthreads that has that function under another name."""
        folder = os.path.join(self.wine.folder, "without")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.wine.folder, folder,
                        ignore=shutil.ignore_patterns("drop-in", "alone", "without"))
        path = os.path.join(folder, "libwinpthread-1.dll")
        with open(path, "rb") as file:
            data = file.read()
        parts = data.split(b"\0%b\0" % name.encode())
        self.assertGreater(len(parts), 1)
        with open(path, "wb") as file:  # the table stays in order
            file.write((b"\0%b_\0" % name[:-1].encode()).join(parts))
        return folder

    def test_a_winpthreads_that_cannot_tell_the_clock_of_a_condition_variable(self):
        done = self.counted("imports.exe", folder=self.without("pthread_condattr_getclock"))
        self.assert_used(self.calls(done))

    def test_a_winpthreads_that_lacks_a_call_is_left_alone_as_a_whole(self):
        done = self.passes(self.launch("imports.exe", FASTSYNC_STATS="1",
                                       folder=self.without("pthread_gethandle")))
        self.assertEqual(wine.counts(done), {})
        self.assertIn("pthread_gethandle is not there", done.stderr)

    # ---- the drop-in ----

    def test_drop_in_without_its_originals_ends_the_process(self):
        folder = os.path.join(self.wine.folder, "no-originals")
        shutil.copytree(self.drop_in_folder(), folder)
        original = os.path.join(folder, "libwinpthread-1-original.dll")
        with open(original, "rb") as file:
            data = file.read()
        self.assertIn(b"\0pthread_rwlock_wrlock\0", data)
        with open(original, "wb") as file:
            file.write(data.replace(b"\0pthread_rwlock_wrlock\0", b"\0pthread_rwlock_wrlocl\0"))
        done = self.wine.run("imports.exe", folder=folder)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        [line] = wine.complaints(done)
        self.assertIn("pthread_rwlock_wrlock is not there", line)

    def drop_in_folder(self):
        """A folder as its user makes it."""
        folder = os.path.join(self.wine.folder, "drop-in")
        if not os.path.exists(folder):
            shutil.copytree(self.wine.folder, folder,
                            ignore=shutil.ignore_patterns("drop-in", "alone", "without",
                                                          "libwinpthread-*"))
            shutil.copy(os.path.join(self.wine.folder, "libwinpthread-1.dll"),
                        os.path.join(folder, "libwinpthread-1-original.dll"))
            shutil.copy(DROP_IN, os.path.join(folder, "libwinpthread-1.dll"))
        return folder

    def test_drop_in_beside_a_program(self):
        folder = self.drop_in_folder()
        done = self.passes(self.wine.run("imports.exe", folder=folder, FASTSYNC_STATS="1"))
        self.assert_used(self.calls(done))
        done = self.passes(self.wine.run("cxx.exe", folder=folder, FASTSYNC_STATS="1"))
        self.assertGreaterEqual(self.calls(done).get("pthread_cond_wait", 0), 1)

    def test_drop_in_by_name_and_number(self):
        numbers = self.ordinals()
        names = ("pthread_mutex_lock", "pthread_mutex_unlock")
        for words in (names, [numbers[name] for name in names]):
            self.passes(self.wine.run("lookup.exe", *words, folder=self.drop_in_folder()))

    def test_drop_in_that_is_switched_off_counts_and_says_nothing(self):
        done = self.passes(self.wine.run("imports.exe", folder=self.drop_in_folder(),
                                         FASTSYNC="0", FASTSYNC_STATS="1"))
        self.assertEqual(done.stderr, "")
        done = self.passes(self.wine.run("imports.exe", folder=self.drop_in_folder(),
                                         FASTSYNC="0", FASTSYNC_VERBOSE="1"))
        [line] = wine.complaints(done)
        self.assertIn("off, nothing is redirected", line)

    def test_drop_in_leaves_children_to_their_folders(self):
        folder = self.drop_in_folder()
        os.makedirs(os.path.join(folder, "elsewhere"), exist_ok=True)
        for name in ("imports.exe", "libwinpthread-1.dll"):
            shutil.copy(os.path.join(self.wine.folder, name), os.path.join(folder, "elsewhere"))
        for child, processes in (("imports.exe", 1), ("elsewhere\\imports.exe", 0)):
            done = self.passes(self.wine.run("parent.exe", "W", child, folder=folder,
                                             FASTSYNC_STATS="1"))
            self.assertIn("locks: 0", done.stdout)
            self.assertEqual(len(wine.counts(done)), processes, done.stderr)

    def test_drop_in_and_launcher_together(self):
        done = self.passes(self.launch("--require", "imports.exe", folder=self.drop_in_folder(),
                                       FASTSYNC_STATS="1"))
        self.assertEqual(wine.complaints(done), [])
        # Both copies of the library count; only one has winpthreads' functions.
        found = re.findall(r"stats \d+ pthread_mutex_lock (\d+)", done.stderr)
        self.assertEqual(found, [str(USED["pthread_mutex_lock"])])

    # ---- children ----

    def expect_child(self, how, generations):
        done = self.counted("parent.exe", how, "imports.exe")
        processes = wine.counts(done).values()
        self.assertEqual(len(processes), generations, done.stderr)
        used = [calls for calls in processes if calls.get("pthread_mutex_lock")]
        self.assertEqual(len(used), 1)
        self.assert_used({name: calls for name, calls in used[0].items()
                          if calls and name not in OF_WINDOWS})

    def test_child_by_create_process_wide(self):
        self.expect_child("W", 2)

    def test_child_by_create_process_narrow(self):
        self.expect_child("A", 2)

    def test_child_that_its_parent_wants_suspended(self):
        self.expect_child("suspended", 2)

    def test_child_by_the_c_runtime(self):
        self.expect_child("spawn", 2)

    def test_child_of_a_shell(self):
        self.expect_child("system", 3)

    def test_children_get_the_library_that_was_named(self):
        folder = os.path.join(self.wine.folder, "other")
        os.makedirs(folder)
        shutil.copy(os.path.join(self.wine.folder, self.library),
                    os.path.join(folder, "other.dll"))
        done = self.passes(self.launch("--library", "other\\other.dll", "parent.exe", "W",
                                       "imports.exe", FASTSYNC_STATS="1"))
        self.assertEqual(len(wine.counts(done)), 2, done.stderr)

    def test_insertion_over_calls_that_fail(self):
        self.make_file("no_slots.exe", self.set_directory(12, 0, offset=0))
        for program in ("imports.exe", "no_slots.exe"):
            done = self.wine.run("insertion.exe", program, self.library)
            self.assertEqual(done.returncode, 0, f"{program}: {done.stdout}{done.stderr}")
        self.assert_used(self.calls(self.counted("no_slots.exe")))

    # ---- the launcher ----

    def test_status_and_arguments_are_passed_on(self):
        arguments = ["--status", "217", "a b", "", 'quo"ted', "back\\slash\\", "*", "--help", "ä"]
        plain = self.wine.run("imports.exe", *arguments)
        done = self.launch("imports.exe", *arguments)
        self.assertEqual((plain.returncode, done.returncode), (217, 217))
        self.assertEqual(done.stdout, plain.stdout)
        self.assertIn('<quo"ted>', done.stdout)

    def test_options_end_before_the_program(self):
        for options in (["--"], ["--require"], ["--require", "--"],
                        ["--library", self.library]):
            done = self.passes(self.launch(*options, "imports", "--version", FASTSYNC_STATS="1"))
            self.assertIn("<--version>", done.stdout)
            self.assert_used(self.calls(done))

    def test_a_folder_with_blanks_and_other_letters(self):
        for name, is_reached in (("two words", True), ("zwei wörter", False)):
            folder = os.path.join(self.wine.folder, name)
            os.makedirs(folder, exist_ok=True)
            for file in (self.launcher, self.library, "imports.exe",
                         "libwinpthread-1.dll"):
                shutil.copy(os.path.join(self.wine.folder, file), folder)
            done = self.wine.run(os.path.join(folder, self.launcher), "imports.exe",
                                     folder=folder, FASTSYNC_STATS="1")
            # A short form of the name, which has ASCII letters only, is up to the file system.
            if is_reached or done.returncode == 0:
                self.assert_used(self.calls(self.passes(done)))
            else:
                self.assertEqual(done.returncode, 2)
                self.assertIn("ASCII", done.stderr)

    def refused(self, *command, saying, status=2):
        done = self.launch(*command)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        lines = wine.complaints(done)
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertIn(saying, lines[0])
        return done

    def test_a_missing_program_is_named(self):
        done = self.refused("nowhere.exe", saying="there is no such program")
        self.assertIn("nowhere.exe", done.stderr)

    def test_no_program_and_unknown_options(self):
        self.refused(saying="no program is named")
        self.refused("--nonsense", saying="unknown option")
        self.refused("--library", saying="--library needs a file")
        self.refused("--insert-into", "x", saying="needs the number of a process")

    def set_directory(self, number, size, offset=None):
        """What gives an image's directory another size, and place."""
        def change(data, start):
            at = start + (24 + 112 if self.wine.triplet.startswith("x86_64") else 24 + 96)
            at += 8 * number
            if offset is not None:
                data[at:at + 4] = offset.to_bytes(4, "little")
            data[at + 4:at + 8] = size.to_bytes(4, "little")
        return change

    def make_file(self, name, change=None, origin="imports.exe"):
        with open(os.path.join(self.wine.folder, origin), "rb") as file:
            data = bytearray(file.read())
        start = int.from_bytes(data[0x3c:0x40], "little")
        if change:
            change(data, start)
        with open(os.path.join(self.wine.folder, name), "wb") as file:
            file.write(data)

    def test_a_program_for_another_processor(self):
        def arm64(data, start):
            data[start + 4:start + 6] = b"\x64\xaa"
        self.make_file("arm64.exe", arm64)
        self.refused("arm64.exe", saying="for another processor")

    def test_files_that_are_no_programs(self):
        def cut(data, start):
            del data[start + 2:]
        self.make_file("cut.exe", cut)
        self.refused("cut.exe", saying="not a program for Windows")
        self.refused("plugin.dll", saying="it is a library")
        with open(os.path.join(self.wine.folder, "text.exe"), "w", encoding="ascii") as file:
            file.write("echo hello\n")
        self.refused("text.exe", saying="not a program for Windows")

    def test_winpthreads_inside_the_program(self):
        done = self.refused("contained.exe", saying="linked in statically", status=0)
        self.assertIn("locks: 0", done.stdout)
        done = self.refused("--require", "contained.exe", saying="linked in statically")
        self.assertNotIn("locks", done.stdout)

    def test_a_program_without_winpthreads(self):
        self.refused("parent.exe", saying="does not use libwinpthread-1.dll", status=101)
        self.refused("--require", "parent.exe", saying="does not use libwinpthread-1.dll")

    def test_a_missing_library(self):
        folder = os.path.join(self.wine.folder, "alone")
        os.makedirs(folder, exist_ok=True)
        for name in (self.launcher, "imports.exe", "libwinpthread-1.dll"):
            shutil.copy(os.path.join(self.wine.folder, name), folder)
        done = self.launch("imports.exe", folder=folder)
        self.assertEqual(done.returncode, 2)
        self.assertIn("is missing", done.stderr)
        self.assertNotIn("locks", done.stdout)

    # ---- the switches ----

    def test_without_the_switch_nothing_is_counted_or_said(self):
        done = self.passes(self.launch("imports.exe"))
        self.assertEqual(done.stderr, "")

    def test_off_redirects_nothing(self):
        done = self.passes(self.launch("imports.exe", FASTSYNC="0", FASTSYNC_STATS="1"))
        self.assertEqual(done.stderr, "")

    def test_verbose_says_in_one_line_that_it_is_on(self):
        done = self.passes(self.launch("imports.exe", FASTSYNC_VERBOSE="1"))
        self.assertEqual(len(wine.complaints(done)), 1)
        self.assertIn("winpthreads", done.stderr)


DROP_IN = ""


def main():
    global DROP_IN
    processor, folder, DROP_IN, *files = sys.argv[1:]
    Redirect.wine, Redirect.files = wine.Wine(processor, folder), files
    missing = Redirect.wine.missing()
    if not missing and processor == "x86":
        Redirect.setUpClass()
        if "locks: 0" not in Redirect.wine.run("imports.exe").stdout:
            missing = "this Wine runs no programs of 32 bits"
    if missing:
        print(f"SKIP windows_redirect: {missing}")
        return 77
    unittest.main(argv=[sys.argv[0], "-v"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
