# SPDX-License-Identifier: MIT
"""glibc's source as Debian's package glibc-source installs it: found, and unpacked where needed.

Only what the tests are made of is unpacked, into a folder of the cache named by the archive's
checksum; nothing of it ever becomes part of this project. What is built is decided in glibc.py.
"""
import glob
import hashlib
import os
import re
import shutil
import tarfile
import tempfile

ARCHIVES = '/usr/src/glibc/glibc-*.tar.*'
MISSING = 'no source of glibc here: install the package glibc-source'
FOLDERS = ('nptl', 'sysdeps/pthread', 'sysdeps/nptl', 'sysdeps/unix/sysv/linux', 'rt')
MEMBERS = re.compile('|'.join((
    r'test-skeleton\.c', r'version\.h', r'support/.*\.[ch]', r'support/Makefile',
    rf'({"|".join(FOLDERS)})/(tst-[^/]*|eintr\.c|Makefile)',
    r'malloc/dynarray[^/]*\.[ch]',
    r'include/(array_length|libc-diag|intprops|libc-pointer-arith|scratch_buffer)\.h')))


def newest():
    """The archive of the highest version, or None."""
    def version(path):
        return [int(number) for number in re.findall(r'\d+', os.path.basename(path))]
    return max(glob.glob(ARCHIVES), key=version, default=None)


def default_cache():
    base = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
    return os.path.join(base, 'fastsync', 'regress')


def checksum(*parts):
    """One name for all that a result depends on: strings, and files by their contents."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, os.PathLike):
            with open(part, 'rb') as file:
                total.update(hashlib.file_digest(file, 'sha256').digest())
        else:
            total.update(hashlib.sha256(part.encode()).digest())
    return total.hexdigest()[:16]


def unpack(archive, folder):
    """Makes `folder` the root of the tree; it exists only once it is whole."""
    if os.path.isdir(folder):
        return
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    work = tempfile.mkdtemp(dir=os.path.dirname(folder))
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                _, _, name = member.name.partition('/')
                if member.isfile() and MEMBERS.fullmatch(name) and '..' not in name.split('/'):
                    _write(tar.extractfile(member), os.path.join(work, name))
        os.chmod(work, 0o755)
        move_into_place(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _write(source, path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with source, open(path, 'wb') as file:
        shutil.copyfileobj(source, file)


def move_into_place(work, folder):
    """Another process may have been faster; then its folder is as good."""
    try:
        os.rename(work, folder)
    except OSError:
        if not os.path.isdir(folder):
            raise


def version(folder):
    with open(os.path.join(folder, 'version.h'), encoding='utf-8') as file:
        found = re.search(r'#define\s+VERSION\s+"([^"]+)"', file.read())
    return found.group(1) if found else 'of unknown version'
