// SPDX-License-Identifier: Apache-2.0
#include "predictors/weight_file.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vergence::predictors {
namespace {

// Closes the descriptor when the scope is left.
struct Descriptor {
  int value;

  explicit Descriptor(int opened) : value(opened) {}

  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

Error cannot_read(const std::filesystem::path& path, const std::string& reason) {
  return Error(fmt::format("cannot read '{}': {}", path.string(), reason));
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Little-endian number of `count` bytes; the caller has checked that they exist.
std::uint64_t number_at(std::string_view text, std::size_t offset, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = count; i-- > 0;) {
    value = (value << 8) | static_cast<unsigned char>(text[offset + i]);
  }
  return value;
}

// Zip layout: PKWARE APPNOTE 6.3, sections 4.3.12 (directory entry) and 4.3.16 (its end record).
constexpr std::size_t kEndSize = 22;
constexpr std::size_t kEntrySize = 46;
constexpr std::size_t kLongestComment = 65535;

// Where the directory begins; nothing if the file has no end record or it points outside.
std::optional<std::size_t> zip_directory(std::string_view file) {
  if (file.size() < kEndSize) return std::nullopt;
  const std::size_t lowest = file.size() - std::min(file.size(), kEndSize + kLongestComment);
  const std::size_t end = file.rfind("PK\5\6", file.size() - kEndSize);
  if (end == std::string_view::npos || end < lowest) return std::nullopt;
  std::uint64_t offset = number_at(file, end + 16, 4);
  if (offset == 0xffffffff) {  // zip64: the record before the end record's locator (4.3.14, 4.3.15)
    if (end < 20 || file.substr(end - 20, 4) != "PK\6\7") return std::nullopt;
    const std::uint64_t record = number_at(file, end - 20 + 8, 8);
    if (record > end || end - record < 56) return std::nullopt;
    offset = number_at(file, record + 48, 8);
  }
  if (offset > end) return std::nullopt;
  return offset;
}

WeightFormat zip_format(std::string_view file) {
  const auto directory = zip_directory(file);
  if (!directory) return WeightFormat::kZip;
  bool has_pickle = false;
  for (std::size_t at = *directory; at + kEntrySize <= file.size();) {
    if (file.substr(at, 4) != "PK\1\2") break;
    const std::size_t name_size = number_at(file, at + 28, 2);
    const std::string_view name = file.substr(at + kEntrySize, name_size);
    // TorchScript keeps its code's constants where a plain checkpoint has only data.
    if (name.ends_with("/constants.pkl")) return WeightFormat::kTorchScript;
    has_pickle = has_pickle || name.ends_with("/data.pkl");
    at += kEntrySize + name_size + number_at(file, at + 30, 2) + number_at(file, at + 32, 2);
  }
  return has_pickle ? WeightFormat::kCheckpoint : WeightFormat::kZip;
}

}  // namespace

MappedFile map_file(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.value < 0) throw cannot_read(path, reason_from_errno(errno));

  struct stat status {};

  if (::fstat(file.value, &status) != 0) throw cannot_read(path, reason_from_errno(errno));
  if (!S_ISREG(status.st_mode)) throw cannot_read(path, "it is not a regular file");
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return {};
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.value, 0);
  if (address == MAP_FAILED) throw cannot_read(path, reason_from_errno(errno));
  return {.bytes = {static_cast<const std::byte*>(address), size},
          .owner = std::shared_ptr<const void>(
              address, [size](const void* mapped) { ::munmap(const_cast<void*>(mapped), size); })};
}

WeightFormat weight_format(std::span<const std::byte> file) {
  const std::string_view text = text_of(file);
  if (text.empty()) return WeightFormat::kEmpty;
  if (text.starts_with("PK\3\4")) return zip_format(text);
  if (text.size() > 8 && text[8] == '{' && number_at(text, 0, 8) <= text.size() - 8) {
    return WeightFormat::kSafetensors;
  }
  if (text.size() > 2 && text[0] == '\x80' && (text[1] == 2 || text[1] == 4)) {
    return WeightFormat::kCheckpoint;  // pickle protocol 2 or 4, as torch.save wrote before 1.6
  }
  if (text.starts_with("version https://git-lfs") ||
      text[text.find_first_not_of(" \t\r\n") % text.size()] == '<') {
    return WeightFormat::kText;
  }
  // ModelProto begins with field 1 (ir_version, a small number) and field 2 (producer_name).
  if (text.size() > 3 && text[0] == '\x08' && text[1] > 0 && text[1] < 32 && text[2] == '\x12') {
    return WeightFormat::kOnnx;
  }
  return WeightFormat::kUnknown;
}

std::string_view to_string(WeightFormat format) {
  switch (format) {
    case WeightFormat::kSafetensors:
      return "a safetensors file";
    case WeightFormat::kTorchScript:
      return "a TorchScript file";
    case WeightFormat::kCheckpoint:
      return "a checkpoint, which holds weights but no code";
    case WeightFormat::kZip:
      return "a zip file without a network in it, or a truncated one";
    case WeightFormat::kOnnx:
      return "an ONNX file";
    case WeightFormat::kText:
      return "a web page or a Git LFS pointer instead of the file itself";
    case WeightFormat::kEmpty:
      return "an empty file";
    case WeightFormat::kUnknown:
      break;
  }
  return "of no known format";
}

}  // namespace vergence::predictors
