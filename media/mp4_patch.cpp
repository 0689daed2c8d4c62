// SPDX-License-Identifier: Apache-2.0
#include "media/mp4_patch.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

namespace vergence::media::mp4 {
namespace {

constexpr std::uint64_t kMax32 = std::numeric_limits<std::uint32_t>::max();
constexpr std::size_t kCopyBytes = std::size_t{8} << 20;

// Bytes of the old file and where they come to lie.
struct Span {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t destination = 0;
};

// Where everything goes.
struct Plan {
  std::vector<Span> spans;        // in the order of the old file
  std::uint64_t moov = 0;         // the place of the new one
  std::uint64_t free_behind = 0;  // bytes of a `free` box right behind it; 0 or at least 8

  // The new place of an old one; nothing where what was there is gone. Places beyond the end (of a
  // file that is cut off) go with the last bytes.
  [[nodiscard]] std::optional<std::uint64_t> new_place(std::uint64_t old) const {
    for (const Span& span : spans) {
      const bool last = &span == &spans.back();
      if (old >= span.begin && (old < span.end || (last && old >= span.end))) {
        return old - span.begin + span.destination;
      }
    }
    return std::nullopt;
  }
};

[[noreturn]] void throw_bad_place() {
  throw Error("the index points at itself: the file is damaged");
}

std::uint64_t moved(const Plan& plan, std::uint64_t old) {
  const auto place = plan.new_place(old);
  if (!place) throw_bad_place();
  return *place;
}

// How many entries of `size` bytes a table has whose count stands at `offset`.
std::size_t entries_of(const std::string& fields, std::size_t offset, std::size_t size) {
  if (fields.size() < offset + 4) return 0;
  const auto count = static_cast<std::size_t>(number_at(fields, offset, 4));
  if (count > (fields.size() - offset - 4) / size) {
    throw Error("a table of the index is longer than its box: the file is damaged");
  }
  return count;
}

// A table of places, 4 or 8 bytes each, that starts with its count at `offset`; 8 bytes each where
// one of them no longer fits in 4.
struct PlaceTable {
  std::string fields;
  bool wide = false;
};

PlaceTable moved_table(const std::string& fields, std::size_t offset, bool wide, const Plan& plan) {
  const std::size_t size = wide ? 8 : 4;
  const std::size_t count = entries_of(fields, offset, size);
  std::vector<std::uint64_t> places(count);
  bool needs_wide = wide;
  for (std::size_t i = 0; i < count; ++i) {
    places[i] = moved(plan, number_at(fields, offset + 4 + i * size, static_cast<int>(size)));
    needs_wide = needs_wide || places[i] > kMax32;
  }
  PlaceTable table{fields.substr(0, std::min(fields.size(), offset + 4)), needs_wide};
  for (const std::uint64_t place : places) append_number(table.fields, place, needs_wide ? 8 : 4);
  if (fields.size() > offset + 4 + count * size) {
    table.fields += fields.substr(offset + 4 + count * size);
  }
  return table;
}

void move_chunks(Box& table, const Plan& plan) {
  PlaceTable changed = moved_table(table.fields, 4, table.type == "co64", plan);
  table.fields = std::move(changed.fields);
  table.type = changed.wide ? "co64" : "stco";
}

// Auxiliary information of encrypted samples (ISO/IEC 14496-12, 8.7.9).
void move_auxiliary(Box& table, const Plan& plan) {
  const std::size_t offset = (table.flags() & 1) != 0 ? 12 : 4;
  PlaceTable changed = moved_table(table.fields, offset, table.version() > 0, plan);
  table.fields = std::move(changed.fields);
  if (changed.wide && !table.fields.empty()) table.fields[0] = 1;
}

// Reads numbers one after another; throws where they end early.
class Cursor {
 public:
  explicit Cursor(std::string& data) : data_(data) {}

  std::uint64_t read(int bytes) {
    const auto size = static_cast<std::size_t>(bytes);
    if (size > data_.size() - offset_) {
      throw Error("a table of the index is longer than its box: the file is damaged");
    }
    offset_ += size;
    return number_at(data_, offset_ - size, bytes);
  }

