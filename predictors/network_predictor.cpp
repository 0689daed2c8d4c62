// SPDX-License-Identifier: Apache-2.0
// A network behind the DepthPredictor interface: card, preprocessing, workers.
#include "core/angle.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/module.hpp"
#include "core/parallel.hpp"
#include "predictors/embedded.hpp"
#include "predictors/model_card.hpp"
#include "predictors/model_registry.hpp"
#include "predictors/network.hpp"
#include "predictors/network_size.hpp"
#include "predictors/postprocessing.hpp"
#include "predictors/predictor_factory.hpp"
#include "predictors/preprocessing.hpp"
#include "predictors/weight_file.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <mutex>
#include <set>

#include <fmt/format.h>
#include <opencv2/core.hpp>
#include <spdlog/spdlog.h>

namespace vergence::predictors {
namespace {

// Where nothing is known about the camera, as in the rest of the program.
constexpr Radians kAssumedFov = Radians::from_degrees(60.0);

bool needs_focal_length(const ModelCard& card) {
  const auto& extra = card.input.extra;
  return card.output.canonical || std::any_of(extra.begin(), extra.end(), [](ExtraInput input) {
           return input != ExtraInput::kNumTokens;
         });
}

class NetworkPredictor : public DepthPredictor {
 public:
  NetworkPredictor(ModelCard card, NetworkSource source, const RunOptions& run, bool flip)
      : card_(std::move(card)),
        source_(std::move(source)),
        threads_(run.threads),
        flip_(flip || card_.post.flip_average) {
    source_.name = card_.model.id;
    source_.backend = card_.model.backend;
    source_.outputs = named_outputs(card_.output);
    source_.input_type = card_.input.type;
    source_.device = run.device;
    source_.bfloat16_is_proven = card_.limits.bfloat16_error > 0.0;
    info_ = {.name = card_.model.id,
             .licence = card_.model.license,
             .kind = card_.output.kind,
             .metric = card_.output.metric,
             .preferred_size_px = preferred_size_px(card_.input)};
  }

  [[nodiscard]] const PredictorInfo& info() const override { return info_; }

  // One worker per thread takes pictures one by one: on a CPU that beats threads inside the network
  // by far (bench/predictor_bench.cpp). Batches would save another eighth, but then a picture's
  // result would depend, in its last bits, on how many others come with it.
  [[nodiscard]] std::vector<AnyDepth> predict(std::span<const PredictorInput> pictures,
                                              Progress& progress) override {
    if (pictures.empty()) return {};
    open();
    const int count = static_cast<int>(pictures.size());
    const int threads = threads_ > 0 ? threads_ : thread_count();
    const int workers = std::min({threads, thread_count(), count});
    std::vector<AnyDepth> maps(pictures.size());
    std::atomic<int> next{0};
    parallel_for(
        0, workers,
        [&](int first, int last) {
          for (int worker = first; worker < last; ++worker) {
            for (int i = next++; i < count; i = next++) {
              throw_if_interrupted();
              const auto index = static_cast<std::size_t>(i);
              maps[index] = map_of(pictures[index], threads / workers);
              progress.advance();
            }
          }
        },
        1);
    return maps;
  }

 private:
  void open() {
    if (network_) return;
    // LibTorch's OpenMP threads wait for each other in a busy loop, which makes a network 10-20
    // times slower as soon as another program wants the same core (measured: nano on 20 views with
    // two threads, two busy cores, 7-9 s against 1.2 s). It reads this once, when it is mapped.
    ::setenv("OMP_WAIT_POLICY", "PASSIVE", /*overwrite=*/0);
    const auto open_network = reinterpret_cast<decltype(&vergence_open_network)>(
        module_symbol("torch", "vergence_open_network"));
    source_.threads = threads_ > 0 ? threads_ : thread_count();
    network_.reset(open_network(source_));
  }

  [[nodiscard]] AnyDepth map_of(const PredictorInput& picture, int threads) {
    const SeenPicture seen = {.size = picture.rgb.size(),
                              .focal_px = focal_of(picture),
                              .placement = placement_of(card_.input, picture)};
    Prediction prediction = predicted(picture.rgb, seen, threads);
    if (flip_) {
      cv::Mat mirrored;
      cv::flip(picture.rgb, mirrored, 1);
      prediction = averaged(prediction, predicted(mirrored, seen, threads));
    }
    return depth_of(card_, prediction, seen);
  }

  [[nodiscard]] double focal_of(const PredictorInput& picture) {
    if (picture.focal_px > 0.0 || !needs_focal_length(card_)) return picture.focal_px;
    std::call_once(focal_warning_, [&] {
      spdlog::warn(
          "the network '{}' needs the focal length, which is not known for '{}': a field of view "
          "of {:.0f} degrees is assumed",
          card_.model.id, picture.name, kAssumedFov.degrees());
    });
    return picture.rgb.cols / (2.0 * std::tan(kAssumedFov.value() / 2.0));
  }

