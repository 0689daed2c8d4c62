// SPDX-License-Identifier: Apache-2.0
#include "media/codecs.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "media/libav.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <tuple>

#include <fmt/format.h>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavutil/pixdesc.h>
}

namespace vergence::media {
namespace {

using Words = std::string_view;

constexpr std::array<Words, 10> kX26xPresets = {"ultrafast", "superfast", "veryfast", "faster",
                                                "fast",      "medium",    "slow",     "slower",
                                                "veryslow",  "placebo"};
constexpr std::array<Words, 8> kX264Tunes = {"film", "animation", "grain",      "stillimage",
                                             "psnr", "ssim",      "fastdecode", "zerolatency"};
constexpr std::array<Words, 6> kX264Profiles = {"baseline", "main",    "high",
                                                "high10",   "high422", "high444"};
constexpr std::array<Words, 6> kX265Tunes = {"psnr",       "ssim",        "grain",
                                             "fastdecode", "zerolatency", "animation"};
constexpr std::array<Words, 10> kX265Profiles = {
    "main",      "main10",     "main12",     "main422-10",       "main422-12",
    "main444-8", "main444-10", "main444-12", "mainstillpicture", "main444-stillpicture"};
constexpr std::array<Words, 14> kSvtPresets = {"0", "1", "2", "3",  "4",  "5",  "6",
                                               "7", "8", "9", "10", "11", "12", "13"};
constexpr std::array<Words, 6> kProresProfiles = {"proxy", "lt",   "standard",
                                                  "hq",    "4444", "4444xq"};
constexpr std::array<Words, 10> kNvencPresets = {"p1", "p2", "p3",   "p4",     "p5",
                                                 "p6", "p7", "slow", "medium", "fast"};
constexpr std::array<Words, 4> kNvencTunes = {"hq", "ll", "ull", "lossless"};
constexpr std::array<Words, 4> kH264Profiles = {"baseline", "main", "high", "high444p"};
constexpr std::array<Words, 3> kHevcProfiles = {"main", "main10", "rext"};
constexpr std::array<Words, 7> kQsvPresets = {"veryfast", "faster", "fast",    "medium",
                                              "slow",     "slower", "veryslow"};

// The usual crf is iw3's (20); other scales by what looks alike.
constexpr std::array kCodecs = {
    CodecTraits{"libx264", "crf", 20, 51, "medium", kX26xPresets, kX264Tunes, kX264Profiles},
    CodecTraits{"libx265", "crf", 20, 51, "medium", kX26xPresets, kX265Tunes, kX265Profiles, 16},
    CodecTraits{"libsvtav1", "crf", 26, 63, "8", kSvtPresets, {}, {}, 64},
    CodecTraits{.name = "libopenh264"},
    CodecTraits{.name = "prores_ks", .profiles = kProresProfiles, .keeps_chroma = true},
    CodecTraits{.name = "ffv1", .lossless = true, .keeps_chroma = true, .odd_sizes = true},
    CodecTraits{.name = "utvideo", .lossless = true, .keeps_chroma = true},
    CodecTraits{"h264_nvenc", "qp", 20, 51, "p4", kNvencPresets, kNvencTunes, kH264Profiles},
    CodecTraits{"hevc_nvenc", "qp", 20, 51, "p4", kNvencPresets, kNvencTunes, kHevcProfiles},
    CodecTraits{"av1_nvenc", "qp", 26, 255, "p4", kNvencPresets, kNvencTunes, {}},
    CodecTraits{"h264_qsv", "global_quality", 20, 51, "medium", kQsvPresets, {}, {}},
    CodecTraits{"hevc_qsv", "global_quality", 20, 51, "medium", kQsvPresets, {}, {}},
    CodecTraits{"av1_qsv", "global_quality", 26, 51, "medium", kQsvPresets, {}, {}},
    CodecTraits{.name = "h264_vaapi",
                .quality_option = "qp",
                .usual_quality = 20,
                .worst_quality = 51,
                .device = "vaapi"},
    CodecTraits{.name = "hevc_vaapi",
                .quality_option = "qp",
                .usual_quality = 20,
                .worst_quality = 51,
                .device = "vaapi"},
    // For Y4M: frames as they are.
    CodecTraits{.name = kUncompressed, .lossless = true, .keeps_chroma = true, .odd_sizes = true},
    CodecTraits{.name = "h264_videotoolbox"},
    CodecTraits{.name = "hevc_videotoolbox"},
};

// Names that people use for the encoders.
constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kOtherNames = {{
    {"h264", "libx264"},
    {"x264", "libx264"},
    {"avc", "libx264"},
    {"h265", "libx265"},
    {"x265", "libx265"},
    {"hevc", "libx265"},
    {"av1", "libsvtav1"},
    {"svtav1", "libsvtav1"},
    {"svt-av1", "libsvtav1"},
    {"prores", "prores_ks"},
    {"ut", "utvideo"},
}};

// How well a pixel format suits; smaller is better, compared from the left.
using Unfitness = std::tuple<int, int, int, int>;

struct Wish {
  int depth = 8;
  int chroma_shift_x = 1;
  int chroma_shift_y = 1;
  bool rgb = false;
  bool grey = false;
};

int depth_of(const AVPixFmtDescriptor& format) {
  return format.comp[0].depth;
}

// Nothing for formats that cannot be wanted: with transparency, without colour, of another family.
std::optional<Unfitness> unfitness(const AVPixFmtDescriptor& format, const Wish& wish) {
  if ((format.flags & (AV_PIX_FMT_FLAG_ALPHA | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_HWACCEL)) != 0)
    return {};
  if (std::string_view(format.name).starts_with("yuvj")) return {};
  if ((format.nb_components == 1) != wish.grey) return {};
  const bool rgb = (format.flags & AV_PIX_FMT_FLAG_RGB) != 0;
  if (rgb != wish.rgb) return {};
  const int missing_bits = std::max(0, wish.depth - depth_of(format));
  const int spare_bits = std::max(0, depth_of(format) - wish.depth);
  const int x = format.log2_chroma_w - wish.chroma_shift_x;
  const int y = format.log2_chroma_h - wish.chroma_shift_y;
  const int missing_chroma = std::max(0, x) + std::max(0, y);
  const int spare_chroma = std::max(0, -x) + std::max(0, -y);
  return Unfitness{missing_bits, missing_chroma, spare_bits, spare_chroma};
}

// AVCodec's list, or what our upload to the device takes.
std::vector<AVPixelFormat> formats_of(const CodecTraits& codec) {
  if (!codec.device.empty()) return {AV_PIX_FMT_NV12, AV_PIX_FMT_P010LE};
  if (codec.name == kUncompressed) {
    return {AV_PIX_FMT_YUV420P,     AV_PIX_FMT_YUV422P,     AV_PIX_FMT_YUV444P,
            AV_PIX_FMT_YUV420P10LE, AV_PIX_FMT_YUV422P10LE, AV_PIX_FMT_YUV444P10LE,
            AV_PIX_FMT_YUV420P12LE, AV_PIX_FMT_YUV422P12LE, AV_PIX_FMT_YUV444P12LE,
            AV_PIX_FMT_GRAY8,       AV_PIX_FMT_GRAY16LE};
  }
  std::vector<AVPixelFormat> formats;
  const AVCodec* encoder = avcodec_find_encoder_by_name(std::string(codec.name).c_str());
  for (const AVPixelFormat* format = encoder->pix_fmts;
       format != nullptr && *format != AV_PIX_FMT_NONE; ++format) {
    if ((av_pix_fmt_desc_get(*format)->flags & AV_PIX_FMT_FLAG_HWACCEL) == 0) {
      formats.push_back(*format);
    }
  }
  return formats;
}

std::optional<std::string> best_format(const CodecTraits& codec, const Wish& wish) {
  std::optional<Unfitness> least;
  std::optional<std::string> best;
  for (const AVPixelFormat format : formats_of(codec)) {
    const auto fit = unfitness(*av_pix_fmt_desc_get(format), wish);
    if (!fit || (least && *least <= *fit)) continue;
    least = fit;
    best = av_get_pix_fmt_name(format);
  }
  return best;
}

}  // namespace

std::vector<std::string> codec_names() {
  std::vector<std::string> names;
  for (const CodecTraits& codec : kCodecs) {
    std::string name(codec.name);
    if (name == kUncompressed) continue;
    if (avcodec_find_encoder_by_name(name.c_str()) != nullptr) names.push_back(std::move(name));
  }
  return names;
}

const CodecTraits& find_codec(const std::string& name) {
  const std::string word = lower(name);
  std::string_view wanted = word;
  for (const auto& [other, real] : kOtherNames) {
    if (word == other) wanted = real;
  }
  const auto* const found = std::find_if(kCodecs.begin(), kCodecs.end(),
                                         [&](const CodecTraits& c) { return c.name == wanted; });
  if (found == kCodecs.end()) {
    throw Error(ErrorCode::kUsage,
                fmt::format("there is no video codec '{}' here", printable(name)))
        .hint("there are " + quoted_list(codec_names(), "and"));
  }
  if (avcodec_find_encoder_by_name(std::string(wanted).c_str()) == nullptr) {
    throw Error(ErrorCode::kUsage, fmt::format("this FFmpeg was built without '{}'", wanted))
        .hint("it has " + quoted_list(codec_names(), "and"));
  }
  return *found;
}

std::string stream_codec(const EncodeOptions& options) {
  const std::string name(find_codec(options.codec).name);
  return avcodec_get_name(avcodec_find_encoder_by_name(name.c_str())->id);
}

std::vector<std::string> pixel_formats(const CodecTraits& codec) {
  std::vector<std::string> names;
  for (const AVPixelFormat format : formats_of(codec)) {
    names.emplace_back(av_get_pix_fmt_name(format));
  }
  return names;
}

cv::Size coded_size(const CodecTraits& codec, cv::Size size, const std::string& pixel_format) {
  const AVPixFmtDescriptor* format = av_pix_fmt_desc_get(av_get_pix_fmt(pixel_format.c_str()));
  if (format == nullptr || codec.odd_sizes) return size;
  if (format->log2_chroma_w > 0) size.width += size.width % 2;
  if (format->log2_chroma_h > 0) size.height += size.height % 2;
  return size;
}

std::string chosen_pixel_format(const VideoFormat& format, const EncodeOptions& options) {
  const CodecTraits& codec = find_codec(options.codec);
  if (!options.pixel_format.empty()) {
    const auto names = pixel_formats(codec);
    if (std::find(names.begin(), names.end(), options.pixel_format) != names.end()) {
      return options.pixel_format;
    }
    throw Error(ErrorCode::kUsage, fmt::format("'{}' has no pixel format '{}'", codec.name,
                                               printable(options.pixel_format)))
        .hint("it has " + quoted_list(names, "and"));
  }
  Wish wish{.depth = format.bit_depth};
  const AVPixFmtDescriptor* input =
      av_pix_fmt_desc_get(av_get_pix_fmt(format.input_pixel_format.c_str()));
  if (codec.keeps_chroma && input != nullptr && input->nb_components >= 3) {
    wish.chroma_shift_x = input->log2_chroma_w;
    wish.chroma_shift_y = input->log2_chroma_h;
    wish.rgb = (input->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)) != 0;
  }
  // A grey stream of a codec for watching would be decoded by few players.
  wish.grey = format.grey && codec.keeps_chroma;
  auto best = best_format(codec, wish);
  if (!best) {
    wish.rgb = wish.grey = false;
    best = best_format(codec, wish);
  }
  return best.value();
}

}  // namespace vergence::media
