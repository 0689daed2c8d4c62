// SPDX-License-Identifier: Apache-2.0
// Pixels of any type: dispatch from cv::Mat types to templates, and rounding back.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <type_traits>

#include <opencv2/core.hpp>
#include <opencv2/core/hal/intrin.hpp>

namespace vergence::stereo {

// The largest value of a channel: 255, 65535 or (floating point) 1.
template <class T>
inline constexpr float kFullScale = std::is_same_v<T, float>           ? 1.0F
                                    : std::is_same_v<T, std::uint16_t> ? 65535.0F
                                                                       : 255.0F;

// Added before a value >= 0 is cut to a whole number: rounds to the nearest.
inline constexpr float kHalf = 0.5F;

template <class T>
T rounded(float value) {
  if constexpr (std::is_same_v<T, float>) {
    return value;
  } else {
    return static_cast<T>(std::clamp(value, 0.0F, kFullScale<T>) + kHalf);
  }
}

// Four channels as a vector, whatever there is behind those of the pixel: reads four values.
inline cv::v_float32x4 load_pixel(const std::uint8_t* pixel) {
  // OpenCV 4.6 reads them as one int, and pixels of three channels are not aligned for that.
  alignas(4) std::uint8_t channels[4];
  std::memcpy(channels, pixel, sizeof channels);
  return cv::v_cvt_f32(cv::v_reinterpret_as_s32(cv::v_load_expand_q(channels)));
}

inline cv::v_float32x4 load_pixel(const std::uint16_t* pixel) {
  return cv::v_cvt_f32(cv::v_reinterpret_as_s32(cv::v_load_expand(pixel)));
}

inline cv::v_float32x4 load_pixel(const float* pixel) {
  return cv::v_load(pixel);
}

// Calls body.operator()<T, channels>() for the type of a picture: CV_8U, CV_16U or CV_32F with 1, 3
// or 4 channels. Throws std::invalid_argument for any other.
template <class Body>
void with_pixel_type(int type, Body&& body) {
  const auto with_depth = [&]<int kChannels>() {
    switch (CV_MAT_DEPTH(type)) {
      case CV_8U:
        return body.template operator()<std::uint8_t, kChannels>();
      case CV_16U:
        return body.template operator()<std::uint16_t, kChannels>();
      case CV_32F:
        return body.template operator()<float, kChannels>();
      default:
        throw std::invalid_argument("a picture has 8 or 16 bits or floating point");
    }
  };
  switch (CV_MAT_CN(type)) {
    case 1:
      return with_depth.template operator()<1>();
    case 3:
      return with_depth.template operator()<3>();
    case 4:
      return with_depth.template operator()<4>();
    default:
      throw std::invalid_argument("a picture has 1, 3 or 4 channels");
  }
}

}  // namespace vergence::stereo
