// SPDX-License-Identifier: Apache-2.0
#include "predictors/checkpoint/torch_checkpoint.hpp"

#include "core/error.hpp"
#include "core/little_endian.hpp"
#include "core/text.hpp"
#include "predictors/checkpoint/unpickler.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace vergence::predictors {
namespace {

using Kind = PickleValue::Kind;

constexpr std::size_t kMaxRank = 16;
constexpr std::size_t kLongestName = 1000;  // bytes; one name may be used many times

struct TypeRow {
  std::string_view storage;  // torch.FloatStorage
  std::string_view dtype;    // torch.float32; storages without a type of their own name it so
  ScalarType type;
};

constexpr auto kTypes = std::to_array<TypeRow>({
    {"FloatStorage", "float32", ScalarType::kF32},
    {"DoubleStorage", "float64", ScalarType::kF64},
    {"HalfStorage", "float16", ScalarType::kF16},
    {"BFloat16Storage", "bfloat16", ScalarType::kBF16},
    {"LongStorage", "int64", ScalarType::kI64},
    {"IntStorage", "int32", ScalarType::kI32},
    {"ShortStorage", "int16", ScalarType::kI16},
    {"CharStorage", "int8", ScalarType::kI8},
    {"ByteStorage", "uint8", ScalarType::kU8},
    {"BoolStorage", "bool", ScalarType::kBool},
    {"UntypedStorage", "", ScalarType::kU8},
    {"_UntypedStorage", "", ScalarType::kU8},
    {"", "uint16", ScalarType::kU16},
    {"", "uint32", ScalarType::kU32},
    {"", "uint64", ScalarType::kU64},
});

// The type that a global such as "torch.cuda.FloatStorage" or "torch.float32" stands for.
std::optional<ScalarType> type_of(const PickleValue& global) {
  if (global.kind != Kind::kGlobal) return std::nullopt;
  const std::string_view name = global.text.substr(global.text.rfind('.') + 1);
  const auto* row = std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeRow& candidate) {
    return candidate.storage == name || candidate.dtype == name;
  });
  if (row == kTypes.end()) return std::nullopt;
  return row->type;
}

// What a persistent id says about a storage; counts are in values.
struct Storage {
  std::string_view key;
  ScalarType type = ScalarType::kF32;
  std::uint64_t total = 0;
  std::uint64_t first = 0;  // legacy files have storages that are views into others
  std::uint64_t count = 0;
};

// Bytes of all storages by key.
using StorageData = std::map<std::string_view, std::span<const std::byte>>;

// A call in the pickle, as "torch._utils._rebuild_tensor_v2" and its arguments.
struct Call {
  std::string_view function;
  std::span<const PickleValue> arguments;
};

[[noreturn]] void fail(const std::string& file, const std::string& why) {
  throw Error(fmt::format("'{}' is a damaged checkpoint: {}", file, why))
      .hint("fetch or export it again");
}

// At most what fits into 63 bits.
std::optional<std::uint64_t> product(std::uint64_t a, std::uint64_t b) {
  std::uint64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result) || result > INT64_MAX) return std::nullopt;
  return result;
}

std::optional<std::uint64_t> count_of(std::span<const std::int64_t> shape) {
  std::optional<std::uint64_t> count = 1;
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  for (const std::int64_t side : shape) {
    if (count) count = product(*count, static_cast<std::uint64_t>(side));
  }
  return count;
}

