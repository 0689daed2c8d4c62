// SPDX-License-Identifier: Apache-2.0
#include "media/muxer.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "media/containers.hpp"
#include "media/decoding_times.hpp"
#include "media/spatial_media.hpp"
#include "media/stream_tags.hpp"
#include "media/subtitles.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/mastering_display_metadata.h>
}

namespace vergence::media {
namespace {

// What becomes of one of the source's streams.
enum class Fate { kLeftOut, kCopied, kCover };

struct Track {
  Fate fate = Fate::kLeftOut;
  int output_index = -1;
  std::optional<SubtitleConverter> converter;
  std::int64_t last_dts = std::numeric_limits<std::int64_t>::min();
  bool complained = false;
};

// Facts about the input's file and picture that are no longer true of the output.
bool is_stale(std::string_view key, bool of_video) {
  constexpr std::array<std::string_view, 5> kAlways = {"encoder", "major_brand", "minor_version",
                                                       "compatible_brands", "duration"};
  constexpr std::array<std::string_view, 5> kOfVideo = {"rotate", "stereo_mode", "alpha_mode",
                                                        "spherical-video", "stereo3d"};
  const std::string word = lower(key);
  const auto is_word = [&](std::string_view other) { return word == other; };
  if (std::any_of(kAlways.begin(), kAlways.end(), is_word)) return true;
  if (!of_video) return false;
  // Statistics of mkvmerge.
  const bool statistics = word.starts_with("bps") || word.starts_with("number_of_") ||
                          word.starts_with("_statistics") || word.starts_with("duration");
  return statistics || std::any_of(kOfVideo.begin(), kOfVideo.end(), is_word);
}

// Where a video was made: "location", "com.apple.quicktime.location.ISO6709",
// "RECORDING_LOCATION", "GPSLatitude" ...
bool tells_place(std::string_view key) {
  constexpr std::array<std::string_view, 5> kPlaces = {"location", "gps", "latitude", "longitude",
                                                       "geotag"};
  const std::string word = lower(key);
  return std::any_of(kPlaces.begin(), kPlaces.end(),
                     [&](std::string_view place) { return word.find(place) != std::string::npos; });
}

// What a stream is called, without which nobody could choose it.
bool is_name(std::string_view key) {
  const std::string word = lower(key);
  return word == "language" || word == "title" || word == "filename" || word == "mimetype";
}

enum class Words { kOfFile, kOfVideo, kOfOther };

bool goes_on(std::string_view key, Words whose, HandedOn what) {
  if (is_stale(key, whose == Words::kOfVideo)) return false;
  if (what == HandedOn::kNoPlace) return !tells_place(key);
  return what == HandedOn::kAll || (whose != Words::kOfFile && is_name(key));
}

void copy_metadata(const AVDictionary* from, AVDictionary*& to, Words whose, HandedOn what) {
  const AVDictionaryEntry* entry = nullptr;
  while ((entry = av_dict_get(from, "", entry, AV_DICT_IGNORE_SUFFIX)) != nullptr) {
    if (goes_on(entry->key, whose, what)) av_dict_set(&to, entry->key, entry->value, 0);
  }
}

// MP4's two layouts with the left eye first, of which our own boxes tell.
bool is_told_by_boxes(const VideoFormat& format) {
  const bool halves =
      format.stereo == StereoTag::kSideBySide || format.stereo == StereoTag::kTopBottom;
  return halves && !format.right_first;
}

VideoTags tags_of(const VideoFormat& format) {
  VideoTags tags{.stereo = is_told_by_boxes(format) ? format.stereo : StereoTag::kNone,
                 .spherical = format.spherical,
                 .squeezed = format.squeezed,
                 .apple = format.apple};
  tags.baseline_m = format.baseline_m;
  tags.hfov_deg = format.hfov_deg;
  // V1 players take any picture for the whole sphere.
  tags.v1 = tags.spherical && *tags.spherical == SphericalTag{};
  return tags;
}

void add_mastering(AVStream& stream, const MasteringDisplay& display) {
  AVMasteringDisplayMetadata* data = av_mastering_display_metadata_alloc();
  if (data == nullptr) throw std::bad_alloc();
  for (int color = 0; color < 3; ++color) {
    for (int axis = 0; axis < 2; ++axis) {
      data->display_primaries[color][axis] = libav::rational(
          display.primaries[static_cast<std::size_t>(color)][static_cast<std::size_t>(axis)]);
    }
  }
  data->white_point[0] = libav::rational(display.white_point[0]);
  data->white_point[1] = libav::rational(display.white_point[1]);
  data->min_luminance = libav::rational(display.min_luminance);
  data->max_luminance = libav::rational(display.max_luminance);
  data->has_primaries = data->has_luminance = 1;
  add_side_data(stream, AV_PKT_DATA_MASTERING_DISPLAY_METADATA, data, sizeof(*data));
}

void add_hdr(AVStream& stream, const HdrMetadata& hdr) {
  if (hdr.mastering) add_mastering(stream, *hdr.mastering);
  if (!hdr.light) return;
  std::size_t size = 0;
  AVContentLightMetadata* light = av_content_light_metadata_alloc(&size);
  if (light == nullptr) throw std::bad_alloc();
  light->MaxCLL = hdr.light->max_content;
  light->MaxFALL = hdr.light->max_frame_average;
  add_side_data(stream, AV_PKT_DATA_CONTENT_LIGHT_LEVEL, light, size);
}

// A tag of the old container means nothing in another one.
void keep_tag_where_known(AVCodecParameters& parameters, const AVOutputFormat& container) {
  unsigned tag = 0;
  const bool known =
      container.codec_tag == nullptr ||
      av_codec_get_id(container.codec_tag, parameters.codec_tag) == parameters.codec_id ||
      av_codec_get_tag2(container.codec_tag, parameters.codec_id, &tag) == 0;
  if (!known) parameters.codec_tag = 0;
}

std::string name_of(const AVStream& stream) {
  const bool cover = (stream.disposition & AV_DISPOSITION_ATTACHED_PIC) != 0;
  const char* type = av_get_media_type_string(stream.codecpar->codec_type);
  return fmt::format("the {} stream {} ({})",
                     cover             ? "cover"
                     : type == nullptr ? "data"
                                       : type,
                     stream.index, avcodec_get_name(stream.codecpar->codec_id));
}

}  // namespace

struct Muxer::State {
  std::filesystem::path output;
  ContainerFile file;
  const VideoEncoder& encoder;
  VideoFormat format;
  JoinOptions options;
  MuxSource source;
  bool is_mp4;
  bool is_matroska;
  bool is_y4m;
  std::vector<Track> tracks;  // by the source's stream indices
  int video_index = 0;
  std::int64_t num_frames = 0;
  DecodingTimes decoding_times;
  double shift_s = 0.0;                // taken from all times
  std::optional<std::int64_t> origin;  // the same in video ticks
  double end_s = std::numeric_limits<double>::infinity();
  std::vector<std::vector<mp4::Box>> sound_tags;  // of the audio tracks that are copied

