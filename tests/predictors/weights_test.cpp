// SPDX-License-Identifier: Apache-2.0
// Weights from safetensors files and PyTorch checkpoints, and the refusal of everything else.
#include "predictors/weights.hpp"

#include "core/error.hpp"
#include "core/module.hpp"
#include "core/output_file.hpp"
#include "predictors/network.hpp"
#include "predictors/weight_file.hpp"
#include "tests/predictors/checkpoint_writer.hpp"
#include "tests/predictors/zip_of.hpp"
#include "tests/support/paths.hpp"

#include <array>
#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>
#include <set>

#include <fmt/format.h>
#include <sys/resource.h>

namespace vergence::predictors {
namespace {

using test::CheckpointStyle;
using test::TensorSource;
using test::ZippedFile;
namespace fs = std::filesystem;
using namespace std::string_literals;

// The values in row-major order, byte by byte.
std::string values_of(const TensorView& view) {
  std::string values;
  const std::size_t size = size_of(view.type);
  const auto* first = reinterpret_cast<const char*>(view.bytes.data());
  if (view.strides.empty()) return {first, view.bytes.size()};
  const std::function<void(std::size_t, std::int64_t)> visit = [&](std::size_t side,
                                                                   std::int64_t offset) {
    if (side == view.shape.size()) {
      values.append(first + static_cast<std::size_t>(offset) * size, size);
      return;
    }
    for (std::int64_t i = 0; i < view.shape[side]; ++i) {
      visit(side + 1, offset + i * view.strides[side]);
    }
  };
  visit(0, 0);
  return values;
}

void expect_same(const Weights& weights, const Weights& expected) {
  EXPECT_EQ(weights.tensors().size(), expected.tensors().size());
  for (const auto& [name, view] : expected.tensors()) {
    const auto found = weights.tensors().find(name);
    ASSERT_NE(found, weights.tensors().end()) << name;
    EXPECT_EQ(found->second.type, view.type) << name;
    EXPECT_EQ(found->second.shape, view.shape) << name;
    EXPECT_EQ(values_of(found->second), values_of(view)) << name;
  }
}

fs::path data_dir() {
  return test::source_dir() / "tests/data/checkpoints";
}

std::string error_of(const fs::path& path) {
  try {
    (void)read_weights(path);
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return error.what();
  }
  return "";
}

std::string error_in(const std::string& file) {
  try {
    (void)parse_weights(std::as_bytes(std::span(file)), "w.pth");
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("'w.pth'"));
    EXPECT_LT(std::string(error.what()).size(), 600U);
    return error.what();
  }
  return "";
}

// Files of PyTorch itself.

class PyTorchFile : public ::testing::TestWithParam<std::string> {};

TEST_P(PyTorchFile, GivesTheReferenceTensors) {
  const Weights expected = read_weights(data_dir() / "safetensors/reference.safetensors");
  ASSERT_EQ(expected.tensors().size(), 18U);
  const Weights weights = read_weights(data_dir() / GetParam());
  expect_same(weights, expected);
  // Nothing was copied: slices of one storage lie in each other.
  const auto& table = weights.tensors().at("table").bytes;
  const TensorView& column = weights.tensors().at("column");
  EXPECT_EQ(column.strides, (std::vector<std::int64_t>{6}));
  EXPECT_EQ(column.bytes.data(), table.data() + 2 * sizeof(float));
  EXPECT_TRUE(weights.tensors().at("plain").strides.empty());
}

INSTANTIATE_TEST_SUITE_P(Files, PyTorchFile,
                         ::testing::Values("zip/ordered.pth", "zip/parameters.pth",
                                           "zip/training.pth", "zip/protocol5.pth",
                                           "legacy/ordered.pth", "legacy/parameters.pth",
                                           "legacy/training.pth", "legacy/protocol5.pth"));

TEST(Weights, OfficialTcMonoDepthCheckpointHasTheValuesOfItsSafetensors) {
  VERGENCE_REQUIRE_SHARED();
  const fs::path models = test::shared_dir() / "models";
  const Weights official = read_weights(models / "tcmonodepth_small.pt.tar");
  const Weights converted = read_weights(models / "tcmonodepth_small.safetensors");
  EXPECT_EQ(official.tensors().size(), 714U);
  for (const auto& [name, view] : converted.tensors()) {
    ASSERT_TRUE(official.tensors().contains(name)) << name;
    EXPECT_EQ(values_of(official.tensors().at(name)), values_of(view)) << name;
  }
}

// Files in the layouts of torch.save.

std::vector<TensorSource> some_tensors(std::size_t count = 3) {
  std::vector<TensorSource> tensors;
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<float> values;
    for (std::size_t k = 0; k < 24; ++k) values.push_back(std::sin(static_cast<float>(k + i)));
    tensors.push_back(test::tensor_of(fmt::format("layer{}.weight", i), {2, 3, 4}, values));
  }
  tensors.push_back(test::tensor_of("scale", {}, {0.5F}));
  tensors.push_back(test::tensor_of("index", {2}, {1.0F, -1.0F}));
  tensors.back().type = ScalarType::kI64;
  return tensors;
}

