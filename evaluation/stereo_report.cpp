// SPDX-License-Identifier: Apache-2.0
#include "evaluation/stereo_report.hpp"

#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace vergence::evaluation {
namespace {

std::string row(const char* title, std::optional<double> value, const char* format) {
  const auto text = value ? fmt::format(fmt::runtime(format), *value) : "-";
  return fmt::format("{:<24}{:>10}\n", title, text);
}

nlohmann::ordered_json number(std::optional<double> value) {
  if (!value) return nullptr;
  if (std::isinf(*value)) return "inf";
  return *value;
}

}  // namespace

std::string to_table(const StereoMetrics& metrics,
                     const std::optional<VerticalDisparity>& vertical) {
  std::string text = row("PSNR [dB]", metrics.psnr, "{:.2f}");
  text += row("PSNR inner [dB]", metrics.psnr_inner, "{:.2f}");
  text += row("PSNR visible [dB]", metrics.psnr_visible, "{:.2f}");
  text += row("PSNR disoccluded [dB]", metrics.psnr_disoccluded, "{:.2f}");
  text += row("disoccluded share", metrics.disoccluded_share, "{:.4f}");
  text += row("SSIM", metrics.ssim, "{:.4f}");
  text += row("SIoU", metrics.siou, "{:.4f}");
  const auto median = vertical ? std::optional(vertical->median_px) : std::nullopt;
  const auto mean = vertical ? std::optional(vertical->mean_absolute_px) : std::nullopt;
  text += row("vertical median [px]", median, "{:.3f}");
  text += row("vertical mean abs [px]", mean, "{:.3f}");
  return text;
}

std::string to_json(const StereoMetrics& metrics,
                    const std::optional<VerticalDisparity>& vertical) {
  nlohmann::ordered_json json;
  json["psnr"] = number(metrics.psnr);
  json["psnr_inner"] = number(metrics.psnr_inner);
  json["psnr_visible"] = number(metrics.psnr_visible);
  json["psnr_disoccluded"] = number(metrics.psnr_disoccluded);
  json["disoccluded_share"] = number(metrics.disoccluded_share);
  json["ssim"] = number(metrics.ssim);
  json["siou"] = number(metrics.siou);
  json["vertical_disparity"] = nullptr;
  if (vertical) {
    json["vertical_disparity"] = {{"median_px", vertical->median_px},
                                  {"mean_absolute_px", vertical->mean_absolute_px},
                                  {"num_blocks", vertical->num_blocks}};
  }
  return json.dump(2) + "\n";
}

}  // namespace vergence::evaluation
