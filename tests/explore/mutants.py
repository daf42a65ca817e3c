#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Build the mutants of mutants.toml and let the explorer look for each.

A mutant is a copy of one source with one small mistake. What it can affect is compiled again, all
else is taken from an unmutated build in DIR/base, and the explorer runs the mutant's scenarios until
one fails; that one must pass without the mistake. A mutant that no scenario notices survives, and
so does the mistake, some day: the exit status is 1 then, and also if a mutant cannot be tried, or
one that is listed as harmless is noticed.
"""

import argparse
import concurrent.futures
import fnmatch
import json
import os
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass, field

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))

from seeded import Wrong, changed_text  # noqa: E402

FLAGS = ("-std=gnu11 -D_GNU_SOURCE -O2 -g -fPIC -fvisibility=hidden -fsanitize=thread -w").split()
LINK = "-shared -Wl,-z,now".split()
# The module's sources: folder below the root of the project, and what is left out there.
FOLDERS = ("src/lock", "tests/explore/sim", "tests/explore/scenarios", "tests/explore/models")
LIMIT = 120  # seconds of exploring, for one mutant
MODES = ("sc", "tso", "weak")


@dataclass
class Mutant:
    name: str
    file: str
    old: str
    new: str
    breaks: str
    scenarios: list
    mode: str = "sc"
    bound: int | None = None
    random: int | None = None
    harmless: bool = False


@dataclass
class Result:
    """What became of a mutant: caught, survived or wrong."""
    mutant: Mutant
    verdict: str
    scenario: str = ""
    schedules: int = 0
    states: int = 0
    seconds: float = 0.0
    text: str = ""

    def is_as_expected(self):
        return self.verdict == ("survived" if self.mutant.harmless else "caught")


# ---- the list -------------------------------------------------------------------------------------

def read_list(path):
    with open(path, "rb") as file:
        tables = tomllib.load(file)
    mutants = [entry(table, False) for table in tables.get("mutant", [])]
    mutants += [entry(table, True) for table in tables.get("harmless", [])]
    names = [mutant.name for mutant in mutants]
    for name in names:
        if names.count(name) > 1:
            raise Wrong(f"{name}: listed more than once")
    return mutants


def entry(table, harmless):
    fields = dict(table, harmless=harmless)
    if harmless:
        fields["breaks"] = fields.pop("because", "")
    if isinstance(fields.get("scenarios"), str):
        fields["scenarios"] = [fields["scenarios"]]
    name = fields.get("name", "a mutant without a name")
    try:
        mutant = Mutant(**fields)
    except TypeError as error:
        raise Wrong(f"{name}: {error}") from None
    if not (mutant.old and mutant.breaks and mutant.scenarios) or mutant.old == mutant.new:
        raise Wrong(f"{name}: old, breaks and scenarios must not be empty, nor new be old")
    if mutant.mode not in MODES:
        raise Wrong(f"{name}: no such mode: {mutant.mode}")
    return mutant


def source_of(mutant):
    """Path of the mutated file below the root."""
    if mutant.file.startswith(("scenarios/", "models/")):
        return os.path.join("tests/explore", mutant.file)
    return os.path.join("src/lock", mutant.file)


def mutated_text(mutant, root):
    return changed_text(mutant.name, root, source_of(mutant), mutant.old, mutant.new)


# ---- building -------------------------------------------------------------------------------------

def run_compiler(command, what):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Wrong(f"{what} does not compile:\n{done.stderr.rstrip()}")


class Builder:
    """Objects of the module, unmutated ones in DIR/base; modules in DIR/NAME."""

    def __init__(self, root, folder, compiler, pool):
        self.root = os.path.realpath(root)
        self.folder = os.path.realpath(folder)
        self.compiler = compiler
        self.sources = sorted(
            os.path.join(below, name) for below in FOLDERS
            if os.path.isdir(os.path.join(self.root, below))
            for name in os.listdir(os.path.join(self.root, below)) if name.endswith(".c"))
        if not self.sources:
            raise Wrong(f"no sources below {self.root}")
        list(pool.map(self.compile_base, self.sources))

    def object_in(self, folder, source):
        return os.path.join(self.folder, folder, source.replace("/", "-")[:-2] + ".o")

    def command_for(self, source, target, first=()):
        """`first`: where to look for sources and headers before the root."""
        where = next(folder for folder in (*first, self.root)
                     if os.path.exists(os.path.join(folder, source)))
        includes = [f"-I{self.root}/tests/explore/sim"]
        includes += [f"-I{folder}/{below}" for folder in (*first, self.root)
                     for below in ("src", "tests/explore")]
        os.makedirs(os.path.dirname(target), exist_ok=True)
        return [*self.compiler, *FLAGS, *includes, "-MMD", "-MF", target + ".d",
                "-c", os.path.join(where, source), "-o", target]

    def compile_base(self, source):
        target = self.object_in("base", source)
        command = self.command_for(source, target)
        if not is_fresh(target, command):
            run_compiler(command, source)
            with open(target + ".command", "w", encoding="utf-8") as file:
                file.write("\n".join(command))

    def base_module(self):
        return self.link("base", [self.object_in("base", source) for source in self.sources])

    def link(self, folder, objects):
        module = os.path.join(self.folder, folder, "module.so")
        run_compiler([*self.compiler, *LINK, "-o", module, *objects], folder)
        return module

    def mutant_module(self, mutant):
        changed = source_of(mutant)
        folder = mutant.name.replace("/", "-")
        place = os.path.join(self.folder, folder)
        copy = os.path.join(place, changed)
        text = mutated_text(mutant, self.root)
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        with open(copy, "w", encoding="utf-8") as file:
            file.write(text)
        original = os.path.join(self.root, changed)
        objects = []
        for source in self.sources:
            base = self.object_in("base", source)
            if original not in dependencies(base):
                objects.append(base)
                continue
            own = self.object_in(folder, source)
            run_compiler(self.command_for(source, own, (place,)), mutant.name)
            if copy not in dependencies(own):
                raise Wrong(f"{mutant.name}: {source} does not see the changed {changed}")
            objects.append(own)
        return self.link(folder, objects)


def dependencies(target):
    """The files that an object was made from, by the compiler's own account."""
    with open(target + ".d", encoding="utf-8") as file:
        words = file.read().replace("\\\n", " ").split()
    return {os.path.realpath(word) for word in words[1:]}


