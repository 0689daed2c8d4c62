// SPDX-License-Identifier: Apache-2.0
#include "media/video_join.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "media/subtitles.hpp"
#include "tests/media/fixtures.hpp"
#include "tests/media/video_fixtures.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/paths.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>
#include <unistd.h>

namespace vergence::test {
namespace {

namespace fs = std::filesystem;
using media::EncodeOptions;
using media::HandedOn;
using media::JoinOptions;
using media::SegmentWriter;
using media::StereoTag;
using media::SubtitleMode;
using media::VideoFormat;
using media::VideoFrame;
using ::testing::HasSubstr;
using ::testing::Not;

// --- Inputs -----------------------------------------------------------------------------------

void put(std::vector<std::uint8_t>& bytes, std::uint64_t value, int count) {
  for (int i = count - 1; i >= 0; --i) {
    bytes.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
}

void put_segment(std::vector<std::uint8_t>& bytes, std::uint32_t time, int type,
                 const std::vector<std::uint8_t>& content) {
  bytes.insert(bytes.end(), {'P', 'G'});
  put(bytes, time, 4);
  put(bytes, 0, 4);
  put(bytes, static_cast<std::uint64_t>(type), 1);
  put(bytes, content.size(), 2);
  bytes.insert(bytes.end(), content.begin(), content.end());
}

// A bitmap subtitle of Blu-ray discs (PGS, .sup): a bar of 8 x 2 pixels between two times.
std::vector<std::uint8_t> pgs_bar(int begin_ms, int end_ms) {
  std::vector<std::uint8_t> bytes;
  const std::vector<std::uint8_t> window = {1, 0, 0, 10, 0, 10, 0, 8, 0, 2};
  const auto begin = static_cast<std::uint32_t>(begin_ms) * 90;
  put_segment(bytes, begin, 0x16,
              {1, 64, 0, 180, 0x10, 0, 0, 0x80, 0, 0, 1,  //
               0, 0, 0, 0, 0, 10, 0, 10});
  put_segment(bytes, begin, 0x17, {1, 0, 0, 10, 0, 10, 0, 8, 0, 2});
  put_segment(bytes, begin, 0x14, {0, 0, 1, 235, 128, 128, 255});
  put_segment(bytes, begin, 0x15, {0, 0,    0, 0xC0, 0, 0, 14,   0, 8, 0, 2,  //
                                   0, 0x88, 1, 0,    0, 0, 0x88, 1, 0, 0});
  put_segment(bytes, begin, 0x80, {});
  const auto end = static_cast<std::uint32_t>(end_ms) * 90;
  put_segment(bytes, end, 0x16, {1, 64, 0, 180, 0x10, 0, 1, 0, 0, 0, 0});
  put_segment(bytes, end, 0x17, window);
  put_segment(bytes, end, 0x80, {});
  return bytes;
}

void save_text(const fs::path& path, const std::string& text) {
  save_bytes(path, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

constexpr const char* kSrt =
    "1\n00:00:00,200 --> 00:00:01,000\n<i>Hello</i> there\n\n"
    "2\n00:00:01,500 --> 00:00:02,800\nSecond line\nof text\n";

constexpr const char* kAss =
    "[Script Info]\nScriptType: v4.00+\nPlayResX: 640\nPlayResY: 360\n\n"
    "[V4+ Styles]\nFormat: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, "
    "OutlineColour, BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, "
    "Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding\n"
    "Style: Default,DejaVu Sans,40,&H00FFFFFF,&H000000FF,&H00000000,&H00000000,0,0,0,0,100,100,"
    "0,0,1,0,0,2,10,10,10,1\n\n"
    "[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    "Dialogue: 0,0:00:00.00,0:00:03.00,Default,,0,0,0,,MMMM\n";

constexpr const char* kFacts =
    ";FFMETADATA1\ntitle=The Title\nartist=Somebody\ncomment=A comment\n"
    "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=First\n"
    "[CHAPTER]\nTIMEBASE=1/1000\nSTART=1000\nEND=3000\ntitle=Second\n";

// 10-bit BT.709 video of unequal frame times and what goes with it.
void make_parts(const fs::path& folder) {
  ffmpeg(folder,
         "-f lavfi -i testsrc2=size=320x180:rate=30:d=3 -vf \"select='not(eq(mod(n\\,7)\\,3))',"
         "format=yuv420p10le\" -vsync vfr -c:v libx264 -preset veryfast -color_primaries bt709 "
         "-color_trc bt709 -colorspace bt709 -color_range tv v.mp4");
  ffmpeg(folder, "-f lavfi -i color=red:size=64x64 -frames:v 1 cover.jpg");
  ffmpeg(folder, "-f lavfi -i sine=440:d=3 -c:a aac a.m4a");
  ffmpeg(folder, "-f lavfi -i sine=880:d=3 -ac 2 -c:a ac3 a.ac3");
  save_text(folder / "s.srt", kSrt);
  save_text(folder / "s.ass", kAss);
  save_text(folder / "facts.txt", kFacts);
  save_text(folder / "font.ttf", "not a font, but kept");
  save_bytes(folder / "s.sup", pgs_bar(300, 1800));
}

fs::path make_matroska(const fs::path& folder) {
  make_parts(folder);
  ffmpeg(folder,
         "-i v.mp4 -i a.m4a -i a.ac3 -i s.srt -i s.sup -i facts.txt -map 0 -map 1 -map 2 -map 3 "
         "-map 4 -map_metadata 5 -map_chapters 5 -c copy -c:s:0 srt -attach cover.jpg "
         "-metadata:s:5 mimetype=image/jpeg -metadata:s:5 filename=cover.jpg -attach font.ttf "
         "-metadata:s:6 mimetype=application/x-truetype-font -metadata:s:a:0 language=eng "
         "-metadata:s:a:1 language=deu -metadata:s:a:1 title=Kommentar -metadata:s:s:0 "
         "language=eng -metadata:s:s:1 language=fre -disposition:a:1 comment -disposition:s:0 "
         "forced -metadata:s:v title=Film in.mkv");
  return folder / "in.mkv";
}

fs::path make_mp4(const fs::path& folder) {
  make_parts(folder);
  ffmpeg(folder,
         "-i v.mp4 -i a.m4a -i a.ac3 -i s.srt -i facts.txt -i cover.jpg -map 0 -map 1 -map 2 "
         "-map 3 -map 5 -map_metadata 4 -map_chapters 4 -c copy -c:s mov_text -disposition:v:1 "
         "attached_pic -metadata:s:a:0 language=eng -metadata:s:a:1 language=deu "
         "-metadata:s:s:0 language=eng in.mp4");
  return folder / "in.mp4";
}

// --- Making 3D ----------------------------------------------------------------------------------

struct Work {
  EncodeOptions encode = {.preset = "ultrafast"};
  JoinOptions join = {};
  StereoTag stereo = StereoTag::kSideBySide;
  bool squeezed = false;
  bool right_first = false;
  std::int64_t frames_per_segment = 25;
  media::HdrMetadata hdr = {};
};

VideoFormat format_for(const media::VideoInfo& info, const Work& work) {
  VideoFormat format;
  format.size = info.size;
  if (!work.squeezed && work.stereo == StereoTag::kSideBySide) format.size.width *= 2;
  if (!work.squeezed && work.stereo == StereoTag::kTopBottom) format.size.height *= 2;
  format.pixel_aspect = info.pixel_aspect;
  format.time_base = info.time_base;
  format.frame_rate = info.frame_rate;
  format.bit_depth = info.bit_depth;
  format.input_pixel_format = info.pixel_format;
  format.color = info.color;
  format.hdr = work.hdr;
  format.stereo = work.stereo;
  format.squeezed = work.squeezed;
  format.right_first = work.right_first;
  return format;
}

// The picture twice, as the format's size wants it.
VideoFrame packed(const VideoFrame& frame, cv::Size size) {
  VideoFrame result = frame;
  result.picture =
      cv::repeat(frame.picture, size.height / frame.picture.rows, size.width / frame.picture.cols);
  return result;
}

struct Made {
  VideoFormat format;
  std::vector<fs::path> segments;
};

Made make_segments(const fs::path& input, const fs::path& folder, const Work& work) {
  media::VideoReadOptions read;
  read.start_s = work.join.start_s;
  read.end_s = work.join.end_s;
  media::VideoReader reader(input, read);
  Made made{format_for(reader.info(), work), {}};
  std::optional<SegmentWriter> writer;
  for (VideoFrame frame; reader.read(frame);) {
    if (frame.index % work.frames_per_segment == 0) {
      if (writer) writer->finish();
      made.segments.push_back(folder / fmt::format("{}.nut", made.segments.size()));
      writer.emplace(made.segments.back(), made.format, work.encode);
    }
    writer->write(packed(frame, made.format.size));
  }
  writer->finish();
  return made;
}

Made make_3d(const fs::path& input, const fs::path& output, Work work) {
  Made made = make_segments(input, output.parent_path(), work);
  work.join.source = input;
  media::join_segments(made.segments, made.format, work.encode, output, work.join, {});
  return made;
}

// --- What ffprobe and ffmpeg say ----------------------------------------------------------------

std::string probe(const fs::path& file, const std::string& arguments) {
  return run(fmt::format("ffprobe -v error -of compact {} '{}' | sed 's:|side_data|::'", arguments,
                         file.string()));
}

std::string facts(const fs::path& file) {
  const std::string tags =
      run(fmt::format("ffprobe -v error -show_entries format_tags=title,artist,comment '{}' | sort",
                      file.string()));
  return tags +
         probe(file,
               "-show_chapters -show_entries "
               "stream=index,codec_name,codec_type,"
               "pix_fmt,color_range,color_space,color_transfer,color_primaries,chroma_location,"
               "field_order,sample_aspect_ratio,time_base,sample_rate,"
               "channels,channel_layout:stream_tags=language,title,filename,mimetype:"
               "stream_disposition");
}

// Times, lengths and contents of a stream's packets.
std::string packets(const fs::path& file, const std::string& stream) {
  return probe(file, fmt::format("-select_streams {} -show_data_hash md5 -show_entries "
                                 "packet=pts,duration,size,data_hash",
                                 stream));
}

std::vector<std::int64_t> times(const fs::path& file) {
  std::vector<std::int64_t> result;
  for (const std::string& line : ffprobe(file, "packet=pts")) result.push_back(std::stoll(line));
  std::sort(result.begin(), result.end());
  return result;
}

std::string frame_sums(const fs::path& file) {
  return run(
      fmt::format("ffmpeg -nostdin -v error -i '{}' -map 0:v:0 -vsync passthrough "
                  "-f framemd5 - | grep -v '^#' | sed 's/.*, *//'",
                  file.string()));
}

// --- Tests --------------------------------------------------------------------------------------

TEST(VideoJoin, MatroskaKeepsEverything) {
  const TemporaryFolder folder;
  const fs::path input = make_matroska(folder.path());
  make_3d(input, folder / "out.mkv", {});
  EXPECT_EQ(facts(folder / "out.mkv"), facts(input));
  for (const char* stream : {"a:0", "a:1", "s:0", "s:1"}) {
    EXPECT_EQ(packets(folder / "out.mkv", stream), packets(input, stream)) << stream;
    EXPECT_THAT(packets(input, stream), Not(::testing::IsEmpty()));
  }
  EXPECT_EQ(times(folder / "out.mkv"), times(input));
  EXPECT_EQ(ffprobe(folder / "out.mkv", "stream=avg_frame_rate"),
            ffprobe(input, "stream=avg_frame_rate"));
  EXPECT_THAT(probe(folder / "out.mkv", "-show_entries stream_side_data"),
              HasSubstr("side by side"));
  // The attachments' bytes.
  ffmpeg(folder.path(), "-dump_attachment:t:0 back.ttf -i out.mkv -map 0:a -f null -");
  EXPECT_EQ(bytes_of(folder / "back.ttf"), bytes_of(folder / "font.ttf"));
  ffmpeg(folder.path(), "-i out.mkv -map 0:v:1 -c copy -f image2 back.jpg");
  EXPECT_EQ(bytes_of(folder / "back.jpg"), bytes_of(folder / "cover.jpg"));
}

TEST(VideoJoin, Mp4KeepsEverything) {
  const TemporaryFolder folder;
  const fs::path input = make_mp4(folder.path());
  make_3d(input, folder / "out.mp4", {});
  EXPECT_EQ(facts(folder / "out.mp4"), facts(input));
  for (const char* stream : {"a:0", "a:1", "s:0", "v:1"}) {
    EXPECT_EQ(packets(folder / "out.mp4", stream), packets(input, stream)) << stream;
  }
  EXPECT_EQ(times(folder / "out.mp4"), times(input));
}

TEST(VideoJoin, ThePlaceMayStayAtHome) {
  const TemporaryFolder folder;
  make_mp4(folder.path());
  ffmpeg(folder.path(),
         "-i in.mp4 -map 0 -c copy -metadata location=+48.1+011.5/ -metadata title=Walk "
         "-metadata creation_time=2024-05-06T07:08:09Z placed.mp4");
  const auto words = [&](HandedOn what) {
    Work work;
    work.join.metadata = what;
    make_3d(folder / "placed.mp4", folder / "out.mp4", work);
    return probe(folder / "out.mp4",
                 "-show_entries format_tags:stream_tags=language,creation_time");
  };
  EXPECT_THAT(words(HandedOn::kAll), AllOf(HasSubstr("+48.1"), HasSubstr("Walk")));
  EXPECT_THAT(words(HandedOn::kNoPlace), AllOf(Not(HasSubstr("48.1")), HasSubstr("Walk"),
                                               HasSubstr("2024"), HasSubstr("deu")));
  EXPECT_THAT(words(HandedOn::kNothing), AllOf(Not(HasSubstr("48.1")), Not(HasSubstr("Walk")),
                                               Not(HasSubstr("2024")), HasSubstr("deu")));
}

TEST(VideoJoin, Mp4IsWholeAndSaysHowTheEyesLie) {
  const TemporaryFolder folder;
  const fs::path input = make_mp4(folder.path());
  const auto text_of = [](const fs::path& file) {
    const auto bytes = bytes_of(file);
    return std::string(bytes.begin(), bytes.end());
  };
  make_3d(input, folder / "sbs.mp4", {});
  const std::string sbs = text_of(folder / "sbs.mp4");
  EXPECT_THAT(sbs, HasSubstr(std::string("st3d\0\0\0\0\2", 9)));
  EXPECT_LT(sbs.find("moov"), sbs.find("mdat"));
  EXPECT_EQ(sbs.find("moof"), std::string::npos);
  EXPECT_THAT(sbs, HasSubstr("nclx"));

  Work work{.stereo = StereoTag::kTopBottom};
  work.encode = {.codec = "libx265", .preset = "ultrafast"};
  make_3d(input, folder / "tb.mp4", work);
  const std::string tb = text_of(folder / "tb.mp4");
  EXPECT_THAT(tb, HasSubstr(std::string("st3d\0\0\0\0\1", 9)));
  EXPECT_THAT(tb, HasSubstr("hvc1"));
  EXPECT_EQ(tb.find("x265"), std::string::npos) << "no advertisement in the header";

  // MP4 has no word for the right eye first.
  make_3d(input, folder / "cross.mp4", {.right_first = true});
  EXPECT_EQ(text_of(folder / "cross.mp4").find("st3d"), std::string::npos);
}

TEST(VideoJoin, MatroskaSaysHowTheEyesLie) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(), moving_source(96, 64, 3) + " -c:v ffv1 in.mkv");
  const auto mode = [&](const Work& work) {
    make_3d(folder / "in.mkv", folder / "out.mkv", work);
    return probe(folder / "out.mkv", "-select_streams v -show_entries stream_tags=stereo_mode");
  };
  EXPECT_THAT(mode({}), HasSubstr("left_right"));
  EXPECT_THAT(mode({.right_first = true}), HasSubstr("right_left"));
  EXPECT_THAT(mode({.stereo = StereoTag::kTopBottom}), HasSubstr("top_bottom"));
  EXPECT_THAT(mode({.stereo = StereoTag::kRowInterleaved}), HasSubstr("row_interleaved_lr"));
  EXPECT_THAT(mode({.stereo = StereoTag::kColumnInterleaved}), HasSubstr("col_interleaved_lr"));
  EXPECT_THAT(mode({.stereo = StereoTag::kCheckerboard}), HasSubstr("checkerboard_lr"));
  EXPECT_THAT(mode({.stereo = StereoTag::kNone}), Not(HasSubstr("stereo_mode")));
}

TEST(VideoJoin, SqueezedEyesHaveWideOrTallPixels) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(), moving_source(96, 64, 3) + " -vf setsar=4/3 -c:v libx264 in.mp4");
  const auto aspect = [&](const Work& work, const char* name) {
    make_3d(folder / "in.mp4", folder / name, work);
    return ffprobe(folder / name, "stream=sample_aspect_ratio").at(0);
  };
  for (const char* name : {"out.mp4", "out.mkv"}) {
    EXPECT_EQ(aspect({}, name), "4:3") << name;
    EXPECT_EQ(aspect({.squeezed = true}, name), "8:3") << name;
    EXPECT_EQ(aspect({.stereo = StereoTag::kTopBottom, .squeezed = true}, name), "2:3") << name;
  }
}

TEST(VideoJoin, NothingOfTheInputsGeometryIsInherited) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(), moving_source(96, 64, 5) + " -c:v libx264 flat.mp4");
  make_3d(folder / "flat.mp4", folder / "tb.mp4", {.stereo = StereoTag::kTopBottom});
  make_3d(folder / "tb.mp4", folder / "out.mp4", {.stereo = StereoTag::kNone});
  EXPECT_THAT(probe(folder / "out.mp4", "-show_entries stream_side_data:frame_side_data"),
              Not(HasSubstr("Stereo")));
  ffmpeg(folder.path(), "-i flat.mp4 -c copy -metadata:s:v rotate=90 turned.mp4");
  make_3d(folder / "turned.mp4", folder / "out.mp4", {});
  EXPECT_EQ(ffprobe(folder / "out.mp4", "stream=width,height").at(0), "128,96");
  EXPECT_THAT(probe(folder / "out.mp4", "-show_entries stream_side_data:stream_tags=rotate"),
              Not(HasSubstr("otat")));
}

