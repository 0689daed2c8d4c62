// SPDX-License-Identifier: Apache-2.0
#include "tests/predictors/formula_weights.hpp"

#include <array>
#include <cmath>
#include <fstream>
#include <numeric>
#include <regex>
#include <stdexcept>

namespace vergence::test {
namespace {

using Shape = std::vector<std::int64_t>;

std::uint64_t fnv1a(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char character : text) {
    hash = (hash ^ static_cast<unsigned char>(character)) * 0x100000001b3U;
  }
  return hash;
}

// Writes scale * u + offset, u in [-1, 1) from the stream of the name.
void fill(const std::string& name, double scale, double offset, std::span<float> values) {
  const std::uint64_t seed = fnv1a(name);
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint64_t z = seed + (i + 1) * 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    z ^= z >> 31U;
    const double u = 2.0 * (static_cast<double>(z >> 40U) / 16777216.0) - 1.0;
    values[i] = static_cast<float>(scale * u + offset);
  }
}

void fill_weights(const std::string& name, const Shape& shape, std::span<float> values) {
  const bool is_head_bias =
      name == "depth_head.scratch.output_conv2.2.bias" || name == "scratch.output_conv.4.bias";
  const double head_offset = is_head_bias ? 3.0 : 0.0;
  if (shape.size() >= 2) {
    const double fan_in = static_cast<double>(values.size()) / static_cast<double>(shape[0]);
    return fill(name, std::sqrt(3.0 / fan_in), head_offset, values);
  }
  const bool near_one =
      name.ends_with("weight") || name.ends_with("gamma") || name.ends_with("running_var");
  fill(name, 0.1, (near_one ? 1.0 : 0.0) + head_offset, values);
}

Shape parse_shape(const std::string& text) {
  Shape shape;
  const std::regex number("[0-9]+");
  for (std::sregex_iterator it(text.begin(), text.end(), number), end; it != end; ++it) {
    shape.push_back(std::stoll(it->str()));
  }
  return shape;
}

}  // namespace

std::vector<TensorSource> formula_weights(const std::filesystem::path& keys) {
  std::ifstream file(keys);
  if (!file) throw std::runtime_error("cannot read " + keys.string());
  std::vector<TensorSource> tensors;
  const std::regex entry(R"((\S+) \((.*?)\)(?: torch\.(float32|int64))?)");
  std::string line;
  while (std::getline(file, line)) {
    std::smatch parts;
    if (!std::regex_match(line, parts, entry)) throw std::runtime_error("no entry: " + line);
    TensorSource tensor;
    tensor.name = parts[1];
    tensor.shape = parse_shape(parts[2]);
    if (parts[3] == "int64") {
      tensor.type = predictors::ScalarType::kI64;
      tensor.fill = [](std::span<float> values) { std::fill(values.begin(), values.end(), 0.0F); };
    } else {
      tensor.fill = [name = tensor.name, shape = tensor.shape](std::span<float> values) {
        fill_weights(name, shape, values);
      };
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

cv::Mat formula_input(const std::string& name, int height, int width) {
  const std::array<int, 4> shape = {1, 3, height, width};
  cv::Mat values(4, shape.data(), CV_32F);
  fill(name, 2.0, 0.0, {values.ptr<float>(), values.total()});
  return values;
}

}  // namespace vergence::test
