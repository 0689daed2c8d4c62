// SPDX-License-Identifier: Apache-2.0
// XMP packets by way of Exempi, read and written; not installed.
#pragma once

#include <memory>
#include <optional>
#include <string>

struct _Xmp;  // NOLINT(bugprone-reserved-identifier): Exempi's name

namespace vergence::media::codec {

// A namespace and the prefix that it gets in packets of ours.
struct XmpNamespace {
  const char* uri = "";
  const char* prefix = "";
};

inline constexpr XmpNamespace kGPano{"http://ns.google.com/photos/1.0/panorama/", "GPano"};
inline constexpr XmpNamespace kGImage{"http://ns.google.com/photos/1.0/image/", "GImage"};
inline constexpr XmpNamespace kGSpherical{"http://ns.google.com/videos/1.0/spherical/",
                                          "GSpherical"};
inline constexpr XmpNamespace kXmpNote{"http://ns.adobe.com/xmp/note/", "xmpNote"};
inline constexpr XmpNamespace kAppleImage{"http://ns.apple.com/image/1.0/", "apple"};

// The properties of a packet. Safe to use from several threads (Exempi is not: they take turns).
class XmpPacket {
 public:
  XmpPacket();  // without properties
  // Damaged XML, or such as would exhaust the stack of Exempi's parser, has no properties.
  explicit XmpPacket(const std::string& packet);

  // A property in attribute or element form; nothing where there is none.
  [[nodiscard]] std::optional<std::string> text(const XmpNamespace& space,
                                                const char* property) const;

  void set(const XmpNamespace& space, const char* property, const std::string& value);

  // Takes away all properties of a namespace.
  void remove(const XmpNamespace& space);

  // Leaves what describes the photo whatever becomes of its pixels: title, author, rights, place,
  // camera, dates. All else goes: sizes, orientation, thumbnails, panorama and depth tags, editing
  // history. `flat_only`: lists and structures go too, so that serialized() has attributes alone.
  void keep_descriptions(bool flat_only);

  // Takes away what tells where a photo was taken: properties of GPS, and those named after
  // locations, cities, states and countries.
  void remove_place();

  // The packet with its <?xpacket?> frame: one rdf:Description, simple properties as attributes.
  // Empty where there are no properties.
  [[nodiscard]] std::string serialized() const;

 private:
  struct Free {
    void operator()(_Xmp* xmp) const;
  };

  std::unique_ptr<_Xmp, Free> xmp_;
};

}  // namespace vergence::media::codec
