# SPDX-License-Identifier: MIT
"""One measured child process: started in a session of its own, limited in time, never orphaned.

Its output goes to files, so that nobody has to read along while it runs. What it is started with
and what its figures mean is decided in ab.py.
"""
import os
import select
import signal
import tempfile
import time
from dataclasses import dataclass

from .errors import Stopped, one_line, reason

POLL_SECONDS = 0.001
# What ends the command; it may do so only while there is nothing that would be left behind.
ENDING = {getattr(signal, name) for name in ('SIGINT', 'SIGTERM', 'SIGHUP')
          if hasattr(signal, name)}


@dataclass
class Result:
    status: int
    wall: float
    user: float
    system: float
    voluntary: int
    involuntary: int
    peak_kib: int
    stdout: bytes
    stderr: bytes

    def failure(self):
        """How the process failed, in words, or None."""
        if self.status == 0:
            return None
        if self.status < 0:
            words = f'was killed by {signal_name(-self.status)}'
        else:
            words = f'ended with status {self.status}'
        last = self.stderr.strip().rsplit(b'\n', 1)[-1]
        return f'{words}; its last line: {one_line(last)}' if last else words


def signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return f'signal {number}'


class Child:
    """A running process, for a `with` statement, which leaves nothing of its group behind. Signals
    that end the command wait from the start of the process until the statement guards it."""

    def __init__(self, path, command, environment):
        self.out = tempfile.TemporaryFile()
        self.err = tempfile.TemporaryFile()
        self.reaped = False
        actions = [(os.POSIX_SPAWN_OPEN, 0, '/dev/null', os.O_RDONLY, 0),
                   (os.POSIX_SPAWN_DUP2, self.out.fileno(), 1),
                   (os.POSIX_SPAWN_DUP2, self.err.fileno(), 2)]
        self.started = time.monotonic()
        self.mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        try:
            self.pid = os.posix_spawn(path, command, environment, file_actions=actions,
                                      setsid=True, setsigmask=[],
                                      setsigdef=[signal.SIGPIPE, signal.SIGXFSZ])
        except OSError as error:
            self.out.close()
            self.err.close()
            signal.pthread_sigmask(signal.SIG_SETMASK, self.mask)
            raise Stopped(f'could not be started: {reason(error)}') from None

    def __enter__(self):
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, self.mask)  # which raises what has waited
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if not self.reaped:
            self.kill()
            os.wait4(self.pid, 0)
            self.reaped = True
        self.out.close()
        self.err.close()

    def has_ended(self, seconds=0.0):
        """Waits up to `seconds` for the end; the process stays a zombie until finish()."""
        return has_ended(self.pid, seconds)

    def send(self, number):
        os.kill(self.pid, number)

    def kill(self):
        """Kills the whole group; the leader is not yet reaped, so its number is still its own."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass

    def finish(self):
        """The Result of a process that has ended; what is left of its group is killed."""
        wall = time.monotonic() - self.started
        self.kill()
        _, status, usage = os.wait4(self.pid, 0)
        self.reaped = True
        return Result(os.waitstatus_to_exitcode(status), wall, usage.ru_utime, usage.ru_stime,
                      usage.ru_nvcsw, usage.ru_nivcsw, usage.ru_maxrss,
                      _contents(self.out), _contents(self.err))


def has_ended(pid, seconds):
    """Waits up to `seconds` for the end of a child, which stays a zombie."""
    try:
        fd = os.pidfd_open(pid)
    except (AttributeError, OSError):
        return _has_ended_by_polling(pid, seconds)
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(fd)


def _has_ended_by_polling(pid, seconds):
    deadline = time.monotonic() + seconds
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _contents(file):
    file.seek(0)
    return file.read()


def run(path, command, environment, timeout):
    """The Result of one run; Stopped where it takes longer than `timeout` seconds."""
    with Child(path, command, environment) as child:
        if not child.has_ended(timeout):
            raise Stopped(f'did not end within {timeout:g} s and was killed (--timeout)')
        return child.finish()
