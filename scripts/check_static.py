# SPDX-License-Identifier: Apache-2.0
"""Runs clang-tidy on the sources that changed (or all), two at a time, within a bounded time.

usage: check_static.py BUILD_DIR [--changed | --all] [--budget SECONDS]
Changed means: against the point where the branch left origin/main, or the last 20 commits where
there is no such point, and what is not committed. A changed header is checked through one source
that includes it. Clean results are kept in build/tidy under a hash of everything they depend on.
When the time is over the sources left are named, and the check still passes. Sources that include
LibTorch are left out: Clang 14 cannot read the headers of LibTorch 1.13 as C++20.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
NUM_COMMITS = 20
GCC_ONLY = ("-fpch-preprocess", "-Winvalid-pch")
UNREADABLE = re.compile(r"#\s*include\s*[<\"](/usr/include/)?(torch|ATen|c10)/")


def output(*command):
    result = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    return result.stdout.strip() if result.returncode == 0 else ""


def changed_files():
    head = output("git", "rev-parse", "HEAD")
    base = output("git", "merge-base", "HEAD", "origin/main")
    if not base or base == head:
        commits = output("git", "rev-list", f"--max-count={NUM_COMMITS + 1}", "HEAD").splitlines()
        base = commits[-1] if commits else head
    committed = output("git", "diff", "--name-only", base).splitlines()
    untracked = output("git", "ls-files", "--others", "--exclude-standard").splitlines()
    return committed + untracked


def own_dependencies(build):
    """For every source of ours: the files of ours that it is compiled from, by Ninja's own record."""
    result = {}
    dependencies = []
    record = subprocess.run(["ninja", "-C", str(build), "-t", "deps"], text=True,
                            capture_output=True, check=False).stdout
    for line in record.splitlines() + [""]:
        if line.startswith("    "):
            path = pathlib.Path(os.path.normpath(build / line.strip()))
            if path.is_relative_to(ROOT) and not path.is_relative_to(ROOT / "build"):
                dependencies.append(path)
            continue
        if dependencies and dependencies[0].suffix == ".cpp":
            result.setdefault(dependencies[0], dependencies)
        dependencies = []
    return result


def adapted_commands(build, folder):
    """The compile commands without GCC's precompiled headers, which Clang cannot read."""
    commands = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = pathlib.Path(entry["file"])
        if not source.is_relative_to(ROOT) or source.is_relative_to(ROOT / "build"):
            continue
        texts = [source.read_text()]
        words = [word for word in shlex.split(entry["command"]) if word not in GCC_ONLY]
        for index, word in enumerate(words):
            if word.endswith("cmake_pch.hxx"):
                copy = folder / (hashlib.sha256(word.encode()).hexdigest()[:16] + ".hxx")
                texts.append(pathlib.Path(word).read_text())
                copy.write_text(texts[-1])
                words[index] = str(copy)
        if any(UNREADABLE.search(text) for text in texts):
            continue
        entry["command"] = shlex.join(words)
        commands.setdefault(source, entry)
    (folder / "compile_commands.json").write_text(json.dumps(list(commands.values())))
    return {source: entry["command"] for source, entry in commands.items()}


def choose_sources(commands, dependencies, changed):
    """Sources to check, the changed ones first."""
    chosen = [ROOT / name for name in changed if ROOT / name in commands]
    for header in (ROOT / name for name in changed if name.endswith(".hpp")):
        users = sorted(s for s in commands if header in dependencies.get(s, []))
        own = header.with_suffix(".cpp")
        if own in commands:
            chosen.append(own)
        elif users and not any(user in chosen for user in users):
            chosen.append(users[0])
    return list(dict.fromkeys(chosen))


def cache_key(source, command, dependencies, version):
    key = hashlib.sha256()
    for text in (version, command, (ROOT / ".clang-tidy").read_text()):
        key.update(text.encode())
    for path in sorted(set(dependencies.get(source, [])) | {source}):
        key.update(str(path.relative_to(ROOT)).encode())
        key.update(path.read_bytes() if path.is_file() else b"")
    return key.hexdigest()


def check(source, folder, stamp, deadline):
    """(source, "clean" | "found" | "late", text)"""
    if time.monotonic() > deadline:
        return source, "late", ""
    result = subprocess.run(["clang-tidy", "-p", str(folder), "--quiet", str(source)], cwd=ROOT,
                            text=True, capture_output=True, check=False)
    if result.returncode == 0:
        stamp.touch()
        return source, "clean", ""
    noise = re.compile(r"^\d+ warnings?( and \d+ errors?)? generated|^Suppressed|^Use -header-filter")
    text = "\n".join(line for line in (result.stdout + result.stderr).splitlines()
                     if not noise.match(line))
    return source, "found", text


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--changed", action="store_true")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--budget", type=float, default=240.0)
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    folder = ROOT / "build" / "tidy"
    folder.mkdir(parents=True, exist_ok=True)
    commands = adapted_commands(build, folder)
    dependencies = own_dependencies(build)
    sources = choose_sources(commands, dependencies, changed_files())
    if arguments.all:
        sources = list(dict.fromkeys(sources + sorted(commands)))
    version = output("clang-tidy", "--version")
    stamps = {source: folder / (cache_key(source, commands[source], dependencies, version) + ".clean")
              for source in sources}
    to_check = [source for source in sources if not stamps[source].exists()]
    deadline = time.monotonic() + arguments.budget
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        results = list(pool.map(lambda s: check(s, folder, stamps[s], deadline), to_check))
    for _, outcome, text in results:
        if outcome == "found":
            print(text)
    late = [str(source.relative_to(ROOT)) for source, outcome, _ in results if outcome == "late"]
    num_found = sum(outcome == "found" for _, outcome, _ in results)
    print(f"clang-tidy: {len(sources)} sources, {len(sources) - len(to_check)} of them known to be "
          f"clean, {num_found} with findings")
    if late:
        print(f"clang-tidy: the time was over before {len(late)} sources were checked; call again "
              f"to go on: {' '.join(late)}")
    return 1 if num_found else 0


if __name__ == "__main__":
    sys.exit(main())