  [[nodiscard]] Prediction predicted(const cv::Mat& rgb, const SeenPicture& seen, int threads) {
    const Placement& placement = seen.placement;
    const std::array<int, 4> shape = {1, 3, placement.input.height, placement.input.width};
    cv::Mat batch(static_cast<int>(shape.size()), shape.data(), CV_32F);
    write_planes(card_.input, rgb, placement, batch.ptr<float>());
    const auto arguments = extra_arguments(card_.input, placement, seen.focal_px);
    try {
      return prediction_of(card_, network_->evaluate(batch, arguments, threads), seen);
    } catch (const Error&) {
      throw_if_traced_at_one_size(placement.input, threads);
      throw;
    }
  }

  // A traced file often works at the one size at which it was traced; only a run on zeros of
  // another size tells, and only where something failed is it worth its time.
  void throw_if_traced_at_one_size(cv::Size failed, int threads) {
    if (card_.model.backend != "torchscript" || has_fixed_size(card_.input)) return;
    const int side = preferred_size_px(card_.input);
    if (failed == cv::Size(side, side)) return;
    const std::array<int, 4> shape = {1, 3, side, side};
    const cv::Mat zeros = cv::Mat::zeros(static_cast<int>(shape.size()), shape.data(), CV_32F);
    const cv::Mat black = cv::Mat::zeros(side, side, CV_8UC3);
    try {
      const Placement placement = placement_of(card_.input, {.name = "", .rgb = black});
      (void)network_->evaluate(zeros, extra_arguments(card_.input, placement, side), threads);
    } catch (const Error&) {
      return;  // it fails at any size
    }
    throw Error(fmt::format("the network '{}' works on {}x{} pixels but not on {}x{}: its file was "
                            "traced at one size",
                            card_.model.id, side, side, failed.width, failed.height))
        .hint(fmt::format("write fixed_shape = [{}, {}] under [limits] in its card", side, side));
  }

  ModelCard card_;
  NetworkSource source_;
  int threads_;
  bool flip_;
  PredictorInfo info_;
  std::unique_ptr<Network> network_;
  std::once_flag focal_warning_;
};

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

void set_size(ModelCard& card, int size_px) {
  if (size_px == 0) return;
  constexpr int kSmallest = 64;
  constexpr int kLargest = 4096;
  if (has_fixed_size(card.input)) {
    throw Error(ErrorCode::kUsage,
                fmt::format("the network '{}' takes {}x{} pixels only", card.model.id,
                            card.input.exact_size.width, card.input.exact_size.height))
        .hint("leave predictor.size_px out");
  }
  if (size_px < kSmallest || size_px > kLargest) {
    throw Error(ErrorCode::kUsage,
                fmt::format("the size of '{}' must be from {} to {} pixels, not {}", card.model.id,
                            kSmallest, kLargest, size_px))
        .hint(fmt::format("{} is what the network was made for", preferred_size_px(card.input)));
  }
  card.input.size = size_px;
  card.input.min_pixels = card.input.max_pixels = static_cast<double>(size_px) * size_px;
}

Error missing_weights(const ModelCard& card) {
  Error error(fmt::format("the weights of '{}' are not on this machine", card.model.id));
  if (card.weights.files.empty()) {
    return std::move(error).hint("give the network's file with predictor.path=FILE");
  }
  const auto folders = model_folders();
  return std::move(error).hint(fmt::format(
      "{}put '{}' into '{}', or give predictor.path=FILE",
      card.weights.url.empty() ? ""
                               : fmt::format("run 'vergence models fetch {}', ", card.model.id),
      card.weights.files.front(), folders.empty() ? "$VERGENCE_MODELS" : folders.front().string()));
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

std::optional<Precision> precision_from_string(std::string_view word) {
  if (word == "auto") return Precision::kAuto;
  if (word == "f32") return Precision::kFloat32;
  if (word == "bf16") return Precision::kBFloat16;
  return std::nullopt;
}

std::unique_ptr<DepthPredictor> make_network(const NetworkOptions& options, const RunOptions& run) {
  check(run);
  ModelCard card =
      options.card.empty() ? find_model_card(options.name) : read_model_card(options.card);
  set_size(card, options.size_px);
  NetworkSource source;
  source.embedded =
      options.weights.empty() ? embedded_weights(card.model.id) : std::span<const std::byte>{};
  if (source.embedded.empty()) source.file = checked_weights(card, options.weights);
  source.precision = run.precision;
  warn_if_not_commercial(card.model);
  return std::make_unique<NetworkPredictor>(std::move(card), std::move(source), run, options.flip);
}

}  // namespace vergence::predictors
