# SPDX-License-Identifier: MIT
"""Check for a target: its source is fetched as Debian's source package and built with the target's
compiler, by check/meson.build, into a folder of its own.

The source comes from where this system has its packages from, by an apt that keeps its lists in a
private folder: the system's own settings stay as they are. Nothing of it becomes part of the project.
"""
import hashlib
import os
import pathlib
import shutil
import subprocess

BUILD_FILES = pathlib.Path(__file__).resolve().parent / 'check'
KEYS = '/usr/share/keyrings/debian-archive-keyring.gpg'
LIMIT = 200


class Unreachable(Exception):
    """The source cannot be had here."""


def _run(command, what, **keywords):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=LIMIT, check=False, **keywords)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unreachable(f'{what}: {error}') from error
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or 'no reason given').splitlines()
        raise Unreachable(f'{what}: {lines[-1]}')
    return done.stdout


def _archives():
    """Address and release of each archive of main packages that this system uses."""
    text = _run(['apt-get', 'indextargets', '--format', '$(REPO_URI) $(RELEASE) $(COMPONENT)',
                 'Created-By: Packages'], 'apt-get indextargets')
    found = {tuple(line.split()[:2]) for line in text.splitlines() if line.endswith(' main')}
    if not found:
        raise Unreachable('apt names no archive of packages')
    return sorted(found)


def _fetch(folder):
    """Downloads the source package into the folder and returns the path of the archive."""
    state = folder / 'apt'
    for part in ('lists/partial', 'archives/partial'):
        (state / part).mkdir(parents=True, exist_ok=True)
    (state / 'status').touch()
    option = f' [signed-by={KEYS}]' if os.path.exists(KEYS) else ''
    (state / 'sources.list').write_text(
        ''.join(f'deb-src{option} {address} {release} main\n' for address, release in _archives()),
        encoding='utf-8')
    apt = ['apt-get', '-qq']
    for setting in (f'Dir::State={state}', f'Dir::State::status={state}/status',
                    f'Dir::State::lists={state}/lists', f'Dir::Cache={state}',
                    f'Dir::Etc::sourcelist={state}/sources.list', 'Dir::Etc::sourceparts=/dev/null',
                    'Acquire::Languages=none', 'Acquire::Retries=2', 'APT::Sandbox::User=root'):
        apt += ['-o', setting]
    _run(apt + ['update', '--error-on=any'], 'apt-get update of source packages')
    _run(apt + ['source', '--download-only', 'check'], 'apt-get source check', cwd=folder)
    shutil.rmtree(state)
    for archive in folder.glob('check_*.orig.tar.*'):
        return archive
    raise Unreachable('the source package of check has no archive of the original')


def source(folder):
    """The unpacked source below the folder; it exists only once it is whole."""
    root = folder / 'source'
    if root.is_dir():
        return root
    work = folder / 'work'
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    (work / 'unpacked').mkdir()
    _run(['tar', '-x', '--no-same-owner', '-C', work / 'unpacked', '-f', _fetch(work)], 'tar')
    (unpacked,) = (work / 'unpacked').iterdir()
    unpacked.rename(root)
    shutil.rmtree(work)
    return root


def _checksum(paths):
    total = hashlib.sha256()
    for path in paths:
        total.update(path.read_bytes())
    return total.hexdigest()


def build(folder, target, run):
    """The folder in which Check is installed for the target, and whether it is new; run is a step
    that may fail."""
    root = source(folder)
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
