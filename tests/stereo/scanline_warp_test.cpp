// SPDX-License-Identifier: Apache-2.0
#include "stereo/scanline_warp.hpp"

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

namespace vergence::stereo {
namespace {

using Pixel = cv::Vec3b;

constexpr auto kVisible = static_cast<int>(Visibility::kVisible);
constexpr auto kRim = static_cast<int>(Visibility::kRim);
constexpr auto kDisoccluded = static_cast<int>(Visibility::kDisoccluded);
constexpr auto kOutside = static_cast<int>(Visibility::kOutside);

cv::Mat noise_picture(int width, int height, int type) {
  cv::Mat picture(height, width, type);
  cv::RNG random(7);
  random.fill(picture, cv::RNG::UNIFORM, 0.0,
              CV_MAT_DEPTH(type) == CV_8U    ? 256.0
              : CV_MAT_DEPTH(type) == CV_16U ? 65536.0
                                             : 1.0);
  return picture;
}

// Smooth ups and downs with some steps.
cv::Mat uneven_parallax(int width, int height, float reach) {
  cv::Mat parallax(height, width, CV_32FC1);
  std::mt19937 random(3);
  std::uniform_real_distribution<float> any(-1.0F, 1.0F);
  for (int y = 0; y < height; ++y) {
    float level = any(random);
    for (int x = 0; x < width; ++x) {
      if (random() % 16 == 0) level = any(random);
      parallax.at<float>(y, x) = reach * level + 0.3F * std::sin(0.2F * static_cast<float>(x));
    }
  }
  return parallax;
}

ScanlineOptions plain() {
  ScanlineOptions options;
  options.refine_rims = false;
  options.fill_smoothing_px = 0.0F;
  return options;
}

cv::Mat view_of(const cv::Mat& picture, const cv::Mat& parallax, Eye eye,
                const ScanlineOptions& options) {
  ScanlineWarp warp(options);
  warp.set_source(picture, parallax);
  cv::Mat view;
  warp.render(eye, view);
  return view;
}

WarpMap map_of(const cv::Mat& parallax, Eye eye, const ScanlineOptions& options) {
  const cv::Mat picture(parallax.size(), CV_8UC1, cv::Scalar(0));
  ScanlineWarp warp(options);
  warp.set_source(picture, parallax);
  WarpMap map;
  warp.map(eye, map);
  return map;
}

class EveryType : public ::testing::TestWithParam<std::tuple<int, Interpolation>> {};

TEST_P(EveryType, NoParallaxChangesNothing) {
  const auto [type, interpolation] = GetParam();
  const cv::Mat picture = noise_picture(37, 11, type);
  ScanlineOptions options;
  options.interpolation = interpolation;
  const cv::Mat view =
      view_of(picture, cv::Mat::zeros(picture.size(), CV_32FC1), Eye::kLeft, options);
  EXPECT_EQ(cv::norm(view, picture, cv::NORM_INF), 0.0);
}

TEST_P(EveryType, PositiveParallaxMovesTheLeftEyesPictureToTheRight) {
  const auto [type, interpolation] = GetParam();
  const cv::Mat picture = noise_picture(37, 11, type);
  ScanlineOptions options;
  options.interpolation = interpolation;
  const cv::Mat parallax(picture.size(), CV_32FC1, cv::Scalar(5));
  const cv::Mat left = view_of(picture, parallax, Eye::kLeft, options);
  EXPECT_EQ(cv::norm(left.colRange(5, 37), picture.colRange(0, 32), cv::NORM_INF), 0.0);
  const cv::Mat right = view_of(picture, parallax, Eye::kRight, options);
  EXPECT_EQ(cv::norm(right.colRange(0, 32), picture.colRange(5, 37), cv::NORM_INF), 0.0);
}

TEST_P(EveryType, FractionsOfPixelsFollowALinearRamp) {
  const auto [type, interpolation] = GetParam();
  cv::Mat picture(3, 64, type);
  const double full = CV_MAT_DEPTH(type) == CV_8U ? 255 : CV_MAT_DEPTH(type) == CV_16U ? 65535 : 1;
  for (int x = 0; x < 64; ++x) picture.col(x).setTo(cv::Scalar::all(full * x / 63.0));
  ScanlineOptions options;
  options.interpolation = interpolation;
  const cv::Mat parallax(picture.size(), CV_32FC1, cv::Scalar(2.25));
  const cv::Mat view = view_of(picture, parallax, Eye::kRight, options);
  cv::Mat first;
  cv::extractChannel(view, first, 0);
  first.convertTo(first, CV_64F);
  for (int x = 5; x < 55; ++x) {
    EXPECT_NEAR(first.at<double>(1, x), full * (x + 2.25) / 63.0, full / 200.0) << x;
  }
}

INSTANTIATE_TEST_SUITE_P(
    ScanlineWarp, EveryType,
    ::testing::Combine(::testing::Values(CV_8UC1, CV_8UC3, CV_8UC4, CV_16UC3, CV_32FC1, CV_32FC3),
                       ::testing::Values(Interpolation::kBilinear, Interpolation::kBicubic,
                                         Interpolation::kLanczos)));

// A near square (red, parallax 8) before a far wall (blue, parallax 2), as the right eye sees it.
struct Square {
  cv::Mat picture{20, 60, CV_8UC3, cv::Scalar(0, 0, 200)};
  cv::Mat parallax{20, 60, CV_32FC1, cv::Scalar(2)};

