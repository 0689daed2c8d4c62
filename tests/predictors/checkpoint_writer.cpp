// SPDX-License-Identifier: Apache-2.0
// Layouts: torch/serialization.py and caffe2/serialize/inline_container.cc of PyTorch 1.13, as seen
// in files that it wrote.
#include "tests/predictors/checkpoint_writer.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <fstream>
#include <map>
#include <numeric>
#include <stdexcept>
#include <string_view>

#include <opencv2/core.hpp>
#include <zlib.h>

namespace vergence::test {
namespace {

using predictors::ScalarType;
using predictors::size_of;

std::string little(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

std::uint64_t count_of(const TensorSource& tensor) {
  return static_cast<std::uint64_t>(std::accumulate(tensor.shape.begin(), tensor.shape.end(),
                                                    std::int64_t{1}, std::multiplies<>()));
}

// Counts what it writes.
class Sink {
 public:
  explicit Sink(const std::filesystem::path& path) : path_(path), file_(path, std::ios::binary) {}

  void write(std::string_view bytes) {
    file_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    position_ += bytes.size();
  }

  [[nodiscard]] std::uint64_t position() const { return position_; }

  void close() {
    file_.close();
    if (!file_) throw std::runtime_error("cannot write " + path_.string());
  }

 private:
  std::filesystem::path path_;
  std::ofstream file_;
  std::uint64_t position_ = 0;
};

template <class To, class Convert>
void append(std::string& bytes, const std::vector<float>& values, Convert convert) {
  bytes.resize(values.size() * sizeof(To));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const To value = convert(values[i]);
    std::memcpy(bytes.data() + i * sizeof(To), &value, sizeof value);
  }
}

// Rounds to nearest, ties to even.
std::uint16_t bfloat16_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// Hands out the bytes of one tensor after the other, in buffers that are used again.
class TensorBytes {
 public:
  std::string_view of(const TensorSource& tensor, ScalarType type, bool transposed = false) {
    values_.resize(count_of(tensor));
    tensor.fill(values_);
    if (transposed && tensor.shape.size() > 1) transpose(static_cast<std::size_t>(tensor.shape[0]));
    switch (type) {
      case ScalarType::kF32:
        return {reinterpret_cast<const char*>(values_.data()), values_.size() * sizeof(float)};
      case ScalarType::kF64:
        append<double>(bytes_, values_, [](float v) { return static_cast<double>(v); });
        break;
      case ScalarType::kF16:
        append<cv::float16_t>(bytes_, values_, [](float v) { return cv::float16_t(v); });
        break;
      case ScalarType::kBF16:
        append<std::uint16_t>(bytes_, values_, bfloat16_bits);
        break;
      case ScalarType::kI64:
        append<std::int64_t>(bytes_, values_, [](float v) { return std::int64_t(v); });
        break;
      default:
        throw std::runtime_error("no such type in test files");
    }
    return bytes_;
  }

 private:
  void transpose(std::size_t rows) {
    const std::size_t columns = rows == 0 ? 0 : values_.size() / rows;
    const std::vector<float> source = values_;
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t column = 0; column < columns; ++column) {
        values_[column * rows + row] = source[row * columns + column];
      }
    }
  }

  std::vector<float> values_;
  std::string bytes_;
};

std::string_view safetensors_type(ScalarType type) {
  switch (type) {
    case ScalarType::kF64:
      return "F64";
    case ScalarType::kF16:
      return "F16";
    case ScalarType::kBF16:
      return "BF16";
    case ScalarType::kI64:
      return "I64";
    default:
      return "F32";
  }
}

std::string_view storage_type(ScalarType type) {
  switch (type) {
    case ScalarType::kF64:
      return "DoubleStorage";
    case ScalarType::kF16:
      return "HalfStorage";
    case ScalarType::kBF16:
      return "BFloat16Storage";
    case ScalarType::kI64:
      return "LongStorage";
    default:
      return "FloatStorage";
  }
}

// Python's pickle protocol 2, as torch.save uses it: pickletools.py of CPython.
class Pickle {
 public:
  void op(std::string_view bytes) { text_ += bytes; }

  // An opcode and its number.
  void op(char code, std::uint64_t value, int bytes) {
    text_ += code;
    text_ += little(value, bytes);
  }

  void put() { slot('q', 'r', next_++); }

