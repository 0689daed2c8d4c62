// SPDX-License-Identifier: Apache-2.0
// Rotations between frames. World: right-handed, metres, +X right, +Y up, -Z forward. A view looks
// along its own -Z with +X right and +Y up. Names say the direction: x_in_a = a_from_b * x_in_b.
#pragma once

#include "core/angle.hpp"

#include <Eigen/Core>

namespace vergence {

// world_from_view of a view that is turned by `yaw` to the right (about +Y, so a positive yaw looks
// towards +X), then tilted up by `pitch`, then rolled clockwise by `roll` as the viewer sees it
// (the view's right side sinks).
[[nodiscard]] Eigen::Matrix3d rotation_from_yaw_pitch_roll(Radians yaw, Radians pitch,
                                                           Radians roll);

// world_from_view of a level view (its +X horizontal) whose axis is `forward` (any length > 0). For
// a forward within 1e-9 of straight up or down, +X stays the world's +X.
[[nodiscard]] Eigen::Matrix3d rotation_looking_at(const Eigen::Vector3d& forward);

}  // namespace vergence