  Square() {
    picture(cv::Rect(25, 5, 10, 10)).setTo(cv::Scalar(200, 0, 0));
    parallax(cv::Rect(25, 5, 10, 10)).setTo(8);
  }
};

TEST(ScanlineWarp, NearPixelsHideFarOnesAndLeaveAGapOnTheOtherSide) {
  const Square square;
  for (const Eye eye : {Eye::kLeft, Eye::kRight}) {
    const WarpMap map = map_of(square.parallax, eye, plain());
    const int gap = 27;  // of either eye, by the square's place
    for (int x = 0; x < 60; ++x) {
      const bool disoccluded = x >= gap && x < gap + 6;
      const bool outside = eye == Eye::kRight ? x >= 58 : x < 2;
      EXPECT_EQ(map.visibility.at<unsigned char>(10, x), disoccluded ? kDisoccluded
                                                         : outside   ? kOutside
                                                                     : kVisible)
          << x;
    }
    const int sign = eye == Eye::kRight ? 1 : -1;
    const int square_begin = eye == Eye::kRight ? 17 : 33;
    for (int x = square_begin; x < square_begin + 10; ++x) {
      EXPECT_EQ(map.source_x.at<float>(10, x), static_cast<float>(x + sign * 8)) << x;
    }
  }
}

TEST(ScanlineWarp, GapsAreFilledFromTheFarSide) {
  const Square square;
  for (const Eye eye : {Eye::kLeft, Eye::kRight}) {
    const cv::Mat view = view_of(square.picture, square.parallax, eye, ScanlineOptions{});
    for (int x = 0; x < 60; ++x) {
      const int begin = eye == Eye::kRight ? 17 : 33;
      const bool near = x >= begin && x < begin + 10;
      const auto expected = near ? Pixel(200, 0, 0) : Pixel(0, 0, 200);
      EXPECT_EQ(view.at<Pixel>(10, x), expected) << x;
    }
  }
}

TEST(ScanlineWarp, GapsWiderThanAnyLimitAreFilled) {
  cv::Mat picture(4, 1000, CV_8UC3, cv::Scalar(0, 0, 200));
  cv::Mat parallax(4, 1000, CV_32FC1, cv::Scalar(0));
  picture.colRange(500, 510).setTo(cv::Scalar(200, 0, 0));
  parallax.colRange(500, 510).setTo(400);
  const cv::Mat view = view_of(picture, parallax, Eye::kRight, plain());
  for (int x = 0; x < 1000; ++x) {
    const auto expected = x >= 100 && x < 110 ? Pixel(200, 0, 0) : Pixel(0, 0, 200);
    ASSERT_EQ(view.at<Pixel>(2, x), expected) << x;
  }
}

TEST(ScanlineWarp, FillContinuesTheSurfaceBehindTheTearThoughAThirdOneHidesItsRim) {
  // Leaf (near), a few pixels of sky (far), wall (between): the wall moves over the sky's pixels,
  // but what the leaf uncovers is sky.
  cv::Mat parallax(1, 60, CV_32FC1, cv::Scalar(0));
  parallax.colRange(0, 30).setTo(12);
  parallax.colRange(33, 60).setTo(5);
  const WarpMap map = map_of(parallax, Eye::kRight, plain());
  for (int x = 18; x < 28; ++x) {
    EXPECT_EQ(map.visibility.at<unsigned char>(0, x), kDisoccluded) << x;
    EXPECT_EQ(map.source_x.at<float>(0, x), 30.0F) << x;
  }
  EXPECT_EQ(map.source_x.at<float>(0, 28), 33.0F);
}

TEST(ScanlineWarp, AGapBetweenTwoPartsOfOneSurfaceFadesFromSideToSide) {
  // A thin post (near) before a wall: both sides of the gap are wall.
  cv::Mat parallax(1, 60, CV_32FC1, cv::Scalar(0));
  parallax.colRange(30, 34).setTo(20);
  const WarpMap map = map_of(parallax, Eye::kRight, plain());
  for (int x = 30; x < 34; ++x) {
    EXPECT_EQ(map.visibility.at<unsigned char>(0, x), kDisoccluded) << x;
    EXPECT_EQ(map.source_x.at<float>(0, x), 34.0F);
    EXPECT_EQ(map.other_x.at<float>(0, x), 29.0F);
    EXPECT_NEAR(map.weight.at<float>(0, x), static_cast<float>(x - 29) / 5.0F, 1e-6F);
  }
}

TEST(ScanlineWarp, RimsCoverTheirPixelsExactly) {
  cv::Mat parallax(1, 60, CV_32FC1, cv::Scalar(0));
  parallax.colRange(30, 60).setTo(10.25F);
  const WarpMap map = map_of(parallax, Eye::kRight, plain());
  // Pixel 30 is centred at 19.75 and begins at 19.25: a quarter of pixel 19 is covered.
  EXPECT_EQ(map.visibility.at<unsigned char>(0, 19), kRim);
  EXPECT_EQ(map.source_x.at<float>(0, 19), 30.0F);
  EXPECT_EQ(map.other_x.at<float>(0, 19), 19.0F);
  EXPECT_NEAR(map.weight.at<float>(0, 19), 0.25F, 1e-6F);
  EXPECT_NEAR(map.source_x.at<float>(0, 20), 30.25F, 1e-5F);
  EXPECT_EQ(map.source_x.at<float>(0, 18), 18.0F);
}

TEST(ScanlineWarp, SlopesAreStretchedNotTorn) {
  cv::Mat parallax(1, 80, CV_32FC1);
  for (int x = 0; x < 80; ++x) parallax.at<float>(0, x) = 0.5F * static_cast<float>(80 - x);
  const WarpMap map = map_of(parallax, Eye::kRight, plain());
  // target = x - 0.5 (80 - x) = 1.5 x - 40
  for (int x = 0; x < 78; ++x) {
    EXPECT_EQ(map.visibility.at<unsigned char>(0, x), kVisible);
    EXPECT_NEAR(map.source_x.at<float>(0, x), (static_cast<float>(x) + 40.0F) / 1.5F, 1e-4F) << x;
  }
}

TEST(ScanlineWarp, TheLeftViewIsTheMirrorImageOfTheRightView) {
  const cv::Mat picture = noise_picture(90, 30, CV_32FC3);
  const cv::Mat parallax = uneven_parallax(90, 30, 9.0F);
  cv::Mat mirrored_picture;
  cv::Mat mirrored_parallax;
  cv::flip(picture, mirrored_picture, 1);
  cv::flip(parallax, mirrored_parallax, 1);
  for (const auto interpolation : {Interpolation::kBilinear, Interpolation::kLanczos}) {
    ScanlineOptions options;
    options.interpolation = interpolation;
    cv::Mat left = view_of(mirrored_picture, mirrored_parallax, Eye::kLeft, options);
    cv::flip(left, left, 1);
    const cv::Mat right = view_of(picture, parallax, Eye::kRight, options);
    EXPECT_LT(cv::norm(left, right, cv::NORM_INF), 0.01);
  }
}

TEST(ScanlineWarp, ARotatedPanoramaGivesARotatedView) {
  constexpr int kWidth = 64;
  constexpr int kTurn = 23;
  const cv::Mat picture = noise_picture(kWidth, 8, CV_8UC3);
  cv::Mat parallax = uneven_parallax(kWidth, 8, 20.0F);
  cv::Mat turned_picture;
  cv::Mat turned_parallax;
  const auto turn = [](const cv::Mat& from, cv::Mat& to) {
    cv::hconcat(from.colRange(kTurn, kWidth), from.colRange(0, kTurn), to);
  };
  turn(picture, turned_picture);
  turn(parallax, turned_parallax);
  for (const Eye eye : {Eye::kLeft, Eye::kRight}) {
    for (const auto interpolation : {Interpolation::kBilinear, Interpolation::kBicubic}) {
      ScanlineOptions options;
      options.wrap = true;
      options.interpolation = interpolation;
      cv::Mat expected;
      turn(view_of(picture, parallax, eye, options), expected);
      const cv::Mat view = view_of(turned_picture, turned_parallax, eye, options);
      EXPECT_LE(cv::norm(view, expected, cv::NORM_INF), 1.0);
    }
    ScanlineOptions wrapped = plain();
    wrapped.wrap = true;
    const WarpMap map = map_of(parallax, eye, wrapped);
    EXPECT_EQ(cv::countNonZero(map.visibility == kOutside), 0);
    EXPECT_TRUE(cv::checkRange(map.source_x, true, nullptr, 0.0, kWidth));
    EXPECT_TRUE(cv::checkRange(map.other_x, true, nullptr, 0.0, kWidth));
  }
}

TEST(ScanlineWarp, TheMapSampledByHandIsTheView) {
  const cv::Mat picture = noise_picture(120, 25, CV_32FC1);
  const cv::Mat parallax = uneven_parallax(120, 25, 12.0F);
  ScanlineWarp warp(plain());
  warp.set_source(picture, parallax);
  for (const Eye eye : {Eye::kLeft, Eye::kRight}) {
    WarpMap map;
    warp.map(eye, map);
    cv::Mat view;
    warp.render(eye, view);
    for (int y = 0; y < view.rows; ++y) {
      const auto colour = [&](float x) {
        const int left = static_cast<int>(x);
        const int right = std::min(left + 1, 119);
        const float part = x - static_cast<float>(left);
        return picture.at<float>(y, left) * (1.0F - part) + picture.at<float>(y, right) * part;
      };
      for (int x = 0; x < view.cols; ++x) {
        const float w = map.weight.at<float>(y, x);
        const float expected = w * colour(map.source_x.at<float>(y, x)) +
                               (1.0F - w) * colour(map.other_x.at<float>(y, x));
        ASSERT_NEAR(view.at<float>(y, x), expected, 1e-5F) << x << ", " << y;
      }
    }
  }
}

TEST(ScanlineWarp, FillsAreEvenedAlongColumnsOnly) {
  // Rows of alternating brightness behind a square.
  cv::Mat picture(40, 60, CV_8UC1);
  for (int y = 0; y < 40; ++y) picture.row(y).setTo(y % 2 == 0 ? 50 : 150);
  cv::Mat parallax(40, 60, CV_32FC1, cv::Scalar(0));
  parallax(cv::Rect(25, 5, 10, 30)).setTo(8);
  ScanlineOptions options = plain();
  const cv::Mat raw = view_of(picture, parallax, Eye::kRight, options);
  options.fill_smoothing_px = 3.0F;
  const cv::Mat even = view_of(picture, parallax, Eye::kRight, options);
  const WarpMap map = map_of(parallax, Eye::kRight, plain());
  EXPECT_NEAR(even.at<unsigned char>(20, 30), 100, 4);
  EXPECT_EQ(raw.at<unsigned char>(20, 30), 50);
  EXPECT_EQ(cv::norm(even, raw, cv::NORM_INF, map.visibility != kDisoccluded), 0.0);
  cv::Mat later = raw.clone();
  smooth_fills(map.visibility, 3.0F, later);
  EXPECT_NEAR(later.at<unsigned char>(20, 30), 100, 4);
  EXPECT_EQ(cv::norm(later, raw, cv::NORM_INF, map.visibility != kDisoccluded), 0.0);
}

// A post behind a square, seen above and below it: where the square gives the view free, the post
// goes on. Where the wall behind has an upper and a lower half, the border between them stays where
// the rows have it.
TEST(ScanlineWarp, FillsContinueWhatRunsAlongTheColumns) {
  cv::Mat parallax(60, 80, CV_32FC1, cv::Scalar(0));
  parallax(cv::Rect(30, 20, 20, 20)).setTo(12);  // frees columns 38 to 49 of the right view
  cv::Mat post(60, 80, CV_8UC1, cv::Scalar(50));
  post.colRange(40, 44).setTo(200);
  post.colRange(51, 55).setTo(120);  // beside the square the wall changes
  cv::Mat halves(60, 80, CV_8UC1, cv::Scalar(50));
  halves.rowRange(30, 60).setTo(200);
  for (cv::Mat* picture : {&post, &halves}) (*picture)(cv::Rect(30, 20, 20, 20)).setTo(0);
  ScanlineOptions options = plain();
  options.fill_smoothing_px = 3.0F;
  const cv::Mat view = view_of(post, parallax, Eye::kRight, options);
  for (const int y : {22, 30, 37}) {
    EXPECT_GT(view.at<unsigned char>(y, 42), 130) << y;
    EXPECT_LT(view.at<unsigned char>(y, 47), 70) << y;
  }
  const cv::Mat other = view_of(halves, parallax, Eye::kRight, options);
  EXPECT_LT(other.at<unsigned char>(23, 42), 60);
  EXPECT_GT(other.at<unsigned char>(36, 42), 190);
}

TEST(ScanlineWarp, MixedPixelsAtARimMoveWithTheNearSide) {
  // The far pixel beside the square is half red: it may not stay behind in the gap's fill.
  Square square;
  square.picture(cv::Rect(35, 5, 1, 10)).setTo(cv::Scalar(100, 0, 100));
  ScanlineOptions options;
  const cv::Mat refined = view_of(square.picture, square.parallax, Eye::kRight, options);
  EXPECT_EQ(refined.at<Pixel>(10, 27), Pixel(100, 0, 100));
  for (int x = 28; x < 40; ++x) EXPECT_EQ(refined.at<Pixel>(10, x), Pixel(0, 0, 200)) << x;
  options.refine_rims = false;
  options.fill_smoothing_px = 0.0F;
  const cv::Mat as_is = view_of(square.picture, square.parallax, Eye::kRight, options);
  EXPECT_EQ(as_is.at<Pixel>(10, 30), Pixel(100, 0, 100));
}

TEST(ScanlineWarp, SixteenBitAndFloatAgreeWithEightBit) {
  const cv::Mat picture = noise_picture(80, 20, CV_8UC3);
  const cv::Mat parallax = uneven_parallax(80, 20, 7.0F);
  const cv::Mat expected = view_of(picture, parallax, Eye::kLeft, ScanlineOptions{});
  for (const auto& [depth, full] : {std::pair{CV_16U, 65535.0}, std::pair{CV_32F, 1.0}}) {
    cv::Mat deep;
    picture.convertTo(deep, depth, full / 255.0);
    cv::Mat view = view_of(deep, parallax, Eye::kLeft, ScanlineOptions{});
    view.convertTo(view, CV_8U, 255.0 / full);
    EXPECT_LE(cv::norm(view, expected, cv::NORM_INF), 2.0);
  }
}

TEST(ScanlineWarp, SurvivesHostileParallaxAndTinyPictures) {
  std::mt19937 random(11);
  const float values[] = {std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity(),
                          1e30F,
                          -1e30F,
                          0.0F,
                          0.5F,
                          -3.0F,
                          17.0F};
  for (const auto& size : {cv::Size(1, 1), cv::Size(2, 3), cv::Size(1, 9), cv::Size(33, 2)}) {
    const cv::Mat picture =
        noise_picture(size.width, size.height, size.width == 1 ? CV_8UC1 : CV_8UC3);
    cv::Mat parallax(size, CV_32FC1);
    for (int round = 0; round < 50; ++round) {
      for (int i = 0; i < size.area(); ++i) parallax.ptr<float>()[i] = values[random() % 9];
      for (const bool wrap : {false, true}) {
        ScanlineOptions options;
        options.wrap = wrap;
        const cv::Mat view =
            view_of(picture, parallax, round % 2 == 0 ? Eye::kLeft : Eye::kRight, options);
        ASSERT_EQ(view.size(), size);
      }
    }
  }
}

TEST(ScanlineWarp, RefusesWhatItCannotWarp) {
  ScanlineWarp warp;
  cv::Mat view;
  EXPECT_THROW(warp.render(Eye::kLeft, view), std::logic_error);
  const cv::Mat picture(4, 6, CV_8UC3, cv::Scalar::all(0));
  EXPECT_THROW(warp.set_source(picture, cv::Mat::zeros(4, 5, CV_32FC1)), std::invalid_argument);
  EXPECT_THROW(warp.set_source(picture, cv::Mat::zeros(4, 6, CV_64FC1)), std::invalid_argument);
  EXPECT_THROW(
      warp.set_source(cv::Mat(4, 6, CV_8UC2, cv::Scalar::all(0)), cv::Mat::zeros(4, 6, CV_32FC1)),
      std::invalid_argument);
  EXPECT_THROW(smooth_fills(cv::Mat::zeros(3, 3, CV_8UC1), 2.0F, view), std::invalid_argument);
}

TEST(ScanlineWarp, KeepsItsMemoryFromFrameToFrame) {
  const cv::Mat picture = noise_picture(320, 90, CV_8UC3);
  const cv::Mat parallax = uneven_parallax(320, 90, 9.0F);
  ScanlineWarp warp;
  cv::Mat view;
  WarpMap map;
  const auto frame = [&] {
    warp.set_source(picture, parallax);
    warp.render(Eye::kLeft, view);
    warp.render(Eye::kRight, view);
    warp.map(Eye::kLeft, map);
  };
  frame();

  // Counts every matrix that OpenCV allocates from now on.
  class Counter : public cv::MatAllocator {
   public:
    explicit Counter(cv::MatAllocator* real) : real_(real) {}

    // NOLINTNEXTLINE(readability-function-size): the parameters of the base class
    cv::UMatData* allocate(int dims, const int* sizes, int type, void* data, std::size_t* step,
                           cv::AccessFlag flags, cv::UMatUsageFlags usage) const override {
      ++count;
      return real_->allocate(dims, sizes, type, data, step, flags, usage);
    }

    bool allocate(cv::UMatData* data, cv::AccessFlag flags,
                  cv::UMatUsageFlags usage) const override {
      return real_->allocate(data, flags, usage);
    }

    void deallocate(cv::UMatData* data) const override { real_->deallocate(data); }

    mutable int count = 0;

   private:
    cv::MatAllocator* real_;
  };

  cv::MatAllocator* const standard = cv::Mat::getDefaultAllocator();
  Counter counter(standard);
  cv::Mat::setDefaultAllocator(&counter);
  const uchar* const pixels = view.data;
  for (int i = 0; i < 3; ++i) frame();
  cv::Mat::setDefaultAllocator(standard);
  EXPECT_EQ(counter.count, 0);
  EXPECT_EQ(view.data, pixels);
}

TEST(ScanlineWarp, ListsExactlyTheDisoccludedPixelsAndWhatIsBehind) {
  const cv::Mat picture = noise_picture(200, 90, CV_8UC3);
  cv::Mat parallax(picture.size(), CV_32FC1, cv::Scalar(-2.0));
  parallax(cv::Rect(50, 20, 60, 40)).setTo(6.0);
  for (const Eye eye : {Eye::kLeft, Eye::kRight}) {
    ScanlineWarp warp(plain());
    warp.set_source(picture, parallax);
    cv::Mat view;
    std::vector<Disocclusion> list = {{1, 2, 3, 4.0F}};
    warp.render(eye, view, &list);
    WarpMap map;
    warp.map(eye, map);
    cv::Mat listed(picture.size(), CV_8UC1, cv::Scalar(kVisible));
    for (const Disocclusion& gap : list) {
      EXPECT_EQ(gap.parallax_px, -2.0F);
      EXPECT_LT(gap.first, gap.last);
      listed.row(gap.y).colRange(gap.first, gap.last).setTo(kDisoccluded);
    }
    EXPECT_EQ(cv::norm(listed == kDisoccluded, map.visibility == kDisoccluded, cv::NORM_INF), 0.0);
    EXPECT_EQ(list.size(), 40U);
    cv::Mat without;
    warp.render(eye, without);
    EXPECT_EQ(cv::norm(view, without, cv::NORM_INF), 0.0);
  }
}

}  // namespace
}  // namespace vergence::stereo
