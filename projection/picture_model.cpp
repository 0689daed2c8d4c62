// SPDX-License-Identifier: Apache-2.0
#include "projection/picture_model.hpp"

#include "core/parallel.hpp"
#include "projection/picture_lenses.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <type_traits>
#include <utility>

// Loops over many directions exist twice, and the processor's abilities decide at the program's
// start. Both give the same numbers.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define VERGENCE_WIDE_LOOPS __attribute__((target_clones("avx2", "default"), flatten))
#else
#define VERGENCE_WIDE_LOOPS
#endif

namespace vergence::projection {
namespace {

using Eigen::Vector2d;
using Eigen::Vector3d;

constexpr float kNothing = std::numeric_limits<float>::quiet_NaN();
constexpr double kEacPadding = 2.0;

struct Name {
  PictureKind kind;
  std::string_view word;
};

constexpr std::array kNames = {
    Name{PictureKind::kEquirectangular, "equirectangular"},
    Name{PictureKind::kHalfEquirectangular, "half_equirectangular"},
    Name{PictureKind::kFlat, "flat"},
    Name{PictureKind::kFisheye, "fisheye"},
    Name{PictureKind::kDualFisheye, "dual_fisheye"},
    Name{PictureKind::kStereographic, "stereographic"},
    Name{PictureKind::kEquisolid, "equisolid"},
    Name{PictureKind::kOrthographic, "orthographic"},
    Name{PictureKind::kCubemap, "cubemap"},
    Name{PictureKind::kCubemapRow, "cubemap_6x1"},
    Name{PictureKind::kCubemapColumn, "cubemap_1x6"},
    Name{PictureKind::kEquiangularCubemap, "eac"},
    Name{PictureKind::kCylindrical, "cylindrical"},
    Name{PictureKind::kCylindricalEqualArea, "cylindrical_equal_area"},
    Name{PictureKind::kMercator, "mercator"},
    Name{PictureKind::kPannini, "pannini"},
    Name{PictureKind::kSinusoidal, "sinusoidal"},
    Name{PictureKind::kHammer, "hammer"},
};

constexpr auto kKinds = [] {
  std::array<PictureKind, kNames.size()> kinds{};
  for (std::size_t i = 0; i < kNames.size(); ++i) kinds[i] = kNames[i].kind;
  return kinds;
}();

// In its own frame the back lens looks to -Z.
template <class T>
Ray<T> in_lens(const Lens& lens, Ray<T> d) {
  const T side = lens.back ? T(-1) : T(1);
  return {side * d.x, d.y, side * d.z};
}

// ---- Cubes

using Axes = std::array<std::array<signed char, 3>, 3>;  // normal, right, down

// Right left up down front back, as in OpenGL and v360, seen from inside.
constexpr std::array<Axes, 6> kCubemapAxes = {{{{{1, 0, 0}, {0, 0, 1}, {0, -1, 0}}},
                                               {{{-1, 0, 0}, {0, 0, -1}, {0, -1, 0}}},
                                               {{{0, 1, 0}, {1, 0, 0}, {0, 0, -1}}},
                                               {{{0, -1, 0}, {1, 0, 0}, {0, 0, 1}}},
                                               {{{0, 0, -1}, {1, 0, 0}, {0, -1, 0}}},
                                               {{{0, 0, 1}, {-1, 0, 0}, {0, -1, 0}}}}};

// Left front right, a strip around the horizon, and down back up, a strip over the poles.
constexpr std::array<Axes, 6> kEacAxes = {{{{{-1, 0, 0}, {0, 0, -1}, {0, -1, 0}}},
                                           {{{0, 0, -1}, {1, 0, 0}, {0, -1, 0}}},
                                           {{{1, 0, 0}, {0, 0, 1}, {0, -1, 0}}},
                                           {{{0, -1, 0}, {0, 0, 1}, {-1, 0, 0}}},
                                           {{{0, 0, 1}, {0, 1, 0}, {-1, 0, 0}}},
                                           {{{0, 1, 0}, {0, 0, -1}, {-1, 0, 0}}}}};

template <bool kEquiangular>
Cube<kEquiangular> cube_of(cv::Size size, int columns) {
  const std::array<Axes, 6>& axes = kEquiangular ? kEacAxes : kCubemapAxes;
  const double padding = kEquiangular ? kEacPadding : 0.0;
  const int rows = 6 / columns;
  Cube<kEquiangular> cube{};
  for (int i = 0; i < 6; ++i) {
    const Axes& own = axes[static_cast<std::size_t>(i)];
    const double width = (size.width - 2.0 * padding) / columns;
    const int row = i / columns;
    const double row_height = static_cast<double>(size.height) / rows;
    cube.faces[static_cast<std::size_t>(i)] = {own[0],
                                               own[1],
                                               own[2],
                                               padding + width * (i % columns),
                                               padding + row_height * row,
                                               width,
                                               row_height - 2.0 * padding};
    for (std::size_t axis = 0; axis < 3; ++axis) {
      if (own[0][axis] > 0) cube.face_towards[2 * axis] = i;
      if (own[0][axis] < 0) cube.face_towards[2 * axis + 1] = i;
    }
  }
  return cube;
}

template <bool kEquiangular>
std::vector<cv::Rect> charts_of(const Cube<kEquiangular>& cube) {
  std::vector<cv::Rect> charts;
  const auto first = [](double border) { return static_cast<int>(std::ceil(border - 0.5)); };
  for (const CubeFace& face : cube.faces) {
    const int left = first(face.left);
    const int top = first(face.top);
    charts.emplace_back(left, top, first(face.left + face.width) - left,
                        first(face.top + face.height) - top);
  }
  return charts;
}

// The face whose pixels a point belongs to; of padding the one beside it.
template <bool kEquiangular>
int face_at(const Cube<kEquiangular>& cube, double x, double y) {
  int nearest = 0;
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 6; ++i) {
    const CubeFace& face = cube.faces[static_cast<std::size_t>(i)];
    const double distance = std::max(
        {face.left - x, x - face.left - face.width, face.top - y, y - face.top - face.height});
    if (distance < least) {
      least = distance;
      nearest = i;
    }
  }
  return nearest;
}

template <class P>
constexpr bool kIsCube = std::is_same_v<P, Cube<false>> || std::is_same_v<P, Cube<true>>;

template <class P>
int chart_at(const P& projection, double x, double y) {
  if constexpr (kIsCube<P>) {
    return face_at(projection, x, y);
  } else {
    return 0;
  }
}

// ---- Checks and sizes of the others

[[noreturn]] void refuse(const char* what) {
  throw std::invalid_argument(what);
}

bool within(Radians angle, double most_deg) {
  return angle.value() > 0.0 && angle.value() <= Radians::from_degrees(most_deg).value() + 1e-9;
}

bool below(Radians angle, double limit_deg) {
  return angle.value() > 0.0 && angle.value() < Radians::from_degrees(limit_deg).value();
}

// The picture's border lies `reach_x` and `reach_y` of the projection's units from its middle.
Placement centred(cv::Size size, double reach_x, double reach_y) {
  return {size.width / 2.0,
          size.height / 2.0,
          size.width / 2.0 / reach_x,
          size.height / 2.0 / reach_y,
          static_cast<double>(size.width),
          static_cast<double>(size.height)};
}

LongitudeLatitude longitude_latitude(const Placement& at) {
  const double turn = at.scale_x * 2.0 * kPi;
  const bool wraps = at.width >= turn - 1e-6;
  return {at, turn, -0.5 * (turn - at.width), wraps ? std::numeric_limits<float>::max() : at.width};
}

double radius_at(FisheyeLaw law, double angle) {
  switch (law) {
    case FisheyeLaw::kEquidistant:
      return angle;
    case FisheyeLaw::kStereographic:
      return std::tan(angle / 2.0);
    case FisheyeLaw::kEquisolid:
      return std::sin(angle / 2.0);
    case FisheyeLaw::kOrthographic:
      return std::sin(angle);
  }
  return angle;
}

template <FisheyeLaw kLaw>
Fisheye<kLaw> fisheye_of(cv::Size size, Radians fov_x, Radians fov_y) {
  // At 360 degrees a stereographic picture is infinite.
  const double widest = kLaw == FisheyeLaw::kStereographic ? 359.0 : 360.0;
  const auto reach = [&](Radians fov) {
    return radius_at(kLaw, std::min(fov.degrees(), widest) / 360.0 * kPi);
  };
  Fisheye<kLaw> result{centred(size, reach(fov_x), reach(fov_y)), 0.0};
  // An equidistant lens shows a circle, the others fill their pictures.
  switch (kLaw) {
    case FisheyeLaw::kEquidistant:
      result.rim = std::max(reach(fov_x), reach(fov_y));
      break;
    case FisheyeLaw::kStereographic:
      result.rim = 1e6;
      break;
    case FisheyeLaw::kEquisolid:
    case FisheyeLaw::kOrthographic:
      result.rim = 1.0;
      break;
  }
  return result;
}

double height_of(PictureKind kind, Radians fov_y) {
  const double half = fov_y.value() / 2.0;
  switch (kind) {
    case PictureKind::kCylindricalEqualArea:
      return std::sin(half);
    case PictureKind::kMercator:
      return std::asinh(std::tan(half));
    default:  // cylindrical, pannini
      return std::tan(half);
  }
}

// The vertical angle that square pixels give.
Radians square_fov_y(PictureKind kind, cv::Size size, Radians fov_x) {
  const double ratio = static_cast<double>(size.height) / size.width;
  const double half = fov_x.value() / 2.0;
  switch (kind) {
    case PictureKind::kEquirectangular:
    case PictureKind::kHalfEquirectangular:
      return Radians{std::min(fov_x.value() * ratio, kPi)};
    case PictureKind::kFlat:
      return Radians{2.0 * std::atan(std::tan(half) * ratio)};
    case PictureKind::kCylindrical:
      return Radians{2.0 * std::atan(half * ratio)};
    case PictureKind::kCylindricalEqualArea:
      return Radians{2.0 * std::asin(std::min(1.0, half * ratio))};
    case PictureKind::kMercator:
      return Radians{2.0 * std::atan(std::sinh(half * ratio))};
    case PictureKind::kPannini:
      return Radians{2.0 * std::atan(2.0 * std::tan(half / 2.0) * ratio)};
    default:
      return fov_x;
  }
}

Radians usual_fov_x(PictureKind kind) {
  switch (kind) {
    case PictureKind::kFlat:
      return Radians::from_degrees(90.0);
    case PictureKind::kHalfEquirectangular:
    case PictureKind::kFisheye:
    case PictureKind::kStereographic:
    case PictureKind::kEquisolid:
    case PictureKind::kOrthographic:
    case PictureKind::kPannini:
      return Radians::from_degrees(180.0);
    case PictureKind::kDualFisheye:
      return Radians::from_degrees(190.0);
    default:
      return Radians::from_degrees(360.0);
  }
}

bool covers_both_by_default(PictureKind kind) {
  return kind == PictureKind::kEquirectangular || kind == PictureKind::kHalfEquirectangular ||
         kind == PictureKind::kSinusoidal || kind == PictureKind::kHammer;
}

void check_angles(PictureKind kind, Radians fov_x, Radians fov_y) {
  switch (kind) {
    case PictureKind::kFlat:
      if (!below(fov_x, 180.0) || !below(fov_y, 180.0)) {
        refuse("a flat picture is less than 180 degrees wide and high");
      }
      break;
    case PictureKind::kEquirectangular:
      if (!within(fov_x, 360.0) || !within(fov_y, 180.0)) {
        refuse("an equirectangular picture covers up to 360 x 180 degrees");
      }
      break;
    case PictureKind::kHalfEquirectangular:
    case PictureKind::kOrthographic:
      if (!within(fov_x, 180.0) || !within(fov_y, 180.0)) {
        refuse("a half-equirectangular or orthographic picture covers up to 180 x 180 degrees");
      }
      break;
    case PictureKind::kFisheye:
    case PictureKind::kDualFisheye:
    case PictureKind::kStereographic:
    case PictureKind::kEquisolid:
      if (!within(fov_x, 360.0) || !within(fov_y, 360.0)) {
        refuse("a fisheye picture covers more than 0 and up to 360 degrees");
      }
      break;
    case PictureKind::kCylindrical:
    case PictureKind::kMercator:
      if (!within(fov_x, 360.0) || !below(fov_y, 180.0)) {
        refuse("a cylindrical or Mercator picture covers up to 360 and less than 180 degrees");
      }
      break;
    case PictureKind::kCylindricalEqualArea:
      if (!within(fov_x, 360.0) || !within(fov_y, 180.0)) {
        refuse("an equal-area cylinder covers up to 360 x 180 degrees");
      }
      break;
    case PictureKind::kPannini:
      if (!below(fov_x, 360.0) || !below(fov_y, 180.0)) {
        refuse("a pannini picture covers less than 360 x 180 degrees");
      }
      break;
    case PictureKind::kSinusoidal:
    case PictureKind::kHammer:
      if (std::abs(fov_x.value() - 2.0 * kPi) > 1e-9 || std::abs(fov_y.value() - kPi) > 1e-9) {
        refuse("a sinusoidal or Hammer picture covers the whole sphere");
      }
      break;
    case PictureKind::kCubemap:
    case PictureKind::kCubemapRow:
    case PictureKind::kCubemapColumn:
    case PictureKind::kEquiangularCubemap:
      break;
  }
}

Projection projection_of(PictureKind kind, cv::Size size, Radians fov_x, Radians fov_y) {
  const double half_x = fov_x.value() / 2.0;
  const double half_y = fov_y.value() / 2.0;
  switch (kind) {
    case PictureKind::kEquirectangular:
    case PictureKind::kHalfEquirectangular:
      return longitude_latitude(centred(size, half_x, half_y));
    case PictureKind::kFlat:
      return Pinhole{centred(size, std::tan(half_x), std::tan(half_y))};
    case PictureKind::kFisheye:
    case PictureKind::kDualFisheye:
      return fisheye_of<FisheyeLaw::kEquidistant>(size, fov_x, fov_y);
    case PictureKind::kStereographic:
      return fisheye_of<FisheyeLaw::kStereographic>(size, fov_x, fov_y);
    case PictureKind::kEquisolid:
      return fisheye_of<FisheyeLaw::kEquisolid>(size, fov_x, fov_y);
    case PictureKind::kOrthographic:
      return fisheye_of<FisheyeLaw::kOrthographic>(size, fov_x, fov_y);
    case PictureKind::kCubemap:
      return cube_of<false>(size, 3);
    case PictureKind::kCubemapRow:
      return cube_of<false>(size, 6);
    case PictureKind::kCubemapColumn:
      return cube_of<false>(size, 1);
    case PictureKind::kEquiangularCubemap:
      return cube_of<true>(size, 3);
    case PictureKind::kCylindrical:
      return SphereMap<MapLaw::kCylindrical>{centred(size, half_x, height_of(kind, fov_y))};
    case PictureKind::kCylindricalEqualArea:
      return SphereMap<MapLaw::kCylindricalEqualArea>{
          centred(size, half_x, height_of(kind, fov_y))};
    case PictureKind::kMercator:
      return SphereMap<MapLaw::kMercator>{centred(size, half_x, height_of(kind, fov_y))};
    case PictureKind::kPannini:
      return SphereMap<MapLaw::kPannini>{
          centred(size, 2.0 * std::tan(half_x / 2.0), height_of(kind, fov_y))};
    case PictureKind::kSinusoidal:
      return SphereMap<MapLaw::kSinusoidal>{centred(size, kPi, kPi / 2.0)};
    case PictureKind::kHammer:
      return SphereMap<MapLaw::kHammer>{centred(size, 1.0, 0.5)};
  }
  refuse("unknown kind of picture");
}

std::vector<cv::Rect> charts_of(const Projection& projection, cv::Size size) {
  return std::visit(
      [&](const auto& own) -> std::vector<cv::Rect> {
        if constexpr (kIsCube<std::remove_cvref_t<decltype(own)>>) {
          return charts_of(own);
        } else {
          return {cv::Rect({}, size)};
        }
      },
      projection);
}

bool is_whole(double value) {
  return std::abs(value - std::round(value)) < 1e-6;
}

// Rays of a block, all x, then all y, then all z; points of a block, all x, then all y.
using RayBlock = std::array<float, 3 * kLookUpBlock>;
using PointBlock = std::array<float, 2 * kLookUpBlock>;

struct SightBlock {
  RayBlock rays;
  std::array<int, kLookUpBlock> seen;
};

template <class P>
inline void locate_with(const P projection, const RayBlock& rays, LocatedBlock& block) {
  for (std::size_t i = 0; i < kLookUpBlock; ++i) {
    const auto spot =
        projection.spot_of(Ray<float>{rays[i], rays[i + kLookUpBlock], rays[i + 2 * kLookUpBlock]});
    block.x[i] = spot.x;
    block.y[i] = spot.y;
    block.chart[i] = spot.chart;
    block.seen[i] = spot.seen;
  }
}

template <class P>
inline void look_with(const P projection, const PointBlock& points, SightBlock& block) {
  for (std::size_t i = 0; i < kLookUpBlock; ++i) {
    const float x = points[i];
    const float y = points[i + kLookUpBlock];
    const auto sight = projection.sight_at(x, y, chart_at(projection, x, y));
    block.rays[i] = sight.ray.x;
    block.rays[i + kLookUpBlock] = sight.ray.y;
    block.rays[i + 2 * kLookUpBlock] = sight.ray.z;
    block.seen[i] = sight.seen;
  }
}

template <class P>
void locate_all(const P& projection, const RayBlock& rays, LocatedBlock& block) {
  locate_with(projection, rays, block);
}

template <class P>
void look_all(const P& projection, const PointBlock& points, SightBlock& block) {
  look_with(projection, points, block);
}

// The kinds that are looked up most.
#define VERGENCE_WIDE_KIND(Kind)                                                      \
  VERGENCE_WIDE_LOOPS void locate_all(const Kind& projection, const RayBlock& rays,   \
                                      LocatedBlock& block) {                          \
    locate_with(projection, rays, block);                                             \
  }                                                                                   \
  VERGENCE_WIDE_LOOPS void look_all(const Kind& projection, const PointBlock& points, \
                                    SightBlock& block) {                              \
    look_with(projection, points, block);                                             \
  }
VERGENCE_WIDE_KIND(LongitudeLatitude)
VERGENCE_WIDE_KIND(Pinhole)
VERGENCE_WIDE_KIND(Fisheye<FisheyeLaw::kEquidistant>)
#undef VERGENCE_WIDE_KIND

}  // namespace

