// SPDX-License-Identifier: Apache-2.0
#include "pipeline/eval_job.hpp"

#include "core/error.hpp"
#include "evaluation/depth_report.hpp"
#include "evaluation/stereo_metrics.hpp"
#include "evaluation/stereo_report.hpp"
#include "media/depth_file.hpp"
#include "media/picture.hpp"
#include "pipeline/stereo_frame.hpp"

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>

namespace vergence::pipeline {
namespace {

cv::Mat read_rgb8(const std::filesystem::path& path) {
  return media::display_rgb8(media::read_picture(path));
}

void check_same_size(const std::filesystem::path& path, cv::Size size,
                     const std::filesystem::path& reference, cv::Size expected) {
  if (size == expected) return;
  throw Error(fmt::format("'{}' is {}x{} pixels, but '{}' is {}x{}", path.string(), size.width,
                          size.height, reference.string(), expected.width, expected.height))
      .hint("compare pictures of one size");
}

}  // namespace

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

EvalReport evaluate_view(const StereoEvalRequest& request) {
  const bool of_right = request.eye == Eye::kRight;
  const auto& source_path = of_right ? request.left : request.right;
  const auto& view_path = of_right ? request.right : request.left;
  const cv::Mat reference = read_rgb8(request.reference);
  const cv::Mat source = read_rgb8(source_path);
  cv::Mat view = read_rgb8(view_path);
  const cv::Size size = reference.size();
  if (view.size() == cv::Size(2 * size.width, size.height)) {
    view = view(cv::Rect({of_right ? size.width : 0, 0}, size)).clone();
  }
  check_same_size(source_path, source.size(), request.reference, size);
  check_same_size(view_path, view.size(), request.reference, size);
  evaluation::StereoReference known{.source = source, .disparity_px = {}, .eye = request.eye};
  if (request.disparity) {
    const auto& file = *request.disparity;
    known.disparity_px = pair_disparity(
        media::read_depth(file.path, {.kind = DepthKind::kPixelDisparity, .scale = file.scale}),
        file.path);
    check_same_size(file.path, known.disparity_px.size(), request.reference, size);
  }
  const auto metrics = evaluation::compare_views(view, reference, known);
  const auto vertical =
      evaluation::measure_vertical_disparity(of_right ? source : view, of_right ? view : source);
  return {evaluation::to_table(metrics, vertical), evaluation::to_json(metrics, vertical)};
}

}  // namespace vergence::pipeline
