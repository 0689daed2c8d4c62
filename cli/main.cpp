// SPDX-License-Identifier: Apache-2.0
// The program `vergence`: reads the command line, composes the configuration, and hands work to the
// module `commands`, so that help and configuration start in milliseconds.
#include "cli/answer.hpp"
#include "cli/command_line.hpp"
#include "cli/completion.hpp"
#include "cli/interrupt_watch.hpp"
#include "cli/multirun.hpp"
#include "cli/progress.hpp"
#include "config/config.hpp"
#include "core/error.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

namespace vergence::cli {
namespace {

// To stdout. A reader that has gone away (`| head`) is no error.
void print(std::string_view text) {
  std::string line(text);
  if (!line.ends_with('\n')) line += '\n';
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EPIPE) {
      return;
    } else if (errno != EINTR) {
      throw Error(fmt::format("cannot write to standard output: {}", reason_from_errno(errno)));
    }
  }
}

// One sentence for whatever was thrown.
std::string describe(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) {
    return "not enough memory; give a smaller picture or smaller sizes (fusion.width_px, "
           "mesh.grid_width)";
  }
  return error.what();
}

// Log messages as lines between the progress.
class ConsoleSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit ConsoleSink(Console& console) : console_(console) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string_view text(message.payload.data(), message.payload.size());
    const char* prefix = "";
    if (message.level == spdlog::level::warn) prefix = "warning: ";
    if (message.level >= spdlog::level::err) prefix = "error: ";
    console_.print(prefix + std::string(text));
  }

  void flush_() override {}

  Console& console_;
};

void set_up_log(Console& console, const CommandLine& line) {
  auto logger = std::make_shared<spdlog::logger>("", std::make_shared<ConsoleSink>(console));
  logger->set_level(line.quiet     ? spdlog::level::err
                    : line.verbose ? spdlog::level::debug
                                   : spdlog::level::info);
  spdlog::set_default_logger(logger);
}

config::Config compose(const CommandLine& line) {
  return config::compose(compose_request(line));
}

// Whether jobs, with records, can be made of a command.
bool works_on_files(std::string_view command) {
  constexpr std::array<std::string_view, 6> kCommands = {"depth", "mesh",  "sbs",
                                                         "vr180", "views", "eval"};
  return std::find(kCommands.begin(), kCommands.end(), command) != kCommands.end();
}

void work(const Typed& typed, const Host& host) {
  const InterruptWatch watch;
  const auto& line = typed.line;
  if (line.multirun && !works_on_files(line.command)) {
    throw Error(ErrorCode::kUsage,
                fmt::format("'{}' makes no jobs, so '--multirun' has no use", line.command))
        .hint("leave it out");
  }
  if (!line.worker.empty()) {
    run_worker(line.worker, host);
  } else if (!line.rerun.empty()) {
    rerun(typed, host);
  } else if (line.command == "compare") {
    run_compare(line, host);
  } else if (line.command == "collect") {
    run_collect(line, host);
  } else if (!works_on_files(line.command)) {
    run_command(line, compose(line), host);
  } else if (line.multirun) {
    run_multirun(typed, host);
  } else {
    run_single(typed, compose(line), host);
  }
}

// Everything but the exit code. Throws.
void run(const Typed& typed, Console& console) {
  const auto& line = typed.line;
  if (const auto text = answer(line)) {
    print(*text);
  } else if (line.command.empty() && line.worker.empty() && line.rerun.empty()) {
    throw Error(ErrorCode::kUsage, "no command was given").hint("see `vergence --help`");
  } else {
    work(typed,
         {.console = console, .version = VERGENCE_VERSION, .print = &print, .describe = &describe});
  }
}

int report(const std::exception& error, Console* console) {
  const auto say = [&](const std::string& text) {
    Console plain(ProgressStyle::kNone);
    (console != nullptr ? *console : plain).print(text);
  };
  if (const auto* mistakes = dynamic_cast<const config::ConfigError*>(&error)) {
    for (const auto& mistake : mistakes->diagnostics()) say("error: " + mistake);
    return static_cast<int>(mistakes->code());
  }
  if (const auto* ours = dynamic_cast<const Error*>(&error)) {
    const bool interrupted = ours->code() == ErrorCode::kInterrupted;
    say(interrupted ? std::string(ours->what()) : std::string("error: ") + ours->what());
    return static_cast<int>(ours->code());
  }
  say("error: " + describe(error));
  return static_cast<int>(ErrorCode::kFailed);
}

int main_of(const std::vector<std::string>& arguments) {
  std::unique_ptr<Console> console;
  try {
    if (!arguments.empty() && arguments[0] == "__complete") {
      const auto text = completions(std::span(arguments).subspan(1));
      if (!text.empty()) print(text);
      return 0;
    }
    const auto line = parse_command_line(arguments);
    const bool silent = line.quiet && line.progress == ProgressStyle::kAuto;
    console = std::make_unique<Console>(silent ? ProgressStyle::kNone : line.progress);
    set_up_log(*console, line);
    run({line, arguments}, *console);
    return 0;
  } catch (const std::exception& error) {
    if (console) console->end();
    return report(error, console.get());
  }
}

}  // namespace
}  // namespace vergence::cli

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is an error code, not the end
  const int code = vergence::cli::main_of({argv + std::min(argc, 1), argv + argc});
  // The log's sink speaks through the console, which is gone by now.
  spdlog::shutdown();
  return code;
}
