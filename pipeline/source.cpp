// SPDX-License-Identifier: Apache-2.0
#include "pipeline/source.hpp"

#include "core/error.hpp"
#include "core/rotation.hpp"
#include "projection/resample.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <numeric>
#include <vector>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace vergence::pipeline {
namespace {

using projection::SphereWindow;

// Wider than cinema (2.39:1) and phones (2.33:1).
constexpr double kWidestPhoto = 2.5;

bool name_says_panorama(const std::filesystem::path& path) {
  std::string word;
  for (const char c : path.stem().string() + "_") {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      continue;
    }
    for (const char* hint : {"360", "equirect", "equirectangular", "erp", "pano", "panorama",
                             "photosphere", "spherical"}) {
      if (word == hint) return true;
    }
    word.clear();
  }
  return false;
}

SphereWindow window_of(const media::PanoramaCrop& crop, cv::Size size) {
  return {crop.full_width, crop.full_height, crop.left, crop.top, size.width, size.height};
}

SphereWindow whole_circle(cv::Size size) {
  if (size.width <= 2 * size.height) return SphereWindow::whole(size.width, size.height);
  const int full_height = (size.width + 1) / 2;
  return {size.width, full_height, 0, (full_height - size.height) / 2, size.width, size.height};
}

Recognition as_asked(cv::Size size, const media::PictureMetadata& metadata, InputProjection asked) {
  Recognition result{asked, {}, "as asked"};
  if (asked == InputProjection::kEquirectangular) {
    result.window = metadata.crop ? window_of(*metadata.crop, size) : whole_circle(size);
  }
  return result;
}

std::string ratio_text(cv::Size size) {
  const int divisor = std::gcd(size.width, size.height);
  if (size.width / divisor <= 20) {
    return fmt::format("{}:{}", size.width / divisor, size.height / divisor);
  }
  return fmt::format("{:.2f}:1", static_cast<double>(size.width) / size.height);
}

void check_size(const std::filesystem::path& path, cv::Size size) {
  if (std::min(size.width, size.height) >= kMinPictureSide) return;
  throw Error(fmt::format("'{}' is only {}x{} pixels", path.string(), size.width, size.height))
      .hint(fmt::format("give a picture of at least {0}x{0}", kMinPictureSide));
}

// The panorama as seen by the turned camera; a part of the sphere becomes a part of the whole one.
void level(Source& source, const SourceOptions& options) {
  if (options.yaw == Radians{} && options.pitch == Radians{} && options.roll == Radians{}) return;
  const bool whole = source.window.is_whole();
  const auto target =
      whole ? source.window
            : SphereWindow::whole(source.window.full_width, source.window.full_height);
  const projection::PanoramaSampler sampler(source.rgb, source.window);
  auto turned = sampler.reproject(
      target, rotation_from_yaw_pitch_roll(options.yaw, options.pitch, options.roll));
  source.rgb = turned.picture;
  source.turned = true;
  source.valid = whole ? cv::Mat() : turned.valid;
  source.window = target;
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

Recognition recognise(const std::filesystem::path& path, cv::Size size,
                      const media::PictureMetadata& metadata, InputProjection asked) {
  check_size(path, size);
  if (asked != InputProjection::kAuto) return as_asked(size, metadata, asked);
  const auto panorama = [&](SphereWindow window, const char* evidence) {
    return Recognition{InputProjection::kEquirectangular, window, evidence};
  };
  if (metadata.crop) return panorama(window_of(*metadata.crop, size), "GPano");
  if (metadata.equirectangular) return panorama(whole_circle(size), "GPano");
  const int off_by = std::abs(size.width - 2 * size.height);
  const auto whole = SphereWindow::whole(size.width, size.height);
  if (off_by <= 2) return panorama(whole, "2:1");
  if (off_by <= 0.03 * size.width && name_says_panorama(path)) return panorama(whole, "file name");
  if (size.width > kWidestPhoto * size.height) {
    throw Error(fmt::format("cannot tell what '{}' shows: {}x{} is {}, neither a photo nor a whole "
                            "360 panorama, and it has no GPano metadata",
                            path.string(), size.width, size.height, ratio_text(size)))
        .hint(
            "give input.projection=flat or input.projection=equirectangular, or add the GPano "
            "tags");
  }
  return {InputProjection::kFlat, {}, "aspect ratio"};
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

Source open_source(const std::filesystem::path& path, const SourceOptions& options) {
  Source source;
  source.path = path;
  media::PictureMetadata metadata;
  {
    const auto picture = media::read_picture(path);
    metadata = picture.metadata;
    check_size(path, picture.rgb.size());
    source.rgb = media::display_rgb8(picture);
  }
  auto seen = recognise(path, source.rgb.size(), metadata, options.projection);
  if (seen.projection == InputProjection::kFlat) {
    take_photo(source, metadata, options);
  } else {
    source.panorama = true;
    source.window = seen.window;
    if (seen.projection == InputProjection::kDualFisheye) {
      const int width = source.rgb.cols / 2 * 2;
      source.rgb =
          projection::equirectangular_from_dual_fisheye(source.rgb, options.fisheye_fov, width);
      source.window = SphereWindow::whole(source.rgb.cols, source.rgb.rows);
      seen.evidence = "dual fisheye";
    }
    source.described =
        fmt::format("{} {}x{} ({})", source.window.is_whole() ? "panorama" : "part of a panorama",
                    source.rgb.cols, source.rgb.rows, seen.evidence);
    source.original_window = source.window;
    level(source, options);
    if (options.nadir.value() > 0.0) fill_nadir(source.rgb, source.window, options.nadir);
  }
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
