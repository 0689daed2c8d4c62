#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Remakes docs/gallery/ with the program as it is now: depth, meshes, renders and the table of numbers.

usage: gallery.py [--program build/release/bin/vergence] [--measure PANORAMA]... [NAME]...
Needs Blender, and python3 with numpy and OpenCV (Debian's). --measure adds a line of numbers for a
picture that is not shown. NAMEs keep it to these pictures.

Floor: a plane is fitted to everything seen at least 35 degrees below the horizon, robustly; given are
the median and the 90th percentile of the distance from that plane, as a share of the camera's height
above it, and the angle between the plane and the horizontal.
Wall: within a window that shows nothing but one flat wall, points along each row are joined over 5
degrees; given are the median angle between these chords and the straight line through the whole row,
seen from above, and the angle between the fitted wall and the vertical.
"""
import argparse
import json
import math
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import tomllib

os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"
import cv2  # noqa: E402
import numpy as np  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[1]
GALLERY = ROOT / "docs" / "gallery"
SHARED = pathlib.Path(os.environ.get("VERGENCE_SHARED", ROOT.parent / "shared"))
HEIGHT_M = 1.6  # of the camera above the floor, taken for all of them

# wall: longitudes and latitudes, degrees, between which there is nothing but one flat wall.
# look: the longitude that the camera inside looks to. The truth is shown where we have it.
SCENES = {
    "living_room": {"picture": ROOT / "examples/living_room.jpg", "wall": (-145, -82, -8, 15), "look": -40,
                    "outside": 2.2, "truth": SHARED / "synth/room/pano_depth.exr"},
    "lebombo": {"picture": GALLERY / "lebombo.jpg", "wall": (85, 155, -12, 20), "look": -30, "outside": 2.2},
    "courtyard": {"picture": ROOT / "examples/courtyard.jpg", "wall": (-8, 25, 11, 30), "look": 0,
                  "outside": 2.0, "mesh": ["mesh.sky=cut"], "truth": SHARED / "synth/courtyard/pano_depth.exr"},
    "st_fagans_crop": {"picture": GALLERY / "st_fagans_crop.jpg", "wall": (-150, -102, -4, 17), "look": -60,
                       "outside": 2.2},
}


class Panorama:
    """Distances over (part of) the sphere."""

    def __init__(self, distance, crop=None):
        height, width = distance.shape
        self.distance = distance
        self.crop = crop or {"full_width": width, "full_height": height, "left": 0, "top": 0}

    @staticmethod
    def read(path):
        if path.suffix == ".npy":
            sidecar = tomllib.loads((path.parent / (path.name + ".toml")).read_text(encoding="utf-8"))
            return Panorama(np.load(path), sidecar.get("report", {}).get("crop")), sidecar
        distance = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        return Panorama(distance if distance.ndim == 2 else distance[..., 2]), None

    def at(self, directions):
        """Distances along unit vectors [n, 3]; NaN outside the picture and in the sky."""
        lon = np.arctan2(directions[:, 0], -directions[:, 2])
        lat = np.arcsin(np.clip(directions[:, 1], -1, 1))
        x = np.floor((lon + np.pi) / (2 * np.pi) * self.crop["full_width"]).astype(int) - self.crop["left"]
        y = np.floor((np.pi / 2 - lat) / np.pi * self.crop["full_height"]).astype(int) - self.crop["top"]
        inside = (x >= 0) & (y >= 0) & (x < self.distance.shape[1]) & (y < self.distance.shape[0])
        result = np.full(len(lon), np.nan)
        result[inside] = self.distance[y[inside], x[inside]]
        return np.where(result < 1e9, result, np.nan)


def direction(lon_deg, lat_deg):
    lon, lat = np.radians(lon_deg), np.radians(lat_deg)
    return np.stack([np.cos(lat) * np.sin(lon), np.sin(lat) + 0 * lon, -np.cos(lat) * np.cos(lon)], axis=-1)


def even_directions(count):
    """A Fibonacci lattice: even over the sphere."""
    k = np.arange(count) + 0.5
    lat = np.degrees(np.arcsin(1 - 2 * k / count))
    return direction(np.degrees(k * math.pi * (3 - math.sqrt(5))), lat)


def fit_plane(points, rounds=50):
    """a with a . p = 1 on the plane: least squares of (a . p - 1), reweighted (Cauchy), from the median."""
    weights = np.ones(len(points))
    for _ in range(rounds):
        root = np.sqrt(weights)[:, None]
        a = np.linalg.lstsq(points * root, root[:, 0], rcond=None)[0]
        residual = points @ a - 1
        spread = 1.4826 * np.median(np.abs(residual)) + 1e-9
        weights = 1 / (1 + (residual / spread) ** 2)
    return a


def measure_floor(panorama):
    rays = even_directions(100000)
    rays = rays[rays[:, 1] < -math.sin(math.radians(35))]
    distance = panorama.at(rays)
    points = (rays * distance[:, None])[np.isfinite(distance)]
    if len(points) < 1000:
        return None
    plane = fit_plane(points)
    off = np.abs(points @ plane - 1)
    tilt = math.degrees(math.acos(min(1.0, -plane[1] / np.linalg.norm(plane))))
    return {"median": float(np.median(off)), "p90": float(np.percentile(off, 90)), "tilt": tilt}


def measure_wall(panorama, wall):
    west, east, south, north = wall
    lons, lats = np.arange(west, east + 0.01, 0.5), np.arange(south, north + 0.01, 1.0)
    rays = direction(*np.meshgrid(lons, lats))
    distance = panorama.at(rays.reshape(-1, 3)).reshape(rays.shape[:2])
    points = rays * distance[..., None]
    plane = fit_plane(points[np.isfinite(distance)])
    lean = math.degrees(math.asin(abs(plane[1]) / np.linalg.norm(plane)))
    bends = []
    for row in points[..., [0, 2]]:
        row = row[np.isfinite(row[:, 0])]
        main = np.linalg.svd(row - row.mean(axis=0))[2][0]
        chords = row[10:] - row[:-10]
        across = chords @ np.array([-main[1], main[0]])
        bends.extend(np.degrees(np.arctan2(np.abs(across), np.abs(chords @ main))))
    return {"bend": float(np.median(bends)), "lean": lean}


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(*command):
    """CPU seconds of a command; unlike the clock they do not depend on what else the machine does."""
    begin = cpu_seconds()
    subprocess.run([str(word) for word in command], check=True)
    return cpu_seconds() - begin


def shrink(source, target, width):
    picture = cv2.imread(str(source))
    height = round(width * picture.shape[0] / picture.shape[1])
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(target), small, [cv2.IMWRITE_JPEG_QUALITY, 85, cv2.IMWRITE_JPEG_OPTIMIZE, 1])


def overview(name):
    """One picture for the README: what goes in, and what comes out."""
    panorama, depth, inside = (cv2.imread(str(GALLERY / f"{name}{part}.jpg")) for part in ("", "_depth", "_inside"))
    half = [cv2.resize(picture, (632, 316), interpolation=cv2.INTER_AREA) for picture in (panorama, depth)]
    gap = np.full((8, 632, 3), 255, np.uint8)
    left = cv2.vconcat([half[0], gap, half[1]])
    right = cv2.resize(inside, (853, 640), interpolation=cv2.INTER_CUBIC)
    white = np.full((640, 8, 3), 255, np.uint8)
    cv2.imwrite(str(GALLERY / "overview.jpg"), cv2.hconcat([left, white, right]), [cv2.IMWRITE_JPEG_QUALITY, 85])


def cameras(panorama, scene, folder):
    """One camera half a metre beside the place of the photo, one outside that looks down into it."""
    look = direction(np.array(float(scene["look"])), np.array(-8.0))
    aside = 0.5 * direction(np.array(scene["look"] + 90.0), np.array(0.0))
    rays = even_directions(20000)
    around = panorama.at(rays[np.abs(rays[:, 1]) < 0.5])
    reach = min(np.nanpercentile(around, 70), 12.0)
    back = scene["outside"] * reach * direction(np.array(scene["look"] + 180.0), np.array(40.0))
    return [{"file": str(folder / "inside.png"), "size": [960, 720], "hfov_deg": 90,
             "eye": list(aside), "target": list(aside + look)},
            {"file": str(folder / "outside.png"), "size": [960, 720], "hfov_deg": 60,
             "eye": list(back), "target": [0, -HEIGHT_M / 2, 0]}]


def line_of_numbers(name, floor, wall, extra=""):
    flat = "not seen"
    if floor:
        flat = f"{100 * floor['median']:.1f} % / {100 * floor['p90']:.1f} % / {floor['tilt']:.1f}°"
    straight = f"{wall['bend']:.1f}° / {wall['lean']:.1f}°" if wall else "none"
    return f"| {name} | {flat} | {straight} | {extra} |"


def show(program, name, scene, folder):
    """Makes the pictures of a scene and returns its lines of numbers."""
    picture, depth = scene["picture"], folder / f"{name}.npy"
    seconds = run(program, "depth", picture, "-o", depth, f"scale.camera_height_m={HEIGHT_M}")
    panorama, sidecar = Panorama.read(depth)
    run(program, "mesh", picture, "-o", folder / "mesh.glb", f"scale.camera_height_m={HEIGHT_M}",
        *scene.get("mesh", []))
    views = folder / "views.json"
    views.write_text(json.dumps(cameras(panorama, scene, folder)), encoding="utf-8")
    run("blender", "-b", "--python-exit-code", "1", "--python", ROOT / "scripts/gallery_render.py", "--",
        folder / "mesh.glb", views)
    if not picture.is_relative_to(GALLERY):
        shrink(picture, GALLERY / f"{name}.jpg", 1024)
    shrink(folder / f"{name}_preview.png", GALLERY / f"{name}_depth.jpg", 640)
    for view in ("inside", "outside"):
        shrink(folder / f"{view}.png", GALLERY / f"{name}_{view}.jpg", 800)
    size = cv2.imread(str(picture)).shape
    sky = sidecar["report"]["alignment"].get("sky_share", 0.0) if "alignment" in sidecar["report"] else 0.0
    lines = [line_of_numbers(f"{name}, {size[1]} x {size[0]}", measure_floor(panorama),
                             measure_wall(panorama, scene["wall"]), f"sky {100 * sky:.0f} %, {seconds:.1f} CPU s")]
    truth = scene.get("truth")
    if truth and truth.exists():
        exact = Panorama.read(truth)[0]
        lines.append(line_of_numbers(f"{name}, the scene itself", measure_floor(exact),
                                     measure_wall(exact, scene["wall"])))
    return lines


def measure_only(program, picture, folder):
    depth = folder / "measured.npy"
    seconds = run(program, "depth", picture, "-o", depth)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    panorama, _ = Panorama.read(depth)
    height, width = panorama.distance.shape
    return line_of_numbers(f"{picture.stem} (not shown), {width} x {height}", measure_floor(panorama), None,
                           f"{seconds:.1f} CPU s, {peak:.0f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*SCENES, []], metavar="NAME")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/release/bin/vergence")
    parser.add_argument("--measure", type=pathlib.Path, action="append", default=[], metavar="PANORAMA")
    arguments = parser.parse_args()
    lines = ["| picture | floor: off the plane, median / 90th percentile / tilt | wall: bend / lean | |",
             "|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        # First, so that the peak of memory is not Blender's.
        measured = [measure_only(arguments.program, picture, folder) for picture in arguments.measure]
        for name in arguments.names or SCENES:
            lines += show(arguments.program, name, SCENES[name], folder)
        lines += measured
    print("\n".join(lines))
    if not arguments.names:
        overview("living_room")
        page = GALLERY / "README.md"
        text = page.read_text(encoding="utf-8")
        table = "<!-- numbers -->\n" + "\n".join(lines) + "\n<!-- /numbers -->"
        page.write_text(re.sub(r"<!-- numbers -->.*<!-- /numbers -->", lambda _: table, text, flags=re.DOTALL),
                        encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
