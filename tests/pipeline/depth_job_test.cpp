// SPDX-License-Identifier: Apache-2.0
#include "pipeline/depth_job.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "core/rotation.hpp"
#include "media/depth_file.hpp"
#include "pipeline/depth_output.hpp"
#include "pipeline/flat_depth.hpp"
#include "pipeline/mesh_job.hpp"
#include "pipeline/views_file.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/paths.hpp"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::pipeline {
namespace {

using projection::SphereWindow;

// Distance along a unit direction to the walls of a 6 x 3 x 8 m room around the camera.
double room_distance(const Eigen::Vector3d& direction) {
  const Eigen::Vector3d d = direction.cwiseAbs();
  return std::min({3.0 / d.x(), 1.5 / d.y(), 4.0 / d.z()});
}

RayDistance room(const SphereWindow& window) {
  cv::Mat values(window.height, window.width, CV_32FC1);
  for (int y = 0; y < values.rows; ++y) {
    for (int x = 0; x < values.cols; ++x) {
      values.at<float>(y, x) =
          static_cast<float>(room_distance(projection::direction_at(window, x + 0.5, y + 0.5)));
    }
  }
  return RayDistance(values);
}

// A network that knows the room: planar depth of each view, in metres.
class RoomPredictor final : public DepthPredictor {
 public:
  explicit RoomPredictor(std::vector<projection::TangentView> views) : views_(std::move(views)) {
    info_.name = "room";
    info_.kind = DepthKind::kPlanarDepth;
    info_.metric = true;
  }

  [[nodiscard]] const PredictorInfo& info() const override { return info_; }

  [[nodiscard]] std::vector<AnyDepth> predict(std::span<const PredictorInput> pictures,
                                              Progress& progress) override {
    std::vector<AnyDepth> maps;
    for (const auto& picture : pictures) {
      seen.push_back(picture);
      const auto view = std::find_if(views_.begin(), views_.end(),
                                     [&](const auto& v) { return v.name == picture.name; });
      maps.emplace_back(map_of(*view));
      progress.advance();
    }
    return maps;
  }

  std::vector<PredictorInput> seen;

 private:
  static PlanarDepth map_of(const projection::TangentView& view) {
    cv::Mat values(view.height, view.width, CV_32FC1);
    for (int y = 0; y < values.rows; ++y) {
      for (int x = 0; x < values.cols; ++x) {
        const Eigen::Vector3d ray = projection::ray_at(view, x + 0.5, y + 0.5);
        values.at<float>(y, x) = static_cast<float>(
            room_distance((view.world_from_view * ray).normalized()) / ray.norm());
      }
    }
    return PlanarDepth(values);
  }

