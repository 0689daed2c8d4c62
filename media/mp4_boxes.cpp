// SPDX-License-Identifier: Apache-2.0
#include "media/mp4_boxes.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <span>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vergence::media::mp4 {
namespace {

constexpr std::size_t kMaxFileBoxes = 65536;
constexpr std::uint64_t kMaxMoov = std::uint64_t{1} << 30;
constexpr std::size_t kVisualFields = 78;  // of VisualSampleEntry, behind the header
constexpr std::size_t kAudioFields = 28;

// What a box's first bytes say.
struct Header {
  std::string type;
  int size = 8;           // of the header
  std::uint64_t box = 0;  // of the whole box; 0 = to the end
  bool valid = false;
};

bool is_type(std::string_view type) {
  return std::all_of(type.begin(), type.end(), [](char c) {
    const auto code = static_cast<unsigned char>(c);
    return (code >= 0x20 && code < 0x7f) || code == 0xa9;
  });
}

Header header_at(std::string_view data) {
  Header header;
  if (data.size() < 8) return header;
  header.box = number_at(data, 0, 4);
  header.type = data.substr(4, 4);
  if (header.box == 1) {
    if (data.size() < 16) return header;
    header.size = 16;
    header.box = number_at(data, 8, 8);
    if (header.box == 0) return header;
  }
  const bool to_end = header.box == 0;
  header.valid =
      is_type(header.type) && (to_end || header.box >= static_cast<std::uint64_t>(header.size));
  return header;
}

// How many bytes of fields a sound description has: QuickTime's versions 1 and 2 are longer.
std::size_t audio_fields(std::string_view fields, bool quicktime) {
  if (!quicktime || fields.size() < kAudioFields) return kAudioFields;
  const auto version = number_at(fields, 8, 2);
  return kAudioFields + (version == 1 ? 16 : version == 2 ? 36 : 0);
}

void open_sample_entries(Box& trak, bool quicktime) {
  Box* descriptions = trak.find({"mdia", "minf", "stbl", "stsd"});
  if (descriptions == nullptr) return;
  open_container(*descriptions, 8);
  const std::string handler = handler_of(trak);
  for (Box& entry : descriptions->children) {
    if (handler == "vide") open_container(entry, kVisualFields);
    if (handler == "soun") open_container(entry, audio_fields(entry.fields, quicktime));
  }
}

void open_path(Box& box, std::span<const std::string_view> path) {
  open_container(box, 0);
  if (path.empty()) return;
  for (Box& child : box.children) {
    if (child.type == path.front()) open_path(child, path.subspan(1));
  }
}

Error cannot_read(const std::filesystem::path& path, const std::string& reason) {
  return Error(fmt::format("cannot read '{}': {}", path.string(), reason));
}

}  // namespace

std::uint64_t number_at(std::string_view data, std::size_t offset, int bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) {
    value = value << 8 | static_cast<unsigned char>(data[offset + static_cast<std::size_t>(i)]);
  }
  return value;
}

void append_number(std::string& data, std::uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) data += static_cast<char>(value >> (8 * i) & 0xff);
}

void store_number(std::string& data, std::size_t offset, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) {
    data[offset + static_cast<std::size_t>(i)] =
        static_cast<char>(value >> (8 * (bytes - 1 - i)) & 0xff);
  }
}

const Box* Box::child(std::string_view name) const {
  const auto found = std::find_if(children.begin(), children.end(),
                                  [&](const Box& box) { return box.type == name; });
  return found == children.end() ? nullptr : &*found;
}

Box* Box::child(std::string_view name) {
  return const_cast<Box*>(std::as_const(*this).child(name));
}

const Box* Box::find(std::initializer_list<std::string_view> path) const {
  const Box* box = this;
  for (const std::string_view name : path) {
    box = box->child(name);
    if (box == nullptr) return nullptr;
  }
  return box;
}

Box* Box::find(std::initializer_list<std::string_view> path) {
  return const_cast<Box*>(std::as_const(*this).find(path));
}

void Box::remove_children(std::string_view name) {
  std::erase_if(children, [&](const Box& box) { return box.type == name; });
}

