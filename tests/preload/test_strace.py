#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Counts the futex calls of a broadcast to 64 sleeping waiters: with the library a few calls move
them to the mutex, not one for each.

    test_strace.py LIBRARY HERD"""

import collections
import os
import re
import shutil
import subprocess
import sys

WAITERS = 64
FEW = 8  # calls that may move all, and calls of the broadcaster that may wake


class Trace:
    """The futex calls of one run: all of them, and the broadcaster's own during the broadcast."""

    def __init__(self, text):
        self.all = collections.Counter()
        self.broadcast = collections.Counter()
        self.moved = 0
        broadcaster = None
        moving = set()
        for line in text.splitlines():
            thread = line.split(maxsplit=1)[0]
            if "broadcast begins" in line:
                broadcaster = thread
            elif "broadcast ends" in line:
                broadcaster = None
            operation = re.search(r"futex(?:_time64)?\([^,]*, (FUTEX_\w+)", line)
            if operation:
                name = operation[1].removesuffix("_PRIVATE")
                self.all[name] += 1
                self.broadcast[name] += thread == broadcaster
                if "REQUEUE" in name and "WAIT" not in name:
                    moving.add(thread)
            result = re.search(r"= (\d+)$", line)
            resumed = "futex resumed" in line or "futex_time64 resumed" in line
            if thread in moving and result and (operation or resumed):
                self.moved += int(result[1])
            if not line.endswith("<unfinished ...>"):
                moving.discard(thread)

    def __str__(self):
        return f"all {dict(self.all)}, by the broadcaster {dict(self.broadcast)}, moved {self.moved}"


def trace(library, herd, how, **switches):
    command = ["strace", "-f", "-qq", "-e", "trace=futex,?futex_time64,write", "-o", "/dev/stdout"]
    for name, value in dict(switches, LD_PRELOAD=library).items():
        command += ["-E", f"{name}={value}"]
    done = subprocess.run(command + [herd, how], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=100)
    if done.returncode != 0:
        raise RuntimeError(f"{how}: status {done.returncode}: {done.stderr}")
    return Trace(done.stdout)


def wakes(counter):
    return sum(n for name, n in counter.items() if "WAKE" in name)


def check_moved(found):
    calls = found.all["FUTEX_CMP_REQUEUE"]
    return {
        "FUTEX_CMP_REQUEUE is used": calls >= 1,
        f"at most {FEW} calls move the waiters": calls <= FEW,
        "most of them are moved": found.moved >= WAITERS // 2,
        "the broadcaster wakes few times": wakes(found.broadcast) <= FEW,
    }


def check_inherit(found):
    return {
        "they sleep in FUTEX_WAIT_REQUEUE_PI": found.all["FUTEX_WAIT_REQUEUE_PI"] >= WAITERS // 2,
        "FUTEX_CMP_REQUEUE_PI is used": found.all["FUTEX_CMP_REQUEUE_PI"] >= 1,
        "no other requeue": found.all["FUTEX_CMP_REQUEUE"] == 0,
        "the broadcaster wakes few times": wakes(found.broadcast) <= FEW,
    }


def check_not_moved(found):
    return {
        "nobody is moved": found.all["FUTEX_CMP_REQUEUE"] == 0 and found.moved == 0,
        "one wake per group, not per waiter": wakes(found.broadcast) <= FEW,
    }


RUNS = [
    ("mutex held", "held", {}, check_moved),
    ("mutex released", "released", {}, check_moved),
    ("mutex with priority inheritance", "inherit", {}, check_inherit),
    ("FASTSYNC_PI=1", "held", {"FASTSYNC_PI": "1"}, check_inherit),
    ("FASTSYNC_REQUEUE=0, mutex held", "held", {"FASTSYNC_REQUEUE": "0"}, check_not_moved),
    ("FASTSYNC_REQUEUE=0, mutex released", "released", {"FASTSYNC_REQUEUE": "0"}, check_not_moved),
]


def may_trace():
    done = subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], capture_output=True,
                          text=True)
    return done.stderr.strip().splitlines()[0] if done.returncode != 0 else None


def main():
    library, herd = sys.argv[1:]
    reason = may_trace() if shutil.which("strace") else "strace is not installed"
    if reason:
        print(f"SKIP strace: {reason}")
        return 77
    checks = failures = 0
    for name, how, switches, check in RUNS:
        found = trace(library, herd, how, **switches)
        for claim, holds in check(found).items():
            checks += 1
            failures += not holds
            if not holds:
                print(f"FAIL {name}: {claim}: {found}")
        print(f"{name}: {found}")
    rate = 100 * (checks - failures) // checks
    print(f"{rate}%: Checks: {checks}, Failures: {failures}, Errors: 0")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
