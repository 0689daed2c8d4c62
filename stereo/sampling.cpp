// SPDX-License-Identifier: Apache-2.0
#include "stereo/sampling.hpp"

#include <cmath>
#include <numbers>
#include <vector>

namespace vergence::stereo {
namespace {

constexpr int kNumPhases = 512;

using Taps = std::array<float, 6>;

double keys(double x) {  // Keys, "Cubic Convolution Interpolation", 1981, a = -0.5
  x = std::abs(x);
  if (x >= 2.0) return 0.0;
  return x <= 1.0 ? (1.5 * x - 2.5) * x * x + 1.0 : ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0;
}

double lanczos(double x) {
  if (x == 0.0) return 1.0;
  if (std::abs(x) >= 3.0) return 0.0;
  const double angle = std::numbers::pi * x;
  return 3.0 * std::sin(angle) * std::sin(angle / 3.0) / (angle * angle);
}

std::vector<Taps> table_of(int reach, double (*kernel)(double)) {
  std::vector<Taps> table(kNumPhases + 1, Taps{});
  for (int phase = 0; phase <= kNumPhases; ++phase) {
    Taps& taps = table[static_cast<std::size_t>(phase)];
    double sum = 0.0;
    for (int i = 0; i < 2 * reach; ++i) {
      sum += kernel(i + 1 - reach - static_cast<double>(phase) / kNumPhases);
    }
    for (int i = 0; i < 2 * reach; ++i) {
      const double offset = i + 1 - reach - static_cast<double>(phase) / kNumPhases;
      taps[static_cast<std::size_t>(i)] = static_cast<float>(kernel(offset) / sum);
    }
  }
  return table;
}

}  // namespace

std::array<float, 6> tap_weights(Interpolation interpolation, float part) {
  static const std::vector<Taps> kBicubicTable = table_of(2, keys);
  static const std::vector<Taps> kLanczosTable = table_of(3, lanczos);
  const auto phase = static_cast<std::size_t>(part * kNumPhases + kHalf);
  return interpolation == Interpolation::kLanczos ? kLanczosTable[phase] : kBicubicTable[phase];
}

}  // namespace vergence::stereo