int Box::version() const {
  return fields.size() < 4 ? 0 : static_cast<int>(number_at(fields, 0, 1));
}

std::uint32_t Box::flags() const {
  return fields.size() < 4 ? 0 : static_cast<std::uint32_t>(number_at(fields, 1, 3));
}

Box make_box(std::string type, std::string fields, std::vector<Box> children) {
  return {std::move(type), std::move(fields), std::move(children), {}};
}

Box make_full_box(std::string type, std::string_view fields, std::uint32_t version_and_flags) {
  std::string all;
  append_number(all, version_and_flags, 4);
  all += fields;
  return make_box(std::move(type), std::move(all));
}

std::vector<Box> parse_boxes(std::string_view data, std::string& tail) {
  std::vector<Box> boxes;
  while (!data.empty()) {
    const Header header = header_at(data);
    const std::uint64_t size = header.box == 0 ? data.size() : header.box;
    if (!header.valid || size > data.size()) break;
    const auto whole = static_cast<std::size_t>(size);
    const auto skipped = static_cast<std::size_t>(header.size);
    boxes.push_back(make_box(header.type, std::string(data.substr(skipped, whole - skipped))));
    data.remove_prefix(whole);
  }
  tail = data;
  return boxes;
}

void open_container(Box& box, std::size_t fields_size) {
  if (box.fields.size() < fields_size || !box.children.empty()) return;
  box.children = parse_boxes(std::string_view(box.fields).substr(fields_size), box.tail);
  box.fields.resize(fields_size);
}

Box parse_moov(std::string_view payload, bool quicktime) {
  Box moov = make_box("moov", std::string(payload));
  constexpr std::array<std::string_view, 4> kToSamples = {"trak", "mdia", "minf", "stbl"};
  open_path(moov, kToSamples);
  for (Box& trak : moov.children) {
    if (trak.type == "trak") open_sample_entries(trak, quicktime);
  }
  return moov;
}

std::uint64_t serialized_size(const Box& box) {
  std::uint64_t size = 8 + box.fields.size() + box.tail.size();
  for (const Box& child : box.children) size += serialized_size(child);
  // The long form of the size.
  return size > std::numeric_limits<std::uint32_t>::max() ? size + 8 : size;
}

std::string serialized(const Box& box) {
  const std::uint64_t size = serialized_size(box);
  const bool large = size > std::numeric_limits<std::uint32_t>::max();
  std::string data;
  data.reserve(static_cast<std::size_t>(size));
  append_number(data, large ? 1 : size, 4);
  data += box.type;
  if (large) append_number(data, size, 8);
  data += box.fields;
  for (const Box& child : box.children) data += serialized(child);
  data += box.tail;
  return data;
}

std::string handler_of(const Box& trak) {
  const Box* handler = trak.find({"mdia", "hdlr"});
  return handler == nullptr || handler->fields.size() < 12 ? "" : handler->fields.substr(8, 4);
}

bool is_mp4(std::string_view head) {
  constexpr std::array<std::string_view, 9> kFirst = {"ftyp", "moov", "mdat", "free", "skip",
                                                      "wide", "pnot", "styp", "moof"};
  return head.size() >= 8 &&
         std::find(kFirst.begin(), kFirst.end(), head.substr(4, 4)) != kFirst.end() &&
         header_at(head).valid;
}

