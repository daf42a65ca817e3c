# SPDX-License-Identifier: MIT
"""The two ways in which the command ends early, each with one line and an exit status.

Refused: nothing was run, because of what was asked. Stopped: something was run and went wrong.
"""
import os


class EarlyEnd(Exception):
    status = 1


class Refused(EarlyEnd):
    status = 2


class Stopped(EarlyEnd):
    status = 1


def reason(error):
    """The plain words of an OSError, without its number and path."""
    return os.strerror(error.errno).lower() if error.errno else str(error)


def one_line(text, limit=160):
    """Text from a program, fit to be quoted inside a one-line message."""
    if isinstance(text, bytes):
        text = text.decode('utf-8', 'replace')
    text = ' '.join(''.join(c if c.isprintable() else ' ' for c in text).split())
    return text if len(text) <= limit else text[:limit - 3] + '...'
