// SPDX-License-Identifier: Apache-2.0
// Sweeps: arguments with several values, taken apart into the jobs of a multirun.
#pragma once

#include "config/config.hpp"

#include <string>
#include <vector>

namespace vergence::config {

// The jobs that the arguments of `request` make, as many as there are combinations of the values:
// each a list of arguments that compose() takes, without sweeps. One job where nothing is swept.
//
// The order is Hydra's: keys in the order of their first appearance, the first one changes slowest.
// Of arguments that set the same key the last one counts, at the place of the first. Values:
// "a=1,2", choice(1,2), range(start,stop,step), sort(...), casts of these, and glob(pattern) over
// the options of a group. The list `run.sweep.params` of the configuration comes before the
// arguments, which win over it.
//
// Throws ConfigError with every mistake of grammar, for a glob that matches nothing, for more than
// 100,000 jobs, and for sweeping over keys that control the runs themselves (`run`, `launcher`).
// What the jobs' arguments say is checked by compose().
[[nodiscard]] std::vector<std::vector<std::string>> expand_sweeps(const ComposeRequest& request);

// Whether one of the arguments, all of them correct, has several values.
[[nodiscard]] bool has_sweep(const std::vector<std::string>& overrides);

}  // namespace vergence::config
