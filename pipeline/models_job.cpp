// SPDX-License-Identifier: Apache-2.0
#include "pipeline/models_job.hpp"

#include "core/depth.hpp"
#include "core/error.hpp"
#include "predictors/embedded.hpp"
#include "predictors/model_card.hpp"
#include "predictors/model_registry.hpp"
#include "predictors/model_store.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

namespace vergence::pipeline {
namespace fs = std::filesystem;
using nlohmann::ordered_json;
using predictors::CardInput;
using predictors::CardOutput;
using predictors::ExpectedDigest;
using predictors::ModelCard;

namespace {

constexpr const char* kInside = "inside the program";
constexpr const char* kNotHere = "not here";

// "1.3 GB", "99 MB", "820 kB"
std::string size_text(std::int64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (bytes < 1'000'000) return fmt::format("{:.0f} kB", value / 1e3);
  if (bytes < 10'000'000) return fmt::format("{:.1f} MB", value / 1e6);
  return bytes < 1'000'000'000 ? fmt::format("{:.0f} MB", value / 1e6)
                               : fmt::format("{:.1f} GB", value / 1e9);
}

std::string license_text(const ModelCard& card) {
  return card.model.license + (card.model.commercial ? "" : " (non-commercial)");
}

// A known network and its file, if there is one.
struct KnownModel {
  std::string name;
  ModelCard card;
  std::optional<fs::path> card_file = {};  // nothing: inside the program
  std::optional<fs::path> file = {};
  std::int64_t embedded_bytes = 0;  // of weights inside the program

  [[nodiscard]] std::int64_t bytes() const {
    if (embedded_bytes > 0) return embedded_bytes;
    std::error_code error;
    const auto size = file ? fs::file_size(*file, error) : 0;
    return file && !error ? static_cast<std::int64_t>(size) : card.weights.bytes;
  }

