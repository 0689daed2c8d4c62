// SPDX-License-Identifier: Apache-2.0
// What a wrong key was probably meant to be.
#pragma once

#include "config/schema.hpp"
#include "config/search_path.hpp"
#include "config/value.hpp"

#include <map>
#include <string>
#include <vector>

namespace vergence::config {

// The keys of all values below a table, in its order; lists count as values.
[[nodiscard]] std::vector<std::string> leaf_keys(const Value& table);

// The same, and the tables in between.
[[nodiscard]] std::vector<std::string> tables_and_keys(const Value& table);

// What is known where a key was not found.
struct KnownKeys {
  const Value& tree;  // with the values before any argument
  const Schema& schema;
  SearchPath& search_path;
  const std::map<std::string, std::string>& choices;  // group -> option
};

// Advice for an unknown key as lines that each begin with "\n  "; none when nothing is near.
[[nodiscard]] std::string advice_for_unknown_key(const std::string& key, const KnownKeys& known);

// Names of a group's options whose file has the key, in order: {"files", "torchscript"}.
[[nodiscard]] std::vector<std::string> options_with_key(const std::string& key,
                                                        SearchPath& search_path);

}  // namespace vergence::config
