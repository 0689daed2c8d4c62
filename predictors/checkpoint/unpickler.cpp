// SPDX-License-Identifier: Apache-2.0
// Opcodes: CPython's Lib/pickletools.py.
#include "predictors/checkpoint/unpickler.hpp"

#include "core/error.hpp"
#include "core/little_endian.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>

#include <fmt/format.h>

namespace vergence::predictors {
namespace {

using Kind = PickleValue::Kind;

constexpr std::size_t kMostValues = 2'000'000;

// What calling a global gives.
enum class Role {
  kNothing,  // it is a type, never called
  kCall,     // a call that the reader of tensors understands
  kDict,
  kList,
  kSet,
  kTuple,
};

struct Global {
  std::string_view name;
  Role role;
};

// Python 2 and the pickles of protocol 2 say __builtin__ for builtins.
constexpr auto kGlobals = std::to_array<Global>({
    {"collections.OrderedDict", Role::kDict},
    {"collections.defaultdict", Role::kDict},
    {"collections.Counter", Role::kDict},
    {"builtins.dict", Role::kDict},
    {"builtins.list", Role::kList},
    {"builtins.set", Role::kSet},
    {"builtins.frozenset", Role::kSet},
    {"builtins.tuple", Role::kTuple},
    {"__builtin__.dict", Role::kDict},
    {"__builtin__.list", Role::kList},
    {"__builtin__.set", Role::kSet},
    {"__builtin__.frozenset", Role::kSet},
    {"__builtin__.tuple", Role::kTuple},
    {"torch.Size", Role::kTuple},
    {"torch._utils._rebuild_tensor", Role::kCall},
    {"torch._utils._rebuild_tensor_v2", Role::kCall},
    {"torch._utils._rebuild_tensor_v3", Role::kCall},
    {"torch._utils._rebuild_parameter", Role::kCall},
    {"torch._utils._rebuild_parameter_with_state", Role::kCall},
    {"torch._tensor._rebuild_from_type_v2", Role::kCall},
    {"torch.device", Role::kCall},
    {"torch.Tensor", Role::kNothing},
    {"torch.nn.parameter.Parameter", Role::kNothing},
    {"torch.nn.parameter.Buffer", Role::kNothing},
    {"torch.FloatStorage", Role::kNothing},
    {"torch.DoubleStorage", Role::kNothing},
    {"torch.HalfStorage", Role::kNothing},
    {"torch.BFloat16Storage", Role::kNothing},
    {"torch.LongStorage", Role::kNothing},
    {"torch.IntStorage", Role::kNothing},
    {"torch.ShortStorage", Role::kNothing},
    {"torch.CharStorage", Role::kNothing},
    {"torch.ByteStorage", Role::kNothing},
    {"torch.BoolStorage", Role::kNothing},
    {"torch.cuda.FloatStorage", Role::kNothing},
    {"torch.cuda.DoubleStorage", Role::kNothing},
    {"torch.cuda.HalfStorage", Role::kNothing},
    {"torch.cuda.BFloat16Storage", Role::kNothing},
    {"torch.cuda.LongStorage", Role::kNothing},
    {"torch.cuda.IntStorage", Role::kNothing},
    {"torch.cuda.ShortStorage", Role::kNothing},
    {"torch.cuda.CharStorage", Role::kNothing},
    {"torch.cuda.ByteStorage", Role::kNothing},
    {"torch.cuda.BoolStorage", Role::kNothing},
    {"torch.UntypedStorage", Role::kNothing},
    {"torch._UntypedStorage", Role::kNothing},
    {"torch.storage.UntypedStorage", Role::kNothing},
    {"torch.storage._UntypedStorage", Role::kNothing},
    {"torch.float64", Role::kNothing},
    {"torch.float32", Role::kNothing},
    {"torch.float16", Role::kNothing},
    {"torch.bfloat16", Role::kNothing},
    {"torch.int64", Role::kNothing},
    {"torch.int32", Role::kNothing},
    {"torch.int16", Role::kNothing},
    {"torch.int8", Role::kNothing},
    {"torch.uint64", Role::kNothing},
    {"torch.uint32", Role::kNothing},
    {"torch.uint16", Role::kNothing},
    {"torch.uint8", Role::kNothing},
    {"torch.bool", Role::kNothing},
});

class Unpickler {
 public:
  Unpickler(std::string_view bytes, const std::string& file) : bytes_(bytes), file_(file) {}

