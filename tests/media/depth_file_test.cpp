// SPDX-License-Identifier: Apache-2.0
#include "media/depth_file.hpp"

#include "core/output_file.hpp"
#include "tests/media/fixtures.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/paths.hpp"

#include <array>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace vergence::media {
namespace {

using test::error_of;
using test::maps_near;
using test::python;
using test::TemporaryFolder;
using test::Tolerance;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr Tolerance kExact{.max = 0.0, .mean = 0.0};

// Distances between 0.5 and 40 m with holes.
cv::Mat distances(int width = 37, int height = 23) {
  cv::Mat values(height, width, CV_32FC1);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      values.at<float>(y, x) =
          0.5F + 1.03F * static_cast<float>(x) + 0.0171F * static_cast<float>(y * y);
    }
  }
  values.at<float>(3, 4) = kNaN;
  values.at<float>(5, 6) = kInfinity;
  values.at<float>(0, 0) = kNaN;
  return values;
}

// What comes back: no infinities.
cv::Mat with_holes(cv::Mat values) {
  values.at<float>(5, 6) = kNaN;
  return values;
}

cv::Mat read_values(const std::filesystem::path& path, const DepthReadOptions& options = {}) {
  return values_of(read_depth(path, options));
}

class DepthFormats : public ::testing::TestWithParam<const char*> {};

TEST_P(DepthFormats, RoundTripIsExactAndNumPyAgrees) {
  const TemporaryFolder folder;
  const auto path = folder / (std::string("d") + GetParam());
  DepthFileInfo info;
  info.model = "nano";
  write_depth(path, RayDistance(distances()), info);
  EXPECT_TRUE(maps_near(read_values(path), with_holes(distances()), kExact));
  // An independent reader.
  const std::string judge = python(folder.path(), fmt::format(R"(
name = '{}'
if name.endswith('.npy'): a = np.load(name)
elif name.endswith('.dpt'):
    b = open(name, 'rb').read()
    assert np.frombuffer(b[:4], '<f4')[0] == 202021.25
    w, h = np.frombuffer(b[4:12], '<i4'); a = np.frombuffer(b[12:], '<f4').reshape(h, w)
else: a = cv2.imread(name, cv2.IMREAD_UNCHANGED)
if a.ndim == 3: a = a[..., 0]
print(a.dtype, a.shape, '%.4f' % a[22, 36], np.isfinite(a[3, 4]), np.isfinite(a[5, 6]))
)",
                                                              path.filename().string()));
  EXPECT_EQ(judge, "float32 (23, 37) 45.8564 False False\n");
}

INSTANTIATE_TEST_SUITE_P(Float, DepthFormats,
                         ::testing::Values(".exr", ".pfm", ".npy", ".tiff", ".dpt"),
                         [](const auto& test_case) {
                           return std::string(test_case.param).substr(1);
                         });

TEST(DepthFile, PngKeepsMillimetresAndMarksHolesWithZero) {
  const TemporaryFolder folder;
  write_depth(folder / "d.png", RayDistance(distances()), {});
  EXPECT_TRUE(maps_near(read_values(folder / "d.png"), with_holes(distances()),
                        {.max = 5.1e-4, .mean = 5e-4}));
  EXPECT_EQ(python(folder.path(), "a = cv2.imread('d.png', -1)\nprint(a.dtype, a[3, 4], a[0, 1])"),
            "uint16 0 1530\n");
}

TEST(DepthFile, PngSaturatesWithAWarningAndReadsBackAsInvalid) {
  const TemporaryFolder folder;
  cv::Mat values(10, 10, CV_32FC1, cv::Scalar(2.0));
  values.row(0).setTo(100.0);
  const test::LogCapture log;
  write_depth(folder / "d.png", RayDistance(values), {});
  EXPECT_EQ(log.text(),
            fmt::format("warning: '{}': 10.00 % of the pixels lie beyond the 65.535 that "
                        "16 bits can hold; use .exr to keep them\n",
                        (folder / "d.png").string()));
  const cv::Mat back = read_values(folder / "d.png");
  EXPECT_TRUE(std::isnan(back.at<float>(0, 3)));
  EXPECT_NEAR(back.at<float>(1, 3), 2.0F, 1e-6F);
}

TEST(DepthFile, PngOfOtherKindsFillsItsRange) {
  const TemporaryFolder folder;
  const cv::Mat values = with_holes(distances());
  write_depth(folder / "d.png", Disparity(values), {});
  const AnyDepth back = read_depth(folder / "d.png");
  EXPECT_EQ(kind_of(back), DepthKind::kDisparity);
  EXPECT_TRUE(maps_near(values_of(back), values, {.max = 4e-4, .mean = 3e-4}));
}

