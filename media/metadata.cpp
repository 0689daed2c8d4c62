// SPDX-License-Identifier: Apache-2.0
// GPano: https://developers.google.com/streetview/spherical-metadata (properties as attributes or
// as elements; Exempi's RDF parser takes both). EXIF 2.32 by way of libexif.
#include "media/metadata.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iostream>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>

#include <exempi/xmp.h>
#include <fmt/format.h>
#include <libexif/exif-data.h>
#include <spdlog/spdlog.h>

namespace vergence::media::codec {
namespace {

constexpr const char* kGPano = "http://ns.google.com/photos/1.0/panorama/";

// Elements may nest this deep in a packet that we hand on: the parser behind it works recursively,
// so a hostile packet could exhaust the stack. Real ones stay below ten.
constexpr int kMaxDepth = 100;

bool nests_too_deep(std::string_view xml) {
  int depth = 0;
  for (std::size_t at = xml.find('<'); at != std::string_view::npos; at = xml.find('<', at + 1)) {
    const std::size_t end = xml.find('>', at);
    if (end == std::string_view::npos || at + 1 >= xml.size()) return false;
    const char next = xml[at + 1];
    if (next == '/') {
      --depth;
    } else if (next != '?' && next != '!' && xml[end - 1] != '/' && ++depth > kMaxDepth) {
      return true;
    }
  }
  return false;
}

struct FreeXmp {
  void operator()(_Xmp* xmp) const { xmp_free(xmp); }
};

struct FreeXmpString {
  void operator()(_XmpString* text) const { xmp_string_free(text); }
};

// Exempi prints every error to std::cerr, which nothing else in this program writes to.
class SilentCerr {
 public:
  SilentCerr() : before_(std::cerr.rdbuf(nullptr)) {}

  ~SilentCerr() {
    std::cerr.rdbuf(before_);  // also clears the failure of writing to nowhere
  }

  SilentCerr(const SilentCerr&) = delete;
  SilentCerr& operator=(const SilentCerr&) = delete;

 private:
  std::streambuf* before_;
};

class Panorama {
 public:
  explicit Panorama(const std::string& packet) {
    const SilentCerr silence;
    xmp_.reset(xmp_new_empty());
    parsed_ =
        !nests_too_deep(packet) && xmp_ && xmp_parse(xmp_.get(), packet.c_str(), packet.size());
  }

  [[nodiscard]] std::optional<std::string> text(const char* property) const {
    const SilentCerr silence;
    const std::unique_ptr<_XmpString, FreeXmpString> value(xmp_string_new());
    if (!parsed_ || !xmp_get_property(xmp_.get(), kGPano, property, value.get(), nullptr)) {
      return std::nullopt;
    }
    const char* words = xmp_string_cstr(value.get());
    return words != nullptr ? std::optional<std::string>(words) : std::nullopt;
  }

  // A finite number; writers are not strict about integers ("4096.0", "+12").
  [[nodiscard]] std::optional<double> number(const char* property) const {
    const auto words = text(property);
    if (!words) return std::nullopt;
    const std::size_t start = std::min(words->find_first_not_of(" \t\n+"), words->size());
    double value = 0.0;
    const auto [end, error] =
        std::from_chars(words->data() + start, words->data() + words->size(), value);
    if (error != std::errc() || !std::isfinite(value)) return std::nullopt;
    return value;
  }

  [[nodiscard]] std::optional<Radians> angle(const char* property) const {
    const auto degrees = number(property);
    if (!degrees || std::abs(*degrees) > 360.0) return std::nullopt;
    return Radians::from_degrees(*degrees);
  }

