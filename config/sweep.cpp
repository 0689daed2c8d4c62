// SPDX-License-Identifier: Apache-2.0
#include "config/sweep.hpp"

#include "config/override.hpp"
#include "config/search_path.hpp"
#include "config/word.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <fnmatch.h>

namespace vergence::config {
namespace {

constexpr std::size_t kMaxJobs = 100'000;

// Groups whose keys tell how runs are made; they hold for all jobs of a sweep.
constexpr std::array<std::string_view, 4> kOfTheRuns = {"run", "launcher", "hydra", "vergence"};

bool is_of_the_runs(const std::string& key) {
  const std::string group = key.substr(0, key.find_first_of("./["));
  return std::find(kOfTheRuns.begin(), kOfTheRuns.end(), group) != kOfTheRuns.end();
}

// What is written for one key: an argument, or several to choose from.
struct Dimension {
  std::string key;                     // with its sign and package; empty where each one counts
  std::vector<std::string> arguments;  // at least one
};

bool matches(const std::string& name, const std::vector<std::string>& patterns) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
  });
}

class Expansion {
 public:
  explicit Expansion(const SearchPath& search_path, std::vector<std::string>& diagnostics)
      : search_path_(search_path),
        diagnostics_(diagnostics) {}

  void add(const std::string& argument) {
    try {
      const Override parsed = parse_override(argument);
      Dimension dimension;
      const bool repeats =
          parsed.operation == Operation::kAppend || parsed.operation == Operation::kDelete;
      if (!repeats) dimension.key = key_part(parsed);
      dimension.arguments = parsed.sweep ? alternatives(parsed) : std::vector{argument};
      if (dimension.arguments.empty()) return;
      const auto same = std::find_if(
          dimensions_.begin(), dimensions_.end(),
          [&](const Dimension& other) { return !repeats && other.key == dimension.key; });
      if (same == dimensions_.end()) {
        dimensions_.push_back(std::move(dimension));
      } else {
        *same = std::move(dimension);
      }
    } catch (const SyntaxError& error) {
      diagnostics_.emplace_back(error.what());
    }
  }

  [[nodiscard]] std::vector<std::vector<std::string>> jobs() const {
    std::size_t count = 1;
    for (const auto& dimension : dimensions_) {
      count *= dimension.arguments.size();
      if (count > kMaxJobs) {
        diagnostics_.push_back(
            fmt::format("the sweep makes more than {} jobs\n  sweep over fewer values", kMaxJobs));
        return {};
      }
    }
    std::vector<std::vector<std::string>> jobs(count);
    for (std::size_t i = 0; i < count; ++i) {
      std::size_t slower = count;  // how many jobs share the values of all keys before
      for (const auto& dimension : dimensions_) {
        const std::size_t faster = slower / dimension.arguments.size();
        jobs[i].push_back(dimension.arguments[i % slower / faster]);
        slower = faster;
      }
    }
    return jobs;
  }

 private:
  // The arguments that a sweep stands for; none where it is wrong.
  std::vector<std::string> alternatives(const Override& parsed) {
    if (is_of_the_runs(parsed.key)) {
      diagnostics_.push_back(
          fmt::format("'{}': '{}' tells how runs are made and holds for all of them; it cannot be "
                      "swept",
                      parsed.argument, parsed.key));
      return {};
    }
    if (parsed.operation == Operation::kDelete) {
      diagnostics_.push_back(
          fmt::format("'{}': a key is removed from all jobs; it cannot be swept", parsed.argument));
      return {};
    }
    std::vector<std::string> arguments;
    for (const auto& name : globbed(parsed)) arguments.push_back(key_part(parsed) + name);
    for (const auto& value : parsed.sweep->values) {
      arguments.push_back(key_part(parsed) + to_argument(value));
    }
    return arguments;
  }

  std::vector<std::string> globbed(const Override& parsed) {
    if (parsed.sweep->include.empty()) return {};
    if (!search_path_.is_group(parsed.key)) {
      diagnostics_.push_back(
          fmt::format("'{}': glob() picks among the options of a group, and '{}' is none\n  for "
                      "values of a key write choice(...) or range(...)",
                      parsed.argument, parsed.key));
      return {};
    }
    std::vector<std::string> names = search_path_.options(parsed.key);
    const std::string all = fmt::format("{}", fmt::join(names, ", "));
    std::erase_if(names, [&](const std::string& name) {
      return !matches(name, parsed.sweep->include) || matches(name, parsed.sweep->exclude);
    });
    if (names.empty()) {
      diagnostics_.push_back(fmt::format("'{}': no option of '{}' matches\n  options: {}",
                                         parsed.argument, parsed.key, all));
    }
    return names;
  }

  const SearchPath& search_path_;
  std::vector<std::string>& diagnostics_;
  std::vector<Dimension> dimensions_;
};

// The arguments that the files add to every sweep. Mistakes are told when the jobs are composed.
std::vector<std::string> arguments_of_files(ComposeRequest request) {
  std::erase_if(request.overrides, [](const std::string& argument) {
    try {
      return parse_override(argument).sweep.has_value();
    } catch (const SyntaxError&) {
      return true;
    }
  });
  try {
    const Config config = compose(request);
    constexpr std::string_view kKey = "run.sweep.params";
    return config.contains(kKey) ? config.strings(kKey) : std::vector<std::string>();
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

std::vector<std::vector<std::string>> expand_sweeps(const ComposeRequest& request) {
  std::vector<std::string> diagnostics;
  const SearchPath search_path(search_folders(request.config_dirs), diagnostics);
  Expansion expansion(search_path, diagnostics);
  for (const auto& argument : arguments_of_files(request)) expansion.add(argument);
  for (auto& mistake : diagnostics) mistake.insert(0, "in 'run.sweep.params': ");
  for (const auto& argument : request.overrides) expansion.add(argument);
  auto jobs = expansion.jobs();
  if (!diagnostics.empty()) throw ConfigError(std::move(diagnostics));
  return jobs;
}

bool has_sweep(const std::vector<std::string>& overrides) {
  return std::any_of(overrides.begin(), overrides.end(), [](const std::string& argument) {
    return parse_override(argument).sweep.has_value();
  });
}

}  // namespace vergence::config