std::string_view to_string(PictureKind kind) {
  return kNames[static_cast<std::size_t>(kind)].word;
}

std::optional<PictureKind> picture_kind_from_string(std::string_view word) {
  for (const Name& name : kNames) {
    if (name.word == word) return name.kind;
  }
  return std::nullopt;
}

std::span<const PictureKind> all_picture_kinds() {
  return kKinds;
}

// ---- Lenses

void Lens::locate(std::span<const cv::Point3f> directions, LocatedBlock& block) const {
  RayBlock rays{};
  const float side = back ? -1.0F : 1.0F;
  for (std::size_t i = 0; i < directions.size(); ++i) {
    rays[i] = side * directions[i].x;
    rays[i + kLookUpBlock] = directions[i].y;
    rays[i + 2 * kLookUpBlock] = side * directions[i].z;
  }
  std::visit([&](const auto& own) { locate_all(own, rays, block); }, projection);
}

void PictureModel::Model::find_edges() {
  const auto& projection = lenses.front().projection;
  if (const auto* whole = std::get_if<LongitudeLatitude>(&projection)) {
    const double turn = std::round(whole->turn_px);
    if (is_whole(whole->turn_px) && size.width >= turn) turn_columns = static_cast<int>(turn);
    const double to_pole = whole->at.scale_y * kPi / 2.0;
    pole_above = std::abs(whole->at.centre_y - to_pole) < 1e-6 * size.height;
    pole_below = std::abs(whole->at.centre_y + to_pole - size.height) < 1e-6 * size.height;
    return;
  }
  const auto wraps = [&](const auto& own) {
    using P = std::remove_cvref_t<decltype(own)>;
    if constexpr (std::is_same_v<P, SphereMap<MapLaw::kCylindrical>> ||
                  std::is_same_v<P, SphereMap<MapLaw::kCylindricalEqualArea>> ||
                  std::is_same_v<P, SphereMap<MapLaw::kMercator>>) {
      return std::abs(own.at.scale_x * 2.0 * kPi - size.width) < 1e-6;
    }
    return false;
  };
  if (std::visit(wraps, projection)) turn_columns = size.width;
}

