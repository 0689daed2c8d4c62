// SPDX-License-Identifier: Apache-2.0
// The list of files in a zip (PKWARE APPNOTE 6.3, with its zip64 fields). Nothing is unpacked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace vergence {

struct ZipEntry {
  std::span<const std::byte> data;  // as it stands in the zip
  int method = 0;                   // 0 = stored, 8 = deflated (section 4.4.5)
  bool encrypted = false;           // then, or with a method, `data` is not the file's content
  std::uint64_t size = 0;           // of the file's content, as the zip says
};

// By name ("archive/data.pkl"), without the entries that are folders.
using ZipDirectory = std::map<std::string_view, ZipEntry>;

// Whether the file begins as a zip does.
[[nodiscard]] bool is_zip(std::span<const std::byte> file);

// The names and spans point into `file`; `name` is what messages call it. Throws Error unless the
// directory is whole and agrees with the files, which lie apart from each other inside the zip,
// have different names, and none that leads out of a folder.
[[nodiscard]] ZipDirectory read_zip_directory(std::span<const std::byte> file,
                                              const std::string& name);

}  // namespace vergence
