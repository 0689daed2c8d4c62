// SPDX-License-Identifier: Apache-2.0
// Presets of the user's own: what is saved composes to the same again.
#include "config/preset.hpp"

#include "core/output_file.hpp"
#include "tests/config/support.hpp"

#include <cstdlib>

#include <gmock/gmock.h>

namespace vergence::config::test {
namespace {

using ::testing::HasSubstr;

class Preset : public ::testing::Test {
 protected:
  void SetUp() override {
    before_ = std::getenv("XDG_CONFIG_HOME");
    ASSERT_EQ(::setenv("XDG_CONFIG_HOME", home_.path().c_str(), 1), 0);
  }

  void TearDown() override { ASSERT_EQ(::setenv("XDG_CONFIG_HOME", before_.c_str(), 1), 0); }

  static std::filesystem::path save(const std::string& name, std::vector<std::string> overrides,
                                    bool overwrite = false) {
    ComposeRequest request;
    request.overrides = std::move(overrides);
    return save_preset(name, request, overwrite);
  }

  static std::string refusal(const std::string& name, std::vector<std::string> overrides) {
    try {
      static_cast<void>(save(name, std::move(overrides)));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      return error.what();
    }
    return "saved";
  }

  vergence::test::TemporaryFolder home_;
  std::string before_;
};

TEST_F(Preset, StandsForItsArguments) {
  const std::vector<std::vector<std::string>> cases = {
      {},
      {"mesh=quest", "views.count=12", "sky.far_factor=8"},
      {"mesh.edges=keep", "mesh=quest", "mesh.texture={quality: 80, format: png}"},
      {"+predictor@left=files", "left.kind=distance", "left.path=maps"},
      {"+my.text='a, \"b\"'", "+my.list=[1,{a:2}]", "my.list+=[3]", "my.list.0=7"},
      {"threads=${views.count}", "~preset", "predictor=ensemble", "predictor.members=[nano]"},
      {"preset=preview", "views.fov_deg=95"},
      {"~sky", "mesh.grid_width=99"}};
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const std::string name = "case" + std::to_string(i);
    const auto file = save(name, cases[i]);
    EXPECT_EQ(file, home_.path() / "vergence/preset" / (name + ".toml"));
    const Config saved = compose_shipped({"preset=" + name});
    EXPECT_EQ(values_of(saved), values_of(compose_shipped(cases[i]))) << read_file(file);
    EXPECT_EQ(saved.to_toml(false).find("${views.count}") != std::string::npos, i == 5)
        << "interpolations are kept as they are";
  }
}

TEST_F(Preset, GivesWayToArguments) {
  save("evening", {"mesh=quest", "views.count=12"});
  const Config config = compose_shipped({"preset=evening", "mesh=dense", "views.count=6"});
  EXPECT_EQ(config.choice("mesh"), "dense");
  EXPECT_EQ(config.integer("views.count"), 6);
}

TEST_F(Preset, BuildsOnAnotherOne) {
  save("first", {"views.count=12", "threads=2"});
  save("second", {"preset=first", "threads=3"});
  const Config config = compose_shipped({"preset=second"});
  EXPECT_EQ(config.integer("views.count"), 12);
  EXPECT_EQ(config.integer("threads"), 3);
}

TEST_F(Preset, IsNotWrittenOverByMistake) {
  save("mine", {"threads=1"});
  EXPECT_EQ(refusal("mine", {"threads=2"}),
            "there is a preset 'mine' already; choose another name, or add --force to write over "
            "it");
  EXPECT_THAT(refusal("preview", {}), HasSubstr("there is a preset 'preview' already"));
  EXPECT_EQ(compose_shipped({"preset=mine"}).integer("threads"), 1);
  save("mine", {"threads=2"}, true);
  EXPECT_EQ(compose_shipped({"preset=mine"}).integer("threads"), 2);
}

TEST_F(Preset, RefusesWhatItCannotKeep) {
  EXPECT_EQ(refusal("../x", {}),
            "'../x' cannot be the name of a preset; a name has letters, digits, '_' and '-'");
  EXPECT_EQ(refusal("a", {"~sky.mask"}), "'~sky.mask': a preset cannot remove a key");
  EXPECT_THAT(refusal("a", {"threads=-1"}), HasSubstr("expected an integer in [0, 1024], got -1"));
  EXPECT_THAT(refusal("a", {"threads=1,2"}), HasSubstr("gives several values"));
  EXPECT_FALSE(std::filesystem::exists(home_.path() / "vergence/preset/a.toml"));
}

}  // namespace
}  // namespace vergence::config::test
