// SPDX-License-Identifier: Apache-2.0
// From a picture and its depth to a packed frame.
#include "pipeline/stereo_frame.hpp"

#include "core/error.hpp"
#include "media/picture.hpp"
#include "stereo/nearness.hpp"
#include "tests/stereo/npz.hpp"
#include "tests/support/numbered_picture.hpp"
#include "tests/support/paths.hpp"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace vergence::pipeline {
namespace {

using test::moved;
using test::numbered;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

bool same(const cv::Mat& a, const cv::Mat& b) {
  return a.size() == b.size() && a.type() == b.type() && cv::norm(a, b, cv::NORM_INF) == 0.0;
}

cv::Mat row_of(std::initializer_list<float> values) {
  return cv::Mat(std::vector<float>(values), true).reshape(1, 1);
}

TEST(FillFromBackground, TakesTheFartherNeighbourInTheRow) {
  cv::Mat values = row_of({kNan, 3.0F, kNan, kNan, 1.0F, kNan});
  ASSERT_TRUE(fill_from_background(values));
  EXPECT_TRUE(same(values, row_of({3.0F, 3.0F, 1.0F, 1.0F, 1.0F, 1.0F})));
}

TEST(FillFromBackground, RowsWithoutValuesTakeTheNextRow) {
  cv::Mat values(4, 2, CV_32FC1, cv::Scalar(kNan));
  values.at<float>(1, 0) = 5.0F;
  ASSERT_TRUE(fill_from_background(values));
  EXPECT_TRUE(same(values, cv::Mat(4, 2, CV_32FC1, cv::Scalar(5.0))));
}

TEST(FillFromBackground, SaysWhereThereIsNothing) {
  cv::Mat values(2, 3, CV_32FC1, cv::Scalar(kNan));
  EXPECT_FALSE(fill_from_background(values));
}

TEST(RawNearness, NearIsLargeForAllKinds) {
  EXPECT_TRUE(same(raw_nearness(PlanarDepth(row_of({1.0F, 4.0F}))), row_of({-1.0F, -4.0F})));
  EXPECT_TRUE(same(raw_nearness(Disparity(row_of({1.0F, 4.0F}))), row_of({1.0F, 4.0F})));
  EXPECT_TRUE(same(raw_nearness(InverseDistance(row_of({1.0F, 4.0F}))), row_of({1.0F, 4.0F})));
  const cv::Mat from_log = raw_nearness(LogDisparity(row_of({0.0F, 1.0F})));
  EXPECT_FLOAT_EQ(from_log.at<float>(0, 1), std::exp(1.0F));
}

TEST(RawNearness, SkyDoesNotStretchTheRange) {
  EXPECT_TRUE(
      same(raw_nearness(RayDistance(row_of({2.0F, 9.0F, 1e10F}))), row_of({-2.0F, -9.0F, -9.0F})));
}

TEST(RawNearness, AMapWithoutValuesIsRefused) {
  EXPECT_THROW(raw_nearness(PlanarDepth(row_of({kNan}))), Error);
}

TEST(PairDisparity, ZeroIsNotKnownAndNegativeIs) {
  const cv::Mat disparity = pair_disparity(PixelDisparity(row_of({-2.0F, 0.0F, 7.0F})), "d.npy");
  EXPECT_TRUE(same(disparity, row_of({-2.0F, -2.0F, 7.0F})));
}

TEST(MapperOf, ForegroundScaleMeansWhatItDoesInIw3) {
  StereoFrameOptions options;
  EXPECT_EQ(mapper_of(options), "none");
  options.depth_kind = DepthKind::kPlanarDepth;
  EXPECT_EQ(mapper_of(options), "div_6");
  options.foreground_scale = -3.0F;
  EXPECT_EQ(mapper_of(options), "none");
  options.mapper_type = "mul";
  options.foreground_scale = 2.0F;
  EXPECT_EQ(mapper_of(options), "mul_2");
  options.mapper = "pow2";
  EXPECT_EQ(mapper_of(options), "pow2");
}

// Both eyes of a picture that lies 4 pixels before the screen.
struct Eyes {
  cv::Mat left;
  cv::Mat right;
};

Eyes exact_eyes(const cv::Mat& picture) {
  return {moved(picture, 2), moved(picture, -2)};
}

TEST(StereoFrameMaker, APairsOwnParallaxMovesWholePixels) {
  const cv::Mat picture = numbered({37, 19});
  StereoFrameMaker maker({});
  cv::Mat frame;
  maker.make_from_disparity(picture, cv::Mat(19, 37, CV_32FC1, cv::Scalar(4.0)), frame);
  const auto eyes = exact_eyes(picture);
  EXPECT_TRUE(same(maker.left(), eyes.left));
  EXPECT_TRUE(same(maker.right(), eyes.right));
  cv::Mat expected;
  cv::hconcat(eyes.left, eyes.right, expected);
  EXPECT_TRUE(same(frame, expected));
}

TEST(StereoFrameMaker, OneSyntheticViewLeavesTheOtherAlone) {
  const cv::Mat picture = numbered({37, 19});
  StereoFrameOptions options;
  options.parallax.synthetic_view = stereo::SyntheticView::kRight;
  StereoFrameMaker maker(options);
  cv::Mat frame;
  maker.make_from_disparity(picture, cv::Mat(19, 37, CV_32FC1, cv::Scalar(4.0)), frame);
  EXPECT_TRUE(same(maker.left(), picture));
  EXPECT_TRUE(same(maker.right(), moved(picture, -4)));
}

TEST(StereoFrameMaker, DisparityOfASmallerMapIsInItsOwnPixels) {
  const cv::Mat picture = numbered({40, 20});
  StereoFrameMaker maker({});
  cv::Mat frame;
  maker.make_from_disparity(picture, cv::Mat(10, 20, CV_32FC1, cv::Scalar(2.0)), frame);
  EXPECT_TRUE(same(maker.left(), exact_eyes(picture).left));
}

TEST(StereoFrameMaker, DivergenceIsShareOfTheLongSide) {
  const cv::Mat picture = numbered({200, 30});
  StereoFrameOptions options;
  options.parallax.divergence = 4.0F;  // 8 px between both eyes
  options.edge_dilation = {0, 0};
  StereoFrameMaker maker(options);
  cv::Mat frame;
  maker.make(picture, cv::Mat(30, 200, CV_32FC1, cv::Scalar(1.0)), 0.5F, frame);
  EXPECT_TRUE(same(maker.left(), moved(picture, 2)));
  EXPECT_TRUE(same(maker.right(), moved(picture, -2)));
  maker.make(picture, cv::Mat(30, 200, CV_32FC1, cv::Scalar(0.0)), 1.0F, frame);
  EXPECT_TRUE(same(maker.left(), moved(picture, -4)));
}

TEST(StereoFrameMaker, ParallaxPxPutsAllBeforeTheScreen) {
  const cv::Mat picture = numbered({60, 30});
  StereoFrameOptions options;
  options.strength = StereoStrength::kParallaxPx;
  options.parallax_px = 6.0F;
  StereoFrameMaker maker(options);
  cv::Mat nearness(30, 60, CV_32FC1, cv::Scalar(0.0));
  nearness.rowRange(15, 30).setTo(1.0);
  cv::Mat frame;
  maker.make(picture, nearness, 0.5F, frame);
  double min = 0.0;
  double max = 0.0;
  cv::minMaxLoc(maker.parallax_px(), &min, &max);
  EXPECT_NEAR(min, 0.0, 1e-4);
  EXPECT_NEAR(max, 6.0, 1e-4);
}

TEST(StereoFrameMaker, MetricModePutsInfinityAsFarApartAsTheEyes) {
  const cv::Mat picture = numbered({200, 30});
  StereoFrameOptions options;
  options.strength = StereoStrength::kMetric;
  options.viewing.ipd_m = 0.06;
  options.viewing.screen_width_m = 2.0;
  options.viewing.viewing_distance_m = 3.0;
  options.depth_kind = DepthKind::kPlanarDepth;
  options.in_metres = true;
  options.edge_dilation = {0, 0};
  StereoFrameMaker maker(options);
  cv::Mat raw(30, 200, CV_32FC1, cv::Scalar(-3.0));  // on the screen
  raw.rowRange(0, 15).setTo(-6.0);                   // e (1 - 3 / 6) = 3 cm = 3 px behind it
  stereo::FrameDecision decision;
  decision.range = {-6.0F, -3.0F};
  cv::Mat frame;
  maker.make(picture, raw, decision, frame);
  EXPECT_NEAR(maker.parallax_px().at<float>(29, 100), 0.0, 1e-3);
  EXPECT_NEAR(maker.parallax_px().at<float>(0, 100), -1.5, 1e-3);
}

TEST(StereoFrameMaker, ComfortCapHoldsTheLimit) {
  const cv::Mat picture = numbered({400, 30});
  StereoFrameOptions options;
  options.parallax.divergence = 20.0F;
  options.comfort = Radians::from_degrees(0.5);
  cv::Mat nearness(30, 400, CV_32FC1);
  for (int x = 0; x < 400; ++x) nearness.col(x).setTo(static_cast<float>(x) / 399.0F);
  cv::Mat frame;
  StereoFrameMaker free(options);
  free.make(picture, nearness, 0.5F, frame);
  EXPECT_GT(free.comfort().nearest.degrees(), 0.6);
  EXPECT_GT(free.comfort().share_beyond, 0.1);
  options.comfort_cap = true;
  StereoFrameMaker capped(options);
  capped.make(picture, nearness, 0.5F, frame);
  EXPECT_LE(capped.comfort().nearest.degrees(), 0.505);
  EXPECT_GE(capped.comfort().farthest.degrees(), -0.505);
}

TEST(StereoFrameMaker, BlackBarsStayInBothEyes) {
  const cv::Mat inner = numbered({40, 20});
  cv::Mat picture(30, 40, CV_8UC3, cv::Scalar(9, 9, 9));
  inner.copyTo(picture.rowRange(5, 25));
  StereoFrameMaker maker({});
  maker.crop_to({0, 5, 40, 20});
  cv::Mat frame;
  maker.make_from_disparity(picture, cv::Mat(20, 40, CV_32FC1, cv::Scalar(4.0)), frame);
  cv::Mat expected = picture.clone();
  exact_eyes(inner).left.copyTo(expected.rowRange(5, 25));
  EXPECT_TRUE(same(maker.left(), expected));
  EXPECT_EQ(frame.size(), cv::Size(80, 30));
}

TEST(StereoFrameMaker, SizesAreWhatFrameSizeSays) {
  const cv::Mat picture = numbered({61, 35});
  const cv::Mat nearness(35, 61, CV_32FC1, cv::Scalar(0.5));
  for (const auto word : stereo::layout_words()) {
    for (const cv::Size limit : {cv::Size(), cv::Size(40, 0), cv::Size(0, 24)}) {
      for (const float ipd : {0.0F, 5.0F}) {
        StereoFrameOptions options;
        options.layout.layout = stereo::layout_from_string(word).value();
        options.max_size = limit;
        options.ipd_offset = ipd;
        StereoFrameMaker maker(options);
        cv::Mat frame;
        maker.make(picture, nearness, 0.5F, frame);
        EXPECT_EQ(frame.size(), maker.frame_size(picture.size())) << word;
        if (limit.width > 0) {
          EXPECT_LE(frame.cols, limit.width) << word;
        }
        if (limit.height > 0) {
          EXPECT_LE(frame.rows, limit.height) << word;
        }
      }
    }
  }
}

TEST(StereoFrameMaker, LetterboxFitsEachEyeIntoItsPart) {
  const cv::Mat picture(20, 40, CV_8UC3, cv::Scalar::all(200));
  StereoFrameOptions options;
  options.letterbox = {80, 60};  // 40 x 60 for each eye
  StereoFrameMaker maker(options);
  cv::Mat frame;
  maker.make(picture, cv::Mat(20, 40, CV_32FC1, cv::Scalar(0.5)), 0.5F, frame);
  cv::Mat expected = cv::Mat::zeros(60, 80, CV_8UC3);
  expected.rowRange(20, 40).setTo(cv::Scalar::all(200));
  EXPECT_TRUE(same(frame, expected));
}

TEST(StereoFrameMaker, AnUnknownMapperIsRefusedAtOnce) {
  StereoFrameOptions options;
  options.mapper = "cube";
  EXPECT_THROW(StereoFrameMaker{options}, Error);
}

TEST(StereoFrameMaker, ForwardFillEqualsIw3) {
  VERGENCE_REQUIRE_SHARED();
  const auto folder = test::shared_dir() / "golden" / "iw3_warp";
  cv::Mat picture;
  media::read_picture(folder / "in_rgb.png").rgb.convertTo(picture, CV_32F, 1.0 / 255.0);
  const cv::Mat nearness = test::read_npy(folder / "in_depth.npy");
  StereoFrameOptions options;
  options.method = StereoMethod::kForwardFill;
  options.edge_dilation = {0, 0};
  options.parallax.divergence = 4.0F;
  StereoFrameMaker maker(options);
  cv::Mat frame;
  maker.make(picture, nearness, 1.0F, frame);
  const cv::Mat left = test::read_npy(folder / "forward_fill_d4_c1_both_L.npy") / 65535.0;
  const cv::Mat right = test::read_npy(folder / "forward_fill_d4_c1_both_R.npy") / 65535.0;
  EXPECT_LT(cv::norm(maker.left(), left, cv::NORM_INF), 1e-4);
  EXPECT_LT(cv::norm(maker.right(), right, cv::NORM_INF), 1e-4);
}

// A square moves over stripes: what it uncovers in one frame is seen in the others.
TEST(StereoFrameMaker, NeighboursShowWhatTheForegroundHides) {
  cv::Mat behind(96, 160, CV_8UC3);
  cv::RNG random(7);
  random.fill(behind, cv::RNG::UNIFORM, 0, 255);
  std::vector<StereoMoment> window;
  for (int i = 0; i < 9; ++i) {
    StereoMoment moment;
    moment.index = i;
    moment.picture = behind.clone();
    moment.raw = cv::Mat::zeros(96, 160, CV_32FC1);
    const cv::Rect square(20 + 10 * i, 30, 30, 36);
    moment.picture(square).setTo(cv::Scalar(250, 10, 10));
    moment.raw(square).setTo(1.0);
    moment.decision.range = {0.0F, 1.0F};
    moment.decision.convergence = 0.0F;
    window.push_back(moment);
  }
  StereoFrameOptions options;
  options.parallax.divergence = 8.0F;
  options.edge_dilation = {0, 0};
  const auto error_with = [&](std::span<const StereoMoment> frames, std::size_t current) {
    StereoFrameMaker maker(options);
    cv::Mat frame;
    maker.make(frames, current, frame);
    // The background is on the screen, so that it stays where it is in both eyes.
    return cv::norm(maker.left()(cv::Rect(40, 30, 20, 36)), behind(cv::Rect(40, 30, 20, 36)),
                    cv::NORM_L1);
  };
  const double alone = error_with(std::span(window).subspan(4, 1), 0);
  const double together = error_with(window, 4);
  EXPECT_LT(together, 0.7 * alone);
}

}  // namespace
}  // namespace vergence::pipeline
