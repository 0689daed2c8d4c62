// SPDX-License-Identifier: Apache-2.0
// What `vergence models` tells and does: known networks, their licences and their files.
#pragma once

#include "core/progress.hpp"

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vergence::pipeline {

struct ModelsReport {
  std::string text;
  std::string json;                   // an array with an object for each network or file
  std::vector<std::string> problems;  // model cards that cannot be read, a sentence each
  int num_failed = 0;                 // verify: files that are missing or differ
  int num_files = 0;                  // verify: of so many
};

// One line per known network: name, licence, size, where its file is.
[[nodiscard]] ModelsReport list_models();

// All that the cards say, in words. Throws Error(kUsage) for an unknown name.
[[nodiscard]] ModelsReport describe_models(std::span<const std::string> names);

// Compares files with the digests on their cards, or those pinned at the first fetch. A name is a
// known network or a file; none at all stand for all known networks that are on this machine.
// Throws Error(kUsage) for a name that is neither.
[[nodiscard]] ModelsReport verify_models(std::span<const std::string> names, Progress& progress);

struct FetchRequest {
  std::filesystem::path folder;  // empty: the first model folder
  std::string url;               // empty: that of the card
  bool force = false;            // fetch also what is there already
  bool accept_license = false;   // needed where commercial use is forbidden
  double stall_s = 30.0;         // as predictors::DownloadRequest
  int tries = 5;                 // likewise
};

// What can be known before the first byte: unknown networks, licences that were not agreed to.
// Throws Error(kUsage).
void check_fetch(std::span<const std::string> names, const FetchRequest& request);

// Fetches a network's file, or checks the one that is there; the licence is logged before. Nothing
// for a network inside the program. Throws Error.
[[nodiscard]] std::optional<std::filesystem::path> fetch_model(const std::string& name,
                                                               const FetchRequest& request,
                                                               Progress& progress);

}  // namespace vergence::pipeline