class JoinedCodec : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(JoinedCodec, DecodesAsItsSegments) {
  const auto [codec, extension] = GetParam();
  const TemporaryFolder folder;
  ffmpeg(folder.path(), moving_source(128, 64, 70) + " -c:v ffv1 in.mkv");
  Work work;
  work.encode = {.codec = codec};
  if (work.encode.codec == "libsvtav1") work.encode.preset = "12";
  work.frames_per_segment = 27;
  const fs::path output = folder / (std::string("out") + extension);
  const Made made = make_3d(folder / "in.mkv", output, work);
  ASSERT_EQ(made.segments.size(), 3U);
  std::string sums;
  for (const fs::path& segment : made.segments) sums += frame_sums(segment);
  EXPECT_EQ(frame_sums(output), sums);
  EXPECT_EQ(times(output), times(folder / "in.mkv"));
}

INSTANTIATE_TEST_SUITE_P(
    VideoJoin, JoinedCodec,
    ::testing::Values(std::pair{"libx264", ".mp4"}, std::pair{"libx264", ".mkv"},
                      std::pair{"libx265", ".mp4"}, std::pair{"libx265", ".mkv"},
                      std::pair{"libsvtav1", ".mp4"}, std::pair{"libsvtav1", ".mkv"},
                      std::pair{"prores_ks", ".mov"}, std::pair{"ffv1", ".mkv"},
                      std::pair{"utvideo", ".mkv"}, std::pair{"utvideo", ".avi"}));

