// SPDX-License-Identifier: Apache-2.0
// Where configuration files are found: the user's folders, then the files inside the program.
#pragma once

#include "config/value.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vergence::config {

// A file of configs/, compiled in (config/embed.cmake).
struct EmbeddedFile {
  std::string_view name;  // "mesh/desktop"
  std::string_view text;
};

[[nodiscard]] std::span<const EmbeddedFile> embedded_files();

// Where the user's own folder is or would be; empty without HOME.
[[nodiscard]] std::filesystem::path personal_place();

// The user's own folder, $XDG_CONFIG_HOME/vergence or ~/.config/vergence, if it exists.
[[nodiscard]] std::optional<std::filesystem::path> personal_folder();

// The folders that are searched before the shipped files: those given, then the user's own.
[[nodiscard]] std::vector<std::filesystem::path> search_folders(
    std::vector<std::filesystem::path> given);

class SearchPath {
 public:
  // `folders`, then the shipped files. A folder that is missing adds to `diagnostics`; so do,
  // later, files with mistakes. The list must outlive this object.
  SearchPath(std::span<const std::filesystem::path> folders, std::vector<std::string>& diagnostics);

  // The file NAME.toml ("mesh/desktop") of the first place that has it, or null; of the next such
  // place for `nth` = 1, and so on.
  [[nodiscard]] const Value* load(const std::string& name, std::size_t nth = 0);

  [[nodiscard]] bool is_group(const std::string& group) const;

  // Names of a group's files, sorted; of the top folder for "".
  [[nodiscard]] std::vector<std::string> options(const std::string& group) const;

  // Names of all groups, also nested ones ("stereo/fill"), sorted.
  [[nodiscard]] std::vector<std::string> groups() const;

  // "presets, /home/me/.config/vergence, shipped files".
  [[nodiscard]] std::string describe() const;

  [[nodiscard]] const std::vector<std::filesystem::path>& folders() const { return folders_; }

 private:
  std::optional<Value> read(const std::string& name, std::size_t nth);

  std::vector<std::filesystem::path> folders_;
  std::vector<std::string>& diagnostics_;
  std::map<std::pair<std::string, std::size_t>, std::optional<Value>> loaded_;
};

}  // namespace vergence::config
