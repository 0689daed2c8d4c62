// SPDX-License-Identifier: Apache-2.0
#include "evaluation/depth_metrics.hpp"

#include "core/angle.hpp"
#include "core/error.hpp"
#include "tests/support/matchers.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace vergence::evaluation {
namespace {

using vergence::test::error_of;

cv::Mat row(std::initializer_list<float> values) {
  return cv::Mat(std::vector<float>(values), true).reshape(1, 1);
}

DepthMetrics plain(const AnyDepth& prediction, const AnyDepth& truth, DepthAlign align) {
  return evaluate_depth(prediction, truth, {.align = align}).plain;
}

TEST(DepthMetrics, MatchHandValues) {
  const auto m = plain(RayDistance(row({1.0F, 3.0F, 4.0F})), RayDistance(row({1.0F, 2.0F, 5.0F})),
                       DepthAlign::kNone);
  EXPECT_NEAR(m.abs_rel, (0.0 + 0.5 + 0.2) / 3, 1e-12);
  EXPECT_NEAR(m.sq_rel, (0.0 + 0.5 + 0.2) / 3, 1e-12);
  EXPECT_NEAR(m.mae, 2.0 / 3, 1e-12);
  EXPECT_NEAR(m.rmse, std::sqrt(2.0 / 3), 1e-12);
  const double up = std::log(1.5);
  const double down = std::log(0.8);
  EXPECT_NEAR(m.rmse_log, std::sqrt((up * up + down * down) / 3), 1e-12);
  EXPECT_NEAR(m.log10, (up - down) / std::log(10.0) / 3, 1e-12);
  const double mean = (up + down) / 3;
  EXPECT_NEAR(m.silog, 100 * std::sqrt((up * up + down * down) / 3 - mean * mean), 1e-10);
  EXPECT_NEAR(m.d1, 1.0 / 3, 1e-12);  // 4 against 5 is exactly 1.25, which is not below it
  EXPECT_NEAR(m.d2, 1.0, 1e-12);
  EXPECT_NEAR(m.d3, 1.0, 1e-12);
  EXPECT_EQ(m.num_pixels, 3);
  EXPECT_EQ(m.coverage, 1.0);
}

TEST(DepthMetrics, EveryAlignmentUndoesWhatItModels) {
  const cv::Mat truth = row({1.0F, 2.0F, 4.0F, 5.0F, 8.0F});
  const auto check = [&](const AnyDepth& prediction, DepthAlign align, double scale, double shift) {
    const auto m = plain(prediction, RayDistance(truth), align);
    EXPECT_NEAR(m.abs_rel, 0.0, 1e-6) << to_string(align);
    EXPECT_NEAR(m.scale, scale, 1e-5) << to_string(align);
    EXPECT_NEAR(m.shift, shift, 1e-5) << to_string(align);
  };
  check(RayDistance(truth * 4.0), DepthAlign::kMedian, 0.25, 0.0);
  check(RayDistance(truth * 4.0), DepthAlign::kScale, 4.0, 0.0);  // of inverse distance
  check(RayDistance(truth * 2.0 + 3.0), DepthAlign::kDepth, 0.5, -1.5);
  const cv::Mat disparity = 2.0 / truth - 0.5;
  check(Disparity(disparity), DepthAlign::kDisparity, 0.5, 0.25);
  check(InverseDistance(0.25 / truth), DepthAlign::kScale, 4.0, 0.0);
  cv::Mat log_disparity;
  cv::log(2.0 / truth, log_disparity);
  check(LogDisparity(log_disparity), DepthAlign::kScale, 0.5, 0.0);
}

TEST(DepthMetrics, PlanarDepthIsComparedWithPlanarDepthOnly) {
  const cv::Mat truth = row({1.0F, 2.0F, 4.0F});
  EXPECT_EQ(plain(PlanarDepth(truth), PlanarDepth(truth), DepthAlign::kNone).abs_rel, 0.0);
  EXPECT_NEAR(
      plain(PlanarDepthAffine(truth * 3.0 - 7.0), PlanarDepth(truth), DepthAlign::kDepth).abs_rel,
      0.0, 1e-6);
}

TEST(DepthMetrics, InvalidGroundTruthSkyCapAndMaskAreLeftOut) {
  const cv::Mat truth = row({2.0F, NAN, 0.0F, -1.0F, 1e9F, INFINITY, 50.0F, 3.0F});
  const cv::Mat prediction = row({2.0F, 9.0F, 9.0F, 9.0F, 9.0F, 9.0F, 9.0F, 9.0F});
  DepthEvalOptions options{.cap_m = 10.0, .mask = cv::Mat::ones(1, 8, CV_8U)};
  options.mask.at<std::uint8_t>(0, 7) = 0;
  const auto evaluation = evaluate_depth(RayDistance(prediction), RayDistance(truth), options);
  EXPECT_EQ(evaluation.plain.num_pixels, 1);
  EXPECT_EQ(evaluation.plain.abs_rel, 0.0);
  EXPECT_EQ(evaluation.plain.coverage, 1.0);
  EXPECT_FALSE(evaluation.spherical.has_value());
  EXPECT_FALSE(evaluation.seam.has_value());
}

TEST(DepthMetrics, MissingPredictionsLowerTheCoverageAndNothingElse) {
  const auto m = plain(RayDistance(row({2.0F, NAN, -1.0F, 1e9F, INFINITY})),
                       RayDistance(row({2.0F, 3.0F, 4.0F, 5.0F, 6.0F})), DepthAlign::kScale);
  EXPECT_EQ(m.num_pixels, 1);
  EXPECT_NEAR(m.coverage, 0.2, 1e-12);
  EXPECT_NEAR(m.abs_rel, 0.0, 1e-12);
}

TEST(DepthMetrics, PredictionsAreClippedToTwiceTheRangeOfTheTruth) {
  const auto m = plain(RayDistance(row({0.001F, 2.0F, 1000.0F})),
                       RayDistance(row({1.0F, 2.0F, 4.0F})), DepthAlign::kNone);
  EXPECT_NEAR(m.abs_rel, (0.5 + 0.0 + 1.0) / 3, 1e-12);  // 0.5 against 1, 8 against 4
}

TEST(DepthMetrics, InverseDistanceAtOrBelowZeroIsAtTheFarBound) {
  const auto m = plain(Disparity(row({1.0F, 1.0F, -1.0F})), RayDistance(row({1.0F, 1.0F, 4.0F})),
                       DepthAlign::kScale);
  EXPECT_NEAR(m.scale, 1.75 / 3, 1e-7);
  const double near = 3 / 1.75;
  EXPECT_NEAR(m.abs_rel, (2 * (near - 1) + 1.0) / 3, 1e-6);  // 8 m against 4 m
}

TEST(DepthMetrics, AConstantPredictionIsFittedByTheMean) {
  const auto m = plain(RayDistance(row({3.0F, 3.0F, 3.0F})), RayDistance(row({1.0F, 2.0F, 6.0F})),
                       DepthAlign::kDepth);
  EXPECT_EQ(m.scale, 0.0);
  EXPECT_NEAR(m.shift, 3.0, 1e-12);
  EXPECT_NEAR(m.mae, (2.0 + 1.0 + 3.0) / 3, 1e-12);
}

TEST(DepthMetrics, SphericalWeightsAndFitFollowTheLatitude) {
  // Rows at +-67.5 and +-22.5 degrees; the outer two are wrong by half.
  const cv::Mat truth(4, 8, CV_32F, 2.0F);
  cv::Mat prediction = truth.clone();
  prediction.row(0) = 3.0F;
  prediction.row(3) = 3.0F;
  const auto evaluation = evaluate_depth(RayDistance(prediction), RayDistance(truth),
                                         {.align = DepthAlign::kNone, .sphere = true});
  const double outer = std::cos(kPi * 3 / 8);
  const double inner = std::cos(kPi / 8);
  EXPECT_NEAR(evaluation.plain.abs_rel, 0.25, 1e-12);
  EXPECT_NEAR(evaluation.spherical.value().abs_rel, 0.5 * outer / (outer + inner), 1e-7);
  EXPECT_NEAR(evaluation.spherical.value().total_weight, 16 * (outer + inner), 1e-5);

  const auto fitted = evaluate_depth(RayDistance(prediction), RayDistance(truth),
                                     {.align = DepthAlign::kScale, .sphere = true});
  const auto scale = [](double w3, double w2) { return (w3 / 6 + w2 / 4) / (w3 / 9 + w2 / 4); };
  EXPECT_NEAR(fitted.plain.scale, scale(1, 1), 1e-6);
  EXPECT_NEAR(fitted.spherical.value().scale, scale(outer, inner), 1e-6);
}

TEST(DepthMetrics, SphericalMedianIsWeighted) {
  cv::Mat prediction(4, 8, CV_32F, 1.0F);  // half of the pixels, but 71 % of the sphere
  prediction.row(0) = 4.0F;
  prediction.row(3) = 4.0F;
  const auto evaluation =
      evaluate_depth(RayDistance(prediction), RayDistance(cv::Mat(4, 8, CV_32F, 2.0F)),
                     {.align = DepthAlign::kMedian, .sphere = true});
  EXPECT_NEAR(evaluation.plain.scale, 2.0 / 2.5, 1e-12);  // between 1 and 4
  EXPECT_NEAR(evaluation.spherical.value().scale, 2.0, 1e-12);
}

TEST(DepthMetrics, OtherSizesAreResizedInInverseDistanceEdgeToEdge) {
  // Inverse distance linear in x stays so under bilinear resizing, away from the borders.
  const auto ramp = [](int width) {
    cv::Mat distance(4, width, CV_32F);
    for (int x = 0; x < width; ++x) {
      distance.col(x) = 1.0 / (0.1 + 0.4 * (x + 0.5) / width);
    }
    return distance;
  };
  cv::Mat inner = cv::Mat::zeros(4, 64, CV_8U);
  inner.colRange(8, 56) = 255;
  for (const int width : {16, 48, 256}) {
    const auto m = evaluate_depth(RayDistance(ramp(width)), RayDistance(ramp(64)), {.mask = inner});
    EXPECT_LT(m.plain.abs_rel, 2e-6) << width;
  }
}

TEST(DepthMetrics, ResizingAPanoramaWrapsRoundTheSeam) {
  const auto wave = [](int width) {
    cv::Mat distance(4, width, CV_32F);
    for (int x = 0; x < width; ++x) {
      // Steepest at the seam, so that a clamped border would show.
      distance.col(x) = 1.0 / (0.5 + 0.2 * std::sin((x + 0.5) / width * 2 * kPi));
    }
    return distance;
  };
  cv::Mat seam_only = cv::Mat::zeros(4, 256, CV_8U);
  seam_only.col(0) = 255;
  seam_only.col(255) = 255;
  DepthEvalOptions options{.sphere = true, .mask = seam_only};
  const RayDistance coarse(wave(64));
  const RayDistance fine(wave(256));
  EXPECT_LT(evaluate_depth(coarse, fine, options).plain.abs_rel, 1e-4);
  options.sphere = false;
  EXPECT_GT(evaluate_depth(coarse, fine, options).plain.abs_rel, 1e-3);
}

TEST(DepthMetrics, ResizingDoesNotSpreadMissingPixels) {
  cv::Mat prediction(4, 8, CV_32F, 2.0F);
  prediction.at<float>(1, 3) = NAN;
  const auto m = evaluate_depth(RayDistance(prediction), RayDistance(cv::Mat(8, 16, CV_32F, 2.0F)),
                                DepthEvalOptions{});
  EXPECT_EQ(m.plain.num_pixels, 8 * 16 - 4);
  EXPECT_NEAR(m.plain.abs_rel, 0.0, 1e-7);
}

TEST(DepthMetrics, TheSeamStepOfADisparityIsThatOfItsFit) {
  cv::Mat truth(8, 16, CV_32F);
  for (int x = 0; x < 16; ++x) truth.col(x) = 2.0 + x;
  const cv::Mat disparity = 3.0 / truth + 1.0;
  const auto from_distance =
      evaluate_depth(RayDistance(truth), RayDistance(truth), {.sphere = true});
  const auto from_disparity = evaluate_depth(Disparity(disparity), RayDistance(truth),
                                             {.align = DepthAlign::kDisparity, .sphere = true});
  EXPECT_NEAR(from_distance.seam.value().seam, std::log(17.0 / 2.0), 1e-6);
  EXPECT_NEAR(from_disparity.seam.value().seam, std::log(17.0 / 2.0), 1e-4);
  EXPECT_EQ(from_disparity.seam.value().rank, 1);
}

TEST(DepthMetrics, SaysWhatDoesNotFitTogether) {
  const cv::Mat values = row({1.0F, 2.0F});
  const auto message = [](const AnyDepth& p, const AnyDepth& g, const DepthEvalOptions& options) {
    return error_of([&] { static_cast<void>(evaluate_depth(p, g, options)); });
  };
  EXPECT_EQ(
      message(Disparity(values), RayDistance(values), {.align = DepthAlign::kMedian}),
      "a prediction of kind 'disparity' cannot be compared with align 'median', because it is "
      "known only up to a scale or a shift; use align 'disparity' or 'scale'");
  EXPECT_EQ(message(PlanarDepthAffine(values), PlanarDepth(values), {}),
            "a prediction of kind 'planar_depth_affine' cannot be compared with align 'none', "
            "because it is known only up to a scale or a shift; use align 'depth'");
  EXPECT_EQ(message(PlanarDepth(values), RayDistance(values), {}),
            "a prediction of kind 'planar_depth' cannot be compared with ground truth of kind "
            "'distance': one is measured along the view axis, the other along the ray; convert one "
            "of them, or name the right kind");
  EXPECT_EQ(message(RayDistance(values), Disparity(values), {}),
            "ground truth of kind 'disparity' has no length to compare with; give 'distance', "
            "'planar_depth' or 'inverse_distance'");
  EXPECT_EQ(
      message(RayDistance(values), RayDistance(values), {.mask = cv::Mat::ones(3, 2, CV_8U)}),
      "the mask is 2 x 3 pixels with 1 channels, but the ground truth is 2 x 1; give an 8-bit "
      "grey mask of the ground truth's size");
  EXPECT_EQ(message(RayDistance(values), RayDistance(row({NAN, 1e10F})), {}),
            "no pixel has both a prediction and usable ground truth; check the mask, the cap and "
            "the unit of the ground truth");
  EXPECT_EQ(message(RayDistance(), RayDistance(values), {}),
            "a depth map without pixels cannot be evaluated");
}

TEST(DepthAlign, WordsRoundTrip) {
  for (const auto* word : {"none", "median", "scale", "disparity", "depth"}) {
    ASSERT_TRUE(depth_align_from_string(word).has_value()) << word;
    EXPECT_EQ(to_string(*depth_align_from_string(word)), word);
  }
  EXPECT_FALSE(depth_align_from_string("affine").has_value());
}

}  // namespace
}  // namespace vergence::evaluation
