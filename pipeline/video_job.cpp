// SPDX-License-Identifier: Apache-2.0
#include "pipeline/video_job.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/output_file.hpp"
#include "core/parallel.hpp"
#include "pipeline/depth_finder.hpp"
#include "pipeline/outputs.hpp"
#include "pipeline/segment_sink.hpp"
#include "pipeline/stereo_frame.hpp"
#include "pipeline/video_stages.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

namespace vergence::pipeline {
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kJournalName = "journal";
constexpr std::string_view kTasksName = "tasks";  // beginning of the names of folders for workers
constexpr std::string_view kDepthName = "depth";  // where workers keep it if nobody else does

// Measuring decodes what lies before; making looks at a few frames on either side.
constexpr int kMakingTasksPerWorker = 3;

// Fewer segments are not worth it: 12 s of video as a rule.
constexpr std::int64_t kFewestShared = 3;
constexpr std::string_view kPipe = "-";

constexpr std::array<std::pair<std::string_view, ResumeMode>, 3> kResumeModes = {{
    {"auto", ResumeMode::kAuto},
    {"fresh", ResumeMode::kFresh},
    {"only", ResumeMode::kOnly},
}};

void append(std::vector<Setting>& settings, const std::vector<Setting>& more) {
  settings.insert(settings.end(), more.begin(), more.end());
}

bool goes_to_pipe(const fs::path& output) {
  return output == kPipe || is_device(output);
}

fs::path folder_of(const fs::path& output) {
  return output.has_parent_path() ? output.parent_path() : fs::path(".");
}

// Always the same for one output, so that the next call finds it.
fs::path work_folder_path(const fs::path& output, const fs::path& work_dir) {
  const std::string name = output.filename().string();
  if (work_dir.empty()) return folder_of(output) / fmt::format(".{}.vergence", name);
  const auto place = std::hash<std::string>()(fs::weakly_canonical(output).string());
  return work_dir / fmt::format(".{}-{:08x}.vergence", name, place & 0xffffffffU);
}

std::uint64_t file_bytes(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return error ? 0 : size;
}

std::string duration_of(const media::VideoInfo& info) {
  return info.duration_s > 0.0 ? rough_duration_text(info.duration_s) : "a length not known";
}

// 128 kbit/s per stream of sound: what is usual.
std::uint64_t sound_bytes(const media::VideoInfo& info) {
  constexpr double kBytesPerSecond = 16000.0;
  const auto count = std::count_if(info.streams.begin(), info.streams.end(),
                                   [](const auto& stream) { return stream.kind == "audio"; });
  return static_cast<std::uint64_t>(kBytesPerSecond * info.duration_s * static_cast<double>(count));
}

// The other streams of a pipe go by only once.
media::VideoReadOptions read_options(const fs::path& input, const VideoJobOptions& options) {
  auto read = options.read;
  read.keep_other_streams = input == kPipe;
  return read;
}

class VideoJob {
 public:
  VideoJob(const fs::path& input, const fs::path& output, const VideoJobOptions& options,
           const DepthSource& depth, Progress& progress)
      : input_(input),
        output_(output),
        options_(options),
        depth_(depth),
        progress_(progress),
        reader_(input, read_options(input, options)),
        maker_(options.maker()) {
    choose_container();
    if (!goes_to_pipe(output_)) check_outputs();
    set_format();
  }

  VideoJobResult run() {
    const auto start = std::chrono::steady_clock::now();
    if (options_.work) {
      run_task(*options_.work);
    } else if (input_ == kPipe || goes_to_pipe(output_)) {
      stream();
    } else {
      run_in_segments();
    }
    result_.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return std::move(result_);
  }

 private:
  [[nodiscard]] bool separate() const { return num_files(options_.eye_frames) == 2; }

  [[nodiscard]] std::vector<fs::path> outputs() const {
    if (!separate()) return {output_};
    return {output_, options_.second_output};
  }

  void choose_container() {
    if (goes_to_pipe(output_)) return;
    const auto choice =
        media::choose_container(reader_.info(), options_.encode, output_.extension().string(),
                                options_.container_may_change, options_.join.subtitles);
    if (choice.extension == output_.extension()) return;
    output_.replace_extension(choice.extension);
    if (separate()) options_.second_output.replace_extension(choice.extension);
    spdlog::info("'{}' is {}", output_.string(), choice.reason);
  }

