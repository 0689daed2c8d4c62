// SPDX-License-Identifier: Apache-2.0
#include "media/xmp.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iostream>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include <exempi/xmp.h>

namespace vergence::media::codec {
namespace {

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

struct FreeString {
  void operator()(_XmpString* text) const { xmp_string_free(text); }
};

using XmpText = std::unique_ptr<_XmpString, FreeString>;

std::string words_of(const XmpText& text) {
  const char* words = xmp_string_cstr(text.get());
  return words != nullptr ? words : "";
}

// The toolkit behind Exempi keeps global tables, and Exempi prints every error to std::cerr, which
// nothing else in this program writes to. One thread at a time, silently.
class Turn {
 public:
  Turn() : lock_(mutex()), before_(std::cerr.rdbuf(nullptr)) {
    static const bool started = start();
    static_cast<void>(started);
  }

  ~Turn() {
    std::cerr.rdbuf(before_);  // also clears the failure of writing to nowhere
  }

  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  static std::mutex& mutex() {
    static std::mutex mutex;
    return mutex;
  }

  // A namespace keeps the first prefix that it gets, so ours come before those of any file.
  static bool start() {
    if (!xmp_init()) return false;
    for (const auto& space : {kGPano, kGImage, kGSpherical, kXmpNote, kAppleImage}) {
      xmp_register_namespace(space.uri, space.prefix, nullptr);
    }
    return true;
  }

