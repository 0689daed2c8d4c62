// SPDX-License-Identifier: Apache-2.0
#include "config/interpolation.hpp"

#include "config/override.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <set>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace vergence::config {
namespace {

// Hostile files could double a text in every step; these bounds are far beyond sensible use.
constexpr std::size_t kMaxNesting = 64;
constexpr std::size_t kMaxSteps = 200'000;
constexpr std::size_t kMaxTextBytes = std::size_t{4} << 20U;

class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A cycle is told once, not once for each of its keys.
class Cycle : public Failure {
 public:
  using Failure::Failure;
};

// The end of an expression that begins behind "${": the index of its '}'.
std::size_t end_of_expression(std::string_view text, std::size_t begin) {
  std::size_t depth = 1;
  for (std::size_t i = begin; i < text.size(); ++i) {
    if (text[i] == '{') ++depth;
    if (text[i] == '}' && --depth == 0) return i;
  }
  throw Failure("'${' is never closed by '}'; a plain '${' is written '\\${'");
}

// Splits at commas outside of braces.
std::vector<std::string_view> split_arguments(std::string_view text) {
  std::vector<std::string_view> parts;
  std::size_t depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '{') ++depth;
    if (text[i] == '}' && depth > 0) --depth;
    if (text[i] == ',' && depth == 0) {
      parts.push_back(trimmed(text.substr(begin, i - begin)));
      begin = i + 1;
    }
  }
  parts.push_back(trimmed(text.substr(begin)));
  return parts;
}

class Resolver {
 public:
  Resolver(const Value& root, const JobContext& job, std::time_t now,
           std::vector<std::string>& diagnostics)
      : root_(root),
        job_(job),
        now_(now),
        diagnostics_(diagnostics) {}

  // The whole tree; a leaf that fails is told once and then waits for a value.
  Value tree(const Value& node, Path& path) {
    Value result = node;
    if (auto* table = result.as<Value::Table>()) {
      for (auto& [key, value] : *table) {
        path.push_back(key);
        value = tree(value, path);
        path.pop_back();
      }
      return result;
    }
    try {
      active_.clear();
      depth_ = 0;
      return resolved(path, node);
    } catch (const Cycle& cycle) {
      if (cycles_.insert(cycle.what()).second) diagnostics_.emplace_back(cycle.what());
      result.data = std::string(kMandatory);
    } catch (const Failure& failure) {
      diagnostics_.push_back(
          fmt::format("'{}' ({}): {}", join_key(path), node.origin, failure.what()));
      result.data = std::string(kMandatory);
    }
    return result;
  }

 private:
  Value resolved(const Path& path, const Value& node) {
    if (++steps_ > kMaxSteps) throw Failure("the interpolations copy too much");
    if (node.as<std::string>() != nullptr) return leaf(path, node);
    Value result = node;
    Path inner = path;
    inner.emplace_back();
    if (auto* table = result.as<Value::Table>()) {
      for (auto& [key, value] : *table) {
        inner.back() = key;
        value = resolved(inner, value);
      }
    } else if (auto* list = result.as<Value::List>()) {
      for (std::size_t i = 0; i < list->size(); ++i) {
        inner.back() = std::to_string(i);
        (*list)[i] = resolved(inner, (*list)[i]);
      }
    }
    return result;
  }

  Value leaf(const Path& path, const Value& node) {
    const auto& text = *node.as<std::string>();
    if (text.find("${") == std::string::npos) return node;
    enter(path);
    Value result = expand(text, path);
    active_.pop_back();
    if (path.size() + depth_of(result) > kMaxDepth) throw Failure("the value is nested too deeply");
    const bool is_table = result.as<Value::Table>() != nullptr;
    // Keys that come with a copied table are unknown to the schema at their new place.
    mark(result, node.extra || is_table, node.origin);
    return result;
  }

  void enter(const Path& path) {
    const std::string key = join_key(path);
    const auto first = std::find(active_.begin(), active_.end(), key);
    if (first != active_.end()) {
      std::vector<std::string> chain(first, active_.end());
      std::rotate(chain.begin(), std::min_element(chain.begin(), chain.end()), chain.end());
      chain.push_back(chain.front());
      throw Cycle(
          fmt::format("the interpolations go round in a circle: {}\n  give one of the keys "
                      "a value of its own",
                      fmt::join(chain, " -> ")));
    }
    if (active_.size() >= kMaxNesting) throw Failure("the interpolations are nested too deeply");
    active_.push_back(key);
  }

