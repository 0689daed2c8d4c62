// SPDX-License-Identifier: Apache-2.0
#include "pipeline/stereo_preview.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "media/animation.hpp"
#include "media/colormap.hpp"
#include "media/video_reader.hpp"
#include "pipeline/outputs.hpp"
#include "stereo/anaglyph.hpp"
#include "stereo/nearness.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>

namespace vergence::pipeline {
namespace fs = std::filesystem;

namespace {

constexpr int kPanelWidth = 640;
constexpr int kCaption = 30;
constexpr int kGap = 8;
const cv::Scalar kPaper(24, 24, 24);
const cv::Scalar kInk(230, 230, 230);

// What a screen shows of a picture of any type.
cv::Mat shown(const cv::Mat& picture) {
  media::Picture whole;
  if (picture.channels() == 4) {
    cv::extractChannel(picture, whole.alpha, 3);
    cv::cvtColor(picture, whole.rgb, cv::COLOR_RGBA2RGB);
  } else {
    whole.rgb = picture;
  }
  return media::display_rgb8(whole);
}

void write_text(cv::Mat& sheet, const std::string& text, cv::Point at) {
  cv::putText(sheet, text, at, cv::FONT_HERSHEY_SIMPLEX, 0.55, kInk, 1, cv::LINE_AA);
}

cv::Mat with_caption(const cv::Mat& picture, const std::string& caption, int width) {
  const int height = std::max(
      1, static_cast<int>(std::lround(static_cast<double>(picture.rows) * width / picture.cols)));
  cv::Mat panel(height + kCaption, width, CV_8UC3, kPaper);
  cv::resize(picture, panel.rowRange(kCaption, panel.rows), {width, height}, 0.0, 0.0,
             width < picture.cols ? cv::INTER_AREA : cv::INTER_LINEAR);
  write_text(panel, caption, {4, kCaption - 10});
  return panel;
}

// Panels of one size in rows.
cv::Mat in_rows(std::span<const cv::Mat> panels, int columns, const std::string& title) {
  int height = 0;
  for (const auto& panel : panels) height = std::max(height, panel.rows);
  const int width = panels.front().cols;
  const int rows = (static_cast<int>(panels.size()) + columns - 1) / columns;
  const int top = title.empty() ? 0 : kCaption;
  cv::Mat sheet(top + rows * (height + kGap) + kGap, columns * (width + kGap) + kGap, CV_8UC3,
                kPaper);
  if (!title.empty()) write_text(sheet, title, {kGap, kCaption - 6});
  for (std::size_t i = 0; i < panels.size(); ++i) {
    const auto place = static_cast<int>(i);
    panels[i].copyTo(sheet(cv::Rect(
        {kGap + place % columns * (width + kGap), top + kGap + place / columns * (height + kGap)},
        panels[i].size())));
  }
  return sheet;
}

// As large as the picture: a network's map need not have its proportions.
cv::Mat depth_of(const StereoScene& scene, cv::Size size) {
  const cv::Mat& map = scene.raw.empty() ? scene.disparity_px : scene.raw;
  cv::Mat colors = media::colorize(
      Disparity(map),
      {.map = media::Colormap::kInferno, .low_percentile = 0.0, .high_percentile = 100.0});
  cv::resize(colors, colors, size, 0.0, 0.0, cv::INTER_LINEAR);
  return colors;
}

// Share of the pixels over the parallax between both eyes, with the limits of comfort.
class Histogram {
 public:
  Histogram(const cv::Mat& parallax_px, float eyes, double limit_behind, double limit_before)
      : behind_(limit_behind),
        before_(limit_before) {
    double min = 0.0;
    double max = 0.0;
    cv::minMaxLoc(parallax_px, &min, &max);
    const auto widest = [](double a, double b) { return std::isfinite(b) ? std::max(a, b) : a; };
    const double reach = widest(widest(std::max(-min, max) * eyes, 1.2 * before_), -1.2 * behind_);
    reach_ = std::max(1.0, 1.05 * reach);
    for (int y = 0; y < parallax_px.rows; ++y) {
      const auto* row = parallax_px.ptr<float>(y);
      for (int x = 0; x < parallax_px.cols; ++x) ++counts_.at(bin_of(row[x] * eyes));
    }
  }

