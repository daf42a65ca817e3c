#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Build the library for macOS with one mistake at a time, and let the test programs find it.

mistakes.toml lists small changes to the sources that only macOS has. What such a change can affect
is compiled again with the commands of the build that scripts/build-darwin left, linked with the other
objects of that build, and run by the loader with the programs that are listed. The first that fails,
hangs or dies has caught the mistake; it must pass with the library as it is. The exit status is 1 if
a mistake is not caught or cannot be tried.
"""

import argparse
import concurrent.futures
import fnmatch
import json
import os
import shlex
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass, field

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))

from seeded import Wrong, changed_text  # noqa: E402

LIBRARY = "src/libfastsync.dylib"
BEFORE_14_4 = ["--without", "os_sync_wait_on_address"]
HUNG = 124  # the loader's status when the time is up
DEADLOCKED = 3


@dataclass
class Mistake:
    name: str
    file: str
    old: str
    new: str
    breaks: str
    runs: list  # "PROGRAM [CASE]", after "old:" on macOS before 14.4, after "N:" with faults by that seed
    harmless: bool = False

    def text(self, root):
        return changed_text(self.name, root, self.file, self.old, self.new)


@dataclass
class Result:
    mistake: Mistake
    verdict: str = "survived"
    run: str = ""
    text: str = ""
    seconds: float = 0.0

    def is_as_expected(self):
        return self.verdict == ("survived" if self.mistake.harmless else "caught")


def read_list(path):
    with open(path, "rb") as file:
        tables = tomllib.load(file)
    mistakes = [Mistake(**table) for table in tables.get("mistake", [])]
    for table in tables.get("harmless", []):
        mistakes.append(Mistake(breaks=table.pop("because"), harmless=True, **table))
    names = [mistake.name for mistake in mistakes]
    if len(set(names)) != len(names):
        raise Wrong("a name is listed twice")
    for mistake in mistakes:
        if not (mistake.old and mistake.breaks and mistake.runs) or mistake.old == mistake.new:
            raise Wrong(f"{mistake.name}: old, breaks and runs must not be empty, nor new be old")
    return mistakes


# ---- building ---------------------------------------------------------------------------------------

class Builder:
    """What the build in `folder` did, done again with one file changed."""

    def __init__(self, root, folder, scratch):
        self.root = os.path.realpath(root)
        self.folder = os.path.realpath(folder)
        self.scratch = os.path.realpath(scratch)
        with open(os.path.join(self.folder, "compile_commands.json"), encoding="utf-8") as file:
            self.commands = {entry["output"]: entry for entry in json.load(file)}
        self.link_command = self.ninja("-t", "commands", "-s", LIBRARY).split()
        archives = [word for word in self.link_command if word.endswith(".a")]
        members = [self.ninja("-t", "query", archive).split("outputs:")[0].split()
                   for archive in archives]
        self.members = {archive: [word for word in words if word.endswith(".o")]
                        for archive, words in zip(archives, members)}
        self.dependencies = self.read_dependencies()

    def ninja(self, *arguments):
        done = subprocess.run(["ninja", "-C", self.folder, *arguments], capture_output=True,
                              text=True, check=False)
        if done.returncode != 0:
            raise Wrong(f"ninja {' '.join(arguments)}: {done.stderr or done.stdout}")
        return "\n".join(line for line in done.stdout.splitlines()
                         if not line.startswith("ninja: Entering"))

    def read_dependencies(self):
        """For each object the files that it was made from."""
        made_from, target = {}, None
        for line in self.ninja("-t", "deps").splitlines():
            if line.startswith("    "):
                path = os.path.join(self.folder, line.strip())
                made_from[target].add(os.path.realpath(path))
            elif ":" in line:
                target = line.split(":")[0]
                made_from[target] = set()
        return made_from

    def library(self, mistake):
        """Path of a library with this mistake, or of the one without any."""
        if mistake is None:
            return os.path.join(self.folder, LIBRARY)
        place = os.path.join(self.scratch, mistake.name.replace("/", "-"))
        copy = os.path.join(place, mistake.file)
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        with open(copy, "w", encoding="utf-8") as file:
            file.write(mistake.text(self.root))
        original = os.path.join(self.root, mistake.file)
        used = self.objects_of_library()
        replaced = {output: self.compile(output, original, copy, place)
                    for output in used if original in self.dependencies.get(output, ())}
        if not replaced:
            raise Wrong(f"{mistake.name}: nothing in the library is made from {mistake.file}")
        return self.link(place, replaced)

    def objects_of_library(self):
        words = [word for word in self.link_command if word.endswith(".o")]
        return words + [member for members in self.members.values() for member in members]

    def compile(self, output, original, copy, place):
        command = shlex.split(self.commands[output]["command"])
        source = self.commands[output]["file"]
        target = os.path.join(place, os.path.basename(output))
        changed = os.path.realpath(os.path.join(self.folder, source)) == original
        words = []
        for word in command:
            if word == output:
                word = target
            elif word == output + ".d":
                word = target + ".d"
            elif word == source and changed:
                word = copy
            words.append(word)
        # Before all other folders, so that a changed header is the one that is found.
        words[1:1] = ["-I" + os.path.join(place, "src"), "-w", "-Wno-error"]
        run(words, self.folder)
        with open(target + ".d", encoding="utf-8") as file:
            if copy not in file.read().replace("\\\n", " "):
                raise Wrong(f"{output} does not see the changed {copy}")
        return target

    def link(self, place, replaced):
        library = os.path.join(place, "libfastsync.dylib")
        words = []
        for word in self.link_command:
            archive = word.rsplit(",", 1)[-1]
            if archive in self.members:
                words += [replaced.get(member, member) for member in self.members[archive]]
            elif word == LIBRARY:
                words.append(library)
            elif word != "-Wl,-force_load":
                words.append(replaced.get(word, word))
        run(words, self.folder)
        return library


def run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Wrong(f"{' '.join(command)[:300]}:\n{done.stderr.strip()[-600:]}")


# ---- running -----------------------------------------------------------------------------------------

@dataclass
class Runner:
    loader: str
    programs: str
    limit: int
    controls: dict = field(default_factory=dict)

    def command(self, library, how):
        options = []
        words = how.split()
        while words and words[0].endswith(":"):
            option = words.pop(0)[:-1]
            options += BEFORE_14_4 if option == "old" else ["--faults", option]
        program = os.path.join(self.programs, words[0])
        return [self.loader, "--limit", str(self.limit), *options, "--insert", library,
                program, "fastsync", *words[1:]]

    def run(self, library, how):
        """None if the run passes, else what went wrong."""
        try:
            done = subprocess.run(self.command(library, how), capture_output=True, text=True,
                                  errors="replace", check=False, timeout=3 * self.limit)
        except subprocess.TimeoutExpired:
            return f"{how}: the loader itself had to be ended"
        if done.returncode == 0:
            return None
        lines = [line.strip() for line in done.stdout.splitlines()]
        case = next((line[5:] for line in reversed(lines) if line.startswith("case ")), "start")
        failed = next((line[7:] for line in lines if line.startswith("not ok ")), case)
        if done.returncode == DEADLOCKED:
            return f"{case}: every thread sleeps"
        if done.returncode == HUNG:
            return f"{failed}: not finished after {self.limit} s"
        if done.returncode < 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            return f"{case}: signal {-done.returncode}: {last}"
        detail = next((line for line in lines if line.startswith("line ")), "")
        return f"{failed}: {detail or done.stderr.strip()[-200:]}"


def treat(builder, runner, mistake):
    result = Result(mistake)
    begun = time.monotonic()
    try:
        library = builder.library(mistake)
        for how in mistake.runs:
            text = runner.run(library, how)
            if text:
                result.verdict, result.run, result.text = "caught", how, text
                break
    except Wrong as error:
        result.verdict, result.text = "wrong", str(error)
    result.seconds = time.monotonic() - begun
    return result


def check_controls(results, builder, runner, pool):
    """A run says something about a mistake only if it passes without it."""
    library = builder.library(None)
    runs = sorted({result.run for result in results if result.verdict == "caught"})
    for how, text in zip(runs, pool.map(lambda how: runner.run(library, how), runs)):
        for result in results:
            if text and result.run == how:
                result.verdict = "wrong"
                result.text = f"{how} does not pass without the mistake either: {text}"


# ---- telling -----------------------------------------------------------------------------------------

def row(result):
    by = f"{result.run}: " if result.run else ""
    return (f"{result.verdict:8}  {result.mistake.name:34} {result.seconds:5.1f} s  "
            f"{result.mistake.breaks}\n          {by}{result.text}").rstrip()


def tell(results, seconds):
    """The last lines. The one with "Checks" is what scripts/sum_results.py counts."""
    fine = sum(result.is_as_expected() for result in results)
    wrong = sum(result.verdict == "wrong" for result in results)
    caught = sum(result.verdict == "caught" for result in results)
    for result in results:
        if not result.is_as_expected():
            print(f"{result.mistake.name}: {result.verdict}. {result.text or result.mistake.breaks}")
    print(f"{len(results)} mistakes: {caught} caught, "
          f"{len(results) - caught - wrong} survived, {wrong} could not be tried, in {seconds:.0f} s")
    print(f"{100 * fine // len(results)}%: Checks: {len(results)}, "
          f"Failures: {len(results) - fine - wrong}, Errors: {wrong}")
    return 0 if fine == len(results) else 1


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--source", metavar="ROOT", default=os.path.join(HERE, "../.."))
    parser.add_argument("--build", metavar="DIR", required=True,
                        help="the library's build for x86_64, as scripts/build-darwin leaves it")
    parser.add_argument("--scratch", metavar="DIR", required=True, help="where mistakes are built")
    parser.add_argument("--loader", metavar="PATH", required=True)
    parser.add_argument("--programs", metavar="DIR", required=True)
    parser.add_argument("--mistakes", metavar="FILE", default=os.path.join(HERE, "mistakes.toml"))
    parser.add_argument("--only", metavar="PATTERN", action="append", help="those whose name matches")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--limit", type=int, default=10, metavar="SECONDS",
                        help="of one run; longer is a hang (%(default)s)")
    return parser.parse_args(arguments)


def main():
    options = parse(sys.argv[1:])
    begun = time.monotonic()
    runner = Runner(options.loader, options.programs, options.limit)
    results = []
    try:
        mistakes = [mistake for mistake in read_list(options.mistakes)
                    if any(fnmatch.fnmatchcase(mistake.name, only)
                           for only in options.only or ["*"])]
        for mistake in mistakes:
            mistake.text(options.source)  # before any work
        builder = Builder(options.source, options.build, options.scratch)
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for result in pool.map(lambda mistake: treat(builder, runner, mistake), mistakes):
                results.append(result)
                print(row(result), flush=True)
            check_controls(results, builder, runner, pool)
    except Wrong as error:
        print(f"mistakes: {error}", file=sys.stderr)
        return 2
    return tell(results, time.monotonic() - begun)


if __name__ == "__main__":
    raise SystemExit(main())
