// SPDX-License-Identifier: Apache-2.0
#include "pipeline/sbs_files.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "core/text.hpp"
#include "media/picture.hpp"
#include "media/video_reader.hpp"
#include "pipeline/iw3_export.hpp"
#include "pipeline/outputs.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace vergence::pipeline {
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kSeparators = "_-. ()[]";
constexpr std::array<std::string_view, 8> kPhotoExtensions = {".png",  ".jpg", ".jpeg", ".webp",
                                                              ".avif", ".tif", ".tiff", ".exr"};
constexpr std::array<std::string_view, 6> kVideoExtensions = {".mp4", ".mkv", ".mov",
                                                              ".avi", ".y4m", ".webm"};

// A file to work on.
struct Found {
  fs::path path;
  fs::path below = {};  // its folder, as seen from the one that was named
  fs::path depth = {};  // see SbsItem
  fs::path export_file = {};
};

bool has_extension(const fs::path& path, std::span<const std::string_view> known) {
  return std::find(known.begin(), known.end(), lower(path.extension().string())) != known.end();
}

SbsKind kind_of_file(const fs::path& path) {
  if (path == "-" || media::is_video_file(path)) return SbsKind::kVideo;
  return SbsKind::kPhoto;
}

template <class Iterator>
void collect(const fs::path& folder, std::vector<Found>& found) {
  for (const auto& entry : Iterator(folder, fs::directory_options::skip_permission_denied)) {
    const auto& path = entry.path();
    if (entry.is_directory() || path.filename().string().starts_with('.')) continue;
    if (!media::is_picture_file(path) && !media::is_video_file(path)) continue;
    found.push_back({path, path.parent_path().lexically_relative(folder)});
  }
}

// Whether a file is called as our result of another one that was found.
bool is_result(const fs::path& path, const SbsNaming& naming, const std::set<fs::path>& bases) {
  const auto stem = path.stem().string();
  return std::any_of(
      naming.known_suffixes.begin(), naming.known_suffixes.end(), [&](const auto& suffix) {
        return !suffix.empty() && stem.ends_with(suffix) &&
               bases.contains(path.parent_path() / stem.substr(0, stem.size() - suffix.size()));
      });
}

void leave_out_results(const SbsNaming& naming, std::vector<Found>& found) {
  std::set<fs::path> bases;
  for (const auto& [path, _, _1, _2] : found) {
    bases.insert(path.parent_path() / path.stem());
    bases.insert(path.parent_path() / plain_name(path, naming.strip));
  }
  std::erase_if(found, [&](const Found& file) { return is_result(file.path, naming, bases); });
}

void add_folder(const fs::path& folder, const SbsNaming& naming, bool recursive,
                std::vector<Found>& files) {
  std::vector<Found> found;
  try {
    if (recursive) {
      collect<fs::recursive_directory_iterator>(folder, found);
    } else {
      collect<fs::directory_iterator>(folder, found);
    }
  } catch (const fs::filesystem_error& error) {
    throw Error(fmt::format("cannot read '{}': {}", folder.string(),
                            reason_from_errno(error.code().value())));
  }
  leave_out_results(naming, found);
  if (found.empty()) {
    throw Error(fmt::format("there are no pictures or videos in the folder '{}'", folder.string()))
        .hint(recursive ? "name a folder with pictures or videos, or the files themselves"
                        : "name the files themselves, or look into its folders with "
                          "batch.recursive=true");
  }
  std::sort(found.begin(), found.end(),
            [](const Found& a, const Found& b) { return a.path < b.path; });
  files.insert(files.end(), found.begin(), found.end());
}

void add_list(const fs::path& list, std::vector<Found>& files) {
  constexpr std::uintmax_t kMaxBytes = std::uintmax_t{1} << 26;
  std::istringstream lines(read_file(list, kMaxBytes));
  bool any = false;
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find_first_not_of(" \t\r");
    if (first == std::string::npos || line[first] == '#') continue;
    line = line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
    fs::path path(line);
    std::error_code ignored;
    if (path.is_relative() && !fs::exists(path, ignored)) {
      if (const auto beside = list.parent_path() / path; fs::exists(beside, ignored)) path = beside;
    }
    files.push_back({.path = path});
    any = true;
  }
  if (!any) {
    throw Error(fmt::format("the list '{}' names no file", list.string()))
        .hint("write one file a line");
  }
}

