// SPDX-License-Identifier: Apache-2.0
// What a photo or a video shows, and how one can tell: which part of the sphere through which
// projection, for one eye or two.
#pragma once

#include "core/angle.hpp"
#include "media/picture.hpp"
#include "media/video_reader.hpp"
#include "projection/picture_model.hpp"
#include "projection/sphere_window.hpp"

#include <array>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <opencv2/core.hpp>

namespace vergence::pipeline {

// How the pictures of both eyes lie in one. The words of `input.stereo` stand in brackets; behind
// those of two eyes may come "_right_first".
struct EyeLayout {
  enum class Packing {
    kOne,         // [none] one eye's picture
    kSideBySide,  // [sbs], squeezed to half of its width [half_sbs]
    kTopBottom,   // [tb], squeezed to half of its height [half_tb]
    kTwoPictures  // a file of two pictures (media/stereo_photo.hpp); has no word
  };
  Packing packing = Packing::kOne;
  bool squeezed = false;
  bool right_first = false;  // the right eye's picture is on the left or on top

  [[nodiscard]] bool is_pair() const { return packing != Packing::kOne; }

  bool operator==(const EyeLayout&) const = default;
};

[[nodiscard]] std::string to_string(const EyeLayout& eyes);
[[nodiscard]] std::optional<EyeLayout> eye_layout_from_string(std::string_view word);

// The size of one eye's part of a picture.
[[nodiscard]] cv::Size eye_size(const EyeLayout& eyes, cv::Size picture);

// The parts of a picture that the left and the right eye see, as they lie there; both are the whole
// picture where it is one eye's. The pixels are shared.
[[nodiscard]] std::array<cv::Mat, 2> split_eyes(const cv::Mat& picture, const EyeLayout& eyes);

// What the user, or a file, says; nothing where they are silent.
struct Claims {
  std::optional<projection::PictureKind> projection;
  std::optional<EyeLayout> eyes;
  std::optional<Radians> fov;                 // of a fisheye's circle
  std::optional<media::PanoramaCrop> crop;    // equirectangular: in pixels of one eye's part
  std::optional<media::SphericalTag> bounds;  // equirectangular: shares that are cut away
  bool whole_eyes = false;                    // the eyes are not squeezed, whatever the shape
  bool mesh = false;                          // it comes with a mesh of its own
  bool weak_eyes = false;                     // `eyes` comes from a word that may mean anything
  std::string evidence;                       // "GPano", "metadata", "file name"
};

[[nodiscard]] Claims claims_of(const media::PictureMetadata& metadata);
[[nodiscard]] Claims claims_of(const media::VideoInfo& video);

// What players read from names: words between _ - . space and brackets, in any case. 360, 180,
// 180x180, VR180, FISHEYE190, F180, RF52, MKX200, MKX220, VRCA220, EAC, cubemap; LR, SBS, 3dh,
// HSBS, RL, TB, OU, 3dv, HOU, BT, mono and others; words that contradict each other count as none.
// Those of two letters, which mean other things too, count only beside a projection, or where the
// shape of the picture says the same (recognise).
[[nodiscard]] Claims claims_of_name(const std::filesystem::path& path);

// What a picture shows.
struct Recognition {
  projection::PictureKind projection = projection::PictureKind::kFlat;
  EyeLayout eyes;
  cv::Size eye_size;                // of one eye's part of the picture, as it lies there
  projection::SphereWindow window;  // of an equirectangular eye
  std::optional<Radians> fov;       // of a fisheye's circle, where the file tells it
  std::string evidence;             // "GPano", "2:1", "file name", "as asked"
};

// Decides what a picture of `size` shows: what was asked for, else what the file says, else what
// its name says if that fits the shape (each for the projection and the eyes by itself), else its
// shape: 2:1 is the whole sphere, anything else flat. A 180-degree picture of 2:1 holds both eyes
// side by side, one of 1:2 one above the other, a 360-degree one of 1:1 likewise. Warns where what
// a file says does not fit its shape, and says what to set. Throws Error for a picture that is too
// small, one wider than 2.5:1 of which nothing is known, and one that comes with a mesh of its own
// unless input.projection is given.
[[nodiscard]] Recognition recognise(const std::filesystem::path& path, cv::Size size,
                                    const Claims& file, const Claims& asked);

// The same for a photo of one eye.
[[nodiscard]] Recognition recognise(const std::filesystem::path& path, cv::Size size,
                                    const media::PictureMetadata& metadata,
                                    std::optional<projection::PictureKind> asked);

// "VR180 side by side, 2 x 2048x2048 (file name)".
[[nodiscard]] std::string describe(const Recognition& seen);

// The model of one eye's picture as it lies in the file (squeezed eyes have oblong pixels).
// `fov_x`: of flat pictures (kUsualPhotoFov without it) and of cylindrical ones and their kin;
// `fisheye_fov`: of a fisheye, before what the file says; without either 190 degrees.
[[nodiscard]] projection::PictureModel eye_model(const Recognition& seen,
                                                 std::optional<Radians> fov_x,
                                                 std::optional<Radians> fisheye_fov);

// How much alike both halves of a picture are that may be two eyes: the correlation of their
// brightness, small parallax allowed, -1..1. Pairs have 0.7 and more, halves of one picture less
// than 0.5 as a rule.
[[nodiscard]] double likeness_of_eyes(const cv::Mat& picture, EyeLayout::Packing packing);

// Warns where the pixels contradict what was recognised: two eyes that show different things, or
// one eye whose halves are the same and of which the user has not said that it is one. `path` is
// named.
void check_eyes(const std::filesystem::path& path, const cv::Mat& picture, const Recognition& seen,
                const Claims& asked);

// Throws Error where the file says that it is a picture of the sphere or of two eyes, unless
// input.projection says otherwise; for commands that take flat pictures only.
void require_flat(const std::filesystem::path& path, const Claims& file,
                  std::optional<projection::PictureKind> asked, std::string_view command);

}  // namespace vergence::pipeline