  void check_outputs() const {
    for (const auto& path : outputs()) {
      check_writable(path);
      std::error_code error;
      if (fs::equivalent(path, input_, error)) {
        throw Error(ErrorCode::kUsage,
                    fmt::format("'{}' is both input and output", input_.string()))
            .hint("choose another name with -o");
      }
    }
  }

  void set_format() {
    const auto& info = reader_.info();
    auto& format = sink_format_.format;
    // Also tells whether the options suit each other, before anything is written.
    const cv::Size packed = maker_->frame_size(info.size);
    const bool halved = options_.eye_frames != EyeFrames::kPacked;
    format.size = halved ? cv::Size(packed.width / 2, packed.height) : packed;
    format.pixel_aspect = options_.square_pixels ? media::Rational{1, 1} : info.pixel_aspect;
    format.time_base = info.time_base;
    format.frame_rate = info.frame_rate;
    if (options_.eye_frames == EyeFrames::kSequential) {
      format.time_base.den *= 2;
      format.frame_rate.num *= 2;
    }
    format.bit_depth = info.bit_depth;
    format.grey = info.grey && maker_->keeps_grey();
    format.input_pixel_format = info.pixel_format;
    format.color = info.color;
    format.hdr = info.hdr;
    format.stereo = options_.stereo;
    format.squeezed = options_.squeezed;
    format.right_first = options_.right_first;
    format.spherical = options_.spherical;
    format.apple = options_.apple;
    format.hfov_deg = options_.hfov_deg;
    format.baseline_m = options_.baseline_m;
    sink_format_.encode = options_.encode;
    sink_format_.eye_frames = options_.eye_frames;
    const double ticks = info.frame_rate.value() * info.time_base.value();
    sink_format_.nominal_duration = ticks > 0.0 ? 1.0 / ticks : 1.0;
  }

  [[nodiscard]] std::vector<Setting> settings() const {
    std::vector<Setting> all = file_fingerprint(input_);
    append(all, {{"version of the program", VERGENCE_VERSION},
                 {"number of threads",
                  std::to_string(is_shared() ? options_.workers.threads : thread_count())}});
    append(all, options_.depth_settings);
    append(all, options_.settings);
    return all;
  }

  // Whether other processes make the frames.
  [[nodiscard]] bool is_shared() const {
    const auto count = reader_.info().frame_count;
    return options_.workers.run && count > 0 && cut().segment_of(count - 1) >= kFewestShared - 1;
  }

  [[nodiscard]] SegmentCut cut() const {
    return {reader_.info().frame_rate.value(), options_.segment_s};
  }

  void run_in_segments() {
    if (!options_.work_dir.empty()) make_folder(options_.work_dir);
    WorkFolder work(work_folder_path(output_, options_.work_dir), output_);
    try {
      run_in(work);
    } catch (const Error& error) {
      const bool kept = keep_or_remove(work);
      if (!kept || error.code() != ErrorCode::kInterrupted) throw;
      throw interrupted();
    } catch (...) {
      keep_or_remove(work);
      throw;
    }
    work.remove(kJournalName);
  }

  void run_in(WorkFolder& work) {
    open_journal(work);
    num_done_ = count_done();
    result_.resumed_frames = num_done_.num_frames;
    if (!journal_->finished()) {
      if (!complete()) {
        if (num_done_.num_frames > 0) {
          spdlog::info("goes on after {} frames of '{}'", num_done_.num_frames, output_.string());
        }
        is_shared() ? share(work) : make_frames(work);
      }
      join(work);
    }
    tell_result();
  }

  // ---- Without segments

