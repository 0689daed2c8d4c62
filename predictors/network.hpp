// SPDX-License-Identifier: Apache-2.0
// The border between this library and its loadable module `torch`: a network as numbers in, numbers
// out. No LibTorch type crosses it.
#pragma once

#include "predictors/model_card.hpp"
#include "predictors/predictor_factory.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::predictors {

// What the module needs to build a network.
struct NetworkSource {
  std::string name;                     // the card's id, for messages
  std::string backend;                  // as the card's: "torchscript" or "native:FAMILY"
  std::filesystem::path file;           // weights or TorchScript on disk; empty: `embedded`
  std::span<const std::byte> embedded;  // a safetensors file inside the program
  // TorchScript: the values of its result that evaluate() hands back, the depth first.
  std::vector<OutputSelector> outputs = {{}};
  InputType input_type = InputType::kFloat32;  // TorchScript: of the picture's tensor
  std::string device = "auto";                 // as RunOptions::device
  int threads = 1;                             // CPU threads that opening it may use
  Precision precision = Precision::kAuto;
  bool bfloat16_is_proven = false;  // the card states an error bound, measured with real weights
};

// A further input of a network.
struct NetworkArgument {
  std::vector<std::int64_t> shape;
  std::vector<double> values;  // row-major
  bool integer = false;        // whole numbers
};

// One value of a network's result.
struct NetworkValue {
  std::vector<std::int64_t> shape;
  std::vector<float> values;  // row-major
};

class Network {
 public:
  virtual ~Network() = default;

  // One picture, `batch` CV_32F [1, 3, H, W], and what the network takes besides; gives the values
  // of NetworkSource::outputs in their order. Threads and errors as for run().
  [[nodiscard]] virtual std::vector<NetworkValue> evaluate(
      const cv::Mat& batch, std::span<const NetworkArgument> arguments, int threads) = 0;

  // The first of those values as depth maps: `batch` is CV_32F [N, 3, H, W], ready for the network;
  // gives N maps CV_32FC1 of the network's own output size. May be called from several threads;
  // `threads` is how many CPU threads this call may use. Throws Error with LibTorch's reason in one
  // line.
  [[nodiscard]] virtual std::vector<cv::Mat> run(const cv::Mat& batch, int threads) = 0;
};

}  // namespace vergence::predictors

// The module's only symbol. The caller owns the network.
extern "C" vergence::predictors::Network* vergence_open_network(
    const vergence::predictors::NetworkSource& source);
