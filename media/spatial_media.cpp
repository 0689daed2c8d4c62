// SPDX-License-Identifier: Apache-2.0
#include "media/spatial_media.hpp"

#include "core/error.hpp"
#include "media/mp4_patch.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace vergence::media {
namespace {

using mp4::Box;
using mp4::make_box;
using mp4::make_full_box;

constexpr std::string_view kTool = "Vergence";
constexpr std::string_view kV1Uuid =
    "\xff\xcc\x82\x63\xf8\x55\x4a\x93\x88\x14\x58\x7a\x02\x52\x1f\xdd";
constexpr double kWhole = 4294967296.0;  // 1.0 in the 0.32 fixed point of bounds

std::uint32_t fixed_0_32(double share) {
  const double scaled = std::round(std::clamp(share, 0.0, 1.0) * kWhole);
  return static_cast<std::uint32_t>(std::min(scaled, kWhole - 1));
}

std::string fixed_16_16(std::initializer_list<double> degrees) {
  std::string fields;
  for (const double angle : degrees) {
    const auto fixed = static_cast<std::int32_t>(std::lround(angle * 65536));
    mp4::append_number(fields, static_cast<std::uint32_t>(fixed), 4);
  }
  return fields;
}

double angle_at(std::string_view fields, std::size_t offset) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(mp4::number_at(fields, offset, 4))) /
         65536.0;
}

double share_at(std::string_view fields, std::size_t offset) {
  return static_cast<double>(mp4::number_at(fields, offset, 4)) / kWhole;
}

std::optional<SphericalTag> spherical_of(Box sv3d, std::string& tool) {
  mp4::open_container(sv3d, 0);
  if (const Box* head = sv3d.child("svhd"); head != nullptr && head->fields.size() > 4) {
    tool = head->fields.substr(4, head->fields.find('\0', 4) - 4);
  }
  Box* projection = sv3d.child("proj");
  if (projection == nullptr) return std::nullopt;
  mp4::open_container(*projection, 0);
  SphericalTag tag;
  if (const Box* pose = projection->child("prhd"); pose != nullptr && pose->fields.size() >= 16) {
    tag.yaw_deg = angle_at(pose->fields, 4);
    tag.pitch_deg = angle_at(pose->fields, 8);
    tag.roll_deg = angle_at(pose->fields, 12);
  }
  if (const Box* bounds = projection->child("equi")) {
    if (bounds->fields.size() < 20) return std::nullopt;
    tag.top = share_at(bounds->fields, 4);
    tag.bottom = share_at(bounds->fields, 8);
    tag.left = share_at(bounds->fields, 12);
    tag.right = share_at(bounds->fields, 16);
    return tag;
  }
  tag.projection = SphericalTag::Projection::kCubemap;
  if (projection->child("cbmp") != nullptr) return tag;
  tag.projection = SphericalTag::Projection::kMesh;
  if (projection->child("mshp") != nullptr) return tag;
  return std::nullopt;
}

// The text of an XML element, by its name with any prefix; empty where it is missing.
std::string element_text(std::string_view xml, std::string_view name) {
  for (std::size_t at = xml.find(name); at != std::string_view::npos; at = xml.find(name, at + 1)) {
    const std::size_t end = at + name.size();
    const bool opens =
        at > 0 && (xml[at - 1] == ':' || xml[at - 1] == '<') && end < xml.size() && xml[end] == '>';
    const std::size_t tag = xml.rfind('<', at);
    if (!opens || tag == std::string_view::npos || xml.substr(tag, 2) == "</") continue;
    const std::size_t close = xml.find('<', end);
    if (close == std::string_view::npos) return {};
    std::string text(xml.substr(end + 1, close - end - 1));
    const auto is_space = [](unsigned char c) { return c <= ' '; };
    std::erase_if(text, is_space);
    return text;
  }
  return {};
}

