// SPDX-License-Identifier: Apache-2.0
// Angles are radians in code and degrees in configuration; this type keeps the two apart.
#pragma once

#include <compare>
#include <numbers>

namespace vergence {

inline constexpr double kPi = std::numbers::pi;

class Radians {
 public:
  constexpr Radians() = default;

  explicit constexpr Radians(double value) : value_(value) {}

  [[nodiscard]] static constexpr Radians from_degrees(double degrees) {
    return Radians{degrees * kPi / 180.0};
  }

  [[nodiscard]] constexpr double value() const { return value_; }

  [[nodiscard]] constexpr double degrees() const { return value_ * 180.0 / kPi; }

  // NOLINTNEXTLINE(modernize-use-nullptr): a false alarm of clang-tidy 14
  constexpr auto operator<=>(const Radians&) const = default;

 private:
  double value_ = 0.0;
};

}  // namespace vergence
