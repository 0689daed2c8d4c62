#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How close do the views that Vergence makes come to real ones?

    scripts/stereo_accuracy.py PROGRAM SHARED [--pair NAME ...] [--check]

Makes the right view of each stereo pair of the shared material (rendered flat pairs with exact depth,
Middlebury cones and motorcycle) from its left picture and its own disparity with every method of
`vergence sbs`, and compares it with the real right picture by `vergence eval --stereo`. Prints a table
in Markdown: PSNR of the inner pixels, of those that the left picture shows and of those that it does
not, SSIM and SIoU, each method at that edge dilation of DILATIONS which serves its inner PSNR best.
The best PSNR in disocclusions over all dilations stands beside, because another one may serve that.
--check fails where `scanline` at its defaults is not ahead of all other methods at their best, in
every rendered pair. The weights of the learned warps are looked for in SHARED/models and
$VERGENCE_MODELS. Needs Debian's python3-numpy and python3-opencv.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"
import cv2  # noqa: E402
import numpy as np  # noqa: E402

RENDERED = ["courtyard", "room"]
METHODS = ["left unchanged", "backward", "forward_fill", "row_flow_v2", "row_flow_v3",
           "mask_mlbw_l2", "scanline"]
DILATIONS = ["[0,0]", "[1,1]", "[2,1]", "[2,2]"]
FOCAL_TIMES_BASELINE = 685.51 * 0.064  # of the rendered pairs, pixels * metres
COLUMNS = ["psnr_inner", "psnr_visible", "psnr_disoccluded", "ssim", "siou"]


def run(*command, **environment):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          env={**os.environ, **environment})
    if done.returncode != 0:
        sys.exit(f"{' '.join(str(part) for part in command)}\n{done.stderr}")
    return done.stdout


def filled(disparity):
    """Values that are not known become the smaller of the nearest ones in the row."""
    disparity = np.where(np.isfinite(disparity) & (disparity > 0), disparity, np.nan)
    for row in disparity:
        known = np.flatnonzero(np.isfinite(row))
        for x in np.flatnonzero(~np.isfinite(row)):
            i = np.searchsorted(known, x)
            row[x] = min(row[known[j]] for j in (i - 1, i) if 0 <= j < len(known))
    return disparity


def load(shared, name):
    """Left picture, right picture, disparity in pixels of the left one."""
    if name in RENDERED:
        folder = shared / "synth" / name
        depth = cv2.imread(str(folder / "flat_left_depth.exr"), cv2.IMREAD_UNCHANGED)
        depth = depth if depth.ndim == 2 else depth[..., 0]
        return folder / "flat_left_rgb.png", folder / "flat_right_rgb.png", \
            FOCAL_TIMES_BASELINE / depth
    folder = shared / "stereo" / name
    if name == "cones":
        disparity = cv2.imread(str(folder / "disp2.pgm"), cv2.IMREAD_UNCHANGED) * 0.25
        return folder / "im2.png", folder / "im6.png", filled(disparity)
    disparity = np.load(folder / "motorcycle_disp.npz")["arr_0"]
    return folder / "motorcycle_left.png", folder / "motorcycle_right.png", filled(disparity)


class Bench:
    def __init__(self, program, shared, folder):
        self.program, self.shared, self.folder = program, pathlib.Path(shared), pathlib.Path(folder)
        folders = [str(self.shared / "models"), os.environ.get("VERGENCE_MODELS", "")]
        self.models = ":".join(folder for folder in folders if folder)

    def measured(self, pair, method, dilation):
        left, right, disparity = pair
        map_file = self.folder / "disparity.npy"
        np.save(map_file, disparity.astype(np.float32))
        view = left
        if method != "left unchanged":
            view = self.folder / "view_right.png"
            run(self.program, "sbs", left, "-o", self.folder / "view.png", f"input.depth={map_file}",
                "input.depth_kind=disparity_px", "stereo.synthetic_view=right",
                "stereo.layout=separate", f"stereo.method={method}",
                f"stereo.edge_dilation={dilation}", VERGENCE_MODELS=self.models)
        return json.loads(run(self.program, "eval", "--stereo", left, view, right, "--disparity",
                              map_file, "--json", "-"))

    def rows(self, name):
        """(method, best dilation, metrics there, best disoccluded PSNR) of each method."""
        pair = load(self.shared, name)
        for method in METHODS:
            dilations = DILATIONS if method != "left unchanged" else DILATIONS[:1]
            results = {dilation: self.measured(pair, method, dilation) for dilation in dilations}
            best = max(results, key=lambda dilation: results[dilation]["psnr_inner"])
            holes = max(result["psnr_disoccluded"] for result in results.values())
            yield method, best, results, holes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("shared")
    parser.add_argument("--pair", nargs="+", default=RENDERED + ["cones", "motorcycle"])
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    behind = []
    print("| pair | method | dilation | PSNR inner | visible | disoccluded | (best) | SSIM | SIoU |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments.program, arguments.shared, folder)
        for name in arguments.pair:
            others = {"psnr_inner": 0.0, "psnr_disoccluded": 0.0, "ssim": 0.0}
            for method, best, results, holes in bench.rows(name):
                values = [results[best][column] for column in COLUMNS]
                print(f"| {name} | {method} | {best} | {values[0]:.2f} | {values[1]:.2f} "
                      f"| {values[2]:.2f} | {holes:.2f} | {values[3]:.4f} | {values[4]:.3f} |",
                      flush=True)
                if method != "scanline":
                    for column in others:
                        others[column] = max([others[column]] +
                                             [r[column] for r in results.values()])
                elif name in RENDERED:
                    ours = results["[0,0]"]
                    behind += [f"{name}: {column}" for column in others
                               if ours[column] <= others[column]]
    if arguments.check and behind:
        sys.exit("another method is ahead of scanline: " + ", ".join(behind))


if __name__ == "__main__":
    main()