def is_fresh(target, command):
    try:
        made = os.path.getmtime(target)
        with open(target + ".command", encoding="utf-8") as file:
            if file.read() != "\n".join(command):
                return False
        return all(os.path.getmtime(path) < made for path in dependencies(target))
    except OSError:
        return False


# ---- exploring ------------------------------------------------------------------------------------

def explore(explorer, module, mutant, limit):
    """The first scenario that fails, or None; and how much was explored."""
    result = Result(mutant, "survived")
    begun = time.monotonic()
    for pattern in mutant.scenarios:
        left = limit - (time.monotonic() - begun)
        for line in run_explorer(explorer, module, mutant, pattern, left):
            result.schedules += line["schedules"]
            result.states += line["states"]
            if line["verdict"] == "FAILED":
                result.verdict, result.scenario = "caught", line["scenario"]
                result.text = line["failure"]
            elif line["verdict"] == "CUT":
                result.text = f"{line['scenario']} was cut short"
                if mutant.harmless:
                    result.verdict = "wrong"
        result.seconds = time.monotonic() - begun
        if result.verdict == "caught":
            break
    return result


def how(mutant):
    """The options that say how its scenarios are explored."""
    options = ["--mode", mutant.mode]
    if mutant.bound is not None:
        options += ["--bound", str(mutant.bound)]
    if mutant.random is not None:
        options += ["--random", str(mutant.random)]
    return options


