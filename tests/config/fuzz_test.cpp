// SPDX-License-Identifier: Apache-2.0
// Random and damaged arguments and files: never a crash or a hang, and whatever composes prints as
// TOML that composes to the same again.
#include "config/completion.hpp"
#include "config/sweep.hpp"
#include "core/output_file.hpp"
#include "tests/config/support.hpp"

#include <array>
#include <random>

#include <gtest/gtest.h>

namespace vergence::config::test {
namespace {

class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_(seed) {}

  std::size_t below(std::size_t count) { return random_() % count; }

  template <std::size_t kCount>
  std::string pick(const std::array<const char*, kCount>& words) {
    return words.at(below(kCount));
  }

  // Mostly in the grammar; a quarter of them damaged.
  std::string argument() {
    static constexpr std::array<const char*, 8> kSigns = {"", "", "", "+", "+", "++", "~", ""};
    static constexpr std::array<const char*, 5> kFree = {"a", "a.b", "c", "l", "l.0"};
    std::string text = below(2) == 0 ? std::string("++").append(pick(kFree)) : pick(kSigns) + key();
    if (below(20) == 0) text += "+";
    if (below(20) != 0) text.append("=").append(value(0));
    return below(4) == 0 ? damaged(text) : text;
  }

  std::string damaged(std::string text) {
    static constexpr std::string_view kBytes =
        "=,.:$@/~+-[]{}()'\"\\ \t\n#?%09azAZ_\xC3\xBC\xFF\x01";
    for (std::size_t n = 1 + below(3); n > 0; --n) {
      const std::size_t at = below(text.size() + 1);
      const char byte = kBytes[below(kBytes.size())];
      switch (below(4)) {
        case 0:
          text.insert(at, 1, byte);
          break;
        case 1:
          text.erase(at, 1 + below(3));
          break;
        case 2:
          text += text.substr(at);
          break;
        default:
          if (at < text.size()) text[at] = byte;
      }
    }
    return text;
  }

 private:
  std::string key() {
    static constexpr std::array<const char*, 24> kKeys = {"mesh.grid_width",
                                                          "views.count",
                                                          "views.fov_deg",
                                                          "mesh.edges",
                                                          "mesh",
                                                          "predictor",
                                                          "preset",
                                                          "device",
                                                          "threads",
                                                          "mesh.texture",
                                                          "a",
                                                          "a.b",
                                                          "a.b.c",
                                                          "l",
                                                          "l.0",
                                                          "l[1]",
                                                          "predictor@x",
                                                          "predictor.path",
                                                          "sky.mask",
                                                          "x.size_px",
                                                          "mesh.normals",
                                                          "defaults",
                                                          "a.$",
                                                          "input.depth"};
    return pick(kKeys);
  }

  std::string scalar() {
    static constexpr std::array<const char*, 40> kScalars = {"1",
                                                             "0",
                                                             "-3",
                                                             "20",
                                                             "6",
                                                             "1e-3",
                                                             "inf",
                                                             "nan",
                                                             "true",
                                                             "off",
                                                             "null",
                                                             "",
                                                             "word",
                                                             "two words",
                                                             "quest",
                                                             "files",
                                                             "preview",
                                                             "'q,\"'",
                                                             "\"a\\\"b\"",
                                                             "a\\,b",
                                                             "\\${x}",
                                                             "${a}",
                                                             "${.b}",
                                                             "${..a}",
                                                             "${l[0]}",
                                                             "${a.${l.0}}",
                                                             "${env:NO,3}",
                                                             "${select:a,4}",
                                                             "${mesh.texture}",
                                                             "x${threads}y",
                                                             "???",
                                                             "\\\\${threads}",
                                                             "keep",
                                                             "2026-01-01",
                                                             "C:\\x",
                                                             "1_0",
                                                             "a=b",
                                                             "\xE2\x82\xAC",
                                                             "int(3.5)",
                                                             "\"\t\n\x7F\""};
    return pick(kScalars);
  }

  std::string call() {
    static constexpr std::array<const char*, 22> kCalls = {"choice(1,a,[2])",
                                                           "range(3)",
                                                           "range(0,1,0.25)",
                                                           "range(5,0,-2)",
                                                           "range(start=1,stop=4)",
                                                           "range(0,1,0)",
                                                           "range(1e15)",
                                                           "glob(*)",
                                                           "glob([q*,d*],exclude=desk*)",
                                                           "sort(3,1,2)",
                                                           "sort([b,a])",
                                                           "sort(choice(b,a),reverse=true)",
                                                           "int(1.5,2)",
                                                           "float(range(2))",
                                                           "str(choice(1,'x y'))",
                                                           "bool([0,1])",
                                                           "json_str({a:[1,null]})",
                                                           "int('7')",
                                                           "interval(0,1)",
                                                           "tag(t,choice(1))",
                                                           "choice(choice(1))",
                                                           "range(-0.2,0.2,0.1)"};
    return pick(kCalls);
  }

