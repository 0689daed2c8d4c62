// SPDX-License-Identifier: Apache-2.0
#include "stereo/sphere_domain.hpp"

#include "core/parallel.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include <Eigen/Geometry>

namespace vergence::stereo {
namespace {

// Beside what the eyes see, the domain goes on by this angle at least, or by half its width.
constexpr double kMargin = 15.0 * kPi / 180.0;

// Rows of the domain of parallel eyes per pixel of their picture. Rows converge on both sides of
// the middle, and how far things move differs little from row to row: fewer do as well.
constexpr double kRowsPerPixel = 0.75;

// Nearer to whole columns and rows than this they are taken for whole, pixels.
constexpr double kWhole = 1e-3;

struct Steps {
  double column;
  double row;
};

double angle_between(const Eigen::Vector3d& a, const Eigen::Vector3d& b) {
  return std::atan2(a.cross(b).norm(), a.dot(b));
}

// Angles from one pixel to the next where the eye looks straight ahead.
Steps steps_of(const projection::PictureModel& eye) {
  if (const auto window = eye.window()) {
    return {2.0 * kPi / window->full_width, kPi / window->full_height};
  }
  const double even = 1.0 / eye.pixels_per_radian();
  const auto middle = eye.pixel_of({0.0, 0.0, -1.0});
  if (!middle) return {even, even};
  constexpr double kHalf = 0.5;
  const auto left = eye.direction_at(middle->x() - kHalf, middle->y());
  const auto right = eye.direction_at(middle->x() + kHalf, middle->y());
  const auto above = eye.direction_at(middle->x(), middle->y() - kHalf);
  const auto below = eye.direction_at(middle->x(), middle->y() + kHalf);
  if (!left || !right || !above || !below) return {even, even};
  return {angle_between(*left, *right), angle_between(*above, *below)};
}

cv::Point2d angles_of(EyeGeometry geometry, const cv::Point3f& d) {
  if (geometry == EyeGeometry::kParallel) {
    return {std::atan2(d.x, std::hypot(d.y, d.z)), std::atan2(d.y, -d.z)};
  }
  return {std::atan2(d.x, -d.z), std::atan2(d.y, std::hypot(d.x, d.z))};
}

// The column and row angles of all pixels of the eye (CV_32FC2), NaN where it shows nothing.
cv::Mat angle_table(EyeGeometry geometry, const projection::PictureModel& eye) {
  const cv::Size size = eye.size();
  cv::Mat angles(size, CV_32FC2);
  parallel_for(0, size.height, [&](int first, int last) {
    const auto width = static_cast<std::size_t>(size.width);
    std::vector<cv::Point2f> points(width);
    std::vector<cv::Point3f> directions(width);
    for (int y = first; y < last; ++y) {
      for (int x = 0; x < size.width; ++x) {
        points[static_cast<std::size_t>(x)] = {static_cast<float>(x) + 0.5F,
                                               static_cast<float>(y) + 0.5F};
      }
      eye.directions_at(points, directions);
      auto* const row = angles.ptr<cv::Vec2f>(y);
      for (std::size_t x = 0; x < width; ++x) {
        const cv::Point2d at = angles_of(geometry, directions[x]);
        row[x] = {static_cast<float>(at.x), static_cast<float>(at.y)};
      }
    }
  });
  return angles;
}

struct Extent {
  double least = 1e9;
  double most = -1e9;

