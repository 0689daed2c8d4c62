# SPDX-License-Identifier: Apache-2.0
"""The networks as plain PyTorch compositions over tensors with the official names.

They are what a straightforward program computes: untiled softmax attention, NCHW, no fusion. The
benchmarks export them to ONNX and TorchScript; export_networks.py checks each against its golden
pair first.
"""

import math

import torch
import torch.nn.functional as F


class Layers(torch.nn.Module):
    """Weights by their official names, and the usual layers over them."""

    def __init__(self, state):
        super().__init__()
        for name, value in state.items():
            if value.is_floating_point():
                self.register_buffer(self.attribute(name), value)

    @staticmethod
    def attribute(name):
        return name.replace(".", "__")

    def tensor(self, name):
        return getattr(self, self.attribute(name), None)

    def conv(self, x, name, stride=1, padding=0, groups=1):
        return F.conv2d(x, self.tensor(name + ".weight"), self.tensor(name + ".bias"), stride,
                        padding, groups=groups)

    def conv3(self, x, name, stride=1):
        return self.conv(x, name, stride, padding=1)

    def deconv(self, x, name, stride):
        return F.conv_transpose2d(x, self.tensor(name + ".weight"), self.tensor(name + ".bias"),
                                  stride)

    def linear(self, x, name):
        return F.linear(x, self.tensor(name + ".weight"), self.tensor(name + ".bias"))

    def layer_norm(self, x, name, eps=1e-6):
        weight = self.tensor(name + ".weight")
        return F.layer_norm(x, weight.shape, weight, self.tensor(name + ".bias"), eps)

    def batch_norm(self, x, name, eps=1e-5):
        return F.batch_norm(x, self.tensor(name + ".running_mean"),
                            self.tensor(name + ".running_var"), self.tensor(name + ".weight"),
                            self.tensor(name + ".bias"), eps=eps)

    def group_norm(self, x, name):
        return F.group_norm(x, 32, self.tensor(name + ".weight"), self.tensor(name + ".bias"))

    def mlp(self, x, name):
        if self.tensor(name + ".w12.weight") is not None:  # SwiGLU
            gate, value = self.linear(x, name + ".w12").chunk(2, dim=-1)
            return self.linear(F.silu(gate) * value, name + ".w3")
        return self.linear(F.gelu(self.linear(x, name + ".fc1")), name + ".fc2")


def sizes(x):
    """Of a tensor, as numbers: traces are made for one size."""
    return [int(size) for size in x.shape]