def run_explorer(explorer, module, mutant, pattern, limit):
    command = [explorer, "--module", module, "--scenario", pattern, *how(mutant),
               "--until-failure", "--json", "-", "--time-limit", str(max(round(limit), 1))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode not in (0, 1) or not lines:
        raise Wrong(f"{mutant.name}: the explorer ended with {done.returncode} on {pattern}: "
                    f"{(done.stderr or done.stdout).strip()[-500:]}")
    return lines


def treat(builder, explorer, mutant, limit):
    try:
        return explore(explorer, builder.mutant_module(mutant), mutant, limit)
    except Wrong as error:
        return Result(mutant, "wrong", text=str(error))


def check_controls(results, module, options, pool):
    """A scenario says something about a mutant only if it passes without it."""
    groups = {}
    for result in results:
        if result.verdict == "caught":
            key = (result.scenario, *how(result.mutant))
            groups.setdefault(key, []).append(result)

    def control(same):
        mutant, scenario = same[0].mutant, same[0].scenario
        lines = run_explorer(options.explorer, module, mutant, scenario, options.limit)
        if any(line["verdict"] != "passed" for line in lines):
            for result in same:
                result.verdict = "wrong"
                result.text = f"{scenario} does not pass without the mutant either"

    list(pool.map(control, groups.values()))


# ---- telling --------------------------------------------------------------------------------------

def row(result):
    by = f"{result.scenario}, {result.schedules} schedules: " if result.scenario else ""
    return (f"{result.verdict:8}  {result.mutant.name:42} {result.seconds:6.1f} s  "
            f"{result.mutant.breaks}\n          {by}{result.text}").rstrip()


def record(result):
    return {"name": result.mutant.name, "breaks": result.mutant.breaks,
            "mode": result.mutant.mode, "verdict": result.verdict, "scenario": result.scenario,
            "failure": result.text, "schedules": result.schedules, "states": result.states,
            "seconds": round(result.seconds, 2), "as_expected": result.is_as_expected()}


def tell(results, seconds):
    """The last lines. The one with "Checks" is what scripts/sum_results.py counts."""
    caught = sum(result.verdict == "caught" for result in results)
    survived = sum(result.verdict == "survived" for result in results)
    wrong = sum(result.verdict == "wrong" for result in results)
    fine = sum(result.is_as_expected() for result in results)
    for result in results:
        if not result.is_as_expected():
            print(f"{result.mutant.name}: {result.verdict}. "
                  + (result.text if result.verdict == "wrong" else result.mutant.breaks))
    listed = sum(result.verdict == "survived" and result.mutant.harmless for result in results)
    print(f"{len(results)} mutants: {caught} caught, {survived} survived"
          + (f" ({listed} listed as harmless)" if listed else "")
          + (f", {wrong} could not be tried" if wrong else "") + f", in {seconds:.0f} s")
    print(f"{100 * fine // len(results)}%: Checks: {len(results)}, "
          f"Failures: {len(results) - fine - wrong}, Errors: {wrong}")
    return 0 if fine == len(results) else 1


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--explorer", metavar="PATH", help="the explorer's program")
    parser.add_argument("--source", metavar="ROOT", default=os.path.join(HERE, "../.."),
                        help="root of the project")
    parser.add_argument("--build", metavar="DIR", help="where mutants are built")
    parser.add_argument("--mutants", metavar="FILE", default=os.path.join(HERE, "mutants.toml"))
    parser.add_argument("--only", metavar="PATTERN", action="append",
                        help="those whose name matches; may be given several times")
    parser.add_argument("--harmless", action="store_true",
                        help="only those that are listed as harmless, which must survive")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--limit", type=float, default=LIMIT, metavar="SECONDS",
                        help="of exploring, for each (%(default)s)")
    parser.add_argument("--cc", default="gcc")
    parser.add_argument("--json", metavar="FILE", help="write the results there")
    parser.add_argument("--list", action="store_true", help="names, and what they break")
    options = parser.parse_args(arguments)
    if not options.list and not (options.explorer and options.build):
        parser.error("--explorer and --build are needed")
    return options


def chosen(options):
    every = read_list(options.mutants)
    for mutant in every:
        mutated_text(mutant, options.source)  # before any work
    mutants = [mutant for mutant in every
               if (mutant.harmless or not options.harmless)
               and any(fnmatch.fnmatchcase(mutant.name, only) for only in options.only or ["*"])]
    if not mutants:
        raise Wrong("no such mutant")
    return mutants


def run(options):
    mutants = chosen(options)
    if options.list:
        for mutant in mutants:
            print(f"{mutant.name:42} {mutant.file:16} {mutant.breaks}")
        return 0
    begun = time.monotonic()
    results = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        builder = Builder(options.source, options.build, options.cc.split(), pool)
        for result in pool.map(
                lambda mutant: treat(builder, options.explorer, mutant, options.limit), mutants):
            results.append(result)
            print(row(result), flush=True)
        check_controls(results, builder.base_module(), options, pool)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump([record(result) for result in results], file, indent=1)
    return tell(results, time.monotonic() - begun)


def main():
    options = parse(sys.argv[1:])
    try:
        return run(options)
    except Wrong as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
