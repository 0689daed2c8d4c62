// SPDX-License-Identifier: Apache-2.0
// GPano: https://developers.google.com/streetview/spherical-metadata (properties as attributes or
// as elements; Exempi's RDF parser takes both). EXIF 2.32 by way of libexif.
#include "media/metadata.hpp"

#include "core/text.hpp"
#include "media/xmp.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <libexif/exif-data.h>
#include <spdlog/spdlog.h>

namespace vergence::media::codec {
namespace {

class Panorama {
 public:
  explicit Panorama(const std::string& packet) : packet_(packet) {}

  [[nodiscard]] std::optional<std::string> text(const char* property) const {
    return packet_.text(kGPano, property);
  }

  // How both eyes lie in the picture: Google's Spherical Video V1 has the word; some writers use it
  // in the panorama's namespace.
  [[nodiscard]] StereoTag stereo() const {
    auto mode = packet_.text(kGSpherical, "StereoMode");
    if (!mode) mode = packet_.text(kGPano, "StereoMode");
    const std::string word = lower(mode.value_or(""));
    if (word == "left-right") return StereoTag::kSideBySide;
    if (word == "top-bottom" || word == "over-under") return StereoTag::kTopBottom;
    return StereoTag::kNone;
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
  XmpPacket packet_;
};

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

// Whether a picture that is `stretch` times as wide as its tags say, its height being 1, can be the
// one that they describe. Of both eyes' pictures they describe one eye's, squeezed or not, or both.
bool is_same_shape(double stretch, StereoTag stereo) {
  constexpr double kTolerance = 0.05;
  const auto near = [&](double shape) { return std::abs(stretch / shape - 1.0) <= kTolerance; };
  return near(1.0) || (stereo == StereoTag::kSideBySide && near(0.5)) ||
         (stereo == StereoTag::kTopBottom && near(2.0));
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
  if (!is_same_shape(stretch, metadata.stereo)) {
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

bool may_be_base64(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/' || c == '=' || c == '\n' || c == '\r';
}

}  // namespace

std::string without_data(std::string_view packet) {
  constexpr std::ptrdiff_t kLongest = 4096;
  std::string rest;
  for (auto at = packet.begin(); at != packet.end();) {
    auto end = std::find_if_not(at, packet.end(), may_be_base64);
    if (end - at <= kLongest) rest.append(at, end);
    if (end != packet.end()) rest += *end++;
    at = end;
  }
  return rest;
}

ExifFacts parse_exif(const std::string& tiff_structure) {
  const Exif exif(tiff_structure);
  ExifFacts facts;
  facts.orientation = exif.whole(EXIF_IFD_0, EXIF_TAG_ORIENTATION).value_or(1);
  const auto focal_35mm = exif.whole(EXIF_IFD_EXIF, EXIF_TAG_FOCAL_LENGTH_IN_35MM_FILM);
  if (focal_35mm.value_or(0) > 0) facts.focal_35mm = *focal_35mm;
  facts.focal_mm = exif.ratio(EXIF_IFD_EXIF, EXIF_TAG_FOCAL_LENGTH);
  facts.make = exif.text(EXIF_IFD_0, EXIF_TAG_MAKE);
  facts.model = exif.text(EXIF_IFD_0, EXIF_TAG_MODEL);
  facts.date_time = exif.text(EXIF_IFD_0, EXIF_TAG_DATE_TIME);
  return facts;
}

void apply_xmp(const std::string& packet, cv::Size size, std::string_view name,
               PictureMetadata& metadata) {
  const Panorama panorama(packet);
  if (const auto projection = panorama.text("ProjectionType")) {
    metadata.equirectangular = lower(*projection) == "equirectangular";
  } else if (const auto viewer = panorama.text("UsePanoramaViewer")) {
    metadata.equirectangular = lower(*viewer) == "true" || *viewer == "1";
  }
  const StereoTag stereo = panorama.stereo();
  if (stereo != StereoTag::kNone) metadata.stereo = stereo;
  if (metadata.stereo == StereoTag::kSideBySide) size.width = std::max(1, size.width / 2);
  if (metadata.stereo == StereoTag::kTopBottom) size.height = std::max(1, size.height / 2);
  if (metadata.equirectangular) read_crop(panorama, size, name, metadata);
  if (const auto angle = panorama.angle("PoseHeadingDegrees")) metadata.heading = angle;
  if (const auto angle = panorama.angle("PosePitchDegrees")) metadata.pitch = angle;
  if (const auto angle = panorama.angle("PoseRollDegrees")) metadata.roll = angle;
}

}  // namespace vergence::media::codec