bool is_row_major(std::span<const std::int64_t> shape, std::span<const std::int64_t> strides) {
  std::int64_t expected = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 1) continue;
    if (strides[i] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

class Reader {
 public:
  Reader(const Pickle& pickle, std::size_t file_size, const std::string& file)
      : pickle_(pickle),
        file_size_(file_size),
        file_(file) {}

  // ("storage", type, key, location, total); legacy files have None or (key of the view, first,
  // count) behind that.
  [[nodiscard]] Storage storage_of(const PickleValue& persistent) const {
    const auto id = pickle_.items(persistent);
    if (persistent.kind != Kind::kPersistent || id.size() < 5 || id[0].text != "storage" ||
        id[2].kind != Kind::kText || id[2].text.size() > kLongestName) {
      fail(file_, "a tensor refers to something that is no storage");
    }
    const auto type = type_of(id[1]);
    if (!type) fail(file_, "a storage has no type");
    const std::uint64_t total = whole_number(id[4]);
    Storage storage = {id[2].text, *type, total, 0, total};
    if (id.size() > 5 && id[5].kind == Kind::kTuple) {
      const auto view = pickle_.items(id[5]);
      if (view.size() != 3) fail(file_, "a storage's view is no part of it");
      storage.first = whole_number(view[1]);
      storage.count = whole_number(view[2]);
      if (storage.first > total || storage.count > total - storage.first) {
        fail(file_, "a storage's view is no part of it");
      }
    }
    return storage;
  }

  [[nodiscard]] std::map<std::string, TensorView> tensors(const StorageData& data) const {
    const PickleValue* dict = state_dict(pickle_.root, kMostLevels);
    if (dict == nullptr) refuse_without_tensors();
    const auto items = pickle_.items(*dict);
    std::map<std::string, TensorView> tensors;
    for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
      if (!is_tensor(items[i + 1])) continue;
      if (items[i].kind != Kind::kText || items[i].text.size() > kLongestName) {
        fail(file_, "a tensor's name is no text, or longer than 1000 bytes");
      }
      const std::string name(items[i].text);
      tensors.insert_or_assign(name, tensor_of(name, items[i + 1], data));
    }
    return tensors;
  }

 private:
  // A checkpoint's entries that may hold the tensors, and how deep they may lie in each other.
  static constexpr std::array<std::string_view, 3> kKeys = {"model_state_dict", "state_dict",
                                                            "model"};
  static constexpr int kMostLevels = 3;

  [[nodiscard]] std::uint64_t whole_number(const PickleValue& value) const {
    if (value.kind != Kind::kInteger || value.number < 0) {
      fail(file_, "a size, stride or offset is negative or no number");
    }
    return static_cast<std::uint64_t>(value.number);
  }

  [[nodiscard]] Call call_of(const PickleValue& value) const {
    const auto parts = pickle_.items(value);
    return {parts[0].text, pickle_.items(parts[1])};
  }

  [[nodiscard]] bool is_tensor(const PickleValue& value) const {
    return value.kind == Kind::kCall && call_of(value).function != "torch.device";
  }

  // The dictionary of tensors at or below `value`; nullptr if there is none.
  [[nodiscard]] const PickleValue* state_dict(const PickleValue& value, int levels) const {
    if (value.kind != Kind::kDict) return nullptr;
    if (levels > 0) {
      for (const std::string_view key : kKeys) {
        const PickleValue* inner = pickle_.find(value, key);
        const PickleValue* found = inner ? state_dict(*inner, levels - 1) : nullptr;
        if (found) return found;
      }
    }
    const auto items = pickle_.items(value);
    for (std::size_t i = 1; i < items.size(); i += 2) {
      if (is_tensor(items[i])) return &value;
    }
    return nullptr;
  }

  [[noreturn]] void refuse_without_tensors() const {
    std::string what = "it is no dictionary";
    if (pickle_.root.kind == Kind::kDict) {
      constexpr std::size_t kMostShown = 8;
      const auto items = pickle_.items(pickle_.root);
      std::vector<std::string> keys;
      for (std::size_t i = 0; i < items.size() && keys.size() < kMostShown; i += 2) {
        keys.push_back(items[i].kind == Kind::kText ? printable(items[i].text, 40) : "?");
      }
      what = keys.empty() ? "it is empty" : "its entries are " + quoted_list(keys, "and");
    }
    throw Error(fmt::format("the checkpoint '{}' holds no tensors by name: {}", file_, what))
        .hint("save the network's state_dict() with Python and give that");
  }

  // The call that builds the tensor itself, without what nn.Parameter and subclasses wrap around.
  [[nodiscard]] Call builder_of(const PickleValue& value) const {
    constexpr int kMostWrappers = 4;
    Call call = call_of(value);
    for (int i = 0; i < kMostWrappers; ++i) {
      const auto& [function, arguments] = call;
      if (function.starts_with("torch._utils._rebuild_parameter") && !arguments.empty() &&
          arguments[0].kind == Kind::kCall) {  // (tensor, ...)
        call = call_of(arguments[0]);
      } else if (function == "torch._tensor._rebuild_from_type_v2" && arguments.size() >= 3) {
        call = {arguments[0].text, pickle_.items(arguments[2])};  // (function, type, arguments)
      }
    }
    return call;
  }

  [[nodiscard]] TensorView tensor_of(const std::string& name, const PickleValue& value,
                                     const StorageData& data) const {
    const Call call = builder_of(value);
    const auto& arguments = call.arguments;  // (storage, offset, shape, strides, ...)
    if (!call.function.starts_with("torch._utils._rebuild_tensor") || arguments.size() < 4) {
      fail(file_, fmt::format("the tensor '{}' is no tensor", printable(name)));
    }
    const Storage storage = storage_of(arguments[0]);
    std::optional<ScalarType> type = storage.type;
    // ..., requires_grad, hooks, dtype)
    if (call.function.ends_with("_v3")) {
      type = arguments.size() > 6 ? type_of(arguments[6]) : std::nullopt;
    }
    if (!type) fail(file_, fmt::format("the tensor '{}' has no type", printable(name)));
    TensorView view = {.type = *type,
                       .shape = sides_of(arguments[2]),
                       .bytes = bytes_of(storage, data),
                       .strides = sides_of(arguments[3])};
    cut(view, whole_number(arguments[1]), name);
    return view;
  }

  [[nodiscard]] std::vector<std::int64_t> sides_of(const PickleValue& tuple) const {
    const auto items = pickle_.items(tuple);
    if (items.size() > kMaxRank) fail(file_, "a tensor has more than 16 sides");
    std::vector<std::int64_t> sides;
    for (const PickleValue& item : items) {
      sides.push_back(static_cast<std::int64_t>(whole_number(item)));
    }
    return sides;
  }

  [[nodiscard]] std::span<const std::byte> bytes_of(const Storage& storage,
                                                    const StorageData& data) const {
    const auto found = data.find(storage.key);
    if (found == data.end()) {
      fail(file_, fmt::format("the storage '{}' is missing", printable(storage.key)));
    }
    const auto size = product(storage.total, size_of(storage.type));
    if (!size || *size > found->second.size()) {
      fail(file_,
           fmt::format("the storage '{}' is shorter than its tensors", printable(storage.key)));
    }
    return found->second.subspan(storage.first * size_of(storage.type),
                                 storage.count * size_of(storage.type));
  }

  // Narrows the bytes from the whole storage to those that the tensor reaches.
  void cut(TensorView& view, std::uint64_t offset, const std::string& name) const {
    if (view.shape.size() != view.strides.size()) {
      fail(file_, fmt::format("the tensor '{}' has sides without stride", printable(name)));
    }
    const auto count = count_of(view.shape);
    const auto size = count ? product(*count, size_of(view.type)) : std::nullopt;
    // Strides of 0 could make a tensor of any size of one value.
    if (!size || *size > file_size_) {
      fail(file_, fmt::format("the tensor '{}' is larger than the file", printable(name)));
    }
    std::uint64_t end = offset;  // behind the last value
    if (*count > 0) {
      bool fits = !__builtin_add_overflow(end, 1, &end);
      for (std::size_t i = 0; i < view.shape.size(); ++i) {
        const auto reach = product(static_cast<std::uint64_t>(view.shape[i] - 1),
                                   static_cast<std::uint64_t>(view.strides[i]));
        fits = fits && reach && !__builtin_add_overflow(end, *reach, &end);
      }
      fits = fits && end <= view.bytes.size() / size_of(view.type);
      if (!fits) {
        fail(file_, fmt::format("the tensor '{}' reaches beyond its storage", printable(name)));
      }
      view.bytes =
          view.bytes.subspan(offset * size_of(view.type), (end - offset) * size_of(view.type));
    } else {
      view.bytes = {};
    }
    if (*count == 0 || is_row_major(view.shape, view.strides)) view.strides.clear();
  }

  const Pickle& pickle_;
  std::size_t file_size_;
  const std::string& file_;
};

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The content of `folder`/`name`; nothing if there is no such file.
std::optional<std::span<const std::byte>> content(const ZipDirectory& directory,
                                                  const std::string& path,
                                                  const std::string& file) {
  const auto found = directory.find(path);
  if (found == directory.end()) return std::nullopt;
  if (found->second.method != 0 || found->second.encrypted) {
    throw Error(fmt::format("'{}' holds '{}' {}, but torch.save stores it as it is", file, path,
                            found->second.encrypted ? "encrypted" : "compressed"))
        .hint("unpack it and zip it again without compression (zip -0), or fetch the original");
  }
  return found->second.data;
}

