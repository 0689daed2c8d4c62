// SPDX-License-Identifier: Apache-2.0
#include "media/video_reader.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"
#include "media/libav.hpp"
#include "media/other_streams.hpp"
#include "media/picture.hpp"
#include "media/stream_tags.hpp"
#include "media/video_color.hpp"
#include "media/video_facts.hpp"
#include "media/video_input.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <limits>
#include <string_view>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavformat/avformat.h>
#include <libavutil/pixdesc.h>
}

namespace vergence::media {
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kNoTime = AV_NOPTS_VALUE;
constexpr std::int64_t kAlways = std::numeric_limits<std::int64_t>::min();
// So many unreadable packets in a row are the end of a file.
constexpr int kMaxReadErrors = 100;
// How far before the wanted time to look for a key frame, one after another. Files are indexed by
// decoding time, and leading pictures of an open GOP lie before their key frame.
constexpr std::array<double, 4> kSecondsBack = {0.0, 2.0, 8.0, 32.0};
// A file that ends so much earlier than its header says has lost its end.
constexpr double kMissingSeconds = 0.5;

AVRational av(const Rational& value) {
  return libav::rational(value);
}

// --- Decoding ---------------------------------------------------------------------------------

// Frames of the video stream, in the order in which they are shown, with times that grow.
class FrameDecoder {
 public:
  FrameDecoder(const fs::path& path, const VideoReadOptions& options)
      : path_(path),
        threads_(options.threads),
        keyframes_only_(options.keyframes_only),
        packet_(libav::make_packet()) {
    open();
    if (options.keep_other_streams) {
      kept_ = std::make_unique<KeptPackets>(
          MuxSource{&input_->context(), stream_->index, input_->begin_s()});
    }
  }

  [[nodiscard]] KeptPackets* kept() const { return kept_.get(); }

  [[nodiscard]] const VideoInput& input() const { return *input_; }

  [[nodiscard]] AVStream& stream() const { return *stream_; }

  // False at the end. Throws Error on a read error.
  bool next(AVFrame& frame) {
    for (;;) {
      const int code = avcodec_receive_frame(decoder_.get(), &frame);
      if (code == AVERROR_EOF) return false;
      if (code == AVERROR(EAGAIN)) {
        feed();
      } else if (code < 0) {
        libav::check(code == AVERROR(ENOMEM) ? code : 0, failure());
        ++damaged_;
        last_error_ = code;
      } else if (timed(frame)) {
        if (frame.decode_error_flags != 0 || (frame.flags & AV_FRAME_FLAG_CORRUPT) != 0) ++mended_;
        return true;
      }
    }
  }

  // Opens the file again, to read from its beginning.
  void rewind() {
    decoder_.reset();
    input_.reset();
    open();
  }

  // Goes on with a key frame that lies at or before `time` (of the stream). False where the file
  // does not allow it; then only rewind() leads back to a known state.
  bool jump(std::int64_t time) {
    AVFormatContext& context = input_->context();
    if (!trusted_ || (context.iformat->flags & AVFMT_NOTIMESTAMPS) != 0) return false;
    if (av_seek_frame(&context, stream_->index, time, AVSEEK_FLAG_BACKWARD) < 0) return false;
    avcodec_flush_buffers(decoder_.get());
    ended_ = false;
    read_errors_ = 0;
    last_pts_ = kNoTime;
    key_pts_ = kNoTime;
    wait_for_key_ = true;
    return true;
  }

  // The time of the key frame from which decoding went on after jump(): known once a frame came.
  [[nodiscard]] std::int64_t key_pts() const { return key_pts_; }

  // Whether all frames so far had times of their own.
  [[nodiscard]] bool trusted() const { return trusted_; }

  [[nodiscard]] std::string last_error() const {
    return last_error_ == 0 ? "it has no picture" : libav::error_text(last_error_);
  }

  // One warning for all that was wrong so far; at_end: the file was read to its end.
  void warn(bool at_end) {
    std::string what;
    const auto add = [&](int count, std::string_view one, std::string_view many) {
      if (count == 0) return;
      what += fmt::format("{}{} {}", what.empty() ? "" : ", ", count, count == 1 ? one : many);
    };
    add(damaged_, "damaged packet was skipped", "damaged packets were skipped");
    add(mended_, "frame has damaged parts", "frames have damaged parts");
    if (at_end && truncated()) {
      what += fmt::format("{}it ends at {:.1f} s although its header says {:.1f} s",
                          what.empty() ? "" : ", ", end_s_, declared_s());
    }
    if (!what.empty()) spdlog::warn("'{}': {}", path_.string(), what);
    damaged_ = 0;
    mended_ = 0;
  }

