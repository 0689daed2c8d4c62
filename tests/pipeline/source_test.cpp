// SPDX-License-Identifier: Apache-2.0
#include "pipeline/source.hpp"

#include "core/error.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/process.hpp"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

namespace vergence::pipeline {
namespace {

using projection::PictureKind;
using projection::SphereWindow;

Recognition recognised(const char* name, cv::Size size, const media::PictureMetadata& metadata = {},
                       std::optional<PictureKind> asked = std::nullopt) {
  return recognise(name, size, metadata, asked);
}

TEST(Recognise, TakesTwoToOneForAPanorama) {
  for (const cv::Size size : {cv::Size(4096, 2048), cv::Size(4095, 2048), cv::Size(4098, 2048)}) {
    const auto seen = recognised("a.jpg", size);
    EXPECT_EQ(seen.projection, PictureKind::kEquirectangular);
    EXPECT_EQ(seen.evidence, "2:1");
    EXPECT_EQ(seen.window, SphereWindow::whole(size.width, size.height));
  }
  EXPECT_EQ(recognised("a.jpg", {4000, 2100}).projection, PictureKind::kFlat);
}

TEST(Recognise, BelievesTheNameWhenTheShapeIsNearlyRight) {
  EXPECT_EQ(recognised("room_360.jpg", {2000, 1010}).evidence, "file name");
  EXPECT_EQ(recognised("Equirect-3.png", {2000, 990}).evidence, "file name");
  EXPECT_EQ(recognised("panorama.png", {2000, 990}).evidence, "file name");
  // A number or a word that only contains the hint is no hint, and no hint makes 4:3 a panorama.
  EXPECT_EQ(recognised("IMG_23604.jpg", {2000, 1010}).projection, PictureKind::kFlat);
  EXPECT_EQ(recognised("companion.jpg", {2000, 1010}).projection, PictureKind::kFlat);
  EXPECT_EQ(recognised("room_360.jpg", {2000, 1500}).projection, PictureKind::kFlat);
}

TEST(Recognise, BelievesMetadataFirst) {
  media::PictureMetadata metadata;
  metadata.equirectangular = true;
  metadata.crop = media::PanoramaCrop{4000, 2000, 500, 600};
  const auto seen = recognised("a.jpg", {3000, 800}, metadata);
  EXPECT_EQ(seen.evidence, "GPano");
  EXPECT_EQ(seen.window, (SphereWindow{4000, 2000, 500, 600, 3000, 800}));
}

TEST(Recognise, RefusesToGuessAtThreeToOne) {
  try {
    static_cast<void>(recognised("wide.jpg", {3000, 1000}));
    FAIL() << "guessed";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "cannot tell what 'wide.jpg' shows: 3000x1000 is 3:1, neither a photo nor a whole "
                 "360 panorama, and it has no GPano metadata; give input.projection=flat or "
                 "input.projection=equirectangular, or add the GPano tags");
  }
  const auto circle = recognised("wide.jpg", {3000, 1000}, {}, PictureKind::kEquirectangular);
  EXPECT_EQ(circle.window, (SphereWindow{3000, 1500, 0, 250, 3000, 1000}));
  EXPECT_EQ(recognised("wide.jpg", {3000, 1000}, {}, PictureKind::kFlat).projection,
            PictureKind::kFlat);
}

TEST(Recognise, RefusesPicturesThatAreTooSmall) {
  EXPECT_THROW(static_cast<void>(recognised("a.jpg", {1, 1})), Error);
  EXPECT_THROW(static_cast<void>(recognised("a.jpg", {15, 400})), Error);
  EXPECT_NO_THROW(static_cast<void>(recognised("a.jpg", {32, 16})));
}

TEST(FieldOfView, FollowsExif) {
  media::PictureMetadata metadata;
  EXPECT_FALSE(fov_from_exif(metadata, {4000, 3000}));
  metadata.focal_35mm = 26.0;
  // 3:2: the 35 mm frame itself.
  EXPECT_NEAR(fov_from_exif(metadata, {3600, 2400})->degrees(),
              2.0 * Radians(std::atan(18.0 / 26.0)).degrees(), 1e-9);
  const auto landscape = *fov_from_exif(metadata, {4000, 3000});
  const auto portrait = *fov_from_exif(metadata, {3000, 4000});
  EXPECT_NEAR(vertical_fov(portrait, {3000, 4000}).value(), landscape.value(), 1e-12);
}

cv::Mat gradient(int width, int height) {
  cv::Mat picture(height, width, CV_8UC3);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      picture.at<cv::Vec3b>(y, x) = {static_cast<uchar>(255 * x / width),
                                     static_cast<uchar>(255 * y / height), 90};
    }
  }
  return picture;
}

