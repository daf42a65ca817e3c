# SPDX-License-Identifier: MIT
"""`fastsync run`: becomes the program, with the library preloaded.

Nothing of this process remains: the exit status, signals and terminal are the program's own.
"""
import os

from . import library as library_module
from . import macos, preload
from .errors import Refused, reason


def run(command, library, settings):
    if not macos.HERE:
        library = preload.fitting(command[0], library)
    path = preload.require(command[0], library)
    environment = library_module.with_library(os.environ, library, settings)
    try:
        os.execve(path, command, environment)
    except OSError as error:
        raise Refused(f'{path} could not be started: {reason(error)}')