 private:
  [[nodiscard]] std::string failure() const {
    return fmt::format("cannot read '{}'", path_.string());
  }

  void open() {
    input_.emplace(path_);
    stream_ = &input_->video();
    decoder_ = open_decoder(*stream_, threads_, keyframes_only_, path_);
    ended_ = false;
    read_errors_ = 0;
    last_pts_ = kNoTime;
    key_pts_ = kNoTime;
    wait_for_key_ = false;
    end_s_ = 0.0;
  }

  // Gives the decoder one more packet, or tells it that there is none.
  void feed() {
    while (!ended_) {
      throw_if_interrupted();
      av_packet_unref(packet_.get());
      const int code = av_read_frame(&input_->context(), packet_.get());
      if (code == AVERROR(EAGAIN)) continue;
      if (code < 0) {
        input_->check_bytes();
        libav::check(code == AVERROR_EXIT || code == AVERROR(ENOMEM) ? code : 0, failure());
        if (code != AVERROR_EOF && ++read_errors_ < kMaxReadErrors) continue;
        ended_ = true;
        break;
      }
      read_errors_ = 0;
      note_end();
      if (kept_ != nullptr && packet_->stream_index != stream_->index) kept_->push(*packet_);
      if (packet_->stream_index != stream_->index || !wanted()) continue;
      send();
      return;
    }
    avcodec_send_packet(decoder_.get(), nullptr);
  }

  void note_end() {
    const std::int64_t time = packet_->pts != kNoTime ? packet_->pts : packet_->dts;
    if (time == kNoTime) return;
    const AVStream& stream = *input_->context().streams[packet_->stream_index];
    end_s_ =
        std::max(end_s_, static_cast<double>(time + std::max<std::int64_t>(packet_->duration, 0)) *
                                 av_q2d(stream.time_base) -
                             input_->begin_s());
  }

  // Packets before the first key frame behind a jump are of no use.
  bool wanted() {
    const bool key = (packet_->flags & AV_PKT_FLAG_KEY) != 0;
    if (keyframes_only_ && !key) return false;
    if (!wait_for_key_) return true;
    if (!key) return false;
    wait_for_key_ = false;
    key_pts_ = packet_->pts != kNoTime ? packet_->pts : packet_->dts;
    return true;
  }

  void send() {
    const int code = avcodec_send_packet(decoder_.get(), packet_.get());
    if (code == AVERROR(ENOMEM)) libav::check(code, failure());
    if (code >= 0 || code == AVERROR_EOF) return;
    ++damaged_;
    last_error_ = code;
  }

  // Gives the frame its time; false for leading pictures behind a jump, which lack their
  // references.
  bool timed(AVFrame& frame) {
    const std::int64_t own = frame.pts != kNoTime ? frame.pts : frame.best_effort_timestamp;
    if (own == kNoTime) trusted_ = false;
    if (key_pts_ != kNoTime && last_pts_ == kNoTime && own != kNoTime && own < key_pts_) {
      return false;
    }
    std::int64_t pts = own;
    if (own == kNoTime) pts = last_pts_ == kNoTime ? first_pts() : last_pts_ + last_duration_;
    if (last_pts_ != kNoTime && pts <= last_pts_) pts = last_pts_ + 1;
    last_pts_ = pts;
    last_duration_ = std::max<std::int64_t>(frame.pkt_duration, 0);
    if (last_duration_ == 0) last_duration_ = usual_duration();
    frame.pts = pts;
    return true;
  }

  [[nodiscard]] std::int64_t first_pts() const {
    return stream_->start_time == kNoTime ? 0 : stream_->start_time;
  }

  [[nodiscard]] std::int64_t usual_duration() const {
    const AVRational rate = av_guess_frame_rate(&input_->context(), stream_, nullptr);
    if (rate.num <= 0 || rate.den <= 0) return 1;
    return std::max<std::int64_t>(av_rescale_q(1, av_inv_q(rate), stream_->time_base), 1);
  }

