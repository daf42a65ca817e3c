# SPDX-License-Identifier: MIT
"""What the headers of a file say about it as a program for Windows.

What the system needs to run it, and how it is run, is left to others.
"""
import os

from .errors import Refused, reason

# The processor as the cross files call it, and what the names of our files have for it.
MACHINES = {0x8664: ('x86_64', ''), 0x14c: ('i686', '32')}
DLL = 0x2000
HEADERS = 4096  # bytes, in which they are


def require(name):
    """The file of a program, and its entry of MACHINES; Refused for any other."""
    path = next((path for path in (name, name + '.exe') if os.path.isfile(path)), None)
    if path is None:
        raise Refused(f'{name!r} is not a file: give the path of the program, from this folder')
    try:
        with open(path, 'rb') as file:
            start = file.read(HEADERS)
    except OSError as error:
        raise Refused(f'{path} cannot be read: {reason(error)}')
    at = int.from_bytes(start[0x3c:0x40], 'little')
    if start[:2] != b'MZ' or start[at:at + 4] != b'PE\0\0':
        raise Refused(f'{path} is not a program for Windows')
    if int.from_bytes(start[at + 22:at + 24], 'little') & DLL:
        raise Refused(f'{path} is not a program but a library for Windows')
    machine = MACHINES.get(int.from_bytes(start[at + 4:at + 6], 'little'))
    if machine is None:
        raise Refused(f'{path} is for another processor than x86-64 and i386')
    return path, machine


def is_program(path):
    """Whether a file begins as one for Windows."""
    try:
        with open(path, 'rb') as file:
            return file.read(2) == b'MZ'
    except OSError:
        return False
