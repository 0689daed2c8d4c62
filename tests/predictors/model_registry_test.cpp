// SPDX-License-Identifier: Apache-2.0
#include "predictors/model_registry.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "predictors/embedded.hpp"
#include "tests/support/paths.hpp"

#include <cstdlib>
#include <map>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::predictors {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;

// Sets variables, and puts the old values back. GoogleTest derives a class for every test.
// NOLINTNEXTLINE(cppcoreguidelines-virtual-class-destructor)
class ModelRegistry : public testing::Test {
 protected:
  ~ModelRegistry() override {
    for (const auto& [name, value] : old_) {
      value ? ::setenv(name.c_str(), value->c_str(), 1) : ::unsetenv(name.c_str());
    }
  }

  void set(const std::string& name, const std::string& value) {
    const char* old = std::getenv(name.c_str());
    old_.emplace(name, old == nullptr ? std::nullopt : std::optional<std::string>(old));
    ::setenv(name.c_str(), value.c_str(), 1);
  }

  void write_card(const fs::path& folder, const std::string& name, const std::string& license) {
    fs::create_directories(folder);
    write_file(folder / (name + ".toml"),
               fmt::format("[model]\nid = '{}'\nbackend = 'torchscript'\nlicense = '{}'\n"
                           "[weights]\nfiles = ['{}.pt', '{}.pth']\n"
                           "[input]\nresize = 'short-side'\nsize = 64\n"
                           "[output]\nkind = 'disparity'\n",
                           name, license, name, name));
  }

  void use_folders_a_and_b() {
    set("VERGENCE_MODELS", (folder_ / "a").string() + "::" + (folder_ / "b").string());
    set("XDG_CACHE_HOME", (folder_ / "cache").string());
  }

  test::TemporaryFolder folder_;

 private:
  std::map<std::string, std::optional<std::string>> old_;
};

TEST_F(ModelRegistry, LooksInTheUsersFoldersThenInTheCache) {
  use_folders_a_and_b();
  EXPECT_THAT(model_folders(),
              ElementsAre(folder_ / "a", folder_ / "b", folder_ / "cache/vergence/models"));
  set("XDG_CACHE_HOME", "");
  set("HOME", "/home/someone");
  EXPECT_EQ(model_folders().back(), "/home/someone/.cache/vergence/models");
  set("HOME", "");
  set("VERGENCE_MODELS", "");
  EXPECT_THAT(model_folders(), testing::IsEmpty());
  EXPECT_THAT(known_models(), Contains("nano")) << "also without any folder";
}

TEST_F(ModelRegistry, KnowsTheCardsInTheFolders) {
  use_folders_a_and_b();
  write_card(folder_ / "b", "mine", "B");
  EXPECT_THAT(known_models(), Contains("mine"));
  EXPECT_EQ(find_model_card("mine").model.license, "B");
  EXPECT_EQ(find_card_file("mine"), folder_ / "b/mine.toml");
  write_card(folder_ / "a", "mine", "A");
  EXPECT_EQ(find_model_card("mine").model.license, "A") << "the first folder wins";
  const auto names = known_models();
  EXPECT_EQ(std::count(names.begin(), names.end(), "mine"), 1);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_EQ(find_card_file("nano"), std::nullopt);
  write_card(folder_ / "a", "nano", "changed");
  EXPECT_EQ(find_model_card("nano").model.license, "changed") << "a card of one's own wins";
}

TEST_F(ModelRegistry, FindsTheOfficialFileFirst) {
  use_folders_a_and_b();
  write_card(folder_ / "a", "mine", "A");
  const auto card = find_model_card("mine");
  EXPECT_EQ(find_weights(card), std::nullopt);
  fs::create_directories(folder_ / "b/mine.pt");
  EXPECT_EQ(find_weights(card), std::nullopt) << "a folder is no file";
  fs::remove(folder_ / "b/mine.pt");
  write_file(folder_ / "b/mine.pth", "x");
  EXPECT_EQ(find_weights(card), folder_ / "b/mine.pth");
  write_file(folder_ / "b/mine.pt", "x");
  EXPECT_EQ(find_weights(card), folder_ / "b/mine.pt");
}

TEST_F(ModelRegistry, ANameIsNoPath) {
  use_folders_a_and_b();
  write_card(folder_ / "b", "mine", "B");
  fs::create_directories(folder_ / "a");
  EXPECT_EQ(find_card_file("../b/mine"), std::nullopt);
  EXPECT_EQ(find_card_file(""), std::nullopt);
  EXPECT_THROW(static_cast<void>(find_model_card("../b/mine")), Error);
}

TEST_F(ModelRegistry, EveryCardInsideTheProgramCanBeRead) {
  set("VERGENCE_MODELS", "");
  set("XDG_CACHE_HOME", (folder_ / "none").string());
  ASSERT_THAT(known_models(), Contains("nano"));
  std::map<std::string, std::string> owners;
  for (const auto& name : known_models()) {
    const auto card = find_model_card(name);
    EXPECT_EQ(card.model.id, name);
    for (const auto& file : card.weights.files) {
      const auto [owner, is_new] = owners.emplace(file, name);
      EXPECT_TRUE(is_new) << file << " in a model folder would be taken for that of " << name
                          << " and of " << owner->second;
    }
    if (card.weights.url.empty()) continue;
    EXPECT_THAT(card.weights.url, testing::StartsWith("https://")) << name;
    EXPECT_GT(card.weights.bytes, 0) << name << ": without a size no fetch sees that it is cut";
    EXPECT_FALSE(card.weights.source.empty()) << name;
  }
}

}  // namespace
}  // namespace vergence::predictors