  [[nodiscard]] double declared_s() const {
    const AVFormatContext& context = input_->context();
    if (context.duration <= 0 ||
        context.duration_estimation_method == AVFMT_DURATION_FROM_BITRATE) {
      return 0.0;
    }
    return static_cast<double>(context.duration) / AV_TIME_BASE;
  }

  [[nodiscard]] bool truncated() const {
    return input_->seekable() && !keyframes_only_ && end_s_ < declared_s() - kMissingSeconds;
  }

  fs::path path_;
  int threads_;
  bool keyframes_only_;
  std::optional<VideoInput> input_;
  AVStream* stream_ = nullptr;
  libav::CodecPtr decoder_;
  libav::PacketPtr packet_;
  std::unique_ptr<KeptPackets> kept_;
  bool ended_ = false;
  int read_errors_ = 0;
  std::int64_t last_pts_ = kNoTime;
  std::int64_t last_duration_ = 0;
  std::int64_t key_pts_ = kNoTime;
  bool wait_for_key_ = false;
  bool trusted_ = true;
  double end_s_ = 0.0;  // of the packets so far, since the file's beginning
  int damaged_ = 0;
  int mended_ = 0;
  int last_error_ = 0;
};

// --- Filters ----------------------------------------------------------------------------------

// Whether an expression among the filters' options counts frames, remembers values or asks for
// chance.
bool counts(std::string_view filters) {
  constexpr std::array<std::string_view, 5> kWords = {"n", "N", "st", "ld", "random"};
  const auto in_word = [](char letter) {
    return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_';
  };
  while (!filters.empty()) {
    const auto end = std::find_if_not(filters.begin(), filters.end(), in_word);
    const auto length = static_cast<std::size_t>(end - filters.begin());
    const std::string_view word = filters.substr(0, length);
    if (std::find(kWords.begin(), kWords.end(), word) != kWords.end()) return true;
    filters.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return false;
}

// How many frames before a frame its filtered picture depends on; nothing = any number.
std::optional<int> memory_of(std::string_view filters) {
  constexpr std::array<std::string_view, 25> kNone = {
      "null",       "crop",   "scale",       "zscale", "pad",    "hflip",  "vflip",
      "transpose",  "rotate", "format",      "setsar", "setdar", "eq",     "hue",
      "unsharp",    "gblur",  "boxblur",     "curves", "lut",    "lutyuv", "lutrgb",
      "colorspace", "lut3d",  "colorlevels", "v360"};
  constexpr std::array<std::string_view, 4> kFields = {"yadif", "bwdif", "w3fdif", "estdif"};
  constexpr int kFieldMemory = 4;
  // Graphs with links can hold anything.
  if (filters.find_first_of("[;") != std::string_view::npos || counts(filters)) return std::nullopt;
  int memory = 0;
  while (!filters.empty()) {
    const std::string_view one = filters.substr(0, filters.find(','));
    const std::string_view name = one.substr(0, one.find('='));
    if (std::find(kFields.begin(), kFields.end(), name) != kFields.end()) {
      memory += kFieldMemory;
    } else if (std::find(kNone.begin(), kNone.end(), name) == kNone.end()) {
      return std::nullopt;
    }
    filters.remove_prefix(std::min(filters.size(), one.size() + 1));
  }
  return memory;
}

// What decoded frames are, to filters.
struct FrameShape {
  cv::Size size;
  int format = AV_PIX_FMT_NONE;
  AVRational time_base{0, 1};
  AVRational pixel_aspect{0, 1};
  AVRational frame_rate{0, 1};
};

class FilterChain {
 public:
  FilterChain(const FrameShape& shape, const std::string& filters, int threads)
      : graph_(avfilter_graph_alloc()) {
    if (graph_ == nullptr) throw std::bad_alloc();
    graph_->nb_threads = threads;
    // Of converters between filters: chroma stays where H.264 has it.
    graph_->scale_sws_opts = av_strdup(
        "flags=bilinear+accurate_rnd+full_chroma_int+full_chroma_inp:in_h_chr_pos=0:"
        "out_h_chr_pos=0");
    const libav::Complaints complaints;
    const auto failure = [&] {
      const std::string said = complaints.text();
      return fmt::format("the filter '{}' fails{}{}", filters, said.empty() ? "" : ": ", said);
    };
    const auto must = [&](int code) {
      if (code < 0) throw Error(ErrorCode::kUsage, failure());
    };
    const std::string arguments = fmt::format(
        "video_size={}x{}:pix_fmt={}:time_base={}/{}:pixel_aspect={}/{}", shape.size.width,
        shape.size.height, shape.format, shape.time_base.num, shape.time_base.den,
        shape.pixel_aspect.num, std::max(shape.pixel_aspect.den, 1));
    const std::string rate =
        shape.frame_rate.num > 0
            ? fmt::format(":frame_rate={}/{}", shape.frame_rate.num, shape.frame_rate.den)
            : "";
    must(avfilter_graph_create_filter(&source_, avfilter_get_by_name("buffer"), "in",
                                      (arguments + rate).c_str(), nullptr, graph_.get()));
    must(avfilter_graph_create_filter(&sink_, avfilter_get_by_name("buffersink"), "out", nullptr,
                                      nullptr, graph_.get()));
    connect(filters.empty() ? "null" : filters, must);
    must(avfilter_graph_config(graph_.get(), nullptr));
  }

  // Null ends the stream.
  void push(AVFrame* frame) {
    const int code = av_buffersrc_add_frame_flags(source_, frame, AV_BUFFERSRC_FLAG_PUSH);
    // A filter that wants no more frames (trim) says so by EOF.
    if (code < 0 && code != AVERROR_EOF) libav::check(code, "a video filter failed");
  }

  enum class Pulled { kFrame, kNeedsMore, kEnd };

  Pulled pull(AVFrame& frame) {
    const int code = av_buffersink_get_frame(sink_, &frame);
    if (code == AVERROR(EAGAIN)) return Pulled::kNeedsMore;
    if (code == AVERROR_EOF) return Pulled::kEnd;
    libav::check(code, "a video filter failed");
    return Pulled::kFrame;
  }

  [[nodiscard]] Rational time_base() const {
    return libav::rational(av_buffersink_get_time_base(sink_));
  }

  [[nodiscard]] Rational frame_rate() const {
    return libav::rational(av_buffersink_get_frame_rate(sink_));
  }

 private:
  template <typename Must>
  void connect(const std::string& filters, const Must& must) {
    AVFilterInOut* outputs = avfilter_inout_alloc();
    AVFilterInOut* inputs = avfilter_inout_alloc();
    if (outputs == nullptr || inputs == nullptr) throw std::bad_alloc();
    *outputs = {.name = av_strdup("in"), .filter_ctx = source_, .pad_idx = 0, .next = nullptr};
    *inputs = {.name = av_strdup("out"), .filter_ctx = sink_, .pad_idx = 0, .next = nullptr};
    const int code =
        avfilter_graph_parse_ptr(graph_.get(), filters.c_str(), &inputs, &outputs, nullptr);
    avfilter_inout_free(&inputs);
    avfilter_inout_free(&outputs);
    must(code);
  }

  libav::FilterGraphPtr graph_;
  AVFilterContext* source_ = nullptr;
  AVFilterContext* sink_ = nullptr;
};

bool is_interlaced(const AVStream& stream, const AVFrame& frame) {
  const AVFieldOrder order = stream.codecpar->field_order;
  return frame.interlaced_frame != 0 || order == AV_FIELD_TT || order == AV_FIELD_BB ||
         order == AV_FIELD_TB || order == AV_FIELD_BT;
}

// `seconds` in units of `base`, the first whole number at or after it.
std::int64_t ticks_from(double seconds, const Rational& base) {
  const double ticks = seconds / base.value();
  constexpr double kMost = 4e18;
  // Decimal fractions are seldom exact in binary.
  return static_cast<std::int64_t>(std::clamp(std::ceil(ticks - 1e-6), -kMost, kMost));
}

}  // namespace

// --- The reader -------------------------------------------------------------------------------

struct VideoReader::State {
  State(const fs::path& path, const VideoReadOptions& wanted)
      : options(wanted),
        decoder(path, wanted),
        decoded(libav::make_frame()),
        filtered(libav::make_frame()) {
    info.path = path;
    if (!decoder.next(*decoded)) {
      throw Error(fmt::format("'{}' has no picture that can be decoded: {}", path.string(),
                              decoder.last_error()));
    }
    learn_from_decoded();
    chain.emplace(shape, filters, options.threads);
    chain->push(decoded.get());
    if (!pull()) throw Error(fmt::format("the filter '{}' gives no picture", filters));
    learn_from_filtered();
    first = pass(*filtered);
    pending = true;
    if (first_pts > info.start_pts) go_to(first_pts, 0);
  }

