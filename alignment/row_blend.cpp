// SPDX-License-Identifier: Apache-2.0
#include "alignment/row_blend.hpp"

#include "core/parallel.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace vergence::alignment {
namespace {

constexpr int kBlock = 32;              // columns that are tested for coverage together
constexpr float kFeatherWidth = 0.35F;  // border distance at which a view counts in full

// A view's camera in single precision: u = 0.5 + ax * rx / -rz, v likewise downwards.
struct Camera {
  float column[3][3];  // column[c] = row c of view_from_world, as coefficients of (x, y, z)
  float across;        // 1 / (2 tan(fov_x / 2))
  float down;
  Eigen::Vector3f axis;
  float reach;  // angle from the axis to the farthest corner
};

Camera camera_of(const projection::TangentView& view) {
  Camera camera{};
  const Eigen::Matrix3d view_from_world = view.world_from_view.transpose();
  for (int r = 0; r < 3; ++r) {
    for (int c = 0; c < 3; ++c) camera.column[r][c] = static_cast<float>(view_from_world(r, c));
  }
  const double tan_x = std::tan(view.fov_x.value() / 2.0);
  const double tan_y = std::tan(view.fov_y.value() / 2.0);
  camera.across = static_cast<float>(0.5 / tan_x);
  camera.down = static_cast<float>(0.5 / tan_y);
  camera.axis = -view.world_from_view.col(2).cast<float>();
  camera.reach = static_cast<float>(std::atan(std::hypot(tan_x, tan_y)));
  return camera;
}

// One view's samples along one row; weights are 0 where the view does not see.
struct Line {
  std::vector<float> value;
  std::vector<float> mean_weight;
  std::vector<float> edge_weight;
  std::vector<unsigned char> blocks;  // which blocks of columns may hold something
};

struct LongitudeTables {
  std::vector<float> sine;
  std::vector<float> cosine;

  explicit LongitudeTables(int width) {
    for (int x = 0; x < width; ++x) {
      const double longitude = (x + 0.5) / width * 2.0 * kPi - kPi;
      sine.push_back(static_cast<float>(std::sin(longitude)));
      cosine.push_back(static_cast<float>(std::cos(longitude)));
    }
  }
};

class RowSampler {
 public:
  RowSampler(const BlendView& view, const LongitudeTables& tables)
      : view_(view),
        tables_(tables),
        camera_(camera_of(view.view)) {}

  // Fills `line` for the row at `latitude`.
  void sample(double latitude, Line& line) const {
    const int width = static_cast<int>(tables_.sine.size());
    const int num_blocks = (width + kBlock - 1) / kBlock;
    line.value.assign(static_cast<std::size_t>(width), 0.0F);
    line.mean_weight.assign(static_cast<std::size_t>(width), 0.0F);
    line.edge_weight.assign(static_cast<std::size_t>(width), 0.0F);
    line.blocks.assign(static_cast<std::size_t>(num_blocks), 0);
    const auto ring = static_cast<float>(std::cos(latitude));
    const auto height = static_cast<float>(std::sin(latitude));
    const float block_reach = static_cast<float>(kPi) * kBlock / static_cast<float>(width);
    const float limit =
        std::cos(std::min(static_cast<float>(kPi), camera_.reach + block_reach + 0.01F));
    for (int block = 0; block < num_blocks; ++block) {
      const int first = block * kBlock;
      const int last = std::min(width, first + kBlock);
      const auto middle = static_cast<std::size_t>((first + last) / 2);
      const Eigen::Vector3f direction{ring * tables_.sine[middle], height,
                                      -ring * tables_.cosine[middle]};
      if (camera_.axis.dot(direction) < limit) continue;
      line.blocks[static_cast<std::size_t>(block)] = 1;
      sample_block(first, last, ring, height, line);
    }
  }

 private:
  void sample_block(int first, int last, float ring, float height, Line& line) const {
    float u[kBlock];
    float v[kBlock];
    const auto& m = camera_.column;
    const int count = last - first;
    const float* sine = tables_.sine.data() + first;
    const float* cosine = tables_.cosine.data() + first;
    for (int i = 0; i < count; ++i) {
      const float x = ring * sine[i];
      const float z = -ring * cosine[i];
      const float rx = m[0][0] * x + m[0][1] * height + m[0][2] * z;
      const float ry = m[1][0] * x + m[1][1] * height + m[1][2] * z;
      const float rz = m[2][0] * x + m[2][1] * height + m[2][2] * z;
      const float inverse = rz < -1e-6F ? -1.0F / rz : 1e9F;
      u[i] = 0.5F + camera_.across * rx * inverse;
      v[i] = 0.5F - camera_.down * ry * inverse;
    }
    for (int i = 0; i < count; ++i) {
      const float across = std::min(u[i], 1.0F - u[i]);
      const float down = std::min(v[i], 1.0F - v[i]);
      const float border = 2.0F * std::min(across, down);
      if (!(border > 0.0F)) continue;
      look_up(u[i], v[i], border, static_cast<std::size_t>(first) + static_cast<std::size_t>(i),
              line);
    }
  }

