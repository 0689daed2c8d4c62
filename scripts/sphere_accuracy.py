#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How close do the eyes of 360-3D that Vergence makes come to rendered ones?

    scripts/sphere_accuracy.py PROGRAM SHARED

Makes both eyes of the rendered panoramas of the shared material from their exact depth by `vergence
vr180`, and compares them with the rendered eyes, below 75 degrees of latitude. Beside it stands the
plain way: each pixel fetched, bilinearly, from where the panorama's own depth at its place says. Prints
a table in Markdown of PSNR over the pixels that the head sees too and three ideas of what it does not
see: bands (most of 5 x 5 pixels are hidden), runs (3 hidden pixels of a row and more), and each hidden
pixel, many of which are single ones in leaves finer than the pixels. Hidden is what lies behind the
head's own surface by 5 % and more. Needs Debian's python3-numpy and python3-opencv.
"""
import argparse
import os
import pathlib
import subprocess
import tempfile

os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"
import cv2  # noqa: E402
import numpy as np  # noqa: E402

RADIUS = 0.032  # of the circle on which the eyes stand, metres
SCENES = ["courtyard", "room"]
GREATEST_LATITUDE = np.radians(75.0)


def depth_of(file):
    values = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    return np.minimum(values if values.ndim == 2 else values[..., -1], 1e9).astype(np.float32)


def grid(shape):
    """Columns, rows and latitudes of all pixels."""
    rows, columns = np.mgrid[0:shape[0], 0:shape[1]].astype(np.float32)
    return columns, rows, np.pi / 2 - (rows + 0.5) / shape[0] * np.pi


def eye_angle(distance, latitude):
    return np.arcsin(np.minimum(RADIUS / (distance * np.cos(latitude)), 1.0))


def plain_gather(picture, distance, side):
    columns, rows, latitude = grid(distance.shape)
    width = distance.shape[1]
    at = columns + side * eye_angle(distance, latitude) * width / (2 * np.pi)
    around = np.hstack([picture, picture[:, :1]])
    return cv2.remap(around, np.mod(at, width).astype(np.float32), rows, cv2.INTER_LINEAR)


def hidden_from_head(head, eye, side):
    """Where the eye's surface lies behind what the head sees in that direction."""
    columns, _, latitude = grid(head.shape)
    height, width = head.shape
    angle = eye_angle(eye, latitude)
    up = np.arctan(np.tan(latitude) * np.cos(angle))
    column = np.rint(columns + side * angle * width / (2 * np.pi)).astype(int) % width
    row = np.clip(np.rint((np.pi / 2 - up) / np.pi * height - 0.5).astype(int), 0, height - 1)
    return (head[row, column] < 0.95 * eye) & (np.abs(latitude) < GREATEST_LATITUDE)


def runs_of(mask, length):
    kernel = np.ones((1, length), np.uint8)
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel) > 0


def psnr(a, b, mask):
    return 10 * np.log10(255**2 / np.mean((a.astype(float) - b)[mask] ** 2))


def views_of(program, folder, out):
    """Left and right eye."""
    command = [program, "vr180", folder / "pano_rgb.png", "--depth", folder / "pano_depth.exr",
               "vr.projection=equirectangular", "vr.layout=tb",
               f"stereo.ipd_mm={2000 * RADIUS:.0f}", "-o", out]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    return np.split(cv2.imread(str(out)), 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("shared", type=pathlib.Path)
    arguments = parser.parse_args()
    gains = []
    print("| eye | seen, plain | ours | bands, plain | ours | runs, plain | ours | each, plain | ours |")
    print("|---|---|---|---|---|---|---|---|---|")
    for scene in SCENES:
        folder = arguments.shared / "synth" / scene
        picture, head = cv2.imread(str(folder / "pano_rgb.png")), depth_of(folder / "pano_depth.exr")
        with tempfile.TemporaryDirectory() as place:
            views = views_of(arguments.program, folder, pathlib.Path(place) / "eyes.png")
        below = np.abs(grid(head.shape)[2]) < GREATEST_LATITUDE
        for name, side, view in (("left", -1, views[0]), ("right", 1, views[1])):
            truth = cv2.imread(str(folder / f"ods_{name}_rgb.png"))
            hidden = hidden_from_head(head, depth_of(folder / f"ods_{name}_depth.exr"), side)
            bands = cv2.medianBlur(hidden.astype(np.uint8), 5) > 0
            plain = plain_gather(picture, head, side)
            masks = [below & ~bands, bands, runs_of(hidden, 3), hidden]
            values = [psnr(made, truth, mask) for mask in masks for made in (plain, view)]
            gains.append(np.subtract(values[1::2], values[0::2]))
            print(f"| {scene}, {name} | " + " | ".join(f"{value:.2f}" for value in values) + " |")
    mean = np.mean(gains, axis=0)
    print("| mean gain | " + " | ".join(f" | {value:+.2f}" for value in mean) + " |")


if __name__ == "__main__":
    main()
