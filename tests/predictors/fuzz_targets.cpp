// SPDX-License-Identifier: Apache-2.0
#include "tests/predictors/fuzz_targets.hpp"

#include "core/error.hpp"
#include "predictors/checkpoint/torch_checkpoint.hpp"
#include "predictors/model_card.hpp"
#include "predictors/safetensors.hpp"
#include "predictors/weights.hpp"

#include <array>
#include <map>
#include <stdexcept>
#include <string>

namespace vergence::test {
namespace {

using predictors::TensorView;

void require(bool holds, const char* what) {
  if (!holds) throw std::logic_error(what);
}

void check(const TensorView& view, std::span<const std::byte> bytes) {
  const std::size_t size = size_of(view.type);
  std::size_t count = 1;
  for (const std::int64_t side : view.shape) {
    require(side >= 0, "a side is negative");
    if (side == 0) count = 0;
  }
  if (count == 0) return require(view.bytes.empty(), "an empty tensor has bytes");
  require(view.bytes.data() >= bytes.data() &&
              view.bytes.data() + view.bytes.size() <= bytes.data() + bytes.size(),
          "a tensor lies outside of the file");
  std::size_t last = 0;
  for (std::size_t i = 0; i < view.shape.size(); ++i) {
    count *= static_cast<std::size_t>(view.shape[i]);
    if (view.strides.empty()) continue;
    require(view.strides.at(i) >= 0, "a stride is negative");
    last += static_cast<std::size_t>(view.strides[i] * (view.shape[i] - 1));
  }
  if (view.strides.empty()) last = count - 1;
  require(view.bytes.size() == (last + 1) * size, "a tensor has other bytes than it reaches");
  require(count * size <= bytes.size(), "a tensor is larger than the file");
}

template <class Read>
bool accepts(std::span<const std::byte> bytes, Read read) {
  try {
    for (const auto& [name, view] : read()) check(view, bytes);
  } catch (const Error&) {
    return false;
  }
  return true;
}

bool read_safetensors(std::span<const std::byte> bytes) {
  return accepts(bytes, [&] { return predictors::parse_safetensors(bytes, "file"); });
}

bool read_any(std::span<const std::byte> bytes) {
  return accepts(bytes, [&] { return predictors::parse_weights(bytes, "file").tensors(); });
}

bool read_legacy(std::span<const std::byte> bytes) {
  return accepts(bytes, [&] { return predictors::parse_legacy_checkpoint(bytes, "file"); });
}

// As the pickle of a zip whose storages lie in the same bytes.
bool read_pickle(std::span<const std::byte> bytes) {
  constexpr std::array<std::string_view, 20> kStorages = {
      "a/data/0",  "a/data/1",  "a/data/2",  "a/data/3",  "a/data/4",  "a/data/5",  "a/data/6",
      "a/data/7",  "a/data/8",  "a/data/9",  "a/data/10", "a/data/11", "a/data/12", "a/data/13",
      "a/data/14", "a/data/15", "a/data/16", "a/data/17", "a/data/18", "a/data/19"};
  ZipDirectory directory = {{"a/data.pkl", {.data = bytes}}};
  for (const auto& name : kStorages) directory.emplace(name, ZipEntry{.data = bytes});
  return accepts(bytes,
                 [&] { return predictors::parse_zip_checkpoint(directory, bytes.size(), "file"); });
}

bool read_card(std::span<const std::byte> bytes) {
  try {
    (void)predictors::parse_model_card({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                                       "file");
  } catch (const Error&) {
    return false;
  }
  return true;
}

}  // namespace

std::span<const FuzzTarget> fuzz_targets() {
  static constexpr std::array<FuzzTarget, 5> kTargets = {{{"safetensors", read_safetensors},
                                                          {"zip_checkpoint", read_any},
                                                          {"legacy_checkpoint", read_legacy},
                                                          {"pickle", read_pickle},
                                                          {"model_card", read_card}}};
  return kTargets;
}

}  // namespace vergence::test
