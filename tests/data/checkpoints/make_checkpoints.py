# SPDX-License-Identifier: Apache-2.0
"""Writes the small checkpoints of this folder with Python's own torch.save, their pickles by
themselves, and their tensors once more, plainly, as safetensors/reference.safetensors.

usage: make_checkpoints.py FOLDER        (needs python3-torch; made with PyTorch 1.13)
"""
import collections
import json
import os
import sys
import zipfile

import torch

TYPES = {torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16",
         torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
         torch.uint8: "U8", torch.bool: "BOOL"}


def tensors():
    torch.manual_seed(20260101)
    table = torch.randn(4, 6)
    return collections.OrderedDict([
        ("plain", torch.randn(3, 4)),
        ("transposed", torch.randn(3, 4).t()),
        ("channels_last", torch.randn(2, 3, 2, 2).to(memory_format=torch.channels_last)),
        ("table", table),
        ("column", table[:, 2]),
        ("part", table[1:3, ::2]),
        ("repeated", torch.randn(1, 3).expand(2, 3)),
        ("scalar", torch.tensor(2.5)),
        ("empty", torch.empty(0, 3)),
        ("half", torch.randn(5).half()),
        ("bfloat16", torch.randn(2, 2).bfloat16()),
        ("double", torch.randn(3).double()),
        ("steps", torch.tensor(7)),
        ("int32", torch.arange(-2, 3).int()),
        ("int16", torch.arange(-2, 3).short()),
        ("int8", torch.arange(-2, 3).to(torch.int8)),
        ("uint8", torch.arange(5).to(torch.uint8)),
        ("flags", torch.tensor([True, False, True])),
    ])


def write_reference(path, state):
    header, data = {}, b""
    for name, tensor in state.items():
        plain = tensor.detach().contiguous()
        if plain.dtype == torch.bfloat16:
            plain = plain.view(torch.int16)
        content = plain.numpy().tobytes()
        header[name] = {"dtype": TYPES[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + data)


def training(state):
    weight = torch.nn.Parameter(torch.randn(2, 2))
    optimizer = torch.optim.AdamW([weight], lr=1e-3)
    weight.grad = torch.ones(2, 2)
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5])
    wrapped = collections.OrderedDict(("module." + name, value) for name, value in state.items())
    return {"epoch": 12, "model": wrapped, "optimizer": optimizer.state_dict(),
            "scheduler": scheduler.state_dict(), "previous_best": {"d1": 0.96, "rmse": 0.2},
            "loss": torch.tensor(0.1), "args": {"lr": 1e-3, "seed": 3407000000, "resume": None},
            "random": 2 ** 80, "shape": torch.Size([2, 3]), "type": torch.float32}


def main(folder):
    state = tensors()
    for kind in ("legacy", "pickle", "safetensors", "zip"):
        os.makedirs(os.path.join(folder, kind), exist_ok=True)
    write_reference(os.path.join(folder, "safetensors", "reference.safetensors"), state)
    parameters = {name: torch.nn.Parameter(value) if value.is_floating_point() else value
                  for name, value in state.items()}
    for kind, options in {"zip": {}, "legacy": {"_use_new_zipfile_serialization": False}}.items():
        def save(name, value, protocol=2):
            path = os.path.join(folder, kind, f"{name}.pth")
            torch.save(value, path, pickle_protocol=protocol, **options)
            if kind == "zip":
                with open(os.path.join(folder, "pickle", f"{name}.pkl"), "wb") as file:
                    file.write(zipfile.ZipFile(path).read(f"{name}/data.pkl"))
        save("ordered", state)
        save("training", training(state))
        save("parameters", {"state_dict": parameters})
        save("protocol5", {"model_state_dict": dict(state)}, 5)


main(sys.argv[1])
