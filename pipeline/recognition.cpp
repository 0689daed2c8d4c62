// SPDX-License-Identifier: Apache-2.0
#include "pipeline/recognition.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "pipeline/source.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <numeric>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>
#include <spdlog/spdlog.h>

namespace vergence::pipeline {
namespace fs = std::filesystem;

namespace {

using projection::PictureKind;
using projection::PictureModel;
using projection::SphereWindow;
using Packing = EyeLayout::Packing;

// Wider than cinema (2.39:1) and phones (2.33:1).
constexpr double kWidestPhoto = 2.5;

// A shape fits to this share of its width.
constexpr double kShapeTolerance = 0.03;

// Where a name tells both the projection and the eyes, pixels may be this oblong: 180-degree videos
// are squeezed into common sizes.
constexpr double kOblongTolerance = 0.25;

constexpr Radians kUsualFisheyeFov = Radians::from_degrees(190.0);

struct LayoutWord {
  EyeLayout eyes;
  std::string_view word;
};

constexpr std::array kLayoutWords = {
    LayoutWord{{Packing::kOne, false, false}, "none"},
    LayoutWord{{Packing::kSideBySide, false, false}, "sbs"},
    LayoutWord{{Packing::kTopBottom, false, false}, "tb"},
    LayoutWord{{Packing::kSideBySide, true, false}, "half_sbs"},
    LayoutWord{{Packing::kTopBottom, true, false}, "half_tb"},
    LayoutWord{{Packing::kSideBySide, false, true}, "sbs_right_first"},
    LayoutWord{{Packing::kTopBottom, false, true}, "tb_right_first"},
    LayoutWord{{Packing::kSideBySide, true, true}, "half_sbs_right_first"},
    LayoutWord{{Packing::kTopBottom, true, true}, "half_tb_right_first"},
};

// ---- Shapes

// Width / height of one eye's picture of this kind, of square pixels; 0 = any.
double usual_ratio(PictureKind kind) {
  switch (kind) {
    case PictureKind::kEquirectangular:
    case PictureKind::kDualFisheye:
      return 2.0;
    case PictureKind::kHalfEquirectangular:
    case PictureKind::kFisheye:
      return 1.0;
    default:
      return 0.0;
  }
}

double ratio_of(cv::Size size) {
  return static_cast<double>(size.width) / size.height;
}

bool is_about(double ratio, double expected, double tolerance) {
  return std::abs(ratio / expected - 1.0) <= tolerance;
}

std::string ratio_text(cv::Size size) {
  const int divisor = std::gcd(size.width, size.height);
  if (size.width / divisor <= 20) {
    return fmt::format("{}:{}", size.width / divisor, size.height / divisor);
  }
  return fmt::format("{:.2f}:1", ratio_of(size));
}

void check_size(const fs::path& path, cv::Size size) {
  if (std::min(size.width, size.height) >= kMinPictureSide) return;
  throw Error(fmt::format("'{}' is only {}x{} pixels", path.string(), size.width, size.height))
      .hint(fmt::format("give a picture of at least {0}x{0}", kMinPictureSide));
}

// The same where a file may say that it shows a part.
double expected_ratio(PictureKind kind, const Claims& file) {
  if (kind != PictureKind::kEquirectangular || file.projection != kind) return usual_ratio(kind);
  if (file.crop) return 0.0;
  if (!file.bounds) return usual_ratio(kind);
  return 2.0 * (1.0 - file.bounds->left - file.bounds->right) /
         (1.0 - file.bounds->top - file.bounds->bottom);
}

// How two eyes lie in a picture of a kind that tells by its shape: nothing where none fits.
std::optional<EyeLayout> eyes_by_shape(PictureKind kind, cv::Size size) {
  const double one = usual_ratio(kind);
  if (one == 0.0) return EyeLayout{};
  const double ratio = ratio_of(size);
  if (is_about(ratio, one, kShapeTolerance)) return EyeLayout{};
  if (is_about(ratio, 2.0 * one, kShapeTolerance)) return EyeLayout{Packing::kSideBySide};
  if (is_about(ratio, 0.5 * one, kShapeTolerance)) return EyeLayout{Packing::kTopBottom};
  return std::nullopt;
}

// Whether a pair of this packing has the shape of squeezed eyes rather than of whole ones, each
// of which is `one` times as wide as high (0 = flat).
bool looks_squeezed(double one, Packing packing, cv::Size size) {
  const double ratio = ratio_of(size);
  const bool beside = packing == Packing::kSideBySide;
  if (one > 0.0) {
    const double whole = beside ? 2.0 * one : 0.5 * one;
    return std::abs(std::log(ratio / one)) < std::abs(std::log(ratio / whole));
  }
  // Flat eyes are 1.2 (5:4) to 2.5 times as wide as high.
  return beside ? ratio < 2.4 : ratio > 1.25;
}

SphereWindow window_of(const media::PanoramaCrop& crop, cv::Size size) {
  return {crop.full_width, crop.full_height, crop.left, crop.top, size.width, size.height};
}

SphereWindow whole_circle(cv::Size size) {
  if (size.width <= 2 * size.height) return SphereWindow::whole(size.width, size.height);
  const int full_height = (size.width + 1) / 2;
  return {size.width, full_height, 0, (full_height - size.height) / 2, size.width, size.height};
}

SphereWindow window_of(const media::SphericalTag& tag, cv::Size size) {
  const double across = 1.0 - tag.left - tag.right;
  const double down = 1.0 - tag.top - tag.bottom;
  const auto rounded = [](double value) { return static_cast<int>(std::lround(value)); };
  SphereWindow window = SphereWindow::whole(std::max(size.width, rounded(size.width / across)),
                                            std::max(size.height, rounded(size.height / down)));
  window.left =
      std::clamp(rounded(tag.left * window.full_width), 0, window.full_width - size.width);
  window.top =
      std::clamp(rounded(tag.top * window.full_height), 0, window.full_height - size.height);
  window.width = size.width;
  window.height = size.height;
  return window;
}

bool leaves_something(const media::SphericalTag& tag) {
  const auto share = [](double value) { return value >= 0.0 && value < 1.0; };
  return share(tag.left) && share(tag.right) && share(tag.top) && share(tag.bottom) &&
         tag.left + tag.right < 0.99 && tag.top + tag.bottom < 0.99;
}

// A window that is exactly what half-equirectangular pictures show.
bool is_hemisphere(const SphereWindow& window) {
  return window.top == 0 && window.height == window.full_height &&
         std::abs(2 * window.width - window.full_width) <= 1 &&
         std::abs(4 * window.left - window.full_width) <= 3;
}

// ---- Names

std::vector<std::string> words_of(const fs::path& path) {
  std::vector<std::string> words(1);
  for (const char c : path.stem().string()) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      words.back() += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (static_cast<unsigned char>(c) < 0x80 && !words.back().empty()) {
      words.emplace_back();
    }
  }
  return words;
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// "fisheye190" and "f190" -> 190; nothing unless 90..270 follows the prefix.
std::optional<int> number_behind(std::string_view word, std::string_view prefix) {
  if (!word.starts_with(prefix)) return std::nullopt;
  const auto digits = word.substr(prefix.size());
  int value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value >= 90 && value <= 270 ? std::optional(value) : std::nullopt;
}

// The field of view of a fisheye that a word names; 0 = it does not say how wide.
std::optional<double> fisheye_of(std::string_view word) {
  if (word == "fisheye") return 0.0;
  if (word == "rf52") return 190.0;
  if (word == "mkx200") return 200.0;
  if (word == "mkx220" || word == "vrca220") return 220.0;
  for (const std::string_view prefix : {"fisheye", "f"}) {
    if (const auto value = number_behind(word, prefix)) return *value;
  }
  return std::nullopt;
}

std::optional<PictureKind> projection_of(std::string_view word) {
  if (is_one_of(word, {"360", "180x360", "360x180", "vr360", "equirect", "equirectangular", "erp",
                       "pano", "panorama", "photosphere", "spherical"})) {
    return PictureKind::kEquirectangular;
  }
  if (is_one_of(word, {"180", "180x180", "vr180"})) return PictureKind::kHalfEquirectangular;
  if (word == "eac") return PictureKind::kEquiangularCubemap;
  if (is_one_of(word, {"cubemap", "c3x2"})) return PictureKind::kCubemap;
  if (is_one_of(word, {"dualfisheye", "dfisheye"})) return PictureKind::kDualFisheye;
  if (fisheye_of(word)) return PictureKind::kFisheye;
  return std::nullopt;
}

std::optional<EyeLayout> eyes_of(std::string_view word) {
  if (is_one_of(word, {"sbs", "lr", "lrf", "3dh", "fsbs", "sidebyside"})) {
    return EyeLayout{Packing::kSideBySide};
  }
  if (is_one_of(word, {"hsbs", "halfsbs"})) return EyeLayout{Packing::kSideBySide, true};
  if (is_one_of(word, {"rl", "rlf"})) return EyeLayout{Packing::kSideBySide, false, true};
  if (is_one_of(word, {"tb", "ou", "tbf", "3dv", "fulltb", "topbottom", "overunder"})) {
    return EyeLayout{Packing::kTopBottom};
  }
  if (is_one_of(word, {"hou", "htb", "halftb", "halfou"})) {
    return EyeLayout{Packing::kTopBottom, true};
  }
  if (word == "bt") return EyeLayout{Packing::kTopBottom, false, true};
  if (word == "mono") return EyeLayout{};
  return std::nullopt;
}

// Words of two and three parts, as one.
std::vector<std::string> with_joined_words(std::vector<std::string> words) {
  std::vector<std::string> result;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto is = [&](std::size_t at, std::string_view word) {
      return at < words.size() && words[at] == word;
    };
    if (is(i, "side") && is(i + 1, "by") && is(i + 2, "side")) {
      result.emplace_back("sbs");
      i += 2;
    } else if ((is(i, "top") && is(i + 1, "bottom")) || (is(i, "over") && is(i + 1, "under"))) {
      result.emplace_back("tb");
      ++i;
    } else if (is(i, "dual") && is(i + 1, "fisheye")) {
      result.emplace_back("dualfisheye");
      ++i;
    } else {
      result.push_back(words[i]);
    }
  }
  return result;
}

// What the words about eyes say together; "LR" and "HSBS" agree, "LR" and "TB" do not.
std::optional<EyeLayout> together(const std::vector<EyeLayout>& all, bool half) {
  if (all.empty()) return std::nullopt;
  EyeLayout result = all.front();
  for (const EyeLayout& other : all) {
    if (other.packing != result.packing) return std::nullopt;
    result.squeezed |= other.squeezed;
    result.right_first |= other.right_first;
  }
  result.squeezed |= half && result.is_pair();
  return result;
}

// What the words about projections say together; "180" agrees with a fisheye, "360" with what
// shows everything.
std::optional<PictureKind> together(const std::set<PictureKind>& all) {
  std::set<PictureKind> rest = all;
  if (rest.size() > 1) {
    if (rest.contains(PictureKind::kFisheye)) rest.erase(PictureKind::kHalfEquirectangular);
    if (rest.contains(PictureKind::kEquiangularCubemap) || rest.contains(PictureKind::kCubemap) ||
        rest.contains(PictureKind::kDualFisheye)) {
      rest.erase(PictureKind::kEquirectangular);
    }
  }
  return rest.size() == 1 ? std::optional(*rest.begin()) : std::nullopt;
}

// ---- Decisions

// Drops what a name says where the picture has another shape: names are full of numbers.
Claims as_far_as_it_fits(Claims name, cv::Size size) {
  const double ratio = ratio_of(size);
  if (name.projection && name.eyes && name.eyes->is_pair() && usual_ratio(*name.projection) > 0.0) {
    const double one = usual_ratio(*name.projection);
    const double pair = name.eyes->packing == Packing::kSideBySide ? 2.0 * one : 0.5 * one;
    const bool fits =
        is_about(ratio, pair, kOblongTolerance) || is_about(ratio, one, kOblongTolerance);
    if (fits) return name;
    name.eyes.reset();
  }
  if (name.projection && usual_ratio(*name.projection) > 0.0 &&
      !eyes_by_shape(*name.projection, size)) {
    name.projection.reset();
    name.fov.reset();
  }
  const bool cube = name.projection == PictureKind::kEquiangularCubemap ||
                    name.projection == PictureKind::kCubemap;
  if (cube && (ratio < 1.3 || ratio > 1.85)) name.projection.reset();
  if (!name.projection && name.eyes && name.eyes->is_pair()) {
    // Upright pictures and squares hold no flat eyes side by side.
    const bool beside = name.eyes->packing == Packing::kSideBySide;
    const bool evident = beside ? ratio > kWidestPhoto : ratio <= 1.25;
    if ((name.weak_eyes && !evident) || (beside && ratio < 1.2)) name.eyes.reset();
  }
  if (!name.projection && !name.eyes) name.evidence.clear();
  return name;
}

[[noreturn]] void refuse_shape(const fs::path& path, cv::Size size) {
  throw Error(fmt::format("cannot tell what '{}' shows: {}x{} is {}, neither a photo nor a whole "
                          "360 panorama, and it has no GPano metadata",
                          path.string(), size.width, size.height, ratio_text(size)))
      .hint(
          "give input.projection=flat or input.projection=equirectangular, or add the GPano tags");
}

PictureKind kind_by_shape(const fs::path& path, cv::Size size, const EyeLayout& eyes) {
  const cv::Size one = eye_size(eyes, size);
  if (!eyes.is_pair()) {
    if (std::abs(size.width - 2 * size.height) <= 2) return PictureKind::kEquirectangular;
    if (size.width > kWidestPhoto * size.height) refuse_shape(path, size);
    return PictureKind::kFlat;
  }
  // Nobody makes flat eyes that are exactly 2:1 but not squeezed; whole spheres are.
  const bool exact = std::abs(one.width - 2 * one.height) <= 2;
  return exact && !eyes.squeezed ? PictureKind::kEquirectangular : PictureKind::kFlat;
}

// Names and metadata do not tell squeezed eyes from whole ones; shapes do.
void set_squeezed(const Claims& by, double one, cv::Size size, EyeLayout& eyes) {
  const bool packed = eyes.packing == Packing::kSideBySide || eyes.packing == Packing::kTopBottom;
  if (!by.eyes || by.whole_eyes || !packed || eyes.squeezed) return;
  eyes.squeezed = looks_squeezed(one, eyes.packing, size);
}

// Tells where the shape is not what the file's own words lead one to expect.
void warn_of_shape(const fs::path& path, const Recognition& seen, const Claims& file) {
  if (seen.evidence != file.evidence || file.evidence.empty()) return;
  const double expected = expected_ratio(file.projection.value_or(seen.projection), file);
  if (expected == 0.0) return;
  cv::Size eye = seen.eye_size;
  if (seen.eyes.squeezed) {
    (seen.eyes.packing == Packing::kSideBySide ? eye.width : eye.height) *= 2;
  }
  if (is_about(ratio_of(eye), expected, kShapeTolerance)) return;
  spdlog::warn(
      "'{}' is {} by its {}, and each eye's picture would be {:g}:1 then, but it is {}: check that "
      "nothing looks stretched; if it does, give input.projection and input.stereo",
      path.string(), describe(seen), file.evidence, expected, ratio_text(eye));
}

// `by_file`: the file says that it is equirectangular; `asked`: the user does.
SphereWindow window_for(const Claims& file, bool by_file, bool asked, const Recognition& seen) {
  const cv::Size eye = seen.eye_size;
  if (by_file && file.crop) return window_of(*file.crop, eye);
  if (by_file && file.bounds) return window_of(*file.bounds, eye);
  // A wide picture that is called a panorama is a strip of one, unless its pixels are oblong.
  if ((by_file || asked) && !seen.eyes.is_pair()) return whole_circle(eye);
  return SphereWindow::whole(eye.width, eye.height);
}

}  // namespace

