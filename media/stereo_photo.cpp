// SPDX-License-Identifier: Apache-2.0
// VR photos: https://developers.google.com/vr/reference/cardboard-camera-vr-photo-format.
#include "media/stereo_photo.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "core/text.hpp"
#include "media/codec.hpp"
#include "media/heif_group.hpp"
#include "media/jpeg_segments.hpp"
#include "media/multi_picture.hpp"
#include "media/photo_tags.hpp"
#include "media/xmp.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

extern "C" {
#include <libavutil/base64.h>
#include <libavutil/md5.h>
}

namespace vergence::media {
namespace fs = std::filesystem;

namespace {

using codec::as_bytes;
using codec::as_text;
using codec::Bytes;
using codec::XmpPacket;

// What the encoders share.
struct Pair {
  const cv::Mat& left;
  const cv::Mat& right;
  const StereoPhotoOptions& options;
  std::string_view name;

  [[nodiscard]] PictureView view() const { return {.spherical = options.spherical}; }

  // The photo is described once, where programs look for it and can change it: with the left eye.
  [[nodiscard]] PictureBlocks right_blocks() const { return {.icc = options.carried.icc}; }

  [[nodiscard]] bool equirectangular() const {
    return options.spherical &&
           options.spherical->projection == SphericalTag::Projection::kEquirectangular;
  }
};

[[noreturn]] void throw_unfit(const Pair& pair, const std::string& reason,
                              const std::string& hint) {
  throw Error(fmt::format("cannot write '{}': {}", pair.name, reason)).hint(hint);
}

std::vector<std::uint8_t> eye_jpeg(const Pair& pair, const cv::Mat& eye) {
  constexpr int kMostOfJpeg = 65500;
  if (std::max(eye.cols, eye.rows) > kMostOfJpeg) {
    throw_unfit(pair, fmt::format("{}x{} pixels are too many for JPEG", eye.cols, eye.rows),
                "make the eyes' pictures smaller");
  }
  cv::Mat shallow = eye;
  if (eye.depth() == CV_16U) eye.convertTo(shallow, CV_8U, 255.0 / 65535.0);
  return codec::encode_jpeg(shallow, pair.options.quality);
}

std::string base64(const std::vector<std::uint8_t>& bytes) {
  std::string text(AV_BASE64_SIZE(bytes.size()), '\0');
  av_base64_encode(text.data(), static_cast<int>(text.size()), bytes.data(),
                   static_cast<int>(bytes.size()));
  text.pop_back();  // the terminating zero
  return text;
}

std::string md5(std::string_view text) {
  std::array<std::uint8_t, 16> digest{};
  av_md5_sum(digest.data(), as_bytes(text).data(), text.size());
  std::string hex;
  for (const int byte : digest) hex += fmt::format("{:02X}", byte);
  return hex;
}

constexpr std::size_t kMostOfVrEye = std::size_t{1} << 30;  // base64 by int sizes

std::vector<std::uint8_t> encode_vr_jpeg(const Pair& pair) {
  if (!pair.equirectangular()) {
    throw_unfit(pair, "a VR photo (.vr.jpg) holds equirectangular pictures only",
                "choose half_equirectangular or equirectangular, or write a .mpo or .jpg file");
  }
  codec::JpegTags right;
  right.blocks = codec::blocks_for(pair.right, {}, pair.right_blocks());
  const auto right_jpeg = codec::tagged_jpeg(eye_jpeg(pair, pair.right), right).bytes;
  if (right_jpeg.size() > kMostOfVrEye) {
    throw_unfit(pair, "the right eye's picture is too large for a VR photo",
                "lower the JPEG quality or the size");
  }
  codec::JpegTags left;
  left.extended_xmp = fmt::format(
      "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF "
      "xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description "
      "rdf:about=\"\" xmlns:GImage=\"{}\" GImage:Data=\"{}\"/></rdf:RDF></x:xmpmeta>",
      codec::kGImage.uri, base64(right_jpeg));
  left.extended_guid = md5(left.extended_xmp);
  // Google Photos understands attributes of one rdf:Description alone, so no lists.
  XmpPacket xmp(pair.options.carried.xmp);
  xmp.keep_descriptions(true);
  codec::describe_view(pair.view(), pair.left.size(), xmp);
  xmp.set(codec::kGPano, "InitialViewHeadingDegrees", "180");  // as VR180 cameras write it
  xmp.set(codec::kGImage, "Mime", "image/jpeg");
  xmp.set(codec::kXmpNote, "HasExtendedXMP", left.extended_guid);
  left.blocks = codec::blocks_for(pair.left, {}, pair.options.carried);
  left.blocks.xmp = xmp.serialized();
  return codec::tagged_jpeg(eye_jpeg(pair, pair.left), left).bytes;
}

std::vector<std::uint8_t> encode_mpo(const Pair& pair) {
  const auto& options = pair.options;
  codec::JpegTags tags;
  tags.blocks = codec::blocks_for(pair.right, pair.view(), pair.right_blocks());
  tags.multi_picture = codec::right_multi_picture(options.baseline_m);
  const auto right = codec::tagged_jpeg(eye_jpeg(pair, pair.right), tags).bytes;
  const auto jpeg = eye_jpeg(pair, pair.left);
  // The index speaks of sizes that do not depend on what it says.
  tags.blocks = codec::blocks_for(pair.left, pair.view(), options.carried);
  tags.multi_picture = codec::left_multi_picture({}, options.baseline_m);
  auto left = codec::tagged_jpeg(jpeg, tags);
  if (left.bytes.size() + right.size() > std::numeric_limits<std::uint32_t>::max()) {
    throw_unfit(pair, "both eyes' pictures take more than the 4 GB of a multi-picture file",
                "lower the JPEG quality or the size");
  }
  tags.multi_picture = codec::left_multi_picture(
      {left.bytes.size(), right.size(), left.multi_picture_at}, options.baseline_m);
  left = codec::tagged_jpeg(jpeg, tags);
  left.bytes.insert(left.bytes.end(), right.begin(), right.end());
  return std::move(left.bytes);
}

// The camera model by which Apple's viewers take a stereo pair for a spatial photo. `position_m`:
// of this eye, along the line between the two.
void describe_camera(const Pair& pair, double position_m, XmpPacket& xmp) {
  const double fov = pair.options.fov_x->value();
  const double focal_px = pair.left.cols / 2.0 / std::tan(fov / 2.0);
  const auto set = [&xmp](const char* property, const std::string& value) {
    xmp.set(codec::kAppleImage, property, value);
  };
  set("HorizontalFOV", fmt::format("{:.3f}", pair.options.fov_x->degrees()));
  set("Baseline", fmt::format("{:.3f}", 1000.0 * pair.options.baseline_m.value_or(0.0)));
  set("HorizontalDisparityAdjustment", "0");
  set("CameraModelType", "SimplifiedPinhole");
  set("CameraIntrinsics", fmt::format("{0:.3f} 0 {1} 0 {0:.3f} {2} 0 0 1", focal_px,
                                      pair.left.cols / 2.0, pair.left.rows / 2.0));
  set("CameraExtrinsicsRotation", "1 0 0 0 1 0 0 0 1");
  set("CameraExtrinsicsPosition", fmt::format("{:.6f} 0 0", position_m));
}

codec::HeifPicture heif_eye(const Pair& pair, const cv::Mat& eye, const PictureBlocks& carried,
                            double position_m) {
  XmpPacket xmp(carried.xmp);
  xmp.keep_descriptions(false);
  codec::describe_view(pair.view(), eye.size(), xmp);
  if (!pair.options.spherical) describe_camera(pair, position_m, xmp);
  auto blocks = codec::blocks_for(eye, {}, carried);
  blocks.xmp = xmp.serialized();
  return {eye, std::move(blocks)};
}

std::vector<std::uint8_t> encode_spatial_heic(const Pair& pair) {
  const auto& options = pair.options;
  if (!options.spherical && !options.fov_x) {
    throw_unfit(pair, "a spatial photo needs the field of view of its camera",
                "give input.hfov_deg");
  }
  const std::array eyes{
      heif_eye(pair, pair.left, options.carried, 0.0),
      heif_eye(pair, pair.right, pair.right_blocks(), options.baseline_m.value_or(0.0))};
  std::vector<std::uint8_t> bytes;
  try {
    bytes = codec::encode_heif(eyes, {.av1 = false, .quality = options.quality});
  } catch (const Error& error) {
    throw Error(fmt::format("cannot write '{}': {}", pair.name, error.what()));
  }
  const auto items = codec::heif_items({bytes, pair.name});
  if (items.size() != 2) throw std::logic_error("a pair of pictures has become something else");
  return codec::with_heif_stereo_pair(bytes, items[0].id, items[1].id);
}

}  // namespace

std::optional<StereoPhotoFormat> stereo_photo_format(const fs::path& path) {
  const std::string name = lower(path.filename().string());
  if (name.ends_with(".vr.jpg") || name.ends_with(".vr.jpeg")) return StereoPhotoFormat::kVrJpeg;
  if (name.ends_with(".mpo")) return StereoPhotoFormat::kMpo;
  if (name.ends_with(".heic") || name.ends_with(".heif")) return StereoPhotoFormat::kSpatialHeic;
  return std::nullopt;
}

std::vector<std::uint8_t> encode_stereo_photo(const cv::Mat& left, const cv::Mat& right,
                                              StereoPhotoFormat format,
                                              const StereoPhotoOptions& options,
                                              std::string_view name) {
  const bool known = left.type() == CV_8UC3 || left.type() == CV_16UC3;
  if (left.empty() || !known || right.type() != left.type() || right.size() != left.size()) {
    throw std::invalid_argument("a stereo photo has two RGB pictures of one size and type");
  }
  const Pair pair{left, right, options, name};
  switch (format) {
    case StereoPhotoFormat::kVrJpeg:
      return encode_vr_jpeg(pair);
    case StereoPhotoFormat::kMpo:
      return encode_mpo(pair);
    case StereoPhotoFormat::kSpatialHeic:
      return encode_spatial_heic(pair);
  }
  throw std::invalid_argument("not a stereo photo format");
}

void write_stereo_photo(const fs::path& path, const cv::Mat& left, const cv::Mat& right,
                        StereoPhotoFormat format, const StereoPhotoOptions& options) {
  write_file(path, as_text(encode_stereo_photo(left, right, format, options, path.string())));
}

}  // namespace vergence::media
