// SPDX-License-Identifier: Apache-2.0
// Makes depth predictors (a network by its model card, or a folder of maps) and learned warps. None
// of these calls maps LibTorch; it is opened by the first use of a network.
#pragma once

#include "core/depth.hpp"
#include "core/predictor.hpp"
#include "core/warp_network.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace vergence::predictors {

// In which numbers a network computes.
enum class Precision {
  kAuto,  // the fastest one that the card's error bound allows on this device
  kFloat32,
  kBFloat16,  // on CPUs; halves memory and, with AMX or AVX512-BF16, time
};

// "auto", "f32", "bf16"; nothing for another word.
[[nodiscard]] std::optional<Precision> precision_from_string(std::string_view word);

// Where and with how much a network runs.
struct RunOptions {
  std::string device = "auto";  // "auto" (CUDA where LibTorch has it), "cpu", "cuda" or "cuda:N"
  int threads = 0;              // CPU threads, >= 0; 0 = core's thread_count()
  Precision precision = Precision::kAuto;
};

// Which network, and how it is used.
struct NetworkOptions {
  std::string name = "nano";           // a known network (model_registry.hpp); unused with `card`
  std::filesystem::path card = {};     // a model card of your own (docs/model-cards.md)
  std::filesystem::path weights = {};  // its file; empty: looked for by the card
  int size_px = 0;                     // the card's input.size, 64-4096; 0 = as the card says
  bool flip = false;                   // average with the prediction of the mirrored picture
};

// Reads the file as a map of the kind asked for; throws Error naming the file where it cannot.
using DepthReader = std::function<AnyDepth(const std::filesystem::path&, DepthKind)>;

struct FilesOptions {
  std::filesystem::path folder;            // holds NAME.npy, .exr, .pfm or .png for every picture
  DepthKind kind = DepthKind::kDisparity;  // what the files hold
  bool metric = false;                     // they are in metres, not only up to one scale
  DepthReader read;                        // how to read one (media/ knows the formats)
};

// A network by its card. Weights are looked for in the model folders; those of `nano` are inside
// the program. Throws Error for an unknown network, a card with mistakes (all of them at once),
// missing weights, a file that is no weights (told by its content), a size that the card does not
// allow, and a device or thread count out of range; what only LibTorch can tell comes with the
// first predict().
[[nodiscard]] std::unique_ptr<DepthPredictor> make_network(const NetworkOptions& options,
                                                           const RunOptions& run = {});

// Which learned warp.
struct WarpNetworkOptions {
  std::string name = "row_flow_v3";    // a card with task = "warp" (model_registry.hpp)
  std::filesystem::path weights = {};  // its file; empty: looked for by the card
};

// A learned warp by its card (core/warp_network.hpp). Errors as of make_network(); also for the
// card of a network that predicts depth.
[[nodiscard]] std::unique_ptr<WarpNetwork> make_warp_network(const WarpNetworkOptions& options,
                                                             const RunOptions& run = {});

// Maps made elsewhere: for a picture "view_00" the first that exists of view_00.npy, .exr, .pfm,
// .png in the folder. Throws Error where the folder does not exist; predict() throws Error naming
// the picture and the files looked for where there is none.
[[nodiscard]] std::unique_ptr<DepthPredictor> make_files(const FilesOptions& options);

}  // namespace vergence::predictors
