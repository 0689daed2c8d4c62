// SPDX-License-Identifier: Apache-2.0
#include "config/search_path.hpp"

#include "config/override.hpp"
#include "config/toml_file.hpp"
#include "core/error.hpp"
#include "core/output_file.hpp"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

#include <fmt/format.h>

namespace vergence::config {
namespace fs = std::filesystem;

namespace {

constexpr std::uintmax_t kMaxFileBytes = 1U << 20U;

// The schema lies beside the configuration files but is none of them.
constexpr std::string_view kSchemaName = "schema";

// A file's name may not lead out of its folder.
bool is_safe(std::string_view name) {
  std::size_t begin = 0;
  while (begin <= name.size()) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    const auto part = name.substr(begin, end - begin);
    if (part.empty() || part.starts_with('.') || part.find('\0') != std::string_view::npos) {
      return false;
    }
    begin = end + 1;
  }
  return true;
}

void add_groups(const fs::path& folder, const std::string& prefix, std::set<std::string>& groups) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    const bool deep = std::count(prefix.begin(), prefix.end(), '/') > 8;
    if (deep || !entry.is_directory(ignored) || !is_safe(name) || !is_utf8(name)) continue;
    groups.insert(prefix + name);
    add_groups(entry.path(), prefix + name + "/", groups);
  }
}

}  // namespace

fs::path personal_place() {
  if (const char* base = std::getenv("XDG_CONFIG_HOME"); base != nullptr && *base != '\0') {
    return fs::path(base) / "vergence";
  }
  const char* home = std::getenv("HOME");
  return home == nullptr || *home == '\0' ? fs::path() : fs::path(home) / ".config" / "vergence";
}

std::optional<fs::path> personal_folder() {
  const fs::path folder = personal_place();
  std::error_code ignored;
  if (folder.empty() || !fs::is_directory(folder, ignored)) return std::nullopt;
  return folder;
}

std::vector<fs::path> search_folders(std::vector<fs::path> given) {
  if (auto personal = personal_folder()) given.push_back(std::move(*personal));
  return given;
}

SearchPath::SearchPath(std::span<const fs::path> folders, std::vector<std::string>& diagnostics)
    : diagnostics_(diagnostics) {
  std::error_code ignored;
  for (const auto& folder : folders) {
    if (fs::is_directory(folder, ignored)) {
      folders_.push_back(folder);
    } else {
      diagnostics_.push_back(
          fmt::format("the configuration folder '{}' does not exist", folder.string()));
    }
  }
}

const Value* SearchPath::load(const std::string& name, std::size_t nth) {
  const auto [slot, is_new] = loaded_.try_emplace({name, nth});
  auto& value = slot->second;
  if (is_new && is_safe(name) && name != kSchemaName) value = read(name, nth);
  return value ? &*value : nullptr;
}

std::optional<Value> SearchPath::read(const std::string& name, std::size_t nth) {
  for (const auto& folder : folders_) {
    const fs::path path = folder / (name + ".toml");
    std::error_code ignored;
    if (!fs::exists(path, ignored) || nth-- > 0) continue;
    try {
      return parse_toml(read_file(path, kMaxFileBytes), path.string(), diagnostics_);
    } catch (const Error& error) {
      diagnostics_.emplace_back(error.what());
      return make_table();
    }
  }
  const auto files = embedded_files();
  const auto file = std::find_if(files.begin(), files.end(),
                                 [&](const EmbeddedFile& f) { return f.name == name; });
  if (file == files.end() || nth > 0) return std::nullopt;
  return parse_toml(file->text, fmt::format("configs/{}.toml", name), diagnostics_);
}

bool SearchPath::is_group(const std::string& group) const {
  if (!is_safe(group)) return false;
  const auto files = embedded_files();
  std::error_code ignored;
  return std::any_of(files.begin(), files.end(),
                     [&](const EmbeddedFile& f) { return f.name.starts_with(group + "/"); }) ||
         std::any_of(folders_.begin(), folders_.end(), [&](const fs::path& folder) {
           return fs::is_directory(folder / group, ignored);
         });
}

std::vector<std::string> SearchPath::options(const std::string& group) const {
  std::set<std::string> names;
  const std::string prefix = group.empty() ? "" : group + "/";
  for (const auto& file : embedded_files()) {
    if (!file.name.starts_with(prefix)) continue;
    const auto name = file.name.substr(prefix.size());
    if (name.find('/') == std::string_view::npos && file.name != kSchemaName) names.emplace(name);
  }
  for (const auto& folder : folders_) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder / group, ignored)) {
      const std::string name = entry.path().stem().string();
      if (entry.path().extension() == ".toml" && is_safe(name) && is_utf8(name)) {
        names.insert(name);
      }
    }
  }
  return {names.begin(), names.end()};
}

std::vector<std::string> SearchPath::groups() const {
  std::set<std::string> names;
  for (const auto& file : embedded_files()) {
    for (auto slash = file.name.find('/'); slash != std::string_view::npos;
         slash = file.name.find('/', slash + 1)) {
      names.emplace(file.name.substr(0, slash));
    }
  }
  for (const auto& folder : folders_) add_groups(folder, "", names);
  return {names.begin(), names.end()};
}

std::string SearchPath::describe() const {
  std::string text;
  for (const auto& folder : folders_) text += folder.string() + ", ";
  return text + "the shipped files";
}

}  // namespace vergence::config
