// SPDX-License-Identifier: Apache-2.0
// A network behind the WarpNetwork interface: iw3's row_flow and mlbw (nagadomi/nunif, MIT).
#include "core/error.hpp"
#include "predictors/model_registry.hpp"
#include "predictors/network_source.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>
#include <opencv2/core.hpp>

namespace vergence::predictors {
namespace {

// What iw3 knows about each architecture beside its weights.
struct Architecture {
  std::string_view backend;
  int layers;
  bool tells_holes;
  bool symmetric;
  float one_step_divergence;  // as in WarpNetworkInfo
  float step_divergence;

  // Channels of the output: a shift for each layer, where there are several of them a weight for
  // each, and a logit.
  [[nodiscard]] int channels() const {
    return (layers == 1 ? 1 : 2 * layers) + (tells_holes ? 1 : 0);
  }
};

constexpr std::array<Architecture, 8> kArchitectures = {{
    {"native:row_flow_v2", 1, false, false, 2.5F, 2.0F},
    {"native:row_flow_v3", 1, false, false, 5.0F, 4.0F},
    {"native:row_flow_v3_sym", 1, false, true, 0.0F, 0.0F},
    {"native:mlbw_l2", 2, false, false, 0.0F, 0.0F},
    {"native:mlbw_l2s", 2, false, false, 0.0F, 0.0F},
    {"native:mlbw_l4", 4, false, false, 0.0F, 0.0F},
    {"native:mlbw_l4s", 4, false, false, 0.0F, 0.0F},
    {"native:mask_mlbw_l2", 2, true, false, 0.0F, 0.0F},
}};

const Architecture& architecture_of(const ModelCard& card) {
  const auto* const found =
      std::find_if(kArchitectures.begin(), kArchitectures.end(),
                   [&](const Architecture& known) { return known.backend == card.model.backend; });
  if (found != kArchitectures.end()) return *found;
  throw Error(ErrorCode::kUsage,
              fmt::format("there is no learned warp of the backend '{}'", card.model.backend))
      .hint("the cards of the known ones stand in models/");
}

// Weights of a ramp over `count` columns, from 0 to 1.
float ramp(int i, int count) {
  return count > 1 ? static_cast<float>(i) / static_cast<float>(count - 1) : 0.0F;
}

// [1, 3, h, w]: nearness, strength, and where the screen stands, in units of 32 pixels.
cv::Mat batch_of(const WarpInput& input) {
  const int height = input.nearness.rows;
  const int width = input.nearness.cols;
  const std::array<int, 4> shape = {1, 3, height, width};
  cv::Mat batch(static_cast<int>(shape.size()), shape.data(), CV_32F);
  const auto plane = [&](int channel) {
    return cv::Mat(height, width, CV_32FC1, batch.ptr<float>(0, channel));
  };
  constexpr float kUnit = 32.0F;
  const auto long_side = static_cast<float>(std::max(width, height));
  const float strength = input.divergence * 0.5F * 0.01F * long_side / kUnit;
  cv::Mat strengths = plane(1);
  cv::Mat screens = plane(2);
  input.nearness.copyTo(plane(0));
  strengths.setTo(strength);
  screens.setTo(-strength * input.convergence);
  if (!input.preserve_screen_border) return batch;
  const double wanted = 0.75 * 0.01 * input.divergence * width;
  const int border = std::clamp(static_cast<int>(std::lround(wanted)), 0, width / 2);
  for (int i = 0; i < border; ++i) {
    for (const int x : {i, width - 1 - i}) {
      strengths.col(x).setTo(strength * ramp(i, border));
      screens.col(x).setTo(-strength * input.convergence * ramp(i, border));
    }
  }
  return batch;
}

// exp(values) / their sum, pixel by pixel, with the largest taken off first.
void softmax(std::vector<cv::Mat>& maps) {
  cv::Mat most = maps.front().clone();
  for (const cv::Mat& map : maps) most = cv::max(most, map);
  cv::Mat sum = cv::Mat::zeros(most.size(), CV_32FC1);
  for (cv::Mat& map : maps) {
    cv::exp(map - most, map);
    sum += map;
  }
  for (cv::Mat& map : maps) map /= sum;
}

class NetworkWarp : public WarpNetwork {
 public:
  NetworkWarp(const ModelCard& card, NetworkSource source, int threads)
      : architecture_(architecture_of(card)),
        source_(std::move(source)),
        threads_(threads),
        info_{.name = card.model.id,
              .licence = card.model.license,
              .symmetric = architecture_.symmetric,
              .one_step_divergence = architecture_.one_step_divergence,
              .step_divergence = architecture_.step_divergence} {}

  [[nodiscard]] const WarpNetworkInfo& info() const override { return info_; }

  [[nodiscard]] std::vector<WarpLayers> left_eyes(std::span<const WarpInput> inputs) override {
    if (inputs.empty()) return {};
    if (!network_) network_ = open_network(source_);
    std::vector<WarpLayers> layers(inputs.size());
    for_each_item(static_cast<int>(inputs.size()), threads_, [&](int index, int threads) {
      const auto i = static_cast<std::size_t>(index);
      layers[i] = layers_of(network_->evaluate(batch_of(inputs[i]), {}, threads).at(0));
    });
    return layers;
  }

 private:
  [[nodiscard]] WarpLayers layers_of(const NetworkValue& output) const {
    const int height = static_cast<int>(output.shape.at(2));
    const int width = static_cast<int>(output.shape.at(3));
    if (output.shape.at(1) != architecture_.channels()) {
      throw Error(fmt::format("the network '{}' gives {} channels instead of {}", info_.name,
                              output.shape[1], architecture_.channels()));
    }
    const auto plane = [&](int channel) {
      const float* const first =
          output.values.data() + static_cast<std::ptrdiff_t>(channel) * height * width;
      return cv::Mat(height, width, CV_32FC1, const_cast<float*>(first)).clone();
    };
    // The network counts in steps of 1 / (w / 2 - 1) of a picture that reaches from -1 to 1.
    const int steps = width / 2 - 1;
    const double pixels = 0.5 * (width - 1) / steps;
    WarpLayers layers;
    for (int i = 0; i < architecture_.layers; ++i) {
      layers.shifts_px.push_back(plane(i) * pixels);
      if (architecture_.layers > 1) layers.weights.push_back(plane(architecture_.layers + i));
    }
    if (!layers.weights.empty()) softmax(layers.weights);
    if (architecture_.tells_holes) layers.hole_logits = plane(architecture_.channels() - 1);
    return layers;
  }

  const Architecture& architecture_;
  NetworkSource source_;
  int threads_;
  WarpNetworkInfo info_;
  std::unique_ptr<Network> network_;
};

}  // namespace

std::unique_ptr<WarpNetwork> make_warp_network(const WarpNetworkOptions& options,
                                               const RunOptions& run) {
  const ModelCard card = find_model_card(options.name);
  if (card.model.task != NetworkTask::kWarp) {
    throw Error(ErrorCode::kUsage, fmt::format("'{}' is no learned warp", card.model.id))
        .hint("it predicts depth: use it with predictor=" + card.model.id);
  }
  return std::make_unique<NetworkWarp>(card, network_source(card, options.weights, run),
                                       run.threads);
}

}  // namespace vergence::predictors
