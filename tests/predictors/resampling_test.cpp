// SPDX-License-Identifier: Apache-2.0
#include "predictors/resampling.hpp"

#include "tests/support/matchers.hpp"

#include <cmath>
#include <string>
#include <vector>

namespace vergence::predictors {
namespace {

const cv::Mat kMap = (cv::Mat_<float>(5, 7) << 3, 1, 4, 1, 5, 9, 2,  //
                      6, 5, 3, 5, 8, 9, 7,                           //
                      9, 3, 2, 3, 8, 4, 6,                           //
                      2, 6, 4, 3, 3, 8, 3,                           //
                      2, 7, 9, 5, 0, 2, 8);

struct Case {
  std::string name;
  ResampleOptions options;
  cv::Size from;  // the top left part of kMap
  cv::Size to;
  std::vector<float> expected;  // torch.nn.functional.interpolate of PyTorch 1.13
};

class Resampled : public ::testing::TestWithParam<Case> {};

TEST_P(Resampled, GivesWhatPyTorchGives) {
  const auto& [name, options, from, to, expected] = GetParam();
  const cv::Mat source = kMap(cv::Rect({0, 0}, from));
  const cv::Mat result =
      resampled(source, cv::Rect2d(0.0, 0.0, from.width, from.height), to, options);
  const cv::Mat wanted = cv::Mat(expected, true).reshape(1, to.height);
  EXPECT_TRUE(test::maps_near(result, wanted, {.max = 2e-5, .mean = 1e-5}));
}

const std::vector<Case> kCases = {
    {"bilinear_smaller",
     {.interpolation = Interpolation::kBilinear, .align_corners = false, .antialias = false},
     {7, 5},
     {4, 3},
     {3.375F, 3.5F, 5.54167F, 5.66667F, 6.75F, 2.125F, 7.375F, 5.25F, 3.75F, 6.95833F, 1.41667F,
      5.45833F}},
    {"bicubic_smaller",
     {.interpolation = Interpolation::kBicubic, .align_corners = false, .antialias = false},
     {7, 5},
     {4, 3},
     {3.18029F, 3.65926F, 5.31767F, 5.88468F, 6.90381F, 1.98145F, 7.7749F, 5.01562F, 3.45445F,
      7.2933F, 0.773969F, 5.71222F}},
    {"bilinear_larger",
     {.interpolation = Interpolation::kBilinear, .align_corners = false, .antialias = false},
     {3, 2},
     {5, 3},
     {3.0F, 2.2F, 1.0F, 2.8F, 4.0F, 4.5F, 3.9F, 3.0F, 3.3F, 3.5F, 6.0F, 5.6F, 5.0F, 3.8F, 3.0F}},
    {"bicubic_larger",
     {.interpolation = Interpolation::kBicubic, .align_corners = false, .antialias = false},
     {3, 2},
     {5, 3},
     {2.93992F, 1.68265F, 0.652778F, 2.60415F, 4.41647F, 4.644F, 3.882F, 3.0F, 3.198F, 3.548F,
      6.34808F, 6.08135F, 5.34722F, 3.79185F, 2.67953F}},
    {"bilinear_corners",
     {.interpolation = Interpolation::kBilinear, .align_corners = true, .antialias = false},
     {7, 5},
     {3, 4},
     {3.0F, 1.0F, 2.0F, 7.0F, 4.33333F, 6.66667F, 4.33333F, 3.0F, 4.0F, 2.0F, 5.0F, 8.0F}},
    {"bicubic_corners",
     {.interpolation = Interpolation::kBicubic, .align_corners = true, .antialias = false},
     {7, 5},
     {3, 4},
     {3.0F, 1.0F, 2.0F, 7.66667F, 4.81481F, 7.40741F, 4.37037F, 2.66667F, 3.33333F, 2.0F, 5.0F,
      8.0F}},
    {"bilinear_antialias",
     {.interpolation = Interpolation::kBilinear, .align_corners = false, .antialias = true},
     {7, 5},
     {3, 2},
     {4.07468F, 4.30749F, 6.5974F, 4.83441F, 4.17112F, 4.91883F}},
    {"bicubic_antialias",
     {.interpolation = Interpolation::kBicubic, .align_corners = false, .antialias = true},
     {7, 5},
     {3, 2},
     {3.91031F, 4.22916F, 6.78308F, 4.96339F, 4.13227F, 4.82511F}},
    {"bicubic_antialias_larger",
     {.interpolation = Interpolation::kBicubic, .align_corners = false, .antialias = true},
     {3, 2},
     {5, 3},
     {2.95854F, 1.92901F, 0.736843F, 2.80568F, 4.31703F, 4.61321F, 3.95149F, 3.0F, 3.25746F,
      3.53774F, 6.26787F, 5.97398F, 5.26316F, 3.70925F, 2.75844F}},
};

INSTANTIATE_TEST_SUITE_P(Filters, Resampled, ::testing::ValuesIn(kCases),
                         [](const auto& test) { return test.param.name; });

TEST(Resampled, APartIsThatPartOfTheWholeEnlarged) {
  const ResampleOptions bicubic = {.interpolation = Interpolation::kBicubic};
  const cv::Mat whole = resampled(kMap, cv::Rect2d(0.0, 0.0, 7.0, 5.0), {28, 20}, bicubic);
  const cv::Mat part = resampled(kMap, cv::Rect2d(1.25, 0.5, 4.5, 3.75), {18, 15}, bicubic);
  EXPECT_TRUE(test::maps_near(part, whole(cv::Rect(5, 2, 18, 15)), {.max = 1e-5, .mean = 1e-6}));
}

TEST(Resampled, KeepsChannelsApartAndMissingValuesWhereTheyAre) {
  cv::Mat other = kMap * 2.0;
  other.at<float>(2, 2) = NAN;
  cv::Mat both;
  cv::merge(std::vector<cv::Mat>{kMap, other}, both);
  const cv::Mat same = resampled(both, cv::Rect2d(0.0, 0.0, 7.0, 5.0), {7, 5}, {});
  for (int y = 0; y < 5; ++y) {
    for (int x = 0; x < 7; ++x) {
      EXPECT_EQ(same.at<cv::Vec2f>(y, x)[0], kMap.at<float>(y, x));
      EXPECT_EQ(std::isnan(same.at<cv::Vec2f>(y, x)[1]), x == 2 && y == 2);
    }
  }
}

}  // namespace
}  // namespace vergence::predictors
