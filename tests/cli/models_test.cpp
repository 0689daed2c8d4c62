// SPDX-License-Identifier: Apache-2.0
// `vergence models` against a web server of its own: what is known, fetching, resuming, checking.
#include "core/output_file.hpp"
#include "tests/cli/program.hpp"
#include "tests/cli/web_server.hpp"

#include <algorithm>
#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/mount.h>
#include <unistd.h>

namespace vergence::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

constexpr std::size_t kBytes = 3'000'000;
const char* const kOtherDigest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

// A safetensors file of one tensor.
std::string weights_of(std::size_t size, unsigned seed = 1) {
  const auto header =
      fmt::format(R"({{"w":{{"dtype":"U8","shape":[{0}],"data_offsets":[0,{0}]}}}})", size);
  std::string file(8, '\0');
  file[0] = static_cast<char>(header.size());
  file += header;
  std::mt19937 random(seed);
  for (std::size_t i = 0; i < size; ++i) file += static_cast<char>(random() & 255U);
  return file;
}

struct CardText {
  std::string url = "";
  std::string sha256 = "";
  std::size_t bytes = kBytes;
  bool commercial = true;
};

class Models : public ProgramTest {
 protected:
  void SetUp() override {
    fs::create_directory(folder_ / "models");
    weights_ = weights_of(kBytes);
    publish(weights_);
  }

  void publish(const std::string& bytes) {
    write_file(server_.folder() / "net.safetensors", bytes);
  }

  // The card of the network "net".
  void write_card(const CardText& card, const std::string& name = "net") {
    std::string text = fmt::format(
        "[model]\nid = '{0}'\nbackend = 'native:nano'\nlicense = 'Made-Up-1.0'\n"
        "description = 'A network that is none'\ncommercial = {1}\n"
        "[weights]\nfiles = ['{0}.safetensors', '{0}.pth']\n",
        name, card.commercial);
    if (!card.url.empty()) text += fmt::format("url = '{}'\n", card.url);
    if (!card.sha256.empty()) text += fmt::format("sha256 = '{}'\n", card.sha256);
    if (card.bytes > 0) text += fmt::format("bytes = {}\n", card.bytes);
    text += "[input]\nresize = 'short-side'\nsize = 256\n[output]\nkind = 'disparity'\n";
    write_file(folder_ / "models" / (name + ".toml"), text);
  }

  void write_card_at(const std::string& mood) {
    write_card({.url = server_.url(mood, "net.safetensors")});
  }

  ProcessResult models(std::vector<std::string> arguments, ProcessOptions options = {}) const {
    arguments.insert(arguments.begin(), "models");
    auto& variables = options.environment;
    variables.emplace("VERGENCE_MODELS", "models");
    variables.emplace("XDG_CACHE_HOME", (folder_ / "cache").string());
    for (const char* name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
                             "no_proxy", "NO_PROXY", "HF_TOKEN", "SSL_CERT_FILE"}) {
      variables.emplace(name, "");
    }
    return vergence(arguments, options);
  }

  ProcessResult fetch(const std::vector<std::string>& more = {}, ProcessOptions options = {}) {
    std::vector<std::string> arguments = {"fetch", "net"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return models(arguments, std::move(options));
  }

  // A fetch that gets a signal when some of the file has come.
  ProcessResult cut_off(int signal_number) {
    return fetch({}, {.signal_when = [this](const std::string&) { return part_size() > 400'000; },
                      .signal_number = signal_number});
  }

  [[nodiscard]] std::uintmax_t part_size() const {
    std::error_code error;
    const auto size = fs::file_size(folder_ / "models/net.safetensors.part", error);
    return error ? 0 : size;
  }

  [[nodiscard]] std::vector<std::string> model_files() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder_ / "models")) {
      found.push_back(entry.path().filename().string());
    }
    std::sort(found.begin(), found.end());
    return found;
  }

  [[nodiscard]] std::string fetched() const {
    return read_file(folder_ / "models/net.safetensors");
  }

  // A fetch that must fail and leave nothing; gives its last line.
  std::string failure(const std::vector<std::string>& more = {}, ProcessOptions options = {}) {
    const auto result = fetch(more, std::move(options));
    EXPECT_EQ(result.exit_code, 1) << result.errors;
    EXPECT_EQ(result.output, "");
    EXPECT_THAT(model_files(), ElementsAre("net.toml"));
    return last_line(result.errors);
  }

  [[nodiscard]] std::string url(const std::string& mood) const {
    return server_.url(mood, "net.safetensors");
  }

  WebServer server_;
  std::string weights_;
};

