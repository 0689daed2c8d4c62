// SPDX-License-Identifier: Apache-2.0
// Every key in words: for --help, and as the reference docs/configuration.md.
#pragma once

#include <span>
#include <string>

namespace vergence::config {

// The help text of all keys that are, or lie below, one of `prefixes`: aligned lines "key  type and
// range  default  meaning", in the order of the schema.
[[nodiscard]] std::string describe_keys(std::span<const std::string> prefixes);

// All groups with their options and all keys with type, unit, range, default and meaning, as
// Markdown.
[[nodiscard]] std::string reference();

}  // namespace vergence::config
