#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The loader itself: what it runs, dyld's rule for interposing, and what it refuses.

Small programs and libraries are compiled here, with a few options that a linker has for files the
loader does not know. Whether the doubles behave as macOS does is left to the test programs.

usage: test_loader.py PROCESSOR COMMAND...   (x86_64 or arm64, and what runs a file for it)
"""

import os
import subprocess
import sys
import tempfile
import unittest

LOADER = []  # the command that runs it
PROCESSOR = "x86_64"

SYMBOLS = """___error __exit _abort _pthread_mutex_lock _pthread_mutex_unlock _pthread_mutex_trylock
_pthread_self _pthread_mach_thread_np _write _strlen ___cxa_atexit _nobody_has_this
_pthread_create _pthread_join __tlv_bootstrap dyld_stub_binder""".split()

STUB = """--- !tapi-tbd
tbd-version: 4
targets: [x86_64-macos, arm64-macos]
install-name: %s
exports:
  - targets: [x86_64-macos, arm64-macos]
    symbols: [ %s ]
...
"""

PRELUDE = r"""
typedef unsigned long size_t;
long write(int, const void *, size_t);
size_t strlen(const char *);
int pthread_mutex_lock(void *);
int pthread_mutex_unlock(void *);
int pthread_mutex_trylock(void *);
void *pthread_self(void);
unsigned pthread_mach_thread_np(void *);
static long mutex[8] = {0x32aaaba7};
static inline void say(const char *text) { write(1, text, strlen(text)); }
#define INTERPOSE(ours, theirs) __attribute__((used, section("__DATA,__interpose,interposing"))) \
    static struct { const void *replacement, *original; } tuple_##ours = {(void *)ours, (void *)theirs};
