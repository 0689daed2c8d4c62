// SPDX-License-Identifier: Apache-2.0
#include "pipeline/players.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace vergence::pipeline {
namespace {

using media::SphericalTag;
using media::StereoTag;
using Shape = Belief::Shape;

// --- Names ---

// What a word of a name adds.
struct NameWord {
  std::string_view word;  // in lower case
  std::optional<Shape> shape = {};
  std::optional<StereoTag> stereo = {};
  std::optional<bool> squeezed = {};
  bool right_first = false;
};

const std::vector<NameWord>& name_words() {
  using enum StereoTag;
  static const std::vector<NameWord> kWords = {
      {"180", Shape::kHemisphere},
      {"180x180", Shape::kHemisphere},
      {"360", Shape::kSphere},
      {"360x180", Shape::kSphere},
      {"180x360", Shape::kSphere},
      {"fisheye", Shape::kFisheye},
      {"rf52", Shape::kFisheye},
      {"mkx200", Shape::kFisheye},
      {"mkx220", Shape::kFisheye},
      {"vrca220", Shape::kFisheye},
      {"f180", Shape::kFisheye},
      {"eac", Shape::kEac},
      {"lr", {}, kSideBySide},
      {"sbs", {}, kSideBySide},
      {"3dh", {}, kSideBySide},
      {"sidebyside", {}, kSideBySide},
      {"rl", {}, kSideBySide, {}, true},
      {"lrf", {}, kSideBySide, false},
      {"fsbs", {}, kSideBySide, false},
      {"hsbs", {}, kSideBySide, true},
      {"tb", {}, kTopBottom},
      {"ou", {}, kTopBottom},
      {"3dv", {}, kTopBottom},
      {"bt", {}, kTopBottom, {}, true},
      {"tbf", {}, kTopBottom, false},
      {"fulltb", {}, kTopBottom, false},
      {"hou", {}, kTopBottom, true},
      {"htab", {}, kTopBottom, true},
      {"half", {}, {}, true},
      {"full", {}, {}, false},
  };
  return kWords;
}

constexpr std::string_view kBetweenWords = "_-. []()";

// In lower case.
std::vector<std::string> words_of(std::string_view stem) {
  std::vector<std::string> words(1);
  for (const char c : lower(stem)) {
    if (kBetweenWords.find(c) != std::string_view::npos) {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  std::erase(words, "");
  return words;
}

const NameWord* find_word(const std::string& word) {
  static const NameWord kLens{"fisheye", Shape::kFisheye};
  // A field of view behind it: FISHEYE190.
  const bool lens = word.starts_with("fisheye") && word.size() > 7 &&
                    std::all_of(word.begin() + 7, word.end(),
                                [](unsigned char c) { return std::isdigit(c) != 0; });
  if (lens) return &kLens;
  const auto found = std::find_if(name_words().begin(), name_words().end(),
                                  [&](const NameWord& row) { return row.word == word; });
  return found == name_words().end() ? nullptr : &*found;
}

// What words said so far; two that differ cancel each other.
template <typename T>
class Vote {
 public:
  void add(const std::optional<T>& value) {
    if (!value) return;
    if (value_ && *value_ != *value) torn_ = true;
    value_ = value;
  }

  [[nodiscard]] std::optional<T> result() const { return torn_ ? std::nullopt : value_; }

 private:
  std::optional<T> value_;
  bool torn_ = false;
};

double eye_aspect(const Belief& belief, cv::Size size) {
  double aspect = static_cast<double>(size.width) / std::max(size.height, 1);
  if (belief.stereo == StereoTag::kSideBySide) aspect /= 2;
  if (belief.stereo == StereoTag::kTopBottom) aspect *= 2;
  return aspect;
}

// Flat films are squeezed unless their shape says otherwise.
bool looks_squeezed(const Belief& belief, cv::Size size) {
  const double aspect = eye_aspect(belief, size);
  if (belief.shape != Shape::kFlat) return false;
  return belief.stereo == StereoTag::kSideBySide ? aspect < 1.2 : aspect > 2.7;
}

// --- Tags ---

Shape shape_of(const SphericalTag& tag) {
  if (tag.projection == SphericalTag::Projection::kCubemap) return Shape::kCubemap;
  if (tag.projection == SphericalTag::Projection::kMesh) return Shape::kMesh;
  if (tag.projection == SphericalTag::Projection::kFisheye) return Shape::kFisheye;
  const double width = 1 - tag.left - tag.right;
  const double height = 1 - tag.top - tag.bottom;
  if (width > 0.999 && height > 0.999) return Shape::kSphere;
  return std::abs(width - 0.5) < 0.01 && height > 0.99 ? Shape::kHemisphere : Shape::kPartOfSphere;
}

Belief of_tag(const std::optional<SphericalTag>& spherical, StereoTag stereo,
              const FileSigns& signs) {
  Belief belief{.shape = spherical ? shape_of(*spherical) : Shape::kFlat, .stereo = stereo};
  const bool wide = signs.pixel_aspect > 1.9 && stereo == StereoTag::kSideBySide;
  const bool tall = signs.pixel_aspect < 0.53 && stereo == StereoTag::kTopBottom;
  belief.squeezed = wide || tall;
  if (stereo != StereoTag::kNone && !belief.squeezed && looks_squeezed(belief, signs.size)) {
    belief.squeezed = true;
  }
  return belief;
}

StereoTag stereo_of_v1(const std::string& mode) {
  return mode == "left-right"   ? StereoTag::kSideBySide
         : mode == "top-bottom" ? StereoTag::kTopBottom
                                : StereoTag::kNone;
}

std::optional<Belief> of_v2(const FileSigns& signs) {
  if (!signs.boxes || (!signs.boxes->st3d && !signs.boxes->sv3d)) return std::nullopt;
  Belief belief = of_tag(signs.boxes->sv3d, media::stereo_of_st3d(signs.boxes->st3d), signs);
  belief.right_first = signs.boxes->st3d == 4;
  const bool plain = belief.shape == Shape::kFlat && belief.stereo == StereoTag::kNone;
  return plain ? std::nullopt : std::optional<Belief>(belief);
}

// V1's crops are read by few: the picture stands for the whole sphere.
std::optional<Belief> of_v1(const FileSigns& signs) {
  if (!signs.boxes || !signs.boxes->v1 || !signs.boxes->v1->spherical) return std::nullopt;
  return of_tag(SphericalTag{}, stereo_of_v1(signs.boxes->v1->stereo_mode), signs);
}

std::optional<Belief> of_container(const FileSigns& signs) {
  if (signs.boxes || (!signs.spherical && signs.stereo == StereoTag::kNone)) return std::nullopt;
  return of_tag(signs.spherical, signs.stereo, signs);
}

std::optional<Belief> of_bitstream(const FileSigns& signs) {
  if (signs.bitstream == StereoTag::kNone) return std::nullopt;
  return of_tag(std::nullopt, signs.bitstream, signs);
}

std::optional<Belief> of_apple(const FileSigns& signs) {
  if (!signs.boxes || !signs.boxes->apple) return std::nullopt;
  const auto& apple = *signs.boxes->apple;
  if (apple.projection.empty() && apple.packing.empty()) return std::nullopt;
  Belief belief;
  belief.shape = apple.projection == "hequ"   ? Shape::kHemisphere
                 : apple.projection == "equi" ? Shape::kSphere
                 : apple.projection == "fish" ? Shape::kFisheye
                                              : Shape::kFlat;
  belief.stereo = apple.packing == "side"   ? StereoTag::kSideBySide
                  : apple.packing == "over" ? StereoTag::kTopBottom
                                            : StereoTag::kNone;
  return belief;
}

// --- Players ---

Verdict youtube(const FileSigns& signs) {
  Verdict verdict{"YouTube", "boxes, bitstream", Belief{}, ""};
  const auto tags = belief_of_tags(signs);
  if (tags && tags->shape == Shape::kHemisphere && tags->stereo == StereoTag::kNone) {
    verdict.belief.reset();
    verdict.remark = "it takes VR180 with two eyes only: give each eye the same picture";
  } else if (tags && tags->right_first) {
    verdict.remark = "it does not know eyes with the right one first";
  } else if (tags) {
    verdict.belief = tags;
  } else if (signs.codec == "h264" && signs.bitstream != StereoTag::kNone) {
    verdict.belief = of_bitstream(signs);
    verdict.remark = "by the message in the H.264 stream";
  }
  if (signs.boxes && signs.boxes->fragmented) verdict.remark = "fragmented: tags may be missed";
  return verdict;
}

Verdict apple(const FileSigns& signs) {
  Verdict verdict{"Apple (Vision Pro)", "boxes", Belief{}, ""};
  if (signs.boxes && signs.boxes->eyes_in_layers) {
    verdict.remark = "spatial video: the eyes lie in two layers (MV-HEVC)";
  } else if (const auto belief = of_apple(signs)) {
    verdict.belief = belief;
  } else if (of_v2(signs)) {
    verdict.remark = "until Apple's converter has read Google's boxes";
  }
  return verdict;
}

Verdict desktop(const FileSigns& signs) {
  Verdict verdict{"VLC, mpv, FFmpeg", "boxes", Belief{}, ""};
  if (const auto tags = belief_of_tags(signs)) {
    verdict.belief = Belief{.shape = tags->shape};
    if (tags->stereo != StereoTag::kNone) verdict.remark = "both eyes are seen as they lie";
  }
  return verdict;
}

Verdict by_name(const FileSigns& signs, std::string player, bool vr180_is_fisheye) {
  Verdict verdict{std::move(player), "file name", Belief{}, ""};
  if (const auto belief = belief_of_name(signs.stem, signs.size, vr180_is_fisheye)) {
    verdict.belief = belief;
  } else {
    verdict.remark = "nothing in the name: chosen by hand";
  }
  return verdict;
}

// Google Photos, Flickr, Facebook, desktop viewers of panoramas.
Verdict photo_viewers(const FileSigns& signs) {
  Verdict verdict{"Google Photos, viewers", "XMP", Belief{}, ""};
  const auto tags = belief_of_tags(signs);
  if (tags) verdict.belief = Belief{.shape = tags->shape};
  if (!signs.pair.empty()) {
    verdict.remark =
        fmt::format("the right eye where {} is known, else the left one alone", signs.pair);
  } else if (tags && tags->stereo != StereoTag::kNone) {
    verdict.remark = "both eyes are seen as they lie";
  }
  return verdict;
}

// The last word alone counts; otherwise a square picture has two eyes, one above the other.
Verdict meta(const FileSigns& signs) {
  Verdict verdict{"Meta Quest TV", "file name, size", Belief{}, ""};
  const auto words = words_of(signs.stem);
  const auto named = belief_of_name(signs.stem, signs.size, false);
  Belief belief;
  if (named) belief.shape = named->shape;
  const std::string last = words.empty() ? "" : words.back();
  if (last == "lr" || last == "rl") belief.stereo = StereoTag::kSideBySide;
  if (last == "tb" || last == "bt") belief.stereo = StereoTag::kTopBottom;
  belief.right_first = last == "rl" || last == "bt";
  const bool pair = belief.stereo != StereoTag::kNone;
  if (!pair && signs.size.width == signs.size.height && belief.shape != Shape::kFlat) {
    belief.stereo = StereoTag::kTopBottom;
    verdict.remark = "square pictures are taken for two eyes";
  }
  belief.squeezed = belief.stereo != StereoTag::kNone && looks_squeezed(belief, signs.size);
  verdict.belief = belief;
  return verdict;
}

Verdict rad(const FileSigns& signs) {
  Verdict verdict = by_name(signs, "RAD TV (PS VR2)", false);
  if (verdict.belief && verdict.belief->shape == Shape::kFlat) {
    verdict.belief = Belief{};
    verdict.remark = "it knows 180 and 360 only: no flat 3D";
  }
  return verdict;
}

// The name that most players understand: without the words that say something else.
std::string better_name(const FileSigns& signs, const std::string& name, const Belief& belief) {
  std::string stem = signs.stem;
  for (std::size_t begin = 0; begin < stem.size();) {
    const std::size_t end = std::min(stem.find_first_of(kBetweenWords, begin), stem.size());
    const std::string word = lower(stem.substr(begin, end - begin));
    if (word != "vr180" && find_word(word) == nullptr) {
      begin = end + 1;
    } else if (begin > 0) {
      stem.erase(begin - 1, end - begin + 1);
    } else {
      stem.erase(0, end + 1);
    }
  }
  return (stem.empty() ? "video" : stem) + name_suffix(belief) +
         name.substr(std::min(signs.stem.size(), name.size()));
}

// --- Warnings ---

void warn_of_size(const FileSigns& signs, std::vector<std::string>& warnings) {
  const auto tags = belief_of_tags(signs);
  if (!tags || fits_size(*tags, signs.size)) return;
  warnings.push_back(fmt::format(
      "the tags say {}, but a picture of {}x{} has eyes of {:.2f}:1: the tags or the "
      "picture are wrong",
      to_string(*tags), signs.size.width, signs.size.height, eye_aspect(*tags, signs.size)));
}

bool leaves_something(const SphericalTag& tag) {
  return tag.left + tag.right < 1.0 && tag.top + tag.bottom < 1.0;
}

void warn_of_boxes(const FileSigns& signs, std::vector<std::string>& warnings) {
  const auto v1 = of_v1(signs);
  const auto v2 = of_v2(signs);
  if (v1 && v2 && *v1 != *v2) {
    warnings.push_back(
        fmt::format("the older tag (V1) says {}, the newer one (V2) {}: write them "
                    "anew with `vergence tag`",
                    to_string(*v1), to_string(*v2)));
  }
  const auto apple_says = of_apple(signs);
  if (apple_says && v2 && (apple_says->shape != v2->shape || apple_says->stereo != v2->stereo)) {
    warnings.push_back(
        fmt::format("Apple's boxes say {}, Google's {}: write them anew with "
                    "`vergence tag`",
                    to_string(*apple_says), to_string(*v2)));
  }
  if (!signs.boxes) return;
  if (signs.boxes->sv3d && !leaves_something(*signs.boxes->sv3d)) {
    warnings.emplace_back(
        "the bounds in 'sv3d' leave nothing of the sphere, and some players cannot open such a "
        "file: write the tags anew with `vergence tag`");
  }
  if (signs.boxes->st3d == 4) {
    warnings.emplace_back(
        "the tag says that the right eye comes first, which hardly any player knows: swap the "
        "eyes");
  }
  if (signs.boxes->fragmented) {
    warnings.emplace_back(
        "the file is fragmented, and many players look for tags in whole files: "
        "`ffmpeg -i IN -c copy -movflags +faststart OUT.mp4`");
  }
  if (v2 && signs.boxes->quicktime) {
    warnings.emplace_back(
        "QuickTime files (.mov) have no agreed place for these tags: YouTube reads them, most "
        "players look for them in .mp4 only");
  }
  if (signs.boxes->num_video_tracks > 1) {
    warnings.push_back(
        fmt::format("there are {} video tracks: what is said here is about the first",
                    signs.boxes->num_video_tracks));
  }
}

void warn_of_bitstream(const FileSigns& signs, std::vector<std::string>& warnings) {
  const auto tags = belief_of_tags(signs);
  if (signs.bitstream == StereoTag::kNone || !tags || tags->stereo == signs.bitstream) return;
  warnings.push_back(
      fmt::format("the {} stream itself says {}, the tags {}: players that read the stream show "
                  "something else; "
                  "only encoding anew mends it",
                  signs.codec, to_string(Belief{.stereo = signs.bitstream}), to_string(*tags)));
}

void warn_of_name(const FileSigns& signs, const std::string& name,
                  std::vector<std::string>& warnings) {
  const auto tags = belief_of_tags(signs);
  const auto named = belief_of_name(signs.stem, signs.size, false);
  const auto skybox = belief_of_name(signs.stem, signs.size, true);
  if (named && skybox && *named != *skybox) {
    warnings.emplace_back("SKYBOX takes VR180 in a name for fisheye pictures: use 180 instead");
  }
  if (tags && !named && !name_suffix(*tags).empty()) {
    warnings.push_back(
        fmt::format("headset players go by names, and this one says nothing: call it '{}'",
                    better_name(signs, name, *tags)));
  }
  if (named && !tags && !tag_word(*named).empty()) {
    warnings.push_back(
        fmt::format("the name says {}, but the file has no tags, which YouTube and "
                    "others need: `vergence tag '{}' --as {}`",
                    to_string(*named), name, tag_word(*named)));
  }
  if (!tags || !named) return;
  const bool differ = tags->shape != named->shape || tags->stereo != named->stereo ||
                      tags->right_first != named->right_first;
  if (!differ) return;
  std::string advice;
  if (!name_suffix(*tags).empty()) {
    advice = fmt::format(": call it '{}'", better_name(signs, name, *tags));
  }
  // A name that tells less is no reason to tell less.
  const bool tells_less = named->stereo == StereoTag::kNone && tags->stereo != StereoTag::kNone;
  if (const std::string word = tag_word(*named); !word.empty() && !tells_less) {
    advice +=
        fmt::format("{}`vergence tag '{}' --as {}`", advice.empty() ? ": " : ", or ", name, word);
  }
  warnings.push_back(fmt::format("the tags say {}, the name says {}{}", to_string(*tags),
                                 to_string(*named), advice));
}

}  // namespace

std::string to_string(const Belief& belief) {
  constexpr std::array<std::string_view, 8> kShapes = {
      "flat",    "360 degrees", "180 degrees",           "part of the sphere",
      "fisheye", "cube map",    "equi-angular cube map", "mesh of its own"};
  const std::string shape(kShapes.at(static_cast<std::size_t>(belief.shape)));
  const std::string half = belief.squeezed ? " (half)" : "";
  switch (belief.stereo) {
    case StereoTag::kNone:
      return shape + ", one picture";
    case StereoTag::kSideBySide:
      return fmt::format("{}, side by side{}{}", shape, half,
                         belief.right_first ? ", right eye first" : "");
    case StereoTag::kTopBottom:
      return fmt::format("{}, top-bottom{}{}", shape, half,
                         belief.right_first ? ", right eye first" : "");
    default:
      return shape + ", both eyes interleaved";
  }
}

std::optional<Belief> belief_of_tags(const FileSigns& signs) {
  if (const auto belief = of_v2(signs)) return belief;
  if (const auto belief = of_v1(signs)) return belief;
  return of_container(signs);
}

std::optional<Belief> belief_of_name(std::string_view stem, cv::Size size, bool vr180_is_fisheye) {
  Vote<Shape> shape;
  Vote<StereoTag> stereo;
  Vote<bool> squeezed;
  bool right_first = false;
  for (const std::string& word : words_of(stem)) {
    if (word == "vr180") shape.add(vr180_is_fisheye ? Shape::kFisheye : Shape::kHemisphere);
    const NameWord* row = find_word(word);
    if (row == nullptr) continue;
    shape.add(row->shape);
    stereo.add(row->stereo);
    squeezed.add(row->squeezed);
    right_first = right_first || row->right_first;
  }
  if (!shape.result() && !stereo.result()) return std::nullopt;
  Belief belief{.shape = shape.result().value_or(Shape::kFlat),
                .stereo = stereo.result().value_or(StereoTag::kNone),
                .right_first = right_first};
  if (belief.stereo == StereoTag::kNone) return belief;
  belief.squeezed = squeezed.result().value_or(looks_squeezed(belief, size));
  if (belief.shape != Shape::kFlat) belief.squeezed = squeezed.result().value_or(false);
  return belief;
}

std::vector<Verdict> verdicts_on(const FileSigns& signs) {
  if (signs.container == "photo") {
    return {photo_viewers(signs), by_name(signs, "SKYBOX", true), meta(signs),
            by_name(signs, "DeoVR, HereSphere, 4XVR", false)};
  }
  return {youtube(signs),
          apple(signs),
          desktop(signs),
          by_name(signs, "SKYBOX", true),
          meta(signs),
          by_name(signs, "DeoVR, HereSphere, 4XVR", false),
          by_name(signs, "Commedia", false),
          rad(signs)};
}

std::vector<std::string> warnings_about(const FileSigns& signs, const std::string& name) {
  std::vector<std::string> warnings;
  warn_of_size(signs, warnings);
  warn_of_boxes(signs, warnings);
  warn_of_bitstream(signs, warnings);
  warn_of_name(signs, name, warnings);
  return warnings;
}

std::string name_suffix(const Belief& belief) {
  const bool beside = belief.stereo == StereoTag::kSideBySide;
  const bool above = belief.stereo == StereoTag::kTopBottom;
  const std::string eyes = beside ? "_LR" : above ? "_TB" : "";
  switch (belief.shape) {
    case Shape::kSphere:
      return "_360" + eyes;
    case Shape::kHemisphere:
      return "_180" + eyes;
    case Shape::kFlat:
      if (beside) return belief.squeezed ? "_HSBS_LR" : "_LRF_Full_SBS";
      if (above) return belief.squeezed ? "_TB" : "_TBF_fulltb";
      return "";
    default:
      return "";
  }
}

std::string tag_word(const Belief& belief) {
  const bool beside = belief.stereo == StereoTag::kSideBySide;
  const bool above = belief.stereo == StereoTag::kTopBottom;
  if (belief.right_first) return "";
  switch (belief.shape) {
    case Shape::kSphere:
      return beside ? "360-sbs" : above ? "360-tb" : "360";
    case Shape::kHemisphere:
      return beside ? "vr180-sbs" : above ? "vr180-tb" : "180";
    case Shape::kCubemap:
      return beside || above ? "" : "cubemap";
    case Shape::kFlat:
      if (beside) return belief.squeezed ? "half-sbs" : "sbs";
      if (above) return belief.squeezed ? "half-tb" : "tb";
      return "";
    default:
      return "";
  }
}

bool fits_size(const Belief& belief, cv::Size size) {
  double aspect = eye_aspect(belief, size);
  if (belief.squeezed && belief.stereo == StereoTag::kSideBySide) aspect *= 2;
  if (belief.squeezed && belief.stereo == StereoTag::kTopBottom) aspect /= 2;
  const auto near = [&](double wanted) { return std::abs(aspect / wanted - 1) < 0.04; };
  switch (belief.shape) {
    case Shape::kSphere:
      // Eyes of half the size are common, and players stretch them.
      return near(2) || (belief.stereo == StereoTag::kSideBySide && near(1)) ||
             (belief.stereo == StereoTag::kTopBottom && near(4));
    case Shape::kHemisphere:
      return near(1) || (belief.stereo == StereoTag::kSideBySide && near(0.5)) ||
             (belief.stereo == StereoTag::kTopBottom && near(2));
    case Shape::kCubemap:
    case Shape::kEac:
      return near(1.5);
    case Shape::kFlat:
      return belief.stereo == StereoTag::kNone || (aspect > 0.45 && aspect < 3.2);
    default:
      return true;
  }
}

}  // namespace vergence::pipeline