  void stream() {
    if (options_.resume == ResumeMode::kOnly) throw nothing_to_go_on();
    std::vector<std::unique_ptr<OutputFile>> files;
    std::vector<media::VideoWriter> writers;
    for (const auto& path : outputs()) {
      const bool pipe = path == kPipe;
      if (!pipe) files.push_back(std::make_unique<OutputFile>(path));
      const bool first = writers.empty();
      writers.emplace_back(pipe ? path : files.back()->path(), sink_format_.format, options_.encode,
                           join_options(), goes_to_pipe(path) ? options_.pipe_container : "",
                           input_ == kPipe && first ? &reader_ : nullptr);
    }
    StreamSink sink(sink_format_, std::move(writers), progress_);
    DepthCache no_cache({}, {});
    progress_.begin(options_.task, "frames", reader_.info().frame_count);
    auto made = run_stages(
        {.reader = reader_, .first_frame = 0, .known = {}, .cache = no_cache, .maker = *maker_},
        options_, depth_, sink);
    if (sink.num_frames() == 0) throw no_frames();
    for (auto& file : files) file->commit();
    result_.comfort = made.comfort;
    result_.stages = std::move(made.times);
    num_done_.num_frames = sink.num_frames();
    tell_result();
  }

  [[nodiscard]] Error no_frames() const {
    return Error(fmt::format("'{}' has no frames there", input_.string()))
        .hint("choose another video.start and video.end");
  }

  [[nodiscard]] Error nothing_to_go_on() const {
    return Error(fmt::format("there is nothing of '{}' to go on with", output_.string()))
        .hint("begin it with video.resume=auto");
  }

  // ---- What earlier calls have left

  void open_journal(WorkFolder& work) {
    // Processes whose leader was killed may still write.
    WorkersLock::wait_for_all(work.path());
    const fs::path path = work.path() / kJournalName;
    const auto now = settings();
    std::error_code error;
    if (options_.resume != ResumeMode::kFresh && fs::exists(path, error)) {
      journal_ = std::make_unique<SegmentJournal>(path);
      const auto differences = describe_differences(journal_->settings(), now);
      if (journal_->finished()) {
        // Only tidying up was left; whether for this output is to be seen.
        if (differences.empty() && outputs_are_in_place()) return;
        journal_.reset();
      } else {
        if (differences.empty()) take_over_parts(work);
        drop_lost_segments(work.path());
        if (!journal_->segments().empty() && !differences.empty())
          throw begun_otherwise(differences);
        const bool parts = is_shared() && differences.empty() && VideoParts::any(work.path());
        if (!journal_->segments().empty() || parts) return;
      }
    }
    if (options_.resume == ResumeMode::kOnly) throw nothing_to_go_on();
    journal_.reset();
    work.clear();
    journal_ = std::make_unique<SegmentJournal>(path, now);
  }

  [[nodiscard]] bool outputs_are_in_place() const {
    const auto& sizes = *journal_->finished();
    const auto paths = outputs();
    bool same = sizes.size() == paths.size();
    for (std::size_t i = 0; same && i < paths.size(); ++i) same = file_bytes(paths[i]) == sizes[i];
    return same;
  }

  [[nodiscard]] Error begun_otherwise(const std::string& differences) const {
    return Error(fmt::format("'{}' was begun otherwise: {}", output_.string(), differences))
        .hint(
            "go on as it was begun, or begin anew with video.resume=fresh, which throws away what "
            "is done");
  }

  // Segments count up to the first one whose files are not as they were.
  void drop_lost_segments(const fs::path& work) {
    const auto& segments = journal_->segments();
    std::size_t whole = 0;
    std::int64_t next_frame = 0;
    while (whole < segments.size() && segments[whole].first_frame == next_frame &&
           has_files(work, whole, segments[whole])) {
      next_frame += static_cast<std::int64_t>(segments[whole].frames.size());
      ++whole;
    }
    if (whole == segments.size()) return;
    spdlog::warn("of '{}' {} finished segments are lost and made again", output_.string(),
                 segments.size() - whole);
    journal_->truncate(whole);
  }

  [[nodiscard]] bool has_files(const fs::path& work, std::size_t number,
                               const JournalSegment& segment) const {
    const int count = num_files(options_.eye_frames);
    if (segment.file_bytes.size() != static_cast<std::size_t>(count)) return false;
    for (int eye = 0; eye < count; ++eye) {
      const auto path = segment_path(work, static_cast<std::int64_t>(number), eye);
      if (file_bytes(path) != segment.file_bytes[static_cast<std::size_t>(eye)]) return false;
    }
    return true;
  }