TEST(VideoJoin, APartTakesItsPartOfTheOtherStreams) {
  const TemporaryFolder folder;
  const fs::path input = make_matroska(folder.path());
  Work work;
  work.join.start_s = 0.5;
  work.join.end_s = 2.0;
  make_3d(input, folder / "out.mkv", work);
  EXPECT_EQ(times(folder / "out.mkv").front(), 0);
  EXPECT_LT(times(folder / "out.mkv").back(), 1500);
  const std::string chapters = probe(folder / "out.mkv", "-show_chapters");
  EXPECT_THAT(chapters, HasSubstr("start_time=0.000000"));
  EXPECT_THAT(chapters, HasSubstr("tag:title=Second"));
  EXPECT_THAT(chapters, HasSubstr("end_time=1.477000"));
  // The sounds are the same, earlier by the first frame's time.
  const auto sounds = [](const fs::path& file) {
    std::vector<std::pair<double, std::string>> result;
    std::istringstream lines(
        run(fmt::format("ffprobe -v error -select_streams a:1 -show_data_hash md5 -show_entries "
                        "packet=pts_time,data_hash -of csv=p=0 '{}'",
                        file.string())));
    for (std::string line; std::getline(lines, line);) {
      result.emplace_back(std::stod(line), line.substr(line.find(',') + 1));
    }
    return result;
  };
  const auto whole = sounds(input);
  const auto part = sounds(folder / "out.mkv");
  ASSERT_GT(part.size(), 30U);
  const auto first = std::find_if(whole.begin(), whole.end(), [&](const auto& packet) {
    return packet.second == part[0].second;
  });
  ASSERT_NE(first, whole.end());
  EXPECT_GE(part.front().first, 0.0);
  EXPECT_LT(part.front().first, 0.04);
  EXPECT_LT(part.back().first, 1.5);
  EXPECT_NEAR(first->first - part.front().first, 0.5, 0.04);
}

