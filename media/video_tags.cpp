// SPDX-License-Identifier: Apache-2.0
#include "media/video_tags.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/output_file.hpp"
#include "core/text.hpp"
#include "media/container_file.hpp"
#include "media/containers.hpp"
#include "media/mp4_patch.hpp"
#include "media/spatial_media.hpp"
#include "media/stream_tags.hpp"
#include "media/video_input.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

namespace vergence::media {
namespace fs = std::filesystem;

namespace {

using Advance = std::function<void(std::uint64_t bytes)>;

Error wrong_tags(const std::string& what) {
  return Error(ErrorCode::kUsage, what);
}

// What a name leads to, and who may write there.
struct Place {
  fs::path path;  // links followed

  struct stat status {};
};

Place place_of(const fs::path& path) {
  Place place{path};
  std::error_code failure;
  const fs::path real = fs::canonical(path, failure);
  if (!failure) place.path = real;
  // A missing file is told by whoever opens it.
  if (::stat(place.path.c_str(), &place.status) != 0) place.status = {};
  return place;
}

void require_writable(const fs::path& path, const Place& place) {
  // The superuser may write everything; a file that nobody may write is meant to stay as it is.
  const bool read_only = (place.status.st_mode & 0222) == 0;
  if (!read_only && ::access(place.path.c_str(), W_OK) == 0) return;
  throw Error(fmt::format("cannot change '{}': it is read-only", path.string()))
      .hint("write a new file with -o, or change its permissions");
}

bool is_matroska_name(const fs::path& path) {
  const std::string extension = lower(path.extension().string());
  return extension == ".mkv" || extension == ".webm" || extension == ".mk3d";
}

bool is_mp4_name(const fs::path& path) {
  const std::string extension = lower(path.extension().string());
  return extension == ".mp4" || extension == ".m4v" || extension == ".mov" || extension == ".360" ||
         extension == ".lrv" || extension == ".insv";
}

// The new file gets the mode, and where that is allowed the owner, of the one it replaces.
void keep_mode(const fs::path& path, const Place& of) {
  if (::chown(path.c_str(), of.status.st_uid, of.status.st_gid) != 0) {
    // Only the superuser may: the file then belongs to whoever wrote it.
  }
  if (::chmod(path.c_str(), of.status.st_mode & 07777) != 0) {
    throw Error(fmt::format("cannot set the permissions of '{}'", path.string()));
  }
}

// --- MP4 ---

TagOutcome patch_mp4(const fs::path& input, const Place& place, const fs::path& output, bool same,
                     const VideoTags& tags, const Advance& advance) {
  TagOutcome outcome;
  const mp4::FileBytes source(place.path, same);
  const mp4::FileBoxes layout = mp4::scan_file(source);
  mp4::Box moov = mp4::read_moov(source, layout);
  mp4::require_patchable(source, layout, moov);
  const std::string before = mp4::serialized(moov);
  set_tags(moov, tags, input.string());
  set_eye_aspect(moov, tags);
  if (layout.boxes.back().cut_off) {
    outcome.warnings.push_back(
        fmt::format("'{}' is cut off: its last pictures are missing", input.string()));
  }
  if (same) {
    outcome.in_place =
        mp4::serialized(moov) == before || mp4::replace_moov_in_place(source, layout, moov);
    if (outcome.in_place) return outcome;
  }
  OutputFile file(same ? place.path : output);
  mp4::write_with_moov(source, layout, moov, file.path(), advance);
  if (same) keep_mode(file.path(), place);
  file.commit();
  if (same && place.status.st_nlink > 1) {
    outcome.warnings.push_back(
        fmt::format("'{}' has other names (hard links): they keep the file without the new tags",
                    input.string()));
  }
  return outcome;
}

// --- Other containers: packets are muxed anew ---

void copy_dictionary(const AVDictionary* from, AVDictionary*& to, bool of_video) {
  const AVDictionaryEntry* entry = nullptr;
  while ((entry = av_dict_get(from, "", entry, AV_DICT_IGNORE_SUFFIX)) != nullptr) {
    const std::string key = lower(entry->key);
    const bool stale = key == "stereo_mode" || key == "spherical-video" || key == "stereo3d";
    if (!of_video || !stale) av_dict_set(&to, entry->key, entry->value, 0);
  }
}

void copy_chapters(const AVFormatContext& from, AVFormatContext& to) {
  if (from.nb_chapters == 0) return;
  to.chapters = static_cast<AVChapter**>(av_calloc(from.nb_chapters, sizeof(AVChapter*)));
  if (to.chapters == nullptr) throw std::bad_alloc();
  for (unsigned i = 0; i < from.nb_chapters; ++i) {
    const AVChapter& chapter = *from.chapters[i];
    auto* copy = static_cast<AVChapter*>(av_mallocz(sizeof(AVChapter)));
    if (copy == nullptr) throw std::bad_alloc();
    copy->id = chapter.id;
    copy->time_base = chapter.time_base;
    copy->start = chapter.start;
    copy->end = chapter.end;
    copy_dictionary(chapter.metadata, copy->metadata, false);
    to.chapters[to.nb_chapters++] = copy;
  }
}

// Pixels of 2:1 and 1:2 belong to eyes of half the size, and to them only; others stay as they are.
AVRational eye_aspect(AVRational aspect, const VideoTags& tags) {
  if (aspect.num <= 0 || aspect.den <= 0) aspect = {1, 1};
  const bool plain =
      aspect.num == aspect.den || aspect.num == 2 * aspect.den || aspect.den == 2 * aspect.num;
  if (!plain) return aspect;
  if (tags.squeezed && tags.stereo == StereoTag::kSideBySide) return {2, 1};
  if (tags.squeezed && tags.stereo == StereoTag::kTopBottom) return {1, 2};
  return {1, 1};
}

class Remuxer {
 public:
  Remuxer(const fs::path& input, const fs::path& output, const VideoTags& tags)
      : input_(input),
        file_(output, muxer_for(output.string())),
        tags_(tags),
        video_(input_.video().index) {
    const std::string container = file_.context().oformat->name;
    is_mp4_ = container == "mp4" || container == "mov";
    for (unsigned i = 0; i < input_.context().nb_streams; ++i) {
      add_stream(*input_.context().streams[i], container);
    }
    copy_dictionary(input_.context().metadata, file_.context().metadata, false);
    av_dict_set(&file_.context().metadata, "encoder", nullptr, 0);
    copy_chapters(input_.context(), file_.context());
  }

