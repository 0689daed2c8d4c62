// SPDX-License-Identifier: Apache-2.0
// A picture as a sphere full of colours, also where it shows nothing; not installed.
#pragma once

#include "projection/picture_model.hpp"
#include "projection/sphere_sampler.hpp"
#include "stereo/sphere_kernels.hpp"
#include "stereo/sphere_stereo.hpp"

#include <optional>
#include <span>
#include <vector>

#include <Eigen/Core>
#include <opencv2/core.hpp>

namespace vergence::stereo {

// Where a picture ends. Cylindrical pictures are taken for rectangles of longitude and latitude,
// flat ones and lenses for discs about -Z whose radius depends on where around they are left.
class PictureBorder {
 public:
  explicit PictureBorder(const projection::PictureModel& model);

  // The picture shows every direction.
  [[nodiscard]] bool none() const { return kind_ == Kind::kNone; }

  struct Place {
    double beyond = 0.0;       // angle to the border, about; < 0 in the picture
    Eigen::Vector3d nearest;   // the direction itself or one at the border
    Eigen::Vector3d mirrored;  // the direction itself or as far on the inner side of the border
  };

  [[nodiscard]] Place place_of(const Eigen::Vector3d& direction) const;

  // Directions whose cosine with the picture's middle is greater are in the picture, and further
  // from its border than `fade`.
  [[nodiscard]] bool surely_inside(const Eigen::Vector3d& direction, double fade) const;

 private:
  enum class Kind { kNone, kRectangle, kDisc };

  void find_rectangle(const projection::PictureModel& model);
  void find_disc(const projection::PictureModel& model);
  [[nodiscard]] Place in_rectangle(const Eigen::Vector3d& direction) const;
  [[nodiscard]] Place in_disc(const Eigen::Vector3d& direction) const;

  Kind kind_ = Kind::kNone;
  Eigen::Vector3d middle_{0.0, 0.0, -1.0};
  double least_radius_ = kPi;  // of what is in the picture, about middle_
  // Rectangle: half of the longitudes on both sides of the middle one, and the latitudes.
  double longitude_ = 0.0;
  double reach_ = 0.0;
  double top_ = 0.0;
  double bottom_ = 0.0;
  std::vector<double> radius_;  // disc: by the angle around -Z
};

// Colours of a source in any direction. For several threads at once, but for set().
class SpherePicture {
 public:
  // As SphereStereo::set_source. `shrink`: pixels of the picture per pixel of the view.
  void set(const cv::Mat& picture, const projection::PictureModel& model, double shrink,
           const SphereStereoOptions& options);

  [[nodiscard]] int type() const { return picture_.type(); }

  [[nodiscard]] const PictureBorder& border() const { return *border_; }

  // Colours of at most kSphereBlock directions; `out` has room for 8 bytes more. outside[i] = 255
  // where the picture does not show them, else 0.
  void sample(const SphereAngles& angles, void* out, unsigned char* outside) const;

 private:
  void make_surround(Surround surround);
  void surround_pixels(std::span<const cv::Point3f> directions, void* out,
                       unsigned char* outside) const;
  void sample_missed(const SphereAngles& angles, std::span<const unsigned char> missed, void* out,
                     unsigned char* outside) const;

  cv::Mat picture_;
  std::optional<projection::PictureModel> model_;
  std::optional<LongitudeLatitudeGrid> grid_;  // where the fast way can be taken
  std::optional<projection::SphereSampler> sampler_;
  std::optional<PictureBorder> border_;
  double fade_ = 0.0;                         // over this angle the picture's border fades
  std::vector<cv::Point3f> surround_source_;  // for each pixel of the surround
  std::vector<float> beyond_;                 // likewise
  cv::Mat surround_;                          // whole sphere; empty = black
  std::optional<projection::SphereSampler> surround_sampler_;
};

// Whether two models are the same view on pictures of one size.
[[nodiscard]] bool same_view(const projection::PictureModel& a, const projection::PictureModel& b);

}  // namespace vergence::stereo
