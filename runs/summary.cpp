// SPDX-License-Identifier: Apache-2.0
#include "runs/summary.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace vergence::runs {
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

constexpr std::string_view kDataMark = "@DATA@";
constexpr std::uintmax_t kMaxPreviewBytes = std::uintmax_t{1} << 20U;

void add_new(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

std::vector<std::string> swept_keys(std::span<const Record> jobs) {
  std::vector<std::string> keys;
  for (const auto& job : jobs) {
    for (const auto& argument : job.swept) add_new(keys, split_override(argument).first);
  }
  return keys;
}

std::vector<std::string> metric_names(std::span<const Record> jobs) {
  std::vector<std::string> names;
  for (const auto& job : jobs) {
    for (const auto& row : job.metrics) {
      for (const auto& [name, _] : row.values) add_new(names, name);
    }
  }
  return names;
}

std::string swept_value(const Record& job, const std::string& key) {
  for (const auto& argument : job.swept) {
    if (const auto parts = split_override(argument); parts.first == key) return parts.second;
  }
  return "";
}

// The rows of a job: its inputs, and their mean where there are several or none.
std::vector<MetricRow> rows_of(const Record& job) {
  auto rows = job.metrics;
  rows.push_back({.input = "mean", .values = mean_metrics(job)});
  return rows;
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string csv_line(std::span<const std::string> fields) {
  std::string line;
  for (const auto& field : fields) line += (line.empty() ? "" : ",") + csv_field(field);
  return line + "\r\n";
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8U | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text += k <= count ? kDigits[group >> (18U - 6U * k) & 63U] : '=';
    }
  }
  return text;
}

Json number_or_null(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json values_of(std::span<const Metric> metrics) {
  Json values = Json::object();
  for (const auto& [name, value] : metrics) values[name] = number_or_null(value);
  return values;
}

Json previews_of(const Multirun& multirun, const Record& job) {
  Json previews = Json::array();
  if (job.number < 0 || job.number >= static_cast<int>(multirun.job_folders.size()))
    return previews;
  for (const auto& name : job.previews) {
    if (fs::path(name).has_parent_path()) continue;
    try {
      const auto bytes =
          read_file(job_record_folder(multirun, job.number) / name, kMaxPreviewBytes);
      previews.push_back("data:image/jpeg;base64," + base64(bytes));
    } catch (const Error&) {
      // The page tells about a job without its picture, too.
    }
  }
  return previews;
}

Json to_json(const Multirun& multirun, const Record& job) {
  Json settings = Json::object();
  for (const auto& argument : job.swept) {
    const auto [key, value] = split_override(argument);
    settings[key] = value;
  }
  Json rows = Json::array();
  for (const auto& row : rows_of(job)) {
    rows.push_back({{"input", row.input}, {"values", values_of(row.values)}});
  }
  return {{"number", job.number},
          {"status", to_string(job.status)},
          {"message", job.message},
          {"settings", settings},
          {"seconds", number_or_null(job.seconds)},
          {"stages", values_of(job.stage_seconds)},
          {"predicted", job.views_predicted},
          {"reused", job.views_reused},
          {"threads", job.threads},
          {"device", job.device},
          {"rows", rows},
          {"previews", previews_of(multirun, job)}};
}

// Text from files as JSON that cannot end the page's script element.
std::string to_script(const Json& data) {
  std::string text = data.dump(-1, ' ', false, Json::error_handler_t::replace);
  for (std::size_t at = 0; (at = text.find('<', at)) != std::string::npos;) {
    text.replace(at, 1, "\\u003c");
  }
  return text;
}

}  // namespace

std::string summary_csv(std::span<const Record> jobs) {
  const auto keys = swept_keys(jobs);
  const auto names = metric_names(jobs);
  std::vector<std::string> head{"job", "status", "input"};
  head.insert(head.end(), keys.begin(), keys.end());
  head.emplace_back("seconds");
  head.insert(head.end(), names.begin(), names.end());
  std::string text = csv_line(head);
  for (const auto& job : jobs) {
    for (const auto& row : rows_of(job)) {
      std::vector<std::string> fields{std::to_string(job.number),
                                      std::string(to_string(job.status)), row.input};
      for (const auto& key : keys) fields.push_back(swept_value(job, key));
      fields.push_back(fmt::format("{:.3f}", job.seconds));
      for (const auto& name : names) {
        const auto found = std::find_if(row.values.begin(), row.values.end(),
                                        [&](const Metric& metric) { return metric.first == name; });
        fields.push_back(found == row.values.end() ? "" : fmt::format("{}", found->second));
      }
      text += csv_line(fields);
    }
  }
  return text;
}

std::string summary_html(const Multirun& multirun, std::span<const Record> jobs) {
  Json list = Json::array();
  for (const auto& job : jobs) list.push_back(to_json(multirun, job));
  const Json data = {{"command", multirun.command_line},
                     {"started", multirun.started},
                     {"launcher", multirun.launcher},
                     {"version", jobs.empty() ? "" : jobs.front().version},
                     {"host", jobs.empty() ? "" : jobs.front().host},
                     {"keys", swept_keys(jobs)},
                     {"metrics", metric_names(jobs)},
                     {"jobs", list}};
  std::string page(summary_page());
  const auto at = page.find(kDataMark);
  return page.replace(at, kDataMark.size(), to_script(data));
}

void write_summary(const Multirun& multirun) {
  const auto jobs = read_jobs(multirun);
  write_file(multirun.folder / "summary.csv", summary_csv(jobs));
  write_file(multirun.folder / "summary.html", summary_html(multirun, jobs));
}

}  // namespace vergence::runs
