// SPDX-License-Identifier: Apache-2.0
// Tags of existing videos, judged byte by byte, by ffprobe and by exiftool.
#include "media/video_tags.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "media/video_reader.hpp"
#include "tests/media/box_walker.hpp"
#include "tests/media/fixtures.hpp"
#include "tests/media/video_fixtures.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/process.hpp"

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vergence::test {
namespace {

namespace fs = std::filesystem;
using media::SphericalTag;
using media::StereoTag;
using media::VideoTags;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kEntries = "moov/trak/mdia/minf/stbl/stsd/";

VideoTags vr180(StereoTag stereo = StereoTag::kSideBySide) {
  return {.stereo = stereo, .spherical = SphericalTag{.left = 0.25, .right = 0.25}};
}

VideoTags sphere(StereoTag stereo = StereoTag::kNone) {
  return {.stereo = stereo, .spherical = SphericalTag{}, .v1 = true};
}

// What decoding gives, frame by frame.
std::string frame_hashes(const fs::path& file) {
  const auto result =
      run_process({"/usr/bin/ffmpeg", "-nostdin", "-v", "error", "-i", file.string(), "-map", "0",
                   "-map", "-0:t?", "-f", "framemd5", "-"});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  return result.output;
}

std::string exiftool(const fs::path& file) {
  return run_process({"/usr/bin/exiftool", "-s", "-G1", file.string()}).output;
}

// What ffprobe finds beside the pictures, in one line.
std::string side_data(const fs::path& file) {
  return run_process({"/usr/bin/ffprobe", "-v", "error", "-select_streams", "v", "-show_entries",
                      "stream_side_data", "-of", "compact", file.string()})
      .output;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  return names;
}

class VideoTagging : public ::testing::Test {
 protected:
  // A clip with sound; `how`: further arguments of ffmpeg.
  fs::path clip(const std::string& name, const std::string& how = "-c:v libx264") const {
    ffmpeg(folder_.path(), moving_source(128, 64, 6) + " -f lavfi -i sine=duration=0.24 -c:a aac " +
                               how + " " + name);
    return folder_ / name;
  }

  fs::path front(const std::string& name) const {
    return clip(name, "-c:v libx264 -movflags +faststart");
  }

  TemporaryFolder folder_;
};

struct LayoutCase {
  const char* name;
  VideoTags tags;
  const char* st3d;
  std::optional<std::string> equi;
  const char* ffprobe_stereo;
};

const std::string kQuarters = "0000000000000000000000004000000040000000";
const std::string kNoBounds(40, '0');

std::vector<LayoutCase> layouts() {
  using enum StereoTag;
  return {{"vr180_sbs", vr180(), "0000000002", kQuarters, "side by side"},
          {"vr180_tb", vr180(kTopBottom), "0000000001", kQuarters, "top and bottom"},
          {"360", sphere(), "0000000000", kNoBounds, "2D"},
          {"360_tb", sphere(kTopBottom), "0000000001", kNoBounds, "top and bottom"},
          {"360_sbs", sphere(kSideBySide), "0000000002", kNoBounds, "side by side"},
          {"sbs", {.stereo = kSideBySide}, "0000000002", std::nullopt, "side by side"},
          {"tb", {.stereo = kTopBottom}, "0000000001", std::nullopt, "top and bottom"}};
}

TEST_F(VideoTagging, WritesTheBytesOfEveryLayoutForEveryCodec) {
  for (const auto& [codec, entry] :
       {std::pair("-c:v libx264", "avc1"),
        std::pair("-c:v libx265 -tag:v hvc1 -x265-params log-level=none", "hvc1"),
        std::pair("-c:v libsvtav1", "av01")}) {
    const auto original = clip("in.mp4", codec);
    const std::string hashes = frame_hashes(original);
    for (const LayoutCase& layout : layouts()) {
      SCOPED_TRACE(std::string(entry) + " " + layout.name);
      const auto out = folder_ / "out.mp4";
      (void)media::write_video_tags(original, out, layout.tags);
      EXPECT_EQ(box_hex(out, kEntries + entry + "/st3d"), layout.st3d);
      EXPECT_EQ(box_hex(out, kEntries + entry + "/sv3d/proj/equi").value_or("none"),
                layout.equi.value_or("none"));
      EXPECT_EQ(box_hex(out, kEntries + entry + "/sv3d/proj/prhd").has_value(),
                layout.equi.has_value());
      EXPECT_EQ(box_hex(out, "moov/trak/uuid").has_value(), layout.tags.v1);
      EXPECT_EQ(frame_hashes(out), hashes);
      EXPECT_TRUE(samples_of(out) == samples_of(original));
      EXPECT_THAT(side_data(out), HasSubstr(layout.ffprobe_stereo));
      EXPECT_EQ(side_data(out).find("equirectangular") != std::string::npos,
                layout.equi.has_value());
    }
  }
}

TEST_F(VideoTagging, AgreesWithExiftool) {
  const auto in = clip("in.mp4");
  (void)media::write_video_tags(in, folder_ / "vr.mp4", vr180());
  const std::string vr = exiftool(folder_ / "vr.mp4");
  EXPECT_THAT(vr, ::testing::ContainsRegex("Stereoscopic3D +: Stereoscopic Left-Right"));
  EXPECT_THAT(vr, ::testing::ContainsRegex("ProjectionBoundsLeft +: 0.25"));
  (void)media::write_video_tags(in, folder_ / "360.mp4", sphere(StereoTag::kTopBottom));
  const std::string whole = exiftool(folder_ / "360.mp4");
  EXPECT_THAT(whole, ::testing::ContainsRegex("ProjectionBoundsLeft +: 0\n"));
  EXPECT_THAT(whole, ::testing::ContainsRegex("XMP-GSpherical. +Spherical +: true"));
  EXPECT_THAT(whole, ::testing::ContainsRegex("XMP-GSpherical. +StereoMode +: top-bottom"));
  EXPECT_THAT(whole, Not(HasSubstr("Warning")));
}

TEST_F(VideoTagging, TakesAwayWhatContradictsTheNewTags) {
  const auto in = clip("in.mp4");
  (void)media::write_video_tags(in, {}, sphere(StereoTag::kTopBottom));
  EXPECT_TRUE(box_hex(in, "moov/trak/uuid"));
  (void)media::write_video_tags(in, {}, vr180());
  EXPECT_FALSE(box_hex(in, "moov/trak/uuid"));
  EXPECT_EQ(box_hex(in, kEntries + "avc1/st3d"), "0000000002");
  (void)media::write_video_tags(in, {}, {.stereo = StereoTag::kTopBottom});
  EXPECT_FALSE(box_hex(in, kEntries + "avc1/sv3d"));
  (void)media::write_video_tags(in, {}, {});
  EXPECT_FALSE(box_hex(in, kEntries + "avc1/st3d"));
  EXPECT_EQ(side_data(in).find("stereo"), std::string::npos);
}

TEST_F(VideoTagging, KeepsTheIndexInFrontAndMovesItsTables) {
  const auto in = front("in.mp4");
  const std::string samples = samples_of(in);
  const std::string hashes = frame_hashes(in);
  const auto outcome = media::write_video_tags(in, {}, vr180());
  EXPECT_FALSE(outcome.in_place);
  EXPECT_EQ(top_boxes(in)[1], "moov");
  EXPECT_TRUE(samples_of(in) == samples);
  EXPECT_EQ(frame_hashes(in), hashes);
}

TEST_F(VideoTagging, ChangesAFileInPlaceWhereItsIndexIsAtTheEnd) {
  const auto in = clip("in.mp4");

  struct stat before {};

  ASSERT_EQ(::stat(in.c_str(), &before), 0);
  const std::string samples = samples_of(in);
  EXPECT_TRUE(media::write_video_tags(in, {}, vr180()).in_place);

  struct stat after {};

  ASSERT_EQ(::stat(in.c_str(), &after), 0);
  EXPECT_EQ(after.st_ino, before.st_ino);
  EXPECT_TRUE(samples_of(in) == samples);
  EXPECT_THAT(top_boxes(in), ElementsAre("ftyp", "free", "mdat", "free", "moov"));
  EXPECT_THAT(side_data(in), HasSubstr("tiled equirectangular"));
  // The same again changes nothing.
  const std::string bytes = read_file(in);
  EXPECT_TRUE(media::write_video_tags(in, {}, vr180()).in_place);
  EXPECT_TRUE(read_file(in) == bytes);
}

TEST_F(VideoTagging, UsesFreeSpace) {
  const auto in = front("in.mp4");
  // Room for the whole index right behind ftyp: it then moves there, and nothing else moves.
  const auto roomy = folder_ / "roomy.mp4";
  ffmpeg(folder_.path(), "-i in.mp4 -c copy -moov_size 60000 roomy.mp4");
  const auto size = fs::file_size(roomy);
  ASSERT_THAT(top_boxes(roomy), ElementsAre("ftyp", "moov", "free", "free", "mdat"));
  EXPECT_TRUE(media::write_video_tags(roomy, {}, vr180()).in_place);
  EXPECT_EQ(fs::file_size(roomy), size);
  EXPECT_THAT(top_boxes(roomy), ElementsAre("ftyp", "free", "moov", "free", "free", "mdat"));
  EXPECT_THAT(side_data(roomy), HasSubstr("side by side"));
  EXPECT_TRUE(samples_of(roomy) == samples_of(in));
  // A new file takes what it needs of the room.
  ffmpeg(folder_.path(), "-i in.mp4 -c copy -moov_size 60000 roomy.mp4");
  (void)media::write_video_tags(roomy, folder_ / "out.mp4", sphere());
  EXPECT_EQ(fs::file_size(folder_ / "out.mp4"), size);
  EXPECT_TRUE(samples_of(folder_ / "out.mp4") == samples_of(in));
}

TEST_F(VideoTagging, CarriesHalfEyesInThePixelAspect) {
  const auto in = clip("in.mp4");
  (void)media::write_video_tags(in, {}, {.stereo = StereoTag::kSideBySide, .squeezed = true});
  EXPECT_EQ(box_hex(in, kEntries + "avc1/pasp"), "0000000200000001");
  EXPECT_THAT(ffprobe(in, "stream=sample_aspect_ratio"), ElementsAre("2:1"));
  EXPECT_EQ(box_hex(in, "moov/trak/tkhd")->substr(152), "0100000000400000");
  (void)media::write_video_tags(in, {}, {.stereo = StereoTag::kTopBottom, .squeezed = true});
  EXPECT_THAT(ffprobe(in, "stream=sample_aspect_ratio"), ElementsAre("1:2"));
  (void)media::write_video_tags(in, {}, {.stereo = StereoTag::kSideBySide});
  EXPECT_THAT(ffprobe(in, "stream=sample_aspect_ratio"), ElementsAre("1:1"));
  EXPECT_EQ(box_hex(in, "moov/trak/tkhd")->substr(152), "0080000000400000");
}

TEST_F(VideoTagging, WritesApplesBoxesForH265Only) {
  const auto in = clip("in.mp4", "-c:v libx265 -tag:v hvc1 -x265-params log-level=none");
  VideoTags tags = vr180();
  tags.apple = true;
  tags.baseline_m = 0.064;
  (void)media::write_video_tags(in, {}, tags);
  const std::string vexu = kEntries + "hvc1/vexu/";
  EXPECT_EQ(box_hex(in, vexu + "eyes/stri"), "0000000003");
  EXPECT_EQ(box_hex(in, vexu + "eyes/hero"), "0000000001");
  EXPECT_EQ(box_hex(in, vexu + "eyes/cams/blin"), "000000000000fa00");
  EXPECT_EQ(box_hex(in, vexu + "proj/prji"),
            "00000000"
            "68657175");  // "hequ"
  EXPECT_EQ(box_hex(in, vexu + "pack/pkin"),
            "00000000"
            "73696465");                                       // "side"
  EXPECT_EQ(box_hex(in, kEntries + "hvc1/hfov"), "0002bf20");  // 180000
  const auto avc = clip("avc.mp4");
  const std::string before = read_file(avc);
  EXPECT_THAT(error_of([&] { (void)media::write_video_tags(avc, {}, tags); }), HasSubstr("'hvc1'"));
  EXPECT_EQ(read_file(avc), before);
  tags.spherical->left = 0.3;
  EXPECT_THAT(error_of([&] { (void)media::write_video_tags(in, {}, tags); }),
              HasSubstr("front half"));
}

TEST_F(VideoTagging, TellsOfPartsOfTheSphereAndOfCubes) {
  const auto in = clip("in.mp4");
  VideoTags tags{.spherical = SphericalTag{
                     .top = 0.125, .left = 0.3, .right = 0.2, .yaw_deg = 90, .pitch_deg = -10.5}};
  (void)media::write_video_tags(in, {}, tags);
  EXPECT_EQ(box_hex(in, kEntries + "avc1/sv3d/proj/equi"),
            "0000000020000000000000004ccccccd33333333");
  EXPECT_EQ(box_hex(in, kEntries + "avc1/sv3d/proj/prhd"), "00000000005a0000fff5800000000000");
  tags.spherical = SphericalTag{.projection = SphericalTag::Projection::kCubemap};
  (void)media::write_video_tags(in, {}, tags);
  EXPECT_EQ(box_hex(in, kEntries + "avc1/sv3d/proj/cbmp"), "000000000000000000000000");
  EXPECT_THAT(side_data(in), HasSubstr("cubemap"));
  tags.spherical = SphericalTag{.left = 0.6, .right = 0.4};
  EXPECT_THAT(error_of([&] { (void)media::write_video_tags(in, {}, tags); }),
              HasSubstr("leave nothing"));
}

TEST_F(VideoTagging, ReadsWhatItWrote) {
  const auto in = clip("in.mp4");
  (void)media::write_video_tags(in, {}, vr180(StereoTag::kTopBottom));
  const media::VideoInfo info = media::VideoReader(in).info();
  EXPECT_EQ(info.spherical, vr180().spherical);
  EXPECT_EQ(info.stereo, StereoTag::kTopBottom);
  const auto facts = media::read_video_tags(in);
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->st3d, 1);
  EXPECT_EQ(facts->sv3d, vr180().spherical);
  EXPECT_EQ(facts->sv3d_tool, "Vergence");
  EXPECT_FALSE(facts->v1);
  (void)media::write_video_tags(in, {}, sphere(StereoTag::kSideBySide));
  EXPECT_EQ(media::read_video_tags(in)->v1->stereo_mode, "left-right");
  EXPECT_TRUE(media::read_video_tags(in)->v1->spherical);
}

TEST_F(VideoTagging, RemuxesMatroskaWithTheSamePictures) {
  for (const std::string name : {"in.mkv", "in.webm"}) {
    SCOPED_TRACE(name);
    const bool webm = name == "in.webm";
    ffmpeg(folder_.path(), moving_source(128, 64, 6) + " -f lavfi -i sine=duration=0.24 " +
                               (webm ? "-c:v libvpx -c:a libopus " : "-c:v libx264 -c:a aac ") +
                               "-metadata title=Walk -metadata:s:v stereo_mode=top_bottom " + name);
    const auto in = folder_ / name;
    const std::string hashes = frame_hashes(in);
    EXPECT_FALSE(media::write_video_tags(in, {}, vr180()).in_place);
    EXPECT_EQ(frame_hashes(in), hashes);
    EXPECT_THAT(side_data(in), HasSubstr("side by side"));
    EXPECT_THAT(side_data(in), HasSubstr("tiled equirectangular"));
    EXPECT_EQ(media::VideoReader(in).info().spherical, vr180().spherical);
    const auto tags = run_process({"/usr/bin/ffprobe", "-v", "error", "-show_entries",
                                   "format_tags=title:stream_tags=stereo_mode", in.string()});
    EXPECT_THAT(tags.output, HasSubstr("TAG:title=Walk"));
    EXPECT_THAT(tags.output, HasSubstr("stereo_mode=left_right"));
    (void)media::write_video_tags(in, {}, {});
    EXPECT_THAT(side_data(in), Not(HasSubstr("spherical")));
    EXPECT_THAT(side_data(in), Not(HasSubstr("stereo")));
    EXPECT_EQ(frame_hashes(in), hashes);
  }
}

TEST_F(VideoTagging, MovesBetweenContainers) {
  const auto mp4 = clip("in.mp4");
  (void)media::write_video_tags(mp4, folder_ / "out.mkv", vr180());
  EXPECT_THAT(side_data(folder_ / "out.mkv"), HasSubstr("tiled equirectangular"));
  (void)media::write_video_tags(folder_ / "out.mkv", folder_ / "back.mp4", sphere());
  EXPECT_EQ(box_hex(folder_ / "back.mp4", kEntries + "avc1/sv3d/proj/equi"), kNoBounds);
  EXPECT_EQ(top_boxes(folder_ / "back.mp4")[1], "moov");
  EXPECT_TRUE(samples_of(folder_ / "back.mp4") == samples_of(mp4));
  ffmpeg(folder_.path(), moving_source(128, 64, 3) + " -c:v mpeg4 in.avi");
  EXPECT_THAT(error_of([&] { (void)media::write_video_tags(folder_ / "in.avi", {}, vr180()); }),
              HasSubstr("-o"));
}

TEST_F(VideoTagging, RefusesWhatItCannotTagAndLeavesItAlone) {
  const auto refused = [&](const fs::path& file, const std::string& words) {
    SCOPED_TRACE(file);
    const std::string before = read_file(file);
    EXPECT_THAT(error_of([&] { (void)media::write_video_tags(file, {}, vr180()); }),
                HasSubstr(words));
    EXPECT_TRUE(read_file(file) == before);
  };
  refused(clip("frag.mp4", "-c:v libx264 -movflags frag_keyframe+empty_moov"), "fragmented");
  ffmpeg(folder_.path(), moving_source(128, 64, 3) +
                             " -map 0:v -map 0:v -disposition:v default -c:v libx264 two.mp4");
  refused(folder_ / "two.mp4", "2 video tracks");
  ffmpeg(folder_.path(), "-f lavfi -i sine=duration=0.2 sound.mp4");
  refused(folder_ / "sound.mp4", "no video track");
  save_bytes(folder_ / "text.mp4", std::vector<std::uint8_t>(100, 'a'));
  refused(folder_ / "text.mp4", "text.mp4");
  EXPECT_THAT(error_of([&] { (void)media::write_video_tags(folder_ / "no.mp4", {}, vr180()); }),
              HasSubstr("no such file"));
  EXPECT_THAT(error_of([&] { (void)media::write_video_tags(folder_.path(), {}, vr180()); }),
              HasSubstr("folder"));
  EXPECT_THAT(names_in(folder_.path()), Not(::testing::Contains(HasSubstr(".part"))));
}

TEST_F(VideoTagging, LeavesAloneWhatDecryptsAFilm) {
  for (const std::string place : {"", " -movflags +faststart"}) {
    const auto in = clip("in.mp4",
                         "-c:v libx264 -encryption_scheme cenc-aes-ctr -encryption_key "
                         "00112233445566778899aabbccddeeff -encryption_kid "
                         "112233445566778899aabbccddeeff00" +
                             place);
    const std::string before = read_file(in);
    EXPECT_TRUE(media::read_video_tags(in)->encrypted);
    EXPECT_THAT(error_of([&] { (void)media::write_video_tags(in, {}, vr180()); }),
                HasSubstr("encrypted"));
    EXPECT_TRUE(read_file(in) == before);
  }
}

TEST_F(VideoTagging, LeavesEyesInLayersAlone) {
  VERGENCE_REQUIRE_SHARED();
  const auto in = folder_ / "spatial.mp4";
  write_file(in, read_file(shared_dir() / "video/apple_spatial_mvhevc_160x120.mp4"));
  const std::string before = read_file(in);
  EXPECT_THAT(error_of([&] { (void)media::write_video_tags(in, {}, vr180()); }),
              HasSubstr("MV-HEVC"));
  EXPECT_TRUE(read_file(in) == before);
  const auto facts = media::read_video_tags(in);
  EXPECT_TRUE(facts->eyes_in_layers);
  EXPECT_NEAR(facts->apple->hfov_deg, 63.4, 1e-9);
}

TEST_F(VideoTagging, ReadsTheFilesOfOtherTools) {
  VERGENCE_REQUIRE_SHARED();
  const fs::path folder = shared_dir() / "video/generated";
  EXPECT_TRUE(media::read_video_tags(folder / "v1.mp4")->v1->spherical);
  EXPECT_EQ(media::read_video_tags(folder / "v2.mp4")->st3d, 2);
  EXPECT_EQ(media::VideoReader(folder / "yaw.mp4").info().spherical->yaw_deg, 90);
  EXPECT_EQ(media::VideoReader(folder / "cube.mp4").info().spherical->projection,
            SphericalTag::Projection::kCubemap);
  EXPECT_TRUE(media::VideoReader(folder / "v1.mp4").info().spherical);
  const auto combined = media::read_video_tags(folder / "combo_v1_v2_vexu_hevc.mp4");
  EXPECT_EQ(combined->apple->projection, "hequ");
  EXPECT_EQ(combined->apple->packing, "side");
  EXPECT_EQ(media::VideoReader(folder / "vr180.mkv").info().spherical->left, 0.25);
  EXPECT_FALSE(media::VideoReader(folder / "flatsbs.mp4").info().spherical);
}

TEST_F(VideoTagging, FollowsLinksAndHonoursWhatIsReadOnly) {
  const auto in = front("in.mp4");
  fs::create_symlink("in.mp4", folder_ / "link.mp4");
  (void)media::write_video_tags(folder_ / "link.mp4", {}, vr180());
  EXPECT_TRUE(fs::is_symlink(folder_ / "link.mp4"));
  EXPECT_TRUE(box_hex(in, kEntries + "avc1/st3d"));
  fs::create_hard_link(in, folder_ / "other.mp4");
  const auto outcome = media::write_video_tags(in, {}, sphere(StereoTag::kTopBottom));
  EXPECT_THAT(outcome.warnings, ElementsAre(HasSubstr("hard links")));
  ASSERT_EQ(::chmod(in.c_str(), 0444), 0);
  const std::string before = read_file(in);
  EXPECT_THAT(error_of([&] { (void)media::write_video_tags(in, {}, vr180()); }),
              HasSubstr("read-only"));
  EXPECT_TRUE(read_file(in) == before);
  (void)media::write_video_tags(in, folder_ / "new.mp4", vr180());
  EXPECT_TRUE(box_hex(folder_ / "new.mp4", kEntries + "avc1/sv3d"));
  ASSERT_EQ(::chmod((folder_ / "other.mp4").c_str(), 0640), 0);
  (void)media::write_video_tags(folder_ / "other.mp4", {}, {});
  EXPECT_EQ(fs::status(folder_ / "other.mp4").permissions(), fs::perms(0640));
}

// Files may grow to `limit` bytes while this lives, as on a full disk.
class FullDisk {
 public:
  explicit FullDisk(std::uintmax_t limit) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit tight{static_cast<rlim_t>(limit), before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &tight);
  }

  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    (void)std::signal(SIGXFSZ, handler_);
  }

  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST_F(VideoTagging, LeavesTheFileAsItWasWhereTheDiskIsFull) {
  for (const auto& in : {clip("end.mp4"), front("front.mp4")}) {
    const std::string before = read_file(in);
    {
      const FullDisk full(before.size() + 10);
      EXPECT_THAT(error_of([&] { (void)media::write_video_tags(in, {}, vr180()); }),
                  HasSubstr("cannot write"));
    }
    EXPECT_TRUE(read_file(in) == before) << in;
    EXPECT_EQ(names_in(folder_.path()).size(), 2U);
  }
}