// The one folder that holds "data.pkl", with its slash.
std::string folder_of(const ZipDirectory& directory, const std::string& file) {
  constexpr std::string_view kPickle = "data.pkl";
  std::optional<std::string> folder;
  for (const auto& [path, entry] : directory) {
    const std::size_t slash = path.find('/');
    if (slash == std::string_view::npos || path.substr(slash + 1) != kPickle) continue;
    if (folder) fail(file, "it holds two checkpoints");
    folder = path.substr(0, slash + 1);
  }
  if (!folder) fail(file, "it holds no 'data.pkl'");
  return *folder;
}

void expect_number(const Pickle& pickle, std::int64_t number, const std::string& file) {
  if (pickle.root.kind != Kind::kInteger || pickle.root.number != number) {
    throw Error(fmt::format("'{}' is of an unknown version of torch.save's old format", file))
        .hint("save it again with a current PyTorch");
  }
}

void check_system(const Pickle& pickle, const std::string& file) {
  const PickleValue* little = pickle.find(pickle.root, "little_endian");
  if (little != nullptr && little->kind == Kind::kBool && little->number == 1) return;
  throw Error(fmt::format("'{}' was saved on a big-endian machine", file))
      .hint("save it again on a current machine");
}

// The storages behind the pickles: for each key a count and as many values.
StorageData legacy_storages(std::string_view rest, const Pickle& keys, const Pickle& object,
                            const Reader& reader, const std::string& file) {
  std::map<std::string_view, Storage> known;
  for (const PickleValue& id : object.persistent) {
    const Storage storage = reader.storage_of(id);
    const auto [first, is_new] = known.emplace(storage.key, storage);
    if (!is_new && (first->second.type != storage.type || first->second.total != storage.total)) {
      fail(file, fmt::format("the storage '{}' has two types or sizes", printable(storage.key)));
    }
  }
  StorageData data;
  for (const PickleValue& key : keys.items(keys.root)) {
    const auto found = key.kind == Kind::kText ? known.find(key.text) : known.end();
    if (found == known.end()) fail(file, "it lists a storage that no tensor uses");
    const Storage& storage = found->second;
    if (rest.size() < 8 || little_endian(rest, 0, 8) != storage.total) {
      fail(file, fmt::format("the storage '{}' has another size than its tensors say",
                             printable(storage.key)));
    }
    rest.remove_prefix(8);
    const auto size = product(storage.total, size_of(storage.type));
    if (!size || *size > rest.size()) {
      fail(file, fmt::format("it ends inside the storage '{}'", printable(storage.key)));
    }
    const auto bytes = std::as_bytes(std::span(rest)).first(*size);
    if (!data.emplace(found->first, bytes).second) {
      fail(file, fmt::format("the storage '{}' is listed twice", printable(storage.key)));
    }
    rest.remove_prefix(*size);
  }
  return data;
}

}  // namespace

