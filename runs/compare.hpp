// SPDX-License-Identifier: Apache-2.0
// What differs between runs: settings, circumstances, inputs and results.
#pragma once

#include "runs/record.hpp"

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace vergence::runs {

struct NamedRecord {
  std::string name;  // for messages and heads of columns
  Record record;
};

// One thing that is not the same everywhere; a run that lacks it has "-".
struct Difference {
  std::string what;                 // "views.fov_deg", "output room_depth.exr", "abs_rel"
  std::vector<std::string> values;  // by run
};

struct Comparison {
  std::vector<std::string> names;
  std::vector<Difference> settings;
  std::vector<Difference> circumstances;  // version, device, threads, seeds, inputs' hashes
  std::vector<Difference> results;        // outputs' hashes, metrics, state
};

// Records of runs: a job's folder, or a multirun's, which stands for its jobs. Throws Error.
[[nodiscard]] std::vector<NamedRecord> read_runs(std::span<const std::filesystem::path> runs);

[[nodiscard]] Comparison compare(std::span<const NamedRecord> runs);

// For people: three parts, one line per difference, ending with a line break.
[[nodiscard]] std::string to_table(const Comparison& comparison);

// {"runs": [...], "settings": [{"key", "values"}], "circumstances": [...], "results": [...]},
// indented by two, ending with a line break.
[[nodiscard]] std::string to_json(const Comparison& comparison);

}  // namespace vergence::runs
