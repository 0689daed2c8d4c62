// SPDX-License-Identifier: Apache-2.0
#include "core/parallel.hpp"

#include "core/interrupt.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

#include <opencv2/core/utility.hpp>

namespace vergence {

void set_thread_count(int count) {
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  cv::setNumThreads(count > 0 ? count : cores);
}

int thread_count() {
  return std::max(1, cv::getNumThreads());
}

void parallel_for(int begin, int end, const std::function<void(int, int)>& body, int grain) {
  if (end <= begin) return;
  throw_if_interrupted();
  const int chunk = std::max(1, grain);
  const int num_chunks = (end - begin + chunk - 1) / chunk;
  if (num_chunks == 1 || thread_count() == 1) {
    for (int first = begin; first < end; first += chunk) {
      throw_if_interrupted();
      body(first, std::min(end, first + chunk));
    }
    return;
  }
  // Chunks are handed out one by one: rows of a sphere differ much in cost.
  std::atomic<int> next{0};
  std::exception_ptr failure;
  std::mutex failure_mutex;
  const auto work = [&](const cv::Range& workers) {
    for (int worker = workers.start; worker < workers.end; ++worker) {
      for (int index = next++; index < num_chunks; index = next++) {
        try {
          throw_if_interrupted();
          const int first = begin + index * chunk;
          body(first, std::min(end, first + chunk));
        } catch (...) {
          const std::scoped_lock lock(failure_mutex);
          if (!failure) failure = std::current_exception();
          next = num_chunks;
        }
      }
    }
  };
  cv::parallel_for_(cv::Range(0, thread_count()), work, thread_count());
  if (failure) std::rethrow_exception(failure);
}

}  // namespace vergence