  [[nodiscard]] bool is_mp4() const { return is_mp4_; }

  [[nodiscard]] std::vector<std::string>& warnings() { return warnings_; }

  void run(const Advance& advance) {
    AVFormatContext& context = file_.context();
    context.avoid_negative_ts = AVFMT_AVOID_NEG_TS_DISABLED;
    context.strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL;
    libav::Dictionary options;
    file_.begin(options);
    const libav::PacketPtr packet = libav::make_packet();
    std::int64_t reported = 0;
    const libav::Complaints complaints;
    while (av_read_frame(&input_.context(), packet.get()) >= 0) {
      throw_if_interrupted();
      if (packet->stream_index == video_) has_pictures_ = true;
      write(*packet);
      av_packet_unref(packet.get());
      const std::int64_t size = file_.size();
      if (advance && size > reported) advance(static_cast<std::uint64_t>(size - reported));
      reported = std::max(reported, size);
    }
    input_.check_bytes();
    damage_ = has_pictures_ ? complaints.text() : "it has no picture";
    file_.finish();
  }

  // What was wrong with the input; empty = nothing. What could not be read is not in the output.
  [[nodiscard]] const std::string& damage() const { return damage_; }

 private:
  void add_stream(const AVStream& from, const std::string& container) {
    const AVMediaType type = from.codecpar->codec_type;
    const bool is_video = from.index == video_;
    const bool attachment = type == AVMEDIA_TYPE_ATTACHMENT && container == "matroska";
    const bool cover = (from.disposition & AV_DISPOSITION_ATTACHED_PIC) != 0;
    outputs_.push_back(-1);
    if (!attachment && !container_holds(container, avcodec_get_name(from.codecpar->codec_id))) {
      if (is_video) {
        throw Error(ErrorCode::kUsage,
                    fmt::format("{} cannot hold {} video", container_title(container),
                                avcodec_get_name(from.codecpar->codec_id)))
            .hint("name an output of another kind: .mkv");
      }
      warnings_.push_back(fmt::format("stream {} ({}) does not fit and is left out", from.index,
                                      avcodec_get_name(from.codecpar->codec_id)));
      return;
    }
    AVStream* stream = avformat_new_stream(&file_.context(), nullptr);
    if (stream == nullptr) throw std::bad_alloc();
    libav::check(avcodec_parameters_copy(stream->codecpar, from.codecpar), "a stream is too large");
    copy_other_side_data(from, *stream);
    if (file_.context().oformat != nullptr) stream->codecpar->codec_tag = 0;
    stream->time_base = from.time_base;
    stream->disposition = from.disposition;
    stream->avg_frame_rate = from.avg_frame_rate;
    stream->sample_aspect_ratio = from.sample_aspect_ratio;
    copy_dictionary(from.metadata, stream->metadata, is_video);
    if (is_video) tag(*stream);
    if (!attachment && !(cover && container == "matroska")) outputs_.back() = stream->index;
    if (cover && container == "matroska") attach(from, *stream);
  }

