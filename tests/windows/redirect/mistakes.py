#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Builds library, drop-in and insertion.exe with one mistake of mistakes.toml at a time, and lets
the test that is named there find it: of test_redirect.py, of test_win32.py, or a program of the
suite conform, which has found it as well when it hangs. The tests must pass without a mistake, or
they say nothing.

usage: mistakes.py SOURCE BUILD FOLDER [WORD]    (a cross build for Windows; where to work; only
mistakes with that word in their names)
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
import test_win32
import wine

DROP_IN = "src/drop_in/libwinpthread-1.dll"
BUILT = ("src/fastsync.dll", "tests/windows/redirect/faults.dll",
         "tests/windows/redirect/insertion.exe", DROP_IN)


def run(command, build):
    done = subprocess.run(command, cwd=build, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)[:200]}: {done.stderr[-800:]}")
    return done.stdout


def users_of(path, build):
    """The objects that are made from a file, or from one that includes it."""
    users, target = set(), None
    for line in run(["ninja", "-t", "deps"], build).splitlines():
        if not line.startswith("    "):
            target = line.split(":")[0]
        elif os.path.realpath(os.path.join(build, line.strip())) == path:
            users.add(target)
    return users


def build_with(mistake, source, build, folder):
    """What is made from the changed file, with this mistake, in the folder."""
    path = os.path.join(source, mistake["file"])
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if text.count(mistake["old"]) != 1:
        sys.exit(f"{mistake['name']}: its old text is not once in {mistake['file']}")
    copy = os.path.join(folder, os.path.relpath(path, os.path.join(source, "src")))
    os.makedirs(os.path.dirname(copy), exist_ok=True)
    with open(copy, "w", encoding="utf-8") as file:
        file.write(text.replace(mistake["old"], mistake["new"]))
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        commands = json.load(file)
    includes = users_of(path, build)
    made = []
    for library in BUILT:
        link = shlex.split(run(["ninja", "-t", "commands", "-s", library], build))
        if not includes.intersection(link):
            continue
        for entry in commands:
            if entry["output"] not in link or entry["output"] not in includes:
                continue
            target = os.path.join(folder, f"{os.path.basename(entry['output'])}."
                                          f"{os.path.basename(library)}.obj")
            words = shlex.split(entry["command"])
            words.insert(1, f"-I{folder}")
            renamed = {entry["output"]: target}
            if os.path.realpath(os.path.join(build, entry["file"])) == path:
                renamed[entry["file"]] = copy
            run([renamed.get(word, word) for word in words] + ["-w"], build)
            link = [target if word == entry["output"] else word for word in link]
        out = os.path.join(folder, os.path.basename(library))
        run([out if word == library else word for word in link
             if not word.startswith("-Wl,--out-implib")], build)
        made.append(out)
    if not made:
        sys.exit(f"{mistake['name']}: nothing is made from {mistake['file']}")
    return made


def program_passes(files, name):
    """Of the suite conform."""
    world = test_redirect.Redirect.wine
    world.fill(files)
    world.start()
    try:
        done = world.run("fastsync-run.exe", f"conform_{name}.exe", "win32",
                         FASTSYNC_GROUPS="win32")
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0 and "Failures: 0" in done.stdout


def passes(files, tests):
    """The drop-in, the last one of its name, is what tests put into folders of their own."""
    drop_ins = [path for path in files if os.path.basename(path) == os.path.basename(DROP_IN)]
    test_redirect.DROP_IN = test_win32.Win32.drop_in = drop_ins[-1]
    files = [path for path in files if path not in drop_ins]
    groups = {test_redirect.Redirect: [], test_win32.Win32: []}
    for test in tests:
        if not test.startswith("test_"):
            if not program_passes(files, test):
                return False
        else:
            group = next(group for group in groups if hasattr(group, test))
            groups[group].append(group(test))
    suite = unittest.TestSuite()
    for group, chosen in groups.items():
        group.files = files
        suite.addTests(chosen)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        return unittest.TextTestRunner(stream=nowhere).run(suite).wasSuccessful()


def main():
    source, build, folder = (os.path.realpath(path) for path in sys.argv[1:4])
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "mistakes.toml"),
              "rb") as file:
        mistakes = [mistake for mistake in tomllib.load(file)["mistake"]
                    if "".join(sys.argv[4:]) in mistake["name"]]
    redirect = os.path.join(build, "tests/windows/redirect")
    files = [path for name in (f"{redirect}/*", f"{build}/tests/windows/conform/*win32*")
             for path in glob.glob(name) if path.endswith((".exe", ".dll"))]
    files = [os.path.join(build, "src/fastsync.dll"), os.path.join(build, "src/fastsync-run.exe"),
             os.path.join(build, DROP_IN), *files]
    test_redirect.Redirect.wine = wine.Wine("x86_64", os.path.join(folder, "run"))
    test_win32.Win32.wine = test_redirect.Redirect.wine
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
