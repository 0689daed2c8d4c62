// SPDX-License-Identifier: Apache-2.0
// The list of files in a zip (PKWARE APPNOTE 6.3, with its zip64 fields). Nothing is unpacked.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace vergence::predictors {

struct ZipEntry {
  std::span<const std::byte> data;  // as it stands in the zip
  bool compressed = false;          // then, or when encrypted, `data` is not the file's content
  bool encrypted = false;
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

}  // namespace vergence::predictors
