// SPDX-License-Identifier: Apache-2.0
// The program as its users meet it: streams, exit codes, start-up, and whole jobs.
#include "tests/cli/program.hpp"

#include "core/output_file.hpp"
#include "media/depth_file.hpp"
#include "media/picture.hpp"
#include "projection/sphere_window.hpp"

#include <array>
#include <cmath>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

// Ray distances of a 6 x 3 x 8 m room from its centre.
RayDistance room(int width) {
  const auto window = projection::SphereWindow::whole(width, width / 2);
  cv::Mat values(width / 2, width, CV_32FC1);
  for (int y = 0; y < values.rows; ++y) {
    for (int x = 0; x < values.cols; ++x) {
      const Eigen::Vector3d d = projection::direction_at(window, x + 0.5, y + 0.5).cwiseAbs();
      values.at<float>(y, x) =
          static_cast<float>(std::min({3.0 / d.x(), 1.5 / d.y(), 4.0 / d.z()}));
    }
  }
  return RayDistance(values);
}

using Program = ProgramTest;

TEST_F(Program, StartsWithoutItsHeavyLibraries) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--help"}, {"--version"}, {"config"}, {"depth", "--help"}}) {
    const auto log = mapped_by(arguments);
    for (const char* heavy :
         {"libtorch", "libc10", "libOpen3D", "libopencv", "libopenblas", "libX11", "libgdal",
          "libassimp", "libav", "libcurl", "commands.so"}) {
      EXPECT_THAT(log, Not(HasSubstr(heavy))) << arguments[0];
    }
  }
}

TEST_F(Program, EvaluatesWithoutNetworks) {
  media::write_depth(folder_ / "room.npy", room(64), {});
  const auto log = mapped_by({"eval", "--pred", "room.npy", "--gt", "room.npy"});
  for (const char* heavy : {"libtorch", "libc10", "libOpen3D", "torch.so", "open3d.so"}) {
    EXPECT_THAT(log, Not(HasSubstr(heavy)));
  }
}

TEST_F(Program, NeedsNoNetworkWhereTheDepthIsGiven) {
  media::write_depth(folder_ / "room.npy", room(64), {});
  const auto log = mapped_by({"mesh", "room.npy", "-o", "room.glb"});
  EXPECT_THAT(log, Not(HasSubstr("libtorch")));
  EXPECT_THAT(log, Not(HasSubstr("libOpen3D")));
}

TEST_F(Program, PrintsResultsToStdoutAndAllElseToStderr) {
  write_scene("room.png");
  const auto result = vergence(quick({"depth", "room.png", "-o", "out.pfm"}));
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.output, "out.pfm\nout.pfm.toml\nout_preview.png\n");
  EXPECT_THAT(result.errors, HasSubstr("'room.png': panorama 128x64 (2:1)\n"));
  const auto depth = media::read_depth(folder_ / "out.pfm");
  EXPECT_EQ(values_of(depth).size(), cv::Size(128, 64));
  EXPECT_EQ(media::read_picture(folder_ / "out_preview.png").rgb.size(), cv::Size(128, 64));
  const auto info = media::read_sidecar(folder_ / "out.pfm");
  ASSERT_TRUE(info);
  EXPECT_EQ(info->model, "nano");
  EXPECT_EQ(info->source, "room.png");
  EXPECT_FALSE(info->metric);
}

TEST_F(Program, QuietSaysNothing) {
  write_scene("room.png");
  const auto result = vergence(quick({"-q", "depth", "room.png", "output.preview=false"}));
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.errors, "");
  EXPECT_EQ(result.output, "room_depth.exr\nroom_depth.exr.toml\n");
}

TEST_F(Program, ShowsProgressAsAsked) {
  write_scene("room.png");
  const auto plain = vergence(quick({"depth", "room.png", "--progress=plain"}));
  EXPECT_THAT(plain.errors, HasSubstr("predicting: 6/6 views"));
  const auto json = vergence(quick({"depth", "room.png", "--progress=json"}));
  EXPECT_THAT(json.errors,
              HasSubstr(R"({"stage":"predicting","unit":"views","done":6,"total":6,)"));
  const auto automatic = vergence(quick({"depth", "room.png"}));
  EXPECT_THAT(automatic.errors, Not(HasSubstr("predicting")));
}

