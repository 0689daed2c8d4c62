// SPDX-License-Identifier: Apache-2.0
// TOML in and out.
#pragma once

#include "config/value.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace vergence::config {

// Reads TOML text as a table. Origins are "NAME:LINE". A key that is written "+key" may be unknown
// to the schema. Dates and times become text. Every mistake adds a line "NAME:LINE:COLUMN: ..." to
// `diagnostics`.
[[nodiscard]] Value parse_toml(std::string_view text, const std::string& name,
                               std::vector<std::string>& diagnostics);

// Writes a table as a TOML file, without null values. `is_extra` tells which keys (dotted) have to
// be written with '+'.
[[nodiscard]] std::string to_toml_file(const Value& table,
                                       const std::function<bool(const std::string&)>& is_extra);

}  // namespace vergence::config
