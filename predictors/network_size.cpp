// SPDX-License-Identifier: Apache-2.0
#include "predictors/network_size.hpp"

#include <algorithm>
#include <cmath>

namespace vergence::predictors {
namespace {

constexpr double kLargestSide = 1e9;

double rounded(double value, Rounding rounding) {
  switch (rounding) {
    case Rounding::kDown:
      return std::floor(value);
    case Rounding::kUp:
      return std::ceil(value);
    case Rounding::kNearest:
      break;
  }
  return std::nearbyint(value);  // half to even, as the originals do
}

// `side` is the wanted length in pixels; the result lies on the rule's side of `bound`.
int to_multiple(const CardInput& input, double side, double bound) {
  const double multiple = input.multiple;
  double result = rounded(side / multiple, input.rounding) * multiple;
  if (input.resize == ResizeRule::kLowerBound && result < bound) {
    result = std::ceil(side / multiple) * multiple;
  }
  if (input.resize == ResizeRule::kUpperBound && result > bound) {
    result = std::floor(side / multiple) * multiple;
  }
  const double shortest =
      std::ceil(static_cast<double>(std::max(1, input.min_side)) / multiple) * multiple;
  return static_cast<int>(std::min(std::max(result, shortest), kLargestSide));
}

cv::Size inside_frame(const CardInput& input, cv::Size picture) {
  const double scale = std::min(static_cast<double>(input.exact_size.width) / picture.width,
                                static_cast<double>(input.exact_size.height) / picture.height);
  const auto side = [&](int length, int highest) {
    // The longer side fills the frame exactly; what rounding makes of it is none of the rule.
    const double exact = length * scale;
    const double nearest = std::nearbyint(exact);
    const double whole =
        std::abs(exact - nearest) < 1e-6 ? nearest : rounded(exact, input.rounding);
    return std::clamp(static_cast<int>(whole), 1, highest);
  };
  return {side(picture.width, input.exact_size.width),
          side(picture.height, input.exact_size.height)};
}

// Sides are cut to whole pixels before they are brought to multiples, as UniDepth does.
cv::Size within_budget(const CardInput& input, cv::Size picture) {
  const double area = static_cast<double>(picture.width) * picture.height;
  const double factor = std::sqrt(std::clamp(area, input.min_pixels, input.max_pixels) / area);
  return {to_multiple(input, std::floor(picture.width * factor), 0.0),
          to_multiple(input, std::floor(picture.height * factor), 0.0)};
}

// The side of the picture that becomes CardInput::size.
int reference_side(const CardInput& input, cv::Size picture) {
  const auto [shorter, longer] = std::minmax(picture.width, picture.height);
  if (input.resize == ResizeRule::kUpperBound) return longer;
  if (input.resize != ResizeRule::kMinimal) return shorter;
  const auto change = [&](int side) {
    return std::abs(1.0 - static_cast<double>(input.size) / side);
  };
  return change(picture.width) < change(picture.height) ? picture.width : picture.height;
}

cv::Size by_one_side(const CardInput& input, cv::Size picture) {
  const double size = input.size;
  const double reference = reference_side(input, picture);
  const auto side = [&](int length) {
    // The originals multiply by a scale, and so fall to its side of a tie; but a side that comes
    // out whole must not be rounded down below itself.
    const double exact = input.rounding == Rounding::kNearest ? length * (size / reference)
                                                              : length * size / reference;
    return to_multiple(input, exact, size);
  };
  return {side(picture.width), side(picture.height)};
}

// Fewer patches, at the same aspect as well as whole patches allow.
cv::Size with_fewer_tokens(const CardInput& input, cv::Size size) {
  const double columns = static_cast<double>(size.width) / input.multiple;
  const double rows = static_cast<double>(size.height) / input.multiple;
  if (input.max_tokens == 0 || columns * rows <= input.max_tokens) return size;
  const double factor = std::sqrt(input.max_tokens / (columns * rows));
  const double fewer_columns =
      std::clamp(std::floor(columns * factor), 1.0, static_cast<double>(input.max_tokens));
  const double fewer_rows =
      std::clamp(std::floor(rows * factor), 1.0, std::floor(input.max_tokens / fewer_columns));
  return {static_cast<int>(fewer_columns) * input.multiple,
          static_cast<int>(fewer_rows) * input.multiple};
}

}  // namespace

bool has_fixed_size(const CardInput& input) {
  return input.resize == ResizeRule::kExact || input.resize == ResizeRule::kFitPad;
}

cv::Size network_size(const CardInput& input, cv::Size picture) {
  if (input.resize == ResizeRule::kExact) return input.exact_size;
  if (input.resize == ResizeRule::kFitPad) return inside_frame(input, picture);
  const cv::Size size = input.resize == ResizeRule::kPixelBudget ? within_budget(input, picture)
                                                                 : by_one_side(input, picture);
  return with_fewer_tokens(input, size);
}

int preferred_size_px(const CardInput& input) {
  if (has_fixed_size(input)) return std::min(input.exact_size.width, input.exact_size.height);
  constexpr int kAnySide = 1024;
  return network_size(input, {kAnySide, kAnySide}).width;
}

}  // namespace vergence::predictors
