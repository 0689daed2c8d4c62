// SPDX-License-Identifier: Apache-2.0
#include "media/containers.hpp"

#include "core/error.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>

#include <fmt/format.h>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

namespace vergence::media {
namespace {

const AVCodecDescriptor* descriptor(const std::string& codec) {
  return avcodec_descriptor_get_by_name(codec.c_str());
}

bool is_mp4(const std::string& container) {
  return container == "mp4" || container == "mov";
}

}  // namespace

bool container_holds(const std::string& container, const std::string& codec) {
  const AVOutputFormat* format = av_guess_format(container.c_str(), nullptr, nullptr);
  const AVCodecDescriptor* known = descriptor(codec);
  if (format == nullptr || known == nullptr) return false;
  // Muxers whose tables promise more than players take, or than they write.
  if (container == "mov" && known->type == AVMEDIA_TYPE_SUBTITLE) return codec == "mov_text";
  if (container == "mov" && codec == "av1") return false;
  if (is_mp4(container) && codec == "dvd_subtitle") return false;
  if (container == "avi" && known->type == AVMEDIA_TYPE_SUBTITLE) return false;
  // It has no times for pictures that are shown in another order than they are decoded.
  if (container == "avi" && (codec == "h264" || codec == "hevc" || codec == "av1")) return false;
  if (container == "yuv4mpegpipe") return known->type == AVMEDIA_TYPE_VIDEO;  // uncompressed
  const int known_to_muxer = avformat_query_codec(format, known->id, FF_COMPLIANCE_EXPERIMENTAL);
  // Muxers without a list (MPEG-TS) say so when they begin.
  return known_to_muxer == 1 ||
         (known_to_muxer == AVERROR_PATCHWELCOME && known->type != AVMEDIA_TYPE_SUBTITLE);
}

bool can_be_a_pipe(const std::string& container) {
  return container == "matroska" || container == "webm" || container == "yuv4mpegpipe" ||
         container == "nut" || container == "mpegts";
}

bool container_holds_covers(const std::string& container) {
  return container == "matroska" || is_mp4(container);
}

std::string text_subtitles_of(const std::string& container) {
  if (is_mp4(container)) return "mov_text";
  if (container == "matroska") return "subrip";
  if (container == "webm") return "webvtt";
  return {};
}

bool is_text_subtitle(const std::string& codec) {
  const AVCodecDescriptor* known = descriptor(codec);
  return known != nullptr && known->type == AVMEDIA_TYPE_SUBTITLE &&
         (known->props & AV_CODEC_PROP_TEXT_SUB) != 0;
}

std::string container_title(const std::string& container) {
  if (container == "mov") return "QuickTime";
  if (container == "matroska") return "Matroska";
  if (container == "webm") return "WebM";
  std::string title = container;
  std::transform(title.begin(), title.end(), title.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return title;
}

std::string muxer_for(const std::string& file_name) {
  if (file_name == "-") return "matroska";
  const std::string extension = lower(std::filesystem::path(file_name).extension().string());
  if (extension == ".mk3d") return "matroska";
  if (extension == ".m4v") return "mp4";
  const AVOutputFormat* format = av_guess_format(nullptr, ("x" + extension).c_str(), nullptr);
  if (format == nullptr || format->video_codec == AV_CODEC_ID_NONE ||
      (format->flags & AVFMT_NOFILE) != 0) {
    throw Error(ErrorCode::kUsage,
                fmt::format("'{}' has no extension of a video", printable(file_name)))
        .hint("use .mp4, .mkv, .mov, .webm or .avi");
  }
  return format->name;
}

}  // namespace vergence::media
