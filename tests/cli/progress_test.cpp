// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.hpp"

#include "core/error.hpp"

#include <gtest/gtest.h>

namespace vergence::cli {
namespace {

TEST(Progress, TellsDurations) {
  EXPECT_EQ(duration_text(0.4), "0:00");
  EXPECT_EQ(duration_text(7.0), "0:07");
  EXPECT_EQ(duration_text(200.0), "3:20");
  EXPECT_EQ(duration_text(3725.0), "1:02:05");
  EXPECT_EQ(duration_text(-3.0), "0:00");
}

TEST(Progress, PlainLinesTellRateAndTimeLeft) {
  EXPECT_EQ(plain_line({"predicting", "views", 0, 20, 0.0}), "predicting: 0/20 views");
  EXPECT_EQ(plain_line({"predicting", "views", 5, 20, 2.0}),
            "predicting: 5/20 views, 2.5/s, 0:06 left");
  EXPECT_EQ(plain_line({"predicting", "views", 20, 20, 8.0}), "predicting: 20/20 views, 0:08");
}

TEST(Progress, JsonIsOneObject) {
  EXPECT_EQ(json_line({"a \"b\"\n", "views", 5, 20, 2.0}),
            R"({"stage":"a \"b\"\u000a","unit":"views","done":5,"total":20,"rate":2.500,)"
            R"("seconds_left":6.0})");
}

TEST(Progress, TheBarFitsTheTerminal) {
  const ProgressState state{"predicting", "views", 10, 20, 4.0};
  const auto line = bar_line(state, 80);
  EXPECT_NE(line.find("[####"), std::string::npos);
  EXPECT_NE(line.find("10/20 views  2.5/s  0:04 left"), std::string::npos);
  for (int width = 0; width < 120; ++width) {
    EXPECT_LE(static_cast<int>(bar_line(state, width).size()), std::max(0, width - 1));
  }
}

TEST(Progress, TheBarIsFullAtTheEnd) {
  EXPECT_EQ(bar_line({"x", "rows", 0, 0, 1.0}, 60).find('#'), std::string::npos);
  EXPECT_EQ(bar_line({"x", "rows", 9, 9, 1.0}, 60).find('.', 1),
            bar_line({"x", "rows", 9, 9, 1.0}, 60).find(".0/s"));
  EXPECT_THROW(static_cast<void>(progress_style_from_string("bar")), Error);
}

}  // namespace
}  // namespace vergence::cli
