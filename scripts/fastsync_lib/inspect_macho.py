# SPDX-License-Identifier: MIT
"""Reads Mach-O files: the slices of a fat file, their segments and sections, what dyld is told to
rebase and bind, and the code signature.

What follows from that is left to the callers: `fastsync run` on macOS, and the test of the tuples.
"""
import plistlib
import struct
from dataclasses import dataclass, field
from typing import Dict, List, NamedTuple, Optional

FAT_MAGIC, THIN_MAGIC = 0xcafebabe, 0xfeedfacf
PROCESSORS = {0x01000007: 'x86_64', 0x0100000c: 'arm64'}
KINDS = {2: 'executable', 6: 'dylib', 8: 'bundle'}

MH_TWOLEVEL = 0x80
LC_SEGMENT_64, LC_DYLIB, LC_ID_DYLIB, LC_CODE_SIGNATURE = 0x19, 0xc, 0xd, 0x1d
LC_LOAD_DYLIBS = (LC_DYLIB, 0x80000018, 0x8000001f, 0x80000023)
LC_DYLD_INFO_ONLY, LC_CHAINED_FIXUPS, LC_LOAD_DYLINKER = 0x80000022, 0x80000034, 0xe

SIGNATURE_MAGIC, DIRECTORY_MAGIC, ENTITLEMENTS_MAGIC = 0xfade0cc0, 0xfade0c02, 0xfade7171


class NotMachO(Exception):
    """The file is not a Mach-O file that could be read; the text says why."""


class Segment(NamedTuple):
    name: str
    address: int
    size: int
    offset: int
    length: int


class Section(NamedTuple):
    segment: str
    name: str
    address: int
    size: int
    offset: int
    flags: int

    @property
    def kind(self):
        return self.flags & 0xff


class Bind(NamedTuple):
    address: int
    library: int  # 1 is the first library of the file; 0 itself, negative a flat search
    symbol: str
    weak_import: bool
    table: str  # bind, lazy or weak
    at: int     # where in the file the name stands


class Signature(NamedTuple):
    flags: int
    entitlements: Dict[str, object]


@dataclass
class Slice:
    processor: str
    kind: str
    flags: int
    start: int
    segments: List[Segment] = field(default_factory=list)
    sections: List[Section] = field(default_factory=list)
    libraries: List[str] = field(default_factory=list)
    rebases: List[int] = field(default_factory=list)
    binds: List[Bind] = field(default_factory=list)
    chained: bool = False
    loader: bool = False  # started by dyld
    signature: Optional[Signature] = None

    def section(self, segment, name):
        for section in self.sections:
            if (section.segment, section.name) == (segment, name):
                return section
        return None


def read(path):
    """The slices of the file at path. Raises NotMachO or OSError."""
    with open(path, 'rb') as file:
        return parse(file.read())


def parse(data):
    try:
        return [_parse_slice(data, start) for start in _starts(data)]
    except (struct.error, IndexError):
        raise NotMachO('it is cut short or damaged') from None


def _starts(data):
    if len(data) < 8:
        raise NotMachO('it is too short')
    if struct.unpack_from('>I', data)[0] == FAT_MAGIC:
        count = struct.unpack_from('>I', data, 4)[0]
        if count > 16:  # a Java class has the same magic number
            raise NotMachO('it is no fat file')
        return [struct.unpack_from('>5I', data, 8 + 20 * i)[2] for i in range(count)]
    return [0]


def _parse_slice(data, start):
    magic, processor, _, kind, count, _, flags, _ = struct.unpack_from('<8I', data, start)
    if magic != THIN_MAGIC:
        raise NotMachO('it does not begin as a 64-bit Mach-O file')
    result = Slice(PROCESSORS.get(processor, f'processor {processor:#x}'),
                   KINDS.get(kind, f'kind {kind}'), flags, start)
    fixups = None
    at = start + 32
    for _ in range(count):
        command, size = struct.unpack_from('<II', data, at)
        if size < 8:
            raise NotMachO('a load command has no size')
        if command == LC_SEGMENT_64:
            _parse_segment(data, at, result)
        elif command in LC_LOAD_DYLIBS:
            name = struct.unpack_from('<I', data, at + 8)[0]
            result.libraries.append(_text(data[at + name:at + size]))
        elif command == LC_DYLD_INFO_ONLY:
            fixups = struct.unpack_from('<8I', data, at + 8)
        elif command == LC_CHAINED_FIXUPS:
            result.chained = True
        elif command == LC_LOAD_DYLINKER:
            result.loader = True
        elif command == LC_CODE_SIGNATURE:
            result.signature = _parse_signature(data, start, *struct.unpack_from('<II', data, at + 8))
        at += size
    if fixups:
        _parse_fixups(data, fixups, result)
    return result


def _text(data):
    return data.split(b'\0', 1)[0].decode('utf-8', 'surrogateescape')


