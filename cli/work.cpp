// SPDX-License-Identifier: Apache-2.0
#include "cli/work.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "pipeline/options.hpp"

#include <algorithm>
#include <new>

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
    if (work.command == "depth") run_depth(work);
    if (work.command == "mesh") run_mesh(work);
    if (work.command == "sbs") run_sbs(work);
    if (work.command == "vr180") run_vr180(work);
    if (work.command == "views") run_views(work);
    if (work.command == "eval") run_eval(work);
    if (work.command == "models") run_models(work);
  });
}
