// SPDX-License-Identifier: Apache-2.0
// Every key in words: for --help, and as the reference docs/configuration.md.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace vergence::config {

struct KeyDescription {
  std::string key;
  std::string type;   // with range and unit: "number 0..200 mm", "keep|cut"
  std::string value;  // the default as TOML; "(predictor=files)" where only some options have it
  std::string meaning;
};

// All keys that are, or lie below, one of `prefixes`, in the order of the schema.
[[nodiscard]] std::vector<KeyDescription> key_descriptions(std::span<const std::string> prefixes);

// The same as aligned lines for --help.
[[nodiscard]] std::string describe_keys(std::span<const std::string> prefixes);

// All groups with their options and all keys with type, unit, range, default and meaning, as
// Markdown.
[[nodiscard]] std::string reference();

}  // namespace vergence::config
