// SPDX-License-Identifier: Apache-2.0
// Measures how far a tangent view's depth is from the truth, with Vergence's libraries alone.
#include "core/depth.hpp"
#include "evaluation/depth_report.hpp"
#include "projection/sphere_window.hpp"

#include <cmath>
#include <cstdio>

int main() {
  const Eigen::Vector3d front =
      vergence::projection::direction_at(vergence::projection::SphereWindow::whole(8, 4), 4.0, 2.0);
  const cv::Mat truth(4, 8, CV_32F, cv::Scalar(2.0 - front.z()));  // the front looks to -Z
  const auto evaluation = vergence::evaluation::evaluate_depth(
      vergence::InverseDistance(0.25 / truth), vergence::RayDistance(truth),
      {.align = vergence::evaluation::DepthAlign::kScale, .sphere = true});
  std::printf("distance %.1f, scale %.1f\n", static_cast<double>(truth.at<float>(0, 0)),
              evaluation.plain.scale);
  return vergence::evaluation::to_table(evaluation).empty() ? 1 : 0;
}