  [[nodiscard]] std::string where() const {
    if (embedded_bytes > 0) return kInside;
    return file ? file->string() : kNotHere;
  }
};

KnownModel look_up(const std::string& name) {
  KnownModel model{.name = name, .card = predictors::find_model_card(name)};
  model.card_file = predictors::find_card_file(name);
  model.file = predictors::find_weights(model.card);
  model.embedded_bytes =
      static_cast<std::int64_t>(predictors::embedded_weights(model.card.model.id).size());
  return model;
}

// All of them; a card that cannot be read becomes a problem.
std::vector<KnownModel> look_up_all(std::vector<std::string>& problems) {
  std::vector<KnownModel> models;
  for (const auto& name : predictors::known_models()) {
    try {
      models.push_back(look_up(name));
    } catch (const Error& error) {
      problems.emplace_back(error.what());
    }
  }
  return models;
}

// Columns padded to their widest cell, without blanks at the ends of lines.
template <std::size_t kColumns>
std::string table(const std::vector<std::array<std::string, kColumns>>& rows) {
  std::array<std::size_t, kColumns> widths{};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < kColumns; ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < kColumns; ++i) {
      line += fmt::format("{:<{}}", row[i], i + 1 < kColumns ? widths[i] + 2 : 0);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::string json_text(const ordered_json& json) {
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

ordered_json or_null(const std::string& text) {
  return text.empty() ? ordered_json() : ordered_json(text);
}

ordered_json json_of(const KnownModel& model) {
  const auto& card = model.card;
  return {{"name", model.name},
          {"license", card.model.license},
          {"license_note", or_null(card.model.license_note)},
          {"commercial", card.model.commercial},
          {"description", card.model.description},
          {"backend", card.model.backend},
          {"card", model.card_file ? ordered_json(model.card_file->string()) : ordered_json()},
          {"files", card.weights.files},
          {"url", or_null(card.weights.url)},
          {"source", or_null(card.weights.source)},
          {"sha256", or_null(card.weights.sha256)},
          {"bytes", model.bytes() > 0 ? ordered_json(model.bytes()) : ordered_json()},
          {"inside_program", model.embedded_bytes > 0},
          {"file", model.file ? ordered_json(model.file->string()) : ordered_json()}};
}

std::string digest_words(const KnownModel& model) {
  if (model.embedded_bytes > 0) return "none is needed";
  if (!model.card.weights.sha256.empty()) return model.card.weights.sha256 + " (on the card)";
  if (model.file) {
    if (const auto pinned = predictors::pinned_sha256(*model.file)) {
      return *pinned + " (pinned at the first fetch)";
    }
    return "none is known; `vergence models verify` prints that of the file";
  }
  return "no public text states one: it is pinned at the first fetch";
}

std::string place_words(const KnownModel& model) {
  if (model.embedded_bytes > 0 || model.file) return model.where();
  const auto folders = predictors::model_folders();
  if (model.card.weights.files.empty() || folders.empty()) return kNotHere;
  const auto put = fmt::format("put the file into {}", folders.front().string());
  if (model.card.weights.url.empty()) return fmt::format("{}: {}", kNotHere, put);
  return fmt::format("{}: run `vergence models fetch {}{}`, or {}", kNotHere, model.name,
                     model.card.model.commercial ? "" : " --accept-license", put);
}

std::string backend_words(const ModelCard& card) {
  const std::string native = "native:";
  const auto& backend = card.model.backend;
  if (!backend.starts_with(native)) return "a TorchScript file, run as it is";
  return fmt::format("part of Vergence (family {})", backend.substr(native.size()));
}

std::string resize_words(const CardInput& input) {
  using predictors::ResizeRule;
  switch (input.resize) {
    case ResizeRule::kShortSide:
      return fmt::format("short side {} px", input.size);
    case ResizeRule::kLowerBound:
      return fmt::format("both sides at least {} px", input.size);
    case ResizeRule::kUpperBound:
      return fmt::format("both sides at most {} px", input.size);
    case ResizeRule::kMinimal:
      return fmt::format("the side that changes least {} px", input.size);
    case ResizeRule::kExact:
      return fmt::format("exactly {}x{} px", input.exact_size.width, input.exact_size.height);
    case ResizeRule::kPixelBudget:
      return fmt::format("{:.0f} to {:.0f} pixels in all", input.min_pixels, input.max_pixels);
    case ResizeRule::kFitPad:
      break;
  }
  return fmt::format("fitted into {}x{} px", input.exact_size.width, input.exact_size.height);
}

std::string input_words(const CardInput& input) {
  auto text =
      fmt::format("{} 0-{:g}, {}", input.bgr ? "BGR" : "RGB", input.range, resize_words(input));
  if (input.multiple > 1) text += fmt::format(", multiples of {}", input.multiple);
  return text;
}

std::string output_words(const CardOutput& output) {
  return fmt::format("{}, {}", to_string(output.kind), output.metric ? "metric" : "relative");
}

std::string words_of(const KnownModel& model) {
  const auto& card = model.card;
  const auto& weights = card.weights;
  std::vector<std::array<std::string, 2>> rows = {{"licence", license_text(card)}};
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) rows.push_back({name, value});
  };
  add("", card.model.license_note);
  add("runs as", backend_words(card));
  const bool warps = card.model.task == predictors::NetworkTask::kWarp;
  add("input", warps ? "nearness, divergence and convergence" : input_words(card.input));
  add("output", warps ? "where the pixels of a view come from" : output_words(card.output));
  add("card", model.card_file ? model.card_file->string() : kInside);
  add("file", fmt::format("{}", fmt::join(weights.files, " or ")));
  add("size", model.bytes() > 0 ? size_text(model.bytes()) : "");
  add("address", weights.url);
  add("described at", weights.source);
  add("SHA-256", digest_words(model));
  add("where", place_words(model));
  // Only the networks that the program knows are options of the group.
  add("to use it", warps
                       ? fmt::format("vergence sbs PHOTO stereo.method={}", model.name)
                       : fmt::format("vergence depth PHOTO {}={}",
                                     model.card_file ? "predictor.name" : "predictor", model.name));
  auto text = model.name;
  if (!card.model.description.empty()) text += ": " + card.model.description;
  return text + "\n" + table(rows);
}

// A file to verify.
struct Target {
  std::string name;  // of the network, or of the file
  std::optional<fs::path> file = {};
  predictors::CardWeights weights = {};
  bool inside = false;
};

Target target_of(const KnownModel& model) {
  return {model.name, model.file, model.card.weights, model.embedded_bytes > 0};
}

Target target_of(const std::string& name, const std::vector<KnownModel>& models) {
  const auto known = std::find_if(models.begin(), models.end(),
                                  [&](const KnownModel& model) { return model.name == name; });
  if (known != models.end()) return target_of(*known);
  std::error_code ignored;
  // Gives the error for a name that is neither.
  if (!fs::exists(name, ignored)) return target_of(look_up(name));
  Target target{.name = name, .file = name};
  const auto file = fs::path(name).filename().string();
  for (const auto& model : models) {
    const auto& files = model.card.weights.files;
    if (std::find(files.begin(), files.end(), file) != files.end()) {
      target.weights = model.card.weights;
    }
  }
  return target;
}

struct VerifiedFile {
  std::string state;  // "ok", "differs", "unknown", "missing", "inside"
  std::string words;
  predictors::Verdict verdict;
};

VerifiedFile verify(const Target& target, const std::vector<KnownModel>& models,
                    Progress& progress) {
  if (target.inside) return {"inside", "needs no file", {}};
  if (!target.file) return {"missing", "its file is not on this machine", {}};
  const auto verdict = predictors::verify_weights(*target.file, target.weights, progress);
  const auto& expected = verdict.expected;
  const bool of_card = expected.source == ExpectedDigest::Source::kCard;
  const char* authority = of_card ? "its card" : "the first fetch";
  if (verdict.differs()) {
    return {"differs",
            fmt::format("{} where {} has {}", verdict.sha256, authority, expected.sha256), verdict};
  }
  if (expected.source != ExpectedDigest::Source::kNone) {
    return {"ok", fmt::format("{} as {} has it", verdict.sha256, authority), verdict};
  }
  for (const auto& model : models) {
    if (model.card.weights.sha256 == verdict.sha256) {
      return {"ok", fmt::format("{} as the card of '{}' has it", verdict.sha256, model.name),
              verdict};
    }
  }
  return {"unknown", fmt::format("{}, nothing to compare with", verdict.sha256), verdict};
}

ordered_json json_of(const Target& target, const VerifiedFile& verified) {
  return {{"name", target.name},
          {"file", target.file ? ordered_json(target.file->string()) : ordered_json()},
          {"state", verified.state},
          {"sha256", or_null(verified.verdict.sha256)},
          {"expected_sha256", or_null(verified.verdict.expected.sha256)}};
}

fs::path fetch_folder(const FetchRequest& request) {
  if (!request.folder.empty()) return request.folder;
  const auto folders = predictors::model_folders();
  if (!folders.empty()) return folders.front();
  throw Error(ErrorCode::kUsage, "there is no model folder to fetch into")
      .hint("set $VERGENCE_MODELS, or give --to DIR");
}

// The file that makes fetching needless.
std::optional<fs::path> present_file(const KnownModel& model, const FetchRequest& request) {
  if (request.force) return std::nullopt;
  if (request.folder.empty()) return model.file;
  for (const auto& file : model.card.weights.files) {
    std::error_code ignored;
    if (fs::is_regular_file(request.folder / file, ignored)) return request.folder / file;
  }
  return std::nullopt;
}

void check_license(const KnownModel& model, const FetchRequest& request) {
  if (model.card.model.commercial || request.accept_license || model.embedded_bytes > 0 ||
      present_file(model, request)) {
    return;
  }
  throw Error(ErrorCode::kUsage, fmt::format("the licence of '{}', {}, forbids commercial use",
                                             model.name, model.card.model.license))
      .hint("give --accept-license if you agree to it");
}

void log_license(const KnownModel& model) {
  const auto& card = model.card.model;
  const std::string note = card.license_note.empty() ? "" : "; " + card.license_note;
  if (card.commercial) {
    spdlog::info("'{}' is under the licence {}{}", model.name, card.license, note);
  } else {
    spdlog::warn("'{}' is for non-commercial use only: its licence is {}{}", model.name,
                 card.license, note);
  }
}

// Says that the file is there and what its digest is worth.
void check_present(const KnownModel& model, const fs::path& file, Progress& progress) {
  const auto verdict = predictors::verify_weights(file, model.card.weights, progress);
  progress.end();
  const bool of_card = verdict.expected.source == ExpectedDigest::Source::kCard;
  const char* authority = of_card ? "its card has" : "the first fetch had";
  if (verdict.differs()) {
    throw Error(fmt::format("'{}' is there already, but its SHA-256 is {} where {} {}",
                            file.string(), verdict.sha256, authority, verdict.expected.sha256))
        .hint("give --force to fetch it again");
  }
  if (verdict.expected.source == ExpectedDigest::Source::kNone) {
    spdlog::info("'{}' is there already; its SHA-256 is {}, with nothing to compare it with",
                 file.string(), verdict.sha256);
  } else {
    spdlog::info("'{}' is there already, with the SHA-256 that {}", file.string(), authority);
  }
}

predictors::FetchedWeights fetch_or_say_what_is_kept(const KnownModel& model,
                                                     const FetchRequest& request,
                                                     Progress& progress) {
  try {
    return predictors::fetch_weights(model.card,
                                     {.folder = fetch_folder(request),
                                      .url = request.url,
                                      .stall_s = request.stall_s,
                                      .tries = request.tries},
                                     progress);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInterrupted) {
      progress.end();
      spdlog::info("what has come of '{}' is kept: the same command goes on from there",
                   model.name);
    }
    throw;
  }
}

void log_digest(const predictors::FetchedWeights& fetched) {
  switch (fetched.compared_with) {
    case ExpectedDigest::Source::kCard:
      spdlog::info("SHA-256 {}, as the card says", fetched.sha256);
      break;
    case ExpectedDigest::Source::kPin:
      spdlog::info("SHA-256 {}, as at the first fetch", fetched.sha256);
      break;
    case ExpectedDigest::Source::kNone:
      spdlog::info("SHA-256 {}, pinned in '{}' because the card states none", fetched.sha256,
                   predictors::pin_path(fetched.file).string());
  }
}

}  // namespace

