// SPDX-License-Identifier: Apache-2.0
#include "media/video_join.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "media/codecs.hpp"
#include "media/containers.hpp"
#include "media/muxer.hpp"
#include "media/other_streams.hpp"
#include "media/segment_file.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

namespace vergence::media {
namespace fs = std::filesystem;

namespace {

// When the last frame of a segment is shown, and for how long.
struct LastFrame {
  std::int64_t pts = std::numeric_limits<std::int64_t>::min();
  std::int64_t duration = 0;
};

LastFrame last_frame_of(const fs::path& segment, Rational time_base) {
  SegmentFileReader reader(segment, time_base);
  const libav::PacketPtr packet = libav::make_packet();
  LastFrame last;
  while (reader.read(*packet)) last.pts = std::max(last.pts, packet->pts);
  last.duration = reader.last_duration();
  return last;
}

// MP4 tells how long pictures last in decoding order only: the last one in display order lasts
// until the end of the stream.
void take_end_of_source(const OtherStreams& others, const VideoFormat& format, LastFrame& last) {
  const AVStream& video = *others.source().context->streams[others.source().video_index];
  if (video.duration <= 0 || libav::rational(video.time_base) != format.time_base) return;
  const std::int64_t begin = video.start_time == AV_NOPTS_VALUE ? 0 : video.start_time;
  const std::int64_t duration = begin + video.duration - last.pts;
  if (duration > 0 && duration <= 4 * format.ticks_per_frame()) last.duration = duration;
}

// Copies the packets of segments, one after another.
class SegmentCopier {
 public:
  SegmentCopier(const VideoFormat& format, std::vector<std::uint8_t> header, LastFrame last)
      : time_base_(format.time_base),
        nominal_(format.ticks_per_frame()),
        header_(std::move(header)),
        last_(last) {
    if (last_.duration <= 0) last_.duration = nominal_;
  }

  // `write(packet)` gets each packet, with a duration.
  template <typename Write>
  void copy(const fs::path& segment, const Write& write) {
    SegmentFileReader reader(segment, time_base_);
    if (reader.global_header() != header_) {
      throw Error(fmt::format("the segment '{}' was encoded with other settings", segment.string()))
          .hint("begin anew");
    }
    const std::int64_t begin = newest_;
    while (reader.read(*packet_)) {
      throw_if_interrupted();
      if (packet_->pts <= begin) {
        throw Error(
            fmt::format("the segment '{}' begins before the one before it ends", segment.string()));
      }
      newest_ = std::max(newest_, packet_->pts);
      const std::int64_t end = last_.pts + last_.duration;
      packet_->duration = packet_->pts == last_.pts
                              ? last_.duration
                              : std::clamp<std::int64_t>(end - packet_->pts, 0, nominal_);
      write(*packet_);
    }
  }

 private:
  Rational time_base_;
  std::int64_t nominal_;
  std::vector<std::uint8_t> header_;
  LastFrame last_;
  std::int64_t newest_ = std::numeric_limits<std::int64_t>::min();
  libav::PacketPtr packet_ = libav::make_packet();
};

std::int64_t first_pts_of(const fs::path& segment, Rational time_base) {
  SegmentFileReader reader(segment, time_base);
  const libav::PacketPtr packet = libav::make_packet();
  if (!reader.read(*packet)) {
    throw Error(fmt::format("the segment '{}' has no frames", segment.string()));
  }
  return packet->pts;
}

}  // namespace

void join_segments(std::span<const fs::path> segments, const VideoFormat& format,
                   const EncodeOptions& encode, const fs::path& output, const JoinOptions& options,
                   const std::function<void(std::int64_t bytes)>& advance) {
  if (segments.empty()) throw std::invalid_argument("there are no segments to join");
  // Its description of the stream is what the segments hold; it encodes nothing.
  const VideoEncoder encoder(format, encode);
  LastFrame last = last_frame_of(segments.back(), format.time_base);
  std::optional<OtherStreams> others;
  if (!options.source.empty()) others.emplace(options.source);
  if (others && !options.end_s) take_end_of_source(*others, format, last);
  SegmentCopier copier(format, encoder.global_header(), last);
  Muxer muxer(output, muxer_for(output.string()), encoder, format, options,
              others ? others->source() : MuxSource{});
  muxer.begin(first_pts_of(segments.front(), format.time_base));

  std::int64_t reported = 0;
  const auto write = [&](AVPacket& packet) {
    if (others) others->write_until(muxer.seconds_of(packet.pts), muxer);
    muxer.write_video(packet);
    if (!advance) return;
    advance(muxer.size() - reported);
    reported = muxer.size();
  };
  for (const fs::path& segment : segments) copier.copy(segment, write);
  if (others) others->write_until(std::numeric_limits<double>::infinity(), muxer);
  muxer.finish();
}

struct VideoWriter::State {
  State(const fs::path& path, const std::string& container, const VideoFormat& format,
        const EncodeOptions& encode, const JoinOptions& options, VideoReader* reader)
      : encoder(format, encode),
        others(open_others(options, reader)) {
    muxer.emplace(path, container, encoder, format, options,
                  others ? others->source() : MuxSource{});
  }

