// SPDX-License-Identifier: Apache-2.0
// Everything that differs between LibTorch versions (1.13 to 2.x) and builds (with and without
// CUDA). Part of the module `torch`; all `#if TORCH_VERSION_...` stand in torch_compat.cpp.
#pragma once

#include "predictors/predictor_factory.hpp"

#include <string>

#include <c10/core/ScalarType.h>

namespace vergence::predictors {

// The device for RunOptions::device as LibTorch writes it: "cpu" or "cuda:N". Throws Error(kUsage)
// where this LibTorch, or this machine, has no such device.
[[nodiscard]] std::string resolve_device(const std::string& device);

// How many threads LibTorch's own loops (OpenMP) take in calls from this thread, and OpenBLAS takes
// in calls from any thread. Must come before the work: Debian's LibTorch starts with one.
void set_torch_threads(int threads);

// In which type the products of a network are computed on `device` (as resolve_device() gives it).
// kAuto: half on CUDA; float on a CPU, unless `bfloat16_is_proven` for the network and the CPU has
// instructions for it. kBFloat16 on a CPU without them works, slowly, and is warned of.
[[nodiscard]] c10::ScalarType compute_type(Precision precision, const std::string& device,
                                           bool bfloat16_is_proven);

// "1.13.1".
[[nodiscard]] std::string torch_version();

// What the exception in flight says, as one line without a backtrace. Call inside a catch block.
[[nodiscard]] std::string torch_reason();

// The first line of a text that says something: LibTorch's messages carry C++ and TorchScript
// backtraces, of which the user needs only the reason.
[[nodiscard]] std::string reason_line(const std::string& text);

}  // namespace vergence::predictors