std::map<std::string, TensorView> parse_zip_checkpoint(const ZipDirectory& directory,
                                                       std::size_t file_size,
                                                       const std::string& file) {
  const std::string folder = folder_of(directory, file);
  const auto order = content(directory, folder + "byteorder", file);
  if (order && text_of(*order) != "little") {
    throw Error(
        fmt::format("'{}' was saved in the byte order '{}'", file, printable(text_of(*order))))
        .hint("save it again on a little-endian machine");
  }
  std::string_view bytes = text_of(*content(directory, folder + "data.pkl", file));
  const Pickle pickle = read_pickle(bytes, file);
  const Reader reader(pickle, file_size, file);
  StorageData data;
  for (const PickleValue& id : pickle.persistent) {
    const Storage storage = reader.storage_of(id);
    const auto entry = content(directory, fmt::format("{}data/{}", folder, storage.key), file);
    if (entry) data.emplace(storage.key, *entry);
  }
  return reader.tensors(data);
}

std::map<std::string, TensorView> parse_legacy_checkpoint(std::span<const std::byte> bytes,
                                                          const std::string& file) {
  constexpr std::string_view kMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
  constexpr std::int64_t kVersion = 1001;
  std::string_view rest = text_of(bytes);
  const Pickle magic = read_pickle(rest, file);
  if (magic.root.kind != Kind::kBigInteger || magic.root.text != kMagic) {
    throw Error(fmt::format("'{}' is a Python pickle, but not one of torch.save", file))
        .hint("save the network's state_dict() with torch.save and give that");
  }
  expect_number(read_pickle(rest, file), kVersion, file);
  check_system(read_pickle(rest, file), file);
  const Pickle object = read_pickle(rest, file);
  const Pickle keys = read_pickle(rest, file);
  const Reader reader(object, bytes.size(), file);
  return reader.tensors(legacy_storages(rest, keys, object, reader, file));
}

}  // namespace vergence::predictors
