// SPDX-License-Identifier: Apache-2.0
// All jobs of a multirun side by side: a table for programs and a page for people.
#pragma once

#include "runs/multirun.hpp"

#include <span>
#include <string>
#include <string_view>

namespace vergence::runs {

// RFC 4180. One row per job and input, and one per job with input "mean"; columns job, status,
// input, the swept keys, seconds, the metrics.
[[nodiscard]] std::string summary_csv(std::span<const Record> jobs);

// One self-contained page. Previews are read from the records' folders.
[[nodiscard]] std::string summary_html(const Multirun& multirun, std::span<const Record> jobs);

// Writes summary.csv and summary.html into the multirun's folder. Throws Error naming the file.
void write_summary(const Multirun& multirun);

// The page without data (runs/summary_page.html): "@DATA@" stands where the JSON goes.
[[nodiscard]] std::string_view summary_page();

}  // namespace vergence::runs
