// SPDX-License-Identifier: Apache-2.0
#include "tests/stereo/npz.hpp"

#include "core/output_file.hpp"

#include <cstdint>
#include <cstring>
#include <regex>
#include <stdexcept>
#include <vector>

#include <zlib.h>

namespace vergence::test {
namespace {

template <class T>
T number_at(const std::string& bytes, std::size_t offset) {
  T value{};
  if (offset + sizeof(T) > bytes.size()) throw std::runtime_error("an .npz file is cut short");
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

// The array in the bytes of an .npy file, version 1 or 2.
cv::Mat parse_npy(const std::string& bytes) {
  const bool version_1 = bytes.at(6) == 1;
  const std::size_t begin = version_1 ? 10 : 12;
  const std::size_t size =
      version_1 ? number_at<std::uint16_t>(bytes, 8) : number_at<std::uint32_t>(bytes, 8);
  const std::string header = bytes.substr(begin, size);
  std::smatch match;
  if (!std::regex_search(header, match, std::regex(R"('descr': '([<|][a-z]\d)')"))) {
    throw std::runtime_error("unknown numbers in " + header);
  }
  const std::string type = match[1];
  const std::map<std::string, int> depths = {
      {"<f4", CV_32F}, {"<f8", CV_64F}, {"<u2", CV_16U}, {"|u1", CV_8U}};
  std::regex_search(header, match, std::regex(R"('shape': \(([^)]*)\))"));
  const std::string shape = match[1];
  std::vector<int> sizes;
  const std::regex digits(R"(\d+)");
  for (std::sregex_iterator it(shape.begin(), shape.end(), digits), end; it != end; ++it) {
    sizes.push_back(std::stoi(it->str()));
  }
  if (sizes.size() == 1) sizes.insert(sizes.begin(), 1);
  if (sizes.size() == 4) sizes = {sizes[0] * sizes[1] * sizes[2], sizes[3]};
  const int channels = sizes.size() > 2 ? sizes[2] : 1;
  const cv::Mat stored(sizes.at(0), sizes.at(1), CV_MAKETYPE(depths.at(type), channels),
                       const_cast<char*>(bytes.data() + begin + size));
  cv::Mat values;
  stored.convertTo(values, CV_32F);
  return values;
}

std::string inflate_member(const std::string& packed, std::size_t size) {
  std::string bytes(size, '\0');
  z_stream stream{};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_out = static_cast<uInt>(size);
  inflateInit2(&stream, -MAX_WBITS);
  const int result = inflate(&stream, Z_FINISH);
  inflateEnd(&stream);
  if (result != Z_STREAM_END) throw std::runtime_error("a damaged .npz member");
  return bytes;
}

}  // namespace

cv::Mat read_npy(const std::filesystem::path& path) {
  return parse_npy(read_file(path));
}

std::map<std::string, cv::Mat> read_npz(const std::filesystem::path& path) {
  const std::string file = read_file(path);
  const std::size_t end = file.rfind("PK\5\6");
  if (end == std::string::npos) throw std::runtime_error("no .npz file: " + path.string());
  const auto count = number_at<std::uint16_t>(file, end + 10);
  std::size_t entry = number_at<std::uint32_t>(file, end + 16);
  std::map<std::string, cv::Mat> arrays;
  for (int i = 0; i < count; ++i) {
    const auto packed_size = number_at<std::uint32_t>(file, entry + 20);
    const auto size = number_at<std::uint32_t>(file, entry + 24);
    const auto name_size = number_at<std::uint16_t>(file, entry + 28);
    const std::size_t local = number_at<std::uint32_t>(file, entry + 42);
    const std::size_t data = local + 30 + number_at<std::uint16_t>(file, local + 26) +
                             number_at<std::uint16_t>(file, local + 28);
    const std::string name = file.substr(entry + 46, name_size);
    const bool deflated = number_at<std::uint16_t>(file, entry + 10) == 8;
    const std::string packed = file.substr(data, packed_size);
    arrays[name.substr(0, name.rfind(".npy"))] =
        parse_npy(deflated ? inflate_member(packed, size) : packed);
    entry += 46U + name_size + number_at<std::uint16_t>(file, entry + 30) +
             number_at<std::uint16_t>(file, entry + 32);
  }
  return arrays;
}

}  // namespace vergence::test
