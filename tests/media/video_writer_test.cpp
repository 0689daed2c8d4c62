// SPDX-License-Identifier: Apache-2.0
#include "media/video_writer.hpp"

#include "core/error.hpp"
#include "media/codecs.hpp"
#include "media/frame_packing.hpp"
#include "tests/media/fixtures.hpp"
#include "tests/media/video_fixtures.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/paths.hpp"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::test {
namespace {

using media::EncodeOptions;
using media::SegmentWriter;
using media::StereoTag;
using media::VideoFormat;
using media::VideoFrame;
using ::testing::Each;
using ::testing::HasSubstr;

VideoFormat format_of(cv::Size size, int bits = 8) {
  VideoFormat format;
  format.size = size;
  format.time_base = {1, 90000};
  format.frame_rate = {30, 1};
  format.bit_depth = bits;
  format.color = {.primaries = "bt709",
                  .transfer = "bt709",
                  .matrix = "bt709",
                  .full_range = false,
                  .chroma_location = "left"};
  return format;
}

EncodeOptions codec(const std::string& name) {
  EncodeOptions options;
  options.codec = name;
  if (name == "libx264" || name == "libx265") options.preset = "veryfast";
  if (name == "libsvtav1") options.preset = "12";
  return options;
}

// A smooth picture that moves with `step`.
cv::Mat picture(cv::Size size, int type, int step) {
  cv::Mat result(size, type);
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width * result.channels(); ++x) {
      const int value = (3 * x + 2 * y + 5 * step) % 256;
      if (result.depth() == CV_8U) {
        result.ptr<std::uint8_t>(y)[x] = static_cast<std::uint8_t>(value);
      } else {
        result.ptr<std::uint16_t>(y)[x] = static_cast<std::uint16_t>(value * 257);
      }
    }
  }
  return result;
}

// Unequal times, as phones write them.
std::vector<std::int64_t> unequal_times(int count, std::int64_t first) {
  std::vector<std::int64_t> times;
  for (int i = 0; i < count; ++i) {
    times.push_back(first);
    first += i % 3 == 0 ? 2999 : i % 3 == 1 ? 1501 : 4333;
  }
  return times;
}

void write_segment(const std::filesystem::path& path, const VideoFormat& format,
                   const EncodeOptions& options, const std::vector<std::int64_t>& times) {
  SegmentWriter writer(path, format, options);
  const int type = format.bit_depth > 8 ? CV_16UC3 : CV_8UC3;
  for (std::size_t i = 0; i < times.size(); ++i) {
    VideoFrame frame;
    frame.picture = picture(format.size, type, static_cast<int>(i));
    frame.pts = times[i];
    frame.duration = i + 1 < times.size() ? times[i + 1] - times[i] : 3000;
    writer.write(frame);
  }
  writer.finish();
}

void write_picture(const std::filesystem::path& path, const VideoFormat& format,
                   const EncodeOptions& options, const cv::Mat& content) {
  SegmentWriter writer(path, format, options);
  VideoFrame frame;
  frame.picture = content;
  writer.write(frame);
  writer.finish();
}

cv::Mat first_picture(const std::filesystem::path& path, bool grey = false) {
  media::VideoReadOptions options;
  options.grey = grey;
  return read_video(path, options).at(0).picture;
}

std::string usage_error(const VideoFormat& format, const EncodeOptions& options) {
  const TemporaryFolder folder;
  try {
    const SegmentWriter writer(folder / "s.nut", format, options);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage) << error.what();
    return error.what();
  }
  return "";
}

