// SPDX-License-Identifier: Apache-2.0
// Model cards: how a network wants its pictures and what its output means. The format, key by key:
// docs/model-cards.md.
#pragma once

#include "core/depth.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::predictors {

// How the picture's size becomes the network's. Sides are then rounded to `multiple`.
enum class ResizeRule {
  kShortSide,   // short side = size; nearest multiples
  kLowerBound,  // both sides >= size, aspect kept; nearest multiples, but none below size
  kUpperBound,  // both sides <= size, aspect kept; nearest multiples, but none above size
  kMinimal,     // the side closer to size becomes size, aspect kept; nearest multiples
  kExact,       // width x height, aspect ignored
  kFitPad,      // aspect kept inside width x height, the rest padded and cut off the output again
};

enum class Interpolation {
  kBicubic,   // a = -0.75, no antialiasing
  kBilinear,  // no antialiasing
  kArea,      // mean over the pixel's area; bilinear when enlarging
};

// Which value of a network's result is the depth: the tensor itself, member `index` of a tuple or
// list, or entry `key` of a dictionary.
struct OutputSelector {
  enum class Form { kTensor, kTuple, kDict };
  Form form = Form::kTensor;
  int index = 0;
  std::string key;
};

struct CardModel {
  std::string id;            // the predictor's name: letters, digits, "_", "-", "."
  std::string backend;       // "torchscript", or "native:FAMILY"
  std::string license;       // SPDX id, or words
  std::string license_note;  // what a user must know besides
  std::string description;
  bool commercial = true;  // false: the licence of the weights forbids commercial use
};

// The file of weights, and where its authors offer it.
struct CardWeights {
  std::vector<std::string> files;  // names under which it is looked for, the official one first
  std::string url;                 // the official address of files[0]; empty: none
  std::string sha256;              // 64 hexadecimal digits, where a public text states it
  std::int64_t bytes = 0;          // about; 0 = not stated
  std::string source;              // page that describes the network
};

struct CardInput {
  bool bgr = false;                              // channel order
  double range = 1.0;                            // value of white before mean and std: 1 or 255
  std::array<double, 3> mean = {0.0, 0.0, 0.0};  // in that range, in the network's channel order
  std::array<double, 3> std = {1.0, 1.0, 1.0};   // likewise, > 0
  ResizeRule resize = ResizeRule::kExact;
  int size = 0;         // px, for the rules with one side
  cv::Size exact_size;  // px, for kExact and kFitPad
  int multiple = 1;     // px
  int min_side = 0;     // px; no side becomes shorter than this
  Interpolation interpolation = Interpolation::kBicubic;
  bool resize_in_float = true;  // false: on 8-bit values, rounded, as OpenCV does on photos
  std::array<double, 3> pad_value = {0.0, 0.0, 0.0};  // kFitPad: as `mean`, before mean and std
  bool pad_center = true;  // kFitPad: picture in the middle; false: at the top left
};

struct CardOutput {
  OutputSelector depth;
  DepthKind kind = DepthKind::kDisparity;
  bool metric = false;      // kinds with a unit: in metres, not only up to one scale
  bool invert = false;      // the network gives the reciprocal of `kind`
  double multiplier = 1.0;  // network value (after invert) -> `kind` in metres or 1/m
};

struct ModelCard {
  CardModel model;
  CardWeights weights;
  CardInput input;
  CardOutput output;
};

// Reads a card. `name` is what messages call it (the file). Throws Error(kUsage) that lists every
// unknown key, missing key, wrong type, unknown word and value out of range.
[[nodiscard]] ModelCard parse_model_card(std::string_view toml, const std::string& name);
[[nodiscard]] ModelCard read_model_card(const std::filesystem::path& path);

// The picture's size inside the network (kFitPad: without the padding), by the card's rule.
[[nodiscard]] cv::Size network_size(const CardInput& input, cv::Size picture);

// Side of the square picture that suits the network best: taken as it is, or (exact, fit-pad)
// filling its shorter side.
[[nodiscard]] int preferred_size_px(const CardInput& input);

}  // namespace vergence::predictors