// ---- Layouts of eyes

std::string to_string(const EyeLayout& eyes) {
  for (const LayoutWord& known : kLayoutWords) {
    if (known.eyes == eyes) return std::string(known.word);
  }
  return "two pictures";
}

std::optional<EyeLayout> eye_layout_from_string(std::string_view word) {
  for (const LayoutWord& known : kLayoutWords) {
    if (known.word == word) return known.eyes;
  }
  return std::nullopt;
}

cv::Size eye_size(const EyeLayout& eyes, cv::Size picture) {
  if (eyes.packing == Packing::kSideBySide) return {picture.width / 2, picture.height};
  if (eyes.packing == Packing::kTopBottom) return {picture.width, picture.height / 2};
  return picture;
}

std::array<cv::Mat, 2> split_eyes(const cv::Mat& picture, const EyeLayout& eyes) {
  const cv::Size size = eye_size(eyes, picture.size());
  const bool beside = eyes.packing == Packing::kSideBySide;
  const bool above = eyes.packing == Packing::kTopBottom;
  // An odd column or row in the middle belongs to nobody.
  const cv::Point second(beside ? picture.cols - size.width : 0,
                         above ? picture.rows - size.height : 0);
  std::array<cv::Mat, 2> parts = {picture(cv::Rect({}, size)), picture(cv::Rect(second, size))};
  if (eyes.right_first) std::swap(parts[0], parts[1]);
  return parts;
}

