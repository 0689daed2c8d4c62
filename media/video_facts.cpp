// SPDX-License-Identifier: Apache-2.0
#include "media/video_facts.hpp"

#include "media/libav.hpp"

#include <cmath>
#include <cstdint>
#include <cstdlib>

extern "C" {
#include <libavformat/avformat.h>
#include <libavutil/mastering_display_metadata.h>
#include <libavutil/stereo3d.h>
}

namespace vergence::media {
namespace {

// A record of the stream, else of the frame; null where neither has one of that size.
template <typename T>
const T* side_data(const AVStream& stream, AVPacketSideDataType in_stream, const AVFrame& frame,
                   AVFrameSideDataType in_frame, std::size_t size = sizeof(T)) {
  std::size_t stored = 0;
  const std::uint8_t* bytes = av_stream_get_side_data(&stream, in_stream, &stored);
  if (bytes != nullptr && stored >= size) return reinterpret_cast<const T*>(bytes);
  const AVFrameSideData* entry = av_frame_get_side_data(&frame, in_frame);
  if (entry != nullptr && entry->size >= size) return reinterpret_cast<const T*>(entry->data);
  return nullptr;
}

std::optional<MasteringDisplay> mastering_of(const AVMasteringDisplayMetadata& data) {
  if (data.has_primaries == 0 && data.has_luminance == 0) return std::nullopt;
  MasteringDisplay display;
  for (std::size_t color = 0; color < 3; ++color) {
    for (std::size_t axis = 0; axis < 2; ++axis) {
      display.primaries[color][axis] = libav::rational(data.display_primaries[color][axis]);
    }
  }
  for (std::size_t axis = 0; axis < 2; ++axis) {
    display.white_point[axis] = libav::rational(data.white_point[axis]);
  }
  display.min_luminance = libav::rational(data.min_luminance);
  display.max_luminance = libav::rational(data.max_luminance);
  return display;
}

std::optional<StereoTag> tag_of(AVStereo3DType type) {
  switch (type) {
    case AV_STEREO3D_SIDEBYSIDE:
    case AV_STEREO3D_SIDEBYSIDE_QUINCUNX:
      return StereoTag::kSideBySide;
    case AV_STEREO3D_TOPBOTTOM:
      return StereoTag::kTopBottom;
    case AV_STEREO3D_FRAMESEQUENCE:
      return StereoTag::kFrameSequential;
    case AV_STEREO3D_CHECKERBOARD:
      return StereoTag::kCheckerboard;
    case AV_STEREO3D_LINES:
      return StereoTag::kRowInterleaved;
    case AV_STEREO3D_COLUMNS:
      return StereoTag::kColumnInterleaved;
    default:
      return std::nullopt;
  }
}

}  // namespace

int Orientation::clockwise_deg() const {
  if (transpose) return mirror_x ? 90 : 270;
  return mirror_x && mirror_y ? 180 : 0;
}

std::string Orientation::filter() const {
  if (transpose) {
    const char* direction =
        mirror_x ? (mirror_y ? "clock_flip" : "clock") : (mirror_y ? "cclock" : "cclock_flip");
    return std::string("transpose=") + direction;
  }
  std::string filters = mirror_x ? "hflip" : "";
  if (mirror_y) filters += filters.empty() ? "vflip" : ",vflip";
  return filters;
}

Orientation orientation_of(const AVStream& stream, const AVFrame& frame) {
  const auto* matrix =
      side_data<std::int32_t>(stream, AV_PKT_DATA_DISPLAYMATRIX, frame, AV_FRAME_DATA_DISPLAYMATRIX,
                              9 * sizeof(std::int32_t));
  if (matrix == nullptr) return {};
  // x' = m[0] x + m[3] y, y' = m[1] x + m[4] y, with y downwards.
  const auto size = [&](int i) { return std::abs(static_cast<double>(matrix[i])); };
  if (size(0) + size(4) >= size(1) + size(3)) {
    return {.transpose = false, .mirror_x = matrix[0] < 0, .mirror_y = matrix[4] < 0};
  }
  return {.transpose = true, .mirror_x = matrix[3] < 0, .mirror_y = matrix[1] < 0};
}

HdrMetadata hdr_of(const AVStream& stream, const AVFrame& frame) {
  HdrMetadata hdr;
  if (const auto* mastering =
          side_data<AVMasteringDisplayMetadata>(stream, AV_PKT_DATA_MASTERING_DISPLAY_METADATA,
                                                frame, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA)) {
    hdr.mastering = mastering_of(*mastering);
  }
  if (const auto* light = side_data<AVContentLightMetadata>(
          stream, AV_PKT_DATA_CONTENT_LIGHT_LEVEL, frame, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL)) {
    if (light->MaxCLL != 0 || light->MaxFALL != 0) {
      hdr.light = ContentLight{.max_content = light->MaxCLL, .max_frame_average = light->MaxFALL};
    }
  }
  return hdr;
}

std::optional<StereoFacts> stereo_of(const AVStream& stream, const AVFrame& frame) {
  const auto* data =
      side_data<AVStereo3D>(stream, AV_PKT_DATA_STEREO3D, frame, AV_FRAME_DATA_STEREO3D);
  if (data == nullptr) return std::nullopt;
  const auto tag = tag_of(data->type);
  if (!tag) return std::nullopt;
  return StereoFacts{.tag = *tag, .right_first = (data->flags & AV_STEREO3D_FLAG_INVERT) != 0};
}

std::optional<StereoTag> bitstream_stereo_of(const AVFrame& frame) {
  const AVFrameSideData* entry = av_frame_get_side_data(&frame, AV_FRAME_DATA_STEREO3D);
  if (entry == nullptr || entry->size < sizeof(AVStereo3D)) return std::nullopt;
  return tag_of(reinterpret_cast<const AVStereo3D*>(entry->data)->type);
}

}  // namespace vergence::media