void add_export(const fs::path& file, std::vector<Found>& files) {
  for (const auto& [picture, depth] : exported_pictures(file)) {
    files.push_back({.path = picture, .depth = depth, .export_file = file});
  }
}

std::vector<Found> find_files(std::span<const std::string> arguments, const SbsNaming& naming,
                              bool recursive) {
  std::vector<Found> files;
  for (const auto& argument : arguments) {
    const auto extension = lower(fs::path(argument).extension().string());
    if (is_folder(argument)) {
      add_folder(argument, naming, recursive, files);
    } else if (extension == ".txt") {
      add_list(argument, files);
    } else if (extension == ".yml" || extension == ".yaml") {
      add_export(argument, files);
    } else {
      files.push_back({.path = argument});
    }
  }
  std::set<fs::path> seen;
  std::erase_if(files, [&](const Found& file) { return !seen.insert(file.path).second; });
  return files;
}

// "a.png" + "_x" = "a_x.png".
fs::path with_suffix(const fs::path& path, const std::string& suffix) {
  return path.parent_path() / (path.stem().string() + suffix + path.extension().string());
}

std::string extension_for(SbsKind kind, const SbsNaming& naming) {
  return kind == SbsKind::kVideo && !naming.sheet ? ".mp4" : naming.photo_extension;
}

SbsItem named_in(const fs::path& folder, const fs::path& input, const std::string& name,
                 const SbsNaming& naming) {
  SbsItem item;
  item.kind = kind_of_file(input);
  item.input = input;
  const auto extension = extension_for(item.kind, naming);
  const bool photo = item.kind == SbsKind::kPhoto && !naming.sheet;
  const auto& suffix = photo ? naming.photo_suffix.value_or(naming.suffix) : naming.suffix;
  item.output = folder / (name + suffix + extension);
  if (!naming.second_suffix.empty()) {
    item.second_output = folder / (name + naming.second_suffix + extension);
  }
  return item;
}

SbsItem named_as_asked(const fs::path& input, const fs::path& output, const SbsNaming& naming) {
  SbsItem item;
  item.kind = kind_of_file(input);
  item.input = input;
  item.output = output;
  const bool photo = item.kind == SbsKind::kPhoto || naming.sheet;
  std::vector<std::string_view> known(kVideoExtensions.begin(), kVideoExtensions.end());
  if (photo) known.assign(kPhotoExtensions.begin(), kPhotoExtensions.end());
  if (photo && !naming.sheet && !naming.photo_extensions.empty()) {
    known.assign(naming.photo_extensions.begin(), naming.photo_extensions.end());
  }
  if (!is_device(output) && output != "-" && !has_extension(output, known)) {
    const std::vector<std::string> words(known.begin(), known.end());
    throw Error(
        ErrorCode::kUsage,
        fmt::format("cannot tell the format of '{}': '{}' is no extension for a {}",
                    output.string(), output.extension().string(), photo ? "picture" : "video"))
        .hint("end it in " + quoted_list(words));
  }
  if (!naming.second_suffix.empty()) {
    if (is_device(output) || output == "-") {
      throw Error(ErrorCode::kUsage, fmt::format("two files do not fit into '{}'", output.string()))
          .hint("name a file with -o, or give another stereo.layout than separate");
    }
    item.output = with_suffix(output, naming.suffix);
    item.second_output = with_suffix(output, naming.second_suffix);
  }
  return item;
}

// Names that differ only in what is stripped stay apart.
void keep_apart(std::vector<SbsItem>& items, const std::vector<fs::path>& folders,
                const SbsNaming& naming) {
  std::map<fs::path, int> count;
  for (const auto& item : items) ++count[item.output];
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (count[items[i].output] < 2) continue;
    const auto renamed =
        named_in(folders[i], items[i].input, items[i].input.stem().string(), naming);
    items[i].output = renamed.output;
    items[i].second_output = renamed.second_output;
  }
}

