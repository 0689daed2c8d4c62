// SPDX-License-Identifier: Apache-2.0
// The border between the program, which starts in milliseconds, and the loadable module `commands`,
// which holds the commands that work on pictures.
#pragma once

#include "runs/record.hpp"

#include "config/config.hpp"
#include "core/progress.hpp"

#include <exception>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace vergence::cli {

// Processes that run a command again, each with another value of launcher.task.
struct Workers {
  int count = 1;    // at once
  int threads = 0;  // of each
  // `folder`: an empty one for their records. `ended` is told the place of each task that has
  // ended. Returns why tasks failed. Throws Error(kInterrupted). Null: there are none.
  std::function<std::vector<std::string>(const std::filesystem::path& folder,
                                         const std::vector<std::string>& tasks,
                                         const std::function<void(std::size_t place)>& ended)>
      run = {};
};

struct Work {
  std::string
      command;  // "depth", "mesh", "sbs", "vr180", "views", "tag", "probe", "eval" or "models"
  std::vector<std::string> inputs;
  std::string output;
  std::string prediction;
  std::string ground_truth;
  std::string json;
  std::string find_param;
  const config::Config& config;
  Progress& progress;
  std::function<void(std::string_view)> print;          // a line (or table) to stdout
  std::function<void(const std::exception&)> complain;  // one input failed, the others go on

  // Of jobs that are recorded (cli/recording.hpp).
  runs::Record* record = nullptr;                       // null: nothing is
  std::filesystem::path record_folder = {};             // where its files are
  std::vector<std::filesystem::path> input_files = {};  // folders among the inputs taken apart
  // A depth map was made of an input; metrics (JSON) were measured. Empty where nobody listens.
  std::function<void(const std::filesystem::path& input, const std::filesystem::path& output)>
      note_result = {};
  std::function<void(const std::string& input, const std::string& json)> note_metrics = {};

  Workers workers = {};
};

// One file each.
void run_depth(const Work& work);
void run_mesh(const Work& work);
void run_sbs(const Work& work);
void run_vr180(const Work& work);
void run_views(const Work& work);
void run_tag(const Work& work);
void run_probe(const Work& work);
void run_eval(const Work& work);
void run_models(const Work& work);

// Calls job(i) for 0 <= i < count. Where there are several, an input that fails (bad input, a full
// disk) is complained about and the others go on; at the end Error tells how many failed. Wrong
// usage and Ctrl-C end everything at once.
void for_each_input(const Work& work, std::size_t count,
                    const std::function<void(std::size_t)>& job);

}  // namespace vergence::cli

// The module's symbols. Throws what the commands throw.
extern "C" void vergence_run_command(const vergence::cli::Work& work);

// The files behind a command's inputs: folders stand for the pictures in them, or for `sbs` and
// `vr180` for all files. Throws Error for one that is not there.
extern "C" void vergence_input_files(const std::string& command,
                                     const std::vector<std::string>& inputs,
                                     std::vector<std::string>& files);

// Throws Error(kUsage) where keys contradict each other in a way that the schema does not tell.
extern "C" void vergence_check_settings(const vergence::cli::Work& work);
