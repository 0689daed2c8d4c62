// SPDX-License-Identifier: Apache-2.0
// Both eyes in one frame, as players and screens expect them.
#pragma once

#include "stereo/anaglyph.hpp"
#include "stereo/scanline_warp.hpp"

#include <optional>
#include <span>
#include <string_view>

#include <opencv2/core.hpp>

namespace vergence::stereo {

// The names in configuration stand in brackets. An eye's picture has width W and height H.
enum class Layout {
  kFullSideBySide,     // [full_sbs] 2 W x H
  kHalfSideBySide,     // [half_sbs] W x H, each eye squeezed to half the width
  kFullTopBottom,      // [full_tb] W x 2 H
  kHalfTopBottom,      // [half_tb] W x H, each eye squeezed to half the height
  kCrossEyed,          // [cross_eyed] full side by side, the right eye's picture on the left
  kRowInterleaved,     // [row_interleaved] W x H, rows of the eyes in turn
  kColumnInterleaved,  // [column_interleaved] the same with columns
  kCheckerboard,       // [checkerboard] the same with single pixels
  kAnaglyph,           // [anaglyph] W x H for coloured glasses
  kFullRgbd,           // [full_rgbd] 2 W x H: the picture, and its nearness as grey (near = white)
  kHalfRgbd,           // [half_rgbd] W x H, both squeezed to half the width
  kDepth,              // [depth] W x H, nearness alone as grey
};

// The word for a layout, the layout for a word (nothing if there is none; '-' may stand for '_'),
// and all words.
[[nodiscard]] std::string_view to_string(Layout layout);
[[nodiscard]] std::optional<Layout> layout_from_string(std::string_view word);
[[nodiscard]] std::span<const std::string_view> layout_words();

// Whether a layout shows the picture and its depth instead of two eyes.
[[nodiscard]] bool shows_depth(Layout layout);

// Size of the frame for eyes of this size. Squeezed halves are rounded up: their frame is even.
[[nodiscard]] cv::Size frame_size(Layout layout, cv::Size eye);

struct LayoutOptions {
  Layout layout = Layout::kFullSideBySide;
  Eye first = Eye::kLeft;  // whose picture is on the left, on top, or in the first row or column
  Anaglyph anaglyph = Anaglyph::kDubois;
};

// Puts both eyes into one frame. `left` and `right`: one size and type, CV_8U, CV_16U or CV_32F, 1,
// 3 or 4 channels. `frame` is allocated only if its size or type is another; it must be neither.
// `first` does not matter for anaglyphs and is the other way round for cross-eyed frames.
// Throws std::invalid_argument for unequal eyes, or a layout that shows depth.
void pack_eyes(const cv::Mat& left, const cv::Mat& right, const LayoutOptions& options,
               cv::Mat& frame);

// Puts a picture and its nearness (CV_32FC1, 0..1, the picture's size) into one frame of a layout
// that shows depth; grey has the picture's type, full scale = nearest, rounded. Throws
// std::invalid_argument for other sizes and layouts.
void pack_depth(const cv::Mat& picture, const cv::Mat& nearness, Layout layout, cv::Mat& frame);

// The picture scaled to fit `size` with its proportions, in the middle of black bars.
[[nodiscard]] cv::Mat letterbox(const cv::Mat& picture, cv::Size size);

// The largest size with these proportions within the limits (0 = none), never larger than `size`;
// both numbers even if it had to shrink.
[[nodiscard]] cv::Size fit_within(cv::Size size, cv::Size limit);

// Pads the sides of both eyes with black so that the eyes' pictures stand further apart (> 0, for
// a small distance between the viewer's eyes) or closer: iw3's --ipd-offset, percent of the long
// side. With p = that in pixels, made even: the outer side of each eye by 2 p, the inner by p, or
// the other way round for an offset below 0.
void pad_for_eye_distance(float offset_percent, cv::Mat& left, cv::Mat& right);

}  // namespace vergence::stereo
