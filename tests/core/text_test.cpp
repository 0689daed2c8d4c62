// SPDX-License-Identifier: Apache-2.0
#include "core/text.hpp"

#include <gtest/gtest.h>

namespace vergence {
namespace {

TEST(EditDistance, CountsInsertionsSubstitutionsAndSwaps) {
  EXPECT_EQ(edit_distance("", ""), 0);
  EXPECT_EQ(edit_distance("size", "sise"), 1);
  EXPECT_EQ(edit_distance("size", "sizes"), 1);
  EXPECT_EQ(edit_distance("size", "szie"), 1);
  EXPECT_EQ(edit_distance("", "abc"), 3);
}

TEST(NearestNames, AreSortedAndFew) {
  const std::vector<std::string> names{"views.size_px", "views.fov_deg", "view.yaw_deg",
                                       "mesh.grid"};
  EXPECT_EQ(nearest_names("view.size_px", names).front(), "views.size_px");
  EXPECT_TRUE(nearest_names("zzzzzz", names).empty());
}

TEST(Trimmed, TakesBlanksOffBothEnds) {
  EXPECT_EQ(trimmed(" a b\t\r\n"), "a b");
  EXPECT_EQ(trimmed("a"), "a");
  EXPECT_EQ(trimmed(" \n"), "");
  EXPECT_EQ(trimmed(""), "");
}

TEST(QuotedList, JoinsWithOr) {
  const std::vector<std::string> three{"a", "b", "c"};
  EXPECT_EQ(quoted_list(three), "'a', 'b' or 'c'");
  EXPECT_EQ(quoted_list(std::span(three).first(1)), "'a'");
}

TEST(Lower, ChangesAsciiLettersOnly) {
  EXPECT_EQ(lower("ÄRoom_360.JPG"), "Äroom_360.jpg");
}

TEST(Printable, IsShortAndWithoutControlCharacters) {
  EXPECT_EQ(printable("a b"), "a b");
  EXPECT_EQ(printable("\x1b[31m\n\x7f"), "?[31m??");
  EXPECT_EQ(printable("12345678", 4), "1234...");
  EXPECT_EQ(printable("1234", 4), "1234");
}

}  // namespace
}  // namespace vergence
