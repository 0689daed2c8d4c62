// SPDX-License-Identifier: Apache-2.0
#include "core/output_file.hpp"

#include "core/error.hpp"

#include <atomic>
#include <cerrno>
#include <fstream>
#include <mutex>
#include <set>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vergence {
namespace fs = std::filesystem;

namespace {

std::mutex g_partials_mutex;

std::set<fs::path>& partials() {
  static std::set<fs::path> paths;
  return paths;
}

fs::path partial_name(const fs::path& destination) {
  static std::atomic<int> counter{0};
  const auto name = fmt::format(".{}.{}-{}.part{}", destination.stem().string(), ::getpid(),
                                counter++, destination.extension().string());
  return destination.parent_path() / name;
}

// Mode 0666 less the umask, as a plain open() would give; also the early test of permission.
void create_empty(const fs::path& path, const fs::path& destination) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) {
    const int error = errno;
    throw Error(
        fmt::format("cannot write '{}': {}", destination.string(), reason_from_errno(error)))
        .hint("choose another place with -o, or change the folder's permissions");
  }
  ::close(fd);
}

[[noreturn]] void throw_write_error(const fs::path& path, int error) {
  throw Error(fmt::format("cannot write '{}': {}", path.string(), reason_from_errno(error)))
      .hint(error == ENOSPC ? "free some space or choose another disk with -o"
                            : "choose another place with -o");
}

}  // namespace

OutputFile::OutputFile(fs::path destination) : destination_(std::move(destination)) {
  std::error_code ignored;
  const auto status = fs::status(destination_, ignored);
  if (fs::is_directory(status)) {
    throw Error(fmt::format("cannot write '{}': it is a folder", destination_.string()))
        .hint("name a file inside it with -o");
  }
  const fs::path folder = destination_.has_parent_path() ? destination_.parent_path() : ".";
  if (!fs::is_directory(folder, ignored)) {
    throw Error(fmt::format("cannot write '{}': there is no folder '{}'", destination_.string(),
                            folder.string()))
        .hint("create it first");
  }
  direct_ = fs::exists(status) && !fs::is_regular_file(status);
  if (direct_) {
    partial_ = destination_;
    return;
  }
  // A link is followed, so that the file it points to is replaced and not the link.
  if (fs::is_symlink(fs::symlink_status(destination_, ignored)) && fs::exists(status)) {
    destination_ = fs::canonical(destination_);
  }
  partial_ = partial_name(destination_);
  create_empty(partial_, destination_);
  const std::scoped_lock lock(g_partials_mutex);
  partials().insert(partial_);
}

OutputFile::~OutputFile() {
  if (direct_ || committed_) return;
  std::error_code ignored;
  fs::remove(partial_, ignored);
  const std::scoped_lock lock(g_partials_mutex);
  partials().erase(partial_);
}

void OutputFile::commit() {
  if (direct_ || committed_) return;
  const int fd = ::open(partial_.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw_write_error(destination_, errno);
  const bool synced = ::fsync(fd) == 0 || errno == EINVAL;
  const int sync_error = errno;
  ::close(fd);
  if (!synced) throw_write_error(destination_, sync_error);
  if (std::rename(partial_.c_str(), destination_.c_str()) != 0) {
    throw_write_error(destination_, errno);
  }
  committed_ = true;
  const std::scoped_lock lock(g_partials_mutex);
  partials().erase(partial_);
}

OutputFolder::OutputFolder(fs::path destination) : destination_(std::move(destination)) {
  // "out/" means "out"; nothing means here.
  if (destination_.empty()) destination_ = ".";
  if (!destination_.has_filename()) destination_ = destination_.parent_path();
  std::error_code ignored;
  const auto status = fs::status(destination_, ignored);
  exists_ = fs::exists(status);
  if (exists_ && !fs::is_directory(status)) {
    throw Error(fmt::format("cannot write '{}': it is not a folder", destination_.string()))
        .hint("name another folder with -o");
  }
  const fs::path parent = destination_.has_parent_path() ? destination_.parent_path() : ".";
  if (!exists_ && !fs::is_directory(parent, ignored)) {
    throw Error(fmt::format("cannot write '{}': there is no folder '{}'", destination_.string(),
                            parent.string()))
        .hint("create it first");
  }
  // Inside a folder that exists: its parent may be on another disk, or not ours to write.
  partial_ = partial_name(exists_ ? destination_ / "vergence" : destination_);
  if (::mkdir(partial_.c_str(), 0777) != 0) throw_write_error(destination_, errno);
  const std::scoped_lock lock(g_partials_mutex);
  partials().insert(partial_);
}

OutputFolder::~OutputFolder() {
  std::error_code ignored;
  fs::remove_all(partial_, ignored);
  const std::scoped_lock lock(g_partials_mutex);
  partials().erase(partial_);
}

void OutputFolder::commit(const std::string& last_file) {
  const auto move = [](const fs::path& from, const fs::path& to) {
    if (std::rename(from.c_str(), to.c_str()) != 0) throw_write_error(to, errno);
  };
  if (!exists_) {
    move(partial_, destination_);
    return;
  }
  std::vector<fs::path> names;
  for (const auto& entry : fs::directory_iterator(partial_)) {
    names.push_back(entry.path().filename());
  }
  for (const auto& name : names) {
    if (name != last_file) move(partial_ / name, destination_ / name);
  }
  if (!last_file.empty()) move(partial_ / last_file, destination_ / last_file);
}

void write_file(const fs::path& path, std::string_view bytes) {
  OutputFile output(path);
  const int fd = ::open(output.path().c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) throw_write_error(path, errno);
  std::size_t done = 0;
  int error = 0;
  while (done < bytes.size() && error == 0) {
    const ssize_t written = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (written >= 0) {
      done += static_cast<std::size_t>(written);
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  if (::close(fd) != 0 && error == 0) error = errno;
  if (error != 0) throw_write_error(path, error);
  output.commit();
}

std::string read_file(const fs::path& path, std::uintmax_t max_bytes) {
  const auto fail = [&](const std::string& reason) -> Error {
    return Error(fmt::format("cannot read '{}': {}", path.string(), reason));
  };

  struct stat status {};

  if (::stat(path.c_str(), &status) != 0) {
    throw fail(reason_from_errno(errno)).hint("check the path");
  }
  if (S_ISDIR(status.st_mode)) throw fail("it is a folder").hint("name a file inside it");
  if (static_cast<std::uintmax_t>(status.st_size) > max_bytes) {
    throw fail(
        fmt::format("{} bytes are more than the {} expected at most", status.st_size, max_bytes));
  }
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw fail(reason_from_errno(errno)).hint("check its permissions");
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (stream.bad()) throw fail("the disk reported an error");
  bytes.resize(static_cast<std::size_t>(stream.gcount()));
  return bytes;
}

void remove_partial_files() noexcept {
  const std::scoped_lock lock(g_partials_mutex);
  std::error_code ignored;
  for (const auto& path : partials()) fs::remove_all(path, ignored);
  partials().clear();
}

}  // namespace vergence