double number_of(const std::string& text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

V1TagFacts v1_of(std::string_view xml) {
  V1TagFacts v1;
  const std::string spherical = element_text(xml, "Spherical");
  v1.spherical = spherical == "true" || spherical == "True" || spherical == "1";
  v1.stereo_mode = element_text(xml, "StereoMode");
  const double full = number_of(element_text(xml, "FullPanoWidthPixels"));
  const double crop = number_of(element_text(xml, "CroppedAreaImageWidthPixels"));
  v1.cropped = full > 0 && crop > 0 && crop < full;
  return v1;
}

// A child's one code of four letters behind version and flags: prji, pkin.
std::string code_in(Box parent, std::string_view name) {
  mp4::open_container(parent, 0);
  const Box* child = parent.child(name);
  return child == nullptr || child->fields.size() < 8 ? "" : child->fields.substr(4, 4);
}

void read_vexu(Box vexu, AppleTagFacts& apple) {
  mp4::open_container(vexu, 0);
  if (Box* eyes = vexu.child("eyes")) {
    mp4::open_container(*eyes, 0);
    const Box* stri = eyes->child("stri");
    if (stri != nullptr && stri->fields.size() >= 5) {
      apple.eyes = static_cast<int>(mp4::number_at(stri->fields, 4, 1));
    }
  }
  if (const Box* projection = vexu.child("proj")) apple.projection = code_in(*projection, "prji");
  if (const Box* packing = vexu.child("pack")) apple.packing = code_in(*packing, "pkin");
}

cv::Size size_of_entry(const Box& entry) {
  return {static_cast<int>(mp4::number_at(entry.fields, 24, 2)),
          static_cast<int>(mp4::number_at(entry.fields, 26, 2))};
}

void read_entry(const Box& entry, VideoTagFacts& facts) {
  const Box* stereo = entry.child("st3d");
  if (stereo != nullptr && stereo->fields.size() >= 5) {
    facts.st3d = static_cast<int>(mp4::number_at(stereo->fields, 4, 1));
  }
  if (const Box* box = entry.child("sv3d")) facts.sv3d = spherical_of(*box, facts.sv3d_tool);
  const Box* vexu = entry.child("vexu");
  const Box* hfov = entry.child("hfov");
  if (vexu != nullptr || hfov != nullptr) facts.apple.emplace();
  if (vexu != nullptr) read_vexu(*vexu, *facts.apple);
  if (hfov != nullptr && hfov->fields.size() >= 4) {
    facts.apple->hfov_deg = static_cast<double>(mp4::number_at(hfov->fields, 0, 4)) / 1000;
  }
  facts.eyes_in_layers = entry.child("lhvC") != nullptr;
  facts.encrypted = entry.type == "encv";
  facts.sample_entry = entry.type;
  if (entry.fields.size() >= 28) facts.size = size_of_entry(entry);
}

bool is_v1(const Box& box) {
  return box.type == "uuid" && box.fields.starts_with(kV1Uuid);
}

// Tracks that another one refers to as its chapters' pictures.
std::vector<std::uint32_t> chapter_tracks(const Box& moov) {
  std::vector<std::uint32_t> ids;
  for (const Box& trak : moov.children) {
    const Box* references = trak.type == "trak" ? trak.child("tref") : nullptr;
    if (references == nullptr) continue;
    Box opened = *references;
    mp4::open_container(opened, 0);
    const Box* chapters = opened.child("chap");
    if (chapters == nullptr) continue;
    for (std::size_t i = 0; i + 4 <= chapters->fields.size(); i += 4) {
      ids.push_back(static_cast<std::uint32_t>(mp4::number_at(chapters->fields, i, 4)));
    }
  }
  return ids;
}

std::uint32_t track_id(const Box& trak) {
  const Box* head = trak.child("tkhd");
  if (head == nullptr) return 0;
  const std::size_t offset = head->version() == 1 ? 20 : 12;
  if (head->fields.size() < offset + 4) return 0;
  return static_cast<std::uint32_t>(mp4::number_at(head->fields, offset, 4));
}

bool is_enabled(const Box& trak) {
  const Box* head = trak.child("tkhd");
  return head == nullptr || (head->flags() & 1) != 0;
}

// Indices among the moov's children: tracks that show a film, not covers or chapters' pictures;
// those that are switched off only where there is no other.
std::vector<std::size_t> video_tracks(const Box& moov) {
  constexpr std::array<std::string_view, 4> kStills = {"jpeg", "png ", "mjpa", "mjpb"};
  const auto chapters = chapter_tracks(moov);
  std::vector<std::size_t> enabled;
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < moov.children.size(); ++i) {
    const Box& trak = moov.children[i];
    if (trak.type != "trak" || mp4::handler_of(trak) != "vide") continue;
    const Box* entries = trak.find({"mdia", "minf", "stbl", "stsd"});
    if (entries == nullptr || entries->children.empty()) continue;
    const auto is = [&](std::string_view type) { return type == entries->children.front().type; };
    if (std::any_of(kStills.begin(), kStills.end(), is)) continue;
    const auto id = track_id(trak);
    if (std::find(chapters.begin(), chapters.end(), id) != chapters.end()) continue;
    all.push_back(i);
    if (is_enabled(trak)) enabled.push_back(i);
  }
  return enabled.empty() ? all : enabled;
}

