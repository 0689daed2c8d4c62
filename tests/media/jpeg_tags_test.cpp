// SPDX-License-Identifier: Apache-2.0
#include "media/jpeg_tags.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "media/picture.hpp"
#include "media/stereo_photo.hpp"
#include "tests/media/fixtures.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/process.hpp"

#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <opencv2/core.hpp>

namespace vergence::test {
namespace {

namespace fs = std::filesystem;
using media::SphericalTag;
using media::StereoTag;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using Bytes = std::vector<std::uint8_t>;

class JpegTags : public ::testing::Test {
 protected:
  // A photo of noise, with EXIF.
  [[nodiscard]] Bytes photo(const std::string& name = "in.jpg", cv::Size size = {64, 32}) const {
    cv::Mat pixels(size, CV_8UC3);
    cv::RNG random(3);
    random.fill(pixels, cv::RNG::UNIFORM, 0, 256);
    media::write_picture(folder_ / name, pixels);
    run({"-overwrite_original", "-Make=Camera", "-XMP-dc:Title=Hall", (folder_ / name).string()});
    return bytes_of(folder_ / name);
  }

  static std::string run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "/usr/bin/exiftool");
    return run_process(arguments).output;
  }

  static Bytes bytes_of(const fs::path& path) {
    const std::string text = read_file(path);
    return {text.begin(), text.end()};
  }

  [[nodiscard]] std::string exiftool_on(const Bytes& bytes) const {
    save_bytes(folder_ / "out.jpg", bytes);
    return run({"-s", "-G1", (folder_ / "out.jpg").string()});
  }

  // All from the first frame header on: what decodes to pixels.
  static std::string coded(const Bytes& bytes) {
    const std::string text(bytes.begin(), bytes.end());
    return text.substr(text.find("\xff\xc0"));
  }

  TemporaryFolder folder_;
};

TEST_F(JpegTags, TellWhatAPanoramaShows) {
  const Bytes in = photo();
  const Bytes out = media::tagged_jpeg_photo(in, {.spherical = SphericalTag{}}, "in.jpg");
  const std::string said = exiftool_on(out);
  EXPECT_THAT(said, ContainsRegex("XMP-GPano. +ProjectionType +: equirectangular"));
  EXPECT_THAT(said, ContainsRegex("FullPanoWidthPixels +: 64"));
  EXPECT_THAT(said, ContainsRegex("XMP-dc. +Title +: Hall"));
  EXPECT_THAT(said, ContainsRegex("Make +: Camera"));
  EXPECT_THAT(said, Not(HasSubstr("Warning")));
  EXPECT_TRUE(coded(out) == coded(in));
}

TEST_F(JpegTags, ReplaceEachOther) {
  const Bytes in = photo("sbs.jpg", {64, 32});
  const SphericalTag half{.left = 0.25, .right = 0.25};
  const Bytes vr = media::tagged_jpeg_photo(
      in, {.spherical = half, .stereo = StereoTag::kSideBySide}, "sbs.jpg");
  const std::string said = exiftool_on(vr);
  EXPECT_THAT(said, ContainsRegex("CroppedAreaImageWidthPixels +: 32"));
  EXPECT_THAT(said, ContainsRegex("FullPanoWidthPixels +: 64"));
  EXPECT_THAT(said, ContainsRegex("CroppedAreaLeftPixels +: 16"));
  EXPECT_THAT(said, ContainsRegex("StereoMode +: left-right"));
  const auto read = media::decode_picture(vr, "sbs.jpg").metadata;
  EXPECT_TRUE(read.equirectangular);
  EXPECT_EQ(read.stereo, StereoTag::kSideBySide);
  const Bytes none = media::tagged_jpeg_photo(vr, {}, "sbs.jpg");
  EXPECT_THAT(exiftool_on(none), Not(HasSubstr("GPano")));
  EXPECT_THAT(exiftool_on(none), Not(HasSubstr("StereoMode")));
  EXPECT_THAT(exiftool_on(none), ContainsRegex("Title +: Hall"));
  EXPECT_TRUE(coded(none) == coded(in));
}

TEST_F(JpegTags, KeepWhatLevelsAPanorama) {
  (void)photo();
  run({"-overwrite_original", "-XMP-GPano:PosePitchDegrees=-7.5",
       "-XMP-GPano:ProjectionType=equirectangular", (folder_ / "in.jpg").string()});
  const Bytes out = media::tagged_jpeg_photo(bytes_of(folder_ / "in.jpg"),
                                             {.spherical = SphericalTag{}}, "in.jpg");
  EXPECT_THAT(exiftool_on(out), ContainsRegex("PosePitchDegrees +: -7.5"));
}

TEST_F(JpegTags, LeaveWhatLiesBehindThePicture) {
  Bytes in = photo();
  const std::string trailer = "a motion photo's film";
  in.insert(in.end(), trailer.begin(), trailer.end());
  const Bytes out = media::tagged_jpeg_photo(in, {.spherical = SphericalTag{}}, "in.jpg");
  EXPECT_TRUE(std::string(out.begin(), out.end()).ends_with(trailer));
}

TEST_F(JpegTags, LeaveVrPhotosTheirEyes) {
  VERGENCE_REQUIRE_SHARED();
  const Bytes in = bytes_of(shared_dir() / "video/generated/sample.vr.jpg");
  EXPECT_THROW((void)media::tagged_jpeg_photo(
                   in, {.spherical = SphericalTag{}, .stereo = StereoTag::kSideBySide}, "a.vr.jpg"),
               Error);
  const Bytes same = media::tagged_jpeg_photo(
      in, {.spherical = SphericalTag{.left = 0.25, .right = 0.25}}, "a.vr.jpg");
  const auto before = media::decode_stereo_photo(in, "a.vr.jpg");
  const auto after = media::decode_stereo_photo(same, "a.vr.jpg");
  ASSERT_TRUE(before && after);
  EXPECT_EQ(cv::norm(before->right.rgb, after->right.rgb, cv::NORM_INF), 0);
}

TEST_F(JpegTags, SurviveDamagedPhotos) {
  const Bytes in = media::tagged_jpeg_photo(photo(), {.spherical = SphericalTag{}}, "in.jpg");
  std::mt19937 random(11);
  int num_done = 0;
  for (int round = 0; round < 2000; ++round) {
    Bytes bytes = in;
    for (auto count = 1 + random() % 8; count > 0; --count) {
      bytes[random() % std::min<std::size_t>(bytes.size(), 1500)] =
          static_cast<std::uint8_t>(random() % 3 == 0 ? 0xff : random());
    }
    if (random() % 3 == 0) bytes.resize(random() % bytes.size());
    try {
      const Bytes out = media::tagged_jpeg_photo(
          bytes, {.spherical = SphericalTag{}, .stereo = StereoTag::kTopBottom}, "damaged.jpg");
      EXPECT_TRUE(media::is_jpeg(out));
      ++num_done;
    } catch (const Error&) {
      // One sentence is all that is asked for.
    }
  }
  EXPECT_GT(num_done, 200);
}

TEST_F(JpegTags, RefuseOtherFiles) {
  const std::string text = "not a photo at all";
  const std::span bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  EXPECT_THROW((void)media::tagged_jpeg_photo(bytes, {}, "x.jpg"), Error);
  EXPECT_THROW((void)media::tagged_jpeg_photo({}, {}, "x.jpg"), Error);
  EXPECT_THROW((void)media::tagged_jpeg_photo(bytes.first(3), {}, "x.jpg"), Error);
}

}  // namespace
}  // namespace vergence::test
