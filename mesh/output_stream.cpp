// SPDX-License-Identifier: Apache-2.0
#include "mesh/output_stream.hpp"

#include "core/error.hpp"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace vergence::mesh {
namespace {

[[noreturn]] void throw_write_error(const std::filesystem::path& path, int error) {
  throw Error(fmt::format("cannot write '{}': {}", path.string(), reason_from_errno(error)))
      .hint(error == ENOSPC ? "free some space or choose another disk with -o"
                            : "choose another place with -o");
}

}  // namespace

OutputStream::OutputStream(const std::filesystem::path& destination)
    : destination_(destination),
      file_(destination) {
  descriptor_ = ::open(file_.path().c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor_ < 0) throw_write_error(destination_, errno);
}

OutputStream::~OutputStream() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void OutputStream::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      throw_write_error(destination_, errno);
    }
  }
}

void OutputStream::commit() {
  const int descriptor = std::exchange(descriptor_, -1);
  if (::close(descriptor) != 0) throw_write_error(destination_, errno);
  file_.commit();
}

OutputStream& OutputSet::add(const std::filesystem::path& destination) {
  streams_.push_back(std::make_unique<OutputStream>(destination));
  paths_.push_back(destination);
  return *streams_.back();
}

void OutputSet::commit() {
  for (std::size_t i = streams_.size(); i-- > 0;) {
    try {
      streams_[i]->commit();
    } catch (...) {
      std::error_code ignored;
      for (std::size_t done = i + 1; done < paths_.size(); ++done) {
        std::filesystem::remove(paths_[done], ignored);
      }
      throw;
    }
  }
}

}  // namespace vergence::mesh
