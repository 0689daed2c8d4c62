#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the golden input/output pairs of tests/data/golden from the official public modules.

Nothing trained is needed: every float tensor of a network is set by a formula of its name. The
checkouts of the official code are arguments; tests/data/golden/README.md tells which revisions.
"""

import argparse
import hashlib
import importlib.util
import json
import math
import pathlib
import sys
import types

import cv2
import numpy as np
import torch
import torch.nn.functional as F

FEATURE_STRIDE = 8  # channels of a feature
PHOTO_STRIDE = 4  # pixels of the photo's tensors
NATIVE_STRIDE = 8  # pixels of the output at the native size
HEAD_BIASES = ("depth_head.scratch.output_conv2.2.bias", "scratch.output_conv.4.bias")
SIZES = [(288, 384), (384, 288), (640, 480), (1920, 1080), (1080, 1920), (250, 200), (333, 517),
         (100, 37), (2048, 512), (31, 31), (4000, 3000), (518, 518), (511, 513), (400, 383)]


def fnv1a(name):
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def uniform(name, begin, end):
    """The values begin..end of the stream of a name, in [-1, 1), double."""
    with np.errstate(over="ignore"):
        z = np.arange(begin + 1, end + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z += np.uint64(fnv1a(name))
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return 2.0 * ((z >> np.uint64(40)).astype(np.float64) / 2.0**24) - 1.0


def fill(name, values, scale, offset):
    """Writes offset + scale * u into a flat float32 array, piece by piece to save memory."""
    piece = 1 << 20
    for begin in range(0, values.size, piece):
        end = min(begin + piece, values.size)
        values[begin:end] = (scale * uniform(name, begin, end) + offset).astype(np.float32)


def formula_tensor(name, shape):
    count = math.prod(shape)
    if len(shape) >= 2:
        scale, offset = math.sqrt(3.0 / (count / shape[0])), 0.0
    else:
        scale, offset = 0.1, 1.0 if name.endswith(("weight", "gamma", "running_var")) else 0.0
    if name in HEAD_BIASES:
        offset += 3.0
    values = np.empty(count, dtype=np.float32)
    fill(name, values, scale, offset)
    return torch.from_numpy(values.reshape(shape))


def formula_input(name, shape):
    values = np.empty(math.prod(shape), dtype=np.float32)
    fill(name, values, 2.0, 0.0)
    return torch.from_numpy(values.reshape(shape))


def check_formula():
    qkv = formula_tensor("pretrained.blocks.0.attn.qkv.weight", (1152, 384)).numpy().ravel()
    bias = formula_tensor("depth_head.scratch.output_conv2.2.bias", (1,)).numpy()
    stated = np.array([0.0680727363, -0.0811687484, 3.07424545], dtype=np.float32)
    if not np.array_equal(np.array([qkv[0], qkv[-1], bias[0]]), stated):
        sys.exit("the formula does not give its check values")


def set_formula_weights(network):
    """Fills the network in place; returns the SHA-256 of all float tensors, sorted by name."""
    digest = hashlib.sha256()
    state = network.state_dict()
    for name in sorted(state, key=str.encode):
        target = state[name]
        if target.is_floating_point():
            values = formula_tensor(name, tuple(target.shape))
            target.copy_(values)
            digest.update(values.numpy().tobytes())
        else:
            target.zero_()
    return digest.hexdigest()


def load_module(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- Depth-Anything ------------------------------------------------------------------------------

DEPTH_ANYTHING = {
    "small": ("vits", 64, [48, 96, 192, 384]),
    "base": ("vitb", 128, [96, 192, 384, 768]),
    "large": ("vitl", 256, [256, 512, 1024, 1024]),
    "giant": ("vitg", 384, [1536, 1536, 1536, 1536]),
}


class DepthAnything:
    """One of the Depth-Anything networks with the official transform."""

    small_size, native_size, photo_size, multiple = (70, 98), 518, 252, 14

    def __init__(self, checkouts, generation, encoder, max_depth=None):
        name, features, channels = DEPTH_ANYTHING[encoder]
        options = dict(encoder=name, features=features, out_channels=channels)
        if generation == 1:
            self.network = self.build_v1(checkouts.depth_anything_v1, options)
            import depth_anything.util.transform as transform
        else:
            folder = checkouts.depth_anything_v2 / ("metric_depth" if max_depth else ".")
            sys.path.insert(0, str(folder))
            from depth_anything_v2.dpt import DepthAnythingV2
            import depth_anything_v2.util.transform as transform
            if max_depth:
                options["max_depth"] = max_depth
            self.network = DepthAnythingV2(**options)
        self.align_corners = generation == 2
        self.transform = transform
        self.mean, self.std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
        self.method, self.head = "lower_bound", self.network.depth_head.scratch.output_conv2[2]

    @staticmethod
    def build_v1(checkout, options):
        # The hub class only adds downloads to the network; its package is not needed here.
        hub = types.ModuleType("huggingface_hub")
        hub.PyTorchModelHubMixin, hub.hf_hub_download = object, None
        sys.modules["huggingface_hub"] = hub
        sys.path.insert(0, str(checkout))
        from depth_anything.dpt import DPT_DINOv2
        load = torch.hub.load
        torch.hub.load = lambda folder, *args, **kw: load(str(checkout / folder), *args, **kw)
        return DPT_DINOv2(localhub=True, **options)

    def observe(self, features):
        head = self.network.depth_head
        head.register_forward_pre_hook(lambda _, given: features.extend(f[0] for f in given[0]))

    @staticmethod
    def thin(feature):
        return feature[..., ::FEATURE_STRIDE]  # (1, tokens, channels)

    def to_image(self, depth, size):
        return F.interpolate(depth[:, None], size, mode="bilinear",
                             align_corners=self.align_corners)[0, 0]


# --- MiDaS ---------------------------------------------------------------------------------------


class Midas:
    """One of the MiDaS networks with the transform of its hub entry and run.py."""

    small_size, multiple = (64, 96), 32

    def __init__(self, checkouts, backbone, size):
        sys.path.insert(0, str(checkouts.timm))
        sys.path.insert(0, str(checkouts.midas))
        import midas.transforms as transform
        if backbone == "resnext101_wsl":
            torch.hub.load = lambda *_: self.build_resnext(checkouts.wsl_images)
            from midas.midas_net import MidasNet
            self.network = MidasNet(None, non_negative=True)
            self.mean, self.std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
            self.method = "upper_bound"
        else:
            from midas.dpt_depth import DPTDepthModel
            self.network = DPTDepthModel(path=None, backbone=backbone, non_negative=True)
            self.mean, self.std = [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]
            self.method = "minimal"
        self.native_size = self.photo_size = size
        self.transform, self.head = transform, self.network.scratch.output_conv[4]

    @staticmethod
    def build_resnext(checkout):
        """The official builder with its download left out."""
        hub = load_module("wsl_hubconf", checkout / "hubconf.py")

        class Untrained(hub.ResNet):
            def load_state_dict(self, state):
                pass

        hub.ResNet, hub.load_state_dict_from_url = Untrained, lambda *_, **__: {}
        return hub.resnext101_32x8d_wsl(progress=False)

    def observe(self, features):
        # What enters the four reassembled levels: the encoder's outputs after readout and resizing.
        for level in range(1, 5):
            layer = getattr(self.network.scratch, f"layer{level}_rn")
            layer.register_forward_pre_hook(lambda _, given: features.append(given[0]))

    @staticmethod
    def thin(feature):
        return feature[:, ::FEATURE_STRIDE]  # (1, channels, height, width)

    @staticmethod
    def to_image(depth, size):
        return F.interpolate(depth[:, None], size, mode="bicubic", align_corners=False)[0, 0]


# --- pairs ---------------------------------------------------------------------------------------


def official_resize(model, size):
    return model.transform.Resize(
        size, size, resize_target=False, keep_aspect_ratio=True,
        ensure_multiple_of=model.multiple, resize_method=model.method,
        image_interpolation_method=cv2.INTER_CUBIC)


def preprocess(model, photo):
    sample = {"image": cv2.cvtColor(photo, cv2.COLOR_BGR2RGB) / 255.0}
    sample = official_resize(model, model.photo_size)(sample)
    sample = model.transform.NormalizeImage(mean=model.mean, std=model.std)(sample)
    return torch.from_numpy(model.transform.PrepareForNet()(sample)["image"])[None]


class Writer:
    """Stores arrays in the network's folder and notes shape and range of what was thinned."""

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.notes = folder, {}

    def store(self, name, tensor, thinned):
        array = np.ascontiguousarray(thinned.numpy(), dtype="<f4")
        np.save(self.folder / f"{name}.npy", array)
        self.notes[name] = {"shape": list(tensor.shape), "min": float(tensor.min()),
                            "max": float(tensor.max()), "std": float(tensor.std())}

    def finish(self, more):
        text = json.dumps({**more, "tensors": self.notes}, indent=1)
        (self.folder / "pairs.json").write_text(text + "\n")


