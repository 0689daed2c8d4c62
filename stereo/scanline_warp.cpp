// SPDX-License-Identifier: Apache-2.0
#include "stereo/scanline_warp.hpp"

#include "core/parallel.hpp"
#include "stereo/fill_pass.hpp"
#include "stereo/pixel.hpp"
#include "stereo/rim_refinement.hpp"
#include "stereo/sampling.hpp"
#include "stereo/scanline_row.hpp"

#include <array>
#include <cmath>
#include <cstring>
#include <vector>

namespace vergence::stereo {
namespace {

// Bands of rows are handed out to threads; each band has its memory.
constexpr int kNumBands = 16;

int rows_per_band(int height) {
  return (height + kNumBands - 1) / kNumBands;
}

// Parallax that the rows can work with: finite and within half the width.
void copy_limited(const cv::Mat& parallax, float limit, cv::Mat& limited) {
  limited.create(parallax.size(), CV_32FC1);
  for (int y = 0; y < parallax.rows; ++y) {
    const float* const from = parallax.ptr<float>(y);
    float* const to = limited.ptr<float>(y);
    for (int x = 0; x < parallax.cols; ++x) {
      const float value = from[x] == from[x] ? from[x] : 0.0F;
      to[x] = std::max(-limit, std::min(limit, value));
    }
  }
}

// The largest absolute value; infinity if some are NaN.
float reach_of(const cv::Mat& parallax) {
  constexpr int kLanes = 8;
  std::array<float, kLanes> reach{};
  int odd = 0;
  for (int y = 0; y < parallax.rows; ++y) {
    const float* const row = parallax.ptr<float>(y);
    const auto take = [&](int x, std::size_t lane) {
      const float value = std::abs(row[x]);
      odd += static_cast<int>(value != value);
      reach[lane] = value > reach[lane] ? value : reach[lane];
    };
    int x = 0;
    for (; x + kLanes <= parallax.cols; x += kLanes) {
      for (int lane = 0; lane < kLanes; ++lane) take(x + lane, static_cast<std::size_t>(lane));
    }
    for (; x < parallax.cols; ++x) take(x, 0);
  }
  return odd > 0 ? INFINITY : *std::max_element(reach.begin(), reach.end());
}

void mark_filled(const std::vector<FilledRun>& filled, unsigned char* visibility) {
  for (const FilledRun& run : filled) {
    std::fill(visibility + run.first, visibility + run.last,
              static_cast<unsigned char>(run.visibility));
  }
}

// The pixels of a row, taken from where the row came from; fills are kept apart too.
template <class T, int kChannels>
void sample_row(const ScanlineRow& row, const SourceRow<T>& source, T* view, T* fills) {
  sample_at<T, kChannels>(source, row.source_x, view);
  for (const BlendedPixel& pixel : row.blended) {
    std::array<T, kChannels> other;
    sample_at<T, kChannels>(source, {&pixel.other_x, 1}, other.data());
    T* const mixed = view + pixel.x * kChannels;
    for (int c = 0; c < kChannels; ++c) {
      const auto back = static_cast<float>(other[static_cast<std::size_t>(c)]);
      mixed[c] = rounded<T>(back + (static_cast<float>(mixed[c]) - back) * pixel.weight);
    }
  }
  for (const FilledRun& run : row.filled) {
    std::copy(view + run.first * kChannels, view + run.last * kChannels,
              fills + run.first * kChannels);
  }
}

// The disocclusions of a row; parts of a gap that are filled from different surfaces are apart.
void list_disocclusions(const ScanlineRow& row, const float* parallax, int y,
                        std::vector<Disocclusion>& list) {
  for (const FilledRun& run : row.filled) {
    if (run.visibility != Visibility::kDisoccluded) continue;
    for (int x = run.first; x < run.last;) {
      const int first = x;
      const float source = row.source_x[static_cast<std::size_t>(first)];
      while (x < run.last && row.source_x[static_cast<std::size_t>(x)] == source) ++x;
      list.push_back({y, first, x, parallax[static_cast<int>(source)]});
    }
  }
}

}  // namespace

struct ScanlineWarp::Workspace {
  explicit Workspace(const ScanlineOptions& chosen)
      : options(chosen),
        fill_pass(chosen.fill_smoothing_px, chosen.wrap) {}

  ScanlineOptions options;
  cv::Mat picture;     // the caller's pixels
  cv::Mat parallax;    // refined
  float reach = 0.0F;  // largest absolute parallax
  cv::Mat limited;     // the caller's parallax where some of it had to be cut
  FillPass fill_pass;
  std::vector<ScanlineRow> rows;                                   // one per band
  std::array<std::vector<Disocclusion>, kNumBands> disocclusions;  // of the view being made

  void require_source() const {
    if (picture.empty()) throw std::logic_error("a warp needs its source first");
  }