// Before the box of bit rates, which comes last by habit.
void insert_tags(Box& entry, std::vector<Box> tags) {
  const auto place = std::find_if(entry.children.begin(), entry.children.end(),
                                  [](const Box& box) { return box.type == "btrt"; });
  entry.children.insert(place, std::make_move_iterator(tags.begin()),
                        std::make_move_iterator(tags.end()));
}

std::vector<Box> tag_boxes(const VideoTags& tags) {
  std::vector<Box> boxes;
  // Google has no word for a fisheye; two eyes without it would be taken for flat ones.
  const bool fisheye =
      tags.spherical && tags.spherical->projection == SphericalTag::Projection::kFisheye;
  const bool told = tags.stereo != StereoTag::kNone || tags.spherical;
  if (told && !fisheye) boxes.push_back(st3d_box(tags.stereo));
  if (tags.spherical && !fisheye) boxes.push_back(sv3d_box(*tags.spherical));
  if (!tags.apple) return boxes;
  boxes.push_back(vexu_box(tags));
  if (const double hfov = apple_hfov_deg(tags); hfov > 0) {
    std::string fields;
    mp4::append_number(fields, static_cast<std::uint64_t>(std::lround(hfov * 1000)), 4);
    boxes.push_back(make_box("hfov", fields));
  }
  return boxes;
}

// Pixels of 2:1 and 1:2 belong to eyes of half the size, and to them only; others stay as they are.
// Gives the picture's width as it is shown; nothing where nothing changed.
std::optional<double> set_pixel_aspect(Box& entry, const VideoTags& tags) {
  const Box* old = entry.child("pasp");
  const bool known = old != nullptr && old->fields.size() >= 8;
  const std::uint64_t across = known ? mp4::number_at(old->fields, 0, 4) : 1;
  const std::uint64_t down = known ? mp4::number_at(old->fields, 4, 4) : 1;
  const std::uint64_t wanted_across =
      tags.squeezed && tags.stereo == StereoTag::kSideBySide ? 2 : 1;
  const std::uint64_t wanted_down = tags.squeezed && tags.stereo == StereoTag::kTopBottom ? 2 : 1;
  const bool plain = across == down || across == 2 * down || down == 2 * across;
  if (!plain || across * wanted_down == down * wanted_across) return std::nullopt;
  std::string fields;
  mp4::append_number(fields, wanted_across, 4);
  mp4::append_number(fields, wanted_down, 4);
  entry.remove_children("pasp");
  insert_tags(entry, {make_box("pasp", fields)});
  return size_of_entry(entry).width * static_cast<double>(wanted_across) /
         static_cast<double>(wanted_down);
}

// What a track's header says of the width at which it is shown, in 16.16 fixed point.
void set_shown_width(Box& trak, double width) {
  Box* head = trak.child("tkhd");
  if (head == nullptr || head->fields.size() < 84 || width >= 65536) return;
  mp4::store_number(head->fields, head->fields.size() - 8,
                    static_cast<std::uint64_t>(std::lround(width * 65536)), 4);
}

void tag_entry(Box& entry, const VideoTags& tags, const std::string& name) {
  if (entry.child("lhvC") != nullptr) {
    throw Error(fmt::format("'{}' holds its eyes in layers of their own (MV-HEVC): a tag of "
                            "another layout would contradict them",
                            name))
        .hint("make a side-by-side video of it first");
  }
  if (tags.apple && entry.type != "hvc1") {
    throw Error(
        fmt::format("Apple's boxes belong to H.265 video tagged 'hvc1', but '{}' holds '{}'", name,
                    entry.type))
        .hint("leave out Apple's boxes");
  }
  if (entry.fields.size() < 78) throw Error(fmt::format("the index of '{}' is damaged", name));
  for (const char* old : {"st3d", "sv3d", "vexu", "hfov"}) entry.remove_children(old);
  insert_tags(entry, tag_boxes(tags));
}

}  // namespace

Box st3d_box(StereoTag stereo) {
  const char mode = stereo == StereoTag::kTopBottom ? 1 : stereo == StereoTag::kSideBySide ? 2 : 0;
  return make_full_box("st3d", std::string(1, mode));
}

