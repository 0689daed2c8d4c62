// SPDX-License-Identifier: Apache-2.0
#include "evaluation/depth_report.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace vergence::evaluation {
namespace {

DepthEvaluation sample_evaluation(bool sphere) {
  const cv::Mat truth = (cv::Mat_<float>(2, 4) << 1, 2, 3, 4, 5, 6, 7, 8);
  return evaluate_depth(RayDistance(truth * 1.1), RayDistance(truth), {.sphere = sphere});
}

TEST(DepthReport, TableHasARowPerMetric) {
  EXPECT_EQ(to_table(sample_evaluation(false)),
            "                       plain\n"
            "AbsRel                0.1000\n"
            "SqRel [m]             0.0450\n"
            "MAE [m]               0.4500\n"
            "RMSE [m]              0.5050\n"
            "RMSElog (ln)          0.0953\n"
            "log10                 0.0414\n"
            "SILog x100            0.0000\n"
            "d1 < 1.25             1.0000\n"
            "d2 < 1.25^2           1.0000\n"
            "d3 < 1.25^3           1.0000\n"
            "scale                      1\n"
            "shift                      0\n"
            "coverage              1.0000\n"
            "align none, 8 pixels compared\n");
  const std::string sphere = to_table(sample_evaluation(true));
  EXPECT_NE(sphere.find("AbsRel                0.1000        0.1000\n"), std::string::npos);
  EXPECT_NE(sphere.find("seam step at +-180 deg 0.92815 (rank 1 of 4); other columns: mean"),
            std::string::npos)
      << sphere;
}

TEST(DepthReport, JsonHoldsTheNumbersUnrounded) {
  const auto evaluation = sample_evaluation(true);
  const auto json = nlohmann::json::parse(to_json(evaluation));
  EXPECT_EQ(json.at("align"), "none");
  EXPECT_EQ(json.at("plain").at("abs_rel"), evaluation.plain.abs_rel);
  EXPECT_EQ(json.at("spherical").at("rmse"), evaluation.spherical->rmse);
  EXPECT_EQ(json.at("seam").at("rank"), 1);
  const auto flat = nlohmann::json::parse(to_json(sample_evaluation(false)));
  EXPECT_TRUE(flat.at("spherical").is_null());
  EXPECT_TRUE(flat.at("seam").is_null());
}

}  // namespace
}  // namespace vergence::evaluation
