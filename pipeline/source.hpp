// SPDX-License-Identifier: Apache-2.0
// The picture a job begins with: read, recognised as flat or 360, levelled, ready for networks.
#pragma once

#include "core/angle.hpp"
#include "media/picture.hpp"
#include "projection/sphere_window.hpp"

#include <filesystem>
#include <optional>
#include <string>

#include <opencv2/core.hpp>

namespace vergence::pipeline {

enum class InputProjection { kAuto, kFlat, kEquirectangular, kDualFisheye };

struct SourceOptions {
  InputProjection projection = InputProjection::kAuto;
  std::optional<Radians> horizontal_fov;  // of a flat photo; without it EXIF, else kUsualPhotoFov
  Radians fisheye_fov = Radians::from_degrees(190);  // of each lens of a dual fisheye
  // A panorama is shown as a camera would see it that is turned by these angles from the one that
  // took it (core/rotation.hpp): pitch -10 degrees levels a camera that was tilted up by 10.
  Radians yaw;
  Radians pitch;
  Radians roll;
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
  bool turned = false;                       // by view.yaw_deg, pitch_deg, roll_deg
  Radians fov_x;                             // of a flat photo
  Radians fov_y;
  std::string described;  // "panorama 4096x2048 (GPano)"
};

// What a picture shows, and how one can tell.
struct Recognition {
  InputProjection projection = InputProjection::kFlat;  // never kAuto
  projection::SphereWindow window;                      // kEquirectangular
  std::string evidence;                                 // "GPano", "2:1", "file name", "as asked"
};

// Decides what a picture of `size` shows: what was asked for, else its GPano metadata, else 2:1 (to
// 2 pixels, or to 3 % where the file name says so: "360", "equirect", "pano", "photosphere" as a
// word), else flat. A picture wider than 2.5:1 without metadata is neither a photo nor a whole
// panorama: Error. Asked for as equirectangular, a picture that is not 2:1 shows the full circle
// around the horizon (wider) or the whole sphere (higher).
[[nodiscard]] Recognition recognise(const std::filesystem::path& path, cv::Size size,
                                    const media::PictureMetadata& metadata, InputProjection asked);

// The horizontal field of view of a flat photo of `size` by EXIF's 35 mm focal length (the diagonal
// of 36 x 24 mm against the picture's); nothing if EXIF is silent.
[[nodiscard]] std::optional<Radians> fov_from_exif(const media::PictureMetadata& metadata,
                                                   cv::Size size);

// The vertical field of view of square pixels.
[[nodiscard]] Radians vertical_fov(Radians horizontal, cv::Size size);

// Reads and prepares a picture. Says what it took it for at log level info. Throws Error naming the
// file.
[[nodiscard]] Source open_source(const std::filesystem::path& path, const SourceOptions& options);

// Paints the disc around straight down with colours that continue those on its rim as smoothly as
// possible (the harmonic function with these boundary values, by a Fourier series along the rim).
void fill_nadir(cv::Mat& rgb, const projection::SphereWindow& window, Radians angle);

}  // namespace vergence::pipeline
