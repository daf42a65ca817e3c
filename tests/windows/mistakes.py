#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Builds the unit tests for Windows with one mistake at a time, which the test that is named must
notice.

What is made from the changed file is compiled again with the commands of the build in BUILD_DIR, and
linked ahead of the library's other objects. A test that hangs has noticed as well; each of them must
pass without a mistake. The last line counts as Check's does.

usage: mistakes.py SOURCE_ROOT BUILD_DIR RUNNER... (what Windows programs are started with)
"""

import concurrent.futures
import json
import os
import shlex
import shutil
import subprocess
import sys
import tomllib

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))

from seeded import Wrong, changed_text  # noqa: E402

ARCHIVES = ("src/libfastsync_internal.a", "tests/windows/libpool_objects.a")
LIMIT = 60      # seconds; each test has a limit of its own, which is shorter
HASTY = "0.4"   # of that one: what hangs is noticed soon


def run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Wrong(f"{' '.join(command)[:200]}:\n{(done.stderr or done.stdout).strip()[-800:]}")
    return done.stdout


class Builder:
    def __init__(self, root, folder):
        self.root, self.folder = os.path.realpath(root), os.path.realpath(folder)
        self.scratch = os.path.join(self.folder, "mistakes")
        shutil.rmtree(self.scratch, ignore_errors=True)
        with open(os.path.join(self.folder, "compile_commands.json"), encoding="utf-8") as file:
            self.commands = {entry["output"]: entry for entry in json.load(file)
                             if entry["output"].startswith(tuple(f"{name}.p/" for name in ARCHIVES))}
        self.users = self.read_users()

    def read_users(self):
        """For each file the objects of the library that are made from it."""
        users, target = {}, None
        for line in run(["ninja", "-t", "deps"], self.folder).splitlines():
            if not line.startswith("    "):
                target = line.split(":")[0]
            elif target in self.commands:
                path = os.path.realpath(os.path.join(self.folder, line.strip()))
                users.setdefault(path, set()).add(target)
        return users

    def program(self, name, mistake):
        """The path of the test program with this mistake."""
        built = f"tests/windows/unit_{name}.exe"
        if mistake is None:
            return os.path.join(self.folder, built)
        place = os.path.join(self.scratch, mistake["name"].replace("/", "-"))
        copy = os.path.join(place, mistake["file"])
        os.makedirs(os.path.dirname(copy))
        with open(copy, "w", encoding="utf-8") as file:
            file.write(changed_text(mistake["name"], self.root, mistake["file"], mistake["old"],
                                    mistake["new"]))
        original = os.path.join(self.root, mistake["file"])
        objects = [self.compile(output, original, copy, place)
                   for output in sorted(self.users.get(original, ()))]
        if not objects:
            raise Wrong(f"{mistake['name']}: nothing is made from {mistake['file']}")
        command = run(["ninja", "-t", "commands", "-s", built], self.folder).split()
        program = os.path.join(place, f"{name}.exe")
        words = [program if word == built else word for word in command]
        where = min(words.index(name) for name in ARCHIVES if name in words)
        run(words[:where] + objects + words[where:], self.folder)
        return program

    def compile(self, output, original, copy, place):
        """Of a changed header each user sees the copy, since it is found first."""
        source = self.commands[output]["file"]
        target = os.path.join(place, os.path.basename(output))
        names = {output: target, output + ".d": target + ".d"}
        if os.path.realpath(os.path.join(self.folder, source)) == original:
            names[source] = copy
        words = [names.get(word, word) for word in shlex.split(self.commands[output]["command"])]
        words[1:1] = ["-I" + os.path.join(place, "src"), "-w", "-Wno-error"]
        run(words, self.folder)
        with open(target + ".d", encoding="utf-8") as file:
            if copy not in file.read().replace("\\\n", " "):
                raise Wrong(f"{output} does not see the changed {copy}")
        return target


def passes(runner, program, test):
    settings = dict(os.environ, FS_ONLY=test, FS_FIRST_FAILURE="1", FS_TIME_FACTOR=HASTY)
    with open(program + ".log", "w+", encoding="utf-8", errors="replace") as log:
        with subprocess.Popen(runner + [program], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                              env=settings) as process:
            try:
                status = process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                return False
        log.seek(0)
        text = log.read()
    if "Running suite(s)" not in text:
        raise Wrong(f"{os.path.basename(program)} did not start: {text[-300:]}")
    return status == 0 and "100%: Checks: 0" not in text


def treat(builder, runner, mistake):
    """Returns what is wrong with the mistake, or "" if it was noticed."""
    program, test = mistake["runs"].split()
    try:
        if passes(runner, builder.program(program, mistake), test):
            return "nobody has noticed"
        return ""
    except Wrong as error:
        return str(error)


def controls(builder, runner, mistakes):
    """The tests that do not pass without a mistake; one at a time, so that it is not haste alone."""
    failed = []
    for what in sorted({mistake["runs"] for mistake in mistakes}):
        program, test = what.split()
        if not passes(runner, builder.program(program, None), test):
            failed.append(what)
    return failed


def main():
    root, folder, *runner = sys.argv[1:]
    with open(os.path.join(HERE, "mistakes.toml"), "rb") as file:
        mistakes = tomllib.load(file)["mistake"]
    try:
        builder = Builder(root, folder)
        failed = controls(builder, runner, mistakes)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(lambda mistake: treat(builder, runner, mistake), mistakes))
    except Wrong as error:
        print(f"mistakes: {error}", file=sys.stderr)
        return 1
    failures = len(failed)
    for what in failed:
        print(f"without a mistake fails: {what}")
    for mistake, answer in zip(mistakes, answers):
        failures += answer != ""
        print(f"{mistake['name']:36} {answer or 'noticed'}: {mistake['breaks']}")
    checks = len(mistakes) + len(failed)
    print(f"{100 * (checks - failures) // checks}%: Checks: {checks}, Failures: {failures}, Errors: 0")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
