# SPDX-License-Identifier: MIT
"""Real programs for a target whose C library has none here: built from Debian's source with the
target's compiler, once. The suite `programs` runs them; what they are fed is decided there.

zstd needs nothing but a C library, and its workers meet at mutexes and condition variables.
"""
import pathlib
import shutil

import debian_source

# What zstd's makefile would ask this system, whose libraries are another C library's.
ZSTD = ['HAVE_THREAD=1', 'HAVE_ZLIB=0', 'HAVE_LZMA=0', 'HAVE_LZ4=0', 'CFLAGS=-O1']


def build(folder, target, run):
    """The folder that has the programs; run is a step that may fail."""
    programs = folder / target.name
    zstd = programs / 'zstd'
    if zstd.exists():
        return programs
    source = debian_source.unpacked('libzstd', folder / 'zstd')
    run(['make', '-j2', '-C', str(source / 'programs'), 'zstd-nolegacy', f'CC={target.compiler}',
         *ZSTD], f'build zstd for {target.name}')
    programs.mkdir(parents=True, exist_ok=True)
    made = pathlib.Path(shutil.copy(source / 'programs' / 'zstd-nolegacy', programs / 'zstd.new'))
    made.rename(zstd)  # it exists only once it is whole
    return programs