const Lens& PictureModel::Model::lens_at(double x) const {
  return lenses.size() > 1 && x < size.width / 2.0 ? lenses[1] : lenses[0];
}

cv::Point PictureModel::Model::neighbour(const Lens& lens, int chart, int x, int y) const {
  const cv::Rect& own = lens.charts[static_cast<std::size_t>(chart)];
  if (lens.charts.size() == 1) {
    if (turn_columns > 0) {
      if ((y < own.y && pole_above) || (y >= own.br().y && pole_below)) {
        y = y < own.y ? 2 * own.y - 1 - y : 2 * own.br().y - 1 - y;
        x += turn_columns / 2;
      }
      x = ((x % turn_columns) + turn_columns) % turn_columns;
    }
    return {std::clamp(x, own.x, own.br().x - 1), std::clamp(y, own.y, own.br().y - 1)};
  }
  return std::visit(
      [&](const auto& projection) {
        const auto sight = projection.sight_at(x + 0.5, y + 0.5, chart);
        const auto spot = projection.spot_of(sight.ray);
        const cv::Rect& other = lens.charts[static_cast<std::size_t>(spot.chart)];
        return cv::Point(std::clamp(static_cast<int>(spot.x), other.x, other.br().x - 1),
                         std::clamp(static_cast<int>(spot.y), other.y, other.br().y - 1));
      },
      lens.projection);
}

