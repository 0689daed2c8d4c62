// SPDX-License-Identifier: Apache-2.0
#include "runs/compare.hpp"

#include "runs/multirun.hpp"

#include <algorithm>
#include <functional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace vergence::runs {
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

using Facts = std::vector<std::pair<std::string, std::string>>;
constexpr std::string_view kNothing = "-";

// Hashes are told apart by their first digits.
std::string short_hash(const FileNote& file) {
  return file.sha256.empty() ? "unreadable" : file.sha256.substr(0, 12);
}

Facts circumstances_of(const Record& record) {
  Facts facts{{"version", record.version},
              {"host", record.host},
              {"device", record.device},
              {"threads", std::to_string(record.threads)}};
  for (const auto& [name, seed] : record.seeds) {
    facts.emplace_back("seed " + name, std::to_string(seed));
  }
  for (const auto& input : record.inputs) {
    facts.emplace_back((input.key.empty() ? "input " : input.key + " ") + input.path,
                       short_hash(input));
  }
  return facts;
}

// What a job is made of; where it lies and who runs it is not.
Facts settings_without_place(const Record& record) {
  auto settings = settings_of(record);
  std::erase_if(settings, [](const auto& setting) {
    return setting.first.starts_with("run.sweep.") || setting.first == "run.dir" ||
           setting.first.starts_with("launcher.");
  });
  return settings;
}

Facts results_of(const Record& record) {
  Facts facts{{"status", std::string(to_string(record.status))}};
  for (const auto& output : record.outputs) {
    facts.emplace_back("output " + output.path, short_hash(output));
  }
  for (const auto& row : record.metrics) {
    for (const auto& [name, value] : row.values) {
      facts.emplace_back(fmt::format("{} of {}", name, row.input), fmt::format("{:.9g}", value));
    }
  }
  return facts;
}

std::vector<Difference> differences(std::span<const NamedRecord> runs,
                                    const std::function<Facts(const Record&)>& facts_of) {
  std::vector<Difference> all;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    for (const auto& fact : facts_of(runs[i].record)) {
      auto found = std::find_if(all.begin(), all.end(),
                                [&](const Difference& known) { return known.what == fact.first; });
      if (found == all.end()) {
        all.push_back({fact.first, std::vector<std::string>(runs.size(), std::string(kNothing))});
        found = all.end() - 1;
      }
      found->values[i] = fact.second;
    }
  }
  std::erase_if(all, [](const Difference& known) {
    return std::equal(known.values.begin() + 1, known.values.end(), known.values.begin());
  });
  return all;
}

// Columns wide enough for what stands in them.
std::string part(const std::string& title, const std::vector<std::string>& names,
                 const std::vector<Difference>& differences) {
  if (differences.empty()) return title + ": no difference\n";
  std::size_t first = title.size();
  std::vector<std::size_t> widths;
  widths.reserve(names.size());
  for (const auto& name : names) widths.push_back(name.size());
  for (const auto& difference : differences) {
    first = std::max(first, difference.what.size());
    for (std::size_t i = 0; i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], difference.values[i].size());
    }
  }
  const auto line = [&](const std::string& head, const std::vector<std::string>& cells) {
    std::string text = fmt::format("{:<{}}", head, first);
    for (std::size_t i = 0; i < cells.size(); ++i) {
      text += i + 1 < cells.size() ? fmt::format("  {:<{}}", cells[i], widths[i]) : "  " + cells[i];
    }
    return text + "\n";
  };
  std::string text = line(title, names);
  for (const auto& difference : differences) text += line(difference.what, difference.values);
  return text;
}

Json part_json(const std::vector<Difference>& differences) {
  Json list = Json::array();
  for (const auto& difference : differences) {
    list.push_back({{"key", difference.what}, {"values", difference.values}});
  }
  return list;
}

}  // namespace

std::vector<NamedRecord> read_runs(std::span<const fs::path> runs) {
  std::vector<NamedRecord> records;
  for (const auto& run : runs) {
    if (!is_multirun(run)) {
      records.push_back({run.lexically_normal().string(), read_record(record_folder(run))});
      continue;
    }
    const auto multirun = read_multirun(run);
    for (int i = 0; i < static_cast<int>(multirun.job_folders.size()); ++i) {
      records.push_back({job_folder(multirun, i).lexically_normal().string(),
                         read_record(job_record_folder(multirun, i))});
    }
  }
  return records;
}

Comparison compare(std::span<const NamedRecord> runs) {
  Comparison comparison;
  for (const auto& run : runs) comparison.names.push_back(run.name);
  comparison.settings = differences(runs, &settings_without_place);
  comparison.circumstances = differences(runs, &circumstances_of);
  comparison.results = differences(runs, &results_of);
  return comparison;
}

std::string to_table(const Comparison& comparison) {
  return part("settings", comparison.names, comparison.settings) + "\n" +
         part("circumstances", comparison.names, comparison.circumstances) + "\n" +
         part("results", comparison.names, comparison.results);
}

std::string to_json(const Comparison& comparison) {
  const Json json = {{"runs", comparison.names},
                     {"settings", part_json(comparison.settings)},
                     {"circumstances", part_json(comparison.circumstances)},
                     {"results", part_json(comparison.results)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace vergence::runs
