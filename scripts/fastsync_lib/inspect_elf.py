# SPDX-License-Identifier: MIT
"""A small reader of ELF files: what the loader will do with one, and which symbols it imports.

Loading questions are answered from the program headers, which every program has; symbols come
from the section headers, and are None where a file has been stripped of those. What the answers
mean for preloading is decided in preload.py.
"""
import mmap
import struct
from dataclasses import dataclass, field
from typing import List, Optional, Tuple

MACHINES = {3: 'i386', 8: 'mips', 20: 'powerpc', 21: 'powerpc64', 22: 's390', 40: 'arm',
            62: 'x86-64', 183: 'aarch64', 243: 'riscv', 258: 'loongarch'}
KINDS = {1: 'relocatable object', 2: 'executable', 3: 'shared object', 4: 'core file'}
PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NEEDED, DT_STRTAB, DT_SONAME = 1, 5, 14
SHT_SYMTAB, SHT_DYNSYM = 2, 11
SHT_VERDEF, SHT_VERNEED, SHT_VERSYM = 0x6ffffffd, 0x6ffffffe, 0x6fffffff
VERSION_HIDDEN = 0x8000


class NotElf(Exception):
    """The file is not an ELF file, or a damaged one."""


@dataclass
class Elf:
    bits: int
    little_endian: bool
    machine_number: int
    kind: str
    interpreter: Optional[str] = None
    soname: Optional[str] = None
    needed: List[str] = field(default_factory=list)
    imports: Optional[List[Tuple[str, str]]] = None
    exports: Optional[List[Tuple[str, str]]] = None

    @property
    def machine(self):
        if (self.machine_number, self.bits) == (62, 32):
            return 'x32'
        return MACHINES.get(self.machine_number, f'machine number {self.machine_number}')

    @property
    def architecture(self):
        return (self.machine_number, self.bits, self.little_endian)


class _Reader:
    def __init__(self, data):
        if data[:4] != b'\x7fELF':
            raise NotElf('no ELF header')
        self.data = data
        self.bits = {1: 32, 2: 64}.get(data[4])
        self.little_endian = data[5] == 1
        if self.bits is None or data[5] not in (1, 2):
            raise NotElf('its ELF header is damaged')
        self.order = '<' if self.little_endian else '>'
        wide = self.bits == 64
        self.header_format = 'HHIQQQIHHHHHH' if wide else 'HHIIIIIHHHHHH'
        self.section_format = 'IIQQQQIIQQ' if wide else 'IIIIIIIIII'
        self.word = 8 if wide else 4

    def unpack(self, layout, offset):
        return struct.unpack_from(self.order + layout, self.data, offset)

    def string(self, offset):
        end = self.data.find(b'\0', offset)
        if end < 0 or offset > len(self.data):
            raise NotElf('a name in it has no end')
        return self.data[offset:end].decode('utf-8', 'surrogateescape')

    def segments(self, offset, size, count):
        """(type, file offset, address, size in the file) of each program header."""
        for i in range(count):
            at = offset + i * size
            if self.bits == 64:
                kind, _, start, address, _, length = self.unpack('IIQQQQ', at)
            else:
                kind, start, address, _, length = self.unpack('IIIII', at)
            yield kind, start, address, length

    def sections(self, offset, size, count):
        """(type, file offset, size, link, info) of each section header."""
        for i in range(count):
            fields = self.unpack(self.section_format, offset + i * size)
            yield fields[1], fields[4], fields[5], fields[6], fields[7]


def read(path):
    """The Elf of the file at path. Raises NotElf or OSError."""
    with open(path, 'rb') as file:
        try:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise NotElf('it is empty') from None
        with data:
            try:
                return _read(_Reader(data))
            except (struct.error, IndexError):
                raise NotElf('it is cut short or damaged') from None