float PictureModel::Model::front_share(const cv::Point3f& direction) const {
  const float half = static_cast<float>(lens_fov.value() / 2.0);
  const float across = std::hypot(direction.x, direction.y);
  const float angle = maths::arc_tangent(across, -direction.z);
  const float overlap = 2.0F * half - maths::kPiOf<float>;
  if (overlap <= 1e-4F) return direction.z <= 0.0F ? 1.0F : 0.0F;
  return std::clamp((half - angle) / overlap, 0.0F, 1.0F);
}

// ---- Making

PictureModel::PictureModel(std::shared_ptr<const Model> model) : model_(std::move(model)) {}

PictureModel PictureModel::of(PictureKind kind, cv::Size size, std::optional<Radians> fov_x,
                              std::optional<Radians> fov_y) {
  if (size.width < 1 || size.height < 1) refuse("a picture has at least one pixel");
  const Radians across = fov_x.value_or(usual_fov_x(kind));
  if (!(across.value() > 0.0)) refuse("a field of view is positive");
  Radians upright = square_fov_y(kind, size, across);
  if (fov_x && fov_y) upright = *fov_y;
  if (!fov_x && covers_both_by_default(kind)) upright = Radians{kPi};
  check_angles(kind, across, upright);

  Model model{.kind = kind, .size = size, .lenses = {}, .lens_fov = across};
  if (kind == PictureKind::kDualFisheye) {
    if (size.width < 2) refuse("a dual fisheye is at least two pixels wide");
    // The halves of an odd width share the middle column's pixel evenly.
    const cv::Size half(size.width / 2, size.height);
    // As v360 has it, the back lens is on the left.
    for (const bool back : {false, true}) {
      auto lens = fisheye_of<FisheyeLaw::kEquidistant>(size, across, across);
      lens.at.centre_x = size.width * (back ? 0.25 : 0.75);
      lens.at.scale_x /= 2.0;
      const cv::Rect chart(back ? 0 : size.width - half.width, 0, half.width, half.height);
      model.lenses.push_back({lens, back, {chart}});
    }
  } else {
    const Projection projection = projection_of(kind, size, across, upright);
    model.lenses.push_back({projection, false, charts_of(projection, size)});
  }
  model.find_edges();
  return PictureModel(std::make_shared<const Model>(std::move(model)));
}

