// SPDX-License-Identifier: Apache-2.0
// Makes a 3D video with depth that needs no network, for tests that kill it:
// video_job_runner INPUT OUTPUT [kill=STAGE:STEPS] [delay_us=N] [eyes=...] [resume=...]
// [divergence=...] [work=DIR]. With kill= it sends itself SIGKILL at the given step of a stage of
// its progress ("frames" or "joining").
#include "core/error.hpp"
#include "tests/pipeline/video_clips.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <map>
#include <string>
#include <thread>

namespace {

using vergence::pipeline::VideoJobOptions;

// Tells its stages on stderr, and ends the process where it is asked to.
class DeadlyProgress final : public vergence::Progress {
 public:
  explicit DeadlyProgress(const std::string& kill) {
    const auto colon = kill.find(':');
    if (colon == std::string::npos) return;
    stage_ = kill.substr(0, colon);
    steps_ = std::stoll(kill.substr(colon + 1));
  }

  void begin(std::string_view stage, std::string_view, std::int64_t) override {
    current_ = stage;
    done_ = 0;
    std::cerr << "stage " << stage << std::endl;
    check();
  }

  void advance(std::int64_t steps) override {
    done_ += steps;
    check();
  }

  void end() override {}

 private:
  void check() const {
    if (!stage_.empty() && current_.find(stage_) != std::string::npos && done_ >= steps_) {
      std::raise(SIGKILL);
    }
  }

  std::string stage_;
  std::int64_t steps_ = 0;
  std::string current_;
  std::int64_t done_ = 0;
};

std::map<std::string, std::string> words_of(int argc, char** argv) {
  std::map<std::string, std::string> words;
  for (int i = 3; i < argc; ++i) {
    const std::string word = argv[i];
    const auto equals = word.find('=');
    words[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return words;
}

VideoJobOptions options_of(std::map<std::string, std::string>& words) {
  auto options = vergence::test::small_job_options(
      words.contains("divergence") ? std::stof(words["divergence"]) : 2.0F);
  if (words["eyes"] == "separate") {
    options.eye_frames = vergence::pipeline::EyeFrames::kSeparate;
    options.second_output = words["second"];
  }
  if (words.contains("resume")) {
    options.resume = vergence::pipeline::resume_mode_from_string(words["resume"]).value();
  }
  options.work_dir = words["work"];
  options.cache.folder = words["cache"];
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  auto words = words_of(argc, argv);
  try {
    DeadlyProgress progress(words["kill"]);
    auto depth = vergence::test::depth_from_luma();
    const auto maps = depth.maps;
    const std::chrono::microseconds delay(words.contains("delay_us") ? std::stoi(words["delay_us"])
                                                                     : 0);
    depth.maps = [&](auto frames) {
      std::this_thread::sleep_for(delay);
      return maps(frames);
    };
    const auto result =
        vergence::pipeline::run_video_job(argv[1], argv[2], options_of(words), depth, progress);
    std::cout << result.num_frames << " frames, " << result.resumed_frames << " of them earlier\n";
    return 0;
  } catch (const vergence::Error& error) {
    std::cerr << error.what() << "\n";
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 3;
  }
}
