#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/bench/bench_clock.h"
#include "client/bench/study_schedule.h"

namespace crier::bench {
namespace {

TEST(RampScheduleTest, AUserIsAddedWhenTheLineReachesIt) {
  const RampSchedule ramp(5, {{30 * kSecond, 20}});
  EXPECT_EQ(ramp.ActiveAt(-1), 0u);
  EXPECT_EQ(ramp.ActiveAt(0), 5u);
  EXPECT_EQ(ramp.ActiveAt(2 * kSecond - 1), 5u);
  EXPECT_EQ(ramp.ActiveAt(2 * kSecond), 6u);
  EXPECT_EQ(ramp.ActiveAt(28 * kSecond), 19u);
  EXPECT_EQ(ramp.ActiveAt(30 * kSecond), 0u) << "the schedule is over";
}

TEST(RampScheduleTest, EachStageStartsWhereTheLastOneEnded) {
  const RampSchedule ramp(0, {{10 * kSecond, 10}, {10 * kSecond, 10}, {10 * kSecond, 0}});
  EXPECT_EQ(ramp.ActiveAt(10 * kSecond), 10u);
  EXPECT_EQ(ramp.ActiveAt(15 * kSecond), 10u);
  EXPECT_EQ(ramp.ActiveAt(20 * kSecond + kSecond / 2), 10u);
  EXPECT_EQ(ramp.ActiveAt(21 * kSecond), 9u);
  EXPECT_EQ(ramp.duration(), 30 * kSecond);
  EXPECT_EQ(ramp.max_users(), 10u);
}

TEST(StudyTest, HasTheThreeScenariosOfTheStudy) {
  const std::vector<StudyScenario> scenarios = StudyScenarios(1, 1);
  ASSERT_EQ(scenarios.size(), 3u);
  EXPECT_EQ(scenarios[0].name, "constVUWith3DirectMessages");
  EXPECT_EQ(scenarios[0].start, 0);
  EXPECT_EQ(scenarios[0].end(), 45 * kSecond);
  EXPECT_EQ(scenarios[0].users.ActiveAt(0), 80u);
  EXPECT_EQ(scenarios[0].users.ActiveAt(44 * kSecond), 80u);

  EXPECT_EQ(scenarios[1].name, "rampUp50With100Messages");
  EXPECT_EQ(scenarios[1].start, 120 * kSecond);
  EXPECT_EQ(scenarios[1].users.max_users(), 200u);
  EXPECT_EQ(scenarios[1].users.ActiveAt(0), 5u);
  EXPECT_EQ(scenarios[1].users.ActiveAt(30 * kSecond), 20u);
  EXPECT_EQ(scenarios[1].users.ActiveAt(165 * kSecond), 125u);
  EXPECT_EQ(scenarios[1].end(), (120 + 7 * 30) * kSecond);

  EXPECT_EQ(scenarios[2].name, "rampUp50WithSingleMessage");
  EXPECT_EQ(scenarios[2].start, 300 * kSecond);
  EXPECT_EQ(scenarios[2].users.max_users(), 750u);
  EXPECT_EQ(scenarios[2].users.ActiveAt(210 * kSecond), 200u);
  EXPECT_EQ(scenarios[2].users.ActiveAt(225 * kSecond), 225u);
  EXPECT_EQ(scenarios[2].end(), (300 + 18 * 30) * kSecond);
  EXPECT_EQ(scenarios[2].graceful_stop, 30 * kSecond);
}

TEST(StudyTest, IsScaledInTimeAndInUsers) {
  const std::vector<StudyScenario> scenarios = StudyScenarios(0.1, 0.5);
  EXPECT_EQ(scenarios[0].users.ActiveAt(0), 40u);
  EXPECT_EQ(scenarios[1].start, 12 * kSecond);
  EXPECT_EQ(scenarios[1].graceful_stop, 3 * kSecond);
  EXPECT_EQ(scenarios[2].users.max_users(), 375u);
  EXPECT_EQ(StudyScenarios(1, 0.001)[1].users.ActiveAt(0), 1u) << "never nobody";
}

}  // namespace
}  // namespace crier::bench
