// SPDX-License-Identifier: Apache-2.0
// Defaults lists: which files make up a configuration, and in which order.
#pragma once

#include "config/override.hpp"
#include "config/search_path.hpp"
#include "config/value.hpp"

#include <map>
#include <span>
#include <string>
#include <vector>

namespace vergence::config {

// The content of one file, to be put over those before it.
struct Layer {
  const Value* content = nullptr;  // owned by the search path
  std::string group;               // the file's group, dotted; empty at the top
  std::string package;             // the table it is mounted at, dotted; empty = the top
  std::string parent;              // the file that names it ("preset/preview"); empty for the first
};

struct DefaultsResult {
  std::vector<Layer> layers;
  // The chosen option of "group", or of "group@package" where it is mounted elsewhere.
  std::map<std::string, std::string> choices;
  // Who names whom: an indented line for each entry of each list, for people.
  std::string tree;
};

// Follows the defaults list of NAME.toml through all files. `group_overrides` are the arguments
// that pick options (kChange, kForce), add groups (kAdd) or take them away (kDelete); they win over
// "override" entries in files, and of these the file nearest to the top wins. Mistakes add to
// `diagnostics`.
[[nodiscard]] DefaultsResult expand_defaults(SearchPath& search_path, const std::string& name,
                                             std::span<const Override> group_overrides,
                                             std::vector<std::string>& diagnostics);

}  // namespace vergence::config
