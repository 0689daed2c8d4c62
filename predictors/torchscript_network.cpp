// SPDX-License-Identifier: Apache-2.0
#include "core/error.hpp"
#include "predictors/torch_compat.hpp"
#include "predictors/torch_network.hpp"

#include <fmt/format.h>
#include <torch/script.h>

namespace vergence::predictors {
namespace {

std::string_view type_word(const c10::IValue& value) {
  if (value.isTensor()) return "a tensor";
  if (value.isTuple()) return "a tuple";
  if (value.isList()) return "a list";
  if (value.isGenericDict()) return "a dictionary";
  return "something else";
}

Error wrong_output(const NetworkSource& source, const std::string& what) {
  return Error(fmt::format("the network '{}' gives {}", source.file.string(), what))
      .hint(
          "set 'output.depth' in the card to 'tensor', 'tuple:N' or 'dict:KEY' as the network "
          "gives it");
}

c10::IValue member(const c10::IValue& value, const NetworkSource& source) {
  const auto index = static_cast<std::size_t>(source.output.index);
  if (!value.isTuple() && !value.isList()) {
    throw wrong_output(source, fmt::format("{}, no tuple", type_word(value)));
  }
  const std::vector<c10::IValue> members =
      value.isTuple() ? value.toTupleRef().elements().vec() : value.toListRef().vec();
  if (index >= members.size()) {
    throw wrong_output(source, fmt::format("{} of {}, which has no member {}", type_word(value),
                                           members.size(), index));
  }
  return members[index];
}

c10::IValue entry(const c10::IValue& value, const NetworkSource& source) {
  if (!value.isGenericDict()) {
    throw wrong_output(source, fmt::format("{}, no dictionary", type_word(value)));
  }
  const auto dictionary = value.toGenericDict();
  if (dictionary.keyType()->kind() != c10::TypeKind::StringType ||
      !dictionary.contains(source.output.key)) {
    throw wrong_output(source, fmt::format("a dictionary without '{}'", source.output.key));
  }
  return dictionary.at(source.output.key);
}

at::Tensor selected(const c10::IValue& value, const NetworkSource& source) {
  c10::IValue depth = value;
  if (source.output.form == OutputSelector::Form::kTuple) depth = member(value, source);
  if (source.output.form == OutputSelector::Form::kDict) depth = entry(value, source);
  if (!depth.isTensor()) throw wrong_output(source, fmt::format("{} as depth", type_word(depth)));
  return depth.toTensor();
}

class TorchScriptNetwork : public TorchNetwork {
 public:
  TorchScriptNetwork(const torch::jit::Module& module, NetworkSource source)
      : module_(module),
        source_(std::move(source)) {}

  [[nodiscard]] at::Tensor forward(const at::Tensor& batch) const override {
    // forward() is not const in LibTorch, yet safe: a Module is a handle, and running it changes
    // nothing but the executor's own, locked cache.
    torch::jit::Module module = module_;
    return selected(module.forward({batch}), source_);
  }

 private:
  torch::jit::Module module_;
  NetworkSource source_;
};

}  // namespace

std::unique_ptr<TorchNetwork> open_torchscript(const NetworkSource& source,
                                               const std::string& device) {
  try {
    torch::jit::Module module = torch::jit::load(source.file.string(), c10::Device(device));
    module.eval();
    return std::make_unique<TorchScriptNetwork>(module, source);
  } catch (...) {
    throw Error(fmt::format("LibTorch {} cannot load '{}': {}", torch_version(),
                            source.file.string(), torch_reason()))
        .hint("export it again without what this LibTorch lacks (docs/model-cards.md says how)");
  }
}

}  // namespace vergence::predictors