PictureModel PictureModel::equirectangular(const SphereWindow& window) {
  if (window.width < 1 || window.height < 1 || window.full_width < 1 || window.full_height < 1) {
    refuse("a picture has at least one pixel");
  }
  const cv::Size size(window.width, window.height);
  const Placement at{window.full_width / 2.0 - window.left, window.full_height / 2.0 - window.top,
                     window.full_width / (2.0 * kPi),       window.full_height / kPi,
                     static_cast<double>(window.width),     static_cast<double>(window.height)};
  Model model{.kind = PictureKind::kEquirectangular,
              .size = size,
              .lenses = {{longitude_latitude(at), false, {cv::Rect({}, size)}}},
              .lens_fov = {}};
  model.find_edges();
  return PictureModel(std::make_shared<const Model>(std::move(model)));
}

PictureModel PictureModel::half_equirectangular(cv::Size size, Radians fov_x, Radians fov_y) {
  return of(PictureKind::kHalfEquirectangular, size, fov_x, fov_y);
}

PictureModel PictureModel::flat(cv::Size size, Radians fov_x, Radians fov_y) {
  return of(PictureKind::kFlat, size, fov_x, fov_y);
}

PictureModel PictureModel::fisheye(cv::Size size, Radians fov) {
  return of(PictureKind::kFisheye, size, fov);
}

