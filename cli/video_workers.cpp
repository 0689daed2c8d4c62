// SPDX-License-Identifier: Apache-2.0
#include "cli/video_workers.hpp"

namespace vergence::cli {

pipeline::VideoWorkers video_workers(const Work& work, std::size_t num_inputs) {
  if (!work.workers.run || num_inputs != 1) return {};
  return {.count = work.workers.count,
          .threads = work.workers.threads,
          .run = [&work](const std::filesystem::path& folder,
                         std::span<const pipeline::VideoTask> tasks,
                         const std::function<void(std::size_t)>& ended) {
            std::vector<std::string> texts;
            for (const auto& task : tasks) texts.push_back(to_string(task));
            return work.workers.run(folder, texts, ended);
          }};
}

}  // namespace vergence::cli
