// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.hpp"

#include "config/config.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <cctype>
#include <deque>
#include <limits>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace vergence::cli {
namespace {

// Flags of every command. Those without a field are read one by one.
const std::vector<Flag>& common_flag_table() {
  static const std::vector<Flag> kFlags = {
      {"--config-name,-cn", "NAME", "", &CommandLine::config_name, "begin with NAME.toml"},
      {"--cfg", "WHAT", "", &CommandLine::print_config,
       "print the configuration and exit: job, or all with what it is made of"},
      {"--info", "WHAT", "", &CommandLine::print_info,
       "print and exit: defaults, defaults-tree, searchpath, origin, config or all"},
      {"-p,--package", "KEY", "", &CommandLine::package, "with --cfg: only this table or key"},
      {"--shell-completion,-sc", "install=SHELL", "", &CommandLine::shell_completion,
       "print the completion for bash, zsh or fish and exit"},
      {"--config-path,-cp", "DIR", "", &CommandLine::config_path,
       "search DIR before everything else for configuration files"},
      {"--rerun", "DIR", "", &CommandLine::rerun, "repeat the job whose record is in DIR"},
      {"-m,--multirun", "", "", nullptr, "a job for each combination of the values of KEY=A,B"},
      {"--config-dir,-cd", "DIR", "", nullptr,
       "search DIR for configuration files; may be repeated"},
      {"--resolve", "", "", nullptr, "with --cfg: values instead of ${interpolations}"},
      {"--progress", "STYLE", "", nullptr, "auto (a bar on a terminal), plain, json or none"},
      {"-q,--quiet", "", "", nullptr, "nothing but errors"},
      {"-v,--verbose", "", "", nullptr, "more about the work"},
      {"-h,--help", "", "", nullptr, "this text; with a command: its flags and keys"},
      {"--version", "", "", nullptr, "the version"},
  };
  return kFlags;
}

bool has_name(const Flag& flag, std::string_view name) {
  const auto names = names_of(flag);
  return std::find(names.begin(), names.end(), name) != names.end();
}

// "-cd DIR" and "-cd=DIR" of Hydra in long words.
std::string in_long_words(const std::string& argument) {
  const auto name = argument.substr(0, argument.find('='));
  if (name.size() != 3 || name[0] != '-' || name[1] == '-') return argument;
  for (const auto& flag : common_flag_table()) {
    if (has_name(flag, name)) return names_of(flag).front() + argument.substr(name.size());
  }
  return argument;
}

[[noreturn]] void throw_unknown(const std::string& kind, const std::string& name,
                                std::span<const std::string> known, const std::string& help) {
  const auto nearest = nearest_names(name, known);
  throw Error(ErrorCode::kUsage, fmt::format("unknown {} '{}'", kind, name))
      .hint(nearest.empty() ? help : "did you mean " + quoted_list(nearest) + "?");
}

// A value as the override grammar takes it for a string, whatever it holds.
std::string string_literal(std::string_view value) {
  std::string text = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') text += '\\';
    text += c;
  }
  return text + "'";
}

std::string override_for(const Flag& flag, const std::string& value) {
  const std::string_view kind = flag.value;
  const bool is_text = kind == "FILE" || kind == "PICTURE" || kind == "DIR" || kind == "URL";
  return fmt::format("{}={}", flag.key, is_text ? string_literal(value) : value);
}

// One command's options on a CLI11 application, with the places their values go to.
class Parser {
 public:
  Parser(const Command* command, CommandLine& line) : line_(line) {
    app_.set_help_flag();
    app_.allow_extras();
    app_.add_option("arguments", positionals_)->expected(0, std::numeric_limits<int>::max());
    app_.add_option("--config-dir", config_dirs_)
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app_.add_option("--progress", progress_)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    app_.add_option("--worker", line.worker);
    app_.add_flag("-m,--multirun", line.multirun);
    app_.add_flag("--wait", line.wait);
    app_.add_flag("--resolve", line.resolve);
    app_.add_flag("-q,--quiet", line.quiet);
    app_.add_flag("-v,--verbose", line.verbose);
    app_.add_flag("-h,--help", line.help);
    app_.add_flag("--version", line.version);
    for (const auto& flag : common_flags()) {
      if (flag.field != nullptr) add(flag);
    }
    if (command != nullptr) {
      for (const auto& flag : command->flags) add(flag);
    }
  }