  State(const std::filesystem::path& path, const std::string& container, const VideoEncoder& video,
        const VideoFormat& video_format, const JoinOptions& join, const MuxSource& input)
      : output(path),
        file(path, container),
        encoder(video),
        format(video_format),
        options(join),
        source(input),
        is_mp4(container == "mp4" || container == "mov"),
        is_matroska(container == "matroska" || container == "webm"),
        is_y4m(container == "yuv4mpegpipe"),
        decoding_times(video.reorder_delay(), video_format.ticks_per_frame()) {}

  AVStream& new_stream();
  void add_video();
  void add_other(const AVStream& from, Track& track);
  void copy_stream(const AVStream& from, Track& track);
  void convert_stream(const AVStream& from, Track& track, const std::string& codec,
                      const std::optional<SubtitleLayout>& layout);
  bool add_subtitles(const AVStream& from, Track& track);
  void add_cover(const AVStream& from, Track& track);
  void add_chapters();
  void choose_span(std::int64_t first_pts);
  void write_covers();
  void collect_sound_tags();
  void leave_out_apple();
  [[nodiscard]] bool needs_boxes() const;
  void write_copied(AVPacket& packet, Track& track);
  void write_converted(const AVPacket& packet, Track& track);
  void complain(Track& track, const std::string& reason);
};

AVStream& Muxer::State::new_stream() {
  AVStream* stream = avformat_new_stream(&file.context(), nullptr);
  if (stream == nullptr) throw std::bad_alloc();
  return *stream;
}

void Muxer::State::add_video() {
  AVStream& stream = new_stream();
  video_index = stream.index;
  encoder.describe(stream);
  if (is_mp4 && stream.codecpar->codec_id == AV_CODEC_ID_HEVC) {
    stream.codecpar->codec_tag = MKTAG('h', 'v', 'c', '1');
  }
  if (is_y4m && format.frame_rate.num > 0) {
    stream.time_base = libav::rational(Rational{format.frame_rate.den, format.frame_rate.num});
  }
  if (!is_mp4) {
    add_stereo(stream, format.stereo, format.right_first);
    if (format.spherical) add_spherical(stream, *format.spherical);
  }
  add_hdr(stream, format.hdr);
  if (source.context == nullptr) {
    stream.disposition = AV_DISPOSITION_DEFAULT;
    return;
  }
  const AVStream& from = *source.context->streams[source.video_index];
  stream.disposition = from.disposition;
  copy_metadata(from.metadata, stream.metadata, Words::kOfVideo, options.metadata);
}

void Muxer::State::copy_stream(const AVStream& from, Track& track) {
  AVStream& stream = new_stream();
  libav::check(avcodec_parameters_copy(stream.codecpar, from.codecpar), "a stream is too large");
  keep_tag_where_known(*stream.codecpar, *file.context().oformat);
  stream.time_base = from.time_base;
  stream.disposition = from.disposition;
  stream.avg_frame_rate = from.avg_frame_rate;
  stream.sample_aspect_ratio = from.sample_aspect_ratio;
  copy_metadata(from.metadata, stream.metadata, Words::kOfOther, options.metadata);
  track.fate = Fate::kCopied;
  track.output_index = stream.index;
}

void Muxer::State::convert_stream(const AVStream& from, Track& track, const std::string& codec,
                                  const std::optional<SubtitleLayout>& layout) {
  SubtitleConverter converter(from, codec, layout);
  AVStream& stream = new_stream();
  converter.describe(stream);
  stream.time_base = from.time_base;
  stream.disposition = from.disposition;
  copy_metadata(from.metadata, stream.metadata, Words::kOfOther, options.metadata);
  track.converter.emplace(std::move(converter));
  track.fate = Fate::kCopied;
  track.output_index = stream.index;
}

// Whether a way was found.
bool Muxer::State::add_subtitles(const AVStream& from, Track& track) {
  const std::string container = file.context().oformat->name;
  const std::string codec = avcodec_get_name(from.codecpar->codec_id);
  const bool text = is_text_subtitle(codec);
  if (text && options.subtitles == SubtitleMode::kStereo && places_subtitles(format.stereo)) {
    if (container_holds(container, "ass")) {
      const SubtitleLayout layout{format.stereo, format.squeezed, format.right_first, format.size,
                                  options.subtitle_parallax_px};
      convert_stream(from, track, "ass", layout);
      return true;
    }
    spdlog::warn("only Matroska can hold subtitles in both eyes: {} stays as it is", name_of(from));
  }
  if (container_holds(container, codec)) {
    copy_stream(from, track);
    return true;
  }
  const std::string other = text_subtitles_of(container);
  if (!text || other.empty()) return false;
  convert_stream(from, track, other, std::nullopt);
  return true;
}

// MP4 keeps a cover as a stream of one picture, Matroska as an attached file.
void Muxer::State::add_cover(const AVStream& from, Track& track) {
  copy_stream(from, track);
  track.fate = Fate::kCover;
  if (!is_matroska) return;
  AVStream& stream = *file.context().streams[track.output_index];
  AVCodecParameters& parameters = *stream.codecpar;
  const bool png = parameters.codec_id == AV_CODEC_ID_PNG;
  parameters.codec_type = AVMEDIA_TYPE_ATTACHMENT;
  av_freep(&parameters.extradata);
  const auto size = static_cast<std::size_t>(from.attached_pic.size);
  parameters.extradata =
      static_cast<std::uint8_t*>(av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE));
  if (parameters.extradata == nullptr) throw std::bad_alloc();
  parameters.extradata_size = from.attached_pic.size;
  std::copy_n(from.attached_pic.data, size, parameters.extradata);
  stream.disposition = 0;
  if (av_dict_get(stream.metadata, "filename", nullptr, 0) == nullptr) {
    av_dict_set(&stream.metadata, "filename", png ? "cover.png" : "cover.jpg", 0);
  }
  av_dict_set(&stream.metadata, "mimetype", png ? "image/png" : "image/jpeg", 0);
  track.fate = Fate::kLeftOut;  // its one packet is in the header
}