  ~State() { decoder.warn(false); }

  State(const State&) = delete;
  State& operator=(const State&) = delete;

  bool read(VideoFrame& frame);
  void seek(std::int64_t pts, std::int64_t number);

  // What decoder.next() gave first.
  void learn_from_decoded();
  // What came out of the filters first.
  void learn_from_filtered();
  void learn_extent();

  // The next frame behind the filters into `filtered`; false at the end.
  bool pull();
  // Whether the frame is one of those that are given; keeps the time for the next one.
  bool pass(const AVFrame& frame);
  void restart_filters();
  void go_to(std::int64_t pts, std::int64_t number);
  bool try_jump(std::int64_t pts, double back_s);
  void check_shape(const AVFrame& frame) const;

  VideoReadOptions options;
  VideoInfo info;
  FrameDecoder decoder;
  libav::FramePtr decoded;
  libav::FramePtr filtered;
  FrameShape shape;
  Orientation orientation;
  std::string filters;
  std::optional<FilterChain> chain;
  std::optional<FrameToPicture> converter;
  std::int64_t first_pts = kAlways;                                 // frames before are not given
  std::int64_t end_pts = std::numeric_limits<std::int64_t>::max();  // nor this one and later ones
  std::int64_t last_pts = kNoTime;  // of the frame behind the filters, or of the last key frame
  std::int64_t next_index = 0;
  bool thins = false;    // drops frames for max_fps
  bool pending = false;  // `filtered` is still to be given, if `first`
  bool first = false;
  bool flushed = false;  // the filters know of the end
  bool ended = false;
};

void VideoReader::State::learn_from_decoded() {
  const AVStream& stream = decoder.stream();
  AVFormatContext& context = decoder.input().context();
  shape.size = {decoded->width, decoded->height};
  if (shape.size.width > kMaxPictureWidth || shape.size.height > kMaxPictureHeight) {
    throw Error(fmt::format("'{}' is too large with {}x{} pixels", info.path.string(),
                            shape.size.width, shape.size.height))
        .hint(fmt::format("at most {}x{} are read", kMaxPictureWidth, kMaxPictureHeight));
  }
  shape.format = decoded->format;
  shape.time_base = stream.time_base;
  shape.pixel_aspect = av_guess_sample_aspect_ratio(&context, &decoder.stream(), decoded.get());
  shape.frame_rate = av_guess_frame_rate(&context, &decoder.stream(), nullptr);
  orientation = orientation_of(stream, *decoded);
  filters = orientation.filter();
  if (!options.filter.empty()) filters += (filters.empty() ? "" : ",") + options.filter;

  info.container = context.iformat->name;
  info.seekable = decoder.input().seekable();
  info.rotation_deg = orientation.clockwise_deg();
  info.codec = avcodec_get_name(stream.codecpar->codec_id);
  info.interlaced = is_interlaced(stream, *decoded);
  info.hdr = hdr_of(stream, *decoded);
  info.spherical = spherical_of(stream);
  info.bitstream_stereo = bitstream_stereo_of(*decoded);
  if (const auto stereo = stereo_of(stream, *decoded)) {
    info.stereo = stereo->tag;
    info.stereo_right_first = stereo->right_first;
  }
  info.streams = decoder.input().streams();
}

void VideoReader::State::learn_from_filtered() {
  const AVPixFmtDescriptor& format =
      *av_pix_fmt_desc_get(static_cast<AVPixelFormat>(filtered->format));
  info.size = {filtered->width, filtered->height};
  info.pixel_aspect = libav::rational(filtered->sample_aspect_ratio);
  if (info.pixel_aspect.num <= 0) info.pixel_aspect = {1, 1};
  info.time_base = chain->time_base();
  info.pixel_format = format.name;
  info.bit_depth = bits_of(info.pixel_format);
  info.grey = format.nb_components <= 2 && (format.flags & AV_PIX_FMT_FLAG_PAL) == 0;
  info.alpha = (format.flags & AV_PIX_FMT_FLAG_ALPHA) != 0;
  info.color = color_tags(*filtered);
  if (!options.matrix.empty()) info.color.matrix = options.matrix;
  if (options.full_range) info.color.full_range = *options.full_range;
  info.color = resolved_tags(info.color, info.pixel_format, shape.size.height);
  converter.emplace(info.color, orientation);
  learn_extent();
}

void VideoReader::State::learn_extent() {
  const AVStream& stream = decoder.stream();
  const AVFormatContext& context = decoder.input().context();
  const double begin = decoder.input().begin_s();
  info.start_pts = static_cast<std::int64_t>(std::llround(begin / info.time_base.value()));
  if (options.start_s) {
    first_pts = info.start_pts + ticks_from(*options.start_s, info.time_base);
  }
  if (options.end_s) end_pts = info.start_pts + ticks_from(*options.end_s, info.time_base);

  info.frame_rate = chain->frame_rate();
  const double rate = info.frame_rate.value();
  // A tenth of a percent above is no faster video (30 and 29.97).
  thins = options.max_fps > 0.0 && !(rate > 0.0 && rate <= options.max_fps * 1.001);
  if (thins) info.frame_rate = libav::rational(av_d2q(options.max_fps, 1001000));
  if (options.keyframes_only && options.keyframe_interval_s > 0.0) {
    info.frame_rate = libav::rational(av_d2q(1.0 / options.keyframe_interval_s, 1001000));
  }
  double total = context.duration > 0 ? static_cast<double>(context.duration) / AV_TIME_BASE : 0.0;
  if (stream.duration > 0) total = static_cast<double>(stream.duration) * av_q2d(stream.time_base);
  if (total <= 0.0) return;
  const double from = std::clamp(options.start_s.value_or(0.0), 0.0, total);
  const double to = std::clamp(options.end_s.value_or(total), from, total);
  info.duration_s = to - from;
  info.frame_count = std::llround(info.duration_s * info.frame_rate.value());
  const bool whole = !options.start_s && !options.end_s && !thins && !options.keyframes_only;
  if (whole && options.filter.empty() && stream.nb_frames > 0) info.frame_count = stream.nb_frames;
}

void VideoReader::State::check_shape(const AVFrame& frame) const {
  if (frame.width == shape.size.width && frame.height == shape.size.height &&
      frame.format == shape.format) {
    return;
  }
  const double seconds =
      static_cast<double>(frame.pts) * av_q2d(shape.time_base) - decoder.input().begin_s();
  const auto name = [](int format) {
    const char* text = av_get_pix_fmt_name(static_cast<AVPixelFormat>(format));
    return text == nullptr ? "unknown" : text;
  };
  throw Error(fmt::format("'{}' changes from {}x{} ({}) to {}x{} ({}) at {:.3f} s",
                          info.path.string(), shape.size.width, shape.size.height,
                          name(shape.format), frame.width, frame.height, name(frame.format),
                          seconds))
      .hint("convert it to one size and pixel format first, or take the part before by video.end");
}

bool VideoReader::State::pull() {
  for (;;) {
    av_frame_unref(filtered.get());
    switch (chain->pull(*filtered)) {
      case FilterChain::Pulled::kFrame:
        return true;
      case FilterChain::Pulled::kEnd:
        return false;
      case FilterChain::Pulled::kNeedsMore:
        break;
    }
    if (flushed) return false;
    av_frame_unref(decoded.get());
    if (decoder.next(*decoded)) {
      check_shape(*decoded);
      chain->push(decoded.get());
    } else {
      flushed = true;
      chain->push(nullptr);
    }
  }
}

bool VideoReader::State::pass(const AVFrame& frame) {
  const std::int64_t before = last_pts;
  const double since_start = static_cast<double>(frame.pts - info.start_pts);
  const double base = info.time_base.value();
  if (options.keyframes_only) {
    const double least = options.keyframe_interval_s / base;
    if (before != kNoTime && static_cast<double>(frame.pts - before) < least - 0.5) return false;
    last_pts = frame.pts;
    return true;
  }
  last_pts = frame.pts;
  if (!thins || before == kNoTime) return true;
  // Rounded times lie around the multiples: they count as behind them.
  constexpr double kEarly = 0.1;
  const double slots = base * options.max_fps;
  return std::floor(since_start * slots + kEarly) !=
         std::floor(static_cast<double>(before - info.start_pts) * slots + kEarly);
}

bool VideoReader::State::read(VideoFrame& frame) {
  while (!ended) {
    if (!pending) {
      if (!pull()) break;
      first = pass(*filtered);
    }
    pending = false;
    if (!first || filtered->pts < first_pts) continue;
    if (filtered->pts >= end_pts) {
      ended = true;
      return false;
    }
    if (options.grey) {
      converter->luminance(*filtered, frame.picture);
    } else {
      converter->rgb(*filtered, frame.picture);
    }
    frame.pts = filtered->pts;
    const bool all_stay = options.filter.empty() && !thins && !options.keyframes_only;
    frame.duration = all_stay ? std::max<std::int64_t>(filtered->pkt_duration, 0) : 0;
    frame.index = next_index++;
    return true;
  }
  if (!ended) decoder.warn(true);
  ended = true;
  return false;
}

void VideoReader::State::restart_filters() {
  chain.emplace(shape, filters, options.threads);
  flushed = false;
  ended = false;
  pending = false;
  last_pts = kNoTime;
}

// Decodes from a key frame on, as far as the frame at or behind `pts`, which is then pending. False
// where too few frames lie between them to know what the filters make of it.
bool VideoReader::State::try_jump(std::int64_t pts, double back_s) {
  const auto memory = memory_of(options.filter);
  if (!memory || options.keyframes_only || !info.seekable) return false;
  const AVRational stream_base = shape.time_base;
  const std::int64_t wanted = av_rescale_q_rnd(pts, av(info.time_base), stream_base, AV_ROUND_DOWN);
  if (!decoder.jump(wanted - ticks_from(back_s, libav::rational(stream_base)))) return false;
  restart_filters();
  // One frame more, so that times that had to be moved are moved the same way, and for max_fps.
  int before = -(*memory + 1);
  while (pull()) {
    if (!decoder.trusted() || decoder.key_pts() == kNoTime) return false;
    first = pass(*filtered);
    if (filtered->pts >= pts) {
      pending = true;
      return before >= 0;
    }
    ++before;
  }
  return before >= 0;
}

void VideoReader::State::go_to(std::int64_t pts, std::int64_t number) {
  first_pts = pts;
  next_index = number;
  if (!info.seekable) return;  // at the beginning: frames before are read and dropped
  for (const double back_s : kSecondsBack) {
    if (try_jump(pts, back_s)) return;
  }
  decoder.rewind();
  restart_filters();
}

void VideoReader::State::seek(std::int64_t pts, std::int64_t number) {
  if (!info.seekable) {
    throw Error(fmt::format("'{}' is a pipe: it can be read once only, from its beginning",
                            info.path.string()));
  }
  go_to(pts, number);
}

VideoReader::VideoReader(const fs::path& path, const VideoReadOptions& options)
    : state_(std::make_unique<State>(path, options)) {}

VideoReader::~VideoReader() = default;
VideoReader::VideoReader(VideoReader&&) noexcept = default;
VideoReader& VideoReader::operator=(VideoReader&&) noexcept = default;

KeptPackets* VideoReader::other_streams() const {
  return state_->decoder.kept();
}

const VideoInfo& VideoReader::info() const {
  return state_->info;
}

bool VideoReader::read(VideoFrame& frame) {
  return state_->read(frame);
}

void VideoReader::seek(std::int64_t pts, std::int64_t index) {
  state_->seek(pts, index);
}

bool is_video_file(const fs::path& path) {
  constexpr std::array<std::string_view, 34> kExtensions = {
      ".mp4", ".m4v", ".mov",  ".mkv",  ".webm", ".avi",  ".wmv", ".asf",   ".flv",
      ".f4v", ".ts",  ".m2ts", ".mts",  ".mpg",  ".mpeg", ".m2v", ".vob",   ".ogv",
      ".ogm", ".3gp", ".3g2",  ".mxf",  ".y4m",  ".insv", ".360", ".mjpeg", ".mjpg",
      ".dv",  ".rm",  ".rmvb", ".divx", ".m2t",  ".h264", ".hevc"};
  const std::string extension = lower(path.extension().string());
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

}  // namespace vergence::media
