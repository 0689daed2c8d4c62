// SPDX-License-Identifier: Apache-2.0
// The picture a job begins with: read, recognised as flat or 360, levelled, ready for networks.
#pragma once

#include "core/angle.hpp"
#include "media/picture.hpp"
#include "pipeline/recognition.hpp"
#include "projection/picture_model.hpp"
#include "projection/sphere_window.hpp"

#include <filesystem>
#include <optional>
#include <string>

#include <opencv2/core.hpp>

namespace vergence::pipeline {

struct SourceOptions {
  // What the picture shows; nothing = as its metadata, name and shape tell.
  std::optional<projection::PictureKind> projection;
  std::optional<EyeLayout> eyes;          // how the eyes' pictures lie in it; nothing = likewise
  std::optional<Radians> horizontal_fov;  // of a flat photo; without it EXIF, else kUsualPhotoFov
  // Of a fisheye's circle; without it what the file's name tells, else 190 degrees.
  std::optional<Radians> fisheye_fov;
  // A panorama is shown as a camera would see it that is turned by these angles from the one that
  // took it (core/rotation.hpp): pitch -10 degrees levels a camera that was tilted up by 10.
  Radians yaw;
  Radians pitch;
  Radians roll;
  bool level =
      false;  // take the pitch and roll off a panorama that GPano tells, before these angles
  Radians
      nadir;  // what is within this angle of straight down (the tripod) is painted over; 0 = off
};

// The horizontal field of view taken for a flat photo that does not tell: a phone's main camera in
// portrait and landscape lies on either side of it.
inline constexpr Radians kUsualPhotoFov = Radians::from_degrees(60);

// The shortest side of a picture that a job takes, pixels.
inline constexpr int kMinPictureSide = 16;

struct Source {
  std::filesystem::path path;
  cv::Mat rgb;    // CV_8UC3, sRGB
  cv::Mat valid;  // CV_8UC1, 0 = the camera did not see this; empty = all of it is seen
  bool panorama = false;
  projection::SphereWindow window;           // of a panorama, as `rgb` has it now
  projection::SphereWindow original_window;  // as the file had it, before it was turned
  // Directions in the file's picture from those in `rgb`, where it was turned by SourceOptions.
  std::optional<Eigen::Matrix3d> turn;
  // How the camera of a panorama stood: level directions from those in the file's picture, by
  // GPano's pitch and roll; its heading is left out, so that the middle stays in the middle.
  Eigen::Matrix3d pose = Eigen::Matrix3d::Identity();
  bool resampled = false;  // to an equirectangular picture, or one eye out of a pair: `rgb` is not
                           // the file's picture
  Radians fov_x;           // of a flat photo
  Radians fov_y;
  std::string described;  // "panorama 4096x2048 (GPano)"
};

// What the options ask for, as recognise() takes it.
[[nodiscard]] Claims asked_claims(const SourceOptions& options);

// The horizontal field of view of a flat photo of `size` by EXIF's 35 mm focal length (the diagonal
// of 36 x 24 mm against the picture's); nothing if EXIF is silent.
[[nodiscard]] std::optional<Radians> fov_from_exif(const media::PictureMetadata& metadata,
                                                   cv::Size size);

// The vertical field of view of square pixels.
[[nodiscard]] Radians vertical_fov(Radians horizontal, cv::Size size);

// A picture's eyes as they lie in its file, in the file's own bit depth.
struct OpenedEyes {
  Recognition seen;
  media::Picture left;
  media::Picture right;              // shares the left one's pixels where there is one eye
  std::optional<double> baseline_m;  // between the cameras, where the file tells it
};

// Reads a photo of one eye or of both: one picture, or a file of two (media/stereo_photo.hpp), and
// recognises what it shows. Throws Error naming the file.
[[nodiscard]] OpenedEyes open_eyes(const std::filesystem::path& path, const SourceOptions& options);

// Reads and prepares a picture. Of a pair of eyes the left one is taken. Lenses, cube maps and
// other projections of the sphere become equirectangular, hemispheres a window of the sphere. Says
// what it took it for at log level info. Throws Error naming the file.
[[nodiscard]] Source open_source(const std::filesystem::path& path, const SourceOptions& options);

// Paints the disc around straight down with colours that continue those on its rim as smoothly as
// possible (the harmonic function with these boundary values, by a Fourier series along the rim).
void fill_nadir(cv::Mat& rgb, const projection::SphereWindow& window, Radians angle);

}  // namespace vergence::pipeline
