# SPDX-License-Identifier: MIT
"""A contestant of the benchmark that Wine runs: the worker for Windows alone, or through
fastsync-run.exe. It proves at the start whose functions the worker's import table leads to. Rounds and
figures are those of tests/bench."""
import os
import signal
import subprocess

from contestant import CALL_TIMEOUT, Contestant, Failure, Worker

PTHREAD = ('pthread_mutex_lock', 'pthread_rwlock_rdlock', 'pthread_cond_wait')
WIN32 = ('EnterCriticalSection', 'SleepConditionVariableSRW')
OWN = {'pthread': ('libwinpthread-1.dll',), 'win32': ('ntdll.dll', 'kernel32.dll', 'kernelbase.dll')}
LIBRARY = ('fastsync.dll', 'fastsync32.dll')


class WineWorker(Worker):
    def __init__(self, arm, role):
        self.arm, self.role, self.buffer = arm, role, b''
        # A session of its own: the program outlives its launcher.
        self.process = subprocess.Popen(arm.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, bufsize=0, cwd=arm.folder,
                                        env=arm.environment, start_new_session=True)
        self.calls = dict(word.split('=', 1)
                          for word in self._read_line(CALL_TIMEOUT, 'start').rstrip().split('\t')[1:])
        self._prove_group(PTHREAD, 'pthread')
        self._prove_group(WIN32, 'win32')

    def _prove_group(self, names, group):
        right = LIBRARY if group in self.arm.groups else OWN[group]
        for name in names:
            module = self.calls.get(name, 'nobody')
            if module.rpartition('\\')[2].lower() not in right:
                self.kill()
                self.close()
                raise Failure(f'arm {self.arm.letter} is not what it should be: '
                              f'{name} comes from {module}')

    def ask(self, command):
        """What is not measured here counts as nothing, or as the time that passed."""
        figures = super().ask(command)
        return {'cpu_ns': figures.get('ns', 0.0), 'voluntary': 0.0, 'involuntary': 0.0, **figures}

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


class WineContestant(Contestant):
    """Runs in a folder that has the worker, the launcher and the DLLs. groups: which are ours."""
    worker_class = WineWorker

    def __init__(self, letter, wine, launcher, worker, groups=()):
        super().__init__(letter, worker)
        self.folder, self.groups = wine.folder, groups
        self.environment = wine.environment({'FASTSYNC_GROUPS': ','.join(groups)} if groups else {})
        self.command = ['wine', *([launcher] if groups else []), worker]

    def describe(self):
        return f'fastsync ({", ".join(self.groups)})' if self.groups else 'Windows alone'
