// SPDX-License-Identifier: Apache-2.0
#include "tests/predictors/test_data.hpp"

#include <cmath>
#include <fstream>
#include <regex>
#include <sstream>
#include <stdexcept>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

namespace vergence::test {

cv::Mat read_npy(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string start(10, '\0');
  if (!file.read(start.data(), 10)) throw std::runtime_error("cannot read " + path.string());
  std::string header(
      static_cast<unsigned char>(start[8]) + 256U * static_cast<unsigned char>(start[9]), '\0');
  file.read(header.data(), static_cast<std::streamsize>(header.size()));
  if (header.find("'<f4'") == std::string::npos || header.find("True") != std::string::npos) {
    throw std::runtime_error(path.string() + " is not float32 in C order");
  }
  std::vector<int> shape;
  const std::regex number("[0-9]+");
  const auto dims = header.substr(header.find("'shape'"));
  for (std::sregex_iterator it(dims.begin(), dims.end(), number), end; it != end; ++it) {
    shape.push_back(std::stoi(it->str()));
  }
  cv::Mat values(static_cast<int>(shape.size()), shape.data(), CV_32F);
  file.read(reinterpret_cast<char*>(values.data),
            static_cast<std::streamsize>(values.total() * sizeof(float)));
  if (!file) throw std::runtime_error(path.string() + " is too short");
  return values;
}

cv::Mat read_rgb(const std::filesystem::path& path) {
  cv::Mat picture = cv::imread(path.string(), cv::IMREAD_COLOR);
  if (picture.empty()) throw std::runtime_error("cannot read " + path.string());
  cv::cvtColor(picture, picture, cv::COLOR_BGR2RGB);
  return picture;
}

cv::Mat plane(const cv::Mat& planes, int index) {
  const int height = planes.size[2];
  const int width = planes.size[3];
  const auto offset = static_cast<std::size_t>(index) * static_cast<std::size_t>(height) *
                      static_cast<std::size_t>(width);
  return cv::Mat(height, width, CV_32F, const_cast<float*>(planes.ptr<float>()) + offset).clone();
}

double correlation(const cv::Mat& a, const cv::Mat& b, const cv::Mat& mask) {
  const cv::Scalar mean_a = cv::mean(a, mask);
  const cv::Scalar mean_b = cv::mean(b, mask);
  cv::Mat off_a = a - mean_a;
  cv::Mat off_b = b - mean_b;
  if (!mask.empty()) {
    off_a.setTo(0.0, mask == 0);
    off_b.setTo(0.0, mask == 0);
  }
  return off_a.dot(off_b) / std::sqrt(off_a.dot(off_a) * off_b.dot(off_b));
}

cv::Mat synthetic_picture(cv::Size size, int seed) {
  cv::RNG random(static_cast<std::uint64_t>(seed) + 1);
  cv::Mat coarse(5, 7, CV_8UC3);
  random.fill(coarse, cv::RNG::UNIFORM, 0, 256);
  cv::Mat picture;
  cv::resize(coarse, picture, size, 0, 0, cv::INTER_CUBIC);
  cv::Mat noise(size, CV_8UC3);
  random.fill(noise, cv::RNG::UNIFORM, 0, 24);
  cv::add(picture, noise, picture);
  return picture;
}

PredictorInput as_input(cv::Mat rgb, const std::string& name) {
  return {.name = name, .rgb = std::move(rgb)};
}

bool maps_library(const std::string& part) {
  std::ifstream maps("/proc/self/maps");
  std::stringstream text;
  text << maps.rdbuf();
  return text.str().find(part) != std::string::npos;
}

}  // namespace vergence::test