  [[nodiscard]] JobProgress count_done() const {
    JobProgress done;
    done.total_frames = reader_.info().frame_count;
    done.other_bytes = sound_bytes(reader_.info());
    for (const auto& segment : journal_->segments()) {
      done.num_frames += static_cast<std::int64_t>(segment.frames.size());
      for (const auto bytes : segment.file_bytes) done.segment_bytes += bytes;
    }
    return done;
  }

  [[nodiscard]] bool complete() const {
    return !journal_->segments().empty() && journal_->segments().back().last;
  }

  // ---- Frames

  void make_frames(const WorkFolder& work) {
    StagesInput input = stages_input();
    tell_beginning(work);
    SegmentSink sink(sink_format_, segment_target(work.path()), *journal_, num_done_, progress_);
    progress_.begin(options_.task, "frames",
                    std::max<std::int64_t>(0, num_done_.total_frames - num_done_.num_frames));
    try {
      auto made = run_stages(std::move(input), options_, depth_, sink);
      result_.comfort = made.comfort;
      result_.stages = std::move(made.times);
      cache_->flush();
    } catch (...) {
      cache_->flush();
      num_done_ = sink.done();
      throw;
    }
    num_done_ = sink.done();
    if (num_done_.num_frames == 0) throw no_frames();
  }

  void tell_beginning(const WorkFolder& work) const {
    const auto& info = reader_.info();
    spdlog::info("'{}': {}, {}x{} {} becomes {}x{} {}; {} of disk are free", input_.string(),
                 duration_of(info), info.size.width, info.size.height, info.codec,
                 sink_format_.format.size.width, sink_format_.format.size.height,
                 options_.encode.codec, bytes_text(free_bytes(work.path())));
    const JobOutlook outlook = this->outlook();
    if (outlook.num_frames <= 0) return;
    const JobEstimate guess = guess_job(outlook);
    const auto free = free_bytes(work.path());
    spdlog::info("first guess: {}", describe(guess, num_done_, free));
    if (guess.segments_ahead + guess.join_bytes > free) {
      spdlog::warn("the disk may be too small; the job stops in time if it is, and can go on");
    }
  }

  [[nodiscard]] JobOutlook outlook() const {
    const auto& info = reader_.info();
    const auto& format = sink_format_.format;
    const auto megapixels = [](cv::Size size) { return 1e-6 * size.width * size.height; };
    const bool known = cache_->find(num_done_.num_frames).has_value();
    return {.num_frames = num_done_.total_frames - num_done_.num_frames,
            .input_megapixels = megapixels(info.size),
            .output_megapixels =
                megapixels(format.size) * (options_.eye_frames == EyeFrames::kPacked ? 1.0 : 2.0),
            .frame_rate = info.frame_rate.value(),
            .codec = options_.encode.codec,
            .preset = options_.encode.preset,
            .bitrate_kbps = options_.encode.bitrate_kbps,
            .depth_seconds = depth_.trial && !known ? depth_.trial(info.size) : 0.0,
            .other_bytes = num_done_.other_bytes};
  }

  void open_cache(const DepthCacheOptions& options) {
    const auto key = depth_key(input_, options_);
    cache_ = std::make_unique<DepthCache>(depth_.cacheable ? options : DepthCacheOptions{}, key);
  }

  static std::vector<JournalFrame> frames_of(std::span<const JournalSegment> segments) {
    std::vector<JournalFrame> frames;
    for (const auto& segment : segments) {
      frames.insert(frames.end(), segment.frames.begin(), segment.frames.end());
    }
    return frames;
  }

  // Reads on from where the journal ends.
  StagesInput stages_input() {
    open_cache(options_.cache);
    auto known = frames_of(journal_->segments());
    const auto first_made = static_cast<std::int64_t>(known.size());
    const std::int64_t first_frame = first_frame_needed(first_made, options_, depth_);
    if (first_made > 0) {
      go_to(first_frame, known, journal_->segments().back().last_picture_checksum);
    }
    return {.reader = reader_,
            .first_frame = first_frame,
            .known = std::move(known),
            .cache = *cache_,
            .maker = *maker_,
            .made = {.first = first_made}};
  }