  // Matroska keeps a cover as an attached file, as it was read from one.
  static void attach(const AVStream& from, AVStream& to) {
    AVCodecParameters& parameters = *to.codecpar;
    const auto size = static_cast<std::size_t>(from.attached_pic.size);
    parameters.codec_type = AVMEDIA_TYPE_ATTACHMENT;
    av_freep(&parameters.extradata);
    parameters.extradata =
        static_cast<std::uint8_t*>(av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE));
    if (parameters.extradata == nullptr) throw std::bad_alloc();
    parameters.extradata_size = from.attached_pic.size;
    std::copy_n(from.attached_pic.data, size, parameters.extradata);
    to.disposition = 0;
    const bool png = parameters.codec_id == AV_CODEC_ID_PNG;
    if (av_dict_get(to.metadata, "filename", nullptr, 0) == nullptr) {
      av_dict_set(&to.metadata, "filename", png ? "cover.png" : "cover.jpg", 0);
    }
    if (av_dict_get(to.metadata, "mimetype", nullptr, 0) == nullptr) {
      av_dict_set(&to.metadata, "mimetype", png ? "image/png" : "image/jpeg", 0);
    }
  }

  void tag(AVStream& stream) const {
    stream.sample_aspect_ratio = eye_aspect(stream.sample_aspect_ratio, tags_);
    stream.codecpar->sample_aspect_ratio = stream.sample_aspect_ratio;
    if (is_mp4_) {
      if (stream.codecpar->codec_id == AV_CODEC_ID_HEVC) {
        stream.codecpar->codec_tag = MKTAG('h', 'v', 'c', '1');
      }
      return;  // by boxes, when the file is there
    }
    add_stereo(stream, tags_.stereo, false);
    if (tags_.spherical) add_spherical(stream, *tags_.spherical);
  }

  // FFmpeg's demuxers take the decoder's delay off the times of a stream; up to version 5 its muxer
  // of Matroska writes the delay, but not the times that go with it.
  static void add_codec_delay(AVPacket& packet, const AVStream& from) {
#if LIBAVFORMAT_VERSION_MAJOR < 60
    const AVCodecParameters& parameters = *from.codecpar;
    if (parameters.codec_id != AV_CODEC_ID_OPUS || parameters.initial_padding <= 0) return;
    const std::int64_t delay =
        av_rescale_q(parameters.initial_padding, AVRational{1, 48000}, from.time_base);
    if (packet.pts != AV_NOPTS_VALUE) packet.pts += delay;
    if (packet.dts != AV_NOPTS_VALUE) packet.dts += delay;
#else
    (void)packet;
    (void)from;
#endif
  }

  void write(AVPacket& packet) {
    const auto index = static_cast<std::size_t>(packet.stream_index);
    if (index >= outputs_.size() || outputs_[index] < 0) return;
    packet.time_base = input_.context().streams[index]->time_base;
    packet.stream_index = outputs_[index];
    if (!is_mp4_) add_codec_delay(packet, *input_.context().streams[index]);
    if (file_.try_write(packet)) return;
    if (static_cast<int>(index) == video_) {
      throw Error("a packet of the video does not suit the container")
          .hint("name an output of another kind: .mkv");
    }
  }

