#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes what the benchmark runs: a network's weights, its ONNX file and its TorchScript trace.

Run by run_networks.py, one network a run, so that its memory is given back. Needs Debian's
python3-torch. The network is checked against its golden pair before anything is written.
"""

import argparse
import json
import pathlib
import struct
import sys
import warnings

import numpy as np
import torch

import pytorch_networks as networks

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
from make_golden import formula_input, formula_tensor  # noqa: E402

TAPS = {"small": [2, 5, 8, 11], "base": [2, 5, 8, 11], "large": [4, 11, 17, 23]}
HEADS = {"small": 6, "base": 12, "large": 16}
LARGE_TAPS = [5, 11, 17, 23]
OPSET = 17


def formula_state(keys):
    """Formula weights for every float tensor listed in a keys.txt."""
    state = {}
    for line in keys.read_text().splitlines():
        name, shape = line.split(" ", 1)
        shape, _, kind = shape.rpartition(")")
        shape = tuple(int(size) for size in shape.strip("(").split(",") if size.strip())
        if "int" not in kind:
            state[name] = formula_tensor(name, shape)
    return state


def read_safetensors(path):
    data = path.read_bytes()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    types = {"F16": np.float16, "F32": np.float32}
    state = {}
    for name, entry in json.loads(data[8:start]).items():
        if name != "__metadata__":
            begin, end = (start + offset for offset in entry["data_offsets"])
            values = np.frombuffer(data[begin:end], dtype=types[entry["dtype"]])
            state[name] = torch.from_numpy(values.astype(np.float32).reshape(entry["shape"]))
    return state


def write_safetensors(state, path):
    header, offset = {}, 0
    for name, value in state.items():
        size = 4 * value.numel()
        header[name] = {"dtype": "F32", "shape": list(value.shape),
                        "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for value in state.values():
            file.write(value.numpy().tobytes())


def golden_pair(folder, given=None):
    """Input and output; the input by its formula unless it is stored."""
    output = torch.from_numpy(np.load(folder / "output_a.npy"))
    if given is None:
        step = 32 if "midas" in folder.name or "dpt" in folder.name else 14
        given = formula_input("input.a", (1, 3, 64, 96) if step == 32 else (1, 3, 70, 98))
    return given, output


def make_depth_anything(encoder):
    def make(options):
        keys = {"small": "depth_anything_v2_metric_vkitti_small"}
        golden = ROOT / "tests/data/golden"
        folder = golden / f"depth_anything_v2_{encoder}"
        state = formula_state(golden / keys.get(encoder, folder.name) / "keys.txt")
        if encoder == "small":  # the same tensors as the metric network's
            folder = options.shared / "golden/depth_anything_v2_vits_synth"
        network = networks.DepthAnything(state, HEADS[encoder], TAPS[encoder])
        return network, state, golden_pair(folder)
    return make


def make_midas(build, name):
    def make(options):
        folder = ROOT / "tests/data/golden" / name
        if name == "midas_v21_small":
            folder = options.shared / "golden/midas_v21_small_synth"
        state = formula_state(folder / "keys.txt")
        return build(state), state, golden_pair(folder)
    return make


def make_nano(_):
    folder = ROOT / "models/nano"
    state = read_safetensors(folder / "nano.safetensors")
    pair = [torch.from_numpy(np.load(folder / f"golden/random_64x96_{what}.npy"))
            for what in ("input", "output")]
    return networks.Nano(state), state, pair


def make_tcmonodepth(options):
    state = read_safetensors(options.shared / "models/tcmonodepth_small.safetensors")
    folder = options.shared / "golden/tcmonodepth_small"
    pair = [torch.from_numpy(np.load(folder / f"random_{what}.npy")) for what in ("input", "output")]
    return networks.TcMonoDepth(state), state, pair


MAKERS = {
    "nano": make_nano,
    "tcmonodepth_small": make_tcmonodepth,
    "midas_v21_small": make_midas(networks.MidasSmall, "midas_v21_small"),
    "midas_v21_large": make_midas(networks.MidasLarge, "midas_v21_large"),
    "dpt_large": make_midas(lambda state: networks.Dpt(state, 16, LARGE_TAPS), "dpt_large"),
    "dpt_hybrid": make_midas(lambda state: networks.DptHybrid(state, 12, [8, 11]), "dpt_hybrid"),
    "midas_v31_beit_large_512": make_midas(
        lambda state: networks.DptBeit(state, 16, LARGE_TAPS), "midas_v31_beit_large_512"),
    "midas_v31_beit_large_384": make_midas(
        lambda state: networks.DptBeit(state, 16, LARGE_TAPS), "midas_v31_beit_large_384"),
    "depth_anything_v2_small": make_depth_anything("small"),
    "depth_anything_v2_base": make_depth_anything("base"),
    "depth_anything_v2_large": make_depth_anything("large"),
}


def check(name, network, pair):
    given, expected = pair
    output = network(given)
    worst = float((output.reshape(expected.shape) - expected).abs().max())
    reach = float(expected.max() - expected.min())
    print(f"{name}: differs from the golden pair by {worst / reach:.1e} of its range", flush=True)
    if not worst <= 1e-4 * reach:
        sys.exit(f"the PyTorch composition of {name} is not the network")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=MAKERS)
    parser.add_argument("--size", type=int, nargs=2, required=True, metavar=("H", "W"))
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--shared", type=pathlib.Path, default=ROOT.parent / "shared")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # of the tracer: one size a trace is what is wanted
    options.out.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        network, state, pair = MAKERS[options.name](options)
        network.eval()
        check(options.name, network, pair)
        height, width = options.size
        stem = options.out / f"{options.name}_{height}x{width}"
        given = formula_input("input.b", (1, 3, height, width))
        given.numpy().tofile(f"{stem}.input.f32")
        torch.jit.trace(network, given, check_trace=False).save(f"{stem}.pt")
        torch.onnx.export(network, given, f"{stem}.onnx", opset_version=OPSET,
                          input_names=["image"], output_names=["depth"])
        write_safetensors(state, options.out / f"{options.name}.safetensors")


if __name__ == "__main__":
    main()
