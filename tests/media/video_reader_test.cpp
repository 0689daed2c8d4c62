// SPDX-License-Identifier: Apache-2.0
// Videos of every kind, made by FFmpeg's own program: the right pictures at the right times.
#include "media/video_reader.hpp"

#include "core/interrupt.hpp"
#include "media/picture.hpp"
#include "tests/media/fixtures.hpp"
#include "tests/media/video_fixtures.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/paths.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <set>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>
#include <unistd.h>

namespace vergence::media {
namespace {

using test::ffmpeg;
using test::ffprobe;
using test::moving_source;
using test::read_video;
using test::TemporaryFolder;
using ::testing::Values;

std::vector<std::int64_t> times_of(const std::vector<VideoFrame>& frames) {
  std::vector<std::int64_t> times;
  times.reserve(frames.size());
  for (const auto& frame : frames) times.push_back(frame.pts);
  return times;
}

std::vector<std::int64_t> times_by_ffprobe(const std::filesystem::path& file) {
  std::vector<std::int64_t> times;
  for (const auto& line : ffprobe(file, "frame=pts")) times.push_back(std::stoll(line));
  return times;
}

// --- Frames and times -------------------------------------------------------------------------

TEST(VideoReader, GivesEveryFrameAtItsTimeWithItsLuminance) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(), moving_source(160, 96, 30) + " -c:v libx264 -bf 3 -g 12 a.mp4");
  ffmpeg(folder.path(), "-i a.mp4 -f rawvideo -pix_fmt gray -vf extractplanes=y y.raw");
  VideoReadOptions options;
  options.grey = true;
  const auto frames = read_video(folder / "a.mp4", options);
  ASSERT_EQ(frames.size(), 30U);
  EXPECT_EQ(times_of(frames), times_by_ffprobe(folder / "a.mp4"));
  auto bytes = test::bytes_of(folder / "y.raw");
  ASSERT_EQ(bytes.size(), 30U * 160 * 96);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const cv::Mat truth(96, 160, CV_8UC1, bytes.data() + i * 160 * 96);
    EXPECT_EQ(test::largest_difference(frames[i].picture, truth), 0.0) << "frame " << i;
    EXPECT_EQ(frames[i].index, static_cast<std::int64_t>(i));
    EXPECT_EQ(frames[i].duration, 512);
  }
}

TEST(VideoReader, SaysWhatTheVideoIs) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(),
         "-f lavfi -i sine=duration=1 " + moving_source(160, 96, 25) +
             " -c:v libx264 -pix_fmt yuv422p10le -vf setsar=4/3 -colorspace bt709 -color_primaries "
             "bt709 -color_trc bt709 -color_range tv -c:a aac -metadata:s:a language=deu a.mkv");
  const VideoReader reader(folder / "a.mkv");
  const VideoInfo& info = reader.info();
  EXPECT_EQ(info.container, "matroska,webm");
  EXPECT_EQ(info.size, cv::Size(160, 96));
  EXPECT_EQ(info.pixel_aspect, (Rational{4, 3}));
  EXPECT_EQ(info.time_base, (Rational{1, 1000}));
  EXPECT_EQ(info.frame_rate, (Rational{25, 1}));
  EXPECT_NEAR(info.duration_s, 1.0, 0.05);
  EXPECT_NEAR(static_cast<double>(info.frame_count), 25.0, 1.0);
  EXPECT_EQ(info.codec, "h264");
  EXPECT_EQ(info.pixel_format, "yuv422p10le");
  EXPECT_EQ(info.bit_depth, 10);
  EXPECT_FALSE(info.interlaced);
  EXPECT_FALSE(info.stereo.has_value());
  EXPECT_EQ(info.color, (ColorTags{"bt709", "bt709", "bt709", false, "left"}));
  ASSERT_EQ(info.streams.size(), 2U);
  const auto& audio = info.streams[info.streams[0].kind == "audio" ? 0 : 1];
  EXPECT_EQ(audio.codec, "aac");
  EXPECT_EQ(audio.language, "deu");
}

TEST(VideoReader, KeepsTimesOfVariableFrameRate) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(), moving_source(64, 48, 20) +
                            " -vf 'settb=1/90000,setpts=N*3000+mod(N*N*137\\,1700)+7' -vsync "
                            "passthrough -enc_time_base 1/90000 -video_track_timescale 90000 "
                            "-c:v libx264 a.mp4");
  const auto frames = read_video(folder / "a.mp4");
  EXPECT_EQ(times_of(frames), times_by_ffprobe(folder / "a.mp4"));
  std::set<std::int64_t> steps;
  for (std::size_t i = 1; i < frames.size(); ++i) steps.insert(frames[i].pts - frames[i - 1].pts);
  EXPECT_GT(steps.size(), 5U);
}

TEST(VideoReader, MakesUpTimesOfAStreamWithoutThem) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(), moving_source(64, 48, 12) + " -c:v libx264 -bf 2 a.h264");
  ffmpeg(folder.path(), "-i a.h264 -f rawvideo -pix_fmt yuv420p a.raw");
  VideoReader reader(folder / "a.h264");
  std::vector<VideoFrame> frames;
  for (VideoFrame frame; reader.read(frame);) frames.push_back(frame);
  ASSERT_EQ(frames.size(), 12U);
  const double step = 1.0 / 25 / reader.info().time_base.value();
  for (std::size_t i = 1; i < frames.size(); ++i) {
    EXPECT_GT(frames[i].pts, frames[i - 1].pts);
  }
  EXPECT_NEAR(static_cast<double>(frames.back().pts - frames.front().pts), 11 * step, 1.5 * step);
  // Seeking in it means to count from the beginning.
  reader.seek(frames[7].pts, 7);
  VideoFrame frame;
  ASSERT_TRUE(reader.read(frame));
  EXPECT_EQ(frame.pts, frames[7].pts);
  EXPECT_EQ(test::largest_difference(frame.picture, frames[7].picture), 0.0);
}

TEST(VideoReader, ReadsFromStartToEnd) {
  const TemporaryFolder folder;
  // The file's clock does not begin at 0, as that of many recordings.
  ffmpeg(folder.path(),
         moving_source(64, 48, 50) + " -c:v libx264 -g 10 -bf 2 -output_ts_offset 7 a.ts");
  const auto all = read_video(folder / "a.ts");
  ASSERT_EQ(all.size(), 50U);
  VideoReadOptions options;
  options.start_s = 0.5;
  options.end_s = 1.2;
  VideoReader reader(folder / "a.ts", options);
  EXPECT_NEAR(reader.info().duration_s, 0.7, 1e-9);
  EXPECT_EQ(reader.info().start_pts, all[0].pts);
  std::vector<VideoFrame> part;
  for (VideoFrame frame; reader.read(frame);) part.push_back(frame);
  ASSERT_EQ(part.size(), 17U);  // 13 ... 29: 0.52 to 1.16 s
  EXPECT_EQ(part[0].pts, all[13].pts);
  EXPECT_EQ(part[0].index, 0);
  EXPECT_EQ(test::largest_difference(part[0].picture, all[13].picture), 0.0);
  EXPECT_EQ(part.back().pts, all[29].pts);

  options.start_s = 100.0;
  options.end_s.reset();
  EXPECT_TRUE(read_video(folder / "a.ts", options).empty());
}