TEST(VideoJoin, SubtitlesChangeTheirFormOnlyWhereTheyMust) {
  const TemporaryFolder folder;
  const fs::path input = make_matroska(folder.path());
  const LogCapture log;
  make_3d(input, folder / "out.mp4", {});
  EXPECT_THAT(probe(folder / "out.mp4", "-select_streams s -show_entries stream=codec_name"),
              HasSubstr("codec_name=mov_text"));
  const std::string text = run(fmt::format("ffmpeg -nostdin -v error -i '{}' -map 0:s:0 -f srt -",
                                           (folder / "out.mp4").string()));
  EXPECT_THAT(text, HasSubstr("<i>Hello</i> there"));
  EXPECT_THAT(text, HasSubstr("of text"));
  EXPECT_THAT(log.text(), HasSubstr("hdmv_pgs_subtitle"));
  EXPECT_THAT(log.text(), HasSubstr("does not fit into 'out.mp4'"));
}

TEST(VideoJoin, TextCanStandInBothEyes) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(), "-f lavfi -i color=black:size=320x180:rate=10:d=1 -c:v ffv1 v.mkv");
  save_text(folder / "s.ass", kAss);
  ffmpeg(folder.path(), "-i v.mkv -i s.ass -map 0 -map 1 -c copy in.mkv");
  const auto rendered = [&](const Work& work) {
    make_3d(folder / "in.mkv", folder / "out.mkv", work);
    ffmpeg(folder.path(),
           "-i out.mkv -vf subtitles=out.mkv,format=gray -frames:v 1 -c:v ffv1 "
           "shot.mkv");
    media::VideoReadOptions read;
    read.grey = true;
    return read_video(folder / "shot.mkv", read).at(0).picture.clone();
  };
  // What the text covers of a part of the frame.
  const auto covered = [](const cv::Mat& frame, const cv::Rect& part) {
    std::vector<cv::Point> bright;
    cv::findNonZero(frame(part) > 128, bright);
    return cv::boundingRect(bright);
  };
  Work work;
  work.encode.codec = "ffv1";
  work.encode.preset = "";
  work.join.subtitles = SubtitleMode::kStereo;
  work.join.subtitle_parallax_px = 8;
  const cv::Mat beside = rendered(work);
  const cv::Rect left = covered(beside, {0, 0, 320, 180});
  const cv::Rect right = covered(beside, {320, 0, 320, 180});
  EXPECT_GT(left.width, 40);
  EXPECT_NEAR(left.width, right.width, 1);
  EXPECT_NEAR(left.x - right.x, 16, 1);
  EXPECT_NEAR(left.x + left.width / 2.0, 160 + 8, 2);
  EXPECT_EQ(left.y, right.y);

  work.squeezed = true;
  const cv::Rect narrow = covered(rendered(work), {0, 0, 160, 180});
  EXPECT_NEAR(narrow.width, left.width / 2.0, 2);
  EXPECT_NEAR(narrow.height, left.height, 1);
  EXPECT_NEAR(narrow.x + narrow.width / 2.0, 80 + 4, 2);

  work.stereo = StereoTag::kTopBottom;
  const cv::Mat above = rendered(work);
  const cv::Rect top = covered(above, {0, 0, 320, 90});
  const cv::Rect bottom = covered(above, {0, 90, 320, 90});
  EXPECT_NEAR(top.y, bottom.y, 1);
  EXPECT_NEAR(top.y, left.y / 2.0, 2);
  EXPECT_NEAR(top.width, left.width, 3);
  EXPECT_NEAR(top.height, left.height / 2.0, 2);
  EXPECT_NEAR(top.x - bottom.x, 16, 1);
}