Box sv3d_box(const SphericalTag& tag) {
  std::string fields;
  Box shape;
  if (tag.projection == SphericalTag::Projection::kCubemap) {
    fields.assign(8, '\0');  // 3 x 2 faces, no padding
    shape = make_full_box("cbmp", fields);
  } else {
    for (const double share : {tag.top, tag.bottom, tag.left, tag.right}) {
      mp4::append_number(fields, fixed_0_32(share), 4);
    }
    shape = make_full_box("equi", fields);
  }
  Box pose = make_full_box("prhd", fixed_16_16({tag.yaw_deg, tag.pitch_deg, tag.roll_deg}));
  const std::string tool(kTool.data(), kTool.size());
  std::vector<Box> projection;
  projection.push_back(std::move(pose));
  projection.push_back(std::move(shape));
  std::vector<Box> children;
  children.push_back(make_full_box("svhd", tool + '\0'));
  children.push_back(make_box("proj", "", std::move(projection)));
  return make_box("sv3d", "", std::move(children));
}

Box vexu_box(const VideoTags& tags) {
  std::vector<Box> children;
  if (tags.stereo != StereoTag::kNone) {
    std::vector<Box> eyes;
    eyes.push_back(make_full_box("stri", "\x03"));  // both eyes are there
    eyes.push_back(make_full_box("hero", "\x01"));  // the left one is shown where only one can be
    if (tags.baseline_m > 0) {
      std::string micrometres;
      mp4::append_number(micrometres,
                         static_cast<std::uint64_t>(std::lround(tags.baseline_m * 1e6)), 4);
      eyes.push_back(make_box("cams", "", {make_full_box("blin", micrometres)}));
    }
    children.push_back(make_box("eyes", "", std::move(eyes)));
  }
  std::string projection = "rect";
  if (tags.spherical) {
    const bool fish = tags.spherical->projection == SphericalTag::Projection::kFisheye;
    projection = fish ? "fish" : tags.spherical->left > 0 ? "hequ" : "equi";
  }
  children.push_back(make_box("proj", "", {make_full_box("prji", projection)}));
  if (tags.stereo != StereoTag::kNone) {
    const bool beside = tags.stereo == StereoTag::kSideBySide;
    children.push_back(make_box("pack", "", {make_full_box("pkin", beside ? "side" : "over")}));
  }
  return make_box("vexu", "", std::move(children));
}

double apple_hfov_deg(const VideoTags& tags) {
  if (!tags.spherical) return tags.hfov_deg;
  if (tags.spherical->projection == SphericalTag::Projection::kFisheye) return tags.hfov_deg;
  return 360.0 * (1.0 - tags.spherical->left - tags.spherical->right);
}

std::string v1_xml(const VideoTags& tags, cv::Size size) {
  std::string xml =
      "<?xml version=\"1.0\"?><rdf:SphericalVideo\n"
      "xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"\n"
      "xmlns:GSpherical=\"http://ns.google.com/videos/1.0/spherical/\">";
  const auto add = [&](std::string_view name, const std::string& value) {
    xml += fmt::format("<GSpherical:{0}>{1}</GSpherical:{0}>", name, value);
  };
  add("Spherical", "true");
  add("Stitched", "true");
  add("StitchingSoftware", std::string(kTool));
  add("ProjectionType", "equirectangular");
  if (tags.stereo == StereoTag::kSideBySide) add("StereoMode", "left-right");
  if (tags.stereo == StereoTag::kTopBottom) add("StereoMode", "top-bottom");
  const SphericalTag tag = tags.spherical.value_or(SphericalTag{});
  if (tag.left + tag.right + tag.top + tag.bottom > 0) {
    const int width = tags.stereo == StereoTag::kSideBySide ? size.width / 2 : size.width;
    const int height = tags.stereo == StereoTag::kTopBottom ? size.height / 2 : size.height;
    const double full_width = width / (1.0 - tag.left - tag.right);
    const double full_height = height / (1.0 - tag.top - tag.bottom);
    const auto pixels = [](double value) { return std::to_string(std::lround(value)); };
    add("FullPanoWidthPixels", pixels(full_width));
    add("FullPanoHeightPixels", pixels(full_height));
    add("CroppedAreaImageWidthPixels", pixels(width));
    add("CroppedAreaImageHeightPixels", pixels(height));
    add("CroppedAreaLeftPixels", pixels(full_width * tag.left));
    add("CroppedAreaTopPixels", pixels(full_height * tag.top));
  }
  return xml + "</rdf:SphericalVideo>";
}

