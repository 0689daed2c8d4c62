// SPDX-License-Identifier: Apache-2.0
// Makes depth predictors: the embedded network, a TorchScript file with its model card, a folder of
// maps. None of these calls maps LibTorch; it is opened by the first predict() of a network.
#pragma once

#include "core/depth.hpp"
#include "core/predictor.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace vergence::predictors {

// Where and with how much a network runs.
struct RunOptions {
  std::string device = "auto";  // "auto" (CUDA where LibTorch has it), "cpu", "cuda" or "cuda:N"
  int threads = 0;              // CPU threads, >= 0; 0 = core's thread_count()
};

struct NanoOptions {
  int size_px = 256;  // short side of the network's input, 64-2048, taken to a multiple of 32;
                      // 224-256 is best, larger is slower and not better
};

struct TorchScriptOptions {
  std::filesystem::path path;  // the TorchScript file
  std::filesystem::path card;  // its model card (docs/model-cards.md)
};

// Reads the file as a map of the kind asked for; throws Error naming the file where it cannot.
using DepthReader = std::function<AnyDepth(const std::filesystem::path&, DepthKind)>;

struct FilesOptions {
  std::filesystem::path folder;            // holds NAME.npy, .exr, .pfm or .png for every picture
  DepthKind kind = DepthKind::kDisparity;  // what the files hold
  bool metric = false;                     // they are in metres, not only up to one scale
  DepthReader read;                        // how to read one (media/ knows the formats)
};

// The embedded network `nano` (models/nano/MODEL_CARD.md); gives disparities. Throws Error(kUsage)
// for a size, device or thread count out of range.
[[nodiscard]] std::unique_ptr<DepthPredictor> make_nano(const NanoOptions& options,
                                                        const RunOptions& run = {});

// Any TorchScript network as its card describes it. Throws Error for a card with mistakes (all of
// them at once), a missing file, or a file that is something else than TorchScript (told by
// content); what only LibTorch can tell comes with the first predict().
[[nodiscard]] std::unique_ptr<DepthPredictor> make_torchscript(const TorchScriptOptions& options,
                                                               const RunOptions& run = {});

// Maps made elsewhere: for a picture "view_00" the first that exists of view_00.npy, .exr, .pfm,
// .png in the folder. Throws Error where the folder does not exist; predict() throws Error naming
// the picture and the files looked for where there is none.
[[nodiscard]] std::unique_ptr<DepthPredictor> make_files(const FilesOptions& options);

}  // namespace vergence::predictors
