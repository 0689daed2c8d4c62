// SPDX-License-Identifier: Apache-2.0
#include "runs/toml_fields.hpp"

#include "config/toml_file.hpp"
#include "core/output_file.hpp"

#include <fmt/format.h>

namespace vergence::runs {
namespace {

constexpr std::uintmax_t kMaxBytes = std::uintmax_t{256} << 20U;

}  // namespace

std::string toml_of(const config::Value& table) {
  return config::to_toml_file(table, [](const std::string&) { return false; });
}

FieldReader::FieldReader(std::filesystem::path path) : path_(std::move(path)) {
  std::vector<std::string> mistakes;
  tree_ = config::parse_toml(read_file(path_, kMaxBytes), path_.string(), mistakes);
  if (!mistakes.empty()) {
    throw Error(fmt::format("the record '{}' is damaged: {}", path_.string(), mistakes.front()));
  }
}

double FieldReader::number(const config::Value& table, std::string_view key) const {
  const config::Value* const value = config::child(table, key);
  if (const auto* real = value != nullptr ? value->as<double>() : nullptr) return *real;
  return static_cast<double>(get<std::int64_t>(table, key));
}

Error FieldReader::damaged(std::string_view key, std::string_view how) const {
  return Error(fmt::format("the record '{}' is damaged: '{}' is {}", path_.string(), key, how));
}

}  // namespace vergence::runs
