// SPDX-License-Identifier: Apache-2.0
#include "predictors/model_store.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/output_file.hpp"
#include "predictors/part_file.hpp"
#include "predictors/sha256.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/paths.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::predictors {
namespace {

using vergence::test::error_of;
namespace fs = std::filesystem;
using Source = ExpectedDigest::Source;

// FIPS 180-4 examples (NIST, "SHA-256 example values").
constexpr const char* kEmptyDigest =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr const char* kAbcDigest =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr const char* kMillionDigest =
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

TEST(Sha256Digest, AgreesWithThePublishedExamples) {
  Sha256 sha;
  EXPECT_EQ(sha.hex(), kEmptyDigest);
  sha.update(bytes_of("a"));
  sha.update(bytes_of("bc"));
  EXPECT_EQ(sha.hex(), kAbcDigest);
  EXPECT_EQ(sha.hex(), kAbcDigest) << "asking changes nothing";
  Sha256 million;
  for (int i = 0; i < 1000; ++i) million.update(bytes_of(std::string(1000, 'a')));
  EXPECT_EQ(million.hex(), kMillionDigest);
}

TEST(Sha256Digest, OfAFileIsThatOfItsBytes) {
  const test::TemporaryFolder folder;
  write_file(folder / "empty", "");
  write_file(folder / "long", std::string(1'000'000, 'a'));
  EXPECT_EQ(sha256_of_file(folder / "empty", no_progress()), kEmptyDigest);
  EXPECT_EQ(sha256_of_file(folder / "long", no_progress()), kMillionDigest);
  EXPECT_THAT(error_of([&] { static_cast<void>(sha256_of_file(folder / "no", no_progress())); }),
              testing::HasSubstr("no such file or directory"));
  EXPECT_THAT(error_of([&] { static_cast<void>(sha256_of_file(folder.path(), no_progress())); }),
              testing::EndsWith("it is a folder"));
  request_interrupt();
  EXPECT_EQ(error_of([&] { static_cast<void>(sha256_of_file(folder / "long", no_progress())); }),
            "interrupted");
  clear_interrupt();
}

TEST(ModelStore, ReadsPinsAsSha256sumWritesThem) {
  const test::TemporaryFolder folder;
  const auto file = folder / "net.pth";
  EXPECT_EQ(pinned_sha256(file), std::nullopt);
  for (const std::string& text :
       {fmt::format("{}  net.pth\n", kAbcDigest), fmt::format("{} *net.pth\n", kAbcDigest),
        std::string(kAbcDigest),
        std::string("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD\n")}) {
    write_file(pin_path(file), text);
    EXPECT_EQ(pinned_sha256(file), kAbcDigest) << text;
  }
  for (const std::string& text : {std::string(), std::string("\n"), std::string(kAbcDigest, 63),
                                  std::string(kAbcDigest) + "0", std::string(64, 'g')}) {
    write_file(pin_path(file), text);
    EXPECT_THAT(error_of([&] { static_cast<void>(pinned_sha256(file)); }),
                testing::HasSubstr("net.pth.sha256' does not begin with a SHA-256; remove it"))
        << text;
  }
}

TEST(ModelStore, TheCardGoesBeforeThePinAndSpeaksOfItsFirstFileOnly) {
  const test::TemporaryFolder folder;
  CardWeights weights;
  weights.files = {"net.pth", "net.safetensors"};
  weights.sha256 = kEmptyDigest;
  for (const auto* name : {"net.pth", "net.safetensors"}) {
    write_file(folder / name, "abc");
    write_file(pin_path(folder / name), kAbcDigest);
  }
  const auto first = verify_weights(folder / "net.pth", weights, no_progress());
  EXPECT_EQ(first.expected.source, Source::kCard);
  EXPECT_EQ(first.sha256, kAbcDigest);
  EXPECT_TRUE(first.differs());
  const auto second = verify_weights(folder / "net.safetensors", weights, no_progress());
  EXPECT_EQ(second.expected.source, Source::kPin);
  EXPECT_FALSE(second.differs());
  fs::remove(pin_path(folder / "net.safetensors"));
  const auto third = verify_weights(folder / "net.safetensors", weights, no_progress());
  EXPECT_EQ(third.expected.source, Source::kNone);
  EXPECT_FALSE(third.differs());
}

class PartFiles : public testing::Test {
 protected:
  PartOrigin origin(std::int64_t bytes = 3) const {
    return {.url = url_, .etag = "\"tag\"", .last_modified = "", .bytes = bytes};
  }

  // Leaves a part of two bytes.
  void leave_part(const PartOrigin& from) const {
    PartFile part(file_, from.url, no_progress());
    part.restart(from);
    part.append(bytes_of("ab"));
  }

  [[nodiscard]] std::int64_t size_of_part(const std::string& url) const {
    return PartFile(file_, url, no_progress()).size();
  }

  test::TemporaryFolder folder_;
  fs::path file_ = folder_ / "net.pth";
  std::string url_ = "https://example.org/net.pth";
};

TEST_F(PartFiles, GoOnWhereTheyEnded) {
  leave_part(origin());
  PartFile part(file_, url_, no_progress());
  EXPECT_EQ(part.size(), 2);
  EXPECT_EQ(part.origin().etag, "\"tag\"");
  EXPECT_FALSE(part.whole());
  part.append(bytes_of("c"));
  EXPECT_TRUE(part.whole());
  EXPECT_EQ(part.sha256(), kAbcDigest);
  EXPECT_FALSE(fs::exists(file_));
  part.commit();
  EXPECT_EQ(read_file(file_), "abc");
  EXPECT_FALSE(fs::exists(part.path()));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 1);
}

TEST_F(PartFiles, OfAnotherAddressOrWithoutAValidatorAreNoUse) {
  leave_part(origin());
  EXPECT_EQ(size_of_part(url_), 2);
  EXPECT_EQ(size_of_part("https://example.org/other.pth"), 0);
  EXPECT_FALSE(fs::exists(folder_ / "net.pth.part")) << "an empty part is removed";
  leave_part({.url = url_, .etag = "", .last_modified = "", .bytes = 3});
  EXPECT_EQ(size_of_part(url_), 0);
  leave_part(origin(1));
  EXPECT_EQ(size_of_part(url_), 0) << "longer than the whole";
  leave_part(origin(0));
  EXPECT_EQ(size_of_part(url_), 2) << "of unknown length";
}

TEST_F(PartFiles, BeginAgainFromNothing) {
  leave_part(origin());
  PartFile part(file_, url_, no_progress());
  part.restart(origin());
  EXPECT_EQ(part.size(), 0);
  part.append(bytes_of("abc"));
  EXPECT_EQ(part.sha256(), kAbcDigest);
  EXPECT_EQ(read_file(part.path()), "abc");
}

TEST_F(PartFiles, BelongToOneAtATime) {
  leave_part(origin());
  const PartFile part(file_, url_, no_progress());
  EXPECT_THAT(error_of([&] { PartFile(file_, url_, no_progress()); }),
              testing::HasSubstr("is being fetched by another process"));
  EXPECT_EQ(part.size(), 2);
}

TEST_F(PartFiles, NeedAFolderToLieIn) {
  EXPECT_THAT(error_of([&] { PartFile(folder_ / "no/net.pth", url_, no_progress()); }),
              testing::EndsWith("no such file or directory; choose another folder with --to"));
}

}  // namespace
}  // namespace vergence::predictors
