# SPDX-License-Identifier: MIT
"""Wine for the programs of the targets for Windows: one prefix in the build folder, without a display,
and a server that waits a while for the next program.

What is run is left to scripts/test-targets.
"""
import os
import re
import subprocess

START = 300  # seconds for the first start, which makes the prefix
LIMIT = 60
LINGER = 20  # for which the server waits for the next program
QUIET = {'stdin': subprocess.DEVNULL, 'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL}


class Wine:
    """Entered: the environment is that of the prefix. Left: nothing of it runs any more."""

    def __init__(self, prefix):
        self.settings = {'WINEPREFIX': str(prefix), 'WINEDEBUG': '-all'}
        self.before = {}

    def __enter__(self):
        names = ('DISPLAY', *self.settings)
        self.before = {name: os.environ[name] for name in names if name in os.environ}
        os.environ.pop('DISPLAY', None)
        os.environ.update(self.settings)
        os.makedirs(self.settings['WINEPREFIX'], exist_ok=True)
        # Services stay, and must not hold a pipe that somebody reads to its end.
        subprocess.run(['wineserver', f'-p{LINGER}'], check=False, **QUIET)
        try:
            subprocess.run(['wine', 'cmd', '/c', 'ver'], check=False, timeout=START, **QUIET)
        except subprocess.TimeoutExpired:
            pass  # what the probe does tells
        return self

    def __exit__(self, *_):
        subprocess.run(['wineserver', '-k'], check=False)
        for name in self.settings:
            del os.environ[name]
        os.environ.update(self.before)


def _run(command, limit):
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors='replace', timeout=limit, check=False).stdout
    except subprocess.TimeoutExpired:
        return ''


def runs(probe):
    """Whether the program, which prints a line, does so."""
    return bool(re.match(r'a program of \d+ bits was run', _run(['wine', str(probe)], LIMIT)))
