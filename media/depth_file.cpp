// SPDX-License-Identifier: Apache-2.0
#include "media/depth_file.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "core/parallel.hpp"
#include "media/codec.hpp"
#include "media/npy.hpp"
#include "media/picture_type.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace vergence::media {
namespace fs = std::filesystem;

static_assert(std::endian::native == std::endian::little, "PFM, DPT: rows are copied as they are");

namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr int kPngFull = 65535;

constexpr std::array<std::string_view, 7> kExtensions{".exr", ".pfm",  ".npy", ".png",
                                                      ".tif", ".tiff", ".dpt"};

std::string lower_extension(const fs::path& path) {
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return extension;
}

// Kinds whose zero is a real value's opposite: nothing lies at distance 0.
bool is_length(DepthKind kind) {
  return kind == DepthKind::kDistance || kind == DepthKind::kPlanarDepth;
}

// --- PFM: "Pf", width, height, scale (negative = little endian), rows from the bottom up.
// P. Debevec; http://www.pauldebevec.com/Research/HDR/PFM/

std::string_view next_word(std::string_view& text) {
  constexpr std::string_view kSpace = " \t\r\n";
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  const auto word = text.substr(0, text.find_first_of(kSpace));
  text.remove_prefix(word.size());
  return word;
}

template <class Number>
Number next_number(const codec::Source& source, std::string_view& text) {
  const auto word = next_word(text);
  Number number{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc() || end != word.data() + word.size()) {
    codec::throw_damaged(source, "the PFM header is damaged or ends too early");
  }
  return number;
}

cv::Mat decode_pfm(const codec::Source& source) {
  auto text = codec::as_text(source.bytes);
  if (text.starts_with("PF")) codec::throw_unsupported(source, "a PFM of three channels");
  text.remove_prefix(2);
  const int width = next_number<int>(source, text);
  const int height = next_number<int>(source, text);
  const bool big_endian = next_number<float>(source, text) > 0.0F;
  codec::check_size(source, width, height);
  const std::size_t row_size = static_cast<std::size_t>(width) * sizeof(float);
  if (text.empty() || text.size() - 1 < row_size * static_cast<std::size_t>(height)) {
    codec::throw_damaged(source, "the PFM data end too early");
  }
  const char* row = text.data() + 1;  // one white space ends the header
  cv::Mat values(height, width, CV_32FC1);
  for (int y = height - 1; y >= 0; --y, row += row_size) {
    std::memcpy(values.ptr(y), row, row_size);
    if (!big_endian) continue;
    for (auto* item = values.ptr(y); item < values.ptr(y) + row_size; item += sizeof(float)) {
      std::reverse(item, item + sizeof(float));
    }
  }
  return values;
}

void append(std::vector<std::uint8_t>& bytes, const void* from, std::size_t size) {
  const auto* first = static_cast<const std::uint8_t*>(from);
  bytes.insert(bytes.end(), first, first + size);
}

std::vector<std::uint8_t> encode_pfm(const cv::Mat& values) {
  const std::string header = fmt::format("Pf\n{} {}\n-1.0\n", values.cols, values.rows);
  std::vector<std::uint8_t> bytes;
  bytes.reserve(header.size() + values.total() * sizeof(float));
  append(bytes, header.data(), header.size());
  for (int y = values.rows - 1; y >= 0; --y) {
    const auto* row = values.ptr<float>(y);
    for (int x = 0; x < values.cols; ++x) {
      // Middlebury's readers know infinity as "no value", and not all of them NaN.
      const float value = std::isfinite(row[x]) ? row[x] : std::numeric_limits<float>::infinity();
      append(bytes, &value, sizeof(value));
    }
  }
  return bytes;
}

// --- DPT: the float 202021.25 ("PIEH"), int32 width and height, rows of floats, all little endian.

constexpr std::size_t kDptHeader = 12;

cv::Mat decode_dpt(const codec::Source& source) {
  const auto* data = source.bytes.data();
  if (source.bytes.size() < kDptHeader) codec::throw_damaged(source, "the DPT data end too early");
  const auto width = static_cast<std::int32_t>(codec::little_endian_u32(data + 4));
  const auto height = static_cast<std::int32_t>(codec::little_endian_u32(data + 8));
  codec::check_size(source, width, height);
  const std::size_t needed =
      sizeof(float) * static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  const std::size_t given = source.bytes.size() - kDptHeader;
  if (given < needed) codec::throw_damaged(source, "the DPT data end too early");
  // Optical flow files start with the same magic number.
  if (given == 2 * needed) codec::throw_unsupported(source, "an optical flow (FLO) file");
  cv::Mat values(height, width, CV_32FC1);
  std::memcpy(values.data, data + kDptHeader, needed);
  return values;
}

