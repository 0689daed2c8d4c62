// SPDX-License-Identifier: Apache-2.0
// The index of a file of several JPEG pictures (CIPA DC-007, "Multi-Picture Format"); not
// installed.
#pragma once

#include "media/codec.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vergence::media::codec {

struct MultiPicture {
  bool disparity = false;  // one view of several side by side
  std::size_t offset = 0;  // in the file
  std::size_t size = 0;    // as the index says; may reach beyond the file
};

// The pictures that the content of "MPF" lists. `at` is where it begins in the file. Empty for a
// damaged index.
[[nodiscard]] std::vector<MultiPicture> multi_pictures(std::string_view index, std::size_t at);

// What the attributes say of the one picture that they are in.
struct MultiPictureAttributes {
  std::optional<std::uint32_t> number;  // views are counted from the left, from 1
  std::optional<double> baseline_m;
};

[[nodiscard]] MultiPictureAttributes multi_picture_attributes(std::string_view index);

// "MPF" of the left picture: the index of both and its attributes. `left_size` is the whole left
// JPEG's with this in it, `at` where this begins there; both do not change its size.
struct PairPlaces {
  std::size_t left_size = 0;
  std::size_t right_size = 0;
  std::size_t at = 0;
};

[[nodiscard]] std::string left_multi_picture(const PairPlaces& places,
                                             std::optional<double> baseline_m);

// "MPF" of the right picture: its attributes.
[[nodiscard]] std::string right_multi_picture(std::optional<double> baseline_m);

}  // namespace vergence::media::codec
