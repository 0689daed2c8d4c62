// SPDX-License-Identifier: Apache-2.0
// NumPy's .npz: a zip of .npy files.
#include "core/zip_archive.hpp"
#include "media/npy.hpp"

#include <limits>
#include <new>
#include <string>
#include <vector>

#include <zlib.h>

namespace vergence::media::codec {
namespace {

constexpr std::int64_t kMostOfDeflate = 1032;
constexpr int kStored = 0;
constexpr int kDeflated = 8;

Bytes bytes_of(const ZipEntry& entry) {
  return {reinterpret_cast<const std::uint8_t*>(entry.data.data()), entry.data.size()};
}

// The first array in the order of the file.
ZipEntry first_array(const Source& source) {
  const std::string name(source.name);
  const ZipDirectory files = read_zip_directory(std::as_bytes(source.bytes), name);
  const ZipEntry* first = nullptr;
  for (const auto& [file, entry] : files) {
    if (!file.ends_with(".npy")) continue;
    if (first == nullptr || entry.data.data() < first->data.data()) first = &entry;
  }
  if (first == nullptr) throw_unsupported(source, "an NPZ archive without an array");
  return *first;
}

std::vector<std::uint8_t> inflated(const Source& source, const ZipEntry& entry) {
  constexpr std::uint64_t kMost = std::numeric_limits<uInt>::max();
  if (entry.size > kMost || entry.data.size() > kMost) {
    throw_unsupported(source, "an NPZ archive with an array of 4 GB or more");
  }
  check_plausible({bytes_of(entry), source.name}, static_cast<std::int64_t>(entry.size),
                  kMostOfDeflate);
  std::vector<std::uint8_t> result(entry.size);
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) throw std::bad_alloc();
  stream.next_in = const_cast<std::uint8_t*>(bytes_of(entry).data());
  stream.avail_in = static_cast<uInt>(entry.data.size());
  stream.next_out = result.data();
  stream.avail_out = static_cast<uInt>(result.size());
  const int outcome = inflate(&stream, Z_FINISH);
  const bool whole = outcome == Z_STREAM_END && stream.avail_out == 0;
  inflateEnd(&stream);
  if (!whole) throw_damaged(source, "an array of the NPZ archive is damaged");
  return result;
}

}  // namespace

bool is_npz(Bytes bytes) {
  return is_zip(std::as_bytes(bytes));
}

cv::Mat decode_npz(const Source& source) {
  const ZipEntry entry = first_array(source);
  if (entry.encrypted || (entry.method != kStored && entry.method != kDeflated)) {
    throw_unsupported(source, "an encrypted NPZ archive, or one of another compression");
  }
  if (entry.method == kStored) return decode_npy({bytes_of(entry), source.name});
  return decode_npy({inflated(source, entry), source.name});
}

}  // namespace vergence::media::codec