  std::scoped_lock<std::mutex> lock_;
  std::streambuf* before_;
};

// Namespaces that speak of the photo, not of the file.
constexpr std::array<std::string_view, 10> kDescriptive{
    "http://purl.org/dc/elements/1.1/",             // title, creator, description, subject
    "http://ns.adobe.com/xap/1.0/",                 // dates, rating, tool
    "http://ns.adobe.com/xap/1.0/rights/",          // owner, usage terms
    "http://ns.adobe.com/photoshop/1.0/",           // headline, credit, city, country
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",  // scene, location, contact
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",  // people, events, places
    "http://ns.adobe.com/exif/1.0/",                // exposure, place
    "http://cipa.jp/exif/1.0/",                     // lens
    "http://ns.adobe.com/exif/1.0/aux/",            // lens
    "http://ns.adobe.com/tiff/1.0/",                // make, model, artist
};

// Properties of those that describe the file all the same.
constexpr std::array<std::string_view, 26> kOfTheFile{"dc:format",
                                                      "xmp:Thumbnails",
                                                      "xmp:MetadataDate",
                                                      "xmp:BaseURL",
                                                      "xmp:Identifier",
                                                      "photoshop:DocumentAncestors",
                                                      "photoshop:History",
                                                      "photoshop:ICCProfile",
                                                      "photoshop:ColorMode",
                                                      "photoshop:LegacyIPTCDigest",
                                                      "photoshop:TextLayers",
                                                      "exif:PixelXDimension",
                                                      "exif:PixelYDimension",
                                                      "exif:MakerNote",
                                                      "exif:NativeDigest",
                                                      "exif:SubjectArea",
                                                      "exif:SubjectLocation",
                                                      "exif:ImageUniqueID",
                                                      "tiff:ImageWidth",
                                                      "tiff:ImageLength",
                                                      "tiff:Orientation",
                                                      "tiff:BitsPerSample",
                                                      "tiff:Compression",
                                                      "tiff:PhotometricInterpretation",
                                                      "tiff:SamplesPerPixel",
                                                      "tiff:NativeDigest"};

bool contains(const auto& list, const std::string& word) {
  return std::ranges::find(list, std::string_view(word)) != list.end();
}

// dc:coverage: "the extent or scope of the content, typically a spatial location".
constexpr std::array<std::string_view, 5> kOfThePlace{"photoshop:City", "photoshop:State",
                                                      "photoshop:Country",
                                                      "Iptc4xmpCore:CountryCode", "dc:coverage"};

bool tells_place(const std::string& property) {
  const std::string word = lower(property);
  return word.find("gps") != std::string::npos || word.find("location") != std::string::npos ||
         contains(kOfThePlace, property);
}

struct Property {
  std::string space;
  std::string name;
  std::uint32_t bits = 0;
};

struct FreeIterator {
  void operator()(_XmpIterator* iterator) const { xmp_iterator_free(iterator); }
};

// What stands directly under a namespace; the namespaces themselves for an empty one.
std::vector<Property> children(_Xmp* xmp, const std::string& space) {
  const std::unique_ptr<_XmpIterator, FreeIterator> iterator(xmp_iterator_new(
      xmp, space.empty() ? nullptr : space.c_str(), nullptr, XMP_ITER_JUSTCHILDREN));
  std::vector<Property> found;
  if (!iterator) return found;
  const XmpText uri(xmp_string_new());
  const XmpText name(xmp_string_new());
  std::uint32_t bits = 0;
  while (xmp_iterator_next(iterator.get(), uri.get(), name.get(), nullptr, &bits)) {
    found.push_back({words_of(uri), words_of(name), bits});
  }
  return found;
}

}  // namespace

void XmpPacket::Free::operator()(_Xmp* xmp) const {
  xmp_free(xmp);
}

XmpPacket::XmpPacket() {
  const Turn turn;
  xmp_.reset(xmp_new_empty());
}

XmpPacket::XmpPacket(const std::string& packet) : XmpPacket() {
  if (!xmp_ || packet.empty() || nests_too_deep(packet)) return;
  const Turn turn;
  if (!xmp_parse(xmp_.get(), packet.c_str(), packet.size())) xmp_.reset(xmp_new_empty());
}

std::optional<std::string> XmpPacket::text(const XmpNamespace& space, const char* property) const {
  if (!xmp_) return std::nullopt;
  const Turn turn;
  const XmpText value(xmp_string_new());
  if (!xmp_get_property(xmp_.get(), space.uri, property, value.get(), nullptr)) return std::nullopt;
  return words_of(value);
}

void XmpPacket::set(const XmpNamespace& space, const char* property, const std::string& value) {
  if (!xmp_) return;
  const Turn turn;
  xmp_set_property(xmp_.get(), space.uri, property, value.c_str(), 0);
}

void XmpPacket::remove(const XmpNamespace& space) {
  if (!xmp_) return;
  const Turn turn;
  for (const auto& property : children(xmp_.get(), space.uri)) {
    xmp_delete_property(xmp_.get(), space.uri, property.name.c_str());
  }
}

void XmpPacket::keep_descriptions(bool flat_only) {
  if (!xmp_) return;
  const Turn turn;
  for (const auto& space : children(xmp_.get(), "")) {
    const bool descriptive = contains(kDescriptive, space.space);
    for (const auto& property : children(xmp_.get(), space.space)) {
      const bool simple = XMP_IS_PROP_SIMPLE(property.bits) &&
                          !XMP_HAS_PROP_QUALIFIERS(property.bits) &&
                          (property.bits & XMP_PROP_VALUE_IS_URI) == 0;
      if (descriptive && !contains(kOfTheFile, property.name) && (simple || !flat_only)) continue;
      xmp_delete_property(xmp_.get(), space.space.c_str(), property.name.c_str());
    }
  }
}

void XmpPacket::remove_place() {
  if (!xmp_) return;
  const Turn turn;
  for (const auto& space : children(xmp_.get(), "")) {
    for (const auto& property : children(xmp_.get(), space.space)) {
      if (!tells_place(property.name)) continue;
      xmp_delete_property(xmp_.get(), space.space.c_str(), property.name.c_str());
    }
  }
}

std::string XmpPacket::serialized() const {
  if (!xmp_) return {};
  const Turn turn;
  if (children(xmp_.get(), "").empty()) return {};
  const XmpText text(xmp_string_new());
  if (!xmp_serialize(xmp_.get(), text.get(),
                     XMP_SERIAL_OMITPACKETWRAPPER | XMP_SERIAL_USECOMPACTFORMAT, 0)) {
    return {};
  }
  // XMP specification part 1, 7.3.2: the byte-order mark and the identifier are fixed.
  return "<?xpacket begin=\"\xEF\xBB\xBF\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n" + words_of(text) +
         "<?xpacket end=\"w\"?>";
}

}  // namespace vergence::media::codec