  // Replaces the number that was read last.
  void replace(std::uint64_t value, int bytes) {
    if (bytes < 8 && value >> (8 * bytes) != 0) {
      throw Error("the places of pictures inside of the file pass what their table can hold");
    }
    store_number(data_, offset_ - static_cast<std::size_t>(bytes), value, bytes);
  }

 private:
  std::string& data_;
  std::size_t offset_ = 0;
};

// Where the items of a `meta` box lie (ISO/IEC 14496-12, 8.11.3).
void move_items(std::string& fields, const Plan& plan) {
  Cursor cursor(fields);
  const auto version = static_cast<int>(cursor.read(1));
  cursor.read(3);
  const auto sizes = cursor.read(2);
  const int offset_size = static_cast<int>(sizes >> 12 & 15);
  const int length_size = static_cast<int>(sizes >> 8 & 15);
  const int base_size = static_cast<int>(sizes >> 4 & 15);
  const int index_size = version == 0 ? 0 : static_cast<int>(sizes & 15);
  for (const int size : {offset_size, length_size, base_size, index_size}) {
    if (size > 8) throw Error("a table of the index is none: the file is damaged");
  }
  const auto count = cursor.read(version < 2 ? 2 : 4);
  for (std::uint64_t item = 0; item < count; ++item) {
    cursor.read(version < 2 ? 2 : 4);
    const auto method = version == 0 ? 0 : cursor.read(2) & 15;
    const bool in_file = cursor.read(2) == 0 && method == 0;
    const auto base = cursor.read(base_size);
    if (in_file && offset_size == 0 && base_size > 0) cursor.replace(moved(plan, base), base_size);
    const auto extents = cursor.read(2);
    if (offset_size + length_size + index_size == 0) continue;
    for (std::uint64_t extent = 0; extent < extents; ++extent) {
      cursor.read(index_size);
      const auto offset = cursor.read(offset_size);
      if (in_file && offset_size > 0) {
        // The base stays; what it is taken from must not get below it.
        const std::uint64_t place = moved(plan, base + offset);
        if (place < base) throw_bad_place();
        cursor.replace(place - base, offset_size);
      }
      cursor.read(length_size);
    }
  }
}

// A `meta` box; QuickTime's has no version and flags.
void move_meta(Box& meta, const Plan& plan) {
  const bool full = meta.fields.size() >= 8 && meta.fields.substr(4, 4) != "hdlr";
  open_container(meta, full ? 4 : 0);
  if (Box* items = meta.child("iloc")) move_items(items->fields, plan);
}

void move_metas(Box& parent, const Plan& plan) {
  for (Box& child : parent.children) {
    if (child.type == "meta") move_meta(child, plan);
    if (child.type == "udta") {
      open_container(child, 0);
      move_metas(child, plan);
    }
  }
}

enum class MediaPlace { kInFile, kElsewhere, kMixed };

// Whether a track's media lie in the file itself (ISO/IEC 14496-12, 8.7.2).
MediaPlace media_place(const Box& trak) {
  const Box* references = trak.find({"mdia", "minf", "dinf"});
  if (references == nullptr) return MediaPlace::kInFile;
  Box dinf = *references;
  open_container(dinf, 0);
  Box* dref = dinf.child("dref");
  if (dref == nullptr) return MediaPlace::kInFile;
  open_container(*dref, 8);
  const auto own = std::count_if(dref->children.begin(), dref->children.end(),
                                 [](const Box& entry) { return (entry.flags() & 1) != 0; });
  if (own == 0 && !dref->children.empty()) return MediaPlace::kElsewhere;
  return own == static_cast<std::ptrdiff_t>(dref->children.size()) ? MediaPlace::kInFile
                                                                   : MediaPlace::kMixed;
}

Box moved_moov(Box moov, const Plan& plan) {
  move_metas(moov, plan);
  for (Box& trak : moov.children) {
    if (trak.type != "trak") continue;
    move_metas(trak, plan);
    Box* samples = trak.find({"mdia", "minf", "stbl"});
    if (samples == nullptr || media_place(trak) != MediaPlace::kInFile) continue;
    for (Box& table : samples->children) {
      if (table.type == "stco" || table.type == "co64") move_chunks(table, plan);
      if (table.type == "saio") move_auxiliary(table, plan);
    }
  }
  return moov;
}

// `make_plan(size)` for a `moov` of that size; its tables may grow when what they tell moves, which
// moves it further: never back, so that this ends.
template <typename MakePlan>
std::pair<std::string, Plan> fitted(const Box& moov, const MakePlan& make_plan) {
  std::uint64_t size = serialized_size(moov);
  for (;;) {
    const Plan plan = make_plan(size);
    const Box changed = moved_moov(moov, plan);
    const std::uint64_t needed = serialized_size(changed);
    if (needed == size) return {serialized(changed), plan};
    size = needed;
  }
}

std::string free_box(std::uint64_t size) {
  std::string data;
  append_number(data, size, 4);
  data += "free";
  data.resize(static_cast<std::size_t>(size), '\0');
  return data;
}

bool is_free(const FileBox& box) {
  return (box.type == "free" || box.type == "skip") && !box.to_end && !box.cut_off;
}

// The end of the row of `free` boxes behind a box.
std::uint64_t end_of_free(const FileBoxes& layout, std::size_t index) {
  std::uint64_t end = layout.boxes[index].end;
  for (std::size_t i = index + 1; i < layout.boxes.size() && is_free(layout.boxes[i]); ++i) {
    end = layout.boxes[i].end;
  }
  return end;
}

void append_span(Plan& plan, std::uint64_t begin, std::uint64_t end, std::uint64_t& destination) {
  if (end > begin) plan.spans.push_back({begin, end, destination});
  destination += end - begin;
}

// The file with a `moov` of `size` bytes where the old one is; any further one goes.
Plan plan_with_moov(const FileBoxes& layout, std::uint64_t size) {
  const FileBox& old = layout.boxes[layout.moov];
  const std::uint64_t gap_end = end_of_free(layout, layout.moov);
  const std::uint64_t gap = gap_end - old.begin;
  Plan plan;
  plan.moov = old.begin;
  if (size + 8 <= gap && gap - size <= kMax32) plan.free_behind = gap - size;
  std::uint64_t destination = 0;
  append_span(plan, 0, old.begin, destination);
  destination += size + plan.free_behind;
  for (const FileBox& box : layout.boxes) {
    if (box.begin < gap_end || box.type == "moov") continue;
    append_span(plan, box.begin, box.end, destination);
  }
  return plan;
}

// The file with a `moov` of `size` bytes behind its `ftyp`.
Plan plan_in_front(const FileBoxes& layout, std::uint64_t size) {
  Plan plan;
  std::uint64_t destination = 0;
  const FileBox& first = layout.boxes.front();
  const std::uint64_t head = first.type == "ftyp" ? first.end : 0;
  append_span(plan, 0, head, destination);
  plan.moov = head;
  destination += size;
  for (const FileBox& box : layout.boxes) {
    if (box.begin < head || box.type == "moov") continue;
    append_span(plan, box.begin, box.end, destination);
  }
  return plan;
}

// Pictures beside the film (HEIF) tell their places in a `meta` of the file's own.
void require_no_pictures(const FileBytes& file, const FileBoxes& layout, const Plan& plan) {
  const auto has_moved = [](const Span& span) { return span.begin != span.destination; };
  const auto is_meta = [](const FileBox& box) { return box.type == "meta"; };
  if (std::none_of(plan.spans.begin(), plan.spans.end(), has_moved)) return;
  if (std::none_of(layout.boxes.begin(), layout.boxes.end(), is_meta)) return;
  throw Error(fmt::format("'{}' holds pictures beside its film, whose places would be lost",
                          file.path().string()));
}

// Copies bytes within the kernel, or through a buffer where files cannot do that.
class Copier {
 public:
  Copier(const FileBytes& source, const FileBytes& destination,
         const std::function<void(std::uint64_t)>& advance)
      : source_(source),
        destination_(destination),
        advance_(advance) {}

