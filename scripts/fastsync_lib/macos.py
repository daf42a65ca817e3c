# SPDX-License-Identifier: MIT
"""`fastsync run` on macOS: whether dyld will insert the library into a program, and the environment
that asks it to.

dyld silently ignores DYLD_INSERT_LIBRARIES in the programs that the system protects. So each
protection is looked for in the file beforehand, and named with what can be done. How a name leads to
a file, scripts included, is left to preload.py. None of this has run on a Mac so far.
"""
import os
import stat
import sys

from . import inspect_macho
from .errors import Refused

HERE = sys.platform == 'darwin'
VARIABLE = 'DYLD_INSERT_LIBRARIES'
NAME = 'libfastsync.dylib'

# Folders of System Integrity Protection, and what lies in them unprotected.
PROTECTED = ('/System/', '/usr/', '/bin/', '/sbin/')
UNPROTECTED = ('/usr/local/', '/System/Volumes/Data/')
SF_RESTRICTED = 0x80000

CS_HARD_RESTRICT, CS_LIBRARY_VALIDATION, CS_RUNTIME = 0x800, 0x2000, 0x10000
MAY_INSERT = 'com.apple.security.cs.allow-dyld-environment-variables'
MAY_LOAD = 'com.apple.security.cs.disable-library-validation'


def judge(subject, path, library):
    """Raises Refused if dyld would not insert the library into the program at path."""
    _judge_place(subject, path)
    _judge_mode(subject, path)
    try:
        slices = inspect_macho.read(path)
    except inspect_macho.NotMachO as error:
        raise Refused(f'{subject}is not a program ({error}) and has no #! line: name the '
                      'interpreter that runs it')
    for part in _common(subject, slices, library):
        _judge_kind(subject, part)
        _judge_segments(subject, part)
        if part.signature:
            _judge_signature(subject, path, part.signature)


def _judge_place(subject, path):
    real = os.path.realpath(path)
    flags = getattr(os.stat(path), 'st_flags', 0)
    protected = real.startswith(PROTECTED) and not real.startswith(UNPROTECTED)
    if protected or flags & SF_RESTRICTED:
        raise Refused(f'{subject}is protected by System Integrity Protection, and macOS drops '
                      f'{VARIABLE} for it and its children: use a build of the program from '
                      'elsewhere (Homebrew, MacPorts, your own), and name an interpreter yourself')


def _judge_mode(subject, path):
    mode = os.stat(path).st_mode
    for bit, name in ((stat.S_ISUID, 'setuid'), (stat.S_ISGID, 'setgid')):
        if mode & bit:
            raise Refused(f'{subject}has the {name} bit, and dyld ignores {VARIABLE} in such '
                          'programs: copy the program without it and run the copy')


def _common(subject, slices, library):
    """The program's slices for processors that the library has too."""
    own = {part.processor for part in inspect_macho.read(library)} if library else None
    fitting = [part for part in slices if own is None or part.processor in own]
    if not fitting:
        made_for = ' and '.join(part.processor for part in slices)
        raise Refused(f'{subject}is made for {made_for} and the library for '
                      f'{" and ".join(sorted(own))}: build the library for it')
    return fitting


def _judge_kind(subject, part):
    if part.kind != 'executable':
        raise Refused(f'{subject}is not a program but a {part.kind}: name a program')
    if not part.loader:
        raise Refused(f'{subject}is statically linked, and no dyld will read {VARIABLE}: rebuild '
                      'it with dynamic linking')


def _judge_segments(subject, part):
    if any(segment.name == '__RESTRICT' for segment in part.segments):
        raise Refused(f'{subject}has a segment __RESTRICT, which makes dyld ignore {VARIABLE}: '
                      'link it without -sectcreate __RESTRICT __restrict')


def _judge_signature(subject, path, signature):
    granted = signature.entitlements
    if signature.flags & CS_HARD_RESTRICT:
        raise Refused(f'{subject}is signed as restricted, and dyld ignores {VARIABLE} in such '
                      f'programs: sign a copy anew: codesign -f -s - COPY')
    missing = []
    if signature.flags & CS_RUNTIME and not granted.get(MAY_INSERT):
        missing.append(MAY_INSERT)
    if signature.flags & (CS_RUNTIME | CS_LIBRARY_VALIDATION) and not granted.get(MAY_LOAD):
        missing.append(MAY_LOAD)
    if missing:
        why = ('is signed for the hardened runtime' if signature.flags & CS_RUNTIME
               else 'is signed with library validation')
        raise Refused(f'{subject}{why} and lacks {" and ".join(missing)}: sign a copy with '
                      f'{"them" if len(missing) > 1 else "it"} (codesign --entitlements), or without '
                      f'the hardened runtime: codesign -f -s - COPY')


def checked(path):
    """The path of the library; Refused if it is none that dyld could insert."""
    if ':' in path:
        raise Refused(f'the path of the library, {path!r}, has a colon, which {VARIABLE} cannot '
                      'express: move it or link to it from another folder')
    try:
        slices = inspect_macho.read(path)
    except OSError:
        raise Refused(f'there is no library at {path}: name the built {NAME} with --lib PATH')
    except inspect_macho.NotMachO as error:
        raise Refused(f'{path} is not a library ({error}): name {NAME} with --lib PATH')
    if any(part.kind != 'dylib' for part in slices):
        raise Refused(f'{path} is not a library: name {NAME} with --lib PATH')
    return path


def _others(environment, library):
    return [entry for entry in environment.get(VARIABLE, '').split(':')
            if entry and os.path.basename(entry) not in (NAME, os.path.basename(library))]


def with_library(environment, library, settings=()):
    result = dict(environment)
    result.update(settings)
    result[VARIABLE] = ':'.join([library] + _others(result, library))
    return result


def without_library(environment, library):
    result = dict(environment)
    others = _others(environment, library)
    result.pop(VARIABLE, None)
    if others:
        result[VARIABLE] = ':'.join(others)
    return result
