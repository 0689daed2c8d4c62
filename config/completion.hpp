// SPDX-License-Identifier: Apache-2.0
// How an argument that is being typed may go on.
#pragma once

#include "config/config.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace vergence::config {

struct Candidate {
  std::string text;  // the whole argument so far; it goes on where it ends with '=' or '.'
  std::string description;
};

// Groups, keys, options and values that begin with `word` ("me", "mesh.", "++mesh=qu",
// "mesh.edges=", "predictor@left="), also behind a comma ("mesh=quest,m"). `request` tells what is
// on the command line already: what it brings is known; mistakes in it do not matter.
[[nodiscard]] std::vector<Candidate> complete_override(const ComposeRequest& request,
                                                       std::string_view word);

// Whether the value behind '=' is a file or folder.
[[nodiscard]] bool takes_path(std::string_view key);

}  // namespace vergence::config
