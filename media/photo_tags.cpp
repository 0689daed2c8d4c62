// SPDX-License-Identifier: Apache-2.0
// GPano: https://developers.google.com/streetview/spherical-metadata; StereoMode:
// https://github.com/google/spatial-media/blob/master/docs/spherical-video-rfc.md.
#include "media/photo_tags.hpp"

#include "media/handed_on.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>

#include <fmt/format.h>
#include <libexif/exif-data.h>

namespace vergence::media::codec {
namespace {

struct Unref {
  void operator()(ExifData* data) const { exif_data_unref(data); }
};

using Exif = std::unique_ptr<ExifData, Unref>;

// Without libexif's corrections: nothing is to be added.
Exif parsed(const std::string& tiff_structure) {
  constexpr std::string_view kHead{"Exif\0\0", 6};
  const std::string block = std::string(kHead) + tiff_structure;
  Exif exif(exif_data_new());
  if (!exif || block.size() > std::numeric_limits<unsigned int>::max()) return nullptr;
  exif_data_unset_option(exif.get(), EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);
  exif_data_load_data(exif.get(), reinterpret_cast<const unsigned char*>(block.data()),
                      static_cast<unsigned int>(block.size()));
  return exif;
}

void remove(ExifContent* content, ExifTag tag) {
  while (ExifEntry* entry = exif_content_get_entry(content, tag)) {
    exif_content_remove_entry(content, entry);
  }
}

// Tags of the pixels as they were stored, of positions in them, and of other programs' data.
constexpr std::array kOfTheFile{EXIF_TAG_IMAGE_WIDTH,
                                EXIF_TAG_IMAGE_LENGTH,
                                EXIF_TAG_BITS_PER_SAMPLE,
                                EXIF_TAG_COMPRESSION,
                                EXIF_TAG_PHOTOMETRIC_INTERPRETATION,
                                EXIF_TAG_STRIP_OFFSETS,
                                EXIF_TAG_STRIP_BYTE_COUNTS,
                                EXIF_TAG_ROWS_PER_STRIP,
                                EXIF_TAG_SAMPLES_PER_PIXEL,
                                EXIF_TAG_PLANAR_CONFIGURATION,
                                EXIF_TAG_JPEG_INTERCHANGE_FORMAT,
                                EXIF_TAG_JPEG_INTERCHANGE_FORMAT_LENGTH,
                                EXIF_TAG_XML_PACKET,
                                EXIF_TAG_INTER_COLOR_PROFILE,
                                EXIF_TAG_IPTC_NAA,
                                EXIF_TAG_IMAGE_RESOURCES,
                                EXIF_TAG_PRINT_IMAGE_MATCHING,
                                EXIF_TAG_PADDING,
                                EXIF_TAG_MAKER_NOTE,
                                EXIF_TAG_SUBJECT_AREA,
                                EXIF_TAG_SUBJECT_LOCATION,
                                EXIF_TAG_FOCAL_PLANE_X_RESOLUTION,
                                EXIF_TAG_FOCAL_PLANE_Y_RESOLUTION,
                                EXIF_TAG_FOCAL_PLANE_RESOLUTION_UNIT,
                                EXIF_TAG_IMAGE_UNIQUE_ID};

// Writes a whole number over one that is there, in the place that it has.
void replace(ExifData* exif, ExifIfd ifd, ExifTag tag, int value) {
  ExifEntry* entry = exif_content_get_entry(exif->ifd[ifd], tag);
  if (entry == nullptr || entry->data == nullptr) return;
  const auto order = exif_data_get_byte_order(exif);
  if (entry->format == EXIF_FORMAT_SHORT && entry->size >= 2 && value <= 0xFFFF) {
    exif_set_short(entry->data, order, static_cast<ExifShort>(value));
  } else if (entry->format == EXIF_FORMAT_LONG && entry->size >= 4) {
    exif_set_long(entry->data, order, static_cast<ExifLong>(value));
  } else {
    exif_content_remove_entry(exif->ifd[ifd], entry);
  }
}

// The picture's size, which EXIF demands of JPEG files wherever it says anything.
void set_size(ExifData* exif, ExifTag tag, int pixels) {
  ExifContent* content = exif->ifd[EXIF_IFD_EXIF];
  if (content->count == 0) return;
  remove(content, tag);
  ExifEntry* entry = exif_entry_new();
  if (entry == nullptr) return;
  exif_content_add_entry(content, entry);
  exif_entry_initialize(entry, tag);
  exif_entry_unref(entry);
  replace(exif, EXIF_IFD_EXIF, tag, pixels);
}

void clear(ExifContent* content) {
  while (content->count > 0) exif_content_remove_entry(content, content->entries[0]);
}

void drop_thumbnail(ExifData* exif) {
  clear(exif->ifd[EXIF_IFD_1]);
  std::free(exif->data);
  exif->data = nullptr;
  exif->size = 0;
}

// The TIFF structure; empty where nothing is left.
std::string saved(ExifData* exif) {
  const bool empty = std::ranges::all_of(
      exif->ifd, [](const ExifContent* content) { return content->count == 0; });
  if (empty) return {};
  unsigned char* bytes = nullptr;
  unsigned int count = 0;
  exif_data_save_data(exif, &bytes, &count);
  const std::unique_ptr<unsigned char, decltype(&std::free)> owner(bytes, &std::free);
  constexpr unsigned int kHead = 6;  // "Exif\0\0"
  if (bytes == nullptr || count <= kHead) return {};
  return {reinterpret_cast<const char*>(bytes) + kHead, count - kHead};
}

std::string exif_without_place(const std::string& exif_block) {
  const Exif exif = parsed(exif_block);
  if (!exif) return {};
  // Its maker note may tell the place too, and its thumbnail is of the old picture.
  drop_thumbnail(exif.get());
  remove(exif->ifd[EXIF_IFD_EXIF], EXIF_TAG_MAKER_NOTE);
  clear(exif->ifd[EXIF_IFD_GPS]);
  return saved(exif.get());
}

std::string whole(double pixels) {
  return fmt::format("{}", static_cast<std::int64_t>(std::llround(pixels)));
}

// The part of the sphere in pixels that are those of the eye's picture as it is shown.
void describe_sphere(const SphericalTag& sphere, cv::Size eye, XmpPacket& xmp) {
  const double full_width = std::round(eye.width / (1.0 - sphere.left - sphere.right));
  const double full_height = std::round(eye.height / (1.0 - sphere.top - sphere.bottom));
  const double left = std::min(std::round(sphere.left * full_width), full_width - eye.width);
  const double top = std::min(std::round(sphere.top * full_height), full_height - eye.height);
  xmp.set(kGPano, "UsePanoramaViewer", "True");
  xmp.set(kGPano, "ProjectionType", "equirectangular");
  xmp.set(kGPano, "CroppedAreaImageWidthPixels", whole(eye.width));
  xmp.set(kGPano, "CroppedAreaImageHeightPixels", whole(eye.height));
  xmp.set(kGPano, "FullPanoWidthPixels", whole(full_width));
  xmp.set(kGPano, "FullPanoHeightPixels", whole(full_height));
  xmp.set(kGPano, "CroppedAreaLeftPixels", whole(left));
  xmp.set(kGPano, "CroppedAreaTopPixels", whole(top));
  for (const char* angle : {"PoseHeadingDegrees", "PosePitchDegrees", "PoseRollDegrees"}) {
    xmp.set(kGPano, angle, "0");
  }
}

void describe_stereo(StereoTag stereo, bool spherical, XmpPacket& xmp) {
  xmp.set(kGSpherical, "Spherical", spherical ? "True" : "False");
  if (spherical) {
    xmp.set(kGSpherical, "Stitched", "True");
    xmp.set(kGSpherical, "StitchingSoftware", "Vergence");
    xmp.set(kGSpherical, "ProjectionType", "equirectangular");
  }
  xmp.set(kGSpherical, "StereoMode",
          stereo == StereoTag::kSideBySide ? "left-right" : "top-bottom");
}

// The colour profile, if it is one for RGB pixels.
std::string handed_on_icc(const std::string& icc) {
  // ICC.1:2010, 7.2: the colour space at 16, the signature at 36.
  const bool rgb =
      icc.size() > 128 && icc.compare(16, 4, "RGB ") == 0 && icc.compare(36, 4, "acsp") == 0;
  return rgb ? icc : std::string();
}

}  // namespace

std::string handed_on_exif(const std::string& exif_block, cv::Size size) {
  if (exif_block.empty()) return {};
  const Exif exif = parsed(exif_block);
  if (!exif) return {};
  drop_thumbnail(exif.get());
  for (const auto ifd : {EXIF_IFD_0, EXIF_IFD_EXIF, EXIF_IFD_INTEROPERABILITY}) {
    for (const auto tag : kOfTheFile) {
      // Interoperability has numbers of its own.
      if (ifd != EXIF_IFD_INTEROPERABILITY) remove(exif->ifd[ifd], tag);
    }
  }
  remove(exif->ifd[EXIF_IFD_INTEROPERABILITY], EXIF_TAG_RELATED_IMAGE_WIDTH);
  remove(exif->ifd[EXIF_IFD_INTEROPERABILITY], EXIF_TAG_RELATED_IMAGE_LENGTH);
  replace(exif.get(), EXIF_IFD_0, EXIF_TAG_ORIENTATION, 1);
  set_size(exif.get(), EXIF_TAG_PIXEL_X_DIMENSION, size.width);
  set_size(exif.get(), EXIF_TAG_PIXEL_Y_DIMENSION, size.height);
  return saved(exif.get());
}

void describe_view(const PictureView& view, cv::Size frame, XmpPacket& xmp) {
  cv::Size eye = frame;
  if (!view.squeezed && view.stereo == StereoTag::kSideBySide) eye.width /= 2;
  if (!view.squeezed && view.stereo == StereoTag::kTopBottom) eye.height /= 2;
  const bool spherical =
      view.spherical && view.spherical->projection == SphericalTag::Projection::kEquirectangular;
  if (spherical) describe_sphere(*view.spherical, eye, xmp);
  if (view.stereo == StereoTag::kSideBySide || view.stereo == StereoTag::kTopBottom) {
    describe_stereo(view.stereo, spherical, xmp);
  }
}

PictureBlocks blocks_for(const cv::Mat& pixels, const PictureView& view,
                         const PictureBlocks& carried) {
  XmpPacket xmp(carried.xmp);
  xmp.keep_descriptions(false);
  describe_view(view, pixels.size(), xmp);
  return {handed_on_exif(carried.exif, pixels.size()), xmp.serialized(),
          pixels.channels() == 1 ? std::string() : handed_on_icc(carried.icc)};
}

}  // namespace vergence::media::codec

namespace vergence::media {

PictureBlocks blocks_to_hand_on(const PictureBlocks& blocks, HandedOn what) {
  PictureBlocks result{.icc = blocks.icc};
  if (what == HandedOn::kNothing) return result;
  result.exif = blocks.exif;
  result.xmp = blocks.xmp;
  if (what == HandedOn::kAll) return result;
  if (!blocks.exif.empty()) result.exif = codec::exif_without_place(blocks.exif);
  codec::XmpPacket xmp(blocks.xmp);
  xmp.remove_place();
  result.xmp = xmp.serialized();
  return result;
}

}  // namespace vergence::media
