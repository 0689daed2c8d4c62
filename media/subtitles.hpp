// SPDX-License-Identifier: Apache-2.0
// Text subtitles in another form: for a container that holds no other, or placed in both eyes of a
// 3D picture; not installed.
#pragma once

#include "media/libav.hpp"
#include "media/video_writer.hpp"

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

struct AVStream;

namespace vergence::media {

// The 3D pictures that subtitles are placed in.
struct SubtitleLayout {
  StereoTag stereo = StereoTag::kSideBySide;  // or kTopBottom
  bool squeezed = false;
  bool right_first = false;
  cv::Size frame;            // with both eyes
  double parallax_px = 0.0;  // per eye, in pixels of an eye that is not squeezed; > 0 = before the
                             // screen
};

// Whether text can be placed in each eye: side by side and top-bottom. In interleaved pictures and
// anaglyphs it belongs to both eyes as it is.
[[nodiscard]] bool places_subtitles(StereoTag stereo);

// An ASS script (Advanced SubStation Alpha, v4+) of one picture as one of both eyes: its canvas is
// both eyes, every event appears once in each. Coordinates in \pos, \move, \org and rectangular
// \clip follow; clips that are drawings do not.
class StereoScript {
 public:
  // `header`: all of the script before its events.
  StereoScript(const std::string& header, const SubtitleLayout& layout);

  [[nodiscard]] const std::string& header() const { return header_; }

  // An event as Matroska has it ("ReadOrder,Layer,Style,Name,MarginL,MarginR,MarginV,Effect,Text")
  // for the first and the second eye's place, read orders 2 n and 2 n + 1. Throws Error for one
  // with too few fields.
  [[nodiscard]] std::array<std::string, 2> events(const std::string& event) const;

 private:
  struct Style {
    int alignment = 2;
    std::array<double, 3> margins = {10, 10, 10};  // left, right, vertical
  };
  struct Eye;

  void read_size(const std::string& header);
  std::string rewrite_style(const std::string& line, const std::vector<std::string>& format);
  [[nodiscard]] std::string place(std::vector<std::string> fields, const Eye& eye) const;
  [[nodiscard]] std::string moved_tags(const std::string& text, const Eye& eye) const;

  SubtitleLayout layout_;
  double width_ = 384;  // of the script's canvas; libass's default
  double height_ = 288;
  double parallax_ = 0.0;  // in the script's units
  double scale_x_ = 1.0;   // of the glyphs
  std::map<std::string, Style> styles_;
  std::string header_;
};

// Packets of a text subtitle stream as those of another codec.
class SubtitleConverter {
 public:
  // `codec`: FFmpeg's name ("subrip", "mov_text", "ass"). With a layout the codec is "ass".
  // Throws Error when the stream cannot be decoded.
  SubtitleConverter(const AVStream& from, const std::string& codec,
                    const std::optional<SubtitleLayout>& layout);
  ~SubtitleConverter();
  SubtitleConverter(SubtitleConverter&&) noexcept;
  SubtitleConverter& operator=(SubtitleConverter&&) noexcept;

  // Sets the codec and its header.
  void describe(AVStream& to) const;

  // The packets that one packet becomes, with its times, in its time base. Throws Error for
  // damaged ones.
  [[nodiscard]] std::vector<libav::PacketPtr> convert(const AVPacket& packet);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vergence::media