  // Leaves holes where the source has some.
  void copy(const Span& span) {
    std::uint64_t at = span.begin;
    while (at < span.end) {
      const auto [begin, end] = next_data(at, span.end);
      if (advance_ && begin > at) advance_(begin - at);
      copy_data(begin, end, begin - span.begin + span.destination);
      at = std::max(end, begin);
    }
  }

 private:
  // The next stretch of the source from `at` on that is no hole.
  [[nodiscard]] std::pair<std::uint64_t, std::uint64_t> next_data(std::uint64_t at,
                                                                  std::uint64_t limit) const {
    const off_t data = ::lseek(source_.descriptor(), static_cast<off_t>(at), SEEK_DATA);
    if (data < 0) return errno == ENXIO ? std::pair(limit, limit) : std::pair(at, limit);
    const off_t hole = ::lseek(source_.descriptor(), data, SEEK_HOLE);
    const auto begin = std::min(static_cast<std::uint64_t>(data), limit);
    const auto end = hole < 0 ? limit : std::min(static_cast<std::uint64_t>(hole), limit);
    return {begin, std::max(begin, end)};
  }

  void copy_data(std::uint64_t begin, std::uint64_t end, std::uint64_t to) {
    while (begin < end) {
      throw_if_interrupted();
      const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(end - begin, kCopyBytes));
      const std::uint64_t done = in_kernel_ ? copy_in_kernel(begin, to, want) : 0;
      const std::uint64_t copied = done > 0 ? done : copy_by_buffer(begin, to, want);
      begin += copied;
      to += copied;
      if (advance_) advance_(copied);
    }
  }