PictureModel PictureModel::dual_fisheye(cv::Size size, Radians fov) {
  return of(PictureKind::kDualFisheye, size, fov);
}

PictureModel PictureModel::cubemap(cv::Size size) {
  return of(PictureKind::kCubemap, size);
}

PictureModel PictureModel::equiangular_cubemap(cv::Size size) {
  return of(PictureKind::kEquiangularCubemap, size);
}

PictureModel PictureModel::resized(cv::Size size) const {
  if (size.width < 1 || size.height < 1) refuse("a picture has at least one pixel");
  if (model_->lenses.front().charts.size() > 1) return of(model_->kind, size);
  Model model = *model_;
  model.size = size;
  const double x = static_cast<double>(size.width) / model_->size.width;
  const double y = static_cast<double>(size.height) / model_->size.height;
  for (Lens& lens : model.lenses) {
    std::visit(
        [&](auto& own) {
          using P = std::remove_cvref_t<decltype(own)>;
          if constexpr (!kIsCube<P>) {
            own.at = {own.at.centre_x * x, own.at.centre_y * y, own.at.scale_x * x,
                      own.at.scale_y * y,  own.at.width * x,    own.at.height * y};
          }
          if constexpr (std::is_same_v<P, LongitudeLatitude>) own = longitude_latitude(own.at);
        },
        lens.projection);
    const int width = model.lenses.size() > 1 ? size.width / 2 : size.width;
    lens.charts = {cv::Rect(lens.back ? 0 : size.width - width, 0, width, size.height)};
  }
  model.turn_columns = 0;
  model.find_edges();
  return PictureModel(std::make_shared<const Model>(std::move(model)));
}

