// SPDX-License-Identifier: Apache-2.0
// A video becomes a 3D video, or one of another layout. Decoding, depth, steadying, making frames
// and encoding run at the same time on threads of their own; the result grows in segments with a
// journal (segment_journal.hpp), so that the same call goes on where an earlier one ended, however
// it ended.
#pragma once

#include "core/predictor.hpp"
#include "core/progress.hpp"
#include "media/video_join.hpp"
#include "media/video_reader.hpp"
#include "media/video_writer.hpp"
#include "pipeline/depth_cache.hpp"
#include "pipeline/frame_maker.hpp"
#include "pipeline/segment_journal.hpp"
#include "pipeline/stage_queue.hpp"
#include "pipeline/video_tasks.hpp"
#include "stereo/depth_stabilizer.hpp"
#include "stereo/temporal_filter.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::pipeline {

// What a source of depth knows of the frames before a group, where its maps depend on more than the
// group. Two things restore it: the numbers that it gave behind the group before, which are kept in
// the journal and the depth cache, and that group's pictures.
class DepthMemory {
 public:
  using Numbers = std::array<float, 8>;

  virtual ~DepthMemory() = default;

  // Behind the group whose maps were made last.
  [[nodiscard]] virtual Numbers save() const = 0;

  // The next group's maps are there already: takes what save() gave behind it then. `frames` as for
  // DepthSource::maps.
  virtual void pass(std::span<const media::VideoFrame> frames, const Numbers& saved) = 0;
};

// Where the raw nearness of a video's frames comes from. Without `maps` there is none, for frames
// that are made of the pictures alone: such frames are not steadied, and all are of one shot.
struct DepthSource {
  std::string name;  // for messages: "nano"

  // Frames handed over together (the last ones of a video may be fewer). Groups begin at multiples
  // of it, so that a frame has the same company in every run.
  int batch = 1;

  // Whether its maps are worth keeping in the depth cache.
  bool cacheable = true;

  // Seconds that a map takes, by a trial with a picture of this size, for the first estimate; may
  // be empty: next to nothing.
  std::function<double(cv::Size picture)> trial;

  // One map per frame: CV_32FC1, finite, raw_nearness() (or what else the frames are made of) of
  // any size, the same for all frames. Frames come in order, but the first may have any index;
  // their pictures have lost VideoJobOptions::part's surroundings. Always called by the same
  // thread.
  std::function<std::vector<cv::Mat>(std::span<const media::VideoFrame> frames)> maps;

  // Null: maps depend on their group alone. Otherwise groups are made or passed without gaps, from
  // the first one on or from the second one that is passed.
  std::shared_ptr<DepthMemory> memory;
};

// The maps of a network, which must outlive the source. 16-bit frames are shown to it as 8-bit
// ones.
[[nodiscard]] DepthSource predicted_depth(DepthPredictor& predictor);

// What is done with what an earlier call has left.
enum class ResumeMode {
  kAuto,   // [auto] goes on where there is something, else begins
  kFresh,  // [fresh] throws it away and begins
  kOnly,   // [only] goes on, or fails where there is nothing
};

// The mode for a word in configuration; nothing for another one.
[[nodiscard]] std::optional<ResumeMode> resume_mode_from_string(std::string_view word);

// How the frames that a FrameMaker packs become frames of files. For the last two they are full
// side by side frames.
enum class EyeFrames {
  kPacked,      // as they are
  kSequential,  // the left half, then the right half of each, at twice the frame rate
  kSeparate,    // the left half into the output, the right half into VideoJobOptions::second_output
};

struct VideoJobOptions {
  media::VideoReadOptions read;
  media::EncodeOptions encode;
  media::JoinOptions join;  // source, start_s and end_s are filled in by the job

  // The output's extension is not the user's wish: another one where a stream does not fit, which
  // is then logged.
  bool container_may_change = false;

  // Of an output that is a pipe: an extension with dot (".mkv", ".y4m"); empty = Matroska.
  std::string pipe_container;

  // Makes what makes the frames; called once for each job. What it depends on belongs into
  // `settings`.
  std::function<std::unique_ptr<FrameMaker>()> maker;
  std::string task = "making 3D frames";  // what the progress calls it

  std::optional<cv::Rect> part;  // of the pictures that has depth; the rest is black bars
  bool filter_depth = false;     // stereo/temporal_filter.hpp, before anything else sees the depth
  stereo::FilterPicture filter_picture = stereo::FilterPicture::kFlat;
  stereo::StabilizerOptions stabilizer;
  int background_frames = 0;  // on either side, for stereo/background_plate.hpp; 0 = none

  // What players are told of the frames; see media::VideoFormat.
  media::StereoTag stereo = media::StereoTag::kNone;
  bool squeezed = false;
  bool right_first = false;
  std::optional<media::SphericalTag> spherical;
  bool apple = false;
  double hfov_deg = 0.0;       // for Apple's boxes; 0 = not known
  double baseline_m = 0.0;     // the same
  bool square_pixels = false;  // whatever the input's are

  EyeFrames eye_frames = EyeFrames::kPacked;
  std::filesystem::path second_output;  // of kSeparate

  double segment_s = 10.0;         // video per segment: what a crash costs at most
  std::filesystem::path work_dir;  // for segments and journal; empty = hidden beside the output
  ResumeMode resume = ResumeMode::kAuto;

  // All that the raw nearness depends on besides the input file and `read`: predictor, input.depth.
  std::vector<Setting> depth_settings;
  // All else that the result depends on. A later call with other settings is refused, by name.
  // (The input file, the program's version and the number of threads count by themselves.)
  std::vector<Setting> settings;

  DepthCacheOptions cache;

  // Where there are workers, a video of three segments or more is made by them: first they find
  // depth and measure frames, then they make segments. The result is that of one process with as
  // many threads as each of them has. Depth that has a memory is found by one of them.
  VideoWorkers workers;

  // Only this is done, for a job that runs in another process and waits for it. Nothing is joined,
  // and the result has no outputs.
  std::optional<VideoTask> work;
};

// What was done.
struct VideoJobResult {
  std::vector<std::filesystem::path> outputs;
  std::int64_t num_frames = 0;      // of the whole output
  std::int64_t resumed_frames = 0;  // that an earlier call had made
  std::uintmax_t bytes = 0;         // of all outputs; 0 for a pipe
  double seconds = 0.0;             // that this call took
  stereo::ComfortReport comfort;    // the most that a frame made by this call asks of the eyes
  std::vector<StageTime> stages;    // what the threads of this call cost
};

// Makes `output` from the video `input`. Until it is whole, its parts live in a hidden folder
// (`.NAME.vergence` beside it, or in options.work_dir), which is removed at the end. Time and disk
// needed are logged before the work (a guess), after the first segment, and whenever the estimate
// has changed. Where `input` or `output` is a pipe ("-", or a device) there are no segments, and an
// interrupted job begins anew.
// Throws Error: what the reader, writer and source of depth throw; another process works on the
// same output; what is there was begun with another input, program or settings (named; the hint
// says how to begin anew); too little space; interrupted (the text says how to go on). Finished
// segments stay in all of these cases.
VideoJobResult run_video_job(const std::filesystem::path& input,
                             const std::filesystem::path& output, const VideoJobOptions& options,
                             const DepthSource& depth, Progress& progress);

}  // namespace vergence::pipeline