  PredictorInfo info_;
  std::vector<projection::TangentView> views_;
};

Source panorama_source(const SphereWindow& window) {
  Source source;
  source.path = "room.png";
  source.panorama = true;
  source.window = window;
  source.original_window = window;
  source.rgb = cv::Mat(window.height, window.width, CV_8UC3, cv::Scalar(90, 120, 150));
  return source;
}

double median_relative_error(const RayDistance& distance, const RayDistance& truth) {
  cv::Mat error;
  cv::absdiff(distance.values(), truth.values(), error);
  cv::divide(error, truth.values(), error);
  return quantile(error, 0.5);
}

DepthOptions six_views() {
  DepthOptions options;
  options.views = {.count = 6, .fov = Radians::from_degrees(100), .size_px = 96, .list = {}};
  options.panorama.sky.detect = false;
  return options;
}

TEST(DepthJob, FindsTheRoomAgain) {
  const auto options = six_views();
  RoomPredictor predictor(choose_views(options.views, 0));
  const auto source = panorama_source(SphereWindow::whole(256, 128));
  const auto result = estimate_depth(source, predictor, options, no_progress());
  EXPECT_TRUE(result.metric);
  EXPECT_TRUE(result.panorama);
  EXPECT_EQ(result.model, "room");
  ASSERT_EQ(predictor.seen.size(), 6U);
  EXPECT_EQ(predictor.seen[0].rgb.size(), cv::Size(96, 96));
  EXPECT_NEAR(predictor.seen[0].focal_px, 48.0 / std::tan(kPi * 50.0 / 180.0), 1e-9);
  EXPECT_LT(median_relative_error(result.distance, room(source.window)), 0.01);
  ASSERT_FALSE(result.report.empty());
  EXPECT_EQ(result.report[0].key, "alignment");
}

TEST(DepthJob, MakesTheMapAsWideAsAsked) {
  auto options = six_views();
  options.width_px = 64;
  options.factor = 2.0;
  RoomPredictor predictor(choose_views(options.views, 0));
  const auto result = estimate_depth(panorama_source(SphereWindow::whole(256, 128)), predictor,
                                     options, no_progress());
  EXPECT_EQ(result.window, SphereWindow::whole(64, 32));
  RayDistance halved(result.distance.values() * 0.5);
  EXPECT_LT(median_relative_error(halved, room(result.window)), 0.02);
}

TEST(DepthJob, AsksOnlyForViewsThatSeeSomething) {
  const auto options = six_views();
  RoomPredictor predictor(choose_views(options.views, 0));
  // 60 degrees around the front.
  const SphereWindow window{256, 128, 107, 43, 42, 42};
  const auto result = estimate_depth(panorama_source(window), predictor, options, no_progress());
  EXPECT_LT(predictor.seen.size(), 6U);
  EXPECT_EQ(result.distance.values().size(), cv::Size(42, 42));
  EXPECT_LT(median_relative_error(result.distance, room(window)), 0.02);
}

TEST(DepthJob, UsesAListOfViews) {
  const test::TemporaryFolder folder;
  const auto views = projection::covering_views(12, Radians::from_degrees(100), 48);
  write_file(folder / "views.json", to_json(ViewsFile{256, 128, views}));
  auto options = six_views();
  options.views.list = folder / "views.json";
  RoomPredictor predictor(views);
  static_cast<void>(estimate_depth(panorama_source(SphereWindow::whole(256, 128)), predictor,
                                   options, no_progress()));
  EXPECT_EQ(predictor.seen.size(), 12U);
}

TEST(DepthJob, ChoosesTheNetworksSize) {
  EXPECT_EQ(choose_views({}, 0)[0].width, kUsualViewSize);
  EXPECT_EQ(choose_views({}, 518)[0].width, 518);
  EXPECT_EQ(choose_views({.size_px = 64}, 518)[0].width, 64);
}

class OwnDepthTest : public ::testing::Test {
 protected:
  OwnDepth write(const RayDistance& distance, const std::string& name = "own.npy") {
    const auto path = folder_ / name;
    media::write_depth(path, distance, {});
    std::filesystem::remove(media::sidecar_path(path));
    return {path, std::nullopt, std::nullopt};
  }

