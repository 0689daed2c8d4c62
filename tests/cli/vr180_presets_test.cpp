// SPDX-License-Identifier: Apache-2.0
// The presets for devices: what docs/presets.md says, what the configuration says, and what ffprobe
// finds in the files are the same.
#include "config/config.hpp"
#include "core/output_file.hpp"
#include "tests/cli/program.hpp"
#include "tests/media/fixtures.hpp"

#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::test {
namespace {

using ::testing::HasSubstr;

using Row = std::vector<std::string>;

// The rows of the table that stands between two marks of docs/presets.md, without its head.
std::vector<Row> table(const std::string& mark) {
  const auto text = read_file(source_dir() / "docs/presets.md", 1 << 20);
  const auto begin = text.find("<!-- " + mark);
  std::istringstream lines(text.substr(begin, text.find("<!-- /" + mark) - begin));
  std::vector<Row> rows;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| `")) continue;
    Row row;
    std::istringstream cells(line.substr(1));
    for (std::string cell; std::getline(cells, cell, '|');) {
      const auto first = cell.find_first_not_of(" `");
      row.push_back(cell.substr(first, cell.find_last_not_of(" `") - first + 1));
    }
    rows.push_back(row);
  }
  return rows;
}

config::Config preset(const std::string& name) {
  return config::compose({.overrides = {"preset=" + name}});
}

// The row that a preset's configuration makes.
Row row_of(const std::string& name) {
  const auto config = preset(name);
  const auto eye = config.integer("vr.eye_px");
  return {name,
          fmt::format("{}x{}", 2 * eye, eye),
          config.string("video.codec") + " " + config.string("video.profile"),
          config.string("video.level"),
          config.string("video.pixel_format"),
          fmt::format("crf {:g}, {} Mbit/s", config.number("video.crf"),
                      config.integer("video.max_bitrate_kbps") / 1000),
          config.string("vr.photo_format")};
}

TEST(Presets, TheDocumentSaysWhatTheConfigurationSays) {
  const auto rows = table("presets");
  ASSERT_EQ(rows.size(), 6U);
  for (const auto& row : rows) EXPECT_EQ(row, row_of(row.front()));
  for (const auto& row : table("limits")) {
    const auto limits = preset(row.at(0)).strings("limits.decodes");
    EXPECT_EQ(row.at(1), fmt::format("{}", fmt::join(limits, ", "))) << row.at(0);
  }
  EXPECT_EQ(table("limits").size(), rows.size());
}

TEST(Presets, WhatTheyHaveInCommon) {
  for (const auto& row : table("presets")) {
    const auto config = preset(row.front());
    EXPECT_EQ(config.string("vr.projection"), "half_equirectangular") << row.front();
    EXPECT_EQ(config.number("vr.fov_deg"), 180.0) << row.front();
    EXPECT_EQ(config.string("vr.layout"), "sbs") << row.front();
    EXPECT_EQ(config.number("video.gop_s"), 1.0) << row.front();
    EXPECT_EQ(config.string("video.container"), "mp4") << row.front();
  }
}

class PresetFiles : public ProgramTest, public testing::WithParamInterface<const char*> {};

TEST_P(PresetFiles, AreWhatTheRowSays) {
  const std::string name = GetParam();
  const auto config = preset(name);
  run(
      fmt::format("ffmpeg -v error -f lavfi -i testsrc2=s=256x128:r=30 -frames:v 2 -c:v libx264 "
                  "-pix_fmt yuv420p '{}'",
                  (folder_ / "in.mp4").string()));
  // Equal eyes are enough to be probed.
  const auto result = vergence({"vr180", "in.mp4", "preset=" + name, "video.preset=ultrafast",
                                "input.hfov_deg=90", "predictor.size_px=64", "views=icosahedron_6"},
                               {.timeout_seconds = 500.0});
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(result.output, "in_180_LR.mp4\n");
  const auto found = run(
      fmt::format("ffprobe -v error -select_streams v -show_entries "
                  "stream=codec_name,codec_tag_string,profile,level,pix_fmt,width,height,bit_rate:"
                  "stream_side_data -of default=nw=1 '{}'",
                  (folder_ / "in_180_LR.mp4").string()));
  const auto eye = config.integer("vr.eye_px");
  const bool hevc = config.string("video.codec") == "libx265";
  const double level = std::stod(config.string("video.level"));
  EXPECT_THAT(found, HasSubstr(fmt::format("width={}\nheight={}\n", 2 * eye, eye)));
  EXPECT_THAT(found, HasSubstr(hevc ? "codec_name=hevc" : "codec_name=h264"));
  EXPECT_THAT(found, HasSubstr(hevc ? "codec_tag_string=hvc1" : "codec_tag_string=avc1"));
  EXPECT_THAT(found, HasSubstr("pix_fmt=" + config.string("video.pixel_format")));
  EXPECT_THAT(found, HasSubstr(fmt::format("level={:.0f}\n", level * (hevc ? 30 : 10))));
  const std::map<std::string, std::string> profiles = {
      {"main", "Main"}, {"main10", "Main 10"}, {"high", "High"}};
  // At its quickest x264 uses no more than the baseline has.
  const auto profile = hevc ? profiles.at(config.string("video.profile")) : "Constrained Baseline";
  EXPECT_THAT(found, HasSubstr("profile=" + profile + "\n"));
  EXPECT_THAT(found, HasSubstr("type=side by side"));
  EXPECT_THAT(found, HasSubstr("projection=tiled equirectangular"));
  const auto apple =
      run(fmt::format("grep -c vexu '{}' || true", (folder_ / "in_180_LR.mp4").string()));
  EXPECT_EQ(apple != "0\n", config.boolean("output.apple"));
}

INSTANTIATE_TEST_SUITE_P(All, PresetFiles,
                         testing::Values("youtube-vr180", "quest3", "quest2", "deovr", "visionpro",
                                         "cardboard"));

}  // namespace
}  // namespace vergence::test