class EveryCodec : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryCodec, KeepsUnequalTimesFromAnyBeginning) {
  const TemporaryFolder folder;
  const VideoFormat format = format_of({128, 64});
  for (const std::int64_t first : {std::int64_t{0}, std::int64_t{90'000'000'000}}) {
    const auto times = unequal_times(20, first);
    write_segment(folder / "s.nut", format, codec(GetParam()), times);
    std::vector<std::int64_t> shown;
    for (const VideoFrame& frame : read_video(folder / "s.nut")) shown.push_back(frame.pts);
    // The container may count in a finer unit.
    ASSERT_EQ(shown.size(), times.size());
    const std::int64_t unit = first == 0 ? shown[1] / times[1] : shown[0] / times[0];
    for (std::size_t i = 0; i < times.size(); ++i) EXPECT_EQ(shown[i], times[i] * unit) << i;
  }
}

TEST_P(EveryCodec, GivesTheSameBytesForTheSameFrames) {
  const TemporaryFolder folder;
  const auto times = unequal_times(12, 0);
  write_segment(folder / "a.nut", format_of({128, 64}), codec(GetParam()), times);
  write_segment(folder / "b.nut", format_of({128, 64}), codec(GetParam()), times);
  EXPECT_EQ(bytes_of(folder / "a.nut"), bytes_of(folder / "b.nut"));
}

TEST_P(EveryCodec, CanBeGivenUp) {
  const TemporaryFolder folder;
  { const SegmentWriter unused(folder / "a.nut", format_of({128, 64}), codec(GetParam())); }
  SegmentWriter writer(folder / "b.nut", format_of({128, 64}), codec(GetParam()));
  VideoFrame frame;
  frame.picture = picture({128, 64}, CV_8UC3, 0);
  writer.write(frame);
}

TEST_P(EveryCodec, TagsColours) {
  const TemporaryFolder folder;
  if (GetParam() == "ffv1") return;  // only the whole file's container says it
  write_segment(folder / "s.nut", format_of({128, 64}, 8), codec(GetParam()), {0, 3000});
  const std::string entries = "frame=color_range,color_space";
  // Ut Video says its matrix and ProRes its limited range by being what they are.
  EXPECT_THAT(ffprobe(folder / "s.nut", entries),
              Each(::testing::AnyOf("tv,bt709", "unknown,bt709")));
}

INSTANTIATE_TEST_SUITE_P(VideoWriter, EveryCodec,
                         ::testing::Values("libx264", "libx265", "libsvtav1", "prores_ks", "ffv1",
                                           "utvideo"),
                         [](const auto& codec_name) { return codec_name.param; });

TEST(VideoWriter, PureColoursStayWithinOneLevel) {
  const TemporaryFolder folder;
  cv::Mat patches(64, 128, CV_8UC3);
  const std::vector<cv::Scalar> colors = {{255, 0, 0},     {0, 255, 0}, {0, 0, 255},
                                          {128, 128, 128}, {0, 0, 0},   {255, 255, 255}};
  for (std::size_t i = 0; i < colors.size(); ++i) {
    patches(cv::Rect(static_cast<int>(i) * 20, 0, 28, 64)) = colors[i];
  }
  for (const std::string matrix : {"bt709", "smpte170m", "bt2020nc"}) {
    for (const bool full : {false, true}) {
      VideoFormat format = format_of(patches.size());
      format.color.matrix = matrix;
      format.color.full_range = full;
      EncodeOptions options = codec("ffv1");
      options.pixel_format = "yuv420p";
      write_picture(folder / "s.nut", format, options, patches);
      // A segment of FFV1 has no tags; the whole file's container has.
      media::VideoReadOptions told;
      told.matrix = matrix;
      told.full_range = full;
      const cv::Mat back = read_video(folder / "s.nut", told).at(0).picture;
      for (std::size_t i = 0; i < colors.size(); ++i) {
        const cv::Rect middle(static_cast<int>(i) * 20 + 4, 8, 8, 48);
        EXPECT_LE(largest_difference(back(middle), patches(middle)), 1.0)
            << matrix << full << " colour " << i;
      }
    }
  }
}

TEST(VideoWriter, DepthVideosAreExact) {
  const TemporaryFolder folder;
  for (const int type : {CV_8UC1, CV_16UC1}) {
    VideoFormat format = format_of({97, 61}, type == CV_8UC1 ? 8 : 16);
    format.grey = true;
    cv::Mat depth(61, 97, type);
    cv::randu(depth, 0, type == CV_8UC1 ? 256 : 65536);
    write_picture(folder / "d.nut", format, codec("ffv1"), depth);
    EXPECT_EQ(ffprobe(folder / "d.nut", "stream=pix_fmt").at(0),
              type == CV_8UC1 ? "gray" : "gray16le");
    const cv::Mat back = first_picture(folder / "d.nut", true);
    ASSERT_EQ(back.type(), type);
    EXPECT_EQ(largest_difference(back, depth), 0.0);
  }
}

TEST(VideoWriter, OddSizesGrowByARepeatedLineWhereTheCodecNeedsIt) {
  const TemporaryFolder folder;
  const cv::Mat content = picture({99, 67}, CV_8UC3, 0);
  write_picture(folder / "s.nut", format_of(content.size()), codec("libx264"), content);
  const cv::Mat back = first_picture(folder / "s.nut");
  ASSERT_EQ(back.size(), cv::Size(100, 68));
  EXPECT_LE(largest_difference(back.row(66), back.row(67)), 40.0);
  write_picture(folder / "t.nut", format_of(content.size()), codec("ffv1"), content);
  EXPECT_EQ(first_picture(folder / "t.nut").size(), content.size());
  EncodeOptions fine = codec("libx264");
  fine.pixel_format = "yuv444p";
  write_picture(folder / "u.nut", format_of(content.size()), fine, content);
  EXPECT_EQ(first_picture(folder / "u.nut").size(), content.size());
}

TEST(VideoWriter, PixelFormatsFollowDepthAndTheEditor) {
  const auto chosen = [](const std::string& name, int bits, const std::string& input) {
    VideoFormat format = format_of({64, 64}, bits);
    format.input_pixel_format = input;
    return media::chosen_pixel_format(format, codec(name));
  };
  EXPECT_EQ(chosen("libx264", 8, "yuv444p"), "yuv420p");
  EXPECT_EQ(chosen("libx264", 10, ""), "yuv420p10le");
  EXPECT_EQ(chosen("libx264", 12, ""), "yuv420p10le");
  EXPECT_EQ(chosen("libx265", 12, ""), "yuv420p12le");
  EXPECT_EQ(chosen("libsvtav1", 10, ""), "yuv420p10le");
  EXPECT_EQ(chosen("prores_ks", 8, "yuv420p"), "yuv422p10le");
  EXPECT_EQ(chosen("prores_ks", 10, "yuv444p10le"), "yuv444p10le");
  EXPECT_EQ(chosen("ffv1", 10, "yuv422p10le"), "yuv422p10le");
  EXPECT_EQ(chosen("ffv1", 8, "gbrp"), "bgr0");
  EXPECT_EQ(chosen("utvideo", 8, "yuv444p"), "yuv444p");
}

TEST(VideoWriter, UnknownWordsAreRefusedWithWhatThereIs) {
  const VideoFormat format = format_of({64, 64});
  const auto error = [&](const std::function<void(EncodeOptions&)>& change) {
    EncodeOptions options = codec("libx264");
    change(options);
    return usage_error(format, options);
  };
  EXPECT_THAT(error([](auto& o) { o.codec = "divx"; }), HasSubstr("'libx264', 'libx265'"));
  EXPECT_THAT(error([](auto& o) { o.preset = "quick"; }), HasSubstr("'veryfast'"));
  EXPECT_THAT(error([](auto& o) { o.tune = "film,movie"; }), HasSubstr("'movie'"));
  EXPECT_THAT(error([](auto& o) { o.profile = "best"; }), HasSubstr("'high10'"));
  EXPECT_THAT(error([](auto& o) { o.pixel_format = "yuv9"; }), HasSubstr("'yuv420p'"));
  EXPECT_THAT(error([](auto& o) { o.crf = 70; }), HasSubstr("from 0 to 51"));
  EXPECT_THAT(error([](auto& o) { o.extra["aq-mod"] = "1"; }), HasSubstr("'aq-mode'"));
  EXPECT_THAT(error([](auto& o) {
                o.codec = "ffv1";
                o.crf = 20;
                o.preset = "";
              }),
              HasSubstr("lossless"));
}

TEST(VideoWriter, MissingHardwareIsAnError) {
  if (std::filesystem::exists("/dev/nvidia0")) GTEST_SKIP() << "there is such hardware";
  const auto names = media::codec_names();
  if (std::find(names.begin(), names.end(), "h264_nvenc") == names.end()) {
    GTEST_SKIP() << "this FFmpeg knows no such encoder";
  }
  const TemporaryFolder folder;
  EXPECT_THAT(
      error_of([&] {
        const SegmentWriter writer(folder / "s.nut", format_of({256, 256}), codec("h264_nvenc"));
      }),
      HasSubstr("'h264_nvenc' cannot be opened"));
}

TEST(VideoWriter, AFullDiskIsNoticed) {
  const std::string error = error_of([] {
    write_segment("/dev/full", format_of({640, 360}), codec("ffv1"), unequal_times(30, 0));
  });
  EXPECT_THAT(error, HasSubstr("cannot write '/dev/full'"));
  EXPECT_THAT(error, HasSubstr("o space left on device"));
}

TEST(VideoWriter, RefusesFramesThatDoNotFit) {
  const TemporaryFolder folder;
  SegmentWriter writer(folder / "s.nut", format_of({64, 64}), codec("ffv1"));
  VideoFrame frame;
  frame.picture = picture({32, 64}, CV_8UC3, 0);
  EXPECT_THROW(writer.write(frame), std::invalid_argument);
  frame.picture = picture({64, 64}, CV_8UC3, 0);
  frame.pts = 5;
  writer.write(frame);
  EXPECT_THROW(writer.write(frame), std::invalid_argument);
}

TEST(VideoWriter, Hdr10StandsInTheBitstream) {
  const TemporaryFolder folder;
  VideoFormat format = format_of({128, 64}, 10);
  format.color = {.primaries = "bt2020",
                  .transfer = "smpte2084",
                  .matrix = "bt2020nc",
                  .full_range = false,
                  .chroma_location = "left"};
  format.hdr = test::hdr10();
  write_segment(folder / "s.nut", format, codec("libx265"), {0, 3000});
  const std::string said =
      run(fmt::format("ffprobe -v error -select_streams v -show_frames '{}' | grep -A20 Mastering",
                      (folder / "s.nut").string()));
  EXPECT_THAT(said, HasSubstr("red_x=34000/50000\nred_y=16000/50000\ngreen_x=13250/50000"));
  EXPECT_THAT(said, HasSubstr("max_luminance=10000000/10000"));
  EXPECT_THAT(said, HasSubstr("max_content=1000\nmax_average=400"));

  // FFmpeg's H.264 decoder does not show it: SEI type 137 of 24 bytes, green first.
  write_segment(folder / "s.nut", format, codec("libx264"), {0, 3000});
  const auto bytes = bytes_of(folder / "s.nut");
  const std::vector<std::uint8_t> message = {137, 24, 13250 >> 8, 13250 & 255, 34500 >> 8};
  EXPECT_NE(std::search(bytes.begin(), bytes.end(), message.begin(), message.end()), bytes.end());
}

TEST(VideoWriter, FramePackingStandsInTheBitstream) {
  const TemporaryFolder folder;
  for (const char* name : {"libx264", "libx265"}) {
    for (const auto& [tag, word] : {std::pair{StereoTag::kSideBySide, "side by side"},
                                    std::pair{StereoTag::kTopBottom, "top and bottom"}}) {
      for (const bool right_first : {false, true}) {
        VideoFormat format = format_of({128, 64});
        format.stereo = tag;
        format.right_first = right_first;
        EncodeOptions options = codec(name);
        options.keyframe_interval_s = 0.1;
        write_segment(folder / "s.nut", format, options, unequal_times(8, 0));
        const std::string count = run(fmt::format(
            "ffmpeg -nostdin -hide_banner -i '{}' -map 0:v -vf showinfo -f null - 2>&1 | "
            "grep -c 'stereoscopic information: type - {}{}' || true",
            (folder / "s.nut").string(), word, right_first ? " (inverted)" : "$"));
        // FFmpeg's H.264 decoder shows it with the key frames only.
        EXPECT_EQ(count, std::string(name) == "libx264" ? "3\n" : "8\n")
            << name << word << right_first;
      }
    }
  }
}

TEST(FramePacking, IsTheMessageOfTheStandard) {
  // Arrangement 3, left first, for the whole sequence.
  EXPECT_EQ(media::frame_packing_nal(StereoTag::kSideBySide, false, true),
            (std::vector<std::uint8_t>{0x4E, 0x01, 45, 6, 0x81, 0x81, 0, 0, 3, 0, 0x02, 0x80}));
  EXPECT_FALSE(media::frame_packing_nal(StereoTag::kNone, false, true).has_value());
  EXPECT_FALSE(media::frame_packing_nal(StereoTag::kCheckerboard, false, true).has_value());
}

}  // namespace
}  // namespace vergence::test