// --- Files of our own making ------------------------------------------------------------------

// The index of a film of one track whose chunks lie at these places; `wide`: by co64.
std::string film_index(const std::vector<std::uint64_t>& places, std::uint32_t sample_size,
                       bool wide = false) {
  std::string chunks = be32(0) + be32(places.size());
  for (const auto place : places) chunks += wide ? be64(place) : be32(place);
  std::string entry(78, '\0');
  entry.replace(6, 2, be16(1));
  entry.replace(24, 4, be16(128) + be16(64));
  const std::string table =
      box("stsd", be32(0) + be32(1) + box("avc1", entry + box("avcC", "1234"))) +
      box("stts", be32(0) + be32(1) + be32(places.size()) + be32(1)) +
      box("stsc", be32(0) + be32(1) + be32(1) + be32(1) + be32(1)) +
      box("stsz", be32(0) + be32(sample_size) + be32(places.size())) +
      box(wide ? "co64" : "stco", chunks);
  const std::string self = box("dref", be32(0) + be32(1) + box("url ", be32(1)));
  const std::string handler = box("hdlr", be32(0) + be32(0) + "vide" + std::string(13, '\0'));
  return box(
      "moov",
      box("trak", box("mdia", handler + box("minf", box("dinf", self) + box("stbl", table)))));
}

