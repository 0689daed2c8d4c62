// SPDX-License-Identifier: Apache-2.0
#include "core/error.hpp"
#include "predictors/torch_network.hpp"

#include <cstring>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/mman.h>
#include <unistd.h>

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

// The values where they lie, which `owner` keeps; a copy where they are not aligned to their size.
at::Tensor tensor_of(const TensorView& view, at::ScalarType type,
                     const std::shared_ptr<const void>& owner) {
  const std::size_t size = size_of(view.type);
  const auto count = static_cast<std::int64_t>(view.bytes.size() / size);
  const at::TensorOptions options = at::TensorOptions().dtype(type);
  at::Tensor values;
  if (count > 0 && reinterpret_cast<std::uintptr_t>(view.bytes.data()) % size == 0) {
    // from_blob takes void* only; parameters are read, never written.
    values = at::from_blob(
        const_cast<std::byte*>(view.bytes.data()), {count}, [owner](void*) {}, options);
  } else {
    values = at::empty({count}, options);
    std::memcpy(values.data_ptr(), view.bytes.data(), view.bytes.size());
  }
  if (view.strides.empty()) return values.view(view.shape);
  return values.as_strided(view.shape, view.strides).contiguous();
}

}  // namespace

Parameters::Parameters(const Weights& weights, std::string file, ComputeOptions options)
    : weights_(weights),
      file_(std::move(file)),
      options_(std::move(options)) {}

bool Parameters::has(const std::string& name) const {
  return weights_.tensors().contains(name);
}

at::Tensor Parameters::take(const std::string& name, const Shape& shape) {
  const std::vector<std::string> names = naming_ ? naming_(name) : std::vector<std::string>{name};
  if (names.size() == 1) return take_one(names.front(), shape);
  Shape part_shape = shape;
  part_shape.front() /= static_cast<std::int64_t>(names.size());
  std::vector<at::Tensor> parts;
  parts.reserve(names.size());
  for (const std::string& part : names) parts.push_back(take_one(part, part_shape));
  return at::cat(parts);
}

void Parameters::skip(const std::string& name, const Shape& shape) {
  const std::string here = naming_ ? naming_(name).front() : name;
  if (has(here)) (void)checked(here, shape);
}

at::Tensor Parameters::take_one(const std::string& name, const Shape& shape) {
  const TensorView* view = checked(name, shape);
  if (view == nullptr) return at::zeros(shape);
  const at::ScalarType type = torch_type(view->type);
  if (type == at::ScalarType::Undefined) {
    problems_.push_back(fmt::format("'{}' holds unsigned numbers", name));
    return at::zeros(shape);
  }
  release_earlier(*view);
  return tensor_of(*view, type, weights_.owner()).to(at::Device(options_.device), at::kFloat);
}

// Layers keep most tensors in a form of their own. The file's pages of those would count as this
// program's memory all the same: given back, they stay in the system's cache and come again by
// themselves where a layer still reads them.
void Parameters::release_earlier(const TensorView& view) {
  constexpr std::size_t kMostResident = std::size_t{64} << 20U;
  if (weights_.owner() == nullptr) return;  // not a mapped file
  if (resident_bytes_ + view.bytes.size() > kMostResident) {
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    for (const auto& bytes : resident_) {
      const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data()) / page * page;
      const auto end = reinterpret_cast<std::uintptr_t>(bytes.data() + bytes.size()) / page * page;
      if (end > begin) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
    }
    resident_.clear();
    resident_bytes_ = 0;
  }
  resident_.push_back(view.bytes);
  resident_bytes_ += view.bytes.size();
}

const TensorView* Parameters::checked(const std::string& name, const Shape& shape) {
  const auto found = weights_.tensors().find(name);
  if (found == weights_.tensors().end()) {
    problems_.push_back(fmt::format("'{}' is missing", name));
    return nullptr;
  }
  taken_.insert(name);
  if (found->second.shape != shape) {
    problems_.push_back(fmt::format("'{}' is {} instead of {}", name,
                                    fmt::join(found->second.shape, "x"), fmt::join(shape, "x")));
    return nullptr;
  }
  return &found->second;
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