  std::uint64_t copy_in_kernel(std::uint64_t from, std::uint64_t to, std::size_t size) {
    auto in = static_cast<off_t>(from);
    auto out = static_cast<off_t>(to);
    const ssize_t copied =
        ::copy_file_range(source_.descriptor(), &in, destination_.descriptor(), &out, size, 0);
    if (copied > 0) return static_cast<std::uint64_t>(copied);
    // Other disks, old kernels, special files: by hand. It also finds out why it failed.
    in_kernel_ = false;
    return 0;
  }

  std::uint64_t copy_by_buffer(std::uint64_t from, std::uint64_t to, std::size_t size) const {
    const std::string data = source_.read(from, size);
    if (data.empty()) {
      throw Error(fmt::format("'{}' became shorter while it was read", source_.path().string()));
    }
    destination_.write(to, data);
    return data.size();
  }

  const FileBytes& source_;
  const FileBytes& destination_;
  const std::function<void(std::uint64_t)>& advance_;
  bool in_kernel_ = true;
};

// Moves bytes towards the end of the same file, the last ones first.
void shift_up(const FileBytes& file, const Span& span) {
  std::uint64_t end = span.end;
  while (end > span.begin) {
    throw_if_interrupted();
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(end - span.begin, kCopyBytes));
    end -= size;
    file.write(end - span.begin + span.destination, file.read(end, size));
  }
}

void set_size(const FileBytes& file, std::uint64_t size) {
  if (::ftruncate(file.descriptor(), static_cast<off_t>(size)) == 0) return;
  throw Error(fmt::format("cannot write '{}': {}", file.path().string(), reason_from_errno(errno)));
}

std::uint64_t end_of(const Plan& plan, std::uint64_t moov_size) {
  std::uint64_t end = plan.moov + moov_size + plan.free_behind;
  for (const Span& span : plan.spans) {
    end = std::max(end, span.destination + span.end - span.begin);
  }
  return end;
}

// The old indices become `free`, one write of four bytes each.
void retire_old(const FileBytes& file, const FileBoxes& layout) {
  for (const FileBox& box : layout.boxes) {
    if (box.type == "moov") file.write(box.begin + 4, "free");
  }
  file.sync();
}

// Into a `free` box that can hold it: first all but the header, which makes it valid.
bool put_into_free(const FileBytes& file, const FileBoxes& layout, std::string_view moov) {
  for (const FileBox& box : layout.boxes) {
    const std::uint64_t room = box.end - box.begin;
    const bool fits = room == moov.size() || (room >= moov.size() + 8 && room <= kMax32);
    if (!is_free(box) || box.header_size != 8 || !fits) continue;
    if (room > moov.size()) {
      // Its header only: what follows has been unused before.
      file.write(box.begin + moov.size(), free_box(room - moov.size()).substr(0, 8));
    }
    file.write(box.begin + 8, moov.substr(8));
    file.sync();
    file.write(box.begin, moov.substr(0, 8));
    file.sync();
    retire_old(file, layout);
    return true;
  }
  return false;
}

