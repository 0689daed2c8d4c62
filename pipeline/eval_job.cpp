// SPDX-License-Identifier: Apache-2.0
#include "pipeline/eval_job.hpp"

#include "core/error.hpp"
#include "evaluation/depth_report.hpp"
#include "media/depth_file.hpp"
#include "media/picture.hpp"

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>

namespace vergence::pipeline {

EvalReport evaluate_files(const EvalRequest& request) {
  const auto read = [](const OwnDepth& file) {
    return media::read_depth(file.path, {.kind = file.kind, .scale = file.scale});
  };
  const auto prediction = read(request.prediction);
  const auto ground_truth = read(request.ground_truth);
  const cv::Size size = values_of(ground_truth).size();
  warn_of_other_shape(request.prediction.path, values_of(prediction).size(),
                      request.ground_truth.path, size);
  auto options = request.options;
  if (!request.mask.empty()) {
    cv::Mat grey;
    cv::cvtColor(media::display_rgb8(media::read_picture(request.mask)), grey, cv::COLOR_RGB2GRAY);
    if (grey.size() != size) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("the mask '{}' is {}x{} pixels, but '{}' is {}x{}",
                              request.mask.string(), grey.cols, grey.rows,
                              request.ground_truth.path.string(), size.width, size.height))
          .hint("give a mask of the ground truth's size");
    }
    options.mask = grey > 127;
  }
  const auto result = evaluation::evaluate_depth(prediction, ground_truth, options);
  return {evaluation::to_table(result), evaluation::to_json(result)};
}

}  // namespace vergence::pipeline
