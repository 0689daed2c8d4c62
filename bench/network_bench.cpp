// SPDX-License-Identifier: Apache-2.0
// One network in this library: says "ready", then runs once for every line on stdin and prints the
// milliseconds of wall time and of all threads; run_networks.py drives it beside ONNX Runtime. At
// the end it prints its peak memory. Arguments: backend ("torchscript", or a known network's name
// for its native one), file, input (raw float32), height, width, threads, precision, file for the
// last output (raw float32).
#include "core/module.hpp"
#include "predictors/model_registry.hpp"
#include "predictors/network.hpp"
#include "predictors/predictor_factory.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

#include <fmt/format.h>
#include <sys/resource.h>

namespace vergence::predictors {
namespace {

NetworkSource source_of(const std::string& backend, const std::string& file,
                        const std::string& precision) {
  NetworkSource source;
  source.name = backend;
  source.backend = backend == "torchscript" ? backend : find_model_card(backend).model.backend;
  source.file = file;
  source.device = "cpu";
  source.precision = precision_from_string(precision).value();
  return source;
}

cv::Mat read_batch(const std::string& path, int height, int width) {
  const std::array<int, 4> shape = {1, 3, height, width};
  cv::Mat batch(static_cast<int>(shape.size()), shape.data(), CV_32F);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(batch.data),
            static_cast<std::streamsize>(batch.total() * batch.elemSize()));
  if (!file) throw std::runtime_error("cannot read " + path);
  return batch;
}

void write_map(const std::string& path, const cv::Mat& map) {
  const cv::Mat whole = map.clone();
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(whole.data),
             static_cast<std::streamsize>(whole.total() * whole.elemSize()));
}

// Of all threads.
double processor_milliseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

double peak_gigabytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return 1024e-9 * static_cast<double>(usage.ru_maxrss);  // in KiB
}

void run(const std::array<std::string, 8>& arguments) {
  const auto& [backend, file, input, height, width, threads, precision, output] = arguments;
  // As the program does before it maps LibTorch (predictors/network_predictor.cpp).
  ::setenv("OMP_WAIT_POLICY", "PASSIVE", 0);
  const auto open = reinterpret_cast<decltype(&vergence_open_network)>(
      module_symbol("torch", "vergence_open_network"));
  const std::unique_ptr<Network> network(open(source_of(backend, file, precision)));
  const cv::Mat batch = read_batch(input, std::stoi(height), std::stoi(width));
  fmt::print("ready\n");
  std::fflush(stdout);
  cv::Mat map;
  for (std::string line; std::getline(std::cin, line);) {
    const double processor = processor_milliseconds();
    const auto start = std::chrono::steady_clock::now();
    map = network->run(batch, std::stoi(threads)).front();
    const std::chrono::duration<double, std::milli> wall = std::chrono::steady_clock::now() - start;
    fmt::print("{} {}\n", wall.count(), processor_milliseconds() - processor);
    std::fflush(stdout);
  }
  if (!map.empty()) write_map(output, map);
  fmt::print("peak {}\n", peak_gigabytes());
}

}  // namespace
}  // namespace vergence::predictors

int main(int argc, char** argv) {
  std::array<std::string, 8> arguments;
  if (argc != static_cast<int>(arguments.size()) + 1) {
    fmt::print(stderr, "run_networks.py gives the arguments\n");
    return 2;
  }
  std::copy(argv + 1, argv + argc, arguments.begin());
  try {
    vergence::predictors::run(arguments);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
