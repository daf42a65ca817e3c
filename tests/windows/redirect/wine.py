# SPDX-License-Identifier: MIT
"""Windows programs run by Wine, in a folder that has them and the DLLs they need.

WINEPREFIX of the environment is used where it is set. What is run is left to the tests.
"""
import os
import re
import shutil
import subprocess
import tempfile

LIMIT = 120  # seconds for one run
START = 300  # for the first, which sets Wine up
LINGER = 20  # for which its server waits for the next program
TRIPLETS = {"x86_64": "x86_64-w64-mingw32", "x86": "i686-w64-mingw32"}
RUNTIME = ("libwinpthread-1.dll", "libstdc++-6.dll", "libgcc_s_seh-1.dll", "libgcc_s_dw2-1.dll")


class Wine:
    def __init__(self, processor, folder):
        self.triplet = TRIPLETS[processor]
        self.folder = os.path.abspath(folder)

    def missing(self):
        if not shutil.which("wine"):
            return "wine is not installed"
        return ""

    def fill(self, files):
        """Puts the files and the compiler's DLLs into a new folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        for path in list(files) + self.runtime():
            shutil.copy(path, self.folder)

    def runtime(self):
        paths = []
        for name in RUNTIME:
            path = subprocess.run([f"{self.triplet}-g++-posix", f"-print-file-name={name}"],
                                  capture_output=True, text=True, check=True).stdout.strip()
            if not os.path.isabs(path):
                path = f"/usr/{self.triplet}/lib/{name}"
            if os.path.exists(path):
                paths.append(path)
        return paths

    def environment(self, settings):
        inherited = {name: value for name, value in os.environ.items()
                     if name != "DISPLAY" and not name.startswith("FASTSYNC")}
        own = {"WINEDEBUG": "-all",
               "WINEPREFIX": os.environ.get("WINEPREFIX",
                                            os.path.join(os.path.dirname(self.folder), "wine"))}
        return inherited | own | settings

    def start(self):
        """Sets Wine up, which takes long the first time. Its services stay, and must not hold a pipe
        that somebody reads to its end."""
        environment = self.environment({})
        os.makedirs(environment["WINEPREFIX"], exist_ok=True)
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL,
                 "stderr": subprocess.DEVNULL, "env": environment}
        subprocess.run(["wineserver", f"-p{LINGER}"], check=False, **quiet)
        subprocess.run(["wine", "cmd", "/c", "ver"], timeout=START, check=True, **quiet)

    def run(self, *command, folder=None, **settings):
        """The finished run of a Windows program; what hangs is ended with its whole Wine. Its output
        goes to files, since not every program takes a pipe of Wine's."""
        environment = self.environment(settings)
        with tempfile.TemporaryFile("w+", errors="replace") as out, \
                tempfile.TemporaryFile("w+", errors="replace") as err:
            try:
                done = subprocess.run(["wine", *command], cwd=folder or self.folder,
                                      env=environment, stdin=subprocess.DEVNULL, stdout=out,
                                      stderr=err, timeout=LIMIT, check=False)
            except subprocess.TimeoutExpired:
                subprocess.run(["wineserver", "-k"], env=environment, check=False)
                raise
            for file in (out, err):
                file.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, out.read(), err.read())


def counts(done):
    """{process: {function: calls}} of FASTSYNC_STATS=1."""
    found = {}
    for process, name, calls in re.findall(r"(?m)^fastsync: stats (\d+) (\w+) (\d+)\r?$",
                                           done.stderr):
        found.setdefault(process, {})[name] = int(calls)
    return found


def complaints(done):
    """The lines of the library that are no counts."""
    return [line for line in done.stderr.splitlines()
            if line.startswith("fastsync: ") and not line.startswith("fastsync: stats ")]