TEST(VideoReader, ThinsFasterVideosAndLeavesOthersAlone) {
  const TemporaryFolder folder;
  // Matroska's milliseconds do not divide evenly: the choice must not jump.
  ffmpeg(folder.path(), moving_source(64, 48, 60, 60) + " -c:v libx264 a.mkv");
  VideoReadOptions options;
  options.max_fps = 30.0;
  const auto thinned = read_video(folder / "a.mkv", options);
  ASSERT_EQ(thinned.size(), 30U);
  const auto all = read_video(folder / "a.mkv");
  for (std::size_t i = 0; i < thinned.size(); ++i) {
    EXPECT_EQ(thinned[i].pts, all[2 * i].pts);
    EXPECT_EQ(thinned[i].duration, 0);
  }
  EXPECT_EQ(VideoReader(folder / "a.mkv", options).info().frame_rate, (Rational{30, 1}));
  options.max_fps = 60.0;
  EXPECT_EQ(read_video(folder / "a.mkv", options).size(), 60U);
  options.max_fps = 25.0;
  EXPECT_NEAR(static_cast<double>(read_video(folder / "a.mkv", options).size()), 25.0, 1.0);
}

TEST(VideoReader, ReadsKeyFramesOnly) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(),
         moving_source(64, 48, 100) + " -c:v libx264 -g 10 -keyint_min 10 -sc_threshold 0 a.mp4");
  const auto all = read_video(folder / "a.mp4");
  VideoReadOptions options;
  options.keyframes_only = true;
  options.keyframe_interval_s = 1.0;
  VideoReader reader(folder / "a.mp4", options);
  std::vector<VideoFrame> keys;
  for (VideoFrame frame; reader.read(frame);) keys.push_back(frame);
  ASSERT_EQ(keys.size(), 4U);  // at 0, 1.2, 2.4 and 3.6 s
  for (std::size_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ(keys[i].pts, all[30 * i].pts);
    EXPECT_EQ(test::largest_difference(keys[i].picture, all[30 * i].picture), 0.0);
  }
  reader.seek(keys[2].pts, 2);
  VideoFrame frame;
  ASSERT_TRUE(reader.read(frame));
  EXPECT_EQ(frame.pts, keys[2].pts);
}

TEST(VideoReader, WritesOverPicturesThatNobodyElseHolds) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(), moving_source(64, 48, 4) + " -c:v libx264 a.mp4");
  VideoReader reader(folder / "a.mp4");
  VideoFrame frame;
  ASSERT_TRUE(reader.read(frame));
  const auto* memory = frame.picture.data;
  ASSERT_TRUE(reader.read(frame));
  EXPECT_EQ(frame.picture.data, memory);
  const cv::Mat kept = frame.picture;
  const cv::Mat copy = kept.clone();
  ASSERT_TRUE(reader.read(frame));
  EXPECT_NE(frame.picture.data, memory);
  EXPECT_EQ(test::largest_difference(kept, copy), 0.0);
}

TEST(VideoReader, ReadsOneFrameAndOddSizes) {
  const TemporaryFolder folder;
  for (const auto& [width, height] : {std::pair{1, 1}, {3, 5}, {321, 241}, {2, 1}}) {
    ffmpeg(folder.path(),
           moving_source(64, 48, 1) +
               fmt::format(" -vf scale={}:{},format=yuv420p -c:v ffv1 a.mkv", width, height));
    const auto frames = read_video(folder / "a.mkv");
    ASSERT_EQ(frames.size(), 1U);
    EXPECT_EQ(frames[0].picture.size(), cv::Size(width, height));
  }
}

// --- Colour -----------------------------------------------------------------------------------

struct ColorCase {
  const char* name;
  const char* pixel_format;
  const char* matrix;  // FFmpeg's -colorspace; "" = not said
  bool full_range;
  double red;  // Kr and Kb of the truth
  double blue;
  int lines = 96;
};

class VideoColor : public ::testing::TestWithParam<ColorCase> {};

// Planes that hold a colour, by the formulas of ITU-T H.273 (8.3).
std::array<double, 3> coded(const cv::Vec3d& rgb, const ColorCase& param, int depth) {
  if (std::string_view(param.pixel_format).starts_with("gbr")) {
    const double peak = std::exp2(depth) - 1.0;
    return {std::round(rgb[0] * peak), std::round(rgb[1] * peak), std::round(rgb[2] * peak)};
  }
  const double y = param.red * rgb[0] + (1 - param.red - param.blue) * rgb[1] + param.blue * rgb[2];
  const double pb = 0.5 * (rgb[2] - y) / (1 - param.blue);
  const double pr = 0.5 * (rgb[0] - y) / (1 - param.red);
  const double step = std::exp2(depth - 8);
  const double peak = std::exp2(depth) - 1.0;
  const auto code = [&](double value, double offset, double range) {
    return std::clamp(std::round(value * (param.full_range ? peak : range * step) + offset * step),
                      0.0, peak);
  };
  return {code(y, param.full_range ? 0.0 : 16.0, 219.0), code(pb, 128.0, 224.0),
          code(pr, 128.0, 224.0)};
}

