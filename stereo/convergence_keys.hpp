// SPDX-License-Identifier: Apache-2.0
// Convergence over time from a text file, for DepthStabilizer.
#pragma once

#include "stereo/depth_stabilizer.hpp"

#include <filesystem>
#include <string_view>
#include <vector>

namespace vergence::stereo {

// Reads keys, one a line: a time and a convergence, apart by a comma, semicolon, spaces or tabs.
//
//   # what stands on the screen
//   time, convergence
//   0, 0.5
//   83.2; 0.35
//   1:02:10.5  0.6
//
// Times are seconds or [hours:]minutes:seconds, >= 0, each later than the one before; convergence
// is from -1 to 2 (0..1 is inside the range of depth). Lines that begin with '#' and empty ones do
// not count, nor does a first one that begins with a letter.
// Throws Error naming the file, the line and what is wrong with it, for no key at all, for more
// than 100,000, and for a file that cannot be read.
[[nodiscard]] std::vector<ConvergenceKey> read_convergence_keys(const std::filesystem::path& path);

// The same from text; `name` stands for the file in messages.
[[nodiscard]] std::vector<ConvergenceKey> parse_convergence_keys(std::string_view text,
                                                                 std::string_view name);

}  // namespace vergence::stereo
