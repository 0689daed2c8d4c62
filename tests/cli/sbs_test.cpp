// SPDX-License-Identifier: Apache-2.0
// vergence sbs and eval --stereo as a user runs them.
#include "core/output_file.hpp"
#include "media/depth_file.hpp"
#include "media/picture.hpp"
#include "media/video_reader.hpp"
#include "media/video_writer.hpp"
#include "tests/cli/program.hpp"
#include "tests/support/numbered_picture.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace vergence::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr int kDisparity = 4;  // of the whole picture: 2 pixels in each eye

cv::Mat beside(const cv::Mat& a, const cv::Mat& b) {
  cv::Mat result;
  cv::hconcat(a, b, result);
  return result;
}

cv::Mat above(const cv::Mat& a, const cv::Mat& b) {
  cv::Mat result;
  cv::vconcat(a, b, result);
  return result;
}

// Pixel by pixel, b where take_b(x, y).
cv::Mat mixed(const cv::Mat& a, const cv::Mat& b, const std::function<bool(int, int)>& take_b) {
  cv::Mat result = a.clone();
  for (int y = 0; y < a.rows; ++y) {
    for (int x = 0; x < a.cols; ++x) {
      if (take_b(x, y)) result.at<cv::Vec3b>(y, x) = b.at<cv::Vec3b>(y, x);
    }
  }
  return result;
}

// Pairs of columns or rows merged into their mean.
cv::Mat halved(const cv::Mat& picture, bool across) {
  cv::Mat result(across ? picture.rows : picture.rows / 2, across ? picture.cols / 2 : picture.cols,
                 picture.type());
  for (int y = 0; y < result.rows; ++y) {
    for (int x = 0; x < result.cols; ++x) {
      const auto& a = across ? picture.at<cv::Vec3b>(y, 2 * x) : picture.at<cv::Vec3b>(2 * y, x);
      const auto& b =
          across ? picture.at<cv::Vec3b>(y, 2 * x + 1) : picture.at<cv::Vec3b>(2 * y + 1, x);
      for (int c = 0; c < 3; ++c) {
        result.at<cv::Vec3b>(y, x)[c] = static_cast<uchar>((a[c] + b[c] + 1) / 2);
      }
    }
  }
  return result;
}

double largest_difference(const cv::Mat& a, const cv::Mat& b) {
  if (a.size() != b.size() || a.type() != b.type()) return INFINITY;
  return cv::norm(a, b, cv::NORM_INF);
}

class Sbs : public ProgramTest {
 protected:
  // NAME.png, and NAME.npy with the same disparity everywhere.
  void write_pair(const std::string& name, const cv::Mat& picture) const {
    media::write_picture(folder_ / (name + ".png"), picture);
    write_disparity(name + ".npy", picture.size());
  }

  void write_disparity(const std::string& name, cv::Size size) const {
    media::write_depth(folder_ / name,
                       PixelDisparity(cv::Mat(size, CV_32FC1, cv::Scalar(kDisparity))), {});
  }

  [[nodiscard]] cv::Mat read(const std::string& name) const {
    return media::read_picture(folder_ / name).rgb;
  }