TEST_F(Program, ReportsOneBadFileAndGoesOn) {
  fs::create_directory(folder_ / "in");
  write_scene("in/a.png");
  write_file(folder_ / "in/b.jpg", "no picture");
  write_scene("in/c.png");
  const auto result = vergence(quick({"depth", "in", "-o", "out", "output.preview=false", "-q"}));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.errors, HasSubstr("error: 'in/b.jpg' is not a picture"));
  EXPECT_EQ(last_line(result.errors), "error: 1 of 3 inputs failed");
  EXPECT_EQ(result.output,
            "out/a_depth.exr\nout/a_depth.exr.toml\nout/c_depth.exr\nout/c_depth.exr.toml\n");
}

TEST_F(Program, RefusesTwoInputsForOneOutput) {
  fs::create_directory(folder_ / "x");
  write_scene("a.png");
  write_scene("x/a.png");
  const auto result = vergence({"depth", "a.png", "x/a.png", "-o", "out/"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.errors,
            "error: 'a.png' and 'x/a.png' would both be written to 'out/a_depth.exr'; run them one "
            "by one, each with its own -o\n");
  EXPECT_FALSE(fs::exists(folder_ / "out"));
}

TEST_F(Program, ComplainsAboutAllOfAConfigurationAtOnce) {
  const auto result = vergence({"depth", "a.png", "views.cuont=6", "mesh.kind=cloud"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.errors, HasSubstr("error: unknown key 'views.cuont'"));
  EXPECT_THAT(result.errors, HasSubstr("did you mean 'views.count'"));
  EXPECT_THAT(result.errors, HasSubstr("error: 'mesh.kind=cloud'"));
}

TEST_F(Program, PrintsItsConfiguration) {
  const auto config = vergence({"config", "views.count=6"});
  EXPECT_EQ(config.exit_code, 0);
  EXPECT_THAT(config.output, HasSubstr("count = 6"));
  EXPECT_EQ(vergence({"depth", "a.png", "views.count=6", "--cfg", "job"}).output, config.output);
  const auto origin = vergence({"mesh", "views.count=6", "--info", "origin"});
  EXPECT_THAT(origin.output, HasSubstr("argument 'views.count=6'"));
  write_file(folder_ / "config.toml", config.output);
  EXPECT_EQ(vergence({"config", "--config-dir", "."}).output, config.output);
}

TEST_F(Program, EveryShownKeyOfHelpIsTrue) {
  const auto help = vergence({"views", "--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.output, HasSubstr("views.fov_deg"));
  EXPECT_THAT(help.output, Not(HasSubstr("mesh.grid_width")));
  EXPECT_EQ(help.errors, "");
}

TEST_F(Program, SurvivesAReaderThatGoesAway) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  ::close(ends[0]);
  const auto path = fmt::format("/proc/self/fd/{}", ends[1]);
  EXPECT_EQ(vergence({"config"}, {.output = path}).exit_code, 0);
  ::close(ends[1]);
  const auto full = vergence({"config"}, {.output = "/dev/full"});
  EXPECT_EQ(full.exit_code, 1);
  EXPECT_EQ(full.errors, "error: cannot write to standard output: no space left on device\n");
}

TEST_F(Program, ViewsGoOutAndComeBackAsDepth) {
  write_scene("room.png");
  const auto views = vergence({"views", "room.png", "-o", "views", "views.size_px=96"});
  ASSERT_EQ(views.exit_code, 0) << views.errors;
  EXPECT_THAT(views.output, testing::StartsWith("views/views.json\nviews/view_00.png\n"));
  EXPECT_EQ(media::read_picture(folder_ / "views/view_19.png").rgb.size(), cv::Size(96, 96));
  // "Networks" that see a ball of 2 m around the camera.
  for (int i = 0; i < 20; ++i) {
    media::write_depth(folder_ / fmt::format("views/view_{:02}.npy", i),
                       RayDistance(cv::Mat(32, 32, CV_32FC1, cv::Scalar(2.0))), {});
  }
  const std::vector<std::string> from_files = {"depth",
                                               "room.png",
                                               "-o",
                                               "ball.npy",
                                               "predictor=files",
                                               "predictor.path=views",
                                               "predictor.kind=distance",
                                               "predictor.metric=true",
                                               "predictor.views=views/views.json",
                                               "sky.mode=none"};
  const auto depth = vergence(from_files);
  ASSERT_EQ(depth.exit_code, 0) << depth.errors;
  const auto info = media::read_sidecar(folder_ / "ball.npy");
  EXPECT_TRUE(info->metric);
  EXPECT_NEAR(*info->min, 2.0, 0.02);
  EXPECT_NEAR(*info->max, 2.0, 0.02);
  auto other_views = from_files;
  other_views.insert(other_views.end(), {"predictor.views=", "views.fov_deg=90"});
  EXPECT_THAT(vergence(other_views).errors,
              HasSubstr("warning: 'views/views.json' lists other views than this job has; give "
                        "predictor.views=views/views.json to use them\n"));
  fs::remove(folder_ / "views/view_07.npy");
  const auto missing = vergence(from_files);
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.errors, HasSubstr("view_07"));
}

TEST_F(Program, ViewsKeepTheMapsMadeFromThem) {
  write_scene("room.png");
  ASSERT_EQ(vergence({"views", "room.png", "-o", "v", "views.size_px=16"}).exit_code, 0);
  write_file(folder_ / "v/view_00.npy", "mine");
  ASSERT_EQ(vergence(quick({"views", "room.png", "-o", "v", "views.size_px=16"})).exit_code, 0);
  EXPECT_EQ(read_file(folder_ / "v/view_00.npy"), "mine");
  EXPECT_TRUE(fs::exists(folder_ / "v/view_05.png"));
  EXPECT_FALSE(fs::exists(folder_ / "v/view_06.png"));
  EXPECT_THAT(names(), testing::ElementsAre("room.png", "v"));
}

TEST_F(Program, MeshesTheAnalyticRoom) {
  media::write_depth(folder_ / "room.npy", room(1024), {});
  const auto lone = vergence({"mesh", "--depth", "room.npy", "-o", "room.glb"});
  EXPECT_EQ(lone.exit_code, 0);
  EXPECT_EQ(lone.output, "room.glb\n");
  EXPECT_THAT(lone.errors, HasSubstr("526848 vertices, 1048576 triangles"));
  write_scene("room.png");
  const auto with_picture = vergence({"mesh", "room.png", "--depth", "room.npy", "-o", "room.obj"});
  EXPECT_EQ(with_picture.exit_code, 0);
  EXPECT_THAT(with_picture.errors, HasSubstr("526848 vertices, 1048576 triangles"));
  EXPECT_THAT(with_picture.output, testing::StartsWith("room.obj\n"));
  EXPECT_TRUE(fs::exists(folder_ / "room.mtl"));
}

TEST_F(Program, MakesPointsAndSplats) {
  media::write_depth(folder_ / "room.npy", room(128), {});
  for (const char* kind : {"points", "splats"}) {
    const auto result =
        vergence({"mesh", "room.npy", "-o", "out.ply", std::string("mesh.kind=") + kind});
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    const bool has_splats =
        read_file(folder_ / "out.ply").substr(0, 400).find("f_dc_0") != std::string::npos;
    EXPECT_EQ(has_splats, std::string(kind) == "splats");
  }
  const auto wrong = vergence({"mesh", "room.npy", "-o", "out.glb", "mesh.kind=points"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_EQ(wrong.errors,
            "error: points and splats are PLY files, but the output is 'out.glb'; end it in "
            "'.ply', or give mesh.kind=surface\n");
}

TEST_F(Program, TakesOwnDepthOfAnyKindAndScale) {
  const auto distance = room(128);
  media::write_depth(folder_ / "inverse.npy", inverse_distance_from_distance(distance), {});
  fs::remove(folder_ / "inverse.npy.toml");
  write_scene("room.png");
  const auto result =
      vergence({"depth", "room.png", "--depth", "inverse.npy", "input.depth_kind=inverse_distance",
                "input.depth_scale=0.5", "-o", "out.npy"});
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  const cv::Mat got = values_of(media::read_depth(folder_ / "out.npy"));
  EXPECT_NEAR(got.at<float>(20, 30), 2.0F * distance.values().at<float>(20, 30), 1e-4);
}

TEST_F(Program, BelievesASidecarUnlessToldOtherwise) {
  const auto distance = room(128);
  media::DepthFileInfo info;
  info.scale = 0.002;
  media::write_depth(folder_ / "own.png", distance, info);
  write_scene("room.png");
  const auto value_with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"depth", "room.png", "--depth", "own.png", "-o", "out.npy"});
    const auto result = vergence(more);
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    return values_of(media::read_depth(folder_ / "out.npy")).at<float>(20, 30);
  };
  const float expected = distance.values().at<float>(20, 30);
  EXPECT_NEAR(value_with({}), expected, 2e-3);
  EXPECT_NEAR(value_with({"input.depth_scale=0.01"}), 5.0F * expected, 2e-2);
  EXPECT_NEAR(value_with({"input.depth_scale=1"}), 500.0F * expected, 2.0);
  fs::remove(folder_ / "own.png.toml");
  EXPECT_NEAR(value_with({}), 0.5F * expected, 2e-3) << "millimetres";
  const auto shown = vergence({"config"}).output;
  EXPECT_THAT(shown, HasSubstr("depth_kind = \"distance\"\ndepth_scale = 1.0\n"));
}

TEST_F(Program, EvaluatesAsTableAndJson) {
  const auto truth = room(128);
  media::write_depth(folder_ / "gt.exr", truth, {});
  cv::Mat doubled = truth.values() * 2.0;
  media::write_depth(folder_ / "p.pfm", RayDistance(doubled), {});
  const std::vector<std::string> command = {"eval", "--pred", "p.pfm", "--gt", "gt.exr"};
  const auto run = [&](std::vector<std::string> more) {
    more.insert(more.begin(), command.begin(), command.end());
    return vergence(more);
  };
  EXPECT_THAT(run({}).output, HasSubstr("AbsRel"));
  const auto json = run({"--align", "scale", "--sphere", "--json", "-"});
  EXPECT_EQ(json.exit_code, 0) << json.errors;
  EXPECT_THAT(json.output, testing::StartsWith("{"));
  EXPECT_THAT(json.output, HasSubstr("\"align\": \"scale\""));
  EXPECT_EQ(run({"--json", "report.json"}).exit_code, 0);
  EXPECT_THAT(read_file(folder_ / "report.json"), HasSubstr("\"spherical\": null"));
  EXPECT_EQ(run({"--align", "best"}).exit_code, 2);
  EXPECT_EQ(vergence({"eval", "--pred", "p.pfm"}).errors,
            "error: 'eval' needs a prediction and a ground truth; give --pred P --gt G\n");
}

TEST_F(Program, RefusesAPreviewUpsideDown) {
  write_scene("room.png");
  const auto result = vergence({"depth", "room.png", "output.preview_percentile_low=99"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.errors, HasSubstr("'output.preview_percentile_low' is 99, not below "
                                       "'output.preview_percentile_high', 98;"));
}

TEST_F(Program, TellsOfMapsAndMasksOfAnotherShape) {
  const auto truth = room(128);
  media::write_depth(folder_ / "gt.exr", truth, {});
  media::write_depth(folder_ / "square.npy",
                     RayDistance(cv::Mat(64, 64, CV_32FC1, cv::Scalar(2.0))), {});
  const auto result = vergence({"eval", "--pred", "square.npy", "--gt", "gt.exr"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.errors,
            "warning: 'square.npy' is 64x64 and 'gt.exr' 128x64: it is stretched to the same "
            "edges\n");
  write_scene("room.png");
  const auto mesh = vergence({"mesh", "room.png", "--depth", "square.npy", "-o", "out.ply"});
  EXPECT_THAT(mesh.errors, HasSubstr("warning: 'square.npy' is 64x64 and 'room.png' 128x64"));
  media::write_picture(folder_ / "mask.png", scene(64, 32));
  const auto mask = vergence({"eval", "--pred", "gt.exr", "--gt", "gt.exr", "--mask", "mask.png"});
  EXPECT_EQ(mask.exit_code, 2);
  EXPECT_EQ(mask.errors,
            "error: the mask 'mask.png' is 64x32 pixels, but 'gt.exr' is 128x64; give a mask of "
            "the ground truth's size\n");
}

}  // namespace
}  // namespace vergence::test
