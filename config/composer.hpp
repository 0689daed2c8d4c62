// SPDX-License-Identifier: Apache-2.0
// From files and arguments to one checked tree of values.
#pragma once

#include "config/config.hpp"
#include "config/value.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace vergence::config {

// How the origin of what an argument set begins; the argument and a quote follow.
inline constexpr std::string_view kArgumentOrigin = "argument '";

struct Composition {
  Value written;                               // with ${interpolations}
  Value resolved;                              // without, every value of its key's type
  std::map<std::string, std::string> choices;  // "group" or "group@package" -> option
  // Texts for people.
  std::string defaults_table;
  std::string defaults_tree;
  std::string search_path;
};

// Every mistake adds to `diagnostics`; the composition is of use only where there is none.
[[nodiscard]] Composition compose_tree(const ComposeRequest& request,
                                       std::vector<std::string>& diagnostics);

// That of the shipped files alone; only `written` and `choices`.
[[nodiscard]] const Composition& shipped_composition();

}  // namespace vergence::config