  // The bytes that the pickle takes.
  std::size_t run() {
    while (true) {
      const unsigned char code = static_cast<unsigned char>(take(1).front());
      if (code == '.') break;
      if (!constant(code) && !text(code) && !memo(code) && !container(code) && !call(code)) {
        --at_;
        fail(fmt::format("it has the opcode 0x{:02x}, which weights do not need", code));
      }
    }
    pickle.root = pop();
    return at_;
  }

  Pickle pickle;

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw Error(
        fmt::format("'{}' is a damaged checkpoint: {} (byte {} of its pickle)", file_, why, at_))
        .hint("fetch or export it again");
  }

  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size() - at_) fail("it ends too early");
    const std::string_view taken = bytes_.substr(at_, count);
    at_ += count;
    return taken;
  }

  std::uint64_t take_number(std::size_t count) { return little_endian(take(count), 0, count); }

  std::string_view take_line() {
    const std::size_t end = bytes_.find('\n', at_);
    if (end == std::string_view::npos) fail("it ends too early");
    const std::string_view line = take(end - at_);
    ++at_;
    return line;
  }

  void spend(std::size_t values) {
    if (values > kMostValues - spent_) fail("it holds more than two million values");
    spent_ += values;
  }

  void push(const PickleValue& value) {
    spend(1);
    stack_.push_back(value);
  }

  void push(Kind kind, std::string_view text) { push({.kind = kind, .text = text}); }

  void push_number(std::int64_t number) { push({.kind = Kind::kInteger, .number = number}); }

  // A new value with these items.
  PickleValue made(Kind kind, std::vector<PickleValue> items = {}) {
    spend(1);
    pickle.nodes.push_back(std::move(items));
    return {.kind = kind, .node = pickle.nodes.size() - 1};
  }

  // Values above the last mark.
  [[nodiscard]] std::size_t height() const {
    return stack_.size() - (marks_.empty() ? 0 : marks_.back());
  }

  PickleValue pop() {
    if (height() == 0) fail("it takes a value where there is none");
    const PickleValue value = stack_.back();
    stack_.pop_back();
    return value;
  }

  [[nodiscard]] const PickleValue& top() const {
    if (height() == 0) fail("it takes a value where there is none");
    return stack_.back();
  }

  std::vector<PickleValue> pop_last(std::size_t count) {
    if (height() < count) fail("it takes a value where there is none");
    const auto begin = stack_.end() - static_cast<std::ptrdiff_t>(count);
    std::vector<PickleValue> values(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    return values;
  }

  std::vector<PickleValue> pop_to_mark() {
    if (marks_.empty()) fail("it closes a list that it did not open");
    std::vector<PickleValue> values = pop_last(height());
    marks_.pop_back();
    return values;
  }

  bool constant(unsigned char code) {
    switch (code) {
      case 0x80:  // PROTO
        if (take_number(1) > 5) fail("it is of a protocol above 5");
        return true;
      case 0x95:  // FRAME: a hint for readers of streams
        if (take_number(8) > bytes_.size() - at_) fail("it ends too early");
        return true;
      case 'N':
        push({});
        return true;
      case 0x88:  // NEWTRUE
      case 0x89:  // NEWFALSE
        push({.kind = Kind::kBool, .number = code == 0x88 ? 1 : 0});
        return true;
      case 'J':  // BININT
        push_number(static_cast<std::int32_t>(take_number(4)));
        return true;
      case 'K':  // BININT1
        push_number(static_cast<std::int64_t>(take_number(1)));
        return true;
      case 'M':  // BININT2
        push_number(static_cast<std::int64_t>(take_number(2)));
        return true;
      case 0x8a:  // LONG1
        push_long(take(take_number(1)));
        return true;
      case 0x8b:  // LONG4
        push_long(take(take_number(4)));
        return true;
      case 'G':  // BINFLOAT
        (void)take(8);
        push({.kind = Kind::kReal});
        return true;
      default:
        return false;
    }
  }

  void push_long(std::string_view bytes) {
    if (bytes.size() > 8) return push(Kind::kBigInteger, bytes);
    std::uint64_t value = little_endian(bytes, 0, bytes.size());
    const bool negative = !bytes.empty() && static_cast<unsigned char>(bytes.back()) >= 0x80;
    if (negative && bytes.size() < 8) value |= ~std::uint64_t{0} << (8 * bytes.size());
    push_number(static_cast<std::int64_t>(value));
  }

  bool text(unsigned char code) {
    switch (code) {
      case 'U':   // SHORT_BINSTRING, Python 2's str
      case 0x8c:  // SHORT_BINUNICODE
        push(Kind::kText, take(take_number(1)));
        return true;
      case 'T':  // BINSTRING
      case 'X':  // BINUNICODE
        push(Kind::kText, take(take_number(4)));
        return true;
      case 0x8d:  // BINUNICODE8
        push(Kind::kText, take(take_number(8)));
        return true;
      case 'C':  // SHORT_BINBYTES
        push(Kind::kBytes, take(take_number(1)));
        return true;
      case 'B':  // BINBYTES
        push(Kind::kBytes, take(take_number(4)));
        return true;
      case 0x8e:  // BINBYTES8
      case 0x96:  // BYTEARRAY8
        push(Kind::kBytes, take(take_number(8)));
        return true;
      default:
        return false;
    }
  }

  bool memo(unsigned char code) {
    switch (code) {
      case 'q':  // BINPUT
        put(take_number(1));
        return true;
      case 'r':  // LONG_BINPUT
        put(take_number(4));
        return true;
      case 0x94:  // MEMOIZE
        put(memo_.size());
        return true;
      case 'h':  // BINGET
        get(take_number(1));
        return true;
      case 'j':  // LONG_BINGET
        get(take_number(4));
        return true;
      default:
        return false;
    }
  }

  void put(std::uint64_t slot) {
    spend(1);
    memo_.insert_or_assign(slot, top());
  }

  void get(std::uint64_t slot) {
    const auto found = memo_.find(slot);
    if (found == memo_.end()) fail("it uses a value before it is there");
    push(found->second);
  }

  bool container(unsigned char code) {
    switch (code) {
      case '(':
        spend(1);
        marks_.push_back(stack_.size());
        return true;
      case '}':
        push(made(Kind::kDict));
        return true;
      case ']':
        push(made(Kind::kList));
        return true;
      case 0x8f:  // EMPTY_SET
        push(made(Kind::kSet));
        return true;
      case ')':
        push(made(Kind::kTuple));
        return true;
      case 0x85:  // TUPLE1, 2, 3
      case 0x86:
      case 0x87:
        push(made(Kind::kTuple, pop_last(code - 0x84U)));
        return true;
      case 't':
        push(made(Kind::kTuple, pop_to_mark()));
        return true;
      case 0x91:  // FROZENSET
        push(made(Kind::kSet, pop_to_mark()));
        return true;
      default:
        return fill(code);
    }
  }

  bool fill(unsigned char code) {
    switch (code) {
      case 'a':
        add(Kind::kList, pop_last(1));
        return true;
      case 'e':  // APPENDS
        add(Kind::kList, pop_to_mark());
        return true;
      case 0x90:  // ADDITEMS
        add(Kind::kSet, pop_to_mark());
        return true;
      case 's':
        add(Kind::kDict, pop_last(2));
        return true;
      case 'u':  // SETITEMS
        add(Kind::kDict, pop_to_mark());
        return true;
      default:
        return false;
    }
  }

  void add(Kind kind, const std::vector<PickleValue>& values) {
    const PickleValue& target = top();
    if (target.kind != kind) fail("it fills something that is no such container");
    if (kind == Kind::kDict && values.size() % 2 != 0) fail("a key has no value");
    auto& items = pickle.nodes[target.node];
    items.insert(items.end(), values.begin(), values.end());
  }

  bool call(unsigned char code) {
    switch (code) {
      case 'c': {  // GLOBAL
        const std::string_view module = take_line();
        push_global(module, take_line());
        return true;
      }
      case 0x93: {  // STACK_GLOBAL
        const auto names = pop_last(2);
        if (names[0].kind != Kind::kText || names[1].kind != Kind::kText) {
          fail("the name of a global is no text");
        }
        push_global(names[0].text, names[1].text);
        return true;
      }
      case 'i': {  // INST, of protocol 0: only to say what it asks for
        const std::string_view module = take_line();
        refuse(module, take_line());
      }
      case 'R':     // REDUCE
      case 0x81: {  // NEWOBJ
        const auto parts = pop_last(2);
        reduce(parts[0], parts[1]);
        return true;
      }
      case 'b':  // BUILD: attributes such as state_dict()'s _metadata, which no tensor depends on
        (void)pop();
        (void)top();
        return true;
      case 'Q': {  // BINPERSID
        PickleValue id = pop();
        if (id.kind != Kind::kTuple) fail("a persistent id is no tuple");
        id.kind = Kind::kPersistent;
        spend(1);
        pickle.persistent.push_back(id);
        push(id);
        return true;
      }
      default:
        return false;
    }
  }

  [[noreturn]] void refuse(std::string_view module, std::string_view name) const {
    throw Error(fmt::format("'{}' asks for the Python object '{}.{}', which is neither a tensor "
                            "nor a container",
                            file_, printable(module), printable(name)))
        .hint(
            "nothing of it was run; if you trust the file, save its state_dict alone with Python");
  }

  void push_global(std::string_view module, std::string_view name) {
    const auto* known = std::find_if(kGlobals.begin(), kGlobals.end(), [&](const Global& global) {
      return global.name.size() == module.size() + 1 + name.size() &&
             global.name.starts_with(module) && global.name.ends_with(name) &&
             global.name[module.size()] == '.';
    });
    if (known == kGlobals.end()) refuse(module, name);
    push({.kind = Kind::kGlobal, .number = known - kGlobals.begin(), .text = known->name});
  }

  void reduce(const PickleValue& global, const PickleValue& arguments) {
    if (global.kind != Kind::kGlobal || arguments.kind != Kind::kTuple) {
      fail("it calls something that is no function");
    }
    switch (kGlobals.at(static_cast<std::size_t>(global.number)).role) {
      case Role::kNothing:
        fail(fmt::format("it calls '{}', which is no function", global.text));
      case Role::kCall:
        return push(made(Kind::kCall, {global, arguments}));
      case Role::kDict:
        return push(dict_of(arguments));
      case Role::kList:
        return push(converted(Kind::kList, arguments));
      case Role::kSet:
        return push(converted(Kind::kSet, arguments));
      case Role::kTuple:
        return push(converted(Kind::kTuple, arguments));
    }
  }

  // list(x), set(x), tuple(x): the same items, not copied, so that repeated calls cost nothing.
  PickleValue converted(Kind kind, const PickleValue& arguments) {
    const auto values = pickle.items(arguments);
    if (values.empty()) return made(kind);
    const PickleValue& source = values[0];
    if (source.kind != Kind::kTuple && source.kind != Kind::kList && source.kind != Kind::kSet) {
      fail("it makes a container of something else");
    }
    return {.kind = kind, .node = source.node};
  }

  // OrderedDict(), OrderedDict(pairs) of Python 2, Counter(dict), defaultdict(type).
  PickleValue dict_of(const PickleValue& arguments) {
    const auto values = pickle.items(arguments);
    if (values.empty() || values[0].kind == Kind::kGlobal || values[0].kind == Kind::kNone) {
      return made(Kind::kDict);
    }
    if (values[0].kind == Kind::kDict) return values[0];
    if (values[0].kind != Kind::kList) fail("it makes a dictionary of something else");
    const auto pairs = pickle.items(values[0]);
    spend(2 * pairs.size());
    std::vector<PickleValue> items;
    for (const PickleValue& pair : pairs) {
      const auto members = pickle.items(pair);
      if (members.size() != 2) fail("it makes a dictionary of something else");
      items.insert(items.end(), members.begin(), members.end());
    }
    return made(Kind::kDict, std::move(items));
  }

  std::string_view bytes_;
  const std::string& file_;
  std::size_t at_ = 0;
  std::size_t spent_ = 0;
  std::vector<PickleValue> stack_;
  std::vector<std::size_t> marks_;  // heights of the stack
  std::unordered_map<std::uint64_t, PickleValue> memo_;
};

}  // namespace

std::span<const PickleValue> Pickle::items(const PickleValue& value) const {
  switch (value.kind) {
    case Kind::kTuple:
    case Kind::kList:
    case Kind::kSet:
    case Kind::kDict:
    case Kind::kCall:
    case Kind::kPersistent:
      return nodes[value.node];
    default:
      return {};
  }
}

const PickleValue* Pickle::find(const PickleValue& dict, std::string_view key) const {
  const PickleValue* found = nullptr;
  if (dict.kind != Kind::kDict) return found;
  const auto values = items(dict);
  for (std::size_t i = 0; i + 1 < values.size(); i += 2) {
    if (values[i].kind == Kind::kText && values[i].text == key) found = &values[i + 1];
  }
  return found;
}

Pickle read_pickle(std::string_view& bytes, const std::string& file) {
  Unpickler unpickler(bytes, file);
  bytes.remove_prefix(unpickler.run());
  return std::move(unpickler.pickle);
}

}  // namespace vergence::predictors
