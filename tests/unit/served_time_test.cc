// Time that goes on only while the shard serves.
#include "server/transport/served_time.h"

#include <gtest/gtest.h>

namespace crier {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

const TimePoint kStart{1h};

TEST(ServedTimeTest, BeginsAtTheClock) {
  ServedTime time;
  time.Start(kStart);
  EXPECT_EQ(time.now(), kStart);
  EXPECT_EQ(time.At(kStart + 30ms), kStart + 30ms);
}

TEST(ServedTimeTest, FollowsTheClockWhileTicksCome) {
  ServedTime time;
  time.Start(kStart);
  TimePoint clock = kStart;
  for (const auto step : {100ms, 103ms, 700ms, 1000ms}) {
    clock += step;
    EXPECT_TRUE(time.Tick(clock)) << step.count();
    EXPECT_EQ(time.now(), clock);
  }
}

TEST(ServedTimeTest, APauseCountsAsOneTickAndNobodyIsJudgedAtItsEnd) {
  ServedTime time;
  time.Start(kStart);
  TimePoint clock = kStart + 40s;
  EXPECT_EQ(time.At(clock), kStart + kTickInterval);
  EXPECT_FALSE(time.Tick(clock));
  EXPECT_EQ(time.now(), kStart + kTickInterval);
  // From there on as before.
  clock += 100ms;
  EXPECT_TRUE(time.Tick(clock));
  EXPECT_EQ(time.now(), kStart + kTickInterval + 100ms);
  EXPECT_EQ(time.At(clock + 20ms), kStart + kTickInterval + 120ms);
}

TEST(ServedTimeTest, AShardWhoseEveryTickIsLateJudgesToo) {
  ServedTime time;
  time.Start(kStart);
  TimePoint clock = kStart;
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(time.Tick(clock += 2s));
    EXPECT_TRUE(time.Tick(clock += 2s));
  }
  EXPECT_EQ(time.now(), kStart + 6 * kTickInterval);
}

TEST(ServedTimeTest, NeverGoesBack) {
  ServedTime time;
  time.Start(kStart);
  EXPECT_TRUE(time.Tick(kStart - 5s));
  EXPECT_EQ(time.now(), kStart);
}

}  // namespace
}  // namespace crier
