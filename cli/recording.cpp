// SPDX-License-Identifier: Apache-2.0
#include "cli/recording.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "core/parallel.hpp"
#include "pipeline/options.hpp"
#include "pipeline/outputs.hpp"
#include "pipeline/predictor_pool.hpp"
#include "pipeline/run_result.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

namespace vergence::cli {
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

constexpr int kPreviewPx = 480;
constexpr std::size_t kMaxPreviews = 6;

pipeline::PredictorPool& pool() {
  static pipeline::PredictorPool the_pool;
  return the_pool;
}

void flatten(const Json& value, const std::string& name, std::vector<runs::Metric>& metrics) {
  if (value.is_number()) metrics.emplace_back(name, value.get<double>());
  if (value.is_boolean()) metrics.emplace_back(name, value.get<bool>() ? 1.0 : 0.0);
  if (!value.is_object()) return;
  for (const auto& [key, inner] : value.items()) {
    flatten(inner, name.empty() ? key : fmt::format("{}.{}", name, key), metrics);
  }
}

// The numbers of a report. Of depth those weighted by area where there are such, by their plain
// names; what tells about the pixels alone stays out.
std::vector<runs::Metric> metrics_in(const std::string& json) {
  const auto report = Json::parse(json);
  std::vector<runs::Metric> metrics;
  if (!report.contains("plain")) {
    flatten(report, "", metrics);
    return metrics;
  }
  const bool weighted = report.contains("spherical") && report["spherical"].is_object();
  flatten(report[weighted ? "spherical" : "plain"], "", metrics);
  if (const auto& seam = report["seam"]; seam.is_object()) {
    flatten(seam.at("seam"), "seam", metrics);
  }
  std::erase_if(metrics, [](const runs::Metric& metric) {
    return metric.first == "num_pixels" || metric.first == "total_weight";
  });
  return metrics;
}

// What "auto" comes to where that is plain: without NVIDIA's driver there is but the processor.
std::string device_name(const std::string& asked) {
  const bool driver = fs::exists("/dev/nvidiactl") || fs::exists("/dev/dxg");
  return asked == "auto" && !driver ? "cpu" : asked;
}

// Fills the record of one job.
class Recorder {
 public:
  explicit Recorder(const Work& work) : work_(work), record_(*work.record) {}

  void run(const std::function<void(const Work&)>& command) {
    begin();
    Work watched = work_with_ears();
    const auto before = pool().counts();
    const auto finish = [&] {
      record_.views_predicted = pool().counts().predicted - before.predicted;
      record_.views_reused = pool().counts().reused - before.reused;
      note_outputs();
    };
    try {
      run_apart(watched, command);
      evaluate();
    } catch (...) {
      finish();
      throw;
    }
    finish();
  }

 private:
  void begin() {
    const auto seed = work_.config.integer("run.seed");
    cv::setRNGSeed(static_cast<int>(seed));
    record_.seeds = {{"run.seed", seed}};
    record_.threads = thread_count();
    record_.device = device_name(work_.config.string("device"));
    for (const auto& input : work_.input_files) note_input(input, "");
    for (const auto& name : {work_.prediction, work_.ground_truth}) note_input(name, "");
    const bool no_network = work_.command == "eval" || work_.command == "views";
    for (const auto& file : pipeline::files_named_by(work_.config)) {
      if (no_network && file.key.starts_with("weights of ")) continue;
      note_input(file.path, file.key);
    }
    for (const auto& truth : record_.ground_truths) note_input(truth, "run.ground_truth");
  }

  void note_input(const fs::path& path, const std::string& key) {
    std::error_code error;
    const auto bytes = fs::file_size(path, error);
    if (path.empty() || error) return;
    record_.inputs.push_back({.path = path.string(),
                              .sha256 = pipeline::digest_of(path, no_progress()),
                              .bytes = bytes,
                              .key = key});
  }

  Work work_with_ears() {
    Work watched = work_;
    watched.print = [this](std::string_view line) {
      outputs_.emplace_back(line);
      work_.print(line);
    };
    watched.note_result = [this](const fs::path& input, const fs::path& output) {
      results_.emplace_back(input, output);
    };
    watched.note_metrics = [this](const std::string& input, const std::string& json) {
      record_.metrics.push_back({input, metrics_in(json)});
    };
    return watched;
  }

