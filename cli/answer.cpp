// SPDX-License-Identifier: Apache-2.0
#include "cli/answer.hpp"

#include "cli/completion.hpp"
#include "config/preset.hpp"
#include "config/reference.hpp"
#include "config/sweep.hpp"
#include "core/error.hpp"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>

namespace vergence::cli {
namespace {

std::string help(const CommandLine& line) {
  const auto* command = find_command(line.command);
  if (command == nullptr) return program_help();
  const auto keys = config::describe_keys(command->key_prefixes);
  return command_help(*command) + (keys.empty() ? "" : "\nkeys:\n" + keys);
}

std::string settings(const CommandLine& line, const config::Config& config) {
  return line.package.empty() ? config.to_toml(line.resolve)
                              : config.package_toml(line.package, line.resolve);
}

std::string titled(const std::string& title, const std::string& text) {
  std::string lines;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const auto end = std::min(text.find('\n', begin), text.size());
    lines += "# " + text.substr(begin, end - begin) + "\n";
    begin = end + 1;
  }
  return "# " + title + ":\n" + lines + "\n";
}

// Of lines "KEY = VALUE" those of a key and of the keys below it; all without one.
std::string lines_of_key(const std::string& text, const std::string& key) {
  if (key.empty()) return text;
  std::string found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(key + ".") || line.starts_with(key + " ")) found += line + "\n";
  }
  return found;
}

std::string info(const CommandLine& line) {
  const auto config = config::compose(compose_request(line));
  const std::string& what = line.print_info;
  if (what == "defaults") return config.defaults_table();
  if (what == "defaults-tree") return config.defaults_tree();
  if (what == "searchpath") return config.search_path_table();
  if (what == "origin") return lines_of_key(config.origin_table(), line.package);
  std::string text =
      titled("searched", config.search_path_table()) + titled("files", config.defaults_table());
  if (what == "all") {
    text += titled("who names whom", config.defaults_tree()) +
            titled("where keys were set", config.origin_table());
  }
  return text + settings(line, config);
}

// All that makes the configuration what it is, as remarks above it.
std::string whole_configuration(const CommandLine& line) {
  const auto config = config::compose(compose_request(line));
  std::string text =
      titled("searched", config.search_path_table()) + titled("files", config.defaults_table());
  if (!line.overrides.empty()) {
    text += titled("arguments", fmt::format("{}", fmt::join(line.overrides, "\n")));
  }
  return text + settings(line, config);
}

// The jobs that a multirun with these arguments would have: "0: mesh=quest threads=1". Throws
// ConfigError with the mistakes of all of them.
std::string jobs(const CommandLine& line) {
  std::string text;
  auto request = compose_request(line);
  std::vector<std::string> mistakes;
  for (const auto& job : config::expand_sweeps(request)) {
    request.overrides = request.job.overrides = job;
    try {
      static_cast<void>(config::compose(request));
    } catch (const config::ConfigError& error) {
      for (const auto& mistake : error.diagnostics()) {
        const bool is_new = std::find(mistakes.begin(), mistakes.end(), mistake) == mistakes.end();
        if (is_new) mistakes.push_back(mistake);
      }
    }
    text += fmt::format("{}: {}\n", request.job.number++, fmt::join(job, " "));
  }
  if (!mistakes.empty()) throw config::ConfigError(std::move(mistakes));
  return text;
}

std::string answer_of_config(const CommandLine& line) {
  if (line.multirun) return jobs(line);
  if (!line.reference.empty()) return config::reference();
  if (line.save_as.empty()) return settings(line, config::compose(compose_request(line)));
  return config::save_preset(line.save_as, compose_request(line), !line.force.empty()).string();
}

}  // namespace

config::ComposeRequest compose_request(const CommandLine& line) {
  return {.config_name = line.config_name,
          .config_dirs = line.config_dirs,
          .overrides = line.overrides,
          .job = {.name = line.command, .inputs = line.inputs, .overrides = line.overrides},
          .now = line.began};
}

std::optional<std::string> answer(const CommandLine& line) {
  if (line.version) return "vergence " VERGENCE_VERSION;
  if (line.help) return help(line);
  if (!line.shell_completion.empty()) {
    return completion_script(line.shell_completion.substr(line.shell_completion.find('=') + 1));
  }
  if (line.command == "completion") return completion_script(line.inputs.at(0));
  if (!line.print_info.empty()) return info(line);
  if (line.print_config == "all") return whole_configuration(line);
  if (line.command == "config") return answer_of_config(line);
  if (!line.print_config.empty()) return settings(line, config::compose(compose_request(line)));
  return std::nullopt;
}

}  // namespace vergence::cli
