// SPDX-License-Identifier: Apache-2.0
#include "media/subtitles.hpp"

#include "core/error.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <new>
#include <sstream>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

namespace vergence::media {
namespace {

constexpr std::size_t kEventFields = 9;  // the last one is the text, commas and all

std::vector<std::string> split(std::string_view text, std::size_t at_most) {
  std::vector<std::string> fields;
  while (fields.size() + 1 < at_most) {
    const auto comma = text.find(',');
    if (comma == std::string_view::npos) break;
    fields.emplace_back(text.substr(0, comma));
    text.remove_prefix(comma + 1);
  }
  fields.emplace_back(text);
  return fields;
}

std::string joined(const std::vector<std::string>& fields) {
  return fmt::format("{}", fmt::join(fields, ","));
}

double number(const std::string& text, double otherwise) {
  const std::string word(trimmed(text));
  double value = otherwise;
  const auto end = std::from_chars(word.data(), word.data() + word.size(), value);
  return end.ec == std::errc() && std::isfinite(value) ? value : otherwise;
}

// Up to three decimals, as short as can be.
std::string in_short(double value) {
  return fmt::format("{:g}", std::round(value * 1000.0) / 1000.0);
}

// A margin of 0 would mean "the style's".
std::string margin(double value) {
  return std::to_string(std::max(1L, std::lround(value)));
}

std::optional<std::string> value_of(const std::string& line, std::string_view key) {
  if (!lower(line).starts_with(lower(key))) return std::nullopt;
  return std::string(trimmed(std::string_view(line).substr(key.size())));
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.emplace_back(trimmed(line));
  return lines;
}

// The alignment that \an says in an event's text (1..9 as on a number pad); 0 = none.
int alignment_in(const std::string& text) {
  const auto place = text.find("\\an");
  if (place == std::string::npos || place + 3 >= text.size()) return 0;
  const char digit = text[place + 3];
  return digit >= '1' && digit <= '9' ? digit - '0' : 0;
}

bool has_position(const std::string& text) {
  return text.find("\\pos(") != std::string::npos || text.find("\\move(") != std::string::npos;
}

}  // namespace

// Where one eye's picture lies on the canvas.
struct StereoScript::Eye {
  double x = 0.0;      // of its left side
  double y = 0.0;      // of its top
  double shift = 0.0;  // of what is before the screen
};

bool places_subtitles(StereoTag stereo) {
  return stereo == StereoTag::kSideBySide || stereo == StereoTag::kTopBottom;
}

void StereoScript::read_size(const std::string& header) {
  double width = 0.0;
  double height = 0.0;
  for (const std::string& line : lines_of(header)) {
    if (const auto value = value_of(line, "PlayResX:")) width = number(*value, 0.0);
    if (const auto value = value_of(line, "PlayResY:")) height = number(*value, 0.0);
  }
  // As libass guesses.
  if (width <= 0.0 && height <= 0.0) return;
  width_ = width > 0.0 ? width : height * 4.0 / 3.0;
  height_ = height > 0.0 ? height : width * 3.0 / 4.0;
}

std::string StereoScript::rewrite_style(const std::string& line,
                                        const std::vector<std::string>& format) {
  std::vector<std::string> fields = split(line, format.size());
  if (fields.size() < format.size()) return line;
  Style style;
  std::string name;
  for (std::size_t i = 0; i < format.size(); ++i) {
    const std::string& key = format[i];
    if (key == "name") name = trimmed(fields[i]);
    if (key == "alignment") style.alignment = static_cast<int>(number(fields[i], 2));
    if (key == "marginl") style.margins[0] = number(fields[i], 10);
    if (key == "marginr") style.margins[1] = number(fields[i], 10);
    if (key == "marginv") style.margins[2] = number(fields[i], 10);
    if (key == "scalex") fields[i] = in_short(number(fields[i], 100) * scale_x_);
  }
  styles_[name] = style;
  return joined(fields);
}

StereoScript::StereoScript(const std::string& header, const SubtitleLayout& layout)
    : layout_(layout) {
  read_size(header);
  const bool beside = layout.stereo == StereoTag::kSideBySide;
  const double eye_width =
      beside && !layout.squeezed ? layout.frame.width / 2.0 : layout.frame.width;
  parallax_ = layout.parallax_px * width_ / eye_width;
  // Glyphs scale with the canvas's height; a squeezed eye makes them narrow or flat.
  if (layout.squeezed) scale_x_ = beside ? 0.5 : 2.0;

  std::vector<std::string> format;
  bool sized = false;
  for (const std::string& line : lines_of(header)) {
    if (value_of(line, "PlayRes")) continue;
    std::string out = line;
    if (const auto value = value_of(line, "Format:"); value && styles_.empty()) {
      format = split(*value, 64);
      for (std::string& key : format) key = lower(trimmed(key));
    }
    if (const auto value = value_of(line, "Style:")) {
      out = "Style: " + rewrite_style(*value, format);
    }
    header_ += out + "\n";
    if (!sized && lower(line).starts_with("[script info]")) {
      header_ +=
          fmt::format("PlayResX: {}\nPlayResY: {}\n", std::lround(beside ? 2 * width_ : width_),
                      std::lround(beside ? height_ : 2 * height_));
      sized = true;
    }
  }
}

// Adds the eye's place to the coordinates and scales the widths in the override blocks of a text.
std::string StereoScript::moved_tags(const std::string& text, const Eye& eye) const {
  static constexpr std::array<std::string_view, 5> kTags = {"\\pos(", "\\move(", "\\org(",
                                                            "\\clip(", "\\iclip("};
  std::string out;
  std::size_t i = 0;
  bool inside = false;
  while (i < text.size()) {
    if (text[i] == '{') inside = true;
    if (text[i] == '}') inside = false;
    const std::string_view rest = std::string_view(text).substr(i);
    const auto* const tag = std::find_if(kTags.begin(), kTags.end(), [&](std::string_view word) {
      return inside && rest.starts_with(word);
    });
    const auto end = rest.find(')');
    if (tag != kTags.end() && end != std::string_view::npos) {
      const std::size_t begin = tag->size();
      std::vector<std::string> values = split(rest.substr(begin, end - begin), 16);
      // \move's fifth and sixth values are times; a clip of one value is a drawing.
      const std::size_t num_coordinates =
          values.size() < 2 ? 0 : std::min<std::size_t>(values.size(), 4);
      for (std::size_t k = 0; k < num_coordinates; ++k) {
        const double by = k % 2 == 0 ? eye.x + eye.shift : eye.y;
        values[k] = in_short(number(values[k], 0.0) + by);
      }
      out += fmt::format("{}{})", *tag, joined(values));
      i += end + 1;
      continue;
    }
    if (inside && rest.starts_with("\\fscx")) {
      const auto after = rest.find_first_not_of("0123456789.", 5);
      const std::string digits(rest.substr(5, after == std::string_view::npos ? after : after - 5));
      out += "\\fscx" + (digits.empty() ? digits : in_short(number(digits, 100) * scale_x_));
      i += 5 + digits.size();
      continue;
    }
    out += text[i++];
  }
  return out;
}

std::string StereoScript::place(std::vector<std::string> fields, const Eye& eye) const {
  const auto found = styles_.find(std::string(trimmed(fields[2])));
  const Style style = found != styles_.end() ? found->second : Style{};
  std::array<double, 3> margins{};
  for (std::size_t i = 0; i < 3; ++i) {
    const double own = number(fields[4 + i], 0.0);
    margins[i] = own != 0.0 ? own : style.margins[i];
  }
  std::string& text = fields[8];
  const int said = alignment_in(text);
  const int alignment = said != 0 ? said : style.alignment;
  const bool beside = layout_.stereo == StereoTag::kSideBySide;
  const double canvas_width = beside ? 2 * width_ : width_;
  double left = eye.x + margins[0] + eye.shift;
  double right = canvas_width - (eye.x + width_ - margins[1] + eye.shift);
  // Text between both margins moves by their difference; none can be below 1.
  const double too_small = std::max(1.0 - left, 1.0 - right);
  if (alignment % 3 == 2 && too_small > 0.0) {
    left += too_small;
    right += too_small;
  }
  fields[4] = margin(left);
  fields[5] = margin(right);
  text = moved_tags(text, eye);
  if (beside) return joined(fields);
  if (alignment <= 3) {
    fields[6] = margin(height_ - eye.y + margins[2]);
  } else if (alignment >= 7) {
    fields[6] = margin(eye.y + margins[2]);
  } else if (!has_position(text)) {
    // What is centred has no vertical margin.
    const double x = alignment == 4   ? left
                     : alignment == 6 ? canvas_width - right
                                      : (left + canvas_width - right) / 2.0;
    text = fmt::format("{{\\pos({},{})}}{}", in_short(x), in_short(eye.y + height_ / 2.0), text);
  }
  return joined(fields);
}

std::array<std::string, 2> StereoScript::events(const std::string& event) const {
  const std::vector<std::string> fields = split(event, kEventFields);
  if (fields.size() < kEventFields) {
    throw Error(fmt::format("'{}' is no subtitle of ASS", printable(event)));
  }
  const bool beside = layout_.stereo == StereoTag::kSideBySide;
  const double order = number(fields[0], 0.0);
  std::array<std::string, 2> result;
  for (std::size_t i = 0; i < 2; ++i) {
    const bool left_eye = (i == 0) != layout_.right_first;
    Eye eye;
    if (i == 1) (beside ? eye.x : eye.y) = beside ? width_ : height_;
    eye.shift = left_eye ? parallax_ : -parallax_;
    auto placed = fields;
    placed[0] = std::to_string(2 * std::lround(order) + static_cast<long>(i));
    result[i] = place(std::move(placed), eye);
  }
  return result;
}

// --- Packets ------------------------------------------------------------------------------------

struct SubtitleConverter::State {
  libav::CodecPtr decoder;
  libav::CodecPtr encoder;  // null for "ass", whose events the decoder gives
  std::optional<StereoScript> script;
  std::string header;

