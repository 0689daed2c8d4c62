// SPDX-License-Identifier: Apache-2.0
#include "pipeline/depth_cache.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/paths.hpp"

#include <cmath>
#include <limits>
#include <random>
#include <thread>

#include <gtest/gtest.h>

namespace vergence::pipeline {
namespace {

namespace fs = std::filesystem;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Smooth with a step and some noise, as networks' maps are; a corner without values.
cv::Mat raw_map(int width, int height, unsigned seed, double noise = 0.002) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0.0, noise);
  cv::Mat raw(height, width, CV_32FC1);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const double wave = std::sin(0.05 * x + seed) + 0.02 * y + (x > width / 2 ? 1.5 : 0.0);
      raw.at<float>(y, x) =
          x < 3 && y < 2 && width > 8 ? kNan : static_cast<float>(wave + normal(random));
    }
  }
  return raw;
}

void expect_equal(const DepthCodes& a, const DepthCodes& b) {
  ASSERT_EQ(a.codes.size(), b.codes.size());
  EXPECT_EQ(cv::norm(a.codes, b.codes, cv::NORM_INF), 0.0);
  EXPECT_EQ(a.min, b.min);
  EXPECT_EQ(a.max, b.max);
}

TEST(DepthCodes, KeepValuesWithinHalfAStep) {
  const cv::Mat raw = raw_map(97, 61, 1);
  const auto codes = depth_codes(raw);
  const double step = (codes.max - codes.min) / 65534.0;
  const cv::Mat back = raw_from_codes(codes);
  EXPECT_TRUE(test::maps_near(back, raw, {.max = 0.51 * step + 1e-6, .mean = step}));
  // What has been coded once stays as it is.
  expect_equal(depth_codes(back), codes);
}

TEST(DepthCodes, WorkOnFlatAndEmptyMaps) {
  const cv::Mat flat(4, 5, CV_32FC1, cv::Scalar(7.0));
  EXPECT_TRUE(test::maps_near(raw_from_codes(depth_codes(flat)), flat, {.max = 0.0, .mean = 0.0}));
  const cv::Mat nothing(4, 5, CV_32FC1, cv::Scalar(kNan));
  EXPECT_TRUE(test::maps_near(raw_from_codes(depth_codes(nothing)), nothing, {}));
  cv::Mat infinite = flat.clone();
  infinite.at<float>(1, 1) = std::numeric_limits<float>::infinity();
  EXPECT_EQ(depth_codes(infinite).codes.at<std::uint16_t>(1, 1), 0);
  EXPECT_EQ(depth_codes(infinite).max, 7.0F);
}

TEST(DepthCodes, CompressWithoutLoss) {
  for (const auto& size : {cv::Size(1, 1), cv::Size(33, 7), cv::Size(448, 256), cv::Size(31, 64)}) {
    const auto codes = depth_codes(raw_map(size.width, size.height, 3));
    expect_equal(decompress_depth(compress_depth(codes)), codes);
  }
  DepthCodes noise{cv::Mat(50, 70, CV_16UC1), -1.0F, 1.0F};
  cv::RNG generator(5);
  generator.fill(noise.codes, cv::RNG::UNIFORM, 0, 65536);
  expect_equal(decompress_depth(compress_depth(noise)), noise);
}

TEST(DepthCodes, SmoothMapsBecomeSmall) {
  const auto codes = depth_codes(raw_map(448, 256, 3, 0.0));
  EXPECT_LT(compress_depth(codes).size(), 448U * 256U * 2U / 3U);
}

TEST(DepthCodes, RefuseWhatTheyCannotHaveMade) {
  const std::string whole = compress_depth(depth_codes(raw_map(40, 30, 1)));
  for (std::size_t size = 0; size + 2 < whole.size(); size += 5) {
    EXPECT_THROW((void)decompress_depth(whole.substr(0, size)), Error) << size;
  }
  std::string huge = whole;
  huge[2] = '\x7f';  // a width beyond all bytes
  EXPECT_THROW((void)decompress_depth(huge), Error);
  // Any bytes end well: with a map or with an Error.
  std::mt19937 random(7);
  int num_maps = 0;
  for (int i = 0; i < 500; ++i) {
    std::string bytes = whole;
    for (int flips = 0; flips < 4; ++flips)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    try {
      num_maps += decompress_depth(bytes).codes.empty() ? 0 : 1;
    } catch (const Error&) {
      continue;
    }
  }
  EXPECT_GT(num_maps, 0);
}