  void number(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    if (bits < 256) {
      op('K', bits, 1);
    } else if (bits < 65536) {
      op('M', bits, 2);
    } else if (value >= INT32_MIN && value <= INT32_MAX) {
      op('J', bits, 4);
    } else {
      text_ += "\x8a\x08";
      text_ += little(bits, 8);
    }
  }

  void real(double value) {
    std::string bytes = little(std::bit_cast<std::uint64_t>(value), 8);
    std::reverse(bytes.begin(), bytes.end());
    text_ += 'G';
    text_ += bytes;
  }

  void string(const std::string& value) {
    std::string bytes = "X";
    once(bytes.append(little(value.size(), 4)).append(value));
  }

  // `name` is module and name with one space between.
  void global(std::string name) {
    std::replace(name.begin(), name.end(), ' ', '\n');
    std::string bytes = "c";
    once(bytes.append(name).append("\n"));
  }

  void numbers(const std::vector<std::int64_t>& values) {
    constexpr std::array<std::string_view, 4> kShort = {")", "\x85", "\x86", "\x87"};
    if (values.size() >= kShort.size()) op("(");
    for (const std::int64_t value : values) number(value);
    op(values.size() < kShort.size() ? kShort.at(values.size()) : "t");
    if (!values.empty()) put();
  }

  void empty_ordered_dict() {
    global("collections OrderedDict");
    op(")R");
    put();
  }

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  // What was written before is only pointed at.
  void once(const std::string& bytes) {
    const auto [found, is_new] = memo_.try_emplace(bytes, next_);
    if (is_new) {
      text_ += bytes;
      put();
      return;
    }
    slot('h', 'j', found->second);
  }

  void slot(char short_code, char long_code, std::uint64_t number) {
    op(number < 256 ? short_code : long_code, number, number < 256 ? 1 : 4);
  }

  std::string text_ = "\x80\x02";
  std::map<std::string, std::uint64_t> memo_;
  std::uint64_t next_ = 0;
};

// What both layouts share: the object's pickle, and the tensors in the order of their keys.
class Checkpoint {
 public:
  Checkpoint(std::span<const TensorSource> tensors, const CheckpointStyle& style)
      : tensors_(tensors),
        style_(style) {
    for (std::size_t i = 0; i < tensors.size(); ++i) order_[key_of(i)] = i;
  }

  [[nodiscard]] bool legacy() const { return style_.format == CheckpointStyle::Format::kLegacy; }

  [[nodiscard]] const std::map<std::string, std::size_t>& order() const { return order_; }

  // The content of a tensor's storage.
  [[nodiscard]] std::string_view data(TensorBytes& bytes, std::size_t index) const {
    return bytes.of(tensors_[index], type_of(index), style_.transposed);
  }

  [[nodiscard]] ScalarType type_of(std::size_t index) const {
    const ScalarType type = tensors_[index].type;
    return type == ScalarType::kF32 ? style_.type : type;
  }

  [[nodiscard]] std::string object() const {
    Pickle pickle;
    if (style_.key.empty()) {
      state_dict(pickle);
    } else {
      pickle.op("}");
      pickle.put();
      pickle.op("(");
      if (style_.training) before(pickle);
      pickle.string(style_.key);
      state_dict(pickle);
      if (style_.training) behind(pickle);
      pickle.op("u");
    }
    return pickle.text() + ".";
  }

 private:
  // Zip: the number of the storage. Legacy: its address.
  [[nodiscard]] std::string key_of(std::size_t index) const {
    return std::to_string(legacy() ? 94000000000000 + 64 * index : index);
  }

  void state_dict(Pickle& pickle) const {
    if (style_.ordered) {
      pickle.empty_ordered_dict();
    } else {
      pickle.op("}");
      pickle.put();
    }
    constexpr std::size_t kBatch = 1000;
    for (std::size_t begin = 0; begin < tensors_.size(); begin += kBatch) {
      pickle.op("(");
      for (std::size_t i = begin; i < std::min(begin + kBatch, tensors_.size()); ++i) {
        pickle.string(style_.prefix + tensors_[i].name);
        value(pickle, i);
      }
      pickle.op("u");
    }
    if (style_.ordered) metadata(pickle);
  }

