// SPDX-License-Identifier: Apache-2.0
#include "config/completion.hpp"

#include "tests/config/support.hpp"

#include <gmock/gmock.h>

namespace vergence::config::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> texts(std::string_view word, const ComposeRequest& request = {}) {
  std::vector<std::string> found;
  for (const auto& candidate : complete_override(request, word)) found.push_back(candidate.text);
  return found;
}

TEST(Completion, KeysOneLevelAtATime) {
  EXPECT_THAT(texts("mes"), ElementsAre("mesh=", "mesh."));
  EXPECT_THAT(texts("mesh.te"), ElementsAre("mesh.texture."));
  EXPECT_THAT(texts("mesh.texture."),
              ElementsAre("mesh.texture.max_px=", "mesh.texture.quality=", "mesh.texture.format="));
  EXPECT_THAT(texts("thr"), ElementsAre("threads="));
  EXPECT_THAT(texts("++mesh.ed"), Contains("++mesh.edges="));
  EXPECT_THAT(texts("~mesh.edge"), Contains("~mesh.edges"));
  EXPECT_THAT(texts(""), Contains("device="));
}

TEST(Completion, OptionsAndValues) {
  EXPECT_THAT(texts("mesh="),
              ElementsAre("mesh=dense", "mesh=desktop", "mesh=mobile", "mesh=quest"));
  EXPECT_THAT(texts("+mesh@left=q"), ElementsAre("+mesh@left=quest"));
  EXPECT_THAT(texts("mesh=quest,mo"), ElementsAre("mesh=quest,mobile")) << "sweeps";
  EXPECT_THAT(texts("mesh.edges="), ElementsAre("mesh.edges=keep", "mesh.edges=cut"));
  EXPECT_THAT(texts("mesh.normals=t"), ElementsAre("mesh.normals=true"));
  EXPECT_THAT(texts("views.fov_deg="), ElementsAre("views.fov_deg=100.0"));
  EXPECT_THAT(texts("nothing.at.all="), IsEmpty());
}

TEST(Completion, KnowsWhatIsOnTheCommandLine) {
  Files files;
  files.write("mesh/museum", "'+glass' = 1\n");
  EXPECT_THAT(texts("mesh=mu", files.request()), ElementsAre("mesh=museum"));
  EXPECT_THAT(texts("mesh.gl", files.request({"mesh=museum"})), ElementsAre("mesh.glass="));
  EXPECT_THAT(texts("mesh.gl", files.request({"mesh=desktop"})), IsEmpty());
  EXPECT_THAT(texts("mesh.gl", files.request({"mesh=museum", "wrong", "x=[", "threads=-1"})),
              ElementsAre("mesh.glass="))
      << "whatever else is wrong there";
}

TEST(Completion, KnowsWhatElementsOfListsTake) {
  const ComposeRequest ensemble{.overrides = {"predictor=ensemble"}};
  EXPECT_THAT(texts("predictor@", ensemble),
              ElementsAre("predictor@predictor.members.0=", "predictor@predictor.members.1=",
                          "predictor@predictor.members.2=", "predictor@predictor.members.3="));
  EXPECT_THAT(texts("predictor@predictor.members.1=tie", ensemble),
              ElementsAre("predictor@predictor.members.1=tiefenrausch"));
  EXPECT_THAT(texts("predictor.members.0.s", ensemble),
              ElementsAre("predictor.members.0.size_px="));
  EXPECT_THAT(texts("predictor.members.0.flip=t", ensemble),
              ElementsAre("predictor.members.0.flip=true"));
}

TEST(Completion, TellsPathsFromOtherValues) {
  EXPECT_TRUE(takes_path("input.depth"));
  EXPECT_TRUE(takes_path("++input.depth"));
  EXPECT_FALSE(takes_path("device"));
  EXPECT_FALSE(takes_path("+"));
  EXPECT_THAT(texts("input.depth="), IsEmpty());
}

TEST(Completion, DescribesKeys) {
  EXPECT_THAT(complete_override({}, "threads").at(0).description,
              ::testing::HasSubstr("CPU threads"));
}

}  // namespace
}  // namespace vergence::config::test