void Muxer::State::add_other(const AVStream& from, Track& track) {
  const AVMediaType type = from.codecpar->codec_type;
  const std::string container = file.context().oformat->name;
  const char* codec = avcodec_get_name(from.codecpar->codec_id);
  const bool holds = container_holds(container, codec);
  if (type == AVMEDIA_TYPE_VIDEO && (from.disposition & AV_DISPOSITION_ATTACHED_PIC) != 0) {
    if (from.attached_pic.size > 0 && container_holds_covers(container)) {
      return add_cover(from, track);
    }
  } else if (type == AVMEDIA_TYPE_AUDIO) {
    if (holds) return copy_stream(from, track);
  } else if (type == AVMEDIA_TYPE_SUBTITLE) {
    if (options.subtitles == SubtitleMode::kNone || add_subtitles(from, track)) return;
  } else if (type == AVMEDIA_TYPE_ATTACHMENT) {
    if (container == "matroska") {
      copy_stream(from, track);
      track.fate = Fate::kLeftOut;  // all of it is in the header
      return;
    }
  } else if (type != AVMEDIA_TYPE_VIDEO) {
    return;  // camera motion, time code, chapters as text: made anew or no longer true
  }
  spdlog::warn("{} of '{}' does not fit into '{}' and is left out", name_of(from),
               options.source.string(), output.filename().string());
}

