// SPDX-License-Identifier: Apache-2.0
#include "media/video_encoder.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "media/frame_packing.hpp"
#include "media/video_color.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <new>
#include <optional>
#include <span>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>
#include <spdlog/spdlog.h>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/hwcontext.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
}

namespace vergence::media {
namespace {

// "k1=v1:k2=v2", the parameters of an encoder's own library.
class Parameters {
 public:
  void add(std::string_view key, const std::string& value) {
    if (!text_.empty()) text_ += ':';
    text_ += fmt::format("{}={}", key, value);
  }

  // What the user says comes last and so prevails.
  void append(const std::string& text) {
    if (!text_.empty() && !text.empty()) text_ += ':';
    text_ += text;
  }

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// SMPTE ST 2086 as x264 and x265 read it: units of 0.00002 and 0.0001 cd/m2, green first.
std::string in_small_units(const MasteringDisplay& display) {
  const auto xy = [](const std::array<Rational, 2>& point) {
    return fmt::format("({},{})", std::lround(point[0].value() * 50000),
                       std::lround(point[1].value() * 50000));
  };
  return fmt::format("G{}B{}R{}WP{}L({},{})", xy(display.primaries[1]), xy(display.primaries[2]),
                     xy(display.primaries[0]), xy(display.white_point),
                     std::llround(display.max_luminance.value() * 10000),
                     std::llround(display.min_luminance.value() * 10000));
}

// The same as SVT-AV1 reads it: plain numbers.
std::string in_plain_numbers(const MasteringDisplay& display) {
  const auto xy = [](const std::array<Rational, 2>& point) {
    return fmt::format("({:.5f},{:.5f})", point[0].value(), point[1].value());
  };
  return fmt::format("G{}B{}R{}WP{}L({:.4f},{:.4f})", xy(display.primaries[1]),
                     xy(display.primaries[2]), xy(display.primaries[0]), xy(display.white_point),
                     display.max_luminance.value(), display.min_luminance.value());
}

std::string light_levels(const ContentLight& light) {
  return fmt::format("{},{}", light.max_content, light.max_frame_average);
}

bool is_pq(const VideoFormat& format) {
  return format.color.transfer == "smpte2084";
}

Parameters x264_parameters(const VideoFormat& format, cv::Size size) {
  Parameters parameters;
  parameters.add("open-gop", "0");
  if (const auto type = frame_packing_type(format.stereo); type && !format.right_first) {
    parameters.add("frame-packing", std::to_string(*type));
  }
  // Motion vectors beyond what level 5.2 allows corrupt the picture in headsets' decoders.
  if (std::max(size.width, size.height) > 4096) parameters.add("mvrange", "511");
  if (is_pq(format) && format.hdr.mastering) {
    parameters.add("mastering-display", in_small_units(*format.hdr.mastering));
  }
  if (is_pq(format) && format.hdr.light) parameters.add("cll", light_levels(*format.hdr.light));
  return parameters;
}

Parameters x265_parameters(const VideoFormat& format) {
  Parameters parameters;
  parameters.add("log-level", "error");
  parameters.add("open-gop", "0");
  parameters.add("info", "0");  // else 2 KB of advertisement land in the container's header
  if (!is_pq(format) || (!format.hdr.mastering && !format.hdr.light)) return parameters;
  parameters.add("hdr10", "1");
  parameters.add("repeat-headers", "1");
  if (format.hdr.mastering) {
    parameters.add("master-display", in_small_units(*format.hdr.mastering));
  }
  if (format.hdr.light) parameters.add("max-cll", light_levels(*format.hdr.light));
  return parameters;
}

Parameters svt_parameters(const VideoFormat& format) {
  Parameters parameters;
  if (is_pq(format) && format.hdr.mastering) {
    parameters.add("mastering-display", in_plain_numbers(*format.hdr.mastering));
  }
  if (is_pq(format) && format.hdr.light) {
    parameters.add("content-light", light_levels(*format.hdr.light));
  }
  return parameters;
}

void require_word(const CodecTraits& codec, std::string_view kind, const std::string& word,
                  std::span<const std::string_view> words) {
  if (std::find(words.begin(), words.end(), word) != words.end()) return;
  Error error(ErrorCode::kUsage,
              fmt::format("'{}' has no {} '{}'", codec.name, kind, printable(word)));
  if (words.empty()) throw std::move(error);
  const std::vector<std::string> names(words.begin(), words.end());
  throw std::move(error).hint("it has " + quoted_list(names, "and"));
}

// Commas separate several tunes; x264 takes as many, the others take one.
void check_tune(const CodecTraits& codec, const std::string& tune) {
  std::size_t begin = 0;
  while (begin <= tune.size()) {
    const std::size_t end = std::min(tune.find(',', begin), tune.size());
    require_word(codec, "tune", tune.substr(begin, end - begin), codec.tunes);
    if (end < tune.size() && codec.name != "libx264") {
      throw Error(ErrorCode::kUsage,
                  fmt::format("'{}' takes one tune, not '{}'", codec.name, printable(tune)));
    }
    begin = end + 1;
  }
}

void set_words(const CodecTraits& codec, const EncodeOptions& options,
               libav::Dictionary& dictionary) {
  const std::string preset =
      options.preset.empty() ? std::string(codec.usual_preset) : options.preset;
  if (!preset.empty()) {
    require_word(codec, "preset", preset, codec.presets);
    dictionary.set("preset", preset);
  }
  if (!options.tune.empty()) {
    check_tune(codec, options.tune);
    dictionary.set("tune", options.tune);
  }
  if (!options.profile.empty()) {
    require_word(codec, "profile", options.profile, codec.profiles);
    dictionary.set("profile", options.profile);
  }
}

void set_quality(const CodecTraits& codec, const EncodeOptions& options,
                 libav::Dictionary& dictionary) {
  if (codec.lossless && (options.crf || options.bitrate_kbps > 0)) {
    throw Error(ErrorCode::kUsage,
                fmt::format("'{}' is lossless and has neither crf nor bitrate", codec.name));
  }
  if (options.crf && codec.quality_option.empty()) {
    throw Error(ErrorCode::kUsage, fmt::format("'{}' has no crf", codec.name))
        .hint(codec.profiles.empty() ? "give a bitrate" : "its quality is its profile");
  }
  if (codec.quality_option.empty() || (options.bitrate_kbps > 0 && !options.crf)) return;
  const double quality = options.crf.value_or(codec.usual_quality);
  if (!(quality >= 0.0 && quality <= codec.worst_quality)) {
    throw Error(ErrorCode::kUsage, fmt::format("the crf of '{}' goes from 0 to {}, not {}",
                                               codec.name, codec.worst_quality, quality));
  }
  const bool real = codec.name == "libx264" || codec.name == "libx265";
  dictionary.set(std::string(codec.quality_option),
                 real ? fmt::format("{}", quality) : std::to_string(std::lround(quality)));
  if (codec.name.ends_with("_nvenc")) dictionary.set("rc", "constqp");
  if (codec.device == "vaapi") dictionary.set("rc_mode", "CQP");
}

void set_bitrate(const CodecTraits& codec, const EncodeOptions& options, AVCodecContext& context) {
  constexpr int kUsualKbps = 8000;  // iw3's, for encoders that know nothing else
  int kbps = options.bitrate_kbps;
  const bool by_bitrate = codec.quality_option.empty() && !codec.lossless && codec.profiles.empty();
  if (kbps == 0 && by_bitrate) kbps = kUsualKbps;
  if (kbps == 0) return;
  if (!options.crf) {
    context.bit_rate = 1000LL * kbps;
    return;
  }
  context.rc_max_rate = 1000LL * kbps;
  context.rc_buffer_size = 2000 * kbps;
}

void set_own_parameters(const CodecTraits& codec, const VideoFormat& format, cv::Size size,
                        libav::Dictionary& dictionary, std::map<std::string, std::string>& extra) {
  const auto merge = [&](const std::string& key, Parameters parameters) {
    parameters.append(extra[key]);
    extra.erase(key);
    if (!parameters.text().empty()) dictionary.set(key, parameters.text());
  };
  if (codec.name == "libx264") merge("x264-params", x264_parameters(format, size));
  if (codec.name == "libx265") merge("x265-params", x265_parameters(format));
  if (codec.name == "libsvtav1") merge("svtav1-params", svt_parameters(format));
  if (codec.name == "ffv1") {
    dictionary.set("level", "3");
    // FFmpeg does not cut every odd size into 16 slices.
    const bool even = size.width % 2 == 0 && size.height % 2 == 0;
    if (even && size.width >= 64 && size.height >= 64) dictionary.set("slices", "16");
    dictionary.set("slicecrc", "1");
  }
}

Rational packed_pixel_aspect(const VideoFormat& format) {
  Rational aspect = format.pixel_aspect;
  if (aspect.num <= 0) aspect = {1, 1};
  if (!format.squeezed) return aspect;
  if (format.stereo == StereoTag::kSideBySide) aspect.num *= 2;
  if (format.stereo == StereoTag::kTopBottom) aspect.den *= 2;
  return aspect;
}

// What a codec's bitstream cannot say must not be asked of it: ProRes and Ut Video have the limited
// range only, and the marks of Ut Video know two matrices.
ColorTags representable(ColorTags color, const CodecTraits& codec) {
  const bool ut = codec.name == "utvideo";
  if (ut || codec.name == "prores_ks") color.full_range = false;
  if (ut && !color.matrix.empty() && color.matrix != "bt470bg" && color.matrix != "smpte170m") {
    color.matrix = "bt709";
  }
  return color;
}

int frames_per_keyframe(const VideoFormat& format, const EncodeOptions& options) {
  const double rate = format.frame_rate.num > 0 ? format.frame_rate.value() : 25.0;
  return std::max(1, static_cast<int>(std::lround(rate * options.keyframe_interval_s)));
}

void require_sense(const VideoFormat& format, const EncodeOptions& options) {
  if (format.size.width < 1 || format.size.height < 1) {
    throw std::invalid_argument("a video needs a size");
  }
  if (format.time_base.num <= 0 || format.time_base.den <= 0) {
    throw std::invalid_argument("a video needs a time base");
  }
  if (!(options.keyframe_interval_s > 0.0)) {
    throw Error(ErrorCode::kUsage, "the interval of key frames must be positive");
  }
  if (options.bitrate_kbps < 0) throw Error(ErrorCode::kUsage, "the bitrate must be positive");
}

// Leaves nothing unsaid: what was not understood is the user's.
void require_understood(const CodecTraits& codec, const libav::Dictionary& dictionary,
                        const AVCodecContext& context) {
  const auto keys = dictionary.keys();
  if (keys.empty()) return;
  std::vector<std::string> known;
  const AVOption* option = nullptr;
  while (context.priv_data != nullptr &&
         (option = av_opt_next(context.priv_data, option)) != nullptr) {
    if (option->type != AV_OPT_TYPE_CONST) known.emplace_back(option->name);
  }
  Error error(ErrorCode::kUsage,
              fmt::format("'{}' has no option '{}'", codec.name, printable(keys.front())));
  const auto near = nearest_names(keys.front(), known);
  if (near.empty()) throw std::move(error);
  throw std::move(error).hint("did you mean " + quoted_list(near) + "?");
}

}  // namespace

struct VideoEncoder::State {
  VideoFormat format;
  const CodecTraits* codec = nullptr;
  std::string pixel_format;
  cv::Size size;  // encoded
  libav::CodecPtr context;
  std::optional<PictureToFrame> converter;
  libav::PacketPtr packet = libav::make_packet();
  cv::Mat padded;
  std::optional<std::int64_t> last_pts;
  std::int64_t count = 0;

