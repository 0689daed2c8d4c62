// SPDX-License-Identifier: Apache-2.0
#include "media/stream_tags.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <new>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/spherical.h>
#include <libavutil/stereo3d.h>
}

namespace vergence::media {
namespace {

constexpr double kWhole = 4294967296.0;  // 1.0 in the 0.32 fixed point of bounds

std::optional<AVStereo3DType> stereo_type(StereoTag tag) {
  switch (tag) {
    case StereoTag::kNone:
    case StereoTag::kFrameSequential:
      return std::nullopt;
    case StereoTag::kSideBySide:
      return AV_STEREO3D_SIDEBYSIDE;
    case StereoTag::kTopBottom:
      return AV_STEREO3D_TOPBOTTOM;
    case StereoTag::kRowInterleaved:
      return AV_STEREO3D_LINES;
    case StereoTag::kColumnInterleaved:
      return AV_STEREO3D_COLUMNS;
    case StereoTag::kCheckerboard:
      return AV_STEREO3D_CHECKERBOARD;
  }
  return std::nullopt;
}

std::uint32_t fixed_0_32(double share) {
  const double scaled = std::round(std::clamp(share, 0.0, 1.0) * kWhole);
  return static_cast<std::uint32_t>(std::min(scaled, kWhole - 1));
}

std::int32_t fixed_16_16(double degrees) {
  return static_cast<std::int32_t>(std::lround(degrees * 65536));
}

}  // namespace

// FFmpeg moved side data of streams to their parameters in 6.1.
void add_side_data(AVStream& stream, int type, void* data, std::size_t size) {
  const auto kind = static_cast<AVPacketSideDataType>(type);
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
  AVCodecParameters& parameters = *stream.codecpar;
  const bool added =
      av_packet_side_data_add(&parameters.coded_side_data, &parameters.nb_coded_side_data, kind,
                              data, size, 0) != nullptr;
#else
  const bool added =
      av_stream_add_side_data(&stream, kind, static_cast<std::uint8_t*>(data), size) >= 0;
#endif
  if (added) return;
  av_free(data);
  throw std::bad_alloc();
}

void add_stereo(AVStream& stream, StereoTag tag, bool right_first) {
  const auto type = stereo_type(tag);
  if (!type) return;
  std::size_t size = sizeof(AVStereo3D);
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(59, 39, 100)
  AVStereo3D* stereo = av_stereo3d_alloc_size(&size);
#else
  AVStereo3D* stereo = av_stereo3d_alloc();
#endif
  if (stereo == nullptr) throw std::bad_alloc();
  stereo->type = *type;
  if (right_first) stereo->flags |= AV_STEREO3D_FLAG_INVERT;
  add_side_data(stream, AV_PKT_DATA_STEREO3D, stereo, size);
}

void add_spherical(AVStream& stream, const SphericalTag& tag) {
  const bool cube = tag.projection == SphericalTag::Projection::kCubemap;
  if (!cube && tag.projection != SphericalTag::Projection::kEquirectangular) return;
  std::size_t size = 0;
  AVSphericalMapping* mapping = av_spherical_alloc(&size);
  if (mapping == nullptr) throw std::bad_alloc();
  const bool cropped = tag.left + tag.right + tag.top + tag.bottom > 0;
  mapping->projection = cube      ? AV_SPHERICAL_CUBEMAP
                        : cropped ? AV_SPHERICAL_EQUIRECTANGULAR_TILE
                                  : AV_SPHERICAL_EQUIRECTANGULAR;
  mapping->yaw = fixed_16_16(tag.yaw_deg);
  mapping->pitch = fixed_16_16(tag.pitch_deg);
  mapping->roll = fixed_16_16(tag.roll_deg);
  if (!cube) {
    mapping->bound_left = fixed_0_32(tag.left);
    mapping->bound_top = fixed_0_32(tag.top);
    mapping->bound_right = fixed_0_32(tag.right);
    mapping->bound_bottom = fixed_0_32(tag.bottom);
  }
  add_side_data(stream, AV_PKT_DATA_SPHERICAL, mapping, size);
}

std::optional<SphericalTag> spherical_of(const AVStream& stream) {
  std::size_t size = 0;
  const std::uint8_t* data = av_stream_get_side_data(&stream, AV_PKT_DATA_SPHERICAL, &size);
  if (data == nullptr || size < sizeof(AVSphericalMapping)) return std::nullopt;
  const auto& mapping = *reinterpret_cast<const AVSphericalMapping*>(data);
  SphericalTag tag;
  tag.yaw_deg = mapping.yaw / 65536.0;
  tag.pitch_deg = mapping.pitch / 65536.0;
  tag.roll_deg = mapping.roll / 65536.0;
  switch (mapping.projection) {
    case AV_SPHERICAL_EQUIRECTANGULAR:
      return tag;
    case AV_SPHERICAL_EQUIRECTANGULAR_TILE:
      tag.left = mapping.bound_left / kWhole;
      tag.top = mapping.bound_top / kWhole;
      tag.right = mapping.bound_right / kWhole;
      tag.bottom = mapping.bound_bottom / kWhole;
      // Bounds that leave nothing are no bounds.
      if (tag.left + tag.right >= 1 || tag.top + tag.bottom >= 1) return std::nullopt;
      return tag;
    case AV_SPHERICAL_CUBEMAP:
      tag.projection = SphericalTag::Projection::kCubemap;
      return tag;
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(59, 39, 100)
    case AV_SPHERICAL_HALF_EQUIRECTANGULAR:
      tag.left = tag.right = 0.25;
      return tag;
    case AV_SPHERICAL_FISHEYE:
      tag.projection = SphericalTag::Projection::kFisheye;
      return tag;
#endif
    default:
      return std::nullopt;
  }
}

void copy_other_side_data(const AVStream& from, AVStream& to) {
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
  (void)from;  // came with the parameters
  for (const auto type : {AV_PKT_DATA_STEREO3D, AV_PKT_DATA_SPHERICAL}) {
    av_packet_side_data_remove(to.codecpar->coded_side_data, &to.codecpar->nb_coded_side_data,
                               type);
  }
#else
  for (int i = 0; i < from.nb_side_data; ++i) {
    const AVPacketSideData& record = from.side_data[i];
    if (record.type == AV_PKT_DATA_STEREO3D || record.type == AV_PKT_DATA_SPHERICAL) continue;
    auto* copy = static_cast<std::uint8_t*>(av_memdup(record.data, record.size));
    if (copy == nullptr) throw std::bad_alloc();
    add_side_data(to, record.type, copy, record.size);
  }
#endif
}

}  // namespace vergence::media