// ---- Questions

PictureKind PictureModel::kind() const {
  return model_->kind;
}

cv::Size PictureModel::size() const {
  return model_->size;
}

std::optional<SphereWindow> PictureModel::window() const {
  const auto* own = std::get_if<LongitudeLatitude>(&model_->lenses.front().projection);
  if (own == nullptr) return std::nullopt;
  const double full_height = own->at.scale_y * kPi;
  const double left = own->turn_px / 2.0 - own->at.centre_x;
  const double top = full_height / 2.0 - own->at.centre_y;
  for (const double value : {own->turn_px, full_height, left, top}) {
    if (!is_whole(value)) return std::nullopt;
  }
  const auto rounded = [](double value) { return static_cast<int>(std::lround(value)); };
  return SphereWindow{.full_width = rounded(own->turn_px),
                      .full_height = rounded(full_height),
                      .left = rounded(left),
                      .top = rounded(top),
                      .width = model_->size.width,
                      .height = model_->size.height};
}

double PictureModel::pixels_per_radian() const {
  if (const auto* own = std::get_if<LongitudeLatitude>(&model_->lenses.front().projection)) {
    return std::sqrt(own->at.scale_x * own->at.scale_y);
  }
  // The area that a small square about the axis is shown on; all others show it, and are smooth
  // there.
  constexpr double kStep = 1e-4;
  const auto at = [&](double x, double y) {
    return pixel_of(Vector3d(x, y, -1.0)).value_or(Vector2d::Zero());
  };
  const Vector2d across = at(kStep, 0.0) - at(-kStep, 0.0);
  const Vector2d upwards = at(0.0, kStep) - at(0.0, -kStep);
  return std::sqrt(std::abs(across.x() * upwards.y() - across.y() * upwards.x())) / (2.0 * kStep);
}

