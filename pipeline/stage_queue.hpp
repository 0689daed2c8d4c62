// SPDX-License-Identifier: Apache-2.0
// The stages of a pipeline on threads of their own, and the bounded queues between them.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace vergence::pipeline {

// Thrown by queues into the stages that have to end because another one failed; StageGroup::run()
// catches it.
struct StageStopped {};

// What a stage cost. Loops that other threads ran for it (core/parallel.hpp, a codec's own threads)
// are not in cpu_seconds.
struct StageTime {
  std::string name;
  double cpu_seconds = 0.0;   // of its own thread
  double wait_seconds = 0.0;  // for its queues
};

// Threads that end together: by themselves, by the first exception of one of them, or by Ctrl-C.
class StageGroup {
 public:
  StageGroup() = default;
  StageGroup(const StageGroup&) = delete;
  StageGroup& operator=(const StageGroup&) = delete;

  // A stage for run(). Names appear in times().
  void add(std::string name, std::function<void()> work);

  // Runs all stages at the same time and waits for all. The first exception of one of them stops
  // the others at their next use of a queue and is thrown again here. Call it once.
  void run();

  // Of the stages as they were added; complete after run().
  [[nodiscard]] const std::vector<StageTime>& times() const { return times_; }

 private:
  template <class T>
  friend class StageQueue;

  void run_stage(std::size_t stage);

  // Waits until ready(), under lock. Throws StageStopped, or Error(kInterrupted) after Ctrl-C.
  void wait(std::unique_lock<std::mutex>& lock, const std::function<bool()>& ready);

  // One lock for all queues: they change a few times per frame.
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
  std::exception_ptr failure_;
  std::vector<std::function<void()>> works_;
  std::vector<StageTime> times_;
};

// A first-in, first-out queue of at most `capacity` items between stages of one group.
template <class T>
class StageQueue {
 public:
  // `capacity` >= 1. The group must outlive the queue.
  StageQueue(StageGroup& group, std::size_t capacity) : group_(group), capacity_(capacity) {}

  // Waits for room. Throws StageStopped when another stage has failed, Error(kInterrupted).
  void push(T item) {
    std::unique_lock lock(group_.mutex_);
    group_.wait(lock, [&] { return items_.size() < capacity_; });
    items_.push_back(std::move(item));
    group_.changed_.notify_all();
  }

  // The oldest item; waits for one. Nothing once the queue is closed and empty. Throws as push().
  [[nodiscard]] std::optional<T> pop() {
    std::unique_lock lock(group_.mutex_);
    group_.wait(lock, [&] { return !items_.empty() || closed_; });
    if (items_.empty()) return std::nullopt;
    std::optional<T> item(std::move(items_.front()));
    items_.pop_front();
    group_.changed_.notify_all();
    return item;
  }

  // No more items will come.
  void close() {
    const std::scoped_lock lock(group_.mutex_);
    closed_ = true;
    group_.changed_.notify_all();
  }

 private:
  StageGroup& group_;
  std::size_t capacity_;
  std::deque<T> items_;
  bool closed_ = false;
};

}  // namespace vergence::pipeline
