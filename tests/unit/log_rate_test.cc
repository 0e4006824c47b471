#include "server/engine/log_rate.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace crier {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint kStart{seconds(1000)};

class LogRateTest : public ::testing::Test {
 protected:
  // One event each `step` from `from` on, before `to`.
  void Append(TimePoint from, TimePoint to, milliseconds step) {
    for (TimePoint at = from; at < to; at += step) log_.Append("an event", at);
  }
  double At(TimePoint now) { return LogRate(log_, limits_, now); }

  LogLimits limits_{.bytes = 1 << 20, .events = 10'000, .age = seconds(300)};
  EventLog log_{limits_};
};

TEST_F(LogRateTest, AnEmptyLogHasNone) { EXPECT_EQ(At(kStart), 0); }

TEST_F(LogRateTest, IsThatOfTheLastTenSeconds) {
  Append(kStart, kStart + seconds(30), milliseconds(100));
  EXPECT_DOUBLE_EQ(At(kStart + seconds(30)), 10);
  EXPECT_DOUBLE_EQ(At(kStart + seconds(35)), 5);
  EXPECT_DOUBLE_EQ(At(kStart + seconds(41)), 0);
}

TEST_F(LogRateTest, ATopicThatHasJustBegunCountsOverAllOfThem) {
  log_.Append("an event", kStart);
  EXPECT_DOUBLE_EQ(At(kStart), 0.1);
}

TEST_F(LogRateTest, ALogThatIsTooSmallCountsOverWhatItKeeps) {
  limits_.events = 100;
  Append(kStart, kStart + seconds(20), milliseconds(10));
  EXPECT_NEAR(At(kStart + seconds(20)), 99, 0.1);  // the last second: 99 in 990 ms and 10 more
  // When nothing comes any more, it falls.
  EXPECT_NEAR(At(kStart + seconds(28)), 11, 0.1);
  EXPECT_EQ(At(kStart + seconds(31)), 0);
}

TEST_F(LogRateTest, WhatWasDroppedForItsAgeDoesNotCount) {
  Append(kStart, kStart + seconds(1), milliseconds(10));
  const TimePoint later = kStart + seconds(600);
  log_.ExpireBefore(later);
  Append(later, later + milliseconds(50), milliseconds(10));
  EXPECT_DOUBLE_EQ(At(later + milliseconds(50)), 0.5);
}

TEST_F(LogRateTest, AnAgeOfLessThanTheWindowCountsOverWhatIsKept) {
  limits_.age = seconds(2);
  Append(kStart, kStart + seconds(20), milliseconds(100));
  log_.ExpireBefore(kStart + seconds(20));
  EXPECT_NEAR(At(kStart + seconds(20)), 10, 0.6);
}

}  // namespace
}  // namespace crier
