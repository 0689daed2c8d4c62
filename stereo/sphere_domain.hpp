// SPDX-License-Identifier: Apache-2.0
// The rectified domain of a pair of eyes: a picture of the sphere along whose rows parallax moves
// points (sphere_stereo.hpp); not installed.
#pragma once

#include "projection/picture_model.hpp"
#include "stereo/sphere_kernels.hpp"
#include "stereo/sphere_stereo.hpp"

#include <array>
#include <vector>

#include <Eigen/Core>
#include <opencv2/core.hpp>

namespace vergence::stereo {

// Angles along the rows and across them, of pixels' centres, in the frame of the eyes:
//   parallel eyes     column = angle to the right of the plane through -Z and +Y, row = angle of
//   the
//                     half plane through the axis of the eyes above the one through -Z; direction
//                     (sin c, cos c sin r, -cos c cos r)
//   omnidirectional   column = longitude c, row = latitude r; direction
//                     (cos r sin c, sin r, -cos r cos c)
struct SphereDomain {
  EyeGeometry geometry = EyeGeometry::kParallel;
  cv::Size size;
  double first_column = 0.0;
  double column_step = 0.0;
  double first_row = 0.0;
  double row_step = 0.0;      // < 0: row 0 is the highest
  bool wrap_columns = false;  // the first and the last one are neighbours
  bool wrap_rows = false;

  [[nodiscard]] double column_angle(double x) const { return first_column + x * column_step; }

  [[nodiscard]] double row_angle(double y) const { return first_row + y * row_step; }

  [[nodiscard]] double px_per_radian() const { return 1.0 / column_step; }
};

// The angles of a block of points of a domain, for the kernels.
struct AngleBlock {
  alignas(32) std::array<float, kSphereBlock> along;   // column angles
  alignas(32) std::array<float, kSphereBlock> across;  // row angles
  alignas(32) std::array<float, kSphereBlock> lift;    // omnidirectional: cosine of the parallax
};

// Directions in the source's frame for points of a domain.
class DomainRays {
 public:
  DomainRays(const SphereDomain& domain, const Eigen::Matrix3d& source_from_eyes);

  // The first `count` points of a block, as the source sees them. Lifted: omnidirectional eyes look
  // from a circle, which changes the elevation of what is near: tan(elevation seen by the head) =
  // tan(elevation) cos(parallax).
  [[nodiscard]] SphereAngles angles(const AngleBlock& block, int count, bool lifted = false) const;

 private:
  EyeGeometry geometry_;
  std::array<float, 9> rotation_;
};

// Where the pixels of an eye's picture lie in its domain (column and row, 0 = the first one's
// centre), in little memory: reading it takes a good part of the time of a view.
struct EyeTable {
  SphereDomain domain;
  cv::Mat hidden;  // CV_8UC1: 255 where the eye's picture shows nothing; empty if it always does

  // Pixels of row y from column `first` on, a multiple of kSphereBlock, up to the next multiple.
  [[nodiscard]] PointRun run(int y, int first) const;

  cv::Mat steps;                // CV_16SC1: columns of a block, rows of a block, and so on
  std::vector<PointRun> lines;  // of the blocks, without their steps
};

// The domain for eyes of this model, as fine as their pictures in the middle, and as large as they
// need, with room beside it for what comes in from there.
[[nodiscard]] EyeTable make_eye_table(EyeGeometry geometry, const projection::PictureModel& eye);

}  // namespace vergence::stereo
