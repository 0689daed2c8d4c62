// SPDX-License-Identifier: Apache-2.0
// A reader of MP4 boxes of the tests' own, so that what the program writes is judged by other code.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace vergence::test {

// The payload of a box by its path ("moov/trak/mdia/minf/stbl/stsd/avc1/st3d"), as hexadecimal
// digits; nothing where there is none. Of several with one name the first way that leads to the end
// counts. The fields in front of the children of sample entries and of stsd are skipped.
[[nodiscard]] std::optional<std::string> box_hex(const std::filesystem::path& file,
                                                 const std::string& path);

// The types of the file's own boxes, in their order.
[[nodiscard]] std::vector<std::string> top_boxes(const std::filesystem::path& file);

// The bytes of all samples of a file in the order of its chunk tables, as those tables (stco, co64,
// stsc, stsz) find them: what a player reads.
[[nodiscard]] std::string samples_of(const std::filesystem::path& file);

// A box around a payload.
[[nodiscard]] std::string box(const std::string& type, const std::string& payload);

// Big-endian numbers.
[[nodiscard]] std::string be16(std::uint64_t value);
[[nodiscard]] std::string be32(std::uint64_t value);
[[nodiscard]] std::string be64(std::uint64_t value);

}  // namespace vergence::test
