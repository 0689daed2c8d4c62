// SPDX-License-Identifier: Apache-2.0
// Videos that FFmpeg's own program makes and judges.
#pragma once

#include "media/video_reader.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace vergence::test {

// Runs ffmpeg in `folder` with these arguments (the output's name last).
void ffmpeg(const std::filesystem::path& folder, const std::string& arguments);

// What ffprobe prints for `entries` ("stream=width,height", "frame=pts") of the first video stream,
// a line each.
std::vector<std::string> ffprobe(const std::filesystem::path& file, const std::string& entries);

// Moving shapes with colours, as FFmpeg's test source draws them: "-f lavfi -i ..." for ffmpeg().
std::string moving_source(int width, int height, int frames, int fps = 25);

// One colour in numbers of the planes, exactly: the filters for ffmpeg's -vf.
std::string plane_values(const std::string& pixel_format, double first, double second,
                         double third);

// All frames, each with a picture of its own.
std::vector<media::VideoFrame> read_video(const std::filesystem::path& file,
                                          const media::VideoReadOptions& options = {});

// Static metadata of HDR10: P3 primaries, D65, 0.005 to 1000 cd/m2, MaxCLL 1000, MaxFALL 400.
media::HdrMetadata hdr10();

}  // namespace vergence::test