def attend(qkv, heads, bias=None):
    """(1, tokens, 3 * channels) -> (1, tokens, channels)."""
    batch, tokens, channels = sizes(qkv)
    width = channels // 3 // heads
    q, k, v = qkv.reshape(batch, tokens, 3, heads, width).permute(2, 0, 3, 1, 4).unbind(0)
    scores = (q * width**-0.5) @ k.transpose(-2, -1)
    if bias is not None:
        scores = scores + bias
    return (scores.softmax(dim=-1) @ v).transpose(1, 2).reshape(batch, tokens, channels // 3)


def enlarge(x, size, align_corners=True):
    return F.interpolate(x, size=size, mode="bilinear", align_corners=align_corners)


def double(x, align_corners=True):
    height, width = sizes(x)[2:]
    return enlarge(x, (2 * height, 2 * width), align_corners)


# --- the decoder that all of them share ----------------------------------------------------------


class Decoder(Layers):
    """Four levels of features -> fused features, as MiDaS and its descendants do it."""

    in_place = False  # the units of MiDaS v2.1 large overwrite their input by its ReLU

    def unit(self, x, name):
        relu = F.relu(x)
        y = self.conv3(F.relu(self.conv3(relu, name + ".conv1")), name + ".conv2")
        return y + (relu if self.in_place else x)

    def fuse(self, name, x, skip, size):
        if skip is not None:
            x = x + self.unit(skip, name + ".resConfUnit1")
        x = enlarge(self.unit(x, name + ".resConfUnit2"), size)
        return x if self.in_place else self.conv(x, name + ".out_conv")

    def decode(self, prefix, levels):
        """Twice the size of the first level."""
        levels = [self.conv3(level, f"{prefix}layer{i + 1}_rn") for i, level in enumerate(levels)]
        x = None
        for i in (3, 2, 1, 0):
            height, width = sizes(levels[i - 1])[2:] if i else [2 * s for s in sizes(levels[0])[2:]]
            name = f"{prefix}refinenet{i + 1}"
            skip = None if x is None else levels[i]
            x = self.fuse(name, levels[i] if x is None else x, skip, (height, width))
        return x

    def midas_head(self, x, align_corners):
        name = "scratch.output_conv."
        x = double(self.conv3(x, name + "0"), align_corners)
        return F.relu(self.conv(F.relu(self.conv3(x, name + "2")), name + "4")).squeeze(1)


# --- Depth-Anything ------------------------------------------------------------------------------


class DepthAnything(Decoder):
    def __init__(self, state, heads, taps):
        super().__init__(state)
        self.heads, self.taps = heads, taps

    def positions(self, rows, columns):
        table = self.tensor("pretrained.pos_embed")
        side = math.isqrt(table.shape[1] - 1)
        if (rows, columns) == (side, side):
            return table
        grid = table[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
        grid = F.interpolate(grid, mode="bicubic",
                             scale_factor=((rows + 0.1) / side, (columns + 0.1) / side))
        return torch.cat((table[:, :1], grid.flatten(2).transpose(1, 2)), dim=1)

    def encode(self, x, rows, columns):
        x = self.conv(x, "pretrained.patch_embed.proj", stride=14).flatten(2).transpose(1, 2)
        x = torch.cat((self.tensor("pretrained.cls_token"), x), dim=1)
        x = x + self.positions(rows, columns)
        features = []
        for index in range(max(self.taps) + 1):
            name = f"pretrained.blocks.{index}."
            y = self.linear(self.layer_norm(x, name + "norm1"), name + "attn.qkv")
            y = self.linear(attend(y, self.heads), name + "attn.proj")
            x = x + y * self.tensor(name + "ls1.gamma")
            y = self.mlp(self.layer_norm(x, name + "norm2"), name + "mlp")
            x = x + y * self.tensor(name + "ls2.gamma")
            if index in self.taps:
                features.append(self.layer_norm(x, "pretrained.norm")[:, 1:])
        return features

    def forward(self, x):
        rows, columns = (size // 14 for size in sizes(x)[2:])
        levels = []
        for i, feature in enumerate(self.encode(x, rows, columns)):
            feature = feature.transpose(1, 2).reshape(1, -1, rows, columns)
            feature = self.conv(feature, f"depth_head.projects.{i}")
            name = f"depth_head.resize_layers.{i}"
            levels.append(self.resized(feature, name, i))
        name = "depth_head.scratch."
        x = self.conv3(self.decode(name, levels), name + "output_conv1")
        x = enlarge(x, (14 * rows, 14 * columns))
        x = F.relu(self.conv3(x, name + "output_conv2.0"))
        return F.relu(self.conv(x, name + "output_conv2.2")).squeeze(1)

    def resized(self, x, name, level):
        if level < 2:
            return self.deconv(x, name, 4 >> level)
        return x if level == 2 else self.conv3(x, name, stride=2)


# --- MiDaS ---------------------------------------------------------------------------------------


class MidasSmall(Decoder):
    """EfficientNet-Lite3, padded as TensorFlow's "same"."""

    # Per level of the encoder: index of the stage in it, stride, blocks.
    stages = ([(3, 1, 1), (4, 2, 3)], [(0, 2, 3)], [(0, 2, 5), (1, 1, 5)], [(0, 2, 6), (1, 1, 1)])

    def same(self, x, name, stride, groups):
        kernel = sizes(self.tensor(name + ".weight"))[-1]
        if stride == 2:
            x, padding = F.pad(x, [kernel // 2 - 1, kernel // 2] * 2), 0
        else:
            padding = kernel // 2
        return self.conv(x, name, stride, padding, groups)

    def norm(self, x, name):
        return self.batch_norm(x, name, eps=1e-3)

    def block(self, x, name, stride):
        y, norms = x, iter("123")
        if self.tensor(name + "conv_pwl.weight") is not None:
            y = F.relu6(self.norm(self.conv(y, name + "conv_pw"), name + "bn" + next(norms)))
        y = self.same(y, name + "conv_dw", stride, groups=sizes(y)[1])
        y = F.relu6(self.norm(y, name + "bn" + next(norms)))
        last = "conv_pwl" if self.tensor(name + "conv_pwl.weight") is not None else "conv_pw"
        y = self.norm(self.conv(y, name + last), name + "bn" + next(norms))
        return x + y if sizes(x) == sizes(y) else y

    def forward(self, x):
        name = "pretrained.layer1."
        x = F.relu6(self.norm(self.same(x, name + "0", 2, groups=1), name + "1"))
        levels = []
        for level, stages in enumerate(self.stages):
            for stage, stride, blocks in stages:
                for block in range(blocks):
                    name = f"pretrained.layer{level + 1}.{stage}.{block}."
                    x = self.block(x, name, stride if block == 0 else 1)
            levels.append(x)
        return self.midas_head(self.decode("scratch.", levels), align_corners=False)


class MidasLarge(Decoder):
    """ResNeXt-101 32x8d."""

    in_place = True
    blocks = (3, 4, 23, 3)

    def bottleneck(self, x, name, stride):
        y = F.relu(self.batch_norm(self.conv(x, name + "conv1"), name + "bn1"))
        y = self.conv(y, name + "conv2", stride, padding=1, groups=32)
        y = F.relu(self.batch_norm(y, name + "bn2"))
        y = self.batch_norm(self.conv(y, name + "conv3"), name + "bn3")
        if self.tensor(name + "downsample.0.weight") is not None:
            x = self.conv(x, name + "downsample.0", stride)
            x = self.batch_norm(x, name + "downsample.1")
        return F.relu(x + y)

    def forward(self, x):
        x = self.conv(x, "pretrained.layer1.0", stride=2, padding=3)
        x = F.max_pool2d(F.relu(self.batch_norm(x, "pretrained.layer1.1")), 3, 2, 1)
        levels = []
        for level, blocks in enumerate(self.blocks):
            for block in range(blocks):
                name = f"pretrained.layer{level + 1}.{'4.' if level == 0 else ''}{block}."
                x = self.bottleneck(x, name, 2 if level and block == 0 else 1)
            levels.append(x)
        return self.midas_head(self.decode("scratch.", levels), align_corners=False)


class Dpt(Decoder):
    """ViT with one patch embedding; 16 pixels a patch."""

    def __init__(self, state, heads, taps):
        super().__init__(state)
        self.heads, self.taps = heads, taps

    def embed(self, x):
        return self.conv(x, "pretrained.model.patch_embed.proj", stride=16)

    def positions(self, rows, columns):
        table = self.tensor("pretrained.model.pos_embed")
        side = math.isqrt(table.shape[1] - 1)
        grid = table[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
        grid = enlarge(grid, (rows, columns), align_corners=False).flatten(2).transpose(1, 2)
        return torch.cat((table[:, :1], grid), dim=1)

    def start(self, x, rows, columns):
        x = torch.cat((self.tensor("pretrained.model.cls_token"), x.flatten(2).transpose(1, 2)), 1)
        return x + self.positions(rows, columns)

    def block(self, x, name, rows, columns):
        y = self.linear(self.layer_norm(x, name + "norm1"), name + "attn.qkv")
        x = x + self.linear(attend(y, self.heads), name + "attn.proj")
        return x + self.mlp(self.layer_norm(x, name + "norm2"), name + "mlp")

    def reassembled(self, x, level, rows, columns):
        name = f"pretrained.act_postprocess{level + 1}."
        readout = x[:, :1].expand(-1, rows * columns, -1)
        x = F.gelu(self.linear(torch.cat((x[:, 1:], readout), dim=-1), name + "0.project.0"))
        x = self.conv(x.transpose(1, 2).reshape(1, -1, rows, columns), name + "3")
        if level < 2:
            return self.deconv(x, name + "4", 4 >> level)
        return x if level == 2 else self.conv3(x, name + "4", stride=2)

    def forward(self, x):
        rows, columns = (size // 16 for size in sizes(x)[2:])
        levels = []
        x = self.start(self.embed_with_levels(x, levels), rows, columns)
        for index in range(max(self.taps) + 1):
            x = self.block(x, f"pretrained.model.blocks.{index}.", rows, columns)
            if index in self.taps:
                levels.append(self.reassembled(x, len(levels), rows, columns))
        return self.midas_head(self.decode("scratch.", levels), align_corners=True)

    def embed_with_levels(self, x, levels):
        """The patches; a network whose first levels come from its embedding adds them."""
        return self.embed(x)


class DptHybrid(Dpt):
    """ResNet of standardised weights below the ViT; its first two stages are the first levels."""

    backbone = "pretrained.model.patch_embed.backbone."

    def standard_conv(self, x, name, stride=1):
        weight = self.tensor(name + ".weight")
        flat = weight.flatten(1)
        flat = (flat - flat.mean(1, keepdim=True)) / torch.sqrt(
            flat.var(1, unbiased=False, keepdim=True) + 1e-8)
        kernel = sizes(weight)[-1]
        return F.conv2d(self.same_pad(x, sizes(weight)[-1], stride), flat.reshape(weight.shape), None, stride)

    @staticmethod
    def same_pad(x, kernel, stride, value=0.0):
        pads = []
        for size in reversed(sizes(x)[2:]):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        return F.pad(x, pads, value=value)

    def bottleneck(self, x, name, stride):
        y = F.relu(self.group_norm(self.standard_conv(x, name + "conv1"), name + "norm1"))
        y = F.relu(self.group_norm(self.standard_conv(y, name + "conv2", stride), name + "norm2"))
        y = self.group_norm(self.standard_conv(y, name + "conv3"), name + "norm3")
        if self.tensor(name + "downsample.conv.weight") is not None:
            x = self.standard_conv(x, name + "downsample.conv", stride)
            x = self.group_norm(x, name + "downsample.norm")
        return F.relu(x + y)

    def embed_with_levels(self, x, levels):
        x = self.standard_conv(x, self.backbone + "stem.conv", stride=2)
        x = F.relu(self.group_norm(x, self.backbone + "stem.norm"))
        x = F.max_pool2d(self.same_pad(x, 3, 2, value=-math.inf), 3, 2)
        for stage, blocks in enumerate((3, 4, 9)):
            for block in range(blocks):
                name = f"{self.backbone}stages.{stage}.blocks.{block}."
                x = self.bottleneck(x, name, 2 if stage and block == 0 else 1)
            if stage < 2:
                levels.append(x)
        return self.conv(x, "pretrained.model.patch_embed.proj")


class DptBeit(Dpt):
    """BEiT: scaled residuals and a table of relative positions in each block, no absolute ones."""

    def positions(self, rows, columns):
        return 0.0

    @staticmethod
    def relative_index(rows, columns):
        """Row of the position table for every pair of tokens, class token first."""
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        y, x = y.flatten(), x.flatten()
        grid = (y[:, None] - y + rows - 1) * (2 * columns - 1) + x[:, None] - x + columns - 1
        special = (2 * rows - 1) * (2 * columns - 1)
        index = torch.full((rows * columns + 1,) * 2, special + 2)
        index[1:, 1:], index[0, 1:], index[1:, 0] = grid, special, special + 1
        return index

    def relative_bias(self, name, rows, columns):
        table = self.tensor(name + "attn.relative_position_bias_table")
        side = math.isqrt(table.shape[0] - 3)
        grid = table[:-3].reshape(1, side, side, -1).permute(0, 3, 1, 2)
        grid = enlarge(grid, (2 * rows - 1, 2 * columns - 1), align_corners=False)
        table = torch.cat((grid.flatten(2)[0].transpose(0, 1), table[-3:]))
        return table[self.relative_index(rows, columns)].permute(2, 0, 1)

    def block(self, x, name, rows, columns):
        q_bias, v_bias = self.tensor(name + "attn.q_bias"), self.tensor(name + "attn.v_bias")
        bias = torch.cat((q_bias, torch.zeros_like(q_bias), v_bias))
        y = F.linear(self.layer_norm(x, name + "norm1"), self.tensor(name + "attn.qkv.weight"), bias)
        y = attend(y, self.heads, self.relative_bias(name, rows, columns))
        x = x + self.tensor(name + "gamma_1") * self.linear(y, name + "attn.proj")
        y = self.mlp(self.layer_norm(x, name + "norm2"), name + "mlp")
        return x + self.tensor(name + "gamma_2") * y


# --- nano ----------------------------------------------------------------------------------------


class Nano(Layers):
    """models/nano/ARCHITECTURE.md, batch norms folded."""

    def residual(self, x, name):
        y = self.conv3(F.relu(self.conv3(x, name + ".a")), name + ".b")
        return F.relu(x + y)

    def transformer(self, x, name):
        y = self.linear(self.layer_norm(x, name + ".n1", eps=1e-5), name + ".qkv")
        x = x + self.linear(attend(y, heads=6), name + ".proj")
        y = F.relu(self.linear(self.layer_norm(x, name + ".n2", eps=1e-5), name + ".fc1"))
        return x + self.linear(y, name + ".fc2")

    def forward(self, x):
        levels = [F.relu(self.conv3(x, "stem", stride=2))]
        for level, blocks in ((1, 1), (2, 2), (3, 2), (4, 1)):
            x = F.relu(self.conv3(levels[-1], f"down{level}", stride=2))
            for block in range(blocks):
                x = self.residual(x, f"b{level}.{block}")
            levels.append(x)
        shape = x.shape
        x = x.flatten(2).transpose(1, 2)
        for block in range(2):
            x = self.transformer(x, f"att.{block}")
        x = self.conv(x.transpose(1, 2).reshape(shape), "p4")
        for level in (3, 2, 1, 0):
            x = F.relu(double(x, align_corners=False) + self.conv(levels[level], f"l{level}"))
            x = F.relu(self.conv3(x, f"f{level}"))
            if level:
                x = self.conv(x, f"q{level}")
        return double(self.conv3(x, "head"), align_corners=False).squeeze(1)


# --- TCMonoDepth-small ---------------------------------------------------------------------------


class TcMonoDepth(Layers):
    """ShuffleNetV2 encoder without its max-pool, three fusion blocks; takes 0..255."""

    blocks = (4, 8, 4)

    def unit(self, x, conv, norm, stride=1):
        one_channel = sizes(self.tensor(conv + ".weight"))[1] == 1
        kernel = sizes(self.tensor(conv + ".weight"))[-1]
        x = self.conv(x, conv, stride, kernel // 2, sizes(x)[1] if one_channel else 1)
        return self.batch_norm(x, norm)

    def branch(self, x, name, stride):
        x = F.relu(self.unit(x, name + "0", name + "1"))
        x = self.unit(x, name + "3", name + "4", stride)
        return F.relu(self.unit(x, name + "5", name + "6"))

    def block(self, x, index, first):
        name = f"encoder.features.{index}.branch_"
        if first:
            other = self.unit(x, name + "proj.0", name + "proj.1", stride=2)
            other = F.relu(self.unit(other, name + "proj.2", name + "proj.3"))
            return torch.cat((other, self.branch(x, name + "main.", 2)), dim=1)
        return torch.cat((x[:, 0::2], self.branch(x[:, 1::2], name + "main.", 1)), dim=1)

    def fuse(self, fine, coarse, name):
        fine = F.relu(self.unit(fine, name + "skip_conv.0", name + "skip_conv.1"))
        x = torch.cat((enlarge(coarse, sizes(fine)[2:], align_corners=False), fine), dim=1)
        x = F.relu(self.unit(x, name + "last_conv.0.conv.0", name + "last_conv.0.conv.1"))
        return F.relu(self.unit(x, name + "last_conv.0.conv.3", name + "last_conv.1"))

    def forward(self, x):
        x = F.relu(self.unit(x / 255, "encoder.first_conv.0", "encoder.first_conv.1", stride=2))
        levels, index = [x], 0
        for blocks in self.blocks:
            for block in range(blocks):
                x = self.block(x, index, first=block == 0)
                index += 1
            levels.append(x)
        for level in (3, 2, 1):
            x = self.fuse(levels[level - 1], x, f"decoder.decoder{level}.")
        return double(F.relu(self.conv3(x, "decoder.final")), align_corners=False).squeeze(1)
