// SPDX-License-Identifier: Apache-2.0
#include "pipeline/file_signs.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "core/text.hpp"
#include "media/jpeg_tags.hpp"
#include "media/picture.hpp"
#include "media/stereo_photo.hpp"
#include "media/video_reader.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <string_view>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>

namespace vergence::pipeline {
namespace fs = std::filesystem;

namespace {

using media::SphericalTag;
using media::StereoTag;

// The first bytes; none of what is not a regular file, since a pipe would wait for its writer.
std::string head_of(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return {};
  std::array<char, 12> head{};
  std::ifstream stream(path, std::ios::binary);
  stream.read(head.data(), head.size());
  return {head.data(), static_cast<std::size_t>(stream.gcount())};
}

// Whether bytes begin like an MP4, MOV, Matroska or WebM file (HEIC and AVIF begin like MP4).
bool is_video_head(std::string_view head) {
  return head.starts_with("\x1A\x45\xDF\xA3") || (head.size() >= 8 && head.substr(4, 4) == "ftyp");
}

// By what a file begins with where that is plain, else by its name.
bool is_photo(const fs::path& path) {
  if (is_jpeg_file(path)) return true;
  constexpr std::array<std::string_view, 4> kLikeMp4 = {".heic", ".heif", ".hif", ".avif"};
  const std::string extension = lower(path.extension().string());
  if (std::find(kLikeMp4.begin(), kLikeMp4.end(), extension) != kLikeMp4.end()) return true;
  const auto known = media::picture_extensions();
  const bool named =
      extension == ".mpo" || std::find(known.begin(), known.end(), extension) != known.end();
  return named && !is_video_head(head_of(path));
}

std::string container_of(const std::string& name) {
  if (name.find("matroska") != std::string::npos) return "matroska";
  return name.find("mp4") != std::string::npos ? "mp4" : "other";
}

void add_video(const media::VideoInfo& info, FileSigns& signs) {
  signs.size = info.size;
  signs.pixel_aspect = info.pixel_aspect.num > 0 ? info.pixel_aspect.value() : 1.0;
  signs.codec = info.codec;
  signs.spherical = info.spherical;
  signs.bitstream = info.bitstream_stereo.value_or(StereoTag::kNone);
  signs.container = container_of(info.container);
  // Of files without boxes; a message in the bitstream is a sign of its own.
  if (!info.bitstream_stereo) signs.stereo = info.stereo.value_or(StereoTag::kNone);
  if (signs.boxes && signs.boxes->quicktime) signs.container = "mov";
}

FileSigns video_signs(const fs::path& path, FileSigns signs) {
  signs.boxes = media::read_video_tags(path);
  try {
    add_video(media::VideoReader(path).info(), signs);
  } catch (const Error&) {
    // Encrypted, or of a codec that is not here: what the boxes say is still true.
    if (!signs.boxes || signs.boxes->num_video_tracks == 0) throw;
    signs.size = signs.boxes->size;
    signs.codec = signs.boxes->sample_entry;
    signs.container = signs.boxes->quicktime ? "mov" : "mp4";
  }
  return signs;
}

SphericalTag tag_of_crop(const media::PanoramaCrop& crop, cv::Size eye) {
  const auto share = [](double pixels, int full) {
    return std::clamp(pixels / std::max(full, 1), 0.0, 1.0);
  };
  SphericalTag tag;
  tag.left = share(crop.left, crop.full_width);
  tag.top = share(crop.top, crop.full_height);
  tag.right = share(crop.full_width - crop.left - eye.width, crop.full_width);
  tag.bottom = share(crop.full_height - crop.top - eye.height, crop.full_height);
  return tag;
}

// The kind of file that holds a picture for each eye; empty where it does not.
std::string pair_of(const fs::path& path) {
  const auto pair = media::read_stereo_photo(path);
  if (!pair) return {};
  switch (pair->format) {
    case media::StereoPhotoFormat::kVrJpeg:
      return "VR photo (.vr.jpg)";
    case media::StereoPhotoFormat::kMpo:
      return "multi-picture file (.mpo)";
    case media::StereoPhotoFormat::kSpatialHeic:
      return "stereo pair of HEIC";
  }
  return {};
}

FileSigns photo_signs(const fs::path& path, FileSigns signs) {
  const media::Picture picture = media::read_picture(path);
  const auto& facts = picture.metadata;
  signs.container = "photo";
  signs.pair = pair_of(path);
  signs.size = picture.rgb.size();
  signs.stereo = facts.stereo;
  if (facts.equirectangular) {
    cv::Size eye = signs.size;
    if (facts.stereo == StereoTag::kSideBySide) eye.width /= 2;
    if (facts.stereo == StereoTag::kTopBottom) eye.height /= 2;
    signs.spherical = facts.crop ? tag_of_crop(*facts.crop, eye) : SphericalTag{};
  }
  return signs;
}

// How alike two pictures are, 1 = the same but for brightness and contrast; NaN where one is flat.
double likeness(const cv::Mat& a, const cv::Mat& b) {
  cv::Scalar mean_a, mean_b, sigma_a, sigma_b;
  cv::meanStdDev(a, mean_a, sigma_a);
  cv::meanStdDev(b, mean_b, sigma_b);
  const double spread = sigma_a[0] * sigma_b[0];
  if (spread < 4) return NAN;
  cv::Mat x, y;
  a.convertTo(x, CV_32F, 1, -mean_a[0]);
  b.convertTo(y, CV_32F, 1, -mean_b[0]);
  return x.dot(y) / static_cast<double>(x.total()) / spread;
}

cv::Mat first_picture(const fs::path& path) {
  if (is_photo(path)) return media::read_picture(path).rgb;
  media::VideoReader reader(path);
  media::VideoFrame frame;
  return reader.read(frame) ? frame.picture : cv::Mat();
}

}  // namespace

bool is_jpeg_file(const fs::path& path) {
  const std::string head = head_of(path);
  return media::is_jpeg({reinterpret_cast<const std::uint8_t*>(head.data()), head.size()});
}

FileSigns signs_of(const fs::path& path) {
  FileSigns signs;
  signs.stem = path.stem().string();
  // VR photos have two extensions.
  if (lower(fs::path(signs.stem).extension().string()) == ".vr") {
    signs.stem = fs::path(signs.stem).stem().string();
  }
  return is_photo(path) ? photo_signs(path, std::move(signs)) : video_signs(path, std::move(signs));
}

std::optional<std::string> unlike_eyes(const fs::path& path, StereoTag stereo) {
  if (stereo != StereoTag::kSideBySide && stereo != StereoTag::kTopBottom) return std::nullopt;
  cv::Mat picture;
  try {
    picture = first_picture(path);
  } catch (const Error&) {
    return std::nullopt;
  }
  if (picture.cols < 16 || picture.rows < 16) return std::nullopt;
  const bool beside = stereo == StereoTag::kSideBySide;
  const cv::Size half(beside ? picture.cols / 2 : picture.cols,
                      beside ? picture.rows : picture.rows / 2);
  const cv::Rect first({0, 0}, half);
  const cv::Rect second(
      beside ? cv::Point(picture.cols - half.width, 0) : cv::Point(0, picture.rows - half.height),
      half);
  // Small, so that the shift between two eyes' views does not count.
  const auto small = [&](const cv::Rect& part) {
    cv::Mat grey, result;
    cv::cvtColor(picture(part), grey, cv::COLOR_RGB2GRAY);
    if (grey.depth() != CV_8U) grey.convertTo(grey, CV_8U, 1.0 / 257);
    cv::resize(grey, result, {24, 24}, 0, 0, cv::INTER_AREA);
    return result;
  };
  const double alike = likeness(small(first), small(second));
  // Two views of one scene have 0.8 and more; NaN tells nothing.
  if (std::isnan(alike) || alike > 0.4) return std::nullopt;
  return fmt::format("the two halves of '{}' do not look like two eyes' views of one scene",
                     path.string());
}

}  // namespace vergence::pipeline
