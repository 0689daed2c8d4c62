// SPDX-License-Identifier: Apache-2.0
#include "core/zip_archive.hpp"

#include "core/error.hpp"
#include "core/little_endian.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include <fmt/format.h>

namespace vergence {
namespace {

// Sizes of the fixed parts: sections 4.3.7, 4.3.12, 4.3.14, 4.3.15 and 4.3.16.
constexpr std::size_t kLocalSize = 30;
constexpr std::size_t kEntrySize = 46;
constexpr std::size_t kEnd64Size = 56;
constexpr std::size_t kLocatorSize = 20;
constexpr std::size_t kEndSize = 22;
constexpr std::size_t kLongestComment = 65535;
constexpr std::uint64_t kIn64 = 0xffffffff;  // the value stands in the zip64 field

struct Directory {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t count = 0;
};

// One file as the directory describes it.
struct Listed {
  std::string_view name;
  std::uint64_t flags = 0;
  std::uint64_t method = 0;
  std::uint64_t stored_size = 0;
  std::uint64_t size = 0;
  std::uint64_t header = 0;  // offset of its local header
};

// Bytes of the zip that one file takes.
struct Extent {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::string_view name;
};

// A name that is safe to show and to look up: relative, forward slashes, no "." and "..".
bool is_plain(std::string_view name) {
  const auto bad = [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '\\' || c == ':'; };
  if (name.empty() || std::any_of(name.begin(), name.end(), bad)) return false;
  while (true) {
    const std::size_t slash = name.find('/');
    const std::string_view part = name.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    if (slash == std::string_view::npos || slash + 1 == name.size()) return true;
    name.remove_prefix(slash + 1);
  }
}

class Reader {
 public:
  Reader(std::span<const std::byte> file, const std::string& name)
      : file_(file),
        text_(reinterpret_cast<const char*>(file.data()), file.size()),
        name_(name) {}

  [[nodiscard]] ZipDirectory read() const {
    const Directory directory = find_directory();
    ZipDirectory entries;
    std::vector<Extent> extents;
    std::uint64_t at = directory.begin;
    for (std::uint64_t i = 0; i < directory.count; ++i) {
      const Listed listed = listed_at(at, directory.end);
      check(listed);
      const auto data = data_of(listed, directory.begin);
      const auto end = static_cast<std::uint64_t>(data.data() + data.size() - file_.data());
      extents.push_back({listed.header, end, listed.name});
      if (listed.name.ends_with('/')) continue;
      const ZipEntry entry = {.data = data,
                              .method = static_cast<int>(listed.method),
                              .encrypted = (listed.flags & 1) != 0,
                              .size = listed.size};
      if (!entries.emplace(listed.name, entry).second) {
        fail(fmt::format("it holds '{}' twice", printable(listed.name)));
      }
    }
    if (at != directory.end) fail("its directory does not end where it should");
    check_apart(extents);
    return entries;
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw Error(fmt::format("'{}' is a damaged zip file: {}", name_, why))
        .hint("fetch or export it again");
  }

  // The last end record whose comment fits the file.
  [[nodiscard]] std::size_t find_end() const {
    constexpr std::string_view kSignature = "PK\5\6";
    const std::size_t size = text_.size();
    if (size >= kEndSize) {
      const std::size_t lowest = size - std::min(size, kEndSize + kLongestComment);
      for (std::size_t at = text_.rfind(kSignature, size - kEndSize);
           at != std::string_view::npos && at >= lowest;
           at = at == 0 ? std::string_view::npos : text_.rfind(kSignature, at - 1)) {
        if (at + kEndSize + little_endian(text_, at + 20, 2) <= size) return at;
      }
    }
    fail("its directory is missing, as when only the first part was fetched");
  }

  [[nodiscard]] Directory find_directory() const {
    const std::size_t end = find_end();
    std::uint64_t count = little_endian(text_, end + 10, 2);
    std::uint64_t size = little_endian(text_, end + 12, 4);
    std::uint64_t begin = little_endian(text_, end + 16, 4);
    std::uint64_t limit = end;
    if (end >= kLocatorSize && text_.substr(end - kLocatorSize, 4) == "PK\6\7") {
      limit = little_endian(text_, end - kLocatorSize + 8, 8);
      const bool inside = limit <= end - kLocatorSize && end - kLocatorSize - limit >= kEnd64Size;
      if (!inside || text_.substr(limit, 4) != "PK\6\6") fail("its zip64 record is missing");
      count = little_endian(text_, limit + 32, 8);
      size = little_endian(text_, limit + 40, 8);
      begin = little_endian(text_, limit + 48, 8);
    }
    if (begin > limit || size > limit - begin) fail("its directory lies outside the file");
    return {begin, begin + size, count};
  }

