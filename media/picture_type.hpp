// SPDX-License-Identifier: Apache-2.0
// What a file is, told by its first bytes; not installed.
#pragma once

#include "media/codec.hpp"

#include <string>

namespace vergence::media::codec {

enum class FileType {
  kJpeg,
  kPng,
  kTiff,
  kWebp,
  kHeif,
  kRadiance,
  kExr,
  kBmp,
  kPnm,
  // Not pictures, but depth files.
  kPfm,
  kNpy,
  kDpt,
  // Nothing that we read; describe_content() says what it looks like.
  kOther,
};

[[nodiscard]] FileType file_type(Bytes bytes);

// What a file of type kOther looks like, for a message: "it looks like a PDF", "it is empty".
[[nodiscard]] std::string describe_content(Bytes bytes);

}  // namespace vergence::media::codec
