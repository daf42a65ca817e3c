# SPDX-License-Identifier: MIT
"""Another glibc, given by its loader: which folders belong to it, which version it is, and how a
program is made to start on it.

A wrong path is refused here with the reason. What is run on it is left to the suites.
"""
import os
import re
import struct
import subprocess
import sys
from dataclasses import dataclass

from .. import inspect_elf
from ..errors import Refused, one_line, reason

PT_INTERP = 3
ANSWER_SECONDS = 30
SYSTEM_FOLDERS = ('/lib64', '/usr/lib64', '/lib', '/usr/lib', '/usr/local/lib')


@dataclass(frozen=True)
class Loader:
    path: str
    folders: tuple[str, ...]    # its own, then those of the system
    version: tuple[int, int]


def examine(given):
    """The Loader at a path; Refused where there is no glibc's loader with its libc."""
    path = os.path.abspath(given)
    _require_loader(path)
    own = _own_folders(path)
    libc = next((os.path.join(folder, 'libc.so.6') for folder in own
                 if os.path.isfile(os.path.join(folder, 'libc.so.6'))), None)
    if libc is None:
        raise Refused(f'{path} has no libc.so.6 in its folder or those around it: unpack the '
                      'whole package that it comes from')
    folders = tuple(dict.fromkeys(own + _system_folders()))
    return Loader(path, folders, _version(path, folders, libc))


def _require_loader(path):
    if not os.path.isfile(path):
        raise Refused(f'there is no file {path}: name the loader of a glibc, such as '
                      '.../ld-linux-x86-64.so.2')
    try:
        elf = inspect_elf.read(path)
    except (inspect_elf.NotElf, OSError) as error:
        said = error if isinstance(error, inspect_elf.NotElf) else reason(error)
        raise Refused(f'{path} is not a loader ({said}): name a glibc\'s ld-linux-x86-64.so.2')
    own = inspect_elf.read('/proc/self/exe')
    if elf.architecture != own.architecture:
        raise Refused(f'{path} is made for {elf.machine}, and the programs for {own.machine}: '
                      f'name a loader for {own.machine}')
    if not (elf.soname or '').startswith(('ld-linux', 'ld64.so', 'ld.so')):
        raise Refused(f'{path} is not the loader of a glibc (its name is '
                      f'{elf.soname or "not given"}): name its ld-linux-x86-64.so.2')


def _machine_folder():
    return getattr(sys.implementation, '_multiarch', '') or f'{os.uname().machine}-linux-gnu'


def _own_folders(path):
    """The loader's folder and its usual neighbours, those with a libc.so.6 first."""
    machine = _machine_folder()
    near = ['', machine, f'../lib/{machine}', f'../usr/lib/{machine}', '../lib64', '../lib',
            '../usr/lib64', '../usr/lib', '..', '../math', '../rt', '../nptl', '../dlfcn']
    found = []
    for base in dict.fromkeys([os.path.dirname(path), os.path.dirname(os.path.realpath(path))]):
        for folder in near:
            folder = os.path.normpath(os.path.join(base, folder))
            if os.path.isdir(folder) and folder not in found:
                found.append(folder)
    found = [folder for folder in found if any(
        name.startswith('lib') and '.so' in name for name in os.listdir(folder))]
    return sorted(found, key=lambda folder: not os.path.exists(folder + '/libc.so.6'))


def _system_folders():
    machine = _machine_folder()
    folders = [f'/lib/{machine}', f'/usr/lib/{machine}', f'/usr/local/lib/{machine}',
               *SYSTEM_FOLDERS]
    return [folder for folder in folders if os.path.isdir(folder)]


def _version(path, folders, libc):
    """A libc.so.6 that is executed prints what it is."""
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith('LD_')}
    try:
        done = subprocess.run([path, '--library-path', ':'.join(folders), libc],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors='replace', env=environment, timeout=ANSWER_SECONDS,
                              check=False)
        said = done.stdout + done.stderr
    except OSError as error:
        raise Refused(f'{path} cannot be executed: {reason(error)}')
    except subprocess.TimeoutExpired:
        said = 'no answer'
    found = re.search(r'version (\d+)\.(\d+)', said)
    if not found:
        raise Refused(f'{path} does not start {libc}: {one_line(said) or "no answer"}')
    return int(found.group(1)), int(found.group(2))


def write_into(program, loader, target):
    """Copies a program to `target` with `loader` as its interpreter.

    A program that executes itself would otherwise execute the loader. The kernel takes the name
    from the file, so it may stand behind everything else.
    """
    with open(program, 'rb') as file:
        data = bytearray(file.read())
    if data[:6] != b'\x7fELF\x02\x01':
        raise ValueError(f'{program} is not a 64-bit little-endian program')
    offset, = struct.unpack_from('<Q', data, 32)
    size, count = struct.unpack_from('<HH', data, 54)
    name = os.fsencode(loader) + b'\0'
    for at in range(offset, offset + size * count, size):
        if struct.unpack_from('<I', data, at)[0] == PT_INTERP:
            struct.pack_into('<Q', data, at + 8, len(data))
            struct.pack_into('<Q', data, at + 32, len(name))
    with open(target, 'wb') as file:
        file.write(data + name)
    os.chmod(target, 0o755)