  // The value of a text that stands at `path`.
  Value expand(std::string_view text, const Path& path) {
    Value result;
    std::string joined;
    bool is_mandatory = false;
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t start = i;
      while (i < text.size() && text[i] == '\\') ++i;
      const std::size_t backslashes = i - start;
      if (text.substr(i, 2) != "${") {
        joined.append(backslashes, '\\');
        if (i < text.size()) joined += text[i++];
        continue;
      }
      joined.append(backslashes / 2, '\\');
      i += 2;
      if (backslashes % 2 == 1) {
        joined += "${";
        continue;
      }
      const std::size_t end = end_of_expression(text, i);
      Value value = expression(text.substr(i, end - i), path);
      if (start == 0 && backslashes == 0 && end + 1 == text.size()) return value;
      if (value.as<Value::Table>() != nullptr || value.as<Value::List>() != nullptr) {
        throw Failure(fmt::format("'${{{}}}' is {}, which cannot be put into a text",
                                  text.substr(i, end - i),
                                  value.as<Value::List>() != nullptr ? "a list" : "a table"));
      }
      is_mandatory = is_mandatory || value.is_mandatory();
      joined += to_text(value);
      text_bytes_ += joined.size();
      if (text_bytes_ > kMaxTextBytes) throw Failure("the interpolated texts are too long");
      i = end + 1;
    }
    result.data = is_mandatory ? std::string(kMandatory) : joined;
    return result;
  }

  // What stands between the braces.
  Value expression(std::string_view text, const Path& path) {
    if (++steps_ > kMaxSteps) throw Failure("the interpolations copy too much");
    if (++depth_ > kMaxNesting) throw Failure("the interpolations are nested too deeply");
    const auto colon = text.find(':');
    const bool is_call = colon != std::string_view::npos && colon < text.find("${");
    Value result = is_call ? call(trimmed(text.substr(0, colon)), text.substr(colon + 1), path)
                           : key_value(text_of(trimmed(text), path), path);
    --depth_;
    return result;
  }

  std::string text_of(std::string_view text, const Path& path) {
    return to_text(expand(text, path));
  }

  Value call(std::string_view name, std::string_view arguments, const Path& path) {
    const auto parts = split_arguments(arguments);
    if (name.starts_with("oc.")) name.remove_prefix(3);
    if (name == "env" && parts.size() <= 2) return environment(parts, path);
    if (name == "select" && parts.size() <= 2) return select(parts, path);
    if (name == "now") return time(text_of(trimmed(arguments), path));
    if (name == "hydra" || name == "vergence") {
      return of_the_job(text_of(trimmed(arguments), path));
    }
    throw Failure(
        fmt::format("there is no '${{{}:{}}}' (there are ${{env:NAME,default}}, "
                    "${{select:key,default}} and ${{now:format}})",
                    name, arguments));
  }

  // ${vergence.NAME}, Hydra's ${hydra:NAME}.
  [[nodiscard]] Value of_the_job(std::string_view name) const {
    Value result;
    if (name == "job.num") {
      result.data = std::int64_t{job_.number};
    } else if (name == "job.name") {
      result.data = job_.name;
    } else if (name == "job.override_dirname") {
      result.data = escaped_for_folders(job_.overrides);
    } else if (name == "input.stem" || name == "input.dir") {
      if (job_.inputs.size() > 1) {
        throw Failure(fmt::format("the job has {} inputs, so '${{vergence.{}}}' names none",
                                  job_.inputs.size(), name));
      }
      // Without an input it waits for one.
      result.data = job_.inputs.empty() ? std::string(kMandatory)
                                        : of_the_input(job_.inputs[0], name == "input.dir");
      if (!is_utf8(*result.as<std::string>())) throw Failure("the input's name is not UTF-8 text");
    } else {
      throw Failure(
          fmt::format("there is no '${{vergence.{}}}' (there are job.num, job.name, "
                      "job.override_dirname, input.stem and input.dir)",
                      name));
    }
    return result;
  }

  static std::string of_the_input(const std::filesystem::path& input, bool folder) {
    if (!folder) return input.stem().string();
    return input.has_parent_path() ? input.parent_path().string() : ".";
  }

  // "a=1,b=2" of the arguments, in their sorted order, with nothing that a folder's name cannot
  // have.
  static std::string escaped_for_folders(std::vector<std::string> overrides) {
    std::sort(overrides.begin(), overrides.end());
    std::string text = fmt::format("{}", fmt::join(overrides, ","));
    std::replace(text.begin(), text.end(), '/', '_');
    return text;
  }

  Value environment(const std::vector<std::string_view>& parts, const Path& path) {
    const std::string name = text_of(parts[0], path);
    Value result;
    if (const char* value = std::getenv(name.c_str()); value != nullptr && is_utf8(value)) {
      result.data = std::string(value);
    } else if (parts.size() == 2) {
      result.data = unquoted(text_of(parts[1], path));
    } else {
      throw Failure(
          fmt::format("the environment has no variable '{}'; write "
                      "'${{env:{},default}}' to do without",
                      name, name));
    }
    return result;
  }

  static std::string unquoted(const std::string& text) {
    const bool quoted = text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
                        text.back() == text.front();
    return quoted ? text.substr(1, text.size() - 2) : text;
  }

  Value select(const std::vector<std::string_view>& parts, const Path& path) {
    const std::string key = text_of(parts[0], path);
    auto found = lookup(absolute(key, path));
    if (found && !found->is_mandatory()) return *found;
    if (parts.size() == 1) throw Failure(fmt::format("there is no key '{}' and no default", key));
    try {
      Value value = parse_value(text_of(parts[1], path));
      if (value.is_null()) throw Failure("null is no value");
      return value;
    } catch (const SyntaxError& error) {
      throw Failure(error.what());
    }
  }

  Value time(const std::string& format) const {
    std::tm parts{};
    localtime_r(&now_, &parts);
    std::array<char, 256> buffer{};
    const std::string wanted = format.empty() ? "%Y-%m-%d_%H-%M-%S" : format;
    const std::size_t length = std::strftime(buffer.data(), buffer.size(), wanted.c_str(), &parts);
    if (length == 0 || !is_utf8({buffer.data(), length})) {
      throw Failure(fmt::format("'{}' is no time format", format));
    }
    Value result;
    result.data = std::string(buffer.data(), length);
    return result;
  }

  // Leading dots count from the table (or list) that the text stands in.
  static Path absolute(const std::string& key, const Path& path) {
    const std::size_t dots = std::min(key.find_first_not_of('.'), key.size());
    if (dots > path.size()) throw Failure(fmt::format("'{}' leads out of the configuration", key));
    Path tail = split_key(std::string_view(key).substr(dots));
    if (tail.empty()) throw Failure(fmt::format("'{}' is not a key", key));
    if (dots == 0) return tail;
    Path result(path.begin(), path.end() - static_cast<std::ptrdiff_t>(dots));
    result.insert(result.end(), tail.begin(), tail.end());
    return result;
  }

  Value key_value(const std::string& key, const Path& path) {
    const Path target = absolute(key, path);
    if (auto value = lookup(target)) return *value;
    if (key.starts_with("vergence.")) return of_the_job(key.substr(9));
    if (key.starts_with("hydra.")) return of_the_job(key.substr(6));
    throw Failure(fmt::format("there is no key '{}'{}", join_key(target), suggestion(target)));
  }

  [[nodiscard]] std::string suggestion(const Path& target) const {
    std::vector<std::string> keys;
    Path path;
    collect(root_, path, keys);
    const auto near = nearest_names(join_key(target), keys);
    return near.empty() ? "" : fmt::format("\n  did you mean {}?", quoted_list(near));
  }

  static void collect(const Value& node, Path& path, std::vector<std::string>& keys) {
    if (const auto* table = node.as<Value::Table>()) {
      for (const auto& [key, value] : *table) {
        path.push_back(key);
        collect(value, path, keys);
        path.pop_back();
      }
    } else {
      keys.push_back(join_key(path));
    }
  }

  // The resolved value at a path, also through values that are interpolations themselves.
  std::optional<Value> lookup(const Path& path) {
    const Value* node = &root_;
    for (std::size_t i = 0; i < path.size(); ++i) {
      if (node->as<std::string>() != nullptr) {
        const Value whole =
            leaf({path.begin(), path.begin() + static_cast<std::ptrdiff_t>(i)}, *node);
        const Value* inner = find(whole, std::span(path).subspan(i));
        return inner == nullptr ? std::nullopt : std::optional(*inner);
      }
      node = child(*node, path[i]);
      if (node == nullptr) return std::nullopt;
    }
    return resolved(path, *node);
  }

  const Value& root_;
  const JobContext& job_;
  std::time_t now_;
  std::vector<std::string>& diagnostics_;
  std::vector<std::string> active_;  // keys that are being resolved, outermost first
  std::set<std::string> cycles_;
  std::size_t steps_ = 0;
  std::size_t text_bytes_ = 0;
  std::size_t depth_ = 0;
};

}  // namespace

Value resolve(const Value& tree, const JobContext& job, std::time_t now,
              std::vector<std::string>& diagnostics) {
  Path path;
  return Resolver(tree, job, now, diagnostics).tree(tree, path);
}

std::string escape_interpolation(const std::string& text) {
  std::string result;
  std::size_t backslashes = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 2, "${") == 0) result.append(backslashes + 1, '\\');
    backslashes = text[i] == '\\' ? backslashes + 1 : 0;
    result += text[i];
  }
  return result;
}

}  // namespace vergence::config
