// SPDX-License-Identifier: Apache-2.0
#include "stereo/sphere_picture.hpp"

#include "core/parallel.hpp"
#include "stereo/pixel.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include <opencv2/imgproc.hpp>

namespace vergence::stereo {
namespace {

using projection::PictureKind;
using projection::PictureModel;
using projection::SphereWindow;

// The border of a disc is known in so many directions around it.
constexpr int kRadii = 4096;

// The surround is a panorama of this size: it is soft.
constexpr int kSurroundWidth = 512;
constexpr int kSurroundHeight = 256;

// The picture's border fades over so many of its pixels.
constexpr double kFadePixels = 1.5;

// A picture this much finer than the view is made smaller first.
constexpr double kMuchFiner = 1.3;

cv::Point3f to_point(const Eigen::Vector3d& d) {
  return {static_cast<float>(d.x()), static_cast<float>(d.y()), static_cast<float>(d.z())};
}

Eigen::Vector3d to_vector(const cv::Point3f& d) {
  return {d.x, d.y, d.z};
}

double longitude_of(const Eigen::Vector3d& d) {
  return std::atan2(d.x(), -d.z());
}

double latitude_of(const Eigen::Vector3d& d) {
  return std::atan2(d.y(), std::hypot(d.x(), d.z()));
}

bool is_cylindrical(PictureKind kind) {
  return kind == PictureKind::kEquirectangular || kind == PictureKind::kHalfEquirectangular ||
         kind == PictureKind::kCylindrical || kind == PictureKind::kCylindricalEqualArea ||
         kind == PictureKind::kMercator;
}

bool is_disc(PictureKind kind) {
  return kind == PictureKind::kFlat || kind == PictureKind::kFisheye ||
         kind == PictureKind::kStereographic || kind == PictureKind::kEquisolid ||
         kind == PictureKind::kOrthographic || kind == PictureKind::kPannini;
}

// As far inside of [-reach, reach] as `value` is outside, or in the middle.
double folded(double value, double reach) {
  const double beyond = std::abs(value) - reach;
  return beyond <= 0.0 ? value : std::copysign(std::max(reach - beyond, 0.0), value);
}

}  // namespace

PictureBorder::PictureBorder(const PictureModel& model) {
  const auto window = model.window();
  if (window && window->is_whole()) return;
  if (is_cylindrical(model.kind())) find_rectangle(model);
  if (is_disc(model.kind())) find_disc(model);
}

void PictureBorder::find_rectangle(const PictureModel& model) {
  const double width = model.size().width;
  const double height = model.size().height;
  const auto middle = model.direction_at(0.5 * width, 0.5 * height);
  const auto right = model.direction_at(width - 0.5, 0.5 * height);
  const auto top = model.direction_at(0.5 * width, 0.5);
  const auto bottom = model.direction_at(0.5 * width, height - 0.5);
  if (!middle || !right || !top || !bottom) return;
  kind_ = Kind::kRectangle;
  longitude_ = longitude_of(*middle);
  reach_ = longitude_of(*right) - longitude_;
  if (reach_ < 0.0) reach_ += 2.0 * kPi;
  const double pixel = reach_ / std::max(0.5 * width - 0.5, 1.0);
  if (reach_ + pixel >= kPi) reach_ = 2.0 * kPi;  // it goes all around
  top_ = latitude_of(*top);
  bottom_ = latitude_of(*bottom);
  if (top_ + pixel >= kPi / 2.0) top_ = kPi / 2.0;
  if (bottom_ - pixel <= -kPi / 2.0) bottom_ = -kPi / 2.0;
  middle_ = *middle;
  const double latitude = latitude_of(middle_);
  least_radius_ = std::min(
      {reach_ * std::min(std::cos(top_), std::cos(bottom_)), top_ - latitude, latitude - bottom_});
}

void PictureBorder::find_disc(const PictureModel& model) {
  kind_ = Kind::kDisc;
  radius_.resize(kRadii + 1);
  for (int i = 0; i <= kRadii; ++i) {
    const double around = 2.0 * kPi * i / kRadii;
    double inside = 0.0;
    double outside = kPi;
    constexpr int kSteps = 30;
    for (int step = 0; step < kSteps; ++step) {
      const double angle = 0.5 * (inside + outside);
      const Eigen::Vector3d direction(std::sin(angle) * std::cos(around),
                                      std::sin(angle) * std::sin(around), -std::cos(angle));
      (model.pixel_of(direction) ? inside : outside) = angle;
    }
    radius_[static_cast<std::size_t>(i)] = inside;
  }
  least_radius_ = *std::min_element(radius_.begin(), radius_.end());
}

bool PictureBorder::surely_inside(const Eigen::Vector3d& direction, double fade) const {
  const double radius = least_radius_ - fade;
  return radius > 0.0 && direction.dot(middle_) > std::cos(radius);
}

PictureBorder::Place PictureBorder::place_of(const Eigen::Vector3d& direction) const {
  switch (kind_) {
    case Kind::kRectangle:
      return in_rectangle(direction);
    case Kind::kDisc:
      return in_disc(direction);
    case Kind::kNone:
      break;
  }
  return {-kPi, direction, direction};
}

PictureBorder::Place PictureBorder::in_rectangle(const Eigen::Vector3d& direction) const {
  const double latitude = latitude_of(direction);
  const double aside = std::remainder(longitude_of(direction) - longitude_, 2.0 * kPi);
  const double beyond_side = (std::abs(aside) - reach_) * std::cos(latitude);
  const double height = 0.5 * (top_ + bottom_);
  const double reach_up = 0.5 * (top_ - bottom_);
  const double up = latitude - height;
  // Beside a picture that reaches a pole there is nothing above it.
  const double beyond_top = latitude >= height ? (top_ < kPi / 2.0 ? latitude - top_ : -kPi)
                                               : (bottom_ > -kPi / 2.0 ? bottom_ - latitude : -kPi);
  Place place;
  place.beyond = std::max(beyond_side, beyond_top);
  if (place.beyond <= 0.0) {
    place.nearest = place.mirrored = direction;
    return place;
  }
  place.nearest = projection::direction_from_lon_lat(
      longitude_ + std::clamp(aside, -reach_, reach_), std::clamp(latitude, bottom_, top_));
  place.mirrored = projection::direction_from_lon_lat(longitude_ + folded(aside, reach_),
                                                      height + folded(up, reach_up));
  return place;
}

PictureBorder::Place PictureBorder::in_disc(const Eigen::Vector3d& direction) const {
  const double across = std::hypot(direction.x(), direction.y());
  const double angle = std::atan2(across, -direction.z());
  double around = std::atan2(direction.y(), direction.x());
  if (around < 0.0) around += 2.0 * kPi;
  const double at = around / (2.0 * kPi) * kRadii;
  const auto index = std::min(static_cast<std::size_t>(at), std::size_t{kRadii - 1});
  const double part = at - static_cast<double>(index);
  const double radius = radius_[index] + (radius_[index + 1] - radius_[index]) * part;
  Place place;
  place.beyond = angle - radius;
  if (place.beyond <= 0.0 || across == 0.0) {
    place.nearest = place.mirrored = across == 0.0 ? middle_ : direction;
    return place;
  }
  const auto at_angle = [&](double to) {
    const double scale = std::sin(to) / across;
    return Eigen::Vector3d(direction.x() * scale, direction.y() * scale, -std::cos(to));
  };
  constexpr double kJustInside = 1.0 - 1e-6;
  place.nearest = at_angle(radius * kJustInside);
  place.mirrored = at_angle(std::max(folded(angle, radius * kJustInside), 0.0));
  return place;
}

bool same_view(const PictureModel& a, const PictureModel& b) {
  if (a.kind() != b.kind() || a.size() != b.size() || a.window() != b.window()) return false;
  const double width = a.size().width;
  const double height = a.size().height;
  for (const auto& [x, y] : {std::pair{0.5, 0.5}, {0.75, 0.5}, {0.5, 0.75}}) {
    const auto in_a = a.direction_at(x * width, y * height);
    const auto in_b = b.direction_at(x * width, y * height);
    if (in_a != in_b) return false;
  }
  return true;
}

namespace {

// The pixels of an equirectangular picture by angle, if it is one.
std::optional<LongitudeLatitudeGrid> grid_of(const PictureModel& model) {
  const std::optional<SphereWindow> window = model.window();
  if (!window) return std::nullopt;
  const double per_radian_x = window->full_width / (2.0 * kPi);
  const double per_radian_y = window->full_height / kPi;
  LongitudeLatitudeGrid grid{};
  grid.per_radian_x = static_cast<float>(per_radian_x);
  grid.first_x = static_cast<float>(0.5 * window->full_width - window->left - 0.5);
  grid.turn_px = static_cast<float>(window->full_width);
  grid.lowest_x = window->left > 0 ? -0.5F : -1e9F;
  grid.per_radian_y = static_cast<float>(-per_radian_y);
  grid.first_y = static_cast<float>(0.5 * window->full_height - window->top - 0.5);
  return grid;
}

// Blurs one channel of a panorama with about the same angle everywhere: three boxes, along the rows
// as much wider as these are shorter. `sigma` in rows.
void blur_panorama(cv::Mat& panorama, double sigma) {
  const int width = panorama.cols;
  const int height = panorama.rows;
  const int channels = panorama.channels();
  std::vector<float> row(static_cast<std::size_t>(width) * 3);
  for (int pass = 0; pass < 3; ++pass) {
    const int reach_y = std::max(1, static_cast<int>(std::lround(sigma)));
    cv::blur(panorama, panorama, {1, 2 * reach_y + 1}, {-1, -1}, cv::BORDER_REPLICATE);
    for (int y = 0; y < height; ++y) {
      const double ring = std::cos((y + 0.5) / height * kPi - kPi / 2.0);
      const int reach = std::min(width / 2 - 1, static_cast<int>(std::lround(sigma / ring)));
      auto* const pixels = panorama.ptr<float>(y);
      for (int c = 0; c < channels; ++c) {
        for (int x = 0; x < 3 * width; ++x) {
          row[static_cast<std::size_t>(x)] = pixels[(x % width) * channels + c];
        }
        double sum = 0.0;
        for (int x = width - reach; x <= width + reach; ++x)
          sum += row[static_cast<std::size_t>(x)];
        for (int x = 0; x < width; ++x) {
          pixels[x * channels + c] = static_cast<float>(sum / (2 * reach + 1));
          sum += row.data()[width + x + reach + 1];
          sum -= row.data()[width + x - reach];
        }
      }
    }
  }
}

}  // namespace

void SpherePicture::set(const cv::Mat& picture, const PictureModel& model, double shrink,
                        const SphereStereoOptions& options) {
  if (picture.size() != model.size()) {
    throw std::invalid_argument("a picture has the size of its model");
  }
  with_pixel_type(picture.type(), []<class T, int kChannels>() {});
  if (!model_ || !same_view(*model_, model) || !border_) {
    border_.emplace(model);
    surround_source_.clear();
  }
  model_ = model;
  picture_ = picture;
  PictureModel sampled = model;
  if (shrink > kMuchFiner && model.window()) {
    const cv::Size smaller(std::max(4, cvRound(picture.cols / shrink)),
                           std::max(2, cvRound(picture.rows / shrink)));
    sampled = model.resized(smaller);
    cv::Mat reduced;
    cv::resize(picture, reduced, smaller, 0.0, 0.0, cv::INTER_AREA);
    picture_ = reduced;
    shrink = 1.0;
  }
  grid_.reset();
  if (options.interpolation == projection::SphereInterpolation::kBilinear &&
      picture.type() == CV_8UC3 && border_->none()) {
    grid_ = grid_of(sampled);
  }
  sampler_.emplace(picture_, sampled, options.interpolation, std::max(shrink, 1.0));
  fade_ = kFadePixels / sampled.pixels_per_radian();
  if (border_->none() || options.surround == Surround::kBlack) {
    surround_sampler_.reset();
  } else {
    make_surround(options.surround);
  }
}

void SpherePicture::make_surround(Surround surround) {
  const auto whole =
      PictureModel::equirectangular(SphereWindow::whole(kSurroundWidth, kSurroundHeight));
  if (surround_source_.empty()) {
    const cv::Mat table = whole.direction_table();
    surround_source_.resize(table.total());
    beyond_.resize(table.total());
    for (std::size_t i = 0; i < table.total(); ++i) {
      const auto place = border_->place_of(to_vector(table.ptr<cv::Point3f>()[i]));
      surround_source_[i] =
          to_point(surround == Surround::kMirror ? place.mirrored : place.nearest);
      beyond_[i] = static_cast<float>(place.beyond);
    }
  }
  cv::Mat colours(kSurroundHeight, kSurroundWidth, picture_.type());
  sampler_->sample(surround_source_, colours.data, nullptr);
  // The further from the picture, the softer.
  constexpr std::array<double, 4> kBeyond = {0.0, 3.0, 15.0, 50.0};  // degrees
  constexpr std::array<double, 4> kSigma = {0.0, 1.5, 5.0, 12.0};    // degrees
  std::array<cv::Mat, 4> levels;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    colours.convertTo(levels[i], CV_32F);
    if (kSigma[i] > 0.0) blur_panorama(levels[i], kSigma[i] / 180.0 * kSurroundHeight);
  }
  const int channels = colours.channels();
  cv::Mat mixed(colours.size(), levels[0].type());
  for (std::size_t i = 0; i < beyond_.size(); ++i) {
    const double beyond = std::clamp(beyond_[i] * 180.0 / kPi, 0.0, kBeyond.back());
    std::size_t level = 0;
    while (level + 2 < kBeyond.size() && beyond > kBeyond[level + 1]) ++level;
    const auto part =
        static_cast<float>((beyond - kBeyond[level]) / (kBeyond[level + 1] - kBeyond[level]));
    for (int c = 0; c < channels; ++c) {
      const std::size_t at = i * static_cast<std::size_t>(channels) + static_cast<std::size_t>(c);
      const float from = levels[level].ptr<float>()[at];
      mixed.ptr<float>()[at] = from + (levels[level + 1].ptr<float>()[at] - from) * part;
    }
  }
  mixed.convertTo(surround_, picture_.depth());
  surround_sampler_.emplace(surround_, whole);
}