TEST_P(VideoColor, ShowsPurePatchesWithinOneLevel) {
  const auto& param = GetParam();
  const TemporaryFolder folder;
  const std::string format = param.pixel_format;
  const auto digits = format.find_first_of("0123456789", format.find('p'));
  const int depth = digits == std::string::npos ? 8 : std::stoi(format.substr(digits));
  for (const cv::Vec3d& color :
       {cv::Vec3d(1, 0, 0), cv::Vec3d(0, 1, 0), cv::Vec3d(0, 0, 1), cv::Vec3d(0.5, 0.5, 0.5),
        cv::Vec3d(1, 1, 1), cv::Vec3d(0, 0, 0)}) {
    const auto values = coded(color, param, depth);
    ffmpeg(folder.path(),
           fmt::format("-f lavfi -i color=black:size=66x{}:rate=5 -frames:v 1 -vf {} {} "
                       "-color_range {} -c:v ffv1 a.mkv",
                       param.lines, test::plane_values(format, values[0], values[1], values[2]),
                       *param.matrix == '\0' ? "" : fmt::format("-colorspace {}", param.matrix),
                       param.full_range ? "pc" : "tv"));
    const auto frames = read_video(folder / "a.mkv");
    ASSERT_EQ(frames.size(), 1U);
    const double peak = depth > 8 ? 65535.0 : 255.0;
    ASSERT_EQ(frames[0].picture.type(), depth > 8 ? CV_16UC3 : CV_8UC3);
    cv::Mat truth(frames[0].picture.size(), frames[0].picture.type(),
                  cv::Scalar(color[0] * peak, color[1] * peak, color[2] * peak));
    // The numbers of chroma have a coarser step than those of RGB.
    EXPECT_LE(test::largest_difference(frames[0].picture, truth), peak / 255.0)
        << cv::Mat(color).t();
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, VideoColor,
    Values(ColorCase{"Bt709", "yuv420p", "bt709", false, 0.2126, 0.0722},
           ColorCase{"Bt709Full", "yuv420p", "bt709", true, 0.2126, 0.0722},
           ColorCase{"Bt601", "yuv422p", "smpte170m", false, 0.299, 0.114},
           ColorCase{"UnknownSmall", "yuv444p", "", false, 0.299, 0.114},
           ColorCase{"UnknownLarge", "yuv420p", "", false, 0.2126, 0.0722, 720},
           ColorCase{"Bt2020Ten", "yuv420p10le", "bt2020nc", false, 0.2627, 0.0593},
           ColorCase{"Bt2020Twelve", "yuv444p12le", "bt2020nc", true, 0.2627, 0.0593},
           ColorCase{"Bt709Sixteen", "yuv422p16le", "bt709", false, 0.2126, 0.0722},
           ColorCase{"Smpte240", "yuv411p", "smpte240m", false, 0.212, 0.087},
           ColorCase{"Fcc", "yuv440p", "fcc", false, 0.30, 0.11},
           ColorCase{"Rgb", "gbrp", "", true, 0, 0},
           ColorCase{"RgbTen", "gbrp10le", "", true, 0, 0},
           ColorCase{"RgbSixteen", "gbrp16le", "", true, 0, 0}),
    [](const auto& test_case) { return test_case.param.name; });

TEST(VideoReader, AgreesWithFfmpegsCarefulConversion) {
  const TemporaryFolder folder;
  for (const char* format : {"yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuvj420p"}) {
    // A smooth picture: at hard chroma edges two interpolations may well differ.
    ffmpeg(folder.path(),
           fmt::format("-f lavfi -i gradients=size=320x200:x0=0:y0=0:x1=319:y1=199:c0=red:c1=blue:"
                       "c2=lime:nb_colors=3:seed=5 -frames:v 1 -vf "
                       "scale=out_color_matrix=bt709:sws_flags=accurate_rnd+bilinear,format={} "
                       "-colorspace bt709 -c:v ffv1 a.mkv",
                       format));
    const bool deep = std::string_view(format).ends_with("10le");
    ffmpeg(folder.path(),
           fmt::format("-i a.mkv -vf scale=in_color_matrix=bt709:in_h_chr_pos=0:in_v_chr_pos=128:"
                       "sws_flags=accurate_rnd+full_chroma_int+bilinear,format={} a.png",
                       deep ? "rgb48be" : "rgb24"));
    const auto frames = read_video(folder / "a.mkv");
    ASSERT_EQ(frames.size(), 1U);
    const cv::Mat theirs = read_picture(folder / "a.png").rgb;
    ASSERT_EQ(theirs.type(), frames[0].picture.type());
    EXPECT_LE(test::largest_difference(frames[0].picture, theirs), deep ? 3 * 257 : 3) << format;
    cv::Mat difference;
    cv::absdiff(frames[0].picture, theirs, difference);
    const cv::Scalar mean = cv::mean(difference);
    EXPECT_LT((mean[0] + mean[1] + mean[2]) / 3.0, deep ? 0.6 * 257 : 0.6) << format;
  }
}

TEST(VideoReader, BelievesTheCallerAboutMatrixAndRange) {
  const TemporaryFolder folder;
  // White in limited range; in full range it is a light grey.
  ffmpeg(folder.path(), "-f lavfi -i color=black:size=64x64 -frames:v 1 -vf " +
                            test::plane_values("yuv420p", 235, 128, 128) + " -c:v ffv1 a.mkv");
  VideoReadOptions options;
  EXPECT_EQ(read_video(folder / "a.mkv")[0].picture.at<cv::Vec3b>(9, 9), cv::Vec3b(255, 255, 255));
  options.full_range = true;
  options.matrix = "bt2020nc";
  EXPECT_EQ(read_video(folder / "a.mkv", options)[0].picture.at<cv::Vec3b>(9, 9),
            cv::Vec3b(235, 235, 235));
  EXPECT_EQ(VideoReader(folder / "a.mkv", options).info().color.matrix, "bt2020nc");
  options.matrix = "bt7o9";
  const auto error = test::error_of([&] { VideoReader(folder / "a.mkv", options); });
  EXPECT_NE(error.find("'bt7o9'"), std::string::npos) << error;
}

TEST(VideoReader, KeepsSixteenBitsOfGreyAsTheyAre) {
  const TemporaryFolder folder;
  cv::Mat depth(48, 80, CV_16UC1);
  cv::theRNG().state = 11;
  cv::randu(depth, 0, 65536);
  depth.at<ushort>(0, 0) = 0;
  depth.at<ushort>(0, 1) = 65535;
  write_picture(folder / "d.png", depth);
  ffmpeg(folder.path(), "-i d.png -pix_fmt gray16le -c:v ffv1 d.mkv");
  VideoReadOptions options;
  options.grey = true;
  const auto frames = read_video(folder / "d.mkv", options);
  ASSERT_EQ(frames.size(), 1U);
  ASSERT_EQ(frames[0].picture.type(), CV_16UC1);
  EXPECT_EQ(test::largest_difference(frames[0].picture, depth), 0.0);
  EXPECT_TRUE(VideoReader(folder / "d.mkv").info().grey);

  // As colour it is grey in all channels.
  const cv::Mat rgb = read_video(folder / "d.mkv")[0].picture;
  cv::Mat expected;
  cv::merge(std::vector<cv::Mat>{depth, depth, depth}, expected);
  EXPECT_EQ(test::largest_difference(rgb, expected), 0.0);

  // RGB videos have no plane of luminance, but grey ones have their grey.
  ffmpeg(folder.path(), "-i d.png -pix_fmt gbrp16le -c:v ffv1 rgb.mkv");
  EXPECT_EQ(test::largest_difference(read_video(folder / "rgb.mkv", options)[0].picture, depth),
            0.0);
}

TEST(VideoReader, ScalesTenBitsExactly) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(),
         "-f lavfi -i color=black:size=1024x4 -frames:v 1 -vf "
         "format=gray10le,geq=lum=X -c:v ffv1 a.mkv");
  const auto frames = read_video(folder / "a.mkv");
  for (int x = 0; x < 1024; ++x) {
    EXPECT_EQ(frames[0].picture.at<cv::Vec3w>(2, x)[1], std::lround(x * 65535.0 / 1023.0));
  }
}

struct InputCase {
  const char* name;
  const char* arguments;  // of ffmpeg behind its source
  const char* file;
  int tolerance;
};

// Half of the picture is a light orange, half a dark blue; exactly so.
constexpr const char* kTwoColors =
    "-f lavfi -i color=black:size=128x64:duration=0.08 -vf "
    "'format=gbrp,geq=r=if(lt(X\\,64)\\,240\\,16):"
    "g=if(lt(X\\,64)\\,160\\,48):b=if(lt(X\\,64)\\,32\\,128)";

