// SPDX-License-Identifier: Apache-2.0
#include "predictors/sha256.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "predictors/byte_progress.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <new>
#include <vector>

#include <fmt/format.h>
#include <openssl/evp.h>

namespace vergence::predictors {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

using Handle = std::unique_ptr<EVP_MD_CTX, FreeContext>;

Handle new_handle() {
  Handle handle(EVP_MD_CTX_new());
  if (!handle) throw std::bad_alloc();
  return handle;
}

// OpenSSL's functions say 1 for success; they fail where SHA-256 is switched off.
void check(int result) {
  if (result != 1) throw Error("OpenSSL refuses to compute SHA-256").hint("check its settings");
}

}  // namespace

struct Sha256::Context {
  Handle handle = new_handle();
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  check(EVP_DigestInit_ex(context_->handle.get(), EVP_sha256(), nullptr));
}

Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(std::span<const std::byte> bytes) {
  check(EVP_DigestUpdate(context_->handle.get(), bytes.data(), bytes.size()));
}

std::string Sha256::hex() const {
  const auto copy = new_handle();
  check(EVP_MD_CTX_copy_ex(copy.get(), context_->handle.get()));
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  check(EVP_DigestFinal_ex(copy.get(), digest.data(), &size));
  std::string text;
  for (unsigned int i = 0; i < size; ++i) text += fmt::format("{:02x}", digest.at(i));
  return text;
}

std::string sha256_of_file(const std::filesystem::path& path, Progress& progress) {
  const auto fail = [&](const std::string& reason) {
    return Error(fmt::format("cannot read '{}': {}", path.string(), reason));
  };
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) throw fail("it is a folder");
  std::ifstream file(path, std::ios::binary);
  if (!file) throw fail(reason_from_errno(errno)).hint("check the path and its permissions");
  const auto size = std::filesystem::file_size(path, error);
  ByteProgress shown(progress, "checking " + path.filename().string(),
                     error ? 0 : static_cast<std::int64_t>(size));
  Sha256 sha;
  std::vector<char> piece(kPiece);
  while (file) {
    throw_if_interrupted();
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    const auto got = static_cast<std::size_t>(file.gcount());
    sha.update(std::as_bytes(std::span(piece).first(got)));
    shown.add(static_cast<std::int64_t>(got));
  }
  if (file.bad()) throw fail("the disk reported an error");
  return sha.hex();
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace vergence::predictors