const std::string kFileType = box("ftyp", "isom" + be32(0) + "isom");

void write_at(const fs::path& file, std::uint64_t offset, const std::string& data) {
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT, 0644);
  ASSERT_EQ(::pwrite(descriptor, data.data(), data.size(), static_cast<off_t>(offset)),
            static_cast<ssize_t>(data.size()));
  ::close(descriptor);
}

std::string read_at(const fs::path& file, std::uint64_t offset, std::size_t size) {
  std::string data(size, '\0');
  const int descriptor = ::open(file.c_str(), O_RDONLY);
  EXPECT_EQ(::pread(descriptor, data.data(), size, static_cast<off_t>(offset)),
            static_cast<ssize_t>(size));
  ::close(descriptor);
  return data;
}

TEST_F(VideoTagging, WidensTheTablesOfFilmsBeyondFourGigabytes) {
  const auto in = folder_ / "large.mp4";
  constexpr std::uint64_t kMedia = 0x1'4000'0000;  // 5 GiB, of holes
  const std::uint64_t last = 0xffff'fff0;          // its place no longer fits when it moves
  const std::string index = film_index({0, 0}, 4);
  const std::uint64_t begin = kFileType.size() + index.size();
  write_at(in, 0, kFileType + film_index({begin + 16, last}, 4) + be32(1) + "mdat" + be64(kMedia));
  write_at(in, begin + 16, "AAAA");
  write_at(in, last, "ZZZZ");
  fs::resize_file(in, begin + kMedia);
  const auto outcome = media::write_video_tags(in, {}, vr180());
  EXPECT_FALSE(outcome.in_place);

  // The index is small: it is found and read by itself.
  const std::string head = read_at(in, 0, 2000);
  const auto table = head.find("co64");
  ASSERT_NE(table, std::string::npos);
  EXPECT_EQ(head.find("stco"), std::string::npos);
  const auto place = [&](std::size_t i) {
    std::uint64_t value = 0;
    for (std::size_t k = 0; k < 8; ++k) {
      value = value << 8 | static_cast<unsigned char>(head[table + 12 + 8 * i + k]);
    }
    return value;
  };
  EXPECT_EQ(read_at(in, place(0), 4), "AAAA");
  EXPECT_EQ(read_at(in, place(1), 4), "ZZZZ");
  EXPECT_GT(place(1), 0xffff'ffffU);
  EXPECT_EQ(fs::file_size(in) - (begin + kMedia), place(0) - (begin + 16));

  struct stat status {};

  ASSERT_EQ(::stat(in.c_str(), &status), 0);
  EXPECT_LT(status.st_blocks * 512, 64 << 20) << "holes were filled";
}

TEST_F(VideoTagging, LeavesPlacesInOtherFilesAlone) {
  std::string index = film_index({5000}, 4);
  const auto flag = index.find("url ") + 7;
  index[flag] = 0;  // the media are elsewhere
  const auto in = folder_ / "reference.mov";
  write_at(in, 0, kFileType + index + box("mdat", "abcd"));
  (void)media::write_video_tags(in, folder_ / "out.mov", vr180());
  const std::string out = read_file(folder_ / "out.mov");
  EXPECT_THAT(out, HasSubstr("stco" + be32(0) + be32(1) + be32(5000)));
  EXPECT_THAT(out, HasSubstr("st3d"));
}

TEST_F(VideoTagging, KnowsMediaThatReachToTheEnd) {
  const std::string index = film_index({0}, 4);
  const auto in = folder_ / "open.mp4";
  const std::string head = kFileType + film_index({kFileType.size() + index.size() + 8}, 4);
  write_at(in, 0, head + be32(0) + "mdat" + "abcd");
  EXPECT_FALSE(media::write_video_tags(in, {}, vr180()).in_place);
  EXPECT_EQ(samples_of(in), "abcd");
  EXPECT_THAT(top_boxes(in), ElementsAre("ftyp", "moov", "mdat"));
}

TEST_F(VideoTagging, KeepsBytesBehindTheLastBox) {
  const std::string index = film_index({0}, 4);
  const auto in = folder_ / "camera.insv";
  const std::string media = kFileType + box("mdat", "abcd");
  write_at(in, 0, media + film_index({kFileType.size() + 8}, 4) + "\xff\xff\xff\xff trailer");
  EXPECT_FALSE(media::write_video_tags(in, {}, vr180()).in_place);
  const std::string out = read_file(in);
  EXPECT_TRUE(out.ends_with("\xff\xff\xff\xff trailer"));
  EXPECT_THAT(out, HasSubstr("st3d"));
  EXPECT_EQ(out.substr(0, media.size()), media);
}

TEST_F(VideoTagging, RefusesAnIndexThatPointsAtItself) {
  const auto in = folder_ / "loop.mp4";
  write_at(in, 0, kFileType + film_index({kFileType.size() + 20}, 4) + box("mdat", "abcd"));
  EXPECT_THAT(error_of([&] { (void)media::write_video_tags(in, folder_ / "out.mp4", vr180()); }),
              HasSubstr("damaged"));
  EXPECT_FALSE(fs::exists(folder_ / "out.mp4"));
}

// Damage of all kinds: whatever happens, the original stays as it is unless the change was made
// whole.
TEST_F(VideoTagging, SurvivesDamagedFiles) {
  const std::vector<std::string> seeds = {read_file(clip("a.mp4")), read_file(front("b.mp4")),
                                          kFileType + film_index({1000}, 4) + box("mdat", "abcd")};
  std::mt19937 random(7);
  int num_done = 0;
  for (int round = 0; round < 300; ++round) {
    std::string bytes = seeds[static_cast<std::size_t>(round) % seeds.size()];
    const std::size_t index = bytes.find("moov");
    for (auto count = random() % 8; count > 0; --count) {
      // Mostly in the index, where damage matters.
      const std::size_t at = random() % 4 == 0 ? random() % bytes.size()
                                               : index - 4 + random() % (bytes.size() - index + 4);
      bytes[at] = static_cast<char>(random() % 3 == 0 ? 0xff : random() % 3 == 0 ? 0 : random());
    }
    if (random() % 4 == 0) bytes.resize(random() % bytes.size());
    const auto in = folder_ / "damaged.mp4";
    write_file(in, bytes);
    (void)error_of([&] { (void)media::write_video_tags(in, folder_ / "out.mp4", vr180()); });
    EXPECT_TRUE(read_file(in) == bytes);
    const std::string said = error_of([&] { (void)media::write_video_tags(in, {}, sphere()); });
    if (!said.empty()) {
      EXPECT_TRUE(read_file(in) == bytes) << said;
    } else {
      ++num_done;
      EXPECT_FALSE(read_file(in) == bytes);
    }
    (void)error_of([&] { (void)media::read_video_tags(in); });
  }
  EXPECT_GT(num_done, 50);
}

TEST_F(VideoTagging, ReplacesNoMatroskaOfWhichSomethingWouldBeLost) {
  ffmpeg(folder_.path(), moving_source(64, 32, 4) + " -c:v libx264 in.mkv");
  std::string damaged = read_file(folder_ / "in.mkv");
  // The cluster's identifier (RFC 9559, 5.1.3).
  const auto cluster = damaged.find("\x1F\x43\xB6\x75");
  ASSERT_NE(cluster, std::string::npos);
  damaged.replace(cluster, 64, std::string(64, '\0'));
  write_file(folder_ / "in.mkv", damaged);
  EXPECT_THROW((void)media::write_video_tags(folder_ / "in.mkv", {}, vr180()), Error);
  EXPECT_EQ(read_file(folder_ / "in.mkv"), damaged);
}

TEST_F(VideoTagging, SurvivesDamagedMatroska) {
  ffmpeg(folder_.path(), moving_source(64, 32, 4) + " -c:v libx264 seed.mkv");
  const std::string seed = read_file(folder_ / "seed.mkv");
  std::mt19937 random(5);
  for (int round = 0; round < 60; ++round) {
    std::string bytes = seed;
    for (auto count = 1 + random() % 8; count > 0; --count) {
      bytes[random() % std::min<std::size_t>(bytes.size(), 900)] = static_cast<char>(random());
    }
    if (random() % 3 == 0) bytes.resize(random() % bytes.size());
    const auto in = folder_ / "damaged.mkv";
    write_file(in, bytes);
    const std::string said = error_of([&] { (void)media::write_video_tags(in, {}, vr180()); });
    EXPECT_EQ(read_file(in) == bytes, !said.empty()) << said;
  }
}

}  // namespace
}  // namespace vergence::test
