// SPDX-License-Identifier: Apache-2.0
#include "core/error.hpp"
#include "predictors/torch_network.hpp"

#include <cstring>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace vergence::predictors {
namespace {

at::ScalarType torch_type(ScalarType type) {
  switch (type) {
    case ScalarType::kBool:
      return at::kBool;
    case ScalarType::kU8:
      return at::kByte;
    case ScalarType::kI8:
      return at::kChar;
    case ScalarType::kI16:
      return at::kShort;
    case ScalarType::kF16:
      return at::kHalf;
    case ScalarType::kBF16:
      return at::kBFloat16;
    case ScalarType::kI32:
      return at::kInt;
    case ScalarType::kF32:
      return at::kFloat;
    case ScalarType::kI64:
      return at::kLong;
    case ScalarType::kF64:
      return at::kDouble;
    case ScalarType::kU16:
    case ScalarType::kU32:
    case ScalarType::kU64:
      break;
  }
  return at::ScalarType::Undefined;
}

// Copies, because the bytes in a mapped file need not be aligned.
at::Tensor float_tensor(const TensorView& view, at::ScalarType type) {
  const auto count = static_cast<std::int64_t>(view.bytes.size() / size_of(view.type));
  at::Tensor values = at::empty({count}, at::TensorOptions().dtype(type));
  std::memcpy(values.data_ptr(), view.bytes.data(), view.bytes.size());
  if (view.strides.empty()) return values.reshape(view.shape).to(at::kFloat);
  return values.as_strided(view.shape, view.strides).contiguous().to(at::kFloat);
}

}  // namespace

Parameters::Parameters(const Weights& weights, std::string file, std::string device)
    : weights_(weights),
      file_(std::move(file)),
      device_(std::move(device)) {}

at::Tensor Parameters::take(const std::string& name, std::initializer_list<std::int64_t> shape) {
  const auto found = weights_.tensors().find(name);
  if (found == weights_.tensors().end()) {
    problems_.push_back(fmt::format("'{}' is missing", name));
    return at::zeros(shape);
  }
  taken_.insert(name);
  const TensorView& view = found->second;
  if (!std::equal(shape.begin(), shape.end(), view.shape.begin(), view.shape.end())) {
    problems_.push_back(fmt::format("'{}' is {} instead of {}", name, fmt::join(view.shape, "x"),
                                    fmt::join(shape, "x")));
    return at::zeros(shape);
  }
  const at::ScalarType type = torch_type(view.type);
  if (type == at::ScalarType::Undefined) {
    problems_.push_back(fmt::format("'{}' holds unsigned numbers", name));
    return at::zeros(shape);
  }
  return float_tensor(view, type).to(at::Device(device_));
}

void Parameters::finish() const {
  std::vector<std::string> problems = problems_;
  for (const auto& [name, view] : weights_.tensors()) {
    if (!taken_.contains(name)) problems.push_back(fmt::format("'{}' is not part of it", name));
  }
  if (problems.empty()) return;
  constexpr std::size_t kMostShown = 8;
  const std::size_t total = problems.size();
  if (total > kMostShown) {
    problems.resize(kMostShown);
    problems.push_back(fmt::format("and {} more", total - kMostShown));
  }
  throw Error(fmt::format("the weights '{}' are those of another network: {}", file_,
                          fmt::join(problems, ", ")))
      .hint("check that the file belongs to the predictor");
}

}  // namespace vergence::predictors
