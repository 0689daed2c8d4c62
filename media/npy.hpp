// SPDX-License-Identifier: Apache-2.0
// NumPy arrays of one channel; not installed.
#pragma once

#include "media/codec.hpp"

namespace vergence::media::codec {

// CV_32FC1 [rows, columns] of a 2-D array (or a 3-D one with a single channel in front or behind).
[[nodiscard]] cv::Mat decode_npy(const Source& source);

// The bytes of a version 1.0 file, "<f4", C order.
[[nodiscard]] std::vector<std::uint8_t> encode_npy(const cv::Mat& values);

// The first array of an .npz archive (NumPy's savez and savez_compressed), the same.
[[nodiscard]] cv::Mat decode_npz(const Source& source);

// Whether the content begins as a ZIP archive does.
[[nodiscard]] bool is_npz(Bytes bytes);

}  // namespace vergence::media::codec
