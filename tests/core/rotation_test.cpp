// SPDX-License-Identifier: Apache-2.0
#include "core/rotation.hpp"

#include <Eigen/LU>
#include <gtest/gtest.h>

namespace vergence {
namespace {

using Eigen::Vector3d;
const Vector3d kForward = -Vector3d::UnitZ();

TEST(Rotation, YawTurnsRightPitchTiltsUpRollSinksTheRightSide) {
  const auto quarter = Radians::from_degrees(90.0);
  const Radians zero;
  EXPECT_LT(
      (rotation_from_yaw_pitch_roll(quarter, zero, zero) * kForward - Vector3d::UnitX()).norm(),
      1e-12);
  EXPECT_LT(
      (rotation_from_yaw_pitch_roll(zero, quarter, zero) * kForward - Vector3d::UnitY()).norm(),
      1e-12);
  EXPECT_LT(
      (rotation_from_yaw_pitch_roll(zero, zero, quarter) * Vector3d::UnitX() + Vector3d::UnitY())
          .norm(),
      1e-12);
}

TEST(Rotation, LookingAtIsAProperLevelRotation) {
  for (int i = 0; i < 100; ++i) {
    const Vector3d forward = Vector3d::Random().normalized();
    const Eigen::Matrix3d rotation = rotation_looking_at(forward);
    EXPECT_LT((rotation * kForward - forward).norm(), 1e-12);
    EXPECT_NEAR(rotation.determinant(), 1.0, 1e-12);
    EXPECT_NEAR(rotation.col(0).y(), 0.0, 1e-12);
    EXPECT_GE(rotation.col(1).y(), 0.0);
  }
  EXPECT_NEAR(rotation_looking_at(Vector3d::UnitY()).determinant(), 1.0, 1e-12);
}

}  // namespace
}  // namespace vergence
