// SPDX-License-Identifier: Apache-2.0
#include "tests/predictors/zip_of.hpp"

namespace vergence::test {

std::string little_endian_bytes(std::uint64_t value, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

std::string zip_of(const std::vector<ZippedFile>& files) {
  const auto little = little_endian_bytes;
  std::string zip;
  std::string directory;
  for (const auto& file : files) {
    // Version, flags, method, time and date, checksum (which nobody looks at), both sizes.
    const std::string common = little(20, 2) + little(static_cast<std::uint64_t>(file.flags), 2) +
                               little(static_cast<std::uint64_t>(file.method), 2) + little(0, 4) +
                               little(0, 4) + little(file.content.size(), 4) +
                               little(file.content.size(), 4) + little(file.name.size(), 2) +
                               little(0, 2);
    directory += "PK\1\2" + little(20, 2) + common + std::string(10, '\0') + little(zip.size(), 4);
    directory += file.name;
    zip += "PK\3\4" + common + file.name + file.content;
  }
  const std::uint64_t begin = zip.size();
  zip += directory;
  return zip + "PK\5\6" + little(0, 4) + little(files.size(), 2) + little(files.size(), 2) +
         little(directory.size(), 4) + little(begin, 4) + little(0, 2);
}

}  // namespace vergence::test
