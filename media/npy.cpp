// SPDX-License-Identifier: Apache-2.0
// The NPY format, versions 1 to 3:
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#include "media/npy.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <charconv>
#include <cstring>

#include <fmt/format.h>

namespace vergence::media::codec {
namespace {

struct NpyHeader {
  char kind = 'f';  // f, i, u
  std::size_t item_size = 4;
  bool big_endian = false;
  bool fortran_order = false;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::size_t data_at = 0;
};

[[noreturn]] void throw_bad_header(const Source& source) {
  throw_damaged(source, "the NPY header is damaged or ends too early");
}

// What stands behind 'key': in the header, a Python dictionary written out.
std::string_view value_of(std::string_view dictionary, std::string_view key) {
  const std::size_t at = dictionary.find(fmt::format("'{}'", key));
  if (at == std::string_view::npos) return {};
  const std::size_t colon = dictionary.find(':', at);
  if (colon == std::string_view::npos) return {};
  const auto value = dictionary.substr(colon + 1);
  return value.substr(std::min(value.find_first_not_of(' '), value.size()));
}

std::vector<std::int64_t> parse_shape(const Source& source, std::string_view text) {
  std::vector<std::int64_t> shape;
  if (!text.starts_with('(')) throw_bad_header(source);
  const char* at = text.data() + 1;
  const char* end = text.data() + std::min(text.find(')'), text.size());
  while (at < end) {
    if (*at == ' ' || *at == ',') {
      ++at;
      continue;
    }
    std::int64_t size = 0;
    const auto [next, error] = std::from_chars(at, end, size);
    if (error != std::errc() || size < 0) throw_bad_header(source);
    shape.push_back(size);
    at = next;
  }
  return shape;
}

void read_shape(const Source& source, std::string_view text, NpyHeader& header) {
  auto shape = parse_shape(source, text);
  if (shape.size() == 3 && shape.front() == 1) shape.erase(shape.begin());
  if (shape.size() == 3 && shape.back() == 1) shape.pop_back();
  if (shape.size() != 2) {
    throw_unsupported(source, fmt::format("an array of {} dimensions", shape.size()));
  }
  header.rows = shape[0];
  header.columns = shape[1];
  check_size(source, header.columns, header.rows);
}

void read_type(const Source& source, std::string_view text, NpyHeader& header) {
  // Such as '<f4'.
  if (text.size() < 5 || (text[0] != '\'' && text[0] != '"')) throw_bad_header(source);
  header.big_endian = text[1] == '>';
  header.kind = text[2];
  header.item_size = static_cast<std::size_t>(text[3] - '0');
  const bool whole = (header.kind == 'i' || header.kind == 'u') &&
                     std::has_single_bit(header.item_size) && header.item_size <= 8;
  const bool floating = header.kind == 'f' &&
                        (header.item_size == 2 || header.item_size == 4 || header.item_size == 8);
  if (text[4] != text[0] || !(whole || floating)) {
    throw_unsupported(source, "an array of other than real numbers");
  }
}

NpyHeader read_header(const Source& source) {
  const auto* data = source.bytes.data();
  const std::size_t size = source.bytes.size();
  if (size < 12) throw_bad_header(source);
  const bool short_length = data[6] == 1;
  const std::size_t start = short_length ? 10 : 12;
  const std::size_t length =
      short_length ? little_endian_u16(data + 8) : little_endian_u32(data + 8);
  if (length > size - start) throw_bad_header(source);
  const auto dictionary = as_text(source.bytes.subspan(start, length));
  NpyHeader header;
  header.data_at = start + length;
  read_type(source, value_of(dictionary, "descr"), header);
  header.fortran_order = value_of(dictionary, "fortran_order").starts_with("True");
  read_shape(source, value_of(dictionary, "shape"), header);
  return header;
}

template <class Number>
float as_float(const std::uint8_t* bytes) {
  Number number;
  std::memcpy(&number, bytes, sizeof(number));
  return static_cast<float>(number);
}

// Reads one item whose bytes stand in this machine's order.
using ReadItem = float (*)(const std::uint8_t*);

ReadItem reader_for(const NpyHeader& header) {
  const std::size_t log2_size = static_cast<std::size_t>(std::countr_zero(header.item_size));
  constexpr std::array<ReadItem, 4> kUnsigned{as_float<std::uint8_t>, as_float<std::uint16_t>,
                                              as_float<std::uint32_t>, as_float<std::uint64_t>};
  constexpr std::array<ReadItem, 4> kSigned{as_float<std::int8_t>, as_float<std::int16_t>,
                                            as_float<std::int32_t>, as_float<std::int64_t>};
  constexpr std::array<ReadItem, 4> kFloating{nullptr, as_float<cv::float16_t>, as_float<float>,
                                              as_float<double>};
  return (header.kind == 'f' ? kFloating : header.kind == 'u' ? kUnsigned : kSigned)[log2_size];
}

}  // namespace

cv::Mat decode_npy(const Source& source) {
  const NpyHeader header = read_header(source);
  const auto rows = static_cast<int>(header.rows);
  const auto columns = static_cast<int>(header.columns);
  const std::size_t needed =
      static_cast<std::size_t>(header.rows * header.columns) * header.item_size;
  if (source.bytes.size() - header.data_at < needed) {
    throw_damaged(source, "the NPY data end too early");
  }
  const ReadItem read = reader_for(header);
  const bool swap = header.big_endian != (std::endian::native == std::endian::big);
  // Fortran order is the transposed array in C order.
  cv::Mat values(header.fortran_order ? cv::Size(rows, columns) : cv::Size(columns, rows),
                 CV_32FC1);
  const std::uint8_t* item = source.bytes.data() + header.data_at;
  std::array<std::uint8_t, 8> swapped{};
  for (int y = 0; y < values.rows; ++y) {
    auto* row = values.ptr<float>(y);
    for (int x = 0; x < values.cols; ++x, item += header.item_size) {
      if (swap) std::reverse_copy(item, item + header.item_size, swapped.begin());
      row[x] = read(swap ? swapped.data() : item);
    }
  }
  if (header.fortran_order) cv::transpose(values, values);
  return values;
}

std::vector<std::uint8_t> encode_npy(const cv::Mat& values) {
  std::string header =
      fmt::format("{{'descr': '{}f4', 'fortran_order': False, 'shape': ({}, {}), }}",
                  std::endian::native == std::endian::little ? '<' : '>', values.rows, values.cols);
  // Magic, version, length and dictionary with its newline fill a multiple of 64 bytes.
  constexpr std::size_t kPrefix = 10;
  header.append(63 - (kPrefix + header.size()) % 64, ' ');
  header += '\n';
  const std::size_t row_size = static_cast<std::size_t>(values.cols) * sizeof(float);
  std::vector<std::uint8_t> bytes{0x93,
                                  'N',
                                  'U',
                                  'M',
                                  'P',
                                  'Y',
                                  1,
                                  0,
                                  static_cast<std::uint8_t>(header.size() & 0xFF),
                                  static_cast<std::uint8_t>(header.size() >> 8)};
  bytes.reserve(kPrefix + header.size() + row_size * static_cast<std::size_t>(values.rows));
  bytes.insert(bytes.end(), header.begin(), header.end());
  for (int y = 0; y < values.rows; ++y) {
    bytes.insert(bytes.end(), values.ptr(y), values.ptr(y) + row_size);
  }
  return bytes;
}

}  // namespace vergence::media::codec
