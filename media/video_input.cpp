// SPDX-License-Identifier: Apache-2.0
#include "media/video_input.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "media/picture.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <tuple>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
}

namespace vergence::media {
namespace fs = std::filesystem;

namespace {

constexpr int kBufferBytes = 1 << 18;
constexpr int kPollMs = 100;

bool is_cover_art(const AVStream& stream) {
  return (stream.disposition & (AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_TIMED_THUMBNAILS)) !=
         0;
}

const char* kind_of(const AVStream& stream) {
  const char* name = av_get_media_type_string(stream.codecpar->codec_type);
  return name == nullptr ? "data" : name;
}

int refuse_to_open(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EPERM);
}

// Throws for formats that are no video, or that consist of other files.
void check_format(std::string_view format, const fs::path& path) {
  const auto refuse = [&](std::string_view what, const char* hint) {
    throw Error(fmt::format("'{}' is {}, not a video", path.string(), what)).hint(hint);
  };
  if (format.ends_with("_pipe") || format.starts_with("image2") || format == "ico") {
    refuse("a picture", "give it to a command for photos");
  }
  for (const auto* list : {"hls", "concat", "dash", "sdp", "rtsp", "imf", "asx"}) {
    if (format == list) refuse("a playlist", "join its parts into one file first");
  }
  // What FFmpeg takes any text for.
  if (format == "tty" || format == "ffmetadata") refuse("a text", "give a video file");
}

}  // namespace

// FFmpeg's view of a file descriptor.
class VideoInput::Bytes {
 public:
  explicit Bytes(const fs::path& path) {
    const bool pipe = path == "-";
    descriptor_ = pipe ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ < 0) {
      throw Error(fmt::format("cannot read '{}': {}", path.string(), reason_from_errno(errno)));
    }

    struct stat facts {};

    if (::fstat(descriptor_, &facts) == 0 && S_ISDIR(facts.st_mode)) {
      ::close(descriptor_);
      throw Error(fmt::format("'{}' is a folder, not a video", path.string()));
    }
    regular_ = S_ISREG(facts.st_mode);
    if (regular_ && facts.st_size == 0) {
      ::close(descriptor_);
      throw Error(fmt::format("'{}' is empty", path.string()));
    }
    // A file at stdin can be opened again; the place in it is the same for all who hold it.
    if (pipe && regular_) ::lseek(descriptor_, 0, SEEK_SET);
    auto* buffer = static_cast<unsigned char*>(av_malloc(kBufferBytes));
    context_ =
        avio_alloc_context(buffer, kBufferBytes, 0, this, read, nullptr, regular_ ? seek : nullptr);
    if (context_ == nullptr) {
      av_free(buffer);
      ::close(descriptor_);
      throw std::bad_alloc();
    }
  }

  ~Bytes() {
    av_freep(&context_->buffer);
    avio_context_free(&context_);
    ::close(descriptor_);
  }

  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;

  [[nodiscard]] AVIOContext* context() const { return context_; }

  [[nodiscard]] bool regular() const { return regular_; }

  // How many were read.
  [[nodiscard]] std::int64_t count() const { return count_; }

  // The errno of a failed read; 0 = none.
  [[nodiscard]] int problem() const { return problem_; }

 private:
  static int read(void* self, std::uint8_t* buffer, int size) {
    return static_cast<Bytes*>(self)->read(buffer, size);
  }

  int read(std::uint8_t* buffer, int size) {
    for (;;) {
      if (interrupt_requested()) return AVERROR_EXIT;
      if (!regular_) {
        pollfd waiting{descriptor_, POLLIN, 0};
        if (::poll(&waiting, 1, kPollMs) == 0) continue;
      }
      const ssize_t count = ::read(descriptor_, buffer, static_cast<std::size_t>(size));
      count_ += std::max<ssize_t>(count, 0);
      if (count > 0) return static_cast<int>(count);
      if (count == 0) return AVERROR_EOF;
      if (errno == EINTR || errno == EAGAIN) continue;
      problem_ = errno;
      return AVERROR(problem_);
    }
  }

  static std::int64_t seek(void* self, std::int64_t offset, int whence) {
    auto& bytes = *static_cast<Bytes*>(self);
    if (whence == AVSEEK_SIZE) {
      struct stat facts {};

      return ::fstat(bytes.descriptor_, &facts) == 0 ? facts.st_size : AVERROR(errno);
    }
    const off_t place = ::lseek(bytes.descriptor_, offset, whence & ~AVSEEK_FORCE);
    return place < 0 ? AVERROR(errno) : place;
  }

  int descriptor_ = -1;
  bool regular_ = false;
  std::int64_t count_ = 0;
  int problem_ = 0;
  AVIOContext* context_ = nullptr;
};

VideoInput::VideoInput(const fs::path& path) : path_(path) {
  libav::capture_log();
  bytes_ = std::make_unique<Bytes>(path);
  const std::string url = path == "-" ? "pipe:" : path.string();
  const AVInputFormat& format = probe(url);
  AVFormatContext* context = avformat_alloc_context();
  if (context == nullptr) throw std::bad_alloc();
  context->pb = bytes_->context();
  context->flags |= AVFMT_FLAG_CUSTOM_IO;
  context->io_open = refuse_to_open;
  // For demuxers that open others: no protocol has this name.
  context->protocol_whitelist = av_strdup("none");
  libav::make_interruptible(*context);
  const libav::Complaints complaints;
  const auto must = [&](int code) {
    check_bytes();
    const std::string said = complaints.text();
    libav::check(code, fmt::format("cannot read '{}' as a video ({}{}{})", path_.string(),
                                   format.long_name, said.empty() ? "" : ": ", said));
  };
  const int opened = avformat_open_input(&context, url.c_str(), &format, nullptr);
  context_.reset(context);  // null where it failed
  must(opened);
  must(find_streams());
}

