# SPDX-License-Identifier: MIT
"""What macOS's dylib must look like, compared with the table its tuples are made from.

Every name of tuples.list has exactly one tuple in __DATA,__interpose, made of a rebase to code of the
library and a bind to that name in libSystem; nothing is searched for in a flat name space or bound
weakly, apart from the calls that only newer systems have; there is no thread-local storage, which
the library must do without; and the file is signed.
"""
import pathlib
import struct
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'scripts'))
sys.path.insert(0, str(ROOT / 'src' / 'interpose'))
from fastsync_lib import inspect_macho  # noqa: E402
from make_tuples import read_table  # noqa: E402

TABLE = ROOT / 'src' / 'interpose' / 'tuples.list'
LIBSYSTEM = '/usr/lib/libSystem.B.dylib'
MAY_BE_MISSING = '_os_sync_'
S_INTERPOSING = 0xd
THREAD_LOCAL_KINDS = range(0x11, 0x16)
MH_HAS_TLV_DESCRIPTORS = 0x800000
PROCESSORS = {'arm64', 'x86_64'}


def table_names(path=TABLE):
    return {'_' + name for name, _ in read_table(path)}


def check(data, names, processors=PROCESSORS):
    """What is wrong with the file, as a list of sentences."""
    try:
        slices = inspect_macho.parse(data)
    except inspect_macho.NotMachO as error:
        return [f'the file is not Mach-O: {error}']
    found = {part.processor for part in slices}
    errors = [f'no slice for {name}' for name in sorted(processors - found)]
    for part in slices:
        errors += [f'{part.processor}: {text}' for text in _check_slice(data, part, names)]
    return errors


def _check_slice(data, part, names):
    if part.kind != 'dylib':
        yield f'it is no dylib but a {part.kind}'
    if not part.flags & inspect_macho.MH_TWOLEVEL:
        yield 'its name space is flat'
    if part.chained:
        yield 'it has chained fix-ups, which older systems do not read'
    if part.signature is None:
        yield 'it is not signed'
    if part.libraries != [LIBSYSTEM]:
        yield f'it needs {part.libraries}, not libSystem alone'
    yield from _check_thread_locals(part)
    yield from _check_binds(part)
    yield from _check_tuples(data, part, names)


def _check_thread_locals(part):
    if part.flags & MH_HAS_TLV_DESCRIPTORS:
        yield 'it has thread-local variables'
    for section in part.sections:
        if section.kind in THREAD_LOCAL_KINDS:
            yield f'it has thread-local storage in {section.name}'


def _check_binds(part):
    for bind in part.binds:
        if bind.table == 'weak':
            yield f'{bind.symbol} is bound weakly, to whatever defines it first'
        elif bind.library != 1:
            yield f'{bind.symbol} is not searched for in libSystem alone'
        elif bind.weak_import and not bind.symbol.startswith(MAY_BE_MISSING):
            yield f'{bind.symbol} may be missing'
        elif not bind.weak_import and bind.symbol.startswith(MAY_BE_MISSING):
            yield f'{bind.symbol} must be there, which older systems do not have'


def _check_tuples(data, part, names):
    section = part.section('__DATA', '__interpose')
    if section is None:
        yield 'it has no section __DATA,__interpose'
        return
    if section.kind != S_INTERPOSING:
        yield f'__interpose has type {section.kind:#x}, not that of tuples'
    if section.size % 16 != 0:
        yield f'__interpose has {section.size} bytes, no whole number of tuples'
    text = part.section('__TEXT', '__text')
    rebases = set(part.rebases)
    binds = {bind.address: bind for bind in part.binds if bind.table == 'bind'}
    seen = []
    for at in range(0, section.size - 15, 16):
        target = struct.unpack_from('<Q', data, part.start + section.offset + at)[0]
        bind = binds.get(section.address + at + 8)
        name = bind.symbol if bind else f'tuple {at // 16}'
        if bind is None:
            yield f'{name} has no original'
        if section.address + at not in rebases:
            yield f'{name} has no replacement that moves with the library'
        elif not text.address <= target < text.address + text.size:
            yield f'{name} is replaced by something that is no code'
        seen.append(name)
    for name in sorted(names - set(seen)):
        yield f'{name} has no tuple'
    for name in sorted(set(seen) - names):
        yield f'{name} is not in the table'
    for name in sorted({name for name in seen if seen.count(name) > 1}):
        yield f'{name} has more than one tuple'
