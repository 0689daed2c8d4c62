// SPDX-License-Identifier: Apache-2.0
// The embedded network; layer names, shapes and order are those of models/nano/ARCHITECTURE.md.
#include "predictors/networks/vit.hpp"
#include "predictors/torch_network.hpp"

#include <string>

#include <ATen/ATen.h>

namespace vergence::predictors {
namespace {

using at::Tensor;

constexpr std::int64_t kChannels = 192;  // of a token
constexpr std::int64_t kHeads = 6;
constexpr std::int64_t kHidden = 384;

// Bilinear, align_corners = false.
Tensor twice(const Tensor& x) {
  return resize_bilinear(x, 2 * x.size(2), 2 * x.size(3), /*align_corners=*/false);
}

Conv conv(Parameters& parameters, const std::string& name, std::int64_t in, std::int64_t out,
          std::int64_t stride = 1) {
  return {parameters, name, {.in = in, .out = out, .stride = stride}};
}

Conv pointwise(Parameters& parameters, const std::string& name, std::int64_t in, std::int64_t out) {
  return {parameters, name, {.in = in, .out = out, .kernel = 1, .padding = 0}};
}

struct Residual {
  Residual(Parameters& parameters, const std::string& name, std::int64_t channels)
      : a(conv(parameters, name + ".a", channels, channels)),
        b(conv(parameters, name + ".b", channels, channels)) {}

  [[nodiscard]] Tensor operator()(const Tensor& x) const {
    return b.added_to(x, a(x, Activation::kRelu)).relu_();
  }

  Conv a, b;
};

// A coarse map joins the finer one.
struct Merge {
  Merge(Parameters& parameters, const std::string& coarse_name, std::int64_t coarse,
        const std::string& fine_name, std::int64_t fine, const std::string& smooth_name,
        std::int64_t out)
      : from_coarse(pointwise(parameters, coarse_name, coarse, out)),
        from_fine(pointwise(parameters, fine_name, fine, out)),
        smooth(conv(parameters, smooth_name, out, out)) {}

  [[nodiscard]] Tensor operator()(const Tensor& coarse, const Tensor& fine) const {
    const Tensor sum = from_fine.added_to(twice(from_coarse(coarse)), fine);
    return smooth.of_rectified(sum, Activation::kRelu);
  }

  Conv from_coarse, from_fine, smooth;
};

// A block of a transformer without positions, on tokens [N, T, 192].
struct Attention {
  Attention(Parameters& parameters, const std::string& name)
      : n1(parameters, name + ".n1", kChannels, kEpsilon),
        qkv(parameters, name + ".qkv", kChannels, 3 * kChannels),
        proj(parameters, name + ".proj", kChannels, kChannels),
        n2(parameters, name + ".n2", kChannels, kEpsilon),
        fc1(parameters, name + ".fc1", kChannels, kHidden),
        fc2(parameters, name + ".fc2", kHidden, kChannels) {}

  // Takes the tokens' memory.
  [[nodiscard]] Tensor operator()(const Tensor& tokens) const {
    const Tensor seen = proj.added_to(tokens, self_attention(qkv(n1(tokens)), kHeads));
    return fc2.added_to(seen, fc1(n2(seen), Activation::kRelu));
  }

  static constexpr double kEpsilon = 1e-5;
  LayerNorm n1;
  Linear qkv, proj;
  LayerNorm n2;
  Linear fc1, fc2;
};

class NanoNetwork : public TorchNetwork {
 public:
  explicit NanoNetwork(Parameters& p)
      : stem_(conv(p, "stem", 3, 16, 2)),
        down1_(conv(p, "down1", 16, 40, 2)),
        down2_(conv(p, "down2", 40, 72, 2)),
        down3_(conv(p, "down3", 72, 128, 2)),
        down4_(conv(p, "down4", 128, kChannels, 2)),
        b1_(p, "b1.0", 40),
        b2_{{p, "b2.0", 72}, {p, "b2.1", 72}},
        b3_{{p, "b3.0", 128}, {p, "b3.1", 128}},
        b4_(p, "b4.0", kChannels),
        att_{{p, "att.0"}, {p, "att.1"}},
        merge3_(p, "p4", kChannels, "l3", 128, "f3", 96),
        merge2_(p, "q3", 96, "l2", 72, "f2", 64),
        merge1_(p, "q2", 64, "l1", 40, "f1", 40),
        merge0_(p, "q1", 40, "l0", 16, "f0", 24),
        head_(conv(p, "head", 24, 1)) {}

  [[nodiscard]] Tensor forward(const Tensor& batch) const override {
    const Tensor x0 = stem_(batch, Activation::kRelu);
    const Tensor x1 = b1_(down1_(x0, Activation::kRelu));
    const Tensor x2 = b2_[1](b2_[0](down2_(x1, Activation::kRelu)));
    const Tensor x3 = b3_[1](b3_[0](down3_(x2, Activation::kRelu)));
    const Tensor x4 = transformer(b4_(down4_(x3, Activation::kRelu)));
    const Tensor y3 = merge3_(x4, x3);
    const Tensor y2 = merge2_(y3, x2);
    const Tensor y1 = merge1_(y2, x1);
    const Tensor y0 = merge0_(y1, x0);
    return twice(head_(y0));
  }

 private:
  // Both blocks over the pixels of x [N, 192, h, w] as tokens.
  [[nodiscard]] Tensor transformer(const Tensor& x) const {
    const Tensor tokens = x.permute({0, 2, 3, 1}).reshape({x.size(0), -1, kChannels});
    return att_[1](att_[0](tokens))
        .reshape({x.size(0), x.size(2), x.size(3), kChannels})
        .permute({0, 3, 1, 2});
  }

  Conv stem_, down1_, down2_, down3_, down4_;
  Residual b1_;
  Residual b2_[2];
  Residual b3_[2];
  Residual b4_;
  Attention att_[2];
  Merge merge3_, merge2_, merge1_, merge0_;
  Conv head_;
};

}  // namespace

std::unique_ptr<TorchNetwork> make_nano_network(Parameters& parameters) {
  return std::make_unique<NanoNetwork>(parameters);
}

}  // namespace vergence::predictors
