// SPDX-License-Identifier: Apache-2.0
// Both eyes in one picture for glasses with coloured filters.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include <opencv2/core.hpp>

namespace vergence::stereo {

// Red filter before the left eye, cyan before the right one, except for the last two. The names in
// configuration stand in brackets.
enum class Anaglyph {
  kColor,         // [color] red of the left, green and blue of the right picture
  kGray,          // [gray] brightness of either
  kHalfColor,     // [half_color] brightness of the left, green and blue of the right
  kWimmer,        // [wimmer] red from the left picture's green and blue ("optimised")
  kWimmer2,       // [wimmer2] the same with a gamma, and with red spread to green and blue first
  kDubois,        // [dubois] least squares in linear light (Dubois, ICASSP 2001), parts cut to 0..1
  kDubois2,       // [dubois2] the same, only the sum cut
  kAmberBlue,     // [amber_blue] Dubois' matrix for amber and blue filters
  kGreenMagenta,  // [green_magenta] Dubois' matrix for green and magenta filters
};

// The word for a kind, the kind for a word (nothing if there is none; '-' may stand for '_'), and
// all words.
[[nodiscard]] std::string_view to_string(Anaglyph kind);
[[nodiscard]] std::optional<Anaglyph> anaglyph_from_string(std::string_view word);
[[nodiscard]] std::span<const std::string_view> anaglyph_words();

// The anaglyph of two pictures of one size and type: RGB, CV_8UC3, CV_16UC3 or CV_32FC3 (0..1),
// encoded as sRGB. Throws std::invalid_argument for others.
void make_anaglyph(const cv::Mat& left, const cv::Mat& right, Anaglyph kind, cv::Mat& picture);

}  // namespace vergence::stereo
