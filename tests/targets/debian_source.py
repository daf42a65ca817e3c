# SPDX-License-Identifier: MIT
"""The original source of one of Debian's source packages, fetched and unpacked once.

It comes from where this system has its packages from, by an apt that keeps its lists in a private
folder: the system's own settings stay as they are. Nothing of it becomes part of the project. What
is built from it, and how, is left to check_source.py and programs.py.
"""
import os
import pathlib
import shutil
import subprocess

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


def _fetch(package, folder):
    """Downloads the original of the source package into the folder and returns its path."""
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
    _run(apt + ['source', '--download-only', '--tar-only', package], f'apt-get source {package}',
         cwd=folder)
    shutil.rmtree(state)
    for archive in folder.glob(f'{package}_*.orig.tar.*'):
        if archive.suffix != '.asc':
            return archive
    raise Unreachable(f'the source package {package} has no archive of the original')


def unpacked(package, folder):
    """The source below the folder; it exists only once it is whole."""
    root = folder / 'source'
    if root.is_dir():
        return root
    work = folder / 'work'
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    (work / 'tree').mkdir()
    _run(['tar', '-x', '--no-same-owner', '-C', work / 'tree', '-f', _fetch(package, work)], 'tar')
    (tree,) = (work / 'tree').iterdir()
    tree.rename(root)
    shutil.rmtree(work)
    return root