// How far a picture is from that, in levels of 8 bits.
double distance_from_two_colors(cv::Mat picture) {
  if (picture.depth() == CV_16U) picture.convertTo(picture, CV_8U, 1.0 / 257.0);
  const cv::Mat left(1, 1, CV_8UC3, cv::Scalar(240, 160, 32));
  const cv::Mat right(1, 1, CV_8UC3, cv::Scalar(16, 48, 128));
  return std::max(test::largest_difference(picture(cv::Rect(20, 30, 1, 1)), left),
                  test::largest_difference(picture(cv::Rect(100, 30, 1, 1)), right));
}

class VideoKinds : public ::testing::TestWithParam<InputCase> {};

TEST_P(VideoKinds, ShowsTheColours) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(), fmt::format("{},{} {}", kTwoColors, GetParam().arguments, GetParam().file));
  const auto frames = read_video(folder / GetParam().file);
  ASSERT_FALSE(frames.empty());
  ASSERT_EQ(frames[0].picture.size(), cv::Size(128, 64));
  EXPECT_LE(distance_from_two_colors(frames[0].picture), GetParam().tolerance);
}

INSTANTIATE_TEST_SUITE_P(
    All, VideoKinds,
    Values(
        InputCase{"Palette",
                  "split[a][b];[a]palettegen[p];[b][p]paletteuse=dither=none' -frames:v 1 -c:v gif",
                  "a.gif", 0},
        InputCase{
            "PaletteRaw",
            "split[a][b];[a]palettegen[p];[b][p]paletteuse=dither=none' -frames:v 1 -c:v qtrle",
            "a.mov", 1},
        InputCase{"Rgb24", "format=bgr24' -frames:v 1 -c:v rawvideo", "a.avi", 0},
        InputCase{"Rgb48", "format=rgb48be' -frames:v 1 -c:v rawvideo", "a.nut", 1},
        InputCase{"Png", "format=rgba' -frames:v 1 -c:v png", "a.mov", 0},
        InputCase{"Jpeg",
                  "scale=out_color_matrix=smpte170m,format=yuvj444p' -frames:v 1 -q:v 1 -c:v mjpeg",
                  "a.avi", 3},
        InputCase{"V210",
                  "scale=out_color_matrix=smpte170m,format=yuv422p10le' -frames:v 1 -c:v v210",
                  "a.mov", 1},
        InputCase{"ProRes",
                  "scale=out_color_matrix=smpte170m,format=yuv444p10le' -frames:v 1 -c:v prores_ks "
                  "-colorspace smpte170m",
                  "a.mov", 2},
        InputCase{"Lossless", "format=gbrp' -frames:v 2 -c:v utvideo", "a.avi", 0},
        InputCase{"H264Rgb", "format=rgb24' -frames:v 2 -c:v libx264rgb -qp 0", "a.mkv", 0},
        InputCase{"Vp9",
                  "scale=out_color_matrix=smpte170m,format=yuv420p' -frames:v 2 -c:v libvpx-vp9",
                  "a.webm", 4},
        InputCase{"Av1",
                  "scale=out_color_matrix=smpte170m,format=yuv420p10le' -frames:v 2 -c:v "
                  "libsvtav1",
                  "a.mkv", 4}),
    [](const auto& test_case) { return test_case.param.name; });

struct FormatCase {
  const char* format;
  bool rgb;
  int tolerance;  // FFmpeg's own conversion included
};

class VideoFormats : public ::testing::TestWithParam<FormatCase> {};

TEST_P(VideoFormats, AreConvertedWithoutLoss) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(), fmt::format("{}' -frames:v 1 -c:v ffv1 a.mkv", kTwoColors));
  VideoReadOptions options;
  // A matrix is of use to Y'CbCr only.
  options.filter =
      fmt::format("scale={}flags=accurate_rnd+bilinear,format={}",
                  GetParam().rgb ? "" : "out_color_matrix=bt709:out_range=tv:", GetParam().format);
  options.matrix = "bt709";
  VideoReader reader(folder / "a.mkv", options);
  EXPECT_EQ(reader.info().pixel_format, GetParam().format);
  VideoFrame frame;
  ASSERT_TRUE(reader.read(frame));
  EXPECT_LE(distance_from_two_colors(frame.picture), GetParam().tolerance);
}

INSTANTIATE_TEST_SUITE_P(All, VideoFormats,
                         Values(FormatCase{"nv12", false, 3}, FormatCase{"nv21", false, 3},
                                FormatCase{"nv24", false, 3}, FormatCase{"p010le", false, 1},
                                FormatCase{"p016le", false, 1}, FormatCase{"yuyv422", false, 3},
                                FormatCase{"uyvy422", false, 3}, FormatCase{"yuv410p", false, 3},
                                FormatCase{"yuv422p14le", false, 1},
                                FormatCase{"yuv420p10be", false, 1}, FormatCase{"bgr0", true, 0},
                                FormatCase{"argb", true, 0}, FormatCase{"rgba64le", true, 1},
                                FormatCase{"bgr48be", true, 1}, FormatCase{"gbrp12be", true, 1},
                                FormatCase{"x2rgb10le", true, 4}, FormatCase{"rgb565le", true, 8}),
                         [](const auto& test_case) { return test_case.param.format; });

class VideoAlpha : public ::testing::TestWithParam<InputCase> {};

TEST_P(VideoAlpha, IsComposedOverBlack) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(),
         fmt::format("-f lavfi -i color=0xf0a020@0.5:size=64x64,format=rgba -frames:v 1 {} {}",
                     GetParam().arguments, GetParam().file));
  const VideoReader reader(folder / GetParam().file);
  EXPECT_TRUE(reader.info().alpha);
  cv::Mat picture = read_video(folder / GetParam().file)[0].picture;
  if (picture.depth() == CV_16U) picture.convertTo(picture, CV_8U, 1.0 / 257.0);
  // FFmpeg writes the opacity 0.5 as 127 or 128.
  const cv::Mat truth(1, 1, CV_8UC3, cv::Scalar(120, 80, 16));
  EXPECT_LE(test::largest_difference(picture(cv::Rect(30, 30, 1, 1)), truth), GetParam().tolerance);
}

INSTANTIATE_TEST_SUITE_P(
    All, VideoAlpha,
    Values(InputCase{"Png", "-c:v png", "a.mov", 1}, InputCase{"Argb", "-c:v qtrle", "a.mov", 1},
           InputCase{"Yuva", "-pix_fmt yuva420p -c:v ffv1", "a.mkv", 3},
           InputCase{"YuvaTen", "-pix_fmt yuva444p10le -c:v prores_ks", "a.mov", 3},
           InputCase{"Vp9", "-pix_fmt yuva420p -c:v libvpx-vp9 -lossless 1", "a.webm", 3}),
    [](const auto& test_case) { return test_case.param.name; });

// --- Which side is up -------------------------------------------------------------------------