const AVInputFormat& VideoInput::probe(const std::string& url) const {
  const AVInputFormat* format = nullptr;
  const int score = av_probe_input_buffer2(bytes_->context(), &format, url.c_str(), nullptr, 0, 0);
  throw_if_interrupted();
  check_bytes();
  // 1 = the name alone speaks for a format.
  if (score <= 1) {
    const bool empty = bytes_->count() == 0;
    throw Error(fmt::format("'{}' {}", path_.string(),
                            empty ? "is empty" : "is not a video that FFmpeg knows"));
  }
  check_format(format->name, path_);
  return *format;
}

// Returns FFmpeg's code.
int VideoInput::find_streams() {
  std::vector<libav::Dictionary> options(context_->nb_streams);
  std::vector<AVDictionary*> raw;
  for (auto& option : options) {
    option.set("max_pixels", std::to_string(kMaxPicturePixels));
    raw.push_back(*option.address());
  }
  // It takes what it knows out of each and leaves the rest, in another place.
  const int code = avformat_find_stream_info(context_.get(), raw.empty() ? nullptr : raw.data());
  for (std::size_t i = 0; i < options.size(); ++i) *options[i].address() = raw[i];
  return code;
}

VideoInput::~VideoInput() = default;
VideoInput::VideoInput(VideoInput&&) noexcept = default;

VideoInput& VideoInput::operator=(VideoInput&& other) noexcept {
  // The demuxer reads through the bytes: it goes first.
  context_ = std::move(other.context_);
  bytes_ = std::move(other.bytes_);
  path_ = std::move(other.path_);
  return *this;
}

bool VideoInput::seekable() const {
  return bytes_->regular();
}

AVStream& VideoInput::video() const {
  AVStream* best = nullptr;
  const auto worth = [](const AVStream& stream) {
    return std::make_tuple((stream.disposition & AV_DISPOSITION_DEFAULT) != 0,
                           std::int64_t{stream.codecpar->width} * stream.codecpar->height,
                           -stream.index);
  };
  std::string others;
  for (unsigned i = 0; i < context_->nb_streams; ++i) {
    AVStream& stream = *context_->streams[i];
    if (stream.codecpar->codec_type == AVMEDIA_TYPE_VIDEO && !is_cover_art(stream)) {
      if (best == nullptr || worth(stream) > worth(*best)) best = &stream;
    } else {
      const bool cover = is_cover_art(stream);
      others +=
          fmt::format("{}{}", others.empty() ? "" : ", ", cover ? "a cover" : kind_of(stream));
    }
  }
  if (best == nullptr) {
    throw Error(fmt::format("'{}' has no video stream, only {}", path_.string(),
                            others.empty() ? "a header" : others));
  }
  return *best;
}

std::vector<StreamInfo> VideoInput::streams() const {
  std::vector<StreamInfo> streams;
  for (unsigned i = 0; i < context_->nb_streams; ++i) {
    const AVStream& stream = *context_->streams[i];
    const AVDictionaryEntry* language = av_dict_get(stream.metadata, "language", nullptr, 0);
    streams.push_back({.index = stream.index,
                       .kind = kind_of(stream),
                       .codec = avcodec_get_name(stream.codecpar->codec_id),
                       .language = language == nullptr ? "" : language->value,
                       .cover_art = is_cover_art(stream)});
  }
  return streams;
}

double VideoInput::begin_s() const {
  if (context_->start_time == AV_NOPTS_VALUE) return 0.0;
  return static_cast<double>(context_->start_time) / AV_TIME_BASE;
}

void VideoInput::check_bytes() const {
  if (bytes_->problem() == 0) return;
  throw Error(
      fmt::format("cannot read '{}': {}", path_.string(), reason_from_errno(bytes_->problem())));
}

libav::CodecPtr open_decoder(const AVStream& stream, int threads, bool keyframes_only,
                             const fs::path& path) {
  const AVCodecParameters& parameters = *stream.codecpar;
  const AVCodec* codec = avcodec_find_decoder(parameters.codec_id);
  const AVDictionaryEntry* alpha = av_dict_get(stream.metadata, "alpha_mode", nullptr, 0);
  if (parameters.codec_id == AV_CODEC_ID_VP9 && alpha != nullptr) {
    // FFmpeg's own decoder does not see the second picture that is the opacity.
    const AVCodec* other = avcodec_find_decoder_by_name("libvpx-vp9");
    if (other != nullptr) codec = other;
  }
  if (codec == nullptr) {
    throw Error(fmt::format("'{}' is encoded as '{}', which this FFmpeg cannot decode",
                            path.string(), avcodec_get_name(parameters.codec_id)));
  }
  const std::string failure =
      fmt::format("cannot decode '{}' ({})", path.string(), avcodec_get_name(parameters.codec_id));
  libav::CodecPtr decoder(avcodec_alloc_context3(codec));
  if (decoder == nullptr) throw std::bad_alloc();
  libav::check(avcodec_parameters_to_context(decoder.get(), &parameters), failure);
  decoder->pkt_timebase = stream.time_base;
  decoder->thread_count = threads;
  decoder->max_pixels = kMaxPicturePixels;
  if (keyframes_only) decoder->skip_frame = AVDISCARD_NONKEY;
  libav::check(avcodec_open2(decoder.get(), codec, nullptr), failure);
  return decoder;
}

}  // namespace vergence::media