  test::TemporaryFolder folder_;
};

TEST_F(OwnDepthTest, NeedNotHaveThePicturesSize) {
  const auto own = write(room(SphereWindow::whole(64, 32)));
  const auto source = panorama_source(SphereWindow::whole(256, 128));
  const auto result = use_own_depth(own, source, {});
  EXPECT_EQ(result.window, SphereWindow::whole(64, 32));
  EXPECT_TRUE(result.metric);
  EXPECT_EQ(result.model, "own.npy");
}

TEST_F(OwnDepthTest, TurnsWithThePicture) {
  const auto own = write(room(SphereWindow::whole(128, 64)));
  auto source = panorama_source(SphereWindow::whole(256, 128));
  source.turn = rotation_from_yaw_pitch_roll(Radians::from_degrees(90), {}, {});
  const auto result = use_own_depth(own, source, {});
  // Looking to +X, where the wall is 3 m away, not 4.
  EXPECT_NEAR(result.distance.values().at<float>(32, 64), 3.0, 0.05);
  EXPECT_NEAR(result.distance.values().at<float>(32, 32), 4.0, 0.05);
}

TEST_F(OwnDepthTest, PutsSkyBehindEverything) {
  auto distance = room(SphereWindow::whole(64, 32));
  distance.values().rowRange(0, 8).setTo(1e10F);
  const auto result =
      use_own_depth(write(distance), panorama_source(SphereWindow::whole(64, 32)), {});
  EXPECT_EQ(cv::countNonZero(result.sky), 8 * 64);
  EXPECT_LT(result.distance.values().at<float>(2, 2), 100.0F);
  EXPECT_GT(result.distance.values().at<float>(2, 2), 15.0F);
}

TEST_F(OwnDepthTest, TellsAPanoramaFromAPhotoWithoutPicture) {
  const auto round = use_lone_depth(write(room(SphereWindow::whole(64, 32))), {}, {});
  EXPECT_TRUE(round.panorama);
  auto planar = write(RayDistance(cv::Mat(30, 40, CV_32FC1, cv::Scalar(2.0))), "flat.npy");
  planar.kind = DepthKind::kPlanarDepth;
  SourceOptions options;
  options.horizontal_fov = Radians::from_degrees(90);
  const auto flat = use_lone_depth(planar, options, {});
  EXPECT_FALSE(flat.panorama);
  EXPECT_NEAR(flat.distance.values().at<float>(15, 20), 2.0, 0.01);
  EXPECT_GT(flat.distance.values().at<float>(15, 0), 2.7F);
  EXPECT_NEAR(flat.fov_x.degrees(), 90.0, 1e-9);
}

TEST_F(OwnDepthTest, MarksRelativeDepth) {
  auto own = write(room(SphereWindow::whole(64, 32)));
  own.kind = DepthKind::kDisparity;
  const auto result = use_own_depth(own, panorama_source(SphereWindow::whole(64, 32)), {});
  EXPECT_FALSE(result.metric);
  EXPECT_NEAR(quantile(result.distance.values(), 0.5), 2.0, 1e-3);
  own.kind = DepthKind::kPlanarDepth;
  EXPECT_THROW(
      static_cast<void>(use_own_depth(own, panorama_source(SphereWindow::whole(64, 32)), {})),
      Error);
}

TEST_F(OwnDepthTest, ComesBackFromItsFile) {
  DepthResult result;
  result.panorama = true;
  result.window = SphereWindow::whole(64, 32);
  result.distance = room(result.window);
  result.metric = true;
  result.model = "room";
  for (const char* name : {"a.exr", "a.pfm", "a.npy", "a.png"}) {
    const auto paths = write_depth_result(folder_ / name, result, "room.jpg", {});
    ASSERT_EQ(paths.size(), 3U) << name;
    EXPECT_EQ(paths[0], folder_ / name);
    const auto again = use_lone_depth({folder_ / name, std::nullopt, std::nullopt}, {}, {});
    EXPECT_TRUE(again.panorama) << name;
    EXPECT_TRUE(test::maps_near(again.distance.values(), result.distance.values(), {1e-3, 1e-3}))
        << name;
  }
}

TEST_F(OwnDepthTest, RemembersTheSky) {
  DepthResult result;
  result.panorama = true;
  result.window = SphereWindow::whole(64, 32);
  result.distance = room(result.window);
  result.sky = cv::Mat::zeros(32, 64, CV_8UC1);
  result.sky.rowRange(0, 8).setTo(255);
  result.distance.values().setTo(31.41F, result.sky);
  result.distance.values().at<float>(7, 7) = 20.0F;
  result.distance.values().at<float>(20, 20) = 32.0F;  // ground beyond it is no sky
  for (const char* name : {"a.exr", "a.pfm", "a.npy", "a.png"}) {
    write_depth_result(folder_ / name, result, "room.jpg", {});
    const auto again = use_lone_depth({folder_ / name, std::nullopt, std::nullopt}, {}, {});
    EXPECT_EQ(cv::countNonZero(again.sky != result.sky), 1) << name;
    EXPECT_EQ(again.sky.at<std::uint8_t>(7, 7), 0) << "a skyline before the sky";
    EXPECT_TRUE(test::maps_near(again.distance.values(), result.distance.values(), {1e-3, 1e-3}))
        << name;
  }
  const auto told = use_lone_depth({folder_ / "a.npy", std::nullopt, 2.0}, {}, {});
  EXPECT_EQ(cv::countNonZero(told.sky), 0) << "the user says that the numbers mean another thing";
}

TEST_F(OwnDepthTest, RemembersWhichPartOfTheSphereItShows) {
  DepthResult result;
  result.panorama = true;
  result.window = {256, 128, 107, 43, 42, 40};
  result.distance = room(result.window);
  write_depth_result(folder_ / "part.exr", result, "room.jpg", {});
  const auto again = use_lone_depth({folder_ / "part.exr", std::nullopt, std::nullopt}, {}, {});
  EXPECT_EQ(again.window, result.window);
}

TEST_F(OwnDepthTest, BecomesAMeshWithoutAPicture) {
  const auto result = use_lone_depth(write(room(SphereWindow::whole(64, 32))), {}, {});
  MeshJobOptions options;
  options.surface.grid_width = 32;
  for (const char* name : {"a.glb", "a.obj", "a.ply", "a.fbx"}) {
    const auto paths = write_mesh_result(folder_ / name, result, {}, options, no_progress());
    EXPECT_EQ(paths[0], folder_ / name);
    EXPECT_GT(std::filesystem::file_size(folder_ / name), 1000U);
  }
}

TEST_F(OwnDepthTest, SkyCanBeLeftOut) {
  auto distance = room(SphereWindow::whole(64, 32));
  distance.values().rowRange(0, 16).setTo(1e10F);
  const auto result = use_lone_depth(write(distance), {}, {});
  MeshJobOptions options;
  options.surface.grid_width = 64;
  const auto size_of = [&](bool keep_sky) {
    options.keep_sky = keep_sky;
    write_mesh_result(folder_ / "m.ply", result, {}, options, no_progress());
    return std::filesystem::file_size(folder_ / "m.ply");
  };
  EXPECT_LT(static_cast<double>(size_of(false)), 0.7 * static_cast<double>(size_of(true)));
}

}  // namespace
}  // namespace vergence::pipeline
