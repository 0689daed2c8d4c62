// SPDX-License-Identifier: Apache-2.0
// What a video is: the words that its reader (video_reader.hpp) and its writer (video_writer.hpp)
// share. Colour is named as FFmpeg names it ("bt709", "smpte2084"); an empty name = not said.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include <opencv2/core.hpp>

namespace vergence::media {

// A fraction, in lowest terms where it comes from here; den > 0 (0/1 = not known).
struct Rational {
  std::int64_t num = 0;
  std::int64_t den = 1;

  [[nodiscard]] double value() const { return static_cast<double>(num) / static_cast<double>(den); }

  bool operator==(const Rational&) const = default;
};

// How the numbers of a picture are colours (ITU-T H.273).
struct ColorTags {
  std::string primaries;
  std::string transfer;
  std::string matrix;
  bool full_range = false;
  std::string chroma_location;

  bool operator==(const ColorTags&) const = default;
};

// Static metadata of HDR10 (SMPTE ST 2086, CTA-861.3).
struct MasteringDisplay {
  std::array<std::array<Rational, 2>, 3> primaries;  // x, y of red, green and blue (CIE 1931)
  std::array<Rational, 2> white_point;
  Rational min_luminance;  // cd/m2
  Rational max_luminance;
};

struct ContentLight {
  unsigned max_content = 0;        // MaxCLL, cd/m2
  unsigned max_frame_average = 0;  // MaxFALL
};

struct HdrMetadata {
  std::optional<MasteringDisplay> mastering;
  std::optional<ContentLight> light;
};

// How two eyes lie in the frames of a file; told to players by boxes (MP4 st3d), by StereoMode
// (Matroska) and by frame-packing messages in the bitstream (H.264, H.265). The left eye comes
// first; players cannot be told the opposite in MP4.
enum class StereoTag {
  kNone,
  kSideBySide,
  kTopBottom,
  kRowInterleaved,
  kColumnInterleaved,
  kCheckerboard,
  kFrameSequential
};

// Which part of the sphere each eye's picture shows, as files tell it (Google's Spherical Video V2
// and V1, Matroska's Projection). Absent = a flat picture.
struct SphericalTag {
  enum class Projection {
    kEquirectangular,  // cropped: less than the whole sphere (VR180)
    kCubemap,          // 3 x 2
    kMesh,             // a mesh of its own: read only
    kFisheye,          // of Apple's boxes only
  };
  Projection projection = Projection::kEquirectangular;
  // Shares of the full 360 x 180 degrees that are cut away, 0..1; VR180: left = right = 0.25.
  double top = 0.0;
  double bottom = 0.0;
  double left = 0.0;
  double right = 0.0;
  // Pose in degrees, as the boxes have it (counter-clockwise about up, right and forward).
  double yaw_deg = 0.0;
  double pitch_deg = 0.0;
  double roll_deg = 0.0;

  bool operator==(const SphericalTag&) const = default;
};

// One picture of a video.
struct VideoFrame {
  // RGB, full range, CV_8UC3, or CV_16UC3 (0..65535) where the video has more than 8 bits.
  cv::Mat picture;
  std::int64_t pts = 0;       // when it is shown, in the video's time base
  std::int64_t duration = 0;  // time base; 0 = until the next one
  std::int64_t index = 0;     // counts the frames that the reader gives, from 0
};

}  // namespace vergence::media