  // Places the reader before `frame`. What it gives is checked on the last frame before those to
  // make, the last of `before`: a decoder that finds other pictures after a jump would break the
  // video at the seam.
  void go_to(std::int64_t frame, std::span<const JournalFrame> before, std::uint32_t checksum) {
    const auto last = static_cast<std::int64_t>(before.size()) - 1;
    const auto pts_of = [&](std::int64_t index) {
      return before[static_cast<std::size_t>(std::min(index, last))].pts;
    };
    media::VideoFrame read;
    reader_.seek(pts_of(last), last);
    const bool same = reader_.read(read) && read.pts == pts_of(last) &&
                      picture_checksum(read.picture) == checksum;
    if (same && frame <= last) {
      reader_.seek(pts_of(frame), frame);
      return;
    }
    if (same) return;
    reader_ = media::VideoReader(input_, options_.read);
    std::uint32_t found = 0;
    for (std::int64_t i = 0; i <= last; ++i) {
      throw_if_interrupted();
      if (!reader_.read(read)) break;
      if (i == last) found = picture_checksum(read.picture);
    }
    if (found != checksum) throw decoded_otherwise();
    if (frame > last) return;
    reader_ = media::VideoReader(input_, options_.read);
    pass_over(frame);
  }

  // Reads what lies before a frame.
  void pass_over(std::int64_t frame) {
    media::VideoFrame read;
    for (std::int64_t i = 0; i < frame; ++i) {
      throw_if_interrupted();
      if (!reader_.read(read)) return;
    }
  }

  [[nodiscard]] Error decoded_otherwise() const {
    return Error(fmt::format("'{}' is decoded otherwise than when '{}' was begun", input_.string(),
                             output_.string()))
        .hint("begin anew with video.resume=fresh");
  }

  [[nodiscard]] SegmentTarget segment_target(const fs::path& work) const {
    return {.folder = work, .output = output_, .cut = cut()};
  }

  // ---- Frames by other processes

  [[nodiscard]] VideoParts parts_in(const fs::path& work) const { return {work, settings()}; }

  // What is finished of the video, by whomever.
  [[nodiscard]] SegmentsByFrame finished(const fs::path& work, const SegmentJournal& journal,
                                         VideoTask::Kind kind) const {
    auto segments = parts_in(work).finished(kind);
    for (const auto& segment : journal.segments()) {
      segments.insert_or_assign(segment.first_frame, segment);
    }
    if (kind == VideoTask::Kind::kMeasure) return segments;
    std::erase_if(segments, [&](const auto& item) {
      const auto number = static_cast<std::size_t>(cut().segment_of(item.first));
      return !has_files(work, number, item.second);
    });
    return segments;
  }

  // Segments that other processes have made become the journal's.
  void take_over_parts(const WorkFolder& work) {
    if (!VideoParts::any(work.path())) return;
    const auto made = without_gaps(finished(work.path(), *journal_, VideoTask::Kind::kMake));
    const auto known = journal_->segments().size();
    if (made.size() <= known) return;
    for (std::size_t i = known; i < made.size(); ++i) journal_->append(made[i]);
    journal_ = std::make_unique<SegmentJournal>(work.path() / kJournalName);
  }

  void share(const WorkFolder& work) {
    // A process that was told by an earlier call to begin, and has not yet, finds nothing to do.
    for (int i = 1; fs::remove_all(tasks_folder(work, i)) > 0; ++i) continue;
    const auto measured = share_out(work, VideoTask::Kind::kMeasure, {});
    share_out(work, VideoTask::Kind::kMake, measured);
    take_over_parts(work);
    num_done_ = count_done();
  }

  static fs::path tasks_folder(const WorkFolder& work, int number) {
    return work.path() / fmt::format("{}_{}", kTasksName, number);
  }

