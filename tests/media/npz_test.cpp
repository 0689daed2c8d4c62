// SPDX-License-Identifier: Apache-2.0
// NumPy's archives as depth files.
#include "core/error.hpp"
#include "core/output_file.hpp"
#include "media/depth_file.hpp"
#include "tests/support/paths.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace vergence::media {
namespace {

std::string motorcycle() {
  return read_file(test::shared_dir() / "stereo" / "motorcycle" / "motorcycle_disp.npz");
}

AnyDepth read_bytes(const test::TemporaryFolder& folder, const std::string& bytes) {
  write_file(folder / "d.npz", bytes);
  return read_depth(folder / "d.npz", {.kind = DepthKind::kPixelDisparity, .scale = std::nullopt});
}

TEST(Npz, TheFirstArrayIsRead) {
  VERGENCE_REQUIRE_SHARED();
  const test::TemporaryFolder folder;
  const auto depth = read_bytes(folder, motorcycle());
  const cv::Mat& values = values_of(depth);
  ASSERT_EQ(values.size(), cv::Size(741, 500));
  cv::Mat finite = values.clone();
  cv::patchNaNs(finite, 0.0);
  double largest = 0.0;
  cv::minMaxLoc(finite, nullptr, &largest);
  EXPECT_NEAR(largest, 59.9, 0.1);
  EXPECT_FALSE(cv::checkRange(values)) << "infinity means no value";
}

TEST(Npz, DamagedArchivesAreRefused) {
  VERGENCE_REQUIRE_SHARED();
  const test::TemporaryFolder folder;
  const auto whole = motorcycle();
  for (const double share : {0.00001, 0.001, 0.3, 0.9, 0.99999, 0.9999999}) {
    const auto size = static_cast<std::size_t>(static_cast<double>(whole.size()) * share);
    EXPECT_THROW((void)read_bytes(folder, whole.substr(0, size)), Error) << share;
  }
  auto bent = whole;
  for (std::size_t i = 1000; i < 1100; ++i) bent[i] = static_cast<char>(bent[i] ^ 0x55);
  EXPECT_THROW((void)read_bytes(folder, bent), Error);
  // The directory claims an array of 4 GB.
  auto huge = whole;
  const auto entry = huge.rfind("PK\x01\x02");
  for (std::size_t i = 24; i < 28; ++i) huge[entry + i] = '\x7f';
  EXPECT_THROW((void)read_bytes(folder, huge), Error);
}

}  // namespace
}  // namespace vergence::media
