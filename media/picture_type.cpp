// SPDX-License-Identifier: Apache-2.0
#include "media/picture_type.hpp"

#include <algorithm>
#include <array>

namespace vergence::media::codec {
namespace {

using namespace std::string_view_literals;

struct Signature {
  std::size_t at;
  std::string_view bytes;
  FileType type;
};

constexpr std::array kSignatures{
    Signature{0, "\xFF\xD8\xFF"sv, FileType::kJpeg},
    Signature{0, "\x89PNG\r\n\x1A\n"sv, FileType::kPng},
    Signature{0, "II*\0"sv, FileType::kTiff},
    Signature{0, "MM\0*"sv, FileType::kTiff},
    Signature{0, "II+\0\x08\0\0\0"sv, FileType::kTiff},
    Signature{0, "MM\0+\0\x08\0\0"sv, FileType::kTiff},
    Signature{8, "WEBP"sv, FileType::kWebp},
    Signature{0, "#?RADIANCE"sv, FileType::kRadiance},
    Signature{0, "#?RGBE"sv, FileType::kRadiance},
    Signature{0, "v/1\x01"sv, FileType::kExr},
    Signature{0, "\x93NUMPY"sv, FileType::kNpy},
    Signature{0, "PIEH"sv, FileType::kDpt},  // 202021.25 as a little-endian float
};

bool holds(std::string_view text, std::size_t at, std::string_view what) {
  return text.size() >= at && text.substr(at).starts_with(what);
}

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// ISO base media files name their brands in a box "ftyp" at the very start.
bool is_heif(std::string_view text) {
  if (!holds(text, 4, "ftyp")) return false;
  const std::size_t size = std::min<std::size_t>(
      text.size(), big_endian_u32(reinterpret_cast<const std::uint8_t*>(text.data())));
  for (std::size_t at = 8; at + 4 <= size; at += at == 8 ? 8 : 4) {
    constexpr std::array kBrands{"heic"sv, "heix"sv, "heim"sv, "heis"sv, "hevc"sv,
                                 "hevx"sv, "mif1"sv, "msf1"sv, "avif"sv, "avis"sv};
    if (std::ranges::find(kBrands, text.substr(at, 4)) != kBrands.end()) return true;
  }
  return false;
}

struct Look {
  std::size_t at;
  std::string_view bytes;
  std::string_view words;
};

constexpr std::array kLooks{
    Look{0, "%PDF"sv, "a PDF"sv},
    Look{0, "%!PS"sv, "a PostScript file"sv},
    Look{0, "GIF8"sv, "a GIF"sv},
    Look{0, "8BPS"sv, "a Photoshop file"sv},
    Look{0, "gimp xcf"sv, "a GIMP file"sv},
    Look{0, "PK\x03\x04"sv, "a ZIP archive"sv},
    Look{0, "\x1F\x8B"sv, "a gzip archive"sv},
    Look{0, "7z\xBC\xAF\x27\x1C"sv, "a 7z archive"sv},
    Look{0, "Rar!"sv, "a RAR archive"sv},
    Look{0, "glTF"sv, "a GLB model"sv},
    Look{0, "Kaydara FBX"sv, "an FBX model"sv},
    Look{0,
         "\x7F"
         "ELF"sv,
         "a program"sv},
    Look{0, "\x1A\x45\xDF\xA3"sv, "a Matroska or WebM video"sv},
    Look{8, "AVI "sv, "an AVI video"sv},
    Look{0, "\xFF\x0A"sv, "a JPEG XL picture, which is not supported"sv},
    Look{4, "JXL \r\n\x87\n"sv, "a JPEG XL picture, which is not supported"sv},
    Look{4, "jP  \r\n\x87\n"sv, "a JPEG 2000 picture, which is not supported"sv},
    Look{4, "ftypcrx"sv, "a camera's raw file, which is not supported"sv},
    Look{4, "ftyp"sv, "an MP4 or MOV video"sv},
    Look{4, "moov"sv, "an MP4 or MOV video"sv},
    Look{0, "\x93NUMPY"sv, "a NumPy array (a depth file?)"sv},
    Look{0, "PIEH"sv, "a DPT depth file"sv},
    Look{0, "Pf"sv, "a PFM depth file"sv},
    Look{0, "PF"sv, "a PFM depth file"sv},
};

bool looks_like_text(std::string_view text) {
  const auto head = text.substr(0, 512);
  return std::ranges::none_of(head, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == 0x7F || (byte < 0x20 && byte != '\f' && !is_space(c));
  });
}

}  // namespace

FileType file_type(Bytes bytes) {
  const auto text = as_text(bytes);
  for (const auto& signature : kSignatures) {
    if (holds(text, signature.at, signature.bytes)) return signature.type;
  }
  if (is_heif(text)) return FileType::kHeif;
  if (text.size() >= 18 && text.starts_with("BM") && holds(text, 15, "\0\0\0"sv)) {
    return FileType::kBmp;
  }
  if (text.size() < 3 || text[0] != 'P' || !is_space(text[2])) return FileType::kOther;
  if (text[1] == 'f' || text[1] == 'F') return FileType::kPfm;
  return text[1] >= '1' && text[1] <= '6' ? FileType::kPnm : FileType::kOther;
}

std::string describe_content(Bytes bytes) {
  const auto text = as_text(bytes);
  if (text.empty()) return "it is empty";
  for (const auto& look : kLooks) {
    if (holds(text, look.at, look.bytes)) return "it looks like " + std::string(look.words);
  }
  if (looks_like_text(text)) return "it looks like a text file";
  return "its content is of no known picture format";
}

}  // namespace vergence::media::codec