TEST(DepthFile, KindAndScaleComeFromOptionsThenSidecarThenDefaults) {
  const TemporaryFolder folder;
  python(folder.path(), "cv2.imwrite('d.png', np.array([[0, 1000, 65535]], np.uint16))");
  const auto path = folder / "d.png";
  EXPECT_EQ(kind_of(read_depth(path)), DepthKind::kDistance);
  EXPECT_NEAR(read_values(path).at<float>(0, 1), 1.0F, 1e-6F);
  EXPECT_TRUE(std::isnan(read_values(path).at<float>(0, 2)));
  const cv::Mat disparity = read_values(path, {.kind = DepthKind::kDisparity});
  EXPECT_EQ(disparity.at<float>(0, 0), 0.0F);
  EXPECT_NEAR(disparity.at<float>(0, 2), 1.0F, 1e-6F);
  write_file(folder / "d.png.toml", "kind = \"planar_depth\"\nscale = 0.00025\n");
  EXPECT_EQ(kind_of(read_depth(path)), DepthKind::kPlanarDepth);
  EXPECT_NEAR(read_values(path).at<float>(0, 1), 0.25F, 1e-6F);
  EXPECT_NEAR(read_values(path, {.scale = 0.002}).at<float>(0, 1), 2.0F, 1e-6F);
  EXPECT_EQ(kind_of(read_depth(path, {.kind = DepthKind::kDistance})), DepthKind::kDistance);
}

TEST(DepthFile, NpyOfEveryTypeAndOrderIsRead) {
  const TemporaryFolder folder;
  const std::string names = python(folder.path(), R"(
a = (np.arange(12).reshape(3, 4) + 1)
for t in ['<f2', '<f4', '<f8', '>f4', '>f8', '<u2', '>u2', '|u1', '|i1', '<i2', '<i4', '<i8', '<u4', '<u8']:
    n = t.replace('<', 'l').replace('>', 'b').replace('|', 'n')
    np.save(n + '.npy', a.astype(t)); print(n)
np.save('fortran.npy', np.asfortranarray(a.astype(np.float32))); print('fortran')
np.save('front.npy', a.astype(np.float32)[None]); print('front')
np.save('back.npy', a.astype(np.float32)[..., None]); print('back')
np.save('cube.npy', np.zeros((2, 3, 4), np.float32)); np.save('line.npy', np.zeros(5))
np.save('complex.npy', np.zeros((2, 2), np.complex64)); np.save('empty.npy', np.zeros((0, 4), np.float32))
)");
  std::istringstream lines(names);
  int count = 0;
  for (std::string name; std::getline(lines, name); ++count) {
    const cv::Mat values = read_values(folder / (name + ".npy"));
    ASSERT_EQ(values.size(), cv::Size(4, 3)) << name;
    for (int i = 0; i < 12; ++i) {
      EXPECT_EQ(values.at<float>(i / 4, i % 4), static_cast<float>(i + 1)) << name;
    }
  }
  EXPECT_EQ(count, 17);
  const auto message = [&](const char* name) {
    return error_of([&] { static_cast<void>(read_depth(folder / name)); });
  };
  EXPECT_NE(message("cube.npy").find("an array of 3 dimensions is not supported"),
            std::string::npos);
  EXPECT_NE(message("line.npy").find("an array of 1 dimensions is not supported"),
            std::string::npos);
  EXPECT_NE(message("complex.npy").find("other than real numbers"), std::string::npos);
  EXPECT_NE(message("empty.npy").find("without pixels"), std::string::npos);
}

TEST(DepthFile, BigEndianPfmIsReadFromTheBottomUp) {
  const TemporaryFolder folder;
  python(folder.path(), R"(
a = (np.arange(6).reshape(2, 3) + 1).astype('>f4')
open('d.pfm', 'wb').write(b'Pf\n3 2\n1.0\n' + a[::-1].tobytes())
)");
  const cv::Mat values = read_values(folder / "d.pfm");
  EXPECT_EQ(values.at<float>(0, 0), 1.0F);
  EXPECT_EQ(values.at<float>(1, 2), 6.0F);
}

