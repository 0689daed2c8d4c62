// SPDX-License-Identifier: Apache-2.0
// Every number against an independent computation in numpy (reference.py).
#include "core/output_file.hpp"
#include "evaluation/depth_report.hpp"
#include "tests/support/paths.hpp"

#include <array>
#include <cstdio>
#include <memory>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace vergence::evaluation {
namespace {

using nlohmann::json;

struct Case {
  DepthKind kind;
  DepthAlign align;
  double cap_m;
  bool masked;
};

void PrintTo(const Case& tested, std::ostream* stream) {  // NOLINT(readability-identifier-naming)
  *stream << to_string(tested.kind) << ", align " << to_string(tested.align);
}

std::string_view bytes_of(const cv::Mat& values) {
  return {reinterpret_cast<const char*>(values.data), values.total() * values.elemSize()};
}

json run_reference(const std::filesystem::path& folder) {
  const std::string command = "/usr/bin/python3 '" +
                              (test::source_dir() / "tests/evaluation/reference.py").string() +
                              "' '" + folder.string() + "'";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"),
                                                             &::pclose);
  std::string text;
  std::array<char, 4096> buffer{};
  for (std::size_t n = 1; n > 0;) {
    n = std::fread(buffer.data(), 1, buffer.size(), pipe.get());
    text.append(buffer.data(), n);
  }
  return json::parse(text);
}

void expect_same(const json& actual, const json& expected, const std::string& where) {
  for (const auto& [key, value] : expected.items()) {
    const std::string name = where.empty() ? key : fmt::format("{}.{}", where, key);
    if (value.is_object()) {
      expect_same(actual.at(key), value, name);
    } else if (value.is_number()) {
      const auto want = value.get<double>();
      EXPECT_NEAR(actual.at(key).get<double>(), want, 2e-6 * std::max(1.0, std::abs(want))) << name;
    } else {
      EXPECT_EQ(actual.at(key), value) << name;
    }
  }
}

class DepthReference : public ::testing::TestWithParam<Case> {};

TEST_P(DepthReference, AgreesWithNumpy) {
  const Case& param = GetParam();
  constexpr int kHeight = 48;
  constexpr int kWidth = 96;
  std::mt19937 random(20240607);
  std::uniform_real_distribution<float> uniform(0.0F, 1.0F);
  std::normal_distribution<float> noise(0.0F, 0.2F);
  cv::Mat truth(kHeight, kWidth, CV_32F);
  cv::Mat prediction(kHeight, kWidth, CV_32F);
  cv::Mat mask(kHeight, kWidth, CV_8U, cv::Scalar(255));
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      const float distance = 0.5F + 12.0F * uniform(random) * uniform(random);
      const float wrong = distance * 1.7F * std::exp(noise(random));
      const float chance = uniform(random);
      truth.at<float>(y, x) = chance < 0.05F ? 1e9F : chance < 0.07F ? NAN : distance;
      float value = wrong;
      if (param.kind == DepthKind::kInverseDistance) value = 1.0F / wrong;
      // A shift so large that some aligned values end below zero.
      if (param.kind == DepthKind::kDisparity) value = 3.0F / wrong - 0.9F + noise(random);
      prediction.at<float>(y, x) = uniform(random) < 0.03F ? NAN : value;
      if (param.masked && uniform(random) < 0.2F) mask.at<std::uint8_t>(y, x) = 0;
    }
  }
  const test::TemporaryFolder folder;
  write_file(folder / "truth.f32", bytes_of(truth));
  write_file(folder / "prediction.f32", bytes_of(prediction));
  write_file(folder / "mask.u8", bytes_of(mask));
  write_file(folder / "case.json", json{{"width", kWidth},
                                        {"height", kHeight},
                                        {"kind", to_string(param.kind)},
                                        {"align", to_string(param.align)},
                                        {"cap_m", param.cap_m}}
                                       .dump());
  DepthEvalOptions options{.align = param.align, .sphere = true, .cap_m = param.cap_m};
  if (param.masked) options.mask = mask;
  const auto evaluation =
      evaluate_depth(make_depth(param.kind, prediction), RayDistance(truth), options);
  expect_same(json::parse(to_json(evaluation)), run_reference(folder.path()), "");
}

INSTANTIATE_TEST_SUITE_P(
    Cases, DepthReference,
    ::testing::Values(Case{DepthKind::kDistance, DepthAlign::kNone, 0.0, false},
                      Case{DepthKind::kDistance, DepthAlign::kMedian, 0.0, true},
                      Case{DepthKind::kDistance, DepthAlign::kScale, 5.0, false},
                      Case{DepthKind::kDistance, DepthAlign::kDisparity, 5.0, true},
                      Case{DepthKind::kDistance, DepthAlign::kDepth, 0.0, true},
                      Case{DepthKind::kInverseDistance, DepthAlign::kNone, 8.0, true},
                      Case{DepthKind::kInverseDistance, DepthAlign::kMedian, 0.0, false},
                      Case{DepthKind::kInverseDistance, DepthAlign::kDepth, 0.0, false},
                      Case{DepthKind::kDisparity, DepthAlign::kScale, 0.0, false},
                      Case{DepthKind::kDisparity, DepthAlign::kDisparity, 6.0, true}),
    [](const auto& tested) {
      return std::string(to_string(tested.param.kind)) + "_" +
             std::string(to_string(tested.param.align));
    });

}  // namespace
}  // namespace vergence::evaluation
