// SPDX-License-Identifier: Apache-2.0
// The formulas of picture_model.hpp: direction -> pixel and back for each kind of picture, in float
// (pixel loops) and in double. Internal to projection/.
//
// Each projection has
//   Spot<T> spot_of(Ray<T>)           where a direction of any length is shown; beyond the picture
//                                     the nearest point of its border or close to it, seen = false
//   Sight<T> sight_at(T x, T y, ...)  unit direction of a point, seen = false where nothing is
//   shown
// with pixels whose centres lie at +0.5.
#pragma once

#include "projection/sphere_maths.hpp"

#include <array>
#include <cmath>
#include <variant>

namespace vergence::projection {

template <class T>
struct Ray {
  T x;
  T y;
  T z;
};

template <class T>
struct Spot {
  T x;
  T y;
  int chart;  // which continuous part of the picture
  int seen;   // 0 or 1
};

template <class T>
struct Sight {
  Ray<T> ray;
  int seen;
};

template <class T>
Ray<T> normalised(Ray<T> ray) {
  const T scale = T(1) / std::sqrt(ray.x * ray.x + ray.y * ray.y + ray.z * ray.z);
  return {ray.x * scale, ray.y * scale, ray.z * scale};
}

// Where the middle of the view (-Z) lies, how many pixels a unit of the projection's own
// coordinates (right, down) is, and how large the picture is.
struct Placement {
  double centre_x;
  double centre_y;
  double scale_x;
  double scale_y;
  double width;
  double height;
};

template <class T>
Spot<T> placed(const Placement& at, T right, T down, int seen) {
  const T x = T(at.centre_x) + T(at.scale_x) * right;
  const T y = T(at.centre_y) + T(at.scale_y) * down;
  const int inside = static_cast<int>(x >= T(0)) & static_cast<int>(x <= T(at.width)) &
                     static_cast<int>(y >= T(0)) & static_cast<int>(y <= T(at.height));
  return {maths::smaller(maths::greater(x, T(0)), T(at.width)),
          maths::smaller(maths::greater(y, T(0)), T(at.height)), 0, inside & seen};
}

// Longitude and latitude, linear: equirectangular and half-equirectangular pictures.
struct LongitudeLatitude {
  Placement at;    // scale: pixels per radian
  double turn_px;  // of 360 degrees
  double lowest;   // pixel x lies in [lowest, lowest + turn_px)
  double widest;   // how far x may go in the picture: its width, more where it wraps

  template <class T>
  Spot<T> spot_of(Ray<T> d) const {
    const T longitude = maths::arc_tangent(d.x, -d.z);
    const T latitude = maths::arc_tangent(d.y, std::sqrt(d.x * d.x + d.z * d.z));
    T x = T(at.centre_x) + T(at.scale_x) * longitude;
    x = x < T(lowest) ? x + T(turn_px) : x;
    x = x >= T(lowest + turn_px) ? x - T(turn_px) : x;
    const T y = T(at.centre_y) - T(at.scale_y) * latitude;
    const int seen = static_cast<int>(x >= T(0)) & static_cast<int>(x <= T(widest)) &
                     static_cast<int>(y >= T(0)) & static_cast<int>(y <= T(at.height));
    return {maths::smaller(maths::greater(x, T(0)), T(at.width)),
            maths::smaller(maths::greater(y, T(0)), T(at.height)), 0, seen};
  }

  template <class T>
  Sight<T> sight_at(T x, T y, int /*chart*/) const {
    const T longitude = (x - T(at.centre_x)) * T(1.0 / at.scale_x);
    const T latitude = (T(at.centre_y) - y) * T(1.0 / at.scale_y);
    const T ring = maths::cosine(latitude);
    return {
        {ring * maths::sine(longitude), maths::sine(latitude), -ring * maths::cosine(longitude)},
        1};
  }
};

// A pinhole camera; scale = focal length.
struct Pinhole {
  Placement at;

  template <class T>
  Spot<T> spot_of(Ray<T> d) const {
    // Directions from behind land far outside, on the side they are nearest to.
    const T size = maths::magnitude(d.x) + maths::magnitude(d.y) + maths::magnitude(d.z);
    const T depth = maths::greater(-d.z, T(1e-6) * size);
    return placed(at, d.x / depth, -d.y / depth, static_cast<int>(d.z < T(0)));
  }

  template <class T>
  Sight<T> sight_at(T x, T y, int /*chart*/) const {
    return {normalised(Ray<T>{(x - T(at.centre_x)) / T(at.scale_x),
                              (T(at.centre_y) - y) / T(at.scale_y), T(-1)}),
            1};
  }
};

// How far from its centre a fisheye shows an angle.
enum class FisheyeLaw { kEquidistant, kStereographic, kEquisolid, kOrthographic };

// Scale: pixels per unit of the law's radius r(angle): the angle itself, tan(angle / 2),
// sin(angle / 2) or sin(angle).
template <FisheyeLaw kLaw>
struct Fisheye {
  Placement at;
  double rim;  // the greatest radius that is shown

