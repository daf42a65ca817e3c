# SPDX-License-Identifier: MIT
"""The targets of targets.toml: which cross file each has, and what of the suites is run there.

How they are run is decided by scripts/test-targets, what they cannot do by limits.py.
"""
import configparser
import pathlib
import shutil
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SUITES = ('unit', 'conform', 'preload')
# What those for Windows have, in tests/windows.
WINE_SUITES = ('unit', 'conform', 'windows', 'programs')
# What only some targets have, by their entry `more`.
MORE_SUITES = ('stress', 'programs')
# Most of the programs sleep most of the time.
PROCESSES = 6


class Target:
    def __init__(self, name, entry, part):
        self.name = name
        self.cross_file = ROOT / 'cross' / f'{name}.ini'
        self.full = entry['full']
        self.beside = entry.get('beside')
        self.patience = entry.get('patience', 1)
        self.part = dict(part, **entry.get('part', {}))
        self.more = entry.get('more', {})
        self.cross = configparser.ConfigParser(interpolation=None)
        self.cross.read(self.cross_file, encoding='utf-8')
        constants = self._section('constants')
        self.triplet = constants.get('triplet', '').strip("'")
        wrapper = self._section('binaries').get('exe_wrapper', '')
        self.runner = wrapper.strip('[').split(',')[0].strip("'")
        self.by_wine = self.runner == 'wine'
        self.emulated = bool(self.runner) and not self.by_wine
        self.suites = WINE_SUITES if self.by_wine else SUITES + (MORE_SUITES if self.more else ())
        compiler = self._section('binaries')['c'].replace('triplet + ', '').strip("'")
        self.compiler = self.triplet + compiler if self.triplet else compiler

    def _section(self, name):
        return dict(self.cross[name]) if self.cross.has_section(name) else {}

    def has(self, suite, test):
        """Whether the test is one of those that are run without options."""
        if suite in MORE_SUITES and not self.by_wine:
            return suite in self.more['suites'] or test in self.more['tests']
        return self.full or suite in self.part['suites'] or test.partition(' (')[0] in self.part['tests']

    def missing(self):
        """The first program that is needed and not there, or None."""
        needed = [self.compiler]
        if self.runner:
            needed.append(self.runner)
        return next((program for program in needed if not shutil.which(program)), None)


def read():
    """All targets by name, in the order of the file."""
    with open(HERE / 'targets.toml', 'rb') as file:
        text = tomllib.load(file)
    part = text.pop('part')
    return {name: Target(name, entry, part) for name, entry in text.items()}
