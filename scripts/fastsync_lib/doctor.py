# SPDX-License-Identifier: MIT
"""`fastsync doctor`: gathers what this machine and, if named, a program offer, and prints it.

The answers come from libc_bugs.py, kernel.py, preload.py and inspect_elf.py.
"""
import os
import re
import textwrap

from . import inspect_elf, kernel, libc_bugs, preload

FAMILIES = re.compile(r'(__)?pthread_(mutex|cond|rwlock)_\w+|(mtx|cnd)_\w+')
FORMAT = 1


def gather(program, library, version):
    """The whole report as plain data, which is also the JSON document."""
    machine = os.uname().machine
    libc = libc_bugs.version()
    data = {'format': FORMAT, 'fastsync': version, 'library': library,
            'libc': 'glibc {}.{}'.format(*libc) if libc else None,
            'bugs': [], 'kernel': os.uname().release, 'machine': machine,
            'features': dict(kernel.Kernel(machine).features()),
            'cpus': {'present': os.cpu_count(), 'usable': len(os.sched_getaffinity(0))}}
    if libc:
        data['bugs'] = [{'bug': bug, 'present': state, 'what': what}
                        for bug, state, what in libc_bugs.known(libc, machine)]
    if program is not None:
        data['program'] = _program(program, library)
    return data


def _program(name, library):
    library = preload.fitting(name, library)
    program = preload.examine(name, library)
    result = {'name': name, 'path': program.path, 'chain': program.chain,
              'can_be_preloaded': program.obstacle is None, 'obstacle': program.obstacle,
              'machine': None, 'interpreter': None, 'needed': [], 'imports': None}
    elf = program.elf
    if elf:
        result.update(machine=elf.machine, interpreter=elf.interpreter, needed=elf.needed)
        if elf.imports is not None:
            result['imports'] = _interposed_imports(elf, library)
    return result


def _interposed_imports(elf, library):
    """The program's imports of the names the library replaces; `covered` is None unless known."""
    exports = None
    if library:
        exports = set(inspect_elf.read(library).exports or [])
        if preload.is_for_musl(library):  # musl knows no versions
            exports = {(name, '') for name, _ in exports}
    names = {name for name, _ in exports or ()}
    found = []
    for name, version in sorted(set(elf.imports)):
        if FAMILIES.fullmatch(name) or name in names:
            covered = None if exports is None else (name, version) in exports
            found.append({'name': name, 'version': version, 'covered': covered})
    return found


def text(data):
    lines = [f'fastsync {data["fastsync"]}',
             f'library   {data["library"] or "not found: build it, or name it with --lib PATH"}',
             f'libc      {data["libc"] or "not glibc: the library does not work here"}',
             f'kernel    {data["kernel"]} on {data["machine"]}',
             f'CPUs      {data["cpus"]["usable"]} usable of {data["cpus"]["present"]}']
    if data['bugs']:
        lines += ['', f'Bugs of {data["libc"]}:']
        for bug in data['bugs']:
            lines += textwrap.wrap(bug['what'], 96, initial_indent=f'  {bug["bug"]:<6} '
                                   f'{bug["present"]:<8} ', subsequent_indent=' ' * 18)
    lines += ['', 'Kernel features:']
    width = max((len(name) for name in data['features']), default=0)
    lines += [f'  {name:<{width}}  {answer}' for name, answer in data['features'].items()]
    if not data['features']:
        lines.append(f'  not known how to ask on {data["machine"]}')
    if 'program' in data:
        lines += [''] + _program_text(data['program'])
    return '\n'.join(lines)


def _program_text(program):
    lines = [f'Program {program["name"]}:']
    if program['chain']:
        lines.append(f'  file           {" -> ".join(program["chain"])}')
    if program['machine']:
        lines.append(f'  made for       {program["machine"]}, '
                     f'loader {program["interpreter"] or "none (static)"}')
    if program['can_be_preloaded']:
        lines.append('  preload        yes')
    else:
        lines += textwrap.wrap('no: ' + program['obstacle'], 96,
                               initial_indent='  preload        ',
                               subsequent_indent=' ' * 17)
    imports = program['imports']
    if imports is None:
        if program['machine']:
            lines.append('  imports        unknown: it has no table of dynamic symbols')
        return lines
    if not imports:
        lines.append('  imports        none of the interposed names itself; the libraries it '
                     'uses may')
        return lines
    lines.append(f'  imports        {len(imports)} of the interposed names:')
    for entry in imports:
        missing = '' if entry['covered'] in (True, None) else '   NOT exported by the library'
        version = '@' + entry['version'] if entry['version'] else ''
        lines.append(f'    {entry["name"]}{version}{missing}')
    return lines