void Muxer::State::add_chapters() {
  AVFormatContext& context = file.context();
  const unsigned count = source.context->nb_chapters;
  if (count == 0) return;
  context.chapters = static_cast<AVChapter**>(av_calloc(count, sizeof(AVChapter*)));
  if (context.chapters == nullptr) throw std::bad_alloc();
  for (unsigned i = 0; i < count; ++i) {
    const AVChapter& from = *source.context->chapters[i];
    const auto ticks = [&](double seconds) {
      return std::llround(seconds / av_q2d(from.time_base));
    };
    const std::int64_t shift = ticks(shift_s);
    const std::int64_t begin = std::max<std::int64_t>(from.start - shift, 0);
    std::int64_t end = from.end - shift;
    if (std::isfinite(end_s)) end = std::min<std::int64_t>(end, ticks(end_s) - shift);
    if (end <= begin && !(end == begin && from.start == from.end)) continue;
    auto* chapter = static_cast<AVChapter*>(av_mallocz(sizeof(AVChapter)));
    if (chapter == nullptr) throw std::bad_alloc();
    chapter->id = from.id;
    chapter->time_base = from.time_base;
    chapter->start = begin;
    chapter->end = end;
    copy_metadata(from.metadata, chapter->metadata, Words::kOfOther, options.metadata);
    context.chapters[context.nb_chapters++] = chapter;
  }
}

// Times stay as they are, but where the beginning is cut off or the container's clock starts
// anywhere (transport streams).
void Muxer::State::choose_span(std::int64_t first_pts) {
  origin = 0;
  const bool any_clock = source.context != nullptr && source.context->iformat != nullptr &&
                         (source.context->iformat->flags & AVFMT_TS_DISCONT) != 0;
  if (options.start_s) {
    origin = first_pts;
  } else if (any_clock) {
    origin = std::llround(source.begin_s / format.time_base.value());
  }
  shift_s = static_cast<double>(*origin) * format.time_base.value();
  if (options.end_s) end_s = source.begin_s + *options.end_s;
}

