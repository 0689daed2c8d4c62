// SPDX-License-Identifier: Apache-2.0
// The parallax of a source in the rectified domain of the eyes; not installed.
#pragma once

#include "core/depth.hpp"
#include "stereo/sphere_domain.hpp"
#include "stereo/sphere_picture.hpp"

#include <optional>

#include <Eigen/Core>
#include <opencv2/core.hpp>

namespace vergence::stereo {

// Parallax of a domain's pixels from distances that come with pictures of any model.
class SphereParallax {
 public:
  SphereParallax(const SphereDomain& domain, const SphereStereoOptions& options);

  // Takes distances in, which cover what `model` shows; beyond its border those of the border go
  // on. `picture` gives the colours by which rims are placed.
  void take(const RayDistance& distance, const projection::PictureModel& model,
            const SpherePicture& picture);

  // CV_32FC1 of the domain's size, pixels, >= 0. Parallel eyes: px_per_radian() * cos(column angle)
  // * radius / distance, from which both eyes' shifts follow. Omnidirectional: the shift itself.
  [[nodiscard]] const cv::Mat& pixels() const { return parallax_; }

  // No eye's shift is greater, pixels.
  [[nodiscard]] float reach() const { return reach_; }

  // The angle between both eyes' rays to the point with the most parallax.
  [[nodiscard]] double greatest_angle() const { return greatest_angle_; }

  // Share of the domain's part of the sphere that is nearer than the eyes are to its centre.
  [[nodiscard]] double share_inside() const { return share_inside_; }

 private:
  void place_distances(const projection::PictureModel& model, cv::Size size);
  void fill_angles(int first, int y, int count, AngleBlock& block) const;
  void fetch(const SpherePicture& picture, const cv::Rect& area, void* pixels) const;
  [[nodiscard]] DistanceSummary convert(const cv::Mat& distance, const SpherePicture& picture);
  void convert_band(const cv::Mat& distance, int first_row, cv::Mat& band,
                    DistanceSummary& summary) const;
  void gather(const cv::Mat& distance, int y, int first, int count, float* to) const;
  void gather_coarse(int y, int first, int count, float* to) const;
  void measure(const DistanceSummary& summary, const cv::Mat& distance);
  [[nodiscard]] double limited(double share) const;

  SphereDomain domain_;
  SphereStereoOptions options_;
  DomainRays rays_;
  ParallaxScale scale_{};
  std::optional<projection::PictureModel> model_;  // of the distances, at their size
  std::optional<PictureBorder> border_;
  bool coarse_ = false;  // the distances are fewer than the domain's pixels
  cv::Mat index_;        // CV_32SC1 [domain]: the distance of each pixel, or
  cv::Mat points_;       // CV_32FC2 [domain]: where it lies between those of inverse_
  cv::Mat inverse_;      // 1 / distance with a border of one pixel
  std::vector<float> column_gain_;
  cv::Mat parallax_;
  float reach_ = 0.0F;
  double greatest_angle_ = 0.0;
  double share_inside_ = 0.0;
};

}  // namespace vergence::stereo