  // Of frames inside the encoder, by their pts: encoders forget these.
  struct Kept {
    std::int64_t duration;
    bool second;  // of a pair in time
  };

  std::map<std::int64_t, Kept> inside;
  bool finished = false;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State();

  void open(const EncodeOptions& options);
  void use_device(AVPixelFormat memory_format);
  void tag_colors();
  AVFrame& convert(const cv::Mat& picture);
  void send(const AVFrame* sent, const PacketSink& sink);
  void finish_packet();
};

void VideoEncoder::State::use_device(AVPixelFormat memory_format) {
  const std::string type(codec->device);
  AVBufferRef* device = nullptr;
  libav::check(av_hwdevice_ctx_create(&device, av_hwdevice_find_type_by_name(type.c_str()), nullptr,
                                      nullptr, 0),
               fmt::format("'{}' finds no device", codec->name));
  AVBufferRef* frames = av_hwframe_ctx_alloc(device);
  av_buffer_unref(&device);
  if (frames == nullptr) throw std::bad_alloc();
  context->hw_frames_ctx = frames;
  auto& description = *reinterpret_cast<AVHWFramesContext*>(frames->data);
  description.format = av_get_pix_fmt(type.c_str());
  description.sw_format = memory_format;
  description.width = size.width;
  description.height = size.height;
  description.initial_pool_size = 20;
  libav::check(av_hwframe_ctx_init(frames), fmt::format("'{}' gets no memory", codec->name));
  context->pix_fmt = description.format;
}

void VideoEncoder::State::open(const EncodeOptions& options) {
  const AVCodec* encoder = avcodec_find_encoder_by_name(std::string(codec->name).c_str());
  context.reset(avcodec_alloc_context3(encoder));
  if (context == nullptr) throw std::bad_alloc();
  context->width = size.width;
  context->height = size.height;
  context->sample_aspect_ratio = libav::rational(packed_pixel_aspect(format));
  context->time_base = libav::rational(format.time_base);
  if (format.frame_rate.num > 0) context->framerate = libav::rational(format.frame_rate);
  context->pix_fmt = av_get_pix_fmt(pixel_format.c_str());
  context->gop_size = codec->lossless ? 1 : frames_per_keyframe(format, options);
  context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_CLOSED_GOP;
  context->thread_count = options.threads;
  tag_colors();
  if (!codec->device.empty()) use_device(context->pix_fmt);

  if (std::min(size.width, size.height) < codec->least_size) {
    throw Error(fmt::format("'{}' encodes no frames of {} x {} pixels; {} is the least",
                            codec->name, size.width, size.height, codec->least_size));
  }
  // It would print to stderr.
  if (codec->name == "libsvtav1") ::setenv("SVT_LOG", "0", 0);
  libav::Dictionary dictionary;
  set_words(*codec, options, dictionary);
  set_quality(*codec, options, dictionary);
  set_bitrate(*codec, options, *context);
  auto extra = options.extra;
  set_own_parameters(*codec, format, size, dictionary, extra);
  for (const auto& [key, value] : extra) dictionary.set(key, value);

  const libav::Complaints complaints;
  const int result = avcodec_open2(context.get(), encoder, dictionary.address());
  if (result < 0) {
    const std::string said = complaints.text();
    throw Error(fmt::format("the encoder '{}' cannot be opened for {} x {} pixels of {}: {}",
                            codec->name, size.width, size.height, pixel_format,
                            said.empty() ? libav::error_text(result) : said));
  }
  require_understood(*codec, dictionary, *context);
}

void VideoEncoder::State::tag_colors() {
  const ColorCodes codes = color_codes(converter->color());
  context->color_primaries = static_cast<AVColorPrimaries>(codes.primaries);
  context->color_trc = static_cast<AVColorTransferCharacteristic>(codes.transfer);
  context->colorspace = static_cast<AVColorSpace>(codes.matrix);
  context->color_range = static_cast<AVColorRange>(codes.range);
  context->chroma_sample_location = static_cast<AVChromaLocation>(codes.chroma_location);
}

AVFrame& VideoEncoder::State::convert(const cv::Mat& picture) {
  if (size == format.size) return converter->convert(picture);
  cv::copyMakeBorder(picture, padded, 0, size.height - picture.rows, 0, size.width - picture.cols,
                     cv::BORDER_REPLICATE);
  return converter->convert(padded);
}

void VideoEncoder::State::finish_packet() {
  AVPacket& out = *packet;
  out.stream_index = 0;
  out.time_base = context->time_base;
  const auto kept = inside.find(out.pts);
  const bool second = kept != inside.end() && kept->second.second;
  if (kept != inside.end()) {
    out.duration = kept->second.duration;
    inside.erase(kept);
  }
  const bool hevc = context->codec_id == AV_CODEC_ID_HEVC;
  if (!hevc && context->codec_id != AV_CODEC_ID_H264) return;
  if (codec->name == "libx264" && !format.right_first) return;  // does it itself
  const bool each = format.stereo == StereoTag::kFrameSequential;
  if (!each && (out.flags & AV_PKT_FLAG_KEY) == 0) return;
  const auto nal = frame_packing_nal(format.stereo, format.right_first, hevc, second);
  if (nal) insert_before_slices(out, *nal, hevc);
}

void VideoEncoder::State::send(const AVFrame* sent, const PacketSink& sink) {
  const std::string failed = fmt::format("the encoder '{}' failed", codec->name);
  libav::check(avcodec_send_frame(context.get(), sent), failed);
  while (true) {
    const int result = avcodec_receive_packet(context.get(), packet.get());
    if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) return;
    libav::check(result, failed);
    finish_packet();
    sink(*packet);
    av_packet_unref(packet.get());
  }
}

VideoEncoder::VideoEncoder(const VideoFormat& format, const EncodeOptions& options)
    : state_(std::make_unique<State>()) {
  libav::capture_log();
  require_sense(format, options);
  state_->format = format;
  state_->codec = &find_codec(options.codec);
  state_->pixel_format = chosen_pixel_format(format, options);
  state_->size = coded_size(*state_->codec, format.size, state_->pixel_format);
  state_->converter.emplace(state_->size, state_->pixel_format,
                            representable(format.color, *state_->codec));
  state_->open(options);
}

// SVT-AV1 waits for ever in its end where it had no frame, or was not told that none follows.
VideoEncoder::State::~State() {
  if (finished || codec == nullptr || codec->name != "libsvtav1") return;
  if (context == nullptr || avcodec_is_open(context.get()) == 0) return;
  try {
    const PacketSink nowhere = [](AVPacket&) {};
    if (count == 0) send(&converter->convert(cv::Mat::zeros(size, CV_8UC3)), nowhere);
    send(nullptr, nowhere);
  } catch (const std::exception& error) {
    spdlog::debug("ending the encoder: {}", error.what());
  }
}

VideoEncoder::~VideoEncoder() = default;
VideoEncoder::VideoEncoder(VideoEncoder&&) noexcept = default;
VideoEncoder& VideoEncoder::operator=(VideoEncoder&&) noexcept = default;

void VideoEncoder::write(const VideoFrame& frame, const PacketSink& sink) {
  State& state = *state_;
  if (frame.picture.size() != state.format.size) {
    throw std::invalid_argument("a frame of another size than the video");
  }
  if (state.last_pts && frame.pts <= *state.last_pts) {
    throw std::invalid_argument("a frame that is not later than the one before");
  }
  AVFrame& converted = state.convert(frame.picture);
  converted.pts = frame.pts;
  state.inside[frame.pts] = {frame.duration, state.count % 2 == 1};
  state.last_pts = frame.pts;
  ++state.count;
  if (state.context->hw_frames_ctx == nullptr) {
    state.send(&converted, sink);
    return;
  }
  const libav::FramePtr uploaded = libav::make_frame();
  libav::check(av_hwframe_get_buffer(state.context->hw_frames_ctx, uploaded.get(), 0),
               "the device has no memory for a frame");
  libav::check(av_hwframe_transfer_data(uploaded.get(), &converted, 0),
               "a frame cannot be sent to the device");
  uploaded->pts = frame.pts;
  state.send(uploaded.get(), sink);
}

void VideoEncoder::finish(const PacketSink& sink) {
  state_->finished = true;
  state_->send(nullptr, sink);
}

void VideoEncoder::describe(AVStream& stream) const {
  libav::check(avcodec_parameters_from_context(stream.codecpar, state_->context.get()),
               "the encoder cannot be described");
  stream.time_base = state_->context->time_base;
  stream.sample_aspect_ratio = state_->context->sample_aspect_ratio;
  stream.avg_frame_rate = state_->context->framerate;
}

std::vector<std::uint8_t> VideoEncoder::global_header() const {
  const AVCodecContext& context = *state_->context;
  return {context.extradata, context.extradata + context.extradata_size};
}

int VideoEncoder::reorder_delay() const {
  const AVCodecContext& context = *state_->context;
  const AVCodec* decoder = avcodec_find_decoder(AV_CODEC_ID_HEVC);
  if (context.codec_id != AV_CODEC_ID_HEVC || decoder == nullptr) return context.has_b_frames;
  // FFmpeg's encoders do not say it; the parameter sets do.
  const libav::CodecPtr reading(avcodec_alloc_context3(decoder));
  AVCodecParameters* parameters = avcodec_parameters_alloc();
  if (reading == nullptr || parameters == nullptr ||
      avcodec_parameters_from_context(parameters, &context) < 0 ||
      avcodec_parameters_to_context(reading.get(), parameters) < 0) {
    avcodec_parameters_free(&parameters);
    throw std::bad_alloc();
  }
  avcodec_parameters_free(&parameters);
  reading->thread_count = 1;
  libav::check(avcodec_open2(reading.get(), decoder, nullptr), "the stream cannot be described");
  return std::max(context.has_b_frames, reading->has_b_frames);
}

}  // namespace vergence::media