  template <class T>
  Spot<T> spot_of(Ray<T> d) const {
    const T across = std::sqrt(d.x * d.x + d.y * d.y);
    const T length = std::sqrt(d.x * d.x + d.y * d.y + d.z * d.z);
    T radius;
    int front = 1;
    if constexpr (kLaw == FisheyeLaw::kEquidistant) {
      radius = maths::arc_tangent(across, -d.z);
    } else if constexpr (kLaw == FisheyeLaw::kStereographic) {
      radius = across / maths::greater(length - d.z, T(1e-7) * length);
    } else if constexpr (kLaw == FisheyeLaw::kEquisolid) {
      radius = maths::sine(maths::arc_tangent(across, -d.z) * T(0.5));
    } else {
      front = static_cast<int>(d.z <= T(0));
      radius = d.z <= T(0) ? across / length : T(1);
    }
    const int seen = front & static_cast<int>(radius <= T(rim) * T(1 + 1e-6));
    const T towards = maths::smaller(radius, T(rim)) / maths::greater(across, T(1e-30));
    return placed(at, d.x * towards, -d.y * towards, seen);
  }

  template <class T>
  Sight<T> sight_at(T x, T y, int /*chart*/) const {
    const T right = (x - T(at.centre_x)) / T(at.scale_x);
    const T up = (T(at.centre_y) - y) / T(at.scale_y);
    const T radius = std::sqrt(right * right + up * up);
    T angle;
    if constexpr (kLaw == FisheyeLaw::kEquidistant) {
      angle = radius;
    } else if constexpr (kLaw == FisheyeLaw::kStereographic) {
      angle = T(2) * maths::arc_tangent(radius, T(1));
    } else {
      const T other = std::sqrt(maths::greater(T(1) - radius * radius, T(0)));
      angle = maths::arc_tangent(radius, other) * T(kLaw == FisheyeLaw::kEquisolid ? 2 : 1);
    }
    const T towards = maths::sine(angle) / maths::greater(radius, T(1e-30));
    return {{right * towards, up * towards, -maths::cosine(angle)},
            static_cast<int>(radius <= T(rim) * T(1 + 1e-6))};
  }
};

// A face of a cube: the point (a, b) of it, -1..1 to the right and downwards, looks at
// normal + a right + b down.
struct CubeFace {
  std::array<signed char, 3> normal;
  std::array<signed char, 3> right;
  std::array<signed char, 3> down;
  double left;  // of the face in the picture, pixels
  double top;
  double width;
  double height;
};

// Six faces. `kEquiangular`: a is the angle from the face's middle, not its tangent.
template <bool kEquiangular>
struct Cube {
  std::array<CubeFace, 6> faces;
  // Which face looks to +X -X +Y -Y +Z -Z.
  std::array<int, 6> face_towards;

  template <class T>
  static T along(const std::array<signed char, 3>& axis, Ray<T> d) {
    return T(axis[0]) * d.x + T(axis[1]) * d.y + T(axis[2]) * d.z;
  }

  template <class T>
  Spot<T> spot_of(Ray<T> d) const {
    const T x = maths::magnitude(d.x);
    const T y = maths::magnitude(d.y);
    const T z = maths::magnitude(d.z);
    std::size_t towards = d.z > T(0) ? 4 : 5;
    if (x >= y && x >= z) {
      towards = d.x > T(0) ? 0 : 1;
    } else if (y >= z) {
      towards = d.y > T(0) ? 2 : 3;
    }
    const int index = face_towards[towards];
    return on_face(index, d);
  }

  template <class T>
  Spot<T> on_face(int index, Ray<T> d) const {
    const CubeFace& face = faces[static_cast<std::size_t>(index)];
    const T depth = along(face.normal, d);
    T a = along(face.right, d) / depth;
    T b = along(face.down, d) / depth;
    if constexpr (kEquiangular) {
      a = maths::arc_tangent(a, T(1)) * (T(4) / maths::kPiOf<T>);
      b = maths::arc_tangent(b, T(1)) * (T(4) / maths::kPiOf<T>);
    }
    a = maths::smaller(maths::greater(a, T(-1)), T(1));
    b = maths::smaller(maths::greater(b, T(-1)), T(1));
    return {T(face.left) + T(face.width) * T(0.5) * (a + T(1)),
            T(face.top) + T(face.height) * T(0.5) * (b + T(1)), index,
            static_cast<int>(depth > T(0))};
  }