VideoTagFacts facts_of(const Box& moov) {
  VideoTagFacts facts;
  facts.fragmented = moov.child("mvex") != nullptr;
  const auto tracks = video_tracks(moov);
  facts.num_video_tracks = static_cast<int>(tracks.size());
  for (const auto& boxes : sound_tags_of(moov)) {
    const auto is_sa3d = [](const Box& box) { return box.type == "SA3D"; };
    facts.ambisonic = facts.ambisonic || std::any_of(boxes.begin(), boxes.end(), is_sa3d);
  }
  if (tracks.empty()) return facts;
  const Box& trak = moov.children[tracks.front()];
  read_entry(trak.find({"mdia", "minf", "stbl", "stsd"})->children.front(), facts);
  for (const Box& box : trak.children) {
    if (is_v1(box)) facts.v1 = v1_of(std::string_view(box.fields).substr(kV1Uuid.size()));
  }
  return facts;
}

void set_tags(Box& moov, const VideoTags& tags, const std::string& name) {
  const auto tracks = video_tracks(moov);
  if (tracks.empty()) throw Error(fmt::format("'{}' has no video track", name));
  if (tracks.size() > 1) {
    throw Error(fmt::format("'{}' has {} video tracks, and a tag for all would be wrong for some",
                            name, tracks.size()))
        .hint("keep one with `ffmpeg -i IN -map 0:v:0 -map 0:a? -c copy OUT.mp4`");
  }
  Box& trak = moov.children[tracks.front()];
  auto& entries = trak.find({"mdia", "minf", "stbl", "stsd"})->children;
  for (Box& entry : entries) tag_entry(entry, tags, name);
  std::erase_if(moov.children, is_v1);
  Box& same = moov.children[video_tracks(moov).front()];
  std::erase_if(same.children, is_v1);
  if (!tags.v1 || !tags.spherical) return;
  const Box& entry = same.find({"mdia", "minf", "stbl", "stsd"})->children.front();
  same.children.push_back(
      make_box("uuid", std::string(kV1Uuid) + v1_xml(tags, size_of_entry(entry))));
}

void set_eye_aspect(Box& moov, const VideoTags& tags) {
  for (const std::size_t track : video_tracks(moov)) {
    Box& trak = moov.children[track];
    for (Box& entry : trak.find({"mdia", "minf", "stbl", "stsd"})->children) {
      if (const auto width = set_pixel_aspect(entry, tags)) set_shown_width(trak, *width);
    }
  }
}

std::vector<std::vector<Box>> sound_tags_of(const Box& moov) {
  std::vector<std::vector<Box>> tags;
  for (const Box& trak : moov.children) {
    if (trak.type != "trak" || mp4::handler_of(trak) != "soun") continue;
    tags.emplace_back();
    const Box* entries = trak.find({"mdia", "minf", "stbl", "stsd"});
    if (entries == nullptr || entries->children.empty()) continue;
    for (const Box& box : entries->children.front().children) {
      if (box.type == "SA3D" || box.type == "SAND") tags.back().push_back(box);
    }
  }
  return tags;
}

std::vector<std::vector<Box>> read_sound_tags(const std::filesystem::path& path) {
  try {
    const mp4::FileBytes file(path);
    return sound_tags_of(mp4::read_moov(file, mp4::scan_file(file)));
  } catch (const Error&) {
    return {};
  }
}

void set_sound_tags(Box& moov, std::span<const std::vector<Box>> tags) {
  std::size_t track = 0;
  for (Box& trak : moov.children) {
    if (trak.type != "trak" || mp4::handler_of(trak) != "soun") continue;
    if (track >= tags.size()) return;
    Box* entries = trak.find({"mdia", "minf", "stbl", "stsd"});
    const auto& boxes = tags[track++];
    if (boxes.empty() || entries == nullptr) continue;
    for (Box& entry : entries->children) {
      for (const Box& box : boxes) entry.remove_children(box.type);
      insert_tags(entry, boxes);
    }
  }
}

void finish_tagged_mp4(const std::filesystem::path& path, const VideoTags& tags,
                       std::span<const std::vector<Box>> sound_tags) {
  const mp4::FileBytes file(path, true);
  const mp4::FileBoxes layout = mp4::scan_file(file);
  Box moov = mp4::read_moov(file, layout);
  set_tags(moov, tags, path.filename().string());
  set_sound_tags(moov, sound_tags);
  mp4::move_moov_to_front(file, layout, moov);
}

}  // namespace vergence::media