  VideoInput input_;
  ContainerFile file_;
  const VideoTags& tags_;
  int video_;
  bool is_mp4_ = false;
  bool has_pictures_ = false;
  std::string damage_;
  std::vector<int> outputs_;  // by the input's stream indices; -1 = not written packet by packet
  std::vector<std::string> warnings_;
};

TagOutcome remux(const fs::path& input, const Place& place, const fs::path& output, bool same,
                 const VideoTags& tags, const Advance& advance) {
  const fs::path target = same ? place.path : output;
  if (!is_matroska_name(target) && !is_mp4_name(target)) {
    throw Error(ErrorCode::kUsage,
                fmt::format("'{}' is of a kind that cannot hold tags", target.string()))
        .hint("name an output that can with -o: .mp4 or .mkv");
  }
  if (is_mp4_name(target) && same) {
    throw Error(fmt::format("'{}' is not the MP4 file that its name says", input.string()))
        .hint("name an output of the right kind with -o");
  }
  OutputFile file(target);
  Remuxer remuxer(place.path, file.path(), tags);
  remuxer.run(advance);
  if (same && !remuxer.damage().empty()) {
    throw Error(fmt::format("'{}' is damaged ({}), and what cannot be read of it would be lost",
                            input.string(), remuxer.damage()))
        .hint("write a new file with -o");
  }
  if (remuxer.is_mp4()) finish_tagged_mp4(file.path(), tags, {});
  if (same) keep_mode(file.path(), place);
  file.commit();
  return {.in_place = false, .warnings = std::move(remuxer.warnings())};
}

}  // namespace

void check_tags(const VideoTags& tags) {
  const bool halves = tags.stereo == StereoTag::kSideBySide || tags.stereo == StereoTag::kTopBottom;
  if (tags.stereo != StereoTag::kNone && !halves) {
    throw wrong_tags("only eyes side by side or one above the other can be tagged");
  }
  if (!tags.spherical) return;
  const SphericalTag& tag = *tags.spherical;
  using Projection = SphericalTag::Projection;
  const bool partial = tag.left + tag.right + tag.top + tag.bottom > 0;
  const bool in_range = tag.left >= 0 && tag.right >= 0 && tag.top >= 0 && tag.bottom >= 0;
  if (!in_range || !(tag.left + tag.right < 1) || !(tag.top + tag.bottom < 1)) {
    throw wrong_tags("the bounds of the picture leave nothing of the sphere");
  }
  if (tag.projection == Projection::kMesh) {
    throw wrong_tags("a projection by a mesh can be read, but not written");
  }
  if (tag.projection == Projection::kFisheye && !tags.apple) {
    throw wrong_tags("only Apple's boxes have a word for fisheye pictures")
        .hint("players know them by names: NAME_FISHEYE190_LR.mp4");
  }
  if (!tags.apple) return;
  const bool half = tag.left == 0.25 && tag.right == 0.25 && tag.top == 0 && tag.bottom == 0;
  if (tag.projection == Projection::kCubemap || (partial && !half)) {
    throw wrong_tags("Apple's boxes know the whole sphere, its front half and fisheyes only")
        .hint("leave out Apple's boxes");
  }
}

StereoTag stereo_of_st3d(const std::optional<int>& st3d) {
  switch (st3d.value_or(0)) {
    case 1:
      return StereoTag::kTopBottom;
    case 2:
    case 4:
      return StereoTag::kSideBySide;
    default:
      return StereoTag::kNone;
  }
}

std::optional<VideoTagFacts> read_video_tags(const fs::path& path) {
  const mp4::FileBytes file(path);
  if (!mp4::is_mp4(file.read(0, 16))) return std::nullopt;
  const mp4::FileBoxes layout = mp4::scan_file(file);
  VideoTagFacts facts = facts_of(mp4::read_moov(file, layout));
  facts.quicktime = layout.quicktime;
  facts.fragmented = facts.fragmented || layout.fragmented;
  return facts;
}

TagOutcome write_video_tags(const fs::path& input, const fs::path& output, const VideoTags& tags,
                            const Advance& advance) {
  check_tags(tags);
  const Place place = place_of(input);
  std::error_code ignored;
  const bool same = output.empty() || fs::equivalent(input, output, ignored);
  const std::string head = mp4::FileBytes(place.path).read(0, 16);
  if (same) require_writable(input, place);
  const bool patch = mp4::is_mp4(head) && (same || !is_matroska_name(output));
  return patch ? patch_mp4(input, place, output, same, tags, advance)
               : remux(input, place, output, same, tags, advance);
}

}  // namespace vergence::media
