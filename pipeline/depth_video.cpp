// SPDX-License-Identifier: Apache-2.0
#include "pipeline/depth_video.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "pipeline/depth_finder.hpp"
#include "pipeline/stage_queue.hpp"
#include "predictors/sha256.hpp"

#include <charconv>
#include <cmath>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace vergence::pipeline {
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kRangesHead = "# vergence depth ";
constexpr std::string_view kColumns = "frame,min,max";
constexpr std::uintmax_t kMostRangeBytes = 1U << 30U;

// What ranges of this depth begin with.
std::string head_line(std::span<const Setting> key) {
  std::string text;
  for (const auto& [name, value] : key) text += fmt::format("{}={}\n", name, value);
  predictors::Sha256 digest;
  digest.update(std::as_bytes(std::span(text)));
  return fmt::format("{}{}", kRangesHead, digest.hex());
}

std::string_view take_line(std::string_view& text) {
  const auto end = std::min(text.find('\n'), text.size());
  auto line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

template <class Number>
std::optional<Number> take_number(std::string_view& line) {
  Number number{};
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
  if (error != std::errc()) return std::nullopt;
  line.remove_prefix(static_cast<std::size_t>(end - line.data()));
  if (line.starts_with(',')) line.remove_prefix(1);
  return number;
}

std::optional<stereo::DepthRange> range_of(std::string_view line, std::int64_t expected_frame) {
  const auto frame = take_number<std::int64_t>(line);
  const auto min = take_number<float>(line);
  const auto max = take_number<float>(line);
  const bool good = frame && min && max && line.empty() && *frame == expected_frame &&
                    std::isfinite(*min) && std::isfinite(*max) && *min <= *max;
  if (!good) return std::nullopt;
  return stereo::DepthRange{*min, *max};
}

std::vector<stereo::DepthRange> read_ranges(const fs::path& path) {
  const std::string file = read_file(path, kMostRangeBytes);
  std::string_view rest = file;
  const auto fail = [&](std::size_t line) {
    return Error(fmt::format("'{}' line {} is no range of depth", path.string(), line))
        .hint("a line is FRAME,MIN,MAX, frames counting from 0");
  };
  if (rest.starts_with('#')) take_line(rest);
  if (take_line(rest) != kColumns) {
    throw Error(fmt::format("'{}' does not begin with '{}'", path.string(), kColumns));
  }
  std::vector<stereo::DepthRange> ranges;
  while (!rest.empty()) {
    const auto range = range_of(take_line(rest), static_cast<std::int64_t>(ranges.size()));
    if (!range) throw fail(ranges.size() + 3);
    ranges.push_back(*range);
  }
  if (ranges.empty()) throw Error(fmt::format("'{}' has no ranges", path.string()));
  return ranges;
}

bool is_there(const fs::path& video, const std::string& head) {
  std::error_code error;
  const auto ranges = depth_ranges_path(video);
  if (!fs::exists(video, error) || !fs::exists(ranges, error)) return false;
  const std::string file = read_file(ranges, kMostRangeBytes);
  std::string_view rest = file;
  return take_line(rest) == head;
}

media::VideoReadOptions grey_frames() {
  media::VideoReadOptions options;
  options.grey = true;
  return options;
}

// Decoding, depth and encoding of an export.
class Exporter {
 public:
  Exporter(media::VideoReader& reader, const VideoJobOptions& options, const DepthSource& depth,
           DepthCache& cache, Progress& progress)
      : reader_(reader),
        batch_(depth.batch),
        cache_(cache),
        progress_(progress),
        finder_(depth, cache, options.part),
        decoded_(group_, 2 + static_cast<std::size_t>(depth.batch)),
        found_(group_, 2 + static_cast<std::size_t>(depth.batch)) {}

  // Writes the video to `path`; the lines of its ranges.
  std::string run(const fs::path& path) {
    group_.add("decode", [this] { decode(); });
    group_.add("depth", [this] { find_depth(); });
    group_.add("encode", [this, &path] { encode(path); });
    progress_.begin("keeping depth", "frames", reader_.info().frame_count);
    group_.run();
    if (!writer_) throw Error(fmt::format("'{}' has no frames", reader_.info().path.string()));
    return std::move(lines_);
  }

 private:
  void decode() {
    media::VideoFrame frame;
    while (reader_.read(frame)) decoded_.push(std::exchange(frame, {}));
    decoded_.close();
  }

  void find_depth() {
    std::vector<media::VideoFrame> group;
    const auto pass_on = [&] {
      auto maps = finder_.find(group);
      for (std::size_t i = 0; i < maps.size(); ++i) {
        group[i].picture = maps[i].codes;
        found_.push({group[i], {maps[i].min, maps[i].max}});
      }
      group.clear();
    };
    while (auto frame = decoded_.pop()) {
      group.push_back(std::move(*frame));
      if ((group.back().index + 1) % batch_ == 0) pass_on();
    }
    if (!group.empty()) pass_on();
    cache_.flush();
    found_.close();
  }

  void encode(const fs::path& path) {
    while (const auto found = found_.pop()) {
      const auto& [frame, range] = *found;
      if (!writer_) open(path, frame.picture.size());
      writer_->write(frame);
      lines_ += fmt::format("{},{:.9g},{:.9g}\n", frame.index, range.min, range.max);
      progress_.advance();
    }
    if (writer_) writer_->finish();
  }

  void open(const fs::path& path, cv::Size size) {
    media::VideoFormat format;
    format.size = size;
    format.time_base = reader_.info().time_base;
    format.frame_rate = reader_.info().frame_rate;
    format.bit_depth = 16;
    format.grey = true;
    format.color.full_range = true;
    media::EncodeOptions encode;
    encode.codec = "ffv1";
    encode.pixel_format = "gray16le";
    writer_.emplace(path, format, encode, media::JoinOptions{}, ".mkv");
  }

  media::VideoReader& reader_;
  std::int64_t batch_;
  DepthCache& cache_;
  Progress& progress_;
  DepthFinder finder_;
  std::optional<media::VideoWriter> writer_;
  std::string lines_;
  StageGroup group_;
  StageQueue<media::VideoFrame> decoded_;
  StageQueue<std::pair<media::VideoFrame, stereo::DepthRange>> found_;
};

}  // namespace