std::vector<std::uint8_t> encode_dpt(const cv::Mat& values) {
  constexpr float kMagic = 202021.25F;
  const std::array<std::int32_t, 2> size{values.cols, values.rows};
  std::vector<std::uint8_t> bytes;
  bytes.reserve(kDptHeader + values.total() * sizeof(float));
  append(bytes, &kMagic, sizeof(kMagic));
  append(bytes, size.data(), sizeof(size));
  for (int y = 0; y < values.rows; ++y) {
    append(bytes, values.ptr(y), static_cast<std::size_t>(values.cols) * sizeof(float));
  }
  return bytes;
}

// --- Pictures as depth.

// A stored map: CV_8UC1, CV_16UC1 or CV_32FC1.
cv::Mat grey_only(const codec::Source& source, cv::Mat pixels) {
  if (pixels.channels() == 1) return pixels;
  throw Error(fmt::format("'{}' is a colour picture, not a depth map", source.name))
      .hint(
          "give the file that holds the numbers (.exr, .pfm, .npy, .dpt or 16-bit grey .png), "
          "not its preview");
}

cv::Mat decode_stored(const codec::Source& source) {
  using codec::FileType;
  if (codec::is_npz(source.bytes)) return codec::decode_npz(source);
  switch (codec::file_type(source.bytes)) {
    case FileType::kExr:
      return codec::decode_exr_depth(source);
    case FileType::kPfm:
      return decode_pfm(source);
    case FileType::kNpy:
      return codec::decode_npy(source);
    case FileType::kDpt:
      return decode_dpt(source);
    case FileType::kPng:
      return grey_only(source, codec::decode_png(source).pixels);
    case FileType::kTiff:
      return grey_only(source, codec::decode_tiff(source).pixels);
    case FileType::kPnm:
      return grey_only(source, codec::decode_pnm(source).pixels);
    case FileType::kRadiance:
      throw Error(fmt::format("cannot read '{}' as depth: Radiance HDR keeps one part in 256 only",
                              source.name))
          .hint("save it as .exr");
    case FileType::kOther:
      throw Error(fmt::format("'{}' is not a depth map: {}", source.name,
                              codec::describe_content(source.bytes)))
          .hint("give an .exr, .pfm, .npy, .dpt, .tiff or 16-bit .png file");
    default:
      throw Error(
          fmt::format("'{}' is a picture with lossy or 8-bit pixels, not a depth map", source.name))
          .hint("give an .exr, .pfm, .npy, .dpt, .tiff or 16-bit .png file");
  }
}

// What a stored number means.
struct Meaning {
  DepthKind kind = DepthKind::kDistance;
  double scale = 1.0;
  bool zero_is_invalid = false;  // whole numbers only
  bool full_is_invalid = false;
};

Meaning meaning_of(const codec::Source& source, const cv::Mat& stored,
                   const DepthReadOptions& options, const std::optional<DepthFileInfo>& sidecar) {
  Meaning meaning;
  meaning.kind = options.kind.value_or(sidecar ? sidecar->kind : DepthKind::kDistance);
  const bool whole = stored.depth() != CV_32F;
  std::optional<double> scale = options.scale;
  if (!scale && sidecar) scale = sidecar->scale;
  if (stored.depth() == CV_8U && !scale && is_length(meaning.kind)) {
    throw Error(
        fmt::format("'{}' has 8-bit pixels, which are too coarse for distances", source.name))
        .hint("give a 16-bit file, or say what one step is worth by input.depth_scale");
  }
  meaning.scale = scale.value_or(whole ? default_png_scale(meaning.kind) : 1.0);
  meaning.zero_is_invalid = whole && (is_length(meaning.kind) || sidecar.has_value());
  meaning.full_is_invalid = stored.depth() == CV_16U && is_length(meaning.kind);
  return meaning;
}

template <class Stored>
cv::Mat scaled_values(const cv::Mat& stored, const Meaning& meaning) {
  cv::Mat values(stored.size(), CV_32FC1);
  const auto scale = static_cast<float>(meaning.scale);
  const bool positive = is_length(meaning.kind) || meaning.kind == DepthKind::kInverseDistance;
  parallel_for(0, stored.rows, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      const auto* from = stored.ptr<Stored>(y);
      auto* to = values.ptr<float>(y);
      for (int x = 0; x < stored.cols; ++x) {
        const auto number = static_cast<float>(from[x]);
        const float value = number * scale;
        const bool invalid = !std::isfinite(value) || (positive && value <= 0.0F) ||
                             (meaning.zero_is_invalid && number == 0.0F) ||
                             (meaning.full_is_invalid && number == static_cast<float>(kPngFull));
        to[x] = invalid ? kNaN : value;
      }
    }
  });
  return values;
}

cv::Mat to_values(const cv::Mat& stored, const Meaning& meaning) {
  switch (stored.depth()) {
    case CV_8U:
      return scaled_values<std::uint8_t>(stored, meaning);
    case CV_16U:
      return scaled_values<std::uint16_t>(stored, meaning);
    default:
      return scaled_values<float>(stored, meaning);
  }
}