  // Runs `sbs in.png` with the disparity above; gives what was written.
  [[nodiscard]] std::string sbs(std::vector<std::string> more) const {
    std::vector<std::string> arguments = {"sbs", "in.png", "input.depth=in.npy"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto result = vergence(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    return result.output;
  }
};

struct LayoutCase {
  const char* layout;
  const char* first;
  const char* suffix;
  std::function<cv::Mat(const cv::Mat& left, const cv::Mat& right)> expected;
};

// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest looks for this name
void PrintTo(const LayoutCase& row, std::ostream* stream) {
  *stream << row.layout << " " << row.first;
}

class SbsLayout : public Sbs, public testing::WithParamInterface<LayoutCase> {};

TEST_P(SbsLayout, PutsEveryPixelInItsPlace) {
  const auto& row = GetParam();
  for (const cv::Size size : {cv::Size(38, 20), cv::Size(37, 19)}) {
    const bool halves = std::string(row.layout).starts_with("half");
    if (halves && size.width % 2 == 1) continue;
    const cv::Mat picture = numbered(size);
    write_pair("in", picture);
    const auto written =
        sbs({std::string("stereo.layout=") + row.layout, std::string("stereo.first=") + row.first});
    EXPECT_EQ(written, std::string("in") + row.suffix + ".png\n");
    const cv::Mat expected =
        row.expected(moved(picture, kDisparity / 2), moved(picture, -kDisparity / 2));
    // Means of two pixels may be rounded either way.
    EXPECT_LE(largest_difference(read(std::string("in") + row.suffix + ".png"), expected),
              halves ? 1.0 : 0.0);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, SbsLayout,
    testing::Values(LayoutCase{"full_sbs", "left", "_LRF_Full_SBS",
                               [](const auto& l, const auto& r) { return beside(l, r); }},
                    LayoutCase{"full_sbs", "right", "_RLF_cross",
                               [](const auto& l, const auto& r) { return beside(r, l); }},
                    LayoutCase{"cross_eyed", "left", "_RLF_cross",
                               [](const auto& l, const auto& r) { return beside(r, l); }},
                    LayoutCase{"half_sbs", "left", "_HSBS_LR",
                               [](const auto& l, const auto& r) {
                                 return beside(halved(l, true), halved(r, true));
                               }},
                    LayoutCase{"half_sbs", "right", "_HSBS_RL",
                               [](const auto& l, const auto& r) {
                                 return beside(halved(r, true), halved(l, true));
                               }},
                    LayoutCase{"full_tb", "left", "_TBF_fulltb",
                               [](const auto& l, const auto& r) { return above(l, r); }},
                    LayoutCase{"full_tb", "right", "_BTF_fulltb",
                               [](const auto& l, const auto& r) { return above(r, l); }},
                    LayoutCase{"half_tb", "left", "_TB",
                               [](const auto& l, const auto& r) {
                                 return above(halved(l, false), halved(r, false));
                               }},
                    LayoutCase{"row_interleaved", "left", "_row_interleaved",
                               [](const auto& l, const auto& r) {
                                 return mixed(l, r, [](int, int y) { return y % 2 == 1; });
                               }},
                    LayoutCase{"row_interleaved", "right", "_row_interleaved",
                               [](const auto& l, const auto& r) {
                                 return mixed(r, l, [](int, int y) { return y % 2 == 1; });
                               }},
                    LayoutCase{"column_interleaved", "left", "_column_interleaved",
                               [](const auto& l, const auto& r) {
                                 return mixed(l, r, [](int x, int) { return x % 2 == 1; });
                               }},
                    LayoutCase{"checkerboard", "left", "_checkerboard",
                               [](const auto& l, const auto& r) {
                                 return mixed(l, r, [](int x, int y) { return (x + y) % 2 == 1; });
                               }}));

TEST_F(Sbs, SeparateEyesAreTwoFiles) {
  const cv::Mat picture = numbered({37, 19});
  write_pair("in", picture);
  EXPECT_EQ(sbs({"stereo.layout=separate"}), "in_left.png\nin_right.png\n");
  EXPECT_EQ(largest_difference(read("in_left.png"), moved(picture, 2)), 0.0);
  EXPECT_EQ(largest_difference(read("in_right.png"), moved(picture, -2)), 0.0);
  EXPECT_EQ(sbs({"stereo.layout=separate", "-o", "x.png"}), "x_left.png\nx_right.png\n");
}

TEST_F(Sbs, AnaglyphTakesRedFromTheLeftEye) {
  const cv::Mat picture = numbered({37, 19});
  write_pair("in", picture);
  (void)sbs({"stereo.layout=anaglyph", "stereo.anaglyph=color"});
  std::vector<cv::Mat> left;
  std::vector<cv::Mat> right;
  cv::split(moved(picture, 2), left);
  cv::split(moved(picture, -2), right);
  cv::Mat expected;
  cv::merge(std::vector<cv::Mat>{left[0], right[1], right[2]}, expected);
  EXPECT_LE(largest_difference(read("in_redcyan.png"), expected), 1.0);
}

TEST_F(Sbs, RgbdShowsPictureAndDepth) {
  const cv::Mat picture = numbered({40, 20});
  media::write_picture(folder_ / "in.png", picture);
  cv::Mat nearness(20, 40, CV_32FC1);
  for (int x = 0; x < 40; ++x) nearness.col(x).setTo(static_cast<float>(x));
  media::write_depth(folder_ / "in.npy", Disparity(nearness), {});
  (void)sbs({"stereo.layout=full_rgbd", "stereo.edge_dilation=[0]"});
  const cv::Mat frame = read("in_RGBD.png");
  ASSERT_EQ(frame.size(), cv::Size(80, 20));
  EXPECT_EQ(largest_difference(frame.colRange(0, 40).clone(), picture), 0.0);
  for (int x = 0; x < 40; ++x) {
    EXPECT_NEAR(frame.at<cv::Vec3b>(5, 40 + x)[1], 255.0 * x / 39.0, 1.0);
  }
  (void)sbs({"stereo.layout=depth", "stereo.edge_dilation=[0]"});
  EXPECT_EQ(largest_difference(read("in_depthmap.png"), frame.colRange(40, 80).clone()), 0.0);
}

TEST_F(Sbs, SixteenBitsStaySixteenBits) {
  cv::Mat picture;
  numbered({37, 19}).convertTo(picture, CV_16U, 251.0, 3.0);
  write_pair("in", picture);
  (void)sbs({});
  EXPECT_EQ(largest_difference(read("in_LRF_Full_SBS.png"),
                               beside(moved(picture, 2), moved(picture, -2))),
            0.0);
}

TEST_F(Sbs, OpacityMovesWithItsPixels) {
  cv::Mat picture(20, 38, CV_8UC4);
  cv::randu(picture, cv::Scalar::all(1), cv::Scalar::all(255));
  write_pair("in", picture);
  (void)sbs({});
  const auto made = media::read_picture(folder_ / "in_LRF_Full_SBS.png");
  cv::Mat alpha;
  cv::extractChannel(picture, alpha, 3);
  EXPECT_EQ(largest_difference(made.alpha, beside(moved(alpha, 2), moved(alpha, -2))), 0.0);
}

TEST_F(Sbs, GreyPicturesWork) {
  cv::Mat grey(20, 38, CV_8UC1);
  cv::randu(grey, 0, 255);
  write_pair("in", grey);
  (void)sbs({});
  cv::Mat expected;
  cv::merge(std::vector<cv::Mat>(3, beside(moved(grey, 2), moved(grey, -2))), expected);
  EXPECT_EQ(largest_difference(read("in_LRF_Full_SBS.png"), expected), 0.0);
}

TEST_F(Sbs, FormatsAreChosenByNameOrKey) {
  const cv::Mat picture = numbered({38, 20});
  write_pair("in", picture);
  const cv::Mat expected = beside(moved(picture, 2), moved(picture, -2));
  EXPECT_EQ(sbs({"output.stereo_format=webp"}), "in_LRF_Full_SBS.webp\n");
  EXPECT_EQ(largest_difference(read("in_LRF_Full_SBS.webp"), expected), 0.0);
  EXPECT_EQ(sbs({"-o", "x.tif"}), "x.tif\n");
  EXPECT_EQ(largest_difference(read("x.tif"), expected), 0.0);
  EXPECT_EQ(sbs({"output.stereo_format=jpeg"}), "in_LRF_Full_SBS.jpg\n");
  EXPECT_EQ(read("in_LRF_Full_SBS.jpg").size(), expected.size());
}

TEST_F(Sbs, FloatingPointStaysFloatingPointInTiff) {
  cv::Mat picture;
  numbered({38, 20}).convertTo(picture, CV_32F, 1.0 / 64.0);
  media::write_picture(folder_ / "in.tif", picture);
  write_disparity("in.npy", picture.size());
  const auto result = vergence({"sbs", "in.tif", "input.depth=in.npy", "-o", "out.tif"});
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_LT(largest_difference(read("out.tif"), beside(moved(picture, 2), moved(picture, -2))),
            1e-6);
}

TEST_F(Sbs, SizeLimitsHoldForTheWholeFrame) {
  write_pair("in", numbered({64, 40}));
  (void)sbs({"output.max_width_px=100", "-o", "a.png"});
  EXPECT_LE(read("a.png").cols, 100);
  EXPECT_EQ(read("a.png").cols % 2, 0);
  (void)sbs({"output.letterbox=120x90", "-o", "b.png"});
  const cv::Mat framed = read("b.png");
  EXPECT_EQ(framed.size(), cv::Size(120, 90));
  EXPECT_EQ(cv::norm(framed.row(0), cv::NORM_INF), 0.0);
}

TEST_F(Sbs, BarsAreLeftOutAndPutBack) {
  cv::Mat picture(60, 80, CV_8UC3, cv::Scalar::all(0));
  cv::randu(picture.rowRange(10, 50), cv::Scalar::all(60), cv::Scalar::all(255));
  media::write_picture(folder_ / "in.png", picture);
  cv::Mat nearness(60, 80, CV_32FC1, cv::Scalar(0.5));
  nearness.rowRange(0, 10).setTo(100.0);  // what is in the bars must not count
  nearness.rowRange(12, 20).setTo(1.0);
  media::write_depth(folder_ / "in.npy", Disparity(nearness), {});
  (void)sbs({"output.autocrop=black_tb", "stereo.divergence=10", "-o", "out.png"});
  const cv::Mat frame = read("out.png");
  EXPECT_EQ(frame.size(), cv::Size(160, 60));
  EXPECT_EQ(cv::norm(frame.rowRange(0, 10), cv::NORM_INF), 0.0);
  EXPECT_GT(largest_difference(frame(cv::Rect(0, 12, 80, 8)).clone(),
                               frame(cv::Rect(80, 12, 80, 8)).clone()),
            0.0);
}

TEST_F(Sbs, NamesLoseWordsOfOtherFormats) {
  for (const char* name : {"trip_360_LR", "180x180-walk.SBS", "LR"}) {
    write_pair(name, numbered({38, 20}));
  }
  const auto result =
      vergence({"sbs", "trip_360_LR.png", "180x180-walk.SBS.png", "LR.png", "input.depth=LR.npy"});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(result.output, "trip_LRF_Full_SBS.png\nwalk_LRF_Full_SBS.png\nLR_LRF_Full_SBS.png\n");
}

TEST_F(Sbs, NamesThatOnlyDifferInSuchWordsStayApart) {
  write_pair("a", numbered({38, 20}));
  write_pair("a_360", numbered({38, 20}));
  const auto result = vergence({"sbs", "a.png", "a_360.png", "input.depth=a.npy"});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(result.output, "a_LRF_Full_SBS.png\na_360_LRF_Full_SBS.png\n");
}

class SbsFolder : public Sbs {
 protected:
  SbsFolder() {
    fs::create_directories(folder_ / "in" / "deep");
    for (const char* name : {"a", "b", "deep/c"}) {
      media::write_picture(folder_ / "in" / (std::string(name) + ".png"), numbered({38, 20}));
    }
    write_disparity("d.npy", {38, 20});
  }

  [[nodiscard]] ProcessResult run(std::vector<std::string> more) const {
    std::vector<std::string> arguments = {"sbs", "in", "-o", "out", "input.depth=d.npy"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return vergence(arguments);
  }
};

TEST_F(SbsFolder, OneBadFileDoesNotStopTheOthers) {
  write_file(folder_ / "in" / "a.png", std::string("\x89PNG\r\n\x1a\nbroken"));
  const auto result = run({});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.output, "out/b_LRF_Full_SBS.png\n");
  EXPECT_THAT(result.errors, HasSubstr("in/a.png"));
  EXPECT_EQ(last_line(result.errors), "error: 1 of 2 inputs failed");
}

TEST_F(SbsFolder, FoldersOfFoldersKeepTheirPlaces) {
  const auto result = run({"--recursive"});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(result.output,
            "out/a_LRF_Full_SBS.png\nout/b_LRF_Full_SBS.png\nout/deep/c_LRF_Full_SBS.png\n");
}

TEST_F(SbsFolder, WhatIsThereCanBeLeftOut) {
  ASSERT_EQ(run({}).exit_code, 0);
  fs::remove(folder_ / "out" / "b_LRF_Full_SBS.png");
  const auto result = run({"--skip-existing"});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(result.output, "out/b_LRF_Full_SBS.png\n");
  EXPECT_THAT(result.errors, HasSubstr("1 of 2 left out"));
}

TEST_F(SbsFolder, ResultsAreNoInputs) {
  const std::vector<std::string> arguments = {"sbs", "in", "input.depth=d.npy"};
  ASSERT_EQ(vergence(arguments).exit_code, 0);
  const auto again = vergence(arguments);
  EXPECT_EQ(again.output, "in/a_LRF_Full_SBS.png\nin/b_LRF_Full_SBS.png\n");
}

TEST_F(SbsFolder, ListsNameFiles) {
  write_file(folder_ / "in" / "list.txt", "# pictures\n\n  b.png \nin/a.png\nnone.png\r\n");
  const auto result = vergence({"sbs", "in/list.txt", "-o", "out", "input.depth=d.npy"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.output, "out/b_LRF_Full_SBS.png\nout/a_LRF_Full_SBS.png\n");
  EXPECT_THAT(result.errors, HasSubstr("none.png"));
}

TEST_F(SbsFolder, AnEmptyFolderIsAnError) {
  fs::create_directories(folder_ / "empty");
  const auto result = vergence({"sbs", "empty"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.errors, HasSubstr("there are no pictures or videos in the folder 'empty'"));
}

TEST_F(SbsFolder, SeveralInputsNeedAFolder) {
  const auto result = vergence({"sbs", "in", "-o", "one.png", "input.depth=d.npy"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.errors, HasSubstr("one.png"));
}

TEST_F(Sbs, WrongUsageIsSaidBeforeTheWork) {
  write_pair("in", numbered({38, 20}));
  const auto usage = [&](std::vector<std::string> more, const std::string& words) {
    std::vector<std::string> arguments = {"sbs", "in.png", "input.depth=in.npy"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto result = vergence(arguments);
    EXPECT_EQ(result.exit_code, 2) << words;
    EXPECT_THAT(result.errors, HasSubstr(words));
    EXPECT_EQ(result.output, "");
  };
  usage({"stereo.layout=frame_sequential"}, "for videos");
  usage({"stereo.mapper=cube"}, "cube");
  usage({"stereo.edge_dilation=[1,2,3]"}, "stereo.edge_dilation");
  usage({"output.letterbox=big"}, "output.letterbox");
  usage({"stereo.convergence_mode=keyframes"}, "stereo.convergence_file");
  usage({"-o", "x.gif"}, "x.gif");
  usage({"stereo.divergence=-1"}, "stereo.divergence");
  usage({"--find-param", "depth"}, "--find-param");
  EXPECT_THAT(names(), ElementsAre("in.npy", "in.npy.toml", "in.png"));
}

TEST_F(Sbs, DisparityOfAPairIsNotDepth) {
  write_pair("in", numbered({38, 20}));
  const auto result =
      vergence({"depth", "in.png", "--depth", "in.npy", "-o", "out.exr", "input.projection=flat"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.errors, HasSubstr("disparity_px"));
}

TEST_F(Sbs, PredictsDepthByItself) {
  media::write_picture(folder_ / "in.png", scene(96, 64));
  const auto result = vergence({"sbs", "in.png", "predictor.size_px=64", "stereo.divergence=10"});
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  const cv::Mat frame = read("in_LRF_Full_SBS.png");
  ASSERT_EQ(frame.size(), cv::Size(192, 64));
  EXPECT_GT(largest_difference(frame.colRange(0, 96).clone(), frame.colRange(96, 192).clone()),
            10.0);
}

TEST_F(Sbs, PanoramasAreRefusedUnlessCalledFlat) {
  media::write_picture(folder_ / "in.png", scene());
  write_disparity("in.npy", scene().size());
  const auto result =
      vergence({"sbs", "in.png", "input.depth=in.npy", "input.projection=equirectangular"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.errors, HasSubstr("360 picture"));
  (void)sbs({"input.projection=flat"});
}

TEST_F(Sbs, ExportedDepthMakesTheSameAgain) {
  media::write_picture(folder_ / "in.png", scene(96, 64));
  const auto first = vergence({"sbs", "in.png", "-o", "first.png", "predictor.size_px=64",
                               "stereo.divergence=6", "output.depth_export=kept"});
  ASSERT_EQ(first.exit_code, 0) << first.errors;
  for (const char* depth : {"kept", "kept/iw3_export.yml"}) {
    const auto again = vergence({"sbs", "in.png", "-o", "again.png", "stereo.divergence=6",
                                 std::string("input.depth=") + depth});
    ASSERT_EQ(again.exit_code, 0) << again.errors;
    EXPECT_LE(largest_difference(read("again.png"), read("first.png")), 2.0) << depth;
  }
  const auto batch = vergence({"sbs", "kept/iw3_export.yml", "-o", "out", "stereo.divergence=6"});
  ASSERT_EQ(batch.exit_code, 0) << batch.errors;
  EXPECT_EQ(batch.output, "out/in_LRF_Full_SBS.png\n");
  EXPECT_LE(largest_difference(read("out/in_LRF_Full_SBS.png"), read("first.png")), 2.0);
}

TEST_F(Sbs, PreviewShowsEverythingOnOneSheet) {
  write_pair("in", numbered({64, 40}));
  EXPECT_EQ(sbs({"--preview"}), "in_preview.png\nin_preview.webp\n");
  const cv::Mat sheet = read("in_preview.png");
  EXPECT_GT(sheet.cols, 1900);
  EXPECT_GT(sheet.rows, 800);
  EXPECT_THAT(names(),
              ElementsAre("in.npy", "in.npy.toml", "in.png", "in_preview.png", "in_preview.webp"));
  const auto animation = read_file(folder_ / "in_preview.webp");
  EXPECT_EQ(animation.substr(0, 4), "RIFF");
  std::size_t frames = 0;
  for (auto at = animation.find("ANMF"); at != std::string::npos;
       at = animation.find("ANMF", at + 1)) {
    ++frames;
  }
  EXPECT_EQ(frames, 2U);
}

TEST_F(Sbs, FindParamSweepsAStill) {
  media::write_picture(folder_ / "in.png", numbered({64, 40}));
  cv::Mat nearness(40, 64, CV_32FC1);
  cv::randu(nearness, 0.0, 1.0);
  media::write_depth(folder_ / "in.npy", Disparity(nearness), {});
  EXPECT_EQ(sbs({"--find-param", "divergence,convergence"}), "in_find_param.png\n");
  const cv::Mat grid = read("in_find_param.png");
  EXPECT_EQ(sbs({"--find-param", "divergence", "-o", "row.png"}), "row.png\n");
  EXPECT_EQ(read("row.png").cols, grid.cols);
  EXPECT_LT(read("row.png").rows * 4, grid.rows);
}

TEST_F(Sbs, ReproducesAStereoPair) {
  VERGENCE_REQUIRE_SHARED();
  const auto cones = shared_dir() / "stereo" / "cones";
  const auto made =
      vergence({"sbs", (cones / "im2.png").string(), "-o", "view.png",
                "input.depth=" + (cones / "disp2.pgm").string(), "input.depth_kind=disparity_px",
                "input.depth_scale=0.25", "stereo.synthetic_view=right"});
  ASSERT_EQ(made.exit_code, 0) << made.errors;
  const auto judged = vergence(
      {"eval", "--stereo", (cones / "im2.png").string(), "view.png", (cones / "im6.png").string(),
       "--disparity", (cones / "disp2.pgm").string(), "eval.disparity_scale=0.25", "--json", "-"});
  ASSERT_EQ(judged.exit_code, 0) << judged.errors;
  const auto json = nlohmann::json::parse(judged.output);
  EXPECT_GE(json["psnr_inner"].get<double>(), 26.2);
  EXPECT_GE(json["psnr_disoccluded"].get<double>(), 16.5);
}

// ---- videos

class SbsVideo : public Sbs {
 protected:
  // Frames of the numbered pattern, each darker than the one before.
  void write_clip(const std::string& name, int num_frames) const {
    media::VideoFormat format;
    format.size = {64, 48};
    format.time_base = {1, 25};
    format.frame_rate = {25, 1};
    media::EncodeOptions options;
    options.codec = "ffv1";
    options.pixel_format = "bgr0";
    media::SegmentWriter writer(folder_ / name, format, options);
    for (int i = 0; i < num_frames; ++i) {
      media::VideoFrame frame;
      frame.picture = numbered({64, 48}) - cv::Scalar::all(10 * i);
      frame.pts = i;
      frame.index = i;
      writer.write(frame);
    }
    writer.finish();
  }

  // A folder with a map for each frame.
  void write_maps(const std::string& name, int num_frames) const {
    fs::create_directories(folder_ / name);
    for (int i = 0; i < num_frames; ++i) {
      write_disparity(name + "/0000000" + std::to_string(i) + ".npy", {64, 48});
    }
  }

  [[nodiscard]] std::vector<cv::Mat> frames_of(const std::string& name) const {
    media::VideoReader reader(folder_ / name);
    std::vector<cv::Mat> frames;
    media::VideoFrame frame;
    while (reader.read(frame)) frames.push_back(frame.picture.clone());
    return frames;
  }

  static std::vector<std::string> lossless(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"video.codec=ffv1", "video.pixel_format=bgr0",
                                       "input.depth=maps", "input.depth_kind=disparity_px"});
    return arguments;
  }
};

TEST_F(SbsVideo, EveryPixelOfEveryFrameIsInItsPlace) {
  write_clip("in.mkv", 4);
  write_maps("maps", 4);
  const auto result = vergence(lossless({"sbs", "in.mkv", "-o", "out.mkv"}));
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(result.output, "out.mkv\n");
  const auto frames = frames_of("out.mkv");
  ASSERT_EQ(frames.size(), 4U);
  for (int i = 0; i < 4; ++i) {
    const cv::Mat picture = numbered({64, 48}) - cv::Scalar::all(10 * i);
    EXPECT_LE(largest_difference(frames[static_cast<std::size_t>(i)],
                                 beside(moved(picture, 2), moved(picture, -2))),
              1.0)
        << i;
  }
}

TEST_F(SbsVideo, FrameSequentialShowsTheEyesInTurn) {
  write_clip("in.mkv", 3);
  write_maps("maps", 3);
  const auto result =
      vergence(lossless({"sbs", "in.mkv", "-o", "out.mkv", "stereo.layout=frame_sequential"}));
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  const auto frames = frames_of("out.mkv");
  ASSERT_EQ(frames.size(), 6U);
  const cv::Mat second = numbered({64, 48}) - cv::Scalar::all(10);
  EXPECT_LE(largest_difference(frames[2], moved(second, 2)), 1.0);
  EXPECT_LE(largest_difference(frames[3], moved(second, -2)), 1.0);
}

TEST_F(SbsVideo, ShowsDepthInsteadOfEyes) {
  write_clip("in.mkv", 3);
  for (const auto& [layout, width] : {std::pair{"full_rgbd", 128}, std::pair{"depth", 64}}) {
    const auto result =
        vergence({"sbs", "in.mkv", "-o", "out.mkv", "video.codec=ffv1", "predictor.size_px=64",
                  "video.depth_cache=false", std::string("stereo.layout=") + layout});
    ASSERT_EQ(result.exit_code, 0) << result.errors;
    const auto frames = frames_of("out.mkv");
    ASSERT_EQ(frames.size(), 3U) << layout;
    EXPECT_EQ(frames[0].size(), cv::Size(width, 48)) << layout;
    std::vector<cv::Mat> channels;
    cv::split(frames[0](cv::Rect(width - 64, 0, 64, 48)), channels);
    EXPECT_LE(largest_difference(channels[0], channels[2]), 2.0) << layout;
  }
}

TEST_F(SbsVideo, SaysThatAVideoIs3DAlready) {
  write_clip("in.mkv", 3);
  write_maps("maps", 3);
  ASSERT_EQ(vergence(lossless({"sbs", "in.mkv", "-o", "3d.mkv"})).exit_code, 0);
  const auto result = vergence(lossless({"sbs", "3d.mkv", "-o", "again.mkv"}));
  EXPECT_THAT(result.errors, ::testing::HasSubstr("'3d.mkv' says that it is 3D already"));
}

TEST_F(SbsVideo, FoldersMixPhotosAndVideos) {
  fs::create_directories(folder_ / "in");
  write_clip("in/b.mkv", 3);
  media::write_picture(folder_ / "in" / "a.png", scene(96, 64));
  const auto result =
      vergence({"sbs", "in", "-o", "out", "predictor.size_px=64", "video.depth_cache=false"});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  // A clip of Matroska stays one.
  EXPECT_EQ(result.output, "out/a_LRF_Full_SBS.png\nout/b_LRF_Full_SBS.mkv\n");
  EXPECT_EQ(frames_of("out/b_LRF_Full_SBS.mkv").size(), 3U);
}

TEST_F(SbsVideo, ExportedDepthMakesTheSameAgain) {
  write_clip("in.mkv", 3);
  const std::vector<std::string> common = {"sbs",
                                           "in.mkv",
                                           "video.codec=ffv1",
                                           "video.pixel_format=bgr0",
                                           "video.depth_cache=false",
                                           "stereo.divergence=6"};
  const auto with = [&](std::vector<std::string> more) {
    auto arguments = common;
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto result = vergence(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.errors;
  };
  with({"-o", "first.mkv", "predictor.size_px=64", "output.depth_export=kept"});
  with({"-o", "again.mkv", "input.depth=kept"});
  const auto first = frames_of("first.mkv");
  const auto again = frames_of("again.mkv");
  ASSERT_EQ(first.size(), again.size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_LE(largest_difference(first[i], again[i]), 3.0);
  }
}

TEST_F(SbsVideo, DepthOfOnePictureIsNotDepthOfAVideo) {
  write_clip("in.mkv", 2);
  write_disparity("d.npy", {64, 48});
  const auto result = vergence({"sbs", "in.mkv", "input.depth=d.npy"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.errors, HasSubstr("'d.npy' is depth of one picture"));
  EXPECT_THAT(names(), ElementsAre("d.npy", "d.npy.toml", "in.mkv"));
}

// ---- eval --stereo

TEST_F(Sbs, EvalComparesViews) {
  cv::Mat reference(64, 96, CV_8UC3);
  cv::randu(reference, cv::Scalar::all(20), cv::Scalar::all(200));
  cv::Mat view = reference + cv::Scalar::all(5);
  media::write_picture(folder_ / "left.png", reference);
  media::write_picture(folder_ / "ref.png", reference);
  media::write_picture(folder_ / "view.png", view);
  const auto result =
      vergence({"eval", "--stereo", "left.png", "view.png", "ref.png", "--json", "all.json"});
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  // 20 log10(255 / 5)
  EXPECT_THAT(result.output, HasSubstr("34.15"));
  const auto json = nlohmann::json::parse(read_file(folder_ / "all.json"));
  EXPECT_NEAR(json["psnr"].get<double>(), 34.1514, 1e-3);
  EXPECT_TRUE(json["psnr_inner"].is_null());

  // A side by side frame stands for its half.
  media::write_picture(folder_ / "frame.png", beside(reference, view));
  const auto of_frame =
      vergence({"eval", "--stereo", "left.png", "frame.png", "ref.png", "--json", "-"});
  ASSERT_EQ(of_frame.exit_code, 0) << of_frame.errors;
  EXPECT_NEAR(nlohmann::json::parse(of_frame.output)["psnr"].get<double>(), 34.1514, 1e-3);
}

TEST_F(Sbs, EvalLeavesOutWhatTheLeftCameraDidNotSee) {
  cv::Mat reference(64, 96, CV_8UC3);
  cv::randu(reference, cv::Scalar::all(20), cv::Scalar::all(200));
  cv::Mat view = reference + cv::Scalar::all(5);
  view.colRange(90, 96).setTo(cv::Scalar::all(0));  // within 4 + 2 columns of the border
  media::write_picture(folder_ / "left.png", reference);
  media::write_picture(folder_ / "ref.png", reference);
  media::write_picture(folder_ / "view.png", view);
  write_disparity("d.npy", reference.size());
  const auto result = vergence({"eval", "--stereo", "left.png", "view.png", "ref.png",
                                "--disparity", "d.npy", "--json", "-"});
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  const auto json = nlohmann::json::parse(result.output);
  EXPECT_NEAR(json["psnr_inner"].get<double>(), 34.1514, 1e-3);
  EXPECT_NEAR(json["psnr_visible"].get<double>(), 34.1514, 1e-3);
  EXPECT_LT(json["psnr"].get<double>(), 25.0);
}

TEST_F(Sbs, EvalSaysWhatIsWrong) {
  write_scene("a.png");
  media::write_picture(folder_ / "b.png", numbered({38, 20}));
  const auto two = vergence({"eval", "--stereo", "a.png", "a.png"});
  EXPECT_EQ(two.exit_code, 2);
  EXPECT_THAT(two.errors, HasSubstr("LEFT RIGHT REF"));
  const auto sizes = vergence({"eval", "--stereo", "a.png", "b.png", "a.png"});
  EXPECT_EQ(sizes.exit_code, 1);
  EXPECT_THAT(sizes.errors, HasSubstr("'b.png' is 38x20"));
  EXPECT_EQ(vergence({"eval", "a.png"}).exit_code, 2);
}

}  // namespace
}  // namespace vergence::test
