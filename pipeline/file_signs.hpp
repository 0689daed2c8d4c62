// SPDX-License-Identifier: Apache-2.0
// Finds the signs in a file by which players decide how to show it.
#pragma once

#include "pipeline/players.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace vergence::pipeline {

// Whether a file begins like a JPEG, whatever its name says. False also where it cannot be read.
[[nodiscard]] bool is_jpeg_file(const std::filesystem::path& path);

// Of a video or a photo: by content where that tells a JPEG or a video, else by name. Throws Error:
// missing, a folder, neither.
[[nodiscard]] FileSigns signs_of(const std::filesystem::path& path);

// A warning where the picture of a file, or the first one of a video, does not look like two eyes'
// views that lie as `stereo` says; nothing where it does, or where that cannot be told.
[[nodiscard]] std::optional<std::string> unlike_eyes(const std::filesystem::path& path,
                                                     media::StereoTag stereo);

}  // namespace vergence::pipeline
