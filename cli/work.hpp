// SPDX-License-Identifier: Apache-2.0
// The border between the program, which starts in milliseconds, and the loadable module `commands`,
// which holds the commands that work on pictures.
#pragma once

#include "config/config.hpp"
#include "core/progress.hpp"

#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace vergence::cli {

struct Work {
  std::string command;  // "depth", "mesh", "sbs", "vr180", "views", "eval" or "models"
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
};

// One file each.
void run_depth(const Work& work);
void run_mesh(const Work& work);
void run_sbs(const Work& work);
void run_vr180(const Work& work);
void run_views(const Work& work);
void run_eval(const Work& work);
void run_models(const Work& work);

// Calls job(i) for 0 <= i < count. Where there are several, an input that fails (bad input, a full
// disk) is complained about and the others go on; at the end Error tells how many failed. Wrong
// usage and Ctrl-C end everything at once.
void for_each_input(const Work& work, std::size_t count,
                    const std::function<void(std::size_t)>& job);

}  // namespace vergence::cli

// The module's only symbol. Throws what the commands throw.
extern "C" void vergence_run_command(const vergence::cli::Work& work);
