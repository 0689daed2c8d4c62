#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Times our native networks beside ONNX Runtime and the plain PyTorch composition.

All contestants of a network are loaded, then take turns (A B C A B C ...) on one input with the
same number of threads. Fails where a contestant is missing or their results disagree.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

import numpy as np

BENCH = pathlib.Path(__file__).resolve().parent
CASES = [
    ("nano", 256, 256),
    ("tcmonodepth_small", 256, 352),
    ("midas_v21_small", 256, 256),
    ("midas_v21_large", 384, 384),
    ("depth_anything_v2_small", 252, 336),
    ("depth_anything_v2_small", 518, 518),
    ("depth_anything_v2_small", 518, 686),
    ("depth_anything_v2_base", 518, 518),
    ("depth_anything_v2_large", 518, 518),
    ("dpt_hybrid", 384, 384),
    ("dpt_large", 384, 384),
    ("midas_v31_beit_large_384", 384, 384),
    ("midas_v31_beit_large_512", 512, 512),
]
# Largest difference between two contestants, of the range: each rounds differently. Formula weights
# do not damp roundings as trained ones do: with every value in bfloat16 PyTorch's own result has
# nothing in common with float32 (correlation 0.15), so that bf16 is a check for blunders only.
AGREEMENT = {"f32": 2e-3, "bf16": 5e-2}


