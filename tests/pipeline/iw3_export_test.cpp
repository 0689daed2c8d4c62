// SPDX-License-Identifier: Apache-2.0
// Depth as iw3 exports it, out and in.
#include "pipeline/iw3_export.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "media/picture.hpp"
#include "tests/support/paths.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::pipeline {
namespace {

std::string message_of(const std::filesystem::path& file) {
  try {
    (void)read_iw3_export(file);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Iw3Export, StepsAreRoundedDown) {
  const cv::Mat nearness = (cv::Mat_<float>(1, 5) << 0.0F, 0.99999F, 1.0F, 2.0F, 0.5F);
  const cv::Mat steps = exported_steps(nearness);
  EXPECT_EQ(steps.at<std::uint16_t>(0, 0), 0);
  EXPECT_EQ(steps.at<std::uint16_t>(0, 1), 65534);
  EXPECT_EQ(steps.at<std::uint16_t>(0, 2), 65535);
  EXPECT_EQ(steps.at<std::uint16_t>(0, 3), 65535);
  EXPECT_EQ(steps.at<std::uint16_t>(0, 4), 32767);
}

TEST(Iw3Export, WhatIsWrittenIsRead) {
  const test::TemporaryFolder folder;
  Iw3ExportWriter writer(folder / "out", "mul_1");
  cv::Mat nearness(8, 8, CV_32FC1);
  cv::randu(nearness, 0.0, 1.0);
  writer.add("a", cv::Mat(16, 16, CV_8UC3, cv::Scalar(1, 2, 3)), nearness);
  writer.add("a", cv::Mat(16, 16, CV_8UC3, cv::Scalar(1, 2, 3)), nearness);
  const auto file = folder / "out" / kIw3ExportName;
  const auto read = read_iw3_export(file);
  EXPECT_FALSE(read.video);
  EXPECT_EQ(read.mapper, "mul_1");
  EXPECT_FALSE(read.skip_mapper);
  const auto pictures = exported_pictures(file);
  ASSERT_EQ(pictures.size(), 2U);
  EXPECT_EQ(pictures[0].first, folder / "out" / "rgb" / "a.png");
  EXPECT_EQ(pictures[1].second, folder / "out" / "depth" / "a_2.png");
  EXPECT_LE(cv::norm(read_exported_nearness(pictures[0].second), nearness, cv::NORM_INF),
            1.0 / 65535.0);
  EXPECT_EQ(find_map(folder / "out", "a_2"), pictures[1].second);
  EXPECT_EQ(find_map(file, "b"), "");
}

TEST(Iw3Export, WhatIw3WritesIsUnderstood) {
  const test::TemporaryFolder folder;
  write_file(folder / "e.yml",
             "type: video\nbasename: film\nfps: 30000/1001\nrgb_dir: rgb\ndepth_dir: depth\n"
             "audio_file: audio.m4a\nmapper: div_6\nskip_mapper: true\nskip_edge_dilation: true\n"
             "source_color_range: 1\nuser_data:\n  export_options: {depth_model: Any_S}\n");
  const auto read = read_iw3_export(folder / "e.yml");
  EXPECT_TRUE(read.video);
  EXPECT_EQ(read.basename, "film");
  EXPECT_TRUE(read.skip_mapper);
  EXPECT_TRUE(read.skip_edge_dilation);
  EXPECT_EQ(read.depth_dir, folder / "depth");
  EXPECT_THROW((void)exported_pictures(folder / "e.yml"), Error);
  StereoFrameOptions options;
  options.mapper = "mul_2";
  apply_export(folder / "e.yml", true, options);
  EXPECT_EQ(options.mapper, "none");
  EXPECT_EQ(options.edge_dilation, (std::array{0, 0}));
}

TEST(Iw3Export, BadFilesAreRefusedWithTheirName) {
  const test::TemporaryFolder folder;
  const auto file = folder / "bad.yml";
  const auto message = [&](const std::string& text) {
    write_file(file, text);
    return message_of(file);
  };
  using ::testing::HasSubstr;
  EXPECT_THAT(message_of(folder / "none.yml"), HasSubstr("none.yml"));
  EXPECT_THAT(message("- 1\n- 2\n"), HasSubstr("no table of keys"));
  EXPECT_THAT(message(": : {["), HasSubstr("bad.yml"));
  EXPECT_THAT(message("type: cake\n"), HasSubstr("'type'"));
  EXPECT_THAT(message("type: images\ndepth_dir: d\n"), HasSubstr("'rgb_dir'"));
  EXPECT_THAT(message("type: images\nrgb_dir: [1]\ndepth_dir: d\n"), HasSubstr("'rgb_dir'"));
  EXPECT_THAT(message("type: images\nrgb_dir: r\ndepth_dir: d\nskip_mapper: perhaps\n"),
              HasSubstr("'skip_mapper'"));
  EXPECT_THAT(message(std::string(5000, '[')), HasSubstr("bad.yml"));
}

}  // namespace
}  // namespace vergence::pipeline
