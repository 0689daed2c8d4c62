// SPDX-License-Identifier: Apache-2.0
#include "tests/runs/sample_record.hpp"

namespace vergence::test {

runs::Record sample_record(int number) {
  runs::Record record;
  record.number = number;
  record.command_line = {"vergence", "depth", "a b.png", "-m", "views.fov_deg=85,95"};
  record.arguments = {"depth", "--", "a b.png"};
  record.overrides = {"views.fov_deg=85", "predictor=nano"};
  record.swept = {"views.fov_deg=85"};
  record.ground_truths = {"truth \"quoted\".exr"};
  record.working_folder = "/somewhere";
  record.config = "threads = 2\n\n[views]\nfov_deg = 85.0\n";
  record.status = runs::Status::kFailed;
  record.exit_code = 1;
  record.message = "cannot read 'a b.png': it is a PDF\nand no picture";
  record.version = "0.1.0";
  record.host = "there";
  record.device = "cpu";
  record.threads = 2;
  record.seeds = {{"run.seed", 7}};
  record.started = "2026-11-21T15:04:05Z";
  record.seconds = 1.5;
  record.stage_seconds = {{"rendering views", 0.25}, {"predicting", 1.0}};
  record.views_predicted = 20;
  record.views_reused = 4;
  record.inputs = {{"a b.png", std::string(64, 'a'), 1234, ""},
                   {"own.exr", std::string(64, 'b'), 99, "input.depth"}};
  record.outputs = {{"a b_depth.exr", std::string(64, 'c'), 5678, ""}};
  record.previews = {"preview_0.jpg"};
  record.metrics = {{"a b.png", {{"abs_rel", 0.125}, {"d1", 0.75}}},
                    {"c.png", {{"abs_rel", 0.375}}}};
  return record;
}

}  // namespace vergence::test