  [[nodiscard]] cv::Mat draw(cv::Size size) const {
    cv::Mat panel(size, CV_8UC3, cv::Scalar(40, 40, 40));
    const int foot = size.height - 24;
    const double most = *std::max_element(counts_.begin(), counts_.end());
    for (std::size_t i = 0; i < kBins; ++i) {
      const auto left = static_cast<int>(i * static_cast<std::size_t>(size.width) / kBins);
      const auto right = static_cast<int>((i + 1) * static_cast<std::size_t>(size.width) / kBins);
      const double px = (2.0 * (static_cast<double>(i) + 0.5) / kBins - 1.0) * reach_;
      const bool good = px >= behind_ && px <= before_;
      const auto height = static_cast<int>(std::lround((foot - 10) * counts_.at(i) / most));
      cv::rectangle(panel, cv::Rect(left, foot - height, std::max(1, right - left - 1), height),
                    good ? cv::Scalar(90, 170, 240) : cv::Scalar(240, 110, 80), cv::FILLED);
    }
    mark(panel, 0.0, "screen", cv::Scalar(230, 230, 230));
    if (std::isfinite(behind_)) mark(panel, behind_, "limit", cv::Scalar(240, 200, 80));
    if (std::isfinite(before_)) mark(panel, before_, "limit", cv::Scalar(240, 200, 80));
    return panel;
  }

 private:
  static constexpr std::size_t kBins = 96;

  [[nodiscard]] std::size_t bin_of(double px) const {
    const double place = (px / reach_ + 1.0) / 2.0 * kBins;
    return static_cast<std::size_t>(std::clamp(place, 0.0, kBins - 1.0));
  }

  void mark(cv::Mat& panel, double px, const std::string& text, const cv::Scalar& ink) const {
    const auto x = static_cast<int>(std::lround((px / reach_ + 1.0) / 2.0 * panel.cols));
    cv::line(panel, {x, 0}, {x, panel.rows - 24}, ink, 1, cv::LINE_AA);
    const auto label = fmt::format("{} {:+.0f} px", text, px);
    cv::putText(panel, label, {std::clamp(x - 40, 2, panel.cols - 110), panel.rows - 7},
                cv::FONT_HERSHEY_SIMPLEX, 0.45, ink, 1, cv::LINE_AA);
  }

