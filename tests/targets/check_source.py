# SPDX-License-Identifier: MIT
"""Check for a target: its source is built with the target's compiler, by check/meson.build, into a
folder of its own. Where the source comes from is decided by debian_source.py.
"""
import hashlib
import pathlib
import shutil

import debian_source

BUILD_FILES = pathlib.Path(__file__).resolve().parent / 'check'


def _checksum(paths):
    total = hashlib.sha256()
    for path in paths:
        total.update(path.read_bytes())
    return total.hexdigest()


def build(folder, target, run):
    """The folder in which Check is installed for the target, and whether it is new; run is a step
    that may fail."""
    root = debian_source.unpacked('check', folder)
    files = sorted(path for path in BUILD_FILES.iterdir() if path.is_file())
    prefix, work, stamp = (folder / f'{target.name}{end}' for end in ('', '-build', '.stamp'))
    wanted = _checksum([target.cross_file, *files])
    if prefix.is_dir() and stamp.exists() and stamp.read_text(encoding='utf-8') == wanted:
        return prefix, False
    for path in files:
        shutil.copy(path, root)
    for path in (prefix, work):
        shutil.rmtree(path, ignore_errors=True)
    run(['meson', 'setup', '--cross-file', str(target.cross_file), '--prefix', str(prefix),
         '--libdir', 'lib', str(work), str(root)], f'configure Check for {target.name}')
    run(['meson', 'install', '-C', str(work)], f'build Check for {target.name}')
    shutil.rmtree(work)
    stamp.write_text(wanted, encoding='utf-8')
    return prefix, True