class WrittenCheckpoint : public ::testing::TestWithParam<CheckpointStyle> {};

TEST_P(WrittenCheckpoint, GivesWhatItsSafetensorsGive) {
  const test::TemporaryFolder folder;
  // More than Python's pickler puts into one batch, so that slots need four bytes.
  auto tensors = some_tensors(1200);
  write_checkpoint(folder / "w.pth", tensors, GetParam());
  for (auto& tensor : tensors) {
    if (tensor.type == ScalarType::kF32) tensor.type = GetParam().type;
  }
  write_safetensors(folder / "w.safetensors", tensors);
  expect_same(read_weights(folder / "w.pth"), read_weights(folder / "w.safetensors"));
}

std::vector<CheckpointStyle> styles() {
  std::vector<CheckpointStyle> all;
  for (const auto format : {CheckpointStyle::Format::kZip, CheckpointStyle::Format::kLegacy}) {
    const CheckpointStyle plain{.format = format};
    all.push_back(plain);
    for (const auto type : {ScalarType::kF16, ScalarType::kBF16, ScalarType::kF64}) {
      all.push_back(plain);
      all.back().type = type;
    }
    for (const auto& key : {"model", "state_dict", "model_state_dict"}) {
      all.push_back(plain);
      all.back().key = key;
      all.back().training = true;
      all.back().prefix = "module.";
    }
    all.push_back(plain);
    all.back().parameters = true;
    all.back().ordered = false;
    all.push_back(plain);
    all.back().transposed = true;
    all.back().prefix = "module._orig_mod.";
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Styles, WrittenCheckpoint, ::testing::ValuesIn(styles()));

TEST(Weights, OnlyAPrefixOfAllNamesIsTakenOff) {
  const test::TemporaryFolder folder;
  std::vector<TensorSource> tensors = some_tensors(2);
  tensors[0].name = "module.a";
  tensors[1].name = "module.b";
  tensors.resize(2);
  write_safetensors(folder / "all.safetensors", tensors);
  tensors[1].name = "b";
  write_safetensors(folder / "some.safetensors", tensors);
  const auto names = [](const Weights& weights) {
    std::set<std::string> all;
    for (const auto& [name, view] : weights.tensors()) all.insert(name);
    return all;
  };
  EXPECT_EQ(names(read_weights(folder / "all.safetensors")), (std::set<std::string>{"a", "b"}));
  EXPECT_EQ(names(read_weights(folder / "some.safetensors")),
            (std::set<std::string>{"module.a", "b"}));
}

TEST(Weights, NetworkRunsFromACheckpointWithTransposedTensors) {
  const test::TemporaryFolder folder;
  const Weights nano = read_weights(test::source_dir() / "models/nano/nano.safetensors");
  std::vector<TensorSource> tensors;
  for (const auto& [name, view] : nano.tensors()) {
    ASSERT_EQ(view.type, ScalarType::kF16);
    tensors.push_back({name, view.shape,
                       [bytes = view.bytes](std::span<float> values) {
                         std::vector<cv::float16_t> halves(values.size());
                         std::memcpy(halves.data(), bytes.data(), bytes.size());
                         std::copy(halves.begin(), halves.end(), values.begin());
                       },
                       ScalarType::kF16});
  }
  const auto output = [](const fs::path& file) {
    const auto open = reinterpret_cast<decltype(&vergence_open_network)>(
        module_symbol("torch", "vergence_open_network"));
    NetworkSource source;
    source.name = "nano";
    source.backend = "native:nano";
    source.file = file;
    source.device = "cpu";
    const std::unique_ptr<Network> network(open(source));
    const std::array<int, 4> shape = {1, 3, 64, 64};
    return network->run(cv::Mat(4, shape.data(), CV_32F, cv::Scalar(0.25)), 1).front();
  };
  const cv::Mat expected = output(test::source_dir() / "models/nano/nano.safetensors");
  for (const auto format : {CheckpointStyle::Format::kZip, CheckpointStyle::Format::kLegacy}) {
    write_checkpoint(folder / "nano.pth", tensors,
                     {.format = format, .key = "model", .transposed = true});
    EXPECT_EQ(cv::norm(output(folder / "nano.pth"), expected, cv::NORM_INF), 0.0);
  }
}

// Pickles by hand.

std::string text(const std::string& value) {
  return "X" + test::little_endian_bytes(value.size(), 4) + value;
}

std::string number(std::int64_t value) {
  return "\x8a\x08" + test::little_endian_bytes(static_cast<std::uint64_t>(value), 8);
}

std::string tuple(const std::string& members) {
  return "(" + members + "t";
}

std::string numbers(const std::vector<std::int64_t>& members) {
  std::string all;
  for (const std::int64_t member : members) all += number(member);
  return tuple(all);
}

std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}

