// SPDX-License-Identifier: Apache-2.0
// A network behind the DepthPredictor interface: card, preprocessing, workers.
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/module.hpp"
#include "core/parallel.hpp"
#include "predictors/embedded.hpp"
#include "predictors/model_card.hpp"
#include "predictors/network.hpp"
#include "predictors/predictor_factory.hpp"
#include "predictors/preprocessing.hpp"
#include "predictors/weight_file.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <cstdlib>

#include <fmt/format.h>

namespace vergence::predictors {
namespace {

class NetworkPredictor : public DepthPredictor {
 public:
  NetworkPredictor(ModelCard card, NetworkSource source, const RunOptions& run)
      : card_(std::move(card)),
        source_(std::move(source)),
        threads_(run.threads) {
    source_.name = card_.model.id;
    source_.backend = card_.model.backend;
    source_.output = card_.output.depth;
    source_.device = run.device;
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
    network_.reset(open_network(source_));
  }

  [[nodiscard]] AnyDepth map_of(const PredictorInput& picture, int threads) {
    const Placement placement = placement_of(card_.input, picture);
    const std::array<int, 4> shape = {1, 3, placement.input.height, placement.input.width};
    cv::Mat batch(static_cast<int>(shape.size()), shape.data(), CV_32F);
    write_planes(card_.input, picture.rgb, placement, batch.ptr<float>());
    return depth_of(card_.output, network_->run(batch, threads).front(), placement);
  }

  ModelCard card_;
  NetworkSource source_;
  int threads_;
  PredictorInfo info_;
  std::unique_ptr<Network> network_;
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

}  // namespace

std::unique_ptr<DepthPredictor> make_nano(const NanoOptions& options, const RunOptions& run) {
  check(run);
  constexpr int kSmallest = 64;
  constexpr int kLargest = 2048;
  if (options.size_px < kSmallest || options.size_px > kLargest) {
    throw Error(ErrorCode::kUsage,
                fmt::format("the size of 'nano' must be from {} to {} pixels, not {}", kSmallest,
                            kLargest, options.size_px))
        .hint("224 to 256 is best");
  }
  ModelCard card = builtin_model_card("nano");
  card.input.size = options.size_px;
  NetworkSource source;
  source.embedded = find_embedded_model("nano")->weights;
  return std::make_unique<NetworkPredictor>(std::move(card), std::move(source), run);
}

std::unique_ptr<DepthPredictor> make_torchscript(const TorchScriptOptions& options,
                                                 const RunOptions& run) {
  check(run);
  ModelCard card = read_model_card(options.card);
  if (card.model.backend != "torchscript") {
    throw Error(ErrorCode::kUsage, fmt::format("the model card '{}' is one for backend '{}'",
                                               options.card.string(), card.model.backend))
        .hint("predictor=torchscript needs backend = \"torchscript\"");
  }
  const WeightFormat format = weight_format(map_file(options.path).bytes);
  if (format != WeightFormat::kTorchScript) {
    throw Error(fmt::format("'{}' is not a TorchScript file but {}", options.path.string(),
                            to_string(format)))
        .hint(
            "export the network with torch.jit.trace or torch.jit.script and save() it "
            "(docs/model-cards.md)");
  }
  NetworkSource source;
  source.file = options.path;
  return std::make_unique<NetworkPredictor>(std::move(card), std::move(source), run);
}

}  // namespace vergence::predictors
