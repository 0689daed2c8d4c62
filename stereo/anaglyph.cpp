// SPDX-License-Identifier: Apache-2.0
#include "stereo/anaglyph.hpp"

#include "core/parallel.hpp"
#include "stereo/pixel.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

namespace vergence::stereo {
namespace {

using Colour = std::array<float, 3>;
using Matrix = std::array<Colour, 3>;

// What each eye's colours add to red, green and blue.
struct Recipe {
  Matrix left;
  Matrix right;
  bool linear_light;
  bool cut_parts;  // the contribution of each eye to 0..1, not only the sum
};

constexpr Colour kNone = {0.0F, 0.0F, 0.0F};
constexpr Colour kRed = {1.0F, 0.0F, 0.0F};
constexpr Colour kGreen = {0.0F, 1.0F, 0.0F};
constexpr Colour kBlue = {0.0F, 0.0F, 1.0F};
constexpr Colour kLuma = {0.299F, 0.587F, 0.114F};  // BT.601

// E. Dubois, "Conversion of a stereo pair to anaglyph with the least-squares projection method",
// www.site.uottawa.ca/~edubois/anaglyph. The matrices for amber-blue and green-magenta glasses
// stand there too; FFmpeg's vf_stereo3d has the same ones (amber-blue divided by 1.062), as have
// Camera3D's AnaglyphConstants.
constexpr Matrix kDuboisLeft = {
    {{0.437F, 0.449F, 0.164F}, {-0.062F, -0.062F, -0.024F}, {-0.048F, -0.050F, -0.017F}}};
constexpr Matrix kDuboisRight = {
    {{-0.011F, -0.032F, -0.007F}, {0.377F, 0.761F, 0.009F}, {-0.026F, -0.093F, 1.234F}}};

constexpr std::array<Recipe, 9> kRecipes = {{
    {{{kRed, kNone, kNone}}, {{kNone, kGreen, kBlue}}, false, false},
    {{{kLuma, kNone, kNone}}, {{kNone, kLuma, kLuma}}, false, false},
    {{{kLuma, kNone, kNone}}, {{kNone, kGreen, kBlue}}, false, false},
    {{{{0.0F, 0.7F, 0.3F}, kNone, kNone}}, {{kNone, kGreen, kBlue}}, false, false},
    {{{{0.0F, 0.75F, 0.25F}, kNone, kNone}}, {{kNone, kGreen, kBlue}}, false, false},
    {kDuboisLeft, kDuboisRight, true, true},
    {kDuboisLeft, kDuboisRight, true, false},
    {{{{1.062F, -0.205F, 0.299F}, {-0.026F, 0.908F, 0.068F}, {-0.038F, -0.173F, 0.022F}}},
     {{{-0.016F, -0.123F, -0.017F}, {0.006F, 0.062F, -0.017F}, {0.094F, 0.185F, 0.911F}}},
     true,
     false},
    {{{{-0.062F, -0.158F, -0.039F}, {0.284F, 0.668F, 0.143F}, {-0.015F, -0.027F, 0.021F}}},
     {{{0.529F, 0.705F, 0.024F}, {-0.016F, -0.015F, -0.065F}, {0.009F, 0.075F, 0.937F}}},
     true,
     false},
}};

constexpr std::array<std::string_view, 9> kWords = {"color",   "gray",       "half_color",
                                                    "wimmer",  "wimmer2",    "dubois",
                                                    "dubois2", "amber_blue", "green_magenta"};

float linear_from_srgb(float value) {
  return value <= 0.04045F ? value / 12.92F : std::pow((value + 0.055F) / 1.055F, 2.4F);
}

float srgb_from_linear(float value) {
  return value <= 0.0031308F ? value * 12.92F : 1.055F * std::pow(value, 1.0F / 2.4F) - 0.055F;
}

float dot(const Colour& a, const Colour& b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

// Red goes to green and blue, where the red filter's eye would miss it.
void spread_red(Colour& colour) {
  const float red = colour[0];
  colour[1] += 0.45F * std::max(0.0F, red - colour[1]);
  colour[2] += 0.25F * std::max(0.0F, red - colour[2]);
}

// Values of a channel as floats, in linear light if so; tables where there are few of them.
template <class T>
class Decoder {
 public:
  explicit Decoder(bool linear) : linear_(linear) {
    if constexpr (!std::is_same_v<T, float>) {
      table_.resize(static_cast<std::size_t>(kFullScale<T>) + 1);
      for (std::size_t i = 0; i < table_.size(); ++i) {
        table_[i] = decode(static_cast<float>(i) / kFullScale<T>);
      }
    }
  }

  float operator()(T value) const {
    if constexpr (std::is_same_v<T, float>) {
      return decode(value);
    } else {
      return table_[value];
    }
  }

 private:
  [[nodiscard]] float decode(float value) const {
    return linear_ ? linear_from_srgb(value) : value;
  }

  bool linear_;
  std::vector<float> table_;
};

// Back from 0..1. 8-bit pixels take it from a table fine enough for half a tenth of a level.
template <class T>
class Encoder {
 public:
  explicit Encoder(bool linear) : linear_(linear) {
    if (!linear || !std::is_same_v<T, std::uint8_t>) return;
    table_.resize(kSteps + 1);
    for (std::size_t i = 0; i <= kSteps; ++i) {
      table_[i] = to_pixel(srgb_from_linear(static_cast<float>(i) / kSteps));
    }
  }

  T operator()(float value) const {
    const float cut = std::clamp(value, 0.0F, 1.0F);
    if (!linear_) return to_pixel(cut);
    if (!table_.empty()) return table_[static_cast<std::size_t>(cut * kSteps + kHalf)];
    return to_pixel(srgb_from_linear(cut));
  }

 private:
  static constexpr std::size_t kSteps = 1U << 16U;

  static T to_pixel(float value) { return rounded<T>(value * kFullScale<T>); }

  bool linear_;
  std::vector<T> table_;
};

Colour mix(const Recipe& recipe, const Colour& left, const Colour& right) {
  Colour mixed{};
  for (std::size_t c = 0; c < 3; ++c) {
    float from_left = dot(recipe.left[c], left);
    float from_right = dot(recipe.right[c], right);
    if (recipe.cut_parts) {
      from_left = std::clamp(from_left, 0.0F, 1.0F);
      from_right = std::clamp(from_right, 0.0F, 1.0F);
    }
    mixed[c] = from_left + from_right;
  }
  return mixed;
}

template <class T>
void mix_pictures(const cv::Mat& left, const cv::Mat& right, Anaglyph kind, cv::Mat& picture) {
  const Recipe& recipe = kRecipes.at(static_cast<std::size_t>(kind));
  const Decoder<T> decode(recipe.linear_light);
  const Encoder<T> encode(recipe.linear_light);
  const bool wimmer2 = kind == Anaglyph::kWimmer2;
  parallel_for(0, left.rows, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      const T* a = left.ptr<T>(y);
      const T* b = right.ptr<T>(y);
      T* out = picture.ptr<T>(y);
      for (int x = 0; x < left.cols; ++x, a += 3, b += 3, out += 3) {
        Colour from_left = {decode(a[0]), decode(a[1]), decode(a[2])};
        Colour from_right = {decode(b[0]), decode(b[1]), decode(b[2])};
        if (wimmer2) {
          spread_red(from_left);
          spread_red(from_right);
        }
        Colour mixed = mix(recipe, from_left, from_right);
        if (wimmer2) mixed[0] = std::pow(std::max(mixed[0], 0.0F), 1.0F / 1.6F);
        for (std::size_t c = 0; c < 3; ++c) out[c] = encode(mixed[c]);
      }
    }
  });
}

}  // namespace

