// SPDX-License-Identifier: Apache-2.0
// ${...} in strings. A key: ${a.b}, ${.sibling}, ${..of_the_parent}, ${list[0]}, ${a.${b}}; or a
// resolver: ${env:NAME,default}, ${now:%Y-%m-%d}, ${select:key,default}; or what the job is:
// ${vergence.job.num}, ${vergence.job.name}, ${vergence.input.stem}, ${vergence.input.dir}. A
// string that is one interpolation takes over the value with its type, others become text. '\${' is
// a plain '${'.
#pragma once

#include "config/config.hpp"
#include "config/value.hpp"

#include <ctime>
#include <string>
#include <vector>

namespace vergence::config {

// The tree with all interpolations replaced. What a mandatory value flows into is mandatory, too.
// Every mistake adds to `diagnostics`; cycles show as a chain. `now` is the time for ${now:}.
[[nodiscard]] Value resolve(const Value& tree, const JobContext& job, std::time_t now,
                            std::vector<std::string>& diagnostics);

// `text` such that resolve() gives it back: "${" and backslashes before it are escaped.
[[nodiscard]] std::string escape_interpolation(const std::string& text);

}  // namespace vergence::config