  void value(Pickle& pickle, std::size_t index) const {
    // Whole numbers have no gradient, so that they are never nn.Parameter.
    const bool parameter = style_.parameters && type_of(index) != ScalarType::kI64;
    if (parameter) pickle.global("torch._utils _rebuild_parameter");
    pickle.global("torch._utils _rebuild_tensor_v2");
    pickle.op("((");
    pickle.string("storage");
    pickle.global("torch " + std::string(storage_type(type_of(index))));
    pickle.string(key_of(index));
    pickle.string("cpu");
    pickle.number(static_cast<std::int64_t>(count_of(tensors_[index])));
    pickle.op(legacy() ? "Nt" : "t");
    pickle.put();
    pickle.op("Q");
    pickle.number(0);
    const auto& shape = tensors_[index].shape;
    pickle.numbers(shape);
    pickle.numbers(strides_of(shape));
    pickle.op("\x89");
    pickle.empty_ordered_dict();
    pickle.op("t");
    pickle.put();
    pickle.op("R");
    pickle.put();
    if (!parameter) return;
    pickle.op("\x88");
    pickle.empty_ordered_dict();
    pickle.op("\x87");
    pickle.put();
    pickle.op("R");
    pickle.put();
  }

  [[nodiscard]] std::vector<std::int64_t> strides_of(const std::vector<std::int64_t>& shape) const {
    std::vector<std::int64_t> strides(shape.size(), 1);
    const bool transposed = style_.transposed && shape.size() > 1;
    if (transposed) strides.back() = shape[0];
    for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
    if (transposed) strides[0] = 1;
    return strides;
  }

  static void metadata(Pickle& pickle) {
    pickle.op("}");
    pickle.put();
    pickle.string("_metadata");
    pickle.empty_ordered_dict();
    pickle.string("");
    pickle.op("}");
    pickle.put();
    pickle.string("version");
    pickle.number(1);
    pickle.op("sssb");
  }

  static void before(Pickle& pickle) {
    pickle.string("epoch");
    pickle.number(119);
    pickle.string("args");
    pickle.op("}");
    pickle.put();
    pickle.op("(");
    pickle.string("lr");
    pickle.real(5e-6);
    pickle.string("pretrained_from");
    pickle.op("N");
    pickle.string("seed");
    pickle.number(3407000000);
    pickle.op("u");
  }

  static void behind(Pickle& pickle) {
    pickle.string("optimizer");
    pickle.op("}");
    pickle.put();
    pickle.op("(");
    pickle.string("state");
    pickle.op("}");
    pickle.put();
    pickle.string("param_groups");
    pickle.op("]");
    pickle.put();
    pickle.op("(K\1K\2M\1\1e");
    pickle.op("u");
    pickle.string("scores");
    pickle.op("]");
    pickle.put();
    pickle.real(0.96);
    pickle.op("a");
  }

  std::span<const TensorSource> tensors_;
  const CheckpointStyle& style_;
  std::map<std::string, std::size_t> order_;
};

// A zip with stored, 64-byte-aligned files whose sizes follow their data; zip64 where a number
// needs it. PKWARE APPNOTE 6.3.
class ZipWriter {
 public:
  explicit ZipWriter(Sink& sink) : sink_(sink) {}

  void add(const std::string& name, std::string_view data) {
    const std::uint64_t offset = sink_.position();
    std::string header = "PK\3\4" + little(0, 2) + little(0x0808, 2) + std::string(18, '\0') +
                         little(name.size(), 2);
    // The field "FB" fills up to a multiple of 64.
    const std::uint64_t unpadded = offset + header.size() + 2 + name.size() + 4;
    const std::uint64_t padding = (64 - unpadded % 64) % 64;
    header += little(padding + 4, 2) + name + "FB" + little(padding, 2) + std::string(padding, 'Z');
    sink_.write(header);
    sink_.write(data);
    const std::uint64_t sum =
        crc32_z(0, reinterpret_cast<const unsigned char*>(data.data()), data.size());
    const bool big = data.size() >= kMost32;
    sink_.write("PK\7\10" + little(sum, 4) + little(data.size(), big ? 8 : 4) +
                little(data.size(), big ? 8 : 4));
    std::string extra;
    if (big) extra += little(data.size(), 8) + little(data.size(), 8);
    if (offset >= kMost32) extra += little(offset, 8);
    if (!extra.empty()) extra = little(1, 2) + little(extra.size(), 2) + extra;
    directory_ += "PK\1\2" + std::string(4, '\0') + little(0x0808, 2) + std::string(6, '\0') +
                  little(sum, 4) + little(std::min<std::uint64_t>(data.size(), kMost32), 4) +
                  little(std::min<std::uint64_t>(data.size(), kMost32), 4) +
                  little(name.size(), 2) + little(extra.size(), 2) + std::string(10, '\0') +
                  little(std::min(offset, kMost32), 4) + name + extra;
    ++count_;
  }

