// SPDX-License-Identifier: Apache-2.0
#include "media/container_file.hpp"

#include "core/error.hpp"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

extern "C" {
#include <libavformat/avformat.h>
}

namespace vergence::media {

ContainerFile::ContainerFile(std::filesystem::path path, const std::string& format)
    : path_(std::move(path)) {
  libav::capture_log();
  AVFormatContext* context = nullptr;
  // By a "file:" address no name is taken for a protocol.
  const std::string address = path_ == "-" ? "pipe:1" : "file:" + path_.string();
  libav::check(avformat_alloc_output_context2(&context, nullptr, format.c_str(), address.c_str()),
               fmt::format("FFmpeg cannot write '{}'", format));
  context_.reset(context);
}

void ContainerFile::check(int code) const {
  if (code >= 0 && context_->pb != nullptr && context_->pb->error < 0) code = context_->pb->error;
  if (code >= 0) return;
  Error error(fmt::format("cannot write '{}': {}", path_.string(), libav::error_text(code)));
  if (code == AVERROR(ENOSPC) || code == AVERROR(EDQUOT)) {
    throw std::move(error).hint("make room on that disk");
  }
  throw std::move(error);
}

void ContainerFile::begin(libav::Dictionary& options) {
  const libav::Complaints complaints;
  check(avio_open2(&context_->pb, context_->url, AVIO_FLAG_WRITE, nullptr, nullptr));
  const int result = avformat_write_header(context_.get(), options.address());
  if (result < 0 && context_->pb->error >= 0 && !complaints.text().empty()) {
    throw Error(fmt::format("cannot write '{}': {}", path_.string(), complaints.text()));
  }
  check(result);
}

void ContainerFile::write(AVPacket& packet) {
  if (!try_write(packet)) check(AVERROR(EINVAL));
}

bool ContainerFile::try_write(AVPacket& packet) {
  const AVStream& stream = *context_->streams[packet.stream_index];
  av_packet_rescale_ts(&packet, packet.time_base, stream.time_base);
  packet.time_base = stream.time_base;
  packet.pos = -1;
  const int result = av_write_frame(context_.get(), &packet);
  const bool refused =
      result == AVERROR(EINVAL) || result == AVERROR_INVALIDDATA || result == AVERROR_PATCHWELCOME;
  if (refused && context_->pb->error >= 0) return false;
  check(result);
  return true;
}

void ContainerFile::sync() const {
  if (path_ == "-") return;
  const int file = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) check(AVERROR(errno));
  // EINVAL: a pipe or a device, which has nothing to sync.
  const int failure = ::fsync(file) == 0 || errno == EINVAL ? 0 : errno;
  ::close(file);
  if (failure != 0) check(AVERROR(failure));
}

void ContainerFile::finish() {
  check(av_write_trailer(context_.get()));
  avio_flush(context_->pb);
  check(0);
  check(avio_closep(&context_->pb));
  sync();
}

std::int64_t ContainerFile::size() const {
  return context_->pb == nullptr ? 0 : avio_tell(context_->pb);
}

}  // namespace vergence::media
