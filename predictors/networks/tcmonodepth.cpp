// SPDX-License-Identifier: Apache-2.0
// TCMonoDepth-small with the tensor names of its official checkpoint: a ShuffleNetV2 encoder (Ma et
// al., ECCV 2018) without the max-pool, and three fusion blocks of separable convolutions (Li et
// al., Enforcing Temporal Consistency in Video Depth Estimation, ICCVW 2021).
#include "predictors/networks/folded_conv.hpp"
#include "predictors/torch_network.hpp"

#include <array>
#include <vector>

#include <ATen/ATen.h>
#include <fmt/format.h>

namespace vergence::predictors {
namespace {

using at::Tensor;

constexpr double kNormEpsilon = 1e-5;
constexpr double kWhite = 255.0;  // the network takes 0-255 and divides by itself

// Channels after the first convolution and after each stage, and blocks per stage.
constexpr std::array<std::int64_t, 4> kChannels = {24, 48, 96, 192};
constexpr std::array<int, 3> kBlocks = {4, 8, 4};

// A convolution with its batch norm folded in.
struct Conv {
  Tensor weight, bias;
  std::int64_t stride = 1;
  std::int64_t groups = 1;

  [[nodiscard]] Tensor operator()(const Tensor& x) const {
    const std::int64_t padding = weight.size(2) / 2;
    return at::conv2d(x, weight, bias, stride, padding, /*dilation=*/1, groups);
  }
};

Tensor channels_last(const Tensor& weight) {
  return weight.contiguous(at::MemoryFormat::ChannelsLast);
}

// Takes parameters by the names of the official file. That file has every block twice, once in
// `features` and once in the slice of it (`stage1` to `stage3`) that holds the block.
class Reader {
 public:
  explicit Reader(Parameters& parameters) : parameters_(parameters) {}

  // While block `index` of `stage` (from 1) is read, its other name may be there too.
  void enter(int stage, int index) {
    block_ = fmt::format("encoder.features.{}.", index);
    twin_ = fmt::format("encoder.stage{}.{}.", stage, index);
  }

  // Convolution `name` and the batch norm `norm`; `shape` as the weight.
  Conv conv(const std::string& name, const std::string& norm,
            const std::vector<std::int64_t>& shape, std::int64_t stride = 1) {
    skip_twin(name + ".weight", shape);
    for (const char* part : {".weight", ".bias", ".running_mean", ".running_var"}) {
      skip_twin(norm + part, {shape[0]});
    }
    skip_twin(norm + ".num_batches_tracked", {});
    const auto [weight, bias] = take_folded(parameters_, name, norm, shape, kNormEpsilon);
    return {.weight = channels_last(weight),
            .bias = bias,
            .stride = stride,
            .groups = shape[1] == 1 ? shape[0] : 1};
  }

 private:
  void skip_twin(const std::string& name, const std::vector<std::int64_t>& shape) {
    if (block_.empty() || !name.starts_with(block_)) return;
    parameters_.skip(twin_ + name.substr(block_.size()), shape);
  }

  Parameters& parameters_;
  std::string block_;
  std::string twin_;
};

// The first block of a stage halves the picture and works on all channels twice; the others pass
// half of the channels through.
struct ShuffleBlock {
  ShuffleBlock(Reader& reader, int index, std::int64_t in, std::int64_t out, bool first)
      : halves_picture(first) {
    const std::string main = fmt::format("encoder.features.{}.branch_main.", index);
    const std::int64_t middle = out / 2;
    const std::int64_t stride = first ? 2 : 1;
    expand = reader.conv(main + "0", main + "1", {middle, in, 1, 1});
    depthwise = reader.conv(main + "3", main + "4", {middle, 1, 3, 3}, stride);
    project = reader.conv(main + "5", main + "6", {out - in, middle, 1, 1});
    if (!first) return;
    const std::string other = fmt::format("encoder.features.{}.branch_proj.", index);
    other_depthwise = reader.conv(other + "0", other + "1", {in, 1, 3, 3}, stride);
    other_project = reader.conv(other + "2", other + "3", {in, in, 1, 1});
  }