def _parse_segment(data, at, result):
    name, address, size, offset, length, _, _, count, _ = struct.unpack_from('<16s4Q4I', data, at + 8)
    result.segments.append(Segment(_text(name), address, size, offset, length))
    for i in range(count):
        fields = struct.unpack_from('<16s16sQQ5I', data, at + 72 + 80 * i)
        result.sections.append(Section(_text(fields[1]), _text(fields[0]), fields[2], fields[3],
                                       fields[4], fields[8]))


class _Opcodes:
    """A stream of dyld's opcodes: each a byte, of which the low half is an operand."""

    def __init__(self, data, start, end):
        self.data, self.at, self.end = data, start, end

    def __iter__(self):
        while self.at < self.end:
            byte = self.data[self.at]
            self.at += 1
            yield byte & 0xf0, byte & 0x0f

    def number(self):
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if not byte & 0x80:
                return value

    def signed(self):
        start = self.at
        value = self.number()
        bits = 7 * (self.at - start)
        return value - (1 << bits) if value >> (bits - 1) & 1 else value

    def text(self):
        end = self.data.index(b'\0', self.at)
        text = self.data[self.at:end].decode('utf-8', 'surrogateescape')
        self.at = end + 1
        return text


def _parse_fixups(data, fixups, result):
    tables = [(fixups[2 * i], fixups[2 * i + 1]) for i in range(4)]
    _parse_rebases(_opcodes(data, tables[0], result), result)
    for table, place in zip(('bind', 'weak', 'lazy'), tables[1:]):
        _parse_binds(_opcodes(data, place, result), table, result)


def _opcodes(data, place, result):
    offset, size = place
    return _Opcodes(data, result.start + offset, result.start + offset + size)


def _parse_rebases(opcodes, result):
    address = 0

    def rebase(times, step):
        nonlocal address
        for _ in range(times):
            result.rebases.append(address & (2 ** 64 - 1))
            address += step

    for opcode, operand in opcodes:
        if opcode == 0x00:
            return
        if opcode == 0x10:
            pass
        elif opcode == 0x20:
            address = result.segments[operand].address + opcodes.number()
        elif opcode == 0x30:
            address += opcodes.number()
        elif opcode == 0x40:
            address += operand * 8
        elif opcode == 0x50:
            rebase(operand, 8)
        elif opcode == 0x60:
            rebase(opcodes.number(), 8)
        elif opcode == 0x70:
            rebase(1, 8 + opcodes.number())
        elif opcode == 0x80:
            times = opcodes.number()
            rebase(times, 8 + opcodes.number())
        else:
            raise NotMachO(f'it has an unknown rebase opcode {opcode:#x}')


def _parse_binds(opcodes, table, result):
    address, library, symbol, flags, at = 0, 0, '', 0, 0

    def bind(times, step):
        nonlocal address
        for _ in range(times):
            result.binds.append(Bind(address & (2 ** 64 - 1), library, symbol, bool(flags & 1), table,
                                     at))
            address += step

    for opcode, operand in opcodes:
        if opcode == 0x00:
            if table != 'lazy':
                return
        elif opcode == 0x10:
            library = operand
        elif opcode == 0x20:
            library = opcodes.number()
        elif opcode == 0x30:
            library = operand - 16 if operand else 0
        elif opcode == 0x40:
            flags, at = operand, opcodes.at
            symbol = opcodes.text()
        elif opcode == 0x50:
            pass
        elif opcode == 0x60:
            opcodes.signed()
        elif opcode == 0x70:
            address = result.segments[operand].address + opcodes.number()
        elif opcode == 0x80:
            address += opcodes.number()
        elif opcode == 0x90:
            bind(1, 8)
        elif opcode == 0xa0:
            bind(1, 8 + opcodes.number())
        elif opcode == 0xb0:
            bind(1, 8 + operand * 8)
        elif opcode == 0xc0:
            times = opcodes.number()
            bind(times, 8 + opcodes.number())
        else:
            raise NotMachO(f'it has an unknown bind opcode {opcode:#x}')


def _parse_signature(data, start, offset, size):
    """The flags of the code directory and the entitlements; None for what is no signature."""
    base = start + offset
    magic, _, count = struct.unpack_from('>III', data, base)
    if magic != SIGNATURE_MAGIC:
        return None
    flags, entitlements = 0, {}
    for i in range(count):
        blob = base + struct.unpack_from('>II', data, base + 12 + 8 * i)[1]
        magic, length = struct.unpack_from('>II', data, blob)
        if blob + length > base + size:
            raise NotMachO('its signature is cut short')
        if magic == DIRECTORY_MAGIC:
            flags |= struct.unpack_from('>I', data, blob + 12)[0]
        elif magic == ENTITLEMENTS_MAGIC:
            try:
                entitlements = plistlib.loads(data[blob + 8:blob + length])
            except Exception:  # expat's and plistlib's own kinds
                raise NotMachO('its entitlements cannot be read') from None
    return Signature(flags, entitlements)