class DepthCacheTest : public ::testing::Test {
 protected:
  [[nodiscard]] DepthCacheOptions options(std::uint64_t max_bytes = 1U << 30U) const {
    return {.folder = folder_ / "cache", .max_bytes = max_bytes};
  }

  void fill(const std::vector<Setting>& key, int num_frames, std::uint64_t max_bytes) const {
    DepthCache cache(options(max_bytes), key);
    for (int i = 0; i < num_frames; ++i) {
      cache.add(i, depth_codes(raw_map(64, 36, static_cast<unsigned>(i))));
    }
    cache.flush();
  }

  int count(const std::vector<Setting>& key, int num_frames) const {
    DepthCache cache(options(), key);
    int found = 0;
    for (int i = 0; i < num_frames; ++i) found += cache.find(i) ? 1 : 0;
    return found;
  }

  test::TemporaryFolder folder_;
  const std::vector<Setting> one_ = {{"input", "one"}};
  const std::vector<Setting> two_ = {{"input", "two"}};
};

TEST_F(DepthCacheTest, GivesBackTheMapsOfAnEarlierRun) {
  fill(one_, 70, 1U << 30U);
  DepthCache cache(options(), one_);
  for (const int i : {0, 31, 32, 69}) {
    const auto found = cache.find(i);
    ASSERT_TRUE(found) << i;
    expect_equal(*found, depth_codes(raw_map(64, 36, static_cast<unsigned>(i))));
  }
  EXPECT_FALSE(cache.find(70));
  EXPECT_EQ(count(two_, 70), 0);
}

TEST_F(DepthCacheTest, ARunThatBeginsInTheMiddleAddsWholeFilesOnly) {
  DepthCache cache(options(), one_);
  for (int i = 40; i < 100; ++i) cache.add(i, depth_codes(raw_map(16, 9, 1)));
  cache.flush();
  EXPECT_EQ(count(one_, 100), 36);  // 64 to 99
}

TEST_F(DepthCacheTest, TheVideoUsedLongestAgoMakesRoom) {
  fill(one_, 64, 1U << 30U);
  std::uint64_t size = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "cache")) {
    if (entry.is_regular_file()) size += entry.file_size();
  }
  for (const auto& entry : fs::directory_iterator(folder_ / "cache")) {
    fs::last_write_time(entry, fs::file_time_type::clock::now() - std::chrono::hours(1));
  }
  fill(two_, 64, size * 3 / 2);
  EXPECT_EQ(count(two_, 64), 64);
  EXPECT_EQ(count(one_, 64), 0);
}

TEST_F(DepthCacheTest, StopsAtItsLimit) {
  fill(one_, 320, 400000);
  const int found = count(one_, 320);
  EXPECT_GT(found, 0);
  EXPECT_LT(found, 320);
}

TEST_F(DepthCacheTest, DamagedFilesAreMissing) {
  fill(one_, 64, 1U << 30U);
  fs::path damaged;
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "cache")) {
    if (entry.path().filename() == "00000001.depth") damaged = entry.path();
  }
  std::string bytes = read_file(damaged);
  bytes[bytes.size() / 2] ^= 1;
  write_file(damaged, bytes);
  EXPECT_EQ(count(one_, 64), 32);
}

TEST_F(DepthCacheTest, KeepsNothingWithoutAFolder) {
  DepthCache cache({.folder = {}, .max_bytes = 1000000}, one_);
  cache.add(0, depth_codes(raw_map(16, 9, 1)));
  cache.flush();
  EXPECT_FALSE(cache.find(0));
}

TEST_F(DepthCacheTest, DoesNotFailAJobWhereItCannotWrite) {
  write_file(folder_ / "cache", "a file where the folder should be");
  DepthCache cache(options(), one_);
  cache.add(0, depth_codes(raw_map(16, 9, 1)));
  cache.flush();
  EXPECT_FALSE(cache.find(0));
}

}  // namespace
}  // namespace vergence::pipeline