TEST(OpenSource, LevelsATiltedPanorama) {
  const test::TemporaryFolder folder;
  const auto path = folder / "tilted.png";
  media::write_picture(path, gradient(256, 128));
  SourceOptions options;
  options.yaw = Radians::from_degrees(90);
  const auto source = open_source(path, options);
  EXPECT_TRUE(source.panorama);
  EXPECT_TRUE(source.turn);
  EXPECT_TRUE(source.valid.empty());
  // Looking 90 degrees to the right: the centre shows what was three quarters across.
  EXPECT_NEAR(source.rgb.at<cv::Vec3b>(64, 128)[0], 255.0 * 0.75, 3);
}

// GPano: the pitch is of the picture's middle above the horizon, and as the roll grows, the horizon
// turns counter-clockwise in the picture.
TEST(OpenSource, KnowsHowTheCameraStood) {
  const test::TemporaryFolder folder;
  const auto path = folder / "tilted.jpg";
  media::write_picture(path, gradient(256, 128));
  const auto tagged = test::run_process(
      {"/usr/bin/exiftool", "-q", "-overwrite_original",
       "-XMP-GPano:ProjectionType=equirectangular", "-XMP-GPano:PoseHeadingDegrees=70",
       "-XMP-GPano:PosePitchDegrees=20", "-XMP-GPano:PoseRollDegrees=-10", path.string()});
  ASSERT_EQ(tagged.exit_code, 0) << tagged.output;
  const auto tilted = open_source(path, {});
  EXPECT_FALSE(tilted.turn) << "only told";
  EXPECT_THAT(tilted.described, testing::HasSubstr("tilted up by 20 and clockwise by -10 degrees"));
  const Eigen::Vector3d middle = tilted.pose * -Eigen::Vector3d::UnitZ();
  EXPECT_NEAR(std::asin(middle.y()), Radians::from_degrees(20).value(), 1e-12);
  EXPECT_NEAR(middle.x(), 0.0, 1e-12) << "its heading is left out";
  // A quarter to the right the horizon lies 10 degrees lower in the picture.
  const double lower = Radians::from_degrees(-10).value();
  const Eigen::Vector3d right =
      tilted.pose * Eigen::Vector3d(std::cos(lower), std::sin(lower), 0.0);
  EXPECT_NEAR(right.y(), 0.0, 1e-12);

  SourceOptions options;
  options.level = true;
  const auto level = open_source(path, options);
  ASSERT_TRUE(level.turn);
  EXPECT_TRUE(level.turn->isApprox(tilted.pose.transpose()));
  // The middle of the file's picture is 20 degrees up now; blue is 90 everywhere.
  EXPECT_NEAR(level.rgb.at<cv::Vec3b>(64 - 14, 128)[1], 128, 6);
  EXPECT_NEAR(level.rgb.at<cv::Vec3b>(64 - 14, 128)[0], 128, 6);
}

TEST(OpenSource, MarksWhatACroppedPanoramaDoesNotShow) {
  const test::TemporaryFolder folder;
  const auto path = folder / "wide.png";
  media::write_picture(path, gradient(256, 64));
  SourceOptions options;
  options.projection = PictureKind::kEquirectangular;
  const auto upright = open_source(path, options);
  EXPECT_EQ(upright.window, (SphereWindow{256, 128, 0, 32, 256, 64}));
  options.pitch = Radians::from_degrees(30);
  const auto tilted = open_source(path, options);
  EXPECT_TRUE(tilted.window.is_whole());
  ASSERT_EQ(tilted.valid.size(), cv::Size(256, 128));
  EXPECT_EQ(tilted.valid.at<uchar>(2, 128), 0);
  EXPECT_EQ(tilted.valid.at<uchar>(84, 128), 255);
}

// A picture of this model whose colours are 128 + 100 * direction.
cv::Mat directions_in(const projection::PictureModel& model) {
  cv::Mat picture(model.size(), CV_8UC3, cv::Scalar::all(0));
  for (int y = 0; y < picture.rows; ++y) {
    for (int x = 0; x < picture.cols; ++x) {
      const auto d = model.direction_at(x + 0.5, y + 0.5);
      if (!d) continue;
      for (int c = 0; c < 3; ++c) {
        picture.at<cv::Vec3b>(y, x)[c] = cv::saturate_cast<uchar>(128.0 + 100.0 * (*d)[c]);
      }
    }
  }
  return picture;
}

// The worst error where the source is seen, in levels, borders aside.
double worst_in(const Source& source) {
  const auto model = projection::PictureModel::equirectangular(source.window);
  cv::Mat valid = source.valid.empty() ? cv::Mat(source.rgb.size(), CV_8UC1, cv::Scalar(255))
                                       : source.valid.clone();
  cv::erode(valid, valid, cv::Mat::ones(9, 9, CV_8U));
  return cv::norm(source.rgb, directions_in(model), cv::NORM_INF, valid);
}

