// SPDX-License-Identifier: Apache-2.0
#include "pipeline/source.hpp"

#include "core/error.hpp"
#include "core/rotation.hpp"
#include "media/stereo_photo.hpp"
#include "projection/resample.hpp"
#include "projection/sphere_sampler.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>
#include <spdlog/spdlog.h>

namespace vergence::pipeline {
namespace {

using projection::PictureKind;
using projection::PictureModel;
using projection::SphereWindow;

// One eye's part of a picture.
media::Picture part_of(const media::Picture& picture, const EyeLayout& eyes, std::size_t eye) {
  media::Picture part = picture;
  part.rgb = split_eyes(picture.rgb, eyes)[eye];
  if (!picture.alpha.empty()) part.alpha = split_eyes(picture.alpha, eyes)[eye];
  return part;
}

// The part of the sphere that a picture which is not equirectangular shows, as large as it takes to
// keep its pixels: the longitudes that it reaches.
SphereWindow window_around(const PictureModel& model) {
  const int full_width =
      std::max(16, static_cast<int>(std::lround(model.pixels_per_radian() * 2.0 * kPi / 4.0)) * 4);
  auto window = SphereWindow::whole(full_width, full_width / 2);
  const auto border = model.direction_at(0.0, model.size().height / 2.0);
  const bool lens =
      model.kind() == PictureKind::kFisheye || model.kind() == PictureKind::kStereographic ||
      model.kind() == PictureKind::kEquisolid || model.kind() == PictureKind::kOrthographic ||
      model.kind() == PictureKind::kHalfEquirectangular;
  if (!lens || !border) return window;
  const double reach = std::abs(std::atan2(border->x(), -border->z()));
  const int half =
      std::min(full_width / 2, static_cast<int>(std::ceil(reach / kPi * full_width / 2.0)));
  // Lenses that look behind themselves show all longitudes around the poles.
  if (half > full_width * 0.35) return window;
  window.left = full_width / 2 - half;
  window.width = 2 * half;
  return window;
}

// Makes the source equirectangular, if it is not.
void unfold(const PictureModel& model, const cv::Mat& eye, Source& source) {
  if (const auto own = model.window()) {
    source.rgb = eye;
    source.window = *own;
    return;
  }
  source.window = window_around(model);
  const auto target = PictureModel::equirectangular(source.window);
  const double shrink = model.pixels_per_radian() / target.pixels_per_radian();
  const projection::SphereSampler sampler(eye, model, projection::SphereInterpolation::kBicubic,
                                          shrink > 1.2 ? shrink : 1.0);
  projection::reproject(sampler, target, Eigen::Matrix3d::Identity(), source.rgb, &source.valid);
  source.resampled = true;
  if (cv::countNonZero(source.valid) == source.valid.rows * source.valid.cols) {
    source.valid.release();
  }
}

// A pair of flat eyes may be squeezed to half of their size.
cv::Mat unsqueezed(const cv::Mat& eye, const EyeLayout& eyes) {
  if (!eyes.squeezed) return eye;
  const bool beside = eyes.packing == EyeLayout::Packing::kSideBySide;
  cv::Mat result;
  cv::resize(eye, result, {}, beside ? 2.0 : 1.0, beside ? 1.0 : 2.0, cv::INTER_CUBIC);
  return result;
}

// The panorama as seen by the turned camera; a part of the sphere becomes a part of the whole one.
void turn(Source& source, const SourceOptions& options) {
  Eigen::Matrix3d turn = rotation_from_yaw_pitch_roll(options.yaw, options.pitch, options.roll);
  if (options.level) turn = source.pose.transpose() * turn;
  if (turn.isIdentity()) return;
  const bool whole = source.window.is_whole();
  const auto target =
      whole ? source.window
            : SphereWindow::whole(source.window.full_width, source.window.full_height);
  const projection::PanoramaSampler sampler(source.rgb, source.window);
  auto turned = sampler.reproject(target, turn);
  if (!source.valid.empty()) {
    const auto seen =
        projection::PanoramaSampler(source.valid, source.window).reproject(target, turn);
    turned.valid &= seen.picture > 127;
  } else if (whole) {
    turned.valid.release();
  }
  source.rgb = turned.picture;
  source.turn = turn;
  source.valid = turned.valid;
  source.window = target;
}

void take_pose(Source& source, const media::PictureMetadata& metadata) {
  const Radians pitch = metadata.pitch.value_or(Radians{});
  const Radians roll = metadata.roll.value_or(Radians{});
  if (pitch == Radians{} && roll == Radians{}) return;
  source.pose = rotation_from_yaw_pitch_roll(Radians{}, pitch, roll);
  source.described +=
      fmt::format(", from a camera tilted up by {:.4g} and clockwise by {:.4g} degrees",
                  pitch.degrees(), roll.degrees());
}

void take_photo(Source& source, const media::PictureMetadata& metadata,
                const SourceOptions& options) {
  const auto by_exif = fov_from_exif(metadata, source.rgb.size());
  const char* evidence = "input.hfov_deg";
  if (options.horizontal_fov) {
    source.fov_x = *options.horizontal_fov;
  } else if (by_exif) {
    source.fov_x = *by_exif;
    evidence = "EXIF";
  } else {
    source.fov_x = kUsualPhotoFov;
    evidence = "assumed";
    spdlog::warn(
        "'{}' does not tell its field of view: {:.0f} degrees assumed; give input.hfov_deg",
        source.path.string(), kUsualPhotoFov.degrees());
  }
  source.fov_y = vertical_fov(source.fov_x, source.rgb.size());
  source.described = fmt::format("photo {}x{}, {:.1f} degrees wide ({})", source.rgb.cols,
                                 source.rgb.rows, source.fov_x.degrees(), evidence);
  if (options.yaw != Radians{} || options.pitch != Radians{} || options.roll != Radians{} ||
      options.nadir != Radians{}) {
    spdlog::warn("'{}' is a flat photo: view.* and mask.nadir_deg change panoramas only",
                 source.path.string());
  }
}

}  // namespace

Claims asked_claims(const SourceOptions& options) {
  Claims asked;
  asked.projection = options.projection;
  asked.eyes = options.eyes;
  return asked;
}

std::optional<Radians> fov_from_exif(const media::PictureMetadata& metadata, cv::Size size) {
  if (!metadata.focal_35mm || !(*metadata.focal_35mm > 0.0)) return std::nullopt;
  const double diagonal_px = std::hypot(size.width, size.height);
  const double focal_px = *metadata.focal_35mm / std::hypot(36.0, 24.0) * diagonal_px;
  return Radians{2.0 * std::atan(size.width / (2.0 * focal_px))};
}

Radians vertical_fov(Radians horizontal, cv::Size size) {
  return Radians{2.0 * std::atan(std::tan(horizontal.value() / 2.0) * size.height / size.width)};
}

OpenedEyes open_eyes(const std::filesystem::path& path, const SourceOptions& options) {
  const Claims asked = asked_claims(options);
  OpenedEyes opened;
  if (auto two = media::read_stereo_photo(path)) {
    Claims file = claims_of(two->left.metadata);
    file.eyes = EyeLayout{EyeLayout::Packing::kTwoPictures};
    if (file.evidence.empty()) file.evidence = "metadata";
    Claims kind = asked;
    kind.eyes.reset();  // the file holds two pictures, whatever is asked
    opened.seen = recognise(path, two->left.rgb.size(), file, kind);
    opened.left = std::move(two->left);
    opened.right = std::move(two->right);
    opened.baseline_m = two->baseline_m;
    return opened;
  }
  const auto picture = media::read_picture(path);
  opened.seen = recognise(path, picture.rgb.size(), claims_of(picture.metadata), asked);
  check_eyes(path, media::display_rgb8(picture), opened.seen, asked);
  opened.left = part_of(picture, opened.seen.eyes, 0);
  opened.right = part_of(picture, opened.seen.eyes, 1);
  return opened;
}

Source open_source(const std::filesystem::path& path, const SourceOptions& options) {
  Source source;
  source.path = path;
  const OpenedEyes opened = open_eyes(path, options);
  const Recognition& seen = opened.seen;
  const cv::Mat eye = media::display_rgb8(opened.left);
  source.resampled = seen.eyes.is_pair();
  if (seen.projection == PictureKind::kFlat) {
    source.rgb = unsqueezed(eye, seen.eyes);
    take_photo(source, opened.left.metadata, options);
  } else {
    source.panorama = true;
    unfold(eye_model(seen, options.horizontal_fov, options.fisheye_fov), eye, source);
    source.described =
        fmt::format("{} {}x{} ({})", describe(seen), eye.cols, eye.rows, seen.evidence);
    source.original_window = source.window;
    take_pose(source, opened.left.metadata);
    turn(source, options);
    if (options.nadir.value() > 0.0) fill_nadir(source.rgb, source.window, options.nadir);
  }
  if (seen.eyes.is_pair()) source.described += ", the left eye of both";
  spdlog::info("'{}': {}", path.string(), source.described);
  return source;
}

void fill_nadir(cv::Mat& rgb, const SphereWindow& window, Radians angle) {
  // First row of the picture whose centre lies within `angle` of straight down.
  const double rows_per_radian = window.full_height / kPi;
  const int last = window.full_height - window.top;
  const int first =
      std::max(1, static_cast<int>(std::ceil(last - angle.value() * rows_per_radian - 0.5)));
  if (!window.wraps() || first >= std::min(rgb.rows, last)) return;
  cv::Mat painted = rgb.clone();  // display_rgb8 may share pixels with its picture
  cv::Mat rim;
  rgb.row(first - 1).convertTo(rim, CV_32FC3);
  std::array<cv::Mat, 3> spectra;
  cv::split(rim, spectra.data());
  for (auto& spectrum : spectra) cv::dft(spectrum, spectrum, cv::DFT_COMPLEX_OUTPUT);
  // Stereographic radius: harmonic functions stay harmonic under this conformal map.
  const auto radius = [&](int row) { return std::tan((last - row - 0.5) / rows_per_radian / 2.0); };
  const int width = rgb.cols;
  for (int y = first; y < std::min(rgb.rows, last); ++y) {
    const double share = radius(y) / radius(first - 1);
    std::array<cv::Mat, 3> channels;
    for (std::size_t c = 0; c < 3; ++c) {
      cv::Mat damped = spectra[c].clone();
      auto* values = damped.ptr<cv::Vec2f>();
      for (int k = 0; k < width; ++k) {
        values[k] *= static_cast<float>(std::pow(share, std::min(k, width - k)));
      }
      cv::idft(damped, channels[c], cv::DFT_SCALE | cv::DFT_REAL_OUTPUT);
    }
    cv::Mat row;
    cv::merge(channels.data(), 3, row);
    row.convertTo(painted.row(y), CV_8UC3);
  }
  rgb = painted;
}

}  // namespace vergence::pipeline
