// SPDX-License-Identifier: Apache-2.0
// Convolutions of convolutional encoders: with the batch norm behind them folded in, in groups, and
// with TensorFlow's padding.
#pragma once

#include "predictors/networks/vit.hpp"

namespace vergence::predictors {

struct WeightAndBias {
  at::Tensor weight, bias;
};

// CONV.weight of this shape with the batch norm NORM, as it is after training, folded in. The
// norm's count of batches may be in the file; it is not used.
[[nodiscard]] WeightAndBias take_folded(Parameters& parameters, const std::string& conv,
                                        const std::string& norm, const Parameters::Shape& shape,
                                        double epsilon);

// What stands around the picture: `before` zeros above and to the left, `after` below and to the
// right.
struct Padding {
  std::int64_t before = 0;
  std::int64_t after = 0;
};

// TensorFlow's "same" for one side of `size` pixels: ceil(size / stride) pixels remain, and the odd
// zero stands behind.
[[nodiscard]] Padding same_padding(std::int64_t size, std::int64_t kernel, std::int64_t stride);

// x with zeros around it as "same" asks for; x itself where there are none.
[[nodiscard]] at::Tensor pad_same(const at::Tensor& x, std::int64_t kernel, std::int64_t stride);

// Every group of output channels sees its own group of input channels.
class GroupedConv {
 public:
  // weight [out, in / groups, kernel, kernel], bias [out].
  GroupedConv(const Parameters& parameters, const WeightAndBias& values, std::int64_t groups,
              std::int64_t stride, std::int64_t padding);

  [[nodiscard]] at::Tensor operator()(const at::Tensor& x) const;

 private:
  at::Tensor weight_, bias_;
  std::int64_t groups_, stride_, padding_;
};

}  // namespace vergence::predictors
