// SPDX-License-Identifier: Apache-2.0
// Colours of a picture of any model (picture_model.hpp) in given directions, each sampled once.
#pragma once

#include "projection/picture_model.hpp"

#include <memory>
#include <span>

#include <opencv2/core.hpp>

namespace vergence::projection {

enum class SphereInterpolation { kBilinear, kBicubic, kLanczos };

// A picture prepared for being looked at in many directions. Longitude wraps, poles are crossed,
// the faces of cube maps and the lenses of a dual fisheye do not bleed into each other (lenses are
// cross-faded where both see). Not for pictures that are made much smaller: PanoramaSampler
// (resample.hpp) averages, this does not, unless `shrink` says by how much.
class SphereSampler {
 public:
  // `picture` has the model's size, CV_8U, CV_16U or CV_32F, 1, 3 or 4 channels; it is not copied
  // and must not change. `shrink`: source pixels per target pixel; above 1 a blurred and reduced
  // copy is sampled. Throws std::invalid_argument for other types or sizes.
  SphereSampler(const cv::Mat& picture, const PictureModel& model,
                SphereInterpolation interpolation = SphereInterpolation::kBilinear,
                double shrink = 1.0);
  ~SphereSampler();
  SphereSampler(SphereSampler&&) noexcept;
  SphereSampler& operator=(SphereSampler&&) noexcept;

  [[nodiscard]] int type() const;

  // The colours in these directions (the model's frame; NaN = none), to as many pixels of the
  // picture's own type at `out`. `seen` (null = not wanted): 255 where the picture shows the
  // direction, else 0; there the nearest pixel of the picture's border is given. For several
  // threads at once.
  void sample(std::span<const cv::Point3f> directions, void* out, unsigned char* seen) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The picture shown by another model, the target's direction d showing source_from_target * d.
// `seen` as above, CV_8UC1; may be null. Where the target shows no direction it is not seen either.
void reproject(const SphereSampler& source, const PictureModel& target,
               const Eigen::Matrix3d& source_from_target, cv::Mat& picture, cv::Mat* seen);

}  // namespace vergence::projection
