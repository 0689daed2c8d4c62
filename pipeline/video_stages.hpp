// SPDX-License-Identifier: Apache-2.0
// The running pipeline of a video job: a thread for each stage, bounded queues between them. Not
// installed.
#pragma once

#include "media/video_reader.hpp"
#include "pipeline/depth_cache.hpp"
#include "pipeline/segment_sink.hpp"
#include "pipeline/stage_queue.hpp"
#include "pipeline/video_job.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

namespace vergence::pipeline {

// Frames [first, end).
struct FrameSpan {
  std::int64_t first = 0;
  std::int64_t end = std::numeric_limits<std::int64_t>::max();
};

// What a run of the pipeline begins with.
struct StagesInput {
  media::VideoReader& reader;       // its next frame is number first_frame
  std::int64_t first_frame = 0;     // as first_frame_needed() says
  std::vector<JournalFrame> known;  // statistics of the video's first frames, by earlier runs
  DepthCache& cache;
  FrameMaker& maker;
  FrameSpan made =
      {};  // those to make; known up to `made.first`, or, where `made` ends, all of them
};

struct StagesResult {
  std::vector<StageTime> times;
  stereo::ComfortReport comfort;
};

// The first frame that has to be read, so that those from `first_made` on are made as if all had
// been: a multiple of the depth source's batch. Where the source has a memory, the first group (of
// a frame that is not 0) is for that alone.
[[nodiscard]] std::int64_t first_frame_needed(std::int64_t first_made,
                                              const VideoJobOptions& options,
                                              const DepthSource& depth);

// What is measured of a frame, in order.
using FrameMeasured =
    std::function<void(const media::VideoFrame& frame, const stereo::FrameStatistics& statistics)>;

// Finds the depth of the frames `input.made` and gives their statistics to `measured`, and those of
// frames behind them, if there are any, so that it is known whether the video goes on. No frame is
// made. Throws what the stages throw.
void measure_frames(StagesInput input, const VideoJobOptions& options, const DepthSource& depth,
                    const FrameMeasured& measured);

// Makes the frames `input.made` and gives them to the sink, in order. Frames around them are read
// only for the company of those to make. Throws what the stages throw.
StagesResult run_stages(StagesInput input, const VideoJobOptions& options, const DepthSource& depth,
                        FrameSink& sink);

}  // namespace vergence::pipeline