  void parse(std::vector<std::string> arguments) {
    // CLI11 takes them from the back.
    std::reverse(arguments.begin(), arguments.end());
    try {
      app_.parse(arguments);
    } catch (const CLI::ArgumentMismatch& error) {
      // "--output: 1 required TEXT missing"
      const std::string text = error.what();
      throw Error(ErrorCode::kUsage,
                  fmt::format("'{}' needs a value", text.substr(0, text.find(':'))));
    } catch (const CLI::ParseError& error) {
      throw Error(ErrorCode::kUsage, error.what());
    }
    const auto extras = app_.remaining();
    if (!extras.empty()) {
      throw_unknown("flag", extras.front().substr(0, extras.front().find('=')), flag_names(),
                    "see `vergence --help`");
    }
    line_.progress = progress_style_from_string(progress_);
    line_.config_dirs.assign(config_dirs_.begin(), config_dirs_.end());
    if (!line_.config_path.empty()) {
      line_.config_dirs.insert(line_.config_dirs.begin(), line_.config_path);
    }
    for (const auto& argument : positionals_) {
      (is_override(argument) ? line_.overrides : line_.inputs).push_back(argument);
    }
    for (const auto& [flag, value] : key_values_) {
      if (value.set) line_.overrides.push_back(override_for(flag, value.text));
    }
  }

 private:
  struct Value {
    std::string text;
    bool set = false;
  };

  void add(const Flag& flag) {
    // "-cd" and its like are written out before.
    std::string names;
    for (const auto& name : names_of(flag)) {
      if (name.size() == 3 && name[1] != '-') continue;
      names += (names.empty() ? "" : ",") + name;
    }
    if (flag.field != nullptr && *flag.value == '\0') {
      app_.add_flag_callback(names, [&field = line_.*flag.field] { field = "true"; });
      return;
    }
    if (flag.field != nullptr) {
      app_.add_option(names, line_.*flag.field)
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
      return;
    }
    auto& [_, value] = key_values_.emplace_back(flag, Value{});
    if (*flag.value == '\0') {
      app_.add_flag_callback(names, [&value = value] { value = {"true", true}; });
    } else {
      app_.add_option_function<std::string>(names,
                                            [&value = value](const std::string& text) {
                                              value = {text, true};
                                            })
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
  }

  [[nodiscard]] std::vector<std::string> flag_names() const {
    std::vector<std::string> names;
    for (const auto* option : app_.get_options()) {
      for (const auto& name : option->get_lnames()) names.push_back("--" + name);
      for (const auto& name : option->get_snames()) names.push_back("-" + name);
    }
    return names;
  }

  CommandLine& line_;
  CLI::App app_;
  std::vector<std::string> positionals_;
  std::vector<std::string> config_dirs_;
  std::string progress_ = "auto";
  std::deque<std::pair<Flag, Value>> key_values_;  // a deque: callbacks keep references
};

void check_choice(const std::string& flag, const std::string& value) {
  const auto choices = choices_of(flag);
  if (value.empty() || std::find(choices.begin(), choices.end(), value) != choices.end()) return;
  const auto nearest = nearest_names(value, choices);
  throw Error(ErrorCode::kUsage, fmt::format("'{}' knows nothing of '{}'", flag, value))
      .hint(nearest.empty() ? fmt::format("give {} {}", flag, fmt::join(choices, "|"))
                            : "did you mean " + quoted_list(nearest) + "?");
}

// Each of these asks for something of its own in place of the job.
void check_modes(const CommandLine& line) {
  std::vector<std::string> given;
  if (!line.print_config.empty()) given.emplace_back("--cfg");
  if (!line.print_info.empty()) given.emplace_back("--info");
  if (!line.shell_completion.empty()) given.emplace_back("--shell-completion");
  if (!line.save_as.empty()) given.emplace_back("--save");
  if (line.multirun) given.emplace_back("--multirun");
  if (!line.rerun.empty()) given.emplace_back("--rerun");
  if (given.size() > 1) {
    throw Error(ErrorCode::kUsage, fmt::format("{} exclude each other", quoted_list(given, "and")))
        .hint("ask for one at a time");
  }
  const bool prints = !line.print_config.empty() || !line.print_info.empty();
  if (!prints && line.command != "config" && (line.resolve || !line.package.empty())) {
    throw Error(ErrorCode::kUsage, fmt::format("'{}' is about what --cfg prints",
                                               line.resolve ? "--resolve" : "--package"))
        .hint("add --cfg job");
  }
}

void check_inputs(const Command& command, const CommandLine& line) {
  const auto count = static_cast<int>(line.inputs.size());
  const auto usage = fmt::format("usage: vergence {} {}", command.name, command.usage);
  if (count < command.min_inputs) {
    throw Error(ErrorCode::kUsage, fmt::format("'{}' needs an input", command.name)).hint(usage);
  }
  if (count > command.max_inputs) {
    const auto& extra = line.inputs[static_cast<std::size_t>(command.max_inputs)];
    // Meant to be one, it tells what is wrong with its key.
    if (extra.find('=') != std::string::npos) config::check_override(extra);
    throw Error(ErrorCode::kUsage, fmt::format("'{}' has no use for '{}'", command.name, extra))
        .hint(usage);
  }
}

std::string flag_lines(std::span<const Flag> flags) {
  std::string text;
  for (const auto& flag : flags) {
    std::string names = fmt::format("{}", fmt::join(names_of(flag), ", "));
    if (*flag.value != '\0') names += std::string(" ") + flag.value;
    text += fmt::format("  {:<30} {}", names, flag.help);
    if (*flag.key != '\0') text += fmt::format("  ({})", flag.key);
    text += "\n";
  }
  return text;
}

std::string common_lines() {
  return "  KEY=VALUE                      set a configuration key; +KEY= adds, ++KEY= forces, "
         "~KEY "
         "removes\n"
         "  GROUP=OPTION                   choose configs/GROUP/OPTION.toml\n" +
         flag_lines(common_flags()) +
         "  --                             what follows is an input, even where it holds a '='\n";
}

}  // namespace