TEST(DepthFile, ExrOfOtherProgramsIsRead) {
  VERGENCE_REQUIRE_SHARED();
  const TemporaryFolder folder;
  const auto file = test::shared_dir() / "synth/room/pano_depth.exr";
  const cv::Mat values = read_values(file);
  EXPECT_EQ(values.size(), cv::Size(2048, 1024));
  const std::string judge = python(folder.path(), fmt::format(R"(
a = cv2.imread('{}', cv2.IMREAD_UNCHANGED)
if a.ndim == 3: a = a[..., 0]
print('%.5f %.5f' % (a[100, 200], a[900, 1800]))
)",
                                                              file.string()));
  EXPECT_EQ(judge, fmt::format("{:.5f} {:.5f}\n", values.at<float>(100, 200),
                               values.at<float>(900, 1800)));
}

TEST(DepthFile, WhatIsNoDepthMapIsRefusedWithTheReason) {
  const TemporaryFolder folder;
  python(folder.path(), R"(
a = np.zeros((4, 4, 3), np.float32) + 1
cv2.imwrite('d.hdr', a); cv2.imwrite('colour.png', a.astype(np.uint8)); cv2.imwrite('d.jpg', a)
cv2.imwrite('grey.png', a[..., 0].astype(np.uint8))
np.array([202021.25], '<f4').tofile('flow.dpt')
open('flow.dpt', 'ab').write(np.array([4, 4], '<i4').tobytes() + np.zeros(32, '<f4').tobytes())
open('text.exr', 'w').write('not yet')
open('short.npy', 'wb').write(open('d.hdr', 'rb').read()[:0])
)");
  const auto message = [&](const char* name) {
    const std::string text = error_of([&] { static_cast<void>(read_depth(folder / name)); });
    const std::string prefix = folder.path().string() + "/";
    const auto at = text.find(prefix);
    return at == std::string::npos ? text : text.substr(0, at) + text.substr(at + prefix.size());
  };
  const std::string hint = "; give an .exr, .pfm, .npy, .dpt, .tiff or 16-bit .png file";
  EXPECT_EQ(
      message("d.hdr"),
      "cannot read 'd.hdr' as depth: Radiance HDR keeps one part in 256 only; save it as .exr");
  EXPECT_EQ(
      message("colour.png"),
      "'colour.png' is a colour picture, not a depth map; give the file that holds the numbers "
      "(.exr, .pfm, .npy, .dpt or 16-bit grey .png), not its preview");
  EXPECT_EQ(message("d.jpg"),
            "'d.jpg' is a picture with lossy or 8-bit pixels, not a depth map" + hint);
  EXPECT_EQ(
      message("grey.png"),
      "'grey.png' has 8-bit pixels, which are too coarse for distances; give a 16-bit file, or "
      "say what one step is worth by input.depth_scale");
  EXPECT_NE(message("flow.dpt").find("an optical flow (FLO) file is not supported"),
            std::string::npos);
  EXPECT_EQ(message("text.exr"), "'text.exr' is not a depth map: it looks like a text file" + hint);
  EXPECT_EQ(message("short.npy"), "'short.npy' is not a depth map: it is empty" + hint);
  EXPECT_EQ(
      error_of([&] { write_depth("d.bmp", RayDistance(distances()), {}); }),
      "cannot write 'd.bmp': a depth map cannot have the extension '.bmp'; use .exr, .pfm, .npy, "
      ".png (16 bit), .tiff or .dpt");
}

TEST(DepthFile, CutShortIsAnErrorAtAnyLength) {
  const TemporaryFolder folder;
  cv::Mat noise(64, 64, CV_32FC1);
  cv::theRNG().state = 3;
  cv::randu(noise, 1.0, 50.0);
  for (const char* name : {"d.exr", "d.pfm", "d.npy", "d.dpt", "d.tiff", "d.png"}) {
    write_depth(folder / name, RayDistance(noise), {});
    const auto whole = test::bytes_of(folder / name);
    for (const double share : {0.02, 0.2, 0.6, 0.97}) {
      const auto size = static_cast<std::size_t>(share * static_cast<double>(whole.size()));
      test::save_bytes(folder / name, std::span(whole).first(size));
      const std::string text = error_of([&] { static_cast<void>(read_depth(folder / name)); });
      EXPECT_NE(text.find("too early"), std::string::npos)
          << name << " at " << share << ": " << text;
    }
  }
}

TEST(DepthFile, AFailedWriteLeavesNothingBehind) {
  const TemporaryFolder folder;
  EXPECT_NE(error_of([&] {
              write_depth(folder / "none/d.exr", RayDistance(distances()), {});
            }).find("there is no folder"),
            std::string::npos);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace vergence::media