  std::string value(int depth) {
    const std::size_t kind = depth > 3 ? 0 : below(10);
    if (kind == 7) {
      std::string text = "[";
      for (std::size_t n = below(4); n > 0; --n) text += value(depth + 1) + (n > 1 ? "," : "");
      return text + "]";
    }
    if (kind == 8) {
      static constexpr std::array<const char*, 5> kNames = {"a", "b", "c", "edges", "grid_width"};
      std::string text = "{";
      for (std::size_t n = below(3); n > 0; --n) {
        text += pick(kNames) + ":" + value(depth + 1) + (n > 1 ? "," : "");
      }
      return text + "}";
    }
    if (kind == 9 && below(4) == 0) return scalar() + "," + scalar();
    if (kind == 6 && below(3) == 0) return call();
    return scalar();
  }

  std::mt19937 random_;
};

// Composes; where that works, checks the round trip. Returns whether it worked.
bool holds(const ComposeRequest& request, Files& files) {
  std::string resolved;
  std::string written;
  try {
    const Config config = compose(request);
    resolved = config.to_toml();
    written = config.to_toml(false);
  } catch (const ConfigError&) {
    return false;
  }
  files.write("printed", resolved);
  EXPECT_EQ(compose(files.request({}, "printed")).to_toml(), resolved);
  files.write("printed", written);
  EXPECT_EQ(compose(files.request({}, "printed")).to_toml(false), written);
  return true;
}

// Takes sweeps apart; the arguments of a few jobs have to read as one value each. Returns how many
// jobs there are.
std::size_t expands(const ComposeRequest& request) {
  try {
    const auto jobs = expand_sweeps(request);
    for (std::size_t i = 0; i < jobs.size(); i += jobs.size() / 4 + 1) {
      EXPECT_FALSE(has_sweep(jobs[i]));
      EXPECT_EQ(jobs[i].size(), jobs[0].size());
    }
    return jobs.size();
  } catch (const ConfigError&) {
    return 0;
  }
}

std::string listed(const std::vector<std::string>& arguments) {
  std::string text;
  for (const auto& argument : arguments) text += "\n  " + argument;
  return text;
}

// Sanitizers make each of them eight times as slow.
#ifdef __SANITIZE_ADDRESS__
constexpr int kNumLines = 2'000;
#else
constexpr int kNumLines = 10'000;
#endif

TEST(Fuzz, Arguments) {
  Generator generator(20260101);
  Files files;
  int composed = 0;
  int swept = 0;
  for (int i = 0; i < kNumLines; ++i) {
    std::vector<std::string> arguments;
    for (std::size_t n = 1 + generator.below(2); n > 0; --n) {
      arguments.push_back(generator.argument());
    }
    try {
      composed += holds(files.request(arguments), files) ? 1 : 0;
      swept += expands(files.request(arguments)) > 1 ? 1 : 0;
      if (i % 20 == 0) static_cast<void>(complete_override({}, arguments[0]));
    } catch (const std::exception& error) {
      FAIL() << error.what() << listed(arguments);
    }
    ASSERT_FALSE(::testing::Test::HasFailure()) << listed(arguments);
  }
  // Otherwise the test would prove nothing.
  EXPECT_GT(composed, kNumLines * 15 / 100);
  EXPECT_GT(swept, kNumLines * 15 / 1'000);
}

TEST(Fuzz, Files) {
  Generator generator(7);
  Files files;
  static constexpr std::array<const char*, 4> kFiles = {"config", "mesh/desktop", "mesh/quest",
                                                        "preset/preview"};
  const std::filesystem::path shipped = vergence::test::source_dir() / "configs";
  std::array<std::string, 4> texts;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    texts.at(i) = read_file(shipped / (std::string(kFiles.at(i)) + ".toml"));
  }
  texts[3] += "\"+x\" = '${..threads}'\n\"+l\" = [1, { a = '${env:NO,1}' }]\n";
  int composed = 0;
  for (int i = 0; i < 2'500; ++i) {
    const std::size_t which = generator.below(texts.size());
    const std::string damaged = generator.damaged(texts.at(which));
    files.write(kFiles.at(which), damaged);
    try {
      composed += holds(files.request({"mesh=quest", "+preset=preview"}), files) ? 1 : 0;
    } catch (const std::exception& error) {
      FAIL() << error.what() << "\n" << damaged;
    }
    ASSERT_FALSE(::testing::Test::HasFailure()) << damaged;
    files.write(kFiles.at(which), texts.at(which));
  }
  EXPECT_GT(composed, 200);
}

}  // namespace
}  // namespace vergence::config::test
