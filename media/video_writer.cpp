// SPDX-License-Identifier: Apache-2.0
#include "media/video_writer.hpp"

#include "core/error.hpp"
#include "media/codecs.hpp"
#include "media/segment_file.hpp"
#include "media/video_encoder.hpp"

#include <algorithm>
#include <cmath>

namespace vergence::media {

std::int64_t VideoFormat::ticks_per_frame() const {
  const double rate = frame_rate.num > 0 ? frame_rate.value() : 25.0;
  return std::max<std::int64_t>(1, std::llround(1.0 / (rate * time_base.value())));
}

struct SegmentWriter::State {
  State(const std::filesystem::path& path, const VideoFormat& format, const EncodeOptions& options)
      : encoder(format, options),
        file(path, encoder, format.ticks_per_frame()) {
    if (options.codec != kUncompressed) return;
    throw Error(ErrorCode::kUsage, "uncompressed frames are for .y4m only");
  }

  VideoEncoder encoder;
  SegmentFileWriter file;
};

SegmentWriter::SegmentWriter(const std::filesystem::path& path, const VideoFormat& format,
                             const EncodeOptions& options)
    : state_(std::make_unique<State>(path, format, options)) {}

SegmentWriter::~SegmentWriter() = default;
SegmentWriter::SegmentWriter(SegmentWriter&&) noexcept = default;
SegmentWriter& SegmentWriter::operator=(SegmentWriter&&) noexcept = default;

void SegmentWriter::write(const VideoFrame& frame) {
  state_->encoder.write(frame, [&](AVPacket& packet) { state_->file.write(packet); });
}

void SegmentWriter::finish() {
  state_->encoder.finish([&](AVPacket& packet) { state_->file.write(packet); });
  state_->file.finish();
}

std::string segment_extension() {
  return ".nut";
}

}  // namespace vergence::media