 private:
  std::unique_ptr<_Xmp, FreeXmp> xmp_;
  bool parsed_ = false;
};

// The toolkit behind Exempi keeps global tables.
std::mutex& xmp_mutex() {
  static std::mutex mutex;
  return mutex;
}

std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

// One axis of the crop, in the pixels that the file speaks of.
struct Extent {
  std::optional<double> full;
  std::optional<double> covered;
  std::optional<double> start;
};

// Whether the axis makes sense; where the start is missing it must be 0, as all is covered.
bool complete(Extent& extent, int real_size) {
  if (!extent.covered) extent.covered = real_size;
  if (!extent.start && extent.full == extent.covered) extent.start = 0.0;
  constexpr double kMost = 1e6;
  return extent.full && extent.start && *extent.full >= 1.0 && *extent.full <= kMost &&
         *extent.covered >= 1.0 && *extent.start >= 0.0 &&
         *extent.start + *extent.covered <= *extent.full;
}

// Rounds so that the covered part still lies inside.
std::pair<int, int> scaled(const Extent& extent, int real_size) {
  const double scale = real_size / *extent.covered;
  const double full = std::min(std::round(*extent.full * scale), 1e9);
  const int full_size = std::max(real_size, static_cast<int>(full));
  const double start = std::round(*extent.start * scale);
  return {full_size, static_cast<int>(std::min<double>(start, full_size - real_size))};
}

void read_crop(const Panorama& panorama, cv::Size size, std::string_view name,
               PictureMetadata& metadata) {
  Extent across{panorama.number("FullPanoWidthPixels"),
                panorama.number("CroppedAreaImageWidthPixels"),
                panorama.number("CroppedAreaLeftPixels")};
  Extent down{panorama.number("FullPanoHeightPixels"),
              panorama.number("CroppedAreaImageHeightPixels"),
              panorama.number("CroppedAreaTopPixels")};
  const bool silent = !across.full && !across.covered && !across.start && !down.full &&
                      !down.covered && !down.start;
  if (silent) return;
  if (!complete(across, size.width) || !complete(down, size.height)) {
    spdlog::warn("'{}': its panorama crop (GPano) is ignored: {}", name,
                 across.full && down.full ? "it does not fit into the full panorama"
                                          : "the size of the full panorama is missing");
    return;
  }
  // Resizing keeps the shape to within rounding; another shape means that the picture was cut
  // after the tags were written, and nobody knows where.
  const double stretch = size.width / *across.covered * *down.covered / size.height;
  constexpr double kTolerance = 0.05;
  if (std::abs(stretch - 1.0) > kTolerance) {
    spdlog::warn(
        "'{}': its panorama crop (GPano) is ignored: it speaks of {:.0f} x {:.0f} pixels, the "
        "picture has {} x {}",
        name, *across.covered, *down.covered, size.width, size.height);
    return;
  }
  const auto [full_width, left] = scaled(across, size.width);
  const auto [full_height, top] = scaled(down, size.height);
  metadata.crop = PanoramaCrop{full_width, full_height, left, top};
}

std::string trimmed(std::string text) {
  text.erase(std::min(text.find('\0'), text.size()));
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

class Exif {
 public:
  explicit Exif(const std::string& tiff_structure) {
    static constexpr std::string_view kHead{"Exif\0\0", 6};
    const std::string block = std::string(kHead) + tiff_structure;
    if (block.size() > std::numeric_limits<unsigned int>::max()) return;
    data_.reset(exif_data_new_from_data(reinterpret_cast<const unsigned char*>(block.data()),
                                        static_cast<unsigned int>(block.size())));
  }

  [[nodiscard]] std::optional<std::uint16_t> whole(ExifIfd ifd, ExifTag tag) const {
    const ExifEntry* entry = find(ifd, tag, EXIF_FORMAT_SHORT, 2);
    if (entry == nullptr) return std::nullopt;
    return exif_get_short(entry->data, exif_data_get_byte_order(data_.get()));
  }

  [[nodiscard]] std::optional<double> ratio(ExifIfd ifd, ExifTag tag) const {
    const ExifEntry* entry = find(ifd, tag, EXIF_FORMAT_RATIONAL, 8);
    if (entry == nullptr) return std::nullopt;
    const auto value = exif_get_rational(entry->data, exif_data_get_byte_order(data_.get()));
    if (value.numerator == 0 || value.denominator == 0) return std::nullopt;
    return static_cast<double>(value.numerator) / value.denominator;
  }

  [[nodiscard]] std::string text(ExifIfd ifd, ExifTag tag) const {
    const ExifEntry* entry = find(ifd, tag, EXIF_FORMAT_ASCII, 1);
    if (entry == nullptr) return {};
    return trimmed({reinterpret_cast<const char*>(entry->data), entry->size});
  }

 private:
  [[nodiscard]] const ExifEntry* find(ExifIfd ifd, ExifTag tag, ExifFormat format,
                                      unsigned int min_size) const {
    if (!data_) return nullptr;
    const ExifEntry* entry = exif_content_get_entry(data_->ifd[ifd], tag);
    const bool usable = entry != nullptr && entry->format == format && entry->data != nullptr &&
                        entry->size >= min_size;
    return usable ? entry : nullptr;
  }

  struct Unref {
    void operator()(ExifData* data) const { exif_data_unref(data); }
  };

  std::unique_ptr<ExifData, Unref> data_;
};

}  // namespace

ExifFacts parse_exif(const std::string& tiff_structure) {
  const Exif exif(tiff_structure);
  ExifFacts facts;
  facts.orientation = exif.whole(EXIF_IFD_0, EXIF_TAG_ORIENTATION).value_or(1);
  const auto focal_35mm = exif.whole(EXIF_IFD_EXIF, EXIF_TAG_FOCAL_LENGTH_IN_35MM_FILM);
  if (focal_35mm.value_or(0) > 0) facts.focal_35mm = *focal_35mm;
  facts.focal_mm = exif.ratio(EXIF_IFD_EXIF, EXIF_TAG_FOCAL_LENGTH);
  facts.make = exif.text(EXIF_IFD_0, EXIF_TAG_MAKE);
  facts.model = exif.text(EXIF_IFD_0, EXIF_TAG_MODEL);
  return facts;
}

void apply_xmp(const std::string& packet, cv::Size size, std::string_view name,
               PictureMetadata& metadata) {
  const std::scoped_lock lock(xmp_mutex());
  static const bool started = xmp_init();
  if (!started) return;
  const Panorama panorama(packet);
  if (const auto projection = panorama.text("ProjectionType")) {
    metadata.equirectangular = lower_case(*projection) == "equirectangular";
  } else if (const auto viewer = panorama.text("UsePanoramaViewer")) {
    metadata.equirectangular = lower_case(*viewer) == "true" || *viewer == "1";
  }
  if (metadata.equirectangular) read_crop(panorama, size, name, metadata);
  if (const auto angle = panorama.angle("PoseHeadingDegrees")) metadata.heading = angle;
  if (const auto angle = panorama.angle("PosePitchDegrees")) metadata.pitch = angle;
  if (const auto angle = panorama.angle("PoseRollDegrees")) metadata.roll = angle;
}

}  // namespace vergence::media::codec
