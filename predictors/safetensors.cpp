// SPDX-License-Identifier: Apache-2.0
#include "predictors/safetensors.hpp"

#include "core/error.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace vergence::predictors {
namespace {

constexpr std::uint64_t kMaxHeader = 100'000'000;  // bytes, as the reference implementation
constexpr std::size_t kLengthSize = 8;
constexpr std::size_t kMaxRank = 16;
constexpr std::size_t kMaxTensors = 1'000'000;

struct TypeRow {
  std::string_view name;
  ScalarType type;
};

constexpr std::array<TypeRow, 13> kTypes = {{{"BOOL", ScalarType::kBool},
                                             {"U8", ScalarType::kU8},
                                             {"I8", ScalarType::kI8},
                                             {"I16", ScalarType::kI16},
                                             {"U16", ScalarType::kU16},
                                             {"F16", ScalarType::kF16},
                                             {"BF16", ScalarType::kBF16},
                                             {"I32", ScalarType::kI32},
                                             {"U32", ScalarType::kU32},
                                             {"F32", ScalarType::kF32},
                                             {"I64", ScalarType::kI64},
                                             {"U64", ScalarType::kU64},
                                             {"F64", ScalarType::kF64}}};

struct Entry {
  std::optional<ScalarType> type;
  std::optional<std::vector<std::uint64_t>> shape;
  std::optional<std::vector<std::uint64_t>> offsets;  // begin and end, from the start of the data
};

// Takes the header's JSON event by event, so that a hostile header costs no more memory than the
// entries it really holds, and a name given twice is seen.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(const std::string& file) : file_(file) {}

  [[nodiscard]] const std::map<std::string, Entry>& entries() const { return entries_; }

  [[noreturn]] void fail(const std::string& why) const {
    throw Error(fmt::format("'{}' is not a valid safetensors file: {}", file_, why))
        .hint("fetch or export it again");
  }

  bool start_object(std::size_t) override {
    if (depth_ == 0 || (depth_ == 1 && !numbers_)) {
      ++depth_;
      return true;
    }
    misplaced("an object");
  }

  bool end_object() override {
    --depth_;
    return true;
  }

  bool key(string_t& name) override {
    if (depth_ == 1) {
      tensor_ = name;
      in_metadata_ = name == "__metadata__";
      if (!in_metadata_ && !entries_.try_emplace(name).second) {
        fail(fmt::format("the tensor '{}' is listed twice", printable(name)));
      }
      if (entries_.size() > kMaxTensors) fail("it lists more than a million tensors");
    } else {
      field_ = name;
      if (!in_metadata_ && name != "dtype" && name != "shape" && name != "data_offsets") {
        fail(fmt::format("the tensor '{}' has an unknown field '{}'", printable(tensor_),
                         printable(name)));
      }
    }
    return true;
  }

  bool string(string_t& text) override {
    if (depth_ != 2 || numbers_) misplaced("a string");
    if (in_metadata_) return true;
    if (field_ != "dtype") misplaced("a string");
    const auto* row =
        std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& t) { return t.name == text; });
    if (row == kTypes.end()) {
      fail(fmt::format("the tensor '{}' has the unknown type '{}'", printable(tensor_),
                       printable(text)));
    }
    set(entries_[tensor_].type, row->type);
    return true;
  }

  bool start_array(std::size_t) override {
    if (depth_ != 2 || numbers_ || in_metadata_ || field_ == "dtype") misplaced("an array");
    Entry& entry = entries_[tensor_];
    auto& target = field_ == "shape" ? entry.shape : entry.offsets;
    set(target, std::vector<std::uint64_t>());
    numbers_ = &*target;
    return true;
  }

  bool end_array() override {
    numbers_ = nullptr;
    return true;
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (!numbers_) misplaced("a number");
    if (numbers_->size() == kMaxRank) {
      fail(fmt::format("'{}' of the tensor '{}' has more than {} numbers", field_,
                       printable(tensor_), kMaxRank));
    }
    numbers_->push_back(value);
    return true;
  }

  bool null() override { misplaced("null"); }

  bool boolean(bool) override { misplaced("a boolean"); }

  bool number_integer(number_integer_t) override { misplaced("a negative number"); }

  bool number_float(number_float_t, const string_t&) override { misplaced("a fraction"); }

  bool binary(binary_t&) override { misplaced("binary data"); }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    fail(fmt::format("its header is no JSON at byte {}", kLengthSize + position));
  }

 private:
  [[noreturn]] void misplaced(std::string_view what) const {
    if (tensor_.empty()) fail(fmt::format("its header has {} where a tensor belongs", what));
    fail(fmt::format("the entry '{}' has {} where none belongs", printable(tensor_), what));
  }

  template <class Value>
  void set(std::optional<Value>& target, Value value) {
    if (target) fail(fmt::format("the tensor '{}' has '{}' twice", printable(tensor_), field_));
    target = std::move(value);
  }

  const std::string& file_;
  std::map<std::string, Entry> entries_;
  int depth_ = 0;
  bool in_metadata_ = false;
  std::string tensor_;
  std::string field_;
  std::vector<std::uint64_t>* numbers_ = nullptr;  // the array being read
};

