// SPDX-License-Identifier: Apache-2.0
// libFuzzer: any bytes as a video file. The program ends with an error on anything but frames or
// vergence::Error.
#include "core/error.hpp"
#include "media/video_reader.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>

#include <sys/mman.h>
#include <unistd.h>

// NOLINTNEXTLINE(readability-identifier-naming): the name is libFuzzer's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int kFile = ::memfd_create("video", 0);
  if (kFile < 0 || ::ftruncate(kFile, 0) != 0 ||
      ::pwrite(kFile, data, size, 0) != static_cast<ssize_t>(size)) {
    std::abort();
  }
  try {
    vergence::media::VideoReadOptions options;
    options.threads = 1;
    vergence::media::VideoReader reader("/proc/self/fd/" + std::to_string(kFile), options);
    vergence::media::VideoFrame frame;
    // A damaged header can announce frames without end.
    for (int count = 0; count < 10 && reader.read(frame); ++count) {
    }
    reader.seek(frame.pts, 0);
    static_cast<void>(reader.read(frame));
  } catch (const vergence::Error&) {
    return 0;
  }
  return 0;
}
