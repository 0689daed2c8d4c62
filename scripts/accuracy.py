#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How accurate is what Vergence makes of the maps that a network could have given?

    scripts/accuracy.py PROGRAM SHARED [--check] [--all] [--width 2048]

Simulates relative depth maps for 20 tangent views (105 degrees, 384 pixels) of the rendered room and
courtyard with tools/simulate_views.py of the shared material, seeds 1 to 3, fuses them with
`vergence depth predictor=files` and compares with the exact depth. Prints, for each scene, the spherical
AbsRel after one factor (scale) and after factor and shift of inverse distance (disparity), the median of
the seeds. --all also switches single stages off and adds the embedded network; --check fails when a
bound is broken. Needs Debian's python3-numpy and python3-opencv.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

SCENES = {"room": 0.033, "courtyard": 0.066}  # bounds on spherical AbsRel, for both alignments
CLEAN_ROOM = 0.010                            # without noise, smooth errors and blur
VARIANTS = {
    "all stages": [],
    "without the grid": ["alignment.grid=false"],
    "without gradient fusion": ["fusion.gradients=false"],
    "without both": ["alignment.grid=false", "fusion.gradients=false"],
}


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(str(part) for part in command)}\n{done.stderr}")
    return done.stdout


class Bench:
    def __init__(self, program, shared, folder):
        self.program, self.shared, self.folder = program, pathlib.Path(shared), pathlib.Path(folder)
        picture = self.shared / "synth/room/pano_rgb.png"
        run(program, "views", picture, "-o", self.folder / "views", "views.fov_deg=105",
            "views.size_px=384")
        self.views = self.folder / "views/views.json"
        self.maps = {}

    def simulated(self, scene, seed, clean=False):
        key = (scene, seed, clean)
        if key not in self.maps:
            self.maps[key] = self.folder / f"{scene}-{seed}-{clean}"
            exact = ["--noise", "0", "--lowfreq", "0", "--blur", "0"] if clean else []
            run("/usr/bin/python3", self.shared / "tools/simulate_views.py", self.views,
                self.shared / "synth" / scene / "pano_depth.exr", self.maps[key],
                "--seed", seed, *exact)
        return self.maps[key]

    def measure(self, scene, overrides):
        """(scale, disparity) spherical AbsRel and whether the seam is as smooth as the rest."""
        out = self.folder / "depth.npy"
        picture = self.shared / "synth" / scene / "pano_rgb.png"
        run(self.program, "depth", picture, "-o", out, "--quiet", *overrides)
        result = []
        for align in ("scale", "disparity"):
            report = json.loads(run(self.program, "eval", "--pred", out, "--gt",
                                    self.shared / "synth" / scene / "pano_depth.exr",
                                    "--align", align, "--sphere", "--json", "-"))
            result.append(report["spherical"]["abs_rel"])
        return (*result, report["seam"]["seam"] <= report["seam"]["percentile_95"])

    def from_files(self, maps, extra):
        return ["predictor=files", f"predictor.path={maps}", f"predictor.views={self.views}", *extra]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("shared")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    broken = []

    def row(name, scene, measured, bound=None):
        scale, disparity = (statistics.median(values) for values in list(zip(*measured))[:2])
        seams = all(values[2] for values in measured)
        print(f"| {scene} | {name} | {scale:.4f} | {disparity:.4f} | {'yes' if seams else 'NO'} |")
        if bound is not None and (max(scale, disparity) > bound or not seams):
            broken.append(f"{scene}, {name}: bound {bound}")

    print("| scene | what | AbsRel, scale | AbsRel, disparity | seam within the 95th percentile |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options.program, options.shared, folder)
        for scene, bound in SCENES.items():
            for name, extra in VARIANTS.items():
                if extra and not options.all:
                    continue
                measured = [bench.measure(scene, bench.from_files(bench.simulated(scene, seed), extra))
                            for seed in (1, 2, 3)]
                row(name, scene, measured, bound if not extra else None)
            clean = bench.measure(scene, bench.from_files(bench.simulated(scene, 1, True), []))
            row("exact maps", scene, [clean], CLEAN_ROOM if scene == "room" else None)
            if options.all:
                for name, extra in VARIANTS.items():
                    row(f"nano, {name}", scene, [bench.measure(scene, extra)])
    if options.check and broken:
        sys.exit("\n".join(["broken:"] + broken))


main()
