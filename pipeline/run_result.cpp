// SPDX-License-Identifier: Apache-2.0
#include "pipeline/run_result.hpp"

#include "config/schema.hpp"
#include "core/error.hpp"
#include "core/text.hpp"
#include "media/picture.hpp"
#include "media/sidecar.hpp"
#include "pipeline/options.hpp"
#include "pipeline/stereo_preview.hpp"
#include "predictors/model_registry.hpp"
#include "predictors/sha256.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <opencv2/imgproc.hpp>

namespace vergence::pipeline {
namespace fs = std::filesystem;

namespace {

constexpr std::array<std::string_view, 7> kPictures = {".png",  ".jpg", ".jpeg", ".webp",
                                                       ".avif", ".tif", ".tiff"};
constexpr std::array<std::string_view, 4> kVideos = {".mp4", ".mkv", ".mov", ".webm"};
constexpr int kPreviewQuality = 82;

// The file of a network that is known by its card and has one; `nano` is inside the program.
std::optional<fs::path> weights_of(const std::string& name) {
  const auto known = predictors::known_models();
  if (std::find(known.begin(), known.end(), name) == known.end()) return std::nullopt;
  return predictors::find_weights(predictors::find_model_card(name));
}

}  // namespace

EvalReport evaluate_result(const fs::path& output, const fs::path& ground_truth,
                           const config::Config& config) {
  auto request = eval_request(output, ground_truth, config);
  const auto sidecar = media::read_sidecar(output);
  if (sidecar) {
    // The file tells better than eval.pred_kind what it holds.
    request.prediction = OwnDepth{.path = output, .kind = std::nullopt, .scale = std::nullopt};
    if (!config.set_by_user("eval.sphere")) {
      request.options.sphere = sidecar->projection == media::DepthProjection::kEquirectangular;
    }
    if (!config.set_by_user("eval.align") && !sidecar->metric) {
      request.options.align = evaluation::DepthAlign::kMedian;
    }
  }
  return evaluate_files(request);
}

std::optional<std::vector<std::uint8_t>> small_picture(const fs::path& output, int longest_px) {
  const auto extension = lower(output.extension().string());
  const auto is_one_of = [&](const auto& extensions) {
    return std::find(extensions.begin(), extensions.end(), extension) != extensions.end();
  };
  if (!is_one_of(kPictures) && !is_one_of(kVideos)) return std::nullopt;
  cv::Mat rgb = media::display_rgb8(is_one_of(kVideos) ? middle_frame(output, {})
                                                       : media::read_picture(output));
  const double factor = static_cast<double>(longest_px) / std::max(rgb.cols, rgb.rows);
  if (factor < 1.0) cv::resize(rgb, rgb, {}, factor, factor, cv::INTER_AREA);
  return media::encode_picture(rgb, media::PictureFormat::kJpeg, {.jpeg_quality = kPreviewQuality});
}

std::string digest_of(const fs::path& path, Progress& progress) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return "";
  try {
    return predictors::sha256_of_file(path, progress);
  } catch (const Error& failure) {
    if (failure.code() == ErrorCode::kInterrupted) throw;
    return "";
  }
}

std::vector<NamedFile> files_named_by(const config::Config& config) {
  std::vector<NamedFile> files;
  for (const auto& rule : config::Schema::shipped().rules()) {
    if (rule.type != config::BaseType::kPath || rule.is_list || !config.contains(rule.key))
      continue;
    const fs::path path = config.string(rule.key);
    std::error_code error;
    if (fs::is_regular_file(path, error)) files.push_back({rule.key, path});
  }
  if (!config.string("predictor.path").empty()) return files;
  for (const auto& [network, run] : networks(config)) {
    const auto weights =
        network.weights.empty() ? weights_of(network.name) : std::optional(network.weights);
    if (weights) files.push_back({"weights of " + network.name, *weights});
  }
  return files;
}

}  // namespace vergence::pipeline
