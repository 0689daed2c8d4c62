// SPDX-License-Identifier: Apache-2.0
// A network behind the DepthPredictor interface: card, preprocessing, workers.
#include "core/angle.hpp"
#include "core/error.hpp"
#include "predictors/model_card.hpp"
#include "predictors/model_registry.hpp"
#include "predictors/network_size.hpp"
#include "predictors/network_source.hpp"
#include "predictors/postprocessing.hpp"
#include "predictors/preprocessing.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <mutex>

#include <fmt/format.h>
#include <opencv2/core.hpp>
#include <spdlog/spdlog.h>

namespace vergence::predictors {
namespace {

// Where nothing is known about the camera, as in the rest of the program.
constexpr Radians kAssumedFov = Radians::from_degrees(60.0);

bool needs_focal_length(const ModelCard& card) {
  const auto& extra = card.input.extra;
  return card.output.canonical || std::any_of(extra.begin(), extra.end(), [](ExtraInput input) {
           return input != ExtraInput::kNumTokens;
         });
}

class NetworkPredictor : public DepthPredictor {
 public:
  NetworkPredictor(ModelCard card, NetworkSource source, const RunOptions& run, bool flip)
      : card_(std::move(card)),
        source_(std::move(source)),
        threads_(run.threads),
        flip_(flip || card_.post.flip_average) {
    source_.outputs = named_outputs(card_.output);
    source_.input_type = card_.input.type;
    info_ = {.name = card_.model.id,
             .licence = card_.model.license,
             .kind = card_.output.kind,
             .metric = card_.output.metric,
             .preferred_size_px = preferred_size_px(card_.input)};
  }

  [[nodiscard]] const PredictorInfo& info() const override { return info_; }

  // Batches would save an eighth of the time, but then a picture's result would depend, in its last
  // bits, on how many others come with it.
  [[nodiscard]] std::vector<AnyDepth> predict(std::span<const PredictorInput> pictures,
                                              Progress& progress) override {
    if (pictures.empty()) return {};
    if (!network_) network_ = open_network(source_);
    std::vector<AnyDepth> maps(pictures.size());
    for_each_item(static_cast<int>(pictures.size()), threads_, [&](int index, int threads) {
      const auto i = static_cast<std::size_t>(index);
      maps[i] = map_of(pictures[i], threads);
      progress.advance();
    });
    return maps;
  }

 private:
  [[nodiscard]] AnyDepth map_of(const PredictorInput& picture, int threads) {
    const SeenPicture seen = {.size = picture.rgb.size(),
                              .focal_px = focal_of(picture),
                              .placement = placement_of(card_.input, picture)};
    Prediction prediction = predicted(picture.rgb, seen, threads);
    if (flip_) {
      cv::Mat mirrored;
      cv::flip(picture.rgb, mirrored, 1);
      prediction = averaged(prediction, predicted(mirrored, seen, threads));
    }
    return depth_of(card_, prediction, seen);
  }

  [[nodiscard]] double focal_of(const PredictorInput& picture) {
    if (picture.focal_px > 0.0 || !needs_focal_length(card_)) return picture.focal_px;
    std::call_once(focal_warning_, [&] {
      spdlog::warn(
          "the network '{}' needs the focal length, which is not known for '{}': a field of view "
          "of {:.0f} degrees is assumed",
          card_.model.id, picture.name, kAssumedFov.degrees());
    });
    return picture.rgb.cols / (2.0 * std::tan(kAssumedFov.value() / 2.0));
  }

  [[nodiscard]] Prediction predicted(const cv::Mat& rgb, const SeenPicture& seen, int threads) {
    const Placement& placement = seen.placement;
    const std::array<int, 4> shape = {1, 3, placement.input.height, placement.input.width};
    cv::Mat batch(static_cast<int>(shape.size()), shape.data(), CV_32F);
    write_planes(card_.input, rgb, placement, batch.ptr<float>());
    const auto arguments = extra_arguments(card_.input, placement, seen.focal_px);
    try {
      return prediction_of(card_, network_->evaluate(batch, arguments, threads), seen);
    } catch (const Error&) {
      throw_if_traced_at_one_size(placement.input, threads);
      throw;
    }
  }

  // A traced file often works at the one size at which it was traced; only a run on zeros of
  // another size tells, and only where something failed is it worth its time.
  void throw_if_traced_at_one_size(cv::Size failed, int threads) {
    if (card_.model.backend != "torchscript" || has_fixed_size(card_.input)) return;
    const int side = preferred_size_px(card_.input);
    if (failed == cv::Size(side, side)) return;
    const std::array<int, 4> shape = {1, 3, side, side};
    const cv::Mat zeros = cv::Mat::zeros(static_cast<int>(shape.size()), shape.data(), CV_32F);
    const cv::Mat black = cv::Mat::zeros(side, side, CV_8UC3);
    try {
      const Placement placement = placement_of(card_.input, {.name = "", .rgb = black});
      (void)network_->evaluate(zeros, extra_arguments(card_.input, placement, side), threads);
    } catch (const Error&) {
      return;  // it fails at any size
    }
    throw Error(fmt::format("the network '{}' works on {}x{} pixels but not on {}x{}: its file was "
                            "traced at one size",
                            card_.model.id, side, side, failed.width, failed.height))
        .hint(fmt::format("write fixed_shape = [{}, {}] under [limits] in its card", side, side));
  }

  ModelCard card_;
  NetworkSource source_;
  int threads_;
  bool flip_;
  PredictorInfo info_;
  std::unique_ptr<Network> network_;
  std::once_flag focal_warning_;
};

void set_size(ModelCard& card, int size_px) {
  if (size_px == 0) return;
  constexpr int kSmallest = 64;
  constexpr int kLargest = 4096;
  if (has_fixed_size(card.input)) {
    throw Error(ErrorCode::kUsage,
                fmt::format("the network '{}' takes {}x{} pixels only", card.model.id,
                            card.input.exact_size.width, card.input.exact_size.height))
        .hint("leave predictor.size_px out");
  }
  if (size_px < kSmallest || size_px > kLargest) {
    throw Error(ErrorCode::kUsage,
                fmt::format("the size of '{}' must be from {} to {} pixels, not {}", card.model.id,
                            kSmallest, kLargest, size_px))
        .hint(fmt::format("{} is what the network was made for", preferred_size_px(card.input)));
  }
  card.input.size = size_px;
  card.input.min_pixels = card.input.max_pixels = static_cast<double>(size_px) * size_px;
}

}  // namespace

std::optional<Precision> precision_from_string(std::string_view word) {
  if (word == "auto") return Precision::kAuto;
  if (word == "f32") return Precision::kFloat32;
  if (word == "bf16") return Precision::kBFloat16;
  return std::nullopt;
}

std::unique_ptr<DepthPredictor> make_network(const NetworkOptions& options, const RunOptions& run) {
  ModelCard card =
      options.card.empty() ? find_model_card(options.name) : read_model_card(options.card);
  if (card.model.task != NetworkTask::kDepth) {
    throw Error(ErrorCode::kUsage, fmt::format("'{}' predicts no depth", card.model.id))
        .hint(fmt::format("it makes views: use it with stereo.method={}", card.model.id));
  }
  set_size(card, options.size_px);
  NetworkSource source = network_source(card, options.weights, run);
  return std::make_unique<NetworkPredictor>(std::move(card), std::move(source), run, options.flip);
}

}  // namespace vergence::predictors
