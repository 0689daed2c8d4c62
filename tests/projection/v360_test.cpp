// SPDX-License-Identifier: Apache-2.0
// FFmpeg's filter v360 as the judge of our picture models.
#include "projection/picture_model.hpp"
#include "tests/support/process.hpp"

#include <cmath>
#include <filesystem>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <opencv2/imgcodecs.hpp>

namespace vergence::projection {
namespace {

constexpr int kWidth = 768;
constexpr int kHeight = 510;

struct Case {
  PictureKind kind;
  const char* v360;  // name and options of the output
  double fov_x_deg;  // 0 = the usual
  double fov_y_deg;
};

std::string name_of(const testing::TestParamInfo<Case>& info) {
  return std::string(to_string(info.param.kind));
}

// A panorama whose colours are 1/2 + 0.4 direction, red = x: v360 overflows near full scale.
void write_directions(const std::filesystem::path& path) {
  const auto sphere = PictureModel::of(PictureKind::kEquirectangular, {1024, 512});
  cv::Mat picture(512, 1024, CV_16UC3);
  for (int y = 0; y < picture.rows; ++y) {
    for (int x = 0; x < picture.cols; ++x) {
      const Eigen::Vector3d d = *sphere.direction_at(x + 0.5, y + 0.5);
      for (int c = 0; c < 3; ++c) {
        picture.at<cv::Vec<std::uint16_t, 3>>(y, x)[2 - c] =
            cv::saturate_cast<std::uint16_t>((0.5 + 0.4 * d[c]) * 65535.0);
      }
    }
  }
  ASSERT_TRUE(cv::imwrite(path.string(), picture));
}

class V360 : public testing::TestWithParam<Case> {};

TEST_P(V360, PutsDirectionsWhereWeDo) {
  const auto folder = std::filesystem::temp_directory_path() /
                      fmt::format("vergence_v360_{}", to_string(GetParam().kind));
  std::filesystem::create_directories(folder);
  const auto source = folder / "e.png";
  const auto made = folder / "out.png";
  write_directions(source);
  const auto run = test::run_process(
      {"/usr/bin/ffmpeg", "-y", "-loglevel", "error", "-i", source.string(), "-vf",
       fmt::format("format=gbrp16le,v360=e:{}:w={}:h={}", GetParam().v360, kWidth, kHeight),
       "-pix_fmt", "rgb48be", made.string()});
  ASSERT_EQ(run.exit_code, 0) << run.errors;
  const cv::Mat picture = cv::imread(made.string(), cv::IMREAD_UNCHANGED);
  ASSERT_EQ(picture.size(), cv::Size(kWidth, kHeight));
  ASSERT_EQ(picture.type(), CV_16UC3);
  std::filesystem::remove_all(folder);

  const auto model = GetParam().fov_x_deg > 0.0
                         ? PictureModel::of(GetParam().kind, picture.size(),
                                            Radians::from_degrees(GetParam().fov_x_deg),
                                            Radians::from_degrees(GetParam().fov_y_deg))
                         : PictureModel::of(GetParam().kind, picture.size());
  double sum = 0.0;
  double worst = 0.0;
  int count = 0;
  for (int y = 2; y < kHeight - 2; ++y) {
    for (int x = 2; x < kWidth - 2; ++x) {
      const auto direction = model.direction_at(x + 0.5, y + 0.5);
      const auto& colour = picture.at<cv::Vec<std::uint16_t, 3>>(y, x);
      const Eigen::Vector3d judged =
          (Eigen::Vector3d(colour[2], colour[1], colour[0]).array() / 65535.0 - 0.5) / 0.4;
      if (!direction || std::abs(judged.norm() - 1.0) > 0.05) continue;
      const double angle = std::acos(std::clamp(direction->dot(judged.normalized()), -1.0, 1.0));
      sum += angle;
      worst = std::max(worst, angle);
      ++count;
    }
  }
  // v360 is half a pixel off in some models and in the panoramas that it reads (0.003 radians).
  EXPECT_GT(count, kWidth * kHeight / 3);
  EXPECT_LT(sum / count, 0.0035);
  EXPECT_LT(worst, 0.015);
}

INSTANTIATE_TEST_SUITE_P(
    Models, V360,
    testing::Values(Case{PictureKind::kEquirectangular, "e", 0, 0},
                    Case{PictureKind::kHalfEquirectangular, "hequirect", 0, 0},
                    Case{PictureKind::kFlat, "flat:h_fov=120:v_fov=80", 120, 80},
                    Case{PictureKind::kFisheye, "fisheye:h_fov=190:v_fov=190", 190, 190},
                    Case{PictureKind::kDualFisheye, "dfisheye:h_fov=180:v_fov=180", 180, 180},
                    Case{PictureKind::kStereographic, "sg:h_fov=200:v_fov=160", 200, 160},
                    Case{PictureKind::kEquisolid, "equisolid:h_fov=200:v_fov=160", 200, 160},
                    Case{PictureKind::kOrthographic, "og:h_fov=170:v_fov=150", 170, 150},
                    Case{PictureKind::kCubemap, "c3x2", 0, 0},
                    Case{PictureKind::kCubemapRow, "c6x1", 0, 0},
                    Case{PictureKind::kCubemapColumn, "c1x6", 0, 0},
                    Case{PictureKind::kEquiangularCubemap, "eac", 0, 0},
                    Case{PictureKind::kCylindrical, "cylindrical:h_fov=300:v_fov=100", 300, 100},
                    Case{PictureKind::kCylindricalEqualArea, "cylindricalea:h_fov=300:v_fov=180",
                         300, 180},
                    Case{PictureKind::kMercator, "mercator", 360, 170.1},
                    Case{PictureKind::kSinusoidal, "sinusoidal", 0, 0},
                    Case{PictureKind::kHammer, "hammer", 0, 0}),
    name_of);

}  // namespace
}  // namespace vergence::projection
