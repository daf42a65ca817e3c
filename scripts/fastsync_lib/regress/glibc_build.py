# SPDX-License-Identifier: MIT
"""Builds glibc's tests as plain dynamic programs against the system's libc.

glibc's own driver (support/) becomes an archive; headers that only glibc's build has are replaced
by the stand-ins in glibc_tests/include. A test that does not build is no error here: the first
line of the complaint is kept. Which tests there are is decided in glibc.py.
"""
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import tempfile

from ..errors import Refused, one_line
from . import glibc_source

HERE = os.path.dirname(os.path.realpath(__file__))
STAND_INS = os.path.join(HERE, 'glibc_tests', 'include')
WORKERS = 2
LIMIT = 120
WARNINGS = ('-w', '-fno-diagnostics-color')
C_FLAGS = ('-std=gnu11', '-fgnu89-inline', '-fcommon')
CXX_FLAGS = ('-std=gnu++17',)
LIBRARIES = ('-pthread', '-lrt', '-ldl', '-lm')


def compilers():
    """The C and the C++ compiler; the latter may be None."""
    c = shutil.which(os.environ.get('CC') or 'gcc') or shutil.which('cc')
    if c is None:
        raise Refused('glibc\'s tests need a C compiler: install gcc, or name one with CC')
    return c, shutil.which(os.environ.get('CXX') or 'g++') or shutil.which('c++')


def identity(compiler):
    """What a compiler says of itself, for the name of the cache."""
    if compiler is None:
        return 'none'
    asked = subprocess.run([compiler, '--version'], capture_output=True, text=True, timeout=LIMIT,
                           check=False)
    return f'{compiler} {asked.stdout}'


