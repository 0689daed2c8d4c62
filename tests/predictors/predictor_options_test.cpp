// SPDX-License-Identifier: Apache-2.0
// Every known network can be chosen by its name, and every such choice is a known network.
#include "predictors/model_registry.hpp"
#include "tests/support/paths.hpp"

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::predictors {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& file) {
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

std::set<std::string> stems(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".toml") names.insert(entry.path().stem());
  }
  return names;
}

// Options that are no network, and the one whose card the user gives.
const std::set<std::string> kOthers = {"files", "ensemble", "torchscript"};

TEST(PredictorOptions, ExistForEveryCard) {
  const auto options = stems(test::source_dir() / "configs/predictor");
  for (const std::string& model : stems(test::source_dir() / "models")) {
    if (find_model_card(model).model.task != NetworkTask::kDepth) continue;
    EXPECT_TRUE(options.contains(model)) << "configs/predictor/" << model << ".toml is missing";
  }
}

TEST(PredictorOptions, NameAKnownNetwork) {
  const auto cards = stems(test::source_dir() / "models");
  for (const std::string& option : stems(test::source_dir() / "configs/predictor")) {
    if (kOthers.contains(option)) continue;
    EXPECT_TRUE(cards.contains(option)) << "models/" << option << ".toml is missing";
    const std::string text = text_of(test::source_dir() / "configs/predictor" / (option + ".toml"));
    EXPECT_THAT(text, ::testing::HasSubstr(fmt::format("name = \"{}\"", option)));
  }
}

TEST(PredictorOptions, CardsHaveTheNameOfTheirFile) {
  for (const std::string& model : stems(test::source_dir() / "models")) {
    EXPECT_EQ(find_model_card(model).model.id, model);
  }
}

}  // namespace
}  // namespace vergence::predictors
