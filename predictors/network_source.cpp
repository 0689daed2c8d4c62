// SPDX-License-Identifier: Apache-2.0
#include "predictors/network_source.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/module.hpp"
#include "core/parallel.hpp"
#include "predictors/embedded.hpp"
#include "predictors/model_registry.hpp"
#include "predictors/weight_file.hpp"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstdlib>
#include <mutex>
#include <set>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace vergence::predictors {
namespace {

void check(const RunOptions& run) {
  constexpr std::string_view kCuda = "cuda:";
  const std::string& device = run.device;
  const std::string number = device.starts_with(kCuda) ? device.substr(kCuda.size()) : "";
  const bool numbered = !number.empty() && number.size() <= 2 &&
                        std::all_of(number.begin(), number.end(),
                                    [](unsigned char c) { return std::isdigit(c) != 0; });
  if (device != "auto" && device != "cpu" && device != "cuda" && !numbered) {
    throw Error(ErrorCode::kUsage, fmt::format("there is no device '{}'", device))
        .hint("use 'auto', 'cpu', 'cuda' or 'cuda:N'");
  }
  constexpr int kMostThreads = 1024;
  if (run.threads < 0 || run.threads > kMostThreads) {
    throw Error(ErrorCode::kUsage,
                fmt::format("'threads' must be from 0 to {}, not {}", kMostThreads, run.threads))
        .hint("0 takes all cores");
  }
}

Error missing_weights(const ModelCard& card) {
  Error error(fmt::format("the weights of '{}' are not on this machine", card.model.id));
  const bool has_path = card.model.task == NetworkTask::kDepth;
  if (card.weights.files.empty()) {
    return std::move(error).hint(has_path ? "give the network's file with predictor.path=FILE"
                                          : "name its file in its card");
  }
  const auto folders = model_folders();
  return std::move(error).hint(fmt::format(
      "{}put '{}' into '{}'{}",
      card.weights.url.empty() ? ""
                               : fmt::format("run 'vergence models fetch {}', ", card.model.id),
      card.weights.files.front(), folders.empty() ? "$VERGENCE_MODELS" : folders.front().string(),
      has_path ? ", or give predictor.path=FILE" : ""));
}

// The file to load. That it is code or weights, as the card needs, is told by its content.
std::filesystem::path checked_weights(const ModelCard& card, const std::filesystem::path& given) {
  const auto found = given.empty() ? find_weights(card) : std::optional(given);
  if (!found) throw missing_weights(card);
  const WeightFormat format = weight_format(map_file(*found).bytes);
  if (card.model.backend == "torchscript" && format != WeightFormat::kTorchScript) {
    throw Error(
        fmt::format("'{}' is not a TorchScript file but {}", found->string(), to_string(format)))
        .hint(
            "export the network with torch.jit.trace or torch.jit.script and save() it "
            "(docs/model-cards.md)");
  }
  if (card.model.backend != "torchscript" && format != WeightFormat::kSafetensors &&
      format != WeightFormat::kCheckpoint) {
    throw Error(fmt::format("'{}' holds no weights: it is {}", found->string(), to_string(format)))
        .hint(format == WeightFormat::kTorchScript
                  ? "use predictor=torchscript with a model card for it"
                  : "give the official checkpoint (.pth, .pt) or a .safetensors file");
  }
  return *found;
}

// Once for each network in a program's life.
void warn_if_not_commercial(const CardModel& model) {
  static std::mutex mutex;
  static std::set<std::string> told;
  if (model.commercial) return;
  const std::scoped_lock lock(mutex);
  if (!told.insert(model.id).second) return;
  spdlog::warn("the weights of '{}' are not free for commercial use: {}{}", model.id, model.license,
               model.license_note.empty() ? "" : "; " + model.license_note);
}

}  // namespace

NetworkSource network_source(const ModelCard& card, const std::filesystem::path& weights,
                             const RunOptions& run) {
  check(run);
  NetworkSource source;
  source.name = card.model.id;
  source.backend = card.model.backend;
  source.embedded =
      weights.empty() ? embedded_weights(card.model.id) : std::span<const std::byte>{};
  if (source.embedded.empty()) source.file = checked_weights(card, weights);
  source.device = run.device;
  source.threads = run.threads > 0 ? run.threads : thread_count();
  source.precision = run.precision;
  source.bfloat16_is_proven = card.limits.bfloat16_error > 0.0;
  warn_if_not_commercial(card.model);
  return source;
}

std::unique_ptr<Network> open_network(const NetworkSource& source) {
  // LibTorch's OpenMP threads wait for each other in a busy loop, which makes a network 10-20 times
  // slower as soon as another program wants the same core (measured: nano on 20 views with two
  // threads, two busy cores, 7-9 s against 1.2 s). It reads this once, when it is mapped.
  ::setenv("OMP_WAIT_POLICY", "PASSIVE", /*overwrite=*/0);
  const auto open = reinterpret_cast<decltype(&vergence_open_network)>(
      module_symbol("torch", "vergence_open_network"));
  return std::unique_ptr<Network>(open(source));
}

void for_each_item(int count, int threads,
                   const std::function<void(int index, int threads)>& body) {
  const int all = threads > 0 ? threads : thread_count();
  const int workers = std::min({all, thread_count(), count});
  std::atomic<int> next{0};
  parallel_for(
      0, workers,
      [&](int first, int last) {
        for (int worker = first; worker < last; ++worker) {
          for (int i = next++; i < count; i = next++) {
            throw_if_interrupted();
            body(i, all / workers);
          }
        }
      },
      1);
}

}  // namespace vergence::predictors