TEST_F(Models, ListsWhatIsKnown) {
  write_card({.url = "https://example.org/x", .bytes = 1'340'000'000, .commercial = false});
  const auto result = models({"list"});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_THAT(result.output, HasSubstr("inside the program\n"));
  EXPECT_THAT(result.output, testing::ContainsRegex("\nnet  +Made-Up-1.0 \\(non-commercial\\)  "
                                                    "+1.3 GB  +not here\n"));
  publish(weights_);
  write_file(folder_ / "models/net.pth", weights_);
  EXPECT_THAT(models({"list"}).output, testing::ContainsRegex("3.0 MB  +models/net.pth\n"));
}

TEST_F(Models, ListsAsJson) {
  write_card({.url = "https://example.org/x", .commercial = false});
  const auto list = json::parse(models({"list", "--json", "-"}).output);
  const auto net = std::find_if(list.begin(), list.end(),
                                [](const json& entry) { return entry.at("name") == "net"; });
  ASSERT_NE(net, list.end());
  EXPECT_EQ(net->at("license"), "Made-Up-1.0");
  EXPECT_EQ(net->at("commercial"), false);
  EXPECT_EQ(net->at("url"), "https://example.org/x");
  EXPECT_EQ(net->at("bytes"), kBytes);
  EXPECT_TRUE(net->at("sha256").is_null());
  EXPECT_TRUE(net->at("file").is_null());
  EXPECT_EQ(net->at("card"), "models/net.toml");
  const auto both = models({"list", "--json", "list.json"});
  EXPECT_THAT(both.output, testing::StartsWith("name "));
  EXPECT_EQ(json::parse(read_file(folder_ / "list.json")), list);
}

TEST_F(Models, ABadCardDoesNotHideTheOthers) {
  write_card({});
  write_file(folder_ / "models/broken.toml", "[model]\nid = 3\n");
  const auto result = models({"list"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.output, AllOf(HasSubstr("\nnet "), HasSubstr("nano ")));
  EXPECT_THAT(result.errors, HasSubstr("models/broken.toml"));
  EXPECT_EQ(last_line(result.errors), "error: 1 model cards cannot be read");
}

TEST_F(Models, InfoTellsAllThatTheCardSays) {
  write_card({.url = "https://example.org/x", .sha256 = kOtherDigest, .commercial = false});
  const auto result = models({"info", "net", "nano"});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_THAT(
      result.output,
      AllOf(HasSubstr("net: A network that is none\n"), HasSubstr("Made-Up-1.0 (non-commercial)\n"),
            HasSubstr("net.safetensors or net.pth\n"), HasSubstr("https://example.org/x\n"),
            HasSubstr(std::string(kOtherDigest) + " (on the card)\n"),
            HasSubstr("vergence models fetch net --accept-license"),
            HasSubstr("predictor.name=net\n"), HasSubstr("predictor=nano\n"),
            HasSubstr("inside the program\n")));
}

TEST_F(Models, NamesTheNearest) {
  write_card({});
  EXPECT_EQ(models({"info", "nett"}).errors,
            "error: there is no network 'nett'; did you mean 'net'?\n");
  EXPECT_EQ(models({"fech", "net"}).errors,
            "error: 'models' does not know 'fech'; did you mean 'fetch'?\n");
  const auto nothing = models({"fetch"});
  EXPECT_EQ(nothing.exit_code, 2);
  EXPECT_EQ(nothing.errors,
            "error: 'models fetch' needs the name of a network; 'vergence models list' shows those "
            "that are known\n");
  EXPECT_EQ(models({"list", "net"}).exit_code, 2);
  EXPECT_EQ(models({"info", "../models/net"}).exit_code, 2);
}

TEST_F(Models, FetchesPinsAndVerifies) {
  write_card_at("plain");
  const auto result = fetch({"--progress=plain"});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(result.output, "models/net.safetensors\n");
  EXPECT_EQ(fetched(), weights_);
  EXPECT_THAT(model_files(), ElementsAre("net.safetensors", "net.safetensors.sha256", "net.toml"));
  EXPECT_THAT(result.errors,
              AllOf(HasSubstr("'net' is under the licence Made-Up-1.0\n"),
                    HasSubstr("fetching net.safetensors: 3001/3001 kB"),
                    HasSubstr("pinned in 'models/net.safetensors.sha256' because the card states "
                              "none\n")));
  const auto checked = run_process({"/usr/bin/sha256sum", "-c", "net.safetensors.sha256"},
                                   {.working_folder = folder_ / "models"});
  EXPECT_EQ(checked.output, "net.safetensors: OK\n");
  EXPECT_THAT(models({"verify"}).output,
              MatchesRegex("ok  net  [0-9a-f]+ as the first fetch has it\n"));
  EXPECT_THAT(models({"info", "net"}).output, HasSubstr("(pinned at the first fetch)\n"));
}

TEST_F(Models, FetchesOnlyWhatIsNotThere) {
  write_card_at("plain");
  EXPECT_EQ(fetch().exit_code, 0);
  const auto again = fetch();
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_EQ(again.output, "models/net.safetensors\n");
  EXPECT_EQ(again.errors,
            "'models/net.safetensors' is there already, with the SHA-256 that the first fetch "
            "had\n");
  EXPECT_EQ(server_.requests().size(), 1U);
  EXPECT_EQ(fetch({"--force"}).exit_code, 0);
  EXPECT_EQ(server_.requests().size(), 2U);
}

TEST_F(Models, TellsOfADamagedFile) {
  write_card_at("plain");
  EXPECT_EQ(fetch().exit_code, 0);
  auto damaged = weights_;
  damaged[2'000'000] = static_cast<char>(damaged[2'000'000] ^ 1);
  write_file(folder_ / "models/net.safetensors", damaged);
  const auto verified = models({"verify", "net"});
  EXPECT_EQ(verified.exit_code, 1);
  EXPECT_THAT(verified.output,
              MatchesRegex("differs  net  [0-9a-f]+ where the first fetch has [0-9a-f]+\n"));
  EXPECT_EQ(verified.errors,
            "error: 1 of 1 files are not what they should be; fetch them again with 'vergence "
            "models fetch NAME --force'\n");
  const auto again = fetch();
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.errors, HasSubstr("give --force to fetch it again\n"));
  EXPECT_EQ(fetch({"--force"}).exit_code, 0);
  EXPECT_EQ(fetched(), weights_);
}

TEST_F(Models, VerifiesFilesAndTellsWhatCannotBeCompared) {
  write_card({.sha256 = kOtherDigest});
  write_file(folder_ / "mine.bin", "abc");
  const auto result = models({"verify", "mine.bin", "nano", "--json", "verified.json"});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(result.output,
            "unknown  mine.bin  ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad, "
            "nothing to compare with\ninside   nano      needs no file\n");
  const auto report = json::parse(read_file(folder_ / "verified.json"));
  EXPECT_EQ(report.at(0).at("state"), "unknown");
  const auto missing = models({"verify", "net"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_EQ(missing.output, "missing  net  its file is not on this machine\n");
  EXPECT_EQ(models({"verify", "nothing.bin"}).exit_code, 2);
  EXPECT_EQ(models({"verify"}).output, "no files of networks are on this machine\n");
  write_file(folder_ / "net.safetensors", "abc");
  EXPECT_THAT(models({"verify", "./net.safetensors"}).output,
              testing::EndsWith(fmt::format("where its card has {}\n", kOtherDigest)));
}

TEST_F(Models, TakesTheDigestOfTheCard) {
  publish(weights_);
  const auto sum = run_process({"/usr/bin/sha256sum", (server_.folder() / "net.safetensors")});
  write_card({.url = url("plain"), .sha256 = sum.output.substr(0, 64)});
  const auto result = fetch();
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_THAT(result.errors, HasSubstr(", as the card says\n"));
  EXPECT_THAT(model_files(), ElementsAre("net.safetensors", "net.toml"));
  EXPECT_THAT(models({"verify"}).output, testing::EndsWith(" as its card has it\n"));
}

TEST_F(Models, RefusesAnotherDigestThanTheCards) {
  write_card({.url = url("plain"), .sha256 = kOtherDigest});
  const auto sum = run_process({"/usr/bin/sha256sum", (server_.folder() / "net.safetensors")});
  EXPECT_EQ(failure(),
            fmt::format("error: '{}' gives a file with SHA-256 {}, but its card says {}; it is not "
                        "the official file: do not use it",
                        url("plain"), sum.output.substr(0, 64), kOtherDigest));
}

TEST_F(Models, RefusesAnotherDigestThanThePinnedOne) {
  write_card_at("plain");
  EXPECT_EQ(fetch().exit_code, 0);
  const auto pinned = read_file(folder_ / "models/net.safetensors.sha256").substr(0, 64);
  publish(weights_of(kBytes, 2));
  const auto result = fetch({"--force"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(
      last_line(result.errors),
      AllOf(HasSubstr("but the first fetch pinned in 'models/net.safetensors.sha256' " + pinned),
            HasSubstr("; if its authors replaced it, remove ")));
  EXPECT_EQ(fetched(), weights_) << "the file that was there stays";
  fs::remove(folder_ / "models/net.safetensors");
  EXPECT_EQ(fetch().exit_code, 1) << "the pin outlives its file";
  fs::remove(folder_ / "models/net.safetensors.sha256");
  EXPECT_EQ(fetch().exit_code, 0);
}

TEST_F(Models, GoesOnAfterKill) {
  write_card_at("slow");
  const auto killed = cut_off(SIGKILL);
  EXPECT_EQ(killed.exit_code, 128 + SIGKILL);
  EXPECT_THAT(model_files(),
              ElementsAre("net.safetensors.part", "net.safetensors.part.json", "net.toml"));
  const auto kept = part_size();
  ASSERT_GT(kept, 400'000U);
  ASSERT_LT(kept, kBytes);
  const auto result = fetch();
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_THAT(result.errors, HasSubstr("'net.safetensors': going on at "));
  EXPECT_EQ(fetched(), weights_);
  EXPECT_THAT(model_files(), ElementsAre("net.safetensors", "net.safetensors.sha256", "net.toml"));
  EXPECT_EQ(models({"verify"}).exit_code, 0) << "the digest is that of the whole file";
  ASSERT_EQ(server_.requests().size(), 2U);
  EXPECT_EQ(server_.requests()[1].at("range"), fmt::format("bytes={}-", kept));
  EXPECT_TRUE(server_.requests()[1].contains("if-range"));
}

TEST_F(Models, GoesOnAfterCtrlC) {
  write_card_at("dated");
  const auto stopped = cut_off(SIGINT);
  EXPECT_EQ(stopped.exit_code, 130);
  EXPECT_THAT(stopped.errors, testing::EndsWith("what has come of 'net' is kept: the same command "
                                                "goes on from there\ninterrupted\n"));
  EXPECT_FALSE(fs::exists(folder_ / "models/net.safetensors"));
  const auto result = fetch();
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(fetched(), weights_);
  EXPECT_TRUE(server_.requests().at(1).contains("range")) << "by its date";
}

TEST_F(Models, BeginsAgainWhereTheServerCannotGoOn) {
  for (const char* mood : {"slow-whole", "weak"}) {
    write_card_at(mood);
    EXPECT_EQ(cut_off(SIGKILL).exit_code, 128 + SIGKILL);
    EXPECT_GT(part_size(), 400'000U);
    EXPECT_EQ(fetch().exit_code, 0);
    EXPECT_EQ(fetched(), weights_);
    EXPECT_EQ(models({"verify"}).exit_code, 0);
    fs::remove(folder_ / "models/net.safetensors");
  }
}

TEST_F(Models, BeginsAgainWhereTheFileHasChanged) {
  write_card_at("slow");
  EXPECT_EQ(cut_off(SIGKILL).exit_code, 128 + SIGKILL);
  const auto changed = weights_of(kBytes, 2);
  publish(changed);
  const auto result = fetch();
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(fetched(), changed);
  EXPECT_EQ(models({"verify"}).exit_code, 0);
}

TEST_F(Models, BeginsAgainWhereThePartIsNoGood) {
  write_card_at("plain");
  const auto state = fmt::format(
      R"({{"url": "{}", "etag": "\"x\"", "last_modified": "", "bytes": 100}})", url("plain"));
  const std::vector<std::string> states = {
      "",   "{", "[]", R"({"url": 3})", R"({"url":"x","etag":"y","last_modified":"","bytes":1e99})",
      state};
  for (const auto& text : states) {
    write_file(folder_ / "models/net.safetensors.part", std::string(1000, 'x'));
    write_file(folder_ / "models/net.safetensors.part.json", text);
    const auto result = fetch();
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    EXPECT_EQ(fetched(), weights_) << text;
    EXPECT_FALSE(server_.requests().back().contains("range")) << text;
    fs::remove(folder_ / "models/net.safetensors");
  }
}

TEST_F(Models, AWholePartIsNotFetchedAgain) {
  write_card_at("plain");
  write_file(folder_ / "models/net.safetensors.part", weights_);
  write_file(folder_ / "models/net.safetensors.part.json",
             fmt::format(R"({{"url": "{}", "etag": "\"x\"", "last_modified": "", "bytes": {}}})",
                         url("plain"), weights_.size()));
  EXPECT_EQ(fetch().exit_code, 0);
  EXPECT_EQ(fetched(), weights_);
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(Models, GetsThroughBrokenTransfers) {
  for (const char* mood : {"short", "other-range", "out-of-range", "stall-once", "busy", "moved"}) {
    write_card_at(mood);
    const auto result = fetch({"models.stall_s=0.5", "models.tries=4"});
    EXPECT_EQ(result.exit_code, 0) << mood << ": " << result.errors;
    EXPECT_EQ(fetched(), weights_) << mood;
    EXPECT_EQ(models({"verify"}).exit_code, 0) << mood;
    fs::remove(folder_ / "models/net.safetensors");
  }
}

TEST_F(Models, GivesUpInTheEndAndKeepsWhatCame) {
  write_card_at("short-whole");
  const auto result = fetch({"models.tries=2"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(last_line(result.errors),
              testing::EndsWith("; what has come is kept: the same command goes on from there, "
                                "later"));
  EXPECT_EQ(part_size(), 300'000U);
  EXPECT_FALSE(fs::exists(folder_ / "models/net.safetensors"));
}

TEST_F(Models, TellsOfAServerThatDoesNotAnswer) {
  write_card_at("silent");
  EXPECT_EQ(failure({"models.stall_s=0.5", "models.tries=2"}),
            fmt::format("error: cannot fetch '{}': nothing has come for 0.5 s; try again later",
                        url("silent")));
  write_card_at("always-busy");
  EXPECT_EQ(failure({"models.tries=2"}),
            fmt::format("error: cannot fetch '{}': the server is not ready (HTTP 503); try again "
                        "later",
                        url("always-busy")));
  EXPECT_EQ(server_.requests().size(), 4U);
  write_card({.url = "http://127.0.0.1:1/net.safetensors"});
  EXPECT_THAT(failure(), AllOf(HasSubstr("cannot fetch 'http://127.0.0.1:1/net.safetensors': "),
                               testing::EndsWith("; check the network and the address")));
}

TEST_F(Models, ExplainsHttpErrors) {
  const auto answer = [&](const std::string& status) {
    write_card({.url = server_.url("status", status + "/net.safetensors")});
    return failure();
  };
  const auto address = [&](const std::string& status) {
    return server_.url("status", status + "/net.safetensors");
  };
  EXPECT_EQ(answer("404"),
            fmt::format("error: cannot fetch '{}': the server answers HTTP 404, there is no such "
                        "file; it may have moved: give its new address with --url",
                        address("404")));
  EXPECT_EQ(answer("403"),
            fmt::format("error: '127.0.0.1' refuses '{}' (HTTP 403); download it in a browser and "
                        "put it into a model folder, or give another address with --url",
                        address("403")));
  EXPECT_EQ(answer("418"), fmt::format("error: cannot fetch '{}': the server answers HTTP 418; "
                                       "give another address with --url",
                                       address("418")));
}

TEST_F(Models, RefusesWhatIsNoNetwork) {
  write_card({.url = url("plain"), .bytes = 0});
  const auto gives = [&](const std::string& bytes) {
    publish(bytes);
    return failure();
  };
  const auto line = [&](const std::string& what) {
    return fmt::format("error: '{}' gives {}; check the address, or give another one with --url",
                       url("plain"), what);
  };
  const std::string page = fmt::format(
      "error: '{}' gives a web page or a Git LFS pointer instead of the file itself; open it in a "
      "browser: it may want a sign-in or a consent; else give another address with --url",
      url("plain"));
  EXPECT_EQ(gives("<!DOCTYPE html><html>Please sign in</html>"), page);
  EXPECT_EQ(gives("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"), page);
  EXPECT_EQ(gives(""), line("an empty file"));
  EXPECT_EQ(gives(R"({"error":"gone"})"), line("a file of no known format"));
  EXPECT_EQ(gives("PK\x03\x04 and no more"),
            line("a zip file without a network in it, or a truncated one"));
  write_card_at("plain");
  EXPECT_EQ(gives(weights_of(1'000'000)),
            fmt::format("error: '{}' gives only 1.0 MB of the 3.0 MB that its card tells; check "
                        "the address, or give another one with --url",
                        url("plain")));
  EXPECT_EQ(gives(weights_of(7'000'000)),
            fmt::format("error: '{}' is far larger than the 3.0 MB that its card tells; check the "
                        "address",
                        url("plain")));
}

TEST_F(Models, NeedsNoLengthButSeesACut) {
  write_card_at("endless");
  EXPECT_EQ(fetch().exit_code, 0);
  EXPECT_EQ(fetched(), weights_);
  fs::remove(folder_ / "models/net.safetensors");
  fs::remove(folder_ / "models/net.safetensors.sha256");
  write_card_at("endless-short");
  EXPECT_THAT(failure(), HasSubstr("net.safetensors"));
}

TEST_F(Models, FollowsOnlySafeRedirections) {
  write_card({.url = url("moved-round")});
  EXPECT_THAT(failure(), HasSubstr("it is redirected without end"));
  for (const char* to : {"ftp://127.0.0.1/net", "file:///etc/passwd"}) {
    write_card({.url = url("moved-to") + "?" + to});
    EXPECT_THAT(failure(), HasSubstr(fmt::format("redirected to '{}', which is not safe", to)));
  }
  write_card({.url = "ftp://127.0.0.1/net.safetensors"});
  EXPECT_NE(fetch().exit_code, 0);
  EXPECT_EQ(fetch({"--url", "file:///etc/passwd"}).exit_code, 2);
}

TEST_F(Models, AsksForConsentToLicencesWithoutCommercialUse) {
  write_card({.url = url("plain"), .commercial = false});
  const auto refused = fetch();
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_EQ(refused.errors,
            "error: the licence of 'net', Made-Up-1.0, forbids commercial use; give "
            "--accept-license if you agree to it\n");
  EXPECT_TRUE(server_.requests().empty());
  const auto agreed = fetch({"--accept-license"});
  EXPECT_EQ(agreed.exit_code, 0) << agreed.errors;
  EXPECT_THAT(agreed.errors,
              testing::StartsWith("warning: 'net' is for non-commercial use only: its licence is "
                                  "Made-Up-1.0\n"));
  EXPECT_EQ(fetch().exit_code, 0) << "what is there needs no consent";
}

TEST_F(Models, FetchesSeveralAndGoesOnAfterAFailure) {
  write_card({.url = server_.url("status", "404/a")}, "a");
  write_card({.url = server_.url("plain", "net.safetensors")}, "b");
  const auto result = models({"fetch", "a", "nano", "b"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.output, "models/b.safetensors\n");
  EXPECT_THAT(result.errors, AllOf(HasSubstr("HTTP 404"),
                                   HasSubstr("'nano' is inside the program: there is nothing to "
                                             "fetch\n")));
  EXPECT_EQ(last_line(result.errors), "error: 1 of 3 inputs failed");
  EXPECT_EQ(models({"fetch", "b", "nan"}).exit_code, 2) << "unknown names end it at once";
  EXPECT_EQ(models({"fetch", "a", "b", "--url", "http://x/"}).exit_code, 2);
}

TEST_F(Models, FetchesFromAndToWhereItIsTold) {
  write_card({.url = "http://127.0.0.1:1/none"});
  const auto result = fetch({"--url", url("plain"), "--to", "other/place"});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(result.output, "other/place/net.safetensors\n");
  write_card({});
  EXPECT_EQ(last_line(fetch().errors),
            "error: the card of 'net' names no address; give one with --url, or put "
            "'net.safetensors' into 'models'");
  EXPECT_EQ(
      models({"fetch", "net", "--url", url("plain")}, {.environment = {{"VERGENCE_MODELS", ""}}})
          .exit_code,
      2)
      << "the card is in $VERGENCE_MODELS only";
  fs::create_directories(folder_ / "cache/vergence/models");
  fs::rename(folder_ / "models/net.toml", folder_ / "cache/vergence/models/net.toml");
  const auto cached =
      models({"fetch", "net", "--url", url("plain")}, {.environment = {{"VERGENCE_MODELS", ""}}});
  EXPECT_EQ(cached.output, (folder_ / "cache/vergence/models/net.safetensors").string() + "\n");
}

TEST_F(Models, OneProcessAtATime) {
  write_card_at("held");
  ProcessResult second;
  const auto first = fetch({}, {.signal_when = [&](const std::string&) {
                             if (part_size() > 400'000 && second.exit_code < 0) {
                               second = fetch();
                               write_file(server_.folder() / "go_on", std::string());
                             }
                             return false;
                           }});
  EXPECT_EQ(first.exit_code, 0) << first.errors;
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_EQ(last_line(second.errors),
            "error: 'models/net.safetensors' is being fetched by another process; wait for it");
  EXPECT_EQ(fetched(), weights_);
}

TEST_F(Models, HonoursProxyVariables) {
  const std::string address = "http://mirror.example.org/plain/net.safetensors";
  write_card({.url = address});
  for (const char* variable : {"http_proxy", "all_proxy", "ALL_PROXY"}) {
    const auto result = fetch({"--force"}, {.environment = {{variable, server_.root()}}});
    EXPECT_EQ(result.exit_code, 0) << variable << ": " << result.errors;
    EXPECT_EQ(server_.requests().back().at("path"), address);
  }
  const auto num_requests = server_.requests().size();
  write_card_at("plain");
  const auto direct =
      fetch({"--force"},
            {.environment = {{"http_proxy", "http://127.0.0.1:1"}, {"no_proxy", "127.0.0.1"}}});
  EXPECT_EQ(direct.exit_code, 0) << direct.errors;
  EXPECT_EQ(server_.requests().size(), num_requests + 1);
}

// HTTPS by way of the server as a proxy, with its certificate trusted.
class SecureModels : public Models {
 protected:
  void SetUp() override {
    Models::SetUp();
    // The first tunnel makes the certificate, which nobody trusts yet.
    write_card({.url = "https://huggingface.co/plain/net.safetensors"});
    const auto untrusted = failure({}, {.environment = {{"https_proxy", server_.root()}}});
    EXPECT_THAT(untrusted, HasSubstr("certificate"));
    EXPECT_THAT(untrusted, testing::EndsWith("name them in SSL_CERT_FILE"));
  }

  ProcessOptions trusting() const {
    return {.environment = {{"https_proxy", server_.root()},
                            {"HF_TOKEN", "hf_secret\n"},
                            {"SSL_CERT_FILE", (server_.folder() / ".certificate.pem").string()}}};
  }

  // Requests inside tunnels to a host that carried the token.
  [[nodiscard]] std::vector<std::string> told() const {
    std::vector<std::string> hosts;
    for (const auto& request : server_.requests()) {
      if (request.contains("authorization")) {
        EXPECT_EQ(request.at("authorization"), "Bearer hf_secret");
        hosts.push_back(request.at("tunnel"));
      }
    }
    return hosts;
  }
};

TEST_F(SecureModels, TellsTheTokenToItsHostOnly) {
  const auto direct = fetch({}, trusting());
  EXPECT_EQ(direct.exit_code, 0) << direct.errors;
  EXPECT_EQ(fetched(), weights_);
  EXPECT_THAT(told(), ElementsAre("huggingface.co"));
  for (const char* host : {"mirror.example.org", "huggingface.co.example.org"}) {
    const auto address = fmt::format("https://{}/plain/net.safetensors", host);
    const auto result = fetch({"--force", "--url", address}, trusting());
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    const auto moved =
        fetch({"--force", "--url", "https://huggingface.co/moved-to/net.safetensors?" + address},
              trusting());
    EXPECT_EQ(moved.exit_code, 0) << moved.errors;
  }
  EXPECT_THAT(told(), ElementsAre("huggingface.co", "huggingface.co", "huggingface.co"));
  auto options = trusting();
  options.environment["http_proxy"] = server_.root();
  const auto plain =
      fetch({"--force", "--url", "http://huggingface.co/plain/net.safetensors"}, options);
  EXPECT_EQ(plain.exit_code, 0) << plain.errors;
  EXPECT_EQ(told().size(), 3U) << "never in clear text";
}

TEST_F(SecureModels, NeverLeavesHttpsAgain) {
  const auto address = "https://mirror.example.org/moved-to/net.safetensors?" + url("plain");
  EXPECT_THAT(failure({"--url", address}, trusting()),
              HasSubstr(fmt::format("redirected to '{}', which is not safe", url("plain"))));
}

TEST_F(SecureModels, ExplainsGatedModels) {
  const std::string address = "https://huggingface.co/status/401/net.safetensors";
  write_card({.url = address});
  auto options = trusting();
  EXPECT_EQ(failure({}, options),
            fmt::format("error: 'huggingface.co' refuses '{}' (HTTP 401); the token in HF_TOKEN "
                        "has no access: agree to the terms on the model's page",
                        address));
  options.environment["HF_TOKEN"] = "";
  EXPECT_EQ(failure({}, options),
            fmt::format("error: 'huggingface.co' refuses '{}' (HTTP 401); agree to the terms on "
                        "the model's page and set HF_TOKEN to a token of yours",
                        address));
}

TEST_F(Models, LooksForRoomOnTheDiskFirst) {
  const auto disk = folder_ / "disk";
  fs::create_directory(disk);
  if (::mount("none", disk.c_str(), "tmpfs", 0, "size=1m") != 0) {
    GTEST_SKIP() << "mounting a small disk needs root";
  }
  write_card_at("plain");
  const auto result = fetch({"--to", "disk"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(last_line(result.errors),
            "error: there is no room for 'net.safetensors': it needs 3.0 MB more, and 'disk' has "
            "1.0 MB left; free some space or choose another disk with --to");
  EXPECT_TRUE(fs::is_empty(disk));
  ::umount(disk.c_str());
}

TEST_F(Models, OnlyFetchingMapsLibcurl) {
  write_card_at("plain");
  const auto mapped_by = [&](const std::vector<std::string>& arguments) {
    const auto result = models(arguments, logs_libraries());
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    return take_linker_log();
  };
  EXPECT_THAT(mapped_by({"--help"}), AllOf(Not(HasSubstr("libcurl")), Not(HasSubstr("libcrypto"))));
  EXPECT_THAT(mapped_by({"list"}), AllOf(Not(HasSubstr("libcurl")), Not(HasSubstr("libtorch"))));
  EXPECT_THAT(mapped_by({"fetch", "net"}), AllOf(HasSubstr("libcurl"), Not(HasSubstr("libtorch"))));
}

}  // namespace
}  // namespace vergence::test