  // Moves `at` behind the entry.
  [[nodiscard]] Listed listed_at(std::uint64_t& at, std::uint64_t end) const {
    if (end - at < kEntrySize || text_.substr(at, 4) != "PK\1\2") fail("its directory is broken");
    const std::uint64_t name_size = little_endian(text_, at + 28, 2);
    const std::uint64_t extra_size = little_endian(text_, at + 30, 2);
    const std::uint64_t comment_size = little_endian(text_, at + 32, 2);
    if (end - at - kEntrySize < name_size + extra_size + comment_size) {
      fail("its directory is broken");
    }
    Listed listed = {.name = text_.substr(at + kEntrySize, name_size),
                     .flags = little_endian(text_, at + 8, 2),
                     .method = little_endian(text_, at + 10, 2),
                     .stored_size = little_endian(text_, at + 20, 4),
                     .size = little_endian(text_, at + 24, 4),
                     .header = little_endian(text_, at + 42, 4)};
    read_zip64(text_.substr(at + kEntrySize + name_size, extra_size), listed);
    at += kEntrySize + name_size + extra_size + comment_size;
    return listed;
  }

  // Section 4.5.3: the values that did not fit into 32 bits, in this order.
  void read_zip64(std::string_view extra, Listed& listed) const {
    while (extra.size() >= 4) {
      const std::uint64_t id = little_endian(extra, 0, 2);
      const std::uint64_t size = little_endian(extra, 2, 2);
      if (size > extra.size() - 4) break;
      if (id == 1) {
        std::string_view field = extra.substr(4, size);
        for (std::uint64_t* value : {&listed.size, &listed.stored_size, &listed.header}) {
          if (*value != kIn64) continue;
          if (field.size() < 8) fail("a zip64 field is too short");
          *value = little_endian(field, 0, 8);
          field.remove_prefix(8);
        }
        return;
      }
      extra.remove_prefix(4 + size);
    }
  }

  void check(const Listed& listed) const {
    if (!is_plain(listed.name)) {
      fail(fmt::format("'{}' is no name for a file in it", printable(listed.name)));
    }
    if (listed.method == 0 && listed.stored_size != listed.size) {
      fail(fmt::format("'{}' has two different sizes", printable(listed.name)));
    }
  }

  [[nodiscard]] std::span<const std::byte> data_of(const Listed& listed,
                                                   std::uint64_t directory) const {
    const std::uint64_t at = listed.header;
    if (at > directory || directory - at < kLocalSize || text_.substr(at, 4) != "PK\3\4") {
      fail(fmt::format("'{}' lies outside the file", printable(listed.name)));
    }
    const std::uint64_t name_size = little_endian(text_, at + 26, 2);
    const std::uint64_t data = at + kLocalSize + name_size + little_endian(text_, at + 28, 2);
    if (text_.substr(at + kLocalSize, name_size) != listed.name) {
      fail(fmt::format("'{}' has another name in its own header", printable(listed.name)));
    }
    if (data > directory || listed.stored_size > directory - data) {
      fail(fmt::format("'{}' lies outside the file", printable(listed.name)));
    }
    return file_.subspan(data, listed.stored_size);
  }

  void check_apart(std::vector<Extent>& extents) const {
    std::sort(extents.begin(), extents.end(),
              [](const Extent& a, const Extent& b) { return a.begin < b.begin; });
    for (std::size_t i = 1; i < extents.size(); ++i) {
      if (extents[i].begin < extents[i - 1].end) {
        fail(fmt::format("'{}' overlaps '{}'", printable(extents[i].name),
                         printable(extents[i - 1].name)));
      }
    }
  }

  std::span<const std::byte> file_;
  std::string_view text_;
  const std::string& name_;
};

}  // namespace

bool is_zip(std::span<const std::byte> file) {
  return std::string_view(reinterpret_cast<const char*>(file.data()), file.size())
      .starts_with("PK\3\4");
}

ZipDirectory read_zip_directory(std::span<const std::byte> file, const std::string& name) {
  return Reader(file, name).read();
}

}  // namespace vergence
