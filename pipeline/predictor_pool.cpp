// SPDX-License-Identifier: Apache-2.0
#include "pipeline/predictor_pool.hpp"

#include "pipeline/options.hpp"
#include "predictors/sha256.hpp"

#include <algorithm>
#include <list>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <opencv2/core.hpp>

namespace vergence::pipeline {
namespace {

// What a network's maps depend on, apart from the picture.
std::string settings_key(const Network& network) {
  const auto& [options, run] = network;
  return fmt::format("{}\n{}\n{}\n{} {} {}\n{} {}\n", options.name, options.card.string(),
                     options.weights.string(), options.size_px, options.flip, run.device,
                     run.threads, static_cast<int>(run.precision));
}

std::string picture_key(const std::string& network, const PredictorInput& picture) {
  predictors::Sha256 digest;
  const auto head = fmt::format("{}\n{} {} {} {:a}\n", network, picture.rgb.cols, picture.rgb.rows,
                                picture.rgb.type(), picture.focal_px);
  digest.update(std::as_bytes(std::span(head)));
  for (int y = 0; y < picture.rgb.rows; ++y) {
    const auto* row = picture.rgb.ptr<std::byte>(y);
    digest.update({row, picture.rgb.cols * picture.rgb.elemSize()});
  }
  return digest.hex();
}

// Jobs may change what they get.
AnyDepth copy_of(const AnyDepth& depth) {
  AnyDepth copy = depth;
  std::visit([](auto& map) { map.values() = map.values().clone(); }, copy);
  return copy;
}

std::size_t bytes_of(const AnyDepth& depth) {
  const auto& values = values_of(depth);
  return values.total() * values.elemSize();
}

}  // namespace

// Maps by key, the one used last in front.
class PredictorPool::Maps {
 public:
  explicit Maps(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  [[nodiscard]] const AnyDepth* find(const std::string& key) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return nullptr;
    maps_.splice(maps_.begin(), maps_, found->second);
    return &found->second->second;
  }

  void add(const std::string& key, const AnyDepth& depth) {
    if (by_key_.contains(key)) return;
    maps_.emplace_front(key, copy_of(depth));
    by_key_[key] = maps_.begin();
    bytes_ += bytes_of(depth);
    while (bytes_ > max_bytes_ && !maps_.empty()) {
      bytes_ -= bytes_of(maps_.back().second);
      by_key_.erase(maps_.back().first);
      maps_.pop_back();
    }
  }

  Counts counts;

 private:
  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::list<std::pair<std::string, AnyDepth>> maps_;
  std::unordered_map<std::string, std::list<std::pair<std::string, AnyDepth>>::iterator> by_key_;
};

struct PredictorPool::Loaded {
  // A network that runs only on pictures that it has not seen.
  class Remembering final : public DepthPredictor {
   public:
    Remembering(std::shared_ptr<DepthPredictor> network, std::string key, Maps& maps)
        : network_(std::move(network)),
          key_(std::move(key)),
          maps_(maps) {}

    [[nodiscard]] const PredictorInfo& info() const override { return network_->info(); }

    [[nodiscard]] std::vector<AnyDepth> predict(std::span<const PredictorInput> pictures,
                                                Progress& progress) override {
      std::vector<AnyDepth> result(pictures.size());
      std::vector<std::string> keys;
      std::vector<PredictorInput> unseen;
      std::vector<std::size_t> places;
      for (std::size_t i = 0; i < pictures.size(); ++i) {
        keys.push_back(picture_key(key_, pictures[i]));
        if (const auto* known = maps_.find(keys.back())) {
          result[i] = copy_of(*known);
          progress.advance();
        } else {
          unseen.push_back(pictures[i]);
          places.push_back(i);
        }
      }
      maps_.counts.reused += static_cast<std::int64_t>(pictures.size() - unseen.size());
      if (unseen.empty()) return result;
      auto maps = network_->predict(unseen, progress);
      maps_.counts.predicted += static_cast<std::int64_t>(unseen.size());
      for (std::size_t i = 0; i < maps.size(); ++i) {
        maps_.add(keys[places[i]], maps[i]);
        result[places[i]] = std::move(maps[i]);
      }
      return result;
    }

   private:
    std::shared_ptr<DepthPredictor> network_;
    std::string key_;
    Maps& maps_;
  };

  std::string key;
  std::shared_ptr<DepthPredictor> network;
};

PredictorPool::PredictorPool(std::size_t max_bytes) : maps_(std::make_unique<Maps>(max_bytes)) {}

PredictorPool::~PredictorPool() = default;

PredictorPool::Counts PredictorPool::counts() const {
  return maps_->counts;
}

std::vector<std::unique_ptr<DepthPredictor>> PredictorPool::predictors(
    const config::Config& config) {
  const auto wanted = networks(config);
  if (wanted.empty()) return make_predictors(config);
  std::vector<std::unique_ptr<DepthPredictor>> result;
  for (const auto& network : wanted) {
    const auto key = settings_key(network);
    auto found = std::find_if(loaded_.begin(), loaded_.end(),
                              [&](const Loaded& loaded) { return loaded.key == key; });
    if (found == loaded_.end()) {
      if (loaded_.size() >= std::max(kMaxNetworks, wanted.size())) loaded_.erase(loaded_.begin());
      loaded_.push_back({key, predictors::make_network(network.options, network.run)});
      found = loaded_.end() - 1;
    }
    // The one used last stands last.
    std::rotate(found, found + 1, loaded_.end());
    result.push_back(std::make_unique<Loaded::Remembering>(loaded_.back().network, key, *maps_));
  }
  return result;
}

}  // namespace vergence::pipeline