  // Inputs of one name, from different folders, would be written to one file: each then gets a
  // folder of its own, named after the one that it comes from.
  void run_apart(Work& work, const std::function<void(const Work&)>& command) {
    const auto& files = work_.input_files;
    std::map<std::string, int> counts;
    for (const auto& file : files) ++counts[file.stem().string()];
    const bool shared = std::any_of(counts.begin(), counts.end(),
                                    [](const auto& entry) { return entry.second > 1; });
    if (!shared || !work.output.ends_with('/')) {
      command(work);
      return;
    }
    const std::string output = work.output;
    std::set<std::string> taken;
    for_each_input(work_, files.size(), [&](std::size_t i) {
      const auto parent = fs::absolute(files[i]).lexically_normal().parent_path().filename();
      std::string folder = parent.string();
      for (int n = 2; !taken.insert(folder).second; ++n) {
        folder = fmt::format("{}_{}", parent.string(), n);
      }
      work.inputs = {files[i].string()};
      work.output = output + folder + "/";
      command(work);
    });
  }

  // Results against their ground truths, in the order of the inputs.
  void evaluate() {
    for (const auto& [input, output] : results_) {
      const auto at = std::find(work_.input_files.begin(), work_.input_files.end(), input);
      const auto i = static_cast<std::size_t>(at - work_.input_files.begin());
      if (i >= record_.ground_truths.size() || record_.ground_truths[i].empty()) continue;
      work_.progress.begin("evaluating", "files", 1);
      const auto report = pipeline::evaluate_result(output, record_.ground_truths[i], work_.config);
      record_.metrics.push_back({name_of(input), metrics_in(report.json)});
      work_.progress.end();
    }
  }

  // The file's name, with its folder where names are shared.
  [[nodiscard]] std::string name_of(const fs::path& input) const {
    const auto same =
        std::count_if(work_.input_files.begin(), work_.input_files.end(),
                      [&](const fs::path& other) { return other.filename() == input.filename(); });
    if (same < 2) return input.filename().string();
    return (fs::absolute(input).lexically_normal().parent_path().filename() / input.filename())
        .string();
  }

  void note_outputs() {
    const auto folder = work_.record_folder.parent_path();
    for (const auto& line : outputs_) {
      std::error_code error;
      const fs::path path = line;
      const auto bytes = fs::is_regular_file(path, error) ? fs::file_size(path, error) : 0;
      if (error || bytes == 0) continue;
      const auto relative = fs::absolute(path).lexically_normal().lexically_relative(
          fs::absolute(folder).lexically_normal());
      const bool inside = !relative.empty() && *relative.begin() != "..";
      record_.outputs.push_back({.path = inside ? relative.string() : path.string(),
                                 .sha256 = pipeline::digest_of(path, no_progress()),
                                 .bytes = bytes,
                                 .key = ""});
    }
    add_previews();
  }

  // Where a job writes colour previews of its own, those; else the pictures that it makes.
  void add_previews() {
    std::vector<fs::path> pictures;
    for (const auto& line : outputs_) {
      if (fs::path(line).stem().string().ends_with("_preview")) pictures.emplace_back(line);
    }
    if (pictures.empty()) pictures.assign(outputs_.begin(), outputs_.end());
    for (const auto& path : pictures) {
      if (record_.previews.size() >= kMaxPreviews) break;
      std::error_code error;
      if (!fs::is_regular_file(path, error)) continue;
      try {
        const auto jpeg = pipeline::small_picture(path, kPreviewPx);
        if (!jpeg) continue;
        const auto name = fmt::format("preview_{}.jpg", record_.previews.size());
        write_file(work_.record_folder / name,
                   {reinterpret_cast<const char*>(jpeg->data()), jpeg->size()});
        record_.previews.push_back(name);
      } catch (const Error&) {
        // A job does not fail for want of a thumbnail.
      }
    }
  }

  const Work& work_;
  runs::Record& record_;
  std::vector<std::string> outputs_;
  std::vector<std::pair<fs::path, fs::path>> results_;
};

}  // namespace

void run_recorded(const Work& work, const std::function<void(const Work&)>& command) {
  auto& record = *work.record;
  record.inputs.clear();
  record.outputs.clear();
  record.previews.clear();
  record.metrics.clear();
  Recorder(work).run(command);
}

std::vector<std::unique_ptr<DepthPredictor>> shared_networks(const Work& work) {
  return work.record != nullptr ? pool().predictors(work.config)
                                : pipeline::make_predictors(work.config);
}

}  // namespace vergence::cli
