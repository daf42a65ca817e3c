# SPDX-License-Identifier: MIT
"""Small Mach-O files for tests: a header, segments without contents, and a signature."""
import plistlib
import struct

PROCESSORS = {'x86_64': 0x01000007, 'arm64': 0x0100000c}
KINDS = {'executable': 2, 'dylib': 6, 'bundle': 8}


def _command(number, body):
    body += b'\0' * (-len(body) % 8)
    return struct.pack('<II', number, 8 + len(body)) + body


def _segment(name):
    return _command(0x19, struct.pack('<16s4Q4I', name.encode(), 0, 0, 0, 0, 0, 0, 0, 0))


def _signature(flags, entitlements):
    blobs = [(0, struct.pack('>4I', 0xfade0c02, 16, 0x20400, flags))]
    if entitlements is not None:
        text = plistlib.dumps(entitlements)
        blobs.append((5, struct.pack('>II', 0xfade7171, 8 + len(text)) + text))
    at = 12 + 8 * len(blobs)
    index, contents = b'', b''
    for slot, blob in blobs:
        index += struct.pack('>II', slot, at + len(contents))
        contents += blob
    body = index + contents
    return struct.pack('>III', 0xfade0cc0, 12 + len(body), len(blobs)) + body


def thin(processor='arm64', kind='executable', segments=('__TEXT',), loader=True, flags=None,
         entitlements=None):
    """One slice; `flags` are those of its signature, None: it has none."""
    commands = [_segment(name) for name in segments]
    if loader:
        commands.append(_command(0xe, struct.pack('<I', 12) + b'/usr/lib/dyld\0'))
    signature = b'' if flags is None else _signature(flags, entitlements)
    if signature:
        length = sum(map(len, commands)) + 16
        commands.append(_command(0x1d, struct.pack('<II', 32 + length, len(signature))))
    body = b''.join(commands)
    header = struct.pack('<8I', 0xfeedfacf, PROCESSORS[processor], 0, KINDS[kind], len(commands),
                         len(body), 0x85, 0)
    return header + body + signature


def fat(*slices):
    """(processor, thin file) pairs in one file."""
    at = 8 + 20 * len(slices)
    header, contents = struct.pack('>II', 0xcafebabe, len(slices)), b''
    for processor, data in slices:
        start = at + len(contents)
        contents += b'\0' * (-start % 16)
        header += struct.pack('>5I', PROCESSORS[processor], 0, at + len(contents), len(data), 4)
        contents += data
    return header + contents
