// SPDX-License-Identifier: Apache-2.0
// vergence mesh INPUT [-o OUT.glb|gltf|fbx|obj|ply] [--depth FILE]
#include "cli/recording.hpp"
#include "cli/work.hpp"
#include "core/error.hpp"
#include "pipeline/mesh_job.hpp"
#include "pipeline/options.hpp"
#include "pipeline/outputs.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

namespace vergence::cli {
namespace {

struct MeshSource {
  pipeline::DepthResult depth;
  cv::Mat rgb;  // empty: no picture
};

class MeshCommand {
 public:
  explicit MeshCommand(const Work& work)
      : work_(work),
        source_options_(pipeline::source_options(work.config)),
        depth_options_(pipeline::depth_options(work.config)),
        mesh_options_(pipeline::mesh_options(work.config)),
        own_(pipeline::own_depth(work.config)) {}

  void run() {
    auto inputs = work_.inputs;
    if (inputs.empty()) {
      if (!own_) {
        throw Error(ErrorCode::kUsage, "'mesh' needs an input")
            .hint("usage: vergence mesh INPUT [-o OUT.glb] [--depth FILE]");
      }
      inputs.push_back(own_->path.string());
      lone_ = true;
    }
    const auto extensions = pipeline::mesh_output_extensions();
    const bool surface = mesh_options_.kind == pipeline::MeshKind::kSurface;
    const auto batch =
        pipeline::plan_batch(inputs, work_.output, {"", surface ? ".glb" : ".ply", extensions});
    for (const auto& item : batch) pipeline::check_mesh_output(item.output, mesh_options_.kind);
    for_each_input(work_, batch.size(), [&](std::size_t i) { make(batch[i]); });
  }

 private:
  MeshSource open(const std::filesystem::path& input) {
    if (lone_ || (!own_ && pipeline::is_depth_file(input))) {
      const auto file = lone_ ? *own_ : pipeline::own_depth_at(input, work_.config);
      return {pipeline::use_lone_depth(file, source_options_, depth_options_), {}};
    }
    auto source = pipeline::open_source(input, source_options_);
    if (own_) {
      auto depth = pipeline::use_own_depth(*own_, source, depth_options_);
      return {std::move(depth), source.rgb};
    }
    // Made once, for the first picture that needs it.
    if (predictors_.empty()) predictors_ = shared_networks(work_);
    auto depth = pipeline::estimate_depth(source, predictors_, depth_options_, work_.progress);
    return {std::move(depth), source.rgb};
  }

  void make(const pipeline::BatchItem& item) {
    pipeline::check_writable(item.output);
    const auto [depth, rgb] = open(item.input);
    const auto paths =
        pipeline::write_mesh_result(item.output, depth, rgb, mesh_options_, work_.progress);
    work_.progress.end();
    for (const auto& path : paths) work_.print(path.string());
  }

  const Work& work_;
  pipeline::SourceOptions source_options_;
  pipeline::DepthOptions depth_options_;
  pipeline::MeshJobOptions mesh_options_;
  std::optional<pipeline::OwnDepth> own_;
  std::vector<std::unique_ptr<DepthPredictor>> predictors_;
  bool lone_ = false;
};

}  // namespace

void run_mesh(const Work& work) {
  MeshCommand(work).run();
}

}  // namespace vergence::cli
