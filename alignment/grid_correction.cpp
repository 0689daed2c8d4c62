// SPDX-License-Identifier: Apache-2.0
#include "alignment/grid_correction.hpp"

#include "core/statistics.hpp"

#include <algorithm>
#include <cmath>

#include <Eigen/Cholesky>

namespace vergence::alignment {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

// The four control points around a position in the view, as offsets into the view's block of
// unknowns.
struct Stencil {
  std::array<Index, 4> node;
  std::array<double, 4> weight;
};

Stencil stencil_at(const Observation& observation, int size) {
  const double across = std::clamp<double>(observation.u, 0.0, 1.0) * (size - 1);
  const double down = std::clamp<double>(observation.v, 0.0, 1.0) * (size - 1);
  const int column = std::min(static_cast<int>(across), size - 2);
  const int row = std::min(static_cast<int>(down), size - 2);
  const double fx = across - column;
  const double fy = down - row;
  const Index block = static_cast<Index>(observation.view) * size * size;
  const Index corner = block + static_cast<Index>(row) * size + column;
  return {{corner, corner + 1, corner + size, corner + size + 1},
          {(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy}};
}

// One direction's part of the normal equations of sum_i w_i (l_i + g_i - mean_w(l + g))^2.
void add_direction(std::span<const Observation> group, const std::vector<double>& logs,
                   const std::vector<double>& weights, int size, MatrixXd& normal,
                   VectorXd& right) {
  double total = 0.0;
  double mean = 0.0;
  for (std::size_t i = 0; i < group.size(); ++i) {
    total += weights[i];
    mean += weights[i] * logs[i];
  }
  if (total <= 0.0) return;
  mean /= total;
  std::vector<Stencil> stencils;
  stencils.reserve(group.size());
  for (const auto& observation : group) stencils.push_back(stencil_at(observation, size));
  for (std::size_t i = 0; i < group.size(); ++i) {
    for (std::size_t a = 0; a < 4; ++a) {
      const Index row = stencils[i].node[a];
      const double from = weights[i] * stencils[i].weight[a];
      right[row] -= from * (logs[i] - mean);
      for (std::size_t j = 0; j < group.size(); ++j) {
        const double coupling = (i == j ? 1.0 : 0.0) - weights[j] / total;
        for (std::size_t b = 0; b < 4; ++b) {
          normal(row, stencils[j].node[b]) += from * coupling * stencils[j].weight[b];
        }
      }
    }
  }
}

}  // namespace

float soft_log(float value, float floor) {
  if (value >= floor) return std::log(value);
  return std::log(floor) + std::max(value / floor - 1.0F, -3.0F);
}

std::vector<cv::Mat> fit_grids(const PreparedViews& views, const Observations& observations,
                               const GlobalFit& fit, const AlignmentOptions& options) {
  if (views.views.size() < 2) return {};
  const int size = options.grid_size;
  const Index block = static_cast<Index>(size) * size;
  const Index unknowns = static_cast<Index>(views.views.size()) * block;
  MatrixXd normal = MatrixXd::Zero(unknowns, unknowns);
  VectorXd right = VectorXd::Zero(unknowns);
  const auto floor = static_cast<float>(0.02 * fit.median);
  std::vector<double> logs;
  std::vector<double> weights;
  double data_weight = 0.0;
  for (std::size_t k = 0; k < observations.num_directions(); ++k) {
    const auto group = observations.at(k);
    logs.clear();
    weights.clear();
    for (const auto& observation : group) {
      logs.push_back(
          soft_log(static_cast<float>(
                       fitted(fit.views[static_cast<std::size_t>(observation.view)], observation)),
                   floor));
    }
    const double centre = median(logs);
    for (std::size_t i = 0; i < group.size(); ++i) {
      // Relative noise; robust against depth edges by a Cauchy weight.
      const double noise =
          std::hypot(fit.relative_noise, fit.absolute_noise / std::exp(centre)) + 1e-3;
      const auto& view = fit.views[static_cast<std::size_t>(group[i].view)];
      weights.push_back(group[i].confidence * view.weight / (noise * noise) *
                        cauchy_weight((logs[i] - centre) / noise));
      data_weight += weights.back();
    }
    add_direction(group, logs, weights, size, normal, right);
  }
  const double ridge =
      0.01 * options.grid_ridge * data_weight / static_cast<double>(views.views.size()) + 1e-9;
  normal.diagonal().array() += ridge;
  const VectorXd solution = normal.llt().solve(right);
  std::vector<cv::Mat> grids;
  for (std::size_t i = 0; i < views.views.size(); ++i) {
    cv::Mat grid(size, size, CV_32FC1);
    for (Index node = 0; node < block; ++node) {
      grid.at<float>(static_cast<int>(node / size), static_cast<int>(node % size)) =
          static_cast<float>(solution[static_cast<Index>(i) * block + node]);
    }
    grids.push_back(grid);
  }
  return grids;
}

}  // namespace vergence::alignment