std::span<const Flag> common_flags() {
  return common_flag_table();
}

std::vector<std::string> names_of(const Flag& flag) {
  std::vector<std::string> names;
  std::string_view rest = flag.names;
  while (!rest.empty()) {
    const auto comma = std::min(rest.find(','), rest.size());
    names.emplace_back(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return names;
}

std::vector<std::string> choices_of(std::string_view flag) {
  if (flag == "--cfg") return {"job", "all"};
  if (flag == "--info") {
    return {"defaults", "defaults-tree", "searchpath", "origin", "config", "all"};
  }
  if (flag == "--progress") return {"auto", "plain", "json", "none"};
  if (flag == "--shell-completion" || flag == "-sc") {
    return {"install=bash", "install=zsh", "install=fish"};
  }
  return {};
}

bool takes_value(std::string_view flag) {
  if (flag == "--worker") return true;
  const auto matches = [&](const Flag& candidate) {
    return *candidate.value != '\0' && has_name(candidate, flag);
  };
  const auto common = common_flags();
  return std::any_of(common.begin(), common.end(), matches) ||
         std::any_of(commands().begin(), commands().end(), [&](const Command& command) {
           return std::any_of(command.flags.begin(), command.flags.end(), matches);
         });
}

std::size_t find_command_word(std::span<const std::string> arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto& argument = arguments[i];
    if (argument.size() > 1 && argument[0] == '-') {
      if (takes_value(argument)) ++i;
    } else if (!is_override(argument)) {
      return i;
    }
  }
  return arguments.size();
}

bool is_override(std::string_view argument) {
  if (argument.empty()) return false;
  if (argument[0] == '~' || argument[0] == '+') return true;
  const auto equals = argument.find('=');
  if (equals == std::string_view::npos || equals == 0) return false;
  const auto key = argument.substr(0, equals);
  const auto is_key_character = [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("_-./@+$[]").find(static_cast<char>(c)) != std::string_view::npos;
  };
  const bool begins = std::isalpha(static_cast<unsigned char>(key[0])) != 0 || key[0] == '_';
  return begins && std::all_of(key.begin(), key.end(), is_key_character);
}

CommandLine parse_command_line(std::span<const std::string> arguments) {
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  std::vector<std::string> before(arguments.begin(), end);
  std::transform(before.begin(), before.end(), before.begin(), in_long_words);
  CommandLine line;
  const auto at = find_command_word(before);
  const Command* command = nullptr;
  if (at < before.size()) {
    line.command = before[at];
    before.erase(before.begin() + static_cast<std::ptrdiff_t>(at));
    command = find_command(line.command);
    if (command == nullptr) {
      std::vector<std::string> names;
      for (const auto& known : commands()) names.emplace_back(known.name);
      throw_unknown("command", line.command, names,
                    "the commands are " + quoted_list(names, "and"));
    }
  }
  Parser(command, line).parse(std::move(before));
  if (end != arguments.end()) line.inputs.insert(line.inputs.end(), end + 1, arguments.end());
  check_choice("--cfg", line.print_config);
  check_choice("--info", line.print_info);
  check_choice("--shell-completion", line.shell_completion);
  if (!line.help && !line.version) check_modes(line);
  const bool only_prints = line.help || line.version || !line.print_config.empty() ||
                           !line.print_info.empty() || !line.shell_completion.empty();
  if (!only_prints && command != nullptr) check_inputs(*command, line);
  return line;
}

std::string program_help() {
  std::string text =
      "Vergence turns 360 panoramas, photos and videos into depth maps, textured meshes and 3D.\n\n"
      "usage: vergence COMMAND [arguments] [key=value...]\n\ncommands:\n";
  for (const auto& command : commands()) {
    text += fmt::format("  {:<30} {}\n", command.name, command.summary);
  }
  return text + "\non every command:\n" + common_lines() +
         "\nResults (the paths written) go to stdout, everything else to stderr. Exit codes: 0 "
         "done, "
         "1 failed,\n2 wrong usage or configuration, 130 interrupted.\n";
}

std::string command_help(const Command& command) {
  auto text =
      fmt::format("usage: vergence {} {}\n\n{}.\n", command.name, command.usage, command.summary);
  text[text.find("\n\n") + 2] =
      static_cast<char>(std::toupper(static_cast<unsigned char>(command.summary[0])));
  if (*command.details != '\0') text += std::string(command.details) + "\n";
  return text + "\nflags:\n" + flag_lines(command.flags) + common_lines();
}

}  // namespace vergence::cli
