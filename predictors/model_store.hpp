// SPDX-License-Identifier: Apache-2.0
// Files of weights on this machine: whether they are what they should be, and how they come here.
//
// A file is compared with the SHA-256 on its network's card. Few authors state one; elsewhere the
// first fetch pins the digest that it met in FILE.sha256 beside the file (the format of sha256sum),
// and every later one must meet the same.
#pragma once

#include "core/progress.hpp"
#include "predictors/model_card.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace vergence::predictors {

// The digest that is pinned for a file, which need not exist. Throws Error where FILE.sha256 holds
// none.
[[nodiscard]] std::optional<std::string> pinned_sha256(const std::filesystem::path& file);

// Where pinned_sha256() looks.
[[nodiscard]] std::filesystem::path pin_path(const std::filesystem::path& file);

struct ExpectedDigest {
  enum class Source { kNone, kCard, kPin };
  Source source = Source::kNone;
  std::string sha256;  // empty for kNone
};

// What a file of a network should be: as its card says, else as was pinned.
[[nodiscard]] ExpectedDigest expected_digest(const std::filesystem::path& file,
                                             const CardWeights& weights);

struct Verdict {
  std::string sha256;  // of the file
  ExpectedDigest expected;

  [[nodiscard]] bool differs() const {
    return expected.source != ExpectedDigest::Source::kNone && expected.sha256 != sha256;
  }
};

// Reads the whole file. Throws Error naming it, and Error(kInterrupted).
[[nodiscard]] Verdict verify_weights(const std::filesystem::path& file, const CardWeights& weights,
                                     Progress& progress);

struct FetchOptions {
  std::filesystem::path folder;  // made if need be
  std::string url;               // instead of the card's; empty: the card's
  double stall_s = 30.0;         // as for DownloadRequest
  int tries = 5;                 // likewise
};

struct FetchedWeights {
  std::filesystem::path file;
  std::string sha256;
  ExpectedDigest::Source compared_with = ExpectedDigest::Source::kNone;  // kNone: pinned now
};

// Fetches a network's first file into a folder, over what is there. It gets its name only when it
// is whole, is a network by its content, and has the digest that it should have. A fetch that was
// cut off goes on where it ended. Throws Error naming the address and the reason.
FetchedWeights fetch_weights(const ModelCard& card, const FetchOptions& options,
                             Progress& progress);

}  // namespace vergence::predictors
