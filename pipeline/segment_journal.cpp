// SPDX-License-Identifier: Apache-2.0
#include "pipeline/segment_journal.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>
#include <type_traits>

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

namespace vergence::pipeline {
namespace fs = std::filesystem;

namespace {

// The last digit counts the versions of the format; frames' statistics are written as they lie in
// memory, so that another layout of them is another format.
constexpr std::string_view kMagic = "vergence journal 2\n";
constexpr std::string_view kLockName = "lock";

enum RecordType : std::uint32_t { kHeader = 1, kSegment = 2, kFinished = 3 };

struct RecordHead {
  std::uint32_t type = 0;
  std::uint32_t checksum = 0;  // of type, length and payload
  std::uint64_t length = 0;    // of the payload
};

static_assert(std::is_trivially_copyable_v<stereo::FrameStatistics>);
static_assert(std::is_trivially_copyable_v<JournalFrame>);

std::uint32_t crc(std::uint32_t start, const void* bytes, std::size_t count) {
  return static_cast<std::uint32_t>(
      ::crc32_z(start, static_cast<const Bytef*>(bytes), static_cast<z_size_t>(count)));
}

std::uint32_t checksum_of(const RecordHead& head, std::string_view payload) {
  std::uint32_t sum = crc(0, &head.type, sizeof(head.type));
  sum = crc(sum, &head.length, sizeof(head.length));
  return crc(sum, payload.data(), payload.size());
}

template <class Value>
void put(std::string& bytes, const Value& value) {
  static_assert(std::is_trivially_copyable_v<Value>);
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void put_text(std::string& bytes, std::string_view text) {
  put(bytes, std::uint64_t{text.size()});
  bytes.append(text);
}

// Takes values from the front of a payload. Checksums have told that it is what was written, so
// that running over its end means another program's layout.
class PayloadReader {
 public:
  explicit PayloadReader(std::string_view bytes) : bytes_(bytes) {}

  template <class Value>
  Value take() {
    Value value;
    std::memcpy(&value, take_bytes(sizeof(Value)).data(), sizeof(Value));
    return value;
  }

  std::string take_text() { return std::string(take_bytes(take<std::uint64_t>())); }

  // A count of items of `size` bytes that really follow.
  std::size_t take_count(std::size_t size) {
    const auto count = take<std::uint64_t>();
    if (count > bytes_.size() / size) throw std::out_of_range("a count beyond the record");
    return static_cast<std::size_t>(count);
  }

 private:
  std::string_view take_bytes(std::uint64_t count) {
    if (count > bytes_.size()) throw std::out_of_range("a value beyond the record");
    const auto taken = bytes_.substr(0, static_cast<std::size_t>(count));
    bytes_.remove_prefix(static_cast<std::size_t>(count));
    return taken;
  }

  std::string_view bytes_;
};

std::string header_payload(std::span<const Setting> settings) {
  std::string bytes;
  put(bytes, std::uint64_t{sizeof(JournalFrame)});
  put(bytes, std::uint64_t{settings.size()});
  for (const auto& [key, value] : settings) {
    put_text(bytes, key);
    put_text(bytes, value);
  }
  return bytes;
}

std::vector<Setting> settings_of(std::string_view payload) {
  PayloadReader reader(payload);
  if (reader.take<std::uint64_t>() != sizeof(JournalFrame)) {
    throw std::out_of_range("frames of another size");
  }
  std::vector<Setting> settings(reader.take_count(2 * sizeof(std::uint64_t)));
  for (auto& [key, value] : settings) {
    key = reader.take_text();
    value = reader.take_text();
  }
  return settings;
}

std::string segment_payload(const JournalSegment& segment) {
  std::string bytes;
  put(bytes, segment.first_frame);
  put(bytes, static_cast<std::uint32_t>(segment.last));
  put(bytes, segment.last_picture_checksum);
  put(bytes, std::uint64_t{segment.file_bytes.size()});
  for (const auto size : segment.file_bytes) put(bytes, size);
  put(bytes, std::uint64_t{segment.frames.size()});
  for (const auto& frame : segment.frames) put(bytes, frame);
  return bytes;
}

JournalSegment segment_of(std::string_view payload) {
  PayloadReader reader(payload);
  JournalSegment segment;
  segment.first_frame = reader.take<std::int64_t>();
  segment.last = reader.take<std::uint32_t>() != 0;
  segment.last_picture_checksum = reader.take<std::uint32_t>();
  segment.file_bytes.resize(reader.take_count(sizeof(std::uint64_t)));
  for (auto& size : segment.file_bytes) size = reader.take<std::uint64_t>();
  segment.frames.resize(reader.take_count(sizeof(JournalFrame)));
  for (auto& frame : segment.frames) frame = reader.take<JournalFrame>();
  return segment;
}

// A record at the front of `bytes`, or why there is none.
struct ParsedRecord {
  std::uint32_t type = 0;
  std::string_view payload = {};
  std::size_t size = 0;  // with its head; 0 = not whole
  bool torn = false;     // of those not whole: nothing can follow it
};

ParsedRecord parse_record(std::string_view bytes) {
  ParsedRecord record;
  RecordHead head;
  if (bytes.size() < sizeof(head)) return {.torn = true};
  std::memcpy(&head, bytes.data(), sizeof(head));
  const std::string_view rest = bytes.substr(sizeof(head));
  if (head.length > rest.size()) return {.torn = true};
  const auto length = static_cast<std::size_t>(head.length);
  record.payload = rest.substr(0, length);
  if (checksum_of(head, record.payload) != head.checksum) return {.torn = length == rest.size()};
  record.type = head.type;
  record.size = sizeof(head) + length;
  return record;
}

Error cannot_write(const fs::path& path, int error) {
  return Error(fmt::format("cannot write '{}': {}", path.string(), reason_from_errno(error)))
      .hint(error == ENOSPC ? "free some space and run the same command again"
                            : "choose another folder with video.work_dir");
}

bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

SegmentJournal::SegmentJournal(const fs::path& path, std::vector<Setting> settings)
    : path_(path),
      settings_(std::move(settings)) {
  // Whole or not at all: a journal without its header would be no journal.
  const std::string payload = header_payload(settings_);
  RecordHead head{.type = kHeader, .length = payload.size()};
  head.checksum = checksum_of(head, payload);
  std::string bytes(kMagic);
  put(bytes, head);
  write_file(path_, bytes + payload);
  sync_folder(path_.parent_path());
  file_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (file_ < 0) throw cannot_write(path_, errno);
  segment_ends_.push_back(static_cast<std::int64_t>(bytes.size() + payload.size()));
}

SegmentJournal::SegmentJournal(const fs::path& path) : path_(path) {
  file_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (file_ < 0) throw cannot_write(path_, errno);
  try {
    read();
  } catch (...) {
    ::close(file_);
    throw;
  }
}

SegmentJournal::~SegmentJournal() {
  ::close(file_);
}

void SegmentJournal::read() {
  const auto damaged = [&](std::string_view what) {
    return Error(fmt::format("the journal '{}' {}", path_.string(), what))
        .hint("begin anew with video.resume=fresh");
  };
  const std::string bytes = read_file(path_);
  if (!std::string_view(bytes).starts_with(kMagic)) {
    throw damaged("is damaged or of another version");
  }
  std::size_t offset = kMagic.size();
  bool torn = true;
  try {
    while (offset < bytes.size()) {
      const auto record = parse_record(std::string_view(bytes).substr(offset));
      torn = record.torn;
      if (record.size == 0) break;
      if (record.type == kHeader) settings_ = settings_of(record.payload);
      if (record.type == kSegment) segments_.push_back(segment_of(record.payload));
      if (record.type == kFinished) {
        PayloadReader reader(record.payload);
        finished_.emplace(reader.take_count(sizeof(std::uint64_t)));
        for (auto& size : *finished_) size = reader.take<std::uint64_t>();
      }
      offset += record.size;
      if (record.type != kFinished) segment_ends_.push_back(static_cast<std::int64_t>(offset));
    }
  } catch (const std::out_of_range&) {
    throw damaged("was written by another version of the program");
  }
  if (segment_ends_.empty()) throw damaged("has a damaged header");
  if (offset == bytes.size()) return;
  if (!torn) {
    spdlog::warn("the journal '{}' is damaged after {} segments: what follows is made again",
                 path_.string(), segments_.size());
  }
  if (::ftruncate(file_, static_cast<off_t>(offset)) != 0) throw cannot_write(path_, errno);
}

void SegmentJournal::truncate(std::size_t count) {
  if (count >= segments_.size() && !finished_) return;
  segments_.resize(std::min(count, segments_.size()));
  segment_ends_.resize(segments_.size() + 1);
  finished_.reset();
  if (::ftruncate(file_, static_cast<off_t>(segment_ends_.back())) != 0 || ::fsync(file_) != 0) {
    throw cannot_write(path_, errno);
  }
}

void SegmentJournal::write_record(std::uint32_t type, const std::string& payload) {
  RecordHead head{.type = type, .length = payload.size()};
  head.checksum = checksum_of(head, payload);
  std::string bytes;
  put(bytes, head);
  bytes += payload;
  const off_t before = ::lseek(file_, 0, SEEK_END);
  if (!write_all(file_, bytes) || ::fsync(file_) != 0) {
    const int error = errno;
    // Should this fail too, the next call finds a torn record and cuts it off.
    [[maybe_unused]] const int cut = ::ftruncate(file_, before);
    throw cannot_write(path_, error);
  }
}

void SegmentJournal::append(const JournalSegment& segment) {
  write_record(kSegment, segment_payload(segment));
}

void SegmentJournal::append_finished(std::span<const std::uint64_t> output_bytes) {
  std::string bytes;
  put(bytes, std::uint64_t{output_bytes.size()});
  for (const auto size : output_bytes) put(bytes, size);
  write_record(kFinished, bytes);
}

std::string describe_differences(std::span<const Setting> before, std::span<const Setting> now) {
  constexpr std::size_t kMost = 5;
  const auto value_in = [](std::span<const Setting> settings, const std::string& key) {
    const auto found = std::find_if(settings.begin(), settings.end(),
                                    [&](const Setting& setting) { return setting.first == key; });
    return found == settings.end() ? std::string("not set") : "'" + found->second + "'";
  };
  std::vector<std::string> lines;
  const auto compare = [&](const std::string& key) {
    const auto was = value_in(before, key);
    const auto is = value_in(now, key);
    if (was != is) lines.push_back(fmt::format("{} was {} and is {}", key, was, is));
  };
  for (const auto& setting : before) compare(setting.first);
  for (const auto& setting : now) {
    if (value_in(before, setting.first) == "not set") compare(setting.first);
  }
  const std::size_t more = lines.size() - std::min(lines.size(), kMost);
  lines.resize(lines.size() - more);
  return fmt::format("{}{}", fmt::join(lines, ", "),
                     more > 0 ? fmt::format(" and {} more", more) : "");
}

std::uint32_t picture_checksum(const cv::Mat& picture) {
  const std::array<int, 3> shape{picture.rows, picture.cols, picture.type()};
  std::uint32_t sum = crc(0, shape.data(), sizeof(shape));
  for (int y = 0; y < picture.rows; ++y) {
    sum = crc(sum, picture.ptr(y), static_cast<std::size_t>(picture.cols) * picture.elemSize());
  }
  return sum;
}

std::vector<Setting> file_fingerprint(const fs::path& path, const std::string& what) {
  struct stat status {};

  std::ifstream stream(path, std::ios::binary);
  if (!stream || ::stat(path.c_str(), &status) != 0 || S_ISDIR(status.st_mode)) {
    const int error = errno != 0 ? errno : EISDIR;
    throw Error(fmt::format("cannot read '{}': {}", path.string(), reason_from_errno(error)))
        .hint("check the path");
  }
  constexpr std::int64_t kPiece = 1 << 20;
  std::string piece(kPiece, '\0');
  std::uint32_t sum = 0;
  for (const std::int64_t offset :
       {std::int64_t{0}, std::max<std::int64_t>(0, status.st_size - kPiece)}) {
    stream.clear();
    stream.seekg(offset);
    stream.read(piece.data(), kPiece);
    sum = crc(sum, piece.data(), static_cast<std::size_t>(stream.gcount()));
  }
  return {{"size of " + what, std::to_string(status.st_size)},
          {"time of change of " + what,
           fmt::format("{}.{:09}", status.st_mtim.tv_sec, status.st_mtim.tv_nsec)},
          {"checksum of " + what, fmt::format("{:08x}", sum)}};
}

WorkFolder::WorkFolder(const fs::path& path, const fs::path& output) : path_(path) {
  const fs::path lock_path = path_ / kLockName;
  // A process that ends may remove the folder between any two of these steps: then again.
  while (true) {
    if (::mkdir(path_.c_str(), 0777) != 0 && errno != EEXIST) throw cannot_write(path_, errno);
    lock_ = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (lock_ < 0 && errno == ENOENT) continue;
    if (lock_ < 0) throw cannot_write(path_, errno);
    if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      ::close(lock_);
      if (error != EWOULDBLOCK) throw cannot_write(lock_path, error);
      throw Error(fmt::format("another process is making '{}'", output.string()))
          .hint("wait for it or stop it, or choose another name with -o");
    }

    struct stat ours {};

    struct stat named {};

    if (::fstat(lock_, &ours) == 0 && ::stat(lock_path.c_str(), &named) == 0 &&
        ours.st_ino == named.st_ino && ours.st_dev == named.st_dev) {
      return;
    }
    ::close(lock_);
  }
}

WorkFolder::~WorkFolder() {
  ::close(lock_);
}

void WorkFolder::clear(const fs::path& keep) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(path_)) {
    const auto name = entry.path().filename();
    if (name != kLockName && name != keep) paths.push_back(entry.path());
  }
  for (const auto& path : paths) fs::remove_all(path);
}

void WorkFolder::remove(const fs::path& last) {
  std::error_code ignored;
  clear(last);
  fs::remove(path_ / last, ignored);
  fs::remove(path_ / kLockName, ignored);
  fs::remove(path_, ignored);  // unless someone else has begun there
}

void sync_folder(const fs::path& folder) {
  const int file =
      ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return;
  ::fsync(file);
  ::close(file);
}

}  // namespace vergence::pipeline
