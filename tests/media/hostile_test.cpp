// SPDX-License-Identifier: Apache-2.0
// Damaged files of every format: a picture, or an Error; never a crash, a hang or another
// exception.
#include "media/depth_file.hpp"
#include "media/picture.hpp"
#include "tests/media/fixtures.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/paths.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace vergence::media {
namespace {

using test::TemporaryFolder;

struct HostileCase {
  const char* name;
  const char* file;
  const char* code;  // Python or, if it starts with '!', a shell command
  int rounds;
};

class HostilePictures : public ::testing::TestWithParam<HostileCase> {};

TEST_P(HostilePictures, NeverCrash) {
  const TemporaryFolder folder;
  const auto& param = GetParam();
  write_picture(folder / "truth.png", test::gradient_rgb(48, 32));
  const std::string code = param.code;
  if (code.starts_with('!')) {
    test::run(fmt::format("cd '{}' && {}", folder.path().string(), code.substr(1)));
  } else {
    test::python(folder.path(), "a = cv2.imread('truth.png')\nf = a.astype(np.float32)\n" + code);
  }
  const auto whole = test::bytes_of(folder / param.file);
  ASSERT_EQ(test::error_of([&] { static_cast<void>(decode_picture(whole, "whole")); }), "");
  const test::LogCapture log;
  std::mt19937 random(23);
  int refused = 0;
  for (int i = 0; i < param.rounds; ++i) {
    const auto bytes = test::mutated(whole, random);
    const auto error = test::error_of([&] { static_cast<void>(decode_picture(bytes, "mutant")); });
    refused += error.empty() ? 0 : 1;
  }
  EXPECT_GT(refused, 0);
}

INSTANTIATE_TEST_SUITE_P(
    All, HostilePictures,
    ::testing::Values(
        HostileCase{"Jpeg", "a.jpg", "cv2.imwrite('a.jpg', a)", 3000},
        HostileCase{"JpegProgressive", "a.jpg", "cv2.imwrite('a.jpg', a, [1, 90, 2, 1])", 2000},
        HostileCase{"Png", "truth.png", "", 3000},
        HostileCase{"Tiff", "a.tif", "cv2.imwrite('a.tif', a)", 3000},
        HostileCase{"TiffFloat", "a.tiff", "cv2.imwrite('a.tiff', f)", 2000},
        HostileCase{"WebpLossy", "a.webp", "cv2.imwrite('a.webp', a, [64, 80])", 2000},
        HostileCase{"WebpLossless", "a.webp", "cv2.imwrite('a.webp', a, [64, 101])", 2000},
        HostileCase{"Bmp", "a.bmp", "cv2.imwrite('a.bmp', a)", 2000},
        HostileCase{"Ppm", "a.ppm", "cv2.imwrite('a.ppm', a)", 2000},
        HostileCase{"PpmText", "a.ppm", "cv2.imwrite('a.ppm', a, [32, 0])", 1000},
        HostileCase{"Hdr", "a.hdr", "cv2.imwrite('a.hdr', f)", 2000},
        HostileCase{"Exr", "a.exr", "cv2.imwrite('a.exr', f)", 2000},
        HostileCase{"Heic", "a.heic", "!heif-enc truth.png -o a.heic", 1000},
        HostileCase{"Avif", "a.avif", "!heif-enc -A truth.png -o a.avif", 300}),
    [](const auto& test_case) { return test_case.param.name; });

class HostileDepth : public ::testing::TestWithParam<const char*> {};

TEST_P(HostileDepth, NeverCrash) {
  const TemporaryFolder folder;
  cv::Mat values(12, 20, CV_32FC1);
  cv::theRNG().state = 3;
  cv::randu(values, 1.0, 50.0);
  write_depth(folder / GetParam(), RayDistance(values), {});
  const auto whole = test::bytes_of(folder / GetParam());
  const auto mutant = folder / (std::string("m_") + GetParam());
  std::mt19937 random(29);
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    test::save_bytes(mutant, test::mutated(whole, random));
    const auto error = test::error_of([&] { static_cast<void>(read_depth(mutant)); });
    refused += error.empty() ? 0 : 1;
  }
  EXPECT_GT(refused, 0);
  EXPECT_LT(refused, 2000);
}

INSTANTIATE_TEST_SUITE_P(All, HostileDepth,
                         ::testing::Values("d.exr", "d.pfm", "d.npy", "d.png", "d.tiff", "d.dpt"),
                         [](const auto& test_case) {
                           return std::string(test_case.param).substr(2);
                         });

}  // namespace
}  // namespace vergence::media
