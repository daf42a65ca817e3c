# SPDX-License-Identifier: MIT
"""Instructions per uncontended operation, counted by Valgrind's callgrind. Two counts of different
lengths are taken and subtracted, so that starting the process does not count."""

import re
import shutil
import subprocess

SHORT, LONG = 2000, 12000


class Unavailable(Exception):
    pass


def _total(arm, cell, operations):
    command = ['valgrind', '--tool=callgrind', '--callgrind-out-file=/dev/null', arm.worker]
    command += ['--second-thread'] if cell.role == 'two' else []
    command += ['--count', cell.name.split('/', 1)[1], str(operations)]
    done = subprocess.run(command, env=arm.environment, capture_output=True, text=True,
                          timeout=120, check=False)
    match = re.search(r'Collected : (\d+)', done.stderr)
    if done.returncode != 0 or match is None:
        raise Unavailable(f'{cell.name}: callgrind failed: {done.stderr.strip()[-300:]}')
    return int(match.group(1))


def print_table(cells, arms):
    """Only the uncontended cells. Without Valgrind it says so and is done."""
    if shutil.which('valgrind') is None:
        raise Unavailable('valgrind is not installed')
    print(f'Instructions per operation (loop included)\n{"cell":34} {"A":>8} {"B":>8}')
    for cell in cells:
        if not cell.name.startswith('uncontended/'):
            continue
        counts = []
        for arm in arms:
            short, long = _total(arm, cell, SHORT), _total(arm, cell, LONG)
            counts.append((long - short) / (LONG - SHORT))
        print(f'{cell.name:34} {counts[0]:8.1f} {counts[1]:8.1f}', flush=True)
