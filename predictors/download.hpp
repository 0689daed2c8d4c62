// SPDX-License-Identifier: Apache-2.0
// Files from the web, over HTTP and HTTPS. The code is a module of its own, because libcurl and
// what it needs have no business in a program that fetches nothing.
#pragma once

#include "core/progress.hpp"
#include "predictors/part_file.hpp"

#include <cstdint>
#include <string>

namespace vergence::predictors {

struct DownloadRequest {
  std::string url;               // http:// or https://
  std::int64_t about_bytes = 0;  // what is expected; 0 = not known
  std::int64_t max_bytes = 0;    // more is refused; 0 = anything
  double stall_s = 30.0;         // a transfer that brings nothing for so long is given up
  int tries = 5;                 // how often in a row it may fail without bringing anything new
};

// Brings `part` to its end: goes on where it ended if the server still has the same file and can
// send a part of it, else begins again. Nothing is asked of the server where the part is whole.
// - Redirections are followed, from HTTPS to HTTPS only.
// - The variables http_proxy, https_proxy, all_proxy and no_proxy are libcurl's; SSL_CERT_FILE
// names
//   certificates to trust. HF_TOKEN is sent to https://huggingface.co and hosts below it, to no
//   others.
// - Broken and stalled transfers, and answers that mean "later", are tried again with growing
// pauses.
// - There must be room on the disk for what the server announces.
// Throws Error, in one sentence, for everything else; Error(kInterrupted). What came stays in
// `part`.
void download(const DownloadRequest& request, PartFile& part, Progress& progress);

}  // namespace vergence::predictors

// What the module `download` offers.
extern "C" void vergence_download(const vergence::predictors::DownloadRequest& request,
                                  vergence::predictors::PartFile& part,
                                  vergence::Progress& progress);
