// SPDX-License-Identifier: Apache-2.0
// Between FFmpeg's frames and pictures: Y'CbCr, RGB, grey, palettes and alpha of any depth into RGB
// of full range and back, always with a stated matrix and range; not installed.
#pragma once

#include "media/libav.hpp"
#include "media/video.hpp"
#include "media/video_facts.hpp"

#include <string>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::media {

// ColorTags as FFmpeg's enumerations (AVCOL_PRI_*, AVCOL_TRC_*, AVCOL_SPC_*, AVCOL_RANGE_*,
// AVCHROMA_LOC_*).
struct ColorCodes {
  int primaries = 2;  // 2 = unspecified
  int transfer = 2;
  int matrix = 2;
  int range = 0;
  int chroma_location = 0;
};

// The codes of names; an empty name is "unspecified", "bt601" as a matrix is "smpte170m". Throws
// Error(kUsage) for a name that FFmpeg does not know.
[[nodiscard]] ColorCodes color_codes(const ColorTags& tags);

// What a decoded frame says; nothing is guessed but the range (of the pixel format where it is not
// said: RGB, grey and "yuvj" are full).
[[nodiscard]] ColorTags color_tags(const AVFrame& frame);

// The tags with a matrix that suits the pixel format: "gbr" for RGB formats; for the others, where
// the tags say nothing or "gbr", BT.709 from 720 lines on and BT.601 below. RGB formats have the
// full range.
[[nodiscard]] ColorTags resolved_tags(ColorTags tags, const std::string& pixel_format, int lines);

// Bits of a channel; 0 for a name that is no pixel format.
[[nodiscard]] int bits_of(const std::string& pixel_format);

// Decoded frames to pictures. Chroma is interpolated linearly from where its samples lie
// (AVFrame::chroma_location; "left" where it is not said, as H.264 and MPEG-2 have it). Transparent
// pixels are composed over black.
class FrameToPicture {
 public:
  // `color.matrix` and `color.full_range` are believed, whatever the frames say. `done` has been
  // done to the frames since they were decoded: chroma samples have moved along. Throws Error for a
  // matrix that is no matrix ("ictcp").
  explicit FrameToPicture(const ColorTags& color, const Orientation& done = {});

  // CV_8UC3 where the frame has 8 bits or fewer, else CV_16UC3 (0..65535). `picture` is written
  // over where it has the right size and type and no other owner. Throws Error for a pixel format
  // of hardware, of floating point, of X'Y'Z' or of bits.
  void rgb(const AVFrame& frame, cv::Mat& picture);

  // The numbers of the luminance plane, as they are: CV_8UC1 or CV_16UC1. Frames without such a
  // plane (RGB, palettes) give the grey of their RGB.
  void luminance(const AVFrame& frame, cv::Mat& picture);

 private:
  const AVFrame& planar(const AVFrame& frame);

  ColorTags color_;
  Orientation done_;
  libav::FramePtr unpacked_;
};

// Pictures to frames for an encoder. Chroma is the mean over the luma pixels around its place.
class PictureToFrame {
 public:
  // Frames of `pixel_format` (FFmpeg's name), with resolved_tags(color). Throws Error(kUsage) for
  // another name or a format of hardware.
  PictureToFrame(cv::Size size, const std::string& pixel_format, const ColorTags& color);

  // A CV_8UC3 or CV_16UC3 RGB picture, or a grey one (CV_8UC1, CV_16UC1; to a grey format of its
  // depth the values go as they are). Colour fields are set; pts and the like are the caller's. The
  // frame stays ours, good until the next call; an encoder takes references, and a frame is not
  // written again before they are gone. Throws std::invalid_argument for another size or type.
  [[nodiscard]] AVFrame& convert(const cv::Mat& picture);

  // What the frames are tagged with.
  [[nodiscard]] const ColorTags& color() const { return color_; }

 private:
  AVFrame& free_frame(std::vector<libav::FramePtr>& pool, int format) const;

  cv::Size size_;
  int format_;
  ColorTags color_;
  std::vector<libav::FramePtr> frames_;
  std::vector<libav::FramePtr> planar_frames_;
};

}  // namespace vergence::media
