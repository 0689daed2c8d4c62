// SPDX-License-Identifier: Apache-2.0
// TCMonoDepth-small with the tensor names of its official checkpoint: a ShuffleNetV2 encoder (Ma et
// al., ECCV 2018) without the max-pool, and three fusion blocks of separable convolutions (Li et
// al., Enforcing Temporal Consistency in Video Depth Estimation, ICCVW 2021).
#include "predictors/networks/folded_conv.hpp"
#include "predictors/torch_network.hpp"

#include <array>
#include <optional>
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

  // 1x1 convolution `name` and the batch norm `norm`.
  Conv pointwise(const std::string& name, const std::string& norm, std::int64_t in,
                 std::int64_t out) {
    const auto [weight, bias] = folded(name, norm, {out, in, 1, 1});
    return {parameters_, weight, bias, {.in = in, .out = out, .kernel = 1, .padding = 0}};
  }

  // 3x3 filters, one per channel.
  DepthwiseConv depthwise(const std::string& name, const std::string& norm, std::int64_t channels,
                          std::int64_t stride = 1) {
    const auto [weight, bias] = folded(name, norm, {channels, 1, 3, 3});
    return {parameters_, weight, bias, stride, /*padding=*/1};
  }

  // Convolution `name` and the batch norm `norm`; `shape` as the weight.
  WeightAndBias folded(const std::string& name, const std::string& norm,
                       const std::vector<std::int64_t>& shape) {
    skip_twin(name + ".weight", shape);
    for (const char* part : {".weight", ".bias", ".running_mean", ".running_var"}) {
      skip_twin(norm + part, {shape[0]});
    }
    skip_twin(norm + ".num_batches_tracked", {});
    return take_folded(parameters_, name, norm, shape, kNormEpsilon);
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

// A branch of a block: filters, mixes the channels.
struct Branch {
  [[nodiscard]] Tensor operator()(const Tensor& x) const {
    const Tensor input = expand ? (*expand)(x, Activation::kRelu) : x;
    return project(depthwise(input), Activation::kRelu);
  }

  std::optional<Conv> expand;
  DepthwiseConv depthwise;
  Conv project;
};

// The first block of a stage halves the picture and works on all channels twice; the others pass
// half of the channels through.
struct ShuffleBlock {
  [[nodiscard]] Tensor operator()(const Tensor& x) const {
    if (other) return at::cat({(*other)(x), main(x)}, 1);
    // Channels with an even number pass through, those with an odd one are worked on.
    const Tensor pairs = x.reshape({x.size(0), x.size(1) / 2, 2, x.size(2), x.size(3)});
    return at::cat({pairs.select(2, 0), main(pairs.select(2, 1))}, 1);
  }

  Branch main;
  std::optional<Branch> other;  // of a first block
};

ShuffleBlock take_block(Reader& reader, int index, std::int64_t in, std::int64_t out, bool first) {
  const std::string main = fmt::format("encoder.features.{}.branch_main.", index);
  const std::int64_t middle = out / 2;
  ShuffleBlock block = {
      .main = {.expand = reader.pointwise(main + "0", main + "1", in, middle),
               .depthwise = reader.depthwise(main + "3", main + "4", middle, first ? 2 : 1),
               .project = reader.pointwise(main + "5", main + "6", middle, out - in)},
      .other = std::nullopt};
  if (!first) return block;
  const std::string other = fmt::format("encoder.features.{}.branch_proj.", index);
  block.other = {.expand = std::nullopt,
                 .depthwise = reader.depthwise(other + "0", other + "1", in, 2),
                 .project = reader.pointwise(other + "2", other + "3", in, in)};
  return block;
}

// Joins a coarse map with the finer one before it.
struct FusionBlock {
  FusionBlock(Reader& reader, int number, std::int64_t fine, std::int64_t coarse)
      : FusionBlock(reader, fmt::format("decoder.decoder{}.", number), fine, coarse,
                    coarse + coarse / 4) {}

  [[nodiscard]] Tensor operator()(const Tensor& fine, const Tensor& coarse) const {
    const Tensor side = skip(fine, Activation::kRelu);
    const Tensor enlarged =
        resize_bilinear(coarse, side.size(2), side.size(3), /*align_corners=*/false);
    return project(depthwise(at::cat({enlarged, side}, 1)).relu_(), Activation::kRelu);
  }

  Conv skip;
  DepthwiseConv depthwise;
  Conv project;

 private:
  FusionBlock(Reader& reader, const std::string& name, std::int64_t fine, std::int64_t coarse,
              std::int64_t joined)
      : skip(reader.pointwise(name + "skip_conv.0", name + "skip_conv.1", fine, coarse / 4)),
        depthwise(
            reader.depthwise(name + "last_conv.0.conv.0", name + "last_conv.0.conv.1", joined)),
        project(reader.pointwise(name + "last_conv.0.conv.3", name + "last_conv.1", joined, fine)) {
  }
};

class TcMonoDepth : public TorchNetwork {
 public:
  explicit TcMonoDepth(Parameters& parameters)
      : first_(take_first(parameters)),
        last_(parameters, "decoder.final", {.in = kChannels[0], .out = 1}) {
    Reader reader(parameters);
    int index = 0;
    for (std::size_t stage = 0; stage < kBlocks.size(); ++stage) {
      auto& blocks = stages_[stage];
      for (int i = 0; i < kBlocks[stage]; ++i, ++index) {
        reader.enter(static_cast<int>(stage) + 1, index);
        const std::int64_t in = i == 0 ? kChannels[stage] : kChannels[stage + 1] / 2;
        blocks.push_back(take_block(reader, index, in, kChannels[stage + 1], i == 0));
      }
    }
    for (int number = 1; number <= 3; ++number) {
      const auto level = static_cast<std::size_t>(number);
      fusions_.emplace_back(reader, number, kChannels[level - 1], kChannels[level]);
    }
    // Two heads at coarser sizes helped training only.
    for (std::size_t level = 1; level <= 2; ++level) {
      const std::string name = fmt::format("decoder.final{}.0.", level + 1);
      parameters.skip(name + "weight", {1, kChannels[level], 3, 3});
      parameters.skip(name + "bias", {1});
    }
  }

  [[nodiscard]] Tensor forward(const Tensor& batch) const override {
    std::array<Tensor, 4> levels;
    levels[0] = first_(batch, Activation::kRelu);
    for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
      Tensor x = levels[stage];
      for (const auto& block : stages_[stage]) x = block(x);
      levels[stage + 1] = x;
    }
    Tensor x = levels[3];
    for (std::size_t level = 3; level-- > 0;) x = fusions_[level](levels[level], x);
    const Tensor half = last_(x, Activation::kRelu);
    return resize_bilinear(half, 2 * half.size(2), 2 * half.size(3), /*align_corners=*/false);
  }

 private:
  [[nodiscard]] static Conv take_first(Parameters& parameters) {
    const auto [weight, bias] =
        Reader(parameters)
            .folded("encoder.first_conv.0", "encoder.first_conv.1", {kChannels[0], 3, 3, 3});
    return {parameters, weight / kWhite, bias, {.in = 3, .out = kChannels[0], .stride = 2}};
  }

  Conv first_, last_;
  std::array<std::vector<ShuffleBlock>, kBlocks.size()> stages_;
  std::vector<FusionBlock> fusions_;  // finest first
};

}  // namespace

std::unique_ptr<TorchNetwork> make_tcmonodepth_network(Parameters& parameters) {
  return std::make_unique<TcMonoDepth>(parameters);
}

}  // namespace vergence::predictors