// ---- Claims

Claims claims_of(const media::PictureMetadata& metadata) {
  Claims claims;
  if (metadata.equirectangular || metadata.crop) {
    claims.projection = PictureKind::kEquirectangular;
    claims.crop = metadata.crop;
    claims.evidence = "GPano";
  }
  if (metadata.stereo == media::StereoTag::kSideBySide ||
      metadata.stereo == media::StereoTag::kTopBottom) {
    claims.eyes = EyeLayout{metadata.stereo == media::StereoTag::kSideBySide ? Packing::kSideBySide
                                                                             : Packing::kTopBottom,
                            metadata.squeezed, metadata.right_eye_first};
    if (claims.evidence.empty()) claims.evidence = "metadata";
  }
  return claims;
}

Claims claims_of(const media::VideoInfo& video) {
  Claims claims;
  if (video.spherical) {
    claims.evidence = "metadata";
    switch (video.spherical->projection) {
      case media::SphericalTag::Projection::kEquirectangular:
        claims.projection = PictureKind::kEquirectangular;
        if (leaves_something(*video.spherical)) claims.bounds = video.spherical;
        break;
      case media::SphericalTag::Projection::kCubemap:
        claims.projection = PictureKind::kCubemap;
        break;
      case media::SphericalTag::Projection::kFisheye:
        claims.projection = PictureKind::kFisheye;
        break;
      case media::SphericalTag::Projection::kMesh:
        claims.mesh = true;
        break;
    }
  }
  if (video.stereo == media::StereoTag::kSideBySide ||
      video.stereo == media::StereoTag::kTopBottom) {
    claims.eyes = EyeLayout{
        video.stereo == media::StereoTag::kSideBySide ? Packing::kSideBySide : Packing::kTopBottom,
        false, video.stereo_right_first};
    claims.evidence = "metadata";
  }
  return claims;
}

