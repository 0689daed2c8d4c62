// SPDX-License-Identifier: Apache-2.0
#include "predictors/weight_file.hpp"

#include "core/error.hpp"
#include "tests/predictors/zip_of.hpp"
#include "tests/support/paths.hpp"

#include <fstream>
#include <random>
#include <string>

namespace vergence::predictors {
namespace {

WeightFormat format_of(const std::string& file) {
  return weight_format(std::as_bytes(std::span(file)));
}

// A zip with files of these names.
std::string zip_with(const std::vector<std::string>& names) {
  std::vector<test::ZippedFile> files;
  files.reserve(names.size());
  for (const auto& name : names) files.push_back({.name = name, .content = "x"});
  return test::zip_of(files);
}

TEST(WeightFormat, IsToldByContent) {
  EXPECT_EQ(format_of(""), WeightFormat::kEmpty);
  EXPECT_EQ(format_of(std::string("\2\0\0\0\0\0\0\0{}", 10)), WeightFormat::kSafetensors);
  EXPECT_EQ(format_of(zip_with({"net/data.pkl", "net/constants.pkl"})), WeightFormat::kTorchScript);
  EXPECT_EQ(format_of(zip_with({"archive/data.pkl", "archive/data/0"})), WeightFormat::kCheckpoint);
  EXPECT_EQ(format_of(zip_with({"readme.txt"})), WeightFormat::kZip);
  EXPECT_EQ(format_of(zip_with({"readme.txt", "deep/er/constants.pkl"})), WeightFormat::kZip);
  EXPECT_EQ(format_of("\x80\x02\x8a\x0al\xfc"), WeightFormat::kCheckpoint);
  EXPECT_EQ(format_of("<!DOCTYPE html><html>"), WeightFormat::kText);
  EXPECT_EQ(format_of("  \n<html>"), WeightFormat::kText);
  EXPECT_EQ(format_of("version https://git-lfs.github.com/spec/v1\noid"), WeightFormat::kText);
  EXPECT_EQ(format_of("\x08\x07\x12\x07pytorch"), WeightFormat::kOnnx);
  EXPECT_EQ(format_of("hello, world"), WeightFormat::kUnknown);
  EXPECT_EQ(format_of("   "), WeightFormat::kUnknown);
}

TEST(WeightFormat, DamagedZipsAreNoTorchScript) {
  const std::string whole = zip_with({"net/data.pkl", "net/constants.pkl"});
  EXPECT_EQ(format_of(whole.substr(0, whole.size() - 30)), WeightFormat::kZip);
  std::mt19937 random(7);
  for (int i = 0; i < 10000; ++i) {
    std::string file = whole;
    for (int edit = 0; edit < 3; ++edit) file[random() % file.size()] = static_cast<char>(random());
    file.resize(random() % (file.size() + 1));
    (void)format_of(file);
    std::string pointers = whole;  // aims the end record anywhere
    for (std::size_t at = pointers.size() - 12; at < pointers.size(); ++at) {
      pointers[at] = static_cast<char>(random());
    }
    (void)format_of(pointers);
  }
}

TEST(MapFile, GivesTheBytesAndNamesWhatItCannotOpen) {
  const test::TemporaryFolder folder;
  std::ofstream(folder / "file") << "abc";
  std::ofstream(folder / "empty") << "";
  const MappedFile file = map_file(folder / "file");
  ASSERT_EQ(file.bytes.size(), 3U);
  EXPECT_EQ(std::to_integer<char>(file.bytes[2]), 'c');
  EXPECT_TRUE(map_file(folder / "empty").bytes.empty());
  EXPECT_THROW((void)map_file(folder / "missing"), Error);
  EXPECT_THROW((void)map_file(folder.path()), Error);
  EXPECT_THROW((void)map_file("/dev/null"), Error);
}

}  // namespace
}  // namespace vergence::predictors