TEST(OpenSource, UnfoldsLensesAndCubes) {
  const test::TemporaryFolder folder;
  SourceOptions options;
  for (const PictureKind kind : {PictureKind::kFisheye, PictureKind::kDualFisheye,
                                 PictureKind::kCubemap, PictureKind::kEquiangularCubemap,
                                 PictureKind::kEquisolid, PictureKind::kHalfEquirectangular}) {
    const cv::Size size = kind == PictureKind::kDualFisheye ? cv::Size(600, 300)
                          : kind == PictureKind::kFisheye || kind == PictureKind::kEquisolid ||
                                  kind == PictureKind::kHalfEquirectangular
                              ? cv::Size(300, 300)
                              : cv::Size(450, 300);
    const auto path = folder / (std::string(projection::to_string(kind)) + ".png");
    options.projection = kind;
    const bool lens = kind == PictureKind::kFisheye || kind == PictureKind::kEquisolid;
    options.fisheye_fov = Radians::from_degrees(lens ? 170.0 : 190.0);
    const auto model = lens || kind == PictureKind::kDualFisheye
                           ? projection::PictureModel::of(kind, size, options.fisheye_fov)
                           : projection::PictureModel::of(kind, size);
    media::write_picture(path, directions_in(model));
    const auto source = open_source(path, options);
    EXPECT_TRUE(source.panorama);
    EXPECT_EQ(source.window.is_whole(), kind == PictureKind::kDualFisheye ||
                                            kind == PictureKind::kCubemap ||
                                            kind == PictureKind::kEquiangularCubemap)
        << projection::to_string(kind);
    EXPECT_LT(worst_in(source), 4.0) << projection::to_string(kind);
  }
}

TEST(OpenSource, TakesTheLeftEyeOfAPair) {
  const test::TemporaryFolder folder;
  const auto model = projection::PictureModel::half_equirectangular({200, 200});
  const cv::Mat left = directions_in(model);
  cv::Mat right = left.clone();
  right.rowRange(0, 20).setTo(cv::Scalar(250, 0, 0));
  cv::Mat both;
  cv::hconcat(left, right, both);
  media::write_picture(folder / "a_180_LR.png", both);
  const auto source = open_source(folder / "a_180_LR.png", {});
  EXPECT_TRUE(source.panorama);
  EXPECT_TRUE(source.resampled);
  EXPECT_EQ(source.window, (SphereWindow{400, 200, 100, 0, 200, 200}));
  EXPECT_EQ(cv::norm(source.rgb, left, cv::NORM_INF), 0.0);
  const auto eyes = open_eyes(folder / "a_180_LR.png", {});
  EXPECT_EQ(cv::norm(eyes.right.rgb, right, cv::NORM_INF), 0.0);

  // Squeezed flat eyes get their width back.
  media::write_picture(folder / "b_HSBS.png", both(cv::Rect(0, 0, 400, 200)));
  const auto flat = open_source(folder / "b_HSBS.png", {});
  EXPECT_FALSE(flat.panorama);
  EXPECT_EQ(flat.rgb.size(), cv::Size(400, 200));
}

TEST(FillNadir, ContinuesTheColoursOfTheRim) {
  cv::Mat picture(128, 256, CV_8UC3, cv::Scalar(100, 150, 200));
  picture.rowRange(100, 128).setTo(cv::Scalar(0, 0, 0));  // the tripod
  fill_nadir(picture, SphereWindow::whole(256, 128), Radians::from_degrees(45));
  EXPECT_EQ(cv::norm(picture, cv::Mat(128, 256, CV_8UC3, cv::Scalar(100, 150, 200)), cv::NORM_INF),
            0.0);
}

TEST(FillNadir, IsHarmonic) {
  // Brightness that varies once around the rim falls off in proportion to the stereographic radius.
  constexpr int kWidth = 256;
  cv::Mat picture(128, kWidth, CV_8UC3, cv::Scalar(0, 0, 0));
  const auto wave = [](int x) { return std::cos((x + 0.5) / kWidth * 2.0 * kPi); };
  for (int x = 0; x < kWidth; ++x) {
    picture.col(x).setTo(cv::Scalar::all(128.0 + 100.0 * wave(x)));
  }
  fill_nadir(picture, SphereWindow::whole(kWidth, 128), Radians::from_degrees(45));
  const auto radius = [](int row) { return std::tan((128 - row - 0.5) / 128 * kPi / 2.0); };
  for (const int row : {97, 110, 127}) {
    const double expected = 128.0 + 100.0 * wave(10) * radius(row) / radius(95);
    EXPECT_NEAR(picture.at<cv::Vec3b>(row, 10)[1], expected, 1.5) << row;
  }
}

}  // namespace
}  // namespace vergence::pipeline
