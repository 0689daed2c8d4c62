// SPDX-License-Identifier: Apache-2.0
#include "runs/record.hpp"

#include "runs/toml_fields.hpp"

#include "config/toml_file.hpp"
#include "core/error.hpp"
#include "core/output_file.hpp"

#include <algorithm>
#include <array>
#include <ctime>

#include <fmt/format.h>

namespace vergence::runs {
namespace fs = std::filesystem;
using config::Value;

namespace {

constexpr std::int64_t kFormat = 1;
constexpr std::uintmax_t kMaxBytes = std::uintmax_t{64} << 20U;

constexpr std::array<std::pair<Status, std::string_view>, 5> kStatusWords = {{
    {Status::kWaiting, "waiting"},
    {Status::kRunning, "running"},
    {Status::kDone, "done"},
    {Status::kFailed, "failed"},
    {Status::kInterrupted, "interrupted"},
}};

// Names may hold dots and blanks, which keys of TOML may not.
template <class Number>
Value numbers_of(const std::vector<std::pair<std::string, Number>>& numbers) {
  Value::List list;
  for (const auto& [name, number] : numbers) {
    list.push_back(value_of(Value::Table{{"name", value_of(name)}, {"value", value_of(number)}}));
  }
  return value_of(std::move(list));
}

Value files_of(const std::vector<FileNote>& files) {
  Value::List list;
  for (const auto& file : files) {
    Value::Table table{{"path", value_of(file.path)},
                       {"bytes", value_of(static_cast<std::int64_t>(file.bytes))},
                       {"sha256", value_of(file.sha256)}};
    if (!file.key.empty()) table.push_back({"key", value_of(file.key)});
    list.push_back(value_of(std::move(table)));
  }
  return value_of(std::move(list));
}

Value metrics_of(const std::vector<MetricRow>& rows) {
  Value::List list;
  for (const auto& row : rows) {
    list.push_back(
        value_of(Value::Table{{"input", value_of(row.input)}, {"values", numbers_of(row.values)}}));
  }
  return value_of(std::move(list));
}

Value to_value(const Record& record) {
  return value_of(Value::Table{{"format", value_of(kFormat)},
                               {"status", value_of(std::string(to_string(record.status)))},
                               {"exit_code", value_of(std::int64_t{record.exit_code})},
                               {"message", value_of(record.message)},
                               {"number", value_of(std::int64_t{record.number})},
                               {"command_line", list_of(record.command_line)},
                               {"arguments", list_of(record.arguments)},
                               {"swept", list_of(record.swept)},
                               {"ground_truths", list_of(record.ground_truths)},
                               {"working_folder", value_of(record.working_folder.string())},
                               {"version", value_of(record.version)},
                               {"host", value_of(record.host)},
                               {"device", value_of(record.device)},
                               {"threads", value_of(std::int64_t{record.threads})},
                               {"started", value_of(record.started)},
                               {"seconds", value_of(record.seconds)},
                               {"views_predicted", value_of(record.views_predicted)},
                               {"views_reused", value_of(record.views_reused)},
                               {"inputs", files_of(record.inputs)},
                               {"outputs", files_of(record.outputs)},
                               {"previews", list_of(record.previews)},
                               {"metrics", metrics_of(record.metrics)},
                               {"seeds", numbers_of(record.seeds)},
                               {"stages", numbers_of(record.stage_seconds)}});
}

std::vector<Metric> read_numbers(const FieldReader& reader, const Value& table,
                                 std::string_view key) {
  std::vector<Metric> result;
  for (const auto& item : reader.get<Value::List>(table, key)) {
    result.emplace_back(reader.get<std::string>(item, "name"), reader.number(item, "value"));
  }
  return result;
}

std::vector<FileNote> read_files(const FieldReader& reader, std::string_view key) {
  std::vector<FileNote> result;
  for (const auto& item : reader.get<Value::List>(key)) {
    FileNote file;
    file.path = reader.get<std::string>(item, "path");
    file.sha256 = reader.get<std::string>(item, "sha256");
    file.bytes = static_cast<std::uint64_t>(reader.get<std::int64_t>(item, "bytes"));
    if (config::child(item, "key") != nullptr) file.key = reader.get<std::string>(item, "key");
    result.push_back(std::move(file));
  }
  return result;
}

std::vector<MetricRow> read_metrics(const FieldReader& reader) {
  std::vector<MetricRow> rows;
  for (const auto& item : reader.get<Value::List>("metrics")) {
    rows.push_back({.input = reader.get<std::string>(item, "input"),
                    .values = read_numbers(reader, item, "values")});
  }
  return rows;
}

void read_progress(const FieldReader& reader, Record& record) {
  const auto& word = reader.get<std::string>("status");
  const auto status = status_from_string(word);
  if (!status) throw Error(fmt::format("a record cannot be '{}'", word));
  record.status = *status;
  record.exit_code = static_cast<int>(reader.get<std::int64_t>("exit_code"));
  record.message = reader.get<std::string>("message");
  record.number = static_cast<int>(reader.get<std::int64_t>("number"));
  record.command_line = reader.list<std::string>("command_line");
  record.arguments = reader.list<std::string>("arguments");
  record.swept = reader.list<std::string>("swept");
  record.ground_truths = reader.list<std::string>("ground_truths");
  record.working_folder = reader.get<std::string>("working_folder");
  record.version = reader.get<std::string>("version");
  record.host = reader.get<std::string>("host");
  record.device = reader.get<std::string>("device");
  record.threads = static_cast<int>(reader.get<std::int64_t>("threads"));
  record.started = reader.get<std::string>("started");
  record.seconds = reader.number(reader.tree(), "seconds");
  record.views_predicted = reader.get<std::int64_t>("views_predicted");
  record.views_reused = reader.get<std::int64_t>("views_reused");
  record.inputs = read_files(reader, "inputs");
  record.outputs = read_files(reader, "outputs");
  record.previews = reader.list<std::string>("previews");
  record.metrics = read_metrics(reader);
  record.stage_seconds = read_numbers(reader, reader.tree(), "stages");
  for (const auto& [name, seed] : read_numbers(reader, reader.tree(), "seeds")) {
    record.seeds.emplace_back(name, static_cast<std::int64_t>(seed));
  }
}

void flatten(const Value& value, const std::string& key,
             std::vector<std::pair<std::string, std::string>>& settings) {
  const auto* table = value.as<Value::Table>();
  if (table == nullptr) {
    settings.emplace_back(key, config::to_inline_toml(value));
    return;
  }
  for (const auto& entry : *table) {
    std::string inner = key.empty() ? "" : key + ".";
    inner += entry.key.starts_with('+') ? entry.key.substr(1) : entry.key;
    flatten(entry.value, inner, settings);
  }
}

}  // namespace

std::string_view to_string(Status status) {
  return std::find_if(kStatusWords.begin(), kStatusWords.end(),
                      [&](const auto& pair) { return pair.first == status; })
      ->second;
}

std::optional<Status> status_from_string(std::string_view word) {
  const auto found = std::find_if(kStatusWords.begin(), kStatusWords.end(),
                                  [&](const auto& pair) { return pair.second == word; });
  if (found == kStatusWords.end()) return std::nullopt;
  return found->first;
}

fs::path record_folder(const fs::path& run) {
  std::error_code error;
  for (const auto& folder : {run / kRecordFolder, run}) {
    if (fs::is_regular_file(folder / "run.toml", error)) return folder;
  }
  throw Error(fmt::format("'{}' holds no record of a run", run.string()))
      .hint("give a job's folder of a multirun, or that of a run with run.record=true");
}

void write_record(const fs::path& folder, const Record& record) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw Error(fmt::format("cannot make the folder '{}': {}", folder.string(),
                            reason_from_errno(error.value())));
  }
  write_file(folder / "config.toml", record.config);
  write_file(folder / "overrides.toml",
             toml_of(value_of(Value::Table{{"overrides", list_of(record.overrides)}})));
  write_progress(folder, record);
}

