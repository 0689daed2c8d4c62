// SPDX-License-Identifier: Apache-2.0
// Trigonometry for pixel loops. Internal to projection/.
//
// The functions exist twice: for double, the standard library's, and for float, polynomials without
// branches that compilers turn into vector code. Those are off by less than 2e-7 radians, 3e-4
// pixels of an 8K panorama (fitted to least maximum error on the intervals noted).
#pragma once

#include <cmath>
#include <numbers>

namespace vergence::projection::maths {

template <class T>
inline constexpr T kPiOf = std::numbers::pi_v<T>;

// What std::abs, std::min ... do, but such that a loop over them has no branches.
template <class T>
T magnitude(T value) {
  return value < T(0) ? -value : value;
}

template <class T>
T smaller(T a, T b) {
  return a < b ? a : b;
}

// `a` where it is greater, `b` otherwise: also where `a` is NaN.
template <class T>
T greater(T a, T b) {
  return a > b ? a : b;
}

inline double arc_tangent(double y, double x) {
  return std::atan2(y, x);
}

inline float arc_tangent(float y, float x) {
  const float across = magnitude(x);
  const float up = magnitude(y);
  const float t = smaller(across, up) / greater(greater(across, up), 1e-30F);
  const float s = t * t;  // 0..1
  float angle = -0.0040545651F;
  angle = angle * s + 0.02186295F;
  angle = angle * s - 0.0559123151F;
  angle = angle * s + 0.0964219645F;
  angle = angle * s - 0.139086292F;
  angle = angle * s + 0.199465656F;
  angle = angle * s - 0.333298608F;
  angle = (angle * s + 0.999999336F) * t;
  angle = up > across ? kPiOf<float> / 2.0F - angle : angle;
  angle = x < 0.0F ? kPiOf<float> - angle : angle;
  return y < 0.0F ? -angle : angle;
}

inline double sine(double angle) {
  return std::sin(angle);
}

inline float sine(float angle) {
  const float turns = angle * (1.0F / kPiOf<float>);
  const auto half_turns = static_cast<int>(turns + (turns < 0.0F ? -0.5F : 0.5F));
  // pi in two parts, the first of which has few digits: the product is exact.
  const auto whole = static_cast<float>(half_turns);
  const float part = (angle - whole * 3.140625F) - whole * 9.67653589793e-4F;
  const float s = part * part;  // 0..(pi/2)^2
  float value = 2.5904885e-06F;
  value = value * s - 0.000198008978F;
  value = value * s + 0.00833289982F;
  value = value * s - 0.166666476F;
  value = (value * s + 0.999999977F) * part;
  return (half_turns & 1) != 0 ? -value : value;
}

template <class T>
T cosine(T angle) {
  return sine(kPiOf<T> / T(2) - angle);
}

}  // namespace vergence::projection::maths
