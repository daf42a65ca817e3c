# SPDX-License-Identifier: MIT
"""What the running kernel offers, found by asking it: each futex operation, membarrier, rseq.

Every question is a system call on words of our own, with arguments for which a kernel that knows
the operation returns at once. A sandbox that refuses a call is thereby reported as it is.
"""
import ctypes
import errno
import os

# system call numbers by machine: futex, futex_waitv, membarrier, rseq, get_robust_list
CALLS = {'x86_64': (202, 449, 324, 334, 274),
         'aarch64': (98, 449, 283, 293, 100),
         'riscv64': (98, 449, 283, 293, 100)}
PRIVATE = 128
MATCH_ANY = 0xffffffff
(REQUEUE, CMP_REQUEUE, WAKE_OP, LOCK_PI, UNLOCK_PI, TRYLOCK_PI, WAIT_BITSET, WAKE_BITSET,
 WAIT_REQUEUE_PI, CMP_REQUEUE_PI, LOCK_PI2) = range(3, 14)
MEMBARRIER_COMMANDS = [('global', 0, None), ('global expedited', 1, 2),
                       ('private expedited', 3, 4), ('private expedited sync core', 5, 6),
                       ('private expedited rseq', 7, 8)]


class Waiter(ctypes.Structure):
    _fields_ = [('value', ctypes.c_uint64), ('address', ctypes.c_uint64),
                ('flags', ctypes.c_uint32), ('reserved', ctypes.c_uint32)]


class Kernel:
    def __init__(self, machine=None):
        self.libc = ctypes.CDLL(None, use_errno=True)
        numbers = CALLS.get(machine or os.uname().machine)
        self.numbers = dict(zip(('futex', 'futex_waitv', 'membarrier', 'rseq',
                                 'get_robust_list'), numbers)) if numbers else None

    def call(self, name, *arguments):
        """(result, errno); errno is 0 where the call succeeded."""
        words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
        ctypes.set_errno(0)
        result = self.libc.syscall(ctypes.c_long(self.numbers[name]), *words)
        return result, ctypes.get_errno() if result == -1 else 0

    def futex(self, word, operation, value=0, value2=0, word2=None, value3=0):
        second = ctypes.byref(word2) if word2 is not None else ctypes.c_void_p()
        _, error = self.call('futex', ctypes.byref(word), operation | PRIVATE, value, value2,
                             second, value3)
        return error

    def features(self):
        """(name, answer) pairs, where an answer is 'yes' or the reason why not."""
        if self.numbers is None:
            return []
        return (self._futex_features() + [('futex_waitv', self._waitv())]
                + self._membarrier_features()
                + [('rseq', self._rseq()),
                   ('rseq registered by libc', rseq_registration(self.libc)),
                   ('robust list', self._robust_list())])

    def _futex_features(self):
        def ask(operation, **arguments):
            one, two = ctypes.c_uint32(0), ctypes.c_uint32(0)
            if operation in (REQUEUE, CMP_REQUEUE, WAKE_OP, WAIT_REQUEUE_PI, CMP_REQUEUE_PI):
                arguments['word2'] = two
            return self.futex(one, operation, **arguments)

        mismatch = (errno.EAGAIN,)
        answers = [
            ('FUTEX_WAIT_BITSET', ask(WAIT_BITSET, value=1, value3=MATCH_ANY), mismatch),
            ('FUTEX_WAKE_BITSET', ask(WAKE_BITSET, value=1, value3=MATCH_ANY), ()),
            ('FUTEX_REQUEUE', ask(REQUEUE), ()),
            ('FUTEX_CMP_REQUEUE', ask(CMP_REQUEUE, value3=1), mismatch),
            ('FUTEX_WAKE_OP', ask(WAKE_OP), ()),
            ('FUTEX_LOCK_PI', self._lock_pi(LOCK_PI), ()),
            ('FUTEX_LOCK_PI2', self._lock_pi(LOCK_PI2), ()),
            ('FUTEX_TRYLOCK_PI', self._lock_pi(TRYLOCK_PI), ()),
            ('FUTEX_WAIT_REQUEUE_PI', ask(WAIT_REQUEUE_PI, value=1), mismatch),
            ('FUTEX_CMP_REQUEUE_PI', ask(CMP_REQUEUE_PI, value=1, value3=1), mismatch),
        ]
        return [(name, _answer(error, fine)) for name, error, fine in answers]

    def _lock_pi(self, operation):
        word = ctypes.c_uint32(0)
        error = self.futex(word, operation)
        if error == 0:
            error = self.futex(word, UNLOCK_PI)
        return error

    def _waitv(self):
        word = ctypes.c_uint32(0)
        waiter = Waiter(1, ctypes.addressof(word), 2 | PRIVATE, 0)
        _, error = self.call('futex_waitv', ctypes.byref(waiter), 1, 0, ctypes.c_void_p(), 0)
        return _answer(error, (errno.EAGAIN,))

    def _membarrier_features(self):
        mask, error = self.call('membarrier', 0, 0, 0)
        if error:
            return [('membarrier', _answer(error))]
        answers = []
        for name, bit, registration in MEMBARRIER_COMMANDS:
            answer = 'yes' if mask & 1 << bit else 'not offered'
            if answer == 'yes' and registration is not None:
                _, error = self.call('membarrier', 1 << registration, 0, 0)
                if not error:
                    _, error = self.call('membarrier', 1 << bit, 0, 0)
                answer = _answer(error)
            answers.append((f'membarrier {name}', answer))
        return answers

    def _rseq(self):
        _, error = self.call('rseq', ctypes.c_void_p(), 0, 0, 0)
        return _answer(error, (errno.EINVAL, errno.EBUSY, errno.EFAULT))

    def _robust_list(self):
        head, length = ctypes.c_void_p(), ctypes.c_size_t()
        _, error = self.call('get_robust_list', 0, ctypes.byref(head), ctypes.byref(length))
        return 'not registered' if not error and not head.value else _answer(error)


def rseq_registration(libc):
    try:
        size = ctypes.c_uint.in_dll(libc, '__rseq_size').value
    except ValueError:
        return 'this libc does not know rseq'
    return 'yes' if size else 'libc has not registered it'


def _answer(error, fine=()):
    if error == 0 or error in fine:
        return 'yes'
    name = errno.errorcode.get(error, str(error))
    return 'no (ENOSYS)' if error == errno.ENOSYS else f'refused ({name})'
