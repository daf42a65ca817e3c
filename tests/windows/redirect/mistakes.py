#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Builds the library with one mistake of mistakes.toml at a time, and lets the test that is named
there find it. The tests must pass without a mistake, or they say nothing.

usage: mistakes.py SOURCE BUILD FOLDER    (a cross build for Windows; where to work)
"""
import glob
import json
import os
import shlex
import shutil
import subprocess
import sys
import tomllib
import unittest

import test_redirect
import wine

LIBRARIES = ("src/fastsync.dll", "tests/windows/redirect/faults.dll")


def run(command, build):
    done = subprocess.run(command, cwd=build, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)[:200]}: {done.stderr[-800:]}")
    return done.stdout


def build_with(mistake, source, build, folder):
    """The two libraries with this mistake, in the folder."""
    path = os.path.join(source, mistake["file"])
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if text.count(mistake["old"]) != 1:
        sys.exit(f"{mistake['name']}: its old text is not once in {mistake['file']}")
    copy = os.path.join(folder, os.path.basename(path))
    with open(copy, "w", encoding="utf-8") as file:
        file.write(text.replace(mistake["old"], mistake["new"]))
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        commands = json.load(file)
    for library in LIBRARIES:
        link = shlex.split(run(["ninja", "-t", "commands", "-s", library], build))
        for entry in commands:
            if entry["output"] not in link or \
                    os.path.realpath(os.path.join(build, entry["file"])) != path:
                continue
            target = os.path.join(folder, os.path.basename(library) + ".obj")
            words = shlex.split(entry["command"])
            run([target if word == entry["output"] else copy if word == entry["file"] else word
                 for word in words] + ["-w"], build)
            link = [target if word == entry["output"] else word for word in link]
        out = os.path.join(folder, os.path.basename(library))
        run([out if word == library else word for word in link
             if not word.startswith("-Wl,--out-implib")], build)
    return [os.path.join(folder, os.path.basename(library)) for library in LIBRARIES]


def passes(files, tests):
    test_redirect.Redirect.files = files
    suite = unittest.TestSuite(test_redirect.Redirect(test) for test in tests)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        return unittest.TextTestRunner(stream=nowhere).run(suite).wasSuccessful()


def main():
    source, build, folder = (os.path.realpath(path) for path in sys.argv[1:])
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "mistakes.toml"),
              "rb") as file:
        mistakes = tomllib.load(file)["mistake"]
    redirect = os.path.join(build, "tests/windows/redirect")
    files = glob.glob(f"{redirect}/*.exe") + glob.glob(f"{redirect}/*.dll")
    files = [os.path.join(build, "src/fastsync.dll"), os.path.join(build, "src/fastsync-run.exe"),
             *files]
    test_redirect.Redirect.wine = wine.Wine("x86_64", os.path.join(folder, "run"))
    wine.LIMIT = 30
    failed = 0 if passes(files, sorted({mistake["test"] for mistake in mistakes})) else 1
    print(f"without a mistake: {'FAILS' if failed else 'passes'}", flush=True)
    for number, mistake in enumerate(mistakes):
        place = os.path.join(folder, str(number))
        shutil.rmtree(place, ignore_errors=True)
        os.makedirs(place)
        wrong = build_with(mistake, source, build, place)
        noticed = not passes(files + wrong, [mistake["test"]])
        failed += not noticed
        print(f"{mistake['name']}: {'noticed by ' + mistake['test'] if noticed else 'SURVIVED'}",
              flush=True)
    print(f"{100 * (len(mistakes) + 1 - failed) // (len(mistakes) + 1)}%: "
          f"Checks: {len(mistakes) + 1}, Failures: {failed}, Errors: 0")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
