// SPDX-License-Identifier: Apache-2.0
#include "predictors/model_registry.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "predictors/embedded.hpp"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

namespace vergence::predictors {
namespace fs = std::filesystem;

namespace {

constexpr const char* kCardExtension = ".toml";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

}  // namespace

std::vector<fs::path> model_folders() {
  std::vector<fs::path> folders;
  std::string list = environment("VERGENCE_MODELS");
  for (std::size_t at = 0; at < list.size();) {
    const std::size_t end = std::min(list.find(':', at), list.size());
    if (end > at) folders.emplace_back(list.substr(at, end - at));
    at = end + 1;
  }
  std::string cache = environment("XDG_CACHE_HOME");
  if (cache.empty() && !environment("HOME").empty()) cache = environment("HOME") + "/.cache";
  if (!cache.empty()) folders.push_back(fs::path(cache) / "vergence/models");
  return folders;
}

std::vector<std::string> known_models() {
  std::vector<std::string> names;
  for (const auto& card : embedded_cards()) names.emplace_back(card.name);
  for (const auto& folder : model_folders()) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      const auto& path = entry.path();
      if (path.extension() == kCardExtension && is_file(path)) names.push_back(path.stem());
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::optional<fs::path> find_card_file(std::string_view name) {
  if (name.empty() || name.find('/') != std::string_view::npos) return std::nullopt;
  const std::string file = std::string(name) + kCardExtension;
  for (const auto& folder : model_folders()) {
    if (is_file(folder / file)) return folder / file;
  }
  return std::nullopt;
}

ModelCard find_model_card(std::string_view name) {
  if (const auto file = find_card_file(name)) return read_model_card(*file);
  for (const auto& card : embedded_cards()) {
    if (card.name == name) return parse_model_card(card.text, std::string(name) + kCardExtension);
  }
  const auto known = known_models();
  const auto near = nearest_names(name, known, 3);
  throw Error(ErrorCode::kUsage, fmt::format("there is no network '{}'", name))
      .hint(near.empty() ? "'vergence models list' shows those that are known"
                         : "did you mean " + quoted_list(near) + "?");
}

std::optional<fs::path> find_weights(const ModelCard& card) {
  for (const auto& folder : model_folders()) {
    for (const auto& file : card.weights.files) {
      if (is_file(folder / file)) return folder / file;
    }
  }
  return std::nullopt;
}

}  // namespace vergence::predictors
