#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How accurate is what Vergence makes of the maps that a network could have given?

    scripts/accuracy.py PROGRAM SHARED [--check] [--all]
    scripts/accuracy.py PROGRAM SHARED --networks

Simulates relative depth maps for 20 tangent views (105 degrees, 384 pixels) of the rendered room and
courtyard with tools/simulate_views.py of the shared material, seeds 1 to 3, fuses them with
`vergence depth predictor=files` and compares with the exact depth. Prints, for each scene, the spherical
AbsRel after one factor (scale) and after factor and shift of inverse distance (disparity), the median of
the seeds. --all also switches single stages off and adds the embedded network; --check fails when a
bound is broken. --networks measures instead the small trained networks and what they give together,
on the rendered panoramas and on the rendered flat photos. Needs Debian's python3-numpy and
python3-opencv.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"
import cv2  # noqa: E402
import numpy as np  # noqa: E402

SCENES = {"room": 0.033, "courtyard": 0.066}  # bounds on spherical AbsRel, for both alignments
CLEAN_ROOM = 0.010                            # without noise, smooth errors and blur
VARIANTS = {
    "all stages": [],
    "without the grid": ["alignment.grid=false"],
    "without gradient fusion": ["fusion.gradients=false"],
    "without both": ["alignment.grid=false", "fusion.gradients=false"],
}
PHOTO_FOV = 70  # degrees across, of the rendered flat photos
NETWORKS = {
    "nano": ["predictor=nano"],
    "tcmonodepth_small": ["predictor=tcmonodepth_small"],
    "tiefenrausch": ["predictor=tiefenrausch"],
    "nano + tcmonodepth_small": ["predictor=ensemble",
                                 "predictor.members=[nano,tcmonodepth_small]"],
    "all three": ["predictor=ensemble",
                  "predictor.members=[nano,tcmonodepth_small,tiefenrausch]"],
    "nano, flipped too": ["predictor=nano", "predictor.flip=true"],
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

    def photo_truth(self, scene):
        """The flat photo's exact depth as distances along the rays, like the program's own."""
        path = self.folder / f"{scene}-photo.npy"
        if not path.exists():
            planar = cv2.imread(str(self.shared / "synth" / scene / "flat_left_depth.exr"),
                                cv2.IMREAD_UNCHANGED)
            height, width = planar.shape[:2]
            focal = width / (2 * np.tan(np.radians(PHOTO_FOV) / 2))
            x = (np.arange(width) + 0.5 - width / 2) / focal
            y = (np.arange(height) + 0.5 - height / 2) / focal
            length = np.sqrt(1 + x[None, :] ** 2 + y[:, None] ** 2)
            np.save(path, (planar.reshape(height, width, -1)[:, :, 0] * length).astype(np.float32))
        return path

    def measure_photo(self, scene, overrides):
        """AbsRel of the rendered flat photo after one factor, and after factor and shift."""
        out = self.folder / "photo.npy"
        run(self.program, "depth", self.shared / "synth" / scene / "flat_left_rgb.png", "-o", out,
            "--quiet", f"input.hfov_deg={PHOTO_FOV}", *overrides)
        result = []
        for align in ("scale", "disparity"):
            report = json.loads(run(self.program, "eval", "--pred", out, "--gt",
                                    self.photo_truth(scene), "--align", align, "--json", "-"))
            result.append(report["plain"]["abs_rel"])
        return (*result, None)

    def from_files(self, maps, extra):
        return ["predictor=files", f"predictor.path={maps}", f"predictor.views={self.views}", *extra]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("shared")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--networks", action="store_true")
    options = parser.parse_args()
    broken = []

    def row(name, scene, measured, bound=None):
        scale, disparity = (statistics.median(values) for values in list(zip(*measured))[:2])
        seams = [values[2] for values in measured]
        word = "-" if None in seams else "yes" if all(seams) else "NO"
        print(f"| {scene} | {name} | {scale:.4f} | {disparity:.4f} | {word} |")
        if bound is not None and (max(scale, disparity) > bound or word == "NO"):
            broken.append(f"{scene}, {name}: bound {bound}")

    print("| scene | what | AbsRel, scale | AbsRel, disparity | seam within the 95th percentile |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options.program, options.shared, folder)
        if options.networks:
            os.environ["VERGENCE_MODELS"] = str(bench.shared / "models")
            for scene in SCENES:
                for name, overrides in NETWORKS.items():
                    row(name, scene, [bench.measure(scene, overrides)])
            for scene in SCENES:
                for name, overrides in NETWORKS.items():
                    row(name, f"{scene}, flat photo", [bench.measure_photo(scene, overrides)])
            return
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
