// SPDX-License-Identifier: Apache-2.0
// Pictures to frames for encoders and back: what goes in comes out, whatever the format between.
#include "media/video_color.hpp"

#include "tests/media/fixtures.hpp"
#include "tests/support/matchers.hpp"

#include <limits>
#include <stdexcept>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace vergence::media {
namespace {

using ::testing::Combine;
using ::testing::Values;

cv::Mat there_and_back(const cv::Mat& picture, const std::string& format, const ColorTags& color) {
  PictureToFrame to_frame(picture.size(), format, color);
  cv::Mat back;
  FrameToPicture(to_frame.color()).rgb(to_frame.convert(picture), back);
  return back;
}

// The same colours at 8 bits, so that depths can be compared.
cv::Mat eight_bit(const cv::Mat& picture) {
  cv::Mat result;
  picture.convertTo(result, CV_8U, picture.depth() == CV_16U ? 1.0 / 257.0 : 1.0);
  return result;
}

class RoundTrip : public ::testing::TestWithParam<std::tuple<const char*, const char*, bool>> {};

TEST_P(RoundTrip, KeepsPurePatchesWithinOneLevel) {
  const auto& [format, matrix, full_range] = GetParam();
  ColorTags color;
  color.matrix = matrix;
  color.full_range = full_range;
  for (const cv::Scalar& patch :
       {cv::Scalar(255, 0, 0), cv::Scalar(0, 255, 0), cv::Scalar(0, 0, 255),
        cv::Scalar(128, 128, 128), cv::Scalar(255, 255, 255), cv::Scalar(0, 0, 0)}) {
    const cv::Mat picture(31, 45, CV_8UC3, patch);
    const cv::Mat back = eight_bit(there_and_back(picture, format, color));
    EXPECT_LE(test::largest_difference(back, picture), 1.0) << patch;
    cv::Mat deep;
    picture.convertTo(deep, CV_16U, 257.0);
    const cv::Mat deep_back = eight_bit(there_and_back(deep, format, color));
    EXPECT_LE(test::largest_difference(deep_back, picture), 1.0) << patch;
  }
}

INSTANTIATE_TEST_SUITE_P(All, RoundTrip,
                         Combine(Values("yuv420p", "yuv422p", "yuv444p", "yuv411p", "yuv410p",
                                        "yuv440p", "yuvj420p", "yuva420p", "yuv420p10le",
                                        "yuv422p12le", "yuv444p16le", "nv12", "nv21", "p010le",
                                        "yuyv422", "uyvy422", "rgb24", "bgr0", "rgba64le", "gbrp",
                                        "gbrap10le", "x2rgb10le", "yuv420p10be"),
                                 Values("bt709", "bt601", "bt2020nc"), ::testing::Bool()),
                         [](const auto& test_case) {
                           return fmt::format("{}_{}_{}", std::get<0>(test_case.param),
                                              std::get<1>(test_case.param),
                                              std::get<2>(test_case.param) ? "full" : "limited");
                         });

TEST(VideoColor, KeepsEveryBitWhereTheFormatHasThem) {
  cv::theRNG().state = 5;
  cv::Mat deep(20, 33, CV_16UC3);
  cv::randu(deep, 0, 65536);
  cv::Mat shallow(20, 33, CV_8UC3);
  cv::randu(shallow, 0, 256);
  for (const char* format : {"gbrp16le", "rgb48le", "rgba64be", "gbrap16le"}) {
    EXPECT_EQ(test::largest_difference(there_and_back(deep, format, {}), deep), 0.0) << format;
  }
  for (const char* format : {"gbrp", "rgb24", "bgr24", "argb"}) {
    EXPECT_EQ(test::largest_difference(there_and_back(shallow, format, {}), shallow), 0.0)
        << format;
  }
  cv::Mat depth(20, 33, CV_16UC1);
  cv::randu(depth, 0, 65536);
  PictureToFrame grey(depth.size(), "gray16le", {});
  cv::Mat back;
  FrameToPicture(grey.color()).luminance(grey.convert(depth), back);
  EXPECT_EQ(test::largest_difference(back, depth), 0.0);
}

class ChromaPlace : public ::testing::TestWithParam<const char*> {};

// A ramp of colour stays where it is, except at the picture's border: a sample that is taken from
// one place and put to another moves it.
TEST_P(ChromaPlace, IsTheSameBothWays) {
  cv::Mat ramp(64, 96, CV_8UC3);
  for (int y = 0; y < ramp.rows; ++y) {
    for (int x = 0; x < ramp.cols; ++x) {
      ramp.at<cv::Vec3b>(y, x) =
          cv::Vec3b(static_cast<uchar>(40 + 2 * x), 100, static_cast<uchar>(40 + 3 * y));
    }
  }
  for (const char* format : {"yuv420p16le", "yuv422p16le", "yuv440p12le"}) {
    ColorTags color;
    color.matrix = "bt709";
    color.chroma_location = GetParam();
    const cv::Mat back = eight_bit(there_and_back(ramp, format, color));
    const cv::Rect inner(4, 4, ramp.cols - 8, ramp.rows - 8);
    EXPECT_LE(test::largest_difference(back(inner), ramp(inner)), 1.0) << format;
  }
}

INSTANTIATE_TEST_SUITE_P(All, ChromaPlace,
                         Values("left", "center", "topleft", "top", "bottomleft", "bottom"),
                         [](const auto& test_case) { return test_case.param; });

TEST(VideoColor, TagsWhatItWrites) {
  ColorTags color{"bt709", "bt709", "", false, "left"};
  EXPECT_EQ(resolved_tags(color, "yuv420p", 720).matrix, "bt709");
  EXPECT_EQ(resolved_tags(color, "yuv420p", 719).matrix, "smpte170m");
  color.matrix = "gbr";  // of an RGB video that becomes Y'CbCr
  EXPECT_EQ(resolved_tags(color, "yuv420p", 1080).matrix, "bt709");
  color.matrix = "bt2020nc";
  EXPECT_EQ(resolved_tags(color, "yuv420p10le", 480).matrix, "bt2020nc");
  EXPECT_EQ(resolved_tags(color, "gbrp", 480).matrix, "gbr");
  EXPECT_TRUE(resolved_tags(color, "gbrp", 480).full_range);
  EXPECT_EQ(bits_of("yuv420p10le"), 10);
  EXPECT_EQ(bits_of("rgb24"), 8);
  EXPECT_EQ(bits_of("nonsense"), 0);
}

TEST(VideoColor, RefusesWhatItCannotConvert) {
  const cv::Size size(8, 8);
  const auto error = [&](const std::string& format, const ColorTags& color) {
    return test::error_of([&] { PictureToFrame(size, format, color); });
  };
  EXPECT_NE(error("yuv42Op", {}).find("'yuv42Op'"), std::string::npos);
  EXPECT_NE(error("gbrpf32le", {}).find("'gbrpf32le'"), std::string::npos);
  EXPECT_NE(error("vaapi", {}).find("'vaapi'"), std::string::npos);
  ColorTags strange;
  strange.matrix = "ictcp";
  EXPECT_NE(error("yuv420p", strange).find("'ictcp'"), std::string::npos);
  strange.matrix = "bt7o9";
  EXPECT_NE(error("yuv420p", strange).find("'bt7o9'"), std::string::npos);

  PictureToFrame to_frame(size, "yuv420p", {});
  EXPECT_THROW(static_cast<void>(to_frame.convert(cv::Mat(8, 9, CV_8UC3))), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(to_frame.convert(cv::Mat(8, 8, CV_32FC3))), std::invalid_argument);
}

}  // namespace
}  // namespace vergence::media