// Steps of a 16-bit PNG: at least 1 for what is valid, 0 for what is not.
cv::Mat to_steps(const cv::Mat& values, double scale, const fs::path& path) {
  cv::Mat steps(values.size(), CV_16UC1);
  std::int64_t clipped = 0;
  for (int y = 0; y < values.rows; ++y) {
    const auto* from = values.ptr<float>(y);
    auto* to = steps.ptr<std::uint16_t>(y);
    for (int x = 0; x < values.cols; ++x) {
      const double step = std::round(static_cast<double>(from[x]) / scale);
      if (step > kPngFull) ++clipped;
      to[x] = std::isfinite(from[x])
                  ? static_cast<std::uint16_t>(std::clamp<double>(step, 1, kPngFull))
                  : std::uint16_t{0};
    }
  }
  if (clipped > 0) {
    spdlog::warn(
        "'{}': {:.2f} % of the pixels lie beyond the {:.6g} that 16 bits can hold; "
        "use .exr to keep them",
        path.string(), 100.0 * static_cast<double>(clipped) / static_cast<double>(values.total()),
        scale * kPngFull);
  }
  return steps;
}

// A step that brings the largest value just below full scale.
double fitting_scale(const DepthFileInfo& info) {
  if (is_length(info.kind) || info.max.value_or(0.0) <= 0.0) return default_png_scale(info.kind);
  return *info.max / (kPngFull - 1);
}

void fill_facts(const cv::Mat& values, DepthFileInfo& info) {
  info.width = values.cols;
  info.height = values.rows;
  info.min.reset();
  info.max.reset();
  for (int y = 0; y < values.rows; ++y) {
    const auto* row = values.ptr<float>(y);
    for (int x = 0; x < values.cols; ++x) {
      if (!std::isfinite(row[x])) continue;
      info.min = std::min<double>(info.min.value_or(row[x]), row[x]);
      info.max = std::max<double>(info.max.value_or(row[x]), row[x]);
    }
  }
}

codec::Attributes exr_attributes(const DepthFileInfo& info) {
  return {{"depthKind", std::string(to_string(info.kind))},
          {"depthUnit", info.metric ? "m" : "relative"},
          {"depthGeometry", info.geometry == DepthGeometry::kRadial ? "radial" : "planar"}};
}

// Not finite becomes NaN: the one mark for "no value" in files as well.
cv::Mat with_nan(const cv::Mat& values) {
  cv::Mat result = values.clone();
  for (int y = 0; y < result.rows; ++y) {
    auto* row = result.ptr<float>(y);
    std::replace_if(
        row, row + result.cols, [](float v) { return !std::isfinite(v); }, kNaN);
  }
  return result;
}

std::vector<std::uint8_t> encode_depth(const fs::path& path, const cv::Mat& values,
                                       const DepthFileInfo& info) {
  const std::string extension = lower_extension(path);
  if (extension == ".png") return codec::encode_png(to_steps(values, *info.scale, path));
  if (extension == ".pfm") return encode_pfm(values);
  const cv::Mat clean = with_nan(values);
  if (extension == ".exr") return codec::encode_exr(clean, exr_attributes(info));
  if (extension == ".npy") return codec::encode_npy(clean);
  if (extension == ".dpt") return encode_dpt(clean);
  return codec::encode_tiff(clean);
}

}  // namespace

AnyDepth read_depth(const fs::path& path, const DepthReadOptions& options) {
  const auto sidecar = read_sidecar(path);
  constexpr std::uintmax_t kMaxFileBytes = std::uintmax_t{1} << 32;
  const std::string bytes = read_file(path, kMaxFileBytes);
  const std::string name = path.string();
  const codec::Source source{{reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
                             name};
  const cv::Mat stored = decode_stored(source);
  const Meaning meaning = meaning_of(source, stored, options, sidecar);
  return make_depth(meaning.kind, to_values(stored, meaning));
}

void write_depth(const fs::path& path, const AnyDepth& depth, const DepthFileInfo& info) {
  const std::string extension = lower_extension(path);
  if (std::ranges::find(kExtensions, extension) == kExtensions.end()) {
    throw Error(fmt::format("cannot write '{}': a depth map cannot have the extension '{}'",
                            path.string(), extension))
        .hint("use .exr, .pfm, .npy, .png (16 bit), .tiff or .dpt");
  }
  DepthFileInfo facts = info;
  facts.kind = kind_of(depth);
  fill_facts(values_of(depth), facts);
  // Formats that store floats hold the values themselves.
  facts.scale = extension == ".png" ? info.scale.value_or(fitting_scale(facts)) : 1.0;
  const auto bytes = encode_depth(path, values_of(depth), facts);
  write_file(path, codec::as_text(bytes));
  write_sidecar(path, facts);
}

double default_png_scale(DepthKind kind) {
  if (kind == DepthKind::kPixelDisparity) return 1.0;
  return is_length(kind) ? 0.001 : 1.0 / kPngFull;
}

std::span<const std::string_view> depth_extensions() {
  return kExtensions;
}

}  // namespace vergence::media
