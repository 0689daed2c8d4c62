// SPDX-License-Identifier: Apache-2.0
// Outputs appear under their final name only when they are whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace vergence {

// Writes happen in a hidden file beside the destination (`.NAME.PID-N.part.EXT`: the extension is
// kept, because many writers choose the format by it) that commit() syncs and renames. A
// destination that exists and is not a regular file (a device, a pipe) is written directly and
// never renamed over.
class OutputFile {
 public:
  // Throws Error when the folder is missing, not writable, or the destination is itself a folder.
  explicit OutputFile(std::filesystem::path destination);
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  // Removes the partial file unless commit() was called.
  ~OutputFile();

  // Where to write.
  [[nodiscard]] const std::filesystem::path& path() const { return partial_; }

  // Gives the file its final name. Throws Error naming the destination when the file cannot be
  // synced or renamed (full disk, lost permission).
  void commit();

 private:
  std::filesystem::path destination_;
  std::filesystem::path partial_;
  bool direct_ = false;
  bool committed_ = false;
};

// Several files that belong together, in one folder. They are written in a hidden folder and get
// their place by commit(): a folder that does not exist yet appears whole; into one that exists the
// files are moved one by one, replacing those of the same name and keeping all others.
class OutputFolder {
 public:
  // Throws Error when the parent folder is missing or not writable, or the destination is a file.
  explicit OutputFolder(std::filesystem::path destination);
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;
  // Removes the partial folder and what is in it.
  ~OutputFolder();

  // Where to write.
  [[nodiscard]] const std::filesystem::path& path() const { return partial_; }

  // Gives the files their final names; `last_file` (a name in the folder) comes last, so that an
  // index never speaks of files that are not there. Throws Error naming the file.
  void commit(const std::string& last_file = "");

 private:
  std::filesystem::path destination_;
  std::filesystem::path partial_;
  bool exists_ = false;
};

// Writes `bytes` as the whole content of `path`, by way of an OutputFile. Throws Error with the
// reason.
void write_file(const std::filesystem::path& path, std::string_view bytes);

// The whole content of a regular file. Throws Error naming the path and the reason; `max_bytes`
// guards against reading something absurd.
[[nodiscard]] std::string read_file(const std::filesystem::path& path,
                                    std::uintmax_t max_bytes = UINTMAX_MAX);

// Removes partial files and folders of this process that are still around. Async-signal-unsafe; for
// exit paths.
void remove_partial_files() noexcept;

}  // namespace vergence
