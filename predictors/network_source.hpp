// SPDX-License-Identifier: Apache-2.0
// From a model card to an open network: licence, weights, device. What depth predictors and learned
// warps have in common; not installed.
#pragma once

#include "predictors/model_card.hpp"
#include "predictors/network.hpp"
#include "predictors/predictor_factory.hpp"

#include <filesystem>
#include <functional>
#include <memory>

namespace vergence::predictors {

// What the module `torch` needs for the network of `card`; warns once where its licence forbids
// commercial use. `weights`: its file, or empty: that inside the program, or looked for by the
// card. Throws Error for missing weights, a file that is none, and a device or thread count out of
// range.
[[nodiscard]] NetworkSource network_source(const ModelCard& card,
                                           const std::filesystem::path& weights,
                                           const RunOptions& run);

// Maps LibTorch and builds the network.
[[nodiscard]] std::unique_ptr<Network> open_network(const NetworkSource& source);

// Calls body(index, threads) for 0 <= index < count. One worker per thread takes items one by one:
// on a CPU that beats threads inside the network by far (bench/predictor_bench.cpp). What is left
// of `threads` for each worker goes to the network. Errors as of parallel_for().
void for_each_item(int count, int threads, const std::function<void(int index, int threads)>& body);

}  // namespace vergence::predictors
