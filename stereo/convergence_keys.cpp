// SPDX-License-Identifier: Apache-2.0
#include "stereo/convergence_keys.hpp"

#include "core/error.hpp"
#include "core/text.hpp"

#include <cerrno>
#include <charconv>
#include <cmath>
#include <fstream>
#include <optional>
#include <string>

#include <fmt/format.h>

namespace vergence::stereo {
namespace {

constexpr std::size_t kMostKeys = 100'000;
constexpr std::size_t kMostBytes = 8U << 20U;
constexpr float kLeastConvergence = -1.0F;
constexpr float kMostConvergence = 2.0F;
constexpr std::string_view kSeparators = " \t\r,;";

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const char* const end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, value);
  if (code != std::errc{} || stop != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

// Seconds of "83.2", "1:23.2" or "1:02:10.5".
std::optional<double> time_of(std::string_view text) {
  double seconds = 0.0;
  for (int part = 0; part < 3; ++part) {
    const std::size_t colon = text.find(':');
    const auto value = number<double>(text.substr(0, colon));
    if (!value || *value < 0.0) return std::nullopt;
    seconds = 60.0 * seconds + *value;
    if (colon == std::string_view::npos) return seconds;
    text.remove_prefix(colon + 1);
  }
  return std::nullopt;
}

struct Place {
  std::string_view name;
  int line;
};

[[noreturn]] void fail(const Place& place, std::string_view text, std::string_view why) {
  throw Error(
      fmt::format("'{}', line {} ('{}'): {}", place.name, place.line, printable(text, 40), why))
      .hint("write a time in seconds and a convergence on each line, as in '12.5, 0.4'");
}

ConvergenceKey parse_key(std::string_view text, const Place& place) {
  const std::size_t end = text.find_first_of(kSeparators);
  if (end == std::string_view::npos) fail(place, text, "there is one value where two belong");
  const std::size_t next = text.find_first_not_of(kSeparators, end);
  const auto time = time_of(text.substr(0, end));
  if (!time) fail(place, text, "the time is no number of seconds and not hours:minutes:seconds");
  const auto convergence =
      number<float>(next == std::string_view::npos ? std::string_view{} : text.substr(next));
  if (!convergence) fail(place, text, "the convergence is no number");
  if (*convergence < kLeastConvergence || *convergence > kMostConvergence) {
    fail(place, text, "the convergence is outside -1 to 2");
  }
  return {*time, *convergence};
}

}  // namespace

std::vector<ConvergenceKey> parse_convergence_keys(std::string_view text, std::string_view name) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::vector<ConvergenceKey> keys;
  Place place{name, 0};
  bool may_be_header = true;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    ++place.line;
    if (line.empty() || line.front() == '#') continue;
    if (std::exchange(may_be_header, false) && is_letter(line.front())) continue;
    const ConvergenceKey key = parse_key(line, place);
    if (!keys.empty() && !(key.time_s > keys.back().time_s)) {
      fail(place, line, "it is not later than the line before");
    }
    if (keys.size() == kMostKeys) fail(place, line, "there are more than 100000 keys");
    keys.push_back(key);
  }
  if (keys.empty()) throw Error(fmt::format("'{}' holds no convergence", name));
  return keys;
}

std::vector<ConvergenceKey> read_convergence_keys(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw Error(fmt::format("'{}' cannot be read: {}", path.string(), reason_from_errno(errno)));
  }
  std::string text(kMostBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || (file.fail() && !file.eof())) {
    throw Error(fmt::format("'{}' cannot be read: {}", path.string(), reason_from_errno(errno)));
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kMostBytes) {
    throw Error(fmt::format("'{}' is too large for a list of convergences", path.string()));
  }
  return parse_convergence_keys(text, path.string());
}

}  // namespace vergence::stereo
