# SPDX-License-Identifier: MIT
"""Building the library's objects for the BSDs, and programs of the host that are linked with them.

The objects are compiled by clang for the target, against the declarations in cross/bsd/include, and
linked to a shared object, whose undefined symbols have to be known calls of the system's libc. For
the tests the same objects are joined to one, in which every such call is renamed to
fs_target_CALL, and linked with doubles of those calls by the host's linker. Running what is built
is left to test_bsd.py.
"""

import os
import shutil
import subprocess

RELEASES = {"freebsd": "13", "netbsd": "10", "openbsd": "7.2"}
PROCESSORS = ("x86_64", "aarch64")

WARNINGS = ("-Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla "
            "-Wundef -Wwrite-strings -Wno-unused-parameter -Werror").split()
# Without the stack protector: clang 16 has none that works for OpenBSD on aarch64.
FLAGS = ("-std=gnu11 -O2 -g -fPIC -ffreestanding -nostdlibinc -fvisibility=hidden "
         "-fno-stack-protector").split()

COMMON_CALLS = {"abort", "memcpy", "memset", "minherit", "mmap", "pthread_atfork", "sched_yield",
                "strlen", "sysconf", "write"}
CALLS = {
    "freebsd": COMMON_CALLS | {"__error", "_umtx_op", "clock_gettime", "thr_self"},
    "netbsd": COMMON_CALLS | {"__errno", "syscall", "__clock_gettime50", "_lwp_self"},
    "openbsd": COMMON_CALLS | {"__errno", "futex", "clock_gettime", "getthrid"},
}

HOST_COMPILERS = {"x86_64": ["cc"],
                  "aarch64": ["aarch64-linux-gnu-gcc", "-static", "-DFS_EMULATED"]}
EMULATORS = {"x86_64": [],
             "aarch64": ["qemu-aarch64" if shutil.which("qemu-aarch64") else "qemu-aarch64-static"]}


class BuildError(Exception):
    """A tool failed, or a shared object needs what it may not need."""


def run(command, cwd=None):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"{' '.join(command[:3])} ...: {done.stderr[-1500:]}")
    return done.stdout


def tool(name):
    """The path of a tool of LLVM 16, or of a later one without a number in its name."""
    return shutil.which(name + "-16") or shutil.which(name) or name + "-16"


class Target:
    """One system on one processor, built in a directory of its own from one source tree."""

    def __init__(self, system, processor, source, out, names, defines):
        """names: the sources, from the tree's root. defines: options that change what is compiled,
        for the tests as well."""
        self.system, self.processor = system, processor
        self.source, self.out = os.path.abspath(source), os.path.abspath(out)
        self.names, self.defines = names, defines
        os.makedirs(self.out, exist_ok=True)

    def compile(self, only=None, overlay=None):
        """All sources, or only those given, to objects in the directory. A file that is in the tree
        `overlay` as well is taken from there."""
        include = "cross/bsd/include"
        roots = [root for root in (overlay, self.source) if root]
        wanted = [next(path for path in (os.path.join(root, name) for root in roots)
                       if os.path.exists(path))
                  for name in self.names if only is None or name in only]
        paths = []
        for root in roots:
            paths += ["-isystem", f"{root}/{include}/{self.system}",
                      "-isystem", f"{root}/{include}/common", f"-I{root}/src"]
        run([tool("clang"), "-target", f"{self.processor}-unknown-{self.system}"
             + RELEASES[self.system], *FLAGS, *WARNINGS, *self.defines,
             *paths, f"-I{self.source}/include", "-c", *wanted], cwd=self.out)

    def objects(self):
        return [os.path.join(self.out, os.path.basename(name)[:-2] + ".o") for name in self.names]

    def link(self):
        """The shared object; fails when it needs anything but known calls of libc."""
        library = os.path.join(self.out, "libfastsync.so")
        run([tool("ld.lld"), "-shared", "-z", "defs", "--warn-unresolved-symbols", "-o", library,
             *self.objects()])
        needed = self.undefined(library, dynamic=True)
        strange = needed - CALLS[self.system]
        if strange:
            raise BuildError(f"{self.system}: unknown calls: {' '.join(sorted(strange))}")
        return needed

    def undefined(self, path, dynamic=False):
        output = run([tool("llvm-nm"), *(["-D"] if dynamic else []), "-u", "-P", path])
        return {line.split()[0] for line in output.splitlines() if line.split()}

    def exported(self):
        output = run([tool("llvm-nm"), "-D", "--defined-only", "-P",
                      os.path.join(self.out, "libfastsync.so")])
        return {line.split()[0] for line in output.splitlines()}

    def join(self):
        """One object of all, with libc's calls renamed, that the host's linker takes."""
        joined = os.path.join(self.out, "target.o")
        run([tool("ld.lld"), "-r", "-o", joined, *self.objects()])
        names = os.path.join(self.out, "calls")
        with open(names, "w", encoding="ascii") as file:
            for name in sorted(self.undefined(joined)):
                file.write(f"{name} fs_target_{name}\n")
        run([tool("llvm-objcopy"), f"--redefine-syms={names}", joined])
        with open(joined, "r+b") as file:
            file.seek(7)  # EI_OSABI: the host's
            file.write(b"\0")

    def program(self, name, source, tests_of=None):
        """A program of the host: the target's object, the doubles and these tests, which may have
        been compiled for another target of this system and processor already."""
        tests = os.path.join(self.source, "tests")
        built = (tests_of or self).out
        common = [*HOST_COMPILERS[self.processor], "-std=gnu11", "-O1", "-g", "-pthread",
                  "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror",
                  *self.defines, f"-DFS_TARGET_{self.system.upper()}",
                  f"-I{tests}/support/check", f"-I{tests}/unit", f"-I{tests}/support",
                  f"-I{self.source}/src", f"-I{self.source}/include"]
        ahead = ["-include", f"{tests}/bsd/target.h"]
        counts = [] if name == "contract" else ["-DFS_TARGET_COUNTS"]
        objects = []
        for path, options in (("bsd/double.c", ["-DFS_TARGET_DOUBLE"]),
                              (f"bsd/double_{self.system}.c", ["-DFS_TARGET_DOUBLE"]),
                              ("unit/sleepers.c", ahead), (source, ahead + counts)):
            objects.append(os.path.join(built, "host_" + os.path.basename(path)[:-2] + ".o"))
            if not os.path.exists(objects[-1]):
                run([*common, *options, "-c", "-o", objects[-1], os.path.join(tests, path)])
        program = os.path.join(self.out, name)
        run([*common, "-o", program, *objects, os.path.join(self.out, "target.o")])
        return program