void Muxer::State::write_covers() {
  for (std::size_t i = 0; i < tracks.size(); ++i) {
    if (tracks[i].fate != Fate::kCover) continue;
    const libav::PacketPtr cover = libav::make_packet();
    libav::check(av_packet_ref(cover.get(), &source.context->streams[i]->attached_pic),
                 "a cover cannot be copied");
    cover->pts = cover->dts = 0;
    cover->time_base = source.context->streams[i]->time_base;
    cover->stream_index = tracks[i].output_index;
    file.write(*cover);
  }
}

// FFmpeg drops the boxes that say that sound is ambisonic.
void Muxer::State::collect_sound_tags() {
  if (!is_mp4 || options.source.empty() || source.context == nullptr) return;
  const auto all = read_sound_tags(options.source);
  std::size_t audio = 0;
  for (std::size_t i = 0; i < tracks.size(); ++i) {
    if (source.context->streams[i]->codecpar->codec_type != AVMEDIA_TYPE_AUDIO) continue;
    if (tracks[i].fate == Fate::kCopied && audio < all.size()) sound_tags.push_back(all[audio]);
    ++audio;
  }
}

// What cannot be told by Apple's boxes is found out now and not when the file is made.
void Muxer::State::leave_out_apple() {
  if (!format.apple) return;
  std::string reason;
  if (!is_mp4) reason = "they belong to MP4 files";
  const AVStream& video = *file.context().streams[video_index];
  if (video.codecpar->codec_id != AV_CODEC_ID_HEVC) reason = "they belong to H.265 video";
  try {
    check_tags(tags_of(format));
  } catch (const Error& error) {
    reason = error.what();
  }
  if (reason.empty()) return;
  format.apple = false;
  spdlog::warn("'{}' gets no boxes of Apple's: {}", output.filename().string(), reason);
}

bool Muxer::State::needs_boxes() const {
  const auto has_some = [](const std::vector<mp4::Box>& boxes) { return !boxes.empty(); };
  return is_mp4 && (is_told_by_boxes(format) || format.spherical || format.apple ||
                    std::any_of(sound_tags.begin(), sound_tags.end(), has_some));
}

Muxer::Muxer(const std::filesystem::path& output, const std::string& container,
             const VideoEncoder& encoder, const VideoFormat& format, const JoinOptions& options,
             const MuxSource& source)
    : state_(std::make_unique<State>(output, container, encoder, format, options, source)) {}

Muxer::~Muxer() = default;

void Muxer::begin(std::int64_t first_pts) {
  State& state = *state_;
  state.choose_span(first_pts);
  AVFormatContext& context = state.file.context();
  // Times are ours to decide; a track may begin before zero (priming samples of audio).
  context.avoid_negative_ts = AVFMT_AVOID_NEG_TS_DISABLED;
  context.strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL;  // TrueHD in MP4
  if (state.source.context == nullptr) {
    state.add_video();
  } else {
    state.tracks.resize(state.source.context->nb_streams);
    for (unsigned i = 0; i < state.source.context->nb_streams; ++i) {
      if (static_cast<int>(i) == state.source.video_index) {
        state.add_video();
      } else {
        state.add_other(*state.source.context->streams[i], state.tracks[i]);
      }
    }
    copy_metadata(state.source.context->metadata, context.metadata, Words::kOfFile,
                  state.options.metadata);
    state.add_chapters();
    state.collect_sound_tags();
  }
  state.leave_out_apple();
  libav::Dictionary options;
  if (state.is_mp4) {
    // Our boxes come with their own way of putting the index in front.
    if (state.output != "-" && !state.needs_boxes()) options.set("movflags", "+faststart");
    options.set("video_track_timescale", std::to_string(state.format.time_base.den));
  }
  state.file.begin(options);
  state.write_covers();
}

void Muxer::write_video(AVPacket& packet) {
  State& state = *state_;
  if (state.is_y4m) {
    // It has no times, only a rate.
    packet.pts = packet.dts = state.num_frames++;
    packet.time_base = state.file.context().streams[state.video_index]->time_base;
    packet.stream_index = state.video_index;
    return state.file.write(packet);
  }
  packet.pts -= *state.origin;
  packet.dts = state.decoding_times.next(packet.pts);
  packet.stream_index = state.video_index;
  packet.time_base = libav::rational(state.format.time_base);
  state.file.write(packet);
}