  void look_up(float u, float v, float border, std::size_t x, Line& line) const {
    const cv::Mat& map = view_.value;
    const float px =
        std::clamp(u * static_cast<float>(map.cols) - 0.5F, 0.0F, static_cast<float>(map.cols - 1));
    const float py =
        std::clamp(v * static_cast<float>(map.rows) - 0.5F, 0.0F, static_cast<float>(map.rows - 1));
    const int left = std::min(static_cast<int>(px), std::max(0, map.cols - 2));
    const int top = std::min(static_cast<int>(py), std::max(0, map.rows - 2));
    const int right = std::min(left + 1, map.cols - 1);
    const int bottom = std::min(top + 1, map.rows - 1);
    const float fx = px - static_cast<float>(left);
    const float fy = py - static_cast<float>(top);
    const int row = fy < 0.5F ? top : bottom;
    const int column = fx < 0.5F ? left : right;
    const float confidence = view_.confidence.ptr<float>(row)[column];
    if (confidence <= 0.0F) return;
    const auto* upper = map.ptr<float>(top);
    const auto* lower = map.ptr<float>(bottom);
    const float a = upper[left] + fx * (upper[right] - upper[left]);
    const float b = lower[left] + fx * (lower[right] - lower[left]);
    line.value[x] = a + fy * (b - a);
    const float weight = view_.trust * feather(border);
    line.mean_weight[x] = weight * confidence + 1e-12F;
    line.edge_weight[x] = weight + 1e-12F;
    if (!view_.edge_weight.empty()) {
      line.edge_weight[x] *= view_.edge_weight.ptr<float>(row)[column];
    }
  }

  const BlendView& view_;
  const LongitudeTables& tables_;
  Camera camera_;
};

// Calls function(first, last) for the runs of columns in which `line` may hold something.
template <class Function>
void for_each_run(const Line& line, int width, Function function) {
  const int num_blocks = static_cast<int>(line.blocks.size());
  for (int block = 0; block < num_blocks; ++block) {
    if (line.blocks[static_cast<std::size_t>(block)] == 0) continue;
    int end = block;
    while (end < num_blocks && line.blocks[static_cast<std::size_t>(end)] != 0) ++end;
    function(block * kBlock, std::min(width, end * kBlock));
    block = end;
  }
}

// Mean over the views of one row.
void blend_mean(std::span<const Line> lines, int width, float* base, unsigned char* covered) {
  std::vector<float> total(static_cast<std::size_t>(width), 0.0F);
  std::fill(base, base + width, 0.0F);
  for (const auto& line : lines) {
    for_each_run(line, width, [&](int first, int last) {
      for (int x = first; x < last; ++x) {
        const auto i = static_cast<std::size_t>(x);
        base[x] += line.mean_weight[i] * line.value[i];
        total[i] += line.mean_weight[i];
      }
    });
  }
  for (int x = 0; x < width; ++x) {
    const float weight = total[static_cast<std::size_t>(x)];
    covered[x] = weight > 0.0F ? 255 : 0;
    base[x] = weight > 0.0F ? base[x] / weight : 0.0F;
  }
}

// Weighted mean of differences taken inside single views: next[x + offset] - here[x].
void blend_gradient(std::span<const Line> here, std::span<const Line> next, int offset, int width,
                    float* gradient) {
  std::vector<float> total(static_cast<std::size_t>(width), 0.0F);
  std::fill(gradient, gradient + width, 0.0F);
  for (std::size_t view = 0; view < here.size(); ++view) {
    const Line& from = here[view];
    const Line& to = next[view];
    const auto add = [&](int x, int other) {
      const auto i = static_cast<std::size_t>(x);
      const auto j = static_cast<std::size_t>(other);
      const float weight = std::min(from.edge_weight[i], to.edge_weight[j]);
      gradient[x] += weight * (to.value[j] - from.value[i]);
      total[i] += weight;
    };
    for_each_run(from, width, [&](int first, int last) {
      const int end = std::min(last, width - offset);
      for (int x = first; x < end; ++x) add(x, x + offset);
      if (end < last) add(width - 1, 0);
    });
  }
  for (int x = 0; x < width; ++x) {
    const float weight = total[static_cast<std::size_t>(x)];
    gradient[x] = weight > 0.0F ? gradient[x] / weight : 0.0F;
  }
}

}  // namespace

float feather(float border) {
  const float s = std::clamp(border / kFeatherWidth, 0.0F, 1.0F);
  return s * s * (3.0F - 2.0F * s);
}

BlendedRows blend_rows(std::span<const BlendView> views, int width, int height,
                       bool with_gradients) {
  BlendedRows result;
  const cv::Size size(width, height);
  result.base.create(size, CV_32FC1);
  result.covered.create(size, CV_8UC1);
  if (with_gradients) {
    result.gradient_x.create(size, CV_32FC1);
    result.gradient_y.create(size, CV_32FC1);
  }
  const LongitudeTables tables(width);
  std::vector<RowSampler> samplers;
  for (const auto& view : views) samplers.emplace_back(view, tables);
  const auto sample_row = [&](int y, std::vector<Line>& lines) {
    const double latitude = kPi / 2.0 - (y + 0.5) / height * kPi;
    for (std::size_t i = 0; i < samplers.size(); ++i) samplers[i].sample(latitude, lines[i]);
  };
  parallel_for(
      0, height,
      [&](int first, int last) {
        std::vector<Line> here(views.size());
        std::vector<Line> next(views.size());
        sample_row(first, here);
        for (int y = first; y < last; ++y) {
          blend_mean(here, width, result.base.ptr<float>(y), result.covered.ptr(y));
          const bool is_last = y + 1 == height;
          if ((with_gradients || y + 1 < last) && !is_last) sample_row(y + 1, next);
          if (with_gradients) {
            blend_gradient(here, here, 1, width, result.gradient_x.ptr<float>(y));
            blend_gradient(here, is_last ? here : next, 0, width, result.gradient_y.ptr<float>(y));
          }
          std::swap(here, next);
        }
      },
      32);
  return result;
}

}  // namespace vergence::alignment