// Writes a display matrix (a, b; c, d) into the track header of an MP4 file.
void set_matrix(const std::filesystem::path& file, const std::array<int, 4>& matrix) {
  auto bytes = test::bytes_of(file);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t header = text.find("tkhd");
  ASSERT_NE(header, std::string_view::npos);
  const std::size_t at = header + 4 + 40;  // version 0: ISO/IEC 14496-12, 8.3.2
  const std::array<int, 9> values = {matrix[0], matrix[1], 0, matrix[2], matrix[3], 0, 0, 0, 1};
  for (std::size_t i = 0; i < 9; ++i) {
    const int value = values.at(i) * (i % 3 == 2 ? 1 << 30 : 1 << 16);
    for (std::size_t byte = 0; byte < 4; ++byte) {
      bytes[at + 4 * i + byte] = static_cast<std::uint8_t>(value >> (24 - 8 * byte));
    }
  }
  test::save_bytes(file, bytes);
}

struct TurnCase {
  const char* name;
  std::array<int, 4> matrix;
  int rotation;
};

class VideoTurned : public ::testing::TestWithParam<TurnCase> {};

// The point (x, y) of the stored picture is shown at (a x + c y, b x + d y), moved into the
// picture.
cv::Mat shown_by_matrix(const cv::Mat& stored, const std::array<int, 4>& m) {
  const bool swapped = m[0] == 0;
  cv::Mat shown(swapped ? stored.cols : stored.rows, swapped ? stored.rows : stored.cols,
                stored.type());
  for (int y = 0; y < stored.rows; ++y) {
    for (int x = 0; x < stored.cols; ++x) {
      int to_x = m[0] * x + m[2] * y;
      int to_y = m[1] * x + m[3] * y;
      if (m[0] + m[2] < 0) to_x += shown.cols - 1;
      if (m[1] + m[3] < 0) to_y += shown.rows - 1;
      shown.at<cv::Vec3b>(to_y, to_x) = stored.at<cv::Vec3b>(y, x);
    }
  }
  return shown;
}

TEST_P(VideoTurned, IsUpright) {
  const TemporaryFolder folder;
  for (const char* format : {"yuv444p", "yuv420p", "yuv422p"}) {
    ffmpeg(folder.path(),
           moving_source(96, 64, 3) +
               fmt::format(" -vf setsar=2/1,format={} -c:v libx264 -qp 0 a.mp4", format));
    const auto stored = read_video(folder / "a.mp4");
    set_matrix(folder / "a.mp4", GetParam().matrix);
    VideoReader reader(folder / "a.mp4");
    EXPECT_EQ(reader.info().rotation_deg, GetParam().rotation);
    const bool swapped = GetParam().matrix[0] == 0;
    EXPECT_EQ(reader.info().pixel_aspect, swapped ? (Rational{1, 2}) : (Rational{2, 1}));
    const auto frames = read_video(folder / "a.mp4");
    ASSERT_EQ(frames.size(), 3U);
    const cv::Mat truth = shown_by_matrix(stored[2].picture, GetParam().matrix);
    ASSERT_EQ(frames[2].picture.size(), truth.size());
    // Chroma samples turn with the picture, so that it is the same picture. FFmpeg cannot transpose
    // 4:2:2 as it is.
    const double tolerance = std::string_view(format) == "yuv422p" && swapped ? 5.0 : 1.0;
    EXPECT_LE(test::largest_difference(frames[2].picture, truth), tolerance) << format;
    EXPECT_EQ(reader.info().size, truth.size());
  }
}

INSTANTIATE_TEST_SUITE_P(All, VideoTurned,
                         Values(TurnCase{"Clockwise", {0, 1, -1, 0}, 90},
                                TurnCase{"UpsideDown", {-1, 0, 0, -1}, 180},
                                TurnCase{"Counterclockwise", {0, -1, 1, 0}, 270},
                                TurnCase{"MirroredAcross", {-1, 0, 0, 1}, 0},
                                TurnCase{"MirroredDown", {1, 0, 0, -1}, 0},
                                TurnCase{"Transposed", {0, 1, 1, 0}, 270},
                                TurnCase{"TransposedOtherwise", {0, -1, -1, 0}, 90}),
                         [](const auto& test_case) { return test_case.param.name; });

// --- Filters ----------------------------------------------------------------------------------

TEST(VideoReader, AppliesFilters) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(), moving_source(96, 64, 5) + " -c:v libx264 a.mp4");
  VideoReadOptions options;
  options.filter = "crop=32:24:16:8";
  const auto cropped = read_video(folder / "a.mp4", options);
  ASSERT_EQ(cropped.size(), 5U);
  const cv::Mat whole = read_video(folder / "a.mp4")[4].picture;
  // Inside of the crop's border chroma has the same neighbours.
  const cv::Rect inner(2, 2, 28, 20);
  EXPECT_EQ(test::largest_difference(cropped[4].picture(inner), whole(inner + cv::Point(16, 8))),
            0);
  EXPECT_EQ(VideoReader(folder / "a.mp4", options).info().size, cv::Size(32, 24));

  options.filter = "yadif=mode=send_field";
  EXPECT_EQ(read_video(folder / "a.mp4", options).size(), 10U);
  EXPECT_EQ(VideoReader(folder / "a.mp4", options).info().frame_rate, (Rational{50, 1}));

  // Frames that a filter moves before the file's beginning are frames nevertheless.
  ffmpeg(folder.path(), "-i a.mp4 -c copy -output_ts_offset 3 a.ts");
  options.filter = "setpts=PTS-STARTPTS";
  EXPECT_EQ(read_video(folder / "a.ts", options).size(), 5U);

  options.filter = "yadiff";
  const auto unknown = test::error_of([&] { VideoReader(folder / "a.mp4", options); });
  EXPECT_NE(unknown.find("'yadiff'"), std::string::npos) << unknown;
  options.filter = "crop=1000:10";
  const auto wrong = test::error_of([&] { VideoReader(folder / "a.mp4", options); });
  EXPECT_NE(wrong.find("crop"), std::string::npos) << wrong;
  options.filter = "select=0";
  EXPECT_NE(test::error_of([&] { VideoReader(folder / "a.mp4", options); }), "");
}

TEST(VideoReader, NoticesInterlacedVideo) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(), moving_source(96, 64, 6, 50) +
                            " -vf interlace -flags +ilme+ildct -c:v mpeg2video -q:v 2 a.mpg");
  EXPECT_TRUE(VideoReader(folder / "a.mpg").info().interlaced);
  VideoReadOptions options;
  options.filter = "yadif";
  EXPECT_EQ(read_video(folder / "a.mpg", options).size(), read_video(folder / "a.mpg").size());
}

// --- What the file says -----------------------------------------------------------------------

constexpr const char* kMastering =
    "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):"
    "max-cll=1000,400:log-level=none";

class VideoHdr : public ::testing::TestWithParam<const char*> {};

