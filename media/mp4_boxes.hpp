// SPDX-License-Identifier: Apache-2.0
// The boxes of MP4 and QuickTime files (ISO/IEC 14496-12): the tree of a `moov`, and where the
// file's own boxes lie. Safe with any bytes; not installed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vergence::media::mp4 {

// Numbers are big-endian. `bytes` is 1 to 8; the range must lie inside.
[[nodiscard]] std::uint64_t number_at(std::string_view data, std::size_t offset, int bytes);
void append_number(std::string& data, std::uint64_t value, int bytes);
void store_number(std::string& data, std::size_t offset, std::uint64_t value, int bytes);

// One box in memory.
struct Box {
  std::string type;           // four characters
  std::string fields;         // a leaf's payload; of a container what stands before its children
  std::vector<Box> children;  // of a container
  std::string tail;           // what follows the last child and is no box (QuickTime's zeros)

  // The first child of that type; null if there is none.
  [[nodiscard]] const Box* child(std::string_view name) const;
  [[nodiscard]] Box* child(std::string_view name);

  // Down a path of types; null where it ends early.
  [[nodiscard]] const Box* find(std::initializer_list<std::string_view> path) const;
  [[nodiscard]] Box* find(std::initializer_list<std::string_view> path);

  void remove_children(std::string_view name);

  // A FullBox's version and flags; 0 where the fields are too short.
  [[nodiscard]] int version() const;
  [[nodiscard]] std::uint32_t flags() const;
};

[[nodiscard]] Box make_box(std::string type, std::string fields, std::vector<Box> children = {});

// A box with version and flags (both in one number) before its fields.
[[nodiscard]] Box make_full_box(std::string type, std::string_view fields,
                                std::uint32_t version_and_flags = 0);

// Reads payloads as a row of boxes. What follows the last whole box becomes `tail`.
[[nodiscard]] std::vector<Box> parse_boxes(std::string_view data, std::string& tail);

// Makes a container of a leaf whose children begin after `fields_size` bytes of fields. A leaf that
// is shorter stays as it is.
void open_container(Box& box, std::size_t fields_size);

// The payload of a `moov`, with its tracks open down to their sample entries: those of video and
// audio tracks are containers too. `quicktime`: sound descriptions may have QuickTime's longer
// forms.
[[nodiscard]] Box parse_moov(std::string_view payload, bool quicktime);

// A box with its header.
[[nodiscard]] std::string serialized(const Box& box);
[[nodiscard]] std::uint64_t serialized_size(const Box& box);

// "vide", "soun" ...; empty where a `trak` does not say.
[[nodiscard]] std::string handler_of(const Box& trak);

// A box of the file itself.
struct FileBox {
  std::string type;  // empty: bytes at the end that are no box
  std::uint64_t begin = 0;
  std::uint64_t end = 0;  // never beyond the file's end
  int header_size = 8;
  bool to_end = false;   // its size field says "to the end of the file"
  bool cut_off = false;  // the file ends before the box does
};

// The boxes of a file with an index.
struct FileBoxes {
  std::vector<FileBox> boxes;
  std::uint64_t file_size = 0;
  std::size_t moov = 0;  // the index of the first `moov`
  bool quicktime = false;
  bool fragmented = false;
};

// Whether a file begins like MP4 or QuickTime. `head`: its first 12 bytes or more.
[[nodiscard]] bool is_mp4(std::string_view head);

// An open file, read by position.
class FileBytes {
 public:
  // Throws Error: missing, a folder, not readable.
  explicit FileBytes(const std::filesystem::path& path, bool writable = false);
  ~FileBytes();
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;

  [[nodiscard]] int descriptor() const { return descriptor_; }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  [[nodiscard]] std::uint64_t size() const;

  // Up to `size` bytes; fewer at the file's end. Throws Error where the disk fails.
  [[nodiscard]] std::string read(std::uint64_t offset, std::size_t size) const;

  // All of `data`. Throws Error naming the file (full disk).
  void write(std::uint64_t offset, std::string_view data) const;

  // Throws Error where the disk fails.
  void sync() const;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

// Throws Error: not MP4, without or with a cut-off `moov`, one that is compressed or absurd.
[[nodiscard]] FileBoxes scan_file(const FileBytes& file);

// The tree of the file's `moov`.
[[nodiscard]] Box read_moov(const FileBytes& file, const FileBoxes& layout);

}  // namespace vergence::media::mp4
