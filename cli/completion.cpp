// SPDX-License-Identifier: Apache-2.0
#include "cli/completion.hpp"

#include "cli/command_line.hpp"
#include "config/completion.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

namespace vergence::cli {
namespace {

namespace fs = std::filesystem;
using config::Candidate;

constexpr std::string_view kBash = R"(_vergence() {
  local IFS=$'\n' program=$1
  [[ $program == \~/* ]] && program=$HOME/${program#\~/}
  mapfile -t COMPREPLY < <(
    "$program" __complete bash "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
  # What can go on gets no blank behind it.
  if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=./] ]]; then
    compopt -o nospace 2>/dev/null
  fi
}
complete -o nosort -F _vergence vergence
)";

constexpr std::string_view kZsh = R"(#compdef vergence
_vergence() {
  local line text
  local -a whole whole_shown open open_shown
  for line in "${(@f)$("${words[1]/#\~/$HOME}" __complete zsh "${(j: :)words[1,CURRENT-1]} $QIPREFIX$PREFIX" 2>/dev/null)}"; do
    text=${line%%$'\t'*}
    [[ -z $text ]] && continue
    # What can go on gets no blank behind it.
    if [[ $text == *[=./] ]]; then
      open+=("$text") open_shown+=("${line/$'\t'/  }")
    else
      whole+=("$text") whole_shown+=("${line/$'\t'/  }")
    fi
  done
  (( $#open )) && compadd -Q -l -S '' -d open_shown -a open
  (( $#whole )) && compadd -Q -l -d whole_shown -a whole
  (( $#open + $#whole ))
}
if [[ ${funcstack[1]} == _vergence ]]; then
  _vergence "$@"
else
  compdef _vergence vergence
fi
)";

constexpr std::string_view kFish = R"(function __vergence_complete
  set -l words (commandline -opc)
  set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
  $program __complete fish (commandline -cp) 2>/dev/null
end
complete -c vergence -f -k -a '(__vergence_complete)'
)";

// Words as a shell splits them; the last one is that before the cursor, perhaps empty.
struct Typed {
  std::vector<std::string> words = {""};
  bool in_quotes = false;  // the last word's quotes are still open
  std::size_t quoted = 0;  // how much of it stands before them
};

Typed split(std::string_view line) {
  Typed typed;
  char quote = '\0';
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote == '\0' && (c == ' ' || c == '\t' || c == '\n')) {
      if (!typed.words.back().empty()) typed.words.emplace_back();
    } else if (quote == '\0' && (c == '\'' || c == '"')) {
      quote = c;
      typed.quoted = typed.words.back().size();
    } else if (c == quote && quote != '\0') {
      quote = '\0';
    } else {
      const bool escapes = c == '\\' && quote != '\'' && i + 1 < line.size();
      typed.words.back() += escapes ? line[++i] : c;
    }
  }
  typed.in_quotes = quote != '\0';
  return typed;
}

void add_files(const std::string& front, std::string_view typed, std::vector<Candidate>& found) {
  const auto slash = typed.rfind('/');
  const std::string folder(typed.substr(0, slash == std::string_view::npos ? 0 : slash + 1));
  const std::string_view begin = typed.substr(folder.size());
  fs::path place = folder.empty() ? "." : folder;
  if (folder.starts_with("~/") && std::getenv("HOME") != nullptr) {
    place = fs::path(std::getenv("HOME")) / folder.substr(2);
  }
  std::error_code error;
  std::vector<Candidate> names;
  for (fs::directory_iterator it(place, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!name.starts_with(begin) || (name.starts_with('.') && begin.empty())) continue;
    std::error_code ignored;
    const bool is_folder = it->is_directory(ignored);
    names.push_back({fmt::format("{}{}{}{}", front, folder, name, is_folder ? "/" : ""), ""});
    if (names.size() > 5000) break;  // nobody reads more
  }
  std::sort(names.begin(), names.end(),
            [](const Candidate& a, const Candidate& b) { return a.text < b.text; });
  found.insert(found.end(), names.begin(), names.end());
}

// The flag of that name which the command, or every command, has.
const Flag* find_flag(const Command* command, std::string_view name) {
  const auto has_name = [&](const Flag& flag) {
    const auto names = names_of(flag);
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (const auto& flag : common_flags()) {
    if (has_name(flag)) return &flag;
  }
  if (command == nullptr) return nullptr;
  const auto found = std::find_if(command->flags.begin(), command->flags.end(), has_name);
  return found == command->flags.end() ? nullptr : &*found;
}

class Completer {
 public:
  explicit Completer(std::vector<std::string> words) : words_(std::move(words)) {
    word_ = words_.back();
    words_.pop_back();
    const auto end = std::find(words_.begin(), words_.end(), "--");
    only_inputs_ = end != words_.end();
    words_.erase(end, words_.end());
    const auto at = find_command_word(words_);
    if (at < words_.size()) command_ = find_command(words_[at]);
    has_command_ = at < words_.size();
    read_request(at);
  }

  std::vector<Candidate> run() {
    if (only_inputs_) {
      add_files("", word_, found_);
    } else if (const Flag* flag = waiting_flag()) {
      flag_value(*flag, "", word_);
    } else if (word_.starts_with('-')) {
      flags();
    } else {
      words();
    }
    return std::move(found_);
  }

 private:
  // What the words before say about the configuration.
  void read_request(std::size_t command_at) {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      const bool is_folder = words_[i] == "--config-dir" || words_[i] == "-cd" ||
                             words_[i] == "--config-path" || words_[i] == "-cp";
      if (is_folder && i + 1 < words_.size()) {
        request_.config_dirs.emplace_back(words_[++i]);
      } else if (words_[i].starts_with("--config-dir=") || words_[i].starts_with("-cd=")) {
        request_.config_dirs.emplace_back(words_[i].substr(words_[i].find('=') + 1));
      } else if (takes_value(words_[i])) {
        ++i;
      } else if (i != command_at && is_override(words_[i])) {
        request_.overrides.push_back(words_[i]);
      } else if (i != command_at && !words_[i].starts_with('-')) {
        inputs_.push_back(words_[i]);
      }
    }
  }

  // The flag before the word, if it waits for its value.
  const Flag* waiting_flag() const {
    if (words_.empty() || !words_.back().starts_with('-')) return nullptr;
    const Flag* flag = find_flag(command_, words_.back());
    return flag == nullptr || *flag->value == '\0' ? nullptr : flag;
  }

  void flag_value(const Flag& flag, const std::string& front, std::string_view typed) {
    const auto choices = choices_of(names_of(flag).front());
    for (const auto& choice : choices) {
      if (choice.starts_with(typed)) found_.push_back({front + choice, ""});
    }
    if (!choices.empty()) return;
    if (std::string_view(flag.value) == "KEY") {
      for (auto candidate : config::complete_override(request_, typed)) {
        while (candidate.text.ends_with('=')) candidate.text.pop_back();
        found_.push_back({front + candidate.text, candidate.description});
      }
      return;
    }
    if (*flag.key != '\0') {
      const std::string key = std::string(flag.key) + "=";
      const auto values = config::complete_override(request_, key + std::string(typed));
      for (const auto& candidate : values) {
        found_.push_back({front + candidate.text.substr(key.size()), candidate.description});
      }
      if (!values.empty()) return;
    }
    add_files(front, typed, found_);
  }

  void flags() {
    if (const auto equals = word_.find('='); equals != std::string::npos) {
      const Flag* flag = find_flag(command_, word_.substr(0, equals));
      if (flag != nullptr && *flag->value != '\0') {
        flag_value(*flag, word_.substr(0, equals + 1), word_.substr(equals + 1));
      }
      return;
    }
    const auto add = [&](const Flag& flag) {
      for (const auto& name : names_of(flag)) {
        if (name.starts_with(word_)) found_.push_back({name, flag.help});
      }
    };
    if (command_ != nullptr) std::for_each(command_->flags.begin(), command_->flags.end(), add);
    std::for_each(common_flags().begin(), common_flags().end(), add);
  }

  void words() {
    const auto equals = word_.find('=');
    if (!has_command_ && equals == std::string::npos) {
      for (const auto& command : commands()) {
        if (std::string_view(command.name).starts_with(word_)) {
          found_.push_back({command.name, command.summary});
        }
      }
      if (!found_.empty()) return;
    }
    const std::string_view name = command_ == nullptr ? "" : command_->name;
    if (name == "completion") return fixed({"bash", "zsh", "fish"});
    if (name == "models" && inputs_.empty()) fixed({"list", "info", "verify", "fetch"});
    if (name == "models" && !inputs_.empty()) models();
    const bool is_path = word_.starts_with('/') || word_.starts_with("./") ||
                         word_.starts_with("../") || word_.starts_with("~/");
    if (!is_path) {
      const auto more = config::complete_override(request_, word_);
      found_.insert(found_.end(), more.begin(), more.end());
    }
    if (equals != std::string::npos && config::takes_path(word_.substr(0, equals))) {
      add_files(word_.substr(0, equals + 1), std::string_view(word_).substr(equals + 1), found_);
    } else if (has_command_ && equals == std::string::npos && name != "config") {
      add_files("", word_, found_);
    }
  }

  void fixed(const std::vector<std::string>& names) {
    for (const auto& name : names) {
      if (name.starts_with(word_)) found_.push_back({name, ""});
    }
  }

  // The names of networks, which are those of the options that choose them.
  void models() {
    constexpr std::array<std::string_view, 3> kNoNetworks = {"ensemble", "files", "torchscript"};
    for (const auto& name : config::options("predictor")) {
      const bool is_network =
          std::find(kNoNetworks.begin(), kNoNetworks.end(), name) == kNoNetworks.end();
      if (is_network && name.starts_with(word_)) found_.push_back({name, ""});
    }
  }

  std::vector<std::string> words_;  // before the cursor's, without the program
  std::string word_;
  bool only_inputs_ = false;
  bool has_command_ = false;
  const Command* command_ = nullptr;
  config::ComposeRequest request_;
  std::vector<std::string> inputs_;
  std::vector<Candidate> found_;
};

// The word such that the shell reads it as it is.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (std::string_view(" \t'\"\\$&;|<>()*?[]{}!#`").find(c) != std::string_view::npos) {
      result += '\\';
    }
    result += c;
  }
  return result;
}

}  // namespace

std::string completion_script(std::string_view shell) {
  if (shell == "bash") return std::string(kBash);
  if (shell == "zsh") return std::string(kZsh);
  if (shell == "fish") return std::string(kFish);
  const std::vector<std::string> known = {"bash", "zsh", "fish"};
  throw Error(ErrorCode::kUsage, fmt::format("there is no completion for '{}'", shell))
      .hint("there is one for " + quoted_list(known, "and"));
}

std::string completions(std::span<const std::string> arguments) {
  if (arguments.size() < 2) return {};
  const bool is_bash = arguments[0] == "bash";
  Typed typed = split(arguments[1]);
  typed.words.erase(typed.words.begin());  // the program
  if (typed.words.empty()) return {};
  const std::string word = typed.words.back();
  std::size_t cut = is_bash && typed.in_quotes ? typed.quoted : 0;  // readline ends a word there
  if (is_bash && arguments.size() > 2 && !typed.in_quotes) {
    const auto last = word.find_last_of(arguments[2]);
    if (last != std::string::npos) cut = last + 1;
  }
  std::string text;
  for (const auto& candidate : Completer(std::move(typed.words)).run()) {
    const bool raw = typed.in_quotes || arguments[0] == "fish";
    const std::string rest = candidate.text.substr(std::min(cut, candidate.text.size()));
    text += (raw ? rest : escaped(rest)) +
            (is_bash || candidate.description.empty() ? "" : "\t" + candidate.description) + "\n";
  }
  return text;
}

}  // namespace vergence::cli
