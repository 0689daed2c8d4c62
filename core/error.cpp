// SPDX-License-Identifier: Apache-2.0
#include "core/error.hpp"

#include <cctype>
#include <system_error>

namespace vergence {

Error::Error(ErrorCode code, const std::string& what_happened)
    : std::runtime_error(what_happened),
      code_(code),
      text_(what_happened) {}

Error::Error(const std::string& what_happened) : Error(ErrorCode::kFailed, what_happened) {}

Error&& Error::hint(const std::string& text) && {
  text_ += "; " + text;
  return std::move(*this);
}

std::string reason_from_errno(int errno_value) {
  std::string reason = std::generic_category().message(errno_value);
  if (!reason.empty()) {
    reason[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(reason[0])));
  }
  return reason;
}

}  // namespace vergence
