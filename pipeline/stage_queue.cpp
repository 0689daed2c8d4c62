// SPDX-License-Identifier: Apache-2.0
#include "pipeline/stage_queue.hpp"

#include "core/interrupt.hpp"

#include <chrono>
#include <ctime>
#include <thread>

namespace vergence::pipeline {
namespace {

// How long Ctrl-C may go unnoticed by a stage that waits.
constexpr std::chrono::milliseconds kInterruptPeriod{50};

// Of the stage that runs on this thread.
thread_local double t_wait_seconds = 0.0;

double thread_cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

}  // namespace

void StageGroup::add(std::string name, std::function<void()> work) {
  times_.push_back({.name = std::move(name)});
  works_.push_back(std::move(work));
}

void StageGroup::wait(std::unique_lock<std::mutex>& lock, const std::function<bool()>& ready) {
  throw_if_interrupted();
  const auto start = std::chrono::steady_clock::now();
  while (!stopped_ && !ready()) {
    throw_if_interrupted();
    changed_.wait_for(lock, kInterruptPeriod);
  }
  t_wait_seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (stopped_) throw StageStopped{};
}

void StageGroup::run_stage(std::size_t stage) {
  t_wait_seconds = 0.0;
  try {
    throw_if_interrupted();
    works_[stage]();
  } catch (const StageStopped&) {
    // The stage that failed has said why.
  } catch (...) {
    const std::scoped_lock lock(mutex_);
    if (!failure_) failure_ = std::current_exception();
    stopped_ = true;
    changed_.notify_all();
  }
  times_[stage].cpu_seconds = thread_cpu_seconds();
  times_[stage].wait_seconds = t_wait_seconds;
}

void StageGroup::run() {
  std::vector<std::thread> threads;
  threads.reserve(works_.size());
  for (std::size_t i = 0; i < works_.size(); ++i) {
    threads.emplace_back([this, i] { run_stage(i); });
  }
  for (auto& thread : threads) thread.join();
  if (failure_) std::rethrow_exception(failure_);
}

}  // namespace vergence::pipeline
