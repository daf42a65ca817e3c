# SPDX-License-Identifier: MIT
"""Can this program be preloaded with the library? If not: what is wrong and what to do.

Follows the kernel's way from a name to the ELF file it starts: the search path, and scripts by
their first line, `#!/usr/bin/env NAME` included. Reading ELF is left to inspect_elf.py.
"""
import os
import shlex
import stat
from dataclasses import dataclass, field
from typing import List, Optional

from . import inspect_elf, inspect_pe, macos
from .errors import Refused, reason

SCRIPT_DEPTH = 5
FIRST_LINE_LIMIT = 256

NAME, MUSL_NAME = 'libfastsync.so', 'libfastsync-musl.so'


@dataclass
class Program:
    """A program that was looked at; `chain` leads from a script to the ELF file it ends in."""
    name: str
    path: Optional[str] = None
    chain: List[str] = field(default_factory=list)
    elf: Optional[inspect_elf.Elf] = None
    obstacle: Optional[str] = None


def require(name, library):
    """The path of a program that can be preloaded; Refused with the reason for any other."""
    program = examine(name, library)
    if program.obstacle:
        raise Refused(program.obstacle)
    return program.path


def examine(name, library):
    """Looks at a program without judging by exception: see Program.obstacle."""
    program = Program(name)
    try:
        program.path = _find(name)
        _follow(program, program.path, library)
    except Refused as refusal:
        program.obstacle = str(refusal)
    return program


def fitting(name, library):
    """The library for a program: that for glibc and that for musl lie in one folder."""
    elf = examine(name, library).elf if library else None
    if elf is None or elf.interpreter is None or _is_for_musl(elf) == is_for_musl(library):
        return library
    other = os.path.join(os.path.dirname(library), MUSL_NAME if _is_for_musl(elf) else NAME)
    return other if os.path.isfile(other) else library


def is_for_musl(library):
    """Only that library names no libc that it needs."""
    return not any(name.startswith('libc.') for name in inspect_elf.read(library).needed)


def _is_for_musl(elf):
    loader = os.path.basename(elf.interpreter or '')
    return loader.startswith('ld-musl') or any(n.startswith('libc.musl') for n in elf.needed)


def _find(name, who=''):
    if '/' in name:
        _require_executable(name, who)
        return name
    not_executable = None
    for folder in os.environ.get('PATH', os.defpath).split(':'):
        path = os.path.join(folder or '.', name)
        if os.path.isfile(path):
            if os.access(path, os.X_OK):
                return path
            not_executable = not_executable or path
    if name and not_executable:
        _require_executable(not_executable, who)
    raise Refused(f'{who}{name!r} was not found on PATH: check the spelling, install it, or give '
                  'its path')


def _require_executable(path, who=''):
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise Refused(f'{who}{path}: {reason(error)}: check the spelling of the path')
    if stat.S_ISDIR(mode):
        raise Refused(f'{who}{path} is a directory: name a program inside it')
    if not stat.S_ISREG(mode) or not os.access(path, os.X_OK):
        raise Refused(f'{who}{path} is not executable: chmod +x it, or name the interpreter that '
                      'runs it')


def _follow(program, path, library, depth=0):
    program.chain.append(path)
    try:
        with open(path, 'rb') as file:
            start = file.read(FIRST_LINE_LIMIT)
    except OSError as error:
        raise Refused(f'{path} cannot be read ({reason(error)}), so whether it can be preloaded '
                      'cannot be told: run fastsync as a user who may read it')
    if not start.startswith(b'#!'):
        _judge(program, path, library)
    elif depth == SCRIPT_DEPTH:
        raise Refused(f'{program.chain[0]} leads through more than {SCRIPT_DEPTH} scripts: name '
                      'the last interpreter instead')
    else:
        _follow_script(program, path, start, library, depth)


