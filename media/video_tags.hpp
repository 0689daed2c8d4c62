// SPDX-License-Identifier: Apache-2.0
// Tags of existing videos, read and changed without encoding: how two eyes lie in the pictures and
// which part of the sphere they show.
#pragma once

#include "media/video.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace vergence::media {

// What a file is to say.
struct VideoTags {
  StereoTag stereo = StereoTag::kNone;  // kNone, kSideBySide or kTopBottom, the left eye first
  std::optional<SphericalTag> spherical = {};  // absent: flat
  bool squeezed = false;                       // each eye has half its width or height
  bool v1 = false;                             // also Google's first kind of tag, an XML, in MP4
  bool apple = false;                          // also Apple's boxes, of H.265 in MP4: experimental
  double hfov_deg = 0.0;                       // of a flat picture, for Apple; 0 = not known
  double baseline_m = 0.0;                     // between the eyes, for Apple; 0 = not known
};

// Throws Error(kUsage) for what no file can say: a projection without a tag, bounds that leave
// nothing, Apple's boxes for a part of the sphere that they have no word for.
void check_tags(const VideoTags& tags);

// Google's V1: a whole or cropped equirectangular picture.
struct V1TagFacts {
  bool spherical = false;
  std::string stereo_mode;  // "mono", "left-right", "top-bottom"; empty = not said
  bool cropped = false;
};

// Apple's vexu and hfov.
struct AppleTagFacts {
  int eyes = 0;            // 1 left, 2 right, 3 both, of `stri`; 8 = reversed
  std::string projection;  // "rect", "equi", "hequ", "fish", "prim"; empty = not said
  std::string packing;     // "side", "over"; empty = not said
  double hfov_deg = 0.0;   // 0 = not said
};

// What an MP4 or QuickTime file says by its boxes, each kind for itself: players differ in which
// they read.
struct VideoTagFacts {
  // Google's V2.
  std::optional<int> st3d;  // 0 mono, 1 top-bottom, 2 left-right, 3 custom, 4 right-left
  std::optional<SphericalTag> sv3d;
  std::string sv3d_tool;

  std::optional<V1TagFacts> v1;
  std::optional<AppleTagFacts> apple;
  bool eyes_in_layers = false;  // MV-HEVC
  bool ambisonic = false;       // SA3D on a sound track
  bool encrypted = false;
  bool fragmented = false;
  bool quicktime = false;  // .mov rather than .mp4
  int num_video_tracks = 0;
  cv::Size size;             // of the first video track's pictures
  std::string sample_entry;  // "avc1", "hvc1", ... of the first video track
};

// Nothing for a file that is no MP4. Throws Error: missing, cut off.
[[nodiscard]] std::optional<VideoTagFacts> read_video_tags(const std::filesystem::path& path);

// The layout that a V2 st3d of that number tells of, whichever eye is first; none where it is
// missing or of another kind.
[[nodiscard]] StereoTag stereo_of_st3d(const std::optional<int>& st3d);

struct TagOutcome {
  bool in_place = false;              // the file was changed, not replaced
  std::vector<std::string> warnings;  // whole sentences
};

// Gives a video these tags instead of those that it has. Pictures, sound and everything else are
// copied as they are. `output`: empty or the input's name = the video itself, which keeps its name
// and is changed in place where that cannot damage it and replaced by a new file otherwise; it is
// whole at any moment. Into .mkv and .webm it is muxed anew, by packets. `advance(bytes)` is called
// as it goes on. Throws Error: not a video, no container for tags, read-only, fragments, more than
// one video track, MV-HEVC, Apple's boxes for something else than hvc1, full disk.
TagOutcome write_video_tags(const std::filesystem::path& input, const std::filesystem::path& output,
                            const VideoTags& tags,
                            const std::function<void(std::uint64_t bytes)>& advance = {});

}  // namespace vergence::media
