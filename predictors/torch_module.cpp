// SPDX-License-Identifier: Apache-2.0
// The module's entry: from numbers to tensors and back, and from LibTorch's exceptions to ours.
#include "core/error.hpp"
#include "predictors/network.hpp"
#include "predictors/torch_compat.hpp"
#include "predictors/torch_network.hpp"

#include <array>
#include <cstring>
#include <type_traits>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace vergence::predictors {
namespace {

class LoadedNetwork : public Network {
 public:
  LoadedNetwork(std::unique_ptr<TorchNetwork> network, std::string name, std::string device)
      : network_(std::move(network)),
        name_(std::move(name)),
        device_(std::move(device)) {}

  [[nodiscard]] std::vector<cv::Mat> run(const cv::Mat& batch, int threads) override {
    return guarded(batch, threads, [&](const at::Tensor& input) {
      return maps_of(on_cpu(network_->forward(input)), input.sizes());
    });
  }

  [[nodiscard]] std::vector<NetworkValue> evaluate(const cv::Mat& batch,
                                                   std::span<const NetworkArgument> arguments,
                                                   int threads) override {
    return guarded(batch, threads, [&](const at::Tensor& input) {
      std::vector<NetworkValue> values;
      for (const at::Tensor& output : network_->evaluate(input, arguments)) {
        const at::Tensor value = on_cpu(output);
        const float* first = value.data_ptr<float>();
        values.push_back({.shape = value.sizes().vec(), .values = {first, first + value.numel()}});
      }
      return values;
    });
  }

 private:
  // Calls `compute` with the batch on the network's device, and turns LibTorch's exceptions to
  // ours.
  template <class Compute>
  std::invoke_result_t<Compute, const at::Tensor&> guarded(const cv::Mat& batch, int threads,
                                                           const Compute& compute) {
    set_torch_threads(threads);
    try {
      const c10::InferenceMode inference;
      const std::array<std::int64_t, 4> shape = {batch.size[0], batch.size[1], batch.size[2],
                                                 batch.size[3]};
      // from_blob takes void* only; the tensor is read, never written.
      const at::Tensor input = at::from_blob(const_cast<float*>(batch.ptr<float>()), shape);
      return compute(input.to(at::Device(device_)));
    } catch (const Error&) {
      throw;
    } catch (...) {
      throw Error(fmt::format("the network '{}' failed on {}x{} pixels: {}", name_, batch.size[3],
                              batch.size[2], torch_reason()))
          .hint("check the size and type of input that its model card states");
    }
  }

  [[nodiscard]] static at::Tensor on_cpu(const at::Tensor& value) {
    return value.to(at::kCPU, at::kFloat).contiguous();
  }

  // [N, h, w] or [N, 1, h, w] or, for one picture, [h, w] -> N maps.
  [[nodiscard]] std::vector<cv::Mat> maps_of(const at::Tensor& output,
                                             c10::IntArrayRef input) const {
    const std::int64_t rank = output.dim();
    const bool fits = (rank == 4 && output.size(0) == input[0] && output.size(1) == 1) ||
                      (rank == 3 && output.size(0) == input[0]) || (rank == 2 && input[0] == 1);
    if (!fits || output.numel() == 0) {
      throw Error(fmt::format("the network '{}' gives [{}] for [{}], which is no depth map per "
                              "picture",
                              name_, fmt::join(output.sizes().vec(), ", "),
                              fmt::join(input.vec(), ", ")))
          .hint("set 'output.depth' in its card to the value that is the depth");
    }
    const auto height = static_cast<int>(output.size(-2));
    const auto width = static_cast<int>(output.size(-1));
    std::vector<cv::Mat> maps;
    const float* values = output.data_ptr<float>();
    for (std::int64_t n = 0; n < input[0]; ++n) {
      cv::Mat map(height, width, CV_32FC1);
      std::memcpy(map.ptr<float>(), values + n * height * width, map.total() * sizeof(float));
      maps.push_back(std::move(map));
    }
    return maps;
  }

  std::unique_ptr<TorchNetwork> network_;
  std::string name_;
  std::string device_;
};

constexpr std::string_view kNative = "native:";

std::unique_ptr<TorchNetwork> open(const NetworkSource& source, const std::string& device) {
  if (!source.backend.starts_with(kNative)) return open_torchscript(source, device);
  const std::string name = source.file.empty() ? source.name : source.file.string();
  const Weights weights =
      source.file.empty() ? parse_weights(source.embedded, name) : read_weights(source.file);
  Parameters parameters(
      weights, name,
      {.device = device,
       .type = compute_type(source.precision, device, source.bfloat16_is_proven)});
  auto network = native_network(source.backend.substr(kNative.size()), parameters);
  parameters.finish();
  return network;
}

}  // namespace

std::vector<at::Tensor> TorchNetwork::evaluate(const at::Tensor& batch,
                                               std::span<const NetworkArgument> arguments) const {
  if (!arguments.empty()) {
    throw Error(ErrorCode::kUsage, "a native network takes no further inputs")
        .hint("leave 'input.extra' out of its card");
  }
  return {forward(batch)};
}

std::unique_ptr<TorchNetwork> native_network(const std::string& family, Parameters& parameters) {
  if (family == "nano") return make_nano_network(parameters);
  if (family == "tcmonodepth_small") return make_tcmonodepth_network(parameters);
  if (family == "tiefenrausch") return make_tiefenrausch_network(parameters);
  if (auto network = make_depth_anything(family, parameters)) return network;
  if (auto network = make_midas(family, parameters)) return network;
  if (auto network = make_learned_warp(family, parameters)) return network;
  throw Error(ErrorCode::kUsage, fmt::format("there is no native network '{}'", family))
      .hint("write backend = \"torchscript\" in the card and give a TorchScript file");
}

}  // namespace vergence::predictors

vergence::predictors::Network* vergence_open_network(
    const vergence::predictors::NetworkSource& source) {
  const std::string device = vergence::predictors::resolve_device(source.device);
  vergence::predictors::set_torch_threads(source.threads);
  const c10::InferenceMode inference;
  return new vergence::predictors::LoadedNetwork(vergence::predictors::open(source, device),
                                                 source.name, device);
}