  const ScanlineRow& trace(int y, int rows_of_band, Eye eye) {
    ScanlineRow& row = rows[static_cast<std::size_t>(y / rows_of_band)];
    row.trace({parallax.ptr<float>(y), static_cast<std::size_t>(parallax.cols)}, reach, eye,
              options);
    return row;
  }
};

ScanlineWarp::ScanlineWarp(const ScanlineOptions& options)
    : workspace_(std::make_unique<Workspace>(options)) {
  workspace_->rows.resize(kNumBands);
}

ScanlineWarp::~ScanlineWarp() = default;
ScanlineWarp::ScanlineWarp(ScanlineWarp&&) noexcept = default;
ScanlineWarp& ScanlineWarp::operator=(ScanlineWarp&&) noexcept = default;

void ScanlineWarp::set_source(const cv::Mat& picture, const cv::Mat& parallax_px) {
  if (parallax_px.type() != CV_32FC1 || parallax_px.size() != picture.size() || picture.empty()) {
    throw std::invalid_argument("parallax is CV_32FC1 of the picture's size");
  }
  with_pixel_type(picture.type(), []<class T, int kChannels>() {});
  Workspace& work = *workspace_;
  const bool resized = work.picture.cols != picture.cols;
  work.picture = picture;
  cv::Mat parallax = parallax_px;
  work.reach = reach_of(parallax_px);
  const float limit = 0.5F * static_cast<float>(parallax_px.cols);
  if (!(work.reach <= limit)) {
    copy_limited(parallax_px, limit, work.limited);
    parallax = work.limited;
    work.reach = limit;
  }
  if (work.options.refine_rims) {
    refine_rims(picture, parallax, work.options.wrap, work.parallax);
  } else {
    parallax.copyTo(work.parallax);
  }
  if (resized) {
    for (ScanlineRow& row : work.rows) row.reserve(picture.cols, work.options.wrap);
  }
}

void ScanlineWarp::render(Eye eye, cv::Mat& view, std::vector<Disocclusion>* disocclusions) {
  Workspace& work = *workspace_;
  work.require_source();
  const cv::Size size = work.picture.size();
  view.create(size, work.picture.type());
  work.fill_pass.begin(size, work.picture.type(), eye);
  const int band = rows_per_band(size.height);
  for (auto& list : work.disocclusions) list.clear();
  with_pixel_type(view.type(), [&]<class T, int kChannels>() {
    const auto render_rows = [&](int first, int last) {
      for (int y = first; y < last; ++y) {
        const ScanlineRow& row = work.trace(y, band, eye);
        const SourceRow<T> source{work.picture.ptr<T>(y), work.parallax.ptr<float>(y), size.width,
                                  &work.options};
        sample_row<T, kChannels>(row, source, view.ptr<T>(y), work.fill_pass.fills().ptr<T>(y));
        work.fill_pass.take_row(y, row, source.parallax);
        if (disocclusions != nullptr) {
          list_disocclusions(row, work.parallax.ptr<float>(y), y,
                             work.disocclusions[static_cast<std::size_t>(y / band)]);
        }
      }
    };
    parallel_for(0, size.height, render_rows, band);
  });
  if (work.options.fill_smoothing_px > 0.0F) work.fill_pass.finish(view);
  if (disocclusions == nullptr) return;
  disocclusions->clear();
  for (const auto& list : work.disocclusions) {
    disocclusions->insert(disocclusions->end(), list.begin(), list.end());
  }
}

void ScanlineWarp::map(Eye eye, WarpMap& map) {
  Workspace& work = *workspace_;
  work.require_source();
  const cv::Size size = work.picture.size();
  map.source_x.create(size, CV_32FC1);
  map.other_x.create(size, CV_32FC1);
  map.weight.create(size, CV_32FC1);
  map.visibility.create(size, CV_8UC1);
  const int band = rows_per_band(size.height);
  const auto map_rows = [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      const ScanlineRow& row = work.trace(y, band, eye);
      std::copy(row.source_x.begin(), row.source_x.end(), map.source_x.ptr<float>(y));
      std::copy(row.source_x.begin(), row.source_x.end(), map.other_x.ptr<float>(y));
      std::fill_n(map.weight.ptr<float>(y), size.width, 1.0F);
      std::memset(map.visibility.ptr(y), 0, static_cast<std::size_t>(size.width));
      for (const BlendedPixel& pixel : row.blended) {
        map.other_x.ptr<float>(y)[pixel.x] = pixel.other_x;
        map.weight.ptr<float>(y)[pixel.x] = pixel.weight;
        map.visibility.ptr(y)[pixel.x] = static_cast<unsigned char>(Visibility::kRim);
      }
      mark_filled(row.filled, map.visibility.ptr(y));
    }
  };
  parallel_for(0, size.height, map_rows, band);
}

void smooth_fills(const cv::Mat& visibility, float sigma_px, cv::Mat& view) {
  if (visibility.type() != CV_8UC1 || visibility.size() != view.size()) {
    throw std::invalid_argument("the visibility is CV_8UC1 of the view's size");
  }
  FillPass pass(sigma_px, /*wrap=*/false);
  pass.begin(view.size(), view.type(), std::nullopt);
  visibility.copyTo(pass.visibility());
  view.copyTo(pass.fills()({{0, 0}, view.size()}));
  pass.finish(view);
}

}  // namespace vergence::stereo