def _follow_script(program, path, start, library, depth):
    words = os.fsdecode(start[2:].split(b'\n', 1)[0]).strip().split(None, 1)
    if not words:
        raise Refused(f'{path} is a script whose first line names no interpreter: complete it')
    who = f'{path} is a script, and its interpreter '
    _require_executable(words[0], who)
    _follow(program, words[0], library, depth + 1)
    if os.path.basename(words[0]) == 'env' and len(words) == 2:
        target = _target_of_env(words[1])
        if target:
            _follow(program, _find(target, who), library, depth + 1)


def _target_of_env(argument):
    """The program that `#!/usr/bin/env ARGUMENT` runs; the kernel passes one argument only."""
    if not argument.startswith('-'):
        return argument
    for option in ('-S', '--split-string=', '-vS'):
        if argument.startswith(option):
            words = shlex.split(argument[len(option):])
            break
    else:
        return None
    for word in words:
        if '=' not in word and not word.startswith('-'):
            return word
    return None


def _subject(program, path):
    if program.chain[0] == path:
        return f'{path} '
    return f'{program.chain[0]} is run by {path}, which '


def _judge(program, path, library):
    subject = _subject(program, path)
    if macos.HERE:
        macos.judge(subject, path, library)
        return
    try:
        elf = inspect_elf.read(path)
    except inspect_elf.NotElf as error:
        if inspect_pe.is_program(path):
            raise Refused(f'{subject}is a program for Windows: fastsync-run.exe runs it, and '
                          '`fastsync ab --runner wine` measures it')
        raise Refused(f'{subject}is not a program ({error}) and has no #! line: name the '
                      'interpreter that runs it')
    program.elf = elf
    _judge_architecture(subject, elf, library)
    _judge_loader(subject, elf, library)
    _judge_privilege(subject, path)


def _judge_architecture(subject, elf, library):
    own = inspect_elf.read(library or '/proc/self/exe')
    if elf.architecture != own.architecture:
        raise Refused(f'{subject}is made for {elf.machine} and the library for {own.machine}: '
                      f'use a {own.machine} build of the program')
    if elf.kind not in ('executable', 'shared object'):
        raise Refused(f'{subject}is not a program but a {elf.kind}: link it first')


def _judge_loader(subject, elf, library):
    if elf.interpreter is None:
        if elf.soname and elf.soname.startswith('ld-linux'):
            return
        raise Refused(f'{subject}is statically linked, and no loader will read LD_PRELOAD: '
                      'rebuild it with dynamic linking')
    loader = os.path.basename(elf.interpreter)
    if _is_for_musl(elf):
        if library and not is_for_musl(library):
            raise Refused(f'{subject}is linked with musl and the library with glibc, and there is '
                          f'no {MUSL_NAME} beside it: build fastsync where musl-dev is installed')
    elif library and is_for_musl(library):
        raise Refused(f'{subject}is linked with glibc and the library is for musl, and there is '
                      f'no {NAME} beside it: name that with --lib PATH')
    elif not (loader.startswith('ld-linux') or loader.startswith('ld64.so')
            or loader.startswith('ld.so')):
        raise Refused(f'{subject}is started by the loader {elf.interpreter}, which is neither '
                      "glibc's nor musl's: use a build of the program for one of these")
    if not os.path.exists(elf.interpreter):
        raise Refused(f'{subject}needs the loader {elf.interpreter}, which does not exist here: '
                      'install the libc it was built for')


def _judge_privilege(subject, path):
    mode = os.stat(path).st_mode
    advice = 'copy the program without it and run the copy'
    if mode & stat.S_ISUID:
        raise Refused(f'{subject}has the setuid bit, and the loader ignores LD_PRELOAD in such '
                      f'programs: {advice}')
    if mode & stat.S_ISGID and mode & stat.S_IXGRP:
        raise Refused(f'{subject}has the setgid bit, and the loader ignores LD_PRELOAD in such '
                      f'programs: {advice}')
    try:
        capabilities = os.getxattr(path, 'security.capability')
    except OSError:
        capabilities = b''
    if capabilities:
        raise Refused(f'{subject}has file capabilities, and the loader ignores LD_PRELOAD in such '
                      f'programs: {advice}')