void SpherePicture::sample(const SphereAngles& angles, void* out, unsigned char* outside) const {
  const auto count = static_cast<std::size_t>(angles.count);
  if (grid_) {
    std::array<float, kSphereBlock> x;
    std::array<float, kSphereBlock> y;
    std::array<unsigned char, kSphereBlock> missed;
    const SphereKernels& kernels = sphere_kernels();
    kernels.points(angles, *grid_, x.data(), y.data());
    kernels.sample_rgb8({picture_.data, static_cast<std::ptrdiff_t>(picture_.step[0]),
                         picture_.cols, picture_.rows},
                        x.data(), y.data(), angles.count, static_cast<std::uint8_t*>(out),
                        missed.data());
    std::memset(outside, 0, count);
    if (std::memchr(missed.data(), 1, count) != nullptr) {
      sample_missed(angles, {missed.data(), count}, out, outside);
    }
    return;
  }
  std::array<cv::Point3f, kSphereBlock> directions;
  sphere_kernels().directions(angles, &directions[0].x);
  const std::span<const cv::Point3f> wanted(directions.data(), count);
  sampler_->sample(wanted, out, outside);
  for (std::size_t i = 0; i < count; ++i) outside[i] = static_cast<unsigned char>(~outside[i]);
  if (!border_->none()) surround_pixels(wanted, out, outside);
}

