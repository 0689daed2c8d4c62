// SPDX-License-Identifier: Apache-2.0
#include "predictors/safetensors.hpp"

#include "core/error.hpp"
#include "predictors/weight_file.hpp"
#include "tests/support/paths.hpp"

#include <cstring>
#include <fstream>
#include <random>

#include <fmt/format.h>
#include <sys/resource.h>

namespace vergence::predictors {
namespace {

// A file with this header and `data_size` bytes 0, 1, 2, ... behind it.
std::string file_of(const std::string& header, std::size_t data_size) {
  std::string file(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(file.data(), &length, sizeof length);
  file += header;
  for (std::size_t i = 0; i < data_size; ++i) file += static_cast<char>(i);
  return file;
}

Weights parse(const std::string& file) {
  return {parse_safetensors(std::as_bytes(std::span(file)), "w.safetensors"), nullptr};
}

std::string error_of(const std::string& file) {
  try {
    (void)parse(file);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// A tensor's entry in a header.
std::string entry(const std::string& name, const std::string& type, const std::string& shape,
                  std::uint64_t begin, std::uint64_t end) {
  return fmt::format(R"("{}":{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})", name, type,
                     shape, begin, end);
}

TEST(Safetensors, ReadsNamesTypesShapesAndBytes) {
  const std::string file = file_of(
      "{\"__metadata__\":{\"format\":\"pt\"}," + entry("a", "F32", "[2,1]", 0, 8) + "," +
          entry("b", "I64", "[]", 8, 16) + "," + entry("none", "U8", "[0,7]", 16, 16) + "}  ",
      16);
  const Weights weights = parse(file);
  ASSERT_EQ(weights.tensors().size(), 3U);
  const TensorView& a = weights.tensors().at("a");
  EXPECT_EQ(a.type, ScalarType::kF32);
  EXPECT_EQ(a.shape, (std::vector<std::int64_t>{2, 1}));
  EXPECT_EQ(a.bytes.size(), 8U);
  EXPECT_EQ(std::to_integer<int>(a.bytes[3]), 3);
  EXPECT_TRUE(weights.tensors().at("b").shape.empty());
  EXPECT_EQ(std::to_integer<int>(weights.tensors().at("b").bytes[0]), 8);
  EXPECT_TRUE(weights.tensors().at("none").bytes.empty());
}

std::filesystem::path nano_file() {
  return test::source_dir() / "models/nano/nano.safetensors";
}

TEST(Safetensors, ReadsARealFile) {
  const Weights weights = read_weights(nano_file());
  EXPECT_EQ(weights.tensors().size(), 84U);
  std::size_t values = 0;
  for (const auto& [name, view] : weights.tensors())
    values += view.bytes.size() / size_of(view.type);
  EXPECT_EQ(values, 2588057U);
}

TEST(Safetensors, MappedFileOutlivesItsReader) {
  const test::TemporaryFolder folder;
  const auto path = folder / "w.safetensors";
  std::ofstream(path, std::ios::binary) << file_of("{" + entry("a", "U8", "[4]", 0, 4) + "}", 4);
  const Weights weights = read_weights(path);
  std::filesystem::remove(path);
  EXPECT_EQ(std::to_integer<int>(weights.tensors().at("a").bytes[3]), 3);
}

TEST(Safetensors, NamesTheFileThatIsNotThere) {
  EXPECT_THROW(
      {
        try {
          (void)read_weights("/nonexistent/w.safetensors");
        } catch (const Error& error) {
          EXPECT_THAT(error.what(), ::testing::HasSubstr("'/nonexistent/w.safetensors'"));
          EXPECT_THAT(error.what(), ::testing::HasSubstr("no such file"));
          throw;
        }
      },
      Error);
}

struct Bad {
  std::string what;
  std::string file;
  std::string message;
};

void PrintTo(const Bad& bad, std::ostream* out) {  // NOLINT(readability-identifier-naming)
  *out << bad.what;
}

class BadSafetensors : public ::testing::TestWithParam<Bad> {};

TEST_P(BadSafetensors, IsRefusedWithItsReason) {
  EXPECT_THAT(error_of(GetParam().file), ::testing::HasSubstr(GetParam().message));
  EXPECT_THAT(error_of(GetParam().file), ::testing::HasSubstr("'w.safetensors'"));
}

std::vector<Bad> bad_files() {
  const auto one = [](const std::string& type, const std::string& shape, std::uint64_t begin,
                      std::uint64_t end, std::size_t size) {
    return file_of("{" + entry("a", type, shape, begin, end) + "}", size);
  };
  const auto two = [](std::uint64_t begin, std::uint64_t end, std::size_t size) {
    return file_of("{" + entry("a", "U8", "[4]", 0, 4) + "," +
                       entry("b", "U8", fmt::format("[{}]", end - begin), begin, end) + "}",
                   size);
  };
  const std::string huge(8, '\xff');
  std::string ones;
  std::string objects;
  for (int i = 0; i < 100000; ++i) {
    ones += "1,";
    objects += "{\"shape\":";
  }
  return {
      {"empty", "", "shorter than"},
      {"length beyond the file", huge + "{}", "longer than the file"},
      {"no json", file_of("hello", 0), "no JSON object"},
      {"broken json", file_of("{\"a\":", 0), "no JSON at byte"},
      {"text behind", file_of("{} x", 0), "no JSON"},
      {"unknown type", one("F8_E4M3", "[4]", 0, 4, 4), "unknown type 'F8_E4M3'"},
      {"size does not fit", one("F32", "[4]", 0, 4, 4), "do not fit"},
      {"outside", one("U8", "[4]", 4, 8, 4), "outside"},
      {"backwards", one("U8", "[4]", 8, 4, 8), "outside"},
      {"overflowing shape", one("F32", "[4294967296,4294967296,4294967296]", 0, 4, 4),
       "do not fit"},
      {"negative side", one("U8", "[-1]", 0, 4, 4), "negative number"},
      {"fraction", one("U8", "[4.5]", 0, 4, 4), "fraction"},
      {"overlap", two(2, 6, 6), "overlaps"},
      {"gap", two(5, 9, 9), "gap"},
      {"left over", one("U8", "[4]", 0, 4, 9), "belongs to no tensor"},
      {"twice",
       file_of("{" + entry("a", "U8", "[4]", 0, 4) + "," + entry("a", "U8", "[4]", 0, 4) + "}", 4),
       "listed twice"},
      {"no shape", file_of(R"({"a":{"dtype":"U8","data_offsets":[0,4]}})", 4), "lacks"},
      {"three offsets", file_of(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4,4]}})", 4),
       "not two numbers"},
      {"unknown field", file_of(R"({"a":{"kind":"U8"}})", 0), "unknown field 'kind'"},
      {"tensor as array", file_of(R"({"a":[1,2]})", 0), "an array where none"},
      {"metadata with numbers", file_of(R"({"__metadata__":{"a":1}})", 0), "a number"},
      {"deep nesting", file_of("{\"a\":" + std::string(100000, '['), 0), "an array where none"},
      {"deep objects", file_of(objects, 0), "an object where none"},
      {"too many sides", one("U8", "[" + ones + "1]", 0, 1, 1), "more than 16"},
  };
}

INSTANTIATE_TEST_SUITE_P(Files, BadSafetensors, ::testing::ValuesIn(bad_files()));

TEST(Safetensors, ControlCharactersInNamesStayOutOfMessages) {
  const std::string error = error_of(file_of("{\"\\u001b[31m\":{\"kind\":\"U8\"}}", 0));
  EXPECT_EQ(error.find('\x1b'), std::string::npos);
  EXPECT_LT(error_of(file_of("{\"" + std::string(100000, 'n') + "\":{\"kind\":\"U8\"}}", 0)).size(),
            500U);
}

// Flips, cuts, repeats and overwrites bytes of good files: the reader either refuses the result
// with an Error or gives tensors that lie inside it. Nothing else may happen, and memory stays
// small.
TEST(Safetensors, TenThousandDamagedFilesDoNoHarm) {
  const MappedFile nano = map_file(nano_file());
  const std::string big(reinterpret_cast<const char*>(nano.bytes.data()), 12000);
  const std::vector<std::string> seeds = {
      file_of(
          "{" + entry("a", "F32", "[2,1]", 0, 8) + "," + entry("b", "F16", "[2,2]", 8, 16) + "}",
          16),
      file_of("{\"__metadata__\":{\"k\":\"v\"}," + entry("n", "U8", "[3]", 0, 3) + "}", 3), big};
  const std::vector<std::string> pieces = {
      "[", "{",       "\"",   "9999999999999999999", "-1", "1e999", ",",
      ":", "\\u0000", "null", "\xff\xff\xff\xff",    "F32"};
  std::mt19937 random(20240501);
  const auto below = [&](std::size_t limit) { return limit == 0 ? 0 : random() % limit; };
  int refused = 0;
  constexpr int kFiles = 10000;
  for (int i = 0; i < kFiles; ++i) {
    std::string file = seeds[below(10) == 0 ? 2 : below(2)];
    for (std::size_t edits = 1 + below(4); edits > 0; --edits) {
      const std::size_t at = below(file.size() + 1);
      switch (below(5)) {
        case 0:
          if (at < file.size()) file[at] = static_cast<char>(random());
          break;
        case 1:
          file.resize(at);
          break;
        case 2:
          file.insert(at, pieces[below(pieces.size())]);
          break;
        case 3:
          file.insert(at, file.substr(at, below(64)));
          break;
        default:
          file.erase(at, below(16));
          break;
      }
    }
    // Half of them keep a length that fits, so that damage reaches the deeper checks.
    if (file.size() > 8 && below(2) == 0) {
      const std::uint64_t end = file.rfind('}');
      if (end != std::string::npos && end >= 8) {
        const std::uint64_t length = end - 7;
        std::memcpy(file.data(), &length, sizeof length);
      }
    }
    try {
      const Weights weights = parse(file);
      for (const auto& [name, view] : weights.tensors()) {
        const auto* first = reinterpret_cast<const char*>(view.bytes.data());
        ASSERT_GE(first, file.data());
        ASSERT_LE(first + view.bytes.size(), file.data() + file.size());
      }
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, kFiles / 2);
  EXPECT_LT(refused, kFiles);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  EXPECT_LT(usage.ru_maxrss, 1000000) << "kilobytes";
}

}  // namespace
}  // namespace vergence::predictors