TEST(StereoScript, MovesPlacedTextAndKeepsTheRest) {
  const media::StereoScript script("[Script Info]\nPlayResX: 640\nPlayResY: 360\n",
                                   {.frame = {1280, 360}});
  const auto events = script.events(
      "3,0,Default,,0,0,0,,{\\an5\\pos(100,50)\\fscx80}a, b {\\move(1,2,3,4,5,6)}(1)");
  EXPECT_THAT(events[0], HasSubstr("6,0,Default,,10,650,0,,{\\an5\\pos(100,50)\\fscx80}a, b "));
  EXPECT_THAT(events[1], HasSubstr("7,0,Default,,650,10,0,,{\\an5\\pos(740,50)\\fscx80}a, b "));
  EXPECT_THAT(events[1], HasSubstr("{\\move(641,2,643,4,5,6)}(1)"));
  EXPECT_THAT(script.header(), HasSubstr("PlayResX: 1280\nPlayResY: 360\n"));
  EXPECT_THROW((void)script.events("0,0,Default"), Error);
}

media::VideoInfo info_with(const std::vector<media::StreamInfo>& streams) {
  media::VideoInfo info;
  info.streams = streams;
  return info;
}

TEST(ChooseContainer, FollowsTheStreams) {
  const EncodeOptions x264;
  const auto plain = info_with({{0, "video", "h264", "", false}, {1, "audio", "aac", "", false}});
  EXPECT_EQ(media::choose_container(plain, x264, "", true).extension, ".mp4");
  EXPECT_EQ(media::choose_container(plain, x264, "", true).reason, "");
  const auto pgs =
      info_with({{0, "video", "h264", "", false}, {3, "subtitle", "hdmv_pgs_subtitle", "", false}});
  const auto choice = media::choose_container(pgs, x264, ".mp4", true);
  EXPECT_EQ(choice.extension, ".mkv");
  EXPECT_EQ(choice.reason,
            "Matroska, because MP4 cannot hold the subtitle stream 3 (hdmv_pgs_subtitle)");
  EXPECT_EQ(media::choose_container(pgs, x264, ".mp4", false).extension, ".mp4");
  EXPECT_EQ(media::choose_container(pgs, x264, "", true, SubtitleMode::kNone).extension, ".mp4");
  EXPECT_EQ(media::choose_container(plain, {.codec = "ffv1"}, "", true).extension, ".mkv");
  EXPECT_EQ(media::choose_container(plain, {.codec = "prores_ks"}, "", true).extension, ".mov");
  for (const char* codec : {"pcm_s16le", "vorbis", "truehd", "opus", "flac", "dts", "eac3"}) {
    const auto audio = info_with({{1, "audio", codec, "", false}});
    EXPECT_FALSE(media::choose_container(audio, x264, "", true).extension.empty()) << codec;
  }
  const auto pcm = info_with({{1, "audio", "pcm_s16le", "", false}});
  EXPECT_EQ(media::choose_container(pcm, x264, "", true).extension, ".mkv");
  EXPECT_EQ(media::choose_container(pcm, x264, ".mov", true).extension, ".mov");
  EXPECT_THROW((void)media::choose_container(plain, x264, ".docx", true), Error);
  EXPECT_THAT(
      error_of([&] { (void)media::choose_container(plain, {.codec = "ffv1"}, ".mp4", false); }),
      HasSubstr("MP4 cannot hold ffv1 video"));
}

