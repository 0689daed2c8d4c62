// SPDX-License-Identifier: Apache-2.0
// A file on its way onto this disk. It lies beside its destination as NAME.part, with
// NAME.part.json telling what it is a part of, until it is whole; a transfer that was cut off, even
// by kill -9, goes on where it ended.
#pragma once

#include "core/progress.hpp"
#include "predictors/sha256.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace vergence::predictors {

// What a server said about the file that it sent.
struct PartOrigin {
  std::string url;            // as it was asked for, before redirections
  std::string etag;           // empty: none, or one that does not stand for the very bytes
  std::string last_modified;  // likewise
  std::int64_t bytes = 0;     // of the whole file; 0 = not said

  // What tells whether the server still has the same file (RFC 9110, 13.1.5); empty: nothing does.
  [[nodiscard]] const std::string& validator() const { return etag.empty() ? last_modified : etag; }
};

class PartFile {
 public:
  // Opens the part of `destination`. What is there already is kept if it comes from `url` and has a
  // validator; it is read once, for its digest. Throws Error naming the destination where the
  // folder cannot be written, or another process is fetching the same file.
  PartFile(std::filesystem::path destination, const std::string& url, Progress& progress);
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;
  // Keeps what came; removes a part that is empty.
  ~PartFile();

  [[nodiscard]] const PartOrigin& origin() const { return origin_; }

  [[nodiscard]] const std::filesystem::path& destination() const { return destination_; }

  // The part itself.
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  [[nodiscard]] std::int64_t size() const { return size_; }

  // Of the bytes so far.
  [[nodiscard]] std::string sha256() const { return sha_.hex(); }

  // Whether all bytes are there; false where the server did not say how many there are.
  [[nodiscard]] bool whole() const { return origin_.bytes > 0 && size_ == origin_.bytes; }

  // Begins from nothing with what a server says now.
  void restart(const PartOrigin& origin);

  // Throws Error naming the destination when the disk is full.
  void append(std::span<const std::byte> bytes);

  // Gives the part its final name, replacing what is there.
  void commit();

  // Removes what came.
  void discard();

 private:
  void open_and_lock();
  void take_up(const std::string& url, Progress& progress);
  void truncate();
  void write_state() const;

  std::filesystem::path destination_;
  std::filesystem::path path_;
  std::filesystem::path state_path_;
  PartOrigin origin_;
  std::int64_t size_ = 0;
  Sha256 sha_;
  int file_ = -1;
  bool committed_ = false;
};

}  // namespace vergence::predictors