  // Has all segments worked on, and those that came to nothing once more. `measured`: all segments,
  // where that is over.
  std::vector<JournalSegment> share_out(const WorkFolder& work, VideoTask::Kind kind,
                                        std::span<const JournalSegment> measured) {
    std::vector<std::string> reasons;
    for (int round = 0;; ++round) {
      WorkersLock::wait_for_all(work.path());
      const auto done = finished(work.path(), *journal_, kind);
      auto whole = without_gaps(done);
      if (!whole.empty() && whole.back().last) return whole;
      if (round > 0 && done.empty() && reasons.empty()) throw no_frames();
      if (round > 1) throw tasks_failed(reasons);
      if (round > 0 && !reasons.empty()) {
        spdlog::warn("parts of '{}' are tried again: {}", output_.string(), reasons.front());
      }
      reasons = run_tasks(work, tasks_for(kind, done, measured));
    }
  }

  [[nodiscard]] std::vector<VideoTask> tasks_for(VideoTask::Kind kind, const SegmentsByFrame& done,
                                                 std::span<const JournalSegment> measured) const {
    const auto is_done = [&](std::int64_t segment) {
      return done.contains(cut().first_frame_of(segment));
    };
    const int workers = options_.workers.count;
    if (kind == VideoTask::Kind::kMake) {
      return cut_tasks(kind, static_cast<std::int64_t>(measured.size()), /*open_end=*/false,
                       kMakingTasksPerWorker * workers, is_done);
    }
    const bool end_known = !done.empty() && done.rbegin()->second.last;
    const auto last = end_known ? done.rbegin()->first : reader_.info().frame_count - 1;
    return cut_tasks(kind, cut().segment_of(last) + 1, !end_known, depth_.memory ? 1 : workers,
                     is_done);
  }

  std::vector<std::string> run_tasks(const WorkFolder& work, std::span<const VideoTask> tasks) {
    const auto total = std::max(num_done_.total_frames, num_done_.num_frames);
    const auto num_frames = [&](const VideoTask& task) {
      const bool to_end = task.end == VideoTask::kToTheEnd;
      const auto end = to_end ? total : std::min(total, cut().first_frame_of(task.end));
      return std::max<std::int64_t>(0, end - cut().first_frame_of(task.first));
    };
    std::int64_t ahead = 0;
    for (const auto& task : tasks) ahead += num_frames(task);
    const bool measures = tasks.front().kind == VideoTask::Kind::kMeasure;
    progress_.begin(measures ? "measuring frames" : options_.task, "frames", ahead);
    int number = 1;
    while (!fs::create_directory(tasks_folder(work, number))) ++number;
    return options_.workers.run(tasks_folder(work, number), tasks, [&](std::size_t place) {
      progress_.advance(num_frames(tasks[place]));
    });
  }

  [[nodiscard]] Error tasks_failed(const std::vector<std::string>& reasons) const {
    return Error(fmt::format("parts of '{}' failed twice: {}", output_.string(),
                             reasons.empty() ? "no reason is known" : reasons.front()))
        .hint("run the same command again to go on with what is finished");
  }

  // ---- One of those processes

  void run_task(const VideoTask& task) {
    const auto work = work_folder_path(output_, options_.work_dir);
    const WorkersLock lock(work);
    const SegmentJournal journal(work / kJournalName);
    const auto differences = describe_differences(journal.settings(), settings());
    if (!differences.empty()) throw begun_otherwise(differences);
    auto depth = options_.cache;
    if (depth.folder.empty()) depth.folder = work / kDepthName;
    open_cache(depth);
    const auto measured = without_gaps(finished(work, journal, VideoTask::Kind::kMeasure));
    const auto part = parts_in(work).begin(task);
    if (task.kind == VideoTask::Kind::kMeasure) {
      measure(task, measured, *part);
    } else {
      make(task, measured, work, *part);
    }
    cache_->flush();
  }

  [[nodiscard]] Error not_measured() const {
    return Error(fmt::format("frames of '{}' are not measured yet", output_.string()))
        .hint("run the whole job again");
  }