TEST(VideoJoin, OtherSegmentsAreRefused) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(), moving_source(96, 64, 50) + " -c:v ffv1 in.mkv");
  const Work work;
  const Made made = make_segments(folder / "in.mkv", folder.path(), work);
  const auto join = [&](const std::vector<fs::path>& segments, const EncodeOptions& encode) {
    return error_of(
        [&] { media::join_segments(segments, made.format, encode, folder / "out.mkv", {}, {}); });
  };
  EXPECT_EQ(join(made.segments, work.encode), "");
  EXPECT_THAT(join({made.segments[1], made.segments[0]}, work.encode), HasSubstr("begins before"));
  EXPECT_THAT(join(made.segments, {.codec = "libx264", .preset = "veryfast"}),
              HasSubstr("other settings"));
  auto bytes = bytes_of(made.segments[1]);
  bytes.resize(bytes.size() / 2);
  save_bytes(made.segments[1], bytes);
  EXPECT_THAT(join(made.segments, work.encode), HasSubstr("is damaged"));
  save_text(made.segments[1], "something else");
  EXPECT_THAT(join(made.segments, work.encode), HasSubstr("cannot read the segment"));
}

TEST(VideoJoin, AFullDiskIsNoticed) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(), moving_source(320, 180, 20) + " -c:v ffv1 in.mkv");
  Work work;
  work.encode = {.codec = "ffv1"};
  const Made made = make_segments(folder / "in.mkv", folder.path(), work);
  fs::create_symlink("/dev/full", folder / "full.mkv");
  EXPECT_THAT(error_of([&] {
                media::join_segments(made.segments, made.format, work.encode, folder / "full.mkv",
                                     {}, {});
              }),
              HasSubstr("full.mkv': no space left on device"));
}