std::optional<Vector3d> PictureModel::direction_at(double x, double y) const {
  if (!(x >= 0.0 && x <= model_->size.width && y >= 0.0 && y <= model_->size.height)) {
    return std::nullopt;
  }
  const Lens& lens = model_->lens_at(x);
  const auto sight = std::visit(
      [&](const auto& own) { return own.sight_at(x, y, chart_at(own, x, y)); }, lens.projection);
  if (sight.seen == 0) return std::nullopt;
  const auto ray = in_lens(lens, sight.ray);
  return Vector3d(ray.x, ray.y, ray.z);
}

std::optional<Vector2d> PictureModel::pixel_of(const Vector3d& direction) const {
  const bool back = model_->lenses.size() > 1 && direction.z() > 0.0;
  const Lens& lens = model_->lenses[back ? 1 : 0];
  const auto ray = in_lens(lens, Ray<double>{direction.x(), direction.y(), direction.z()});
  const auto spot = std::visit([&](const auto& own) { return own.spot_of(ray); }, lens.projection);
  if (spot.seen == 0) return std::nullopt;
  return Vector2d(spot.x, spot.y);
}

void PictureModel::directions_at(std::span<const cv::Point2f> points,
                                 std::span<cv::Point3f> directions) const {
  if (points.size() != directions.size()) refuse("as many directions as points");
  const auto width = static_cast<float>(model_->size.width);
  const auto height = static_cast<float>(model_->size.height);
  for (const Lens& lens : model_->lenses) {
    const float side = lens.back ? -1.0F : 1.0F;
    const auto look = [&](const PointBlock& from, SightBlock& to) {
      std::visit([&](const auto& own) { look_all(own, from, to); }, lens.projection);
    };
    PointBlock block{};
    SightBlock sights;
    for (std::size_t begin = 0; begin < points.size(); begin += kLookUpBlock) {
      const std::size_t count = std::min(kLookUpBlock, points.size() - begin);
      for (std::size_t i = 0; i < count; ++i) {
        block[i] = points[begin + i].x;
        block[i + kLookUpBlock] = points[begin + i].y;
      }
      look(block, sights);
      for (std::size_t i = 0; i < count; ++i) {
        const auto [x, y] = points[begin + i];
        if (model_->lenses.size() > 1 && lens.back != (x < width / 2.0F)) continue;
        const bool inside = x >= 0.0F && x <= width && y >= 0.0F && y <= height;
        directions[begin + i] =
            sights.seen[i] != 0 && inside
                ? cv::Point3f(side * sights.rays[i], sights.rays[i + kLookUpBlock],
                              side * sights.rays[i + 2 * kLookUpBlock])
                : cv::Point3f(kNothing, kNothing, kNothing);
      }
    }
  }
}

void PictureModel::pixels_of(std::span<const cv::Point3f> directions,
                             std::span<cv::Point2f> points) const {
  if (points.size() != directions.size()) refuse("as many points as directions");
  LocatedBlock front;
  LocatedBlock behind;
  const bool two = model_->lenses.size() > 1;
  for (std::size_t begin = 0; begin < points.size(); begin += kLookUpBlock) {
    const auto block = directions.subspan(begin, std::min(kLookUpBlock, directions.size() - begin));
    model_->lenses.front().locate(block, front);
    if (two) model_->lenses.back().locate(block, behind);
    for (std::size_t i = 0; i < block.size(); ++i) {
      const LocatedBlock& from = two && block[i].z > 0.0F ? behind : front;
      points[begin + i] =
          from.seen[i] != 0 ? cv::Point2f(from.x[i], from.y[i]) : cv::Point2f(kNothing, kNothing);
    }
  }
}

cv::Mat PictureModel::direction_table() const {
  cv::Mat table(model_->size, CV_32FC3);
  parallel_for(0, table.rows, [&](int first, int last) {
    std::vector<cv::Point2f> points(static_cast<std::size_t>(table.cols));
    for (int y = first; y < last; ++y) {
      for (std::size_t x = 0; x < points.size(); ++x) {
        points[x] = {static_cast<float>(x) + 0.5F, static_cast<float>(y) + 0.5F};
      }
      directions_at(points, {table.ptr<cv::Point3f>(y), points.size()});
    }
  });
  return table;
}

}  // namespace vergence::projection