// Those pixels at the seams that the fast way left out.
void SpherePicture::sample_missed(const SphereAngles& angles, std::span<const unsigned char> missed,
                                  void* out, unsigned char* outside) const {
  std::array<cv::Point3f, kSphereBlock> directions;
  std::array<std::size_t, kSphereBlock> index;
  sphere_kernels().directions(angles, &directions[0].x);
  std::size_t count = 0;
  for (std::size_t i = 0; i < missed.size(); ++i) {
    if (missed[i] == 0) continue;
    index[count] = i;
    directions[count++] = directions[i];
  }
  const std::size_t bytes = picture_.elemSize();
  alignas(float) std::array<unsigned char, std::size_t{kSphereBlock} * 16> pixels;
  std::array<unsigned char, kSphereBlock> seen;
  sampler_->sample({directions.data(), count}, pixels.data(), seen.data());
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(static_cast<unsigned char*>(out) + index[i] * bytes, pixels.data() + i * bytes,
                bytes);
    outside[index[i]] = static_cast<unsigned char>(~seen[i]);
  }
}

// What is beyond the picture's border, into which the picture fades.
void SpherePicture::surround_pixels(std::span<const cv::Point3f> directions, void* out,
                                    unsigned char* outside) const {
  const bool black = !surround_sampler_;
  alignas(float) std::array<unsigned char, std::size_t{kSphereBlock} * 16> beside{};
  if (!black) surround_sampler_->sample(directions, beside.data(), nullptr);
  with_pixel_type(picture_.type(), [&]<class T, int kChannels>() {
    T* const pixels = static_cast<T*>(out);
    const T* const surround = reinterpret_cast<const T*>(beside.data());
    for (std::size_t i = 0; i < directions.size(); ++i) {
      float share = 0.0F;  // of the picture
      if (outside[i] == 0) {
        const Eigen::Vector3d direction = to_vector(directions[i]);
        if (border_->surely_inside(direction, fade_)) continue;
        share =
            static_cast<float>(std::clamp(-border_->place_of(direction).beyond / fade_, 0.0, 1.0));
      }
      for (std::size_t c = 0; c < kChannels; ++c) {
        const std::size_t at = i * kChannels + c;
        const auto behind = static_cast<float>(surround[at]);
        pixels[at] = rounded<T>(behind + (static_cast<float>(pixels[at]) - behind) * share);
      }
    }
  });
}

}  // namespace vergence::stereo