TEST(VideoJoin, StopsWhenAsked) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(), moving_source(96, 64, 10) + " -c:v ffv1 in.mkv");
  const Work work;
  const Made made = make_segments(folder / "in.mkv", folder.path(), work);
  request_interrupt();
  try {
    media::join_segments(made.segments, made.format, work.encode, folder / "out.mkv", {}, {});
    ADD_FAILURE() << "went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInterrupted);
  }
  clear_interrupt();
}

TEST(VideoJoin, ReportsWhatItHasWritten) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(), moving_source(96, 64, 30) + " -c:v ffv1 in.mkv");
  const Work work;
  const Made made = make_segments(folder / "in.mkv", folder.path(), work);
  std::int64_t sum = 0;
  media::join_segments(made.segments, made.format, work.encode, folder / "out.mkv", {},
                       [&](std::int64_t bytes) { sum += bytes; });
  EXPECT_GT(sum, 0);
  EXPECT_LE(sum, static_cast<std::int64_t>(fs::file_size(folder / "out.mkv")));
}

TEST(VideoJoin, Hdr10AndHlgStandInTheContainer) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(), moving_source(96, 64, 3) +
                            " -pix_fmt yuv420p10le -color_primaries bt2020 -color_trc smpte2084 "
                            "-colorspace bt2020nc -color_range tv -c:v libx264 in.mp4");
  Work work;
  work.hdr = test::hdr10();
  for (const char* codec : {"libx265", "libx264", "libsvtav1"}) {
    for (const char* name : {"out.mp4", "out.mkv"}) {
      work.encode = {.codec = codec};
      if (work.encode.codec == "libsvtav1") work.encode.preset = "12";
      make_3d(folder / "in.mp4", folder / name, work);
      const std::string said = probe(folder / name,
                                     "-show_entries stream=color_transfer:"
                                     "stream_side_data");
      EXPECT_THAT(said, ::testing::AnyOf(
                            HasSubstr("red_x=34000/50000|red_y=16000/50000|green_x=13250/50000"),
                            HasSubstr("red_x=17/25|red_y=8/25|green_x=53/200")))
          << codec << name;
      EXPECT_THAT(said, HasSubstr("max_content=1000|max_average=400")) << codec << name;
      EXPECT_THAT(said, HasSubstr("smpte2084")) << codec << name;
    }
  }
  ffmpeg(folder.path(),
         moving_source(96, 64, 3) +
             " -pix_fmt yuv420p10le -color_primaries bt2020 -color_trc "
             "arib-std-b67 -colorspace bt2020nc -color_range tv -c:v libx264 hlg.mp4");
  make_3d(folder / "hlg.mp4", folder / "out.mp4", {});
  EXPECT_EQ(ffprobe(folder / "out.mp4", "stream=color_space,color_transfer,color_primaries").at(0),
            "bt2020nc,arib-std-b67,bt2020");
}