std::string storage(const std::string& type, const std::string& key, std::int64_t count,
                    const std::string& more = "") {
  return tuple(text("storage") + global("torch", type) + text(key) + text("cpu") + number(count) +
               more) +
         "Q";
}

std::string tensor(const std::string& stored, std::int64_t offset,
                   const std::vector<std::int64_t>& shape,
                   const std::vector<std::int64_t>& strides) {
  return global("torch._utils", "_rebuild_tensor_v2") +
         tuple(stored + number(offset) + numbers(shape) + numbers(strides) + "\x89}") + "R";
}

// {"w": value}
std::string dict_with(const std::string& value) {
  return "}" + text("w") + value + "s";
}

std::string pickle_of(const std::string& value) {
  return "\x80\x02" + value + ".";
}

// A checkpoint of this object, whose storage "0" has 6 floats 0, 1, 2, 3, 4, 5.
std::string zip_checkpoint(const std::string& object, const std::vector<ZippedFile>& more = {}) {
  const std::vector<float> values = {0, 1, 2, 3, 4, 5};
  std::vector<ZippedFile> files = {
      {"a/data.pkl", pickle_of(object)},
      {"a/data/0", {reinterpret_cast<const char*>(values.data()), 24}}};
  files.insert(files.end(), more.begin(), more.end());
  return test::zip_of(files);
}

std::string legacy_checkpoint(const std::string& object, const std::string& keys,
                              const std::string& data, const std::string& little = "\x88") {
  return pickle_of("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19") + pickle_of(number(1001)) +
         pickle_of("}" + text("little_endian") + little + "s") + pickle_of(object) +
         pickle_of(keys) + data;
}

