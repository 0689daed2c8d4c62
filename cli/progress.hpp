// SPDX-License-Identifier: Apache-2.0
// What the user sees while work goes on: a bar, plain lines or JSON lines on stderr, and the log
// messages between them.
#pragma once

#include "core/progress.hpp"

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

namespace vergence::cli {

enum class ProgressStyle {
  kAuto,   // a bar where stderr is a terminal, else nothing
  kPlain,  // a line at the start of a stage and every two seconds
  kJson,   // one JSON object a line: {"stage","unit","done","total","rate","seconds_left"}
  kNone,
};

// The style for a word ("auto", "plain", "json", "none"); throws Error(kUsage) for another one.
[[nodiscard]] ProgressStyle progress_style_from_string(const std::string& word);

// A point of a stage, ready to be shown.
struct ProgressState {
  std::string stage;
  std::string unit;
  long long done = 0;
  long long total = 0;
  double seconds = 0.0;  // since the stage began
};

// One line without its end: the bar at most `width` columns wide, the plain line, the JSON object.
[[nodiscard]] std::string bar_line(const ProgressState& state, int width);
[[nodiscard]] std::string plain_line(const ProgressState& state);
[[nodiscard]] std::string json_line(const ProgressState& state);

// "0:07", "3:20", "1:02:05".
[[nodiscard]] std::string duration_text(double seconds);

// The one place that writes to stderr: keeps the bar below the messages. Methods may be called from
// several threads.
class Console final : public Progress {
 public:
  explicit Console(ProgressStyle style);
  ~Console() override;

  void begin(std::string_view stage, std::string_view unit, std::int64_t total) override;
  void advance(std::int64_t steps) override;
  void end() override;

  // A line of its own ("warning: ...").
  void print(std::string_view line);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vergence::cli