Claims claims_of_name(const fs::path& path) {
  Claims claims;
  std::set<PictureKind> kinds;
  std::vector<EyeLayout> eyes;
  bool half = false;
  claims.weak_eyes = true;
  for (const auto& word : with_joined_words(words_of(path))) {
    half |= word == "half";
    if (const auto kind = projection_of(word)) {
      kinds.insert(*kind);
      if (const double fov = fisheye_of(word).value_or(0.0); fov > 0.0) {
        claims.fov = Radians::from_degrees(fov);
      }
    }
    if (const auto layout = eyes_of(word)) {
      eyes.push_back(*layout);
      claims.weak_eyes &= word.size() == 2 && word != "ou";
    }
    claims.whole_eyes |= is_one_of(word, {"full", "lrf", "rlf", "tbf", "fsbs", "fulltb"});
  }
  claims.projection = together(kinds);
  claims.eyes = together(eyes, half);
  if (claims.projection != PictureKind::kFisheye) claims.fov.reset();
  if (claims.projection || claims.eyes) claims.evidence = "file name";
  return claims;
}

// ---- Recognition

Recognition recognise(const fs::path& path, cv::Size size, const Claims& file,
                      const Claims& asked) {
  check_size(path, size);
  if (file.mesh && !asked.projection) {
    throw Error(fmt::format("'{}' comes with a mesh that says where its pixels look, which is not "
                            "read",
                            path.string()))
        .hint("give input.projection=fisheye with input.fisheye_fov_deg, or half_equirectangular");
  }
  const Claims name = as_far_as_it_fits(claims_of_name(path), size);
  Recognition seen;
  const Claims& eyes_by = asked.eyes ? asked : file.eyes ? file : name;
  if (eyes_by.eyes) seen.eyes = *eyes_by.eyes;
  const Claims& kind_by = asked.projection ? asked : file.projection ? file : name;
  auto kind = kind_by.projection;
  seen.evidence = asked.projection || asked.eyes ? "as asked"
                  : file.projection || file.eyes ? file.evidence
                                                 : name.evidence;
  if (!kind) {
    // Squeezed flat eyes are found out before their shape is looked at.
    EyeLayout eyes = seen.eyes;
    if (!asked.eyes) set_squeezed(eyes_by, 0.0, size, eyes);
    kind = kind_by_shape(path, size, eyes);
    if (seen.evidence.empty()) {
      seen.evidence = kind == PictureKind::kEquirectangular ? "2:1" : "aspect ratio";
    }
  } else if (!eyes_by.eyes && !file.projection &&
             (!asked.projection || kind != PictureKind::kEquirectangular)) {
    seen.eyes = eyes_by_shape(*kind, size).value_or(EyeLayout{});
  }
  seen.projection = *kind;
  const double one = expected_ratio(*kind, file);
  const bool shaped = one > 0.0 || *kind == PictureKind::kFlat;
  if (!asked.eyes && shaped) set_squeezed(eyes_by, one, size, seen.eyes);
  seen.eye_size = eye_size(seen.eyes, size);
  check_size(path, seen.eye_size);
  if (name.projection == kind) seen.fov = name.fov;
  if (*kind == PictureKind::kEquirectangular) {
    const bool by_file = file.projection == PictureKind::kEquirectangular;
    seen.window = window_for(file, by_file, asked.projection.has_value(), seen);
    if (by_file && is_hemisphere(seen.window)) seen.projection = PictureKind::kHalfEquirectangular;
  }
  warn_of_shape(path, seen, file);
  return seen;
}

