// SPDX-License-Identifier: Apache-2.0
// What composing costs: the shipped configuration, with arguments, a sweep, and a completion.
#include "config/completion.hpp"
#include "config/config.hpp"
#include "config/sweep.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <vector>

#include <fmt/format.h>

namespace {

using vergence::config::compose;
using vergence::config::ComposeRequest;

double milliseconds(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
      .count();
}

void measure(const char* name, const std::function<void()>& work) {
  std::vector<double> times(200);
  for (auto& time : times) time = milliseconds(work);
  const double first = times.front();
  std::sort(times.begin(), times.end());
  std::fputs(fmt::format("{:<28} first {:6.2f} ms, median {:6.2f} ms, 95 % {:6.2f} ms\n", name,
                         first, times[100], times[190])
                 .c_str(),
             stdout);
}

}  // namespace

int main() {
  ComposeRequest changed;
  changed.overrides = {"preset=preview", "predictor=ensemble", "predictor.members=[nano,files]",
                       "mesh.grid_width=${views.size_px}", "views.size_px=320"};
  ComposeRequest sweep;
  sweep.overrides = {"predictor=glob(*)", "views.fov_deg=range(80,100,1)", "mesh=glob(*)"};
  measure("defaults", [] { static_cast<void>(compose({})); });
  measure("preset and arguments", [&] { static_cast<void>(compose(changed)); });
  measure("sweep into 2000 jobs", [&] { static_cast<void>(expand_sweeps(sweep)); });
  measure("completion of a key",
          [] { static_cast<void>(vergence::config::complete_override({}, "mesh.")); });
}
