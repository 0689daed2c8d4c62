// SPDX-License-Identifier: Apache-2.0
// How long work tells how far it is. cli/ shows it as a bar, lines or JSON; libraries only call it.
#pragma once

#include <cstdint>
#include <string_view>

namespace vergence {

// Methods may be called from several threads.
class Progress {
 public:
  virtual ~Progress() = default;

  // A stage of `total` equal steps begins ("predicting", 20 views); it ends the one before.
  virtual void begin(std::string_view stage, std::string_view unit, std::int64_t total) = 0;

  // `steps` more steps of the stage are done.
  virtual void advance(std::int64_t steps = 1) = 0;

  // The job is done: the last stage ends.
  virtual void end() = 0;
};

// A Progress that shows nothing.
[[nodiscard]] Progress& no_progress();

}  // namespace vergence