fs::path depth_ranges_path(const fs::path& video) {
  fs::path path = video;
  path += ".csv";
  return path;
}

void export_depth_video(const fs::path& input, const fs::path& output,
                        const VideoJobOptions& options, const DepthSource& depth,
                        Progress& progress) {
  if (output.extension() != ".mkv") {
    throw Error(ErrorCode::kUsage,
                fmt::format("depth as a video is Matroska, and '{}' is not", output.string()))
        .hint("call it NAME.mkv, or name a folder for PNG files");
  }
  if (input == "-") {
    throw Error(ErrorCode::kUsage, "the depth of a pipe cannot be kept as a video")
        .hint("give the file itself, or name a folder for PNG files");
  }
  const auto key = depth_key(input, options);
  const std::string head = head_line(key);
  if (is_there(output, head)) {
    spdlog::info("'{}' is there already", output.string());
    return;
  }
  media::VideoReader reader(input, options.read);
  DepthCache cache(depth.cacheable ? options.cache : DepthCacheOptions{}, key);
  OutputFile video(output);
  const auto lines = Exporter(reader, options, depth, cache, progress).run(video.path());
  // The ranges of another video must not stand beside this one.
  std::error_code ignored;
  fs::remove(depth_ranges_path(output), ignored);
  video.commit();
  write_file(depth_ranges_path(output), fmt::format("{}\n{}\n{}", head, kColumns, lines));
}

DepthVideoReader::DepthVideoReader(const fs::path& path, double scale, bool use_ranges)
    : path_(path),
      scale_(scale),
      reader_(path, grey_frames()) {
  std::error_code error;
  if (use_ranges && fs::exists(depth_ranges_path(path), error)) {
    ranges_ = read_ranges(depth_ranges_path(path));
  }
}

cv::Mat DepthVideoReader::map_of(std::int64_t index) {
  if (index < next_) {
    reader_ = media::VideoReader(path_, grey_frames());
    next_ = 0;
  }
  while (next_ <= index) {
    if (!reader_.read(frame_)) {
      throw Error(fmt::format("the depth video '{}' ends at frame {}", path_.string(), next_))
          .hint("give depth of the whole video, or the part that it has with video.end");
    }
    ++next_;
  }
  if (has_ranges() && frame_.picture.type() == CV_16UC1) {
    const auto frame = static_cast<std::size_t>(index);
    if (frame >= ranges_.size()) {
      throw Error(
          fmt::format("'{}' ends at frame {}", depth_ranges_path(path_).string(), ranges_.size()));
    }
    return raw_from_codes({frame_.picture, ranges_[frame].min, ranges_[frame].max});
  }
  cv::Mat map;
  frame_.picture.convertTo(map, CV_32FC1, scale_);
  return map;
}

}  // namespace vergence::pipeline
