// SPDX-License-Identifier: Apache-2.0
#include "media/other_streams.hpp"

#include "core/interrupt.hpp"

#include <utility>

#include <spdlog/spdlog.h>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

namespace vergence::media {

void KeptPackets::push(const AVPacket& packet) {
  libav::PacketPtr copy = libav::make_packet();
  libav::check(av_packet_ref(copy.get(), &packet), "a packet cannot be kept");
  const std::scoped_lock lock(mutex_);
  packets_.push_back(std::move(copy));
}

libav::PacketPtr KeptPackets::pop() {
  const std::scoped_lock lock(mutex_);
  if (packets_.empty()) return nullptr;
  libav::PacketPtr packet = std::move(packets_.front());
  packets_.pop_front();
  return packet;
}

OtherStreams::OtherStreams(const std::filesystem::path& path) : input_(std::in_place, path) {
  AVStream& video = input_->video();
  video.discard = AVDISCARD_ALL;
  source_ = {&input_->context(), video.index, input_->begin_s()};
}

OtherStreams::OtherStreams(KeptPackets& kept) : kept_(&kept), source_(kept.source()) {}

libav::PacketPtr OtherStreams::next() {
  if (kept_ != nullptr) return kept_->pop();
  if (ended_) return nullptr;
  throw_if_interrupted();
  libav::PacketPtr packet = libav::make_packet();
  const int result = av_read_frame(&input_->context(), packet.get());
  if (result >= 0) return packet;
  if (result == AVERROR_EXIT) throw_if_interrupted();
  if (result != AVERROR_EOF) {
    spdlog::warn("the input's other streams end early: {}", libav::error_text(result));
  }
  ended_ = true;
  return nullptr;
}

void OtherStreams::write_until(double seconds, Muxer& muxer) {
  while (true) {
    if (pending_ == nullptr) pending_ = next();
    if (pending_ == nullptr) return;
    const AVStream& stream = *source_.context->streams[pending_->stream_index];
    const std::int64_t time = pending_->dts != AV_NOPTS_VALUE ? pending_->dts : pending_->pts;
    const double due = static_cast<double>(time) * av_q2d(stream.time_base);
    if (time != AV_NOPTS_VALUE && due > seconds) return;
    if (stream.index != source_.video_index) muxer.write_other(*pending_);
    pending_.reset();
  }
}

}  // namespace vergence::media