TEST_P(VideoHdr, IsTold) {
  const TemporaryFolder folder;
  // A raw stream says it in the bitstream only.
  ffmpeg(folder.path(), moving_source(96, 64, 2) +
                            fmt::format(" -pix_fmt yuv420p10le -c:v libx265 -x265-params "
                                        "hdr10=1:repeat-headers=1:{} -color_primaries bt2020 "
                                        "-color_trc smpte2084 -colorspace bt2020nc {}",
                                        std::string("'") + kMastering + "'", GetParam()));
  const VideoInfo info = VideoReader(folder / GetParam()).info();
  EXPECT_EQ(info.color.primaries, "bt2020");
  EXPECT_EQ(info.color.transfer, "smpte2084");
  EXPECT_EQ(info.color.matrix, "bt2020nc");
  ASSERT_TRUE(info.hdr.mastering && info.hdr.light);
  EXPECT_NEAR(info.hdr.mastering->primaries[0][0].value(), 0.68, 1e-6);
  EXPECT_NEAR(info.hdr.mastering->primaries[1][1].value(), 0.69, 1e-6);
  EXPECT_NEAR(info.hdr.mastering->primaries[2][1].value(), 0.06, 1e-6);
  EXPECT_NEAR(info.hdr.mastering->white_point[0].value(), 0.3127, 1e-6);
  EXPECT_NEAR(info.hdr.mastering->max_luminance.value(), 1000.0, 1e-6);
  EXPECT_NEAR(info.hdr.mastering->min_luminance.value(), 0.005, 1e-6);
  EXPECT_EQ(info.hdr.light->max_content, 1000U);
  EXPECT_EQ(info.hdr.light->max_frame_average, 400U);
}

INSTANTIATE_TEST_SUITE_P(All, VideoHdr, Values("a.hevc", "a.mp4", "a.mkv", "a.ts"),
                         [](const auto& test_case) {
                           return std::string(test_case.param).substr(2);
                         });

TEST(VideoReader, TellsHybridLogGammaAndChromaLocation) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(),
         moving_source(96, 64, 2) +
             " -pix_fmt yuv420p10le -c:v libx265 -x265-params log-level=none:chromaloc=2"
             " -color_primaries bt2020 -color_trc arib-std-b67 -colorspace bt2020nc a.mkv");
  const VideoInfo info = VideoReader(folder / "a.mkv").info();
  EXPECT_EQ(info.color.transfer, "arib-std-b67");
  EXPECT_EQ(info.color.chroma_location, "topleft");
  EXPECT_FALSE(info.hdr.mastering.has_value());
}

TEST(VideoReader, TellsStereoOfContainerAndBitstream) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(),
         moving_source(96, 64, 2) + " -c:v libx264 -metadata:s:v stereo_mode=right_left a.mkv");
  ffmpeg(folder.path(),
         moving_source(96, 64, 2) + " -c:v libx264 -x264-params frame-packing=4 b.mp4");
  ffmpeg(folder.path(),
         moving_source(96, 64, 2) + " -c:v libx264 -metadata:s:v stereo_mode=top_bottom c.mkv");
  const VideoInfo a = VideoReader(folder / "a.mkv").info();
  EXPECT_EQ(a.stereo, StereoTag::kSideBySide);
  EXPECT_TRUE(a.stereo_right_first);
  EXPECT_EQ(VideoReader(folder / "b.mp4").info().stereo, StereoTag::kTopBottom);
  EXPECT_FALSE(VideoReader(folder / "b.mp4").info().stereo_right_first);
  EXPECT_EQ(VideoReader(folder / "c.mkv").info().stereo, StereoTag::kTopBottom);
}

TEST(VideoReader, DoesNotTakeCoverArtForTheVideo) {
  const TemporaryFolder folder;
  write_picture(folder / "cover.png", test::gradient_rgb(300, 300));
  ffmpeg(folder.path(), "-i cover.png " + moving_source(96, 64, 5) +
                            " -f lavfi -i sine=duration=1 -map 0 -map 1 -map 2 -c:v:0 png "
                            "-disposition:v:0 attached_pic -c:v:1 libx264 -c:a aac a.mp4");
  const VideoReader reader(folder / "a.mp4");
  EXPECT_EQ(reader.info().size, cv::Size(96, 64));
  EXPECT_EQ(read_video(folder / "a.mp4").size(), 5U);
  EXPECT_EQ(std::count_if(reader.info().streams.begin(), reader.info().streams.end(),
                          [](const auto& stream) { return stream.cover_art; }),
            1);
  ffmpeg(folder.path(),
         "-f lavfi -i sine=duration=1 -i cover.png -map 0 -map 1 -c:v png "
         "-disposition:v attached_pic -c:a aac b.m4a");
  const auto error = test::error_of([&] { VideoReader(folder / "b.m4a"); });
  EXPECT_NE(error.find("no video stream, only audio, a cover"), std::string::npos) << error;
}

// --- Seeking ----------------------------------------------------------------------------------

struct SeekCase {
  const char* name;
  const char* arguments;
  const char* file;
  const char* filter;
  double max_fps = 0.0;
};

class VideoSeek : public ::testing::TestWithParam<SeekCase> {};

TEST_P(VideoSeek, GivesTheSameFramesAsReadingOn) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(),
         fmt::format("{} {} {}", moving_source(96, 64, 90), GetParam().arguments, GetParam().file));
  VideoReadOptions options;
  options.filter = GetParam().filter;
  options.max_fps = GetParam().max_fps;
  const auto all = read_video(folder / GetParam().file, options);
  ASSERT_GE(all.size(), 30U);
  VideoReader reader(folder / GetParam().file, options);
  std::vector<std::size_t> places = {0, 1, all.size() - 1, 29, 30, 31, 28, 59, 2};
  for (std::size_t i = 5; i < all.size(); i += 13) places.push_back(i);
  for (const std::size_t place : places) {
    if (place >= all.size()) continue;
    reader.seek(all[place].pts, static_cast<std::int64_t>(place));
    for (std::size_t i = place; i < std::min(place + 3, all.size()); ++i) {
      VideoFrame frame;
      ASSERT_TRUE(reader.read(frame)) << "frame " << i << " from " << place;
      EXPECT_EQ(frame.pts, all[i].pts) << "frame " << i << " from " << place;
      EXPECT_EQ(frame.index, all[i].index);
      EXPECT_EQ(test::largest_difference(frame.picture, all[i].picture), 0.0)
          << "frame " << i << " from " << place;
    }
  }
  // Between two frames: the later one. Behind the last: none.
  reader.seek(all[9].pts + 1, 0);
  VideoFrame frame;
  ASSERT_TRUE(reader.read(frame));
  EXPECT_EQ(frame.pts, all[10].pts);
  reader.seek(all.back().pts + 1, 0);
  EXPECT_FALSE(reader.read(frame));
}

constexpr const char* kX264 = "-c:v libx264 -g 30 -bf 3";