void Muxer::State::write_copied(AVPacket& packet, Track& track) {
  const AVStream& stream = *file.context().streams[track.output_index];
  av_packet_rescale_ts(&packet, packet.time_base, stream.time_base);
  packet.time_base = stream.time_base;
  // Damaged inputs go back in time, which no muxer takes.
  const bool equals_allowed = (file.context().oformat->flags & AVFMT_TS_NONSTRICT) != 0;
  const std::int64_t step = equals_allowed ? 0 : 1;
  if (track.last_dts != std::numeric_limits<std::int64_t>::min()) {
    packet.dts = std::max(packet.dts, track.last_dts + step);
  }
  packet.pts = std::max(packet.pts, packet.dts);
  track.last_dts = packet.dts;
  packet.stream_index = track.output_index;
  if (!file.try_write(packet)) complain(track, "a packet does not suit the container");
}

void Muxer::State::complain(Track& track, const std::string& reason) {
  if (track.complained) return;
  track.complained = true;
  const auto index = static_cast<std::size_t>(&track - tracks.data());
  spdlog::warn("{} of '{}' is not copied whole: {}", name_of(*source.context->streams[index]),
               options.source.string(), reason);
}

void Muxer::State::write_converted(const AVPacket& packet, Track& track) {
  std::vector<libav::PacketPtr> made;
  try {
    made = track.converter->convert(packet);
  } catch (const Error& error) {
    complain(track, error.what());
  }
  for (const libav::PacketPtr& each : made) write_copied(*each, track);
}

void Muxer::write_other(const AVPacket& packet) {
  State& state = *state_;
  const auto index = static_cast<std::size_t>(packet.stream_index);
  if (index >= state.tracks.size() || state.tracks[index].fate != Fate::kCopied) return;
  const AVStream& from = *state.source.context->streams[index];
  const std::int64_t pts = packet.pts != AV_NOPTS_VALUE ? packet.pts : packet.dts;
  if (pts == AV_NOPTS_VALUE) return;
  const double seconds = static_cast<double>(pts) * av_q2d(from.time_base);
  const bool subtitle = from.codecpar->codec_type == AVMEDIA_TYPE_SUBTITLE;
  const double length = static_cast<double>(packet.duration) * av_q2d(from.time_base);
  if (seconds >= state.end_s) return;
  // A subtitle that is on when the part begins stays.
  const double begin_s = state.options.start_s ? state.shift_s : -HUGE_VAL;
  if (subtitle ? seconds + length <= begin_s && seconds < begin_s : seconds < begin_s - 1e-9)
    return;

  const libav::PacketPtr copy = libav::make_packet();
  libav::check(av_packet_ref(copy.get(), &packet), "a packet cannot be copied");
  const std::int64_t shift = std::llround(state.shift_s / av_q2d(from.time_base));
  copy->pts = pts - shift;
  copy->dts = (packet.dts != AV_NOPTS_VALUE ? packet.dts : pts) - shift;
  copy->time_base = from.time_base;
  if (subtitle && copy->pts < 0 && seconds < begin_s) {
    copy->duration += copy->pts;
    copy->pts = copy->dts = 0;
  }
  if (subtitle && seconds + length > state.end_s) {
    copy->duration =
        std::llround((state.end_s - state.shift_s) / av_q2d(from.time_base)) - copy->pts;
  }
  Track& track = state.tracks[index];
  if (track.converter) {
    state.write_converted(*copy, track);
  } else {
    state.write_copied(*copy, track);
  }
}

double Muxer::seconds_of(std::int64_t pts) const {
  return static_cast<double>(pts) * state_->format.time_base.value();
}

void Muxer::finish() {
  state_->file.finish();
  if (!state_->needs_boxes()) return;
  finish_tagged_mp4(state_->output, tags_of(state_->format), state_->sound_tags);
}

std::int64_t Muxer::size() const {
  return state_->file.size();
}

}  // namespace vergence::media
