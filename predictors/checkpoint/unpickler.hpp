// SPDX-License-Identifier: Apache-2.0
// Reads a Python pickle as data. A pickle is a program: it names functions ("globals") and calls
// them. Here nothing is called and no object is made; what torch.save needs for tensors and
// containers becomes plain values, and every other global is refused by its name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vergence::predictors {

struct PickleValue {
  enum class Kind : std::uint8_t {
    kNone,
    kBool,        // number
    kInteger,     // number
    kBigInteger,  // text: more than 8 bytes, two's complement, lowest first
    kReal,        // the value is not kept
    kText,        // text, UTF-8
    kBytes,       // text
    kTuple,       // items
    kList,        // items
    kSet,         // items
    kDict,        // items: key, value, key, value, ...
    kGlobal,      // text: "module.name", one of the known ones
    kCall,        // items: the global and the tuple of its arguments
    kPersistent,  // items: the persistent id's members; torch.save's reference to a storage
  };

  Kind kind = Kind::kNone;
  std::size_t node = 0;  // for kinds with items
  std::int64_t number = 0;
  std::string_view text = {};  // points into the pickle or lives for ever
};

// What a pickle holds. Containers are numbered and may contain each other in circles.
struct Pickle {
  PickleValue root;
  std::vector<std::vector<PickleValue>> nodes;
  std::vector<PickleValue> persistent;  // every persistent id, in the order of the pickle

  // Nothing for a value without items.
  [[nodiscard]] std::span<const PickleValue> items(const PickleValue& value) const;
  // The value of a kDict's key; nullptr if there is none. The last one counts.
  [[nodiscard]] const PickleValue* find(const PickleValue& dict, std::string_view key) const;
};

// Reads the pickle at the start of `bytes` and takes it off their front. Understands the opcodes of
// protocols 2 to 5 that Python's pickler writes for data. Time and memory are bounded by the
// pickle's length and by two million values. Throws Error with `file`: for a global that is not of
// a tensor or container with the global's name, for everything damaged with the position.
[[nodiscard]] Pickle read_pickle(std::string_view& bytes, const std::string& file);

}  // namespace vergence::predictors
