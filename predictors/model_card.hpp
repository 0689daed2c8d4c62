// SPDX-License-Identifier: Apache-2.0
// Model cards: how a network wants its pictures and what its output means. The format, key by key:
// docs/model-cards.md.
#pragma once

#include "core/depth.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::predictors {

// How the picture's size becomes the network's. Sides are then rounded to `multiple`.
enum class ResizeRule {
  kShortSide,    // short side = size; nearest multiples
  kLowerBound,   // both sides >= size, aspect kept; nearest multiples, but none below size
  kUpperBound,   // both sides <= size, aspect kept; nearest multiples, but none above size
  kMinimal,      // the side closer to size becomes size, aspect kept; nearest multiples
  kExact,        // width x height, aspect ignored
  kFitPad,       // aspect kept inside width x height, the rest padded and cut off the output again
  kPixelBudget,  // aspect kept, from min_pixels to max_pixels pixels
};

enum class Rounding { kNearest, kDown, kUp };

enum class Interpolation {
  kBicubic,   // a = -0.75, or -0.5 with antialiasing, as PyTorch does
  kBilinear,  //
  kArea,      // mean over the pixel's area; bilinear when enlarging
};

// What stands around the picture.
enum class PadMode {
  kConstant,  // pad_value
  kReflect,   // the picture mirrored at its outermost pixels
};

// A further input of the network, about the camera or its own size.
enum class ExtraInput {
  kFocalPx,    // [1]: focal length in pixels of the network's input
  kFovX,       // [1]: horizontal field of view of the network's input, degrees
  kK3x3,       // [3, 3]: camera matrix in pixels of the network's input, centres at +0.5
  kK1x3x3,     // [1, 3, 3]: the same as a batch
  kNumTokens,  // [1], integer: CardInput::num_tokens, or the patches in the input if that is 0
};

enum class InputType { kFloat32, kFloat16, kBFloat16 };

// Which value of a network's result is meant: the tensor itself, member `index` of a tuple or list,
// or entry `key` of a dictionary.
struct OutputSelector {
  enum class Form { kTensor, kTuple, kDict };
  Form form = Form::kTensor;
  int index = 0;
  std::string key;
};

// What a network does. Cards of other tasks than depth have no input, output, post and limits:
// their networks are all of one form (core/warp_network.hpp).
enum class NetworkTask {
  kDepth,  // a picture's depth
  kWarp,   // the view of an eye from nearness
};

struct CardModel {
  std::string id;                          // its name: letters, digits, "_", "-", "."
  NetworkTask task = NetworkTask::kDepth;  //
  std::string family;                      // words
  std::string backend;                     // "torchscript", or "native:FAMILY"
  std::string license;                     // SPDX id, or words
  std::string license_note;                // what a user must know besides
  std::string description;
  std::int64_t parameters = 0;  // 0 = not stated
  bool commercial = true;       // false: the licence of the weights forbids commercial use
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
  InputType type = InputType::kFloat32;
  ResizeRule resize = ResizeRule::kExact;
  int size = 0;           // px, for the rules with one side
  cv::Size exact_size;    // px, for kExact and kFitPad
  double min_pixels = 0;  // kPixelBudget
  double max_pixels = 0;  // kPixelBudget
  int multiple = 1;       // px
  Rounding rounding =
      Rounding::kNearest;  // to multiples; kFitPad: of the picture inside, to pixels
  int min_side = 0;        // px; no side becomes shorter than this
  int max_tokens = 0;      // patches of multiple x multiple px that the network can take; 0 = any
  Interpolation interpolation = Interpolation::kBicubic;
  bool align_corners = false;   // outermost pixel centres fall on each other, not outermost edges
  bool antialias = false;       // kBicubic, kBilinear: wider filters when shrinking
  bool resize_in_float = true;  // false: on 8-bit values, rounded, as OpenCV does on photos
  PadMode pad_mode = PadMode::kConstant;
  std::array<double, 3> pad_value = {0.0, 0.0, 0.0};  // kConstant: as `mean`, before mean and std
  bool pad_center = true;  // kFitPad: picture in the middle; false: at the top left
  // Before resizing, floor(border_factor * sqrt(side / 2)) mirrored pixels are put to both ends of
  // each side, and cut off the output again (ZoeDepth).
  double border_factor = 0.0;
  std::vector<ExtraInput> extra;  // in the order in which they follow the picture
  int num_tokens = 0;
};

// Turns a network's depth for one camera that stands for all of them (Metric3D, arXiv 2307.10984,
// section 3.1) into depth for the camera at hand, of focal length f: `ratio` is f / focal with f in
// pixels of the network's input, or f / W / focal with f and the width W in the same pixels.
struct CanonicalCamera {
  bool inverse = false;   // the network gives 1 / depth, which is divided by the ratio
  bool by_width = false;  // f / W
  double focal = 1000.0;  // px, or widths
};

struct CardOutput {
  OutputSelector depth;
  std::optional<OutputSelector> points;      // 3 values per pixel; then z is the depth
  std::optional<OutputSelector> scale;       // one number, a factor to the depth
  std::optional<OutputSelector> mask;        // above 0.5: valid
  std::optional<OutputSelector> sky;         // above 0.5: sky
  std::optional<OutputSelector> confidence;  // larger = surer
  std::optional<OutputSelector> normal;      // 3 values per pixel
  DepthKind kind = DepthKind::kDisparity;
  bool metric = false;       // kinds with a unit: in metres, not only up to one scale
  bool invert = false;       // the network gives the reciprocal of `kind`
  double multiplier = 1.0;   // network value (after invert) -> `kind` in metres or 1/m
  bool shift_solve = false;  // points lack one shift along z, which is found from the camera
  std::optional<CanonicalCamera> canonical;
};

enum class SkyRule {
  kKeep,  // as the network says
  kFar,   // as far as the farthest of the rest, or the end of `clamp`
  kNan,   // missing
};

struct CardLimits {
  // Largest error in bfloat16 as a share of the output's range, measured with the real weights; 0 =
  // not measured. Where it is stated, predictor.precision=auto may choose bfloat16.
  double bfloat16_error = 0.0;
};

struct CardPost {
  bool unpad = true;  // false: the network's output shows the picture without its padding
  std::optional<Interpolation> resize;         // to the picture's size; nothing: the network's own
  std::optional<std::array<double, 2>> clamp;  // of the result, in its unit
  SkyRule sky = SkyRule::kKeep;
  std::optional<double> min_confidence;  // pixels below are missing
  bool flip_average = false;             // average with the mirrored picture
};

struct ModelCard {
  CardModel model;
  CardWeights weights;
  CardInput input;
  CardOutput output;
  CardPost post;
  CardLimits limits;
};

// Reads a card. `name` is what messages call it (the file). Throws Error(kUsage) that lists every
// unknown key, missing key, wrong type, unknown word and value out of range.
[[nodiscard]] ModelCard parse_model_card(std::string_view toml, const std::string& name);
[[nodiscard]] ModelCard read_model_card(const std::filesystem::path& path);

}  // namespace vergence::predictors
