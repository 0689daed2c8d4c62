// SPDX-License-Identifier: Apache-2.0
#include "core/progress.hpp"

namespace vergence {
namespace {

class NoProgress final : public Progress {
 public:
  void begin(std::string_view, std::string_view, std::int64_t) override {}

  void advance(std::int64_t) override {}

  void end() override {}
};

}  // namespace

Progress& no_progress() {
  static NoProgress nothing;
  return nothing;
}

}  // namespace vergence
