#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the library file on C libraries older and newer than the one it was built on: those of other
Debian releases, fetched from the mirror that this system uses, unpacked beside the build and started
through their own loader. The system itself stays as it is.

    test_other_libc.py LIBRARY OTHER_LIBC_C FOLDER RELEASES [PROGRAM ...]

RELEASES is a list of names with commas. The source OTHER_LIBC_C is built against each release; the
PROGRAMs, built against this system, run on the newer ones. Each runs plain first."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

PACKAGES = ["libc6", "libc6-dev", "libgcc-s1"]
MULTIARCH = "x86_64-linux-gnu"
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
# How a program may be linked: what an old C library keeps in files of its own is loaded or not.
LINKS = {"with threads": ["-pthread"], "with threads and libdl": ["-pthread", "-ldl"]}


def run(command, **keywords):
    return subprocess.run(command, capture_output=True, text=True, timeout=100, **keywords)


class Unreachable(Exception):
    """No packages of that release can be had here."""


class Results:
    def __init__(self):
        self.checks = self.failures = 0

    def add(self, name, good, detail=""):
        self.checks += 1
        self.failures += not good
        if not good:
            print(f"FAIL {name}\n{detail}")

    def print(self):
        good = self.checks - self.failures
        rate = 100 * good // max(self.checks, 1)
        print(f"{rate}%: Checks: {self.checks}, Failures: {self.failures}, Errors: 0")


def mirror():
    """Address of the archive that this system's own release comes from."""
    code_name = dict(
        line.split("=", 1) for line in pathlib.Path("/etc/os-release").read_text().splitlines()
        if "=" in line).get("VERSION_CODENAME", "").strip('"')
    targets = run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)",
                   "Created-By: Packages"])
    for line in targets.stdout.splitlines():
        fields = line.split()
        if len(fields) == 2 and fields[1] == code_name:
            return fields[0]
    raise Unreachable("apt names no archive of this system's release")


def fetch(release, folder):
    """Downloads the packages with an apt that knows nothing but that release."""
    address = mirror()
    state = folder / "apt"
    for part in ["lists/partial", "archives/partial"]:
        (state / part).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    option = f" [signed-by={KEYS}]" if os.path.exists(KEYS) else ""
    (state / "sources.list").write_text(f"deb{option} {address} {release} main\n")
    apt = ["apt-get", "-qq"]
    for setting in [f"Dir::State={state}", f"Dir::State::status={state}/status",
                    f"Dir::State::lists={state}/lists", f"Dir::Cache={state}",
                    f"Dir::Etc::sourcelist={state}/sources.list", "Dir::Etc::sourceparts=/dev/null",
                    "Acquire::Languages=none", "Acquire::Retries=2", "APT::Sandbox::User=root"]:
        apt += ["-o", setting]
    packages = folder / "packages"
    packages.mkdir(exist_ok=True)
    for command in [["update", "--error-on=any"], ["download", *PACKAGES]]:
        try:
            done = run(apt + command, cwd=packages)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unreachable(f"apt-get {command[0]}: {error}") from error
        if done.returncode != 0:
            lines = (done.stderr.strip() or "no reason given").splitlines()
            raise Unreachable(f"apt-get {command[0]}: {lines[0]}")
    shutil.rmtree(state)
    return sorted(packages.glob("*.deb"))


def unpack(archives, root):
    """One folder for all, with /lib in /usr/lib whatever the release did about that."""
    for name in ["lib", "lib64"]:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for archive in archives:
        content = subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], check=True,
                                 capture_output=True).stdout
        subprocess.run(["tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", root],
                       check=True, input=content)
    for link in (root / "usr").glob("lib*/**/*"):  # those named from the real root
        if link.is_symlink() and os.path.isabs(os.readlink(link)):
            target = root / os.readlink(link).lstrip("/")
            link.unlink()
            link.symlink_to(os.path.relpath(target, link.parent))


class Release:
    def __init__(self, name, folder):
        self.name = name
        self.folder = folder / name
        self.root = self.folder / "root"
        self.libraries = self.root / "usr/lib" / MULTIARCH
        if not (self.folder / "complete").exists():
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            unpack(fetch(name, self.folder), self.root)
            (self.folder / "complete").touch()
        text = run(self.start([]) + [str(self.libraries / "libc.so.6")]).stdout
        self.version = tuple(map(int, re.search(r"version (\d+)\.(\d+)", text).groups()))

    def start(self, other_folders):
        """The beginning of a command that runs a program on this release's libraries."""
        path = ":".join([str(self.libraries), *other_folders])
        return [str(self.libraries / "ld-linux-x86-64.so.2"), "--library-path", path]

    def compile(self, source, link):
        target = self.folder / ("program_" + "_".join(LINKS[link]))
        done = run(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", f"--sysroot={self.root}",
                    f"-B{self.libraries}", "-isystem", self.root / "usr/include" / MULTIARCH,
                    "-isystem", self.root / "usr/include", "-idirafter", "/usr/include",
                    "-idirafter", f"/usr/include/{MULTIARCH}", source, "-o", target,
                    "-Wl,--no-as-needed", *LINKS[link]])
        if done.returncode != 0:
            raise Unreachable(f"a program cannot be built for it: {done.stderr.strip()}")
        return str(target)


def try_both(results, name, command, library):
    """Plain, and if that works with the library, which has to say that it is on."""
    plain = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    done = run(command, env=plain)
    results.add(f"{name}, plain", done.returncode == 0, done.stdout + done.stderr)
    if done.returncode == 0:
        done = run(command, env=dict(plain, LD_PRELOAD=library, FASTSYNC_VERBOSE="1"))
        good = done.returncode == 0 and "rwlocks on" in done.stderr
        results.add(f"{name}, with the library", good,
                    f"status {done.returncode}\n{done.stdout}{done.stderr}")


def test_release(results, release, library, source, programs):
    for link in LINKS:
        name = f"C library {release.version[0]}.{release.version[1]}, program {link}"
        try_both(results, name, release.start([]) + [release.compile(source, link)], library)
    here = tuple(map(int, os.confstr("CS_GNU_LIBC_VERSION").split()[1].split(".")[:2]))
    if release.version < here:
        return
    for program in programs:
        name = f"C library {release.version[0]}.{release.version[1]}, {pathlib.Path(program).name}"
        command = release.start([f"/usr/lib/{MULTIARCH}"]) + [program]
        try_both(results, name, command, library)


def main():
    library, source, folder, names, *programs = sys.argv[1:]
    results = Results()
    for name in names.split(","):
        try:
            release = Release(name, pathlib.Path(folder).absolute())
            test_release(results, release, library, source, programs)
        except Unreachable as error:
            print(f"SKIP the C library of {name}: {error}")
    if results.checks == 0:
        return 77
    results.print()
    return 1 if results.failures else 0


if __name__ == "__main__":
    sys.exit(main())