Recognition recognise(const fs::path& path, cv::Size size, const media::PictureMetadata& metadata,
                      std::optional<PictureKind> asked) {
  Claims wish;
  wish.projection = asked;
  return recognise(path, size, claims_of(metadata), wish);
}

std::string describe(const Recognition& seen) {
  std::string what;
  switch (seen.projection) {
    case PictureKind::kEquirectangular:
      what = seen.window.is_whole() ? "panorama" : "part of a panorama";
      break;
    case PictureKind::kHalfEquirectangular:
      what = "VR180";
      break;
    case PictureKind::kFlat:
      what = "flat";
      break;
    default:
      what = std::string(projection::to_string(seen.projection));
      std::replace(what.begin(), what.end(), '_', ' ');
      break;
  }
  switch (seen.eyes.packing) {
    case Packing::kOne:
      break;
    case Packing::kSideBySide:
      what += " side by side";
      break;
    case Packing::kTopBottom:
      what += " top-bottom";
      break;
    case Packing::kTwoPictures:
      what += " for both eyes";
      break;
  }
  if (seen.eyes.squeezed) what += ", squeezed";
  if (seen.eyes.right_first) what += ", right eye first";
  return what;
}

PictureModel eye_model(const Recognition& seen, std::optional<Radians> fov_x,
                       std::optional<Radians> fisheye_fov) {
  const cv::Size size = seen.eye_size;
  switch (seen.projection) {
    case PictureKind::kEquirectangular:
      return PictureModel::equirectangular(seen.window);
    case PictureKind::kHalfEquirectangular:
      return PictureModel::half_equirectangular(size);
    case PictureKind::kFlat: {
      const Radians across = fov_x.value_or(kUsualPhotoFov);
      cv::Size square = size;
      if (seen.eyes.squeezed) {
        (seen.eyes.packing == Packing::kSideBySide ? square.width : square.height) *= 2;
      }
      return PictureModel::flat(size, across, vertical_fov(across, square));
    }
    case PictureKind::kFisheye:
    case PictureKind::kDualFisheye:
    case PictureKind::kStereographic:
    case PictureKind::kEquisolid:
    case PictureKind::kOrthographic: {
      Radians fov = fisheye_fov.value_or(seen.fov.value_or(kUsualFisheyeFov));
      if (seen.projection == PictureKind::kOrthographic) {
        fov = std::min(fov, Radians::from_degrees(180.0));
      }
      return PictureModel::of(seen.projection, size, fov);
    }
    case PictureKind::kCylindrical:
    case PictureKind::kCylindricalEqualArea:
    case PictureKind::kMercator:
    case PictureKind::kPannini:
      return PictureModel::of(seen.projection, size, fov_x);
    default:
      return PictureModel::of(seen.projection, size);
  }
}

