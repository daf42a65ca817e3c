# SPDX-License-Identifier: MIT
"""The tables: every cell with its ratio and interval, every group with its geometric mean, and
what only some cells have (fairness, switches of a broadcast)."""

import statistics
import zlib

import estimate


class Report:
    """Turns rounds into estimates, once."""

    def __init__(self, results):
        self.results = results
        self.speed = {}
        self.cpu = {}
        for cell in results.measured():
            seed = zlib.crc32(cell.name.encode())
            self.speed[cell.name] = estimate.median(results.ratios(cell.name, cell.cost), seed)
            self.cpu[cell.name] = estimate.median(results.ratios(cell.name, 'cpu_ns'), seed)
        self.groups = self._groups()

    def _groups(self):
        members = {}
        for cell in self.results.measured():
            for group in cell.groups:
                members.setdefault(group, []).append(cell.name)
        return {group: (len(names),
                        estimate.geometric_mean([self.speed[name] for name in names]),
                        estimate.geometric_mean([self.cpu[name] for name in names]))
                for group, names in sorted(members.items())}

    def rounds(self):
        """Of the cell that has the fewest."""
        return min((len(self.results.rounds[name]) for name in self.speed), default=0)

    def figure(self, name, arm, function):
        return statistics.median(self.results.figures(name, arm, function))

    def extra(self, name, key, arm):
        """The estimate of a figure that only some groups have."""
        return estimate.median(self.results.figures(name, arm, lambda sample: sample[key]))


def _mean(sample):
    return sample['ns'] / sample['ops']


def _cpu(sample):
    return sample['cpu_ns'] / sample['ops']


def _switches(sample):
    return (sample['voluntary'] + sample['involuntary']) / sample['ops']


def print_cells(report):
    print('Cells: ratio above 1 = B faster (uncontended: by CPU time); ns, CPU ns and context '
          'switches per operation; spread of the middle 80 % of the rounds')
    print(f'{"cell":34} {"ratio":>5}   {"95 % interval":14} {"ns A":>9} {"ns B":>9} '
          f'{"cpu A":>9} {"cpu B":>9} {"sw A":>6} {"sw B":>6} {"spread":>6}')
    for cell in report.results.measured():
        columns = [report.figure(cell.name, arm, function)
                   for function in (_mean, _cpu, _switches) for arm in (0, 1)]
        spread = estimate.spread(report.results.ratios(cell.name, cell.cost))
        print(f'{cell.name:34} {report.speed[cell.name]} '
              + ' '.join(f'{value:9.1f}' for value in columns[:4]) + ' '
              + ' '.join(f'{value:6.2f}' for value in columns[4:]) + f' {100 * spread:4.0f} %')


def print_groups(report):
    print('\nGroups: geometric mean of the ratios')
    print(f'{"group":34} {"cells":>5} {"ratio":>6}   {"95 % interval":14}   '
          f'{"per CPU second":24}')
    for group, (count, speed, cpu) in report.groups.items():
        print(f'{group:34} {count:5d}  {speed}   {cpu}')


def print_fairness(report):
    names = [c.name for c in report.results.measured() if c.name.startswith('fairness/')]
    if names:
        print('\nFairness: median of the rounds\' longest waits, Jain\'s index')
        print(f'{"cell":34} {"ms A":>8} {"ms B":>8} {"Jain A":>7} {"Jain B":>7}')
    for name in names:
        waits = [report.figure(name, arm, lambda s: s['longest_wait_ns'] / 1e6) for arm in (0, 1)]
        jain = [report.figure(name, arm, lambda s: s['jain']) for arm in (0, 1)]
        print(f'{name:34} {waits[0]:8.2f} {waits[1]:8.2f} {jain[0]:7.2f} {jain[1]:7.2f}')


def print_broadcast(report):
    names = [c.name for c in report.results.measured() if c.name.startswith('broadcast/')]
    if names:
        print('\nBroadcast: context switches beyond one per waiter (of them voluntary), and '
              'the caller\'s time')
        print(f'{"cell":18} {"extra A":>8} {"extra B":>8}   {"95 % interval":16} {"vol. A":>7} '
              f'{"vol. B":>7} {"us A":>8} {"us B":>8}')
    for name in names:
        extra = [report.extra(name, 'extra_switches', arm) for arm in (0, 1)]
        voluntary = [report.figure(name, arm, lambda s: s['extra_voluntary']) for arm in (0, 1)]
        caller = [report.figure(name, arm, lambda s: s['caller_ns'] / 1000) for arm in (0, 1)]
        print(f'{name:18} {extra[0].value:8.3f} {extra[1].value:8.3f}   '
              f'[{extra[1].low:6.3f}, {extra[1].high:6.3f}] {voluntary[0]:7.3f} '
              f'{voluntary[1]:7.3f} {caller[0]:8.1f} {caller[1]:8.1f}')


def print_all(report):
    print_cells(report)
    print_groups(report)
    print_fairness(report)
    print_broadcast(report)
    for name, reason in report.results.failures.items():
        print(f'\nFAILED {name}: {reason}')


def as_dict(report):
    results = report.results
    return {
        'cells': {cell.name: {
            'ratio': report.speed[cell.name].as_dict(),
            'per_cpu_second': report.cpu[cell.name].as_dict(),
            'rounds': [{'a': a, 'b': b} for a, b in results.rounds[cell.name]],
        } for cell in results.measured()},
        'groups': {group: {'cells': count, 'ratio': speed.as_dict(),
                           'per_cpu_second': cpu.as_dict()}
                   for group, (count, speed, cpu) in report.groups.items()},
        'failures': results.failures,
        'others': results.others,
    }