std::vector<float> floats_of(const std::string& file, const std::string& name = "w") {
  const Weights weights = parse_weights(std::as_bytes(std::span(file)), "w.pth");
  const std::string bytes = values_of(weights.tensors().at(name));
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

const std::string kFloats = storage("FloatStorage", "0", 6);

TEST(Checkpoint, HonoursOffsetsAndStrides) {
  EXPECT_EQ(floats_of(zip_checkpoint(dict_with(tensor(kFloats, 1, {2, 2}, {3, 1})))),
            (std::vector<float>{1, 2, 4, 5}));
  EXPECT_EQ(floats_of(zip_checkpoint(dict_with(tensor(kFloats, 0, {3, 2}, {1, 3})))),
            (std::vector<float>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(floats_of(zip_checkpoint(dict_with(tensor(kFloats, 5, {}, {})))),
            (std::vector<float>{5}));
  EXPECT_EQ(floats_of(zip_checkpoint(dict_with(tensor(kFloats, 4, {2, 2}, {0, 1})))),
            (std::vector<float>{4, 5, 4, 5}));
}

TEST(Checkpoint, ReadsWhatNewerVersionsOfPyTorchWrite) {
  const std::string untyped = tuple(text("storage") + global("torch.storage", "UntypedStorage") +
                                    text("0") + text("cpu") + number(24)) +
                              "Q";
  const std::string typed = global("torch._utils", "_rebuild_tensor_v3") +
                            tuple(untyped + number(2) + numbers({4}) + numbers({1}) + "\x89}" +
                                  global("torch", "float32")) +
                            "R";
  const std::string parameter =
      global("torch._utils", "_rebuild_parameter_with_state") + tuple(typed + "\x88}}") + "R";
  const std::string with_attributes =
      global("torch._tensor", "_rebuild_from_type_v2") +
      tuple(global("torch._utils", "_rebuild_tensor_v3") +
            global("torch.nn.parameter", "Parameter") +
            tuple(untyped + number(2) + numbers({4}) + numbers({1}) + "\x89}" +
                  global("torch", "float32")) +
            "}") +
      "R";
  for (const auto& value : {typed, parameter, with_attributes}) {
    const std::string file =
        zip_checkpoint(dict_with(value), {{"a/byteorder", "little"},
                                          {"a/version", "3\n"},
                                          {"a/.format_version", "1"},
                                          {"a/.storage_alignment", "64"},
                                          {"a/.data/serialization_id", "0123456789"}});
    EXPECT_EQ(floats_of(file), (std::vector<float>{2, 3, 4, 5}));
  }
}

TEST(Checkpoint, ReadsWhatOlderVersionsOfPyTorchWrote) {
  // A view of a storage, and an OrderedDict of Python 2, which is made from a list of pairs.
  const std::string view =
      storage("FloatStorage", "7", 6, tuple(text("70") + number(2) + number(3)));
  const std::string value = global("torch._utils", "_rebuild_tensor") +
                            tuple(view + number(1) + numbers({2}) + numbers({1})) + "R";
  const std::vector<float> values = {0, 1, 2, 3, 4, 5};
  const std::string data = test::little_endian_bytes(6, 8) +
                           std::string(reinterpret_cast<const char*>(values.data()), 24);
  const std::string pairs =
      global("collections", "OrderedDict") + tuple("]](U\1w" + value + "ea") + "R";
  EXPECT_EQ(floats_of(legacy_checkpoint(pairs, "]" + text("7") + "a", data)),
            (std::vector<float>{3, 4}));
}

TEST(Checkpoint, FindsTheTensorsInsideEachOther) {
  const std::string inner = dict_with(tensor(kFloats, 0, {2}, {1}));
  const auto nested = [](const std::string& key, const std::string& value) {
    return "}" + text(key) + value + "s";
  };
  EXPECT_EQ(floats_of(zip_checkpoint(nested("model", nested("state_dict", inner)))).size(), 2U);
  // A tensor beside the entry, such as the best loss, changes nothing.
  const std::string loss =
      "}(" + text("best") + tensor(kFloats, 3, {}, {}) + text("state_dict") + inner + "u";
  EXPECT_EQ(floats_of(zip_checkpoint(loss)).size(), 2U);
  EXPECT_THAT(error_in(zip_checkpoint(nested("net", inner))),
              ::testing::HasSubstr("holds no tensors by name: its entries are 'net'"));
  EXPECT_THAT(error_in(zip_checkpoint("}")), ::testing::HasSubstr("it is empty"));
  EXPECT_THAT(error_in(zip_checkpoint(tensor(kFloats, 0, {2}, {1}))),
              ::testing::HasSubstr("it is no dictionary"));
}

TEST(Checkpoint, OtherPythonObjectsAreRefusedByName) {
  const std::string weights = text("w") + tensor(kFloats, 0, {2}, {1}) + "s";
  const auto with = [&](const std::string& object) {
    return "}" + weights + text("x") + object + "s";
  };
  const std::vector<std::pair<std::string, std::string>> objects = {
      {global("os", "system") + tuple(text("true")) + "R", "'os.system'"},
      {global("builtins", "eval"), "'builtins.eval'"},
      {text("posix") + text("system") + "\x93" + tuple(text("true")) + "R", "'posix.system'"},
      {"(ios\nsystem\n", "'os.system'"},
      {global("argparse", "Namespace") + ")\x81", "'argparse.Namespace'"},
      {global("numpy.core.multiarray", "scalar"), "'numpy.core.multiarray.scalar'"},
      {global("torch", "load"), "'torch.load'"},
      {global("torch.storage", "_load_from_bytes"), "'torch.storage._load_from_bytes'"},
      {global("midas.dpt_depth", "DPTDepthModel"), "'midas.dpt_depth.DPTDepthModel'"},
      {global("torch\x1b[31m", "x"), "'torch?[31m.x'"},
  };
  for (const auto& [object, name] : objects) {
    EXPECT_THAT(error_in(zip_checkpoint(with(object))), ::testing::HasSubstr(name));
    EXPECT_THAT(error_in(legacy_checkpoint(with(object), "]", "")), ::testing::HasSubstr(name));
    EXPECT_THAT(error_in(pickle_of(object)), ::testing::HasSubstr(name)) << "in place of the magic";
  }
}

TEST(Checkpoint, NothingIsRun) {
  const test::TemporaryFolder folder;
  const fs::path trace = folder / "trace";
  const std::string call = global("os", "system") + tuple(text("touch " + trace.string())) + "R";
  EXPECT_THAT(error_in(zip_checkpoint(dict_with(call))), ::testing::HasSubstr("'os.system'"));
  EXPECT_FALSE(fs::exists(trace));
}

TEST(Weights, TorchScriptIsToldByContentAndRefusedWithAdvice) {
  const test::TemporaryFolder folder;
  const fs::path script = fs::path(VERGENCE_TORCHSCRIPT_DIR) / "first_channel.pt";
  ASSERT_EQ(weight_format(map_file(script).bytes), WeightFormat::kTorchScript);
  fs::copy_file(script, folder / "weights.safetensors");
  const std::string error = error_of(folder / "weights.safetensors");
  EXPECT_THAT(error, ::testing::HasSubstr("is a TorchScript file"));
  EXPECT_THAT(error, ::testing::HasSubstr("predictor=torchscript"));
}

TEST(Weights, OtherFilesAreNamedForWhatTheyAre) {
  EXPECT_THAT(error_in(""), ::testing::HasSubstr("is an empty file"));
  EXPECT_THAT(error_in("<html>404</html>"), ::testing::HasSubstr("a web page"));
  EXPECT_THAT(error_in("\x08\x07\x12\x07pytorch"), ::testing::HasSubstr("an ONNX file"));
  EXPECT_THAT(error_in("hello"), ::testing::HasSubstr("of no known format"));
  EXPECT_THAT(error_in(test::zip_of({{"readme.txt", "x"}})),
              ::testing::HasSubstr("a zip file without a network in it"));
  EXPECT_THAT(error_of("/nonexistent/w.pth"), ::testing::HasSubstr("no such file"));
  EXPECT_THAT(error_of(test::source_dir()), ::testing::HasSubstr("not a regular file"));
}

// Damaged and hostile files.

struct Bad {
  std::string what;
  std::string file;
  std::string message;
};

void PrintTo(const Bad& bad, std::ostream* out) {  // NOLINT(readability-identifier-naming)
  *out << bad.what;
}

class BadCheckpoint : public ::testing::TestWithParam<Bad> {};

TEST_P(BadCheckpoint, IsRefusedWithItsReason) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(error_in(GetParam().file), ::testing::HasSubstr(GetParam().message));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  EXPECT_LT(usage.ru_maxrss, 2'000'000) << "kilobytes";
}

std::string repeated(const std::string& part, std::size_t count) {
  std::string all;
  all.reserve(part.size() * count);
  for (std::size_t i = 0; i < count; ++i) all += part;
  return all;
}

std::string patched(std::string file, std::size_t at, std::uint64_t value, int count) {
  const std::string bytes = test::little_endian_bytes(value, count);
  return file.replace(at, bytes.size(), bytes);
}

std::vector<Bad> bad_zips() {
  const std::string good = zip_checkpoint(dict_with(tensor(kFloats, 0, {2}, {1})));
  const std::size_t end = good.size() - 22;
  const std::size_t directory = good.find("PK\1\2");
  const std::size_t second = good.find("PK\1\2", directory + 1);
  // A size of the first file that takes one byte of the second.
  const std::size_t overlapping = good.find("PK\3\4", 4) - good.find("a/data.pkl") - 10 + 1;
  const auto named = [](const std::string& name) {
    return test::zip_of({{"a/data.pkl", "x"}, {name, "x"}});
  };
  return {
      {"cut off", good.substr(0, good.size() / 2), "its directory is missing"},
      {"only a signature", "PK\3\4", "its directory is missing"},
      {"directory outside", patched(good, end + 16, 0x7fffffff, 4), "outside the file"},
      {"longer directory", patched(good, end + 12, 0x7fffffff, 4), "outside the file"},
      {"more entries", patched(good, end + 10, 60000, 2), "directory is broken"},
      {"fewer entries", patched(good, end + 10, 1, 2), "does not end where it should"},
      {"huge name", patched(good, directory + 28, 65535, 2), "directory is broken"},
      {"entry outside", patched(good, second + 42, 0x7ffffff0, 4), "lies outside the file"},
      {"entry too long",
       patched(patched(good, second + 20, 0x7ffffff0, 4), second + 24, 0x7ffffff0, 4),
       "lies outside the file"},
      {"two sizes", patched(good, second + 24, 1 << 30, 4), "two different sizes"},
      {"zip64 without its field", patched(good, second + 42, 0xffffffff, 4), "outside the file"},
      {"overlapping files",
       patched(patched(good, directory + 20, overlapping, 4), directory + 24, overlapping, 4),
       "overlaps"},
      {"other local name", patched(good, good.find("a/data/0"), 'b', 1), "another name"},
      {"duplicate", test::zip_of({{"a/data.pkl", "x"}, {"a/x", "1"}, {"a/x", "2"}}), "twice"},
      {"parent folder", named("a/../../etc/passwd"), "no name for a file"},
      {"absolute path", named("/etc/passwd"), "no name for a file"},
      {"backslashes", named("a\\..\\x"), "no name for a file"},
      {"drive", named("C:/x"), "no name for a file"},
      {"zero byte", named("a/x\0y"s), "no name for a file"},
      {"no name", named(""), "no name for a file"},
      {"dot", named("a/./x"), "no name for a file"},
      {"two slashes", named("a//x"), "no name for a file"},
      {"two checkpoints", test::zip_of({{"a/data.pkl", "x"}, {"b/data.pkl", "x"}}),
       "two checkpoints"},
      {"compressed pickle", test::zip_of({{"a/data.pkl", "x", 8}}), "compressed"},
      {"encrypted pickle", test::zip_of({{"a/data.pkl", "x", 0, 1}}), "encrypted"},
      {"compressed storage",
       test::zip_of({{"a/data.pkl", pickle_of(dict_with(tensor(kFloats, 0, {2}, {1})))},
                     {"a/data/0", "x", 8}}),
       "'a/data/0' compressed"},
      {"big-endian",
       zip_checkpoint(dict_with(tensor(kFloats, 0, {2}, {1})), {{"a/byteorder", "big"}}),
       "byte order 'big'"},
  };
}

std::vector<Bad> bad_tensors() {
  constexpr std::int64_t kHuge = std::int64_t{1} << 62;
  const auto zip = [](const std::string& value) { return zip_checkpoint(dict_with(value)); };
  const auto shaped = [&](std::int64_t offset, const std::vector<std::int64_t>& shape,
                          const std::vector<std::int64_t>& strides) {
    return zip(tensor(kFloats, offset, shape, strides));
  };
  return {
      {"negative side", shaped(0, {-1}, {1}), "negative"},
      {"negative stride", shaped(5, {2}, {-1}), "negative"},
      {"negative offset", shaped(-1, {2}, {1}), "negative"},
      {"beyond the storage", shaped(0, {7}, {1}), "beyond its storage"},
      {"offset beyond", shaped(6, {1}, {1}), "beyond its storage"},
      {"stride beyond", shaped(0, {2}, {6}), "beyond its storage"},
      {"huge offset", shaped(INT64_MAX, {1}, {1}), "beyond its storage"},
      {"huge stride", shaped(0, {3}, {kHuge}), "beyond its storage"},
      {"overflowing strides", shaped(0, {3, 3, 3}, {kHuge, kHuge, kHuge}), "beyond its storage"},
      {"overflowing shape", shaped(0, {kHuge, kHuge}, {0, 0}), "larger than the file"},
      {"expanded to terabytes", shaped(0, {1 << 20, 1 << 20}, {0, 0}), "larger than the file"},
      {"sides without strides", shaped(0, {2, 2}, {1}), "sides without stride"},
      {"too many sides",
       shaped(0, std::vector<std::int64_t>(17, 1), std::vector<std::int64_t>(17, 1)), "16 sides"},
      {"storage missing", zip(tensor(storage("FloatStorage", "1", 6), 0, {2}, {1})),
       "storage '1' is missing"},
      {"storage in another folder", zip(tensor(storage("FloatStorage", "../0", 6), 0, {2}, {1})),
       "storage '../0' is missing"},
      {"storage too short", zip(tensor(storage("FloatStorage", "0", 7), 0, {2}, {1})),
       "shorter than its tensors"},
      {"storage of all memory", zip(tensor(storage("DoubleStorage", "0", INT64_MAX), 0, {2}, {1})),
       "shorter than its tensors"},
      {"negative storage", zip(tensor(storage("FloatStorage", "0", -1), 0, {2}, {1})), "negative"},
      {"no storage", zip(tensor(numbers({1, 2, 3, 4, 5}), 0, {2}, {1})), "no storage"},
      {"type is no type", zip(tensor(storage("Size", "0", 6), 0, {2}, {1})), "no type"},
      {"name is a number", zip_checkpoint("}K\1" + tensor(kFloats, 0, {2}, {1}) + "s"),
       "name is no text"},
      {"too few arguments",
       zip(global("torch._utils", "_rebuild_tensor_v2") + tuple(kFloats) + "R"), "is no tensor"},
      {"parameter of nothing", zip(global("torch._utils", "_rebuild_parameter") + ")R"),
       "is no tensor"},
  };
}

std::vector<Bad> bad_pickles() {
  const auto zip = [](const std::string& pickle) {
    return test::zip_of({{"a/data.pkl", "\x80\x02" + pickle}});
  };
  return {
      {"empty pickle", test::zip_of({{"a/data.pkl", ""}}), "ends too early"},
      {"no end", zip("}"), "ends too early"},
      {"stop without a value", zip("."), "takes a value where there is none"},
      {"value below the mark", zip("}(s."), "takes a value where there is none"},
      {"no mark", zip("}u."), "did not open"},
      {"odd items", zip("}(" + text("a") + "u."), "a key has no value"},
      {"items for a number", zip("K\1K\2K\3s."), "no such container"},
      {"unknown slot", zip("h\7."), "before it is there"},
      {"huge slot", zip("}r\xff\xff\xff\xff" + "j\xfe\xff\xff\xff."s), "before it is there"},
      {"huge text", zip("X\xff\xff\xff\xffw."), "ends too early"},
      {"endless text", zip("\x8d\xff\xff\xff\xff\xff\xff\xff\xffw."), "ends too early"},
      {"endless frame", zip("\x95\xff\xff\xff\xff\xff\xff\xff\x7f."), "ends too early"},
      {"endless global", zip("ctorch"), "ends too early"},
      {"protocol 6", test::zip_of({{"a/data.pkl", "\x80\x06}."}}), "protocol above 5"},
      {"opcode of protocol 0", zip("I1\n."), "opcode 0x49"},
      {"extension", zip("\x82\x01."), "opcode 0x82"},
      {"call of a number", zip("K\1)R."), "calls something that is no function"},
      {"call of a type", zip(global("torch", "FloatStorage") + ")R."), "which is no function"},
      {"dictionary of a number", zip(global("collections", "OrderedDict") + "K\1\x85R."),
       "makes a dictionary of something else"},
      {"persistent id of a text", zip(text("storage") + "Q."), "no tuple"},
      {"lists in lists", zip(repeated("]", 1'100'000) + repeated("a", 1'099'999) + "."),
       "two million values"},
      {"deep lists", zip(repeated("]", 400'000) + repeated("a", 399'999) + "."), "no dictionary"},
      {"deep tuples", zip("N" + repeated("\x85", 900'000) + "."), "no dictionary"},
      {"a list in itself", zip("]q" + "\0h\0a."s), "no dictionary"},
      {"a dictionary in itself", zip("}q" + "\0"s + text("model") + "h" + "\0"s + "s."),
       "its entries are 'model'"},
      {"millions of values", zip(repeated("N", 30'000'000)), "two million values"},
      {"millions of marks", zip(repeated("(", 30'000'000)), "two million values"},
      {"copies of copies",
       zip("](" + repeated("N", 1000) + "eq" + "\0"s +
           repeated(global("collections", "OrderedDict") + "h\0\x85R"s, 50'000) + "."),
       "dictionary of something else"},
  };
}

std::vector<Bad> bad_legacy() {
  const auto values = [](std::uint64_t count) {
    return test::little_endian_bytes(count, 8) + std::string(24, '\0');
  };
  const std::string object = dict_with(tensor(kFloats, 0, {2}, {1}));
  const std::string keys = "]" + text("0") + "a";
  const std::string good = legacy_checkpoint(object, keys, values(6));
  return {
      {"cut in the data", good.substr(0, good.size() - 1), "ends inside the storage '0'"},
      {"cut in the pickle", good.substr(0, good.size() / 2), "ends too early"},
      {"cut behind the magic", good.substr(0, 15), "ends too early"},
      {"other count", legacy_checkpoint(object, keys, values(5)), "another size"},
      {"huge count",
       legacy_checkpoint(dict_with(tensor(storage("FloatStorage", "0", INT64_MAX), 0, {2}, {1})),
                         keys, values(INT64_MAX)),
       "ends inside"},
      {"no keys", legacy_checkpoint(object, "]", values(6)), "storage '0' is missing"},
      {"unknown key", legacy_checkpoint(object, "]" + text("9") + "a", values(6)),
       "that no tensor uses"},
      {"key twice",
       legacy_checkpoint(object, "](" + text("0") + text("0") + "e", values(6) + values(6)),
       "listed twice"},
      {"two types",
       legacy_checkpoint("}" + text("v") + tensor(storage("LongStorage", "0", 6), 0, {2}, {1}) +
                             "s" + text("w") + tensor(kFloats, 0, {2}, {1}) + "s",
                         keys, values(6)),
       "two types or sizes"},
      {"view outside",
       legacy_checkpoint(dict_with(tensor(storage("FloatStorage", "0", 6,
                                                  tuple(text("v") + number(4) + number(3))),
                                          0, {2}, {1})),
                         keys, values(6)),
       "view is no part of it"},
      {"big-endian", legacy_checkpoint(object, keys, values(6), "\x89"), "big-endian"},
      {"other version",
       pickle_of("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19") + pickle_of(number(1002)),
       "unknown version"},
      {"plain pickle", pickle_of("}"), "not one of torch.save"},
  };
}

INSTANTIATE_TEST_SUITE_P(Zips, BadCheckpoint, ::testing::ValuesIn(bad_zips()));
INSTANTIATE_TEST_SUITE_P(Tensors, BadCheckpoint, ::testing::ValuesIn(bad_tensors()));
INSTANTIATE_TEST_SUITE_P(Pickles, BadCheckpoint, ::testing::ValuesIn(bad_pickles()));
INSTANTIATE_TEST_SUITE_P(Legacy, BadCheckpoint, ::testing::ValuesIn(bad_legacy()));

}  // namespace
}  // namespace vergence::predictors