std::string_view to_string(Anaglyph kind) {
  return kWords.at(static_cast<std::size_t>(kind));
}

std::optional<Anaglyph> anaglyph_from_string(std::string_view word) {
  std::string plain(word);
  std::replace(plain.begin(), plain.end(), '-', '_');
  const auto found = std::find(kWords.begin(), kWords.end(), plain);
  if (found == kWords.end()) return std::nullopt;
  return static_cast<Anaglyph>(found - kWords.begin());
}

std::span<const std::string_view> anaglyph_words() {
  return kWords;
}

void make_anaglyph(const cv::Mat& left, const cv::Mat& right, Anaglyph kind, cv::Mat& picture) {
  if (left.size() != right.size() || left.type() != right.type() || left.channels() != 3) {
    throw std::invalid_argument("an anaglyph is made of two RGB pictures of one size and type");
  }
  cv::Mat result = picture;  // the caller's memory is used again, unless it is one of the eyes
  if (result.data == left.data || result.data == right.data) result = cv::Mat();
  result.create(left.size(), left.type());
  switch (left.depth()) {
    case CV_8U:
      mix_pictures<std::uint8_t>(left, right, kind, result);
      break;
    case CV_16U:
      mix_pictures<std::uint16_t>(left, right, kind, result);
      break;
    case CV_32F:
      mix_pictures<float>(left, right, kind, result);
      break;
    default:
      throw std::invalid_argument("an anaglyph has 8 or 16 bits or floating point");
  }
  picture = result;
}

}  // namespace vergence::stereo