  void take(double value) {
    least = std::min(least, value);
    most = std::max(most, value);
  }
};

// Rows from the highest to the lowest that the eye sees, all around where that is nearly a turn.
void place_rows(const Extent& seen, double step, SphereDomain& domain) {
  domain.row_step = -step;
  constexpr double kBeside = 2.0;  // rows
  const double range = seen.most - seen.least;
  if (range + 2.0 * kBeside * step >= 2.0 * kPi) {
    domain.size.height = std::max(4, static_cast<int>(std::lround(2.0 * kPi / step)));
    domain.row_step = -2.0 * kPi / domain.size.height;
    domain.first_row = kPi + 0.5 * domain.row_step;
    domain.wrap_rows = true;
    return;
  }
  constexpr double kRounding = 1e-6;
  const double quarter = kPi / 2.0 + kRounding;
  const bool half = seen.most <= quarter && seen.least >= -quarter;
  double top = seen.most + kBeside * step;
  double bottom = seen.least - kBeside * step;
  if (half) {
    top = std::min(top, kPi / 2.0);
    bottom = std::max(bottom, -kPi / 2.0);
  }
  domain.size.height = std::max(2, static_cast<int>(std::lround((top - bottom) / step)));
  domain.row_step = (bottom - top) / domain.size.height;
  domain.first_row = top + 0.5 * domain.row_step;
}

void place_columns(const Extent& seen, double step, SphereDomain& domain) {
  const double margin = std::max(kMargin, 0.5 * (seen.most - seen.least));
  const double left = std::max(seen.least - margin, -kPi / 2.0);
  const double right = std::min(seen.most + margin, kPi / 2.0);
  domain.size.width = std::max(4, static_cast<int>(std::lround((right - left) / step)));
  domain.column_step = (right - left) / domain.size.width;
  domain.first_column = left + 0.5 * domain.column_step;
}

SphereDomain place_domain(EyeGeometry geometry, const Steps& steps, const cv::Mat& angles) {
  SphereDomain domain;
  domain.geometry = geometry;
  if (geometry == EyeGeometry::kOmnidirectional) {
    domain.size = {std::max(4, static_cast<int>(std::lround(2.0 * kPi / steps.column))),
                   std::max(2, static_cast<int>(std::lround(kPi / steps.row)))};
    domain.column_step = 2.0 * kPi / domain.size.width;
    domain.row_step = -kPi / domain.size.height;
    domain.first_column = -kPi + 0.5 * domain.column_step;
    domain.first_row = kPi / 2.0 + 0.5 * domain.row_step;
    domain.wrap_columns = true;
    return domain;
  }
  Extent columns;
  Extent rows;
  for (int y = 0; y < angles.rows; ++y) {
    const auto* const row = angles.ptr<cv::Vec2f>(y);
    for (int x = 0; x < angles.cols; ++x) {
      if (std::isnan(row[x][0])) continue;
      columns.take(row[x][0]);
      rows.take(row[x][1]);
    }
  }
  place_columns(columns, steps.column, domain);
  place_rows(rows, steps.row / kRowsPerPixel, domain);
  return domain;
}

// Columns or rows for an angle.
float position_of(double angle, double first, double step, int turn) {
  double at = (angle - first) / step;
  if (std::abs(at - std::round(at)) < kWhole) at = std::round(at);
  if (turn > 0 && at < 0.0) at += turn;
  return static_cast<float>(at);
}

// One coordinate of a block as a line and steps from it.
struct Line {
  float first;
  float slope;
  float step;
};

Line compressed(const cv::Vec2f* points, int count, int coordinate, std::int16_t* steps) {
  constexpr float kMostSteps = 32000.0F;
  Line line{points[0][coordinate], 0.0F, 0.0F};
  if (count > 1) {
    line.slope = (points[count - 1][coordinate] - line.first) / static_cast<float>(count - 1);
  }
  const auto beside = [&](int i) {
    return points[i][coordinate] - (line.first + line.slope * static_cast<float>(i));
  };
  float greatest = 0.0F;
  for (int i = 0; i < count; ++i) greatest = std::max(greatest, std::abs(beside(i)));
  line.step = greatest / kMostSteps;
  for (int i = 0; i < count; ++i) {
    steps[i] = line.step > 0.0F ? static_cast<std::int16_t>(std::lround(beside(i) / line.step))
                                : std::int16_t{0};
  }
  return line;
}

int blocks_of(int width) {
  return (width + kSphereBlock - 1) / kSphereBlock;
}

void compress(const cv::Mat& points, EyeTable& table) {
  const int blocks = blocks_of(points.cols);
  table.steps.create(points.rows, 2 * blocks * kSphereBlock, CV_16SC1);
  table.lines.resize(static_cast<std::size_t>(points.rows) * static_cast<std::size_t>(blocks));
  for (int y = 0; y < points.rows; ++y) {
    for (int block = 0; block < blocks; ++block) {
      const int first = block * kSphereBlock;
      const int count = std::min(kSphereBlock, points.cols - first);
      const auto* const from = points.ptr<cv::Vec2f>(y) + first;
      auto* const steps = table.steps.ptr<std::int16_t>(y) + std::ptrdiff_t{2} * first;
      const Line columns = compressed(from, count, 0, steps);
      const Line rows = compressed(from, count, 1, steps + kSphereBlock);
      table.lines[static_cast<std::size_t>(y) * static_cast<std::size_t>(blocks) +
                  static_cast<std::size_t>(block)] = {columns.first, columns.slope, columns.step,
                                                      rows.first,    rows.slope,    rows.step,
                                                      nullptr,       nullptr};
    }
  }
}

}  // namespace

PointRun EyeTable::run(int y, int first) const {
  const auto blocks = static_cast<std::size_t>(steps.cols / (2 * kSphereBlock));
  PointRun result =
      lines[static_cast<std::size_t>(y) * blocks + static_cast<std::size_t>(first / kSphereBlock)];
  result.columns = steps.ptr<std::int16_t>(y) + std::ptrdiff_t{2} * first;
  result.rows = result.columns + kSphereBlock;
  return result;
}

DomainRays::DomainRays(const SphereDomain& domain, const Eigen::Matrix3d& source_from_eyes)
    : geometry_(domain.geometry) {
  Eigen::Matrix3d rotation = source_from_eyes;
  // Parallel eyes: the columns are latitudes about the axis through them.
  if (geometry_ == EyeGeometry::kParallel) rotation.col(0).swap(rotation.col(1));
  for (int i = 0; i < 9; ++i) {
    rotation_[static_cast<std::size_t>(i)] = static_cast<float>(rotation(i / 3, i % 3));
  }
}

SphereAngles DomainRays::angles(const AngleBlock& block, int count, bool lifted) const {
  if (geometry_ == EyeGeometry::kParallel) {
    return {block.along.data(), block.across.data(), nullptr, rotation_.data(), count};
  }
  return {block.across.data(), block.along.data(), lifted ? block.lift.data() : nullptr,
          rotation_.data(), count};
}

EyeTable make_eye_table(EyeGeometry geometry, const projection::PictureModel& eye) {
  EyeTable table;
  cv::Mat angles = angle_table(geometry, eye);
  const SphereDomain domain = place_domain(geometry, steps_of(eye), angles);
  table.domain = domain;
  const int column_turn = domain.wrap_columns ? domain.size.width : 0;
  const int row_turn = domain.wrap_rows ? domain.size.height : 0;
  for (int y = 0; y < angles.rows; ++y) {
    auto* const row = angles.ptr<cv::Vec2f>(y);
    for (int x = 0; x < angles.cols; ++x) {
      if (std::isnan(row[x][0])) {
        if (table.hidden.empty()) table.hidden = cv::Mat(angles.size(), CV_8UC1, cv::Scalar(0));
        table.hidden.at<unsigned char>(y, x) = 255;
        row[x] = {0.0F, 0.0F};
        continue;
      }
      row[x] = {position_of(row[x][0], domain.first_column, domain.column_step, column_turn),
                position_of(row[x][1], domain.first_row, domain.row_step, row_turn)};
    }
  }
  compress(angles, table);
  return table;
}

}  // namespace vergence::stereo
