// SPDX-License-Identifier: Apache-2.0
// Several networks on one panorama or photo; each test's networks have known faults.
#include "alignment/panorama_depth.hpp"
#include "alignment/photo_depth.hpp"
#include "core/error.hpp"
#include "tests/alignment/box_room.hpp"

#include <cmath>

#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

namespace vergence::alignment {
namespace {

using projection::covering_views;
using projection::SphereWindow;
using projection::TangentView;
using test::BoxRoom;
using test::relative_error;
using test::simulate_disparity;
using test::Simulation;

const SphereWindow kWindow = SphereWindow::whole(512, 256);

std::vector<TangentView> views(int size = 128) {
  return covering_views(20, Radians::from_degrees(105.0), size);
}

std::vector<ViewDepth> network(const std::string& name, const Simulation& simulation,
                               int size = 128) {
  auto depths = simulate_disparity(BoxRoom(), views(size), simulation);
  for (auto& depth : depths) depth.network = name;
  return depths;
}

// Exact maps of one kind, each times `factor`.
std::vector<ViewDepth> exact_network(const std::string& name, DepthKind kind, double factor,
                                     bool in_metres) {
  std::vector<ViewDepth> depths;
  for (const auto& view : views()) {
    const cv::Mat map = values_of(test::exact_map(BoxRoom(), view, kind)) * factor;
    depths.push_back({view, make_depth(kind, map), {}, name, in_metres});
  }
  return depths;
}

// A network that has learned from level photos that up is far: right but for what looks upwards.
std::vector<ViewDepth> believes_up_is_far(const std::string& name, unsigned seed) {
  auto depths = network(name, {.smooth_error = 0.05, .noise = 0.005, .seed = seed});
  for (auto& depth : depths) {
    if (-depth.view.world_from_view.col(2).y() < 0.3) continue;
    cv::Mat map(depth.view.height, depth.view.width, CV_32FC1);
    for (int y = 0; y < map.rows; ++y) map.row(y) = 0.2 + 0.8 * y / map.rows;
    depth.depth = Disparity(map);
  }
  return depths;
}

std::vector<ViewDepth> both(std::vector<ViewDepth> a, const std::vector<ViewDepth>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

PanoramaDepth fuse(const std::vector<ViewDepth>& depths) {
  return fuse_views(depths, kWindow, cv::Mat(), {}, no_progress());
}

double error_of(const PanoramaDepth& depth, bool free_scale = true) {
  return relative_error(depth.distance.values(), BoxRoom().panorama(kWindow), free_scale);
}

TEST(Ensemble, TwoEquallyGoodNetworksAreBetterThanOneOnAverage) {
  double together = 0.0;
  double alone = 0.0;
  for (const unsigned seed : {1U, 2U, 3U}) {
    const auto a = network("a", {.smooth_error = 0.1, .noise = 0.01, .seed = seed});
    const auto b = network("b", {.smooth_error = 0.1, .noise = 0.01, .seed = seed + 10}, 96);
    const auto result = fuse(both(a, b));
    together += error_of(result);
    alone += 0.5 * (error_of(fuse(a)) + error_of(fuse(b)));
    ASSERT_EQ(result.report.networks.size(), 2U);
    for (const auto& report : result.report.networks) EXPECT_GT(report.share, 0.25);
    EXPECT_NEAR(result.report.networks[0].share + result.report.networks[1].share, 1.0, 1e-6);
    EXPECT_LT(result.report.held_out_ratio, 1.0);
  }
  EXPECT_LT(together, 0.95 * alone);
}

TEST(Ensemble, ANetworkThatIsWrongAboveTheHorizonDoesNoHarmThere) {
  for (const unsigned seed : {1U, 2U, 3U}) {
    const auto good = network("good", {.smooth_error = 0.08, .noise = 0.01, .seed = seed});
    const auto partial = believes_up_is_far("partial", seed + 20);
    const double alone = error_of(fuse(good));
    for (const bool first : {false, true}) {
      const auto result = fuse(first ? both(good, partial) : both(partial, good));
      EXPECT_LE(error_of(result), alone) << seed;
      const auto& report = result.report.networks[first ? 1 : 0];
      EXPECT_EQ(report.name, "partial");
      EXPECT_FALSE(report.leads);
      EXPECT_GT(report.share, 0.05);
      EXPECT_GE(report.refused_views, 3);
    }
  }
}

TEST(Ensemble, ANetworkThatSaysNothingHardlyCounts) {
  const auto good = network("good", {.smooth_error = 0.05, .noise = 0.005, .seed = 5});
  auto noise = good;
  cv::RNG random(7);
  for (auto& depth : noise) {
    cv::Mat map(128, 128, CV_32FC1);
    random.fill(map, cv::RNG::NORMAL, 0.0, 1.0);
    cv::GaussianBlur(map, map, cv::Size(), 12.0);
    depth.depth = Disparity(map);
    depth.network = "noise";
  }
  const auto alone = fuse(good);
  const auto result = fuse(both(noise, good));
  ASSERT_EQ(result.report.networks.size(), 2U);
  EXPECT_EQ(result.report.networks[0].name, "noise");
  EXPECT_TRUE(result.report.networks[1].leads);
  EXPECT_LE(error_of(result), 1.05 * error_of(alone));
  EXPECT_LT(result.report.networks[0].share, 0.05);
  EXPECT_GT(result.report.networks[0].inconsistency, result.report.networks[1].inconsistency);
}

TEST(Ensemble, WithoutHelpTheResultIsExactlyThatOfTheLeadingNetwork) {
  const auto good = network("good", {});
  auto inverted = network("inverted", {});
  for (auto& depth : inverted) {
    depth.depth = Disparity(cv::Mat(-1.0 * values_of(depth.depth)));
  }
  // Inverted maps are as consistent as good ones, so the good ones must lead by their order.
  const auto alone = fuse(good);
  const auto result = fuse(both(good, inverted));
  ASSERT_TRUE(result.report.networks[0].leads);
  EXPECT_EQ(result.report.networks[1].refused_views, 20);
  EXPECT_EQ(result.report.networks[1].strength, 0.0);
  EXPECT_EQ(result.report.networks[1].share, 0.0);
  EXPECT_EQ(result.report.held_out_ratio, 1.0);
  EXPECT_EQ(cv::norm(result.distance.values(), alone.distance.values(), cv::NORM_INF), 0.0);
}

TEST(Ensemble, MembersMayDifferInKind) {
  const auto disparity = network("disparity", {.smooth_error = 0.05, .noise = 0.005, .seed = 3});
  for (const auto kind : {DepthKind::kLogDisparity, DepthKind::kPlanarDepthAffine,
                          DepthKind::kDistance, DepthKind::kInverseDistance}) {
    const auto other = exact_network("other", kind, 1.0, false);
    const auto result = fuse(both(disparity, other));
    EXPECT_TRUE(result.relative) << to_string(kind);
    EXPECT_LT(error_of(result), error_of(fuse(disparity))) << to_string(kind);
    EXPECT_GT(result.report.networks[1].share, 0.2) << to_string(kind);
  }
}

TEST(Ensemble, OneMemberInMetresFixesTheScaleForAll) {
  const auto relative = network("relative", {});
  for (const auto kind :
       {DepthKind::kDistance, DepthKind::kPlanarDepth, DepthKind::kInverseDistance}) {
    for (const bool first : {false, true}) {
      const auto metric = exact_network("metric", kind, 1.0, true);
      const auto result = fuse(first ? both(metric, relative) : both(relative, metric));
      EXPECT_FALSE(result.relative) << to_string(kind);
      EXPECT_LT(error_of(result, false), 0.02) << to_string(kind) << first;
    }
  }
}

TEST(Ensemble, DistancesUpToOneScaleStayRelative) {
  const auto alone = fuse(exact_network("scaled", DepthKind::kDistance, 7.0, false));
  EXPECT_TRUE(alone.relative);
  EXPECT_LT(error_of(alone), 0.02);
}

TEST(Ensemble, EveryViewIsReportedInTheOrderGiven) {
  const auto a = network("a", {.smooth_error = 0.05, .seed = 1});
  const auto b = network("b", {.smooth_error = 0.05, .seed = 2});
  std::vector<ViewDepth> mixed;
  for (std::size_t i = 0; i < a.size(); ++i) {
    mixed.push_back(a[i]);
    mixed.push_back(b[i]);
  }
  const auto result = fuse(mixed);
  ASSERT_EQ(result.report.views.size(), mixed.size());
  double sum = 0.0;
  for (std::size_t i = 0; i < mixed.size(); ++i) {
    EXPECT_EQ(result.report.views[i].name, mixed[i].view.name);
    EXPECT_EQ(result.report.views[i].network, mixed[i].network);
    EXPECT_GT(result.report.views[i].scale, 0.0);
    sum += result.report.views[i].share;
  }
  EXPECT_NEAR(sum, 1.0, 1e-6);
}

TEST(Ensemble, ThreeMembersWorkTogetherOnACrop) {
  const SphereWindow crop{
      .full_width = 512, .full_height = 256, .left = 156, .top = 58, .width = 200, .height = 140};
  auto all = network("a", {.smooth_error = 0.08, .seed = 1});
  all = both(all, network("b", {.smooth_error = 0.08, .seed = 2}));
  all = both(all, network("c", {.smooth_error = 0.08, .seed = 3}, 64));
  const auto result = fuse_views(all, crop, cv::Mat(), {}, no_progress());
  EXPECT_EQ(result.report.networks.size(), 3U);
  EXPECT_LT(relative_error(result.distance.values(), BoxRoom().panorama(crop)), 0.04);
}

TEST(Ensemble, OneNetworkMustKeepToOneKind) {
  const auto list = views();
  const std::vector<ViewDepth> mixed{
      {list[0], test::exact_map(BoxRoom(), list[0], DepthKind::kDisparity), {}, "a"},
      {list[1], test::exact_map(BoxRoom(), list[1], DepthKind::kDistance), {}, "a"}};
  EXPECT_THROW(static_cast<void>(fuse(mixed)), Error);
}

// A flat photo of the room: looking along its length.
struct Photo {
  TangentView view{"photo", 160, 120, Radians::from_degrees(70.0), Radians::from_degrees(55.0)};
  cv::Mat picture = cv::Mat(120, 160, CV_8UC3, cv::Scalar(90, 120, 150));

  // Planar depth from the truth as `kind`, with a smooth bump of `error` in the middle of one half.
  // NOLINTNEXTLINE(readability-function-size): the cases below read like rows of a table.
  [[nodiscard]] ViewDepth map(const std::string& name, DepthKind kind, double scale, double shift,
                              double error, bool left, bool in_metres = false) const {
    cv::Mat values = values_of(test::exact_map(BoxRoom(), view, kind)).clone();
    for (int y = 0; y < values.rows; ++y) {
      for (int x = 0; x < values.cols; ++x) {
        const double dx = (x - (left ? 40 : 120)) / 15.0;
        const double dy = (y - 60) / 15.0;
        auto& value = values.at<float>(y, x);
        value *= static_cast<float>(1.0 + error * std::exp(-dx * dx - dy * dy));
      }
    }
    return {view, make_depth(kind, cv::Mat(values * scale + shift)), {}, name, in_metres};
  }

  [[nodiscard]] cv::Mat truth() const {
    return values_of(test::exact_map(BoxRoom(), view, DepthKind::kDisparity));
  }
};

// Mean absolute difference after a least-squares scale and shift, over the mean of the truth.
double affine_error(const cv::Mat& map, const cv::Mat& truth) {
  const double mean_map = cv::mean(map)[0];
  const double mean_truth = cv::mean(truth)[0];
  const cv::Mat centred = map - mean_map;
  const double scale = centred.dot(truth - mean_truth) / centred.dot(centred);
  return cv::mean(cv::abs(centred * scale + mean_truth - truth))[0] / mean_truth;
}

TEST(PhotoEnsemble, AffineMapsAreBroughtTogetherAndAveraged) {
  const Photo photo;
  const auto a = photo.map("a", DepthKind::kDisparity, 1.0, 0.0, 0.3, true);
  const auto b = photo.map("b", DepthKind::kDisparity, 20.0, -3.0, 0.3, false);
  const std::vector<ViewDepth> maps{a, b};
  const auto result = fuse_photo(maps, photo.picture);
  ASSERT_EQ(kind_of(result.depth), DepthKind::kDisparity);
  EXPECT_LT(affine_error(values_of(result.depth), photo.truth()),
            0.95 * std::min(affine_error(values_of(a.depth), photo.truth()),
                            affine_error(values_of(b.depth), photo.truth())));
  EXPECT_NEAR(result.networks[0].share, 0.5, 0.2);
  EXPECT_NEAR(result.networks[0].share + result.networks[1].share, 1.0, 1e-6);
  EXPECT_TRUE(result.networks[0].leads);
}

TEST(PhotoEnsemble, TheMemberInMetresFixesTheScale) {
  const Photo photo;
  const std::vector<ViewDepth> maps{
      photo.map("relative", DepthKind::kDisparity, 5.0, 1.0, 0.0, true),
      photo.map("metric", DepthKind::kPlanarDepth, 1.0, 0.0, 0.0, true, true)};
  const auto result = fuse_photo(maps, photo.picture);
  EXPECT_TRUE(result.in_metres);
  ASSERT_EQ(kind_of(result.depth), DepthKind::kPlanarDepth);
  EXPECT_TRUE(result.networks[1].leads);
  const cv::Mat truth = values_of(test::exact_map(BoxRoom(), photo.view, DepthKind::kPlanarDepth));
  EXPECT_LT(cv::norm(values_of(result.depth), truth, cv::NORM_INF), 0.05);
}

TEST(PhotoEnsemble, AnInvertedMapIsRefused) {
  const Photo photo;
  const std::vector<ViewDepth> maps{
      photo.map("a", DepthKind::kDisparity, 1.0, 0.0, 0.1, true),
      photo.map("upside_down", DepthKind::kDisparity, -1.0, 2.0, 0.0, true),
      photo.map("b", DepthKind::kLogDisparity, 1.0, 0.0, 0.0, true)};
  const auto result = fuse_photo(maps, photo.picture);
  EXPECT_EQ(result.networks[1].refused_views, 1);
  EXPECT_EQ(result.networks[1].share, 0.0);
  EXPECT_LT(affine_error(values_of(result.depth), photo.truth()), 0.02);
}

TEST(PhotoEnsemble, MistakesAreErrors) {
  const Photo photo;
  const auto map = photo.map("a", DepthKind::kDisparity, 1.0, 0.0, 0.0, true);
  const std::vector<ViewDepth> twice{map, map};
  EXPECT_THROW(static_cast<void>(fuse_photo(twice, photo.picture)), Error);
  auto nothing = map;
  nothing.depth = Disparity(cv::Mat(120, 160, CV_32FC1, cv::Scalar(NAN)));
  const std::vector<ViewDepth> empty{nothing};
  EXPECT_THROW(static_cast<void>(fuse_photo(empty, photo.picture)), Error);
}

}  // namespace
}  // namespace vergence::alignment
