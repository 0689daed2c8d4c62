// SPDX-License-Identifier: Apache-2.0
// What a record tells about a job's outputs: numbers against a ground truth, and a small picture.
#pragma once

#include "config/config.hpp"
#include "core/progress.hpp"
#include "pipeline/eval_job.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::pipeline {

// The metrics of a depth file that a job has written, as `vergence eval` with the configuration's
// `eval` gives them. Unless the user sets these: panoramas are compared with eval.sphere, and what
// is known up to one scale only with eval.align=median. Throws Error naming the file.
[[nodiscard]] EvalReport evaluate_result(const std::filesystem::path& output,
                                         const std::filesystem::path& ground_truth,
                                         const config::Config& config);

// The result, of a video the frame in its middle, as a JPEG that fits into `longest_px`; nothing
// for what is neither.
[[nodiscard]] std::optional<std::vector<std::uint8_t>> small_picture(
    const std::filesystem::path& output, int longest_px);

// SHA-256 of a file; empty for what cannot be read (a pipe, a file that is gone).
[[nodiscard]] std::string digest_of(const std::filesystem::path& path, Progress& progress);

// Keys of type path whose value is a file that exists, and ("weights of NAME") the files of the
// networks.
struct NamedFile {
  std::string key;
  std::filesystem::path path;
};

[[nodiscard]] std::vector<NamedFile> files_named_by(const config::Config& config);

}  // namespace vergence::pipeline
