// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.hpp"

#include "core/error.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <mutex>
#include <vector>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace vergence::cli {
namespace {

using Clock = std::chrono::steady_clock;

double rate_of(const ProgressState& state) {
  return state.seconds > 0.0 ? static_cast<double>(state.done) / state.seconds : 0.0;
}

double seconds_left(const ProgressState& state) {
  const double rate = rate_of(state);
  return rate > 0.0 ? static_cast<double>(state.total - state.done) / rate : 0.0;
}

std::string rate_text(double rate) {
  if (rate >= 100.0) return fmt::format("{:.0f}/s", rate);
  return rate >= 0.1 || rate == 0.0 ? fmt::format("{:.1f}/s", rate)
                                    : fmt::format("{:.1f}/min", 60.0 * rate);
}

int terminal_width() {
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

std::string json_string(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      result += fmt::format("\\u{:04x}", static_cast<int>(c));
    } else {
      result += c;
    }
  }
  return result + "\"";
}

// Progress is a courtesy: where stderr cannot be written, the work goes on.
void write_to_stderr(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

constexpr std::string_view kClearLine = "\r\x1b[K";

}  // namespace

ProgressStyle progress_style_from_string(const std::string& word) {
  static const std::array<std::string, 4> kWords = {"auto", "plain", "json", "none"};
  const auto found = std::find(kWords.begin(), kWords.end(), word);
  if (found == kWords.end()) {
    throw Error(ErrorCode::kUsage, fmt::format("'--progress={}' is not a style", word))
        .hint("choose " + quoted_list(kWords));
  }
  return static_cast<ProgressStyle>(found - kWords.begin());
}

std::string duration_text(double seconds) {
  const auto whole = std::llround(std::clamp(seconds, 0.0, 359999.0));
  const auto hours = whole / 3600;
  const auto minutes = whole / 60 % 60;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60)
                   : fmt::format("{}:{:02}", minutes, whole % 60);
}

std::string plain_line(const ProgressState& state) {
  auto line = fmt::format("{}: {}/{} {}", state.stage, state.done, state.total, state.unit);
  if (state.done == 0) return line;
  if (state.done >= state.total) {
    return line + fmt::format(", {}", duration_text(state.seconds));
  }
  return line + fmt::format(", {}, {} left", rate_text(rate_of(state)),
                            duration_text(seconds_left(state)));
}

std::string json_line(const ProgressState& state) {
  return fmt::format(
      R"({{"stage":{},"unit":{},"done":{},"total":{},"rate":{:.3f},"seconds_left":{:.1f}}})",
      json_string(state.stage), json_string(state.unit), state.done, state.total, rate_of(state),
      seconds_left(state));
}

std::string bar_line(const ProgressState& state, int width) {
  const std::string head = state.stage + " ";
  std::string tail = fmt::format(" {}/{} {}", state.done, state.total, state.unit);
  if (state.done > 0) {
    tail +=
        fmt::format("  {}  {} left", rate_text(rate_of(state)), duration_text(seconds_left(state)));
  }
  // One column stays free: terminals wrap when the last one is written.
  const int room = width - 1 - static_cast<int>(head.size() + tail.size()) - 2;
  std::string line = head;
  if (room >= 5) {
    const auto cells = static_cast<std::size_t>(std::min(room, 40));
    const double share =
        state.total > 0
            ? std::clamp(static_cast<double>(state.done) / static_cast<double>(state.total), 0.0,
                         1.0)
            : 0.0;
    const auto full = static_cast<std::size_t>(share * static_cast<double>(cells));
    line += "[" + std::string(full, '#') + std::string(cells - full, '.') + "]";
  }
  line += tail;
  return line.substr(0, static_cast<std::size_t>(std::max(width - 1, 0)));
}

struct Console::State {
  std::mutex mutex;
  ProgressStyle style = ProgressStyle::kNone;
  bool bar = false;
  bool bar_is_shown = false;
  bool in_stage = false;
  ProgressState progress;
  Clock::time_point began;
  Clock::time_point shown;

  void show() {
    progress.seconds = std::chrono::duration<double>(Clock::now() - began).count();
    shown = Clock::now();
    if (bar) {
      write_to_stderr(std::string(kClearLine) + bar_line(progress, terminal_width()));
      bar_is_shown = true;
    } else if (style == ProgressStyle::kPlain) {
      write_to_stderr(plain_line(progress) + "\n");
    } else if (style == ProgressStyle::kJson) {
      write_to_stderr(json_line(progress) + "\n");
    }
  }

  void clear_bar() {
    if (bar_is_shown) write_to_stderr(kClearLine);
    bar_is_shown = false;
  }

  // How long nothing new is shown, unless a stage is complete.
  [[nodiscard]] std::chrono::milliseconds quiet_time() const {
    if (bar) return std::chrono::milliseconds(100);
    return std::chrono::milliseconds(style == ProgressStyle::kJson ? 500 : 2000);
  }
};

Console::Console(ProgressStyle style) : state_(std::make_unique<State>()) {
  state_->style = style;
  state_->bar = style == ProgressStyle::kAuto && ::isatty(STDERR_FILENO) == 1;
}

Console::~Console() {
  state_->clear_bar();
}

void Console::begin(std::string_view stage, std::string_view unit, std::int64_t total) {
  const std::scoped_lock lock(state_->mutex);
  state_->progress = {std::string(stage), std::string(unit), 0, total, 0.0};
  state_->began = Clock::now();
  state_->in_stage = true;
  state_->show();
}

void Console::advance(std::int64_t steps) {
  const std::scoped_lock lock(state_->mutex);
  if (!state_->in_stage) return;
  state_->progress.done += steps;
  const bool complete = state_->progress.done >= state_->progress.total;
  if (complete || Clock::now() - state_->shown >= state_->quiet_time()) state_->show();
}

void Console::end() {
  const std::scoped_lock lock(state_->mutex);
  state_->in_stage = false;
  state_->clear_bar();
}

void Console::print(std::string_view line) {
  const std::scoped_lock lock(state_->mutex);
  const bool redraw = state_->bar_is_shown;
  state_->clear_bar();
  write_to_stderr(std::string(line) + "\n");
  if (redraw && state_->in_stage) state_->show();
}

}  // namespace vergence::cli