  static std::optional<OtherStreams> open_others(const JoinOptions& options, VideoReader* reader) {
    KeptPackets* kept = reader == nullptr ? nullptr : reader->other_streams();
    if (kept != nullptr) return std::optional<OtherStreams>(std::in_place, *kept);
    if (options.source.empty() || options.source == "-") return std::nullopt;
    return std::optional<OtherStreams>(std::in_place, options.source);
  }

  PacketSink sink() {
    return [this](AVPacket& packet) {
      if (others) others->write_until(muxer->seconds_of(packet.pts), *muxer);
      muxer->write_video(packet);
    };
  }

  VideoEncoder encoder;
  std::optional<OtherStreams> others;
  std::optional<Muxer> muxer;
  bool begun = false;
};

VideoWriter::VideoWriter(const fs::path& path, const VideoFormat& format,
                         const EncodeOptions& encode, const JoinOptions& options,
                         const std::string& container, VideoReader* reader) {
  const std::string name = muxer_for(container.empty() ? path.string() : "x" + container);
  if (path == "-" && !can_be_a_pipe(name)) {
    throw Error(ErrorCode::kUsage, fmt::format("'{}' cannot be written to a pipe", container))
        .hint("use .mkv or .y4m");
  }
  const bool raw = name == "yuv4mpegpipe";
  EncodeOptions used = raw ? EncodeOptions{} : encode;
  if (raw) {
    used.codec = kUncompressed;
    used.pixel_format = encode.pixel_format;
  }
  state_ = std::make_unique<State>(path, name, format, used, raw ? JoinOptions{} : options,
                                   raw ? nullptr : reader);
}

VideoWriter::~VideoWriter() = default;
VideoWriter::VideoWriter(VideoWriter&&) noexcept = default;
VideoWriter& VideoWriter::operator=(VideoWriter&&) noexcept = default;

void VideoWriter::write(const VideoFrame& frame) {
  if (!state_->begun) state_->muxer->begin(frame.pts);
  state_->begun = true;
  state_->encoder.write(frame, state_->sink());
}

void VideoWriter::finish() {
  State& state = *state_;
  if (!state.begun) throw Error("there are no frames to write");
  state.encoder.finish(state.sink());
  if (state.others) {
    state.others->write_until(std::numeric_limits<double>::infinity(), *state.muxer);
  }
  state.muxer->finish();
}

ContainerChoice choose_container(const VideoInfo& input, const EncodeOptions& encode,
                                 const std::string& wanted, bool may_change,
                                 SubtitleMode subtitles) {
  const std::string codec = stream_codec(encode);
  const std::string first = !wanted.empty() ? wanted : codec == "prores" ? ".mov" : ".mp4";
  const std::string container = muxer_for("x" + first);
  if (container == "matroska") return {first, ""};
  const std::string name = container_title(container);
  if (!may_change && !wanted.empty()) {
    if (container_holds(container, codec)) return {wanted, ""};
    throw Error(ErrorCode::kUsage, fmt::format("{} cannot hold {} video", name, codec))
        .hint("use .mkv or another codec");
  }
  const auto matroska = [&](const std::string& what) {
    return ContainerChoice{".mkv", fmt::format("Matroska, because {} cannot hold {}", name, what)};
  };
  if (!container_holds(container, codec)) return matroska(fmt::format("{} video", codec));
  for (const StreamInfo& stream : input.streams) {
    const std::string what =
        fmt::format("the {} stream {} ({})", stream.kind, stream.index, stream.codec);
    if (stream.kind == "subtitle" && subtitles == SubtitleMode::kNone) continue;
    const bool placed = subtitles == SubtitleMode::kStereo && is_text_subtitle(stream.codec);
    if (placed && !container_holds(container, "ass")) return matroska("subtitles in both eyes");
    const bool kept = stream.kind == "audio" || (stream.kind == "subtitle" && !placed);
    if (kept && !container_holds(container, stream.codec)) return matroska(what);
    if (stream.kind == "attachment") return matroska(what);
  }
  return {first, ""};
}

}  // namespace vergence::media