def write_keys(network, path):
    lines = [f"{name} {tuple(value.shape)} {value.dtype}"
             for name, value in network.state_dict().items()]
    path.write_text("\n".join(lines) + "\n")


def small_pair(model, writer):
    features, preact = [], []
    model.observe(features)
    hook = model.head.register_forward_hook(lambda *given: preact.append(given[2].clone()))
    output = model.network(formula_input("input.a", (1, 3, *model.small_size)))
    hook.remove()
    for index, feature in enumerate(features[:4]):
        writer.store(f"feat{index}_a", feature, model.thin(feature))
    writer.store("preact_a", preact[0], preact[0])
    writer.store("output_a", output, output)


def native_pair(model, writer):
    side = model.native_size
    output = model.network(formula_input("input.b", (1, 3, side, side)))
    writer.store("output_b", output, output[..., ::NATIVE_STRIDE, ::NATIVE_STRIDE])


def photo_pair(model, writer, photo):
    given = preprocess(model, photo)
    output = model.network(given)
    resized = model.to_image(output, photo.shape[:2])
    for name, tensor in (("photo_input", given), ("photo_output", output),
                         ("photo_output_resized", resized)):
        writer.store(name, tensor, tensor[..., ::PHOTO_STRIDE, ::PHOTO_STRIDE])


