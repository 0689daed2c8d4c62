#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Remakes the VR180 part of docs/gallery/: left and right eye with an anaglyph, and a wiggle.

usage: gallery_vr.py [--program build/release/bin/vergence] [NAME]...
Needs python3 with numpy and OpenCV (Debian's), and ffmpeg. NAMEs keep it to these pictures.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import cv2
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
GALLERY = ROOT / "docs" / "gallery"
SHARED = pathlib.Path(os.environ.get("VERGENCE_SHARED", ROOT.parent / "shared"))
EYE = 384  # side of an eye's picture in the gallery

# What is shown of each eye, degrees to the right and up of the middle, and how wide the wiggle is.
SCENES = {
    "potsdamer_platz": {"input": SHARED / "pano/polyhaven_potsdamer_platz.png",
                        "keys": ["scale.camera_height_m=1.6"]},
    "st_fagans": {"input": SHARED / "pano/polyhaven_st_fagans_interior.png",
                  "keys": ["scale.camera_height_m=1.6", "view.yaw_deg=-60"]},
    "venice_sunset": {"input": SHARED / "pano/polyhaven_venice_sunset.png",
                      "keys": ["scale.camera_height_m=1.6", "view.yaw_deg=-60"]},
    "lebombo": {"input": SHARED / "pano/polyhaven_lebombo.png",
                "keys": ["scale.camera_height_m=1.6"]},
    "rabbit": {"input": SHARED / "video/mdn_rabbit.mp4", "keys": ["video.filter=crop=704:480"],
               "crop": 0.42},
    "room_walk": {"input": None, "keys": ["scale.camera_height_m=1.6"]},
}


def run(*command):
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def dubois(left, right):
    """Red and cyan (Dubois's least squares matrices, their rows in the order of OpenCV's colours)."""
    of_left = np.array([[-0.015, -0.021, -0.005], [-0.040, -0.038, -0.016], [0.456, 0.500, 0.176]])
    of_right = np.array([[-0.072, -0.113, 1.226], [0.378, 0.734, -0.018], [-0.043, -0.088, -0.002]])
    left, right = (eye[..., ::-1].astype(float) for eye in (left, right))
    return (np.clip(left @ of_left.T + right @ of_right.T, 0, 255) + 0.5).astype(np.uint8)


def middle_frame(video, folder):
    length = float(subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(video)],
        check=True, capture_output=True, text=True).stdout)
    picture = folder / "middle.png"
    run("ffmpeg", "-v", "error", "-y", "-ss", length / 2, "-i", video, "-frames:v", 1, picture)
    return picture


def wiggle(path, left, right, folder):
    for number, picture in enumerate((left, right)):
        cv2.imwrite(str(folder / f"eye{number}.png"), picture)
    run("ffmpeg", "-v", "error", "-y", "-framerate", 6, "-i", folder / "eye%d.png", "-loop", 0,
        "-c:v", "libwebp_anim", "-quality", 70, path)


def make(name, scene, program, folder):
    source = scene["input"]
    is_video = source.suffix == ".mp4"
    result = folder / f"{name}{'.mp4' if is_video else '.png'}"
    quick = ["video.preset=veryfast", "video.end=4"] if is_video else []
    run(program, "vr180", source, "-o", result, "vr.eye_px=1024", "-q", *quick, *scene["keys"])
    frame = cv2.imread(str(middle_frame(result, folder) if is_video else result))
    side = frame.shape[1] // 2
    eyes = [frame[:, :side], frame[:, side:]]
    if "crop" in scene:
        margin = int(side * (1 - scene["crop"]) / 2)
        eyes = [eye[margin:-margin, margin:-margin] for eye in eyes]
    eyes = [cv2.resize(eye, (EYE, EYE), interpolation=cv2.INTER_AREA) for eye in eyes]
    sheet = np.hstack([eyes[0], eyes[1], dubois(*eyes)])
    cv2.imwrite(str(GALLERY / f"vr_{name}.jpg"), sheet, [cv2.IMWRITE_JPEG_QUALITY, 82])
    wiggle(GALLERY / f"vr_{name}.webp", *eyes, folder)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--program", type=pathlib.Path, default=ROOT / "build/release/bin/vergence")
    arguments.add_argument("--walk", type=pathlib.Path, help="the rendered 360 clip")
    arguments.add_argument("names", nargs="*")
    options = arguments.parse_args()
    SCENES["room_walk"]["input"] = options.walk
    for name in options.names or SCENES:
        if SCENES[name]["input"] is None:
            sys.exit(f"--walk FILE is needed for {name}")
        with tempfile.TemporaryDirectory() as folder:
            make(name, SCENES[name], options.program, pathlib.Path(folder))
            print(GALLERY / f"vr_{name}.jpg")


if __name__ == "__main__":
    main()
