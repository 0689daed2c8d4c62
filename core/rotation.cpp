// SPDX-License-Identifier: Apache-2.0
#include "core/rotation.hpp"

#include <Eigen/Geometry>

namespace vergence {

Eigen::Matrix3d rotation_from_yaw_pitch_roll(Radians yaw, Radians pitch, Radians roll) {
  using Eigen::AngleAxisd;
  using Eigen::Vector3d;
  return (AngleAxisd(-yaw.value(), Vector3d::UnitY()) *
          AngleAxisd(pitch.value(), Vector3d::UnitX()) *
          AngleAxisd(-roll.value(), Vector3d::UnitZ()))
      .toRotationMatrix();
}

Eigen::Matrix3d rotation_looking_at(const Eigen::Vector3d& forward) {
  const Eigen::Vector3d back = -forward.normalized();
  Eigen::Vector3d right = Eigen::Vector3d::UnitY().cross(back);
  if (right.norm() < 1e-9) right = Eigen::Vector3d::UnitX();
  right.normalize();
  Eigen::Matrix3d world_from_view;
  world_from_view << right, back.cross(right), back;
  return world_from_view;
}

}  // namespace vergence