ModelsReport list_models() {
  ModelsReport report;
  std::vector<std::array<std::string, 4>> rows = {{"name", "licence", "size", "where"}};
  auto json = ordered_json::array();
  for (const auto& model : look_up_all(report.problems)) {
    const auto bytes = model.bytes();
    rows.push_back(
        {model.name, license_text(model.card), bytes > 0 ? size_text(bytes) : "-", model.where()});
    json.push_back(json_of(model));
  }
  report.text = table(rows);
  report.json = json_text(json);
  return report;
}

ModelsReport describe_models(std::span<const std::string> names) {
  ModelsReport report;
  auto json = ordered_json::array();
  for (const auto& name : names) {
    const auto model = look_up(name);
    report.text += (report.text.empty() ? "" : "\n") + words_of(model);
    json.push_back(json_of(model));
  }
  report.json = json_text(json);
  return report;
}

ModelsReport verify_models(std::span<const std::string> names, Progress& progress) {
  ModelsReport report;
  const auto models = look_up_all(report.problems);
  std::vector<Target> targets;
  for (const auto& name : names) targets.push_back(target_of(name, models));
  if (names.empty()) {
    for (const auto& model : models) {
      if (model.file && model.embedded_bytes == 0) targets.push_back(target_of(model));
    }
  }
  std::vector<std::array<std::string, 3>> rows;
  auto json = ordered_json::array();
  for (const auto& target : targets) {
    const auto verified = verify(target, models, progress);
    rows.push_back({verified.state, target.name, verified.words});
    json.push_back(json_of(target, verified));
    if (verified.state == "missing" || verified.state == "differs") ++report.num_failed;
  }
  report.num_files = static_cast<int>(targets.size());
  report.text = rows.empty() ? "no files of networks are on this machine\n" : table(rows);
  report.json = json_text(json);
  return report;
}

void check_fetch(std::span<const std::string> names, const FetchRequest& request) {
  if (names.size() > 1 && !request.url.empty()) {
    throw Error(ErrorCode::kUsage, "'models.url' is the address of one network")
        .hint("fetch one at a time with it");
  }
  for (const auto& name : names) check_license(look_up(name), request);
}

std::optional<fs::path> fetch_model(const std::string& name, const FetchRequest& request,
                                    Progress& progress) {
  const auto model = look_up(name);
  if (model.embedded_bytes > 0) {
    spdlog::info("'{}' is inside the program: there is nothing to fetch", name);
    return std::nullopt;
  }
  if (auto file = present_file(model, request)) {
    check_present(model, *file, progress);
    return file;
  }
  log_license(model);
  const auto fetched = fetch_or_say_what_is_kept(model, request, progress);
  progress.end();
  log_digest(fetched);
  return fetched.file;
}

}  // namespace vergence::pipeline