void write_progress(const fs::path& folder, const Record& record) {
  write_file(folder / "run.toml", toml_of(to_value(record)));
}

Record read_record(const fs::path& folder) {
  Record record;
  read_progress(FieldReader(folder / "run.toml"), record);
  record.overrides = FieldReader(folder / "overrides.toml").list<std::string>("overrides");
  record.config = read_file(folder / "config.toml", kMaxBytes);
  return record;
}

std::vector<Metric> mean_metrics(const Record& record) {
  std::vector<Metric> means;
  std::vector<int> counts;
  for (const auto& row : record.metrics) {
    for (const auto& metric : row.values) {
      const auto found = std::find_if(means.begin(), means.end(), [&](const Metric& known) {
        return known.first == metric.first;
      });
      if (found == means.end()) {
        means.push_back(metric);
        counts.push_back(1);
      } else {
        found->second += metric.second;
        ++counts[static_cast<std::size_t>(found - means.begin())];
      }
    }
  }
  for (std::size_t i = 0; i < means.size(); ++i) means[i].second /= counts[i];
  return means;
}

std::vector<std::pair<std::string, std::string>> settings_of(const Record& record) {
  std::vector<std::string> mistakes;
  const auto tree = config::parse_toml(record.config, "config.toml", mistakes);
  if (!mistakes.empty()) throw Error("the record is damaged: " + mistakes.front());
  std::vector<std::pair<std::string, std::string>> settings;
  flatten(tree, "", settings);
  return settings;
}

std::pair<std::string, std::string> split_override(std::string_view override_text) {
  const auto begin = override_text.find_first_not_of("+~");
  if (begin == std::string_view::npos) return {};
  override_text.remove_prefix(begin);
  const auto equals = override_text.find('=');
  if (equals == std::string_view::npos) return {std::string(override_text), ""};
  return {std::string(override_text.substr(0, equals)),
          std::string(override_text.substr(equals + 1))};
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  const auto length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), length};
}

}  // namespace vergence::runs
