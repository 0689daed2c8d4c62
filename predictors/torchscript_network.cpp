// SPDX-License-Identifier: Apache-2.0
#include "core/error.hpp"
#include "predictors/torch_compat.hpp"
#include "predictors/torch_network.hpp"

#include <optional>
#include <regex>

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

Error wrong_output(const std::string& file, const std::string& what) {
  return Error(fmt::format("the network '{}' gives {}", file, what))
      .hint(
          "set 'output.depth' and the other selectors in the card to 'tensor', 'tuple:N' or "
          "'dict:KEY' as the network gives them");
}

c10::IValue member(const c10::IValue& value, std::size_t index, const std::string& file) {
  if (!value.isTuple() && !value.isList()) {
    throw wrong_output(file, fmt::format("{}, no tuple", type_word(value)));
  }
  const std::vector<c10::IValue> members =
      value.isTuple() ? value.toTupleRef().elements().vec() : value.toListRef().vec();
  if (index >= members.size()) {
    throw wrong_output(file, fmt::format("{} of {}, which has no member {}", type_word(value),
                                         members.size(), index));
  }
  return members[index];
}

c10::IValue entry(const c10::IValue& value, const std::string& key, const std::string& file) {
  if (!value.isGenericDict()) {
    throw wrong_output(file, fmt::format("{}, no dictionary", type_word(value)));
  }
  const auto dictionary = value.toGenericDict();
  if (dictionary.keyType()->kind() != c10::TypeKind::StringType || !dictionary.contains(key)) {
    throw wrong_output(file, fmt::format("a dictionary without '{}'", key));
  }
  return dictionary.at(key);
}

at::Tensor selected(const c10::IValue& value, const OutputSelector& selector,
                    const std::string& file) {
  c10::IValue found = value;
  if (selector.form == OutputSelector::Form::kTuple) {
    found = member(value, static_cast<std::size_t>(selector.index), file);
  }
  if (selector.form == OutputSelector::Form::kDict) found = entry(value, selector.key, file);
  if (found.isDouble()) return at::scalar_tensor(found.toDouble());
  if (!found.isTensor()) throw wrong_output(file, fmt::format("{} as depth", type_word(found)));
  return found.toTensor();
}

// As a tensor, or as the number that the network declares.
c10::IValue as_declared(const NetworkArgument& argument, const c10::Argument* declared,
                        const at::Device& device) {
  c10::TypePtr type = declared == nullptr ? c10::TypePtr() : declared->type();
  if (type && type->kind() == c10::TypeKind::OptionalType) {
    type = type->castRaw<c10::OptionalType>()->getElementType();
  }
  if (argument.values.size() == 1 && type) {
    if (type->kind() == c10::TypeKind::FloatType) return argument.values.front();
    if (type->kind() == c10::TypeKind::IntType) {
      return static_cast<std::int64_t>(argument.values.front());
    }
  }
  const at::Tensor values = at::tensor(argument.values, at::kDouble).reshape(argument.shape);
  return values.to(device, argument.integer ? at::kLong : at::kFloat);
}

at::ScalarType scalar_type(InputType type) {
  switch (type) {
    case InputType::kFloat16:
      return at::kHalf;
    case InputType::kBFloat16:
      return at::kBFloat16;
    case InputType::kFloat32:
      break;
  }
  return at::kFloat;
}

class TorchScriptNetwork : public TorchNetwork {
 public:
  TorchScriptNetwork(const torch::jit::Module& module, const NetworkSource& source)
      : module_(module),
        file_(source.file.string()),
        outputs_(source.outputs),
        type_(scalar_type(source.input_type)) {}

  [[nodiscard]] at::Tensor forward(const at::Tensor& batch) const override {
    return evaluate(batch, {}).front();
  }

  [[nodiscard]] std::vector<at::Tensor> evaluate(
      const at::Tensor& batch, std::span<const NetworkArgument> arguments) const override {
    // forward() is not const in LibTorch, yet safe: a Module is a handle, and running it changes
    // nothing but the executor's own, locked cache.
    torch::jit::Module module = module_;
    const auto& declared = module.get_method("forward").function().getSchema().arguments();
    check_count(declared, arguments.size());
    std::vector<c10::IValue> inputs = {batch.to(type_)};
    for (const NetworkArgument& argument : arguments) {
      const std::size_t index = inputs.size() + 1;  // behind the module itself
      const c10::Argument* place = index < declared.size() ? &declared[index] : nullptr;
      inputs.push_back(as_declared(argument, place, batch.device()));
    }
    const c10::IValue result = module.forward(inputs);
    std::vector<at::Tensor> values;
    values.reserve(outputs_.size());
    for (const OutputSelector& selector : outputs_) {
      values.push_back(selected(result, selector, file_));
    }
    return values;
  }

 private:
  // `declared` begins with the module itself and the picture.
  void check_count(const std::vector<c10::Argument>& declared, std::size_t given) const {
    constexpr std::size_t kOwn = 2;
    std::size_t required = 0;
    for (const c10::Argument& argument : declared) required += argument.default_value() ? 0U : 1U;
    if (required <= given + kOwn && declared.size() >= given + kOwn) return;
    throw Error(fmt::format("the network '{}' takes {} inputs besides the picture, but its card "
                            "names {}",
                            file_, std::max(required, kOwn) - kOwn, given))
        .hint("list them in their order as 'input.extra' in the card");
  }

  torch::jit::Module module_;
  std::string file_;
  std::vector<OutputSelector> outputs_;
  at::ScalarType type_;
};

// The operator that LibTorch's message says it does not know.
std::optional<std::string> missing_operator(const std::string& message) {
  std::smatch found;
  const std::regex unknown("Unknown builtin op: ([A-Za-z0-9_:.]*[A-Za-z0-9_])");
  if (!std::regex_search(message, found, unknown)) return std::nullopt;
  return found[1].str();
}

Error cannot_load(const std::string& file) {
  const std::string reason = torch_reason();
  if (const auto name = missing_operator(reason)) {
    return Error(fmt::format("the network '{}' needs the operator '{}', which LibTorch {} does not "
                             "have",
                             file, *name, torch_version()))
        .hint(
            "export it again with that operator written out, fused attention as softmax(q @ "
            "k.transpose(-2, -1) * scale) @ v (docs/model-cards.md says how)");
  }
  return Error(fmt::format("LibTorch {} cannot load '{}': {}", torch_version(), file, reason))
      .hint("export it again without what this LibTorch lacks (docs/model-cards.md says how)");
}

}  // namespace

std::unique_ptr<TorchNetwork> open_torchscript(const NetworkSource& source,
                                               const std::string& device) {
  try {
    torch::jit::Module module = torch::jit::load(source.file.string(), c10::Device(device));
    module.eval();
    return std::make_unique<TorchScriptNetwork>(module, source);
  } catch (...) {
    throw cannot_load(source.file.string());
  }
}

}  // namespace vergence::predictors
