// SPDX-License-Identifier: Apache-2.0
// The configuration of a job: TOML files, picked by groups and changed by arguments, as one checked
// tree of keys. The rules are Hydra's; docs/overrides.md tells them to the user.
#pragma once

#include "core/error.hpp"

#include <cstdint>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vergence::config {

// What the job is, for ${vergence.job.num} and its like.
struct JobContext {
  int number = 0;                      // in a multirun, from 0
  std::string name;                    // the command
  std::vector<std::string> inputs;     // files
  std::vector<std::string> overrides;  // that make this job what it is
};

// What to compose.
struct ComposeRequest {
  // The file to begin with: NAME.toml, found like every other file (see `config_dirs`).
  std::string config_name = "config";
  // Folders of the user's own files, searched in this order; then $XDG_CONFIG_HOME/vergence
  // (default ~/.config/vergence), then the shipped files. The first that has a file wins.
  std::vector<std::filesystem::path> config_dirs = {};
  // Arguments such as "mesh.grid_width=512", "predictor=files", "+preset=preview", "~sky.mask".
  std::vector<std::string> overrides = {};
  JobContext job = {};
  // For ${now:}. Requests that belong together, as the jobs of a multirun, share it.
  std::time_t now = std::time(nullptr);
};

// Everything that is wrong with a configuration, in one go.
class ConfigError : public Error {
 public:
  // `diagnostics` holds at least one entry.
  explicit ConfigError(std::vector<std::string> diagnostics);

  // One entry per mistake; its first line says what is wrong, further lines (indented by two
  // blanks) say what to do. what() is all of them, joined by line breaks.
  [[nodiscard]] const std::vector<std::string>& diagnostics() const { return diagnostics_; }

 private:
  std::vector<std::string> diagnostics_;
};

// A composed, resolved and checked configuration. Immutable; copies are cheap.
//
// Keys are dotted paths ("mesh.texture.quality"); an index picks from a list ("views.list.0"). The
// reading functions throw Error (kUsage) that names the key and how to set it when the key is
// absent or still mandatory ("???"), and when its value is of another type.
class Config {
 public:
  // Whether the key is there and has a value. A table has a value.
  [[nodiscard]] bool contains(std::string_view key) const;

  [[nodiscard]] bool boolean(std::string_view key) const;
  [[nodiscard]] std::int64_t integer(std::string_view key) const;
  // Integers will do.
  [[nodiscard]] double number(std::string_view key) const;
  [[nodiscard]] std::string string(std::string_view key) const;
  [[nodiscard]] std::vector<std::string> strings(std::string_view key) const;
  // Integers will do.
  [[nodiscard]] std::vector<double> numbers(std::string_view key) const;

  // Whether an argument sets the key, or a file gives it another value than the shipped defaults
  // do. For keys whose default gives way to what an input tells about itself.
  [[nodiscard]] bool set_by_user(std::string_view key) const;

  // The option that was chosen for a group ("nano" for "predictor"; a group mounted elsewhere is
  // asked for as "predictor@left"); empty where the group was not chosen.
  [[nodiscard]] std::string choice(std::string_view group) const;

  // The keys that hold a value or wait for one, in the order of the files.
  [[nodiscard]] std::vector<std::string> keys() const;

  // The configuration as a TOML file that composes to the same again. `resolved` = false keeps the
  // ${interpolations} as they were written.
  [[nodiscard]] std::string to_toml(bool resolved = true) const;

  // The keys below one table ("mesh.texture") as TOML, or one value alone as text. Throws Error
  // (kUsage) where there is no such key.
  [[nodiscard]] std::string package_toml(std::string_view key, bool resolved = true) const;

  // One line per key: "views.count = 12  # argument 'views.count=12'", or the file and its line
  // ("# configs/views/icosahedron_20.toml:3").
  [[nodiscard]] std::string origin_table() const;

  // The files that make it up, the last one winning: "configs/mesh/desktop.toml  mesh  config",
  // that is file, table that its keys are below ("_global_" = the top), and file that names it.
  [[nodiscard]] std::string defaults_table() const;

  // The same as a tree, with an entry for each line: "mesh: desktop".
  [[nodiscard]] std::string defaults_tree() const;

  // The places that files were looked for, in their order, one a line.
  [[nodiscard]] std::string search_path_table() const;

 private:
  friend Config compose(const ComposeRequest& request);
  struct Impl;
  explicit Config(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

// Composes files and overrides, resolves interpolation and checks every key against the schema.
// Throws ConfigError with every mistake that was found.
[[nodiscard]] Config compose(const ComposeRequest& request);

// Throws ConfigError where the argument cannot be read.
void check_override(std::string_view argument);

// The shipped groups ("mesh", "predictor", ...), sorted, and a group's options in sorted order.
[[nodiscard]] std::vector<std::string> groups();
[[nodiscard]] std::vector<std::string> options(std::string_view group);

}  // namespace vergence::config
