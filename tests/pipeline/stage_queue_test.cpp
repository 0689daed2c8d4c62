// SPDX-License-Identifier: Apache-2.0
#include "pipeline/stage_queue.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace vergence::pipeline {
namespace {

TEST(StageQueue, ItemsPassStagesInOrder) {
  constexpr int kCount = 500;
  StageGroup group;
  StageQueue<int> numbers(group, 3);
  StageQueue<int> doubled(group, 1);
  std::vector<int> results;
  group.add("make", [&] {
    for (int i = 0; i < kCount; ++i) numbers.push(i);
    numbers.close();
  });
  group.add("double", [&] {
    while (const auto number = numbers.pop()) doubled.push(2 * *number);
    doubled.close();
  });
  group.add("collect", [&] {
    while (const auto number = doubled.pop()) results.push_back(*number);
  });
  group.run();
  ASSERT_EQ(results.size(), kCount);
  for (int i = 0; i < kCount; ++i) EXPECT_EQ(results[static_cast<std::size_t>(i)], 2 * i);
  EXPECT_EQ(group.times().size(), 3U);
  EXPECT_EQ(group.times()[1].name, "double");
}

TEST(StageQueue, AFastStageWaitsForASlowOne) {
  constexpr int kCapacity = 4;
  StageGroup group;
  StageQueue<int> queue(group, kCapacity);
  std::atomic<int> in_flight{0};
  std::atomic<int> most{0};
  group.add("fast", [&] {
    for (int i = 0; i < 60; ++i) {
      queue.push(i);
      most = std::max(most.load(), ++in_flight);
    }
    queue.close();
  });
  group.add("slow", [&] {
    while (queue.pop()) {
      --in_flight;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  group.run();
  EXPECT_EQ(in_flight, 0);
  EXPECT_GE(most, 2);
  EXPECT_LE(most, kCapacity + 1);  // one may be between pop() and the count
  EXPECT_GT(group.times()[0].wait_seconds, 0.005);
}

TEST(StageQueue, TheFirstFailureStopsAllStagesAndIsThrown) {
  StageGroup group;
  StageQueue<int> queue(group, 2);
  StageQueue<int> never(group, 2);
  group.add("endless", [&] {
    for (int i = 0;; ++i) queue.push(i);
  });
  group.add("failing", [&] {
    for (int i = 0; i < 10; ++i) (void)queue.pop();
    throw std::runtime_error("the tenth was too much");
  });
  group.add("waiting", [&] { (void)never.pop(); });
  try {
    group.run();
    FAIL() << "nothing was thrown";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "the tenth was too much");
  }
}

TEST(StageQueue, CtrlCEndsStagesThatWait) {
  StageGroup group;
  StageQueue<int> never(group, 1);
  group.add("waiting", [&] { (void)never.pop(); });
  group.add("user", [] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    request_interrupt();
  });
  try {
    group.run();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInterrupted);
  }
  clear_interrupt();
}

TEST(StageQueue, WhatIsLeftInAClosedQueueStillComesOut) {
  StageGroup group;
  StageQueue<int> queue(group, 5);
  std::vector<int> left;
  group.add("one after the other", [&] {
    queue.push(1);
    queue.push(2);
    queue.close();
    while (const auto item = queue.pop()) left.push_back(*item);
  });
  group.run();
  EXPECT_EQ(left, (std::vector<int>{1, 2}));
}

}  // namespace
}  // namespace vergence::pipeline
