// SPDX-License-Identifier: Apache-2.0
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"
#include "predictors/predictor_factory.hpp"

#include <array>

#include <fmt/format.h>

namespace vergence::predictors {
namespace {

namespace fs = std::filesystem;

// In the order in which they are looked for: the lossless first.
constexpr std::array<std::string_view, 4> kExtensions = {".npy", ".exr", ".pfm", ".png"};

class FilesPredictor : public DepthPredictor {
 public:
  explicit FilesPredictor(const FilesOptions& options) : options_(options) {
    std::error_code ignored;
    if (!fs::is_directory(options.folder, ignored)) {
      throw Error(fmt::format("'{}' is no folder of depth maps", options.folder.string()))
          .hint("give the folder that holds one map per view");
    }
    info_.name = "files";
    info_.kind = options.kind;
    info_.metric = options.metric;
  }

  [[nodiscard]] const PredictorInfo& info() const override { return info_; }

  [[nodiscard]] std::vector<AnyDepth> predict(std::span<const PredictorInput> pictures,
                                              Progress& progress) override {
    std::vector<AnyDepth> maps;
    maps.reserve(pictures.size());
    for (const auto& picture : pictures) {
      throw_if_interrupted();
      maps.push_back(map_of(picture.name));
      progress.advance();
    }
    return maps;
  }

 private:
  [[nodiscard]] AnyDepth map_of(const std::string& name) const {
    const fs::path file = file_of(name);
    AnyDepth map = options_.read(file, options_.kind);
    if (kind_of(map) != options_.kind || values_of(map).empty()) {
      throw Error(fmt::format("'{}' holds {} instead of {}", file.string(),
                              values_of(map).empty() ? "nothing" : to_string(kind_of(map)),
                              to_string(options_.kind)))
          .hint("set predictor.kind to what the files hold");
    }
    return map;
  }

  [[nodiscard]] fs::path file_of(const std::string& name) const {
    std::vector<std::string> tried;
    for (const auto extension : kExtensions) {
      tried.push_back(name + std::string(extension));
      std::error_code ignored;
      if (fs::exists(options_.folder / tried.back(), ignored))
        return options_.folder / tried.back();
    }
    throw Error(fmt::format("there is no depth map for '{}' in '{}': looked for {}", name,
                            options_.folder.string(), quoted_list(tried)))
        .hint("run the network on every picture that `vergence views` writes");
  }

  FilesOptions options_;
  PredictorInfo info_;
};

}  // namespace

std::unique_ptr<DepthPredictor> make_files(const FilesOptions& options) {
  return std::make_unique<FilesPredictor>(options);
}

}  // namespace vergence::predictors