  void measure(const VideoTask& task, std::span<const JournalSegment> measured,
               SegmentJournal& part) {
    const FrameSpan made{
        .first = cut().first_frame_of(task.first),
        .end = task.end == VideoTask::kToTheEnd ? FrameSpan().end : cut().first_frame_of(task.end)};
    // What frames before have handed on.
    auto known = depth_.memory ? frames_of(measured) : std::vector<JournalFrame>();
    if (depth_.memory && static_cast<std::int64_t>(known.size()) < made.first) throw not_measured();
    const auto first_frame = first_frame_needed(made.first, options_, depth_);
    pass_over(first_frame);
    SegmentMeasurer measurer(cut(), made.end, part);
    progress_.begin("measuring frames", "frames", 0);
    measure_frames({.reader = reader_,
                    .first_frame = first_frame,
                    .known = std::move(known),
                    .cache = *cache_,
                    .maker = *maker_,
                    .made = made},
                   options_, depth_,
                   [&](const media::VideoFrame& frame, const stereo::FrameStatistics& statistics) {
                     measurer.add(frame, statistics);
                     progress_.advance();
                   });
    measurer.finish();
  }

  void make(const VideoTask& task, std::span<const JournalSegment> measured, const fs::path& work,
            SegmentJournal& part) {
    const auto first_segment = static_cast<std::size_t>(task.first);
    if (measured.empty() || !measured.back().last || first_segment >= measured.size()) {
      throw not_measured();
    }
    auto known = frames_of(measured);
    const auto num_frames = static_cast<std::int64_t>(known.size());
    const FrameSpan made{.first = cut().first_frame_of(task.first),
                         .end = std::min(cut().first_frame_of(task.end), num_frames)};
    const auto first_frame = first_frame_needed(made.first, options_, depth_);
    if (made.first > 0) {
      go_to(first_frame, std::span(known).first(static_cast<std::size_t>(made.first)),
            measured[first_segment - 1].last_picture_checksum);
    }
    JobProgress ahead;
    ahead.total_frames = made.end - made.first;
    SegmentSink sink(sink_format_, segment_target(work), part, ahead, progress_);
    progress_.begin(options_.task, "frames", ahead.total_frames);
    run_stages({.reader = reader_,
                .first_frame = first_frame,
                .known = std::move(known),
                .cache = *cache_,
                .maker = *maker_,
                .made = made},
               options_, depth_, sink);
  }

  // ---- The end

  [[nodiscard]] media::JoinOptions join_options() const {
    media::JoinOptions join = options_.join;
    join.source = input_ == kPipe ? fs::path() : input_;
    join.start_s = options_.read.start_s;
    join.end_s = options_.read.end_s;
    return join;
  }

  void join(const WorkFolder& work) {
    const auto paths = outputs();
    check_space(goes_to_pipe(output_) ? work.path() : folder_of(output_),
                num_done_.segment_bytes + num_done_.other_bytes, output_);
    progress_.begin("joining", "bytes", static_cast<std::int64_t>(num_done_.segment_bytes));
    std::vector<fs::path> joined;
    for (std::size_t i = 0; i < paths.size(); ++i) {
      joined.push_back(joined_path(work, paths[i]));
      join_one(work, static_cast<int>(i), joined.back());
    }
    std::vector<std::uint64_t> sizes;
    for (std::size_t i = 0; i < paths.size(); ++i) {
      sizes.push_back(file_bytes(joined[i]));
      put_in_place(joined[i], paths[i]);
    }
    journal_->append_finished(sizes);
  }

  // In the work folder where it can be renamed from there, else beside the output, under a name
  // that the next call writes over.
  [[nodiscard]] fs::path joined_path(const WorkFolder& work, const fs::path& output) const {
    const auto name = output.filename().string();
    if (on_one_disk(work.path(), folder_of(output))) {
      return work.path() / fmt::format("joined_{}", name);
    }
    return folder_of(output) / fmt::format(".joined_{}", name);
  }

  void join_one(const WorkFolder& work, int eye, const fs::path& joined) {
    std::vector<fs::path> segments;
    for (std::int64_t i = 0; i <= cut().segment_of(num_done_.num_frames - 1); ++i) {
      segments.push_back(segment_path(work.path(), i, eye));
    }
    media::join_segments(segments, sink_format_.format, options_.encode, joined, join_options(),
                         [&](std::int64_t bytes) {
                           throw_if_interrupted();
                           progress_.advance(bytes);
                         });
  }

