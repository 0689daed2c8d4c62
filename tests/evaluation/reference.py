# SPDX-License-Identifier: Apache-2.0
"""Depth metrics computed a second time, with numpy alone, from their written definitions.

usage: reference.py CASE_DIR
CASE_DIR/case.json names the options and sizes; the maps lie beside it as raw float32 / uint8. Prints
the metrics as JSON, in the layout of `vergence eval --json`.
"""
import json
import pathlib
import sys

import numpy as np


def weighted_median(values, weights):
    order = np.argsort(values, kind="stable")
    values, cumulative = values[order], np.cumsum(weights[order])
    half = cumulative[-1] / 2
    first = np.searchsorted(cumulative, half, side="left")
    if cumulative[first] == half and first + 1 < len(values):
        return (values[first] + values[first + 1]) / 2
    return values[first]


def fit(align, p, g, w):
    """(scale, shift) by numpy's own solver; p is distance, or inverse distance for scale/disparity."""
    root = np.sqrt(w)
    if align == "none":
        return 1.0, 0.0
    if align == "median":
        return weighted_median(g, w) / weighted_median(p, w), 0.0
    if align == "scale":
        return np.linalg.lstsq((root * p)[:, None], root / g, rcond=None)[0][0], 0.0
    target = 1 / g if align == "disparity" else g
    columns = np.stack([p, np.ones_like(p)], axis=1) * root[:, None]
    return tuple(np.linalg.lstsq(columns, root * target, rcond=None)[0])


def metrics(align, p, g, w, low, high):
    scale, shift = fit(align, p, g, w)
    q = scale * p + shift
    if align in ("scale", "disparity"):
        with np.errstate(divide="ignore"):
            q = np.where(q > 0, 1 / q, np.inf)
    q = np.clip(q, low / 2, high * 2)

    def mean(x):
        return np.sum(x * w) / np.sum(w)

    e = np.log(q) - np.log(g)
    ratio = np.maximum(q / g, g / q)
    return {
        "abs_rel": mean(np.abs(q - g) / g),
        "sq_rel": mean((q - g) ** 2 / g),
        "mae": mean(np.abs(q - g)),
        "rmse": np.sqrt(mean((q - g) ** 2)),
        "rmse_log": np.sqrt(mean(e**2)),
        "log10": mean(np.abs(np.log10(q) - np.log10(g))),
        "silog": 100 * np.sqrt(mean(e**2) - mean(e) ** 2),
        "d1": mean(ratio < 1.25),
        "d2": mean(ratio < 1.25**2),
        "d3": mean(ratio < 1.25**3),
        "num_pixels": int(len(g)),
        "total_weight": np.sum(w),
        "scale": scale,
        "shift": shift,
    }


def seam(distance):
    logs = np.log(distance)
    steps = np.nanmean(np.abs(np.roll(logs, -1, axis=1) - logs), axis=0)
    others = steps[:-1]
    return {
        "seam": steps[-1],
        "mean": others.mean(),
        "percentile_95": np.percentile(others, 95),
        "max": others.max(),
        "rank": int(1 + np.sum(others > steps[-1])),
        "num_steps": int(steps.size),
    }


def main():
    folder = pathlib.Path(sys.argv[1])
    case = json.loads((folder / "case.json").read_text())
    shape = case["height"], case["width"]
    given = np.fromfile(folder / "prediction.f32", "<f4").reshape(shape).astype(np.float64)
    g = np.fromfile(folder / "truth.f32", "<f4").reshape(shape).astype(np.float64)
    mask = np.fromfile(folder / "mask.u8", "u1").reshape(shape) > 0
    align, inverse = case["align"], case["kind"] in ("inverse_distance", "disparity")

    given[~np.isfinite(given)] = np.nan
    with np.errstate(invalid="ignore"):
        if case["kind"] != "disparity":
            given[~(given > 0)] = np.nan
            given[(given <= 1e-9) if inverse else (given >= 1e9)] = np.nan
        usable = mask & np.isfinite(g) & (g > 0) & (g < 1e9)
        if case["cap_m"] > 0:
            usable &= g <= case["cap_m"]
    p = given if inverse == (align in ("scale", "disparity")) else 1 / given

    latitude = np.pi / 2 - (np.arange(shape[0]) + 0.5) / shape[0] * np.pi
    both = usable & ~np.isnan(p)
    low, high = g[usable].min(), g[usable].max()
    result = {"align": align}
    for name, weight in (("plain", np.ones(shape)),
                         ("spherical", np.repeat(np.cos(latitude)[:, None], shape[1], 1))):
        result[name] = metrics(align, p[both], g[both], weight[both], low, high)
        result[name]["coverage"] = weight[both].sum() / weight[usable].sum()
    if case["kind"] == "disparity":
        fitted = result["spherical"]
        q = fitted["scale"] * given + fitted["shift"]
        result["seam"] = seam(np.where(q > 0, 1 / q, np.nan))
    else:
        result["seam"] = seam(given)
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
