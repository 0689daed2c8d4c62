// SPDX-License-Identifier: Apache-2.0
// libFuzzer: any bytes as an MP4 or a JPEG whose tags are read and changed. Nothing may crash, and
// a file that is refused stays as it was.
#include "core/error.hpp"
#include "media/jpeg_tags.hpp"
#include "media/mp4_patch.hpp"
#include "media/spatial_media.hpp"
#include "media/video_tags.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;
using namespace vergence;         // NOLINT(google-build-using-namespace)
using namespace vergence::media;  // NOLINT(google-build-using-namespace)

const VideoTags kTags{.stereo = StereoTag::kSideBySide, .spherical = SphericalTag{}, .v1 = true};

// A file in memory.
class MemoryFile {
 public:
  MemoryFile(const char* name, const std::uint8_t* data, std::size_t size)
      : descriptor_(::memfd_create(name, 0)) {
    if (size > 0 && ::write(descriptor_, data, size) != static_cast<ssize_t>(size)) std::abort();
  }

  ~MemoryFile() { ::close(descriptor_); }

  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  [[nodiscard]] fs::path path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

void fuzz_film(const std::uint8_t* data, std::size_t size) {
  const MemoryFile input("in", data, size);
  const MemoryFile output("out", nullptr, 0);
  bool changed = false;
  try {
    const mp4::FileBytes file(input.path(), true);
    const auto layout = mp4::scan_file(file);
    auto moov = mp4::read_moov(file, layout);
    (void)facts_of(moov);
    mp4::require_patchable(file, layout, moov);
    set_tags(moov, kTags, "film");
    set_eye_aspect(moov, kTags);
    mp4::write_with_moov(file, layout, moov, output.path());
    changed = mp4::replace_moov_in_place(file, layout, moov);
    // What was written can be read again, with the tags.
    const mp4::FileBytes written(output.path());
    if (facts_of(mp4::read_moov(written, mp4::scan_file(written))).st3d != 2) std::abort();
  } catch (const Error&) {
    const mp4::FileBytes file(input.path());
    const std::string now = file.read(0, size + 1);
    const bool same = now == std::string(reinterpret_cast<const char*>(data), size);
    if (!changed && !same) std::abort();
  }
}

void fuzz_photo(const std::uint8_t* data, std::size_t size) {
  try {
    (void)tagged_jpeg_photo(
        {data, size}, {.spherical = SphericalTag{}, .stereo = StereoTag::kTopBottom}, "photo");
  } catch (const Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (is_jpeg({data, size})) {
    fuzz_photo(data, size);
  } else {
    fuzz_film(data, size);
  }
  return 0;
}