FileBytes::FileBytes(const std::filesystem::path& path, bool writable) : path_(path) {
  struct stat status {};

  if (::stat(path.c_str(), &status) != 0) {
    throw cannot_read(path, reason_from_errno(errno)).hint("check the path");
  }
  if (S_ISDIR(status.st_mode)) throw cannot_read(path, "it is a folder");
  if (!S_ISREG(status.st_mode)) throw cannot_read(path, "it is not a regular file");
  descriptor_ = ::open(path.c_str(), (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
  if (descriptor_ >= 0) return;
  const std::string reason = reason_from_errno(errno);
  if (!writable) throw cannot_read(path, reason).hint("check its permissions");
  throw Error(fmt::format("cannot change '{}': {}", path.string(), reason))
      .hint("write a new file with -o");
}

FileBytes::~FileBytes() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::uint64_t FileBytes::size() const {
  struct stat status {};

  if (::fstat(descriptor_, &status) != 0) throw cannot_read(path_, reason_from_errno(errno));
  return static_cast<std::uint64_t>(status.st_size);
}

std::string FileBytes::read(std::uint64_t offset, std::size_t size) const {
  std::string data(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got =
        ::pread(descriptor_, data.data() + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw cannot_read(path_, reason_from_errno(errno));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  data.resize(done);
  return data;
}

void FileBytes::write(std::uint64_t offset, std::string_view data) const {
  while (!data.empty()) {
    const ssize_t put = ::pwrite(descriptor_, data.data(), data.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      Error error(fmt::format("cannot write '{}': {}", path_.string(), reason_from_errno(errno)));
      throw errno == ENOSPC ? std::move(error).hint("make room on that disk") : std::move(error);
    }
    data.remove_prefix(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
}

void FileBytes::sync() const {
  if (::fsync(descriptor_) == 0) return;
  throw Error(fmt::format("cannot write '{}': {}", path_.string(), reason_from_errno(errno)));
}

namespace {

FileBox file_box_at(const FileBytes& file, std::uint64_t begin, std::uint64_t file_size) {
  FileBox box;
  box.begin = begin;
  box.end = file_size;
  const Header header = header_at(file.read(begin, 16));
  if (!header.valid) return box;
  box.type = header.type;
  box.header_size = header.size;
  box.to_end = header.box == 0;
  box.cut_off = header.box > file_size - begin;
  if (!box.to_end && !box.cut_off) box.end = begin + header.box;
  // Only media are likely to be cut off; another type with an absurd size is no box at all.
  if (box.cut_off && box.type != "mdat" && box.type != "moov") box.type.clear();
  return box;
}

void check_moov(const FileBytes& file, const FileBox& moov) {
  const std::string name = file.path().string();
  if (moov.cut_off) {
    throw Error(fmt::format("'{}' is cut off in the middle of its index", name))
        .hint("copy or download it again");
  }
  if (moov.end - moov.begin > kMaxMoov) {
    throw Error(fmt::format("the index of '{}' is larger than any film's", name));
  }
}

}  // namespace

FileBoxes scan_file(const FileBytes& file) {
  const std::string name = file.path().string();
  FileBoxes found;
  found.file_size = file.size();
  const std::string head = file.read(0, 16);
  if (!is_mp4(head)) throw Error(fmt::format("'{}' is not an MP4 or QuickTime file", name));
  found.quicktime = head.substr(4, 4) != "ftyp" || head.substr(8, 4) == "qt  ";
  std::optional<std::size_t> moov;
  for (std::uint64_t begin = 0; begin < found.file_size;) {
    if (found.boxes.size() >= kMaxFileBoxes) {
      throw Error(fmt::format("'{}' has more boxes than any film", name));
    }
    const FileBox box = file_box_at(file, begin, found.file_size);
    if (box.type == "moov" && !moov) moov = found.boxes.size();
    if (box.type == "moof") found.fragmented = true;
    found.boxes.push_back(box);
    begin = box.end;
  }
  if (!moov) {
    throw Error(
        fmt::format("'{}' has no index ('moov'): it was never finished, or is cut off", name))
        .hint("record, copy or download it again");
  }
  found.moov = *moov;
  check_moov(file, found.boxes[found.moov]);
  return found;
}

Box read_moov(const FileBytes& file, const FileBoxes& layout) {
  const FileBox& place = layout.boxes[layout.moov];
  const auto header = static_cast<std::uint64_t>(place.header_size);
  const auto size = static_cast<std::size_t>(place.end - place.begin - header);
  Box moov = parse_moov(file.read(place.begin + header, size), layout.quicktime);
  if (moov.child("cmov") != nullptr) {
    throw Error(fmt::format("the index of '{}' is compressed", file.path().string()))
        .hint("rewrite it with `ffmpeg -i IN -c copy OUT.mp4`");
  }
  return moov;
}

}  // namespace vergence::media::mp4
