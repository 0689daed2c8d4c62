// SPDX-License-Identifier: Apache-2.0
#include "predictors/weight_file.hpp"

#include "core/error.hpp"
#include "core/little_endian.hpp"
#include "core/zip_archive.hpp"

#include <cerrno>
#include <cstdint>

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

WeightFormat zip_format(std::span<const std::byte> file) {
  bool has_pickle = false;
  try {
    for (const auto& [path, entry] : read_zip_directory(file, "")) {
      const std::size_t slash = path.find('/');
      if (slash == std::string_view::npos) continue;
      const std::string_view name = path.substr(slash + 1);
      // TorchScript keeps its code's constants where a plain checkpoint has only data.
      if (name == "constants.pkl") return WeightFormat::kTorchScript;
      has_pickle = has_pickle || name == "data.pkl";
    }
  } catch (const Error&) {
    return WeightFormat::kZip;
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
  if (is_zip(file)) return zip_format(file);
  if (text.size() > 2 && text[0] == '\x80' && text[1] >= 2 && text[1] <= 5) {
    return WeightFormat::kCheckpoint;  // a pickle of protocol 2 to 5, as torch.save before 1.6
  }
  // Also when it is cut off: its reader says so better.
  constexpr std::uint64_t kLongestHeader = 100'000'000;
  if (text.size() > 8 && text[8] == '{' && little_endian(text, 0, 8) <= kLongestHeader) {
    return WeightFormat::kSafetensors;
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
