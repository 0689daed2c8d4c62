// SPDX-License-Identifier: Apache-2.0
#include "alignment/photo_depth.hpp"

#include "alignment/ensemble.hpp"
#include "core/error.hpp"
#include "core/statistics.hpp"

#include <algorithm>
#include <cmath>

#include <Eigen/Cholesky>
#include <fmt/format.h>
#include <opencv2/imgproc.hpp>

namespace vergence::alignment {
namespace {

constexpr int kWorkSide = 256;        // the longer side at which maps are compared
constexpr double kAround = 1.0 / 16;  // of that: what counts as around a pixel
constexpr int kRounds = 8;

// One network's map as inverse planar depth, up to what its kind leaves open.
struct Opinion {
  cv::Mat inverse;  // CV_32FC1
  cv::Mat valid;    // CV_8UC1
  bool refused = false;
};

std::vector<float> valid_values(const cv::Mat& map, const cv::Mat& valid) {
  std::vector<float> values;
  for (int y = 0; y < map.rows; ++y) {
    for (int x = 0; x < map.cols; ++x) {
      if (valid.at<unsigned char>(y, x) != 0) values.push_back(map.at<float>(y, x));
    }
  }
  return values;
}

Opinion opinion_of(const PreparedViews& network, cv::Size size) {
  const auto& view = network.views.front();
  Opinion result;
  if (view.normalised.empty()) {
    result.inverse = cv::Mat::zeros(size, CV_32FC1);
    result.valid = cv::Mat::zeros(size, CV_8UC1);
    result.refused = true;
    return result;
  }
  cv::Mat map = view.normalised * view.spread + view.centre;
  const cv::Mat valid = view.confidence > 0.0;
  if (network.domain == FitDomain::kForward) {
    // Planar depth up to a shift: the nearest is taken for a fifth of the median.
    auto values = valid_values(map, valid);
    const double nearest = quantile_in_place(values, 0.01);
    const double gap = std::max((quantile_in_place(values, 0.5) - nearest) / 4.0, 1e-12);
    cv::divide(1.0, cv::max(map + (gap - nearest), 0.25 * gap), map);
  }
  cv::resize(map, result.inverse, size, 0.0, 0.0, cv::INTER_LINEAR);
  cv::resize(valid, result.valid, size, 0.0, 0.0, cv::INTER_NEAREST);
  return result;
}

cv::Mat small(const cv::Mat& map, cv::Size size) {
  cv::Mat result;
  cv::resize(map, result, size, 0.0, 0.0, cv::INTER_AREA);
  return result;
}

double correlation(const cv::Mat& a, const cv::Mat& b) {
  cv::Mat result;
  cv::matchTemplate(a, b, result, cv::TM_CCOEFF_NORMED);
  return result.at<float>(0, 0);
}

std::size_t leading(std::span<const PreparedViews> networks, const std::vector<Opinion>& opinions,
                    cv::Size work) {
  for (std::size_t m = 0; m < networks.size(); ++m) {
    if (networks[m].in_metres && !opinions[m].refused) return m;
  }
  std::size_t best = 0;
  double highest = -std::numeric_limits<double>::infinity();
  for (std::size_t m = 0; m < opinions.size(); ++m) {
    if (opinions[m].refused) continue;
    double sum = 0.0;
    for (std::size_t other = 0; other < opinions.size(); ++other) {
      if (other == m) continue;
      sum += correlation(small(opinions[m].inverse, work), small(opinions[other].inverse, work));
    }
    if (sum <= highest + 1e-6) continue;
    highest = sum;
    best = m;
  }
  return best;
}

// Scale and shift that bring `opinion` to `lead`, robustly; refused where the scale is not above 0.
void follow(Opinion& opinion, const Opinion& lead, cv::Size work) {
  const cv::Mat from = small(opinion.inverse, work);
  const cv::Mat to = small(lead.inverse, work);
  const cv::Mat usable = small(opinion.valid & lead.valid, work) == 255;
  // Maps that agree exactly must not all become outliers of each other's rounding.
  const double least = 1e-3 * cv::mean(cv::abs(to - cv::mean(to)[0]))[0] + 1e-12;
  Eigen::Vector2d solution = Eigen::Vector2d::Zero();
  double sigma = std::numeric_limits<double>::infinity();
  for (int round = 0; round < kRounds; ++round) {
    Eigen::Matrix2d normal = 1e-9 * Eigen::Matrix2d::Identity();
    Eigen::Vector2d right = Eigen::Vector2d::Zero();
    std::vector<double> sizes;
    for (int y = 0; y < work.height; ++y) {
      for (int x = 0; x < work.width; ++x) {
        if (usable.at<unsigned char>(y, x) == 0) continue;
        const Eigen::Vector2d row(from.at<float>(y, x), 1.0);
        const double residual = to.at<float>(y, x) - row.dot(solution);
        const double weight = cauchy_weight(residual / sigma);
        normal += weight * row * row.transpose();
        right += weight * to.at<float>(y, x) * row;
      }
    }
    solution = normal.ldlt().solve(right);
    for (int y = 0; y < work.height; ++y) {
      for (int x = 0; x < work.width; ++x) {
        if (usable.at<unsigned char>(y, x) == 0) continue;
        const double fitted = solution[0] * from.at<float>(y, x) + solution[1];
        sizes.push_back(std::abs(to.at<float>(y, x) - fitted));
      }
    }
    sigma = kMadToSigma * quantile_in_place(sizes, 0.5) + least;
  }
  opinion.refused = !(solution[0] > 0.0) || !std::isfinite(solution[1]);
  opinion.inverse = cv::Mat(opinion.inverse * solution[0] + solution[1]);
}

// The median of the maps that are not refused, pixel by pixel: with two, their mean.
cv::Mat middle_of(const std::vector<cv::Mat>& maps, const std::vector<Opinion>& opinions) {
  cv::Mat result(maps.front().size(), CV_32FC1);
  std::vector<float> values;
  for (int y = 0; y < result.rows; ++y) {
    for (int x = 0; x < result.cols; ++x) {
      values.clear();
      for (std::size_t m = 0; m < maps.size(); ++m) {
        if (!opinions[m].refused) values.push_back(maps[m].at<float>(y, x));
      }
      std::sort(values.begin(), values.end());
      const std::size_t half = values.size() / 2;
      const float upper = values[half];
      result.at<float>(y, x) = values.size() % 2 == 1 ? upper : 0.5F * (values[half - 1] + upper);
    }
  }
  return result;
}

// Weights of all maps at the work size, 0 for refused ones.
std::vector<cv::Mat> weights_of(const std::vector<Opinion>& opinions, const cv::Mat& brightness) {
  const cv::Size work = brightness.size();
  std::vector<cv::Mat> maps;
  maps.reserve(opinions.size());
  for (const auto& opinion : opinions) maps.push_back(small(opinion.inverse, work));
  const cv::Mat middle = middle_of(maps, opinions);
  std::vector<cv::Mat> squares;
  double variance = 0.0;
  double count = 0.0;
  for (std::size_t m = 0; m < maps.size(); ++m) {
    const cv::Mat residual = maps[m] - middle;
    cv::Mat square;
    cv::GaussianBlur(residual.mul(residual), square, cv::Size(),
                     kAround * std::max(work.width, work.height));
    squares.push_back(square);
    if (opinions[m].refused) continue;
    variance += cv::mean(square)[0];
    count += 1.0;
  }
  variance = variance / count + 1e-12;
  std::vector<cv::Mat> weights;
  for (std::size_t m = 0; m < maps.size(); ++m) {
    cv::Mat weight = cv::Mat::zeros(work, CV_32FC1);
    if (!opinions[m].refused) {
      cv::divide(variance, squares[m] + variance, weight);
      weight = weight.mul(edge_agreement(maps[m], brightness));
    }
    weights.push_back(weight);
  }
  return weights;
}

cv::Mat brightness_of(const cv::Mat& picture, cv::Size work) {
  cv::Mat grey;
  cv::cvtColor(picture, grey, cv::COLOR_RGB2GRAY);
  grey = small(grey, work);
  grey.convertTo(grey, CV_32FC1);
  cv::sqrt(grey, grey);
  return grey;
}

}  // namespace

PhotoDepth fuse_photo(std::span<const ViewDepth> maps, const cv::Mat& picture) {
  const auto networks = prepare_networks(maps);
  cv::Size size;
  for (const auto& map : maps) {
    if (values_of(map.depth).size().area() > size.area()) size = values_of(map.depth).size();
  }
  const double factor =
      std::min(1.0, static_cast<double>(kWorkSide) / std::max(size.width, size.height));
  const cv::Size work(std::max(1, static_cast<int>(size.width * factor)),
                      std::max(1, static_cast<int>(size.height * factor)));
  std::vector<Opinion> opinions;
  for (const auto& network : networks) {
    if (network.views.size() != 1) {
      throw Error(fmt::format("network '{}' has {} maps of one photo", network.network,
                              network.views.size()));
    }
    opinions.push_back(opinion_of(network, size));
  }
  const std::size_t lead = leading(networks, opinions, work);
  if (opinions[lead].refused) throw Error("no network's map of the photo has a usable value");
  for (std::size_t m = 0; m < opinions.size(); ++m) {
    if (m != lead && !opinions[m].refused) follow(opinions[m], opinions[lead], work);
  }

  const auto weights = weights_of(opinions, brightness_of(picture, work));
  cv::Mat sum = cv::Mat::zeros(size, CV_32FC1);
  cv::Mat total = cv::Mat::zeros(size, CV_32FC1);
  std::vector<cv::Mat> fine;
  for (std::size_t m = 0; m < opinions.size(); ++m) {
    cv::Mat weight;
    cv::resize(weights[m], weight, size, 0.0, 0.0, cv::INTER_LINEAR);
    weight.setTo(0.0, opinions[m].valid == 0);
    sum += weight.mul(opinions[m].inverse);
    total += weight;
    fine.push_back(weight);
  }
  const cv::Mat covered = total > 0.0;
  PhotoDepth result;
  cv::Mat inverse = sum / total;
  for (std::size_t m = 0; m < networks.size(); ++m) {
    const cv::Mat part = fine[m] / total;
    result.networks.push_back({.name = networks[m].network,
                               .leads = m == lead,
                               .strength = opinions[m].refused ? 0.0 : 1.0,
                               .share = cv::mean(part, covered)[0],
                               .refused_views = opinions[m].refused ? 1 : 0});
  }
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  inverse.setTo(kNan, ~covered);
  result.in_metres = networks[lead].in_metres;
  if (result.in_metres) {
    inverse.setTo(kNan, inverse <= 0.0);
    result.depth = PlanarDepth(cv::Mat(1.0 / inverse));
  } else {
    result.depth = Disparity(inverse);
  }
  return result;
}

}  // namespace vergence::alignment
