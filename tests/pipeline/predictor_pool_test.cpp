// SPDX-License-Identifier: Apache-2.0
#include "pipeline/predictor_pool.hpp"

#include "config/config.hpp"
#include "tests/support/paths.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <opencv2/core.hpp>

namespace vergence::test {
namespace {

config::Config small_nano(const std::vector<std::string>& more = {}) {
  std::vector<std::string> overrides{"predictor=nano", "predictor.size_px=64", "threads=1"};
  overrides.insert(overrides.end(), more.begin(), more.end());
  return config::compose({.overrides = overrides});
}

// A picture whose brightness grows to the right, from `first` on.
PredictorInput ramp(int first) {
  cv::Mat rgb(64, 64, CV_8UC3);
  for (int y = 0; y < rgb.rows; ++y) {
    for (int x = 0; x < rgb.cols; ++x) {
      rgb.at<cv::Vec3b>(y, x) = cv::Vec3b::all(static_cast<uchar>(first + 2 * x));
    }
  }
  return {"ramp", rgb, 50.0};
}

AnyDepth map_of(pipeline::PredictorPool& pool, const config::Config& config,
                const PredictorInput& picture) {
  const auto networks = pool.predictors(config);
  return networks.at(0)->predict(std::span(&picture, 1), no_progress()).at(0);
}

TEST(PredictorPool, GivesTheMapsOfAnEarlierJob) {
  pipeline::PredictorPool pool;
  const auto first = map_of(pool, small_nano(), ramp(0));
  const auto again = map_of(pool, small_nano({"alignment.grid=false"}), ramp(0));
  EXPECT_EQ(pool.counts().predicted, 1);
  EXPECT_EQ(pool.counts().reused, 1);
  EXPECT_EQ(cv::norm(values_of(first), values_of(again), cv::NORM_INF), 0.0);
}

TEST(PredictorPool, KnowsANetworkAgainInEveryCompany) {
  VERGENCE_REQUIRE_SHARED();
  const auto other = [](const std::string& more) {
    return fmt::format("{{name: tcmonodepth_small, path: '{}', size_px: 64{}}}",
                       (shared_dir() / "models/tcmonodepth_small.safetensors").string(), more);
  };
  const auto company = [](const std::string& members) {
    return config::compose({.overrides = {"predictor=ensemble", "predictor.size_px=64", "threads=1",
                                          "predictor.members=[" + members + "]"}});
  };
  pipeline::PredictorPool pool;
  const auto alone = map_of(pool, small_nano(), ramp(0));
  const auto first = map_of(pool, company("nano," + other("")), ramp(0));
  static_cast<void>(map_of(pool, company("nano," + other(", flip: true")), ramp(0)));
  EXPECT_EQ(pool.counts().predicted, 1);
  EXPECT_EQ(pool.counts().reused, 2);
  EXPECT_EQ(cv::norm(values_of(alone), values_of(first), cv::NORM_INF), 0.0);
  static_cast<void>(map_of(pool, company(other("") + ",nano"), ramp(0)));
  static_cast<void>(map_of(pool, company(other(", flip: true") + ",nano"), ramp(0)));
  EXPECT_EQ(pool.counts().predicted, 3) << "networks have settings of their own";
}

TEST(PredictorPool, HandsOutCopies) {
  pipeline::PredictorPool pool;
  auto first = map_of(pool, small_nano(), ramp(0));
  const cv::Mat kept = values_of(first).clone();
  std::visit([](auto& map) { map.values().setTo(-1.0F); }, first);
  auto second = map_of(pool, small_nano(), ramp(0));
  std::visit([](auto& map) { map.values().setTo(-2.0F); }, second);
  EXPECT_EQ(cv::norm(values_of(map_of(pool, small_nano(), ramp(0))), kept, cv::NORM_INF), 0.0);
}

TEST(PredictorPool, TellsPicturesFocalLengthsAndSettingsApart) {
  pipeline::PredictorPool pool;
  static_cast<void>(map_of(pool, small_nano(), ramp(0)));
  static_cast<void>(map_of(pool, small_nano(), ramp(1)));
  auto longer = ramp(0);
  longer.focal_px = 60.0;
  static_cast<void>(map_of(pool, small_nano(), longer));
  static_cast<void>(map_of(pool, small_nano({"predictor.flip=true"}), ramp(0)));
  EXPECT_EQ(pool.counts().predicted, 4);
  EXPECT_EQ(pool.counts().reused, 0);
}

TEST(PredictorPool, ForgetsWhatWasUsedLongestAgo) {
  pipeline::PredictorPool measured;
  const auto map = map_of(measured, small_nano(), ramp(0));
  const cv::Mat& values = values_of(map);
  pipeline::PredictorPool pool(2 * values.total() * values.elemSize());
  for (const int first : {0, 1, 0, 2}) static_cast<void>(map_of(pool, small_nano(), ramp(first)));
  EXPECT_EQ(pool.counts().predicted, 3);
  static_cast<void>(map_of(pool, small_nano(), ramp(0)));
  EXPECT_EQ(pool.counts().predicted, 3);
  static_cast<void>(map_of(pool, small_nano(), ramp(1)));
  EXPECT_EQ(pool.counts().predicted, 4);
}

}  // namespace
}  // namespace vergence::test
