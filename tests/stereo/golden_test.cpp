// SPDX-License-Identifier: Apache-2.0
// Against samples of iw3's own non-learned warps (shared/golden/iw3_warp).
#include "core/error.hpp"
#include "media/picture.hpp"
#include "stereo/anaglyph.hpp"
#include "stereo/classic_warp.hpp"
#include "stereo/nearness.hpp"
#include "stereo/parallax.hpp"
#include "tests/stereo/npz.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/paths.hpp"

#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

namespace vergence::stereo {
namespace {

using test::maps_near;
using test::read_npy;
using test::read_npz;

std::filesystem::path golden(const std::string& name) {
  return test::shared_dir() / "golden" / "iw3_warp" / name;
}

cv::Mat input_picture() {
  cv::Mat picture;
  media::read_picture(golden("in_rgb.png")).rgb.convertTo(picture, CV_32F, 1.0 / 255.0);
  return picture;
}

// The largest difference of two pictures.
double difference(const cv::Mat& actual, const cv::Mat& expected) {
  EXPECT_EQ(actual.size(), expected.size());
  EXPECT_EQ(actual.type(), expected.type());
  return cv::norm(actual, expected, cv::NORM_INF);
}

struct Case {
  float divergence;
  float convergence;
  SyntheticView view;
  const char* name;
};

const Case kCases[] = {
    {2.0F, 0.5F, SyntheticView::kBoth, "d2_c0.5_both"},
    {4.0F, 0.0F, SyntheticView::kBoth, "d4_c0_both"},
    {4.0F, 1.0F, SyntheticView::kBoth, "d4_c1_both"},
    {10.0F, 0.5F, SyntheticView::kBoth, "d10_c0.5_both"},
    {4.0F, 0.5F, SyntheticView::kLeft, "d4_c0.5_left"},
    {4.0F, 0.5F, SyntheticView::kRight, "d4_c0.5_right"},
};

std::vector<Eye> made_eyes(SyntheticView view) {
  if (view == SyntheticView::kLeft) return {Eye::kLeft};
  if (view == SyntheticView::kRight) return {Eye::kRight};
  return {Eye::kLeft, Eye::kRight};
}

const char* letter(Eye eye) {
  return eye == Eye::kLeft ? "L" : "R";
}

cv::Mat parallax_of(const Case& c, const cv::Mat& nearness, cv::Size size) {
  ParallaxOptions options;
  options.divergence = c.divergence;
  options.convergence = c.convergence;
  options.synthetic_view = c.view;
  return parallax_from_nearness(nearness, size, options);
}

cv::Mat golden_picture(const std::string& name) {
  return read_npy(golden(name + ".npy")) / 65535.0;
}

TEST(Iw3Golden, ForwardFill) {
  VERGENCE_REQUIRE_SHARED();
  const cv::Mat picture = input_picture();
  const cv::Mat nearness = read_npy(golden("in_depth.npy"));
  for (const Case& c : kCases) {
    const cv::Mat parallax = parallax_of(c, nearness, picture.size());
    for (const Eye eye : made_eyes(c.view)) {
      cv::Mat view;
      forward_warp(picture, parallax, eye, {}, view);
      const std::string name = std::string("forward_fill_") + c.name + "_" + letter(eye);
      EXPECT_LT(difference(view, golden_picture(name)), 1e-4) << name;
    }
  }
}

TEST(Iw3Golden, ForwardAndItsHoles) {
  VERGENCE_REQUIRE_SHARED();
  const cv::Mat picture = input_picture();
  const cv::Mat nearness = read_npy(golden("in_depth.npy"));
  for (const Case& c : kCases) {
    const cv::Mat parallax = parallax_of(c, nearness, picture.size());
    for (const Eye eye : made_eyes(c.view)) {
      cv::Mat view;
      cv::Mat holes;
      forward_warp(picture, parallax, eye, {.fill = false}, view, &holes);
      const std::string name = std::string("forward_") + c.name;
      EXPECT_LT(difference(view, golden_picture(name + "_" + letter(eye))), 1e-4) << name;
      cv::Mat as_float;
      holes.convertTo(as_float, CV_32F);
      EXPECT_LE(difference(as_float, read_npy(golden(name + "_mask" + letter(eye) + ".npy"))), 1.0)
          << name;
    }
  }
}

TEST(Iw3Golden, ForwardFillOfAHalfSizeDepthMap) {
  VERGENCE_REQUIRE_SHARED();
  const cv::Mat picture = input_picture();
  const Case c{4.0F, 0.5F, SyntheticView::kBoth, ""};
  const cv::Mat parallax = parallax_of(c, read_npy(golden("in_depth_half.npy")), picture.size());
  for (const Eye eye : {Eye::kLeft, Eye::kRight}) {
    cv::Mat view;
    forward_warp(picture, parallax, eye, {}, view);
    const std::string name = std::string("forward_fill_halfdepth_d4_c0.5_both_") + letter(eye);
    EXPECT_LT(difference(view, golden_picture(name)), 1e-4) << name;
  }
}

TEST(Iw3Golden, Backward) {
  VERGENCE_REQUIRE_SHARED();
  const cv::Mat picture = input_picture();
  const cv::Mat nearness = read_npy(golden("in_depth.npy"));
  for (const Case& c : kCases) {
    const cv::Mat parallax = parallax_of(c, nearness, picture.size());
    for (const Eye eye : made_eyes(c.view)) {
      cv::Mat view;
      backward_warp(picture, parallax, eye, view);
      const std::string name = std::string("backward_") + c.name + "_" + letter(eye);
      EXPECT_LT(difference(view, golden_picture(name)), 1e-4) << name;
    }
  }
}

TEST(Iw3Golden, EightBitsAreOffByOneLevelAtMost) {
  VERGENCE_REQUIRE_SHARED();
  const cv::Mat picture = media::read_picture(golden("in_rgb.png")).rgb;
  const Case& c = kCases[0];
  const cv::Mat parallax = parallax_of(c, read_npy(golden("in_depth.npy")), picture.size());
  cv::Mat view;
  forward_warp(picture, parallax, Eye::kLeft, {}, view);
  view.convertTo(view, CV_32F, 1.0 / 255.0);
  EXPECT_LT(difference(view, golden_picture("forward_fill_d2_c0.5_both_L")), 1.0 / 255.0);
}

TEST(Iw3Golden, Anaglyphs) {
  VERGENCE_REQUIRE_SHARED();
  const cv::Mat left = golden_picture("forward_fill_d2_c0.5_both_L");
  const cv::Mat right = golden_picture("forward_fill_d2_c0.5_both_R");
  cv::Mat left8;
  cv::Mat right8;
  left.convertTo(left8, CV_8U, 255.0);
  right.convertTo(right8, CV_8U, 255.0);
  for (const std::string name :
       {"color", "gray", "half-color", "wimmer", "wimmer2", "dubois", "dubois2"}) {
    const Anaglyph kind = anaglyph_from_string(name).value();
    cv::Mat picture;
    make_anaglyph(left, right, kind, picture);
    EXPECT_LT(difference(picture, golden_picture("anaglyph_" + name)), 1e-4) << name;
    if (name != "color" && name != "gray" && name != "half-color") continue;
    // The others make more of the rounding of their input: Anaglyph.EveryKindIsTheSame...
    make_anaglyph(left8, right8, kind, picture);
    cv::Mat eight_bits;
    golden_picture("anaglyph_" + name).convertTo(eight_bits, CV_8U, 255.0);
    EXPECT_LE(difference(picture, eight_bits), 1.0) << name;
  }
}

TEST(Iw3Golden, EdgeDilation) {
  VERGENCE_REQUIRE_SHARED();
  const cv::Mat depth = read_npy(golden("in_depth.npy"));

  struct Dilation {
    int across;
    int down;
    const char* name;
  };

  for (const Dilation& d : {Dilation{1, 1, "1"}, Dilation{2, 2, "2"}, Dilation{4, 4, "4"},
                            Dilation{0, 1, "0x1"}, Dilation{1, 0, "1x0"}, Dilation{2, 1, "2x1"}}) {
    cv::Mat dilated = depth.clone();
    dilate_edges(d.across, d.down, dilated);
    EXPECT_TRUE(maps_near(dilated, read_npy(golden(std::string("dilate_") + d.name + ".npy")),
                          {1e-4, 1e-5}))
        << d.name;
  }
}

TEST(Iw3Golden, Mappers) {
  VERGENCE_REQUIRE_SHARED();
  const auto tables = read_npz(golden("mapper_lut.npz"));
  int num_mappers = 0;
  for (const auto& [name, expected] : tables) {
    if (name == "x") continue;
    std::string mapper = name;
    if (name.starts_with("fs_")) {
      const auto family = name.starts_with("fs_mul")   ? MapperFamily::kMul
                          : name.starts_with("fs_div") ? MapperFamily::kDiv
                                                       : MapperFamily::kShift;
      mapper = foreground_mapper(family, std::strtof(name.c_str() + name.rfind('_') + 1, nullptr));
    }
    cv::Mat values = tables.at("x").clone();
    map_nearness(mapper, values);
    EXPECT_TRUE(maps_near(values, expected, {1e-4, 1e-5})) << name;
    ++num_mappers;
  }
  EXPECT_EQ(num_mappers, 61);
}

TEST(Iw3Golden, RangesOverTime) {
  VERGENCE_REQUIRE_SHARED();
  const auto arrays = read_npz(golden("ema.npz"));
  const cv::Mat& frames = arrays.at("in_minmax");

  struct Setting {
    float decay;
    int look_ahead;
    const char* name;
  };

  for (const Setting& s :
       {Setting{0.0F, 1, "out_decay0_buf1"}, Setting{0.75F, 1, "out_decay0.75_buf1"},
        Setting{0.75F, 30, "out_decay0.75_buf30"}, Setting{0.9F, 30, "out_decay0.9_buf30"},
        Setting{0.99F, 30, "out_decay0.99_buf30"}}) {
    RangeSmoother smoother({s.decay, s.look_ahead});
    std::vector<DepthRange> ranges;
    for (int i = 0; i < frames.rows; ++i) {
      if (const auto range = smoother.push({frames.at<float>(i, 0), frames.at<float>(i, 1)})) {
        ranges.push_back(*range);
      }
    }
    for (const DepthRange& range : smoother.flush()) ranges.push_back(range);
    ASSERT_EQ(static_cast<int>(ranges.size()), frames.rows);
    const cv::Mat actual(frames.rows, 2, CV_32FC1, ranges.data());
    EXPECT_TRUE(maps_near(actual, arrays.at(s.name), {1e-4, 1e-5})) << s.name;
  }
}

}  // namespace
}  // namespace vergence::stereo
