// SPDX-License-Identifier: Apache-2.0
#include "predictors/networks/folded_conv.hpp"

#include <algorithm>

#include <ATen/ATen.h>

namespace vergence::predictors {

using at::Tensor;

WeightAndBias take_folded(Parameters& parameters, const std::string& conv, const std::string& norm,
                          const Parameters::Shape& shape, double epsilon) {
  const Parameters::Shape channels = {shape.front()};
  const Tensor weight = parameters.take(conv + ".weight", shape);
  const Tensor scale = parameters.take(norm + ".weight", channels);
  const Tensor shift = parameters.take(norm + ".bias", channels);
  const Tensor mean = parameters.take(norm + ".running_mean", channels);
  const Tensor variance = parameters.take(norm + ".running_var", channels);
  parameters.skip(norm + ".num_batches_tracked", {});
  const Tensor factor = scale / (variance + epsilon).sqrt();
  return {.weight = weight * factor.view({-1, 1, 1, 1}), .bias = shift - mean * factor};
}

Padding same_padding(std::int64_t size, std::int64_t kernel, std::int64_t stride) {
  const std::int64_t remaining = (size + stride - 1) / stride;
  const std::int64_t total = std::max<std::int64_t>((remaining - 1) * stride + kernel - size, 0);
  return {.before = total / 2, .after = total - total / 2};
}

Tensor pad_same(const Tensor& x, std::int64_t kernel, std::int64_t stride) {
  const Padding rows = same_padding(x.size(2), kernel, stride);
  const Padding columns = same_padding(x.size(3), kernel, stride);
  if (rows.after == 0 && columns.after == 0) return x;
  return at::constant_pad_nd(x, {columns.before, columns.after, rows.before, rows.after});
}

GroupedConv::GroupedConv(const Parameters& parameters, const WeightAndBias& values,
                         std::int64_t groups, std::int64_t stride, std::int64_t padding)
    : weight_(
          values.weight.to(parameters.options().type).contiguous(at::MemoryFormat::ChannelsLast)),
      bias_(values.bias.to(parameters.options().type)),
      groups_(groups),
      stride_(stride),
      padding_(padding) {}

Tensor GroupedConv::operator()(const Tensor& x) const {
  return at::conv2d(x.to(weight_.scalar_type()), weight_, bias_, stride_, padding_, /*dilation=*/1,
                    groups_);
}

}  // namespace vergence::predictors