  // Points beyond the face's border continue its plane.
  template <class T>
  Sight<T> sight_at(T x, T y, int chart) const {
    const CubeFace& face = faces[static_cast<std::size_t>(chart)];
    T a = T(2) * (x - T(face.left)) / T(face.width) - T(1);
    T b = T(2) * (y - T(face.top)) / T(face.height) - T(1);
    if constexpr (kEquiangular) {
      a = std::tan(a * (maths::kPiOf<T> / T(4)));
      b = std::tan(b * (maths::kPiOf<T> / T(4)));
    }
    const auto sum = [&](std::size_t i) {
      return T(face.normal[i]) + a * T(face.right[i]) + b * T(face.down[i]);
    };
    return {normalised(Ray<T>{sum(0), sum(1), sum(2)}), 1};
  }
};

// Other maps of longitude and latitude; scale in pixels per unit of
//   kCylindrical           (lon, tan lat)      kCylindricalEqualArea  (lon, sin lat)
//   kMercator              (lon, asinh tan lat)
//   kPannini               (2 tan(lon / 2), tan(lat) / cos^2(lon / 2)): d = 1
//   kSinusoidal            (lon cos lat, lat)
//   kHammer                (cos lat sin(lon / 2), sin lat / 2) / sqrt(1 + cos lat cos(lon / 2))
enum class MapLaw {
  kCylindrical,
  kCylindricalEqualArea,
  kMercator,
  kPannini,
  kSinusoidal,
  kHammer
};

template <MapLaw kLaw>
struct SphereMap {
  Placement at;

  template <class T>
  Spot<T> spot_of(Ray<T> d) const {
    const T ring = std::sqrt(d.x * d.x + d.z * d.z);
    const T longitude = std::atan2(d.x, -d.z);
    const T slope = d.y / maths::greater(ring, T(1e-20));
    T right = longitude;
    T up;
    if constexpr (kLaw == MapLaw::kCylindrical) {
      up = slope;
    } else if constexpr (kLaw == MapLaw::kCylindricalEqualArea) {
      up = d.y / std::sqrt(ring * ring + d.y * d.y);
    } else if constexpr (kLaw == MapLaw::kMercator) {
      up = std::asinh(slope);
    } else if constexpr (kLaw == MapLaw::kPannini) {
      const T half = std::cos(longitude / T(2));
      right = T(2) * std::tan(longitude / T(2));
      up = slope / (half * half);
    } else if constexpr (kLaw == MapLaw::kSinusoidal) {
      const T length = std::sqrt(ring * ring + d.y * d.y);
      right = longitude * ring / length;
      up = std::atan2(d.y, ring);
    } else {
      const T length = std::sqrt(ring * ring + d.y * d.y);
      const T shrink = std::sqrt(T(1) + ring / length * std::cos(longitude / T(2)));
      right = ring / length * std::sin(longitude / T(2)) / shrink;
      up = d.y / length / (T(2) * shrink);
    }
    return placed(at, right, -up, 1);
  }

  template <class T>
  Sight<T> sight_at(T x, T y, int /*chart*/) const {
    const T right = (x - T(at.centre_x)) / T(at.scale_x);
    const T up = (T(at.centre_y) - y) / T(at.scale_y);
    T longitude = right;
    T latitude = up;
    int seen = 1;
    if constexpr (kLaw == MapLaw::kCylindrical) {
      latitude = std::atan(up);
    } else if constexpr (kLaw == MapLaw::kCylindricalEqualArea) {
      latitude = std::asin(maths::greater(T(-1), maths::smaller(T(1), up)));
    } else if constexpr (kLaw == MapLaw::kMercator) {
      latitude = std::atan(std::sinh(up));
    } else if constexpr (kLaw == MapLaw::kPannini) {
      longitude = T(2) * std::atan(right / T(2));
      const T half = std::cos(longitude / T(2));
      latitude = std::atan(up * half * half);
    } else if constexpr (kLaw == MapLaw::kSinusoidal) {
      longitude = right / maths::greater(std::cos(latitude), T(1e-20));
      seen = static_cast<int>(maths::magnitude(longitude) <= maths::kPiOf<T>);
    } else {
      // Snyder, "Map Projections", 1987, (24-2)..., whose x and y are 2 sqrt(2) right and up.
      const T z2 = T(1) - right * right / T(2) - up * up * T(2);
      const T z = std::sqrt(maths::greater(z2, T(0)));
      seen = static_cast<int>(right * right + T(4) * up * up <= T(1));
      longitude = T(2) * std::atan2(T(1.4142135623730951) * z * right, T(2) * z2 - T(1));
      latitude =
          std::asin(maths::greater(T(-1), maths::smaller(T(1), T(2.8284271247461903) * z * up)));
    }
    const T ring = std::cos(latitude);
    return {{ring * std::sin(longitude), std::sin(latitude), -ring * std::cos(longitude)}, seen};
  }
};

using Projection =
    std::variant<LongitudeLatitude, Pinhole, Fisheye<FisheyeLaw::kEquidistant>,
                 Fisheye<FisheyeLaw::kStereographic>, Fisheye<FisheyeLaw::kEquisolid>,
                 Fisheye<FisheyeLaw::kOrthographic>, Cube<false>, Cube<true>,
                 SphereMap<MapLaw::kCylindrical>, SphereMap<MapLaw::kCylindricalEqualArea>,
                 SphereMap<MapLaw::kMercator>, SphereMap<MapLaw::kPannini>,
                 SphereMap<MapLaw::kSinusoidal>, SphereMap<MapLaw::kHammer>>;

}  // namespace vergence::projection
