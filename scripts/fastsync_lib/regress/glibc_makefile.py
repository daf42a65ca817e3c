# SPDX-License-Identifier: MIT
"""What glibc's Makefiles say of its tests: their names, flags, libraries, arguments, modules.

It reads variables and prerequisites only and takes both branches of every condition. References
to variables that it does not know are empty, which is right for the flags of tests.
"""
import os
import re

ASSIGNMENT = re.compile(r'([\w.<$()+-]+)\s*(:=|\+=|\?=|=)\s*(.*)')
PREREQUISITE = re.compile(r'\$\(objpfx\)(tst-[\w-]+(?:\.out)?)\s*:\s*(.*)')
REFERENCE = re.compile(r'\$\(([\w.-]+)\)')
LISTS = ('tests', 'tests-internal', 'tests-time64', 'tests-static', 'tests-container', 'xtests')


class Makefiles:
    """The Makefiles of some folders, read one after the other."""

    def __init__(self, paths):
        self.variables = {}
        self.prerequisites = {}
        for path in paths:
            if os.path.exists(path):
                self._read(path)

    def _read(self, path):
        with open(path, encoding='utf-8') as file:
            text = file.read()
        text = re.sub(r'(?m)(?<!\\)#.*$', '', text)
        for line in re.sub(r'\\\n[ \t]*', ' ', text).splitlines():
            assignment = ASSIGNMENT.fullmatch(line.removeprefix('override ').strip())
            if assignment and not line.startswith('\t'):
                name, operator, value = assignment.groups()
                if operator == '+=' or name in LISTS:   # each folder begins its lists anew
                    value = f'{self.variables.get(name, "")} {value}'
                self.variables[name] = value
                continue
            rule = PREREQUISITE.match(line)
            if rule:
                self.prerequisites.setdefault(rule[1], []).extend(rule[2].split())

    def value(self, name, **known):
        """The text of a variable; `known` gives the values of references, '_' for '-'."""
        def look_up(match):
            key = match[1]
            if key.replace('-', '_') in known:
                return known[key.replace('-', '_')]
            return self.value(key, **known) if key in self.variables and key != name else ''
        return REFERENCE.sub(look_up, self.variables.get(name, '')).strip()

    def tests(self):
        """Name of each test -> the lists that name it."""
        found = {}
        for kind in LISTS:
            for word in self.value(kind).split():
                if re.fullmatch(r'tst-[\w-]+', word):
                    found.setdefault(word, set()).add(kind)
        return found

    def modules(self, target):
        """The shared objects and objects that a test is linked with, or NAME.out loads."""
        words = [word.removeprefix('$(objpfx)') for word in self.prerequisites.get(target, ())]
        return [word for word in words if re.fullmatch(r'tst-[\w-]+\.(so|o)', word)]
