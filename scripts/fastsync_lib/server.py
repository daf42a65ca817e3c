# SPDX-License-Identifier: MIT
"""One run of `fastsync ab --server`: the server is the arm, the client only measures it.

Starts the server, asks --ready until it answers, runs the client without the library, ends the
server by its process id. CPU time, switches and memory are the server's; wall time and output
are the client's.
"""
import os
import signal
import subprocess
import time
from dataclasses import replace

from . import process
from .errors import Stopped, one_line

READY_INTERVAL = 0.05
GRACE_SECONDS = 5


def run(server, client, ready, timeout):
    """server and client are (path, command, environment). Returns (Result, server's Result)."""
    with process.Child(*server) as child:
        _wait_until_ready(child, ready, client[2], timeout)
        try:
            result = process.run(*client, timeout)
        except Stopped as stop:
            raise Stopped(f'the client {stop}') from None
        if child.has_ended():
            raise Stopped(_early_end(child, 'while the client ran'))
        loaded = _mapped_files(child.pid)
        ended = _end(child)
    merged = replace(result, user=ended.user, system=ended.system, voluntary=ended.voluntary,
                     involuntary=ended.involuntary, peak_kib=ended.peak_kib)
    return merged, ended, loaded


def _wait_until_ready(child, ready, environment, timeout):
    deadline = time.monotonic() + timeout
    while True:
        answered = _answers(ready, environment, max(deadline - time.monotonic(), READY_INTERVAL))
        if child.has_ended():
            raise Stopped(_early_end(child, 'before it was ready'))
        if answered:
            return
        if time.monotonic() >= deadline:
            raise Stopped(f'the server was not ready within {timeout:g} s, as --ready would have '
                          'shown (--timeout)')
        time.sleep(READY_INTERVAL)


def _answers(ready, environment, limit):
    probe = subprocess.Popen(['/bin/sh', '-c', ready], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             env=environment, start_new_session=True)
    try:
        return probe.wait(limit) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        if probe.returncode is None:
            os.killpg(probe.pid, signal.SIGKILL)
            probe.wait()


def _early_end(child, when):
    ended = child.finish()
    how = ended.failure() or 'ended with status 0; it must stay in the foreground'
    return f'the server {how}, {when}' if ended.status == 0 else f'the server, {when}, {how}'


def _end(child):
    child.send(signal.SIGTERM)
    if not child.has_ended(GRACE_SECONDS):
        child.kill()
        child.has_ended(GRACE_SECONDS)
    ended = child.finish()
    if ended.status < 0 and -ended.status not in (signal.SIGTERM, signal.SIGKILL):
        raise Stopped(f'the server {one_line(ended.failure())}, when it was asked to end')
    return ended


def _mapped_files(pid):
    """The files mapped into the server, or none where the kernel does not tell."""
    try:
        with open(f'/proc/{pid}/maps', encoding='utf-8', errors='surrogateescape') as maps:
            return {line.rstrip('\n').split(None, 5)[5] for line in maps if '/' in line}
    except (OSError, IndexError):
        return set()
