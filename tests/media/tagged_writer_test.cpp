// SPDX-License-Identifier: Apache-2.0
// Tags of videos that are encoded here: what the format says, never what the input said.
#include "core/output_file.hpp"
#include "media/mp4_patch.hpp"
#include "media/spatial_media.hpp"
#include "media/video_join.hpp"
#include "media/video_reader.hpp"
#include "media/video_writer.hpp"
#include "tests/media/box_walker.hpp"
#include "tests/media/video_fixtures.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/process.hpp"

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::test {
namespace {

namespace fs = std::filesystem;
using media::EncodeOptions;
using media::JoinOptions;
using media::SphericalTag;
using media::StereoTag;
using media::VideoFormat;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kEntries = "moov/trak/mdia/minf/stbl/stsd/";
const std::string kQuarters = "0000000000000000000000004000000040000000";

VideoFormat format_of(StereoTag stereo, std::optional<SphericalTag> spherical) {
  VideoFormat format;
  format.size = {128, 64};
  format.time_base = {1, 25};
  format.frame_rate = {25, 1};
  format.input_pixel_format = "yuv420p";
  format.stereo = stereo;
  format.spherical = spherical;
  return format;
}

VideoFormat vr180(StereoTag stereo = StereoTag::kSideBySide) {
  return format_of(stereo, SphericalTag{.left = 0.25, .right = 0.25});
}

class TaggedWriter : public ::testing::Test {
 protected:
  // Three frames, and the other streams of `source`.
  fs::path write(const std::string& name, const VideoFormat& format,
                 const std::string& codec = "libx264", const fs::path& source = {}) const {
    auto path = folder_ / name;
    EncodeOptions encode{.codec = codec};
    if (codec == "libx265" || codec == "libx264") encode.preset = "ultrafast";
    JoinOptions join;
    join.source = source;
    media::VideoWriter writer(path, format, encode, join);
    for (int i = 0; i < 3; ++i) {
      writer.write({cv::Mat(format.size, CV_8UC3, cv::Scalar(20 * i, 80, 160)), i, 1, i});
    }
    writer.finish();
    return path;
  }

  TemporaryFolder folder_;
};

std::string side_data(const fs::path& file) {
  return run_process({"/usr/bin/ffprobe", "-v", "error", "-select_streams", "v", "-show_entries",
                      "stream_side_data", "-of", "compact", file.string()})
      .output;
}

TEST_F(TaggedWriter, TellsTheLayoutInEveryCodecAndContainer) {
  for (const auto& [codec, entry] : {std::pair("libx264", "avc1"), std::pair("libx265", "hvc1"),
                                     std::pair("libsvtav1", "av01")}) {
    SCOPED_TRACE(codec);
    const auto file = write("out.mp4", vr180(), codec);
    EXPECT_EQ(box_hex(file, kEntries + entry + "/st3d"), "0000000002");
    EXPECT_EQ(box_hex(file, kEntries + entry + "/sv3d/proj/equi"), kQuarters);
    EXPECT_FALSE(box_hex(file, "moov/trak/uuid"));
    EXPECT_EQ(top_boxes(file)[1], "moov");
    EXPECT_EQ(read_video(file).size(), 3U);
  }
  for (const auto& [name, codec] :
       {std::pair("out.mkv", "libx264"), std::pair("out.webm", "libsvtav1")}) {
    SCOPED_TRACE(name);
    const auto file = write(name, vr180(StereoTag::kTopBottom), codec);
    EXPECT_THAT(side_data(file), HasSubstr("top and bottom"));
    EXPECT_THAT(side_data(file), HasSubstr("tiled equirectangular"));
    const auto info = media::VideoReader(file).info();
    EXPECT_EQ(info.spherical, vr180().spherical);
    EXPECT_EQ(info.stereo, StereoTag::kTopBottom);
  }
}

TEST_F(TaggedWriter, TellsTheWholeSphereInBothOfGooglesWays) {
  const auto mono = write("360.mp4", format_of(StereoTag::kNone, SphericalTag{}));
  EXPECT_EQ(box_hex(mono, kEntries + "avc1/st3d"), "0000000000");
  EXPECT_EQ(box_hex(mono, kEntries + "avc1/sv3d/proj/equi"), std::string(40, '0'));
  EXPECT_TRUE(box_hex(mono, "moov/trak/uuid"));
  const auto cube = write(
      "cube.mp4",
      format_of(StereoTag::kNone, SphericalTag{.projection = SphericalTag::Projection::kCubemap}));
  EXPECT_TRUE(box_hex(cube, kEntries + "avc1/sv3d/proj/cbmp"));
  EXPECT_FALSE(box_hex(cube, "moov/trak/uuid"));
}

TEST_F(TaggedWriter, HandsOnNoTagOfItsInput) {
  const auto input = write("in.mp4", vr180());
  const auto flat = write("flat.mp4", format_of(StereoTag::kNone, {}), "libx264", input);
  EXPECT_EQ(side_data(flat).find("type"), std::string::npos) << side_data(flat);
  const auto sbs = write("sbs.mp4", format_of(StereoTag::kSideBySide, {}), "libx264", input);
  EXPECT_TRUE(box_hex(sbs, kEntries + "avc1/st3d"));
  EXPECT_FALSE(box_hex(sbs, kEntries + "avc1/sv3d"));
  const auto mkv_input = write("in.mkv", vr180());
  const auto mkv = write("flat.mkv", format_of(StereoTag::kNone, {}), "libx264", mkv_input);
  EXPECT_EQ(side_data(mkv).find("type"), std::string::npos) << side_data(mkv);
}

TEST_F(TaggedWriter, WritesApplesBoxesWhereTheyBelong) {
  VideoFormat format = vr180();
  format.apple = true;
  format.baseline_m = 0.064;
  const auto file = write("out.mp4", format, "libx265");
  EXPECT_EQ(box_hex(file, kEntries + "hvc1/vexu/proj/prji"), "0000000068657175");
  EXPECT_EQ(box_hex(file, kEntries + "hvc1/vexu/pack/pkin"), "0000000073696465");
  EXPECT_EQ(box_hex(file, kEntries + "hvc1/vexu/eyes/cams/blin"), "000000000000fa00");
  EXPECT_EQ(box_hex(file, kEntries + "hvc1/hfov"), "0002bf20");
  // H.264 has none; the video is made all the same.
  const auto other = write("other.mp4", format);
  EXPECT_FALSE(box_hex(other, kEntries + "avc1/vexu"));
  EXPECT_TRUE(box_hex(other, kEntries + "avc1/sv3d"));
}

TEST_F(TaggedWriter, KeepsAmbisonicSoundAmbisonic) {
  ffmpeg(folder_.path(), moving_source(128, 64, 6) +
                             " -f lavfi -i sine=duration=0.24 -f lavfi -i "
                             "anoisesrc=duration=0.24:seed=1 -filter_complex "
                             "[2:a][2:a][2:a][2:a]amerge=inputs=4[four] -map 0:v -map 1:a -map "
                             "[four] -c:v libx264 -c:a aac in.mp4");
  // Google's box of first-order ambisonics: ACN, SN3D, four channels.
  const std::string payload =
      std::string(2, '\0') + be32(1) + '\0' + be32(4) + be32(0) + be32(1) + be32(2) + be32(3);
  const auto input = folder_ / "ambisonic.mp4";
  write_file(input, "");
  const media::mp4::FileBytes source(folder_ / "in.mp4");
  const auto layout = media::mp4::scan_file(source);
  auto moov = media::mp4::read_moov(source, layout);
  media::set_sound_tags(
      moov, std::vector<std::vector<media::mp4::Box>>{{}, {media::mp4::make_box("SA3D", payload)}});
  media::mp4::write_with_moov(source, layout, moov, input);

  const auto output = write("out.mp4", vr180(), "libx264", input);
  const auto before = box_hex(input, kEntries + "mp4a/SA3D");
  ASSERT_TRUE(before);
  EXPECT_EQ(box_hex(output, kEntries + "mp4a/SA3D"), before);
  const auto tags = media::read_sound_tags(output);
  ASSERT_EQ(tags.size(), 2U);
  EXPECT_TRUE(tags[0].empty());
  EXPECT_EQ(tags[1].size(), 1U);
  const auto sound = [](const fs::path& file) {
    return run_process({"/usr/bin/ffmpeg", "-nostdin", "-v", "error", "-i", file.string(), "-map",
                        "0:a", "-c", "copy", "-f", "framemd5", "-"})
        .output;
  };
  EXPECT_EQ(sound(output), sound(input));
  // Without any 3D it stays ambisonic too.
  const auto plain = write("plain.mp4", format_of(StereoTag::kNone, {}), "libx264", input);
  EXPECT_EQ(box_hex(plain, kEntries + "mp4a/SA3D"), before);
  EXPECT_EQ(top_boxes(plain)[1], "moov");
}

TEST_F(TaggedWriter, GivesHalfEyesTheirPixelAspect) {
  VideoFormat format = vr180();
  format.squeezed = true;
  EXPECT_EQ(box_hex(write("out.mp4", format), kEntries + "avc1/pasp"), "0000000200000001");
  // Matroska tells the size of one eye.
  const auto mkv = write("out.mkv", format);
  EXPECT_THAT(ffprobe(mkv, "stream=sample_aspect_ratio"), ElementsAre("2:1"));
}

}  // namespace
}  // namespace vergence::test
