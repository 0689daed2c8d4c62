// SPDX-License-Identifier: Apache-2.0
// vergence probe FILE... [--json FILE|-]
#include "cli/work.hpp"
#include "core/output_file.hpp"
#include "pipeline/probe_job.hpp"

#include <exception>
#include <vector>

namespace vergence::cli {

void run_probe(const Work& work) {
  std::vector<pipeline::ProbeReport> reports;
  const auto probe = [&] {
    for_each_input(work, work.inputs.size(), [&](std::size_t i) {
      reports.push_back(pipeline::probe_file(work.inputs[i]));
      if (work.json != "-") work.print(reports.back().text);
    });
  };
  const auto write_json = [&] {
    if (work.json.empty()) return;
    const std::string json = pipeline::json_of(reports);
    if (work.json == "-") {
      work.print(json);
    } else {
      write_file(work.json, json);
    }
  };
  try {
    probe();
  } catch (const std::exception&) {
    if (!reports.empty()) write_json();  // of those that could be read
    throw;
  }
  write_json();
}

}  // namespace vergence::cli
