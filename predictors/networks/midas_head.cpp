// SPDX-License-Identifier: Apache-2.0
#include "predictors/networks/midas_head.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

namespace vergence::predictors {

using at::Tensor;

namespace {

constexpr std::int64_t kHeadChannels = 32;  // before the last convolution

}  // namespace

DisparityHead::DisparityHead(Parameters& parameters, std::int64_t features, bool align_corners)
    : align_corners_(align_corners),
      first_(parameters, "scratch.output_conv.0", {.in = features, .out = features / 2}),
      second_(parameters, "scratch.output_conv.2", {.in = features / 2, .out = kHeadChannels}),
      last_(parameters, "scratch.output_conv.4",
            {.in = kHeadChannels, .out = 1, .kernel = 1, .padding = 0}) {}

Tensor DisparityHead::operator()(const Tensor& fused) const {
  const Tensor half = first_.of_resized(fused, 2 * fused.size(2), 2 * fused.size(3));
  const std::int64_t height = 2 * half.size(2);
  const std::int64_t width = 2 * half.size(3);
  if (align_corners_) {
    return second_.of_resized(half, height, width, Activation::kRelu, &last_).relu_();
  }
  const Tensor full = resize_bilinear(half, height, width, /*align_corners=*/false);
  return last_(second_(full, Activation::kRelu), Activation::kRelu);
}

Reassemble::Reassemble(Parameters& parameters, int level, std::int64_t in, std::int64_t out,
                       Scale scale)
    : Reassemble(
          parameters, fmt::format("pretrained.act_postprocess{}.", level),
          parameters.take(fmt::format("pretrained.act_postprocess{}.0.project.0.weight", level),
                          {in, 2 * in}),
          out, scale) {}

Reassemble::Reassemble(Parameters& parameters, const std::string& name, const Tensor& readout,
                       std::int64_t out, Scale scale)
    : patch_(parameters, readout.narrow(1, 0, readout.size(0)).contiguous(), {}),
      class_token_(parameters, readout.narrow(1, readout.size(0), readout.size(0)).contiguous(),
                   parameters.take(name + "0.project.0.bias", {readout.size(0)})),
      project_(parameters, name + "3",
               {.in = readout.size(0), .out = out, .kernel = 1, .padding = 0}) {
  if (scale == Scale::kTimes4) expand_.emplace(parameters, name + "4", out, out, 4);
  if (scale == Scale::kTimes2) expand_.emplace(parameters, name + "4", out, out, 2);
  if (scale == Scale::kHalf) {
    shrink_.emplace(parameters, name + "4", ConvShape{.in = out, .out = out, .stride = 2});
  }
}

Tensor Reassemble::operator()(const Tensor& tokens, std::int64_t rows, std::int64_t columns) const {
  const Tensor from_class = class_token_(tokens.narrow(1, 0, 1));
  const Tensor patches = tokens.narrow(1, 1, rows * columns).contiguous();
  const Tensor joined = at::gelu_(patch_(patches).add_(from_class));
  const Tensor map =
      project_(joined.view({joined.size(0), rows, columns, joined.size(2)}).permute({0, 3, 1, 2}));
  if (expand_) return (*expand_)(map);
  return shrink_ ? (*shrink_)(map) : map;
}

}  // namespace vergence::predictors
