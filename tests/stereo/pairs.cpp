// SPDX-License-Identifier: Apache-2.0
#include "tests/stereo/pairs.hpp"

#include "media/depth_file.hpp"
#include "media/picture.hpp"
#include "tests/stereo/npz.hpp"
#include "tests/support/paths.hpp"

#include <algorithm>
#include <cmath>

#include <opencv2/imgcodecs.hpp>

namespace vergence::test {
namespace {

// Values that are not finite and > 0 become the smaller of the nearest ones in the row.
void fill_gaps(cv::Mat& disparity) {
  for (int y = 0; y < disparity.rows; ++y) {
    float* const row = disparity.ptr<float>(y);
    const auto valid = [row](int x) { return std::isfinite(row[x]) && row[x] > 0.0F; };
    for (int x = 0; x < disparity.cols; ++x) {
      if (valid(x)) continue;
      int end = x;
      while (end < disparity.cols && !valid(end)) ++end;
      const float before = x > 0 ? row[x - 1] : INFINITY;
      const float after = end < disparity.cols ? row[end] : INFINITY;
      std::fill(row + x, row + end, std::min(before, after));
      x = end;
    }
  }
}

}  // namespace

StereoPair middlebury_pair(const std::string& name) {
  const auto folder = shared_dir() / "stereo" / name;
  StereoPair pair;
  if (name == "cones") {
    pair.left = media::read_picture(folder / "im2.png").rgb;
    pair.right = media::read_picture(folder / "im6.png").rgb;
    cv::imread((folder / "disp2.pgm").string(), cv::IMREAD_UNCHANGED)
        .convertTo(pair.disparity_px, CV_32FC1, 0.25);
  } else {
    pair.left = media::read_picture(folder / "motorcycle_left.png").rgb;
    pair.right = media::read_picture(folder / "motorcycle_right.png").rgb;
    pair.disparity_px = read_npz(folder / "motorcycle_disp.npz").at("arr_0");
  }
  fill_gaps(pair.disparity_px);
  return pair;
}

StereoPair rendered_pair(const std::string& name) {
  const auto folder = shared_dir() / "synth" / name;
  StereoPair pair;
  pair.left = media::read_picture(folder / "flat_left_rgb.png").rgb;
  pair.right = media::read_picture(folder / "flat_right_rgb.png").rgb;
  const auto depth = media::read_depth(folder / "flat_left_depth.exr");
  constexpr double kFocalTimesBaseline = 685.51 * 0.064;  // pixels * metres
  pair.disparity_px = kFocalTimesBaseline / values_of(depth);
  return pair;
}

}  // namespace vergence::test