// ---- Pixels against words

double likeness_of_eyes(const cv::Mat& picture, Packing packing) {
  if (packing != Packing::kSideBySide && packing != Packing::kTopBottom) return 1.0;
  constexpr int kSide = 96;
  constexpr int kMargin = 8;  // of parallax, and of some cameras' vertical error
  auto eyes = split_eyes(picture, EyeLayout{packing});
  for (cv::Mat& eye : eyes) {
    cv::resize(eye, eye, {kSide, kSide}, 0.0, 0.0, cv::INTER_AREA);
    if (eye.channels() > 1) cv::transform(eye, eye, cv::Matx13f(0.3F, 0.6F, 0.1F));
    eye.convertTo(eye, CV_32F);
  }
  const cv::Mat inner = eyes[0](cv::Rect(kMargin, 2, kSide - 2 * kMargin, kSide - 4));
  cv::Mat scores;
  cv::matchTemplate(eyes[1], inner, scores, cv::TM_CCOEFF_NORMED);
  double best = 0.0;
  cv::minMaxLoc(scores, nullptr, &best);
  return std::isfinite(best) ? best : 1.0;  // even pictures are alike
}

void check_eyes(const fs::path& path, const cv::Mat& picture, const Recognition& seen,
                const Claims& asked) {
  constexpr double kUnlike = 0.3;
  constexpr double kSame = 0.93;
  if (seen.eyes.is_pair()) {
    const double likeness = likeness_of_eyes(picture, seen.eyes.packing);
    if (likeness < kUnlike) {
      spdlog::warn(
          "'{}' is taken for {} ({}), but its halves show different things; give input.stereo=none "
          "if it is one eye's picture",
          path.string(), describe(seen), seen.evidence);
    }
    return;
  }
  if (asked.eyes) return;  // the user knows
  const double beside = likeness_of_eyes(picture, Packing::kSideBySide);
  const double above = likeness_of_eyes(picture, Packing::kTopBottom);
  if (std::max(beside, above) < kSame) return;
  cv::Scalar mean;
  cv::Scalar deviation;
  cv::meanStdDev(picture, mean, deviation);
  if (deviation[0] < 0.02 * mean[0] + 1e-3) return;  // one even colour
  const bool flat = seen.projection == PictureKind::kFlat;
  spdlog::warn(
      "'{}' is taken for {} of one eye ({}), but its halves look the same; give input.stereo={}{} "
      "if it holds both eyes",
      path.string(), describe(seen), seen.evidence, above > beside ? "tb" : "sbs",
      flat ? ", and input.projection=half_equirectangular for VR180," : "");
}

void require_flat(const fs::path& path, const Claims& file, std::optional<PictureKind> asked,
                  std::string_view command) {
  if (asked == PictureKind::kFlat) return;
  const bool round =
      asked.has_value() || file.mesh || (file.projection && *file.projection != PictureKind::kFlat);
  if (!round) return;
  throw Error(fmt::format("'{}' is a 360 picture{}, and '{}' is for flat ones", path.string(),
                          asked ? "" : " by its metadata", command))
      .hint("give input.projection=flat to treat it as a flat one all the same");
}

}  // namespace vergence::pipeline
