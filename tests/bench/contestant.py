# SPDX-License-Identifier: MIT
"""One contestant: the worker processes of one arm, plain or with a library preloaded. It proves at
the start that the lock calls resolve to the library meant, and turns a worker that hangs or dies
into an exception that says what it was doing."""

import os
import select
import signal
import subprocess
import time

CALL_TIMEOUT = 20.0


class Failure(Exception):
    """A worker that hung, died or is not the contestant it should be."""


class Worker:
    def __init__(self, arm, role):
        self.arm = arm
        self.role = role
        command = [arm.worker] + (['--second-thread'] if role == 'two' else [])
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        bufsize=0, env=arm.environment)
        self.buffer = b''
        self._prove(self._read_line(CALL_TIMEOUT, 'start'))

    def _prove(self, line):
        words = line.split('\t')
        if words[0] != 'ready':
            raise Failure(f'arm {self.arm.letter}: unexpected first line: {line}')
        for word in words[1:]:
            call, _, path = word.partition('=')
            if self.arm.library is None:
                right = os.path.basename(path).startswith('libc.so')
            else:
                right = os.path.realpath(path) == self.arm.library
            if not right:
                raise Failure(f'arm {self.arm.letter} is not what it should be: '
                              f'{call} comes from {path}')

    def _read_line(self, timeout, doing):
        deadline = time.monotonic() + timeout
        while b'\n' not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                self.kill()
                raise Failure(f'arm {self.arm.letter} hung for {timeout:.0f} s in {doing}')
            chunk = os.read(self.process.stdout.fileno(), 65536)
            if not chunk:
                status = self.process.wait()
                how = (f'killed by {signal.Signals(-status).name}' if status < 0
                       else f'exit status {status}')
                raise Failure(f'arm {self.arm.letter} died ({how}) in {doing}')
            self.buffer += chunk
        line, _, self.buffer = self.buffer.partition(b'\n')
        return line.decode()

    def ask(self, command):
        try:
            self.process.stdin.write(command.encode() + b'\n')
        except BrokenPipeError:
            pass
        answer = self._read_line(CALL_TIMEOUT, command)
        if answer.split(' ')[0] != 'ok':
            raise Failure(f'arm {self.arm.letter}: {command}: {answer}')
        return {key: float(value) for key, value in
                (word.split('=') for word in answer.split()[1:])}

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.process.stdin.close()
        if self.process.poll() is None:
            try:
                self.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self.kill()
        self.process.stdout.close()


class Contestant:
    worker_class = Worker

    def __init__(self, letter, worker, library=None, settings=()):
        self.letter = letter
        self.worker = worker
        self.library = os.path.realpath(library) if library else None
        self.environment = {key: value for key, value in os.environ.items()
                            if key != 'LD_PRELOAD' and not key.startswith('FASTSYNC_')
                            and key != 'FASTSYNC'}
        if self.library:
            self.environment['LD_PRELOAD'] = self.library
        self.environment.update(setting.split('=', 1) for setting in settings)
        self.speed = None
        self._workers = {}

    def describe(self):
        return self.library or 'libc alone'

    def worker_for(self, role):
        if role not in self._workers:
            worker = self.worker_class(self, role)
            self._workers[role] = worker
            if self.speed is not None:
                worker.ask(f'speed {self.speed:.0f}')
        return self._workers[role]

    def run(self, cell, scale):
        worker = self.worker_for(cell.role)
        try:
            return worker.ask(f'run {cell.name} {max(1, round(cell.milliseconds * scale))}')
        except Failure:
            worker.kill()
            worker.close()
            del self._workers[cell.role]
            raise

    def close(self):
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()
