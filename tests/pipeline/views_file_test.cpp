// SPDX-License-Identifier: Apache-2.0
#include "pipeline/views_file.hpp"

#include "core/error.hpp"

#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::pipeline {
namespace {

ViewsFile sample() {
  return {2048, 1024, projection::covering_views(20, Radians::from_degrees(105), 384)};
}

std::string one_view(const std::string& changes) {
  return R"({"projection":"equirectangular","width":64,"height":32,"views":[{"name":"a","width":8,)"
         R"("height":8,"fov_deg":[90,90],"world_from_view":[1,0,0,0,1,0,0,0,1])" +
         changes + "}]}";
}

std::string message_of(const std::string& json) {
  try {
    static_cast<void>(parse_views_json(json, "v.json"));
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(ViewsFile, ComesBackAsItWas) {
  const auto written = sample();
  const auto read = parse_views_json(to_json(written), "v.json");
  EXPECT_EQ(read.width, 2048);
  EXPECT_EQ(read.height, 1024);
  ASSERT_EQ(read.views.size(), 20U);
  for (std::size_t i = 0; i < read.views.size(); ++i) {
    EXPECT_EQ(read.views[i].name, written.views[i].name);
    EXPECT_EQ(read.views[i].width, 384);
    EXPECT_NEAR(read.views[i].fov_x.degrees(), 105.0, 1e-9);
    EXPECT_LT((read.views[i].world_from_view - written.views[i].world_from_view).norm(), 1e-12);
  }
}

TEST(ViewsFile, HasTheDocumentedForm) {
  const ViewsFile file{64, 32, {projection::covering_views(6, Radians::from_degrees(100), 8)[1]}};
  const auto json = to_json(file);
  for (const char* part :
       {R"("projection": "equirectangular")", R"("width": 64)", R"("file": "view_01.png")",
        R"("fov_deg": [)", R"("world_from_view": [)"}) {
    EXPECT_THAT(json, testing::HasSubstr(part));
  }
  EXPECT_THAT(json, testing::Not(testing::HasSubstr("-0.0,")));
}

TEST(ViewsFile, SaysWhatIsWrong) {
  const auto says = [](const char* text) { return testing::HasSubstr(text); };
  EXPECT_EQ(message_of(one_view("")), "accepted");
  EXPECT_THAT(message_of(""), says("it is not JSON"));
  EXPECT_THAT(message_of("[]"), says("it is not an object"));
  EXPECT_THAT(message_of(R"({"projection":"cube"})"), says("'projection' is not"));
  EXPECT_THAT(message_of(R"({"projection":"equirectangular","width":64,"height":32,"views":[]})"),
              says("'views' is not a list"));
  EXPECT_THAT(message_of(one_view(R"(,"width":0)")), says("view 0: 'width'"));
  EXPECT_THAT(message_of(one_view(R"(,"width":1e99)")), says("'width'"));
  EXPECT_THAT(message_of(one_view(R"(,"width":99999999999999999999)")), says("'width'"));
  EXPECT_THAT(message_of(one_view(R"(,"fov_deg":[180,90])")), says("'fov_deg'"));
  EXPECT_THAT(message_of(one_view(R"(,"fov_deg":[90])")), says("'fov_deg'"));
  EXPECT_THAT(message_of(one_view(R"(,"world_from_view":[2,0,0,0,1,0,0,0,1])")), says("rotation"));
  EXPECT_THAT(message_of(one_view(R"(,"world_from_view":[-1,0,0,0,1,0,0,0,1])")), says("rotation"));
}

TEST(ViewsFile, LetsNoNameLeadOutOfItsFolder) {
  for (const char* name : {"../a", "/etc/passwd", "a/b", ".hidden", "", "a\\u0000b", "a b"}) {
    EXPECT_THAT(message_of(one_view(fmt::format(R"(,"name":"{}")", name))),
                testing::HasSubstr("plain name"))
        << name;
  }
}

TEST(ViewsFile, RefusesTheSameNameTwice) {
  const std::string view =
      R"({"name":"a","width":8,"height":8,"fov_deg":[90,90],"world_from_view":[1,0,0,0,1,0,0,0,1]})";
  EXPECT_THAT(message_of(R"({"projection":"equirectangular","width":64,"height":32,"views":[)" +
                         view + "," + view + "]}"),
              testing::HasSubstr("view 1: the name 'a' is there twice"));
}

TEST(ViewsFile, SurvivesHostileInput) {
  EXPECT_THAT(message_of(std::string(200000, '[')), testing::StartsWith("'v.json' is not a list"));
  const auto good = to_json(sample());
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    auto bytes = good;
    for (int change = 0; change < 4; ++change) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    if (round % 3 == 0) bytes.resize(random() % bytes.size());
    try {
      for (const auto& view : parse_views_json(bytes, "v.json").views) {
        EXPECT_GT(view.width, 0);
        EXPECT_LT(view.fov_x.degrees(), 180.0);
      }
    } catch (const Error&) {
      continue;
    }
  }
}

}  // namespace
}  // namespace vergence::pipeline
