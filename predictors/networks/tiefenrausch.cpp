// SPDX-License-Identifier: Apache-2.0
// Tiefenrausch: the depth network of Kopf et al., One Shot 3D Photography, SIGGRAPH 2020. It was
// trained and published with 8-bit integers; saturation at the ends of their range is part of its
// function, so every convolution and sum is clamped to the range that the weights file states.
#include "predictors/torch_network.hpp"

#include <array>
#include <optional>
#include <vector>

#include <ATen/ATen.h>
#include <fmt/format.h>

namespace vergence::predictors {
namespace {

using at::Tensor;

// Three inverted-residual blocks: the first from `in` to `out` channels, the others at `out`;
// `widths` are their channels inside.
struct StageRow {
  std::int64_t in, out;
  std::array<std::int64_t, 3> widths;
};

constexpr std::size_t kLevels = 5;  // halvings of the picture
constexpr std::int64_t kFirst = 48;

constexpr std::array<StageRow, kLevels> kDown = {{{kFirst, 40, {48, 40, 40}},
                                                  {40, 56, {160, 224, 224}},
                                                  {56, 80, {280, 400, 400}},
                                                  {80, 64, {720, 576, 576}},
                                                  {64, 96, {576, 864, 864}}}};
constexpr std::array<StageRow, kLevels + 1> kSkip = {{{kFirst, 32, {48, 32, 32}},
                                                      {40, 8, {40, 8, 8}},
                                                      {56, 56, {224, 224, 224}},
                                                      {80, 96, {400, 480, 480}},
                                                      {64, 96, {576, 864, 864}},
                                                      {96, 96, {864, 864, 864}}}};
constexpr std::array<StageRow, kLevels> kUp = {{{8, 32, {8, 32, 32}},
                                                {56, 8, {224, 32, 32}},
                                                {96, 56, {480, 280, 280}},
                                                {96, 96, {864, 864, 864}},
                                                {96, 96, {864, 864, 864}}}};

enum class Scale { kKeep, kHalve, kDouble };

struct Clamp {
  Clamp() = default;

  Clamp(Parameters& parameters, const std::string& name)
      : low(parameters.take(name + ".lo", {1}).item<float>()),
        high(parameters.take(name + ".hi", {1}).item<float>()) {}

  // In place.
  [[nodiscard]] Tensor operator()(Tensor x) const { return x.clamp_(low, high); }

  float low = 0.0F;
  float high = 0.0F;
};

// Convolution NAME and clamp NAME_clamp.
struct ClampedConv {
  ClampedConv(Parameters& parameters, const std::string& name,
              const std::vector<std::int64_t>& shape, bool has_bias = true)
      : weight(parameters.take(name + ".weight", shape).contiguous(at::MemoryFormat::ChannelsLast)),
        clamp(parameters, name + "_clamp"),
        groups(shape[1] == 1 ? shape[0] : 1) {
    if (has_bias) bias = parameters.take(name + ".bias", {shape[0]});
  }

  [[nodiscard]] Tensor operator()(const Tensor& x, std::int64_t stride = 1) const {
    const std::int64_t padding = weight.size(2) / 2;
    return clamp(at::conv2d(x, weight, bias, stride, padding, /*dilation=*/1, groups));
  }

  Tensor weight;
  Tensor bias;  // undefined: none
  Clamp clamp;
  std::int64_t groups;
};

struct Block {
  Block(Parameters& parameters, const std::string& name, const StageRow& row, std::size_t number,
        Scale stage_scale)
      : scale(number == 0 ? stage_scale : Scale::kKeep),
        expand(parameters, name + ".pw",
               {row.widths[number], number == 0 ? row.in : row.out, 1, 1}),
        depthwise(parameters, name + ".dw", {row.widths[number], 1, 3, 3}, /*has_bias=*/false),
        project(parameters, name + ".pwl", {row.out, row.widths[number], 1, 1}) {
    const bool same = scale == Scale::kKeep && (number > 0 || row.in == row.out);
    if (same) residual = Clamp(parameters, name + ".add_clamp");
  }

  [[nodiscard]] Tensor operator()(const Tensor& x) const {
    Tensor inside = expand(x);
    if (scale == Scale::kDouble) {
      inside = at::upsample_nearest2d(inside, {2 * inside.size(2), 2 * inside.size(3)});
    }
    const Tensor result = project(depthwise(inside, scale == Scale::kHalve ? 2 : 1));
    return residual ? (*residual)(result.add(x)) : result;
  }

  Scale scale;
  ClampedConv expand, depthwise, project;
  std::optional<Clamp> residual;
};

using Stage = std::vector<Block>;

template <std::size_t kCount>
std::vector<Stage> stages(Parameters& parameters, const std::string& name,
                          const std::array<StageRow, kCount>& rows, Scale scale) {
  std::vector<Stage> result(kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    for (std::size_t block = 0; block < rows[i].widths.size(); ++block) {
      result[i].emplace_back(parameters, fmt::format("{}.{}.{}", name, i, block), rows[i], block,
                             scale);
    }
  }
  return result;
}

Tensor through(const Stage& stage, Tensor x) {
  for (const Block& block : stage) x = block(x);
  return x;
}

class Tiefenrausch : public TorchNetwork {
 public:
  explicit Tiefenrausch(Parameters& parameters)
      : input_(parameters, "in_clamp"),
        first_(parameters, "first", {kFirst, 3, 3, 3}),
        last_(parameters, "last", {1, kUp[0].out, 3, 3}, /*has_bias=*/false),
        down_(stages(parameters, "down", kDown, Scale::kHalve)),
        skip_(stages(parameters, "skip", kSkip, Scale::kKeep)),
        up_(stages(parameters, "upst", kUp, Scale::kDouble)) {
    for (std::size_t i = 0; i < kLevels; ++i) {
      merge_.emplace_back(parameters, fmt::format("merge_clamp.{}", i));
    }
  }

  [[nodiscard]] Tensor forward(const Tensor& batch) const override {
    const Tensor input = batch.clamp(input_.low, input_.high);
    Tensor x = first_(input.contiguous(at::MemoryFormat::ChannelsLast));
    std::array<Tensor, kLevels> sides;
    for (std::size_t i = 0; i < kLevels; ++i) {
      sides[i] = through(skip_[i], x);
      x = through(down_[i], x);
    }
    x = through(skip_[kLevels], x);
    for (std::size_t i = kLevels; i-- > 0;) x = merge_[i](through(up_[i], x).add(sides[i]));
    return last_(x);
  }

 private:
  Clamp input_;
  ClampedConv first_, last_;
  std::vector<Stage> down_, skip_, up_;  // finest first
  std::vector<Clamp> merge_;
};

}  // namespace

std::unique_ptr<TorchNetwork> make_tiefenrausch_network(Parameters& parameters) {
  return std::make_unique<Tiefenrausch>(parameters);
}

}  // namespace vergence::predictors