std::vector<BatchItem> pairs_of(const std::vector<SbsItem>& items) {
  std::vector<BatchItem> pairs;
  for (const auto& item : items) {
    if (item.input == "-" || item.output == "-") continue;
    pairs.push_back({item.input, item.output});
    if (!item.second_output.empty()) pairs.push_back({item.input, item.second_output});
  }
  return pairs;
}

// Whether the result is there; a video's container may be another than the one planned.
bool is_done(const SbsItem& item) {
  if (item.output == "-" || is_device(item.output)) return false;
  const auto there = [&](fs::path path) {
    std::error_code ignored;
    if (fs::exists(path, ignored)) return true;
    return item.kind == SbsKind::kVideo && path.extension() == ".mp4" &&
           fs::exists(path.replace_extension(".mkv"), ignored);
  };
  return there(item.output) && (item.second_output.empty() || there(item.second_output));
}

void leave_out_done(std::vector<SbsItem>& items) {
  const auto before = items.size();
  std::erase_if(items, is_done);
  if (items.size() < before) {
    spdlog::info("{} of {} left out: their output is there", before - items.size(), before);
  }
}

}  // namespace

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

std::string plain_name(const fs::path& input, std::span<const std::string> strip) {
  const std::string stem = input == "-" ? "stdin" : input.stem().string();
  std::string name;
  for (std::size_t at = 0; at < stem.size();) {
    const auto begin = stem.find_first_not_of(kSeparators, at);
    const auto end = begin == std::string::npos
                         ? stem.size()
                         : std::min(stem.size(), stem.find_first_of(kSeparators, begin));
    const auto word = begin == std::string::npos ? "" : lower(stem.substr(begin, end - begin));
    const bool left_out = std::any_of(strip.begin(), strip.end(),
                                      [&](const auto& other) { return lower(other) == word; });
    if (!left_out) name += stem.substr(at, end - at);
    at = end;
  }
  while (!name.empty() && name.front() != stem.front() &&
         kSeparators.find(name.front()) != std::string_view::npos) {
    name.erase(name.begin());
  }
  if (name.find_first_not_of(kSeparators) == std::string::npos) name = stem;
  for (char& c : name) {
    if (std::string_view("\\/:*?\"<>|").find(c) != std::string_view::npos) c = '_';
  }
  return name;
}

std::vector<SbsItem> plan_sbs(std::span<const std::string> arguments, const fs::path& output,
                              const SbsNaming& naming, const SbsBatchOptions& options) {
  const auto files = find_files(arguments, naming, options.recursive);
  const bool lone =
      arguments.size() == 1 && files.size() == 1 && files.front().path == arguments[0];
  const bool piped =
      std::any_of(files.begin(), files.end(), [](const Found& file) { return file.path == "-"; });
  if (piped && !lone) {
    throw Error(ErrorCode::kUsage, "'-' stands for a pipe and must be the only input")
        .hint("give other inputs to a call of their own");
  }
  const bool to_file = lone && !output.empty() && !is_folder(output) && output.has_filename() &&
                       (output.has_extension() || output == "-" || is_device(output));
  if (!lone && !is_folder(output) && (output == "-" || output.has_extension())) {
    throw Error(ErrorCode::kUsage,
                fmt::format("several inputs cannot be written to one file '{}'", output.string()))
        .hint("name a folder with -o");
  }
  std::vector<SbsItem> items;
  std::vector<fs::path> folders;
  for (const auto& file : files) {
    const auto& beside = file.export_file.empty() ? file.path : file.export_file;
    const fs::path folder =
        output.empty() ? beside.parent_path() : (output / file.below).lexically_normal();
    if (to_file || file.path == "-") {
      items.push_back(named_as_asked(file.path, output.empty() ? "-" : output, naming));
    } else {
      items.push_back(named_in(folder, file.path, plain_name(file.path, naming.strip), naming));
    }
    folders.push_back(folder);
    items.back().depth = file.depth;
    items.back().export_file = file.export_file;
  }
  if (!to_file) keep_apart(items, folders, naming);
  check_outputs(pairs_of(items));
  if (options.skip_existing) leave_out_done(items);
  if (!to_file && !output.empty()) {
    for (const auto& folder : folders) make_folder(folder);
  }
  return items;
}

}  // namespace vergence::pipeline