class Contestant:
    """A process that runs the network once for every line, and answers with the milliseconds of
    wall time and of all its threads."""

    def __init__(self, title, command, output):
        self.title, self.output = title, output
        self.times, self.processor, self.peak = [], [], None
        started = time.monotonic()
        self.process = subprocess.Popen([str(word) for word in command], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.line("ready")
        self.opening = time.monotonic() - started
        self.first = None

    def line(self, expected=""):
        line = self.process.stdout.readline().strip()
        if not line or not line.startswith(expected):
            self.process.kill()
            raise RuntimeError(f"{self.title} does not run")
        return line

    def run(self):
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        wall, processor = (float(word) for word in self.line().split())
        self.first = self.first or wall
        return wall, processor

    def measure(self):
        wall, processor = self.run()
        self.times.append(wall)
        self.processor.append(processor)

    def finish(self):
        rest = self.process.communicate()[0].split()
        if self.process.returncode != 0:
            raise RuntimeError(f"{self.title} failed")
        self.peak = float(rest[1]) if rest[:1] == ["peak"] else None

    def median(self):
        return statistics.median(self.times)

    def start_cost(self):
        """Seconds from the start of the process to its first map, a usual run taken off."""
        return self.opening + (self.first - self.median()) / 1e3


def prepare(options, name, height, width):
    """Writes the files of a case unless they are there; returns their common stem."""
    stem = options.work / f"{name}_{height}x{width}"
    sources = [BENCH / "pytorch_networks.py", BENCH / "export_networks.py"]
    weights = options.work / f"{name}.safetensors"
    newest = max(source.stat().st_mtime for source in sources)
    if not weights.exists() or not pathlib.Path(f"{stem}.onnx").exists() or \
            weights.stat().st_mtime < newest:
        subprocess.run([sys.executable, BENCH / "export_networks.py", name, "--size", str(height),
                        str(width), "--out", options.work, "--shared", options.shared], check=True)
    return stem


def start_contestants(options, name, stem, height, width, made):
    """Appends them to `made`, so that the caller can end those that run when one fails."""
    threads = options.threads
    given = f"{stem}.input.f32"
    native = options.build / "bin/bench_network"

    def ours(title, backend, file, precision):
        output = f"{stem}.{title}.f32"
        return Contestant(title, [native, backend, file, given, height, width, threads, precision,
                                  output], output)

    if "native" in options.contestants:
        weights = options.work / f"{name}.safetensors"
        weights.read_bytes()  # warm, as the memory's file cache has it in daily use
        made.append(ours("native", name, weights, options.precision))
    if "onnx" in options.contestants:
        output = f"{stem}.onnx.f32"
        made.append(Contestant("onnx", ["node", BENCH / "onnx/run.mjs", f"{stem}.onnx", given,
                                        height, width, threads, output], output))
    if "plain" in options.contestants:
        made.append(ours("plain", "torchscript", f"{stem}.pt", "f32"))


def measure(options, contestants):
    for _ in range(2):  # LibTorch's executor specialises its graph in the first two runs
        for contestant in contestants:
            contestant.run()
    for _ in range(options.rounds):
        for contestant in contestants:
            time.sleep(0.1)  # the others' threads stop spinning
            contestant.measure()
    for contestant in contestants:
        contestant.finish()


def disagreement(contestants):
    """Largest difference between two results, relative to their range."""
    maps = [np.fromfile(contestant.output, dtype=np.float32) for contestant in contestants]
    reach = float(maps[-1].max() - maps[-1].min())
    return max(float(np.abs(map_ - maps[-1]).max()) for map_ in maps) / reach


def row(name, size, contestants, difference):
    by_title = {contestant.title: contestant for contestant in contestants}

    def milliseconds(title):
        one = by_title.get(title)
        return f"{one.median():.0f} ({min(one.times):.0f}, {min(one.processor):.0f})" if one else "-"

    def ratio(over, under):
        both = over in by_title and under in by_title
        return f"{by_title[over].median() / by_title[under].median():.2f}" if both else "-"

    native = by_title.get("native")
    start = f"{native.start_cost():.2f}" if native else "-"
    peak = f"{native.peak:.2f}" if native else "-"
    cells = [name, size, milliseconds("native"), milliseconds("onnx"), milliseconds("plain"),
             ratio("onnx", "native"), ratio("plain", "onnx"), f"{difference:.0e}", start, peak]
    return "| " + " | ".join(cells) + " |"


def run_case(options, name, height, width):
    stem = prepare(options, name, height, width)
    contestants = []
    try:
        start_contestants(options, name, stem, height, width, contestants)
        measure(options, contestants)
    finally:
        for contestant in contestants:
            contestant.process.kill()  # no effect on those that have ended
    difference = disagreement(contestants)
    print(row(name, f"{width}x{height}", contestants, difference), flush=True)
    if difference > AGREEMENT[options.precision]:
        raise RuntimeError("the results disagree")


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo")
                  if line.startswith("model name")), "unknown processor")
    return f"{model}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=BENCH.parent / "build/release")
    parser.add_argument("--work", type=pathlib.Path, help="folder for exports (several GB)")
    parser.add_argument("--shared", type=pathlib.Path, default=BENCH.parent.parent / "shared")
    parser.add_argument("--networks", nargs="+", choices=sorted({case[0] for case in CASES}))
    parser.add_argument("--size", type=int, nargs=2, metavar=("H", "W"), help="this size only")
    parser.add_argument("--contestants", nargs="+", choices=["native", "onnx", "plain"],
                        default=["native", "onnx", "plain"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--precision", choices=sorted(AGREEMENT), default="f32",
                        help="of the native network; the others compute in f32")
    options = parser.parse_args()
    options.work = options.work or options.build / "bench_networks"
    return options


def main():
    options = parse_options()
    if "onnx" in options.contestants and (
            not shutil.which("node") or not (BENCH / "onnx/node_modules/onnxruntime-node").exists()):
        sys.exit("ONNX Runtime is missing: cd bench/onnx && npm ci --ignore-scripts")
    print(f"{machine()}; {options.threads} threads, native {options.precision}; "
          f"ms: median (least, least of all threads' processor time) of {options.rounds} rounds\n")
    print("| network | size | native | ONNX Runtime | plain | ONNX Runtime / native "
          "| plain / ONNX Runtime | difference | start s | peak GB |\n" + "|---" * 10 + "|")
    failures = []
    for name, height, width in CASES:
        if options.networks and name not in options.networks or \
                options.size and options.size != [height, width]:
            continue
        try:
            run_case(options, name, height, width)
        except (RuntimeError, subprocess.CalledProcessError) as error:
            failures.append(f"{name} {width}x{height}: {error}")
            print(failures[-1], file=sys.stderr, flush=True)
    if failures:
        sys.exit(1)


if __name__ == "__main__":
    main()
