# SPDX-License-Identifier: MIT
"""The cells of the benchmark: which exist, in which kind of process each runs, how long one run
of it takes, and which groups are summed up together. What a cell does is in the worker."""

import collections
import fnmatch
import itertools
import os

# role: the process the cell needs: 'one' has never had a second thread, 'two' has one parked,
# 'many' starts as many as its cells need. cost: what a ratio compares. An uncontended call never
# waits, so CPU time tells its price without what the neighbours of this machine take away.
Cell = collections.namedtuple('Cell', 'name role milliseconds groups cost',
                              defaults=('ns',))

KINDS = ('normal', 'recursive', 'errorcheck', 'adaptive', 'pi', 'robust', 'pshared', 'trylock',
         'c11', 'rdlock', 'wrlock', 'signal', 'broadcast')
QUEUE_SIZES = ('1x1', '4x4', '1x32', '32x1', '32x32')
# With more threads than CPUs a window must hold many time slices for all threads to take part.
WINDOW = {2: 15, 4: 15, 8: 15, 32: 40, 64: 60}
RWLOCK_MIXES = ((2, 'w0'), (8, 'w0'), (2, 'w1'), (8, 'w1'), (2, 'w10'), (8, 'w10'), (64, 'w1'))


def _uncontended():
    for kind, role in itertools.product(KINDS, ('one', 'two')):
        yield Cell(f'uncontended/{kind}/{role}', role, 5, (f'uncontended/{role}',), 'cpu_ns')


def _contended():
    for threads, inside, outside in itertools.product(
            (2, 4, 8, 32, 64), ('0', '100ns', '1us'), ('0', '100ns', '1us', '10us')):
        yield Cell(f'contended/T{threads}/{inside}/{outside}', 'many', WINDOW[threads],
                   (f'contended/T{threads}', 'contended/all'))
    for threads, milliseconds in ((8, 80), (32, 160)):
        yield Cell(f'fairness/T{threads}/1us/0', 'many', milliseconds, ())


def _conditions():
    places = ('free', 'pinned', 'apart') if len(os.sched_getaffinity(0)) > 1 else ('free', 'pinned')
    for place, when in itertools.product(places, ('after', 'under')):
        yield Cell(f'pingpong/{place}/{when}', 'many', 15, (f'pingpong/{place}',))
    for capacity, size, when in itertools.product((1, 16), QUEUE_SIZES, ('after', 'under')):
        yield Cell(f'queue/cap{capacity}/{size}/{when}', 'many', 15, (f'queue/{when}',))
    for waiters, when in itertools.product((8, 64, 256), ('held', 'free')):
        yield Cell(f'broadcast/N{waiters}/{when}', 'many', 20, (f'broadcast/N{waiters}',))


def _rwlocks():
    for (threads, mix), inside, outside in itertools.product(
            RWLOCK_MIXES, ('0', '100ns'), ('0', '1us')):
        yield Cell(f'rwlock/T{threads}/{mix}/{inside}/{outside}', 'many', WINDOW[threads],
                   (f'rwlock/T{threads}/{mix}',))


def all_cells():
    return [*_uncontended(), *_contended(), *_conditions(), *_rwlocks()]


def matching(patterns):
    """The cells that match one of the shell patterns; a pattern may also name a whole group."""
    if not patterns:
        return all_cells()
    return [cell for cell in all_cells()
            if any(fnmatch.fnmatchcase(cell.name, pattern) or
                   fnmatch.fnmatchcase(cell.name, pattern.rstrip('/') + '/*')
                   for pattern in patterns)]
