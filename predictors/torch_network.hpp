// SPDX-License-Identifier: Apache-2.0
// Inside the module `torch`: a network on tensors, its weights, and the list of native networks.
// New native networks are one source file and one line in native_network().
#pragma once

#include "predictors/network.hpp"
#include "predictors/weights.hpp"

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace at {
class Tensor;
}

namespace vergence::predictors {

class TorchNetwork {
 public:
  virtual ~TorchNetwork() = default;

  // [N, 3, H, W] float on the network's device -> [N, h, w] or [N, 1, h, w]. Called under
  // inference mode, from several threads at once.
  [[nodiscard]] virtual at::Tensor forward(const at::Tensor& batch) const = 0;
};

// Hands out a network's parameters by name and shape, as float on one device, and collects what
// does not fit, so that a wrong file is described by one message.
class Parameters {
 public:
  Parameters(const Weights& weights, std::string file, std::string device);

  // The tensor `name` of exactly this shape; zeros of that shape, noted as a problem, if there is
  // none.
  [[nodiscard]] at::Tensor take(const std::string& name, std::initializer_list<std::int64_t> shape);

  // Throws Error listing the missing, misshapen and left-over tensors, if there are any.
  void finish() const;

 private:
  const Weights& weights_;
  std::string file_;
  std::string device_;
  std::set<std::string> taken_;
  std::vector<std::string> problems_;
};

// The native network of a card's backend "native:FAMILY". Throws Error for an unknown family.
[[nodiscard]] std::unique_ptr<TorchNetwork> native_network(const std::string& family,
                                                           Parameters& parameters);

[[nodiscard]] std::unique_ptr<TorchNetwork> make_nano_network(Parameters& parameters);

// A TorchScript file, ready on `device`.
[[nodiscard]] std::unique_ptr<TorchNetwork> open_torchscript(const NetworkSource& source,
                                                             const std::string& device);

}  // namespace vergence::predictors