  std::vector<std::string> payloads(AVSubtitle& subtitle) const;
};

namespace {

libav::CodecPtr make_context(const AVCodec* codec, const char* what, AVCodecID id) {
  if (codec == nullptr) {
    throw Error(fmt::format("this FFmpeg {} no subtitles of '{}'", what, avcodec_get_name(id)));
  }
  libav::CodecPtr context(avcodec_alloc_context3(codec));
  if (context == nullptr) throw std::bad_alloc();
  return context;
}

libav::CodecPtr open_subtitle_encoder(AVCodecID id, const std::string& header) {
  const AVCodec* codec = avcodec_find_encoder(id);
  libav::CodecPtr context = make_context(codec, "writes", id);
  context->time_base = {1, 1000};
  context->subtitle_header =
      static_cast<std::uint8_t*>(av_mallocz(header.size() + AV_INPUT_BUFFER_PADDING_SIZE));
  if (context->subtitle_header == nullptr) throw std::bad_alloc();
  std::copy(header.begin(), header.end(), context->subtitle_header);
  context->subtitle_header_size = static_cast<int>(header.size());
  libav::check(avcodec_open2(context.get(), codec, nullptr), "subtitles cannot be written");
  return context;
}

std::string encoded(AVCodecContext& encoder, const AVSubtitle& subtitle) {
  std::vector<std::uint8_t> buffer(1 << 16);
  const int size = libav::check(
      avcodec_encode_subtitle(&encoder, buffer.data(), static_cast<int>(buffer.size()), &subtitle),
      "a subtitle cannot be written");
  return {buffer.begin(), buffer.begin() + size};
}

}  // namespace

std::vector<std::string> SubtitleConverter::State::payloads(AVSubtitle& subtitle) const {
  std::vector<std::string> result;
  if (encoder != nullptr) {
    std::string text = encoded(*encoder, subtitle);
    if (!text.empty()) result.push_back(std::move(text));
    return result;
  }
  for (unsigned i = 0; i < subtitle.num_rects; ++i) {
    if (subtitle.rects[i]->ass == nullptr) continue;
    if (!script) {
      result.emplace_back(subtitle.rects[i]->ass);
      continue;
    }
    for (std::string& event : script->events(subtitle.rects[i]->ass)) {
      result.push_back(std::move(event));
    }
  }
  return result;
}

SubtitleConverter::SubtitleConverter(const AVStream& from, const std::string& codec,
                                     const std::optional<SubtitleLayout>& layout)
    : state_(std::make_unique<State>()) {
  const AVCodecID id = from.codecpar->codec_id;
  const AVCodec* decoder = avcodec_find_decoder(id);
  state_->decoder = make_context(decoder, "reads", id);
  libav::check(avcodec_parameters_to_context(state_->decoder.get(), from.codecpar),
               "subtitles cannot be read");
  state_->decoder->pkt_timebase = from.time_base;
  libav::check(avcodec_open2(state_->decoder.get(), decoder, nullptr), "subtitles cannot be read");
  const AVCodecContext& context = *state_->decoder;
  state_->header.assign(reinterpret_cast<const char*>(context.subtitle_header),
                        static_cast<std::size_t>(context.subtitle_header_size));
  if (codec != "ass") {
    const AVCodecID target = avcodec_descriptor_get_by_name(codec.c_str())->id;
    state_->encoder = open_subtitle_encoder(target, state_->header);
  } else if (layout) {
    state_->script.emplace(state_->header, *layout);
    state_->header = state_->script->header();
  }
}

SubtitleConverter::~SubtitleConverter() = default;
SubtitleConverter::SubtitleConverter(SubtitleConverter&&) noexcept = default;
SubtitleConverter& SubtitleConverter::operator=(SubtitleConverter&&) noexcept = default;

void SubtitleConverter::describe(AVStream& to) const {
  AVCodecParameters& parameters = *to.codecpar;
  parameters.codec_type = AVMEDIA_TYPE_SUBTITLE;
  parameters.codec_tag = 0;
  if (state_->encoder != nullptr) {
    libav::check(avcodec_parameters_from_context(&parameters, state_->encoder.get()),
                 "subtitles cannot be described");
    return;
  }
  parameters.codec_id = AV_CODEC_ID_ASS;
  parameters.extradata =
      static_cast<std::uint8_t*>(av_mallocz(state_->header.size() + AV_INPUT_BUFFER_PADDING_SIZE));
  if (parameters.extradata == nullptr) throw std::bad_alloc();
  std::copy(state_->header.begin(), state_->header.end(), parameters.extradata);
  parameters.extradata_size = static_cast<int>(state_->header.size());
}

std::vector<libav::PacketPtr> SubtitleConverter::convert(const AVPacket& packet) {
  AVSubtitle subtitle{};
  int got = 0;
  const libav::PacketPtr copy = libav::make_packet();
  libav::check(av_packet_ref(copy.get(), &packet), "a subtitle cannot be copied");
  libav::check(avcodec_decode_subtitle2(state_->decoder.get(), &subtitle, &got, copy.get()),
               "a subtitle cannot be read");
  std::vector<libav::PacketPtr> result;
  if (got == 0) return result;
  try {
    // The display times stand in the packet.
    subtitle.start_display_time = 0;
    subtitle.end_display_time = static_cast<std::uint32_t>(std::max<std::int64_t>(
        0, av_rescale_q(packet.duration, state_->decoder->pkt_timebase, AVRational{1, 1000})));
    for (const std::string& text : state_->payloads(subtitle)) {
      libav::PacketPtr& made = result.emplace_back(libav::make_packet());
      if (av_new_packet(made.get(), static_cast<int>(text.size())) < 0) throw std::bad_alloc();
      std::memcpy(made->data, text.data(), text.size());
      made->pts = packet.pts;
      made->dts = packet.dts;
      made->duration = packet.duration;
      made->time_base = state_->decoder->pkt_timebase;
      made->flags |= AV_PKT_FLAG_KEY;
    }
  } catch (...) {
    avsubtitle_free(&subtitle);
    throw;
  }
  avsubtitle_free(&subtitle);
  return result;
}

}  // namespace vergence::media