// As a `free` box at the end that is then renamed.
bool put_at_end(const FileBytes& file, const FileBoxes& layout, std::string moov) {
  const FileBox& last = layout.boxes.back();
  if (last.type.empty() || last.to_end || last.cut_off) return false;
  const auto is_media = [](const FileBox& box) { return box.type == "mdat"; };
  const auto after_moov = layout.boxes.begin() + static_cast<std::ptrdiff_t>(layout.moov);
  if (std::any_of(after_moov, layout.boxes.end(), is_media)) return false;
  moov.replace(4, 4, "free");
  try {
    file.write(layout.file_size, moov);
    file.sync();
  } catch (const Error&) {
    set_size(file, layout.file_size);
    throw;
  }
  file.write(layout.file_size + 4, "moov");
  file.sync();
  retire_old(file, layout);
  return true;
}

// Whether a table of the auxiliary information of encrypted samples points into the index itself.
bool points_into(const Box& table, const FileBox& place) {
  const std::size_t offset = (table.flags() & 1) != 0 ? 12 : 4;
  const std::size_t size = table.version() > 0 ? 8 : 4;
  const std::size_t count = entries_of(table.fields, offset, size);
  for (std::size_t i = 0; i < count; ++i) {
    const auto at = number_at(table.fields, offset + 4 + i * size, static_cast<int>(size));
    if (at >= place.begin && at < place.end) return true;
  }
  return false;
}

void require_auxiliary_outside(const std::string& name, const Box& trak, const FileBox& place) {
  const Box* samples = trak.find({"mdia", "minf", "stbl"});
  if (samples == nullptr) return;
  for (const Box& table : samples->children) {
    if (table.type != "saio" || !points_into(table, place)) continue;
    throw Error(
        fmt::format("'{}' is encrypted, and what decrypts it lies where tags would move it", name))
        .hint("tag it before it is encrypted");
  }
}

}  // namespace

void require_patchable(const FileBytes& file, const FileBoxes& layout, const Box& moov) {
  const std::string name = file.path().string();
  if (layout.fragmented || moov.child("mvex") != nullptr) {
    throw Error(fmt::format("'{}' is fragmented, and players look for tags in whole files", name))
        .hint("make it whole with `ffmpeg -i IN -c copy -movflags +faststart OUT.mp4` first");
  }
  for (const Box& trak : moov.children) {
    if (trak.type == "trak" && media_place(trak) == MediaPlace::kMixed) {
      throw Error(fmt::format("a track of '{}' lies partly in other files", name));
    }
    if (trak.type == "trak") {
      require_auxiliary_outside(name, trak, layout.boxes[layout.moov]);
    }
  }
}

void write_with_moov(const FileBytes& source, const FileBoxes& layout, const Box& moov,
                     const std::filesystem::path& destination,
                     const std::function<void(std::uint64_t)>& advance) {
  const auto [bytes, plan] =
      fitted(moov, [&](std::uint64_t size) { return plan_with_moov(layout, size); });
  require_no_pictures(source, layout, plan);
  const FileBytes output(destination, true);
  set_size(output, 0);
  Copier copier(source, output, advance);
  for (const Span& span : plan.spans) copier.copy(span);
  output.write(plan.moov, bytes);
  if (plan.free_behind > 0) output.write(plan.moov + bytes.size(), free_box(plan.free_behind));
  // The source may end with a hole.
  set_size(output, end_of(plan, bytes.size()));
}

bool replace_moov_in_place(const FileBytes& file, const FileBoxes& layout, const Box& moov) {
  std::string bytes = serialized(moov);
  if (put_into_free(file, layout, bytes)) return true;
  return put_at_end(file, layout, std::move(bytes));
}

void move_moov_to_front(const FileBytes& file, const FileBoxes& layout, const Box& moov) {
  const auto [bytes, plan] =
      fitted(moov, [&](std::uint64_t size) { return plan_in_front(layout, size); });
  // An index in front of the media that shrank would need bytes to move the other way.
  for (const Span& span : plan.spans) {
    if (span.destination < span.begin) {
      throw Error(fmt::format("the index of '{}' is in front already", file.path().string()));
    }
  }
  for (auto span = plan.spans.rbegin(); span != plan.spans.rend(); ++span) {
    if (span->destination != span->begin) shift_up(file, *span);
  }
  file.write(plan.moov, bytes);
  set_size(file, end_of(plan, bytes.size()));
  file.sync();
}

}  // namespace vergence::media::mp4
