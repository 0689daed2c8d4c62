// SPDX-License-Identifier: Apache-2.0
#include "evaluation/depth_report.hpp"

#include <array>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace vergence::evaluation {
namespace {

struct MetricName {
  const char* key;
  const char* title;
  double DepthMetrics::*value;
};

constexpr std::array<MetricName, 10> kMetrics{{
    {"abs_rel", "AbsRel", &DepthMetrics::abs_rel},
    {"sq_rel", "SqRel [m]", &DepthMetrics::sq_rel},
    {"mae", "MAE [m]", &DepthMetrics::mae},
    {"rmse", "RMSE [m]", &DepthMetrics::rmse},
    {"rmse_log", "RMSElog (ln)", &DepthMetrics::rmse_log},
    {"log10", "log10", &DepthMetrics::log10},
    {"silog", "SILog x100", &DepthMetrics::silog},
    {"d1", "d1 < 1.25", &DepthMetrics::d1},
    {"d2", "d2 < 1.25^2", &DepthMetrics::d2},
    {"d3", "d3 < 1.25^3", &DepthMetrics::d3},
}};

std::string table_row(const DepthEvaluation& evaluation, const char* title,
                      double DepthMetrics::*value, const char* format) {
  std::string row = fmt::format("{:<14}", title);
  row += fmt::format("{:>14}", fmt::format(fmt::runtime(format), evaluation.plain.*value));
  if (evaluation.spherical) {
    row += fmt::format("{:>14}", fmt::format(fmt::runtime(format), *evaluation.spherical.*value));
  }
  return row + "\n";
}

nlohmann::ordered_json json_of(const DepthMetrics& metrics) {
  nlohmann::ordered_json json;
  for (const auto& metric : kMetrics) json[metric.key] = metrics.*metric.value;
  json["num_pixels"] = metrics.num_pixels;
  json["total_weight"] = metrics.total_weight;
  json["coverage"] = metrics.coverage;
  json["scale"] = metrics.scale;
  json["shift"] = metrics.shift;
  return json;
}

nlohmann::ordered_json json_of(const SeamStep& seam) {
  return {{"seam", seam.seam}, {"mean", seam.mean}, {"percentile_95", seam.percentile_95},
          {"max", seam.max},   {"rank", seam.rank}, {"num_steps", seam.num_steps}};
}

}  // namespace

std::string to_table(const DepthEvaluation& evaluation) {
  std::string text = fmt::format("{:<14}{:>14}", "", "plain");
  if (evaluation.spherical) text += fmt::format("{:>14}", "spherical");
  text += "\n";
  for (const auto& metric : kMetrics) {
    text += table_row(evaluation, metric.title, metric.value, "{:.4f}");
  }
  text += table_row(evaluation, "scale", &DepthMetrics::scale, "{:.6g}");
  text += table_row(evaluation, "shift", &DepthMetrics::shift, "{:.6g}");
  text += table_row(evaluation, "coverage", &DepthMetrics::coverage, "{:.4f}");
  text += fmt::format("align {}, {} pixels compared\n", to_string(evaluation.align),
                      evaluation.plain.num_pixels);
  if (evaluation.seam) {
    const SeamStep& seam = *evaluation.seam;
    text += fmt::format(
        "seam step at +-180 deg {:.5f} (rank {} of {}); other columns: mean {:.5f}, 95th "
        "percentile "
        "{:.5f}, max {:.5f}\n",
        seam.seam, seam.rank, seam.num_steps, seam.mean, seam.percentile_95, seam.max);
  }
  return text;
}

std::string to_json(const DepthEvaluation& evaluation) {
  nlohmann::ordered_json json;
  json["align"] = to_string(evaluation.align);
  json["plain"] = json_of(evaluation.plain);
  json["spherical"] = nullptr;
  json["seam"] = nullptr;
  if (evaluation.spherical) json["spherical"] = json_of(*evaluation.spherical);
  if (evaluation.seam) json["seam"] = json_of(*evaluation.seam);
  return json.dump(2) + "\n";
}

}  // namespace vergence::evaluation