  void finish() {
    const std::uint64_t begin = sink_.position();
    sink_.write(directory_);
    const std::uint64_t record = sink_.position();
    sink_.write("PK\6\6" + little(44, 8) + little(0x1e, 2) + little(0x2d, 2) + little(0, 8) +
                little(count_, 8) + little(count_, 8) + little(directory_.size(), 8) +
                little(begin, 8));
    sink_.write("PK\6\7" + little(0, 4) + little(record, 8) + little(1, 4));
    const std::uint64_t count = std::min<std::uint64_t>(count_, 0xffff);
    sink_.write("PK\5\6" + little(0, 4) + little(count, 2) + little(count, 2) +
                little(directory_.size(), 4) + little(std::min(begin, kMost32), 4) + little(0, 2));
  }

 private:
  static constexpr std::uint64_t kMost32 = 0xffffffff;
  Sink& sink_;
  std::string directory_;
  std::uint64_t count_ = 0;
};

void write_zip(Sink& sink, const Checkpoint& checkpoint, const std::string& folder) {
  ZipWriter zip(sink);
  zip.add(folder + "/data.pkl", checkpoint.object());
  TensorBytes bytes;
  for (const auto& [key, index] : checkpoint.order()) {
    zip.add(std::string(folder).append("/data/").append(key), checkpoint.data(bytes, index));
  }
  zip.add(folder + "/version", "3\n");
  zip.finish();
}

void write_legacy(Sink& sink, std::span<const TensorSource> tensors, const Checkpoint& checkpoint) {
  using namespace std::string_view_literals;
  sink.write("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."sv);  // the magic number
  sink.write("\x80\x02M\xe9\x03."sv);                                         // protocol 1001
  Pickle system;
  system.op("}");
  system.put();
  system.op("(");
  system.string("protocol_version");
  system.number(1001);
  system.string("little_endian");
  system.op("\x88u.");
  sink.write(system.text());
  sink.write(checkpoint.object());
  Pickle keys;
  keys.op("]");
  keys.put();
  keys.op("(");
  for (const auto& [key, index] : checkpoint.order()) keys.string(key);
  keys.op("e.");
  sink.write(keys.text());
  TensorBytes bytes;
  for (const auto& [key, index] : checkpoint.order()) {
    sink.write(little(count_of(tensors[index]), 8));
    sink.write(checkpoint.data(bytes, index));
  }
}

}  // namespace

TensorSource tensor_of(std::string name, std::vector<std::int64_t> shape,
                       std::vector<float> values) {
  return {.name = std::move(name),
          .shape = std::move(shape),
          .fill = [values = std::move(values)](std::span<float> target) {
            if (values.size() != target.size()) throw std::runtime_error("values and shape differ");
            std::copy(values.begin(), values.end(), target.begin());
          }};
}

void write_safetensors(const std::filesystem::path& path, std::span<const TensorSource> tensors) {
  std::string header = R"({"__metadata__":{"format":"pt"})";
  std::uint64_t end = 0;
  for (const auto& tensor : tensors) {
    const std::uint64_t begin = end;
    end += count_of(tensor) * size_of(tensor.type);
    std::string shape;
    for (const std::int64_t side : tensor.shape) {
      if (!shape.empty()) shape += ',';
      shape += std::to_string(side);
    }
    header.append(",\"").append(tensor.name).append("\":{\"dtype\":\"");
    header.append(safetensors_type(tensor.type)).append("\",\"shape\":[").append(shape);
    header.append("],\"data_offsets\":[").append(std::to_string(begin)).append(",");
    header.append(std::to_string(end)).append("]}");
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  Sink sink(path);
  sink.write(little(header.size(), 8) + header);
  TensorBytes bytes;
  for (const auto& tensor : tensors) sink.write(bytes.of(tensor, tensor.type));
  sink.close();
}

void write_checkpoint(const std::filesystem::path& path, std::span<const TensorSource> tensors,
                      const CheckpointStyle& style) {
  const Checkpoint checkpoint(tensors, style);
  Sink sink(path);
  if (checkpoint.legacy()) {
    write_legacy(sink, tensors, checkpoint);
  } else {
    write_zip(sink, checkpoint, path.stem().string());
  }
  sink.close();
}

}  // namespace vergence::test