def _read(reader):
    (kind, machine, _, _, ph_offset, sh_offset, _, _, ph_size, ph_count, sh_size, sh_count,
     _) = reader.unpack(reader.header_format, 16)
    elf = Elf(reader.bits, reader.little_endian, machine, KINDS.get(kind, f'ELF type {kind}'))
    segments = list(reader.segments(ph_offset, ph_size, ph_count))
    for segment, start, _, length in segments:
        if segment == PT_INTERP:
            elf.interpreter = reader.string(start)
        elif segment == PT_DYNAMIC:
            _read_dynamic(reader, elf, start, length, segments)
    if sh_offset and sh_count:
        _read_symbols(reader, elf, list(reader.sections(sh_offset, sh_size, sh_count)))
    return elf


def _read_dynamic(reader, elf, start, length, segments):
    layout = 'QQ' if reader.bits == 64 else 'II'
    entries = []
    for at in range(start, start + length, 2 * reader.word):
        tag, value = reader.unpack(layout, at)
        if tag == 0:
            break
        entries.append((tag, value))
    strings = _file_offset(dict(entries).get(DT_STRTAB), segments)
    if strings is None:
        return
    elf.needed = [reader.string(strings + value) for tag, value in entries if tag == DT_NEEDED]
    for tag, value in entries:
        if tag == DT_SONAME:
            elf.soname = reader.string(strings + value)


def _file_offset(address, segments):
    if address is None:
        return None
    for kind, start, base, length in segments:
        if kind == PT_LOAD and base <= address < base + length:
            return address - base + start
    return None


def _read_symbols(reader, elf, sections):
    by_type = {section[0]: section for section in sections}
    if SHT_DYNSYM not in by_type:
        return
    versions = _versions_needed(reader, sections, by_type.get(SHT_VERNEED))
    versions.update(_versions_defined(reader, sections, by_type.get(SHT_VERDEF)))
    versym = by_type.get(SHT_VERSYM)
    _, start, length, link, _ = by_type[SHT_DYNSYM]
    strings = sections[link][1]
    size = 24 if reader.bits == 64 else 16
    elf.imports, elf.exports = [], []
    for index in range(1, length // size):
        at = start + index * size
        if reader.bits == 64:
            name, info, _, section = reader.unpack('IBBH', at)
        else:
            name, _, _, info, _, section = reader.unpack('IIIBBH', at)
        if info >> 4 == 0:
            continue
        version = reader.unpack('H', versym[1] + 2 * index)[0] & ~VERSION_HIDDEN if versym else 0
        pair = (reader.string(strings + name), versions.get(version, ''))
        (elf.imports if section == 0 else elf.exports).append(pair)


def _versions_needed(reader, sections, section):
    names = {}
    if section is None:
        return names
    _, at, _, link, count = section
    strings = sections[link][1]
    for _ in range(count):
        _, auxiliaries, _, auxiliary, following = reader.unpack('HHIII', at)
        entry = at + auxiliary
        for _ in range(auxiliaries):
            _, _, index, name, step = reader.unpack('IHHII', entry)
            names[index & ~VERSION_HIDDEN] = reader.string(strings + name)
            entry += step
        at += following
    return names


def _versions_defined(reader, sections, section):
    names = {}
    if section is None:
        return names
    _, at, _, link, count = section
    strings = sections[link][1]
    for _ in range(count):
        _, flags, index, _, _, auxiliary, following = reader.unpack('HHHHIII', at)
        name = reader.unpack('I', at + auxiliary)[0]
        if not flags & 1:
            names[index & ~VERSION_HIDDEN] = reader.string(strings + name)
        at += following
    return names


def local_names(path):
    """The names of all symbols of a file, its own included; none where it has been stripped."""
    with open(path, 'rb') as file:
        data = file.read()
    try:
        return _local_names(_Reader(data))
    except (struct.error, IndexError):
        raise NotElf('it is cut short or damaged') from None


def _local_names(reader):
    header = reader.unpack(reader.header_format, 16)
    offset, size, count = header[5], header[10], header[11]
    sections = list(reader.sections(offset, size, count)) if offset else []
    names = []
    for kind, start, length, link, _ in sections:
        if kind == SHT_SYMTAB:
            step = 24 if reader.bits == 64 else 16
            names += [reader.string(sections[link][1] + reader.unpack('I', at)[0])
                      for at in range(start, start + length, step)]
    return names
