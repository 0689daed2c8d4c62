// SPDX-License-Identifier: Apache-2.0
// Which files become 3D files, and how those are called so that players know what they are.
#pragma once

#include "stereo/layout.hpp"

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vergence::pipeline {

// What stands behind the names of 3D files; the group `names`.
struct SbsNaming {
  std::string suffix;              // of the layout: "_LRF_Full_SBS"; of the left eye where separate
  std::string second_suffix;       // of the right eye; empty = both eyes are in one file
  std::string photo_extension;     // ".png", where the user names none
  std::vector<std::string> strip;  // words of the input's name that are left out
  bool sheet = false;              // one picture comes of videos too
  std::optional<std::string> photo_suffix = {};    // of photos, where theirs is another one
  std::vector<std::string> photo_extensions = {};  // that can be written; empty = those of `sbs`
  std::vector<std::string> known_suffixes;         // of all layouts: results that a folder may hold
};

// Whether there is a folder of that name; not, where that cannot be known.
[[nodiscard]] bool is_folder(const std::filesystem::path& path);

// The input's name without its extension and without the words of `strip`, in upper or lower case:
// words stand between "_ - . ( ) [ ]" and blanks. Characters that Windows' shares do not know
// become "_". A name that would vanish stays as it is.
[[nodiscard]] std::string plain_name(const std::filesystem::path& input,
                                     std::span<const std::string> strip);

enum class SbsKind {
  kPhoto,
  kVideo,  // a file, or "-": a pipe
};

struct SbsItem {
  SbsKind kind = SbsKind::kPhoto;
  std::filesystem::path input;
  std::filesystem::path output;
  std::filesystem::path second_output;  // the right eye's; empty where one file holds both

  // Of a picture that an export of depth names (iw3_export.hpp): its depth and the export's file.
  std::filesystem::path depth;
  std::filesystem::path export_file;
};

struct SbsBatchOptions {
  bool recursive = false;      // folders of folders too
  bool skip_existing = false;  // without items whose output is there
};

// Names every output. A folder as argument stands for the pictures and videos in it, sorted by
// name, without results (NAME_SUFFIX.* of a NAME.* that is there too); a .txt file for the files it
// lists, one a line (# begins a remark; a relative one is looked for in the working folder, then
// beside the list); an iw3_export.yml for the pictures it names. `output` is the file for one input
// ("-": stdout) or the folder for several, where a folder's own structure is kept; without it
// results appear beside the inputs. Videos are called .mp4 where the user names no extension.
// Throws Error(kUsage) where two inputs would write one file, an output is an input, or the
// extension is not one for the input; Error for an empty folder or list.
[[nodiscard]] std::vector<SbsItem> plan_sbs(std::span<const std::string> arguments,
                                            const std::filesystem::path& output,
                                            const SbsNaming& naming,
                                            const SbsBatchOptions& options);

}  // namespace vergence::pipeline
