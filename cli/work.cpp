// SPDX-License-Identifier: Apache-2.0
#include "cli/work.hpp"

#include "cli/recording.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "pipeline/options.hpp"
#include "pipeline/outputs.hpp"
#include "pipeline/vr_options.hpp"

#include <algorithm>
#include <filesystem>
#include <new>
#include <span>

#include <fmt/format.h>
#include <opencv2/core.hpp>
#include <opencv2/core/utils/logger.hpp>

namespace vergence::cli {
namespace {

// OpenCV would print what it throws; the exception says it all.
int stay_silent(int, const char*, const char*, const char*, int, void*) {
  return 0;
}

// OpenCV's exceptions as ours, since the program does not map OpenCV and cannot read them.
void with_readable_errors(const std::function<void()>& work) {
  try {
    work();
  } catch (const cv::Exception& error) {
    if (error.code == cv::Error::StsNoMem) throw std::bad_alloc();
    std::string text = fmt::format("OpenCV failed in {}: {}", error.func, error.err);
    std::replace(text.begin(), text.end(), '\n', ' ');
    throw Error(text);
  }
}

void dispatch(const Work& work) {
  if (work.command == "depth") run_depth(work);
  if (work.command == "mesh") run_mesh(work);
  if (work.command == "sbs") run_sbs(work);
  if (work.command == "vr180") run_vr180(work);
  if (work.command == "views") run_views(work);
  if (work.command == "tag") run_tag(work);
  if (work.command == "probe") run_probe(work);
  if (work.command == "eval") run_eval(work);
  if (work.command == "models") run_models(work);
}

// `depth`, `mesh` and `views` take the pictures in a folder, the others all that is there.
void add_files_in(const std::string& folder, const std::string& command,
                  std::vector<std::string>& files) {
  if (command == "depth" || command == "mesh" || command == "views") {
    for (const auto& path : pipeline::expand_inputs(std::span(&folder, 1))) {
      files.push_back(path.string());
    }
    return;
  }
  const auto begin = static_cast<std::ptrdiff_t>(files.size());
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const bool hidden = entry.path().filename().string().starts_with('.');
    if (entry.is_regular_file() && !hidden) files.push_back(entry.path().string());
  }
  std::sort(files.begin() + begin, files.end());
}

}  // namespace

void for_each_input(const Work& work, std::size_t count,
                    const std::function<void(std::size_t)>& job) {
  if (count == 1) {
    job(0);
    work.progress.end();
    return;
  }
  std::size_t num_failed = 0;
  for (std::size_t i = 0; i < count; ++i) {
    throw_if_interrupted();
    try {
      with_readable_errors([&] { job(i); });
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kFailed) throw;
      work.complain(error);
      ++num_failed;
    } catch (const std::exception& error) {
      work.complain(error);
      ++num_failed;
    }
    work.progress.end();
  }
  if (num_failed > 0) {
    throw Error(fmt::format("{} of {} inputs failed", num_failed, count));
  }
}

}  // namespace vergence::cli

void vergence_run_command(const vergence::cli::Work& work) {
  using namespace vergence::cli;  // NOLINT(google-build-using-namespace)
  cv::redirectError(&stay_silent);
  cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
  vergence::pipeline::apply_machine_options(work.config);
  with_readable_errors([&] {
    if (work.record != nullptr) {
      run_recorded(work, &dispatch);
    } else {
      dispatch(work);
    }
  });
}

void vergence_input_files(const std::string& command, const std::vector<std::string>& inputs,
                          std::vector<std::string>& files) {
  using namespace vergence;  // NOLINT(google-build-using-namespace)
  for (const auto& input : inputs) {
    if (std::filesystem::is_directory(input)) {
      cli::add_files_in(input, command, files);
    } else if (input == "-" || std::filesystem::exists(input)) {
      files.push_back(input);
    } else {
      throw Error(fmt::format("cannot read '{}': no such file or directory", input));
    }
  }
}

void vergence_check_settings(const vergence::cli::Work& work) {
  using namespace vergence;  // NOLINT(google-build-using-namespace)
  const auto& config = work.config;
  const bool of_depth =
      work.command == "depth" || work.command == "mesh" || work.command == "views";
  if (of_depth) {
    static_cast<void>(pipeline::source_options(config));
    static_cast<void>(pipeline::depth_options(config));
    static_cast<void>(pipeline::own_depth(config));
  }
  if (work.command == "depth") static_cast<void>(pipeline::depth_output_options(config));
  if (work.command == "mesh") static_cast<void>(pipeline::mesh_options(config));
  if (work.command == "vr180") static_cast<void>(pipeline::vr_options(config));
  if (work.command == "sbs") {
    static_cast<void>(pipeline::sbs_video_options(config, pipeline::sbs_photo_options(config)));
  }
}
