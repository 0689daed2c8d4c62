// SPDX-License-Identifier: Apache-2.0
// Inside the module `torch`: a network on tensors, its weights, and the list of native networks.
// New native networks are one source file and one line in native_network().
#pragma once

#include "predictors/network.hpp"
#include "predictors/weights.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <c10/core/ScalarType.h>

namespace at {
class Tensor;
}

namespace vergence::predictors {

class TorchNetwork {
 public:
  virtual ~TorchNetwork() = default;

  // [N, 3, H, W] float on the network's device -> [N, h, w] or [N, 1, h, w], or what the network's
  // evaluate() is to give. Called under
  // inference mode, from several threads at once.
  [[nodiscard]] virtual at::Tensor forward(const at::Tensor& batch) const = 0;

  // The same with further inputs and outputs, as NetworkSource::outputs names them; native networks
  // have none.
  [[nodiscard]] virtual std::vector<at::Tensor> evaluate(
      const at::Tensor& batch, std::span<const NetworkArgument> arguments) const;
};

// Where and how exactly a network computes.
struct ComputeOptions {
  std::string device = "cpu";                     // as LibTorch writes it
  c10::ScalarType type = c10::ScalarType::Float;  // of weights and activations
};

// Hands out a network's parameters by name and shape, as float on one device, and collects what
// does not fit, so that a wrong file is described by one message.
class Parameters {
 public:
  using Shape = std::vector<std::int64_t>;
  // From a tensor's name in the official checkpoint to its name in this file, or to the names of
  // the tensors in this file that make it when stacked along the first side.
  using Naming = std::function<std::vector<std::string>(const std::string& official)>;

  Parameters(const Weights& weights, std::string file, ComputeOptions options);

  // For files whose tensors have other names than the official ones.
  void set_naming(Naming naming) { naming_ = std::move(naming); }

  // Whether the file has a tensor that is called `name` in it.
  [[nodiscard]] bool has(const std::string& name) const;

  // The tensor `name` of exactly this shape; zeros of that shape, noted as a problem, if there is
  // none. On a CPU the tensor lies in the mapped file where it can: it must not be written to.
  [[nodiscard]] at::Tensor take(const std::string& name, const Shape& shape);

  // For tensors that the official file has but the network does not use: it may be there (of this
  // shape) or not.
  void skip(const std::string& name, const Shape& shape);

  // The layers' compute type and device.
  [[nodiscard]] const ComputeOptions& options() const { return options_; }

  // Throws Error listing the missing, misshapen and left-over tensors, if there are any.
  void finish() const;

 private:
  [[nodiscard]] at::Tensor take_one(const std::string& name, const Shape& shape);
  [[nodiscard]] const TensorView* checked(const std::string& name, const Shape& shape);
  void release_earlier(const TensorView& view);

  const Weights& weights_;
  std::string file_;
  ComputeOptions options_;
  Naming naming_;
  std::set<std::string> taken_;
  std::vector<std::string> problems_;
  std::vector<std::span<const std::byte>> resident_;  // taken and not released
  std::size_t resident_bytes_ = 0;
};

// The native network of a card's backend "native:FAMILY". Throws Error for an unknown family.
[[nodiscard]] std::unique_ptr<TorchNetwork> native_network(const std::string& family,
                                                           Parameters& parameters);

[[nodiscard]] std::unique_ptr<TorchNetwork> make_nano_network(Parameters& parameters);
[[nodiscard]] std::unique_ptr<TorchNetwork> make_tcmonodepth_network(Parameters& parameters);
[[nodiscard]] std::unique_ptr<TorchNetwork> make_tiefenrausch_network(Parameters& parameters);

// The makers of whole families: nothing if `family` is not one of theirs.
[[nodiscard]] std::unique_ptr<TorchNetwork> make_depth_anything(const std::string& family,
                                                                Parameters& parameters);
[[nodiscard]] std::unique_ptr<TorchNetwork> make_midas(const std::string& family,
                                                       Parameters& parameters);

// A learned warp (core/warp_network.hpp); nothing if `family` is none.
[[nodiscard]] std::unique_ptr<TorchNetwork> make_learned_warp(const std::string& family,
                                                              Parameters& parameters);

// A TorchScript file, ready on `device`.
[[nodiscard]] std::unique_ptr<TorchNetwork> open_torchscript(const NetworkSource& source,
                                                             const std::string& device);

}  // namespace vergence::predictors
