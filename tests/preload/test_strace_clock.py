#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Looks at what every timed call asks of the kernel: the caller's own deadline, unchanged and
absolute, on the caller's own clock, so that a realtime deadline follows a clock that is set. The
clock itself is never set. The C library is looked at first, which checks the test.

    test_strace_clock.py LIBRARY DEADLINES [--relative-libc]

musl makes a time-out of every deadline: it, and the objects that are handed to it, are left out
with --relative-libc."""

import collections
import os
import re
import shutil
import subprocess
import sys

# Calls that can put a thread to sleep; of these only futex may do it here.
SLEEPS = ("futex,futex_waitv,nanosleep,clock_nanosleep,poll,ppoll,select,pselect6,epoll_wait,"
          "epoll_pwait,timer_settime,timerfd_settime,setitimer")
# What 32-bit systems have besides, for times of 64 bits.
SLEEPS += "".join(f",?{name}" for name in (
    "futex_time64", "clock_nanosleep_time64", "ppoll_time64", "pselect6_time64", "timer_settime64",
    "timerfd_settime64"))

# How a futex operation reads its timeout: as an absolute time of one clock, or of the clock that
# FUTEX_CLOCK_REALTIME names. FUTEX_WAIT is not among them: its timeout is relative.
BY_FLAG = ("FUTEX_WAIT_BITSET", "FUTEX_LOCK_PI2", "FUTEX_WAIT_REQUEUE_PI")
REALTIME_ONLY = ("FUTEX_LOCK_PI",)


class Call:
    """One timed call of the program, and the futex calls with a timeout that it made."""

    def __init__(self, line):
        clock, seconds, nanoseconds, self.name = line.split(" ", 3)
        self.clock = clock
        self.deadline = (int(seconds), int(nanoseconds))
        self.waits = []
        self.others = []

    def faults(self):
        if not self.waits:
            yield "never sleeps with a timeout"
        for operation, flags, time in self.waits:
            if time != self.deadline:
                yield f"{operation} until {time}, not {self.deadline}"
            if operation in BY_FLAG:
                clock = "realtime" if "FUTEX_CLOCK_REALTIME" in flags else "monotonic"
            elif operation in REALTIME_ONLY:
                clock = "realtime"
            else:
                clock = "no"
            if clock != self.clock:
                yield f"{operation} {flags} is on {clock} clock, not on the {self.clock} one"
        for other in self.others:
            yield f"asks the kernel for {other}"


def calls_of(trace):
    """The timed calls of a trace; the lines of one thread follow each other in it."""
    open_calls, done = {}, []
    for line in trace.splitlines():
        thread, _, rest = line.partition(" ")
        rest = rest.lstrip()
        mark = re.match(r'write\(2, "(begin |end)(.*?)\\n"', rest)
        if mark and mark[1] == "begin ":
            open_calls[thread] = Call(mark[2])
        elif mark:
            done.append(open_calls.pop(thread))
        elif thread in open_calls:
            look_at(open_calls[thread], rest)
    if open_calls:
        raise RuntimeError(f"{len(open_calls)} calls never end")
    return done


def look_at(call, line):
    time = re.search(r"\{tv_sec=(-?\d+), tv_nsec=(-?\d+)\}", line)
    futex = re.match(r"futex(?:_time64)?\([^,]*, (FUTEX_\w+)", line)
    if futex and time:
        operation = futex[1].removesuffix("_PRIVATE")
        flags = re.match(r"\w+\([^,]*, \w+((?:\|\w+)*)", line)[1]
        call.waits.append((operation, flags.strip("|"), (int(time[1]), int(time[2]))))
    elif not futex and not line.startswith(("<...", "+++", "---", "write(")):
        call.others.append(line)


def trace(library, deadlines, switches):
    command = ["strace", "-f", "-qq", "-s", "200", "-e", f"trace={SLEEPS},write",
               "-o", "/dev/stdout"]
    environment = dict(switches, **({"LD_PRELOAD": library} if library else {}))
    for name, value in environment.items():
        command += ["-E", f"{name}={value}"]
    done = subprocess.run(command + [deadlines], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=110)
    if done.returncode != 0:
        raise RuntimeError(f"status {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


RUNS = [
    ("libc", False, {}),
    ("fastsync", True, {}),
    ("fastsync, FASTSYNC_PI=1", True, {"FASTSYNC_PI": "1"}),
]


def is_handed_over(call):
    """Whether musl waits: its own are the process-shared and robust mutexes, and shared rwlocks."""
    return call.name.startswith(("mutex", "rwlock")) and re.search(r"pshared|robust", call.name)


def may_trace():
    done = subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], capture_output=True,
                          text=True)
    if done.returncode == 0:
        return None
    return (done.stderr.strip() or f"strace ends with status {done.returncode}").splitlines()[0]


def main():
    library, deadlines, *option = sys.argv[1:]
    reason = may_trace() if shutil.which("strace") else "strace is not installed"
    if reason:
        print(f"SKIP strace_clock: {reason}")
        return 77
    checks = failures = 0
    for name, preload, switches in RUNS[1:] if option else RUNS:
        found = calls_of(trace(preload and library, deadlines, switches))
        looked_at = [call for call in found if not option or not is_handed_over(call)]
        operations = collections.Counter()
        for call in looked_at:
            faults = list(call.faults())
            checks += 1
            failures += bool(faults)
            if faults:
                print(f"FAIL {name}: {call.name}, {call.clock}: " + "; ".join(faults))
            operations.update((wait[0], call.clock) for wait in call.waits)
        checks += 1
        if len(found) < 200:
            failures += 1
            print(f"FAIL {name}: only {len(found)} timed calls were seen")
        print(f"{name}: {len(found)} timed calls: " +
              ", ".join(f"{operation} {clock} {n}" for (operation, clock), n
                        in sorted(operations.items())))
    rate = 100 * (checks - failures) // checks
    print(f"{rate}%: Checks: {checks}, Failures: {failures}, Errors: 0")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
