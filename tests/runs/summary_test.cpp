// SPDX-License-Identifier: Apache-2.0
#include "runs/summary.hpp"

#include "core/output_file.hpp"
#include "tests/runs/sample_record.hpp"
#include "tests/support/paths.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace vergence::test {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<runs::Record> two_jobs() {
  auto first = sample_record(0);
  auto second = sample_record(1);
  second.swept = {"views.fov_deg=95"};
  return {first, second};
}

// The JSON inside the page.
nlohmann::json data_of(const std::string& page) {
  const std::string head = "<script type=\"application/json\" id=\"data\">";
  const auto begin = page.find(head) + head.size();
  return nlohmann::json::parse(page.substr(begin, page.find("</script>", begin) - begin));
}

TEST(SummaryCsv, HasARowForEachInputAndForTheMean) {
  EXPECT_EQ(runs::summary_csv(two_jobs()),
            "job,status,input,views.fov_deg,seconds,abs_rel,d1\r\n"
            "0,failed,a b.png,85,1.500,0.125,0.75\r\n"
            "0,failed,c.png,85,1.500,0.375,\r\n"
            "0,failed,mean,85,1.500,0.25,0.75\r\n"
            "1,failed,a b.png,95,1.500,0.125,0.75\r\n"
            "1,failed,c.png,95,1.500,0.375,\r\n"
            "1,failed,mean,95,1.500,0.25,0.75\r\n");
}

TEST(SummaryCsv, QuotesWhatWouldBreakIt) {
  auto record = sample_record(0);
  record.metrics = {{"a,\"b\".png", {{"x", 1.0}}}};
  EXPECT_THAT(runs::summary_csv(std::vector{record}), HasSubstr("\"a,\"\"b\"\".png\""));
}

TEST(SummaryPage, HoldsTheNumbers) {
  const TemporaryFolder folder;
  const runs::Multirun multirun{.folder = folder.path(), .job_folders = {"0", "1"}};
  const auto data = data_of(runs::summary_html(multirun, two_jobs()));
  EXPECT_EQ(data["keys"], nlohmann::json({"views.fov_deg"}));
  EXPECT_EQ(data["metrics"], nlohmann::json({"abs_rel", "d1"}));
  EXPECT_EQ(data["jobs"][1]["settings"]["views.fov_deg"], "95");
  EXPECT_EQ(data["jobs"][0]["rows"][2]["values"]["abs_rel"], 0.25);
}

TEST(SummaryPage, NeedsNothingFromElsewhere) {
  const std::string page(runs::summary_page());
  for (const char* from_elsewhere : {"https://", "src=\"", "@import", "<link"}) {
    EXPECT_THAT(page, Not(HasSubstr(from_elsewhere)));
  }
  EXPECT_EQ(page.find("http://"), page.rfind("http://"));  // the name space of SVG
}

TEST(SummaryPage, CannotBeEndedByNames) {
  auto record = sample_record(0);
  record.message = "</script><script>alert(1)</script>\xff";
  const runs::Multirun multirun{.folder = "/nowhere", .job_folders = {"0"}};
  const auto page = runs::summary_html(multirun, std::vector{record});
  EXPECT_THAT(page, Not(HasSubstr("alert(1)</script>")));
  EXPECT_THAT(data_of(page)["jobs"][0]["message"].get<std::string>(), HasSubstr("</script>"));
}

TEST(SummaryPage, HoldsThePreviewsAndTakesNoneFromElsewhere) {
  const TemporaryFolder folder;
  auto record = sample_record(0);
  record.previews = {"preview_0.jpg", "../../secret.jpg", "missing.jpg"};
  runs::write_record(folder / "0/.vergence", record);
  write_file(folder / "0/.vergence/preview_0.jpg", "Man");
  write_file(folder / "secret.jpg", "secret");
  const runs::Multirun multirun{.folder = folder.path(), .job_folders = {"0"}};
  const auto data = data_of(runs::summary_html(multirun, std::vector{record}));
  EXPECT_EQ(data["jobs"][0]["previews"], nlohmann::json({"data:image/jpeg;base64,TWFu"}));
}

TEST(SummaryPage, ShowsNumbersThatAreNoneAsSuch) {
  auto record = sample_record(0);
  record.metrics = {{"a", {{"x", std::numeric_limits<double>::quiet_NaN()}}}};
  const runs::Multirun multirun{.folder = "/nowhere", .job_folders = {"0"}};
  const auto data = data_of(runs::summary_html(multirun, std::vector{record}));
  EXPECT_TRUE(data["jobs"][0]["rows"][0]["values"]["x"].is_null());
}

}  // namespace
}  // namespace vergence::test
