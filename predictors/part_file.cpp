// SPDX-License-Identifier: Apache-2.0
#include "predictors/part_file.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/output_file.hpp"
#include "predictors/byte_progress.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vergence::predictors {
namespace fs = std::filesystem;

namespace {

constexpr std::uintmax_t kLongestState = 65536;
constexpr std::size_t kPiece = std::size_t{1} << 20;

Error cannot_write(const fs::path& path, int error) {
  Error result(fmt::format("cannot write '{}': {}", path.string(), reason_from_errno(error)));
  return std::move(result).hint(error == ENOSPC ? "free some space or choose another disk with --to"
                                                : "choose another folder with --to");
}

// Nothing where the file is missing or is not what write_state() wrote: the part is then of no use.
std::optional<PartOrigin> read_state(const fs::path& path) {
  try {
    const auto state = nlohmann::json::parse(read_file(path, kLongestState));
    return PartOrigin{.url = state.at("url").get<std::string>(),
                      .etag = state.at("etag").get<std::string>(),
                      .last_modified = state.at("last_modified").get<std::string>(),
                      .bytes = state.at("bytes").get<std::int64_t>()};
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

// The name beside `destination`.
fs::path with_suffix(const fs::path& destination, const char* suffix) {
  return destination.parent_path() / (destination.filename().string() + suffix);
}

}  // namespace

PartFile::PartFile(fs::path destination, const std::string& url, Progress& progress)
    : destination_(std::move(destination)),
      path_(with_suffix(destination_, ".part")),
      state_path_(with_suffix(destination_, ".part.json")) {
  open_and_lock();
  try {
    take_up(url, progress);
  } catch (...) {
    ::close(file_);
    throw;
  }
}

PartFile::~PartFile() {
  if (!committed_ && size_ == 0) {
    std::error_code ignored;
    fs::remove(state_path_, ignored);
    fs::remove(path_, ignored);
  }
  ::close(file_);
}

void PartFile::open_and_lock() {
  file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (file_ < 0) throw cannot_write(destination_, errno);

  struct stat opened {};

  struct stat named {};

  // The one who held the lock may have renamed the file that we opened.
  const bool ours = ::flock(file_, LOCK_EX | LOCK_NB) == 0 && ::fstat(file_, &opened) == 0 &&
                    ::stat(path_.c_str(), &named) == 0 && opened.st_ino == named.st_ino;
  if (ours) return;
  ::close(file_);
  throw Error(fmt::format("'{}' is being fetched by another process", destination_.string()))
      .hint("wait for it");
}

void PartFile::take_up(const std::string& url, Progress& progress) {
  struct stat status {};

  if (::fstat(file_, &status) != 0) throw cannot_write(destination_, errno);
  const auto origin = read_state(state_path_);
  const bool useful = origin && origin->url == url && !origin->validator().empty() &&
                      status.st_size > 0 && (origin->bytes == 0 || status.st_size <= origin->bytes);
  if (!useful) return truncate();
  ByteProgress shown(progress, "reading " + path_.filename().string(), status.st_size);
  std::vector<std::byte> piece(kPiece);
  while (true) {
    throw_if_interrupted();
    const ssize_t got = ::read(file_, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw cannot_write(destination_, errno);
    if (got == 0) break;
    sha_.update(std::span(piece).first(static_cast<std::size_t>(got)));
    size_ += got;
    shown.add(got);
  }
  origin_ = *origin;
}

void PartFile::truncate() {
  if (::ftruncate(file_, 0) != 0 || ::lseek(file_, 0, SEEK_SET) != 0) {
    throw cannot_write(destination_, errno);
  }
  size_ = 0;
  sha_ = Sha256();
}

void PartFile::restart(const PartOrigin& origin) {
  // In this order a process that dies between the two leaves nothing that looks like a part.
  truncate();
  origin_ = origin;
  write_state();
}

void PartFile::write_state() const {
  const nlohmann::ordered_json state = {{"url", origin_.url},
                                        {"etag", origin_.etag},
                                        {"last_modified", origin_.last_modified},
                                        {"bytes", origin_.bytes}};
  write_file(state_path_,
             state.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

void PartFile::append(std::span<const std::byte> bytes) {
  const auto all = bytes;
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw cannot_write(destination_, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  sha_.update(all);
  size_ += static_cast<std::int64_t>(all.size());
}

void PartFile::commit() {
  if (::fsync(file_) != 0) throw cannot_write(destination_, errno);
  if (std::rename(path_.c_str(), destination_.c_str()) != 0) {
    throw cannot_write(destination_, errno);
  }
  committed_ = true;
  std::error_code ignored;
  fs::remove(state_path_, ignored);
}

void PartFile::discard() {
  truncate();
}

}  // namespace vergence::predictors
