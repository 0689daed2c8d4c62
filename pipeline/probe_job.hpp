// SPDX-License-Identifier: Apache-2.0
// Explains what a video or photo says of itself, and what each family of players takes it for.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace vergence::pipeline {

struct ProbeReport {
  std::string text;  // for people
  std::string json;  // one object
};

// Throws Error: missing, a folder, neither video nor photo.
[[nodiscard]] ProbeReport probe_file(const std::filesystem::path& path);

// The objects of several reports as one JSON array.
[[nodiscard]] std::string json_of(const std::vector<ProbeReport>& reports);

}  // namespace vergence::pipeline