INSTANTIATE_TEST_SUITE_P(
    All, VideoSeek,
    Values(SeekCase{"H264", kX264, "a.mp4", ""},
           SeekCase{"OpenGop", "-c:v libx264 -x264-params open-gop=1:keyint=30:bframes=3", "a.mkv",
                    ""},
           SeekCase{"OpenGopTs", "-c:v libx264 -x264-params open-gop=1:keyint=30:bframes=3", "a.ts",
                    ""},
           SeekCase{"IntraRefresh", "-c:v libx264 -x264-params intra-refresh=1:keyint=30", "a.mp4",
                    ""},
           SeekCase{"HevcOpenGop",
                    "-c:v libx265 -x265-params log-level=none:keyint=30:open-gop=1:bframes=4",
                    "a.mp4", ""},
           SeekCase{"Mpeg2", "-c:v mpeg2video -g 15 -bf 2 -q:v 3", "a.mpg", ""},
           SeekCase{"Mpeg4Avi", "-c:v mpeg4 -g 25 -q:v 3", "a.avi", ""},
           SeekCase{"Vp9", "-c:v libvpx-vp9 -g 30 -deadline realtime -cpu-used 8", "a.webm", ""},
           SeekCase{"IntraOnly", "-c:v ffv1", "a.mkv", ""},
           SeekCase{"Y4m", "-pix_fmt yuv420p", "a.y4m", ""},
           SeekCase{"EditList", "-c:v libx264 -g 30 -bf 3 -ss 0.3", "a.mov", ""},
           SeekCase{"Yadif", kX264, "a.mp4", "yadif"},
           SeekCase{"YadifFields", kX264, "a.mp4", "crop=80:64,yadif=mode=send_field"},
           SeekCase{"Memory", kX264, "a.mp4", "hqdn3d=8"},
           SeekCase{"Counting", kX264, "a.mp4", "crop=40:40:mod(n\\,20):0"},
           SeekCase{"CountingPlainly", kX264, "a.mp4", "crop=40:40:n"},
           SeekCase{"FrameRate", kX264, "a.mp4", "fps=20"},
           SeekCase{"MaxFps", kX264, "a.mkv", "", 13.0}),
    [](const auto& test_case) { return test_case.param.name; });

// --- Pipes ------------------------------------------------------------------------------------

// stdin is another file while this lives.
class Stdin {
 public:
  explicit Stdin(int descriptor) : kept_(::dup(STDIN_FILENO)) { ::dup2(descriptor, STDIN_FILENO); }

  ~Stdin() {
    ::dup2(kept_, STDIN_FILENO);
    ::close(kept_);
  }

  Stdin(const Stdin&) = delete;
  Stdin& operator=(const Stdin&) = delete;

 private:
  int kept_;
};

class VideoPipe : public ::testing::TestWithParam<const char*> {};

TEST_P(VideoPipe, IsReadToItsEnd) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(),
         moving_source(96, 64, 20) +
             (std::string_view(GetParam()).ends_with("y4m") ? " -pix_fmt yuv420p "
                                                            : " -c:v libx264 -bf 2 ") +
             GetParam());
  const auto truth = read_video(folder / GetParam());
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  std::thread writer([&] {
    const auto bytes = test::bytes_of(folder / GetParam());
    for (std::size_t at = 0; at < bytes.size();) {
      const ssize_t count = ::write(ends[1], bytes.data() + at, bytes.size() - at);
      if (count <= 0) break;
      at += static_cast<std::size_t>(count);
    }
    ::close(ends[1]);
  });
  std::vector<VideoFrame> frames;
  {
    const Stdin redirected(ends[0]);
    VideoReadOptions options;
    options.start_s = 0.2;
    VideoReader reader("-", options);
    EXPECT_FALSE(reader.info().seekable);
    for (VideoFrame frame; reader.read(frame);) frames.push_back(frame);
    EXPECT_NE(test::error_of([&] { reader.seek(0, 0); }), "");
  }
  writer.join();
  ::close(ends[0]);
  ASSERT_EQ(frames.size(), 15U);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    EXPECT_EQ(frames[i].pts, truth[i + 5].pts);
    EXPECT_EQ(test::largest_difference(frames[i].picture, truth[i + 5].picture), 0.0);
  }
}

INSTANTIATE_TEST_SUITE_P(All, VideoPipe, Values("a.y4m", "a.mkv"), [](const auto& test_case) {
  return std::string(test_case.param).substr(2);
});

TEST(VideoReader, CanSeekInAFileAtStdin) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(), moving_source(96, 64, 20) + " -c:v libx264 a.mp4");
  const auto truth = read_video(folder / "a.mp4");
  const int file = ::open((folder / "a.mp4").c_str(), O_RDONLY);
  ASSERT_GE(file, 0);
  {
    const Stdin redirected(file);
    VideoReader reader("-");
    EXPECT_TRUE(reader.info().seekable);
    VideoFrame frame;
    while (reader.read(frame)) {
    }
    reader.seek(truth[3].pts, 3);
    ASSERT_TRUE(reader.read(frame));
    EXPECT_EQ(test::largest_difference(frame.picture, truth[3].picture), 0.0);
  }
  ::close(file);
}

TEST(VideoReader, StopsWaitingForAPipeOnCtrlC) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const Stdin redirected(ends[0]);
  std::thread user([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    request_interrupt();
  });
  const auto error = test::error_of([] { VideoReader("-"); });
  user.join();
  clear_interrupt();
  ::close(ends[0]);
  ::close(ends[1]);
  EXPECT_EQ(error, "interrupted");
}

// --- What is wrong with files -----------------------------------------------------------------

TEST(VideoReader, SaysWhatIsNoVideo) {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& name) {
    return test::error_of([&] { VideoReader(folder / name); });
  };
  const auto expect = [&](const std::string& name, std::string_view part) {
    EXPECT_NE(error(name).find(part), std::string::npos) << error(name);
    EXPECT_NE(error(name).find(name), std::string::npos) << error(name);
  };
  expect("missing.mp4", "no such file");
  EXPECT_NE(test::error_of([&] { VideoReader reader(folder.path()); }).find("a folder"),
            std::string::npos);
  std::ofstream(folder / "empty.mp4") << "";
  expect("empty.mp4", "is empty");
  std::ofstream(folder / "text.mp4") << "The quick brown fox jumps over the lazy dog.\n";
  expect("text.mp4", "not a video");
  std::ofstream(folder / "notes.txt") << "The quick brown fox jumps over the lazy dog.\n";
  expect("notes.txt", "not a video");
  write_picture(folder / "still.png", test::gradient_rgb(32, 32));
  expect("still.png", "is a picture");
  std::ofstream(folder / "list.m3u8") << "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n"
                                      << "/etc/passwd\n#EXT-X-ENDLIST\n";
  expect("list.m3u8", "is a playlist");
  std::ofstream(folder / "list.mp4") << "ffconcat version 1.0\nfile still.png\n";
  expect("list.mp4", "is a playlist");
  ffmpeg(folder.path(), "-f lavfi -i sine=duration=0.2 -c:a flac sound.mka");
  expect("sound.mka", "no video stream, only audio");
  std::ofstream(folder / "huge.y4m") << "YUV4MPEG2 W90000 H90000 F25:1 C420jpeg\nFRAME\nabc";
  EXPECT_NE(error("huge.y4m"), "");
}

