# SPDX-License-Identifier: MIT
"""The help texts. Which options exist is decided in cli.py; fastsync(1) says more."""

MAIN = """\
usage: fastsync run [OPTIONS] [--] PROGRAM [ARGUMENTS]     run it with the library
       fastsync ab [OPTIONS] [--] PROGRAM [ARGUMENTS]      measure it without and with
       fastsync doctor [OPTIONS] [PROGRAM]                 what machine and program offer
       fastsync regress [OPTIONS]                          the locks of two libcs compared
       fastsync --version
       fastsync SUBCOMMAND --help

Runs unmodified programs with the mutexes, condition variables and reader-writer locks of
libfastsync.so, and compares libcs. Exit status: 0 success, 1 a measurement was stopped or a
behaviour differs, 2 nothing was run because of what was asked; `fastsync run` otherwise ends as
the program does. Manual: fastsync(1).
"""

RUN = """\
usage: fastsync run [OPTIONS] [--] PROGRAM [ARGUMENTS]

Becomes PROGRAM with libfastsync.so preloaded. Refuses, with one line and status 2, what cannot be
preloaded: static, setuid, setgid and file-capability programs, other architectures and libcs,
scripts run by such a program, and what is missing or not executable.

  -e, --env NAME=VALUE  set a variable for the program, such as FASTSYNC_PI=1 (repeatable)
      --lib PATH        the library (else FASTSYNC_LIBRARY, else the one built or installed)
  -h, --help            this text
"""

AB = """\
usage: fastsync ab [OPTIONS] [--] PROGRAM [ARGUMENTS]

Runs PROGRAM plain (A) and with the library (B) in turn, A B B A ..., and prints for both wall,
user and system time, context switches, peak memory, the median of the per-pair ratios with a
95 % interval, and a verdict. Stops with one line and status 1 if an arm fails, takes too long or
differs in output.

  -n, --pairs N         number of pairs (10; at least 6 for an interval)
      --warmup N        runs of each arm that do not count, at least 1 (1)
      --timeout S       seconds one run may take (300)
      --metric REGEX    judge by the number in this expression's group, found in the output;
                        larger is better
      --metric-lower    smaller is better
      --same-output     standard output must be the same in every run
      --check COMMAND   shell command given each run's standard output; non-zero means wrong
      --server COMMAND  the server is what is compared; PROGRAM is its client, always plain
      --ready COMMAND   shell command that succeeds once the server answers
      --runner COMMAND  PROGRAM is one for Windows, which COMMAND runs, such as wine: both arms
                        through fastsync-run.exe, found in FASTSYNC_WINDOWS_DIR or beside --lib
      --json FILE       write everything measured to FILE, or - for standard output
  -e, --env NAME=VALUE  set a variable for arm B only (repeatable)
      --lib PATH        the library (else FASTSYNC_LIBRARY, else the one built or installed)
  -h, --help            this text
"""

DOCTOR = """\
usage: fastsync doctor [OPTIONS] [PROGRAM]

Prints the libc and its known lock bugs, what the kernel offers, and, for a PROGRAM, which of the
replaced functions it imports and whether it can be preloaded (status 1 if it cannot).
Or shows a fault of libc's locks: runs a small program with libc and with the library and prints
what each did. Status 0: the library shows no fault, 1: it does, 77: the machine refuses.

      --prove-lost-wakeup         a signal that wakes nobody (bug 25847)
      --prove-priority-inversion  a condition variable that ignores priority inheritance (11588)
      --prove-rwlock-spin         readers that spin against a preempted writer (25619)
      --seconds S       at most so long for the library's side (60); with --long no bound
      --long            the library's side runs 100 times as long as libc's took to fail
      --method M        where the delays of --prove-lost-wakeup come from: perf or step
      --json FILE       write the report to FILE, or - for standard output
      --lib PATH        the library (else FASTSYNC_LIBRARY, else the one built or installed)
  -h, --help            this text
"""

REGRESS = """\
usage: fastsync regress [OPTIONS]

Runs a catalogue of behaviours of mutexes, condition variables and reader-writer locks on two
sides and prints for each its source, its result on either side, and a verdict: same, documented
(differs as the manual says) or DIFFERS. The sides are the system's libc and the library, unless
--libc is given. Status 1 if a behaviour DIFFERS, else 0.

      --list            print the behaviours and their sources; run nothing
      --suite NAME      conform (the project's programs), demonstrations (of bugs of glibc's) or
                        glibc (its own tests, from the package glibc-source); all unless given
                        (repeatable)
      --only PATTERN    only behaviours that this shell pattern matches: SUITE, PROGRAM, TEST, or
                        several of them with slashes (repeatable)
      --libc LOADER     a side: the glibc to which this loader belongs. Once: instead of the
                        system's libc. Twice: these two are compared, without the library
      --without-library compare the system's libc with that of --libc
      --json FILE       write every result to FILE, or - for standard output
      --jobs N          how many programs run at a time (one for each CPU; more for glibc's tests)
      --timeout-multiplier X  give every program X times its time
      --lib PATH        the library (else FASTSYNC_LIBRARY, else the one built or installed)
  -h, --help            this text
"""
