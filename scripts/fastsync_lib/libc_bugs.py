# SPDX-License-Identifier: MIT
"""Which known bugs of glibc's own mutexes, condition variables and rwlocks a version has.

Numbers are those of sourceware.org's bug tracker. A distribution may have mended its libc without
a new version number; where that is likely the answer is 'perhaps'.
"""
import os
import re

X86 = ('x86_64', 'i686', 'i386')


def version():
    """(major, minor) of the running glibc, or None under another libc."""
    try:
        name = os.confstr('CS_GNU_LIBC_VERSION')
    except (ValueError, OSError):
        return None
    match = re.fullmatch(r'glibc (\d+)\.(\d+).*', name or '')
    return (int(match.group(1)), int(match.group(2))) if match else None


def known(libc, machine):
    """(bug, state, description) of each; state is 'yes', 'no' or 'perhaps'."""
    new_condition = libc >= (2, 25)
    if not new_condition or libc >= (2, 41):
        lost_signal = 'no'
    else:
        lost_signal = 'perhaps' if libc >= (2, 38) else 'yes'
    arm_only = 'no' if machine in X86 or libc >= (2, 37) else 'yes'
    return [
        ('25847', lost_signal, 'condition variable: a later waiter steals a signal and an earlier '
         'one sleeps for ever (2.25 to 2.40; the branches of 2.38 to 2.40 were mended later)'),
        ('11588', 'yes', 'condition variables ignore priority inheritance (all versions)'),
        ('25619', _yes(new_condition), 'rwlock: high-priority readers spin without bound while a '
         'preempted writer cannot run (2.25 to now)'),
        ('23844', _yes(new_condition and libc < (2, 30)),
         'rwlock: tryrdlock and trywrlock can stall (2.25 to 2.29)'),
        ('24774', arm_only if new_condition else 'no',
         'rwlock: timedwrlock can stall on Arm (2.25 to 2.36)'),
        ('14485', 'yes', 'robust mutex: unlock races with the death of its thread (all versions)'),
        ('herd', _yes(new_condition), 'broadcast wakes every waiter, which costs about two context '
         'switches for each (2.25 to now)'),
    ]


def _yes(condition):
    return 'yes' if condition else 'no'