def network_sizes(model):
    """Image size -> network input size, both (width, height), by the official rule."""
    rule = official_resize(model, model.native_size)
    return [[list(size), [int(side) for side in rule.get_size(*size)]] for size in SIZES]


def make(name, build, checkouts, photo, folder):
    model = build(checkouts)
    model.network.eval()
    digest = set_formula_weights(model.network)
    writer = Writer(folder / name)
    write_keys(model.network, writer.folder / "keys.txt")
    small_pair(model, writer)
    native_pair(model, writer)
    photo_pair(model, writer, photo)
    floats = [value for value in model.network.state_dict().values() if value.is_floating_point()]
    writer.finish({"sha256": digest, "entries": len(model.network.state_dict()),
                   "float_values": sum(value.numel() for value in floats),
                   "native_size": model.native_size, "photo_size": model.photo_size,
                   "network_sizes": network_sizes(model)})
    print(name, digest, {key: (round(note["min"], 4), round(note["max"], 4))
                         for key, note in writer.notes.items() if "output" in key}, flush=True)


NETWORKS = {
    "midas_v21_large": lambda at: Midas(at, "resnext101_wsl", 384),
    "depth_anything_v2_base": lambda at: DepthAnything(at, 2, "base"),
    "depth_anything_v2_large": lambda at: DepthAnything(at, 2, "large"),
    "dpt_large": lambda at: Midas(at, "vitl16_384", 384),
    "dpt_hybrid": lambda at: Midas(at, "vitb_rn50_384", 384),
    "midas_v31_beit_large_512": lambda at: Midas(at, "beitl16_512", 512),
    "midas_v31_beit_large_384": lambda at: Midas(at, "beitl16_384", 384),
    "depth_anything_v1_base": lambda at: DepthAnything(at, 1, "base"),
    "depth_anything_v1_large": lambda at: DepthAnything(at, 1, "large"),
    "depth_anything_v2_metric_vkitti_small": lambda at: DepthAnything(at, 2, "small", 80.0),
    "depth_anything_v2_giant": lambda at: DepthAnything(at, 2, "giant"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=NETWORKS, help="one network a run: they share module names")
    for checkout in ("midas", "timm", "wsl-images", "depth-anything-v1", "depth-anything-v2"):
        parser.add_argument(f"--{checkout}", type=pathlib.Path, help="official checkout")
    parser.add_argument("--photo", required=True, help="photo_288x384.png of the TCMonoDepth pair")
    parser.add_argument("--out", type=pathlib.Path, default="tests/data/golden")
    options = parser.parse_args()
    check_formula()
    photo = cv2.imread(options.photo)
    if photo is None:
        sys.exit(f"cannot read {options.photo}")
    with torch.no_grad():
        make(options.name, NETWORKS[options.name], options, photo, options.out)


if __name__ == "__main__":
    main()
