// SPDX-License-Identifier: Apache-2.0
// Time of VR180 views of both eyes beside FFmpeg's filter v360, which makes one hemisphere of the
// same size, in turn in one run: bench_sphere [EYE=2048] [RUNS=20] [THREADS=2]. The panorama is
// twice as wide as an eye's picture. Both are given their tables before. Also says how much memory
// was taken at most.
#include "core/parallel.hpp"
#include "stereo/sphere_stereo.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>
#include <sys/resource.h>

extern "C" {
#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/frame.h>
}

namespace vergence {
namespace {

using Clock = std::chrono::steady_clock;
using projection::PictureModel;
using projection::SphereWindow;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

void check(int code, const char* what) {
  if (code < 0) throw std::runtime_error(fmt::format("FFmpeg: {} failed ({})", what, code));
}

// FFmpeg's v360 from an equirectangular picture to a hemisphere, planar RGB, bilinear.
class Hemisphere {
 public:
  Hemisphere(const cv::Mat& picture, int eye, int threads) {
    graph_ = avfilter_graph_alloc();
    graph_->nb_threads = threads;
    const auto source =
        fmt::format("video_size={}x{}:pix_fmt=gbrp:time_base=1/30", picture.cols, picture.rows);
    const auto filter = fmt::format("e:hequirect:w={0}:h={0}:interp=linear", eye);
    AVFilterContext* v360 = nullptr;
    check(avfilter_graph_create_filter(&source_, avfilter_get_by_name("buffer"), "in",
                                       source.c_str(), nullptr, graph_),
          "its source");
    check(avfilter_graph_create_filter(&v360, avfilter_get_by_name("v360"), "v360", filter.c_str(),
                                       nullptr, graph_),
          "v360");
    check(avfilter_graph_create_filter(&sink_, avfilter_get_by_name("buffersink"), "out", nullptr,
                                       nullptr, graph_),
          "its sink");
    check(avfilter_link(source_, 0, v360, 0), "a link");
    check(avfilter_link(v360, 0, sink_, 0), "a link");
    check(avfilter_graph_config(graph_, nullptr), "the graph");
    in_ = av_frame_alloc();
    in_->format = AV_PIX_FMT_GBRP;
    in_->width = picture.cols;
    in_->height = picture.rows;
    check(av_frame_get_buffer(in_, 0), "memory");
    constexpr int kPlaneOfChannel[] = {2, 0, 1};
    std::vector<cv::Mat> planes;
    cv::split(picture, planes);
    for (std::size_t c = 0; c < 3; ++c) {
      const int plane = kPlaneOfChannel[c];
      planes[c].copyTo(cv::Mat(picture.size(), CV_8UC1, in_->data[plane],
                               static_cast<std::size_t>(in_->linesize[plane])));
    }
    out_ = av_frame_alloc();
  }

  Hemisphere(const Hemisphere&) = delete;
  Hemisphere& operator=(const Hemisphere&) = delete;

  ~Hemisphere() {
    av_frame_free(&in_);
    av_frame_free(&out_);
    avfilter_graph_free(&graph_);
  }

  void run() {
    in_->pts = pts_++;
    check(av_buffersrc_add_frame_flags(source_, in_, AV_BUFFERSRC_FLAG_KEEP_REF), "a frame");
    check(av_buffersink_get_frame(sink_, out_), "v360");
    av_frame_unref(out_);
  }

 private:
  AVFilterGraph* graph_ = nullptr;
  AVFilterContext* source_ = nullptr;
  AVFilterContext* sink_ = nullptr;
  AVFrame* in_ = nullptr;
  AVFrame* out_ = nullptr;
  std::int64_t pts_ = 0;
};

struct Scene {
  cv::Mat picture;
  cv::Mat distance;
};

// A floor, a ceiling, a wall all around and 60 things before it.
Scene cluttered_scene(int width) {
  Scene scene;
  scene.picture.create(width / 2, width, CV_8UC3);
  cv::RNG noise(1);
  noise.fill(scene.picture, cv::RNG::UNIFORM, 0, 256);
  cv::GaussianBlur(scene.picture, scene.picture, {}, 1.5);
  scene.distance.create(width / 2, width, CV_32FC1);
  for (int y = 0; y < width / 2; ++y) {
    const double latitude = kPi / 2.0 - (y + 0.5) / width * 2.0 * kPi;
    const double up = std::abs(std::sin(latitude));
    scene.distance.row(y).setTo(std::min(5.0 / std::cos(latitude), 1.6 / std::max(up, 1e-3)));
  }
  std::mt19937 random(1);
  std::uniform_real_distribution<double> any(0.0, 1.0);
  for (int i = 60; i > 0; --i) {
    const cv::Point centre(static_cast<int>(any(random) * width),
                           static_cast<int>((0.15 + 0.2 * any(random)) * width));
    const cv::Size axes(static_cast<int>((0.003 + 0.015 * any(random)) * width),
                        static_cast<int>((0.005 + 0.05 * any(random)) * width));
    cv::ellipse(scene.distance, centre, axes, 360.0 * any(random), 0.0, 360.0,
                cv::Scalar(0.7 + 3.0 * i / 60.0), cv::FILLED);
  }
  return scene;
}

int run(int eye, int runs) {
  const Scene scene = cluttered_scene(2 * eye);
  const auto model = PictureModel::equirectangular(SphereWindow::whole(2 * eye, eye));
  auto start = Clock::now();
  stereo::SphereStereo stereo({.eye = PictureModel::half_equirectangular({eye, eye})});
  const double tables = milliseconds_since(start);
  Hemisphere hemisphere(scene.picture, eye, thread_count());
  cv::Mat left;
  cv::Mat right;
  std::vector<double> passes;
  std::vector<double> pairs;
  std::vector<double> ratios;
  for (int i = 0; i <= runs; ++i) {
    start = Clock::now();
    hemisphere.run();
    const double pass = milliseconds_since(start);
    start = Clock::now();
    stereo.set_source(scene.picture, model, RayDistance(scene.distance));
    stereo.render(Eye::kLeft, left);
    stereo.render(Eye::kRight, right);
    const double pair = milliseconds_since(start);
    if (i == 0) continue;  // a warm-up
    passes.push_back(pass);
    pairs.push_back(pair);
    ratios.push_back(pair / pass);
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print("{0}x{1} to two of {1}x{1}, {2} threads, {3} runs; median (least)\n", 2 * eye, eye,
             thread_count(), runs);
  fmt::print("one v360      {:7.1f} ms ({:.1f})\n", quantile(passes, 0.5), quantile(passes, 0.0));
  fmt::print("both eyes     {:7.1f} ms ({:.1f})\n", quantile(pairs, 0.5), quantile(pairs, 0.0));
  fmt::print("ratio         {:7.2f}    ({:.2f})\n", quantile(ratios, 0.5), quantile(ratios, 0.0));
  fmt::print("tables once   {:7.0f} ms; memory at most {:.0f} MiB\n", tables,
             static_cast<double>(usage.ru_maxrss) / 1024.0);
  return 0;
}

}  // namespace
}  // namespace vergence

int main(int argc, char** argv) {
  const auto number = [&](int i, int otherwise) {
    return argc > i ? std::atoi(argv[i]) : otherwise;
  };
  vergence::set_thread_count(number(3, 2));
  return vergence::run(number(1, 2048), number(2, 20));
}