// Bytes that the tensor needs; nothing if that does not fit into 63 bits.
std::optional<std::uint64_t> bytes_of(const Entry& entry) {
  std::uint64_t bytes = size_of(*entry.type);
  for (const std::uint64_t side : *entry.shape) {
    if (__builtin_mul_overflow(bytes, side, &bytes)) return std::nullopt;
    if (side > INT64_MAX) return std::nullopt;
  }
  return bytes;
}

TensorView view_of(const std::string& name, const Entry& entry, std::span<const std::byte> data,
                   const HeaderReader& reader) {
  if (!entry.type || !entry.shape || !entry.offsets) {
    reader.fail(
        fmt::format("the tensor '{}' lacks 'dtype', 'shape' or 'data_offsets'", printable(name)));
  }
  if (entry.offsets->size() != 2) {
    reader.fail(
        fmt::format("'data_offsets' of the tensor '{}' are not two numbers", printable(name)));
  }
  const std::uint64_t begin = (*entry.offsets)[0];
  const std::uint64_t end = (*entry.offsets)[1];
  if (begin > end || end > data.size()) {
    reader.fail(fmt::format("the tensor '{}' lies outside the file", printable(name)));
  }
  if (bytes_of(entry) != end - begin) {
    reader.fail(fmt::format("the tensor '{}' has {} bytes, which do not fit its type and shape",
                            printable(name), end - begin));
  }
  return {.type = *entry.type,
          .shape = {entry.shape->begin(), entry.shape->end()},
          .bytes = data.subspan(begin, end - begin)};
}

// The tensors must fill the data in some order, without gap and without overlap.
void check_tiling(const std::map<std::string, TensorView>& tensors, std::span<const std::byte> data,
                  const HeaderReader& reader) {
  std::vector<std::pair<std::span<const std::byte>, const std::string*>> order;
  order.reserve(tensors.size());
  for (const auto& [name, view] : tensors) order.emplace_back(view.bytes, &name);
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return a.first.data() != b.first.data() ? a.first.data() < b.first.data()
                                            : a.first.size() < b.first.size();
  });
  const std::byte* filled = data.data();
  for (const auto& [bytes, name] : order) {
    if (bytes.data() != filled) {
      reader.fail(
          fmt::format("the tensor '{}' overlaps another one or leaves a gap", printable(*name)));
    }
    filled += bytes.size();
  }
  if (filled != data.data() + data.size()) reader.fail("it has data that belongs to no tensor");
}

}  // namespace

std::map<std::string, TensorView> parse_safetensors(std::span<const std::byte> file,
                                                    const std::string& name) {
  HeaderReader reader(name);
  if (file.size() < kLengthSize) reader.fail("it is shorter than its 8-byte length field");
  std::uint64_t length = 0;
  for (std::size_t i = kLengthSize; i-- > 0;) {
    length = (length << 8) | std::to_integer<std::uint64_t>(file[i]);
  }
  if (length > file.size() - kLengthSize) reader.fail("its header is longer than the file");
  if (length > kMaxHeader) reader.fail("its header is longer than 100 MB");
  const auto header = file.subspan(kLengthSize, length);
  const auto data = file.subspan(kLengthSize + length);
  if (header.empty() || header.front() != std::byte{'{'}) {
    reader.fail("its header is no JSON object");
  }
  const auto* text = reinterpret_cast<const char*>(header.data());
  nlohmann::json::sax_parse(text, text + header.size(), &reader);

  std::map<std::string, TensorView> tensors;
  for (const auto& [tensor, entry] : reader.entries()) {
    tensors.emplace(tensor, view_of(tensor, entry, data, reader));
  }
  check_tiling(tensors, data, reader);
  return tensors;
}

}  // namespace vergence::predictors
