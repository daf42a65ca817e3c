# SPDX-License-Identifier: MIT
"""What the library is meant to reach against libc, judged by intervals and not by medians: met,
not met, or cannot be told from this many rounds."""

import cells as grid

UNCONTENDED_TOLERANCE = 0.97
CONTENDED_MEAN = 1.2
CONTENDED_WORST = 0.9
QUEUE_MEAN = 1.5
BROADCAST_EXTRA = 0.05

# Below this the resampled interval of a median is narrower than the 95 % it claims.
LEAST_ROUNDS = 6

# With the CPUs taken by others, threads rarely meet: contended ratios drift towards 1.
MOST_OTHERS = 0.2

MET, NOT_MET, UNKNOWN = 'met', 'not met', 'cannot be told'


def _at_least(estimate, goal):
    if estimate.low >= goal:
        return MET
    return NOT_MET if estimate.high < goal else UNKNOWN


def _at_most(estimate, goal):
    if estimate.high <= goal:
        return MET
    return NOT_MET if estimate.low > goal else UNKNOWN


def _worst(verdicts):
    for verdict in (NOT_MET, UNKNOWN):
        if verdict in verdicts:
            return verdict
    return MET


def _names(report, prefix):
    return [cell.name for cell in report.results.measured() if cell.name.startswith(prefix)]


def _uncontended(report, role):
    verdicts = {name: _at_least(report.speed[name], UNCONTENDED_TOLERANCE)
                for name in _names(report, 'uncontended/') if name.endswith('/' + role)}
    details = [f'{name} {report.speed[name]} {verdict}'
               for name, verdict in verdicts.items() if verdict != MET]
    return _worst(verdicts.values()), details


def _contended_cells(report):
    names = _names(report, 'contended/')
    slow = [name for name in names if report.speed[name].high < CONTENDED_WORST]
    doubtful = [name for name in names
                if name not in slow and report.speed[name].value < CONTENDED_WORST]
    details = [f'{name} {report.speed[name]}' for name in slow]
    details += [f'{name} {report.speed[name]} interval reaches {CONTENDED_WORST}'
                for name in doubtful]
    return NOT_MET if slow else MET, details


def _group(report, group, goal):
    count, speed, _ = report.groups[group]
    return _at_least(speed, goal), [f'{speed} over {count} cells']


def _broadcast(report):
    estimates = {name: report.extra(name, 'extra_switches', 1)
                 for name in _names(report, 'broadcast/N64/')}
    details = [f'{name} {e.value:.3f} [{e.low:.3f}, {e.high:.3f}]' for name, e in estimates.items()]
    return _worst([_at_most(e, BROADCAST_EXTRA) for e in estimates.values()]), details


def _goals(report):
    """(group, goal, verdict, details) for every group that was measured at all."""
    for role, threads in (('one', 'one thread'), ('two', 'a second thread alive')):
        group = f'uncontended/{role}'
        if group in report.groups:
            yield (group, f'uncontended, {threads}: no kind slower than libc (ratio at least '
                   f'{UNCONTENDED_TOLERANCE})', *_uncontended(report, role))
    group = 'contended/all'
    if group in report.groups:
        yield (group, f'contended mutex: geometric mean at least {CONTENDED_MEAN}',
               *_group(report, group, CONTENDED_MEAN))
        yield (group, f'contended mutex: no cell with its interval wholly below '
               f'{CONTENDED_WORST}', *_contended_cells(report))
    group = 'queue/after'
    if group in report.groups:
        yield (group, f'bounded queue, signal after unlock: geometric mean at least {QUEUE_MEAN}',
               *_group(report, group, QUEUE_MEAN))
    group = 'broadcast/N64'
    if group in report.groups:
        yield (group, f'broadcast to 64: at most {BROADCAST_EXTRA} extra context switches per '
               'waiter', *_broadcast(report))


def judge(report):
    """A list of (goal, verdict, details). Too few rounds, a busy machine, or a group with cells
    missing because they were not asked for or failed, cannot tell."""
    judged = []
    for group, goal, verdict, details in _goals(report):
        total = sum(group in cell.groups for cell in grid.all_cells())
        measured = report.groups[group][0]
        if measured < total:
            verdict, details = UNKNOWN, [f'only {measured} of {total} cells measured'] + details
        if report.rounds() < LEAST_ROUNDS:
            verdict, details = UNKNOWN, [f'only {report.rounds()} rounds'] + details
        if report.results.others > MOST_OTHERS and not group.startswith('uncontended'):
            share = f'other programs took {100 * report.results.others:.0f} % of the machine'
            verdict, details = UNKNOWN, [share] + details
        judged.append((goal, verdict, details))
    return judged


def print_all(judged):
    if judged:
        print('\nGoals')
    for goal, verdict, details in judged:
        print(f'  {verdict.upper():14} {goal}')
        for detail in details:
            print(f'  {"":14}   {detail}')