class Builder:
    """Builds into `folder`, from a tree that glibc_source.py unpacked."""

    def __init__(self, tree, folder, makefiles):
        self.tree = tree
        self.folder = folder
        self.makefiles = makefiles
        self.c, self.cxx = compilers()
        self.archive = os.path.join(folder, 'support.a')

    def support(self):
        """The archive of the driver; members that do not build are left out and named."""
        names = self.makefiles.value('libsupport-routines').split()
        objects = os.path.join(self.folder, 'support')
        os.makedirs(objects, exist_ok=True)
        missing = {}

        def compile_one(name):
            output = os.path.join(objects, name + '.o')
            flags = ['-c', os.path.join(self.tree, 'support', name + '.c'), '-o', output,
                     *self._paths(), *self.makefiles.value(f'CFLAGS-{name}.c').split()
                     * (name != 'support_paths')]
            missing[name] = self._run([self.c, *self._common('support'), '-include',
                                       'limits.h', *C_FLAGS, *flags])
            return output
        made = [path for path in parallel(compile_one, names) if os.path.exists(path)]
        complaint = self._run(['ar', 'rcs', self.archive, *made])
        if complaint:
            raise Refused(f'the driver of glibc\'s tests cannot be built: {complaint}')
        shutil.rmtree(objects)
        return {name: complaint for name, complaint in missing.items() if complaint}

    def _paths(self):
        """What support_paths.c is given: nothing of ours uses them, but they must be there."""
        return [f'-D{name}="{self.tree}"' for name in (
            'SRCDIR_PATH', 'OBJDIR_PATH', 'OBJDIR_ELF_LDSO_PATH', 'INSTDIR_PATH', 'LIBDIR_PATH',
            'BINDIR_PATH', 'SBINDIR_PATH', 'SLIBDIR_PATH', 'ROOTSBINDIR_PATH',
            'COMPLOCALEDIR_PATH')]

    def _common(self, folder):
        """Own headers first, the tree's last: a header of the system is never shadowed."""
        quoted = [folder] + [other for other in glibc_source.FOLDERS if other != folder]
        return [*WARNINGS, '-O2', '-include', 'libc-symbols.h', '-I', STAND_INS,
                *(f'-iquote{os.path.join(self.tree, path)}' for path in quoted),
                *(word for path in ('', 'include', 'support', *quoted)
                  for word in ('-idirafter', os.path.join(self.tree, path)))]

    def test(self, test):
        """Builds one test with the modules it needs; None, or why it could not be built."""
        linked = self.makefiles.modules(test.name)
        loaded = self.makefiles.modules(test.name + '.out') + test.listed.get('modules', [])
        for module in dict.fromkeys(linked + loaded):
            stem, kind = os.path.splitext(module)
            how = ['-shared', '-fPIC', f'-Wl,-soname,{module}'] if kind == '.so' else ['-c']
            complaint = self._run(self._compile(test, stem, stem + '.c', module, how))
            if complaint:
                return complaint
        for module, copies in test.listed.get('copies', {}).items():
            for copy in range(copies[0] * copies[1]):
                first, second = divmod(copy, copies[1])
                stem, kind = os.path.splitext(module)
                shutil.copyfile(os.path.join(self.folder, module),
                                os.path.join(self.folder, f'{stem}-{first}-{second}{kind}'))
        return self._run(self._compile(
            test, test.name, os.path.basename(test.path), test.name,
            [*(os.path.join(self.folder, module) for module in linked), self.archive,
             '-Wl,-rpath,$ORIGIN', *LIBRARIES]))

    def _compile(self, test, name, file, output, how):
        """The command that makes `output` of a file in the folder of the test's own."""
        folder = os.path.dirname(test.path)
        value = self.makefiles.value
        plus = file.endswith('.cc')
        flags = [*self._common(os.path.relpath(folder, self.tree)),
                 *(CXX_FLAGS if plus else C_FLAGS),
                 *value(f'CFLAGS-{file}').split(), *value(f'LDFLAGS-{name}').split()]
        return [self.cxx if plus else self.c, *flags, os.path.join(folder, file), '-o',
                os.path.join(self.folder, output), *how, *value(f'LDLIBS-{name}').split()]

    @staticmethod
    def _run(command):
        """None, or the first line that says what is wrong."""
        if command[0] is None:
            return 'no C++ compiler here'
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                                  text=True, errors='replace', timeout=LIMIT, check=False,
                                  env={**os.environ, 'LC_ALL': 'C'})
        except subprocess.TimeoutExpired:
            return 'the compiler did not end'
        return None if done.returncode == 0 else _complaint(done.stderr)


def _complaint(text):
    lines = [line for line in text.splitlines() if line.strip()]
    for line in lines:
        found = re.search(r'(?:fatal )?error: (.*)|(undefined reference to .*)', line)
        if found:
            return one_line(found[1] or found[2])
    return one_line(lines[-1]) if lines else 'the compiler failed without a word'


def parallel(work, items):
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(work, items))


def build(tree, final, makefiles, tests, progress):
    """Builds every test of `tests` (by name) into `final`; name -> None or complaint."""
    record = os.path.join(final, 'built.json')
    if not os.path.exists(record):
        shutil.rmtree(final, ignore_errors=True)
        work = tempfile.mkdtemp(dir=os.path.dirname(final))
        try:
            _build_all(Builder(tree, work, makefiles), tests, progress)
            os.chmod(work, 0o755)
            glibc_source.move_into_place(work, final)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    with open(record, encoding='utf-8') as file:
        return json.load(file)['tests']


def _build_all(builder, tests, progress):
    progress('building the driver of glibc\'s tests')
    left_out = builder.support()
    done = []

    def one(test):
        complaint = builder.test(test)
        done.append(test)
        progress(f'building glibc\'s tests: {len(done)} of {len(tests)}')
        return complaint
    complaints = dict(zip(tests, parallel(one, tests.values())))
    with open(os.path.join(builder.folder, 'built.json'), 'w', encoding='utf-8') as file:
        json.dump({'left out of the driver': left_out, 'tests': complaints}, file, indent=1)
