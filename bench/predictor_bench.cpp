// SPDX-License-Identifier: Apache-2.0
// How to spread 20 views over the cores: threads inside the network, batches, or workers with one
// thread each. Every variant prints wall time and the processor time of all threads, which other
// programs disturb less.
#include "core/module.hpp"
#include "core/progress.hpp"
#include "predictors/embedded.hpp"
#include "predictors/network.hpp"
#include "predictors/predictor_factory.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

namespace vergence::predictors {
namespace {

constexpr int kViews = 20;
constexpr int kSide = 256;

Network& nano() {
  static const std::unique_ptr<Network> network = [] {
    const auto open = reinterpret_cast<decltype(&vergence_open_network)>(
        module_symbol("torch", "vergence_open_network"));
    NetworkSource source;
    source.name = "nano";
    source.backend = "native:nano";
    source.embedded = embedded_weights("nano");
    source.device = "cpu";
    return std::unique_ptr<Network>(open(source));
  }();
  return *network;
}

cv::Mat random_batch(int count) {
  const std::array<int, 4> shape = {count, 3, kSide, kSide};
  cv::Mat batch(static_cast<int>(shape.size()), shape.data(), CV_32F);
  cv::theRNG().state = 1;
  cv::randu(batch, cv::Scalar::all(-2.0), cv::Scalar::all(2.0));
  return batch;
}

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Best wall time and best processor time of `rounds` runs.
void measure(const std::string& name, const std::function<void()>& run) {
  constexpr int kRounds = 5;
  double best_wall = 1e9;
  double best_cpu = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    const double cpu_start = cpu_seconds();
    run();
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
    best_wall = std::min(best_wall, wall.count());
    best_cpu = std::min(best_cpu, cpu_seconds() - cpu_start);
  }
  fmt::print("{:<44} {:8.1f} ms {:8.1f} ms\n", name, best_wall * 1e3, best_cpu * 1e3);
}

struct Variant {
  int workers;
  int threads;   // inside the network, for each worker
  int per_call;  // views that go through it together
};

void run_views(const Variant& variant, const cv::Mat& batch) {
  std::atomic<int> next{0};
  const auto work = [&] {
    while (next.fetch_add(variant.per_call) < kViews) {
      if (nano().run(batch, variant.threads).empty()) std::abort();
    }
  };
  std::vector<std::thread> others;
  for (int worker = 1; worker < variant.workers; ++worker) others.emplace_back(work);
  work();
  for (auto& other : others) other.join();
}

// What the program does, preprocessing included.
void measure_predictor() {
  const auto predictor = make_network({.size_px = kSide}, {.device = "cpu"});
  cv::Mat picture(kSide, kSide, CV_8UC3);
  cv::randu(picture, cv::Scalar::all(0), cv::Scalar::all(256));
  const std::vector<PredictorInput> pictures(kViews, {.name = "view", .rgb = picture});
  measure("make_network()->predict()", [&] { (void)predictor->predict(pictures, no_progress()); });
}

}  // namespace
}  // namespace vergence::predictors

int main() {
  using vergence::predictors::Variant;
  // As the program does before it maps LibTorch (predictors/network_predictor.cpp).
  ::setenv("OMP_WAIT_POLICY", "PASSIVE", 0);
  fmt::print("nano, {} views of {} px: best wall time, best processor time of all threads\n",
             vergence::predictors::kViews, vergence::predictors::kSide);
  for (const Variant& variant :
       {Variant{1, 1, 1}, Variant{1, 1, 4}, Variant{1, 2, 1}, Variant{1, 2, 4}, Variant{1, 2, 10},
        Variant{1, 2, 20}, Variant{2, 1, 1}, Variant{2, 1, 4}}) {
    const cv::Mat batch = vergence::predictors::random_batch(variant.per_call);
    vergence::predictors::measure(fmt::format("{} worker(s), {} thread(s) each, batches of {}",
                                              variant.workers, variant.threads, variant.per_call),
                                  [&] { vergence::predictors::run_views(variant, batch); });
  }
  vergence::predictors::measure_predictor();
  return 0;
}