  double behind_;
  double before_;
  double reach_ = 1.0;
  std::array<double, kBins> counts_{};
};

// Both eyes of a scene whatever layout it has.
StereoFrameMaker make_eyes(StereoScene scene) {
  scene.frame.layout = {};
  scene.frame.ipd_offset = 0.0F;
  scene.frame.max_size = {};
  scene.frame.letterbox = {};
  cv::Mat unused;
  return make_frame(scene, unused);
}

std::vector<float> sweep_values(const std::string& parameter) {
  if (parameter == "divergence") return {1.0F, 2.0F, 3.0F, 4.0F};
  if (parameter == "convergence") return {0.0F, 0.25F, 0.5F, 0.75F, 1.0F};
  if (parameter == "foreground_scale") return {-2.0F, -1.0F, 0.0F, 1.0F, 2.0F};
  return {-2.0F, 0.0F, 2.0F, 4.0F};  // ipd_offset
}

void set_parameter(StereoScene& scene, const std::string& parameter, float value) {
  if (parameter == "divergence") scene.frame.parallax.divergence = value;
  if (parameter == "convergence") {
    scene.decision.convergence = value;
    scene.frame.convergence_is_mapped = false;
  }
  if (parameter == "foreground_scale") {
    scene.frame.mapper = "auto";
    scene.frame.foreground_scale = value;
  }
  if (parameter == "ipd_offset") scene.frame.ipd_offset = value;
}

}  // namespace

cv::Mat panel_sheet(std::span<const PreviewPanel> panels, int columns, const std::string& title) {
  std::vector<cv::Mat> cells;
  for (const auto& panel : panels) {
    cells.push_back(with_caption(panel.picture, panel.caption, kPanelWidth));
  }
  return in_rows(cells, columns, title);
}

StereoPreview preview_scene(const StereoScene& scene, const std::string& title) {
  const auto maker = make_eyes(scene);
  const cv::Mat picture = shown(scene.picture);
  const cv::Mat left = shown(maker.left());
  const cv::Mat right = shown(maker.right());
  cv::Mat anaglyph;
  stereo::make_anaglyph(left, right, scene.frame.layout.anaglyph, anaglyph);
  auto viewing = scene.frame.viewing;
  viewing.picture_width_px = scene.part.width;
  viewing.synthetic_view = scene.frame.parallax.synthetic_view;
  const float eyes = viewing.synthetic_view == stereo::SyntheticView::kBoth ? 2.0F : 1.0F;
  const auto limit = scene.frame.comfort;
  const Histogram histogram(
      maker.parallax_px(), eyes,
      eyes * std::max(stereo::parallax_for_vergence(Radians{-limit.value()}, viewing),
                      stereo::parallel_parallax_px(viewing)),
      eyes * stereo::parallax_for_vergence(limit, viewing));
  const auto comfort = maker.comfort();
  const int height = std::max(200, static_cast<int>(std::lround(static_cast<double>(picture.rows) *
                                                                kPanelWidth / picture.cols)));
  const std::array<cv::Mat, 6> panels = {
      with_caption(picture, fmt::format("picture {}x{}", picture.cols, picture.rows), kPanelWidth),
      with_caption(depth_of(scene, picture.size()), "depth (bright = near)", kPanelWidth),
      with_caption(anaglyph, fmt::format("anaglyph {}", to_string(scene.frame.layout.anaglyph)),
                   kPanelWidth),
      with_caption(left, "left eye", kPanelWidth),
      with_caption(right, "right eye", kPanelWidth),
      with_caption(histogram.draw({kPanelWidth, height}),
                   fmt::format("parallax {:+.2f} to {:+.2f} deg, {:.1f} % beyond {:.2g} deg",
                               comfort.farthest.degrees(), comfort.nearest.degrees(),
                               100.0 * comfort.share_beyond, limit.degrees()),
                   kPanelWidth)};
  StereoPreview preview;
  preview.sheet = in_rows(panels, 3, title);
  for (const auto& eye : {left, right}) {
    cv::Mat frame;
    const cv::Size size = stereo::fit_within(eye.size(), {960, 960});
    cv::resize(eye, frame, size, 0.0, 0.0, cv::INTER_AREA);
    preview.wiggle.push_back(frame);
  }
  return preview;
}

std::vector<fs::path> write_preview(const fs::path& path, const StereoPreview& preview) {
  constexpr int kFrameMs = 150;
  return write_together(path, ".png", [&](const fs::path& place) {
    media::write_picture(place, preview.sheet);
    if (is_device(path)) return;
    auto animation = place;
    media::write_animation(animation.replace_extension(".webp"), preview.wiggle, kFrameMs);
  });
}

std::vector<std::string> sweep_parameters(const std::string& names) {
  static const std::vector<std::string> kKnown = {"divergence", "convergence", "foreground_scale",
                                                  "ipd_offset"};
  std::vector<std::string> parameters;
  for (std::size_t begin = 0; begin <= names.size();) {
    const auto end = std::min(names.find(',', begin), names.size());
    auto name = names.substr(begin, end - begin);
    std::replace(name.begin(), name.end(), '-', '_');
    if (std::find(kKnown.begin(), kKnown.end(), name) == kKnown.end()) {
      throw Error(ErrorCode::kUsage, fmt::format("'--find-param' knows nothing of '{}'", name))
          .hint("give one or more of " + quoted_list(kKnown, "and") + ", with commas");
    }
    if (std::find(parameters.begin(), parameters.end(), name) != parameters.end()) {
      throw Error(ErrorCode::kUsage, fmt::format("'--find-param' names '{}' twice", name));
    }
    parameters.push_back(name);
    begin = end + 1;
  }
  return parameters;
}

cv::Mat sweep_scene(const StereoScene& scene, std::span<const std::string> parameters) {
  std::vector<std::vector<float>> values;
  std::size_t count = 1;
  for (const auto& parameter : parameters) {
    values.push_back(sweep_values(parameter));
    count *= values.back().size();
  }
  std::vector<cv::Mat> cells;
  int width = 0;
  for (std::size_t i = 0; i < count; ++i) {
    StereoScene changed = scene;
    std::string label;
    std::size_t rest = i;
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      const float value = values[p][rest % values[p].size()];
      rest /= values[p].size();
      set_parameter(changed, parameters[p], value);
      label += fmt::format("{}{} {:g}", p > 0 ? ", " : "", parameters[p], value);
    }
    cv::Mat frame;
    const auto maker = make_frame(changed, frame);
    const cv::Mat picture = shown(frame);
    if (width == 0) width = picture.cols > picture.rows * 5 / 2 ? kPanelWidth : kPanelWidth / 2;
    cells.push_back(with_caption(picture, label, width));
  }
  return in_rows(cells, static_cast<int>(values.front().size()), "");
}

std::vector<fs::path> write_sweep(const fs::path& path, const cv::Mat& sheet) {
  media::write_picture(path, sheet);
  return {path};
}

media::Picture middle_frame(const fs::path& video, const media::VideoReadOptions& options) {
  media::VideoReader reader(video, options);
  const auto& info = reader.info();
  media::VideoFrame frame;
  if (info.duration_s > 0.0 && info.seekable) {
    const double middle_s = options.start_s.value_or(0.0) + info.duration_s / 2.0;
    reader.seek(
        info.start_pts + static_cast<std::int64_t>(std::floor(middle_s / info.time_base.value())),
        0);
    if (reader.read(frame)) return {frame.picture, {}, {}};
    reader = media::VideoReader(video, options);
  }
  if (!reader.read(frame)) {
    throw Error(fmt::format("'{}' has no frame to show", video.string()));
  }
  return {frame.picture, {}, {}};
}

}  // namespace vergence::pipeline
