// SPDX-License-Identifier: Apache-2.0
#include "predictors/torch_compat.hpp"

#include "core/error.hpp"

#include <atomic>
#include <cstdint>
#include <exception>
#include <sstream>

#include <ATen/Config.h>
#include <ATen/Parallel.h>
#include <c10/util/Exception.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <dlfcn.h>
#include <fmt/format.h>
#if AT_PARALLEL_OPENMP
#include <omp.h>
#endif
#include <spdlog/spdlog.h>
#include <torch/cuda.h>
#include <torch/version.h>

namespace vergence::predictors {
namespace {

// OpenBLAS runs LibTorch's matrix products where it is the machine's BLAS (libblas.so.3 is a choice
// of the distribution); its thread count is its own affair.
void set_openblas_threads(int threads) {
  using Setter = void (*)(int);
  static const auto set =
      reinterpret_cast<Setter>(::dlsym(RTLD_DEFAULT, "openblas_set_num_threads"));
  static std::atomic<int> current{0};
  if (set != nullptr && current.exchange(threads) != threads) set(threads);
}

// AVX512-BF16 or AMX-BF16: without them bfloat16 costs more time than float.
bool cpu_has_bfloat16() {
#ifdef __x86_64__
  constexpr std::uint32_t kExtendedFeatures = 7;
  std::uint32_t a = 0;
  std::uint32_t b = 0;
  std::uint32_t c = 0;
  std::uint32_t d = 0;
  if (__get_cpuid_count(kExtendedFeatures, 0, &a, &b, &c, &d) == 0) return false;
  const bool amx = (d & (1U << 22U)) != 0;
  if (__get_cpuid_count(kExtendedFeatures, 1, &a, &b, &c, &d) == 0) return amx;
  return amx || (a & (1U << 5U)) != 0;
#else
  return false;
#endif
}

}  // namespace

std::string resolve_device(const std::string& device) {
  if (device == "cpu") return "cpu";
  const int count = torch::cuda::is_available() ? static_cast<int>(torch::cuda::device_count()) : 0;
  if (device == "auto") return count > 0 ? "cuda:0" : "cpu";
  if (count == 0) {
    throw Error(ErrorCode::kUsage,
                fmt::format("device '{}' cannot be used: LibTorch {} on this machine has no CUDA",
                            device, torch_version()))
        .hint("use device=auto or device=cpu, or build with a LibTorch for CUDA");
  }
  std::string numbered = device == "cuda" ? "cuda:0" : device;
  if (std::stoi(numbered.substr(std::string("cuda:").size())) >= count) {
    throw Error(ErrorCode::kUsage,
                fmt::format("device '{}' does not exist: this machine has {}", device,
                            count == 1 ? "one CUDA device" : fmt::format("{} CUDA devices", count)))
        .hint("count from cuda:0");
  }
  return numbered;
}

void set_torch_threads(int threads) {
#if AT_PARALLEL_OPENMP
  // at::set_num_threads() would make a second pool (of XNNPACK, which nothing here uses) anew every
  // time, whose threads then spin for milliseconds. What counts is OpenMP's number for the calling
  // thread, which LibTorch sets to its default when the thread first asks.
  static_cast<void>(at::get_num_threads());
  omp_set_num_threads(threads);
#else
  at::set_num_threads(threads);
#endif
  set_openblas_threads(threads);
}

c10::ScalarType compute_type(Precision precision, const std::string& device,
                             bool bfloat16_is_proven) {
  if (precision == Precision::kFloat32) return c10::kFloat;
  if (device != "cpu") {
    return precision == Precision::kBFloat16 ? c10::kBFloat16 : c10::kHalf;
  }
  if (precision == Precision::kAuto) {
    return bfloat16_is_proven && cpu_has_bfloat16() ? c10::kBFloat16 : c10::kFloat;
  }
  if (!cpu_has_bfloat16()) {
    spdlog::warn("this processor has no instructions for bf16: predictor.precision=f32 is faster");
  }
  return c10::kBFloat16;
}

std::string torch_version() {
  return fmt::format("{}.{}.{}", TORCH_VERSION_MAJOR, TORCH_VERSION_MINOR, TORCH_VERSION_PATCH);
}

std::string torch_reason() {
  try {
    throw;
  } catch (const c10::Error& error) {
    return reason_line(error.what_without_backtrace());
  } catch (const std::exception& error) {
    return reason_line(error.what());
  } catch (...) {
    return "unknown reason";
  }
}

std::string reason_line(const std::string& text) {
  // An error inside TorchScript ends with the C++ reason, behind the script's own backtrace.
  constexpr std::string_view kRuntime = "RuntimeError: ";
  const std::size_t runtime = text.rfind(kRuntime);
  std::istringstream lines(runtime == std::string::npos ? text
                                                        : text.substr(runtime + kRuntime.size()));
  std::string line;
  while (std::getline(lines, line)) {
    const std::size_t first = line.find_first_not_of(" \t");
    if (first == std::string::npos) continue;
    line = line.substr(first, line.find_last_not_of(" \t.:") - first + 1);
    if (!line.empty()) return line;
  }
  return "no reason given";
}

}  // namespace vergence::predictors