  void put_in_place(const fs::path& joined, const fs::path& output) const {
    const auto fail = [&](int error) {
      return Error(fmt::format("cannot write '{}': {}", output.string(), reason_from_errno(error)));
    };
    const int file = ::open(joined.c_str(), O_RDONLY | O_CLOEXEC);
    const bool synced = file >= 0 && ::fsync(file) == 0;
    const int error = errno;
    if (file >= 0) ::close(file);
    if (!synced) throw fail(error);
    if (std::rename(joined.c_str(), output.c_str()) != 0) throw fail(errno);
    sync_folder(folder_of(output));
  }

  void tell_result() {
    result_.num_frames = num_done_.num_frames;
    result_.outputs = outputs();
    if (goes_to_pipe(output_)) return;
    for (const auto& path : result_.outputs) result_.bytes += file_bytes(path);
  }

  // ---- When it does not come to the end

  // Whether something is left to go on with; otherwise the work folder goes. What another journal
  // speaks of stays as it is.
  bool keep_or_remove(WorkFolder& work) {
    std::error_code error;
    const bool of_others = !journal_ && fs::exists(work.path() / kJournalName, error);
    const bool of_ours = journal_ && !journal_->segments().empty();
    if (of_others || of_ours || num_done_.num_frames > 0 || VideoParts::any(work.path())) {
      return true;
    }
    work.remove(kJournalName);
    return false;
  }

  [[nodiscard]] Error interrupted() const {
    return Error(ErrorCode::kInterrupted, fmt::format("interrupted; {} frames of '{}' are finished",
                                                      num_done_.num_frames, output_.string()))
        .hint("run the same command again to go on");
  }

  fs::path input_;
  fs::path output_;
  VideoJobOptions options_;
  const DepthSource& depth_;
  Progress& progress_;
  media::VideoReader reader_;
  std::unique_ptr<FrameMaker> maker_;
  SinkFormat sink_format_;
  std::unique_ptr<SegmentJournal> journal_;
  std::unique_ptr<DepthCache> cache_;
  JobProgress num_done_;
  VideoJobResult result_;
};

}  // namespace

std::optional<ResumeMode> resume_mode_from_string(std::string_view word) {
  for (const auto& [name, mode] : kResumeModes) {
    if (name == word) return mode;
  }
  return std::nullopt;
}

DepthSource predicted_depth(DepthPredictor& predictor) {
  DepthSource source;
  source.name = predictor.info().name;
  source.batch = thread_count();
  source.trial = [&predictor, batch = source.batch](cv::Size size) {
    const cv::Mat grey(size, CV_8UC3, cv::Scalar::all(128));
    const std::vector<PredictorInput> pictures(static_cast<std::size_t>(batch),
                                               {.name = "trial", .rgb = grey});
    constexpr double kLong = 15.0;
    double seconds = 0.0;
    // The first time it may have to be loaded.
    for (int time = 0; time < 2 && (time == 0 || seconds < kLong); ++time) {
      const auto start = std::chrono::steady_clock::now();
      static_cast<void>(predictor.predict(pictures, no_progress()));
      seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }
    return seconds / batch;
  };
  source.maps = [&predictor](std::span<const media::VideoFrame> frames) {
    std::vector<PredictorInput> pictures;
    for (const auto& frame : frames) {
      cv::Mat rgb = frame.picture;
      if (rgb.depth() == CV_16U) rgb.convertTo(rgb, CV_8U, 1.0 / 257.0);
      pictures.push_back({.name = fmt::format("frame_{:06}", frame.index), .rgb = rgb});
    }
    std::vector<cv::Mat> maps;
    for (const auto& depth : predictor.predict(pictures, no_progress())) {
      maps.push_back(raw_nearness(depth));
    }
    return maps;
  };
  return source;
}

VideoJobResult run_video_job(const fs::path& input, const fs::path& output,
                             const VideoJobOptions& options, const DepthSource& depth,
                             Progress& progress) {
  return VideoJob(input, output, options, depth, progress).run();
}

}  // namespace vergence::pipeline
