// SPDX-License-Identifier: Apache-2.0
#include "predictors/model_store.hpp"

#include "core/error.hpp"
#include "core/module.hpp"
#include "core/output_file.hpp"
#include "core/text.hpp"
#include "predictors/download.hpp"
#include "predictors/part_file.hpp"
#include "predictors/sha256.hpp"
#include "predictors/weight_file.hpp"
#include "predictors/weights.hpp"

#include <fmt/format.h>

namespace vergence::predictors {
namespace fs = std::filesystem;

namespace {

constexpr std::uintmax_t kLongestPin = 4096;

// The card's size is rounded by hand: a file of less than half or more than twice of it is another.
constexpr std::int64_t kSizeFactor = 2;

Error other_content(const std::string& url, WeightFormat format) {
  Error error(fmt::format("'{}' gives {}{}", url, format == WeightFormat::kUnknown ? "a file " : "",
                          to_string(format)));
  return std::move(error).hint(
      format == WeightFormat::kText
          ? "open it in a browser: it may want a sign-in or a consent; else give another address "
            "with --url"
          : "check the address, or give another one with --url");
}

// Where the server did not say how long the file is, a cut is not seen before it is read.
void check_end(PartFile& part, WeightFormat format) {
  if (part.origin().bytes > 0 || format == WeightFormat::kTorchScript) return;
  try {
    static_cast<void>(read_weights(part.path()));
  } catch (const Error&) {
    part.discard();
    throw;
  }
}

// Refuses what is not a network, so that it never gets a network's name.
void check_content(PartFile& part, const std::string& url, const CardWeights& weights) {
  const WeightFormat format = weight_format(map_file(part.path()).bytes);
  const bool is_network = format == WeightFormat::kSafetensors ||
                          format == WeightFormat::kTorchScript ||
                          format == WeightFormat::kCheckpoint;
  const auto size = part.size();
  const bool too_small = weights.bytes > 0 && size < weights.bytes / kSizeFactor;
  if (is_network && !too_small) return check_end(part, format);
  part.discard();
  if (!is_network) throw other_content(url, format);
  throw Error(fmt::format("'{}' gives only {:.1f} MB of the {:.1f} MB that its card tells", url,
                          static_cast<double>(size) / 1e6,
                          static_cast<double>(weights.bytes) / 1e6))
      .hint("check the address, or give another one with --url");
}

void check_digest(PartFile& part, const std::string& url, const ExpectedDigest& expected) {
  if (expected.source == ExpectedDigest::Source::kNone) return;
  const auto digest = part.sha256();
  if (digest == expected.sha256) return;
  part.discard();
  const auto pin = pin_path(part.destination()).string();
  const bool pinned = expected.source == ExpectedDigest::Source::kPin;
  throw Error(
      fmt::format("'{}' gives a file with SHA-256 {}, but {} {}", url, digest,
                  pinned ? fmt::format("the first fetch pinned in '{}'", pin) : "its card says",
                  expected.sha256))
      .hint(pinned ? fmt::format("if its authors replaced it, remove '{}' and fetch again", pin)
                   : "it is not the official file: do not use it");
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error && fs::is_directory(folder, error)) return;
  throw Error(fmt::format("cannot make the folder '{}': {}", folder.string(),
                          reason_from_errno(error.value())))
      .hint("choose another one with --to");
}

std::string address_of(const ModelCard& card, const FetchOptions& options) {
  if (card.weights.files.empty()) {
    throw Error(fmt::format("the card of '{}' names no file", card.model.id))
        .hint("give the network's file with predictor.path=FILE where it is used");
  }
  const std::string& url = options.url.empty() ? card.weights.url : options.url;
  if (!url.empty()) return url;
  throw Error(fmt::format("the card of '{}' names no address", card.model.id))
      .hint(fmt::format("give one with --url, or put '{}' into '{}'", card.weights.files.front(),
                        options.folder.string()));
}

}  // namespace

fs::path pin_path(const fs::path& file) {
  return file.parent_path() / (file.filename().string() + ".sha256");
}

std::optional<std::string> pinned_sha256(const fs::path& file) {
  const auto pin = pin_path(file);
  std::error_code ignored;
  if (!fs::exists(pin, ignored)) return std::nullopt;
  const auto text = lower(read_file(pin, kLongestPin));
  const auto digest = text.substr(0, text.find_first_of(" \t\r\n"));
  if (is_sha256(digest)) return digest;
  throw Error(fmt::format("'{}' does not begin with a SHA-256", pin.string()))
      .hint("remove it, and the next fetch pins a new one");
}

ExpectedDigest expected_digest(const fs::path& file, const CardWeights& weights) {
  using Source = ExpectedDigest::Source;
  const bool of_card = !weights.files.empty() && file.filename() == weights.files.front();
  if (of_card && !weights.sha256.empty()) return {Source::kCard, weights.sha256};
  if (const auto pinned = pinned_sha256(file)) return {Source::kPin, *pinned};
  return {};
}

Verdict verify_weights(const fs::path& file, const CardWeights& weights, Progress& progress) {
  auto expected = expected_digest(file, weights);
  return {sha256_of_file(file, progress), std::move(expected)};
}

void download(const DownloadRequest& request, PartFile& part, Progress& progress) {
  const auto run = reinterpret_cast<decltype(&vergence_download)>(
      module_symbol("download", "vergence_download"));
  run(request, part, progress);
}

FetchedWeights fetch_weights(const ModelCard& card, const FetchOptions& options,
                             Progress& progress) {
  const auto url = address_of(card, options);
  const auto file = options.folder / card.weights.files.front();
  make_folder(options.folder);
  const auto expected = expected_digest(file, card.weights);
  PartFile part(file, url, progress);
  download({.url = url,
            .about_bytes = card.weights.bytes,
            .max_bytes = kSizeFactor * card.weights.bytes,
            .stall_s = options.stall_s,
            .tries = options.tries},
           part, progress);
  check_content(part, url, card.weights);
  check_digest(part, url, expected);
  const auto digest = part.sha256();
  if (expected.source == ExpectedDigest::Source::kNone) {
    write_file(pin_path(file), fmt::format("{}  {}\n", digest, file.filename().string()));
  }
  part.commit();
  return {file, digest, expected.source};
}

}  // namespace vergence::predictors