TEST(VideoWriterDirect, IsTheSameAsSegmentsAndJoin) {
  const TemporaryFolder folder;
  const fs::path input = make_matroska(folder.path());
  media::VideoReader reader(input);
  const Work work;
  const VideoFormat format = format_for(reader.info(), work);
  JoinOptions join;
  join.source = input;
  media::VideoWriter writer(folder / "out.mkv", format, work.encode, join);
  for (VideoFrame frame; reader.read(frame);) writer.write(packed(frame, format.size));
  writer.finish();
  EXPECT_EQ(facts(folder / "out.mkv"), facts(input));
  EXPECT_EQ(times(folder / "out.mkv"), times(input));
  for (const char* stream : {"a:0", "a:1", "s:0", "s:1"}) {
    EXPECT_EQ(packets(folder / "out.mkv", stream), packets(input, stream)) << stream;
  }
}

// Standard input and output as files, while it lives.
class Redirected {
 public:
  Redirected(const fs::path& input, const fs::path& output)
      : input_(::dup(STDIN_FILENO)),
        output_(::dup(STDOUT_FILENO)) {
    replace(STDIN_FILENO, ::open(input.c_str(), O_RDONLY));
    replace(STDOUT_FILENO, ::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600));
  }

  ~Redirected() {
    replace(STDIN_FILENO, input_);
    replace(STDOUT_FILENO, output_);
  }

  Redirected(const Redirected&) = delete;
  Redirected& operator=(const Redirected&) = delete;

 private:
  static void replace(int descriptor, int by) {
    ::dup2(by, descriptor);
    ::close(by);
  }

  int input_;
  int output_;
};

void through_pipes(const fs::path& input, const fs::path& output, const std::string& container) {
  const Redirected redirected(input, output);
  media::VideoReadOptions read;
  read.keep_other_streams = true;
  media::VideoReader reader("-", read);
  const Work work;
  const VideoFormat format = format_for(reader.info(), work);
  media::VideoWriter writer("-", format, work.encode, {}, container, &reader);
  for (VideoFrame frame; reader.read(frame);) writer.write(packed(frame, format.size));
  writer.finish();
}

TEST(VideoWriterDirect, PipesKeepTheOtherStreams) {
  const TemporaryFolder folder;
  const fs::path input = make_matroska(folder.path());
  through_pipes(input, folder / "out.mkv", "");
  EXPECT_EQ(facts(folder / "out.mkv"), facts(input));
  EXPECT_EQ(times(folder / "out.mkv"), times(input));
  for (const char* stream : {"a:0", "a:1", "s:0", "s:1"}) {
    EXPECT_EQ(packets(folder / "out.mkv", stream), packets(input, stream)) << stream;
  }
}

TEST(VideoWriterDirect, PipesCanBeY4m) {
  const TemporaryFolder folder;
  ffmpeg(folder.path(), moving_source(96, 64, 10) + " -c:v ffv1 -pix_fmt yuv420p in.mkv");
  through_pipes(folder / "in.mkv", folder / "out.y4m", ".y4m");
  EXPECT_EQ(ffprobe(folder / "out.y4m", "stream=width,height,r_frame_rate").at(0), "192,64,25/1");
  EXPECT_EQ(read_video(folder / "out.y4m").size(), 10U);
  EXPECT_THAT(error_of([&] { through_pipes(folder / "in.mkv", folder / "out.mp4", ".mp4"); }),
              HasSubstr("cannot be written to a pipe"));
}

}  // namespace
}  // namespace vergence::test
