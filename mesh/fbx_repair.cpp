// SPDX-License-Identifier: Apache-2.0
// Layout: 27 bytes of header, nodes, 25 zeros, footer. A node is u64 end offset, u64 number of
// properties, u64 bytes of properties, u8 length of its name, name, properties, nested nodes. A
// property is a letter and a scalar, a string (S, R: u32 length) or an array (f d l i b: u32 count,
// u32 encoding, u32 bytes; encoding 1 = zlib).
#include "mesh/fbx_repair.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"

#include <cstdint>
#include <cstring>
#include <deque>
#include <vector>

#include <fmt/format.h>
#include <zlib.h>

namespace vergence::mesh {
namespace {

constexpr std::string_view kMagic("Kaydara FBX Binary  \0\x1A\0", 23);
constexpr std::string_view kFooterId(
    "\xFA\xBC\xAB\x09\xD0\xC8\xD4\x66\xB1\x76\xFB\x83\x1C\xF7\x26\x7E", 16);
constexpr std::string_view kEndMagic(
    "\xF8\x5A\x8C\x6A\xDE\xF5\xD9\x7E\xEC\xE9\x0C\xE3\x75\x8F\x29\x0B", 16);
constexpr std::size_t kHeaderBytes = 27;
constexpr std::size_t kNodeHeaderBytes = 25;
constexpr std::uint32_t kFirstVersion = 7500;  // 64-bit offsets
constexpr int kDeepest = 64;

template <typename Value>
Value load(std::string_view bytes, std::size_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(Value)) {
    throw Error("the FBX data ends in the middle of a node").hint("export it again");
  }
  Value value;
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

template <typename Value>
void append(std::string& out, Value value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

// A stretch of property bytes as it stands, or an array that is to be compressed first.
struct Piece {
  std::string_view bytes;
  bool compress = false;
  std::string compressed;  // with its letter and lengths
};

struct Node {
  std::string_view name;
  std::uint64_t num_properties = 0;
  std::vector<Piece*> pieces;
  std::vector<Node> children;
};

std::size_t scalar_bytes(char type) {
  switch (type) {
    case 'C':
    case 'B':
      return 1;
    case 'Y':
      return 2;
    case 'I':
    case 'F':
      return 4;
    case 'D':
    case 'L':
      return 8;
    default:
      return 0;
  }
}

class Parser {
 public:
  Parser(std::string_view file, std::deque<Piece>& pieces) : file_(file), pieces_(pieces) {}

  // The nodes from `offset` up to `end` or a null record.
  std::vector<Node> nodes(std::size_t offset, std::size_t end, int depth) {
    if (depth > kDeepest)
      throw Error("the FBX nodes are nested too deeply").hint("export it again");
    std::vector<Node> result;
    while (offset < end) {
      const auto node_end = load<std::uint64_t>(file_, offset);
      if (node_end == 0) break;
      if (node_end > end || node_end < offset + kNodeHeaderBytes) {
        throw Error(fmt::format("an FBX node at byte {} has a wrong end offset", offset))
            .hint("export it again");
      }
      result.push_back(node(offset, node_end, depth));
      offset = node_end;
    }
    return result;
  }

 private:
  Node node(std::size_t offset, std::size_t end, int depth) {
    Node result;
    result.num_properties = load<std::uint64_t>(file_, offset + 8);
    const auto property_bytes = load<std::uint64_t>(file_, offset + 16);
    const auto name_length = load<std::uint8_t>(file_, offset + 24);
    const std::size_t properties = offset + kNodeHeaderBytes + name_length;
    if (properties > end || property_bytes > end - properties) {
      throw Error(fmt::format("an FBX node at byte {} is longer than its place", offset))
          .hint("export it again");
    }
    result.name = file_.substr(offset + kNodeHeaderBytes, name_length);
    split_properties(result, file_.substr(properties, property_bytes));
    result.children = nodes(properties + property_bytes, end, depth + 1);
    return result;
  }

  void add_piece(Node& node, std::string_view bytes, bool compress) {
    pieces_.push_back({bytes, compress, {}});
    node.pieces.push_back(&pieces_.back());
  }

  void split_properties(Node& node, std::string_view bytes) {
    constexpr std::size_t kSmallArray = 128;
    std::size_t offset = 0;
    for (std::uint64_t i = 0; i < node.num_properties; ++i) {
      const char type = load<char>(bytes, offset);
      std::size_t length = 1 + scalar_bytes(type);
      bool compress = false;
      if (type == 'S' || type == 'R') {
        length = 5 + std::size_t{load<std::uint32_t>(bytes, offset + 1)};
      } else if (length == 1) {
        const std::size_t stored = load<std::uint32_t>(bytes, offset + 9);
        length = 13 + stored;
        compress = load<std::uint32_t>(bytes, offset + 5) == 0 && stored > kSmallArray;
      }
      if (length > bytes.size() - offset) {
        throw Error(fmt::format("the FBX node '{}' ends in the middle of a property", node.name))
            .hint("export it again");
      }
      add_piece(node, bytes.substr(offset, length), compress);
      offset += length;
    }
  }

  std::string_view file_;
  std::deque<Piece>& pieces_;
};

void compress(Piece& piece) {
  const std::string_view raw = piece.bytes.substr(13);
  uLongf length = compressBound(raw.size());
  std::string packed(length, '\0');
  if (compress2(reinterpret_cast<Bytef*>(packed.data()), &length,
                reinterpret_cast<const Bytef*>(raw.data()), raw.size(), Z_BEST_SPEED) != Z_OK) {
    throw Error("cannot compress an FBX array").hint("free some memory");
  }
  piece.compressed.reserve(13 + length);
  piece.compressed.append(piece.bytes.substr(0, 5));
  append(piece.compressed, std::uint32_t{1});
  append(piece.compressed, static_cast<std::uint32_t>(length));
  piece.compressed.append(packed, 0, length);
}

void emit(std::string& out, const Node& node) {
  const std::size_t start = out.size();
  out.append(kNodeHeaderBytes, '\0');
  out += node.name;
  const std::size_t properties = out.size();
  for (const auto* piece : node.pieces) {
    out += piece->compress ? std::string_view(piece->compressed) : piece->bytes;
  }
  const std::uint64_t property_bytes = out.size() - properties;
  for (const auto& child : node.children) emit(out, child);
  if (!node.children.empty() || node.num_properties == 0) out.append(kNodeHeaderBytes, '\0');
  const std::uint64_t end = out.size();
  const auto name_length = static_cast<std::uint8_t>(node.name.size());
  std::memcpy(out.data() + start, &end, sizeof(end));
  std::memcpy(out.data() + start + 8, &node.num_properties, sizeof(node.num_properties));
  std::memcpy(out.data() + start + 16, &property_bytes, sizeof(property_bytes));
  std::memcpy(out.data() + start + 24, &name_length, sizeof(name_length));
}

void append_footer(std::string& out, std::uint32_t version) {
  out.append(kNodeHeaderBytes, '\0');
  out += kFooterId;
  out.append(4, '\0');
  // To the next multiple of 16; a whole one where there already is none missing.
  out.append(16 - out.size() % 16, '\0');
  append(out, version);
  out.append(120, '\0');
  out += kEndMagic;
}

}  // namespace

std::string repair_fbx(std::string_view file) {
  if (file.substr(0, kMagic.size()) != kMagic) {
    throw Error("the data is no binary FBX").hint("export it again");
  }
  const auto version = load<std::uint32_t>(file, kMagic.size());
  if (version < kFirstVersion) {
    throw Error(fmt::format("FBX version {} is too old to repair", version))
        .hint(fmt::format("export version {} or later", kFirstVersion));
  }
  std::deque<Piece> pieces;
  const auto nodes = Parser(file, pieces).nodes(kHeaderBytes, file.size(), 0);
  parallel_for(
      0, static_cast<int>(pieces.size()),
      [&](int first, int last) {
        for (int i = first; i < last; ++i) {
          auto& piece = pieces[static_cast<std::size_t>(i)];
          if (piece.compress) compress(piece);
        }
      },
      1);
  std::string out(file.substr(0, kHeaderBytes));
  for (const auto& node : nodes) emit(out, node);
  append_footer(out, version);
  return out;
}

}  // namespace vergence::mesh
