// SPDX-License-Identifier: Apache-2.0
// Depth that is kept beside its pictures as iw3 does (its --export): a folder with 16-bit PNG maps,
// one with the pictures, and iw3_export.yml, which names both.
#pragma once

#include "pipeline/stereo_frame.hpp"

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::pipeline {

inline constexpr const char* kIw3ExportName = "iw3_export.yml";

// What the file says. Maps hold nearness: 0 = the farthest, 65535 = the nearest, the range that
// parallax is made of already.
struct Iw3Export {
  bool video = false;               // frames named by their time stamps (8 digits), not pictures
  std::string basename;             // the name that results get
  std::filesystem::path rgb_dir;    // folders as they can be opened from here
  std::filesystem::path depth_dir;  // the maps are named as the pictures
  std::string mapper;               // that the exporter would have used; empty = not said
  bool skip_mapper = false;         // it is in the maps already
  bool skip_edge_dilation = false;  // the same
};

// Throws Error naming the file and the key: missing, not YAML, another kind of file.
[[nodiscard]] Iw3Export read_iw3_export(const std::filesystem::path& file);

// Writes the file and makes its folders in `folder` (rgb_dir and depth_dir are names there).
void write_iw3_export(const std::filesystem::path& folder, const Iw3Export& content);

// The pictures of an export and their maps, sorted by name. Throws Error for an export of a video
// (its frames alone make no video: the video itself and this file as input.depth do), or without
// pictures.
[[nodiscard]] std::vector<std::pair<std::filesystem::path, std::filesystem::path>>
exported_pictures(const std::filesystem::path& file);

// A map as nearness 0..1, CV_32FC1. Throws Error for anything but grey PNG.
[[nodiscard]] cv::Mat read_exported_nearness(const std::filesystem::path& map);

// What 0 and 65535 of each map of a video were, which iw3's files do not tell: beside
// iw3_export.yml, lines of a map's name without extension, its minimum and its maximum. Empty where
// there is no such file; what cannot be understood in it is left out.
[[nodiscard]] std::map<std::string, stereo::DepthRange> read_depth_ranges(
    const std::filesystem::path& export_file);

inline constexpr const char* kDepthRangesName = "depth_ranges.csv";

// The map of a picture or video frame called `name` (without extension) below `folder_or_file`: an
// iw3_export.yml, a folder with one, or a folder of maps. Empty where there is none.
[[nodiscard]] std::filesystem::path find_map(const std::filesystem::path& folder_or_file,
                                             const std::string& name);

// What an export says about its maps becomes part of the options; its mapper only where none is
// asked for.
void apply_export(const std::filesystem::path& file, bool keep_mapper, StereoFrameOptions& frame);

// Writes such an export of pictures, one after another.
class Iw3ExportWriter {
 public:
  // Makes the folder and what is in it. `mapper` as map_nearness() knows it.
  Iw3ExportWriter(std::filesystem::path folder, std::string mapper);

  // `picture`: CV_8UC3; `nearness`: 0..1 before edge dilation and mapper, of any size. Returns the
  // map's path. A name that is taken in this export gets a number.
  std::filesystem::path add(const std::string& name, const cv::Mat& picture,
                            const cv::Mat& nearness);

 private:
  std::filesystem::path folder_;
  std::string mapper_;
  std::set<std::string> taken_;
};

// Nearness 0..1 as CV_16UC1 0..65535, rounded down as iw3 does.
[[nodiscard]] cv::Mat exported_steps(const cv::Mat& nearness);

}  // namespace vergence::pipeline