  [[nodiscard]] Tensor operator()(const Tensor& x) const {
    if (halves_picture) return at::cat({other_project(other_depthwise(x)).relu_(), branch(x)}, 1);
    // Channels with an even number pass through, those with an odd one are worked on.
    const Tensor pairs = x.reshape({x.size(0), x.size(1) / 2, 2, x.size(2), x.size(3)});
    return at::cat({pairs.select(2, 0), branch(pairs.select(2, 1))}, 1);
  }

  [[nodiscard]] Tensor branch(const Tensor& x) const {
    return project(depthwise(expand(x).relu_())).relu_();
  }

  bool halves_picture;
  Conv expand, depthwise, project, other_depthwise, other_project;
};

// Joins a coarse map with the finer one before it.
struct FusionBlock {
  FusionBlock(Reader& reader, int number, std::int64_t fine, std::int64_t coarse) {
    const std::string name = fmt::format("decoder.decoder{}.", number);
    const std::int64_t joined = coarse + coarse / 4;
    skip = reader.conv(name + "skip_conv.0", name + "skip_conv.1", {coarse / 4, fine, 1, 1});
    depthwise =
        reader.conv(name + "last_conv.0.conv.0", name + "last_conv.0.conv.1", {joined, 1, 3, 3});
    project = reader.conv(name + "last_conv.0.conv.3", name + "last_conv.1", {fine, joined, 1, 1});
  }

  [[nodiscard]] Tensor operator()(const Tensor& fine, const Tensor& coarse) const {
    const Tensor side = skip(fine).relu_();
    const Tensor enlarged =
        at::upsample_bilinear2d(coarse, {side.size(2), side.size(3)}, /*align_corners=*/false);
    return project(depthwise(at::cat({enlarged, side}, 1)).relu_()).relu_();
  }

  Conv skip, depthwise, project;
};

class TcMonoDepth : public TorchNetwork {
 public:
  explicit TcMonoDepth(Parameters& parameters) {
    Reader reader(parameters);
    first_ = reader.conv("encoder.first_conv.0", "encoder.first_conv.1", {kChannels[0], 3, 3, 3},
                         /*stride=*/2);
    first_.weight.div_(kWhite);
    int index = 0;
    for (std::size_t stage = 0; stage < kBlocks.size(); ++stage) {
      auto& blocks = stages_[stage];
      for (int i = 0; i < kBlocks[stage]; ++i, ++index) {
        reader.enter(static_cast<int>(stage) + 1, index);
        const std::int64_t in = i == 0 ? kChannels[stage] : kChannels[stage + 1] / 2;
        blocks.emplace_back(reader, index, in, kChannels[stage + 1], i == 0);
      }
    }
    for (int number = 1; number <= 3; ++number) {
      const auto level = static_cast<std::size_t>(number);
      fusions_.emplace_back(reader, number, kChannels[level - 1], kChannels[level]);
    }
    last_ = {
        .weight = channels_last(parameters.take("decoder.final.weight", {1, kChannels[0], 3, 3})),
        .bias = parameters.take("decoder.final.bias", {1})};
    // Two heads at coarser sizes helped training only.
    for (std::size_t level = 1; level <= 2; ++level) {
      const std::string name = fmt::format("decoder.final{}.0.", level + 1);
      parameters.skip(name + "weight", {1, kChannels[level], 3, 3});
      parameters.skip(name + "bias", {1});
    }
  }

  [[nodiscard]] Tensor forward(const Tensor& batch) const override {
    std::array<Tensor, 4> levels;
    levels[0] = first_(batch.contiguous(at::MemoryFormat::ChannelsLast)).relu_();
    for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
      Tensor x = levels[stage];
      for (const auto& block : stages_[stage]) x = block(x);
      levels[stage + 1] = x;
    }
    Tensor x = levels[3];
    for (std::size_t level = 3; level-- > 0;) x = fusions_[level](levels[level], x);
    const Tensor half = last_(x).relu_();
    return at::upsample_bilinear2d(half, {2 * half.size(2), 2 * half.size(3)},
                                   /*align_corners=*/false);
  }

 private:
  Conv first_, last_;
  std::array<std::vector<ShuffleBlock>, kBlocks.size()> stages_;
  std::vector<FusionBlock> fusions_;  // finest first
};

}  // namespace

std::unique_ptr<TorchNetwork> make_tcmonodepth_network(Parameters& parameters) {
  return std::make_unique<TcMonoDepth>(parameters);
}

}  // namespace vergence::predictors
