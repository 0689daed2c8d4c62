// SPDX-License-Identifier: Apache-2.0
// The embedded network; layer names, shapes and order are those of models/nano/ARCHITECTURE.md.
#include "predictors/torch_network.hpp"

#include <array>
#include <cmath>
#include <map>

#include <ATen/ATen.h>

namespace vergence::predictors {
namespace {

using at::Tensor;

struct ConvRow {
  const char* name;
  std::int64_t in, out, kernel;
};

constexpr std::array<ConvRow, 30> kConvs = {{
    {"stem", 3, 16, 3},      {"down1", 16, 40, 3},    {"b1.0.a", 40, 40, 3},
    {"b1.0.b", 40, 40, 3},   {"down2", 40, 72, 3},    {"b2.0.a", 72, 72, 3},
    {"b2.0.b", 72, 72, 3},   {"b2.1.a", 72, 72, 3},   {"b2.1.b", 72, 72, 3},
    {"down3", 72, 128, 3},   {"b3.0.a", 128, 128, 3}, {"b3.0.b", 128, 128, 3},
    {"b3.1.a", 128, 128, 3}, {"b3.1.b", 128, 128, 3}, {"down4", 128, 192, 3},
    {"b4.0.a", 192, 192, 3}, {"b4.0.b", 192, 192, 3}, {"p4", 192, 96, 1},
    {"l3", 128, 96, 1},      {"f3", 96, 96, 3},       {"q3", 96, 64, 1},
    {"l2", 72, 64, 1},       {"f2", 64, 64, 3},       {"q2", 64, 40, 1},
    {"l1", 40, 40, 1},       {"f1", 40, 40, 3},       {"q1", 40, 24, 1},
    {"l0", 16, 24, 1},       {"f0", 24, 24, 3},       {"head", 24, 1, 3},
}};

constexpr std::int64_t kChannels = 192;  // of a token
constexpr std::int64_t kHeads = 6;
constexpr std::int64_t kHeadSize = kChannels / kHeads;
constexpr std::int64_t kHidden = 384;

struct Layer {
  Tensor weight, bias;
};

class NanoNetwork : public TorchNetwork {
 public:
  explicit NanoNetwork(Parameters& parameters) {
    const auto add = [&](const std::string& name, std::initializer_list<std::int64_t> shape) {
      layers_[name] = {.weight = parameters.take(name + ".weight", shape),
                       .bias = parameters.take(name + ".bias", {*shape.begin()})};
    };
    for (const auto& [name, in, out, kernel] : kConvs) add(name, {out, in, kernel, kernel});
    for (const std::string block : {"att.0", "att.1"}) {
      add(block + ".n1", {kChannels});
      add(block + ".qkv", {3 * kChannels, kChannels});
      add(block + ".proj", {kChannels, kChannels});
      add(block + ".n2", {kChannels});
      add(block + ".fc1", {kHidden, kChannels});
      add(block + ".fc2", {kChannels, kHidden});
    }
    // Channels of a pixel side by side: a fifth less time than plane by plane.
    for (auto& [name, layer] : layers_) {
      if (layer.weight.dim() == 4) {
        layer.weight = layer.weight.contiguous(at::MemoryFormat::ChannelsLast);
      }
    }
  }

  [[nodiscard]] Tensor forward(const Tensor& batch) const override {
    const Tensor x0 = conv("stem", batch.contiguous(at::MemoryFormat::ChannelsLast), 2).relu_();
    const Tensor x1 = residual("b1.0", conv("down1", x0, 2).relu_());
    const Tensor x2 = residual("b2.1", residual("b2.0", conv("down2", x1, 2).relu_()));
    const Tensor x3 = residual("b3.1", residual("b3.0", conv("down3", x2, 2).relu_()));
    const Tensor x4 = transformer(residual("b4.0", conv("down4", x3, 2).relu_()));
    const Tensor y3 = merge("p4", x4, "l3", x3, "f3");
    const Tensor y2 = merge("q3", y3, "l2", x2, "f2");
    const Tensor y1 = merge("q2", y2, "l1", x1, "f1");
    const Tensor y0 = merge("q1", y1, "l0", x0, "f0");
    return twice(conv("head", y0));
  }

 private:
  [[nodiscard]] const Layer& layer(const std::string& name) const { return layers_.at(name); }

  [[nodiscard]] Tensor conv(const std::string& name, const Tensor& x,
                            std::int64_t stride = 1) const {
    const auto& [weight, bias] = layer(name);
    return at::conv2d(x, weight, bias, stride, weight.size(2) / 2);
  }

  [[nodiscard]] Tensor residual(const std::string& name, const Tensor& x) const {
    return conv(name + ".b", conv(name + ".a", x).relu_()).add_(x).relu_();
  }

  // Bilinear, align_corners = false.
  [[nodiscard]] static Tensor twice(const Tensor& x) {
    return at::upsample_bilinear2d(x, {2 * x.size(2), 2 * x.size(3)}, false);
  }

  // The coarse map joins the finer one.
  [[nodiscard]] Tensor merge(const char* from_coarse, const Tensor& coarse, const char* from_fine,
                             const Tensor& fine, const char* smooth) const {
    const Tensor sum = twice(conv(from_coarse, coarse)).add_(conv(from_fine, fine)).relu_();
    return conv(smooth, sum).relu_();
  }

  [[nodiscard]] Tensor linear(const std::string& name, const Tensor& x) const {
    return at::linear(x, layer(name).weight, layer(name).bias);
  }

  [[nodiscard]] Tensor normalise(const std::string& name, const Tensor& x) const {
    return at::layer_norm(x, {kChannels}, layer(name).weight, layer(name).bias, 1e-5);
  }

  // t [N, T, 192]
  [[nodiscard]] Tensor attention(const std::string& name, Tensor t) const {
    const std::int64_t n = t.size(0);
    const std::int64_t count = t.size(1);
    const Tensor qkv = linear(name + ".qkv", normalise(name + ".n1", t))
                           .reshape({n, count, 3, kHeads, kHeadSize})
                           .permute({2, 0, 3, 1, 4});  // [3, N, heads, T, 32]
    const Tensor query = qkv[0] / std::sqrt(static_cast<double>(kHeadSize));
    const Tensor weights = query.matmul(qkv[1].transpose(2, 3)).softmax(-1);
    const Tensor mixed = weights.matmul(qkv[2]).transpose(1, 2).reshape({n, count, kChannels});
    t = t + linear(name + ".proj", mixed);
    const Tensor hidden = linear(name + ".fc1", normalise(name + ".n2", t)).relu_();
    return t + linear(name + ".fc2", hidden);
  }

  // Both blocks over the pixels of x [N, 192, h, w] as tokens.
  [[nodiscard]] Tensor transformer(const Tensor& x) const {
    const Tensor tokens = x.permute({0, 2, 3, 1}).reshape({x.size(0), -1, kChannels});
    return attention("att.1", attention("att.0", tokens))
        .reshape({x.size(0), x.size(2), x.size(3), kChannels})
        .permute({0, 3, 1, 2});
  }

  std::map<std::string, Layer> layers_;
};

}  // namespace

std::unique_ptr<TorchNetwork> make_nano_network(Parameters& parameters) {
  return std::make_unique<NanoNetwork>(parameters);
}

}  // namespace vergence::predictors