"""


class LoaderTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def build(self, name, source, *options, library=None, processor=None):
        """A thin file, for the loader's processor unless told."""
        processor = processor or PROCESSOR
        c = self.write(name + ".c", PRELUDE + source)
        tool(["clang-16", "-target", f"{processor}-apple-macos12.0", "-ffreestanding", "-O1",
              "-fno-stack-protector", "-w", "-c", c, "-o", c + ".o"])
        stub = self.write("stub.tbd", STUB % (library or "/usr/lib/libSystem.B.dylib",
                                              ", ".join(SYMBOLS)))
        fixups = [] if "-fixup_chains" in options else ["-no_fixup_chains"]
        tool(["ld64.lld-16", "-arch", processor, "-platform_version", "macos", "12.0", "14.4",
              *fixups, "-adhoc_codesign", c + ".o", stub, *options, "-o", self.path(name)])
        return self.path(name)

    def build_library(self, name, source, *options):
        return self.build(name, source, "-dylib", "-install_name", "@rpath/" + name, *options)

    def run_loader(self, *arguments):
        return subprocess.run([*LOADER, "--limit", "60", *arguments], capture_output=True,
                              text=True, check=False, timeout=120)

    def refused(self, *arguments):
        done = self.run_loader(*arguments)
        self.assertEqual(done.returncode, 2, done.stderr)
        return done.stderr

    # ---- what it runs ---------------------------------------------------------------------------

    def test_main_has_its_arguments_and_gives_the_status(self):
        program = self.build("program", """
            int main(int argc, char **argv) { say(argv[1]); return argc + 40; }""")
        done = self.run_loader(program, "word")
        self.assertEqual((done.returncode, done.stdout), (42, "word"))

    def test_pointers_in_data_are_rebased(self):
        program = self.build("program", """
            static const char *volatile words[] = {"one ", "two ", "three"};
            int main(void) { for (int i = 0; i < 3; i++) say(words[i]); return 0; }""")
        self.assertEqual(self.run_loader(program).stdout, "one two three")

    def test_a_weak_import_that_is_missing_is_null(self):
        source = """
            __attribute__((weak_import)) void nobody_has_this(void);
            int main(void) { return nobody_has_this ? 1 : 7; }"""
        self.assertEqual(self.run_loader(self.build("program", source)).returncode, 7)

    def test_without_takes_a_weak_import_away(self):
        program = self.build("program", """
            __attribute__((weak_import)) void *pthread_self(void);
            int main(void) { return pthread_self ? 1 : 7; }""")
        self.assertEqual(self.run_loader(program).returncode, 1)
        self.assertEqual(self.run_loader("--without", "pthread_self", program).returncode, 7)

    def test_the_thread_register_leads_to_the_port(self):
        program = self.build("program", r"""
            #if defined(__x86_64__)
            static unsigned long port(void) { unsigned long p; __asm__("movq %%gs:24, %0" : "=r"(p)); return p; }
            #else
            static unsigned long port(void) { unsigned long p; __asm__("mrs %0, tpidrro_el0" : "=r"(p));
                return *(unsigned long *)((p & ~7ul) + 24); }
            #endif
            int pthread_create(void **, void *, void *(*)(void *), void *);
            int pthread_join(void *, void **);
            static unsigned long ports[2];
            static void *run(void *unused) { ports[1] = port(); return (void *)(port() == pthread_mach_thread_np(pthread_self())); }
            int main(void) {
                void *thread, *right;
                ports[0] = port();
                if (port() != pthread_mach_thread_np(pthread_self())) return 1;
                pthread_create(&thread, 0, run, 0); pthread_join(thread, &right);
                return right == (void *)1 && ports[0] != ports[1] ? 0 : 2; }""")
        self.assertEqual(self.run_loader(program).returncode, 0)

    # ---- interposing ----------------------------------------------------------------------------

    PROGRAM = """
        int main(void) { say("<"); pthread_mutex_lock(mutex); say(">");
                         return pthread_mutex_unlock(mutex); }"""

    def test_a_tuple_applies_to_the_program_and_not_to_its_own_image(self):
        library = self.build_library("one", """
            static int ours(void *m) { say("ours"); return pthread_mutex_lock(m); }
            INTERPOSE(ours, pthread_mutex_lock)""")
        done = self.run_loader("--insert", library, self.build("program", self.PROGRAM))
        self.assertEqual((done.returncode, done.stdout), (0, "<ours>"))

    def test_a_tuple_applies_to_other_libraries(self):
        one = self.build_library("one", """
            static int ours(void *m) { say("ours"); return pthread_mutex_lock(m); }
            INTERPOSE(ours, pthread_mutex_lock)""")
        other = self.build_library("other", """
            __attribute__((constructor)) static void begin(void) { say("("); pthread_mutex_lock(mutex); say(")"); }""")
        program = self.build("program", "int main(void) { return 0; }")
        done = self.run_loader("--insert", other, "--insert", one, program)
        self.assertEqual(done.stdout, "(ours)")

    def test_initialisers_run_in_order_and_terminators_at_the_end(self):
        library = self.build_library("one", """
            __attribute__((constructor)) static void begin(void) { say("begin "); }
            __attribute__((destructor)) static void end(void) { say("end"); }""")
        program = self.build("program", """
            __attribute__((constructor)) static void begin(void) { say("own "); }
            int main(void) { say("main "); return 0; }""")
        self.assertEqual(self.run_loader("--insert", library, program).stdout, "begin own main end")

    # ---- what it refuses --------------------------------------------------------------------------

    def test_an_unknown_function_is_refused_by_its_name(self):
        program = self.build("program", """
            void nobody_has_this(void); int main(void) { nobody_has_this(); return 0; }""")
        self.assertIn("_nobody_has_this is not known here", self.refused(program))

    def test_an_unknown_library_is_refused(self):
        program = self.build("program", self.PROGRAM, library="/usr/lib/libother.dylib")
        self.assertIn("comes from /usr/lib/libother.dylib", self.refused(program))

    def test_a_flat_namespace_is_refused(self):
        program = self.build("program", self.PROGRAM, "-flat_namespace")
        self.assertIn("flat namespace", self.refused(program))

    def test_chained_fixups_are_refused(self):
        program = self.build("program", self.PROGRAM, "-fixup_chains")
        self.assertIn("load command 0x80000034", self.refused(program))

    def test_thread_local_variables_are_refused(self):
        program = self.build("program", """
            _Thread_local int x = 1; int main(void) { return x; }""")
        self.assertIn("thread-local", self.refused(program))

    def test_weak_definitions_are_refused(self):
        program = self.build("program", """
            __attribute__((weak)) int other(void) { return 1; }
            int (*volatile pointer)(void) = other;
            int main(void) { return pointer(); }""", "-export_dynamic")
        self.assertIn("weak definitions", self.refused(program))

    def test_a_file_for_another_processor_is_refused(self):
        other = "arm64" if PROCESSOR == "x86_64" else "x86_64"
        program = self.build("program", self.PROGRAM, processor=other)
        self.assertIn("for this processor", self.refused(program))
        fat = self.path("fat")
        tool(["llvm-lipo-16", "-create", program, "-output", fat])
        self.assertIn("no slice for this processor", self.refused(fat))

    def test_a_library_is_no_program(self):
        self.assertIn("not a program", self.refused(self.build_library("one", "int x;")))

    def test_a_damaged_file_is_refused_and_nothing_runs(self):
        program = self.build("program", self.PROGRAM)
        with open(program, "rb") as file:
            whole = file.read()
        for size in (0, 10, 40, 500, 5000, len(whole) // 2):
            with open(program, "wb") as file:
                file.write(whole[:size])
            done = self.run_loader(program)
            self.assertEqual((done.returncode, done.stdout), (2, ""), f"{size} bytes: {done.stderr}")


def tool(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{command[0]} failed:\n{done.stderr}")


def main():
    global PROCESSOR
    PROCESSOR, *LOADER[:] = sys.argv[1:]
    unittest.main(argv=[sys.argv[0], "-v"])


if __name__ == "__main__":
    main()
