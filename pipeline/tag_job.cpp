// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tag_job.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "core/text.hpp"
#include "media/jpeg_tags.hpp"
#include "media/video_reader.hpp"
#include "media/video_tags.hpp"
#include "pipeline/file_signs.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vergence::pipeline {
namespace fs = std::filesystem;

namespace {

using media::SphericalTag;
using media::StereoTag;
using media::VideoTags;

struct Layout {
  std::string_view word;
  std::optional<SphericalTag> spherical;
  StereoTag stereo = StereoTag::kNone;
  bool squeezed = false;
};

const std::vector<Layout>& layouts() {
  using enum StereoTag;
  const SphericalTag whole;
  const SphericalTag half{.left = 0.25, .right = 0.25};
  const SphericalTag cube{.projection = SphericalTag::Projection::kCubemap};
  const SphericalTag fisheye{.projection = SphericalTag::Projection::kFisheye};
  static const std::vector<Layout> kLayouts = {
      {"none", std::nullopt},
      {"sbs", std::nullopt, kSideBySide},
      {"tb", std::nullopt, kTopBottom},
      {"half-sbs", std::nullopt, kSideBySide, true},
      {"half-tb", std::nullopt, kTopBottom, true},
      {"360", whole},
      {"360-tb", whole, kTopBottom},
      {"360-sbs", whole, kSideBySide},
      {"180", half},
      {"vr180-sbs", half, kSideBySide},
      {"vr180-tb", half, kTopBottom},
      {"cubemap", cube},
      {"fisheye-sbs", fisheye, kSideBySide},
  };
  return kLayouts;
}

VideoTags tags_for(const TagRequest& request) {
  const auto found = std::find_if(layouts().begin(), layouts().end(),
                                  [&](const Layout& row) { return row.word == request.as; });
  if (found == layouts().end()) {
    throw Error(ErrorCode::kUsage, "'tag' needs to know what the file is")
        .hint(fmt::format("give --as {}", fmt::join(tag_layouts(), ", ")));
  }
  VideoTags tags{
      .stereo = found->stereo, .spherical = found->spherical, .squeezed = found->squeezed};
  tags.apple = request.apple;
  tags.hfov_deg = request.fov_deg;
  const bool sphere = tags.spherical == SphericalTag{};
  if (request.fov_deg > 0 && tags.spherical &&
      tags.spherical->projection == SphericalTag::Projection::kEquirectangular) {
    tags.spherical->left = tags.spherical->right = (1 - std::min(request.fov_deg, 360.0) / 360) / 2;
  }
  tags.v1 = request.v1 || (sphere && tags.spherical == SphericalTag{});
  if (tags.v1 && (!tags.spherical ||
                  tags.spherical->projection != SphericalTag::Projection::kEquirectangular)) {
    throw Error(ErrorCode::kUsage, fmt::format("'{}' has no older tag (V1)", request.as))
        .hint("leave out --v1");
  }
  return tags;
}

// --- Photos ---

void require_writable_photo(const fs::path& path) {
  struct stat status {};

  const bool read_only = ::stat(path.c_str(), &status) == 0 && (status.st_mode & 0222) == 0;
  if (!read_only && ::access(path.c_str(), W_OK) == 0) return;
  throw Error(fmt::format("cannot change '{}': it is read-only", path.string()))
      .hint("write a new file with -o, or change its permissions");
}

TagReport tag_photo(const TagRequest& request, const VideoTags& tags, const std::string& text) {
  const std::string name = request.input.string();
  const std::span bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  const bool told =
      !tags.spherical || tags.spherical->projection == SphericalTag::Projection::kEquirectangular;
  if (!told || tags.apple) {
    throw Error(ErrorCode::kUsage,
                fmt::format("photos have no tags for '{}'", tags.apple ? "--apple" : request.as));
  }
  const auto result = media::tagged_jpeg_photo(
      bytes, {.spherical = tags.spherical, .stereo = tags.stereo, .squeezed = tags.squeezed}, name);
  std::error_code ignored;
  const bool same =
      request.output.empty() || fs::equivalent(request.input, request.output, ignored);
  if (same) require_writable_photo(request.input);
  const fs::path target = same ? request.input : request.output;
  const auto mode = fs::status(request.input).permissions();
  write_file(target, {reinterpret_cast<const char*>(result.data()), result.size()});
  if (same) fs::permissions(target, mode, ignored);
  return {.written = target};
}

bool is_other_photo(const fs::path& path) {
  constexpr std::array<std::string_view, 8> kPhotos = {".png",  ".webp", ".heic", ".heif",
                                                       ".avif", ".tif",  ".tiff", ".exr"};
  const std::string extension = lower(path.extension().string());
  return std::find(kPhotos.begin(), kPhotos.end(), extension) != kPhotos.end();
}

}  // namespace

std::span<const std::string_view> tag_layouts() {
  static const std::vector<std::string_view> kWords = [] {
    std::vector<std::string_view> words;
    for (const Layout& row : layouts()) words.push_back(row.word);
    return words;
  }();
  return kWords;
}

TagReport tag_file(const TagRequest& request, Progress& progress) {
  const VideoTags tags = tags_for(request);
  TagReport report;
  if (is_jpeg_file(request.input)) {
    report = tag_photo(request, tags, read_file(request.input, std::uintmax_t{1} << 30));
  } else if (is_other_photo(request.input)) {
    throw Error(fmt::format("'{}' is a photo of a kind that cannot be tagged without encoding it",
                            request.input.string()))
        .hint("only JPEG can");
  } else {
    std::error_code ignored;
    const auto size = fs::file_size(request.input, ignored);
    progress.begin("writing", "KiB", ignored ? 0 : static_cast<std::int64_t>(size >> 10));
    std::uint64_t rest = 0;
    auto outcome =
        media::write_video_tags(request.input, request.output, tags, [&](std::uint64_t bytes) {
          rest += bytes;
          progress.advance(static_cast<std::int64_t>(rest >> 10));
          rest &= 1023;
        });
    report = {.written = request.output.empty() ? request.input : request.output,
              .in_place = outcome.in_place,
              .warnings = std::move(outcome.warnings)};
  }
  try {
    const FileSigns signs = signs_of(report.written);
    report.said = to_string(belief_of_tags(signs).value_or(Belief{}));
    const auto more = warnings_about(signs, report.written.filename().string());
    report.warnings.insert(report.warnings.end(), more.begin(), more.end());
  } catch (const Error& error) {
    // The tags are there all the same.
    report.said = request.as;
    report.warnings.emplace_back(error.what());
  }
  if (const auto odd = unlike_eyes(report.written, tags.stereo)) report.warnings.push_back(*odd);
  return report;
}

}  // namespace vergence::pipeline
