# SPDX-License-Identifier: MIT
"""Run a program once plain and once with the library preloaded, and see what comes out.

This module decides how an arm is started, limited, ended and proved to be what it claims to be.
What a program is fed and what must come out of it is left to the test of that program.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from typing import NamedTuple

PLAIN = "plain"
LIBRARY = "library"
ARMS = (PLAIN, LIBRARY)

KILL_AFTER = 5  # seconds between the polite signal at a time limit and SIGKILL
SYSTEM_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


class Outcome(NamedTuple):
    stdout: bytes
    stderr: str


def find(program):
    return shutil.which(program, path=SYSTEM_PATH)


def require(**packages):
    """End the test now unless each program is there; each is named with the package it is from."""
    missing = {name: package for name, package in packages.items() if not find(name)}
    if missing:
        missing_packages(", ".join(missing), sorted(set(missing.values())))


def missing_packages(what, packages):
    test = os.path.basename(sys.argv[0]).removesuffix(".py")
    reason = f"not installed: {what} (apt-get install -y {' '.join(packages)})"
    if os.environ.get("FASTSYNC_ALLOW_MISSING") == "1":
        print(f"SKIP {test}: {reason}")
        sys.exit(77)
    sys.exit(f"{test}: {reason}; FASTSYNC_ALLOW_MISSING=1 skips this test instead")


def library():
    path = os.environ.get("FASTSYNC_LIBRARY", "")
    if not os.path.isfile(path):
        sys.exit(f"FASTSYNC_LIBRARY must be the path of libfastsync.so, not {path!r}")
    return os.path.abspath(path)


def limited(arm, argv, limit):
    """The command line of one arm. Only the program itself gets the library, not its time limit."""
    preload = [f"LD_PRELOAD={library()}", "FASTSYNC_VERBOSE=1"] if arm == LIBRARY else []
    path = find(argv[0]) or argv[0]
    return [
        "timeout", "-k", str(KILL_AFTER), str(limit),
        "env", "-u", "LD_PRELOAD", "-u", "FASTSYNC_VERBOSE", *preload, path, *argv[1:],
    ]  # fmt: skip


def check_arm(arm, argv, stderr):
    """The library announces itself in its arm, once, and nowhere else."""
    lines = [line for line in stderr.splitlines() if line.startswith("fastsync")]
    expected = 1 if arm == LIBRARY else 0
    if len(lines) != expected:
        raise AssertionError(
            f"{argv[0]}, {arm} arm: {len(lines)} lines of the library on standard error, "
            f"expected {expected}:\n{tail(stderr)}"
        )


def tail(text, lines=20):
    return "\n".join(text.splitlines()[-lines:])


def check_status(arm, argv, status, stderr, limit):
    if status == 0:
        return
    # timeout(1) reports 124, or dies of SIGKILL together with a program that ignored it.
    late = status in (124, 137, -signal.SIGKILL)
    what = f"ended by its limit of {limit} s" if late else f"exit status {status}"
    raise AssertionError(f"{' '.join(argv)}, {arm} arm: {what}\n{tail(stderr)}")


def run(arm, argv, limit=60, stdin=None, cwd=None):
    """Run to the end; a non-zero status, an overrun limit and a wrong arm are failures."""
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(open(stdin, "rb")) if stdin else subprocess.DEVNULL
        process = subprocess.Popen(
            limited(arm, argv, limit),
            stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd,
        )  # fmt: skip
        stack.callback(end, process)
        stdout, raw = process.communicate()
    stderr = raw.decode("utf-8", "replace")
    check_status(arm, argv, process.returncode, stderr, limit)
    check_arm(arm, argv, stderr)
    return Outcome(stdout, stderr)


def end(process):
    """End what limited() started, by process id, and wait for it; nothing of it may stay behind."""
    if process.poll() is None:
        process.terminate()  # timeout(1) passes the signal on
        try:
            process.wait(KILL_AFTER + 5)
        except subprocess.TimeoutExpired:
            pass
    # timeout(1) leads a process group of its own: whoever is still in it has outlived its parent.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def wait_until_ready(process, port, argv, log):
    until = time.monotonic() + 20
    while not answers(port):
        if process.poll() is not None or time.monotonic() > until:
            raise AssertionError(f"{argv[0]} does not answer on port {port}\n{tail(read(log))}")
        time.sleep(0.05)


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


@contextlib.contextmanager
def server(arm, command, limit=60):
    """Run the server that command(port) describes on 127.0.0.1 while the body runs.

    Once told to stop it must end in time and with status 0."""
    with tempfile.TemporaryDirectory(prefix="fastsync-server-") as folder:
        port = free_port()
        argv = command(port)
        log = os.path.join(folder, "stderr")
        with open(log, "wb") as sink:
            process = subprocess.Popen(
                limited(arm, argv, limit),
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=sink,
            )  # fmt: skip
        try:
            wait_until_ready(process, port, argv, log)
            yield port
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(KILL_AFTER + 5)
        finally:
            end(process)
        check_status(arm, argv, process.returncode, read(log), limit)
        check_arm(arm, argv, read(log))


class ProgramTest(unittest.TestCase):
    """Holds what both arms produced against each other."""

    maxDiff = 2000

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="fastsync-program-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def in_both_arms(self, action):
        """Call action(arm) per arm; the results must be equal, and one of them is returned."""
        plain, preloaded = (action(arm) for arm in ARMS)
        if isinstance(plain, bytes):
            # A diff of binaries helps nobody.
            self.assertTrue(plain == preloaded, f"{len(plain)} and {len(preloaded)} bytes differ")
        else:
            self.assertEqual(plain, preloaded)
        return plain


def main():
    # SystemExit lets the context managers end servers and remove folders.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    library()
    unittest.main(module="__main__", verbosity=2)
