// SPDX-License-Identifier: Apache-2.0
// NumPy's .npz: a ZIP archive of .npy files (PKWARE APPNOTE 6.3, sections 4.3.7, 4.3.12, 4.3.16).
#include "media/npy.hpp"

#include <algorithm>
#include <cstring>

#include <zlib.h>

namespace vergence::media::codec {
namespace {

constexpr std::uint32_t kLocalHeader = 0x04034b50;
constexpr std::uint32_t kDirectoryEntry = 0x02014b50;
constexpr std::uint32_t kEndOfDirectory = 0x06054b50;
constexpr std::size_t kLocalHeaderSize = 30;
constexpr std::size_t kDirectoryEntrySize = 46;
constexpr std::size_t kEndOfDirectorySize = 22;
constexpr std::int64_t kMostOfDeflate = 1032;

struct Entry {
  int method = 0;  // 0 = stored, 8 = deflated
  std::size_t stored_size = 0;
  std::size_t size = 0;
  std::size_t local_header = 0;
};

[[noreturn]] void throw_short(const Source& source) {
  throw_damaged(source, "the NPZ archive is damaged or ends too early");
}

// `count` bytes at `at`.
const std::uint8_t* bytes_at(const Source& source, std::size_t at, std::size_t count) {
  if (at > source.bytes.size() || count > source.bytes.size() - at) throw_short(source);
  return source.bytes.data() + at;
}

std::size_t directory_begin(const Source& source) {
  constexpr std::size_t kLongestComment = 65535;
  const std::size_t size = source.bytes.size();
  if (size < kEndOfDirectorySize) throw_short(source);
  const std::size_t last = size - kEndOfDirectorySize;
  const std::size_t first = last > kLongestComment ? last - kLongestComment : 0;
  for (std::size_t at = last + 1; at-- > first;) {
    const auto* end = source.bytes.data() + at;
    if (little_endian_u32(end) == kEndOfDirectory) return little_endian_u32(end + 16);
  }
  throw_short(source);
}

// The first array of the archive.
Entry first_array(const Source& source) {
  std::size_t at = directory_begin(source);
  while (true) {
    const auto* entry = bytes_at(source, at, kDirectoryEntrySize);
    if (little_endian_u32(entry) != kDirectoryEntry) break;
    const std::size_t name_size = little_endian_u16(entry + 28);
    const auto name = as_text({bytes_at(source, at + kDirectoryEntrySize, name_size), name_size});
    if (name.ends_with(".npy")) {
      return {little_endian_u16(entry + 10), little_endian_u32(entry + 20),
              little_endian_u32(entry + 24), little_endian_u32(entry + 42)};
    }
    at += kDirectoryEntrySize + name_size + little_endian_u16(entry + 30) +
          little_endian_u16(entry + 32);
  }
  throw_unsupported(source, "an NPZ archive without an array");
}

std::vector<std::uint8_t> inflated(const Source& source, Bytes stored, std::size_t size) {
  check_plausible(source, static_cast<std::int64_t>(size), kMostOfDeflate);
  std::vector<std::uint8_t> result(size);
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) throw std::bad_alloc();
  stream.next_in = const_cast<std::uint8_t*>(stored.data());
  stream.avail_in = static_cast<uInt>(stored.size());
  stream.next_out = result.data();
  stream.avail_out = static_cast<uInt>(result.size());
  const int outcome = inflate(&stream, Z_FINISH);
  const bool whole = outcome == Z_STREAM_END && stream.avail_out == 0;
  inflateEnd(&stream);
  if (!whole) throw_short(source);
  return result;
}

}  // namespace

bool is_npz(Bytes bytes) {
  return bytes.size() >= 4 && little_endian_u32(bytes.data()) == kLocalHeader;
}

cv::Mat decode_npz(const Source& source) {
  const Entry entry = first_array(source);
  const auto* header = bytes_at(source, entry.local_header, kLocalHeaderSize);
  if (little_endian_u32(header) != kLocalHeader) throw_short(source);
  const std::size_t data = entry.local_header + kLocalHeaderSize + little_endian_u16(header + 26) +
                           little_endian_u16(header + 28);
  const Bytes stored(bytes_at(source, data, entry.stored_size), entry.stored_size);
  if (entry.method == 0) return decode_npy({stored, source.name});
  if (entry.method != 8) throw_unsupported(source, "an NPZ archive of another compression");
  const auto bytes = inflated(source, stored, entry.size);
  return decode_npy({bytes, source.name});
}

}  // namespace vergence::media::codec
