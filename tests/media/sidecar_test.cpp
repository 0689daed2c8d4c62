// SPDX-License-Identifier: Apache-2.0
#include "media/sidecar.hpp"

#include "core/output_file.hpp"
#include "media/depth_file.hpp"
#include "tests/media/fixtures.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/paths.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace vergence::media {
namespace {

using test::error_of;
using test::TemporaryFolder;

DepthFileInfo full_info() {
  DepthFileInfo info;
  info.kind = DepthKind::kInverseDistance;
  info.metric = false;
  info.geometry = DepthGeometry::kPlanar;
  info.projection = DepthProjection::kPinhole;
  info.horizontal_fov = Radians::from_degrees(90.0);
  info.vertical_fov = Radians::from_degrees(60.0);
  info.model = "nano";
  info.source = "a \"quoted\"\\ name\n.jpg";
  info.report = {
      {"zulu", 1.5},
      {"alpha", DataTree::Array{1.0, 2.5, -0.25}},
      {"stages",
       DataTree::Table{{"fit", DataTree::Table{{"residual before", 0.5}, {"converged", true}}},
                       {"count", 20}}},
      {"views", DataTree::Array{DataTree::Table{{"name", "view_00"}, {"scale", 1e-9}},
                                DataTree::Table{{"name", "view_01"}, {"scale", 3.0e12}}}},
      {"words", DataTree::Array{"a", "b"}},
      {"empty", DataTree::Array{}},
  };
  return info;
}

TEST(Sidecar, KeepsEverythingInItsOrder) {
  const TemporaryFolder folder;
  const auto file = folder / "d.exr";
  write_sidecar(file, full_info());
  EXPECT_EQ(sidecar_path(file), folder / "d.exr.toml");
  const auto back = read_sidecar(file);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->kind, DepthKind::kInverseDistance);
  EXPECT_FALSE(back->metric);
  EXPECT_EQ(back->geometry, DepthGeometry::kPlanar);
  EXPECT_EQ(back->projection, DepthProjection::kPinhole);
  EXPECT_NEAR(back->horizontal_fov->degrees(), 90.0, 1e-12);
  EXPECT_NEAR(back->vertical_fov->degrees(), 60.0, 1e-12);
  EXPECT_EQ(back->model, "nano");
  EXPECT_EQ(back->source, full_info().source);
  ASSERT_EQ(back->report.size(), 6U);
  // Plain values stand before tables, as TOML asks; within that the order is kept.
  EXPECT_EQ(back->report[0].key, "zulu");
  EXPECT_EQ(back->report[1].key, "alpha");
  EXPECT_EQ(back->report[5].key, "stages");
  for (const auto& entry : full_info().report) {
    if (entry.key == "stages") continue;
    EXPECT_NE(std::ranges::find(back->report, entry), back->report.end()) << entry.key;
  }
  const DataTree::Table stages{
      {"count", 20}, {"fit", DataTree::Table{{"residual before", 0.5}, {"converged", true}}}};
  EXPECT_EQ(back->report[5].value, DataTree(stages));
}

TEST(Sidecar, StandsBesideEveryDepthFileWithItsFacts) {
  const TemporaryFolder folder;
  cv::Mat values(4, 6, CV_32FC1, cv::Scalar(2.0));
  values.at<float>(1, 1) = 7.25F;
  values.at<float>(0, 0) = std::numeric_limits<float>::quiet_NaN();
  write_depth(folder / "d.pfm", RayDistance(values), {});
  const auto info = read_sidecar(folder / "d.pfm");
  ASSERT_TRUE(info);
  EXPECT_EQ(info->width, 6);
  EXPECT_EQ(info->height, 4);
  EXPECT_EQ(info->min, 2.0);
  EXPECT_EQ(info->max, 7.25);
  EXPECT_EQ(info->scale, 1.0);
  EXPECT_TRUE(info->metric);
  EXPECT_FALSE(read_sidecar(folder / "other.pfm"));
  EXPECT_EQ(read_file(folder / "d.pfm.toml"),
            "# What the numbers of the depth file beside this one mean.\n"
            "kind = \"distance\"\nunit = \"m\"\nscale = 1.0\ngeometry = \"radial\"\n"
            "projection = \"equirectangular\"\nwidth = 6\nheight = 4\nmin = 2.0\nmax = 7.25\n");
}

TEST(Sidecar, MistakesAreNamedWithFileAndKey) {
  const TemporaryFolder folder;
  const auto message = [&](const std::string& text) {
    write_file(folder / "d.exr.toml", text);
    const std::string error = error_of([&] { static_cast<void>(read_sidecar(folder / "d.exr")); });
    return error.substr(0, error.find(';'));
  };
  const std::string start = fmt::format("cannot use '{}': ", (folder / "d.exr.toml").string());
  EXPECT_EQ(message("kind = \"near\""),
            start + "its key 'kind' must be a kind of depth such as 'distance'");
  EXPECT_EQ(message("kind = 3"), start + "its key 'kind' must be a word");
  EXPECT_EQ(message("scale = -1"), start + "its key 'scale' must be a number above 0");
  EXPECT_EQ(message("scale = \"x\""), start + "its key 'scale' must be a number");
  EXPECT_EQ(message("unit = \"ft\""),
            start + "its key 'unit' must be one of 'm', '1/m', 'relative'");
  EXPECT_EQ(message("geometry = \"flat\""),
            start + "its key 'geometry' must be one of 'radial', 'planar'");
  EXPECT_TRUE(message("a = [1, 2").starts_with(start + "it is not TOML (line 1: "))
      << message("a = [1, 2");
}

TEST(Sidecar, HostileTextNeverCrashes) {
  const TemporaryFolder folder;
  write_sidecar(folder / "d.exr", full_info());
  const auto whole = test::bytes_of(folder / "d.exr.toml");
  std::mt19937 random(5);
  int understood = 0;
  for (int i = 0; i < 1000; ++i) {
    test::save_bytes(folder / "m.exr.toml", test::mutated(whole, random));
    if (error_of([&] { static_cast<void>(read_sidecar(folder / "m.exr")); }).empty()) ++understood;
  }
  EXPECT_GT(understood, 10);
  EXPECT_LT(understood, 990);
}

}  // namespace
}  // namespace vergence::media
