// SPDX-License-Identifier: Apache-2.0
// The cards of docs/models/ on networks of the signature that their recipes export
// (make_torchscript_files.cpp), whose results can be worked out by hand.
#include "predictors/predictor_factory.hpp"
#include "tests/predictors/test_data.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/paths.hpp"

#include <cmath>
#include <vector>

#include <opencv2/imgproc.hpp>

namespace vergence::predictors {
namespace {

namespace fs = std::filesystem;

std::unique_ptr<DepthPredictor> open(const std::string& name) {
  return make_network({.card = test::source_dir() / "docs/models" / (name + ".toml"),
                       .weights = fs::path(VERGENCE_TORCHSCRIPT_DIR) / (name + ".pt")},
                      {.device = "cpu", .threads = 1});
}

cv::Mat metres(DepthPredictor& predictor, const cv::Mat& rgb, double focal_px) {
  EXPECT_EQ(predictor.info().kind, DepthKind::kPlanarDepth);
  EXPECT_TRUE(predictor.info().metric);
  PredictorInput picture = test::as_input(rgb);
  picture.focal_px = focal_px;
  return values_of(predictor.predict({&picture, 1}, no_progress()).at(0));
}

cv::Mat even(cv::Size size, int value) {
  return {size, CV_8UC3, cv::Scalar::all(value)};
}

cv::Mat map_of(cv::Size size, double value) {
  return {size, CV_32FC1, cv::Scalar(value)};
}

// The network gives 10 * value: a ramp must come back where it was, though a mirrored border stood
// around it and the network saw both it and its mirror image.
TEST(ZoeDepthCard, CutsItsMirroredBorderOffAgain) {
  cv::Mat ramp(150, 200, CV_8UC3);
  cv::Mat expected(150, 200, CV_32FC1);
  for (int y = 0; y < ramp.rows; ++y) {
    for (int x = 0; x < ramp.cols; ++x) {
      const int value = x / 2 + y;
      ramp.at<cv::Vec3b>(y, x) = cv::Vec3b::all(static_cast<uchar>(value));
      expected.at<float>(y, x) = static_cast<float>(10.0 * (x / 2.0 - 0.25 + y) / 255.0);
    }
  }
  const auto predictor = open("zoedepth");
  const cv::Mat depth = metres(*predictor, ramp, 0.0);
  ASSERT_EQ(depth.size(), ramp.size());
  const cv::Rect inside(4, 4, 192, 142);  // at its ends the mirrored ramp has a fold
  EXPECT_TRUE(test::maps_near(depth(inside), expected(inside), {.max = 0.03, .mean = 0.01}));
}

TEST(DepthProCard, GivesMetresFromCanonicalInverseDepth) {
  const auto predictor = open("depth_pro");
  // White: canonical inverse 0.5; W = 640, f = 800: 1 / (0.5 * 640 / 800).
  EXPECT_TRUE(test::maps_near(metres(*predictor, even({640, 480}, 255), 800.0),
                              map_of({640, 480}, 2.5), {1e-5, 1e-5}));
  // Black: 0, which is clamped to 1e-4.
  EXPECT_TRUE(test::maps_near(metres(*predictor, even({640, 480}, 0), 800.0),
                              map_of({640, 480}, 1e4), {1e-2, 1e-2}));
}

TEST(Metric3dCard, GivesMetresFromCanonicalDepth) {
  const auto predictor = open("metric3d_v2");
  // 12 m canonical; s = min(616 / 375, 1064 / 1242), f = 707.0493: D = 12 s f / 1000.
  const double expected = 12.0 * (1064.0 / 1242.0) * 707.0493 / 1000.0;
  EXPECT_TRUE(test::maps_near(metres(*predictor, even({1242, 375}, 90), 707.0493),
                              map_of({1242, 375}, expected), {1e-5, 1e-5}));
  // Clamped at 300 m.
  EXPECT_TRUE(test::maps_near(metres(*predictor, even({100, 100}, 90), 50000.0),
                              map_of({100, 100}, 300.0), {1e-5, 1e-5}));
}

// The stub's plane: 3 times z = 2 / (1 - 0.8 u - 0.4 v) as a camera of 1.25 widths at 4:3 sees it,
// where its mask is; 686 x 518 pixels are 49 x 37 patches, the network's scale is patches / 600.
TEST(MogeCard, FindsTheShiftWithAndWithoutTheFocalLength) {
  const auto predictor = open("moge2");
  const cv::Mat picture = even({640, 480}, 90);
  for (const double focal_px : {800.0, 0.0}) {
    const cv::Mat depth = metres(*predictor, picture, focal_px);
    ASSERT_EQ(depth.size(), cv::Size(686, 518));
    cv::Mat expected(depth.size(), CV_32FC1);
    for (int y = 0; y < depth.rows; ++y) {
      for (int x = 0; x < depth.cols; ++x) {
        const double u = (x + 0.5) / depth.cols - 0.5;
        const double v = ((y + 0.5) / depth.rows - 0.5) * 0.75;
        const double z = 2.0 / (1.0 - 0.8 * u - 0.4 * v) * (49.0 * 37.0 / 600.0);
        expected.at<float>(y, x) = static_cast<float>(u > -0.4 ? z : NAN);
      }
    }
    EXPECT_TRUE(test::maps_near(depth, expected, {.max = 5e-2, .mean = 1e-2})) << focal_px;
  }
}

// The stub gives x = cx, y = cy, z = 4 fx / fy.
TEST(UniDepthCard, GivesTheCameraAndTakesDepthFromPoints) {
  const auto predictor = open("unidepth_v2");
  const double expected = 4.0 * (630.0 / 640.0) / (462.0 / 480.0);
  EXPECT_TRUE(test::maps_near(metres(*predictor, even({640, 480}, 90), 512.0),
                              map_of({640, 480}, expected), {1e-4, 1e-4}));
}

}  // namespace
}  // namespace vergence::predictors
