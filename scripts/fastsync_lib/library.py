# SPDX-License-Identifier: MIT
"""Where libfastsync.so is, and the environments of a run with it and of a run without it.

Whether a program can be preloaded at all is decided in preload.py.
"""
import glob
import os

from . import inspect_elf, macos, preload
from .errors import Refused

NAME = macos.NAME if macos.HERE else 'libfastsync.so'


def _source_tree_candidates():
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    built = [os.path.join(root, 'build', 'src', NAME)]
    built += sorted(glob.glob(os.path.join(root, 'build*', 'src', NAME)))
    return built


def find(given, installed):
    """The path of the library, or None where none was named and none is in its places."""
    named = given or os.environ.get('FASTSYNC_LIBRARY')
    if named:
        return _checked(os.path.abspath(named))
    candidates = [installed] if installed else _source_tree_candidates()
    for path in candidates:
        if os.path.isfile(path):
            return _checked(os.path.abspath(path))
    return None


def require(given, installed):
    path = find(given, installed)
    if path is None:
        raise Refused(f'{NAME} was not found: build it (meson setup build && ninja -C build), '
                      'or name it with --lib PATH')
    return path


def _checked(path):
    if macos.HERE:
        return macos.checked(path)
    if not os.path.isfile(path):
        raise Refused(f'there is no library at {path}: name the built {NAME} with --lib PATH')
    if any(c in path for c in ' :'):
        raise Refused(f'the path of the library, {path!r}, has a space or a colon, which '
                      'LD_PRELOAD cannot express: move it or link to it from another folder')
    try:
        elf = inspect_elf.read(path)
    except inspect_elf.NotElf as error:
        raise Refused(f'{path} is not a shared library ({error}): name {NAME} with --lib PATH')
    if elf.kind != 'shared object' or elf.interpreter:
        raise Refused(f'{path} is not a shared library: name {NAME} with --lib PATH')
    return path


def is_ours(entry, library):
    if os.path.basename(entry).startswith((NAME, preload.MUSL_NAME)):
        return True
    return bool(library) and os.path.realpath(entry) == os.path.realpath(library)


def _other_preloads(environment, library):
    entries = environment.get('LD_PRELOAD', '').replace(':', ' ').split()
    return [entry for entry in entries if not is_ours(entry, library)]


def with_library(environment, library, settings=()):
    if macos.HERE:
        return macos.with_library(environment, library, settings)
    result = dict(environment)
    result.update(settings)
    result['LD_PRELOAD'] = ':'.join([library] + _other_preloads(result, library))
    return result


def without_library(environment, library):
    if macos.HERE:
        return macos.without_library(environment, library)
    result = dict(environment)
    others = _other_preloads(environment, library)
    result.pop('LD_PRELOAD', None)
    if others:
        result['LD_PRELOAD'] = ':'.join(others)
    return result