TEST(VideoReader, SkipsDamagedPacketsWithOneWarning) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(), moving_source(160, 96, 30) + " -c:v ffv1 -level 3 -slicecrc 1 a.mkv");
  ffmpeg(folder.path(), moving_source(160, 96, 30) + " -c:v png whole.mov");
  ffmpeg(folder.path(), "-i whole.mov -c copy -bsf:v noise=amount='not(mod(n-3\\,7))*60' b.mov");
  const test::LogCapture log;
  ::testing::internal::CaptureStderr();
  {
    VideoReader reader(folder / "b.mov");
    int count = 0;
    std::int64_t last = -1;
    for (VideoFrame frame; reader.read(frame); ++count) {
      EXPECT_GT(frame.pts, last);
      last = frame.pts;
    }
    EXPECT_LT(count, 30);
    EXPECT_GE(count, 25);
  }
  const std::string text = log.text();
  EXPECT_NE(text.find("damaged packets were skipped"), std::string::npos) << text;
  EXPECT_EQ(text.find("b.mov"), text.rfind("b.mov")) << "more than one warning: " << text;
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(VideoReader, ShowsFramesWithDamagedPartsWithOneWarning) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(), moving_source(160, 96, 40) + " -c:v libx264 -g 10 -bf 0 -qp 20 a.mp4");
  ffmpeg(folder.path(), "-i a.mp4 -c copy -bsf:v noise=amount='not(mod(n-3\\,9))*40' b.mp4");
  const test::LogCapture log;
  ::testing::internal::CaptureStderr();
  const auto frames = read_video(folder / "b.mp4");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  EXPECT_GE(frames.size(), 34U);
  const std::string text = log.text();
  EXPECT_NE(text.find("damaged"), std::string::npos) << text;
  EXPECT_EQ(text.find("b.mp4"), text.rfind("b.mp4")) << "more than one warning: " << text;
}

TEST(VideoReader, EndsEarlyWithAWarningWhereAFileIsCut) {
  const TemporaryFolder folder;
  const std::string source = moving_source(160, 96, 100) + " -c:v libx264 -g 20 -bf 2 ";
  ffmpeg(folder.path(), source + "a.mkv");
  ffmpeg(folder.path(), source + "-movflags +faststart a.mp4");
  ffmpeg(folder.path(), source + "tail.mp4");
  for (const char* name : {"a.mkv", "a.mp4"}) {
    auto bytes = test::bytes_of(folder / name);
    bytes.resize(bytes.size() * 6 / 10);
    test::save_bytes(folder / name, bytes);
    const test::LogCapture log;
    const auto frames = read_video(folder / name);
    EXPECT_GT(frames.size(), 30U) << name;
    EXPECT_LT(frames.size(), 90U) << name;
    EXPECT_NE(log.text().find("although its header says 4.0 s"), std::string::npos)
        << name << ": " << log.text();
  }
  // The index of this one lies at its end.
  auto bytes = test::bytes_of(folder / "tail.mp4");
  bytes.resize(bytes.size() / 2);
  test::save_bytes(folder / "tail.mp4", bytes);
  const auto error = test::error_of([&] { VideoReader(folder / "tail.mp4"); });
  EXPECT_NE(error.find("moov atom not found"), std::string::npos) << error;
  // A whole one leaves nothing to say.
  ffmpeg(folder.path(), "-f lavfi -i sine=duration=6 " + source + "-c:a aac whole.mkv");
  const test::LogCapture log;
  EXPECT_EQ(read_video(folder / "whole.mkv").size(), 100U);
  EXPECT_EQ(log.text(), "");
}

TEST(VideoReader, RefusesASizeThatChangesOnTheWay) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(), moving_source(96, 64, 10) + " -c:v mpeg2video a.ts");
  ffmpeg(folder.path(), moving_source(64, 48, 10) + " -c:v mpeg2video -output_ts_offset 0.4 b.ts");
  test::run(fmt::format("cd '{}' && cat a.ts b.ts > c.ts", folder.path().string()));
  const test::LogCapture log;
  const auto error = test::error_of([&] { read_video(folder / "c.ts"); });
  EXPECT_NE(error.find("changes from 96x64"), std::string::npos) << error;
  const auto at = error.find(" at 0.");
  ASSERT_NE(at, std::string::npos) << error;
  EXPECT_NEAR(std::stod(error.substr(at + 4)), 0.4, 0.05);
}

struct DamageCase {
  const char* name;
  const char* arguments;
  const char* file;
};

class HostileVideo : public ::testing::TestWithParam<DamageCase> {};

// Pictures or an Error: never a crash, a hang or another exception.
TEST_P(HostileVideo, NeverCrashes) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(), moving_source(48, 32, 8) + " " + GetParam().arguments + " whole" +
                            std::filesystem::path(GetParam().file).extension().string());
  const auto whole = test::bytes_of(
      folder / ("whole" + std::filesystem::path(GetParam().file).extension().string()));
  const test::LogCapture log;
  std::mt19937 random(31);
  int refused = 0;
  constexpr int kRounds = 250;
  for (int i = 0; i < kRounds; ++i) {
    test::save_bytes(folder / GetParam().file, test::mutated(whole, random));
    VideoReadOptions options;
    options.threads = 1;
    const auto error = test::error_of([&] {
      VideoReader reader(folder / GetParam().file, options);
      VideoFrame frame;
      // A damaged header can announce frames without end.
      for (int count = 0; count < 20 && reader.read(frame); ++count) {
      }
      if (reader.info().seekable) reader.seek(reader.info().start_pts, 0);
      static_cast<void>(reader.read(frame));
    });
    refused += error.empty() ? 0 : 1;
  }
  EXPECT_LT(refused, kRounds);
}

INSTANTIATE_TEST_SUITE_P(
    All, HostileVideo,
    Values(DamageCase{"Mp4", "-c:v libx264 -bf 2", "a.mp4"},
           DamageCase{"Matroska", "-c:v libx264 -bf 2", "a.mkv"},
           DamageCase{"Hevc", "-c:v libx265 -x265-params log-level=none", "a.mp4"},
           DamageCase{"Ffv1", "-c:v ffv1", "a.mkv"}, DamageCase{"Gif", "-c:v gif", "a.gif"},
           DamageCase{"Ts", "-c:v mpeg2video", "a.ts"}, DamageCase{"Avi", "-c:v mjpeg", "a.avi"},
           DamageCase{"Y4m", "-pix_fmt yuv420p", "a.y4m"},
           DamageCase{"ProRes", "-c:v prores_ks", "a.mov"}),
    [](const auto& test_case) { return test_case.param.name; });

TEST(VideoReader, KnowsVideosByTheirNames) {
  EXPECT_TRUE(is_video_file("a/B.MP4"));
  EXPECT_TRUE(is_video_file("x.webm"));
  EXPECT_FALSE(is_video_file("-"));
  EXPECT_FALSE(is_video_file("mp4"));
  EXPECT_FALSE(is_video_file("a.png"));
  EXPECT_FALSE(is_video_file("a.mp3"));
}

}  // namespace
}  // namespace vergence::media
