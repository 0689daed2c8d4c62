// SPDX-License-Identifier: Apache-2.0
// The summary's page as a browser shows it.
#include "runs/summary.hpp"

#include "core/output_file.hpp"
#include "tests/runs/sample_record.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/process.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::test {
namespace {

using testing::HasSubstr;

// 2 x 3 jobs; the last one has failed.
std::vector<runs::Record> grid_of_jobs() {
  std::vector<runs::Record> jobs;
  for (const char* predictor : {"nano", "midas"}) {
    for (const int fov : {85, 95, 105}) {
      auto job = sample_record(static_cast<int>(jobs.size()));
      job.status = runs::Status::kDone;
      job.message.clear();
      job.swept = {fmt::format("predictor={}", predictor), fmt::format("views.fov_deg={}", fov)};
      job.metrics = {{"a.png", {{"abs_rel", 0.01 * fov}}}, {"b.png", {{"abs_rel", 0.02 * fov}}}};
      jobs.push_back(job);
    }
  }
  jobs.back().status = runs::Status::kFailed;
  jobs.back().message = "no <memory> was left";
  jobs.back().metrics.clear();
  return jobs;
}

int count(std::string_view text, std::string_view word) {
  int found = 0;
  for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    ++found;
  }
  return found;
}

TEST(SummaryInABrowser, ShowsTableAndPlots) {
  const std::string browser = "/usr/bin/chromium";
  if (!std::filesystem::exists(browser)) GTEST_SKIP() << "chromium is not installed";
  const TemporaryFolder folder;
  const runs::Multirun multirun{.folder = folder.path(),
                                .job_folders = std::vector<std::string>(6, "none")};
  write_file(folder / "summary.html", runs::summary_html(multirun, grid_of_jobs()));
  const auto shown =
      run_process({browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom",
                   "--user-data-dir=" + (folder / "profile").string(), "--virtual-time-budget=5000",
                   "file://" + (folder / "summary.html").string()},
                  {.timeout_seconds = 240});
  const std::string page = shown.output.substr(0, shown.output.find("<script type="));
  ASSERT_THAT(page, HasSubstr("id=\"body\"")) << shown.errors;
  EXPECT_EQ(count(page, "<figure"), 6);
  EXPECT_EQ(count(page, "class=\"text done\""), 5);
  EXPECT_EQ(count(page, "class=\"text failed\""), 1);
  EXPECT_THAT(page, HasSubstr("no &lt;memory&gt; was left"));
  // One metric against two keys, five jobs with a number in each.
  EXPECT_EQ(count(page, "<circle"), 10);
  EXPECT_THAT(page, HasSubstr("aria-label=\"abs_rel against views.fov_deg\""));
  // The mean of both inputs at 85 degrees is the least.
  EXPECT_THAT(page, HasSubstr("<td class=\"best\">1.275</td>"));
}

}  // namespace
}  // namespace vergence::test
