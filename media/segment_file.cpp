// SPDX-License-Identifier: Apache-2.0
#include "media/segment_file.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

namespace vergence::media {
namespace {

constexpr int kVideo = 0;
constexpr int kEndMark = 1;
constexpr const char* kOriginKey = "pts_origin";

std::int64_t number_of(std::string_view text) {
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string end_mark(std::int64_t num_packets, std::int64_t duration) {
  return fmt::format("{} frames, the last one for {}", num_packets, duration);
}

}  // namespace

SegmentFileWriter::SegmentFileWriter(const std::filesystem::path& path, const VideoEncoder& encoder,
                                     std::int64_t step)
    : file_(path, "nut"),
      decoding_times_(encoder.reorder_delay(), step) {
  AVFormatContext& context = file_.context();
  context.flags |= AVFMT_FLAG_BITEXACT;
  context.avoid_negative_ts = AVFMT_AVOID_NEG_TS_DISABLED;
  AVStream* video = avformat_new_stream(&context, nullptr);
  AVStream* mark = avformat_new_stream(&context, nullptr);
  if (video == nullptr || mark == nullptr) throw std::bad_alloc();
  encoder.describe(*video);
  mark->codecpar->codec_type = AVMEDIA_TYPE_SUBTITLE;
  mark->codecpar->codec_id = AV_CODEC_ID_TEXT;
  mark->time_base = video->time_base;
  mark->disposition = AV_DISPOSITION_METADATA;
}

// NUT has no times before zero; the first packet of a segment is the first one to be shown.
void SegmentFileWriter::begin(std::int64_t first_pts) {
  origin_ = std::min<std::int64_t>(first_pts, 0);
  AVStream& video = *file_.context().streams[kVideo];
  av_dict_set_int(&video.metadata, kOriginKey, *origin_, 0);
  libav::Dictionary options;
  file_.begin(options);
}

void SegmentFileWriter::write(AVPacket& packet) {
  if (!origin_) begin(packet.pts);
  ++num_packets_;
  if (num_packets_ == 1 || packet.pts > last_pts_) {
    last_pts_ = packet.pts;
    last_duration_ = packet.duration;
  }
  packet.pts -= *origin_;
  packet.dts = decoding_times_.next(packet.pts);  // not stored, but looked at
  packet.stream_index = kVideo;
  file_.write(packet);
}

void SegmentFileWriter::finish() {
  if (!origin_) begin(0);
  const std::string text = end_mark(num_packets_, last_duration_);
  const libav::PacketPtr packet = libav::make_packet();
  libav::check(av_new_packet(packet.get(), static_cast<int>(text.size())), "no memory");
  std::memcpy(packet->data, text.data(), text.size());
  packet->pts = packet->dts = last_pts_ + last_duration_ - *origin_;
  packet->time_base = file_.context().streams[kVideo]->time_base;
  packet->stream_index = kEndMark;
  packet->flags |= AV_PKT_FLAG_KEY;
  file_.write(*packet);
  file_.finish();
}

SegmentFileReader::SegmentFileReader(std::filesystem::path path, Rational time_base)
    : path_(std::move(path)),
      time_base_(time_base) {
  libav::capture_log();
  AVFormatContext* context = nullptr;
  const std::string address = "file:" + path_.string();
  libav::check(avformat_open_input(&context, address.c_str(), av_find_input_format("nut"), nullptr),
               fmt::format("cannot read the segment '{}'", path_.string()));
  input_.reset(context);
  if (context->nb_streams != 2) {
    throw Error(fmt::format("'{}' is no segment of a video", path_.string()));
  }
  const AVDictionaryEntry* origin =
      av_dict_get(context->streams[kVideo]->metadata, kOriginKey, nullptr, 0);
  origin_ = origin == nullptr ? 0 : number_of(origin->value);
}

std::vector<std::uint8_t> SegmentFileReader::global_header() const {
  const AVCodecParameters& video = *input_->streams[kVideo]->codecpar;
  return {video.extradata, video.extradata + video.extradata_size};
}

bool SegmentFileReader::read(AVPacket& packet) {
  av_packet_unref(&packet);
  const int result = av_read_frame(input_.get(), &packet);
  const std::string failed = fmt::format("the segment '{}' is damaged", path_.string());
  if (result == AVERROR_EOF) throw Error(failed + ": its end is missing");
  libav::check(result, failed);
  if (packet.stream_index == kVideo) {
    ++num_packets_;
    // FFmpeg makes the unit of time finer, by a whole factor.
    const AVRational unit = libav::rational(time_base_);
    packet.pts = av_rescale_q(packet.pts, input_->streams[kVideo]->time_base, unit) + origin_;
    packet.dts = AV_NOPTS_VALUE;
    packet.duration = 0;
    packet.time_base = unit;
    return true;
  }
  const std::string_view mark(reinterpret_cast<const char*>(packet.data),
                              static_cast<std::size_t>(packet.size));
  const auto number = mark.rfind(' ');
  last_duration_ = number == std::string_view::npos ? 0 : number_of(mark.substr(number + 1));
  if (mark != end_mark(num_packets_, last_duration_)) throw Error(failed);
  return false;
}

}  // namespace vergence::media
